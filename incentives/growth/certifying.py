"""Certifications: made for each quarter, scored from facts and by a reviewer, sent back or confirmed by somebody else."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from incentives.growth import telling
from incentives.growth.facts import Facts, facts_of
from incentives.growth.people import ABOVE, Refused, bosses_of, leaders, leads, measured
from incentives.kpis.words import period_words
from incentives.models import Certification, CertificationScore
from incentives.rules import growth as rules
from incentives.rules.growth import DIMENSIONS, Dimension
from incentives.rules.growth_policy import GrowthPolicy
from incentives.rules.kpis import Period
from tenants.context import current_tenant
from tenants.events import acting, record
from tenants.models import Member
from tenants.policies import active_policy
from tenants.templatetags.perennial import day as day_words

TEXT_LENGTH: Final = 4000
WHY_LENGTH: Final = 300


@dataclass(frozen=True)
class Given:
    """What a reviewer says of a dimension: a score of 0 to 100, and why. None: nothing is said."""

    score: int | None = None
    reason: str = ""


# ── reading ─────────────────────────────────────────────────────────────────


def quarter_of(row: Certification) -> Period:
    return Period("quarter", row.quarter)


def score_by(row: Certification) -> dt.date:
    """The last day on which its reviewer is in time."""
    return quarter_of(row).last + dt.timedelta(days=active_policy().section(GrowthPolicy).score_days)


def is_over(row: Certification) -> bool:
    return quarter_of(row).end <= current_tenant().today()


def may_score(member: Member, row: Certification) -> bool:
    """Whether a member may score: its reviewer, whoever leads the person, and nobody for themselves."""
    if not member.can("certifications:write") or member.pk == row.member_id:
        return False
    return member.pk == row.reviewer_id or leads(member, row.member)


def may_confirm(member: Member, row: Certification) -> bool:
    """Whether a member may confirm: who leads the person, and is not whoever scored it."""
    return member.can("certifications:write") and member.pk != row.scored_by_id and leads(member, row.member)


def may_send_back(member: Member, row: Certification) -> bool:
    """Whether a member may send a score back: who may confirm it, and whoever scored it for their own undo."""
    return member.can("certifications:write") and (member.pk == row.scored_by_id or may_confirm(member, row))


def waiting_for(member: Member) -> QuerySet[Certification]:
    """What waits for a member: to be scored, its quarter being over; for who stands above the leads, to be confirmed."""
    if not member.can("certifications:write"):
        return Certification.objects.none()
    running = Period.of("quarter", current_tenant().today()).start
    waits = Q(reviewer=member, state=Certification.State.OPEN, quarter__lt=running)
    if member.role in ABOVE:
        waits |= Q(state=Certification.State.SCORED) & ~Q(scored_by=member) & ~Q(member=member)
    rows: QuerySet[Certification] = Certification.objects.filter(waits)
    return rows


def reviewers_for(row: Certification) -> list[Member]:
    """Who can be named as its reviewer: the leads, executives and administrators, but not the person."""
    return [each for each in leaders() if each.pk != row.member_id]


# ── a quarter's rows ────────────────────────────────────────────────────────


@transaction.atomic
def open_quarter(as_of: dt.date) -> int:
    """Make the certifications of the quarter that runs on a day, for everybody who has none yet; returns how many.

    Asked again it makes none; who joins later gets one while enough of the quarter is left.
    """
    quarter = Period.of("quarter", min(as_of, current_tenant().today()))
    people = measured(quarter, active_policy().section(GrowthPolicy).least_days)
    there = set(Certification.objects.filter(quarter=quarter.start).values_list("member_id", flat=True))
    missing = [each for each in people if each.pk not in there]
    bosses = leaders() if missing else []
    made = 0
    for person in missing:
        reviewer = next(iter(bosses_of(person, bosses)), None)
        row, is_new = Certification.objects.get_or_create(
            member=person, quarter=quarter.start, defaults={"reviewer": reviewer}
        )
        if is_new:
            record("opened", row, {"quarter": quarter.code, "reviewer": reviewer.pk if reviewer else None})
            made += 1
    return made


def tell_due(as_of: dt.date) -> int:
    """Tell reviewers what waits for their score since the quarter before ended; returns how many had not been told.

    Where a reviewer has left, or there is none, whoever leads the person is told.
    """
    quarter = Period.of("quarter", min(as_of, current_tenant().today())).before
    rows = Certification.objects.filter(quarter=quarter.start, state=Certification.State.OPEN)
    waiting: dict[Member, list[Certification]] = defaultdict(list)
    bosses = leaders()
    for row in rows.select_related("reviewer__user", "member__user"):
        there = row.reviewer if row.reviewer is not None and row.reviewer.is_active else None
        if (reviewer := there or next(iter(bosses_of(row.member, bosses)), None)) is not None:
            waiting[reviewer].append(row)
    return sum(
        telling.tell_due(reviewer, quarter, len(found), score_by(found[0])) for reviewer, found in waiting.items()
    )


def name_reviewer(*, certification: Certification, reviewer: Member, by: Member) -> Certification:
    """Name who reviews. Raises Refused for whom it is none of `by`'s business, for the person, and for who leads nobody."""
    with acting(by):
        row = _locked(certification)
        if not (by.can("certifications:write") and leads(by, row.member)):
            raise Refused(_("Who leads the person names the reviewer."), code="not_yours")
        _refuse_confirmed(row)
        if reviewer.pk == row.member_id:
            raise ValidationError({"reviewer": ValidationError(_("Nobody reviews themselves."), code="oneself")})
        if reviewer not in reviewers_for(row):
            words = _("Reviewers are leads of teams, executives and administrators.")
            raise ValidationError({"reviewer": ValidationError(words, code="no_reviewer")})
        if reviewer.pk == row.reviewer_id:
            return row
        before, row.reviewer = row.reviewer_id, reviewer
        row.save(update_fields=["reviewer", "updated_at"])
        record("reviewer_named", row, {"reviewer": [before, reviewer.pk]})
        if row.state == Certification.State.OPEN and is_over(row):
            telling.tell_named(row, reviewer, score_by(row))
        return row


