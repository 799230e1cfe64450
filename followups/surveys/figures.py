"""Reading: what the answers of a time say, of the customers whom a member sees."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.db.models import Avg, Case, CharField, Count, Exists, F, OuterRef, Q, QuerySet, Value, When
from django.db.models.functions import Coalesce, TruncMonth
from django.utils import timezone

from customers.models import SurveyResponse
from customers.rules.surveys import DETRACTOR_TO, PROMOTER_FROM
from followups.models import FollowUp, Reason, Survey, SurveyLoop, SurveyReason
from followups.rules.surveys import Nps, wilson
from followups.surveys.querysets import SurveyQuerySet
from tenants.context import current_tenant
from tenants.models import Member

CONTENT_FROM: Final = 4
"""CSAT: the share of answers from here on is what people call satisfied (K15)."""

PROMOTER: Final = Q(kind="nps", score__gte=PROMOTER_FROM)
DETRACTOR: Final = Q(kind="nps", score__lte=DETRACTOR_TO)
PASSIVE: Final = Q(kind="nps", score__gt=DETRACTOR_TO, score__lt=PROMOTER_FROM)


@dataclass(frozen=True)
class Rate:
    """Of `asked` so many `answered`; the share is 0 to 1 with its 95 % interval, None of nothing."""

    asked: int
    answered: int

    @property
    def share(self) -> float | None:
        return self.answered / self.asked if self.asked else None

    @property
    def interval(self) -> tuple[float, float] | None:
        return wilson(self.answered, self.asked)


@dataclass(frozen=True)
class Csat:
    """Answers from 1 to 5: how many, their mean, and how many are CONTENT_FROM and more."""

    n: int
    mean: float | None
    content: int
    low: int

    @property
    def share(self) -> float | None:
        return self.content / self.n if self.n else None

    @property
    def interval(self) -> tuple[float, float] | None:
        return wilson(self.content, self.n)


@dataclass(frozen=True)
class Month:
    """One calendar month: who was asked in it, and what was answered in it."""

    month: dt.date
    rate: Rate
    nps: Nps
    csat: Csat


@dataclass(frozen=True)
class ReasonRow:
    """How often a reason was named, by what those who named it answered."""

    code: str
    low: int
    middle: int
    good: int

    @property
    def total(self) -> int:
        return self.low + self.middle + self.good

    @property
    def words(self) -> str:
        return str(Reason(self.code).label)


@dataclass(frozen=True)
class Loop:
    """How far the low answers of a time have come: collect, analyse, act, verify.

    `open` follow-ups wait, `late` of them longer than they should; `stopped` need none any more. `asked_again` are
    waiting for an answer or have one; `answered_again` have, `improved` of them with a better one.
    """

    collected: int
    analysed: int
    done: int
    open: int
    late: int
    asked_again: int
    answered_again: int
    improved: int

    @property
    def not_analysed(self) -> int:
        return self.collected - self.analysed

    @property
    def stopped(self) -> int:
        return self.collected - self.done - self.open


@dataclass(frozen=True)
class Overview:
    """All that the page shows of a time: days from `start` until before `end`."""

    start: dt.date
    end: dt.date
    rate: Rate
    blocked: int
    waiting: int
    nps: Nps
    csat: Csat
    months: Sequence[Month]
    reasons: Sequence[ReasonRow]
    loop: Loop


def overview(member: Member, start: dt.date, end: dt.date) -> Overview:
    """What was asked, answered and done from `start` until before `end`; a fixed number of queries."""
    tenant, now = current_tenant(), timezone.now()
    first, last = tenant.start_of(start), tenant.start_of(end)
    asked = Survey.objects.visible_to(member).filter(asked_at__gte=first, asked_at__lt=last)
    counts = asked.with_state(now).aggregate(
        delivered=Count("pk", filter=~Q(state="blocked")),
        answered=Count("pk", filter=Q(state="answered")),
        blocked=Count("pk", filter=Q(state="blocked")),
        waiting=Count("pk", filter=Q(state="open")),
    )
    answers = SurveyResponse.objects.visible_to(member).filter(at__gte=first, at__lt=last)
    return Overview(
        start=start,
        end=end,
        rate=Rate(counts["delivered"], counts["answered"]),
        blocked=counts["blocked"],
        waiting=counts["waiting"],
        nps=nps_of(answers),
        csat=csat_of(answers),
        months=_months(asked, answers, start, end, now),
        reasons=_reasons(answers),
        loop=_loop(member, first, last, now),
    )


def latest_nps(answers: QuerySet[SurveyResponse]) -> QuerySet[SurveyResponse]:
    """Of each contact the latest NPS answer among these; those that name no contact count as one person's (K13)."""
    latest = (
        answers.filter(kind="nps")
        .order_by("customer_id", "contact_id", "-at", "-pk")
        .distinct("customer_id", "contact_id")
    )
    rows: QuerySet[SurveyResponse] = SurveyResponse.objects.filter(pk__in=latest.values("pk"))
    return rows


def nps_of(answers: QuerySet[SurveyResponse]) -> Nps:
    """The net promoter score of these answers, over the contacts' latest ones."""
    counts = latest_nps(answers).aggregate(
        promoters=Count("pk", filter=PROMOTER),
        passives=Count("pk", filter=PASSIVE),
        detractors=Count("pk", filter=DETRACTOR),
        rating=Avg("score"),
    )
    rating = counts.pop("rating")
    found = Nps(**counts)
    return Nps(**counts, rating=round(rating)) if found.n == 1 and rating is not None else found


