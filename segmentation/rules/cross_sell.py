"""Cross-sell rules: who buys A often buys B within some days (docs/rules/cross-sell.md)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
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
Small = npt.NDArray[np.int32]

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
"""Counts held at a time, of pairs of items or of what is to be known of them: 32 MB."""


@dataclass(frozen=True)
class Search:
    """What a search found: over how many customers and items, the rules, and why none when none."""

    customers: int
    items: int
    rules: pl.DataFrame
    reason: Reason


def search(purchases: pl.DataFrame | Iterable[pl.DataFrame], policy: CrossSellPolicy, as_of: dt.date) -> Search:
    """Find all rules A → B that the policy's lines let through; exact, strongest first.

    `purchases` has a row per customer and item: the day of the first purchase in the window (customer_id,
    item, day). They may come as several frames, of which no two have the same customer.

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
    (not out of the moments). Work is proportional to the sum over customers of their items squared. Everything is
    counted in whole numbers, frame by frame, so the frames change nothing but memory: some 40 bytes per purchase, and
    what BLOCK_PAIRS, BLOCK_CELLS and one frame take.

    Raises ValueError when a frame names a customer and item twice, or a day on or after `as_of`.
    """
    frames = [purchases] if isinstance(purchases, pl.DataFrame) else purchases
    bought = [_Bought.of(facts) for frame in frames if not (facts := _facts(frame, as_of)).is_empty()]
    nothing = pl.DataFrame(schema=dict(RULES))
    if not bought:
        return Search(0, 0, nothing, "no_orders")
    customers = sum(each.customers for each in bought)
    items = _Items.of(bought)

    def none(reason: Reason) -> Search:
        return Search(customers, items.number, nothing, reason)

    last_day = (as_of - _EPOCH).days - policy.within_days - 1
    if min(int(each.day.min()) for each in bought) > last_day:
        return none("short_history")
    if customers < policy.minimum_followed:
        return none("few_customers")
    frequent = items.buyers >= policy.minimum_followed
    if int(frequent.sum()) < 2:
        return none("few_items")
    months = _month(np.array([last_day, *(each.day.min() for each in bought)]))
    first_month, length = int(months.min()), int(months[0] - months.min()) + 1
    usual = _Usual(np.zeros((length, items.number), dtype=np.int64), np.zeros((length, items.number), dtype=np.int64))
    pairs = []
    while bought:
        # Each in its turn, so that one at a time is held both ways.
        moments = _Moments.of(bought.pop(0), items, policy.within_days, last_day, first_month)
        usual.count(moments)
        pairs.append(_Pairs.of(moments, frequent))
    names = items.names.filter(pl.Series(frequent))
    found = pl.concat([nothing, *_rules(pairs, names, usual.rates()[:, frequent], customers, policy)])
    if found.is_empty():
        return none("no_rules")
    order = found.sort(
        pl.col("confidence") * pl.col("lift"),
        "followed",
        "antecedent",
        "consequent",
        descending=[True, True, False, False],
    )
    return Search(customers, items.number, order, "")


_EPOCH: Final = dt.date(1970, 1, 1)


def _facts(frame: pl.DataFrame, as_of: dt.date) -> pl.DataFrame:
    facts = conform(frame, PURCHASES).select(*PURCHASES).drop_nulls()
    if facts.select("customer_id", "item").is_duplicated().any():
        raise ValueError("The frame names a customer and item twice: it takes the day of the first purchase")
    if facts.select((pl.col("day") >= as_of).any()).item():
        raise ValueError(f"The frame has days on or after {as_of}, which do not count yet")
    return facts


def _month(days: npt.NDArray[Any]) -> Ints:
    """The month of days since 1970, as months since then."""
    months: Ints = days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
    return months


@dataclass(frozen=True)
class _Bought:
    """A frame's purchases in little room, sorted by customer and day: customer (0, 1, …), item, day (since 1970)."""

    customer: Small
    item: Small
    day: Small
    names: pl.Series  # of the items, which are numbered as they stand here

    @classmethod
    def of(cls, facts: pl.DataFrame) -> _Bought:
        rows = facts.sort("customer_id", "day")
        names = facts.get_column("item").unique()
        places = pl.DataFrame({"item": names, "place": names.cast(pl.String).rank("dense").cast(pl.Int32) - 1})
        items = rows.select("item").join(places, on="item", how="left", maintain_order="left")
        return cls(
            rows.get_column("customer_id").rle_id().to_numpy().astype(np.int32),
            items.get_column("place").to_numpy(),
            rows.get_column("day").to_physical().to_numpy(),
            names.cast(pl.String).sort(),
        )

    @property
    def customers(self) -> int:
        return int(self.customer[-1]) + 1


