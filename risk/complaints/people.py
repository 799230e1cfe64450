"""Who looks after a complaint: whoever is named for its topic, else whose duty the policy says it is."""

from __future__ import annotations

from functools import cached_property

from customers.models import Customer
from followups.models import DutyHolder
from risk.models import TopicHolder
from risk.rules.complaint_policy import ComplaintPolicy
from tenants.models import Member
from tenants.permissions import Role


class Desk:
    """Answers who it is, for any number of complaints of one transaction; people are read once."""

    def __init__(self, policy: ComplaintPolicy) -> None:
        self.policy = policy

    def holder(self, kind: str, customer: Customer) -> Member | None:
        """Who gets a complaint of this kind, always somebody who sees the customer; None where there is nobody.

        Named for the topic; else by the topic's duty; else the A owner, the B owner, the team's lead.
        """
        duty = self.policy.topic(kind).duty
        wanted = [
            self._active(self._topics.get(kind)),
            self._by_duty(duty, customer),
            self._active(customer.owner_a_id),
            self._active(customer.owner_b_id),
            self.lead(customer),
        ]
        return next((each for each in wanted if each is not None and self.sees(each, customer)), None)

    def lead(self, customer: Customer) -> Member | None:
        """The lead of the A owner's team, of several the first."""
        owner = self._active(customer.owner_a_id)
        if owner is None or owner.team_id is None:
            return None
        leads = [each for each in self._people.values() if each.role == Role.TEAM_LEAD]
        return min((each for each in leads if each.team_id == owner.team_id), key=lambda each: each.pk, default=None)

    @staticmethod
    def sees(member: Member, customer: Customer) -> bool:
        """Whether the customer is one of the member's."""
        return bool(Customer.objects.visible_to(member).filter(pk=customer.pk).exists())

    def _by_duty(self, duty: str, customer: Customer) -> Member | None:
        if duty == DutyHolder.Duty.OWNER:
            return self._active(customer.owner_a_id)
        if duty == DutyHolder.Duty.COVER:
            return self._active(customer.owner_b_id)
        if duty == DutyHolder.Duty.LEAD:
            return self.lead(customer)
        return self._active(self._duties.get(duty))

    def _active(self, pk: int | None) -> Member | None:
        return self._people.get(pk) if pk is not None else None

    @cached_property
    def _people(self) -> dict[int, Member]:
        return {row.pk: row for row in Member.objects.filter(is_active=True).select_related("user", "team")}

    @cached_property
    def _topics(self) -> dict[str, int]:
        return dict(TopicHolder.objects.values_list("topic", "member_id"))

    @cached_property
    def _duties(self) -> dict[str, int]:
        return dict(DutyHolder.objects.values_list("duty", "member_id"))
