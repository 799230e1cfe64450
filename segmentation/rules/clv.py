"""What a customer's future is worth, in two forms, each with all that it was worked out from (docs/rules/value.md).

* discounted: the lifetime model's orders of each coming year × expected money of an order × margin, discounted;
* simple: yearly money × margin × retention × lifetime − acquisition cost.

Each number is rounded before the next one uses it, to what is shown, so that a page's product is the number on it.
The frames of the night and the explanation of one customer go through the same lines.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, Literal

import numpy as np
import polars as pl

from customers.rules.orders import MONEY_PLACES
from segmentation.rules import lifetime
from segmentation.rules.lifetime import DAYS, Floats
from segmentation.rules.policy import ValuePolicy
from tenants.rules.columns import Schema, conform

POINTS: Final = 10**MONEY_PLACES
YEAR_DAYS: Final = 365
YEAR_WEEKS: Final = YEAR_DAYS / DAYS
PLACES: Final = 4
"""Decimals of expected orders, factors, shares and lifetimes."""

EVERYBODY: Final = ""
"""The key of the whole firm's retention, beside those of its tiers."""
TIER_BASE: Final = 30
"""A tier's own retention counts from so many customers on; below, the firm's stands in."""
FIRM_BASE: Final = 10
"""Below so many customers of a year ago there is no retention at all."""

FACTS: Final[Schema] = {
    "customer_id": pl.Int64,
    "first_order_on": pl.Date,
    "last_order_on": pl.Date,
    "repeats": pl.Int32,
    "mean_order": pl.Int64,
    "net": pl.Int64,
}
"""One row per customer: first and last order day before the day of the valuation (null: never ordered), order days
after the first, points of mean net money of those (null without), points of net money of all time."""

MOST: Final = 4 * 10**17
"""Points from which an amount is not shown: 40 million million of currency are a slip of the keyboard."""

Why = Literal["", "never_ordered", "negative_money", "no_money", "no_retention", "no_fit", "too_much"]
"""Why there is no value: never_ordered; negative_money: credit notes leave the repeat orders nothing; no_money: all
orders together brought nothing; no_retention: too few customers ordered more than a year ago; no_fit: there is no
lifetime model (the model's own reason says more); too_much: MOST or more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueFacts:
    """One customer's row of FACTS; money in points."""

    first_order_on: dt.date | None
    last_order_on: dt.date | None
    repeats: int
    mean_order: int | None
    net: int


# ── the discounted form ─────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Year:
    """One coming year: orders × money of an order × margin × factor = money."""

    number: int
    orders: Decimal
    factor: Decimal
    money: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Discounted:
    """The discounted value and its inputs; `clv` is the sum of the years' money, exactly. Money in currency units.

    `weeks_known` and `weeks_to_last` are the model's T and t_x. `alive` is None for one order day: the model cannot
    take such a customer for gone. `clv` is None with the reason in `why`.
    """

    repeats: int
    weeks_to_last: Decimal | None
    weeks_known: Decimal | None
    mean_order: Decimal | None
    alive: float | None
    order_money: Decimal | None
    margin_percent: int
    discount_percent: Decimal
    years: tuple[Year, ...]
    clv: Decimal | None
    why: Why

    @property
    def orders(self) -> Decimal:
        """Expected orders of all years."""
        return sum((year.orders for year in self.years), Decimal(0))


def weeks(facts: pl.DataFrame, as_of: dt.date) -> tuple[Floats, Floats]:
    """t_x and T of customers who ordered: weeks from the first order day to the last, and to the last day that counts.

    That day is the one before `as_of`, as in the paper: a customer of that very day has been watched for no time.
    """
    first, last = pl.col("first_order_on"), pl.col("last_order_on")
    spans = facts.select(
        recency=(last - first).dt.total_days() / DAYS, age=((pl.lit(as_of) - first).dt.total_days() - 1) / DAYS
    )
    return spans.get_column("recency").to_numpy(), spans.get_column("age").to_numpy()


