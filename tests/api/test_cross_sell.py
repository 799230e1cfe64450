"""Cross-sell rules, and what they suggest to a customer."""

import datetime as dt
from collections.abc import Callable

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from customers.models import Customer, Order, OrderLine, Product
from segmentation.models import CrossSellRule, CrossSellRun
from tenants.context import tenant_scope
from tests.api.conftest import Caller, faults
from tests.conftest import Cast

DAY = dt.date(2026, 11, 20)


@pytest.fixture
def rules(cast: Cast) -> dict[str, CrossSellRule]:
    with tenant_scope(cast.tenant):
        CrossSellRun.objects.create(as_of=DAY, level="category", customers=120, items=9, rules=3, policy_version=1)
        grout = Product.objects.create(external_id="G-1", name="Grey grout")
        found = {
            "grout": ("Tiles", f"#{grout.pk}", 0.5, 3.0),
            "paint": ("Tiles", "Paint", 0.25, 4.0),
            "drills": ("Screws", "Drills", 0.125, 2.0),
        }
        return {
            name: CrossSellRule.objects.create(
                antecedent=antecedent, consequent=consequent, customers=80, followed=int(80 * confidence),
                support=80 * confidence / 120, confidence=confidence, lift=lift, median_days=31,
            )
            for name, (antecedent, consequent, confidence, lift) in found.items()
        }  # fmt: skip


@pytest.fixture
def builder(cast: Cast) -> Customer:
    """Bought tiles twice, and paint long ago."""
    customer = cast.customer("Brook & Sons")
    with tenant_scope(cast.tenant):
        for n, (category, day) in enumerate(
            (("Tiles", DAY - dt.timedelta(60)), ("Tiles", DAY - dt.timedelta(9)), ("Paint", dt.date(2019, 1, 7)))
        ):
            product = Product.objects.create(external_id=f"P-{n}", category=category)
            order = Order.objects.create(
                customer=customer, external_id=str(n), placed_at=f"{day}T12:00Z", placed_on=day, currency="GBP", net=1,
                digest="",
            )  # fmt: skip
            OrderLine.objects.create(order=order, position=1, product=product, quantity=2, unit_price=1, money=2)
    return customer


def test_lists_rules_with_their_evidence(api: Caller, rules: dict[str, CrossSellRule]) -> None:
    row = api.get("cross-sell-rules").json()["results"][0]
    assert row == {
        "id": str(rules["grout"].pk), "antecedent": "Tiles", "antecedent_name": "Tiles",
        "consequent": rules["grout"].consequent, "consequent_name": "Grey grout", "customers": 80, "followed": 40,
        "support": 40 / 120, "confidence": 0.5, "lift": 3.0, "median_days": 31, "as_of": "2026-11-20",
    }  # fmt: skip
    assert api.get(f"cross-sell-rules/{rules['grout'].pk}").json() == row


def test_filters_and_orders(api: Caller, rules: dict[str, CrossSellRule]) -> None:
    def listed(**query: object) -> list[str]:
        answer = api.get("cross-sell-rules", **query)
        assert answer.status_code == 200, answer.content
        ids = {str(rule.pk): name for name, rule in rules.items()}
        return [ids[row["id"]] for row in answer.json()["results"]]

    assert listed(antecedent="Tiles") == ["grout", "paint"]
    assert listed(antecedent="tiles") == []
    assert listed(consequent="Drills") == ["drills"]
    assert listed(min_confidence="0.25") == ["grout", "paint"]
    assert listed(min_lift="3", ordering="-lift") == ["paint", "grout"]
    for ordering in ("id", "confidence", "lift", "support", "followed"):
        rising = listed(ordering=ordering)
        assert sorted(rising) == sorted(rules)
        assert listed(ordering=f"-{ordering}") == rising[::-1]
        first = api.get("cross-sell-rules", ordering=ordering, limit=2).json()
        second = api.get(first["next"]).json()
        assert len({row["id"] for row in first["results"] + second["results"]}) == 3
    wrong = api.get("cross-sell-rules", min_confidence="2", min_lift="x", colour="red", ordering="customers")
    assert set(faults(wrong)) == {"?min_confidence", "?min_lift", "?colour", "?ordering"}


def test_has_no_rules_before_the_first_search(api: Caller) -> None:
    assert api.get("cross-sell-rules").json()["results"] == []
    assert api.get("cross-sell-rules/1").status_code == 404


def test_is_read_only(api: Caller, rules: dict[str, CrossSellRule]) -> None:
    assert api.post("cross-sell-rules", {"antecedent": "x"}).status_code == 405
    assert api.patch(f"cross-sell-rules/{rules['grout'].pk}", {"lift": 9}).status_code == 405


def test_suggests_what_a_customer_may_want_next_and_says_why(
    api: Caller, rules: dict[str, CrossSellRule], builder: Customer
) -> None:
    [suggestion] = api.get(f"customers/{builder.pk}/suggestions").json()["results"]
    assert suggestion == {
        "rule": api.get(f"cross-sell-rules/{rules['grout'].pk}").json(),
        "within_days": 90,
        "bought_on": "2026-09-21",
        "last_bought_on": "2026-11-11",
    }


def test_suggests_nothing_without_rules_or_purchases(api: Caller, cast: Cast, builder: Customer) -> None:
    assert api.get(f"customers/{builder.pk}/suggestions").json() == {"results": []}
    assert api.get(f"customers/{cast.customer('New').pk}/suggestions").json() == {"results": []}
    assert faults(api.get(f"customers/{builder.pk}/suggestions", limit=1)) == {"?limit": "unknown_parameter"}


def test_suggests_only_for_customers_that_the_caller_sees(
    call_as: Callable[..., Caller], cast: Cast, rules: dict[str, CrossSellRule], builder: Customer
) -> None:
    with tenant_scope(cast.tenant):
        Customer.objects.filter(pk=builder.pk).update(owner_b=None)
    assert call_as(cast.ann).get(f"customers/{builder.pk}/suggestions").status_code == 200
    assert call_as(cast.bo).get(f"customers/{builder.pk}/suggestions").status_code == 404
    assert call_as(cast.otto).get(f"customers/{builder.pk}/suggestions").status_code == 404


def test_needs_the_scope(call_as: Callable[..., Caller], cast: Cast, builder: Customer) -> None:
    narrow = call_as(cast.ian, ("customers:read",))
    for path in ("cross-sell-rules", f"customers/{builder.pk}/suggestions"):
        refused = narrow.get(path)
        assert refused.status_code == 403
        assert "cross-sell:read" in refused.json()["detail"]
        assert call_as(cast.ian, ("cross-sell:read",)).get(path).status_code == 200


def test_another_firms_rules_are_not_there(
    call_as: Callable[..., Caller], cast: Cast, rules: dict[str, CrossSellRule]
) -> None:
    theirs = call_as(cast.otto)
    assert theirs.get("cross-sell-rules").json()["results"] == []
    assert theirs.get(f"cross-sell-rules/{rules['grout'].pk}").status_code == 404


def test_a_list_takes_two_queries_beside_those_that_admit_the_caller(
    api: Caller, rules: dict[str, CrossSellRule]
) -> None:
    with CaptureQueriesContext(connection) as captured:
        assert len(api.get("cross-sell-rules").json()["results"]) == 3
    asked = [each["sql"] for each in captured if each["sql"].startswith("SELECT") and "set_config" not in each["sql"]]
    assert len([sql for sql in asked if "segmentation_crosssell" in sql or "customers_product" in sql]) == 2
    assert len(asked) <= 5
