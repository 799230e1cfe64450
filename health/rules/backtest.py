"""The forecast's own record: what it would have said on past days, and what then came (docs/rules/forecast.md).

On each past day the model is fitted again to what was known then, and its answers are compared with the orders since,
always beside the majority guess and the plain rule of silence. Only days whose horizons are over count.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal, Self

import numpy as np
import numpy.typing as npt
import polars as pl

from health.rules.forecast import Book, Floats, History, Reason, fit_by, predict, sample, whole_percents
from health.rules.policy import ForecastPolicy
from segmentation.rules import lifetime
from tenants.rules.columns import Schema, conform

Flags = npt.NDArray[np.bool_]

BINS: Final = 10
"""Of equal width in probability, for the calibration; and tenths of the customers by risk, for the gain."""

CLOSED_SHARE: Final = 0.5
"""A cut-off is measured when the horizons of so many are over, and by these; horizons differ by own cycle only, and
who has which is known beforehand, so that nobody is chosen by what came."""

Refusal = Literal["", "not_closed", "no_active", "one_outcome"] | Reason
"""Why a cut-off was not measured; "" when it was.

not_closed: horizons end after the last fact (by own cycle: of more than half). no_active: nobody could lapse.
one_outcome: all of them lapsed, or none, which tells nothing about order. Or why there was no model on that day, of
`forecast.Reason`.
"""


@dataclass(frozen=True, slots=True)
class Bin:
    """Forecasts between `low` and `high`: how many, what they said on the mean, and what share lapsed."""

    low: float
    high: float
    n: int
    predicted: float | None
    seen: float | None


@dataclass(frozen=True, slots=True)
class Decile:
    """A tenth of the customers, the first with the highest risk: how many, and what share of them lapsed."""

    number: int
    n: int
    lapsed: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Measures:
    """How well forecasts did; shares from 0 to 1, None where there is nothing to divide by.

    `customers`, `warned` and `rule_warned` are counts. accuracy: forecasts of .5 and more against lapses;
    majority_accuracy: of saying the same of everybody; rule_accuracy: of the rule of silence. precision, recall: of
    the warnings; rule_precision, rule_recall: of the rule's. precision_top_decile: share of the tenth at highest risk
    that lapsed. brier: mean squared error. ece: mean distance of forecast and outcome over BINS, by their customers.
    lead_time_days, rule_lead_time_days: see `_lead_times`.
    """

    customers: float
    base_rate: float
    auc: float
    average_precision: float
    accuracy: float
    majority_accuracy: float
    rule_accuracy: float
    warned: float
    precision: float | None
    recall: float
    rule_warned: float
    rule_precision: float | None
    rule_recall: float
    precision_top_decile: float
    brier: float
    ece: float
    lead_time_days: float | None = None
    rule_lead_time_days: float | None = None


@dataclass(frozen=True, slots=True)
class CutOff:
    """One past day: its measures, or why there are none."""

    day: dt.date
    measures: Measures | None
    reason: Refusal = ""
    lifetime_reason: lifetime.Reason = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BackTest:
    """The record over several past days.

    `means` are those of the measured cut-offs, each counting alike, but lead times, which are over all lapses found.
    `calibration` and `gain` are over all forecasts of all of them. `means` is None when no day could be measured.
    """

    horizon_days: int
    warn_percent: int
    silence_days: int
    cut_offs: tuple[CutOff, ...]
    means: Measures | None
    calibration: tuple[Bin, ...]
    gain: tuple[Decile, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON: days as texts."""
        said: dict[str, Any] = _plain(asdict(self))
        return said


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value.isoformat() if isinstance(value, dt.date) else value


