"""A trial of a channel: one message to whoever sets it up, past the outbox; nobody's budget is asked.

A worker sends it, since a page must not wait for a server outside; what came of it stands on the channel's row.
"""

from __future__ import annotations

from email.utils import parseaddr

from django.conf import settings
from django.db import transaction
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from customers.models import Channel
from followups.messages.sending.gateways import FIELDS
from followups.messages.sending.parcels import NotSent, Parcel, Unclear
from followups.messages.sending.work import sender_of
from followups.models import ChannelSetup
from tenants.context import current_tenant, tenant_scope
from tenants.events import record
from tenants.models import Tenant
from tenants.signed import sign

TRIAL = "trial"


@transaction.atomic
def ask_for_trial(*, channel: str, address: str) -> ChannelSetup:
    """Have a worker send a trial to an address; until it has, the row's `trial_worked` is None."""
    from followups.tasks import send_trial as task

    row, _is_new = ChannelSetup.objects.select_for_update().get_or_create(
        channel=channel, defaults={"is_on": channel == Channel.EMAIL}
    )
    setup: ChannelSetup = row
    setup.trial_at, setup.trial_to = timezone.now(), address.strip()
    setup.trial_worked, setup.trial_said = None, ""
    setup.save(update_fields=["trial_at", "trial_to", "trial_worked", "trial_said", "updated_at"])
    record("tried", setup, {"channel": channel})
    tenant_id = current_tenant().pk
    transaction.on_commit(lambda: task.delay(tenant_id, channel), robust=True)
    return setup


def send_trial(tenant: Tenant, channel: str) -> None:
    """Send the trial that was asked for and write down what came of it. A second bell finds it done."""
    with tenant_scope(tenant):
        setup = ChannelSetup.objects.filter(channel=channel, trial_at__isnull=False, trial_worked__isnull=True).first()
        if setup is None:
            return
        parcel = _parcel(setup, tenant)
    worked, said = _send(setup, parcel)
    with tenant_scope(tenant):
        same = ChannelSetup.objects.filter(pk=setup.pk, trial_at=setup.trial_at)
        same.update(trial_worked=worked, trial_said=said[:2000], updated_at=timezone.now())


def _parcel(setup: ChannelSetup, tenant: Tenant) -> Parcel:
    name, own = parseaddr(settings.DEFAULT_FROM_EMAIL)
    known = tenant.language in dict(settings.LANGUAGES)
    with translation.override(tenant.language if known else settings.LANGUAGE_CODE):
        subject, text = _("Trial of Perennial"), _("If you can read this, the channel works.")
    return Parcel(
        message_id=0,
        reference=sign(TRIAL, tenant.pk, 0),
        address=setup.trial_to,
        to_name="",
        subject=subject,
        text=text,
        from_name=setup.from_name or tenant.name or name,
        from_address=setup.from_address or own,
        language=tenant.language,
        fields=dict.fromkeys(FIELDS, setup.trial_to),
    )


def _send(setup: ChannelSetup, parcel: Parcel) -> tuple[bool, str]:
    try:
        sender = sender_of(setup.channel, setup)
    except NotSent as outcome:
        return False, outcome.said
    try:
        return True, sender.send(parcel).said
    except (NotSent, Unclear) as outcome:
        return False, outcome.said
    finally:
        sender.close()
