"""It: the night's step of cross-sell, from orders to rules and shrinking orders."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import pytest

from customers.models import Customer
from followups.models import FollowUp
from health import nightly as health
from risk import nightly as risk
from risk.models import Alert
from segmentation import cross_selling
from segmentation.models import CrossSellRule, CrossSellRun, SpecDrift
from tenants.models import Event
from tenants.policies import active_policy, complete_document, save_policy
from tests.conftest import Cast
from tests.segmentation.conftest import TODAY

Bought = Callable[..., None]

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("scope")]


def set_policy(**settings: object) -> None:
    document = complete_document(active_policy())
    document["cross_sell"] |= settings
    save_policy(document, pack="callback")


@pytest.fixture
def tiles(cast: Cast, bought: Bought) -> list[Customer]:
    """Thirty firms bought tiles; the first twelve then grout after 20 days. Sixty others bought screws."""
    set_policy(minimum_followed=5)
    customers = [cast.customer(f"C{n}") for n in range(90)]
    for n, customer in enumerate(customers):
        bought(customer, "tile" if n < 30 else "screw", 200, category="Tiles" if n < 30 else "Screws")
        if n < 12:
            bought(customer, "grout", 180, category="Grout")
    return customers


def rules() -> list[tuple[str, str, int, int, int]]:
    return list(CrossSellRule.objects.values_list("antecedent", "consequent", "customers", "followed", "median_days"))


def test_finds_rules_between_categories(tiles: list[Customer]) -> None:
    counts = cross_selling.run(TODAY)
    assert rules() == [("Tiles", "Grout", 30, 12, 20)]
    assert counts == {"rules": 1, "drifting": 0}
    run = CrossSellRun.objects.get()
    assert (run.as_of, run.level, run.customers, run.items, run.rules, run.reason) == (
        TODAY, "category", 90, 3, 1, "",
    )  # fmt: skip
    assert run.policy_version == active_policy().number


def test_finds_rules_between_products_where_the_policy_says_so(tiles: list[Customer], bought: Bought) -> None:
    set_policy(level="product")
    cross_selling.run(TODAY)
    [(antecedent, consequent, customers, followed, _days)] = rules()
    assert antecedent.startswith("#")
    assert consequent.startswith("#")
    assert (customers, followed) == (30, 12)


def test_a_product_without_a_category_is_an_item_of_its_own(cast: Cast, bought: Bought) -> None:
    set_policy(minimum_followed=5)
    for n in range(60):
        customer = cast.customer(f"C{n}")
        bought(customer, "plain" if n < 20 else "screw", 200, category="" if n < 20 else "Screws")
        if n < 10:
            bought(customer, "grout", 180, category="Grout")
    cross_selling.run(TODAY)
    [(antecedent, consequent, *_counts)] = rules()
    assert antecedent.startswith("#")
    assert consequent == "Grout"


def test_counts_no_cancelled_orders_credit_notes_or_lines_that_take_back(cast: Cast, bought: Bought) -> None:
    customer = cast.customer()
    bought(customer, "tile", 200, kind="credit_note")
    bought(customer, "tile", 199, status="cancelled")
    bought(customer, "tile", 198, quantity=-1)
    cross_selling.run(TODAY)
    assert CrossSellRun.objects.get().reason == "no_orders"
    bought(customer, "tile", 197)
    cross_selling.run(TODAY)
    assert CrossSellRun.objects.get().customers == 1


def test_searches_once_a_month(tiles: list[Customer], bought: Bought) -> None:
    cross_selling.run(TODAY)
    for customer in tiles[12:20]:
        bought(customer, "grout", 170, category="Grout")
    assert cross_selling.run(TODAY + dt.timedelta(1))["rules"] == 0
    assert CrossSellRun.objects.count() == 1
    assert cross_selling.run(TODAY + dt.timedelta(11))["rules"] == 1  # 1 December
    assert rules() == [("Tiles", "Grout", 30, 20, 20)]
    assert CrossSellRun.objects.count() == 2


def test_searches_again_when_the_policy_says_something_else(tiles: list[Customer]) -> None:
    cross_selling.run(TODAY)
    set_policy(minimum_followed=13)
    assert cross_selling.run(TODAY + dt.timedelta(1)) == {"rules": 1, "drifting": 0}
    assert rules() == []
    assert CrossSellRun.objects.order_by("-as_of")[0].reason == "no_rules"
    document = complete_document(active_policy())
    document["tiers"]["grace_days"] = 7
    save_policy(document, pack="callback")
    cross_selling.run(TODAY + dt.timedelta(2))
    assert CrossSellRun.objects.count() == 2, "another section is no reason"


def test_searches_every_night_while_there_is_too_little(cast: Cast, bought: Bought) -> None:
    """A firm that delivers its orders on the second day does not wait for the month to end."""
    cross_selling.run(TODAY)
    assert CrossSellRun.objects.get().reason == "no_orders"
    bought(cast.customer(), "tile", 10)
    cross_selling.run(TODAY + dt.timedelta(1))
    assert [run.reason for run in CrossSellRun.objects.order_by("as_of")] == ["no_orders", "short_history"]


def test_searches_again_when_the_buyers_have_become_many_more(
    tiles: list[Customer], cast: Cast, bought: Bought, night: Callable[..., object]
) -> None:
    cross_selling.run(TODAY)
    for n in range(40):
        bought(cast.customer(f"New {n}"), "tile", 200, category="Tiles")
    night()
    cross_selling.run(TODAY + dt.timedelta(1))
    cross_selling.run(TODAY + dt.timedelta(2))
    assert [run.customers for run in CrossSellRun.objects.order_by("as_of")] == [90, 130]


def test_run_again_changes_nothing(tiles: list[Customer], bought: Bought) -> None:
    for article in "abc":
        bought(tiles[0], article, 300, quantity=10)
        bought(tiles[0], article, 30, quantity=4)
    first = cross_selling.run(TODAY)
    kept = (rules(), list(SpecDrift.objects.values_list()), list(CrossSellRun.objects.values_list()))
    assert first["drifting"] == 1
    assert cross_selling.run(TODAY) == {"rules": 0, "drifting": 0}
    assert (rules(), list(SpecDrift.objects.values_list()), list(CrossSellRun.objects.values_list())) == kept


def shrink(customer: Customer, bought: Bought) -> None:
    for article in "abc":
        bought(customer, article, 300, 250, quantity=10)
        bought(customer, article, 60, 30, quantity=4)


def test_opens_one_alert_and_one_follow_up_while_orders_shrink(cast: Cast, bought: Bought) -> None:
    customer, steady = cast.customer("Shrinks"), cast.customer("Steady")
    shrink(customer, bought)
    for article in "abc":
        bought(steady, article, 300, 30, quantity=10)
    for later in range(3):
        day = TODAY + dt.timedelta(later)
        cross_selling.run(day)
        health.run(day)
        risk.run(day)
    row = SpecDrift.objects.get()
    assert (row.customer_id, row.ratio, row.products, row.since) == (customer.pk, 0.4, 3, TODAY)
    alert = Alert.objects.get(signal="spec_drift")
    assert (alert.customer, alert.risk_class, alert.level, alert.period) == (
        customer, "demand", "mild", TODAY.isoformat(),
    )  # fmt: skip
    assert alert.facts == {"since": TODAY.isoformat(), "ratio": 0.4, "products": 3}
    follow_up = FollowUp.objects.get(rule="signal:spec_drift")
    assert (follow_up.customer, follow_up.status) == (customer, "open")


def test_closes_the_alert_when_orders_have_recovered(cast: Cast, bought: Bought) -> None:
    customer = cast.customer()
    shrink(customer, bought)
    cross_selling.run(TODAY)
    health.run(TODAY)
    risk.run(TODAY)
    for article in "abc":
        bought(customer, article, 3, 2, 1, quantity=12)
    tomorrow = TODAY + dt.timedelta(1)
    cross_selling.run(tomorrow)
    health.run(tomorrow)
    risk.run(tomorrow)
    assert not SpecDrift.objects.exists()
    alert = Alert.objects.get(signal="spec_drift")
    assert (alert.closed_on, alert.outcome) == (tomorrow, "passed")
    assert FollowUp.objects.get(rule="signal:spec_drift").status == "cancelled"


def test_forgets_a_customer_who_is_closed(cast: Cast, bought: Bought) -> None:
    customer = cast.customer()
    shrink(customer, bought)
    cross_selling.run(TODAY)
    Customer.objects.filter(pk=customer.pk).update(closed_on=TODAY)
    assert cross_selling.run(TODAY)["drifting"] == 1
    assert not SpecDrift.objects.exists()


def test_reads_only_orders_with_lines_above_nothing(cast: Cast, bought: Bought) -> None:
    customer = cast.customer()
    for article in "abc":
        bought(customer, article, 300, quantity=10)
        bought(customer, article, 30, quantity=4, status="cancelled")
        bought(customer, article, 29, quantity=-4)
    cross_selling.run(TODAY)
    assert not SpecDrift.objects.exists()


def test_is_no_news(tiles: list[Customer]) -> None:
    before = Event.objects.count()
    cross_selling.run(TODAY)
    assert Event.objects.count() == before
