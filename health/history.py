"""What the scores were: a row when the colour changes, and one a week while the score moves; the night's counts.

What is not written has not changed: the score of a Monday is that of the last row up to it.
"""

from __future__ import annotations

import datetime as dt
from operator import attrgetter
from typing import Final

import polars as pl

from customers.models import Customer
from health.models import HealthCount, HealthHistory
from tenants.context import current_tenant
from tenants.frames import insert_frame, merge_frame, read_frame
from tenants.models import Event
from tenants.parts import Customers, among, are_few

WEEK_DAYS: Final = 7
MONTH_DAYS: Final = 30


def monday(day: dt.date) -> dt.date:
    """The Monday of a day's week: the day itself when it is one."""
    return day - dt.timedelta(days=day.weekday())


def week_before(as_of: dt.date) -> dt.date:
    """The Monday with which "since last week" compares: at least seven days before."""
    return monday(as_of - dt.timedelta(days=WEEK_DAYS))


def month_before(as_of: dt.date) -> dt.date:
    """The Monday with which "since last month" compares: at least thirty days before."""
    return monday(as_of - dt.timedelta(days=MONTH_DAYS))


def rows_of(customer: Customer) -> list[HealthHistory]:
    """All rows of a customer, oldest first; one a week at most, so that they are few enough to walk through.

    No query where they are prefetched (`health_history`).
    """
    return sorted(customer.health_history.all(), key=attrgetter("on"))


def with_past(scores: pl.DataFrame, as_of: dt.date, customers: Customers = None) -> pl.DataFrame:
    """The frame of customer_id and band with what the history has of them before a day.

    Adds last_on, last_score and last_band (of the last row before `as_of`; null: none), week_score and month_score
    (on the Mondays of `week_before` and `month_before`), and band_since, the day of the first of the last rows in a
    row with this band; `as_of` when it is new.
    """
    past = _past(as_of, customers)
    # The score as it stands knows since when it has its colour; only where that is another one the rows are asked.
    is_known = (pl.col("stored_band") == pl.col("last_band")) & (pl.col("stored_since") <= pl.col("last_on"))
    known = past.with_columns(since=pl.when(is_known).then("stored_since"))
    unknown = known.filter(pl.col("since").is_null() & pl.col("last_on").is_not_null())
    found = (
        scores.join(known.drop("stored_band", "stored_since"), on="customer_id", how="left")
        .join(_since(unknown, as_of), on="customer_id", how="left")
        .with_columns(pl.coalesce("since", "first_since"))
    )
    same = (pl.col("last_band") == pl.col("band")).fill_null(value=False)
    return found.with_columns(band_since=pl.when(same).then("since").otherwise(pl.lit(as_of))).drop(
        "since", "first_since"
    )


def _past(as_of: dt.date, customers: Customers) -> pl.DataFrame:
    """The last row, the scores of the two Mondays, and what stands in the score, of everybody or of `customers`."""
    tenant_id = current_tenant().pk

    # One look into the index for each, none for a Monday after the last row: the table has years of rows.
    def last(columns: str, condition: str) -> str:
        return f"""
        LEFT JOIN LATERAL (
            SELECT {columns} FROM health_healthhistory h
            WHERE h.tenant_id = %s AND h.customer_id = c.id AND {condition} ORDER BY h."on" DESC LIMIT 1
        )"""

    week, month = week_before(as_of), month_before(as_of)
    return read_frame(
        f"""
        SELECT c.id, l."on", l.score, l.band, n.band, n.band_since,
               CASE WHEN l."on" <= %s THEN l.score ELSE w.score END,
               CASE WHEN l."on" <= %s THEN l.score ELSE m.score END
        FROM customers_customer c
        LEFT JOIN health_healthscore n ON n.tenant_id = %s AND n.customer_id = c.id
        {last('h."on", h.score, h.band', 'h."on" < %s')} l ON true
        {last("h.score", 'h."on" <= %s AND l."on" > %s')} w ON true
        {last("h.score", 'h."on" <= %s AND l."on" > %s')} m ON true
        WHERE c.tenant_id = %s AND c.closed_on IS NULL AND {among(customers, "c.id")}
        """,
        [
            *(week, month, tenant_id),
            *(tenant_id, as_of),
            *(tenant_id, week, week),
            *(tenant_id, month, month),
            tenant_id,
        ],
        schema={
            "customer_id": pl.Int64,
            "last_on": pl.Date,
            "last_score": pl.Int16,
            "last_band": pl.String,
            "stored_band": pl.String,
            "stored_since": pl.Date,
            "week_score": pl.Int16,
            "month_score": pl.Int16,
        },
        few=True,
    )


