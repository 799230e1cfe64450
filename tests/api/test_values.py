"""It: what customers are worth over the API, with every number that it consists of."""

import datetime as dt
from decimal import Decimal

import pytest

from customers.models import Customer
from segmentation.models import LifetimeFit, Worth
from segmentation.valuing import explain
from tenants.context import tenant_scope
from tests.api.conftest import Caller, faults
from tests.conftest import Cast

DAY = dt.date(2026, 11, 20)


@pytest.fixture
def fit(cast: Cast) -> LifetimeFit:
    with tenant_scope(cast.tenant):
        return LifetimeFit.objects.create(
            as_of=dt.date(2026, 11, 1), customers=5881, repeaters=4189, r=0.66, alpha=9.0, a=0.11, b=2.4,
            log_likelihood=-86059.3, p=1.9, q=3.8, v=560.0, converged=True, policy_version=1,
            inputs={"retention": {"gold": {"customers": 305, "again": 298}, "": {"customers": 4250, "again": 2683}}},
        )  # fmt: skip


@pytest.fixture
def worth(cast: Cast, fit: LifetimeFit) -> Worth:
    """Of a gold customer: as the night would have written it."""
    customer = cast.customer("Brook & Sons")
    with tenant_scope(cast.tenant):
        customer.external_ids.create(source="erp", value="K-17")
        row = Worth(
            customer=customer, valued_on=DAY, fit=fit, tier="gold", repeats=6, first_order_on=DAY - dt.timedelta(400),
            last_order_on=DAY - dt.timedelta(30), mean_order=Decimal("210.5"), net=Decimal("1480"),
            window_net=Decimal("1263.25"), more_than=87.5, days_late=-2.0, referred_net=Decimal("90"),
            evidence=[[71, "referral", 20], [None, "referred_money", 3]], indirect=23, strategic=0, policy_version=1,
        )  # fmt: skip
        told = explain(row)
        row.clv, row.clv_simple, row.score = told.discounted.clv, told.simple.clv, told.scorecard.score
        row.direct, row.alive = told.scorecard.parts[0].score, told.discounted.alive
        row.expected_orders, row.expected_order_money = (
            float(told.discounted.years[0].orders),
            told.discounted.order_money,
        )
        row.save()
    return row


def test_lists_what_customers_are_worth(api: Caller, worth: Worth) -> None:
    [row] = api.get("values").json()["results"]
    assert row == {
        "customer": str(worth.customer_id), "external_ids": [{"source": "erp", "external_id": "K-17"}],
        "valued_on": "2026-11-20", "tier": "gold", "clv": row["clv"], "clv_simple": row["clv_simple"],
        "expected_orders": worth.expected_orders, "expected_order_money": row["expected_order_money"],
        "alive": worth.alive, "score": worth.score, "direct": 92, "indirect": 23, "strategic": 0, "currency": "GBP",
        "policy_version": 1,
    }  # fmt: skip
    assert Decimal(row["clv"]) == worth.clv
    assert worth.clv > 0


def test_shows_one_with_the_numbers_that_make_it(api: Caller, worth: Worth) -> None:
    told = api.get(f"values/{worth.customer_id}").json()
    discounted, simple, card = told["discounted"], told["simple"], told["scorecard"]
    assert (
        sum(Decimal(year["money"]) for year in discounted["years"])
        == Decimal(told["clv"])
        == Decimal(discounted["clv"])
    )
    assert len(discounted["years"]) == 5
    year = discounted["years"][0]
    product = Decimal(year["orders"]) * Decimal(discounted["order_money"]) * Decimal(year["factor"])
    assert Decimal(year["money"]) == pytest.approx(product, abs=Decimal("0.0001"))
    assert (discounted["weeks_known"], discounted["mean_order"], discounted["why"]) == ("57", "210.50", "")

    assert simple["retention"] == {"tier": "gold", "customers": 305, "again": 298}
    assert (simple["share"], simple["lifetime"], simple["capped"]) == ("0.977", "5", True)
    assert Decimal(simple["yearly"]) * Decimal("0.977") * 5 == pytest.approx(
        Decimal(told["clv_simple"]), abs=Decimal("0.0001")
    )

    assert [part["key"] for part in card["parts"]] == ["direct", "indirect", "strategic"]
    total = sum(Decimal(part["contribution"]) for part in card["parts"])
    assert total + Decimal(card["rounding"]) == card["score"] == told["score"]
    assert [(line["key"], line["points"], line["evidence"]) for line in card["parts"][1]["lines"]] == [
        ("referral", 20, "71"), ("referred_money", 3, None),
    ]  # fmt: skip
    assert (told["fit"]["r"], told["fit"]["converged"], told["fit"]["why"]) == (0.66, True, "")