def cut_offs_between(first: dt.date, last: dt.date) -> list[dt.date]:
    """The first day of each month from that of `first` to that of `last`."""
    months = range(first.year * 12 + first.month - 1, last.year * 12 + last.month)
    return [dt.date(month // 12, month % 12 + 1, 1) for month in months]


TOLD: Final[Schema] = {
    "customer_id": pl.Int64,
    "last_order_on": pl.Date,
    "silence": pl.Int64,
    "horizon": pl.Int64,
    "lapsed": pl.Boolean,
    "probability": pl.Float64,
    "cut_off": pl.Date,
}
"""What was said of each customer on a cut-off, and what came: days of silence and of the horizon on that day."""


@dataclass(frozen=True, slots=True)
class Part:
    """One cut-off measured by itself: without lead times, which need the others; `told` has TOLD's columns."""

    cut_off: CutOff
    told: pl.DataFrame

    def to_json(self) -> dict[str, Any]:
        """Plain JSON, forecasts by column; `from_json` makes the same part of it."""
        days = [name for name, dtype in TOLD.items() if dtype == pl.Date]
        plain = self.told.with_columns(pl.col(days).dt.to_string("%Y-%m-%d")).to_dict(as_series=False)
        return {"cut_off": _plain(asdict(self.cut_off)), "told": plain}

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> Self:
        """Raises KeyError or TypeError for the part of another version."""
        values = said["cut_off"]
        found = CutOff(
            **values
            | {
                "day": dt.date.fromisoformat(values["day"]),
                "measures": None if values["measures"] is None else Measures(**values["measures"]),
            }
        )
        days = [name for name, dtype in TOLD.items() if dtype == pl.Date]
        parse = {name: pl.String if name in days else dtype for name, dtype in TOLD.items()}
        told = pl.DataFrame({name: said["told"][name] for name in TOLD}, schema=parse)
        return cls(found, told.with_columns(pl.col(days).str.to_date("%Y-%m-%d")))


class Ground:
    """What a back-test stands on: a history up to `end` (facts from that day on have not happened), and the rules.

    Without `until` the history ends the day after its last order. Of big firms it is a sample of the customers.
    """

    def __init__(self, history: History, rules: ForecastPolicy, *, until: dt.date | None = None) -> None:
        last = history.days.select(pl.col("day").max()).item()
        self.rules = rules
        self.end = until or (last + dt.timedelta(days=1) if last is not None else dt.date.min)
        known = History(history.days.filter(pl.col("day") < self.end), history.months)
        self.book = Book(sample(known, self.end), rules)

    def measure(self, day: dt.date) -> Part:
        """One cut-off by itself; one whose horizons end after the ground is refused."""
        cut_off, told = _measure(self.book, day, self.end, self.rules)
        return Part(cut_off, pl.DataFrame(schema=TOLD) if told is None else conform(told, TOLD).select(*TOLD))


def backtest(
    history: History, cut_offs: Sequence[dt.date], rules: ForecastPolicy, *, until: dt.date | None = None
) -> BackTest:
    """The record on `cut_offs`, in their order of time: `summary` of the parts that Ground measures."""
    ground = Ground(history, rules, until=until)
    return summary([ground.measure(day) for day in sorted(set(cut_offs))], rules)


def summary(parts: Sequence[Part], rules: ForecastPolicy) -> BackTest:
    """The record over cut-offs that were measured one by one, in their order of time."""
    found = [part.cut_off for part in parts]
    forecasts = [part.told for part in parts if not part.told.is_empty()]
    measured = [cut_off.measures for cut_off in found if cut_off.measures is not None]
    if not measured:
        return BackTest(**_rules(rules), cut_offs=tuple(found), means=None, calibration=(), gain=())
    everything = pl.concat(forecasts)
    leads = _lead_times(everything, rules)
    by_day = {day: _mean_leads(leads.filter(pl.col("cut_off") == day)) for day in {c.day for c in found}}
    with_leads = tuple(
        CutOff(c.day, _with(c.measures, by_day[c.day]) if c.measures else None, c.reason, c.lifetime_reason)
        for c in found
    )
    probability, lapsed = _arrays(everything)
    gains = np.zeros((len(forecasts), BINS, 2))
    for at, told in enumerate(forecasts):
        gains[at] = _tenths(*_arrays(told))
    totals = gains.sum(axis=0)
    return BackTest(
        **_rules(rules),
        cut_offs=with_leads,
        means=_with(_means(measured), _mean_leads(leads)),
        calibration=_bins(probability, lapsed),
        gain=tuple(Decile(at + 1, int(n), float(hits / n) if n else None) for at, (n, hits) in enumerate(totals)),
    )


def _rules(rules: ForecastPolicy) -> dict[str, int]:
    return {
        "horizon_days": rules.horizon_days,
        "warn_percent": rules.warn_percent,
        "silence_days": rules.silence_days,
    }


def _measure(book: Book, day: dt.date, end: dt.date, rules: ForecastPolicy) -> tuple[CutOff, pl.DataFrame | None]:
    """A cut-off's measures (without lead times), and its forecasts with what came."""
    active = book.active(day)
    if active.is_empty():
        return CutOff(day, None, "no_active" if day <= end else "not_closed"), None
    closed = book.closed(day, end)
    if closed.height < CLOSED_SHARE * active.height:
        return CutOff(day, None, "not_closed"), None
    model = fit_by(book, day)
    if model.reason:
        return CutOff(day, None, model.reason, model.lifetime_reason), None
    told = closed.join(predict(closed, model, rules, day), on="customer_id", maintain_order="left").select(
        "customer_id", "last_order_on", "silence", "horizon", "lapsed", "probability", cut_off=pl.lit(day)
    )
    probability, lapsed = _arrays(told)
    if lapsed.all() or not lapsed.any():
        return CutOff(day, None, "one_outcome"), None
    silent = told.get_column("silence").to_numpy() > rules.silence_days
    return CutOff(day, measures(probability, lapsed, silent, rules.warn_percent)), told


def _arrays(told: pl.DataFrame) -> tuple[Floats, Flags]:
    return told.get_column("probability").to_numpy(), told.get_column("lapsed").to_numpy()


def measures(probability: Floats, lapsed: Flags, silent: Flags, warn_percent: int) -> Measures:
    """Measures of forecasts against outcomes; `silent`: whom the rule of silence names. Both outcomes must occur."""
    base = float(lapsed.mean())
    warned = np.floor(100 * probability + 0.5) >= warn_percent  # as people see it: forecast.whole_percent
    [n, hits] = _tenths(probability, lapsed)[0]
    return Measures(
        customers=lapsed.size,
        base_rate=base,
        auc=auc(probability, lapsed),
        average_precision=average_precision(probability, lapsed),
        accuracy=float(((probability >= 0.5) == lapsed).mean()),
        majority_accuracy=max(base, 1 - base),
        rule_accuracy=float((silent == lapsed).mean()),
        warned=int(warned.sum()),
        precision=_share(lapsed, warned),
        recall=float(warned[lapsed].mean()),
        rule_warned=int(silent.sum()),
        rule_precision=_share(lapsed, silent),
        rule_recall=float(silent[lapsed].mean()),
        precision_top_decile=float(hits / n),
        brier=float(((probability - lapsed) ** 2).mean()),
        ece=sum(
            each.n * abs(each.predicted - each.seen)
            for each in _bins(probability, lapsed)
            if each.predicted is not None and each.seen is not None
        )
        / lapsed.size,
    )


def _share(lapsed: Flags, named: Flags) -> float | None:
    return float(lapsed[named].mean()) if named.any() else None


def auc(scores: Floats, lapsed: Flags) -> float:
    """The chance that somebody who lapsed has a higher score than somebody who did not; a tie counts half."""
    _values, places, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[places]
    hits, misses = int(lapsed.sum()), int((~lapsed).sum())
    return float((ranks[lapsed].sum() - hits * (hits + 1) / 2) / (hits * misses))


def average_precision(scores: Floats, lapsed: Flags) -> float:
    """The mean precision over the recalls, from the highest score down; equal scores are named together."""
    order = np.argsort(-scores, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(scores[order])), scores.size - 1)
    hits = np.cumsum(lapsed[order])[ends]
    return float((hits / (ends + 1)) @ np.diff(hits, prepend=0) / lapsed.sum())


def _tenths(probability: Floats, lapsed: Flags) -> Floats:
    """Customers and lapses in each tenth by risk, highest first; at least one in the first."""
    order = np.argsort(-probability, kind="stable")
    size = max(1, lapsed.size // BINS)
    edges = [min(size * at, lapsed.size) for at in range(BINS)] + [lapsed.size]
    parts = [lapsed[order[edges[at] : edges[at + 1]]] for at in range(BINS)]
    return np.array([[part.size, part.sum()] for part in parts], dtype=np.float64)


def _bins(probability: Floats, lapsed: Flags) -> tuple[Bin, ...]:
    place = np.minimum((probability * BINS).astype(np.int64), BINS - 1)
    found = []
    for at in range(BINS):
        here = place == at
        found.append(
            Bin(
                at / BINS,
                (at + 1) / BINS,
                int(here.sum()),
                float(probability[here].mean()) if here.any() else None,
                float(lapsed[here].mean()) if here.any() else None,
            )
        )
    return tuple(found)


# ── lead time ───────────────────────────────────────────────────────────────


def _lead_times(told: pl.DataFrame, rules: ForecastPolicy) -> pl.DataFrame:
    """How long before it was complete each lapse that came was first warned of: cut_off, model, rule (days or null).

    A silence is a customer's days since one last order; its lapse is complete when it is as long as the horizon. The
    first cut-off of the series that warned of it counts, `cut_off`; lead time is the days from there to completion.
    `rule` is the same of the rule of silence, looked at on the same days. Lapses that neither warned of are left out.
    """
    lead = pl.col("horizon") - pl.col("silence")
    warned = {
        "model": whole_percents(pl.col("probability")) >= rules.warn_percent,
        "rule": pl.col("silence") > rules.silence_days,
    }
    firsts = [
        told.filter(pl.col("lapsed") & said)
        .sort("cut_off")
        .group_by("customer_id", "last_order_on", maintain_order=True)
        .agg(lead.first().cast(pl.Float64).alias("lead"), pl.col("cut_off").first())
        .with_columns(by=pl.lit(name))
        for name, said in warned.items()
    ]
    return pl.concat(firsts).select(
        "cut_off", *(pl.when(pl.col("by") == name).then(pl.col("lead")).alias(name) for name in warned)
    )


def _mean_leads(leads: pl.DataFrame) -> tuple[float | None, float | None]:
    return leads.select(pl.col("model", "rule").mean()).row(0)


def _with(measured: Measures, leads: tuple[float | None, float | None]) -> Measures:
    return Measures(**asdict(measured) | {"lead_time_days": leads[0], "rule_lead_time_days": leads[1]})


def _means(measured: Sequence[Measures]) -> Measures:
    """Each measure's mean over those that have it."""

    def mean(name: str) -> float | None:
        numbers = [number for each in measured if (number := getattr(each, name)) is not None]
        return float(np.mean(numbers)) if numbers else None

    values: dict[str, Any] = {name: mean(name) for name in asdict(measured[0])}
    return Measures(**values)
