"""Everything that fails is a problem, with all errors, and has written nothing."""

import json
import uuid
from unittest import mock

import pytest
from django.test import Client
from django.urls import reverse

from customers.models import Customer
from tenants.context import tenant_scope
from tenants.models import Event
from tenants.problems import KINDS
from tests.api.conftest import BASE, Caller, faults
from tests.conftest import Cast


def _problem(response, status: int, slug: str) -> dict[str, object]:
    assert response.status_code == status, response.content
    assert response["Content-Type"] == "application/problem+json"
    problem = response.json()
    assert problem["type"] == f"/api/v1/docs/problems#{slug}"
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"]
    assert problem["instance"] == response.request["PATH_INFO"]
    assert problem["request_id"] == response["X-Request-Id"]
    uuid.UUID(problem["request_id"])
    return problem


@pytest.mark.parametrize("path", ["nothing", "customers/1/nothing", "customers/999999", "customers/x", "customers/" + "9" * 40,
                                  "customers/by-external/erp/none", "/api/", "/api/v2/customers", "/api/v1", "tiers/1"])  # fmt: skip
def test_not_found(api: Caller, path: str) -> None:
    _problem(api.get(path), 404, "not-found")


def test_not_found_without_a_token_too(cast: Cast) -> None:
    answer = Client().get("/api/v1/nothing")
    _problem(answer, 404, "not-found")
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Content-Length"] == str(len(answer.content))


def test_a_host_that_is_not_ours(api: Caller, settings) -> None:
    settings.ALLOWED_HOSTS = ["perennial.example.com"]
    _problem(api.get("me"), 400, "bad-request")


@pytest.mark.parametrize(
    ("method", "path"),
    [("put", "customers"), ("post", "tiers"), ("patch", "scores/1"), ("get", "customers/batch"), ("post", "me")],
)
def test_method_not_allowed(api: Caller, method: str, path: str) -> None:
    answer = api.get(path) if method == "get" else getattr(api, method)(path, {})
    _problem(answer, 405, "method-not-allowed")
    assert answer["Allow"]
    assert "OPTIONS" not in answer["Allow"]


@pytest.mark.parametrize(
    "body",
    [b"{", b"", b'{"name": NaN}', b"\xff\xfe", b"[" * 200_000, b'{"name": "x"} trailing', b"{'name': 'x'}"],
)
def test_bad_json(api: Caller, cast: Cast, body: bytes) -> None:
    headers = {"Authorization": f"Bearer {api.token}"}
    answer = api.client.post(f"{BASE}customers", body, content_type="application/json", headers=headers)
    if body:
        _problem(answer, 400, "bad-json")
    else:
        assert faults(answer) == {"#/name": "required"}


@pytest.mark.parametrize("body", [[], 1, "x", [{"name": "x"}]])
def test_a_body_that_is_no_object(api: Caller, body: object) -> None:
    assert faults(api.post("customers", body)) == {"#": "invalid"}
    assert faults(api.put("customers/by-external/erp/1", None)) == {"#": "null"}


def test_wrong_media_type(api: Caller) -> None:
    headers = {"Authorization": f"Bearer {api.token}"}
    answer = api.client.post(f"{BASE}customers", "name=x", content_type="text/plain", headers=headers)
    _problem(answer, 415, "unsupported-media-type")
    answer = api.client.get(f"{BASE}customers", headers=headers | {"Accept": "text/html"})
    _problem(answer, 406, "not-acceptable")


def test_too_large(api: Caller, settings) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 100
    _problem(api.post("customers", {"name": "x" * 200}), 413, "too-large")


def test_a_fault_of_ours_says_nothing_but_the_request_id_and_writes_nothing(api: Caller, cast: Cast) -> None:
    api.client.raise_request_exception = False
    with mock.patch("customers.services.customers.record", side_effect=RuntimeError("secret")):
        answer = api.post("customers", {"name": "Brook & Sons"})
    _problem(answer, 500, "server-error")
    assert b"secret" not in answer.content
    with tenant_scope(cast.tenant):
        assert not Customer.objects.exists()


def test_lists_all_errors_at_once_and_writes_nothing(api: Caller, cast: Cast) -> None:
    with tenant_scope(cast.tenant):
        events = Event.objects.count()
    answer = api.post(
        "customers",
        {
            "name": "", "country": "x" * 61, "since": "31.12.2020", "colour": "red", "owner_a": "x", "note": ["no"],
            "external_ids": [{"source": "erp"}, {"source": "erp", "external_id": "1", "a/b~c": 1}],
        },
    )  # fmt: skip
    problem = _problem(answer, 400, "invalid")
    assert faults(answer) == {
        "#/name": "blank",
        "#/country": "max_length",
        "#/since": "invalid",
        "#/colour": "unknown_field",
        "#/owner_a": "not_found",
        "#/note": "invalid",
        "#/external_ids/0/external_id": "required",
        "#/external_ids/1/a~1b~0c": "unknown_field",
    }
    assert all(each["detail"] for each in problem["errors"])
    with tenant_scope(cast.tenant):
        assert not Customer.objects.exists()
        assert Event.objects.count() == events


def test_refuses_text_that_the_database_cannot_hold(api: Caller) -> None:
    assert faults(api.post("customers", {"name": "a\x00b"})) == {"#/name": "null_characters_not_allowed"}
    _problem(api.post("customers", {"name": "half a \ud83d"}), 400, "bad-json")
    assert api.post("customers", {"name": "a whole \U0001f600"}).status_code == 201


def test_survives_a_nul_in_the_address(api: Caller) -> None:
    _problem(api.get("customers/by-external/erp/%00"), 404, "not-found")
    _problem(api.put("customers/by-external/e%00rp/1", {"name": "x"}), 404, "not-found")
    assert faults(api.get("customers?q=%00")) == {"?q": "null_characters_not_allowed"}


def test_gives_every_answer_its_id(api: Caller) -> None:
    first, second = api.get("me"), api.get("me")
    assert uuid.UUID(first["X-Request-Id"]) != uuid.UUID(second["X-Request-Id"])
    assert first["Cache-Control"] == "no-store"


def test_the_type_of_a_problem_leads_to_its_explanation(cast: Cast) -> None:
    page = Client().get(reverse("api-problems"))
    assert page.status_code == 200
    for slug in KINDS:
        assert f'id="{slug}"' in page.content.decode()


def test_speaks_the_callers_language(api: Caller) -> None:
    headers = {"Authorization": f"Bearer {api.token}", "Accept-Language": "zh-hans"}
    answer = api.client.post(f"{BASE}customers", json.dumps({}), content_type="application/json", headers=headers)
    assert answer.json()["errors"][0]["detail"] == "该字段是必填项。"
