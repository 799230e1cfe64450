"""It: counts by night what the figures show, and counts no sales again that cannot have changed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest

from customers.models import Customer, Order
from dashboards import explorer
from segmentation import counting, figures
from segmentation.models import SegmentationTally
from segmentation.rules.policy import TierPolicy
from tenants.context import tenant_scope
from tenants.models import Member, Team
from tenants.runs import Piece
from tests.conftest import Cast
from tests.segmentation.conftest import TODAY

RULES = TierPolicy()
FIGURES: dict[str, Callable[[Member], Any]] = {
    "repurchase": lambda member: figures.repurchase(member, TODAY),
    "series": lambda member: figures.repurchase_series(member, TODAY),
    "order values": lambda member: figures.order_values(member, TODAY),
    "seasons": lambda member: figures.seasons(member, TODAY),
    "pareto": lambda member: figures.pareto(member, TODAY, RULES),
    "moves": lambda member: figures.migration(member, TODAY - dt.timedelta(days=30), TODAY).rows(),
    "grid": lambda member: [explorer.grid(member, axes) for axes in explorer.AXES],
    "segments": explorer.segments,
    "never": explorer.never_bought,
    "beside": lambda member: [
        explorer.beside(member, "callback", other) for other in ("wholesale", "sales-team", "starter")
    ],
}


@pytest.fixture
def firm(cast: Cast, ordered: Any, night: Any) -> dict[str, Customer]:
    """Customers of different owners and habits; one who left, one who was closed, one who never ordered; two nights."""
    found = {
        "anns": ordered(1, 40, 80, 400, money=900, name="anns"),
        "bos": ordered(35, 70, 100, money=50, name="bos", owner_a=cast.bo, owner_b=None),
        "nobodys": ordered(2, 3, 500, 700, money=300, name="nobodys", owner_a=None, owner_b=None),
        "left": ordered(300, 330, 360, money=70, name="left"),
        "closed": ordered(45, 90, money=500, name="closed"),
        "returned": ordered(50, money=-20, name="returned"),
        "never": cast.customer("never"),
    }
    night(-20)
    with tenant_scope(cast.tenant):
        Customer.objects.filter(pk=found["closed"].pk).update(closed_on=TODAY - dt.timedelta(days=5))
    ordered(10, 12, money=5000, customer=found["left"])
    night()
    return found


def count(since: dt.date | None = None, as_of: dt.date = TODAY) -> dict[str, int]:
    return counting.run(Piece(as_of, since))


@pytest.mark.parametrize("who", ["ann", "bo", "lea", "eve"])
def test_counts_what_the_rows_say(cast: Cast, scope: Any, firm: dict[str, Customer], who: str) -> None:
    member = getattr(cast, who)
    by_rows = {name: figure(member) for name, figure in FIGURES.items()}
    assert count()["tallies"]
    for name, figure in FIGURES.items():
        assert figure(member) == by_rows[name], name


def test_is_asked_instead_of_the_rows(cast: Cast, scope: Any, firm: dict[str, Customer]) -> None:
    count()
    before = {name: figure(cast.eve) for name, figure in FIGURES.items()}
    SegmentationTally.objects.all().delete()
    Customer.objects.filter(pk=firm["anns"].pk).update(closed_on=TODAY)
    assert FIGURES["pareto"](cast.eve) != before["pareto"]  # by the rows: the closed one brings nothing any more
    Customer.objects.filter(pk=firm["anns"].pk).update(closed_on=None)
    count()
    Customer.objects.filter(pk=firm["anns"].pk).update(closed_on=TODAY)
    assert {name: figure(cast.eve) for name, figure in FIGURES.items()} == before


def test_goes_by_the_rows_for_another_day_and_another_core(cast: Cast, scope: Any, firm: dict[str, Customer]) -> None:
    count()
    day = TODAY - dt.timedelta(days=60)
    SegmentationTally.objects.exclude(figure="pareto").delete()
    assert figures.pareto(cast.eve, day, RULES).end == day
    other = TierPolicy(core_share=50)
    assert figures.pareto(cast.eve, TODAY, other).core_share == 50


# ── what cannot have changed ─────────────────────────────────────────────────


@pytest.fixture
def counted(scope: Any, firm: dict[str, Customer]) -> dict[str, Customer]:
    """Counted last night, of which tonight takes what stands; nothing has been written since."""
    yesterday = TODAY - dt.timedelta(days=1)
    count(as_of=yesterday)
    # The firm's orders were written at this moment, in a transaction that is still under way.
    SegmentationTally.objects.update(counted_at=dt.datetime(2100, 1, 1, tzinfo=dt.UTC))
    return firm


def test_keeps_sales_of_full_months_when_nothing_was_written(cast: Cast, counted: dict[str, Customer]) -> None:
    before = FIGURES["order values"](cast.eve)
    assert count(TODAY - dt.timedelta(days=1))["kept"] > 0
    assert FIGURES["order values"](cast.eve) == before
    assert set(SegmentationTally.objects.values_list("on", flat=True)) == {TODAY}


def test_counts_them_again_in_a_night_that_looks_at_everybody(counted: dict[str, Customer]) -> None:
    assert count()["kept"] == 0


@pytest.mark.parametrize(
    "change",
    [
        lambda cast, firm: Order.objects.filter(customer=firm["bos"]).update(updated_at=dt.datetime(2100, 1, 2, tzinfo=dt.UTC)),
        lambda cast, firm: Customer.objects.filter(pk=firm["bos"].pk).update(owner_a=cast.ann),
        lambda cast, firm: Customer.objects.filter(pk=firm["bos"].pk).update(owner_b=cast.ann),
        lambda cast, firm: Member.objects.filter(pk=cast.bo.pk).update(team=Team.objects.create(name="North")),
    ],
    ids=["order of an earlier month", "A owner", "B owner", "team"],
)  # fmt: skip
def test_counts_them_again_when_something_was_written(cast: Cast, counted: dict[str, Customer], change: Any) -> None:
    change(cast, counted)
    assert count(TODAY - dt.timedelta(days=1))["kept"] == 0


def test_keeps_them_when_only_this_month_was_written(cast: Cast, counted: dict[str, Customer]) -> None:
    this_month = Order.objects.filter(placed_on__gte=TODAY.replace(day=1))
    assert this_month.update(updated_at=dt.datetime(2100, 1, 2, tzinfo=dt.UTC))
    assert count(TODAY - dt.timedelta(days=1))["kept"] > 0
