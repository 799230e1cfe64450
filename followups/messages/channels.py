"""How the firm sends: its sender and footer for e-mail, a gateway for each other channel."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from customers.models import Channel
from followups.messages.sending.gateways import KINDS, BadGateway, asks_for, scheme_of
from followups.models import ChannelSetup
from tenants.events import record
from tenants.outgoing import ForbiddenAddress, check_url
from tenants.secrets import seal

SENT_BY: tuple[str, ...] = (Channel.EMAIL.value, *KINDS)
"""Channels by which something is sent."""


def setup_of(channel: str) -> ChannelSetup:
    """The channel as it is set up; a new row, not saved, where it is not."""
    found: ChannelSetup = ChannelSetup.objects.filter(channel=channel).first() or ChannelSetup(
        channel=channel, is_on=channel == Channel.EMAIL
    )
    return found


@transaction.atomic
def save_email(
    *, is_on: bool, from_name: str = "", from_address: str = "", reply_to: str = "", footer: str = ""
) -> ChannelSetup:
    """How mails of the firm look: the sender's name and address, where answers go, what stands below."""
    return _save(
        Channel.EMAIL.value,
        {
            "is_on": is_on, "from_name": " ".join(from_name.split()), "from_address": from_address, "reply_to": reply_to,
            "footer": footer.strip(),
        },
    )  # fmt: skip


@transaction.atomic
def save_gateway(*, channel: str, is_on: bool, gateway: str = "", server: str = "") -> ChannelSetup:
    """By which gateway a channel sends: `gateway` is its address with the keys ("" keeps the one there is).

    `server` is where it is instead of its maker's. Raises ValidationError by field, in words.
    """
    values: dict[str, Any] = {"is_on": is_on, "server": server.strip()}
    if values["server"]:
        try:
            check_url(values["server"])
        except ForbiddenAddress as error:
            words = _("This address lies in a network that may not be called.")
            raise ValidationError({"server": words}) from error
        except (ValueError, OSError) as error:
            raise ValidationError({"server": _("No server is found at this address.")}) from error
    if gateway.strip():
        try:
            values["asks_for"] = asks_for(gateway.strip())
            values["gateway_name"] = scheme_of(channel, gateway.strip())
        except BadGateway as error:
            raise ValidationError({"gateway": str(error)}) from error
        values["gateway"] = seal(gateway.strip())
    elif is_on and not setup_of(channel).gateway:
        raise ValidationError({"gateway": _("Say which gateway sends.")})
    return _save(channel, values)


def _save(channel: str, values: dict[str, Any]) -> ChannelSetup:
    row, _is_new = ChannelSetup.objects.select_for_update().get_or_create(channel=channel)
    setup: ChannelSetup = row
    # The address with the keys stays out of the log: that it changed is enough.
    changed = sorted(name for name, value in values.items() if getattr(setup, name) != value)
    if changed:
        for name, value in values.items():
            setattr(setup, name, value)
        setup.save()
        record("set up", setup, {"channel": channel, "changed": changed})
    return setup
