"""The segment explorer's numbers: the RFM grid, the eight segments, and one scheme of tiers beside another."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Literal

from django.db.models import Case, CharField, Count, F, Sum, Value, When
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from dashboards.matrix import NONE, Kind, Matrix, matrix
from segmentation.models import Segment, Standing, Tier
from segmentation.rules.policy import Scheme
from segmentation.rules.rfm import SCORES, SEGMENTS
from segmentation.rules.tiers import NO_TIER, SEGMENT_TIERS, TIER_ORDER
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
    rows = Standing.objects.visible_to(member).filter(r__isnull=False).order_by()
    counted = rows.values_list(down, across).annotate(customers=Count("customer_id"), money=Sum("monetary"))
    found: dict[tuple[int, int], tuple[int, Decimal]] = {(a, b): (count, money) for a, b, count, money in counted}
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
    rows = Standing.objects.visible_to(member).exclude(segment="").order_by().values_list("segment")
    found = {code: (count, money) for code, count, money in rows.annotate(Count("customer_id"), Sum("monetary"))}
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
    count: int = Standing.objects.visible_to(member).filter(r__isnull=True).count()
    return count


def tier_words(tier: str) -> str:
    """A tier in words; for none its own."""
    return str(Tier(tier).label) if tier else pgettext("tier", "No tier")


def beside(member: Member, scheme: Scheme, other: Scheme) -> Matrix:
    """The tiers in force across what another scheme would make of the same customers."""
    column = BESIDE[other]
    answer: F | Case = F(column)
    if other == "starter":
        whens = [When(segment=code, then=Value(tier)) for code, tier in SEGMENT_TIERS.items()]
        answer = Case(*whens, default=Value(NO_TIER), output_field=CharField())
    rows = Standing.objects.visible_to(member).annotate(answer=answer).order_by().values_list("tier", "answer")
    counted = rows.annotate(customers=Count("customer_id"), money=Sum("monetary"))
    cells = {(a, b): (count, money) for a, b, count, money in counted}
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
