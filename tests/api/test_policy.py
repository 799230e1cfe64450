"""The policy over the API: read, changed against what was read, tried out, compared, restored."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.http import HttpResponse
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from health.models import HealthScore, LapseForecast
from tenants.context import tenant_scope
from tenants.models import Event, PolicyVersion
from tenants.policies import active_policy, pack_document, save_policy, switch_pack
from tenants.rules.documents import merge_patch, put
from tests.api.conftest import Caller, faults
from tests.conftest import Cast
from tests.health.conftest import Story, story

__all__ = ["story"]


class PolicyCaller(Caller):
    """A programme that sends If-Match."""

    def change(self, method: str, data: Any, if_match: str | None = '"1"', path: str = "policy") -> HttpResponse:
        kind = "application/merge-patch+json" if method == "patch" else "application/json"
        headers = {"Authorization": f"Bearer {self.token}"} | ({"If-Match": if_match} if if_match else {})
        return getattr(self.client, method)(f"/api/v1/{path}", json.dumps(data), content_type=kind, headers=headers)


@pytest.fixture
def lea(cast: Cast) -> PolicyCaller:
    """The team lead, who may change the policy."""
    return PolicyCaller(cast.token(cast.lea))


def silver(best: object, note: str = "Fewer silver") -> dict[str, Any]:
    return {"note": note, "document": {"tiers": {"silver_best": best}}}


# ── reading ─────────────────────────────────────────────────────────────────


def test_gives_the_policy_in_force_with_its_etag(lea: PolicyCaller) -> None:
    answer = lea.get("policy")
    assert answer["ETag"] == '"1"'
    found = answer.json()
    assert (found["number"], found["pack"], found["note"], found["saved_by"]) == (1, "callback", "", None)
    assert found["document"] == pack_document("callback")


def test_lists_versions_newest_first_and_walks(lea: PolicyCaller, cast: Cast) -> None:
    for number, best in enumerate((35, 30, 25), start=1):
        assert lea.change("patch", silver(best), f'"{number}"').status_code == 200
    first = lea.get("policy/versions", limit=3).json()
    assert [row["number"] for row in first["results"]] == [4, 3, 2]
    assert first["results"][0]["saved_by"] == str(cast.lea.pk)
    assert first["results"][0]["saved_by_name"] == "Lea"
    assert "document" not in first["results"][0]
    rest = lea.get(first["next"]).json()
    assert [row["number"] for row in rest["results"]] == [1]
    assert lea.get(rest["previous"]).json()["results"] == first["results"]
    assert [row["number"] for row in lea.get("policy/versions", ordering="number").json()["results"]] == [1, 2, 3, 4]


def test_shows_a_version_by_its_number(lea: PolicyCaller) -> None:
    lea.change("patch", silver(35))
    assert lea.get("policy/versions/1").json()["document"]["tiers"]["silver_best"] == 40
    assert lea.get("policy/versions/2").json()["document"]["tiers"]["silver_best"] == 35
    assert lea.get("policy/versions/3").status_code == 404
    assert lea.get("policy/versions/x").status_code == 404


def test_compares_two_versions_by_default_with_the_one_in_force(lea: PolicyCaller) -> None:
    lea.change("patch", silver(35))
    expected = {
        "before": 1,
        "after": 2,
        "differences": [
            {
                "pointer": "/tiers/silver_best", "title": "Silver: R + F + M among the best", "before": 40, "after": 35,
            }
        ],
    }  # fmt: skip
    assert lea.get("policy/compare", **{"from": 1, "to": 2}).json() == expected
    assert lea.get("policy/compare", **{"from": 1}).json() == expected
    assert faults(lea.get("policy/compare")) == {"?from": "required"}
    assert faults(lea.get("policy/compare", **{"from": 9, "to": "x"})) == {"?from": "not_found", "?to": "not_found"}
    assert faults(lea.get("policy/compare", **{"from": 1, "until": 2})) == {"?until": "unknown_parameter"}


def test_shows_the_four_packs_whole(lea: PolicyCaller) -> None:
    packs = {row["pack"]: row["document"] for row in lea.get("policy/packs").json()["results"]}
    assert packs == {pack: pack_document(pack) for pack in ("wholesale", "callback", "sales-team", "starter")}


def test_takes_few_queries_however_many_versions(lea: PolicyCaller, cast: Cast) -> None:
    def queries(path: str) -> int:
        with CaptureQueriesContext(connection) as captured:
            assert lea.get(path).status_code == 200
        return len([q for q in captured if q["sql"].startswith("SELECT") and "set_config" not in q["sql"]])

    short = queries("policy/versions")
    with tenant_scope(cast.tenant):
        for best in range(20, 30):
            save_policy(put(pack_document("callback"), ("tiers", "silver_best"), best), pack="callback")
    assert queries("policy/versions") == short <= 4
    assert queries("policy") <= 5
    assert queries("policy/compare?from=2&to=9") <= 6


# ── changing ────────────────────────────────────────────────────────────────


def test_changes_a_setting_and_keeps_the_rest(lea: PolicyCaller, cast: Cast) -> None:
    answer = lea.change("patch", silver(35))
    assert (answer.status_code, answer["ETag"], answer["Outcome"]) == (200, '"2"', "updated")
    assert answer.json()["document"] == put(pack_document("callback"), ("tiers", "silver_best"), 35)
    with tenant_scope(cast.tenant):
        row = PolicyVersion.objects.get(number=2)
        assert (row.note, row.created_by, row.pack) == ("Fewer silver", cast.lea, "callback")
        assert Event.objects.filter(object_type="policyversion", object_id=row.pk, actor=cast.lea).count() == 1


def test_takes_back_what_it_gave_whole(lea: PolicyCaller) -> None:
    whole = lea.get("policy").json()
    whole["document"]["value"]["discount_percent"] = 8.5
    answer = lea.change("put", whole | {"note": "Money is cheap"})
    assert answer.status_code == 200, answer.content
    assert answer.json()["document"] == whole["document"]


def test_makes_no_version_of_what_changes_nothing(lea: PolicyCaller) -> None:
    answer = lea.change("patch", silver(40))
    assert (answer.status_code, answer["ETag"], answer["Outcome"]) == (200, '"1"', "unchanged")


def test_names_the_pack_by_the_tiers(lea: PolicyCaller) -> None:
    document = switch_pack(pack_document("callback"), "wholesale")
    assert lea.change("put", {"note": "Old relations", "document": document}).json()["pack"] == "wholesale"


def test_takes_a_tiers_cadence_away_with_null(lea: PolicyCaller) -> None:
    sent = {"note": "No calls to bronze", "document": {"cadence": {"tiers": {"bronze": None}}}}
    answer = lea.change("patch", sent)
    assert answer.status_code == 200, answer.content
    assert list(answer.json()["document"]["cadence"]["tiers"]) == ["gold", "silver"]


def test_wants_to_know_what_a_change_rests_on(lea: PolicyCaller) -> None:
    whole = {"note": "x", "document": pack_document("starter")}
    for method, path, data in (
        ("patch", "policy", silver(35)), ("put", "policy", whole), ("post", "policy/restore", {"number": 1, "note": "x"}),
    ):  # fmt: skip
        answer = lea.change(method, data, None, path)
        assert answer.status_code == 428, method
        assert answer.json()["type"].endswith("#if-match-missing")
        for stale in ('"2"', "1", 'W/"1"', "x", '""'):
            answer = lea.change(method, data, stale, path)
            assert answer.status_code == 412, (method, stale)
            assert answer.json()["type"].endswith("#stale")
            assert '"1"' in answer.json()["detail"]
    assert lea.get("policy")["ETag"] == '"1"'


@pytest.mark.parametrize("if_match", ['"1"', '"7", "1"', "*"])
def test_takes_every_form_of_if_match_that_names_the_version(lea: PolicyCaller, if_match: str) -> None:
    assert lea.change("patch", silver(35), if_match).status_code == 200


def test_refuses_the_second_of_two_who_read_the_same(lea: PolicyCaller) -> None:
    assert lea.change("patch", silver(35)).status_code == 200
    assert lea.change("patch", silver(30)).status_code == 412
    assert lea.get("policy").json()["document"]["tiers"]["silver_best"] == 35


def test_points_at_everything_that_is_wrong(lea: PolicyCaller, cast: Cast) -> None:
    sent = {
        "document": {
            "tiers": {"silver_best": 350, "colour": "blue", "window_months": None},
            "value": {"weights": {"direct": 35}},
            "cadence": {"tiers": {"gold": [{"kind": "dinner", "every_days": 7}], "a/b": []}},
            "weather": {},
        },
        "pack": "starter",
        "whatever": 1,
    }
    answer = lea.change("patch", sent)
    assert answer.status_code == 422
    assert answer.json()["type"].endswith("#invalid-policy")
    assert faults(answer) == {
        "#/note": "required",
        "#/whatever": "unknown_field",
        "#/document/weather": "unknown_section",
        "#/document/tiers/silver_best": "less_than_equal",
        "#/document/tiers/colour": "extra_forbidden",
        "#/document/tiers/window_months": "missing",
        "#/document/value/weights": "weights_do_not_add_up",
        "#/document/cadence/tiers/gold/0/kind": "literal_error",
    }
    sent["document"] = {"cadence": {"tiers": {"a/b": []}}}
    assert faults(lea.change("patch", sent | {"note": "x"}))["#/document/cadence/tiers/a~1b"] == "tier_not_of_scheme"
    with tenant_scope(cast.tenant):
        assert active_policy().number == 1


def test_wants_a_whole_policy_whole(lea: PolicyCaller) -> None:
    document = pack_document("callback")
    del document["risk"], document["tiers"]["grace_days"], document["value"]["weights"]["direct"]
    assert faults(lea.change("put", {"note": "x", "document": document})) == {
        "#/document/risk": "missing",
        "#/document/tiers/grace_days": "missing",
        "#/document/value/weights/direct": "missing",
    }


@pytest.mark.parametrize("note", ["", "   ", None, 5.5, "x" * 201, "a\0b"])
def test_wants_a_reason(lea: PolicyCaller, note: object) -> None:
    answer = lea.change("patch", {"note": note, "document": {"tiers": {"silver_best": 35}}})
    assert answer.status_code == 422
    assert list(faults(answer)) == ["#/note"]


@pytest.mark.parametrize("body", [[], "x", 5, None])
def test_a_body_that_is_no_object(lea: PolicyCaller, body: object) -> None:
    answer = lea.change("patch", body)
    assert answer.status_code == 400
    assert list(faults(answer)) == ["#"]


nasty = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.text(max_size=3) | st.sampled_from(["tiers", "cadence", "gold", "weights", "line"]), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.sampled_from(["tiers", "health", "cadence", "risk", "value", "cross_sell"]), nasty))
def test_never_breaks_whatever_the_patch(lea: PolicyCaller, patch: dict[str, Any]) -> None:
    for method, path, body in (
        ("patch", "policy", {"note": "x", "document": patch}), ("post", "policy/dry-run", {"patch": patch}),
    ):  # fmt: skip
        assert lea.change(method, body, "*", path).status_code in (200, 422)


@pytest.mark.parametrize("value", [10**400, 1e308, -1e308, 0.1 + 0.2, True, "\0", "١٢"])
@pytest.mark.parametrize("path", ["tiers/silver_best", "value/discount_percent", "health/yellow", "cadence/done_by"])
def test_never_breaks_whatever_the_number(lea: PolicyCaller, path: str, value: object) -> None:
    document = put({}, tuple(path.split("/")), value)
    assert lea.change("patch", {"note": "x", "document": document}).status_code in (200, 422)


@pytest.mark.parametrize("depth", [30, 300, 900])
def test_refuses_what_is_nested_without_end(lea: PolicyCaller, depth: int) -> None:
    deep: Any = 1
    for _n in range(depth):
        deep = {"tiers": deep}
    for method, path, body in (
        ("patch", "policy", {"note": "x", "document": deep}), ("post", "policy/dry-run", {"patch": deep}),
    ):  # fmt: skip
        answer = lea.change(method, body, path=path)
        assert answer.status_code in (400, 422)
        assert answer["Content-Type"] == "application/problem+json"


# ── going back ──────────────────────────────────────────────────────────────


def test_restores_a_version_as_a_new_one(lea: PolicyCaller) -> None:
    lea.change("patch", silver(35))
    answer = lea.change("post", {"number": 1, "note": "It was better"}, '"2"', "policy/restore")
    assert (answer.status_code, answer["ETag"], answer["Outcome"]) == (200, '"3"', "updated")
    assert answer.json()["document"] == pack_document("callback")
    again = lea.change("post", {"number": 3, "note": "x"}, '"3"', "policy/restore")
    assert (again["ETag"], again["Outcome"]) == ('"3"', "unchanged")
    sent = {"number": 99, "note": ""}
    assert faults(lea.change("post", sent, '"3"', "policy/restore")) == {"#/number": "not_found", "#/note": "blank"}


def test_says_what_is_wrong_with_a_version_that_no_longer_fits(lea: PolicyCaller, cast: Cast) -> None:
    with tenant_scope(cast.tenant):
        document = put(pack_document("callback"), ("tiers", "silver_best"), 400)
        PolicyVersion.objects.create(number=2, pack="callback", document=document)
        save_policy(pack_document("callback"), pack="callback")
    answer = lea.change("post", {"number": 2, "note": "x"}, '"3"', "policy/restore")
    assert faults(answer) == {"#/document/tiers/silver_best": "less_than_equal"}


# ── trying out ──────────────────────────────────────────────────────────────


def test_tries_a_patch_out_and_writes_nothing(lea: PolicyCaller, cast: Cast) -> None:
    cast.customer()
    answer = lea.post("policy/dry-run", {"patch": {"cadence": {"weekly_capacity": 12}}})
    assert answer.status_code == 200, answer.content
    found = answer.json()
    assert (found["version"], found["currency"], found["customers"], found["moved"]) == (1, "GBP", 1, 0)
    assert found["cells"] == [{"before": "", "after": "", "customers": 1, "money": "0.00"}]
    names = [(row["name"], row["capacity"]) for row in found["load"]]
    assert names == [("Ann", 12), ("Bo", 12)]
    assert found["warnings"] == ["No customer has ordered yet: nobody has a tier."]
    with tenant_scope(cast.tenant):
        assert active_policy().number == 1


def test_tells_colours_and_warnings_where_the_draft_changes_them(story: Story) -> None:
    cast = story.cast
    lea = PolicyCaller(cast.token(cast.lea))
    for customer in (story.regular("Brook"), story.regular("Vance", silent=200)):
        with tenant_scope(cast.tenant):
            LapseForecast.objects.create(customer=customer, percent=40, money_at_risk=5, policy_version=1)
    story.night()
    quiet = lea.post("policy/dry-run", {"patch": {"cadence": {"weekly_capacity": 12}}}).json()
    assert (quiet["colours"], quiet["forecast"]) == (None, None)
    patch = {"health": {"yellow": 99, "green": 100, "minimum_known": 1}, "forecast": {"warn_percent": 40}}
    found = lea.post("policy/dry-run", {"patch": patch}).json()
    cells = {(each["before"], each["after"]): each["customers"] for each in found["colours"]["cells"]}
    with tenant_scope(cast.tenant):
        bands = dict(HealthScore.objects.values_list("customer__name", "band"))
    assert bands == {"Brook": "green", "Vance": "red"}
    assert cells["red", "red"] == 1
    assert found["colours"]["changed"] == cells.get(("green", "yellow"), 0) + cells.get(("green", "red"), 0)
    assert sum(float(each["money"]) for each in found["colours"]["cells"]) == sum(
        float(each["money"]) for each in found["cells"]
    )
    assert found["forecast"] == {
        "before": {"customers": 0, "money_at_risk": "0.00"},
        "after": {"customers": 2, "money_at_risk": "10.00"},
        "has_model": True,
        "needs_fit": False,
    }


def test_tries_a_whole_policy_out(lea: PolicyCaller) -> None:
    answer = lea.post("policy/dry-run", {"document": pack_document("wholesale")})
    assert answer.json()["tiers_after"] == ["strategic", "key", "regular"]


def test_an_alternative_is_a_patch_of_the_draft(lea: PolicyCaller, cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    from dashboards import api, dry_run

    draft = pack_document("callback")
    better = put(draft, ("cadence", "tiers", "gold"), [])
    found = [dry_run.Alternative("Gold: nothing", 1, True, better)]
    monkeypatch.setattr(api, "alternatives", lambda _document, _run: found)
    told = lea.post("policy/dry-run", {"document": draft}).json()["alternatives"]
    assert [(each["words"], each["touches"], each["fits"]) for each in told] == [("Gold: nothing", 1, True)]
    assert merge_patch(draft, told[0]["patch"]) == better


def test_points_at_what_is_wrong_with_a_draft(lea: PolicyCaller) -> None:
    assert faults(lea.post("policy/dry-run", {"patch": {"tiers": {"silver_best": 0}}})) == {
        "#/patch/tiers/silver_best": "greater_than_equal"
    }
    assert faults(lea.post("policy/dry-run", {"document": {}}))["#/document/tiers"] == "missing"
    for body in ({}, {"patch": {}, "document": {}}):
        assert faults(lea.post("policy/dry-run", body))["#"] == "invalid"


# ── whose ───────────────────────────────────────────────────────────────────


def test_another_firms_versions_are_not_there(lea: PolicyCaller, cast: Cast, call_as: Callable[..., Caller]) -> None:
    with tenant_scope(cast.other_tenant):
        save_policy(switch_pack(active_policy().document, "wholesale"), pack="wholesale", note="theirs")
    assert lea.get("policy").json()["number"] == 1
    assert lea.get("policy/versions/2").status_code == 404
    assert faults(lea.get("policy/compare", **{"from": 2})) == {"?from": "not_found"}
    sent = {"number": 2, "note": "x"}
    assert faults(lea.change("post", sent, path="policy/restore")) == {"#/number": "not_found"}


def test_an_account_manager_reads_and_does_not_try_or_write(cast: Cast) -> None:
    ann = PolicyCaller(cast.token(cast.ann))
    assert ann.get("policy").status_code == 200
    for method, path, data in (("patch", "policy", silver(35)), ("post", "policy/dry-run", {"patch": {}})):
        answer = ann.change(method, data, path=path)
        assert answer.status_code == 403
        assert "policy:write" in answer.json()["detail"]
