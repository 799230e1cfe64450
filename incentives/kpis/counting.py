"""Counting periods, closing them for good, and looking again at closed ones (docs/rules/kpis.md).

A count of a running period is made anew by the night. A closed one is copied to rows that nobody can change; what is
found later is written beside them.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Final, cast

from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.db.models import Min
from django.utils import timezone
from django.utils.translation import gettext as _

from incentives.kpis.facts import credited
from incentives.kpis.words import period_words
from incentives.models import ClvMark, KpiClosing, KpiCorrection, KpiCount, KpiCounted, KpiFrozen
from incentives.rules.kpi_policy import KpiPolicy
from incentives.rules.kpis import CODES, SPANS, Code, Period, Span
from tenants.base import POINTS
from tenants.context import current_tenant
from tenants.events import acting, record
from tenants.models import Member
from tenants.policies import Policy, active_policy, policy_numbered
from tenants.templatetags.perennial import day as day_words

MOST_MISSED: Final = 13
"""So many weeks, months or quarters back the night looks for what should have been closed."""

MARKS_DAYS: Final = 400
WEEK_MARKS_DAYS: Final = 70
"""How long lifetime values of a period's beginning are kept: those of months, and those of weeks."""

Key = tuple[Code, int | None, int | None]
Pair = tuple[Decimal, Decimal]
Counts = dict[Key, Pair]
"""Numerator and denominator by KPI, person and team."""

NOTHING: Final[Pair] = (Decimal(0), Decimal(0))


class Refused(ValidationError):
    """What must not be done to a period; the message says why, in the user's language."""


def counts_of(period: Period, as_of: dt.date, policy: Policy, codes: Iterable[Code] = CODES) -> Counts:
    """Count a period's KPIs from the facts of days before `as_of`: one statement each, nothing is written."""
    found: Counts = {}
    for code in codes:
        made = credited(code, period, as_of, policy)
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT person, team, round(sum(num) * %(points)s), round(sum(den) * %(points)s) "
                f"FROM ({made.sql}) credited GROUP BY person, team",
                {**made.params, "points": POINTS},
            )
            for person, team, numerator, denominator in cursor.fetchall():
                if numerator or denominator:
                    found[code, person, team] = (Decimal(numerator) / POINTS, Decimal(denominator) / POINTS)
    return found


# ── running periods ─────────────────────────────────────────────────────────


@transaction.atomic
def count_period(period: Period, as_of: dt.date) -> int:
    """Count a period that is not closed, and keep what it comes to; returns how many rows were written or removed."""
    _lock(period)
    if KpiClosing.objects.filter(span=period.span, start=period.start).exists():
        return 0
    written = _keep(period, counts_of(period, as_of, active_policy()))
    KpiCounted.objects.filter(span=period.span, start=period.start).update(as_of=as_of, counted_at=timezone.now())
    return written


def _lock(period: Period) -> None:
    """Only one at a time counts or closes a period; the row is made when it is the first."""
    KpiCounted.objects.bulk_create(
        [KpiCounted(span=period.span, start=period.start, as_of=period.start, counted_at=timezone.now())],
        ignore_conflicts=True,
    )
    KpiCounted.objects.select_for_update().get(span=period.span, start=period.start)


def _keep(period: Period, counts: Counts) -> int:
    before = {
        (row.kpi, row.member_id, row.team_id): row
        for row in KpiCount.objects.filter(span=period.span, start=period.start)
    }
    gone = [row.pk for key, row in before.items() if key not in counts]
    fresh, changed = [], []
    for key, (numerator, denominator) in counts.items():
        row = before.get(key)
        if row is None:
            code, member, team = key
            fresh.append(
                KpiCount(
                    span=period.span, start=period.start, kpi=code, member_id=member, team_id=team,
                    numerator=numerator, denominator=denominator,
                )
            )  # fmt: skip
        elif (row.numerator, row.denominator) != (numerator, denominator):
            row.numerator, row.denominator = numerator, denominator
            changed.append(row)
    KpiCount.objects.filter(pk__in=gone).delete()
    KpiCount.objects.bulk_create(fresh)
    KpiCount.objects.bulk_update(changed, ["numerator", "denominator"], batch_size=500)
    return len(gone) + len(fresh) + len(changed)


