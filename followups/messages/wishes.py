"""What a contact has asked for, and addresses that do not work: writing them down."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from customers.models import Channel, Contact
from followups.messages.governor import BY_HAND, Facts
from followups.messages.whys import verdict_why
from followups.models import ContactWishes, DeadAddress
from followups.rules.governor import Use, Verdict, judge
from tenants.events import changes_of, record
from tenants.models import known_timezone


@transaction.atomic
def save_wishes(
    *,
    contact: Contact,
    timezone: str = "",
    quiet_from: dt.time | None = None,
    quiet_until: dt.time | None = None,
    most: int | None = None,
) -> ContactWishes:
    """Note the contact's time zone, own quiet hours (both or none) and own budget (None: the policy's).

    Raises ValidationError by field.
    """
    if timezone:
        try:
            known_timezone(timezone)
        except ValidationError as error:
            raise ValidationError({"timezone": error}) from error
    if (quiet_from is None) != (quiet_until is None):
        raise ValidationError({"quiet_until": _("Quiet hours need a beginning and an end.")})
    row, _is_new = ContactWishes.objects.select_for_update().get_or_create(contact=contact)
    wishes: ContactWishes = row
    values = {"timezone": timezone, "quiet_from": quiet_from, "quiet_until": quiet_until, "most": most}
    changes = {
        name: [None if value is None else str(value) for value in pair]
        for name, pair in changes_of(wishes, values).items()
    }
    if changes:
        for name, value in values.items():
            setattr(wishes, name, value)
        wishes.save()
        record("wishes changed", contact, changes)
    return wishes


@transaction.atomic
def revive(*, contact: Contact, dead: DeadAddress) -> None:
    """Try an address again that did not take messages: whoever knows better may say so."""
    record("address tried again", contact, {"channel": dead.channel, "address": dead.address})
    dead.delete()


@dataclass(frozen=True)
class Reach:
    """Whether a contact may be reached by a channel now: `why` in words, "" for yes; by hand where nothing is sent."""

    channel: str
    label: str
    verdict: Verdict
    why: str
    is_by_hand: bool


@dataclass(frozen=True)
class Standing:
    """How a contact stands with the governor: by channel, and what has used the budget, newest first."""

    reaches: Sequence[Reach]
    uses: Sequence[Use]
    used: int
    budget: int
    window_days: int


def standing_of(contact: Contact) -> Standing:
    """How a contact stands now, for what is automatic (purpose "care"); a person's own contact by what people may."""
    facts = Facts([contact])
    reaches = []
    for channel, label in Channel.choices:
        person = facts.person(contact, channel)
        by_hand = channel in BY_HAND
        if by_hand:
            person = facts.by_hand(person)
        verdict = judge(
            at=facts.now,
            channel=channel,
            purpose="personal" if by_hand else "care",
            person=person,
            policy=facts.policy,
        )
        reaches.append(Reach(channel, str(label), verdict, verdict_why(verdict, channel), by_hand))
    everything = sorted(facts.person(contact, "email").uses, key=lambda use: use.at, reverse=True)
    since = facts.now - dt.timedelta(days=facts.policy.window_days)
    recent = [use for use in everything if use.at >= since]
    own = facts.person(contact, "email").most
    budget = facts.policy.budget if own is None else min(own, facts.policy.budget)
    return Standing(reaches, recent, len(recent), budget, facts.policy.window_days)
