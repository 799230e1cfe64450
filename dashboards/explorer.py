"""The segment explorer's numbers: the RFM grid, the eight segments, and one scheme of tiers beside another."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, Literal

from django.db.models import Count, Sum
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from customers.tallies import tallied
from dashboards.matrix import NONE, Kind, Matrix, matrix
from segmentation.models import Segment, SegmentationTally, Standing, Tier
from segmentation.rules.policy import Scheme
from segmentation.rules.rfm import SCORES, SEGMENTS
from segmentation.rules.tiers import NO_TIER, SEGMENT_TIERS, TIER_ORDER
from tenants.base import POINTS
from tenants.models import Member

Axes = Literal["rf", "rm", "fm"]
AXES: Final[tuple[Axes, ...]] = ("rf", "rm", "fm")
SHADES: Final = 5
"""Shades of a cell: by the root of its share of the most money that a cell has."""

BESIDE: Final[dict[Scheme, str]] = {
    "wholesale": "by_wholesale",
    "callback": "by_callback",
    "sales-team": "by_sales_team",
    "starter": "segment",
}
"""The column of Standing that has a scheme's answer; the starter's is the segment."""


def _counted(member: Member, figure: str, *by: str) -> dict[tuple[Any, ...], tuple[int, Decimal]]:
    """Customers whom a member sees and their net money of the window, by columns of Standing; one query.

    `figure` is the tally of the last night that knows these columns ("scores" or "tiers").
    """
    cells = tallied(SegmentationTally, member, figure)
    if cells is None:
        rows = Standing.objects.visible_to(member).order_by().values_list(*by)
        found = rows.annotate(customers=Count("customer_id"), money=Sum("monetary"))
        return {(*values,): (customers, money) for *values, customers, money in found}
    sums: dict[tuple[Any, ...], tuple[int, int]] = {}
    for cell in cells:
        key = tuple(cell[name] for name in by)
        customers, points = sums.get(key, (0, 0))
        sums[key] = customers + cell["customers"], points + cell["net"]
    return {key: (customers, Decimal(points) / POINTS) for key, (customers, points) in sums.items()}


@dataclass(frozen=True)
class Cell:
    """Customers with one pair of scores: their number, net money of the window, and shade (0 none, 1 to SHADES)."""

    customers: int
    money: Decimal
    shade: int
    query: str


@dataclass(frozen=True)
class Grid:
    """The grid: `rows` from the best score of the first axis down, cells from the worst of the second up."""

    axes: Axes
    rows: tuple[tuple[int, tuple[Cell, ...]], ...]
    scores: tuple[int, ...]
    customers: int
    money: Decimal


def grid(member: Member, axes: Axes) -> Grid:
    """The customers whom a member sees, by two of the three scores; one query."""
    down, across = axes
    counted = _counted(member, "scores", down, across)
    # Who has never ordered has no scores.
    found: dict[tuple[int, int], tuple[int, Decimal]] = {(a, b): cell for (a, b), cell in counted.items() if a and b}
    most = max((money for _count, money in found.values()), default=Decimal(0))
    scores = tuple(range(1, SCORES + 1))

    def cell(a: int, b: int) -> Cell:
        customers, money = found.get((a, b), (0, Decimal(0)))
        # The root: a few cells bring most of the money, and the others differ as well.
        shade = math.ceil(math.sqrt(money / most) * SHADES) if customers and money > 0 else 0
        return Cell(customers, money, shade, f"{down}={a}&{across}={b}")

    return Grid(
        axes=axes,
        rows=tuple((a, tuple(cell(a, b) for b in scores)) for a in reversed(scores)),
        scores=scores,
        customers=sum(count for count, _money in found.values()),
        money=sum((money for _count, money in found.values()), Decimal(0)),
    )


@dataclass(frozen=True)
class SegmentShare:
    """A segment: its customers and money, and what part of all they are (0 to 1; None: there is no whole)."""

    code: str
    label: str
    customers: int
    money: Decimal
    customer_share: float | None
    money_share: float | None


def segments(member: Member) -> list[SegmentShare]:
    """The eight RFM segments of the customers whom a member sees, most valuable first."""
    found = {code: cell for (code,), cell in _counted(member, "scores", "segment").items() if code}
    everybody = sum(count for count, _money in found.values())
    money = sum((each for _count, each in found.values()), Decimal(0))
    shares = []
    for code in SEGMENTS:
        count, net = found.get(code, (0, Decimal(0)))
        shares.append(
            SegmentShare(
                code,
                str(Segment(code).label),
                count,
                net,
                count / everybody if everybody else None,
                float(net / money) if money > 0 else None,
            )
        )
    return shares


def never_bought(member: Member) -> int:
    """How many of the customers whom a member sees have never ordered: they have no scores."""
    return _counted(member, "scores", "r").get((None,), (0, Decimal(0)))[0]


def tier_words(tier: str) -> str:
    """A tier in words; for none its own."""
    return str(Tier(tier).label) if tier else pgettext("tier", "No tier")


def beside(member: Member, scheme: Scheme, other: Scheme) -> Matrix:
    """The tiers in force across what another scheme would make of the same customers."""
    column = BESIDE[other]
    cells: dict[tuple[str, str], tuple[int, Decimal]] = {}
    for (tier, said), (customers, money) in _counted(member, "tiers", "tier", column).items():
        answer = SEGMENT_TIERS.get(said, NO_TIER) if other == "starter" else said
        known_customers, known_money = cells.get((tier, answer), (0, Decimal(0)))
        cells[tier, answer] = known_customers + customers, known_money + money
    present = {tier for pair in cells for tier in pair}
    ends = (NO_TIER,) if NO_TIER in present else ()
    # After a change of scheme the tiers of the one before are in force until the night.
    known = (*TIER_ORDER[scheme], *sorted({tier for tier, _answer in cells} - {*TIER_ORDER[scheme], NO_TIER}), *ends)
    segment_of = {tier: code for code, tier in SEGMENT_TIERS.items()}

    def query(tier: str | None, answer: str | None) -> str:
        asked = [f"tier={tier or NONE}"] if tier is not None else []
        if answer is not None:
            asked.append(f"{column}={segment_of[answer] if other == 'starter' and answer else answer or NONE}")
        return "&".join(asked)

    def kind(tier: str, answer: str) -> Kind:
        return "stay" if tier == answer else "other"

    return matrix(
        cells, known, (*TIER_ORDER[other], *ends), label=tier_words, kind=kind, query=query, foot=_("Sum")
    )  # fmt: skip