def csat_of(answers: QuerySet[SurveyResponse]) -> Csat:
    """What these CSAT answers say, each counted."""
    return Csat(**answers.filter(kind="csat").aggregate(**_CSAT))


_CSAT: Final = {
    "n": Count("pk"),
    "mean": Avg("score"),
    "content": Count("pk", filter=Q(score__gte=CONTENT_FROM)),
    "low": Count("pk", filter=Q(score__lt=CONTENT_FROM)),
}


def _months(
    asked: SurveyQuerySet, answers: QuerySet[SurveyResponse], start: dt.date, end: dt.date, now: dt.datetime
) -> list[Month]:
    zone = current_tenant().zone
    by_month = TruncMonth("at", tzinfo=zone)
    rates = {
        row["month"].date(): Rate(row["delivered"], row["answered"])
        for row in asked.with_state(now)
        .annotate(month=TruncMonth("asked_at", tzinfo=zone))
        .values("month")
        .annotate(delivered=Count("pk", filter=~Q(state="blocked")), answered=Count("pk", filter=Q(state="answered")))
        .order_by("month")
    }
    # Of each month the contacts' latest answers: who answered twice in it counts once.
    later = SurveyResponse.objects.annotate(month=by_month, who=Coalesce("contact_id", Value(0))).filter(
        Q(at__gt=OuterRef("at")) | Q(at=OuterRef("at"), pk__gt=OuterRef("pk")),
        customer_id=OuterRef("customer_id"),
        kind="nps",
        who=OuterRef("who"),
        month=OuterRef("month"),
    )
    scores = {
        row["month"].date(): Nps(row["promoters"], row["passives"], row["detractors"])
        for row in answers.filter(kind="nps")
        .annotate(month=by_month, who=Coalesce("contact_id", Value(0)))
        .filter(~Exists(later))
        .values("month")
        .annotate(
            promoters=Count("pk", filter=PROMOTER),
            passives=Count("pk", filter=PASSIVE),
            detractors=Count("pk", filter=DETRACTOR),
        )
        .order_by("month")
    }
    csat: Iterable[Any] = (
        answers.filter(kind="csat").annotate(month=by_month).values("month").annotate(**_CSAT).order_by("month")
    )
    content = {row["month"].date(): Csat(row["n"], row["mean"], row["content"], row["low"]) for row in csat}
    found, month = [], start.replace(day=1)
    while month < end:
        found.append(
            Month(
                month,
                rates.get(month, Rate(0, 0)),
                scores.get(month, Nps(0, 0, 0)),
                content.get(month, Csat(0, None, 0, 0)),
            )
        )
        month = (month + dt.timedelta(days=32)).replace(day=1)
    return found


LEVEL: Final = Case(
    When(Q(response__kind="nps", response__score__lte=DETRACTOR_TO), then=Value("low")),
    When(Q(response__kind="csat", response__score__lt=3), then=Value("low")),
    When(Q(response__kind="nps", response__score__gte=PROMOTER_FROM), then=Value("good")),
    When(Q(response__kind="csat", response__score=5), then=Value("good")),
    default=Value("middle"),
    output_field=CharField(),
)
"""Detractors and CSAT 1 and 2 are low, promoters and CSAT 5 good."""


def _reasons(answers: QuerySet[SurveyResponse]) -> list[ReasonRow]:
    rows = (
        SurveyReason.objects.filter(response__in=answers.values("pk"))
        .annotate(level=LEVEL)
        .values("code")
        .annotate(
            low=Count("pk", filter=Q(level="low")),
            middle=Count("pk", filter=Q(level="middle")),
            good=Count("pk", filter=Q(level="good")),
        )
    )
    found = [ReasonRow(row["code"], row["low"], row["middle"], row["good"]) for row in rows.order_by("code")]
    return sorted(found, key=lambda row: (-row.low, -row.total, row.code))


def _loop(member: Member, first: dt.datetime, last: dt.datetime, now: dt.datetime) -> Loop:
    rows = SurveyLoop.objects.visible_to(member).filter(opened_at__gte=first, opened_at__lt=last)
    is_open = Q(follow_up__status=FollowUp.Status.OPEN)
    return Loop(
        **rows.aggregate(
            collected=Count("pk"),
            analysed=Count("pk", filter=Q(analysed_at__isnull=False)),
            done=Count("pk", filter=Q(follow_up__status=FollowUp.Status.DONE)),
            open=Count("pk", filter=is_open),
            late=Count("pk", filter=is_open & Q(follow_up__due_at__lt=now)),
            asked_again=Count("pk", filter=Q(asked_again__isnull=False) | Q(verified_by__isnull=False)),
            answered_again=Count("pk", filter=Q(verified_by__isnull=False)),
            improved=Count("pk", filter=Q(improved=True)),
        )
    )


# ── rows of the lists ───────────────────────────────────────────────────────


def survey_rows(member: Member) -> QuerySet[Survey]:
    """Askings that the member sees, with `state` and `score`."""
    rows: QuerySet[Survey] = (
        Survey.objects.visible_to(member)
        .with_state(timezone.now())
        .annotate(score=F("response__score"))
        .select_related("customer", "contact", "message", "response", "asked_by__user")
    )
    return rows
