"""Reading across apps: customers with where they stand and how they are."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

from django.db.models import CharField, Exists, F, FilteredRelation, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce, NullIf

from customers.models import Customer, Interaction, Referral
from customers.querysets import CustomerQuerySet, sees_by, visible_customers
from followups.models import FollowUp
from health.models import Band, HealthScore
from risk.models import Alert, Incident
from segmentation.figures import ordered_between, silent_between
from segmentation.models import SavedSegment, SegmentMember, TierChange
from segmentation.querysets import StageDays, with_stage
from segmentation.rules.policy import TierPolicy
from tenants.base import Among
from tenants.context import current_tenant
from tenants.kept import Kept
from tenants.models import Member
from tenants.policies import active_policy, last_night_and_policy
from tenants.prepared import Prepared

QUERIES_KEPT: Final = 64
"""Queries of customers kept as they are put together; one for each firm and night."""


def customer_rows(member: Member) -> QuerySet[Customer]:
    """Customers that the member sees, `with_last_night`."""
    return _all_rows(current_tenant().pk, *_last_night()).filter(visible_customers(member))


def customer_rows_among(member: Member, ids: Sequence[int]) -> list[Customer]:
    """Those of these customers that the member sees, `with_last_night`.

    A list knows which rows it has before it reads them: all pages of it ask the same but for the ids.
    """
    night = _last_night()
    key = (current_tenant().pk, *night, *sees_by(member))
    rows = _among.get(
        key, lambda: Prepared(with_owner_names(customer_rows(member).filter(Among(F("pk"), [_ID]))), f"{{{_ID}}}")
    )
    return rows.rows(f"{{{','.join(map(str, ids))}}}")


def with_owner_names(rows: QuerySet[Customer]) -> QuerySet[Customer]:
    """The customers with what their owners are called, owner_a_name and owner_b_name, in place of the owners.

    Of each row of a list two members and two users would be made, to be asked for one text each.
    """
    return rows.select_related(None).annotate(
        **{f"{owner}_name": _called(f"{owner}__user__") for owner in ("owner_a", "owner_b")}
    )


def _called(user: str) -> Coalesce:
    """A person's name, or without one the address, as a `User` is written."""
    return Coalesce(NullIf(F(f"{user}name"), Value("")), F(f"{user}email"), output_field=CharField())


_ID: Final = 987_654_321_987_654_321
_among: Final[Kept[tuple[Any, ...], Prepared[Customer]]] = Kept(QUERIES_KEPT)


@lru_cache(QUERIES_KEPT)
def _all_rows(tenant: int, as_of: dt.date | None, days: StageDays) -> QuerySet[Customer]:
    """All customers of a tenant, `with_last_night`: the query, not its rows, which is put together for each page anew.

    Putting it together, some thirty columns of five tables, takes as long as writing half of the page's rows. Nothing but
    the arguments goes into it.
    """
    return _with_columns(CustomerQuerySet(Customer).filter(tenant_id=tenant), tenant, as_of, days)


def with_last_night(rows: QuerySet[Customer], on: dt.date | None = None) -> QuerySet[Customer]:
    """The customers, each with tier, segment, scores, stage, money, orders, value and health of last night.

    `on` is the day of a night that is at work and not done yet: the stage is then of that day.

    Adds tier, segment, by_wholesale, by_callback, by_sales_team, r, f, m, stage, first_order_on, last_order_on,
    orders_12m, money_12m, clv, value_score, score, band, week_change and month_change (points), and of the lapse
    forecast lapse_percent, no_forecast (why there is none; "" where there is one), is_warned, warned_on,
    expected_money and money_at_risk; all empty for a customer that no night has seen. The tenant is said in each join
    as well: the wall's own condition then costs nothing.
    """
    return _with_columns(rows, current_tenant().pk, *_last_night(on))


def _last_night(on: dt.date | None = None) -> tuple[dt.date | None, StageDays]:
    """As of which day the stage of life is, and by which days: of the last night, or of one that is at work on a day."""
    known = last_night_and_policy()
    as_of, policy = (known[0].for_date, known[1]) if known else (None, active_policy())
    if on is not None and (as_of is None or as_of < on):
        as_of, policy = on, active_policy()
    rules = policy.section(TierPolicy)
    return as_of, StageDays(rules.lapsed_days, rules.new_days)


def _with_columns(rows: QuerySet[Customer], tenant: int, as_of: dt.date | None, days: StageDays) -> QuerySet[Customer]:
    rows = (
        rows.annotate(
            standing=FilteredRelation("standings", condition=Q(standings__tenant_id=tenant)),
            health=FilteredRelation("health_scores", condition=Q(health_scores__tenant_id=tenant)),
            worth=FilteredRelation("worths", condition=Q(worths__tenant_id=tenant)),
            lapse=FilteredRelation("lapse_forecasts", condition=Q(lapse_forecasts__tenant_id=tenant)),
        )
        .annotate(
            tier=F("standing__tier"),
            segment=F("standing__segment"),
            by_wholesale=F("standing__by_wholesale"),
            by_callback=F("standing__by_callback"),
            by_sales_team=F("standing__by_sales_team"),
            r=F("standing__r"),
            f=F("standing__f"),
            m=F("standing__m"),
            first_order_on=F("standing__first_order_on"),
            last_order_on=F("standing__last_order_on"),
            orders_12m=F("standing__frequency"),
            money_12m=F("standing__monetary"),
            clv=F("worth__clv"),
            value_score=F("worth__score"),
            score=F("health__score"),
            band=F("health__band"),
            week_change=F("health__week_points"),
            month_change=F("health__month_points"),
            lapse_percent=F("lapse__percent"),
            no_forecast=F("lapse__code"),
            is_warned=F("lapse__is_warned"),
            warned_on=F("lapse__warned_on"),
            expected_money=F("lapse__expected_money"),
            money_at_risk=F("lapse__money_at_risk"),
        )
        # As the standing has it, too; for who is asked for by more of what stands there.
        .alias(standing_warned=F("standing__is_warned"))
        # The customer's number as it stands beside the columns that lists are ordered by, in the same index.
        .alias(
            standing_customer=F("standing__customer"),
            health_customer=F("health__customer"),
            worth_customer=F("worth__customer"),
            lapse_customer=F("lapse__customer"),
        )
        .select_related("owner_a__user", "owner_b__user")
    )
    return with_stage(rows, as_of, days)