def discount_factors(rules: ValuePolicy) -> list[float]:
    """What money of each coming year is worth today: it comes in, on average, in the middle of its year."""
    rate = 1 + rules.discount_percent / 100
    return [round(rate ** (0.5 - year), PLACES) for year in range(1, rules.horizon_years + 1)]


def forecast(
    facts: pl.DataFrame,
    orders: lifetime.Orders | None,
    money: lifetime.Money | None,
    rules: ValuePolicy,
    as_of: dt.date,
) -> pl.DataFrame:
    """Add alive, expected_orders (the first year's), expected_order_money (points) and clv (points).

    Null where the model has no answer: for who never ordered, without a model, and, of the money, for whom credit
    notes leave the repeat orders nothing. Order days on or after `as_of` do not count yet and raise ValueError.
    """
    rows = conform(facts, FACTS)
    if rows.select((pl.col("last_order_on") >= as_of).any()).item():
        raise ValueError(f"last_order_on has days on or after {as_of}, which do not count yet")
    answers = _answers(rows, orders, money, rules, as_of)
    return rows.join(
        answers.select("customer_id", "alive", "expected_orders", "expected_order_money", "clv"),
        on="customer_id",
        how="left",
        maintain_order="left",
    )


def explain_discounted(
    facts: ValueFacts,
    orders: lifetime.Orders | None,
    money: lifetime.Money | None,
    rules: ValuePolicy,
    as_of: dt.date,
) -> Discounted:
    """One customer's discounted value with every number that it consists of; the same as `forecast` gives."""
    row = pl.DataFrame([_as_row(facts)], schema=dict(FACTS))
    answers = _answers(row, orders, money, rules, as_of)
    found: dict[str, Any] = answers.row(0, named=True) if answers.height else {}
    recency, age = (float(each[0]) for each in weeks(row, as_of)) if facts.first_order_on else (None, None)
    factors = discount_factors(rules)
    order_money, clv = found.get("expected_order_money"), found.get("clv")
    return Discounted(
        repeats=facts.repeats,
        weeks_to_last=_decimal(recency, 2),
        weeks_known=_decimal(age, 2),
        mean_order=_units(facts.mean_order),
        alive=found.get("alive"),
        order_money=_units(order_money),
        margin_percent=rules.margin_percent,
        discount_percent=Decimal(str(rules.discount_percent)),
        years=tuple(
            Year(
                number=number,
                orders=_decimal(found[f"orders_{number}"], PLACES) or Decimal(0),
                factor=_decimal(factor, PLACES) or Decimal(0),
                money=_units(found[f"money_{number}"]) or Decimal(0),
            )
            for number, factor in enumerate(factors, start=1)
            if clv is not None
        ),
        clv=_units(clv),
        why=_why_discounted(facts, orders, money) if clv is None else "",
    )


def _answers(
    rows: pl.DataFrame,
    orders: lifetime.Orders | None,
    money: lifetime.Money | None,
    rules: ValuePolicy,
    as_of: dt.date,
) -> pl.DataFrame:
    """What the model says of those who ordered, with orders_1, money_1, … of each coming year."""
    known = rows.filter(pl.col("first_order_on").is_not_null())
    factors = discount_factors(rules)
    columns: dict[str, pl.Series] = {}
    if orders is not None:
        repeats, (recency, age) = known.get_column("repeats").to_numpy(), weeks(known, as_of)
        columns["alive"] = pl.Series(lifetime.alive(orders, repeats, recency, age))
        ahead = YEAR_WEEKS * np.arange(1, len(factors) + 1)
        totals = lifetime.expected_orders(orders, repeats, recency, age, ahead)
        # Differences of a sum that only grows; rounding errors must not make a year's orders negative.
        yearly = np.maximum(np.round(np.diff(totals, axis=1, prepend=0.0), PLACES), 0.0)
        columns |= {f"orders_{n}": pl.Series(np.ascontiguousarray(yearly[:, n - 1])) for n in _numbers(factors)}
    else:
        columns |= {
            name: _nothing(known, pl.Float64) for name in ("alive", *(f"orders_{n}" for n in _numbers(factors)))
        }
    if money is not None:
        repeats, mean = known.get_column("repeats").to_numpy(), known.get_column("mean_order").fill_null(0).to_numpy()
        usable = (repeats == 0) | (mean > 0)
        points = lifetime.expected_order_money(money, repeats, np.where(usable, mean / POINTS, 0.0)) * POINTS
        columns["expected_order_money"] = pl.select(
            pl.when(pl.Series(usable)).then(pl.Series(np.rint(points)).cast(pl.Int64))
        ).to_series()
    else:
        columns["expected_order_money"] = _nothing(known, pl.Int64)
    each, margin = pl.col("expected_order_money"), rules.margin_percent / 100
    return (
        known.with_columns(**columns)
        .with_columns(
            _points(pl.col(f"orders_{n}") * each * margin * factor).alias(f"money_{n}")
            for n, factor in enumerate(factors, start=1)
        )
        .with_columns(
            alive=pl.when(pl.col("repeats") > 0).then("alive"),
            expected_orders="orders_1",
            clv=pl.sum_horizontal([f"money_{n}" for n in _numbers(factors)], ignore_nulls=False),
        )
    )


