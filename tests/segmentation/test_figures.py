"""It: the figures of pages and API, of the customers that a member sees, and the rows behind them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal

import polars as pl
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from customers.models import Customer, Interaction, Product
from segmentation import figures
from segmentation.models import CrossSellRule, CrossSellRun, SpecDrift, TierChange
from segmentation.rules.policy import TierPolicy
from tenants.policies import active_policy, complete_document, save_policy
from tenants.services import create_member
from tests.conftest import Cast
from tests.segmentation.conftest import TODAY

Ordered = Callable[..., Customer]
Bought = Callable[..., None]

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("scope")]
RULES = TierPolicy()
OCTOBER, SEPTEMBER, NOVEMBER = dt.date(2026, 10, 1), dt.date(2026, 9, 1), dt.date(2026, 11, 1)
# Days before TODAY (20 November): in the middle of a month of 2026.
NOV, OCT, SEP, AUG = 10, 36, 66, 97


def names(rows: object) -> list[str]:
    return sorted(row.name for row in rows)  # type: ignore[attr-defined]


# ── repurchase ───────────────────────────────────────────────────────────────


@pytest.fixture
def four(ordered: Ordered) -> dict[str, Customer]:
    """In September A, B and C ordered; in October of them A, and D for the first time."""
    return {
        "A": ordered(OCT, OCT + 1, SEP, name="A"),
        "B": ordered(NOV, SEP, name="B"),
        "C": ordered(SEP, AUG, name="C"),
        "D": ordered(OCT, name="D"),
    }


def test_counts_who_ordered_again(cast: Cast, four: dict[str, Customer]) -> None:
    month, quarter, year = figures.repurchase(cast.eve, TODAY)
    assert (month.before, month.start, month.end) == (SEPTEMBER, OCTOBER, NOVEMBER)
    assert (month.buyers_before, month.bought_again, month.share) == (3, 1, 1 / 3)
    # May to July, then August to October: nobody before.
    assert (quarter.period, quarter.buyers_before, quarter.share) == ("quarter", 0, None)
    assert (year.period, year.buyers_before, year.share) == ("year", 0, None)
    assert [each.covered for each in (month, quarter, year)] == [True, False, False]


def test_opens_the_rows_behind_the_rate(cast: Cast, four: dict[str, Customer]) -> None:
    month = figures.repurchase(cast.eve, TODAY)[0]
    before = figures.ordered_between(Customer.objects.visible_to(cast.eve), month.before, month.start)
    assert names(before) == ["A", "B", "C"]
    assert len(before) == month.buyers_before
    assert names(figures.ordered_between(before, month.start, month.end)) == ["A"]


def test_lists_the_months_of_a_year_oldest_first(cast: Cast, four: dict[str, Customer]) -> None:
    series = figures.repurchase_series(cast.eve, TODAY)
    assert len(series) == 12
    assert [each.start for each in series] == sorted(each.start for each in series)
    assert series[-1] == figures.repurchase(cast.eve, TODAY)[0]
    september = series[-2]
    assert (september.start, september.buyers_before, september.bought_again) == (SEPTEMBER, 1, 1)


def test_counts_only_orders(cast: Cast, ordered: Ordered) -> None:
    customer = ordered(SEP)
    ordered(OCT, money=-50, customer=customer)
    assert figures.repurchase(cast.eve, TODAY)[0].bought_again == 0
    month = figures.repurchase(cast.eve, TODAY)[0]
    assert not figures.ordered_between(Customer.objects.all(), month.start, month.end).exists()


def test_counts_those_of_whom_the_member_sees(cast: Cast, four: dict[str, Customer]) -> None:
    Customer.objects.filter(name__in=["A", "B"]).update(owner_a=None, owner_b=None)
    assert figures.repurchase(cast.ann, TODAY)[0].buyers_before == 1
    assert figures.repurchase(cast.lea, TODAY)[0].buyers_before == 3, "a lead sees those of nobody"
    stranger = create_member(email="north@acme.example", role="account_manager")
    Customer.objects.update(owner_a=stranger, owner_b=None)
    assert figures.repurchase(cast.lea, TODAY)[0].buyers_before == 0
    assert figures.repurchase(cast.ian, TODAY)[0].buyers_before == 3


# ── order values ─────────────────────────────────────────────────────────────


def test_says_the_average_order_and_its_growth(cast: Cast, ordered: Ordered) -> None:
    customer = ordered(SEP, money=100)
    ordered(OCT, OCT + 1, money=150, customer=customer)
    ordered(OCT + 2, money=-60, customer=customer)
    got = figures.order_values(cast.eve, TODAY)
    assert [(each.month, each.orders, each.net, each.average) for each in got.months] == [
        (OCTOBER, 2, Decimal(240), Decimal(120))
    ], "the history begins in the middle of September: its first full month is October"
    assert got.growth[0].change == pytest.approx(0.2)
    assert not got.growth[0].covered


def test_a_firm_without_orders_has_no_figures(cast: Cast) -> None:
    cast.customer()
    assert figures.order_values(cast.eve, TODAY).months == ()
    assert figures.seasons(cast.eve, TODAY).months == ()
    assert figures.pareto(cast.eve, TODAY, RULES).customers == 0
    assert [each.share for each in figures.repurchase(cast.eve, TODAY)] == [None] * 3
    assert figures.suggestions(cast.customer("Other"), figures.last_search()) == []


def test_reads_seasons_of_the_firm(cast: Cast, ordered: Ordered) -> None:
    """Each month one order for two full years, in November two."""
    first = dt.date(2024, 11, 3)
    days = {(TODAY - dt.date(2024 + (10 + n) // 12, (10 + n) % 12 + 1, 3)).days for n in range(24)}
    customer = ordered(*days)
    ordered(*((TODAY - dt.date(year, 11, 5)).days for year in (2024, 2025)), customer=customer)
    got = figures.seasons(cast.eve, TODAY)
    assert (got.years, got.start) == (2, first.replace(day=1))
    assert got.months[10].share == pytest.approx(2 / 13)
    assert got.months[0].share == pytest.approx(1 / 13)


# ── Pareto ───────────────────────────────────────────────────────────────────


def test_draws_the_curve_of_the_window_to_the_day(cast: Cast, ordered: Ordered) -> None:
    ordered(1, 365, money=400, name="Big")
    ordered(30, money=150, name="Small")
    ordered(366, money=9999, name="Too long ago")
    ordered(0, money=9999, name="Today does not count yet")
    returned = ordered(40, money=10, name="Returns")
    ordered(20, money=-30, customer=returned)
    ordered(10, money=5000, name="Closed", closed_on=TODAY)
    got = figures.pareto(cast.eve, TODAY, RULES)
    assert (got.customers, got.total) == (2, 950)
    assert (got.core_customers, got.core_line) == (1, 800)
    assert (got.negative_customers, got.negative_money) == (1, -20)


def test_the_core_is_that_of_the_sales_team_scheme(cast: Cast, ordered: Ordered, night: Callable[..., object]) -> None:
    for n, money in enumerate((900, 500, 500, 120, 80, 20, -40)):
        ordered(5, money=money, name=f"C{n}")
    night()
    core = figures.pareto(cast.eve, TODAY, RULES)
    rows = Customer.objects.filter(standings__by_sales_team="core")
    assert rows.count() == core.core_customers == 3
    assert min(rows.values_list("standings__monetary", flat=True)) == core.core_line


# ── migration ────────────────────────────────────────────────────────────────

START, END = dt.date(2026, 8, 1), dt.date(2026, 11, 1)


@pytest.fixture
def moved(cast: Cast, ordered: Ordered) -> dict[str, Customer]:
    """Rose after START; fell and rose again on END itself; new after START; closed between; never tiered."""
    found = {name: ordered(60, money=money, name=name) for name, money in (("rose", 10), ("fell", 20), ("new", 30))}
    found["closed"] = ordered(60, money=40, name="closed", closed_on=END)
    found["never"] = cast.customer("never")

    def change(name: str, on: dt.date, before: str, after: str) -> None:
        TierChange.objects.create(customer=found[name], on=on, before=before, after=after, facts={}, policy_version=1)

    change("rose", START, "", "silver")
    change("rose", START + dt.timedelta(1), "silver", "gold")
    change("fell", START - dt.timedelta(50), "", "gold")
    change("fell", END, "gold", "bronze")
    change("fell", END + dt.timedelta(1), "bronze", "gold")
    change("new", END - dt.timedelta(1), "", "bronze")
    change("closed", START - dt.timedelta(9), "", "gold")
    return found


CELLS = {
    ("silver", "gold"): (1, 10), ("gold", "bronze"): (1, 20), ("", "bronze"): (1, 30), ("gold", ""): (1, 40),
    ("", ""): (1, 0),
}  # fmt: skip


def cells(frame: pl.DataFrame) -> dict[tuple[str, str], tuple[int, int]]:
    return {(before, after): (customers, money // 10_000) for before, after, customers, money in frame.rows()}


def test_counts_who_moved_from_where_to_where(cast: Cast, moved: dict[str, Customer]) -> None:
    assert cells(figures.migration(cast.eve, START, END)) == CELLS
    assert cells(figures.migration(cast.eve, END, END))["bronze", "bronze"] == (2, 50)
    with pytest.raises(ValueError, match="before start"):
        figures.migration(cast.eve, END, START)


def test_every_cell_opens_its_rows(cast: Cast, moved: dict[str, Customer]) -> None:
    everybody = Customer.objects.visible_to(cast.eve)
    seen = [row.name for before, after in CELLS for row in figures.moved_between(everybody, START, END, before, after)]
    assert sorted(seen) == sorted(moved)
    assert names(figures.moved_between(everybody, START, END, "gold", "bronze")) == ["fell"]


def test_the_matrix_holds_only_whom_the_member_sees(cast: Cast, moved: dict[str, Customer]) -> None:
    Customer.objects.exclude(name="rose").update(owner_a=cast.ada, owner_b=None)
    assert cells(figures.migration(cast.ann, START, END)) == {("silver", "gold"): (1, 10)}


# ── turning points ───────────────────────────────────────────────────────────


def test_shows_where_spending_turned_and_what_was_done_before(cast: Cast, ordered: Ordered) -> None:
    def days(first: dt.date, count: int) -> list[int]:
        months = [
            dt.date(first.year + (first.month - 1 + n) // 12, (first.month - 1 + n) % 12 + 1, 9) for n in range(count)
        ]
        return [(TODAY - day).days for day in months]

    customer = ordered(*days(dt.date(2025, 3, 1), 12), money=100)
    ordered(*days(dt.date(2026, 3, 1), 8), money=400, customer=customer)
    ordered(3, money=90_000, customer=customer)  # this month is not full yet

    def talked(day: str, note: str) -> None:
        Interaction.objects.create(customer=customer, channel="phone", at=f"{day}T10:00Z", note=note)

    talked("2025-12-31", "too early")
    talked("2026-01-01", "first")
    talked("2026-02-28", "last")
    talked("2026-03-01", "too late")
    [point] = figures.inflections(customer, TODAY)
    assert (point.month, point.before, point.after, point.change) == (dt.date(2026, 3, 1), 100, 400, 3.0)
    assert [talk.note for talk in point.talks] == ["last", "first"]


def test_a_customer_without_orders_never_turned(cast: Cast) -> None:
    assert figures.inflections(cast.customer(), TODAY) == []


# ── cross-sell ───────────────────────────────────────────────────────────────


def rule(antecedent: str, consequent: str, *, confidence: float = 0.5, lift: float = 2.0) -> CrossSellRule:
    return CrossSellRule.objects.create(
        antecedent=antecedent, consequent=consequent, customers=100, followed=int(100 * confidence), support=0.1,
        confidence=confidence, lift=lift, median_days=30,
    )  # fmt: skip


@pytest.fixture
def searched(cast: Cast) -> CrossSellRun:
    return CrossSellRun.objects.create(
        as_of=TODAY, level="category", customers=100, items=9, rules=9, policy_version=active_policy().number
    )


def test_suggests_what_follows_from_what_was_bought(cast: Cast, bought: Bought, searched: CrossSellRun) -> None:
    customer = cast.customer()
    bought(customer, "wall tile", 50, 20, category="Tiles")
    bought(customer, "floor tile", 40, category="Tiles")
    found = rule("Tiles", "Grout")
    rule("Tiles", "Tiles")  # has it
    rule("Screws", "Drills")  # has no screws
    [suggestion] = figures.suggestions(customer, figures.last_search())
    assert suggestion.rule == found
    assert (suggestion.antecedent_label, suggestion.consequent_label) == ("Tiles", "Grout")
    assert suggestion.bought_on == TODAY - dt.timedelta(50)
    assert suggestion.last_bought_on == TODAY - dt.timedelta(20)
    assert suggestion.within_days == 90


@pytest.mark.parametrize(
    ("fields", "days_ago", "suggested"),
    [
        ({}, 10, True),
        ({}, 730, True),
        ({}, 735, False),  # before the window of 24 months
        ({"status": "cancelled"}, 10, False),
        ({"kind": "credit_note"}, 10, False),
        ({"quantity": -2}, 10, False),
    ],
)
def test_takes_only_purchases_of_the_window_for_the_reason(
    cast: Cast, bought: Bought, searched: CrossSellRun, fields: dict[str, object], days_ago: int, *, suggested: bool
) -> None:
    customer = cast.customer()
    bought(customer, "tile", days_ago, category="Tiles", **fields)
    found = rule("Tiles", "Grout")
    assert bool(figures.suggestions(customer, figures.last_search())) is suggested
    assert figures.candidates(found, cast.eve).exists() is suggested


def test_never_suggests_what_was_ever_bought(cast: Cast, bought: Bought, searched: CrossSellRun) -> None:
    customer = cast.customer()
    bought(customer, "tile", 10, category="Tiles")
    found = rule("Tiles", "Grout")
    assert names(figures.candidates(found, cast.eve)) == [customer.name]
    bought(customer, "grout", 1500, category="Grout")
    assert figures.suggestions(customer, figures.last_search()) == []
    assert not figures.candidates(found, cast.eve).exists()


def test_names_the_best_first_each_item_once_and_not_too_many(
    cast: Cast, bought: Bought, searched: CrossSellRun
) -> None:
    customer = cast.customer()
    for category in ("Tiles", "Screws"):
        bought(customer, category, 10, category=category)
    rule("Tiles", "A", confidence=0.9, lift=1.5)
    rule("Tiles", "B", confidence=0.2, lift=9.0)
    rule("Screws", "B", confidence=0.9, lift=1.9)  # weaker than tiles → B: 1.71 against 1.8
    rule("Tiles", "C", confidence=0.3, lift=1.6)
    rule("Tiles", "D", confidence=0.1, lift=1.6)
    assert [(each.antecedent_label, each.consequent_label) for each in figures.suggestions(customer, figures.last_search())] == [
        ("Tiles", "B"), ("Tiles", "A"), ("Tiles", "C"),
    ]  # fmt: skip
    document = complete_document(active_policy())
    document["cross_sell"]["suggestions"] = 1
    save_policy(document, pack="callback")
    assert [each.consequent_label for each in figures.suggestions(customer, figures.last_search())] == ["B"]


def test_calls_products_by_their_names(cast: Cast, bought: Bought, searched: CrossSellRun) -> None:
    customer = cast.customer()
    bought(customer, "tile", 10)
    bought(cast.customer("Other"), "grout", 10)
    tile, grout = (f"#{product.pk}" for product in Product.objects.order_by("-name"))
    rule(tile, grout)
    [suggestion] = figures.suggestions(customer, figures.last_search())
    assert (suggestion.antecedent_label, suggestion.consequent_label) == ("Tile", "Grout")
    assert figures.item_labels(["#999999", "Tiles", "#x"]) == {"#999999": "#999999", "Tiles": "Tiles", "#x": "#x"}


def test_offers_to_whom_the_member_sees_and_not_to_the_closed(
    cast: Cast, bought: Bought, searched: CrossSellRun
) -> None:
    found = rule("Tiles", "Grout")
    for name, fields in (
        ("Mine", {}),
        ("Closed", {"closed_on": TODAY}),
        ("Theirs", {"owner_a": None, "owner_b": None}),
    ):
        bought(cast.customer(name, **fields), "tile", 10, category="Tiles")
    assert names(figures.candidates(found, cast.ann)) == ["Mine"]
    assert names(figures.candidates(found, cast.eve)) == ["Mine", "Theirs"]


def test_offers_nothing_before_the_first_search(cast: Cast, bought: Bought) -> None:
    customer = cast.customer()
    bought(customer, "tile", 10, category="Tiles")
    found = rule("Tiles", "Grout")
    assert figures.suggestions(customer, figures.last_search()) == []
    assert not figures.candidates(found, cast.eve).exists()


def test_finds_whose_orders_shrink(cast: Cast) -> None:
    shrinks, steady = cast.customer("Shrinks"), cast.customer("Steady")
    SpecDrift.objects.create(customer=shrinks, ratio=0.5, products=3, since=TODAY, policy_version=1)
    assert list(figures.drifting(Customer.objects.all())) == [shrinks]
    assert steady.pk


# ── what it costs ────────────────────────────────────────────────────────────


def test_takes_few_queries_each_of_which_says_the_tenant(
    cast: Cast, four: dict[str, Customer], bought: Bought, searched: CrossSellRun
) -> None:
    for category in ("Tiles", "Screws", "Paint"):
        bought(four["A"], category, 10, category=category)
        rule(category, f"More {category}")
    asked: dict[str, tuple[Callable[[], object], int]] = {
        "repurchase": (lambda: figures.repurchase(cast.lea, TODAY), 4),
        "repurchase series": (lambda: figures.repurchase_series(cast.lea, TODAY), 4),
        "order values": (lambda: figures.order_values(cast.lea, TODAY), 4),
        "seasons": (lambda: figures.seasons(cast.lea, TODAY), 4),
        "pareto": (lambda: figures.pareto(cast.lea, TODAY, RULES), 3),
        "migration": (lambda: figures.migration(cast.lea, START, END), 4),
        "suggestions": (lambda: figures.suggestions(four["A"], figures.last_search()), 6),
        "inflections": (lambda: figures.inflections(four["A"], TODAY), 2),
    }
    for name, (figure, most) in asked.items():
        with CaptureQueriesContext(connection) as captured:
            figure()
        queries = [each["sql"] for each in captured if "set_config" not in each["sql"]]
        assert 0 < len(queries) <= most, (name, queries)
        for sql in queries:
            assert "tenant_id" in sql.partition("WHERE")[2], (name, sql)