@dataclass(frozen=True)
class _Items:
    """All items, by name, and how many customers bought each."""

    names: pl.Series
    buyers: Ints

    @classmethod
    def of(cls, bought: Sequence[_Bought]) -> _Items:
        names = pl.concat([each.names for each in bought]).unique().sort()
        buyers = np.zeros(len(names), dtype=np.int64)
        for each in bought:
            buyers[_places(each.names, names)] += np.bincount(each.item, minlength=len(each.names))
        return cls(names, buyers)

    @property
    def number(self) -> int:
        return len(self.names)


def _places(names: pl.Series, among: pl.Series) -> Ints:
    """Where each of the names stands among sorted ones."""
    places: Ints = among.search_sorted(names).to_numpy().astype(np.int64)
    return places


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
    def of(cls, bought: _Bought, items: _Items, within: int, last_day: int, first_month: int) -> _Moments:
        day = bought.day.astype(np.int64)
        since = day - day.min()
        # Wide enough that the days after a customer's last one do not reach into the next customer.
        wide = int(since.max()) + within + 2
        customer = bought.customer.astype(np.int64)
        item = _places(bought.names, items.names)[bought.item]
        return cls(customer, item, day, _month(day) - first_month, day <= last_day, customer * wide + since, within)

    def of_items(self, chosen: Flags) -> _Moments:
        """Only the rows of some items, which are numbered anew."""
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


@dataclass(frozen=True)
class _Usual:
    """By month and item: after how many moments the item came within the days, and how many there were to come after."""

    followed: Ints
    asked: Ints

    def count(self, moments: _Moments) -> None:
        # Row = a purchase of B. Its customer's moments in the days before, [early, same); on its day or later,
        # [same, end): in these B was there already.
        begin = np.searchsorted(moments.customer, moments.customer, side="left")
        same = np.searchsorted(moments.key, moments.key, side="left")
        early = np.maximum(np.searchsorted(moments.key, moments.key - moments.within, side="left"), begin)
        end = np.searchsorted(moments.customer, moments.customer, side="right")
        months, items = self.followed.shape
        for month in range(months):
            so_far = np.concatenate([[0], np.cumsum(moments.counts & (moments.month == month))])
            followed = np.bincount(moments.item, weights=so_far[same] - so_far[early], minlength=items)
            had = np.bincount(moments.item, weights=so_far[end] - so_far[same], minlength=items)
            self.followed[month] += followed.astype(np.int64)
            self.asked[month] += so_far[-1] - had.astype(np.int64)

    def rates(self) -> Floats:
        """The share of the month's moments after which the item came within the days."""
        rates = np.zeros(self.followed.shape)
        np.divide(self.followed, self.asked, out=rates, where=self.asked > 0)
        return rates


@dataclass(frozen=True)
class _Pairs:
    """A frame's moments of the frequent items, and which pairs they make.

    begin, after and until are places: of the customer's first row, of the first row on a later day, and of the first
    row more than so many days later. `asked` are the rows whose day counts, by item; those of an item begin at its place in
    `places`.
    """

    item: Small
    day: Small
    month: Small
    begin: Small
    after: Small
    until: Small
    asked: Small
    places: Ints

    @classmethod
    def of(cls, moments: _Moments, frequent: Flags) -> _Pairs:
        few = moments.of_items(frequent)
        asked = np.flatnonzero(few.counts)
        asked = asked[np.argsort(few.item[asked], kind="stable")]
        begin = np.searchsorted(few.customer, few.customer, side="left")
        after = np.searchsorted(few.key, few.key, side="right")
        until = np.searchsorted(few.key, few.key + few.within, side="right")
        places = np.searchsorted(few.item[asked], np.arange(int(frequent.sum()) + 1))
        return cls(
            item=few.item.astype(np.int32),
            day=few.day.astype(np.int32),
            month=few.month.astype(np.int32),
            begin=begin.astype(np.int32),
            after=after.astype(np.int32),
            until=until.astype(np.int32),
            asked=asked.astype(np.int32),
            places=places,
        )

    def rows(self, first: int, last: int) -> Small:
        """The rows of the items from `first` until before `last` whose day counts."""
        return self.asked[self.places[first] : self.places[last]]