def _points(amount: pl.Expr) -> pl.Expr:
    """Whole points; null from MOST up."""
    whole = amount.round(0, mode="half_to_even")
    return pl.when(whole.abs() < MOST).then(whole).cast(pl.Int64)


def _numbers(factors: list[float]) -> range:
    return range(1, len(factors) + 1)


def _nothing(rows: pl.DataFrame, dtype: Any) -> pl.Series:
    return pl.Series([None], dtype=dtype).new_from_index(0, rows.height)


def _why_discounted(facts: ValueFacts, orders: lifetime.Orders | None, money: lifetime.Money | None) -> Why:
    if facts.first_order_on is None:
        return "never_ordered"
    if orders is None or money is None:
        return "no_fit"
    return "negative_money" if facts.repeats and (facts.mean_order or 0) <= 0 else "too_much"


# ── retention and the simple form ───────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """Of `customers` who ordered in the year before last, `again` ordered in the last one too.

    `tier` is theirs a year ago, EVERYBODY for the whole firm.
    """

    tier: str
    customers: int
    again: int

    @property
    def share(self) -> float:
        return round(self.again / self.customers, PLACES)

    def lifetime(self, horizon: int) -> float:
        """Years that a customer stays at this retention, 1 ÷ (1 − retention), and at most the horizon."""
        share = self.share
        return float(horizon) if share >= 1 else min(round(1 / (1 - share), PLACES), float(horizon))


RETENTION_FACTS: Final[Schema] = {"tier": pl.String, "before": pl.Boolean, "again": pl.Boolean}


def retention(frame: pl.DataFrame) -> dict[str, Retention]:
    """Retention of the firm (EVERYBODY) and of each of its tiers; those of nobody are left out.

    `frame` has a row per customer: tier by the facts of a year ago, and whether it ordered in the year before that
    day (before) and in the year since (again). Tiers of a year ago, as today's hang on having ordered since.
    """
    base = conform(frame, RETENTION_FACTS).filter("before")
    of_tier = base.filter(pl.col("tier").fill_null("") != "").group_by("tier").agg(pl.len(), pl.col("again").sum())
    found = {tier: Retention(tier=tier, customers=n, again=again) for tier, n, again in of_tier.sort("tier").rows()}
    if base.height:
        found[EVERYBODY] = Retention(tier=EVERYBODY, customers=base.height, again=int(base.get_column("again").sum()))
    return found


def retention_of(tier: str, retentions: Mapping[str, Retention]) -> Retention | None:
    """The retention that counts for a customer: its tier's, else the firm's, else None. See TIER_BASE, FIRM_BASE."""
    own, firm = retentions.get(tier), retentions.get(EVERYBODY)
    if own is not None and tier != EVERYBODY and own.customers >= TIER_BASE:
        return own
    return firm if firm is not None and firm.customers >= FIRM_BASE else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Simple:
    """The simple value and its inputs: yearly × margin × share × lifetime − cost = clv. Money in currency units.

    `yearly` is `net` ÷ `years`, the years since the first order and at least 1. `clv` is None with the reason in
    `why`.
    """

    net: Decimal
    years: Decimal | None
    yearly: Decimal | None
    margin_percent: int
    retention: Retention | None
    share: Decimal | None
    lifetime: Decimal | None
    horizon_years: int
    capped: bool
    acquisition_cost: Decimal
    clv: Decimal | None
    why: Why


def simple(
    facts: pl.DataFrame, tiers: pl.Series, retentions: Mapping[str, Retention], rules: ValuePolicy, as_of: dt.date
) -> pl.Series:
    """clv_simple in points for each row of FACTS; `tiers` are theirs, row by row. Null where there is none."""
    rows = conform(facts, FACTS).select("net", years=_years(as_of)).with_columns(tiers.alias("tier"))
    codes = rows.get_column("tier").unique().to_list()
    yields = {tier or "": _yield(tier or "", retentions, rules) for tier in codes}
    per_tier = pl.col("tier").fill_null("").replace_strict(yields, default=None, return_dtype=pl.Float64)
    yearly = _yearly()
    worth = _points(yearly * per_tier) - rules.acquisition_cost * POINTS
    return rows.select(clv_simple=pl.when(pl.col("net") > 0).then(worth)).to_series()


def explain_simple(
    facts: ValueFacts, tier: str, retentions: Mapping[str, Retention], rules: ValuePolicy, as_of: dt.date
) -> Simple:
    """One customer's simple value with every number that it consists of; the same as `simple` gives."""
    row = pl.DataFrame([_as_row(facts)], schema=dict(FACTS))
    years, yearly = row.select("net", years=_years(as_of)).select("years", yearly=_yearly()).row(0)
    counted = retention_of(tier, retentions)
    clv = simple(row, pl.Series([tier], dtype=pl.String), retentions, rules, as_of).item()
    why: Why = ""
    if clv is None:
        why = _why_simple(facts, counted)
    lasting = None if counted is None else counted.lifetime(rules.horizon_years)
    return Simple(
        net=_units(facts.net) or Decimal(0),
        years=_decimal(years, 2),
        yearly=_units(None if yearly is None else int(yearly)),
        margin_percent=rules.margin_percent,
        retention=counted,
        share=_decimal(None if counted is None else counted.share, PLACES),
        lifetime=_decimal(lasting, PLACES),
        horizon_years=rules.horizon_years,
        capped=lasting == rules.horizon_years,
        acquisition_cost=Decimal(rules.acquisition_cost),
        clv=_units(clv),
        why=why,
    )


