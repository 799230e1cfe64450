"""The best case of a month: what ended well in it, who ended it, and what each has for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from django.db.models import Q, QuerySet

from incentives.rules import awards as rules
from incentives.rules.kpis import Period
from risk.cases.services import statements
from risk.models import Case
from tenants.models import Member
from tenants.permissions import Role


@dataclass(frozen=True)
class Candidate:
    """A case that ended well, whoever ended it (None: nobody of the firm who is still there), and what it has for it."""

    case: Case
    handler: Member | None
    proposal: rules.Proposal


def candidates(month: Period, member: Member, may: Callable[[Candidate], bool]) -> list[Candidate]:
    """The cases of a month that are most worth telling, among those of customers that a member sees and that `may` be.

    Ended well: saved and closed in the month, or lost before and won back in it.
    """
    people = ("customer__owner_a__user", "customer__owner_a__team", "closed_by__user", "closed_by__team")
    rows = list(_ended_well(month, member).select_related(*people))
    shares = _kept_shares() if rows else {}
    by_pk = {row.pk: Candidate(row, handler_of(row), rules.Proposal(row.pk, 0, ())) for row in rows}
    kept = [_kept(row, month, shares) for row in rows if may(by_pk[row.pk])]
    return [Candidate(by_pk[each.case].case, by_pk[each.case].handler, each) for each in rules.proposals(kept)]


def without_lessons(month: Period, member: Member) -> int:
    """How many cases that ended well have nothing written down that others could learn from."""
    return int(_ended_well(month, member).filter(lessons="").count())


def handler_of(case: Case) -> Member | None:
    """Who ended a case: who closed it, else the customer's A owner; None when neither is a person still there."""
    for member in (case.closed_by, case.customer.owner_a):
        if member is not None and member.is_active and member.role != Role.INTEGRATION:
            found: Member = member
            return found
    return None


def _ended_well(month: Period, member: Member) -> QuerySet[Case]:
    saved = Q(outcome=Case.Outcome.SAVED, closed_on__gte=month.start, closed_on__lt=month.end)
    back = Q(outcome=Case.Outcome.LOST, won_back_on__gte=month.start, won_back_on__lt=month.end)
    rows: QuerySet[Case] = Case.objects.visible_to(member).filter(saved | back)
    return rows


def _kept_shares() -> dict[str, Fraction]:
    """By cause the share of its cases that ended well, over all the firm's; causes with enough cases only."""
    found = {}
    for each in statements(Case.objects.all()):
        if each.enough_own and each.good.of:
            found[each.cause] = Fraction(each.good.hits, each.good.of)
    return found


def _kept(case: Case, month: Period, shares: dict[str, Fraction]) -> rules.Kept:
    was_won_back = case.outcome == Case.Outcome.LOST
    return rules.Kept(
        case=case.pk,
        level=case.level,
        was_won_back=was_won_back,
        kept_share=shares.get(case.cause),
        has_lessons=bool(case.lessons.strip()),
        was_tried=any(code != "nothing" for code in case.tried),
        ended_on=(case.won_back_on or case.closed_on) if was_won_back else case.closed_on,
    )
