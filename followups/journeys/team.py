"""Who does a step, what is said in it, and taking it back: for journeys, and for playbooks that go the same way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

from django.utils import timezone

from customers.models import Complaint, Contact, Customer, Product
from followups.messages import outbox
from followups.models import DutyHolder, FollowUp, Message, Script
from followups.rules.governor import Purpose
from followups.scripts import services as scripts
from tenants.models import Member
from tenants.permissions import Role

ASKS_A_PERSON: Final = frozenset({"no_address", "dead_address", "channel_off", "by_hand"})
"""Why a message does not go out, where a person can do what it cannot; all else is respected."""

NO_CONTACT: Final = "no_contact"
NO_SCRIPT: Final = "no_script"
NOT_SENT: Final = "not_sent"
"""Why a person does what a message was to do."""


class Done(Protocol):
    """What a step has done: it may have raised a follow-up or handed over a message."""

    follow_up_id: int | None
    follow_up: FollowUp | None
    message_id: int | None


class Team:
    """Who does what, and what is said: asked for once, however many steps name the same."""

    def __init__(self) -> None:
        self._scripts: dict[str, Script | None] = {}
        self._members: dict[int, Member] | None = None
        self._holders: dict[str, int] | None = None

    def script(self, code: str) -> Script | None:
        """The script of a code that is switched on, with its wordings."""
        if code not in self._scripts:
            found = Script.objects.filter(code=code, is_on=True).prefetch_related("variants")
            self._scripts[code] = found.first()
        return self._scripts[code]

    def member(self, pk: int | None) -> Member | None:
        """The active member of a number."""
        if self._members is None:
            rows = Member.objects.filter(is_active=True).select_related("user", "team")
            self._members = {row.pk: row for row in rows}
        return self._members.get(pk) if pk is not None else None

    def holder(self, duty: str, customer: Customer) -> tuple[int | None, str]:
        """Whose a step is, and the duty to name where the A owner does it for somebody whom nobody has named."""
        owner = customer.owner_a_id
        if duty == DutyHolder.Duty.OWNER:
            return owner, ""
        if duty == DutyHolder.Duty.COVER:
            return customer.owner_b_id or owner, ""
        found = self.lead(customer) if duty == DutyHolder.Duty.LEAD else self._named(duty)
        if found is not None and self.sees(found, customer):
            return found.pk, ""
        return owner, duty

    def sees(self, member: Member, customer: Customer) -> bool:
        """Whether a member sees a customer."""
        return Customer.objects.visible_to(member).filter(pk=customer.pk).exists()

    def lead(self, customer: Customer) -> Member | None:
        """The lead of the A owner's team."""
        owner = self.member(customer.owner_a_id)
        if owner is None or self._members is None:
            return None
        leads = [row for row in self._members.values() if row.role == Role.TEAM_LEAD and row.team_id == owner.team_id]
        return min(leads, key=lambda row: row.pk, default=None)

    def _named(self, duty: str) -> Member | None:
        if self._holders is None:
            self._holders = dict(DutyHolder.objects.values_list("duty", "member_id"))
        return self.member(self._holders.get(duty))

    def first_contact(self, customer: Customer) -> Contact | None:
        """Whom to write to: the main contact first, nobody who has left or taken back the consent."""
        reachable = Contact.objects.filter(customer=customer, left_on__isnull=True)
        found: Contact | None = reachable.exclude(consent=Contact.Consent.WITHDRAWN).order_by("-is_main", "pk").first()
        return found

    def write(
        self,
        *,
        customer: Customer,
        contact: Contact | None,
        script: str,
        channel: str,
        purpose: Purpose,
        origin: str,
        period: str,
        product: Product | None = None,
        complaint: Complaint | None = None,
    ) -> tuple[Message | None, str]:
        """Hand over the message of a step, and say why a person has to do it instead; "" where none has to.

        To `contact`, else to the first one who may be written to. The governor has judged it (outbox.queue_message).
        """
        contact = contact or self.first_contact(customer)
        if contact is None:
            return None, NO_CONTACT
        said = self.script(script)
        if said is None:
            return None, NO_SCRIPT
        owner = self.member(customer.owner_a_id)
        try:
            text = scripts.render(
                said,
                customer=customer,
                contact=contact,
                member=owner,
                language=scripts.language_of(contact),
                product=product,
                complaint=complaint,
            )
        except scripts.NothingToSay:
            return None, NO_SCRIPT
        message = outbox.queue_message(
            customer=customer,
            contact=contact,
            channel=channel,
            purpose=purpose,
            subject=text.subject or _first_line(text.body),
            body=text.body,
            origin=origin,
            period=period,
            script=text.variant,
            language=text.language,
            member=owner,
        )
        instead = message.status == Message.Status.BLOCKED and message.why in ASKS_A_PERSON
        return message, NOT_SENT if instead else ""


def _first_line(text: str) -> str:
    return text.strip().splitlines()[0][: scripts.SUBJECT_LENGTH]


def withdraw(steps: Sequence[Done]) -> None:
    """Withdraw the open follow-ups of these steps and the messages that have not gone yet."""
    now = timezone.now()
    follow_ups = [step.follow_up_id for step in steps if step.follow_up_id]
    messages = [step.message_id for step in steps if step.message_id]
    if follow_ups:
        open_ones = FollowUp.objects.filter(pk__in=follow_ups, status=FollowUp.Status.OPEN)
        open_ones.update(status=FollowUp.Status.CANCELLED, closed_at=now, updated_at=now)
        for step in steps:
            if step.follow_up is not None and step.follow_up.status == FollowUp.Status.OPEN:
                step.follow_up.status, step.follow_up.closed_at = FollowUp.Status.CANCELLED, now
    if messages:
        waiting = Message.objects.filter(pk__in=messages, status__in=outbox.OPEN)
        waiting.update(status=Message.Status.CANCELLED, counts_at=None, updated_at=now)
