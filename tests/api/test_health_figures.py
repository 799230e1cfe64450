"""The health figures and the data quality: each over the customers that the caller sees."""

import datetime as dt

import pytest

from customers.models import Customer
from tenants.context import tenant_scope
from tests.api.conftest import Caller, faults
from tests.conftest import Cast
from tests.health.scored import counted, history_of, night_of, score_of

FRIDAY = dt.date(2026, 11, 20)
FIGURES = ("health/distribution", "health/trend", "health/movers", "health/owners", "data-quality")


@pytest.fixture(autouse=True)
def _november(time_machine) -> None:
    time_machine.move_to(dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC), tick=False)


@pytest.fixture
def firm(cast: Cast) -> dict[str, Customer]:
    """Ann's customer fell to red, nobody's rose to green."""
    found = {"fell": cast.customer("Fell"), "rose": cast.customer("Rose", owner_a=None, owner_b=None)}
    with tenant_scope(cast.tenant):
        night_of(FRIDAY)
        score_of(found["fell"], 30, week_score=75, net=400, csat_count=1, csat_sum=3, order_days_count=5)
        score_of(found["rose"], 90, week_score=85, net=100)
        history_of(found["fell"], (dt.date(2026, 11, 2), 75), (FRIDAY, 30))
        history_of(found["rose"], (dt.date(2026, 11, 2), 85))
        counted(FRIDAY, cast.ann, "red", 1, net=400)
        counted(FRIDAY, None, "green", 1, net=100)
    return found


def test_says_how_many_have_which_colour(api: Caller, firm: dict[str, Customer]) -> None:
    figure = api.get("health/distribution").json()
    assert (figure["as_of"], figure["currency"], figure["rescored"]) == ("2026-11-20", "GBP", 0)
    assert [(each["band"], each["customers"], each["money"]) for each in figure["bands"]] == [
        ("green", 1, "100.00"), ("yellow", 0, "0.00"), ("red", 1, "400.00"), ("none", 0, "0.00"),
    ]  # fmt: skip
    assert figure["bands"][2]["money_share"] == pytest.approx(0.8)


def test_says_how_the_weeks_went(api: Caller, firm: dict[str, Customer]) -> None:
    (week,) = api.get("health/trend", weeks=4).json()["weeks"]
    assert week["on"] == "2026-11-20"
    assert week["bands"][2] == {"band": "red", "customers": 1, "money": "400.00"}
    for wrong in ("0", "261", "many", "99999"):
        assert faults(api.get("health/trend", weeks=wrong)) == {"?weeks": "out_of_range"}


def test_says_who_moved(api: Caller, firm: dict[str, Customer]) -> None:
    figure = api.get("health/movers").json()
    assert (figure["since"], figure["start"], figure["risen"], figure["fallen"], figure["dropped"]) == (
        "week", "2026-11-09", 1, 1, 1,
    )  # fmt: skip
    assert figure["down"] == [
        {
            "customer": str(firm["fell"].pk), "name": "Fell", "score": 30, "band": "red", "change": -45, "money": "400.00",
        }
    ]  # fmt: skip
    assert [each["name"] for each in figure["up"]] == ["Rose"]
    assert api.get("health/movers", since="month").json()["down"] == []
    assert faults(api.get("health/movers", since="year")) == {"?since": "invalid_choice"}


def test_says_who_went_from_colour_to_colour(api: Caller, firm: dict[str, Customer]) -> None:
    figure = api.get("health/transitions", start="2026-11-02", end="2026-11-20").json()
    assert (figure["start"], figure["end"]) == ("2026-11-02", "2026-11-20")
    assert figure["cells"] == [
        {"before": "green", "after": "green", "customers": 1, "money": "100.00"},
        {"before": "green", "after": "red", "customers": 1, "money": "400.00"},
    ]
    assert faults(api.get("health/transitions")) == {"?start": "required", "?end": "required"}
    assert faults(api.get("health/transitions", start="2026-11-20", end="2026-11-02")) == {"?end": "before_start"}
    assert faults(api.get("health/transitions", start="x", end="2027-01-01")) == {
        "?start": "invalid", "?end": "in_the_future",
    }  # fmt: skip


def test_says_whose_customers_are_how(cast: Cast, api: Caller, firm: dict[str, Customer]) -> None:
    anns, nobodys = api.get("health/owners").json()["owners"]
    assert anns == {
        "owner": str(cast.ann.pk), "name": "Ann", "green": 0, "yellow": 0, "red": 1, "none": 0, "fallen": 1,
        "money": "400.00", "red_money": "400.00",
    }  # fmt: skip
    assert (nobodys["owner"], nobodys["name"], nobodys["green"]) == (None, None, 1)


def test_says_what_is_known_of_whom(api: Caller, firm: dict[str, Customer]) -> None:
    figure = api.get("data-quality").json()
    assert (figure["as_of"], figure["goal"], figure["customers"], figure["scored"]) == ("2026-11-20", 98, 2, 2)
    kinds = {each["kind"]: each for each in figure["kinds"]}
    assert kinds["satisfaction"] == {
        "kind": "satisfaction", "indicators": ["satisfaction"], "weight": 8, "base": 2, "fresh": 1, "stale": 0,
        "missing": 1, "share": 0.5, "short": 1, "used": 1, "used_stale": 0,
    }  # fmt: skip


@pytest.mark.parametrize("path", FIGURES)
def test_tells_of_whom_the_caller_sees_alone(cast: Cast, call_as, firm: dict[str, Customer], path: str) -> None:
    everybody = call_as(cast.eve).get(path).json()
    nobody = call_as(cast.otto).get(path).json()
    anns = call_as(cast.ann).get(path).json()
    assert everybody != anns
    assert nobody["as_of"] is None
    for part in ("weeks", "up", "down", "owners"):
        assert not nobody.get(part)


@pytest.mark.parametrize("path", FIGURES)
def test_refuses_what_a_figure_does_not_take(api: Caller, firm: dict[str, Customer], path: str) -> None:
    assert faults(api.get(path, page="2")) == {"?page": "unknown_parameter"}
