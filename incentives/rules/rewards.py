"""What orders, upgrades and referrals earn: from facts to entitlements, whole 1/10,000 of a unit ("points" of money).

Everything here is a function of the facts alone: reckoned again it gives the same, and what differs from what was posted
is posted as a change. The rules stand in docs/rules/rewards.md.
"""

from __future__ import annotations

import calendar
import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, Literal

YEAR_MONTHS: Final = 12
LEAST_BASELINE_DAYS: Final = 90
"""With less history than this nobody can say what a customer spent before an upgrade."""

_DAYS: Final = 365


@dataclass(frozen=True)
class Document:
    """An order (net above nothing) or a credit note (below), placed and not cancelled; `net` in 1/10,000."""

    id: int
    on: dt.date
    net: int
    is_order: bool


@dataclass(frozen=True)
class Share:
    """What a document earns: its part of `net` counted, by `percent`; both amounts in 1/10,000."""

    document: Document
    percent: Fraction
    amount: int


def months_after(day: dt.date, months: int) -> dt.date:
    """The same day so many months later; the month's last day where it has none of that number."""
    month = day.month - 1 + months
    year, month = day.year + month // 12, month % 12 + 1
    return dt.date(year, month, min(day.day, calendar.monthrange(year, month)[1]))


def share_of(net: int, percent: Fraction) -> int:
    """`percent` of money, to the nearest 1/10,000, halves away from nothing: the same for a sale and its return."""
    exact = abs(net) * percent / 100
    rounded = int(exact + Fraction(1, 2))
    return rounded if net >= 0 else -rounded


# ── a referral ──────────────────────────────────────────────────────────────

Result = Literal["waits", "converted", "not_new", "too_late"]


def result_of(
    on: dt.date, documents: Iterable[Document], months: int, today: dt.date
) -> tuple[Result, Document | None]:
    """What became of a referral of day `on`, and the first order of the new customer.

    converted: the first order came from that day on, within `months`. not_new: it had ordered before. too_late: the
    months have passed without an order. waits: they have not yet.
    """
    orders = sorted((each for each in documents if each.is_order), key=lambda each: (each.on, each.id))
    limit = months_after(on, months)
    if not orders:
        return ("waits" if today <= limit else "too_late"), None
    first = orders[0]
    if first.on < on:
        return "not_new", first
    return ("converted" if first.on < limit else "too_late"), first


def staff_shares(
    first_on: dt.date,
    documents: Iterable[Document],
    months: int,
    refund_days: int,
    percent_on: Mapping[dt.date, Fraction],
) -> list[Share]:
    """What each document of a converted customer earns its colleague: the percentage of the day on which it was placed.

    Orders count in the first `months` from the first order on, credit notes `refund_days` longer. A credit note takes
    away at most what was earned before it: all of them together never come to less than nothing.
    """
    end = months_after(first_on, months)
    refunds_end = end + dt.timedelta(days=refund_days)
    shares: list[Share] = []
    earned = 0
    for each in sorted(documents, key=lambda document: (document.on, document.id)):
        if each.on < first_on or each.on >= (end if each.is_order else refunds_end):
            continue
        percent = percent_on[each.on]
        amount = max(share_of(each.net, percent), -earned)
        earned += amount
        shares.append(Share(each, percent, amount))
    return shares


@dataclass(frozen=True)
class StepReached:
    """A step of a year: by the conversion of which day, at how many, and its points."""

    on: dt.date
    at: int
    points: int


def steps_reached(
    conversions: Iterable[dt.date], steps_on: Mapping[dt.date, Sequence[tuple[int, int]]]
) -> list[StepReached]:
    """Which yearly steps a customer has reached by those whom it recommended: counted anew each calendar year.

    `conversions` are the days of their first orders, `steps_on` what the steps are on each of them. A step is on top of
    those before it.
    """
    counted: dict[int, int] = {}
    reached: list[StepReached] = []
    for on in sorted(conversions):
        number = counted[on.year] = counted.get(on.year, 0) + 1
        reached += [StepReached(on, at, points) for at, points in steps_on[on] if at == number]
    return reached


