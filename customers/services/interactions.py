"""Writing down contacts with customers."""

from __future__ import annotations

import datetime as dt
from typing import Any, Final, TypedDict, Unpack

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from customers.models import Contact, Customer, Interaction
from customers.services.arrivals import add_fact, arrived, change_fact
from customers.services.rows import Outcome, error_of, for_update, lock, upsert
from tenants.events import record
from tenants.models import Member

# A contact that somebody logs may lie a little ahead of our clock, or of our zone.
CLOCK_SKEW: Final = dt.timedelta(days=1)


class InteractionContent(TypedDict, total=False):
    """What can be said about a contact with a customer."""

    customer: Customer
    contact: Contact | None
    member: Member | None
    at: dt.datetime
    channel: str
    direction: str
    kind: str
    topic: str
    answered: bool | None
    solved: bool | None
    about_competitor: bool
    leaving: str
    note: str


class InteractionFields(InteractionContent, total=False):
    """The same, with what another system calls it."""

    source: str
    external_id: str


@transaction.atomic
def log_interaction(**fields: Unpack[InteractionFields]) -> Interaction:
    """Write down a contact with a customer: needs customer and channel; `at` is now unless said otherwise.

    Raises ValidationError by field.
    """
    return _log(fields)


def _log(fields: InteractionFields, *, is_free: bool = False) -> Interaction:
    return add_fact(Interaction, fields, check=_check_interaction, verb="logged", is_free=is_free)


@transaction.atomic
def patch_interaction(*, interaction: Interaction, **fields: Unpack[InteractionFields]) -> Outcome:
    """Change the given fields of a logged contact."""
    lock(interaction)
    return change_fact(interaction, fields, check=_check_interaction)


@transaction.atomic
def delete_interaction(*, interaction: Interaction) -> None:
    """Take back a contact that was logged by mistake."""
    customer_id = interaction.customer_id
    record("deleted", interaction)
    interaction.delete()
    arrived([customer_id])


def upsert_interaction(
    *, source: str, external_id: str, **fields: Unpack[InteractionContent]
) -> tuple[Interaction, Outcome]:
    """The logged contact that `source` calls `external_id`, with these fields; made if there is none."""
    return upsert(
        find=lambda: for_update(Interaction.objects.filter(source=source, external_id=external_id)),
        make=lambda: _log({"source": source, "external_id": external_id, **fields}, is_free=True),
        change=lambda interaction: change_fact(interaction, fields, check=_check_interaction),
    )


def _check_interaction(interaction: Interaction) -> dict[str, Any]:
    wrong: dict[str, Any] = {}
    if interaction.at > timezone.now() + CLOCK_SKEW:
        wrong["at"] = error_of(_("A contact cannot be logged before it happened."), "in_the_future")
    if interaction.contact is not None and interaction.contact.customer_id != interaction.customer_id:
        wrong["contact"] = error_of(_("This contact belongs to another customer."), "other_customer")
    return wrong