def forecast_rows(member: Member) -> QuerySet[Customer]:
    """Customers that the member sees and the forecast has looked at, `with_last_night`, and their horizon in days."""
    # By a column of the joined row: `lapse__isnull` would join the table once more, and no index gave the order.
    return customer_rows(member).filter(Q(no_forecast__isnull=False)).annotate(horizon=F("lapse__horizon_days"))


def of_segment(
    rows: QuerySet[Customer],
    segment: SavedSegment,
    *,
    joined_from: dt.date | None = None,
    left_from: dt.date | None = None,
) -> QuerySet[Customer]:
    """Those of the customers who are in a saved segment; who joined it since a day, and still are in it.

    With `left_from` those who left it on or after that day, and have not come back.
    """
    times = SegmentMember.objects.filter(tenant_id=current_tenant().pk, segment=segment, customer=OuterRef("pk"))
    now = times.filter(left_on__isnull=True)
    if left_from is not None:
        return rows.filter(Exists(times.filter(left_on__gte=left_from)), ~Exists(now))
    return rows.filter(Exists(now if joined_from is None else now.joined_since(joined_from)))


def customers_at_risk(rows: QuerySet[Customer]) -> QuerySet[Customer]:
    """Those of the customers, not closed, whose health is red or who have an open alert."""
    red = HealthScore.objects.filter(tenant_id=current_tenant().pk, customer=OuterRef("pk"), band=Band.RED)
    return rows.filter(Exists(red) | Exists(_open_alert()), closed_on__isnull=True)


QUIET_DAYS: Final = 7
"""A red customer is without action when nothing was done in so many days, and nothing is planned for as many."""


def red_without_action(rows: QuerySet[Customer], today: dt.date) -> QuerySet[Customer]:
    """Those of the customers, not closed, whose health is red and for whom nobody does anything.

    No contact and no follow-up done since QUIET_DAYS days ago, no follow-up open that is due within QUIET_DAYS days of today
    (what has been late for longer is no plan any more), no crisis open, and no answer to an alert in these days.
    """
    tenant, week = current_tenant(), dt.timedelta(days=QUIET_DAYS)
    since = tenant.start_of(today - week)
    own = {"tenant_id": tenant.pk, "customer": OuterRef("pk")}
    red = HealthScore.objects.filter(**own, band=Band.RED)
    follow_ups = FollowUp.objects.filter(**own)
    planned = follow_ups.filter(status=FollowUp.Status.OPEN, day__gte=today - week, day__lte=today + week)
    done = follow_ups.filter(status=FollowUp.Status.DONE, closed_at__gte=since)
    contact = Interaction.objects.filter(**own, at__gte=since)
    answered = Alert.objects.filter(**own, first_action_at__gte=since)
    crisis = Incident.objects.filter(**own, closed_at__isnull=True, is_drill=False)
    return rows.filter(Exists(red), closed_on__isnull=True).exclude(
        Exists(planned) | Exists(done) | Exists(contact) | Exists(answered) | Exists(crisis)
    )


def first_ordered_between(rows: QuerySet[Customer], start: dt.date, end: dt.date) -> QuerySet[Customer]:
    """Those of the customers whose first order was placed in `[start, end)`: a cohort."""
    return silent_between(ordered_between(rows, start, end), dt.date.min, start)


def referred(rows: QuerySet[Customer], *, is_referred: bool) -> QuerySet[Customer]:
    """Those of the customers who came by a referral that stands; or those who did not."""
    claims = Exists(
        Referral.objects.filter(tenant_id=current_tenant().pk, customer=OuterRef("pk"), withdrawn_at__isnull=True)
    )
    return rows.filter(claims if is_referred else ~claims)


def had_tier_first_known(rows: QuerySet[Customer], day: dt.date, tier: str) -> QuerySet[Customer]:
    """Those of the customers, joined with their `standing`, whose tier on a day, or the first one known after it, is this.

    As dashboards.team.executive counts them: a firm whose nights began after the day has no tier before.
    """
    changes = TierChange.objects.filter(tenant_id=current_tenant().pk, customer=OuterRef("pk"))
    first = changes.filter(on__gt=day).order_by("on", "pk")
    known = Coalesce(
        NullIf(Subquery(first.values("before")[:1]), Value("")),
        Subquery(first.values("after")[:1]),
        F("standing__tier"),
        Subquery(changes.order_by("-on", "-pk").values("after")[:1]),
        Value(""),
        output_field=CharField(),
    )
    return rows.alias(tier_then=known).filter(tier_then=tier)


def customers_with_alert(rows: QuerySet[Customer]) -> QuerySet[Customer]:
    """Those of the customers who have an open alert."""
    return rows.filter(Exists(_open_alert()))


def _open_alert() -> QuerySet[Alert]:
    alerts: QuerySet[Alert] = Alert.objects.filter(
        tenant_id=current_tenant().pk, customer=OuterRef("pk"), closed_on__isnull=True
    )
    return alerts
