import datetime as dt
from decimal import Decimal

import pytest
from django.utils import timezone

import health.nightly
from customers import services
from customers.models import Customer
from health.models import HealthScore
from tenants.context import tenant_scope
from tenants.models import Run
from tests.api.conftest import Caller, faults
from tests.conftest import Cast

AS_OF = dt.date(2026, 11, 20)


@pytest.fixture
def regular(cast: Cast) -> Customer:
    """A customer who has ordered every two weeks for two years, until a month before the night."""
    customer = cast.customer("Brook & Sons")
    with tenant_scope(cast.tenant):
        for n in range(50):
            day = AS_OF - dt.timedelta(days=30 + 14 * n)
            article = services.Article(source="erp", external_id=str(n % 4), category=f"category {n % 4}")
            services.create_order(
                external_id=str(n),
                customer=customer,
                placed_at=cast.tenant.start_of(day),
                lines=[services.Line(product=article, quantity=Decimal(1), unit_price=Decimal(100))],
            )
        health.nightly.run(AS_OF)
        Run.objects.create(job="nightly", for_date=AS_OF, status="done", finished_at=timezone.now())
    return customer


def test_gives_the_score_of_the_night_with_a_receipt_that_adds_up(api: Caller, cast: Cast, regular: Customer) -> None:
    found = api.get(f"scores/{regular.pk}")
    assert found.status_code == 200, found.content
    body = found.json()
    with tenant_scope(cast.tenant):
        stored = HealthScore.objects.get()
    assert (body["score"], body["band"], body["known"], body["as_of"]) == (stored.score, stored.band, 4, "2026-11-20")
    receipt = body["receipt"]
    assert (receipt["score"], receipt["currency"]) == (body["score"], "GBP")
    parts = [Decimal(line["contribution"]) for line in receipt["lines"] if line["contribution"] is not None]
    assert sum(parts) + Decimal(receipt["rounding"]) == body["score"]
    lines = {line["key"]: line for line in receipt["lines"]}
    assert len(lines) == 12
    assert lines["order_frequency"]["inputs"] == {
        "last_order_on": "2026-10-21", "days": 30, "median_gap": 14.0, "order_days_count": 50,
    }  # fmt: skip
    assert lines["spend_trend"]["inputs"]["recent"] == "500.00"
    assert lines["satisfaction"]["unknown"] == {"code": "not_recorded", "needs": None, "has": None}
    assert receipt["lift"]["action"] == "order"


def test_lists_scores_and_filters_them(api: Caller, cast: Cast, regular: Customer) -> None:
    with tenant_scope(cast.tenant):
        stored = HealthScore.objects.get()
    row = api.get("scores").json()["results"][0]
    assert row == {
        "customer": str(regular.pk), "external_ids": [], "as_of": "2026-11-20", "score": stored.score,
        "band": stored.band, "known": 4, "policy_version": stored.policy_version,
    }  # fmt: skip
    assert len(api.get("scores", band=stored.band).json()["results"]) == 1
    assert len(api.get("scores", score_below=stored.score + 1).json()["results"]) == 1
    assert api.get("scores", score_below=stored.score).json()["results"] == []
    assert faults(api.get("scores", band="blue", score_below="x")) == {
        "?band": "invalid_choice",
        "?score_below": "invalid",
    }


def test_says_when_too_little_is_known(api: Caller, cast: Cast) -> None:
    customer = cast.customer()
    with tenant_scope(cast.tenant):
        health.nightly.run(AS_OF)
    body = api.get(f"scores/{customer.pk}").json()
    assert (body["score"], body["band"]) == (None, "none")
    assert body["receipt"]["lift"] is None


def test_is_as_visible_as_the_customer(call_as, cast: Cast, regular: Customer) -> None:
    with tenant_scope(cast.tenant):
        Customer.objects.filter(pk=regular.pk).update(owner_b=None)
    assert call_as(cast.ann).get(f"scores/{regular.pk}").status_code == 200
    assert call_as(cast.bo).get(f"scores/{regular.pk}").status_code == 404