# What a night takes over from the one before stands in the scores: only where that does not say it the rows are asked.
_IS_KNOWN: Final = (
    (pl.col("kept_band") == pl.col("stored_band"))
    & (pl.col("stored_since") <= pl.col("kept_on"))
    & ~pl.col("is_rescored")
)


def with_carried_past(scores: pl.DataFrame, rolled: pl.DataFrame, as_of: dt.date) -> pl.DataFrame:
    """`with_past` for customers of whom last night left what the history has.

    The frame has in addition, of the score as it is stored: stored_band, stored_since (band_since), is_rescored,
    kept_on, kept_score, kept_band, week_score and month_score. `rolled` is what `rolled_past` found for tonight.
    """
    is_known = (_IS_KNOWN & (pl.col("kept_on") < as_of)).fill_null(value=False)
    stored = ["stored_band", "stored_since", "is_rescored", "kept_on", "kept_score", "kept_band"]
    same = pl.col("kept_band") == pl.col("band")
    known = (
        roll(scores.filter(is_known), rolled)
        .with_columns(
            last_on="kept_on",
            last_score="kept_score",
            last_band="kept_band",
            band_since=pl.when(same).then("stored_since").otherwise(pl.lit(as_of)),
        )
        .drop(stored)
    )
    unknown = scores.filter(~is_known).drop(*stored, "week_score", "month_score")
    if unknown.is_empty():
        return known
    asked = with_past(unknown, as_of, unknown.get_column("customer_id").to_list())
    return pl.concat([known, asked.select(known.columns)])


def rolled_past(since: dt.date, as_of: dt.date, customers: Customers = None) -> pl.DataFrame:
    """customer_id and rolled_week, rolled_month: the scores of the Mondays that tonight compares with.

    Only of whom the history has rows after the Monday with which the night of `since` compared; week_rolls and
    month_rolls say for which of the two (a score may be null). Nobody on nights that compare with the same Mondays.
    """
    found = pl.DataFrame(schema=_ROLLED)
    for name, before in (("week", week_before), ("month", month_before)):
        rows = _last_between(before(since), before(as_of), customers)
        found = found.drop(f"rolled_{name}", f"{name}_rolls").join(
            rows.select("customer_id", pl.col("score").alias(f"rolled_{name}"), pl.lit(True).alias(f"{name}_rolls")),
            on="customer_id",
            how="full",
            coalesce=True,
        )
    return found.select(*_ROLLED)


_ROLLED: Final = {
    "customer_id": pl.Int64,
    "rolled_week": pl.Int16,
    "week_rolls": pl.Boolean,
    "rolled_month": pl.Int16,
    "month_rolls": pl.Boolean,
}


def roll(scores: pl.DataFrame, rolled: pl.DataFrame) -> pl.DataFrame:
    """The frame of customer_id, week_score and month_score with those of `rolled_past`."""
    if rolled.is_empty():
        return scores
    found = scores.join(rolled, on="customer_id", how="left")
    return found.with_columns(
        pl.when(f"{name}_rolls").then(f"rolled_{name}").otherwise(f"{name}_score").alias(f"{name}_score")
        for name in ("week", "month")
    ).drop(name for name in _ROLLED if name != "customer_id")