# ── a service upgrade ───────────────────────────────────────────────────────


@dataclass(frozen=True)
class Baseline:
    """What a customer spent before an upgrade: `net` (1/10,000) in `days` days from `since` up to the upgrade."""

    since: dt.date
    days: int
    net: int

    @property
    def per_year(self) -> Fraction:
        """Scaled to a year of 365 days, in 1/10,000; never below nothing."""
        return max(Fraction(self.net), Fraction(0)) * _DAYS / self.days


def baseline_of(on: dt.date, documents: Iterable[Document]) -> Baseline | None:
    """The 12 months before an upgrade on day `on`; pro rata where the customer is younger.

    Counted from the later of 12 months before and the customer's first order; None with less than 90 days of history.
    """
    rows = list(documents)
    orders = [each.on for each in rows if each.is_order]
    if not orders:
        return None
    since = max(months_after(on, -YEAR_MONTHS), min(orders))
    days = (on - since).days
    if days < LEAST_BASELINE_DAYS:
        return None
    return Baseline(since, days, sum(each.net for each in rows if since <= each.on < on))


@dataclass(frozen=True)
class Month:
    """A month after an upgrade: what was spent since it up to `end` (exclusive), what was expected, what that earns."""

    number: int
    end: dt.date
    spent: int
    expected: int
    amount: int


def upgrade_months(
    on: dt.date, documents: Iterable[Document], baseline: Baseline, percent: Fraction, as_of: dt.date
) -> list[Month]:
    """What the product team has earned by an upgrade, month after month, up to those that are over as of a day.

    After k months it has `percent` of what was spent since the upgrade beyond k twelfths of the baseline's year, if that
    is more than nothing; a month's amount is what that has risen by, or fallen. After 12 months they add up to the
    percentage of the year's added spend, exactly.
    """
    rows = list(documents)
    months: list[Month] = []
    before = 0
    for number in range(1, YEAR_MONTHS + 1):
        end = months_after(on, number)
        if end > as_of:
            break
        spent = sum(each.net for each in rows if on <= each.on < end)
        expected = int(baseline.per_year * number / YEAR_MONTHS + Fraction(1, 2))
        so_far = share_of(max(spent - expected, 0), percent)
        months.append(Month(number, end, spent, expected, so_far - before))
        before = so_far
    return months


# ── what is where ───────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Place:
    """Where a reward stands, in 1/10,000: waiting for approval, approved and not paid, paid."""

    pending: int = 0
    payable: int = 0
    paid: int = 0

    @property
    def total(self) -> int:
        """What was earned in all."""
        return self.pending + self.payable + self.paid


def moved(place: Place, total: int) -> Place:
    """Where a reward stands when its total changes.

    More waits for approval, but what only gives back what was taken comes back as it went. Less is first taken from what waits, then from what is approved: below nothing it is a claim
    that is set off against the next pay-out. A reward that was never above nothing (a credit note) is such a claim at
    once. What is paid stays paid.
    """
    change = total - place.total
    if change >= 0:
        # A claim is given up, and what was set off comes back, before something new is earned.
        back = min(change, max(-place.payable, -place.total, 0))
        return Place(place.pending + change - back, place.payable + back, place.paid)
    taken = min(-change, place.pending)
    return Place(place.pending - taken, place.payable + change + taken, place.paid)


def status_of(place: Place) -> Literal["pending", "approved", "paid", "claim", "nothing"]:
    """Where a reward stands in a word: what is still to be done with it comes first."""
    if place.pending > 0:
        return "pending"
    if place.payable > 0:
        return "approved"
    if place.payable < 0:
        return "claim"
    return "paid" if place.paid else "nothing"