# ── scoring ─────────────────────────────────────────────────────────────────


def scores_from(facts: Facts, least: int) -> dict[Dimension, Decimal | None]:
    """By dimension the score that the facts give; None where there are too few."""
    return {each: rules.score_of(facts[each], least) for each in DIMENSIONS}


def score(
    *, certification: Certification, by: Member, given: Mapping[Dimension, Given] | None = None, note: str = ""
) -> Certification:
    """Open → scored: dimensions with enough facts by those, the others as the reviewer says, with reasons.

    Raises Refused while the quarter runs and for who may not score; ValidationError by field: `<dimension>` without a
    score where facts give none, or with one where they do, `<dimension>_reason` without a reason. The same again,
    sent by whoever has scored it, changes nothing.
    """
    said = dict(given or {})
    with acting(by):
        row = _locked(certification)
        if not may_score(by, row):
            raise Refused(_("The reviewer or who leads the person scores it; nobody for themselves."), code="not_yours")
        _refuse_confirmed(row)
        if row.state == Certification.State.SCORED:
            if row.scored_by_id == by.pk:
                return row
            words = _("%(who)s has scored it already; it can be sent back.")
            raise Refused(words % {"who": row.scored_by}, code="scored")
        quarter = quarter_of(row)
        if not is_over(row):
            words = _("%(quarter)s runs until %(day)s; it can be scored from the day after.")
            raise Refused(words % {"quarter": period_words(quarter), "day": day_words(quarter.last)}, code="runs")
        policy = active_policy()
        lines = policy.section(GrowthPolicy)
        facts = facts_of(row.member, quarter)
        by_facts = scores_from(facts, lines.least_facts)
        _check(by_facts, said, note)
        fresh = [_score_row(row, each, by_facts[each], facts, said.get(each, Given())) for each in DIMENSIONS]
        row.scores.all().delete()
        CertificationScore.objects.bulk_create(fresh)
        result = rules.result_of(
            dict(zip(DIMENSIONS, (each.score for each in fresh), strict=True)), lines.pass_mean, lines.pass_each
        )
        row.state, row.scored_by, row.scored_at = Certification.State.SCORED, by, timezone.now()
        row.mean, row.passed, row.note, row.sent_back_why = result.mean, result.passed, note.strip(), ""
        row.policy_version = policy.number
        row.save(
            update_fields=[
                "state", "scored_by", "scored_at", "mean", "passed", "note", "sent_back_why", "policy_version",
                "updated_at",
            ]
        )  # fmt: skip
        shown = {each.dimension: f"{each.score} {each.source}" for each in fresh}
        record("scored", row, {"mean": str(row.mean), "passed": row.passed, **shown}, policy_version=policy.number)
        telling.tell_scored(row, [each for each in leaders() if each.role in ABOVE and may_confirm(each, row)])
        return row


