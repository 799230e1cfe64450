"""The governor's facts: what has reached a contact, what is on its way, what they wish for (rules/governor.py)."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final
from zoneinfo import ZoneInfo

from django.utils import timezone

from customers.models import Channel, Contact, Customer, Interaction
from followups.models import ChannelSetup, ContactWishes, DeadAddress, FollowUp, Message, OptOut
from followups.rules.contact_policy import ContactPolicy
from followups.rules.governor import Person, Purpose, Use, Verdict
from followups.rules.governor import judge as judged
from tenants.context import current_tenant
from tenants.policies import active_policy

OUTBOX: Final = "outbox"
"""The source of contacts that the outbox has logged: the message itself counts, not both."""

BY_HAND: Final = frozenset({Channel.PHONE.value, Channel.VISIT.value, Channel.STORE.value})
"""Channels by which a person speaks; nothing is sent."""

_OF_CONTACT: Final[Mapping[str, str]] = {
    Channel.EMAIL.value: "email", Channel.SMS.value: "phone", Channel.PHONE.value: "phone",
}  # fmt: skip


def judge(
    *,
    contact: Contact,
    channel: str,
    purpose: Purpose,
    at: dt.datetime | None = None,
    follow_up: FollowUp | None = None,
) -> Verdict:
    """Whether the contact may be reached at `at` (now, unless said), otherwise from when or why not at all.

    Looks, and books nothing: `outbox.queue_message` asks again under the contact's lock. `follow_up` is the task that
    the message fulfils, so that it does not count twice. Whoever asks about phone or visit hears "by_hand" from the
    outbox only: here a person's own contact is judged by budget and wishes alone.
    """
    facts = Facts([contact])
    person = facts.person(contact, channel, follow_up_id=follow_up.pk if follow_up else None)
    if person.can_send is None:
        person = facts.by_hand(person)
    return judged(at=at or facts.now, channel=channel, purpose=purpose, person=person, policy=facts.policy)


@dataclass
class _Touches:
    uses: list[tuple[Use, int | None, int | None]] = field(default_factory=list)
    """With the message or the follow-up that each is."""


class Facts:
    """What the governor needs of some contacts of the open scope, read at once: the same queries for one and for many.

    `now` is when it was read; a message that is judged is left out of its own budget.
    """

    def __init__(self, contacts: Collection[Contact], *, now: dt.datetime | None = None) -> None:
        self.now = now or timezone.now()
        self.policy = active_policy().section(ContactPolicy)
        self._tenant = current_tenant()
        self._contacts = {contact.pk: contact for contact in contacts}
        ids = list(self._contacts)
        customers = {contact.customer_id for contact in contacts}
        self._closed = set(
            Customer.objects.filter(pk__in=customers, closed_on__isnull=False).values_list("pk", flat=True)
        )
        self.setups = {setup.channel: setup for setup in ChannelSetup.objects.all()}
        self._wishes = {wish.contact_id: wish for wish in ContactWishes.objects.filter(contact__in=ids)}
        self._opted: defaultdict[int, set[str]] = defaultdict(set)
        for contact_id, channel in OptOut.objects.filter(contact__in=ids).values_list("contact_id", "channel"):
            self._opted[contact_id].add(channel)
        addresses = {
            value.lower() for contact in contacts for value in (contact.email, contact.phone, contact.wechat) if value
        }
        dead = DeadAddress.objects.filter(address__in=addresses)
        self._dead: set[tuple[str, str]] = set(dead.values_list("channel", "address"))
        self._touches: defaultdict[int, _Touches] = defaultdict(_Touches)
        self._read_touches(ids, customers)

    def _read_touches(self, ids: Sequence[int], customers: Collection[int]) -> None:
        policy = self.policy
        since = self.now - dt.timedelta(days=max(policy.window_days, policy.survey_days, 1))
        messages = Message.objects.filter(contact__in=ids, counts_at__gte=since)
        for pk, contact, channel, purpose, at in messages.values_list(
            "pk", "contact_id", "channel", "purpose", "counts_at"
        ):
            use = Use(at, channel, is_survey=purpose == Message.Purpose.SURVEY)
            self._touches[contact].uses.append((use, pk, None))
        logged = Interaction.objects.filter(
            customer__in=customers, at__gte=since, direction=Interaction.Direction.OUTBOUND
        ).exclude(source=OUTBOX)
        of_customer: defaultdict[int, list[int]] = defaultdict(list)
        for contact in self._contacts.values():
            of_customer[contact.customer_id].append(contact.pk)
        for customer, contact_id, channel, at in logged.values_list("customer_id", "contact_id", "channel", "at"):
            # Where nobody noted to whom it was, it may have been any of them.
            for each in of_customer[customer] if contact_id is None else [contact_id]:
                if each in self._contacts:
                    self._touches[each].uses.append((Use(at, channel), None, None))
        first = self._tenant.today() - dt.timedelta(days=policy.window_days)
        tasks = FollowUp.objects.filter(contact__in=ids, status=FollowUp.Status.OPEN, day__gte=first)
        for pk, contact_id, channel, day in tasks.values_list("pk", "contact_id", "channel", "day"):
            noon = self._tenant.start_of(day) + dt.timedelta(hours=12)
            self._touches[contact_id].uses.append((Use(max(self.now, noon), channel, is_planned=True), None, pk))

    def person(
        self, contact: Contact, channel: str, *, message_id: int | None = None, follow_up_id: int | None = None
    ) -> Person:
        """The contact as the governor sees them for a channel, without the message that is judged and its task."""
        wishes = self._wishes.get(contact.pk)
        quiet = (wishes.quiet_from, wishes.quiet_until) if wishes and wishes.quiet_from and wishes.quiet_until else None
        address = self.address(contact, channel)
        uses = tuple(
            use
            for use, message, follow_up in self._touches[contact.pk].uses
            if (message is None or message != message_id) and (follow_up is None or follow_up != follow_up_id)
        )
        return Person(
            zone=ZoneInfo(wishes.timezone) if wishes and wishes.timezone else self._tenant.zone,
            address=address,
            needs_address=channel in _OF_CONTACT or bool(self._asks_for(channel)),
            can_send=self._can_send(channel),
            is_dead=(channel, address.lower()) in self._dead,
            has_left=contact.left_on is not None and contact.left_on <= self._tenant.today(),
            is_closed=contact.customer_id in self._closed,
            consent=contact.consent,
            preferred=contact.channel,
            opted_out=frozenset(self._opted[contact.pk]),
            quiet=quiet,
            most=wishes.most if wishes else None,
            uses=uses,
        )

    @staticmethod
    def by_hand(person: Person) -> Person:
        """The same for a contact that a person makes: no channel needs to be set up, no address needs to be known."""
        return replace(person, can_send=True, needs_address=False)

    def use(self, message: Message) -> None:
        """Count a message of these contacts that has just been planned or sent."""
        touches = self._touches[message.contact_id]
        touches.uses = [each for each in touches.uses if each[1] != message.pk]
        if message.counts_at is not None:
            use = Use(message.counts_at, message.channel, is_survey=message.purpose == Message.Purpose.SURVEY)
            touches.uses.append((use, message.pk, None))

    def address(self, contact: Contact, channel: str) -> str:
        """Where the channel reaches the contact; "" where something that it needs is not known."""
        if channel in _OF_CONTACT:
            return str(getattr(contact, _OF_CONTACT[channel]))
        values = [str(getattr(contact, name)) for name in self._asks_for(channel)]
        return " ".join(values) if all(values) else ""

    def _asks_for(self, channel: str) -> Sequence[str]:
        setup = self.setups.get(channel)
        return setup.asks_for if setup else []

    def _can_send(self, channel: str) -> bool | None:
        if channel in BY_HAND:
            return None
        setup = self.setups.get(channel)
        if channel == Channel.EMAIL:
            return setup is None or setup.is_on
        return setup is not None and setup.is_on and bool(setup.gateway)
