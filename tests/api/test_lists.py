"""What all lists have in common: strict parameters, cursors, order, counts."""

import datetime as dt

import pytest
from django.utils import timezone

from customers.models import Customer
from tenants.context import tenant_scope
from tests.api.conftest import Caller, faults
from tests.api.test_access import RESOURCES
from tests.conftest import Cast


@pytest.fixture
def seven(cast: Cast) -> list[Customer]:
    """Customers C0 to C6; the middle ones were written in the same instant."""
    made = [cast.customer(f"C{n}") for n in range(7)]
    start = timezone.now() - dt.timedelta(hours=1)
    with tenant_scope(cast.tenant):
        for n, customer in enumerate(made):
            at = start + dt.timedelta(minutes=3 if 2 <= n <= 4 else n)
            Customer.objects.filter(pk=customer.pk).update(updated_at=at)
    return made


def _names(answer) -> list[str]:
    assert answer.status_code == 200, answer.content
    return [row["name"] for row in answer.json()["results"]]


@pytest.mark.parametrize("resource", RESOURCES)
def test_refuses_every_parameter_it_does_not_know(cast: Cast, call_as, resource: str) -> None:
    caller = call_as(cast.ada)
    assert caller.get(resource).status_code == 200
    answer = caller.get(f"{resource}?colour=red&page=2&limit=0&ordering=colour&cursor=x&count=yes&limit=1")
    assert answer.status_code == 400
    assert answer.json()["type"].endswith("#bad-parameter")
    found = faults(answer)
    assert found["?colour"] == found["?page"] == "unknown_parameter"
    assert set(found) == {"?colour", "?page", "?limit", "?ordering", "?count"}


def test_refuses_a_wrong_value_of_every_filter(api: Caller) -> None:
    answer = api.get("orders", customer="x", kind="gift", placed_since="soon", updated_since="yesterday")
    assert set(faults(answer)) == {"?customer", "?kind", "?placed_since", "?updated_since"}
    assert faults(api.get("forecasts", warned="yes", code="x")) == {"?warned": "invalid", "?code": "invalid_choice"}


@pytest.mark.parametrize(("said", "found"), [("true", 1), ("1", 1), ("false", 6), ("0", 6), ("", 7), ("unknown", 7)])
def test_narrows_by_true_and_false(api: Caller, seven: list[Customer], said: str, found: int) -> None:
    with tenant_scope(seven[0].tenant):
        Customer.objects.filter(pk=seven[0].pk).update(closed_on="2026-11-01")
    assert len(_names(api.get("customers", closed=said))) == found


def test_refuses_a_parameter_where_no_list_is(api: Caller, cast: Cast) -> None:
    customer = cast.customer()
    assert api.get(f"customers/{customer.pk}").status_code == 200
    assert faults(api.get(f"customers/{customer.pk}", fields="name")) == {"?fields": "unknown_parameter"}
    assert faults(api.post("customers?dry_run=1", {"name": "x"})) == {"?dry_run": "unknown_parameter"}
    with tenant_scope(cast.tenant):
        assert Customer.objects.count() == 1


@pytest.mark.parametrize("limit", ["0", "201", "-1", "x", "1.5", "", "1e2", "٣", "9" * 30])
def test_refuses_a_limit_that_is_none(api: Caller, limit: str) -> None:
    assert faults(api.get("customers", limit=limit)) == {"?limit": "out_of_range"}


@pytest.mark.parametrize("ordering", ["updated_at", "-updated_at", "name", "-name"])
@pytest.mark.parametrize("limit", [1, 2, 3, 7, 50])
def test_walks_the_whole_list_forth_and_back(api: Caller, seven: list[Customer], ordering: str, limit: int) -> None:
    names = [f"C{n}" for n in range(7)]
    wanted = names[::-1] if ordering.startswith("-") else names
    url, seen, last = f"/api/v1/customers?limit={limit}&ordering={ordering}", [], None
    while url:
        answer = api.get(url)
        seen += _names(answer)
        last, url = answer, answer.json()["next"]
    assert seen == wanted
    back = _names(last)
    while url := last.json()["previous"]:
        last = api.get(url)
        back = _names(last) + back
    assert back == wanted