def _rules(
    pairs: Sequence[_Pairs], names: pl.Series, rates: Floats, customers: int, policy: CrossSellPolicy
) -> Iterator[pl.DataFrame]:
    """The rules between the frequent items, a block of antecedents at a time."""
    items = len(names)
    most = max(1, BLOCK_CELLS // items)
    for first in range(0, items, most):
        found = _Block(pairs, first, min(first + most, items), items).rules(rates, customers, policy)
        if not found.is_empty():
            yield found.with_columns(
                antecedent=names.gather(found.get_column("antecedent")),
                consequent=names.gather(found.get_column("consequent")),
            ).select(*RULES)


@dataclass(frozen=True)
class _Block:
    """The antecedents from `first` until before `last`, of so many items; a cell is an antecedent with a consequent."""

    pairs: Sequence[_Pairs]
    first: int
    last: int
    items: int

    def rules(self, rates: Floats, customers: int, policy: CrossSellPolicy) -> pl.DataFrame:
        """antecedent and consequent as numbers, and the measures."""
        followed = np.zeros(self.cells, dtype=np.int64)
        for each in self.pairs:
            for cell, _origin, _other in self._met(each, each.rows(self.first, self.last), each.after, each.until):
                _add(followed, cell)
        kept = np.flatnonzero(followed >= policy.minimum_followed)
        if not len(kept):
            return pl.DataFrame()
        asked, usual = (np.concatenate(each) for each in zip(*self._asked(kept, rates), strict=True))
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
                "median_days": np.concatenate([*self._median_days(kept, followed[kept], policy.within_days)]),
            }
        )

    @property
    def cells(self) -> int:
        return (self.last - self.first) * self.items

    def _asked(self, kept: Ints, rates: Floats) -> Iterator[tuple[Ints, Floats]]:
        """For the cells `kept`, some at a time: who bought A and had not B, and how many of them usually follow."""
        months = len(rates)
        for some in _some(kept, months):
            place, antecedent, consequent = self._places(some), some // self.items, some % self.items
            bought = np.zeros((self.last - self.first) * months, dtype=np.int64)
            had = np.zeros(len(some) * months, dtype=np.int64)
            for each in self.pairs:
                rows = self._of(each, some)
                _add(bought, (each.item[rows] - self.first) * months + each.month[rows])
                for cell, origin, _other in self._met(each, rows, each.begin, each.after):
                    hit = np.flatnonzero(place[cell] >= 0)
                    _add(had, place[cell[hit]] * months + each.month[origin[hit]])
            left = bought.reshape(-1, months)[antecedent] - had.reshape(-1, months)
            usual = np.zeros(len(some))
            for month in range(months):
                usual += left[:, month] * rates[month, consequent]
            yield left.sum(axis=1), usual

    def _median_days(self, kept: Ints, followed: Ints, within: int) -> Iterator[Ints]:
        """The lower median of the days from A to B, for the cells `kept`, some at a time."""
        span, reached = within + 1, 0
        for some in _some(kept, span):
            place = self._places(some)
            days = np.zeros(len(some) * span, dtype=np.int64)
            for each in self.pairs:
                for cell, origin, other in self._met(each, self._of(each, some), each.after, each.until):
                    hit = np.flatnonzero(place[cell] >= 0)
                    _add(days, place[cell[hit]] * span + each.day[other[hit]] - each.day[origin[hit]])
            halfway = (followed[reached : reached + len(some)] - 1) // 2
            yield (days.reshape(-1, span).cumsum(axis=1) > halfway[:, None]).argmax(axis=1)
            reached += len(some)

    def _places(self, kept: Ints) -> Small:
        """For each cell, where it stands in `kept`; -1: it does not."""
        place = np.full(self.cells, -1, dtype=np.int32)
        place[kept] = np.arange(len(kept), dtype=np.int32)
        return place

    def _of(self, pairs: _Pairs, kept: Ints) -> Small:
        """The rows of the antecedents that have a cell in `kept`."""
        wanted = np.zeros(self.last - self.first, dtype=bool)
        wanted[kept // self.items] = True
        rows = pairs.rows(self.first, self.last)
        return rows[wanted[pairs.item[rows] - self.first]]

    def _met(self, pairs: _Pairs, rows: Small, start: Small, stop: Small) -> Iterator[tuple[Ints, Small, Ints]]:
        """Each row with each purchase at `start` until before `stop` of it: the cell, the row, the purchase."""
        lengths = (stop[rows] - start[rows]).astype(np.int64)
        reached = np.cumsum(lengths)
        low = 0
        while low < len(rows):
            done = reached[low - 1] if low else 0
            high = max(low + 1, int(np.searchsorted(reached, done + BLOCK_PAIRS, side="right")))
            part, length = rows[low:high], lengths[low:high]
            ends = np.cumsum(length)
            origin = np.repeat(part, length)
            other = np.arange(int(ends[-1])) + np.repeat(start[part] - (ends - length), length)
            yield (pairs.item[origin] - self.first).astype(np.int64) * self.items + pairs.item[other], origin, other
            low = high


def _some(kept: Ints, each: int) -> Iterator[Ints]:
    """The cells in runs, for each of which so many numbers are held: at most BLOCK_CELLS of them, one cell at least."""
    size = max(1, BLOCK_CELLS // each)
    for first in range(0, len(kept), size):
        yield kept[first : first + size]


def _add(counts: Ints, places: npt.NDArray[Any]) -> None:
    """Count the places; a few are looked up, of many the whole is counted."""
    if len(places) < len(counts) // 8:
        np.add.at(counts, places, 1)
    else:
        counts += np.bincount(places, minlength=len(counts))