def _last_between(first: dt.date, last: dt.date, customers: Customers) -> pl.DataFrame:
    """customer_id and score of each one's last row after a day, up to and with another."""
    schema = {"customer_id": pl.Int64, "score": pl.Int16}
    if first >= last:
        return pl.DataFrame(schema=schema)
    rows = read_frame(
        f"""
        SELECT customer_id, score, "on" FROM health_healthhistory
        WHERE tenant_id = %s AND "on" > %s AND "on" <= %s AND {among(customers)}
        """,
        [current_tenant().pk, first, last],
        schema=schema | {"on": pl.Date},
        few=are_few(customers),
    )
    return rows.group_by("customer_id").agg(pl.col("score").sort_by("on").last())


def _since(rows: pl.DataFrame, as_of: dt.date) -> pl.DataFrame:
    """customer_id and first_since: the day of the first of the last rows in a row with the last one's band."""
    return read_frame(
        """
        SELECT customer_id, min("on") FROM (
            SELECT customer_id, "on", band, max("on") FILTER (WHERE band <> last) OVER mine AS other FROM (
                SELECT customer_id, "on", band, first_value(band) OVER (PARTITION BY customer_id ORDER BY "on" DESC) AS last
                FROM health_healthhistory
                WHERE tenant_id = %s AND "on" < %s AND customer_id = ANY(%s::bigint[])
            ) r WINDOW mine AS (PARTITION BY customer_id)
        ) s WHERE other IS NULL OR "on" > other GROUP BY customer_id
        """,
        [current_tenant().pk, as_of, rows.get_column("customer_id").to_list()],
        schema={"customer_id": pl.Int64, "first_since": pl.Date},
        few=True,
    )


def remembered(scores: pl.DataFrame, as_of: dt.date, *, weekly: bool) -> pl.DataFrame:
    """The frame of customer_id, score, band and the last_… columns with what the history keeps of it.

    Adds is_kept: whether a night of that day writes a row. That is for whoever has none yet or changed colour, and, on
    the first night of a week (`weekly`), for whoever's score differs from the last one kept. And kept_on, kept_score and
    kept_band: the last row when that is done; no day and "" for who has none.
    """
    changed = (pl.col("last_band") != pl.col("band")).fill_null(value=True)
    moved = pl.col("last_score").ne_missing(pl.col("score")) & pl.lit(weekly)
    return scores.with_columns(is_kept=changed | moved).with_columns(
        kept_on=pl.when("is_kept").then(pl.lit(as_of)).otherwise("last_on"),
        kept_score=pl.when("is_kept").then("score").otherwise("last_score"),
        kept_band=pl.when("is_kept").then("band").otherwise("last_band").fill_null(""),
    )


def keep(scores: pl.DataFrame, as_of: dt.date, policy_version: int, customers: Customers = None) -> int:
    """Write the history of a night, by the columns of `remembered`; returns how many rows were written.

    A change of colour is an event; a first score is not news. A night that runs again leaves what it would have written
    the first time, and a night for an earlier day what later nights have said. `customers` are those of whom the
    history may have rows of that day already: all of the frame, unless it is known of some that it has none.
    """
    wanted = scores.filter("is_kept").select(
        "customer_id", "score", "band", "last_score", "last_band", on=pl.lit(as_of)
    )
    there = _kept_on(as_of, customers)
    _hold_next(scores, wanted, there, as_of, customers)
    stale = there.join(wanted, on="customer_id", how="anti").get_column("customer_id").to_list()
    if stale:
        HealthHistory.objects.filter(on=as_of, customer_id__in=stale).delete()
    rows = wanted.select("customer_id", "on", "score", "band")
    written = merge_frame(
        HealthHistory, rows.join(there, on="customer_id", how="semi"), keys=["customer_id", "on"]
    ).written
    written += insert_frame(HealthHistory, rows.join(there, on="customer_id", how="anti"), strict=True)
    news = (
        wanted.filter(pl.col("last_score").is_not_null() & (pl.col("last_band") != pl.col("band")))
        .join(there, on="customer_id", how="left")
        .filter(pl.col("band_there").ne_missing(pl.col("band")))
    )
    _tell(news, as_of, policy_version)
    return written


