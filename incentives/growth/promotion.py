"""Promotion: who has been on target for years in a row by what is frozen, and the note that is written once."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from incentives.growth import telling
from incentives.growth.people import Refused, bosses_of, leaders, leads
from incentives.kpis.figures import Stands, score_cards
from incentives.models import KpiClosing, PromotionNote, Span, TeamChange
from incentives.rules.growth import QuarterStand, Streak, streak
from incentives.rules.growth_policy import GrowthPolicy
from incentives.rules.kpis import Period
from tenants.context import current_tenant
from tenants.events import acting, record
from tenants.models import Member
from tenants.permissions import Role
from tenants.policies import Policy, active_policy

TEXT_LENGTH: Final = 4000


def last_closed_quarter() -> Period | None:
    """The closed quarter that ends last."""
    row = KpiClosing.objects.filter(span=Span.QUARTER).order_by("-start").first()
    return None if row is None else Period("quarter", row.start)


@dataclass(frozen=True)
class Standing:
    """How long somebody has been on target; `team_changes` are the days on which they went to another team meanwhile."""

    member: Member
    streak: Streak
    team_changes: Sequence[dt.date]


def standings(members: Sequence[Member], policy: Policy | None = None) -> dict[int, Standing]:
    """How long each of some people has been on target up to the last closed quarter, by closed score cards alone.

    A fixed number of questions however many there are, and no more quarters than the policy's years and gaps take.
    """
    rules = (policy or active_policy()).section(GrowthPolicy)
    stands = _quarters(members, rules)
    found = {
        each.pk: streak(
            stands.get(each.pk, ()), wanted=rules.promotion_quarters, most_gaps=rules.promotion_gaps,
            job=rules.promotion_job,
        )
        for each in members
    }  # fmt: skip
    moves: dict[int, list[dt.date]] = {}
    for row in TeamChange.objects.filter(member__in=list(found)).order_by("on", "pk"):
        row_of = found[row.member_id]
        if row_of.counted and row_of.counted[0].period.start <= row.on < row_of.counted[-1].period.end:
            moves.setdefault(row.member_id, []).append(row.on)
    return {each.pk: Standing(each, found[each.pk], moves.get(each.pk, ())) for each in members}


def _quarters(members: Sequence[Member], rules: GrowthPolicy) -> dict[int, list[QuarterStand]]:
    """By member the closed quarters, newest first, up to one that is not closed; only of who is still in the row."""
    last = last_closed_quarter()
    if last is None:
        return {}
    periods = list(reversed(last.back(rules.promotion_quarters + rules.promotion_gaps + 1)))
    stands = Stands(periods, only_kept=True)
    found: dict[int, list[QuarterStand]] = {each.pk: [] for each in members}
    left = list(members)
    for period in periods:
        if not left:
            break
        if period not in stands or stands.closing(period) is None:
            for each in left:
                found[each.pk].append(QuarterStand(period, is_closed=False, score=None, job=""))
            break
        for card in score_cards(left, period, stands):
            found[card.member.pk].append(QuarterStand(period, is_closed=True, score=card.score, job=card.job))
        # Whoever missed it is asked no further: that is most of a firm in the first quarter.
        left = [each for each in left if not _has_missed(found[each.pk][-1], rules.promotion_job)]
    return found


def _has_missed(each: QuarterStand, job: str) -> bool:
    """Whether a quarter ends the row for good; one in a job that is not asked for is a gap."""
    return each.is_on_target is False and job in ("", each.job)


@transaction.atomic
def raise_notes(as_of: dt.date) -> int:
    """Write the note of everybody who has been on target long enough and has none; returns how many.

    Once for each person, however often it is asked for and by how many at the same moment.
    """
    policy = active_policy()
    rules = policy.section(GrowthPolicy)
    if KpiClosing.objects.filter(span=Span.QUARTER).count() < rules.promotion_quarters:
        return 0
    noted = PromotionNote.objects.values("member")
    people = list(
        Member.objects.filter(is_active=True)
        .exclude(role=Role.INTEGRATION)
        .exclude(pk__in=noted)
        .select_related("user", "team")
        .order_by("pk")
    )
    reached = [each for each in standings(people, policy).values() if each.streak.is_reached]
    bosses = leaders() if reached else []
    return sum(_raise(each, min(as_of, current_tenant().today()), policy, bosses) for each in reached)


def _raise(standing: Standing, on: dt.date, policy: Policy, bosses: Sequence[Member]) -> int:
    counted, person = standing.streak.counted, standing.member
    row, is_new = PromotionNote.objects.get_or_create(
        member=person,
        defaults={
            "first_quarter": counted[0].period.start,
            "last_quarter": counted[-1].period.start,
            "job": counted[-1].job,
            "quarters": [_as_json(each) for each in counted],
            "gaps": [_as_json(each) for each in standing.streak.gaps],
            "team_changes": [day.isoformat() for day in standing.team_changes],
            "policy_version": policy.number,
            "raised_on": on,
        },
    )
    if not is_new:
        return 0
    record("raised", row, {"member": person.pk, "quarters": len(counted)}, policy_version=policy.number)
    telling.tell_promotion(row, bosses_of(person, bosses), policy.section(GrowthPolicy).promotion_years)
    return 1


def _as_json(each: QuarterStand) -> dict[str, Any]:
    score = None if each.score is None else str(each.score)
    return {"quarter": each.period.code, "score": score, "job": each.job}


def may_settle(member: Member, row: PromotionNote) -> bool:
    """Whether a member may say what came of the talk: who leads the person."""
    return member.can("promotion-notes:write") and leads(member, row.member)


def settle(*, note: PromotionNote, by: Member, outcome: str, said: str) -> PromotionNote:
    """Say what came of the talk; it can be said anew, each time as an event.

    Raises Refused for who does not lead the person, ValidationError by field without an outcome or words.
    """
    with acting(by):
        row: PromotionNote = (
            PromotionNote.objects.select_related("member__user").select_for_update(of=("self",)).get(pk=note.pk)
        )
        if not may_settle(by, row):
            raise Refused(_("Who leads the person says what came of the talk."), code="not_yours")
        wrong: dict[str, ValidationError] = {}
        if outcome not in PromotionNote.Outcome.values or not outcome:
            wrong["outcome"] = ValidationError(_("Say what came of it."), code="required")
        if not said.strip():
            wrong["said"] = ValidationError(_("Say it in a sentence or two."), code="required")
        elif len(said) > TEXT_LENGTH:
            words = _("At most %(count)d characters.") % {"count": TEXT_LENGTH}
            wrong["said"] = ValidationError(words, code="too_long")
        if wrong:
            raise ValidationError(wrong)
        if (row.outcome, row.said) == (outcome, said.strip()):
            return row
        record("settled", row, {"outcome": [row.outcome, outcome]})
        row.outcome, row.said, row.settled_by = outcome, said.strip(), by
        row.settled_on = current_tenant().today()
        row.save(update_fields=["outcome", "said", "settled_by", "settled_on", "updated_at"])
        return row
