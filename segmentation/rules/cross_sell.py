"""Cross-sell rules: who buys A often buys B within some days (docs/rules/cross-sell.md)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from segmentation.rules.policy import CrossSellPolicy
from tenants.rules.columns import Schema, conform

Reason = Literal["", "no_orders", "short_history", "few_customers", "few_items", "no_rules"]
"""Why there is no rule; empty when there is one."""

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

PURCHASES: Final[Schema] = {"customer_id": pl.Int64, "item": pl.Categorical, "day": pl.Date}

RULES: Final[Schema] = {
    "antecedent": pl.String,
    "consequent": pl.String,
    "customers": pl.Int64,
    "followed": pl.Int64,
    "support": pl.Float64,
    "confidence": pl.Float64,
    "lift": pl.Float64,
    "median_days": pl.Int64,
}

BEYOND_CHANCE: Final = 3.0
"""Standard deviations by which what followed must pass what is usual (counts scatter by their square root).

Of ten thousand pairs that have nothing to do with each other, a dozen get that far.
"""
BLOCK_PAIRS: Final = 2_000_000
"""Pairs of purchases held at a time: some 80 MB."""
BLOCK_CELLS: Final = 4_000_000
"""Pairs of items counted at a time: 32 MB a count."""


@dataclass(frozen=True)
class Search:
    """What a search found: over how many customers and items, the rules, and why none when none."""

    customers: int
    items: int
    rules: pl.DataFrame
    reason: Reason


def search(purchases: pl.DataFrame, policy: CrossSellPolicy, as_of: dt.date) -> Search:
    """Find all rules A → B that the policy's lines let through; exact, strongest first.

    `purchases` has a row per customer and item: the day of the first purchase in the window (customer_id,
    item, day).

    For a customer, A's day *counts* when all of the `within_days` after it lie before `as_of`, so that B has
    had its time.

    * customers: who bought A on a day that counts, and had not bought B by the end of that day.
    * followed: of them, who bought B for the first time in the `within_days` after.
    * confidence = followed ÷ customers; support = followed ÷ all buyers of the window.
    * lift = followed ÷ what is usual. Each first purchase of anything on a day that counts is a moment; for B
      the moments of customers who had not bought it by then. The usual rate of B in a calendar month is the
      share of that month's moments after which B came within the days; what is usual is the sum of those
      rates over the moments of the rule. So who buys much, the season, and the months before B was on offer
      weigh alike on both sides; over all A, what followed B's moments and what was usual are the same number.
    * median_days: the days within which half of those who followed did.

    A rule must also pass what is usual by more than chance does (BEYOND_CHANCE): of thousands of pairs, some
    always look good.

    Items bought by fewer than `minimum_followed` customers can be in no rule and are left out of the pairs
    (not out of the moments). Work is proportional to the sum over customers of their items squared; memory is
    bounded by BLOCK_PAIRS and BLOCK_CELLS, whatever the number of items.

    Raises ValueError when the frame names a customer and item twice, or a day on or after `as_of`.
    """
    facts = conform(purchases, PURCHASES).select(*PURCHASES).drop_nulls()
    if facts.select("customer_id", "item").is_duplicated().any():
        raise ValueError("The frame names a customer and item twice: it takes the day of the first purchase")
    nothing = pl.DataFrame(schema=dict(RULES))
    if facts.is_empty():
        return Search(0, 0, nothing, "no_orders")
    if facts.select((pl.col("day") >= as_of).any()).item():
        raise ValueError(f"The frame has days on or after {as_of}, which do not count yet")

    items = facts.get_column("item").unique()
    moments = _Moments.of(facts, items, policy.within_days, as_of)
    customers = moments.customers

    def none(reason: Reason) -> Search:
        return Search(customers, items.len(), nothing, reason)

    if not moments.counts.any():
        return none("short_history")
    if customers < policy.minimum_followed:
        return none("few_customers")
    frequent = np.bincount(moments.item, minlength=items.len()) >= policy.minimum_followed
    if int(frequent.sum()) < 2:
        return none("few_items")
    usual = moments.usual_rates(items.len())
    found = pl.concat([nothing, *moments.rules(frequent, usual, items, policy)])
    if found.is_empty():
        return none("no_rules")
    order = found.sort(
        pl.col("confidence") * pl.col("lift"),
        "followed",
        "antecedent",
        "consequent",
        descending=[True, True, False, False],
    )
    return Search(customers, items.len(), order, "")


@dataclass(frozen=True)
class _Moments:
    """First purchases as arrays, by customer and day; a customer's rows lie together.

    customer: 0, 1, … ; month: 0 is that of the first purchase of all; `counts` says whether the day counts.
    `key` is customer and day in one number, which rises along the rows: places within a customer are then
    binary searches.
    """

    customer: Ints
    item: Ints
    day: Ints
    month: Ints
    counts: Flags
    key: Ints
    within: int

    @classmethod
    def of(cls, facts: pl.DataFrame, items: pl.Series, within: int, as_of: dt.date) -> _Moments:
        codes = items.to_frame().with_row_index("code")
        date = pl.col("day")
        rows = (
            facts.join(codes, on="item", how="left")
            .sort("customer_id", "day", "code")
            .select(
                customer=pl.col("customer_id").rle_id().cast(pl.Int64),
                item=pl.col("code").cast(pl.Int64),
                day=(date - date.min()).dt.total_days(),
                month=(date.dt.year().cast(pl.Int64) * 12 + date.dt.month()),
                counts=date + pl.duration(days=within) < as_of,
            )
            .with_columns(pl.col("month") - pl.col("month").min())
        )
        customer, item, day, month, counts = (each.to_numpy() for each in rows.iter_columns())
        # Wide enough that the days after a customer's last one do not reach into the next customer.
        wide = int(day.max()) + within + 2
        return cls(customer, item, day, month, counts, customer * wide + day, within)

    @property
    def customers(self) -> int:
        return int(self.customer[-1]) + 1

    def usual_rates(self, items: int) -> Floats:
        """By month and item, the share of the month's moments after which the item came within the days."""
        # Row = a purchase of B. Its customer's moments in the days before, [early, same); on its day or later,
        # [same, end): in these B was there already.
        begin = np.searchsorted(self.customer, self.customer, side="left")
        same = np.searchsorted(self.key, self.key, side="left")
        early = np.maximum(np.searchsorted(self.key, self.key - self.within, side="left"), begin)
        end = np.searchsorted(self.customer, self.customer, side="right")
        months = int(self.month.max()) + 1
        rates = np.zeros((months, items))
        for month in range(months):
            moments = np.concatenate([[0], np.cumsum(self.counts & (self.month == month))])
            followed = np.bincount(self.item, weights=moments[same] - moments[early], minlength=items)
            asked = moments[-1] - np.bincount(self.item, weights=moments[end] - moments[same], minlength=items)
            np.divide(followed, asked, out=rates[month], where=asked > 0)
        return rates

    def rules(
        self, frequent: Flags, usual: Floats, items: pl.Series, policy: CrossSellPolicy
    ) -> Iterator[pl.DataFrame]:
        """The rules between frequent items, a block of antecedents at a time."""
        small = self._of_items(frequent)
        names, rates = items.cast(pl.String).filter(pl.Series(frequent)), usual[:, frequent]
        # Where in `small` the days after each row begin and end, and where its customer begins.
        after = np.searchsorted(small.key, small.key, side="right")
        until = np.searchsorted(small.key, small.key + small.within, side="right")
        begin = np.searchsorted(small.customer, small.customer, side="left")
        asked = np.flatnonzero(small.counts)
        asked = asked[np.argsort(small.item[asked], kind="stable")]
        code = small.item[asked]
        places = np.searchsorted(code, np.arange(len(names) + 1))
        for first, last in _blocks(np.bincount(code, (until - begin)[asked], len(names)), len(names)):
            rows = asked[places[first] : places[last]]
            block = _Block(small, first, last, len(names), rows, begin, after, until)
            found = block.rules(rates, self.customers, policy)
            if not found.is_empty():
                yield found.with_columns(
                    antecedent=names.gather(found.get_column("antecedent")),
                    consequent=names.gather(found.get_column("consequent")),
                ).select(*RULES)

    def _of_items(self, chosen: Flags) -> _Moments:
        rows = chosen[self.item]
        code = np.cumsum(chosen) - 1
        return replace(
            self,
            customer=self.customer[rows],
            item=code[self.item[rows]],
            day=self.day[rows],
            month=self.month[rows],
            counts=self.counts[rows],
            key=self.key[rows],
        )