def first_of_the_week(as_of: dt.date) -> bool:
    """Whether no night of the same week has been before: from Monday on, by their counts, which every night leaves."""
    return not HealthCount.objects.filter(on__gte=monday(as_of), on__lt=as_of).exists()


def _hold_next(
    scores: pl.DataFrame, wanted: pl.DataFrame, there: pl.DataFrame, as_of: dt.date, customers: Customers
) -> None:
    """Write down what the night after `as_of` said, where only a row is about to tell that `as_of` changes or removes.

    A night that wrote nothing had found nothing changed since the last row before it: that row must stay the last one.
    """
    later = HealthCount.objects.filter(on__gt=as_of).order_by("on").values_list("on", flat=True).first()
    if later is None:
        return
    said = (
        scores.select("customer_id", "last_score", "last_band")
        .join(there, on="customer_id", how="left")
        .join(wanted.select("customer_id", "score", "band"), on="customer_id", how="left")
        .with_columns(has_row=pl.col("band_there").is_not_null(), gets_row=pl.col("band").is_not_null())
        .select(
            "customer_id",
            score=pl.when("has_row").then("score_there").otherwise("last_score"),
            band=pl.when("has_row").then("band_there").otherwise("last_band"),
            new_score=pl.when("gets_row").then("score").otherwise("last_score"),
            new_band=pl.when("gets_row").then("band").otherwise("last_band"),
        )
        .filter(
            pl.col("band").is_not_null()
            & (pl.col("score").ne_missing(pl.col("new_score")) | pl.col("band").ne_missing(pl.col("new_band")))
        )
        .join(_kept_on(later, customers), on="customer_id", how="anti")
    )
    insert_frame(HealthHistory, said.select("customer_id", "score", "band"), constants={"on": later})


_KEPT: Final = {"customer_id": pl.Int64, "score_there": pl.Int16, "band_there": pl.String}


def _kept_on(day: dt.date, customers: Customers) -> pl.DataFrame:
    """customer_id, score_there and band_there: the rows of a day."""
    if are_few(customers) and not customers:
        return pl.DataFrame(schema=_KEPT)
    return read_frame(
        f"""
        SELECT customer_id, score, band FROM health_healthhistory
        WHERE tenant_id = %s AND "on" = %s AND {among(customers)}
        """,
        [current_tenant().pk, day],
        schema=_KEPT,
        few=are_few(customers),
    )


def _tell(news: pl.DataFrame, as_of: dt.date, policy_version: int) -> None:
    changes = pl.struct(band=pl.concat_list("last_band", "band"), score=pl.concat_list("last_score", "score"))
    insert_frame(
        Event,
        news.select("customer_id", object_id=pl.col("customer_id"), changes=changes.struct.json_encode()),
        constants={
            "at": current_tenant().start_of(as_of),
            "verb": "health_changed",
            "object_type": "customer",
            "policy_version": policy_version,
        },
    )


_COUNT: Final = {"owner_id": pl.Int64, "band": pl.String, "customers": pl.Int32, "net": pl.Int64}


def count(as_of: dt.date, bands: pl.DataFrame) -> tuple[int, int]:
    """Write how many living customers of each owner have which colour, and their money in the tiers' window.

    `bands` is what is counted now (`counting.count_now`). Returns how many there are, and how many have a score.
    """
    now = bands.group_by(owner_id="owner_a_id", band="band").agg(pl.col("customers", "net").sum()).select(*_COUNT)
    before = read_frame(
        'SELECT owner_id, band, customers, net FROM health_healthcount WHERE tenant_id = %s AND "on" = %s',
        [current_tenant().pk, as_of],
        schema=_COUNT,
    )
    keys = ["owner_id", "band"]
    if not now.sort(keys).equals(before.sort(keys)):
        HealthCount.objects.filter(on=as_of).delete()
        insert_frame(HealthCount, now, constants={"on": as_of}, strict=True)
    customers = now.get_column("customers")
    return int(customers.sum()), int(customers.filter(now.get_column("band") != "none").sum())