# ── closing ─────────────────────────────────────────────────────────────────


def close_period(period: Period, member: Member | None = None) -> KpiClosing:
    """Close a period that is over: count it a last time, and keep that for good.

    `member` is who closes it, None the night. Raises Refused for one that still runs, and for one that is closed
    already, naming who closed it and when.
    """
    today = current_tenant().today()
    if member is None:
        return _close(period, today, None)
    with acting(member):
        return _close(period, today, member)


@transaction.atomic
def _close(period: Period, today: dt.date, member: Member | None) -> KpiClosing:
    if period.end > today:
        words = _("%(period)s still runs; it can be closed from %(day)s on.")
        raise Refused(words % {"period": period_words(period), "day": day_words(period.end)}, code="runs")
    _lock(period)
    refuse_closed(period)
    policy = active_policy()
    closing = KpiClosing.objects.create(
        span=period.span, start=period.start, as_of=today, closed_by=member, policy_version=policy.number
    )
    counts = counts_of(period, today, policy)
    KpiFrozen.objects.bulk_create(
        KpiFrozen(
            closing=closing, kpi=code, member_id=person, team_id=team, numerator=numerator, denominator=denominator
        )
        for (code, person, team), (numerator, denominator) in counts.items()
    )
    # The frozen rows are the only ones that say what a closed period came to.
    KpiCount.objects.filter(span=period.span, start=period.start).delete()
    record("closed", closing, {"period": period.code}, policy_version=policy.number)
    return closing


def closing_of(period: Period) -> KpiClosing | None:
    found: KpiClosing | None = (
        KpiClosing.objects.filter(span=period.span, start=period.start).select_related("closed_by__user").first()
    )
    return found


def refuse_closed(period: Period) -> None:
    """Raises Refused, saying since when and by whom, for a period that is closed."""
    closing = closing_of(period)
    if closing is None:
        return
    values = {
        "period": period_words(period),
        "day": day_words(current_tenant().local_date(closing.closed_at)),
        "who": closing.closed_by,
    }
    if closing.closed_by is None:
        raise Refused(
            _("%(period)s has been closed since %(day)s. Its numbers stay; later facts show as corrections.") % values,
            code="closed",
        )
    raise Refused(
        _("%(who)s closed %(period)s on %(day)s. Its numbers stay; later facts show as corrections.") % values,
        code="closed",
    )


# ── corrections ─────────────────────────────────────────────────────────────


def standing_counts(closings: Sequence[KpiClosing]) -> dict[int, tuple[Counts, dict[Key, KpiCorrection]]]:
    """Of each closing its frozen counts and the last correction of each, in two questions."""
    found: dict[int, tuple[Counts, dict[Key, KpiCorrection]]] = {closing.pk: ({}, {}) for closing in closings}
    for row in KpiFrozen.objects.filter(closing__in=list(found)):
        found[row.closing_id][0][row.kpi, row.member_id, row.team_id] = (row.numerator, row.denominator)
    for row in KpiCorrection.objects.filter(closing__in=list(found)).order_by("pk"):
        found[row.closing_id][1][row.kpi, row.member_id, row.team_id] = row
    return found