def test_says_why_there_is_no_value(api: Caller, cast: Cast) -> None:
    customer = cast.customer("New here")
    with tenant_scope(cast.tenant):
        none = LifetimeFit.objects.create(
            as_of=DAY, customers=1, repeaters=0, converged=False, reason="one_customer", policy_version=1
        )
        Worth.objects.create(
            customer=customer, valued_on=DAY, fit=none, repeats=0, first_order_on=DAY, policy_version=1
        )
    told = api.get(f"values/{customer.pk}").json()
    assert (told["clv"], told["clv_simple"], told["score"]) == (None, None, None)
    assert (told["discounted"]["why"], told["simple"]["why"]) == ("no_fit", "no_money")
    assert (told["fit"]["reason"], told["fit"]["why"]) == ("one_customer", "Only one customer has ordered.")
    assert told["discounted"]["years"] == []


def test_filters_by_tier_and_value(api: Caller, cast: Cast, fit: LifetimeFit) -> None:
    with tenant_scope(cast.tenant):
        for n, tier in enumerate(("gold", "silver", "silver", "bronze")):
            Worth.objects.create(
                customer=Customer.objects.create(name=f"C{n}"), valued_on=DAY, fit=fit, repeats=0, tier=tier,
                clv=Decimal(100 * n), policy_version=1,
            )  # fmt: skip

    def values(**query: object) -> list[str]:
        answer = api.get("values", **query)
        assert answer.status_code == 200, answer.content
        return [row["clv"] for row in answer.json()["results"]]

    assert values(tier=["gold", "silver"]) == ["0.00", "100.00", "200.00"]
    assert values(clv_min="100", clv_max="200") == ["100.00", "200.00"]
    assert values(clv_min="250.5") == ["300.00"]
    assert faults(api.get("values", tier="platinum")) == {"?tier": "invalid_choice"}
    assert faults(api.get("values", clv_min="much")) == {"?clv_min": "invalid"}


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 8])
@pytest.mark.parametrize("ordering", ["clv", "-clv"])
def test_walks_by_value_with_those_who_have_none_last(
    api: Caller, cast: Cast, fit: LifetimeFit, ordering: str, limit: int
) -> None:
    worths = [None, 300, 100, None, 100, 0, None]
    with tenant_scope(cast.tenant):
        for n, clv in enumerate(worths):
            Worth.objects.create(
                customer=Customer.objects.create(name=f"C{n}"), valued_on=DAY, fit=fit, repeats=0,
                clv=None if clv is None else Decimal(clv), policy_version=1,
            )  # fmt: skip
    pages, address = [], None
    while address or not pages:
        pages.append(api.get(address).json() if address else api.get("values", ordering=ordering, limit=limit).json())
        address = pages[-1]["next"]
    seen = [row["clv"] for page in pages for row in page["results"]]
    valued = sorted([each for each in worths if each is not None], reverse=ordering == "-clv")
    assert seen == [f"{each}.00" for each in valued] + [None] * 3
    assert len({row["customer"] for page in pages for row in page["results"]}) == len(worths)
    # And back again, page by page.
    back = [pages[-1]]
    while back[-1]["previous"]:
        back.append(api.get(back[-1]["previous"]).json())
    assert [row["customer"] for page in reversed(back) for row in page["results"]] == [
        row["customer"] for page in pages for row in page["results"]
    ]


def test_is_as_visible_as_the_customer(call_as, cast: Cast, worth: Worth) -> None:
    with tenant_scope(cast.tenant):
        Customer.objects.filter(pk=worth.customer_id).update(owner_b=None)
    assert call_as(cast.ann).get(f"values/{worth.customer_id}").status_code == 200
    assert call_as(cast.bo).get(f"values/{worth.customer_id}").status_code == 404
    assert call_as(cast.bo).get("values").json()["results"] == []
    assert call_as(cast.otto).get(f"values/{worth.customer_id}").status_code == 404
    assert call_as(cast.ann, ("tiers:read",)).get("values").status_code == 403


def test_has_none_before_the_first_night(api: Caller, cast: Cast) -> None:
    assert api.get(f"values/{cast.customer().pk}").status_code == 404
