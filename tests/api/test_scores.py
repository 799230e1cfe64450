import datetime as dt
from collections.abc import Iterator
from decimal import Decimal

import pytest
import time_machine
from django.utils import timezone

import health.nightly
from config.tasks import look_at_arrivals
from customers import services
from customers.models import Customer
from health.models import HealthScore
from tenants.context import tenant_scope
from tenants.models import Run
from tests.api.conftest import Caller, faults
from tests.conftest import Cast

AS_OF = dt.date(2026, 11, 20)


@pytest.fixture(autouse=True)
def _today() -> Iterator[None]:
    with time_machine.travel(dt.datetime(2026, 11, 20, 10, 32, tzinfo=dt.UTC)):
        yield


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
    assert lines["satisfaction"]["unknown"] == {"code": "no_answers", "needs": None, "has": None}
    assert receipt["lift"]["action"] == "order"


def test_lists_scores_and_filters_them(api: Caller, cast: Cast, regular: Customer) -> None:
    with tenant_scope(cast.tenant):
        stored = HealthScore.objects.get()
    row = api.get("scores").json()["results"][0]
    assert row == {
        "customer": str(regular.pk), "external_ids": [], "as_of": "2026-11-20", "score": stored.score,
        "band": stored.band, "band_since": "2026-11-20", "known": 4, "week_score": None, "month_score": None,
        "rescored_at": None, "policy_version": stored.policy_version,
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


def test_says_what_moved_it_since_last_week_and_last_month(api: Caller, regular: Customer) -> None:
    body = api.get(f"scores/{regular.pk}").json()
    assert [(name, moved["since"]) for name, moved in body["moved"].items()] == [
        ("week", "2026-11-09"), ("month", "2026-10-19"),
    ]  # fmt: skip
    for moved in body["moved"].values():
        assert moved["change"] == body["score"] - moved["score"]
        assert sum(Decimal(move["change"]) for move in moved["moves"]) == moved["change"]
    last = {move["key"]: move for move in body["moved"]["month"]["moves"]}["order_frequency"]
    assert (last["by"], last["facts_count"]) == ("facts", 1)
    assert [(fact["kind"], fact["on"]) for fact in last["facts"]] == [("order", "2026-10-21")]
    assert last["after"] > last["before"]
    since = {move["key"]: move for move in body["moved"]["week"]["moves"]}["order_frequency"]
    assert (since["by"], since["facts"]) == ("time", [])
    assert body["replay"] is None


def test_draws_the_score_of_another_day(api: Caller, cast: Cast, regular: Customer) -> None:
    now, then = api.get(f"scores/{regular.pk}").json(), api.get(f"scores/{regular.pk}", as_of="2026-10-22").json()
    assert (then["as_of"], then["receipt"]["as_of"]) == ("2026-10-22", "2026-10-22")
    assert then["score"] == then["receipt"]["score"] > now["score"]
    assert then["replay"] == {"had_night": False, "kept": None, "differs": False, "changed_since": {}}
    assert then["moved"]["week"]["since"] == "2026-10-12"
    assert then["week_score"] == then["moved"]["week"]["score"]
    of_the_night = api.get(f"scores/{regular.pk}", as_of="2026-11-20").json()
    assert of_the_night["receipt"] == now["receipt"]
    kept = {"on": "2026-11-20", "score": now["score"], "band": now["band"]}
    assert of_the_night["replay"] == {"had_night": True, "kept": kept, "differs": False, "changed_since": {}}


def test_draws_a_day_of_who_has_no_score_now(api: Caller, cast: Cast, regular: Customer) -> None:
    with tenant_scope(cast.tenant):
        Customer.objects.filter(pk=regular.pk).update(closed_on="2026-11-01")
        health.nightly.run(AS_OF)
    assert api.get(f"scores/{regular.pk}").status_code == 404
    before, after = (api.get(f"scores/{regular.pk}", as_of=day).json() for day in ("2026-10-22", "2026-11-10"))
    assert before["score"] is not None
    assert (after["score"], after["band"], after["receipt"], after["moved"]) == (None, "none", None, None)


def test_refuses_days_that_are_none(api: Caller, cast: Cast, regular: Customer) -> None:
    far = (cast.tenant.today() + dt.timedelta(days=2)).isoformat()
    tomorrow = (cast.tenant.today() + dt.timedelta(days=1)).isoformat()
    assert api.get(f"scores/{regular.pk}", as_of=tomorrow).status_code == 200
    assert faults(api.get(f"scores/{regular.pk}", as_of=far)) == {"?as_of": "in_the_future"}
    assert faults(api.get(f"scores/{regular.pk}", as_of="2026-02-30")) == {"?as_of": "invalid"}
    assert faults(api.get(f"scores/{regular.pk}", as_of="0001-01-01")) == {"?as_of": "invalid"}
    assert api.get(f"scores/{regular.pk}", as_of="1900-01-01").json()["band"] == "none"
    assert faults(api.get(f"scores/{regular.pk}", day="2026-11-20")) == {"?day": "unknown_parameter"}
    assert faults(api.get(f"scores/{regular.pk}/history", since="x", until="2026-11-20")) == {"?since": "invalid"}


def test_gives_the_history_between_two_days(api: Caller, cast: Cast, regular: Customer) -> None:
    with tenant_scope(cast.tenant):
        for days in (10, 30, 50):
            health.nightly.run(AS_OF + dt.timedelta(days=days))
    rows = api.get(f"scores/{regular.pk}/history").json()["results"]
    assert [row["on"] for row in rows] == sorted(row["on"] for row in rows)
    assert (rows[0]["on"], len(rows)) == ("2026-11-20", 4)
    part = api.get(f"scores/{regular.pk}/history", since=rows[1]["on"], until=rows[2]["on"]).json()["results"]
    assert part == rows[1:3]
    assert api.get(f"scores/{10**9}/history").status_code == 404
    assert api.get("scores/x/history").status_code == 404


def test_shows_other_days_and_the_history_to_who_sees_the_customer(call_as, cast: Cast, regular: Customer) -> None:
    with tenant_scope(cast.tenant):
        Customer.objects.filter(pk=regular.pk).update(owner_b=None)
    for path in (f"scores/{regular.pk}?as_of=2026-11-01", f"scores/{regular.pk}/history"):
        assert call_as(cast.ann).get(path).status_code == 200
        assert call_as(cast.bo).get(path).status_code == 404
        assert call_as(cast.otto).get(path).status_code == 404
        assert call_as(cast.ada, ("customers:read",)).get(path).status_code == 403


def test_says_when_a_fact_has_moved_it_since_the_night(api: Caller, cast: Cast, regular: Customer) -> None:
    before = api.get(f"scores/{regular.pk}").json()
    with tenant_scope(cast.tenant):
        services.log_interaction(customer=regular, channel="phone", answered=True)
    look_at_arrivals()
    after = api.get(f"scores/{regular.pk}").json()
    assert after["rescored_at"].startswith("2026-11-20T10:32")
    assert (before["as_of"], after["as_of"], after["receipt"]["as_of"]) == ("2026-11-20", "2026-11-21", "2026-11-21")
    assert after["known"] == before["known"] + 1
    assert api.get("scores").json()["results"][0]["as_of"] == "2026-11-21"
