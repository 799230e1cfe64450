"""Awarding a month: freeze its ranking and give the medals, correct it in the open, choose the best case.

A month is awarded once it is closed; what was frozen stays. A correction is a new revision beside it, with its reason;
medals that it takes away end, and those that it gives are new. Nobody has a say in who has which place: the facts and
the rules of the month's closing decide (docs/rules/awards.md).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from django.core.exceptions import ValidationError
from django.db import connection
from django.utils import timezone
from django.utils.translation import gettext as _

from followups.notices.services import Told, notify_each
from incentives.awards.cases import Candidate, candidates
from incentives.awards.ranking import (
    Ranking,
    Stood,
    closing_of_month,
    reckon,
    same,
    standing_round,
    stood_in,
    usual_facts,
)
from incentives.awards.telling import GIVEN, TAKEN
from incentives.kpis.words import period_words
from incentives.ledger.accruing import Wanted, settle_medals
from incentives.models import AwardRound, AwardStanding, KpiClosing, Medal, Reward
from incentives.rules import awards as rules
from incentives.rules.awards_policy import AwardPolicy
from incentives.rules.kpis import Period
from tenants.base import POINTS
from tenants.context import current_tenant
from tenants.events import acting, record
from tenants.models import Member
from tenants.permissions import Role
from tenants.policies import active_policy, policy_numbered
from tenants.templatetags.perennial import day as day_words

REASON_LENGTH: Final = 500
_LOCK: Final = "SELECT pg_advisory_xact_lock(hashtext('incentives.awards'), %s)"


class Refused(ValidationError):
    """What must not be done to a month's ranking; the message says why, in the user's language."""


def _lock() -> None:
    """One at a time in a firm awards, corrects or chooses."""
    with connection.cursor() as cursor:
        cursor.execute(_LOCK, [current_tenant().pk % 2**31])


# ── the ranking ─────────────────────────────────────────────────────────────


def preview(month: Period) -> Ranking:
    """The ranking of a closed month as it would be awarded now; nothing is written. Raises Refused while it is open."""
    return reckon(month, _closed(month))


def award(*, month: Period, by: Member) -> AwardRound:
    """Freeze the ranking of a closed month and give its medals.

    Raises Refused for a month that is not closed yet, and for one that is awarded already, naming who did it and when.
    """
    with acting(by):
        _lock()
        closing = _closed(month)
        last = standing_round(month)
        if last is not None:
            words = _("%(who)s awarded %(month)s on %(day)s. What has come to light since is a correction.")
            raise Refused(words % {"who": last.awarded_by, **_when(month, last)}, code="awarded")
        return _freeze(reckon(month, closing, keep=True), closing, by, revision=1)


def correct(*, month: Period, why: str, by: Member, leave_out: Member | None = None) -> AwardRound:
    """Rank an awarded month again by the facts as they are known now; the ranking before stays beside it.

    `leave_out`: take somebody out of it for good, because what was written down was made up; an executive or
    administrator says so, nobody of themselves. Raises ValidationError by field without a reason, Refused where
    nothing would change.
    """
    with acting(by):
        if not why.strip():
            raise ValidationError({"why": ValidationError(_("Say why: everybody reads it."), code="required")})
        if leave_out is not None and (by.role not in (Role.EXECUTIVE, Role.ADMIN) or leave_out.pk == by.pk):
            words = _("An executive or administrator leaves somebody out; nobody themselves.")
            raise ValidationError({"leave_out": ValidationError(words, code="not_yours")})
        _lock()
        last = standing_round(month)
        if last is None:
            raise Refused(_("%(month)s is not awarded yet.") % {"month": period_words(month)}, code="not_awarded")
        closing = _closed(month)
        out = {*last.facts["left_out"], *([] if leave_out is None else [leave_out.pk])}
        ranking = reckon(month, closing, left_out=out, keep=True)
        if same(ranking.stood, stood_in(last)):
            raise Refused(
                _("By the facts as they are known now the ranking is the same; there is nothing to correct."),
                code="unchanged",
            )
        return _freeze(
            ranking, closing, by, revision=last.revision + 1, why=why.strip()[:REASON_LENGTH], left_out=sorted(out)
        )


def _closed(month: Period) -> KpiClosing:
    closing = closing_of_month(month)
    if closing is None:
        words = _("%(month)s is not closed yet; its numbers can still change.")
        raise Refused(words % {"month": period_words(month)}, code="open")
    return closing


def _when(month: Period, round_: AwardRound) -> dict[str, str]:
    day = current_tenant().local_date(round_.awarded_at)
    return {"month": period_words(month), "day": day_words(day)}


def _freeze(
    ranking: Ranking,
    closing: KpiClosing,
    by: Member,
    *,
    revision: int,
    why: str = "",
    left_out: Sequence[int] = (),
) -> AwardRound:
    round_: AwardRound = AwardRound.objects.create(
        month=ranking.month.start,
        revision=revision,
        as_of=ranking.as_of,
        policy_version=closing.policy_version,
        awarded_by=by,
        why=why,
        facts={"usual": usual_facts(ranking), "left_out": list(left_out), "with_place": ranking.with_place},
    )
    AwardStanding.objects.bulk_create(_standing(round_, each) for each in ranking.stood)
    said = {"month": ranking.month.code, "revision": revision, "why": why} | ({"left_out": list(left_out)})
    record("awarded" if revision == 1 else "corrected", round_, said, policy_version=closing.policy_version)
    _medals(ranking, round_, by)
    return round_


def _standing(round_: AwardRound, stood: Stood) -> AwardStanding:
    return AwardStanding(
        round=round_, member=stood.member, team=stood.team, place=stood.place, score=stood.score, before=stood.before,
        why_not=stood.why_not, facts=stood.facts(),
    )  # fmt: skip


def _medals(ranking: Ranking, round_: AwardRound, by: Member) -> None:
    """Give the medals of a ranking; those that it does not have any more end, those that stay are left as they are."""
    held = {
        (row.member_id, row.kind): row
        for row in Medal.objects.held().filter(month=round_.month, round__isnull=False).select_related("member__user")
    }
    stood = {each.member.pk: each for each in ranking.stood}
    given = {(each.member, each.kind): each for each in ranking.given}
    change = rules.change(list(held), list(given))
    for key in change.gone:
        _end(held[key], by, round_.why)
    policy = policy_numbered(round_.policy_version)
    money = policy.section(AwardPolicy)
    for key in change.new:
        each, row = given[key], stood[key[0]]
        facts = {"rise": None if each.rise is None else str(each.rise), "of": ranking.with_place}
        _give(
            Medal(
                month=round_.month, kind=each.kind, member=row.member, team=row.team, round=round_, score=each.score,
                facts=facts | _earns(money, each.kind, round_.policy_version), given_by=by,
            )
        )  # fmt: skip
    _settle(round_.month, by)


# ── medals ──────────────────────────────────────────────────────────────────


def _earns(policy: AwardPolicy, kind: rules.MedalKind, version: int) -> dict[str, object]:
    """What a medal earns by the rules of a version, kept with it: a later policy touches nothing."""
    money = policy.money_of(kind)
    return {"money": str(money), "policy": version} if money else {}


def _give(medal: Medal) -> None:
    medal.save(force_insert=True)
    record("given", medal, {"medal": medal.kind, "month": str(medal.month), "member": medal.member_id})
    _tell(medal, GIVEN.code, f"medal:{medal.pk}", {})


def _end(medal: Medal, by: Member, why: str) -> None:
    now = timezone.now()
    Medal.objects.filter(pk=medal.pk).update(ended_at=now, ended_by=by, ended_why=why, updated_at=now)
    record("taken_back", medal, {"medal": medal.kind, "month": str(medal.month), "why": why})
    _tell(medal, TAKEN.code, f"medal:{medal.pk}:taken", {"why": why})


def _tell(medal: Medal, kind: str, key: str, more: dict[str, str]) -> None:
    params = {"medal": medal.kind, "month": str(medal.month), **more}
    notify_each(kind=kind, told=[Told(medal.member, key, params, f"awards/{medal.month:%Y-%m}/")])


def _settle(month: dt.date, by: Member) -> None:
    """Bring the ledger into line with the medals that are held: what they earn waits for approval there."""
    period = Period.of("month", month)
    wanted = [
        Wanted(
            key=f"award:{month:%Y-%m}:{row.kind}:{row.member_id}", kind=Reward.Kind.AWARD, customer_id=None,
            earned_on=period.last, entitled=int(Decimal(row.facts["money"]) * POINTS), version=row.facts["policy"],
            member_id=row.member_id,
            facts={"medal": row.kind, "month": str(month), "given_by": row.given_by_id},
        )
        for row in Medal.objects.held().filter(month=month).order_by("pk")
        if row.facts.get("money")
    ]  # fmt: skip
    settle_medals(month, wanted, current_tenant().today(), member=by)


# ── the best case ───────────────────────────────────────────────────────────


def may_choose(member: Member, candidate: Candidate) -> bool:
    """Whether a member may honour whoever ended a case: their lead, an executive, an administrator; nobody themselves."""
    if not member.can("awards:write") or candidate.handler is None or candidate.handler.pk == member.pk:
        return False
    if member.role == Role.TEAM_LEAD:
        return candidate.handler.pk in member.team_members
    return True


def proposed(month: Period, member: Member) -> list[Candidate]:
    """The cases of a month among which a member chooses, the most worth telling first."""
    return candidates(month, member, lambda each: may_choose(member, each))


def choose_case(*, month: Period, case: int, reason: str, by: Member) -> Medal:
    """Make one of the proposed cases the best of its month, for the team of whoever ended it.

    Chosen again with another case, the one before is taken back with the same reason; the same case again changes
    nothing. Raises ValidationError by field for a case that is not proposed, and without a reason; Refused while the
    month runs.
    """
    with acting(by):
        if month.end > current_tenant().today():
            words = _("%(month)s still runs; its best case can be chosen from %(day)s on.")
            raise Refused(words % {"month": period_words(month), "day": day_words(month.end)}, code="runs")
        if not reason.strip():
            raise ValidationError({"reason": ValidationError(_("Say what others can learn from it."), code="required")})
        _lock()
        found = next((each for each in proposed(month, by) if each.case.pk == case), None)
        if found is None or found.handler is None:
            raise ValidationError(
                {"case": ValidationError(_("It is not among the cases that are proposed to you."), code="not_proposed")}
            )
        reason = reason.strip()[:REASON_LENGTH]
        team = found.handler.team
        held = Medal.objects.held().filter(month=month.start, kind=Medal.Kind.CASE, team=team)
        last = held.select_related("member__user").first()
        if last is not None and last.case_id == case:
            kept: Medal = last
            return kept
        if last is not None:
            _end(last, by, reason)
        policy = active_policy()
        medal = Medal(
            month=month.start, kind=Medal.Kind.CASE, member=found.handler, team=team, case_id=case,
            customer_id=found.case.customer_id, reason=reason, given_by=by,
            facts={
                "points": found.proposal.points, "why": list(found.proposal.why),
                **_earns(policy.section(AwardPolicy), "case", policy.number),
            },
        )  # fmt: skip
        _give(medal)
        _settle(month.start, by)
        return medal


# ── what waits ──────────────────────────────────────────────────────────────


def due_months(as_of: dt.date, back: int) -> list[Period]:
    """The closed months of the last `back` that nobody has awarded yet, the oldest first."""
    months = Period.of("month", as_of).before.back(back)
    starts = [each.start for each in months]
    closed = set(KpiClosing.objects.filter(span="month", start__in=starts).values_list("start", flat=True))
    awarded = set(AwardRound.objects.filter(month__in=starts).values_list("month", flat=True))
    return [each for each in months if each.start in closed and each.start not in awarded]


def awarders() -> list[Member]:
    """Who can award a month."""
    rows = Member.objects.filter(is_active=True, role__in=[Role.TEAM_LEAD, Role.EXECUTIVE, Role.ADMIN])
    return list(rows.select_related("user"))