def _blocks(pairs: npt.NDArray[Any], items: int) -> Iterator[tuple[int, int]]:
    """Runs of antecedents with at most BLOCK_PAIRS pairs and BLOCK_CELLS cells; one antecedent at least."""
    most = max(1, BLOCK_CELLS // items)
    first, held = 0, 0.0
    for item in range(items):
        if item > first and (held + pairs[item] > BLOCK_PAIRS or item - first >= most):
            yield first, item
            first, held = item, 0.0
        held += pairs[item]
    yield first, items


@dataclass(frozen=True)
class _Block:
    """The antecedents `first` to `last` and the rows in which they were bought on days that count."""

    moments: _Moments
    first: int
    last: int
    items: int
    rows: Ints
    begin: Ints
    after: Ints
    until: Ints

    def rules(self, rates: Floats, customers: int, policy: CrossSellPolicy) -> pl.DataFrame:
        """antecedent and consequent as numbers, and the measures."""
        cells = (self.last - self.first) * self.items
        followed = np.zeros(cells, dtype=np.int64)
        for cell, _origin, _other in self._pairs(self.rows, self.after, self.until):
            followed += np.bincount(cell, minlength=cells)
        kept = np.flatnonzero(followed >= policy.minimum_followed)
        if not len(kept):
            return pl.DataFrame()
        asked, usual = self._asked(kept, rates)
        lift = followed[kept] / usual
        # Percent in whole numbers: 10 of 100 is 10 %, whatever a float makes of it.
        good = (followed[kept] * 100 >= policy.minimum_confidence * asked) & (lift >= policy.minimum_lift)
        good &= followed[kept] - usual >= BEYOND_CHANCE * np.sqrt(usual)
        kept = kept[good]
        if not len(kept):
            return pl.DataFrame()
        return pl.DataFrame(
            {
                "antecedent": kept // self.items + self.first,
                "consequent": kept % self.items,
                "customers": asked[good],
                "followed": followed[kept],
                "support": followed[kept] / customers,
                "confidence": followed[kept] / asked[good],
                "lift": lift[good],
                "median_days": self._median_days(kept, followed[kept]),
            }
        )

    def _asked(self, kept: Ints, rates: Floats) -> tuple[Ints, Floats]:
        """For the cells `kept`: who bought A and had not B, and how many of them usually follow."""
        moments, antecedent, months = self.moments, kept // self.items, len(rates)
        rows, place = self._of(kept), self._places(kept)
        had, had_usual = np.zeros(len(kept), dtype=np.int64), np.zeros(len(kept))
        for cell, origin, other in self._pairs(rows, self.begin, self.after):
            hit = np.flatnonzero(place[cell] >= 0)
            rule, month, item = place[cell[hit]], moments.month[origin[hit]], moments.item[other[hit]]
            had += np.bincount(rule, minlength=len(kept))
            had_usual += np.bincount(rule, rates[month, item], minlength=len(kept))
        bought = np.bincount(
            (moments.item[rows] - self.first) * months + moments.month[rows],
            minlength=(self.last - self.first) * months,
        ).reshape(-1, months)
        usual = np.zeros(len(kept))
        for each in range(months):
            usual += bought[antecedent, each] * rates[each, kept % self.items]
        return bought.sum(axis=1)[antecedent] - had, usual - had_usual

    def _places(self, kept: Ints) -> npt.NDArray[np.int32]:
        """For each cell, where it stands in `kept`; -1: it does not."""
        place = np.full((self.last - self.first) * self.items, -1, dtype=np.int32)
        place[kept] = np.arange(len(kept), dtype=np.int32)
        return place

    def _of(self, kept: Ints) -> Ints:
        """The rows of the antecedents that have a cell in `kept`."""
        wanted = np.zeros(self.last - self.first, dtype=bool)
        wanted[kept // self.items] = True
        return self.rows[wanted[self.moments.item[self.rows] - self.first]]

    def _pairs(self, rows: Ints, start: Ints, stop: Ints) -> Iterator[tuple[Ints, Ints, Ints]]:
        """Each row with each purchase at `start` until before `stop` of it: the cell, the row, the purchase."""
        moments = self.moments
        lengths = stop[rows] - start[rows]
        reached = np.cumsum(lengths)
        low = 0
        while low < len(rows):
            done = reached[low - 1] if low else 0
            high = max(low + 1, int(np.searchsorted(reached, done + BLOCK_PAIRS, side="right")))
            part, length = rows[low:high], lengths[low:high]
            ends = np.cumsum(length)
            origin = np.repeat(part, length)
            other = np.arange(int(ends[-1])) + np.repeat(start[part] - (ends - length), length)
            yield (moments.item[origin] - self.first) * self.items + moments.item[other], origin, other
            low = high

    def _median_days(self, kept: Ints, followed: Ints) -> Ints:
        """The lower median of the days from A to B, for each of the cells `kept`."""
        moments, span, place = self.moments, self.moments.within + 1, self._places(kept)
        found = []
        for cell, origin, other in self._pairs(self._of(kept), self.after, self.until):
            hit = np.flatnonzero(place[cell] >= 0)
            # Rule and days in one number: sorted, the median of a rule lies halfway through its run.
            found.append(place[cell[hit]].astype(np.int64) * span + moments.day[other[hit]] - moments.day[origin[hit]])
        starts = np.cumsum(followed) - followed
        days: Ints = np.sort(np.concatenate(found))[starts + (followed - 1) // 2] % span
        return days