@transaction.atomic
def recount(closing: KpiClosing, as_of: dt.date) -> int:
    """Count a closed period again by the policy of its closing; what has become another number is written beside it.

    Returns how many corrections that were. Asked again, it finds nothing new.
    """
    period = Period(cast(Span, closing.span), closing.start)
    _lock(period)
    codes = [code for code in CODES if code != "clv_uplift" or _has_marks(period)]
    now = counts_of(period, as_of, policy_numbered(closing.policy_version), codes)
    frozen, corrections = standing_counts([closing])[closing.pk]
    stood = frozen | {key: (row.numerator, row.denominator) for key, row in corrections.items()}
    fresh = []
    for key in sorted(now.keys() | stood.keys(), key=str):
        code, member, team = key
        before, after = stood.get(key, NOTHING), now.get(key, NOTHING)
        if code in codes and before != after:
            fresh.append(
                KpiCorrection(
                    closing=closing, kpi=code, member_id=member, team_id=team, numerator=after[0],
                    denominator=after[1], numerator_before=before[0], denominator_before=before[1],
                )
            )  # fmt: skip
    if fresh:
        KpiCorrection.objects.bulk_create(fresh)
        record("corrected", closing, {"period": period.code, "counts": len(fresh)})
    return len(fresh)


def _has_marks(period: Period) -> bool:
    """Whether the lifetime values of both ends are still there: without them an uplift cannot be followed."""
    marks = ClvMark.objects.filter(on__in=[period.start, period.end])
    return len(set(marks.order_by().values_list("on", flat=True).distinct())) == len((period.start, period.end))


# ── the night ───────────────────────────────────────────────────────────────

_MARK: Final = """
INSERT INTO incentives_clvmark (tenant_id, "on", customer_id, clv)
SELECT w.tenant_id, %s, w.customer_id, w.clv FROM segmentation_worth w
WHERE w.tenant_id = %s AND w.clv IS NOT NULL ON CONFLICT DO NOTHING
"""


def mark_values(as_of: dt.date) -> int:
    """Keep the lifetime values with which a week or month begins, unless they are there; forget old ones.

    The first night of a period keeps them, also when it comes some days late. Returns how many were kept.
    """
    kept = 0
    for on in sorted({Period.of(span, as_of).start for span in SPANS}):
        if not ClvMark.objects.filter(on=on).exists():
            with connection.cursor() as cursor:
                cursor.execute(_MARK, [on, current_tenant().pk])
                kept += cursor.rowcount
    ClvMark.objects.filter(on__lt=as_of - dt.timedelta(days=MARKS_DAYS)).delete()
    ClvMark.objects.filter(on__lt=as_of - dt.timedelta(days=WEEK_MARKS_DAYS)).exclude(on__day=1).delete()
    return kept


def close_due(as_of: dt.date) -> int:
    """Close the periods that have been over for the policy's days, each once; returns how many.

    Those that were over before the firm came are left, and of a span of which nothing has been closed yet all but the
    last that is due: nobody has worked by these numbers.
    """
    days, tenant = active_policy().section(KpiPolicy).close_days, current_tenant()
    until, born = min(as_of, tenant.today()), tenant.local_date(tenant.created_at)
    begun: dict[str, dt.date] = dict(KpiClosing.objects.order_by().values_list("span").annotate(Min("start")))
    due = []
    for span in SPANS:
        over = [
            period
            for period in Period.of(span, until).before.back(MOST_MISSED)
            if period.end > born and period.end + dt.timedelta(days=days) <= until
        ]
        due += [period for period in over if period.start > begun[span]] if span in begun else over[-1:]
    closed = set(KpiClosing.objects.filter(start__in=[each.start for each in due]).values_list("span", "start"))
    missing = [period for period in due if (period.span, period.start) not in closed]
    for period in missing:
        close_period(period)
    return len(missing)


def recount_closed(as_of: dt.date) -> int:
    """Look again at the closed periods, as far back as the policy says; returns how many corrections there were."""
    since = as_of - dt.timedelta(days=active_policy().section(KpiPolicy).recount_days)
    closings = KpiClosing.objects.filter(start__gte=since).order_by("start", "span")
    return sum(recount(closing, as_of) for closing in closings)


def count_running(as_of: dt.date) -> int:
    """Count the periods that run, and those before them that are not closed yet; returns how many rows were written."""
    running = [Period.of(span, as_of - dt.timedelta(days=1)) for span in SPANS]
    return sum(count_period(period, as_of) for now in running for period in (now.before, now))
