"""The sales figures: each over the customers that the caller sees."""

import datetime as dt
from collections.abc import Callable
from decimal import Decimal

import pytest
from django.utils import timezone

from customers.activity import refresh_activity
from customers.models import Customer, Order
from segmentation.models import TierChange
from tenants.context import tenant_scope
from tenants.models import Run
from tests.api.conftest import Caller, faults
from tests.conftest import Cast

FIGURES = ("repurchase", "order-values", "pareto", "seasons")


@pytest.fixture(autouse=True)
def _november(time_machine) -> None:
    time_machine.move_to(dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC), tick=False)


@pytest.fixture
def sold(cast: Cast) -> dict[str, Customer]:
    """Ann's customer ordered for 100.50 in September and 200 in October; the firm's other one in September."""
    found = {"hers": cast.customer("Hers"), "other": cast.customer("Other", owner_a=None, owner_b=None)}
    with tenant_scope(cast.tenant):
        Run.objects.create(job="nightly", for_date="2026-11-20", status="done", finished_at=timezone.now())
        for name, day, net in (
            ("hers", "2026-09-02", "100.5"), ("hers", "2026-10-08", "200"), ("other", "2026-09-15", "50"),
        ):  # fmt: skip
            Order.objects.create(
                customer=found[name], external_id=f"{name} {day}", placed_at=f"{day}T12:00Z", placed_on=day,
                currency="GBP", net=Decimal(net), digest="",
            )  # fmt: skip
            refresh_activity([(found[name].pk, dt.date.fromisoformat(day).replace(day=1))])
        for on, before, after in (("2026-09-30", "", "silver"), ("2026-10-20", "silver", "gold")):
            TierChange.objects.create(customer=found["hers"], on=on, before=before, after=after, policy_version=1)
    return found


def test_says_who_ordered_again(api: Caller, sold: dict[str, Customer]) -> None:
    figure = api.get("figures/repurchase").json()
    assert (figure["as_of"], figure["currency"]) == ("2026-11-20", "GBP")
    assert figure["periods"][0] == {
        "period": "month", "before": "2026-09-01", "start": "2026-10-01", "end": "2026-11-01", "buyers_before": 2,
        "bought_again": 1, "share": 0.5, "covered": True,
    }  # fmt: skip
    assert [each["period"] for each in figure["periods"]] == ["month", "quarter", "year"]
    assert figure["periods"][2]["share"] is None
    assert figure["periods"][2]["covered"] is False
    assert len(figure["months"]) == 12


def test_says_the_average_order(api: Caller, sold: dict[str, Customer]) -> None:
    figure = api.get("figures/order-values").json()
    assert figure["months"] == [
        {"month": "2026-09-01", "orders": 2, "net": "150.50", "average": "75.25"},
        {"month": "2026-10-01", "orders": 1, "net": "200.00", "average": "200.00"},
    ]
    growth = figure["growth"][0]
    assert (growth["average_before"], growth["average"]) == ("75.25", "200.00")
    assert growth["change"] == pytest.approx(200 / 75.25 - 1)


def test_says_who_brings_the_money(api: Caller, sold: dict[str, Customer]) -> None:
    figure = api.get("figures/pareto").json()
    assert figure["points"] == [{"customers": 1, "share": 300.5 / 350.5}, {"customers": 2, "share": 1.0}]
    assert (figure["core_customers"], figure["core_line"], figure["total"]) == (1, "300.50", "350.50")


def test_says_that_a_season_needs_two_years(api: Caller, sold: dict[str, Customer]) -> None:
    figure = api.get("figures/seasons").json()
    assert (figure["years"], figure["history_months"], figure["months"]) == (0, 2, [])


def test_says_who_moved(api: Caller, sold: dict[str, Customer]) -> None:
    figure = api.get("figures/migration", start="2026-10-01", end="2026-11-01").json()
    assert figure["cells"] == [
        {"before": "", "after": "", "customers": 1, "money": "50.00"},
        {"before": "silver", "after": "gold", "customers": 1, "money": "300.50"},
    ]


def test_counts_only_customers_that_the_caller_sees(
    call_as: Callable[..., Caller], cast: Cast, sold: dict[str, Customer]
) -> None:
    assert call_as(cast.ann).get("figures/repurchase").json()["periods"][0]["buyers_before"] == 1
    assert call_as(cast.lea).get("figures/repurchase").json()["periods"][0]["buyers_before"] == 2
    assert call_as(cast.otto).get("figures/repurchase").json()["periods"][0]["buyers_before"] == 0
    cells = call_as(cast.ann).get("figures/migration", start="2026-10-01", end="2026-11-01").json()["cells"]
    assert [cell["customers"] for cell in cells] == [1]


@pytest.mark.parametrize("name", FIGURES)
def test_reckons_as_of_a_day_of_the_past(api: Caller, sold: dict[str, Customer], name: str) -> None:
    early = api.get(f"figures/{name}", as_of="2026-10-01").json()
    assert early["as_of"] == "2026-10-01"
    assert early != api.get(f"figures/{name}").json()


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize(
    ("query", "fault"),
    [
        ("as_of=yesterday", {"?as_of": "invalid"}),
        ("as_of=", {"?as_of": "invalid"}),
        ("as_of=2026-02-30", {"?as_of": "invalid"}),
        ("as_of=2026-11-21", {"?as_of": "in_the_future"}),
        ("as_of=2026-10-01&as_of=2026-10-02", {"?as_of": "repeated"}),
        ("until=2026-10-01", {"?until": "unknown_parameter"}),
    ],
)
def test_refuses_what_is_no_day(api: Caller, name: str, query: str, fault: dict[str, str]) -> None:
    assert faults(api.get(f"figures/{name}?{query}")) == fault


def test_says_everything_that_is_wrong_with_two_days(api: Caller) -> None:
    assert faults(api.get("figures/migration")) == {"?start": "required", "?end": "required"}
    assert faults(api.get("figures/migration?start=x&end=2027-01-01")) == {"?start": "invalid", "?end": "in_the_future"}
    assert faults(api.get("figures/migration?start=2026-10-02&end=2026-10-01")) == {"?end": "before_start"}
    assert faults(api.get("figures/migration?start=2026-10-02&end=2026-10-02&as_of=2026-10-02")) == {
        "?as_of": "unknown_parameter"
    }


@pytest.mark.parametrize("name", [*FIGURES, "migration"])
def test_needs_the_scope_and_only_reads(call_as: Callable[..., Caller], cast: Cast, name: str) -> None:
    refused = call_as(cast.ian, ("tiers:read",)).get(f"figures/{name}")
    assert refused.status_code == 403
    assert "values:read" in refused.json()["detail"]
    days = {"start": "2026-10-01", "end": "2026-11-01"} if name == "migration" else {}
    assert call_as(cast.ian, ("values:read",)).get(f"figures/{name}", **days).status_code == 200
    assert call_as(cast.ian).post(f"figures/{name}").status_code == 405