def _check(by_facts: Mapping[Dimension, Decimal | None], said: Mapping[Dimension, Given], note: str) -> None:
    """Raises ValidationError by field."""
    wrong: dict[str, ValidationError] = {}
    for each in DIMENSIONS:
        given = said.get(each, Given())
        if by_facts[each] is not None:
            if given.score is not None or given.reason.strip():
                words = _("The facts give this score: what is wrong with it is put right where they are written down.")
                wrong[each] = ValidationError(words, code="from_facts")
            continue
        if given.score is None:
            words = _("Too few facts: say the score, 0 to 100.")
            wrong[each] = ValidationError(words, code="required")
        elif not 0 <= given.score <= rules.FULL:
            wrong[each] = ValidationError(_("A score of 0 to 100."), code="out_of_range")
        if not given.reason.strip():
            wrong[f"{each}_reason"] = ValidationError(_("Say what the score rests on."), code="required")
        elif len(given.reason) > TEXT_LENGTH:
            wrong[f"{each}_reason"] = _too_long(TEXT_LENGTH)
    if len(note) > TEXT_LENGTH:
        wrong["note"] = _too_long(TEXT_LENGTH)
    if wrong:
        raise ValidationError(wrong)


def _too_long(most: int) -> ValidationError:
    return ValidationError(_("At most %(count)d characters.") % {"count": most}, code="too_long")


def _score_row(
    row: Certification, each: Dimension, by_facts: Decimal | None, facts: Facts, given: Given
) -> CertificationScore:
    source = CertificationScore.Source
    return CertificationScore(
        certification=row,
        dimension=each,
        source=source.REVIEWER if by_facts is None else source.FACTS,
        score=Decimal(given.score or 0) if by_facts is None else by_facts,
        facts=[{"code": part.code, "good": _plain(part.good), "count": _plain(part.count)} for part in facts[each]],
        reason=given.reason.strip() if by_facts is None else "",
    )


def _plain(value: Decimal) -> str:
    return format(value.normalize(), "f")


# ── the other pair of eyes ──────────────────────────────────────────────────


def confirm(*, certification: Certification, by: Member) -> Certification:
    """Scored → confirmed: from then on it stays as it is. Raises Refused for who may not. Safe to repeat."""
    with acting(by):
        row = _locked(certification)
        if row.state == Certification.State.CONFIRMED:
            return row
        if not may_confirm(by, row):
            words = _("Somebody else confirms than who scored it: who leads the person, nobody for themselves.")
            raise Refused(words, code="not_yours")
        _refuse_open(row)
        row.state, row.confirmed_by, row.confirmed_at = Certification.State.CONFIRMED, by, timezone.now()
        row.save(update_fields=["state", "confirmed_by", "confirmed_at", "updated_at"])
        record("confirmed", row, {"mean": str(row.mean), "passed": row.passed})
        telling.tell_confirmed(row)
        return row


def send_back(*, certification: Certification, by: Member, why: str) -> Certification:
    """Scored → open again, with a reason. Raises Refused for who may not, ValidationError without a reason."""
    with acting(by):
        row = _locked(certification)
        _refuse_confirmed(row)
        if row.state == Certification.State.OPEN and row.sent_back_why:
            return row
        if not may_send_back(by, row):
            raise Refused(_("Whoever scored it, or may confirm it, sends it back."), code="not_yours")
        _refuse_open(row)
        if not why.strip():
            raise ValidationError({"why": ValidationError(_("Say what is to be looked at again."), code="required")})
        if len(why) > WHY_LENGTH:
            raise ValidationError({"why": _too_long(WHY_LENGTH)})
        scorer, mean = row.scored_by, row.mean
        row.state, row.scored_by, row.scored_at, row.mean, row.passed = Certification.State.OPEN, None, None, None, None
        row.sent_back_why = why.strip()
        row.save(update_fields=["state", "scored_by", "scored_at", "mean", "passed", "sent_back_why", "updated_at"])
        record("sent_back", row, {"why": row.sent_back_why, "mean": [str(mean), None]})
        if scorer is not None and scorer.pk != by.pk:
            telling.tell_sent_back(row, scorer, by)
        return row


def _locked(certification: Certification) -> Certification:
    """The row as it stands now, locked until the end."""
    row: Certification = (
        Certification.objects.select_related("member__user", "reviewer__user", "scored_by__user")
        .select_for_update(of=("self",))
        .get(pk=certification.pk)
    )
    return row


def _refuse_confirmed(row: Certification) -> None:
    if row.state == Certification.State.CONFIRMED:
        day = day_words(current_tenant().local_date(row.confirmed_at)) if row.confirmed_at else ""
        raise Refused(_("It was confirmed on %(day)s and stays as it is.") % {"day": day}, code="confirmed")


def _refuse_open(row: Certification) -> None:
    if row.state == Certification.State.OPEN:
        raise Refused(_("It is not scored yet."), code="open")