def _why_simple(facts: ValueFacts, counted: Retention | None) -> Why:
    if facts.first_order_on is None:
        return "never_ordered"
    if facts.net <= 0:
        return "no_money"
    return "no_retention" if counted is None else "too_much"


def _years(as_of: dt.date) -> pl.Expr:
    days = (pl.lit(as_of) - pl.col("first_order_on")).dt.total_days()
    return (days / YEAR_DAYS).round(2).clip(lower_bound=1)


def _yearly() -> pl.Expr:
    return (pl.col("net") / pl.col("years")).round(0, mode="half_to_even")


def _yield(tier: str, retentions: Mapping[str, Retention], rules: ValuePolicy) -> float | None:
    """What a unit of yearly money makes in a tier, before the acquisition cost."""
    counted = retention_of(tier, retentions)
    if counted is None:
        return None
    return rules.margin_percent / 100 * counted.share * counted.lifetime(rules.horizon_years)


def _as_row(facts: ValueFacts) -> dict[str, Any]:
    return {
        "customer_id": 0,
        "first_order_on": facts.first_order_on,
        "last_order_on": facts.last_order_on,
        "repeats": facts.repeats,
        "mean_order": facts.mean_order,
        "net": facts.net,
    }


def _units(points: int | None) -> Decimal | None:
    return None if points is None else Decimal(points).scaleb(-MONEY_PLACES)


def _decimal(number: float | None, places: int) -> Decimal | None:
    return None if number is None else Decimal(f"{number:.{places}f}")