def test_names_its_neighbours_in_a_header_as_well(api: Caller, seven: list[Customer]) -> None:
    first = api.get("customers", limit=3)
    assert first["Link"] == f'<{first.json()["next"]}>; rel="next"'
    second = api.get(first.json()["next"])
    body = second.json()
    assert second["Link"] == f'<{body["next"]}>; rel="next", <{body["previous"]}>; rel="prev"'
    assert "Link" not in api.get("customers")


def test_neither_repeats_nor_skips_when_rows_come_in_between(api: Caller, cast: Cast, seven: list[Customer]) -> None:
    first = api.get("customers", limit=3, ordering="name")
    assert _names(first) == ["C0", "C1", "C2"]
    for name in ("A", "C0a", "C3a", "Z"):
        cast.customer(name)
    with tenant_scope(cast.tenant):
        Customer.objects.filter(name="C2").update(search_name="y")  # the row that the cursor names moves away
    second = api.get(first.json()["next"])
    assert _names(second) == ["C3", "C3a", "C4"]
    assert _names(api.get(second.json()["previous"])) == ["C0", "C0a", "C1"]


def test_shows_a_row_that_changed_on_the_way_at_the_end_again(api: Caller, seven: list[Customer]) -> None:
    first = api.get("customers", limit=3)
    api.patch(f"customers/{seven[0].pk}", {"city": "Leeds"})
    rest = _names(api.get(first.json()["next"]))
    rest += _names(api.get(api.get(first.json()["next"]).json()["next"]))
    assert rest == ["C3", "C4", "C5", "C6", "C0"]


@pytest.mark.parametrize("spoil", [lambda c: c + "x", lambda c: "x", lambda c: "", lambda c: c[5:], lambda c: "\x00"])
def test_refuses_a_cursor_that_is_not_its_own(api: Caller, seven: list[Customer], spoil) -> None:
    url = api.get("customers", limit=3).json()["next"]
    cursor = url.partition("cursor=")[2].partition("&")[0]
    assert _names(api.get("customers", limit=3, cursor=_plain(cursor))) == ["C3", "C4", "C5"]
    assert faults(api.get("customers", limit=3, cursor=spoil(_plain(cursor)))) == {"?cursor": "invalid"}
    assert faults(api.get("customers", ordering="name", cursor=_plain(cursor))) == {"?cursor": "invalid"}
    assert faults(api.get("orders", cursor=_plain(cursor))) == {"?cursor": "invalid"}


def _plain(cursor: str) -> str:
    return cursor.replace("%3A", ":")


def test_counts_only_when_asked(api: Caller, seven: list[Customer]) -> None:
    assert "count" not in api.get("customers").json()
    assert api.get("customers", count="exact", limit=2).json()["count"] == 7
    assert isinstance(api.get("customers", count="estimated").json()["count"], int)
    assert api.get("customers", count="exact", q="C3").json()["count"] == 1


def test_lists_what_was_written_since(api: Caller, seven: list[Customer]) -> None:
    since = api.get(f"customers/{seven[5].pk}").json()["updated_at"]
    assert _names(api.get("customers", updated_since=since)) == ["C5", "C6"]


def test_gives_times_with_the_offset_of_the_firm(call_as, cast: Cast, api: Caller) -> None:
    cast.customer()
    with tenant_scope(cast.tenant):
        summer = dt.datetime(2026, 7, 1, 12, tzinfo=dt.UTC)
        Customer.objects.update(updated_at=summer)
    assert api.get("customers").json()["results"][0]["updated_at"] == "2026-07-01T13:00:00+01:00"


def test_takes_the_closing_slash_or_leaves_it(api: Caller, seven: list[Customer]) -> None:
    assert _names(api.get("customers/")) == _names(api.get("customers"))
    assert api.get(f"customers/{seven[0].pk}/").status_code == 200
    assert api.get("me/").status_code == 200
