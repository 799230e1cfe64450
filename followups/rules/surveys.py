"""Surveys: whose turn it is, when a link works, what an answer asks of us, how sure a number is (docs/rules/surveys.md)."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

import polars as pl

from customers.rules.surveys import nps_group
from followups.rules.survey_policy import Every, SurveyPolicy
from tenants.rules.columns import Schema, conform

SurveyKind = Literal["nps", "csat"]
State = Literal["blocked", "answered", "open", "expired"]

CONTACTS: Final[Schema] = {"contact_id": pl.Int64, "last_asked_on": pl.Date}

CATCH_UP_DAYS: Final = 14
"""A turn that was missed (no night, a full budget) is made up for so long; after that it waits for the next period."""

_MONTHS: Final[Mapping[Every, int]] = {"month": 1, "quarter": 3, "half_year": 6, "year": 12}
_WORD: Final = 2**32
_GOLDEN: Final = 2_654_435_761  # Knuth: 2^32 ÷ golden ratio, prime; neighbouring ids land far apart
_MIX: Final = 2_246_822_519  # a second one (xxHash), so that day and sample do not go together
_Z: Final = 1.959963984540054  # 95 %


# ── whose turn ──────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Period:
    """A calendar month, quarter, half year or year: first day, the day after the last, its number since year 0."""

    start: dt.date
    end: dt.date
    number: int
    name: str


def period_of(day: dt.date, every: Every) -> Period:
    """The period that a day lies in; `name` is "2026-11", "2026-Q4", "2026-H2" or "2026"."""
    months = _MONTHS[every]
    number = (day.year * 12 + day.month - 1) // months
    start, end = _month(number * months), _month((number + 1) * months)
    part = (start.month - 1) // months + 1
    names: Mapping[Every, str] = {
        "month": f"{start.year}-{start.month:02}",
        "quarter": f"{start.year}-Q{part}",
        "half_year": f"{start.year}-H{part}",
        "year": f"{start.year}",
    }
    return Period(start, end, number, names[every])


def _month(number: int) -> dt.date:
    return dt.date(number // 12, number % 12 + 1, 1)


def turns(contacts: pl.DataFrame, policy: SurveyPolicy, as_of: dt.date, rest_days: int) -> pl.DataFrame:
    """Whose NPS turn has come by `as_of`: contact_id, period and turn_on, by turn and id.

    `contacts`: contact_id and last_asked_on, the day of the last survey of any kind (null: never).

    Each contact has a day of its own in every period, fixed by its id, so that the askings spread over the months
    (B73, K14). Of the contacts `nps_percent` are asked in each: a window over the same circle of contacts that moves
    on by its own width from period to period, so that nobody is asked twice before everybody was asked once. A turn
    that was missed is made up for within CATCH_UP_DAYS; who was asked anything less than `rest_days` ago (the contact
    governor's) waits.
    """
    period = period_of(as_of, policy.nps_every)
    place = _circle(pl.col("contact_id"), _GOLDEN)
    days = (period.end - period.start).days
    # The last days of a period take no turns: an answer, and the days to make up for a missed one, belong to it.
    span = max(1, days - CATCH_UP_DAYS)
    offset = (_circle(pl.col("contact_id"), _MIX) * span // _WORD).cast(pl.Int32)
    width = policy.nps_percent * _WORD // 100
    first = period.number * width % _WORD
    chosen = (place + _WORD - first) % _WORD < width if policy.nps_percent < 100 else pl.lit(value=True)
    rested = pl.col("last_asked_on").is_null() | (
        pl.col("last_asked_on") + pl.duration(days=rest_days) <= pl.lit(as_of)
    )
    turn = pl.lit(period.start) + pl.duration(days=offset)
    come = (turn <= pl.lit(as_of)) & (turn + pl.duration(days=CATCH_UP_DAYS) >= pl.lit(as_of))
    return (
        conform(contacts, CONTACTS)
        .with_columns(turn_on=turn.cast(pl.Date), period=pl.lit(period.name))
        .filter(chosen & come & rested)
        .select("contact_id", "period", "turn_on")
        .sort("turn_on", "contact_id")
    )


def _circle(number: pl.Expr, prime: int) -> pl.Expr:
    """Where an id stands on a circle of 2^32 places; UInt64, so that the product fits."""
    return (number % _WORD).cast(pl.UInt64) * pl.lit(prime, dtype=pl.UInt64) % _WORD


def is_drawn(number: int, percent: int) -> bool:
    """Whether a talk or a complaint with this id is among the `percent` after which CSAT is asked."""
    return (number % _WORD) * _GOLDEN % _WORD < percent * _WORD // 100


# ── a link's life ───────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Asking:
    """What decides whether a link works; moments are aware."""

    expires_at: dt.datetime
    blocked: bool = False
    answered_at: dt.datetime | None = None
    changed_at: dt.datetime | None = None


def state(asking: Asking, now: dt.datetime) -> State:
    """How an asking stands. An answer stays an answer, whatever happens afterwards."""
    if asking.answered_at is not None:
        return "answered"
    if asking.blocked:
        return "blocked"
    return "expired" if now >= asking.expires_at else "open"


def change_until(asking: Asking, policy: SurveyPolicy) -> dt.datetime | None:
    """Until when the answer can still be changed; None while there is none."""
    return None if asking.answered_at is None else asking.answered_at + dt.timedelta(days=policy.change_days)


def may_change(asking: Asking, policy: SurveyPolicy, now: dt.datetime) -> bool:
    """Whether the score may still be changed: once, within `change_days` of the answer."""
    until = change_until(asking, policy)
    return until is not None and asking.changed_at is None and now < until


def reminder_due(asked_at: dt.datetime, sent: int, policy: SurveyPolicy, now: dt.datetime) -> bool:
    """Whether the next reminder's time has come: `reminder_days` after the asking, and after each reminder."""
    return sent < policy.reminders and now >= asked_at + dt.timedelta(days=policy.reminder_days * (sent + 1))


# ── what an answer means ────────────────────────────────────────────────────


def is_low(kind: str, score: int, policy: SurveyPolicy) -> bool:
    """Whether somebody has to call: a detractor (NPS 0 to 6), or CSAT up to `low_csat`."""
    return nps_group(score) == "detractor" if kind == "nps" else score <= policy.low_csat


def is_better(kind: str, before: int, after: int) -> bool:
    """Whether a later answer shows that an action helped: NPS another group upwards, CSAT a point or more."""
    if kind != "nps":
        return after > before
    order = {"detractor": 0, "passive": 1, "promoter": 2}
    return order[nps_group(after)] > order[nps_group(before)]


@dataclass(frozen=True)
class Nps:
    """A net promoter score, -100 to 100, of `n` answers, with its 95 % interval.

    Of a single answer there is no score: `rating` is that answer, 0 to 10 (K13).
    """

    promoters: int
    passives: int
    detractors: int
    rating: int | None = None

    @property
    def n(self) -> int:
        return self.promoters + self.passives + self.detractors

    @property
    def score(self) -> float | None:
        """Percent of promoters minus percent of detractors; None of fewer than two answers."""
        return 100 * (self.promoters - self.detractors) / self.n if self.n > 1 else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """The adjusted Wald interval (B. Rocks, The American Statistician 70:4, 2016): of n + 3 answers, 3/4 more
        promoters and 3/4 more detractors. None of fewer than two answers.
        """
        if self.n < 2:
            return None
        n = self.n + 3
        up, down = (self.promoters + 0.75) / n, (self.detractors + 0.75) / n
        middle = up - down
        reach = _Z * math.sqrt((up + down - middle * middle) / n)
        return 100 * max(-1.0, middle - reach), 100 * min(1.0, middle + reach)


def wilson(hits: int, n: int) -> tuple[float, float] | None:
    """The 95 % interval of a share (E. B. Wilson, 1927), 0 to 1; None of nothing."""
    if n <= 0:
        return None
    share, z2 = hits / n, _Z * _Z
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    reach = _Z * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    # At the ends the formula is 0 or 1 but for rounding.
    return (0.0 if hits == 0 else max(0.0, middle - reach)), (1.0 if hits == n else min(1.0, middle + reach))
