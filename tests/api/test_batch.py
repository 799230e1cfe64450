"""POST /<resource>/batch: one result per row, in both modes."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from customers.models import Customer, Order
from tenants.context import tenant_scope
from tenants.models import Event
from tests.api.conftest import Caller, faults
from tests.api.test_orders import ORDER
from tests.conftest import Cast

GOOD = {"source": "erp", "external_id": "K-1", "name": "Brook & Sons"}
ALSO_GOOD = {"source": "erp", "external_id": "K-2", "name": "Hall & Co", "city": "Leeds"}
BAD = {"source": "erp", "external_id": "K-3", "name": "", "colour": "red"}
NAMELESS = {"external_id": "K-4", "name": "x"}


def _send(api: Caller, *rows: object, mode: str = "partial"):
    answer = api.post("customers/batch", {"mode": mode, "rows": list(rows)})
    assert answer.status_code == 200, answer.content
    return answer.json()


def _count(cast: Cast) -> int:
    with tenant_scope(cast.tenant):
        return Customer.objects.count()


def test_partial_writes_the_good_rows_and_explains_the_bad_ones(api: Caller, cast: Cast) -> None:
    body = _send(api, GOOD, BAD, ALSO_GOOD, NAMELESS, "no row", GOOD, GOOD | {"city": "York"})
    results = body["results"]
    assert [each["index"] for each in results] == list(range(7))
    assert [each["status"] for each in results] == [
        "created", "failed", "created", "failed", "failed", "unchanged", "updated",
    ]  # fmt: skip
    assert [each["external_id"] for each in results] == ["K-1", "K-3", "K-2", "K-4", None, "K-1", "K-1"]
    assert results[0]["id"] == results[5]["id"]
    assert results[0]["problem"] is None
    problem = results[1]["problem"]
    assert (problem["type"], problem["status"]) == ("/api/v1/docs/problems#invalid", 400)
    assert {(e["pointer"], e["code"]) for e in problem["errors"]} == {
        ("#/rows/1/name", "blank"), ("#/rows/1/colour", "unknown_field"),
    }  # fmt: skip
    assert results[3]["problem"]["errors"][0]["pointer"] == "#/rows/3/source"
    assert results[4]["problem"]["errors"][0]["pointer"] == "#/rows/4"
    assert body["counts"] == {"created": 2, "updated": 1, "unchanged": 1, "failed": 3}
    assert _count(cast) == 2
    assert _send(api, GOOD | {"city": "York"}, ALSO_GOOD)["counts"]["unchanged"] == 2


def test_all_or_none_writes_all(api: Caller, cast: Cast) -> None:
    assert _send(api, GOOD, ALSO_GOOD, mode="all_or_none")["counts"]["created"] == 2
    assert _count(cast) == 2


@pytest.mark.parametrize("bad", [BAD, GOOD | {"external_ids": [{"source": "erp", "external_id": "K-0"}]}])
def test_all_or_none_writes_nothing_when_one_fails(api: Caller, cast: Cast, bad: dict[str, object]) -> None:
    """The second fails only while it is written, after the row before it has been."""
    _send(api, {"source": "erp", "external_id": "K-0", "name": "There"})
    with tenant_scope(cast.tenant):
        events = Event.objects.count()
    body = _send(api, ALSO_GOOD, bad, mode="all_or_none")
    assert [each["status"] for each in body["results"]] == ["failed", "failed"]
    assert body["results"][0]["problem"]["type"].endswith("#not-written")
    assert body["results"][0]["id"] is None
    assert body["results"][1]["problem"]["errors"]
    assert _count(cast) == 1
    with tenant_scope(cast.tenant):
        assert Event.objects.count() == events


def test_a_row_that_fails_late_leaves_nothing_behind_in_partial_either(api: Caller, cast: Cast) -> None:
    _send(api, {"source": "erp", "external_id": "K-0", "name": "There"})
    late = GOOD | {"external_ids": [{"source": "erp", "external_id": "K-0"}]}
    body = _send(api, late, ALSO_GOOD)
    assert [each["status"] for each in body["results"]] == ["failed", "created"]
    assert body["results"][0]["problem"]["status"] == 409
    assert _count(cast) == 2


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        ({}, {"#/rows": "required"}),
        ({"rows": []}, {"#/rows": "min_length"}),
        ({"rows": [GOOD] * 1001}, {"#/rows": "max_length"}),
        ({"rows": GOOD}, {"#/rows": "not_a_list"}),
        ({"rows": [GOOD], "mode": "some"}, {"#/mode": "invalid_choice"}),
        ({"rows": [GOOD], "dry_run": True}, {"#/dry_run": "unknown_field"}),
    ],
)
def test_refuses_what_is_no_batch(api: Caller, cast: Cast, body: object, wrong: dict[str, str]) -> None:
    assert faults(api.post("customers/batch", body)) == wrong
    assert _count(cast) == 0


def test_orders_in_a_batch(api: Caller, cast: Cast) -> None:
    customer = cast.customer()
    with tenant_scope(cast.tenant):
        customer.external_ids.create(source="erp", value="K-17")
    rows = [ORDER | {"source": "erp", "external_id": str(number)} for number in range(20)]
    rows[6] = rows[6] | {"lines": [ORDER["lines"][0] | {"quantity": 2.5, "unit_price": 0.333}]}
    rows[7] = rows[7] | {"lines": [ORDER["lines"][0] | {"quantity": "x"}]}
    body = api.post("orders/batch", {"rows": rows}).json()
    assert body["counts"] == {"created": 19, "updated": 0, "unchanged": 0, "failed": 1}
    assert body["results"][7]["problem"]["errors"][0]["pointer"] == "#/rows/7/lines/0/quantity"
    with tenant_scope(cast.tenant):
        assert Order.objects.count() == 19
        assert customer.activity.get().orders == 19


@pytest.mark.parametrize("resource", ["contacts", "products", "interactions", "complaints"])
def test_every_writable_resource_takes_batches(api: Caller, cast: Cast, resource: str) -> None:
    customer = {"customer": str(cast.customer().pk)}
    row = {
        "contacts": customer | {"name": "Priya Shah"},
        "products": {"name": "Heart"},
        "interactions": customer | {"channel": "phone", "at": "2026-11-20T10:00:00Z"},
        "complaints": customer | {"topic": "Late", "opened_at": "2026-11-20T10:00:00Z"},
    }[resource] | {"source": "crm", "external_id": "1"}
    for status in ("created", "unchanged"):
        body = api.post(f"{resource}/batch", {"rows": [row]}).json()
        assert body["results"][0]["status"] == status, body


def test_a_row_costs_a_handful_of_queries(api: Caller, cast: Cast) -> None:
    """Savepoints included: a thousand rows have to fit into one request."""
    rows = [{"source": "erp", "external_id": str(n), "name": f"C{n}", "country": "GB"} for n in range(50)]
    for status, per_row in (("created", 8), ("unchanged", 5)):
        with CaptureQueriesContext(connection) as queries:
            assert _send(api, *rows)["counts"][status] == 50
        assert len(queries) <= 50 * per_row + 15, queries.captured_queries[20:30]
