from collections.abc import Callable

import pytest

from customers.models import Customer
from segmentation.models import SavedSegment
from tenants.context import tenant_scope
from tests.api.conftest import Caller, faults
from tests.conftest import Cast

NORTH = {"name": "North", "filters": {"country": ["Norway"]}}


@pytest.fixture
def ann(call_as: Callable[..., Caller], cast: Cast) -> Caller:
    return call_as(cast.ann)


def test_saves_filters_and_looks_at_once(ann: Caller, cast: Cast) -> None:
    cast.customer("Ann's", country="Norway")
    cast.customer("Nobody's", country="Norway", owner_a=None, owner_b=None)
    answer = ann.post("segments", NORTH)
    assert (answer.status_code, answer["Outcome"]) == (201, "created")
    row = answer.json()
    assert answer["Location"] == f"/api/v1/segments/{row['id']}"
    told = {name: row[name] for name in ("name", "filters", "is_shared", "member", "members", "problem")}
    assert told == {
        "name": "North", "filters": {"country": ["Norway"]}, "is_shared": False, "member": str(cast.ann.pk),
        "members": 1, "problem": "",
    }  # fmt: skip
    assert row["evaluated_at"]
    assert ann.get(f"segments/{row['id']}").json() == row
    assert ann.get("segments").json()["results"] == [row]


def test_lists_its_members_page_by_page_as_far_as_they_are_seen(
    ann: Caller, call_as: Callable[..., Caller], cast: Cast
) -> None:
    own = [cast.customer(f"C{n}", country="Norway") for n in range(3)]
    cast.customer("Nobody's", country="Norway", owner_a=None, owner_b=None)
    with tenant_scope(cast.tenant):
        own[0].external_ids.create(source="erp", value="K-1")
    segment = ann.post("segments", NORTH | {"is_shared": True}).json()["id"]
    first = ann.get(f"segments/{segment}/members", limit=2).json()
    assert first["results"][0]["customer"] == str(own[0].pk)
    assert first["results"][0]["external_ids"] == [{"source": "erp", "external_id": "K-1"}]
    second = ann.get(first["next"]).json()
    assert [row["customer"] for row in first["results"] + second["results"]] == [str(row.pk) for row in own]
    assert second["next"] is None
    assert ann.get(f"segments/{segment}/members", joined_from="2999-01-01").json()["results"] == []
    assert len(call_as(cast.eve).get(f"segments/{segment}/members").json()["results"]) == 4
    assert ann.get("segments/999/members").status_code == 404
    assert ann.get("segments/x/members").status_code == 404
    assert faults(ann.get(f"segments/{segment}/members", colour="red")) == {"?colour": "unknown_parameter"}


def test_changes_what_is_said_and_looks_again_for_other_filters(ann: Caller, cast: Cast) -> None:
    cast.customer("A", country="Norway")
    for name in "BC":
        cast.customer(name, country="Spain")
    segment = ann.post("segments", NORTH).json()["id"]
    assert ann.patch(f"segments/{segment}", {"name": "South"})["Outcome"] == "updated"
    assert ann.patch(f"segments/{segment}", {"name": "South"})["Outcome"] == "unchanged"
    row = ann.patch(f"segments/{segment}", {"filters": {"country": ["Spain"]}}).json()
    assert (row["name"], row["filters"], row["members"]) == ("South", {"country": ["Spain"]}, 2)


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ({"filters": {"country": ["Norway"]}}, {"#/name": "required"}),
        ({"name": "x"}, {"#/filters": "required"}),
        ({"name": "x", "filters": {}}, {"#/filters": "required"}),
        ({"name": "x", "filters": {"colour": ["red"]}}, {"#/filters": "invalid"}),
        ({"name": "x", "filters": {"tier": ["platinum"]}}, {"#/filters": "invalid"}),
        ({"name": "x", "filters": {"saved": ["1"]}}, {"#/filters": "invalid"}),
        ({"name": "x", "filters": {"tier": "gold"}}, {"#/filters/tier": "not_a_list"}),
        (NORTH | {"name": "Taken"}, {"#/name": "taken"}),
        (NORTH | {"colour": "red"}, {"#/colour": "unknown_field"}),
    ],
)
def test_says_what_is_wrong(ann: Caller, cast: Cast, body: dict[str, object], found: dict[str, str]) -> None:
    cast.customer(country="Norway")
    ann.post("segments", NORTH | {"name": "Taken"})
    answer = ann.post("segments", body)
    assert answer.status_code == (409 if "taken" in found.values() else 400), answer.content
    assert faults(answer) == found


def test_shows_own_and_shared_ones_and_lets_only_the_maker_change_them(
    ann: Caller, call_as: Callable[..., Caller], cast: Cast
) -> None:
    with tenant_scope(cast.tenant):
        Customer.objects.create(name="A", country="Norway")
        rows = {
            name: SavedSegment.objects.create(name=name, filters=NORTH["filters"], member=cast.bo, is_shared=shared)
            for name, shared in (("Private", False), ("Shared", True))
        }
    assert [row["name"] for row in ann.get("segments").json()["results"]] == ["Shared"]
    assert ann.get(f"segments/{rows['Private'].pk}").status_code == 404
    assert ann.patch(f"segments/{rows['Private'].pk}", {"name": "x"}).status_code == 404
    assert ann.patch(f"segments/{rows['Shared'].pk}", {"name": "x"}).status_code == 403
    assert call_as(cast.ada).patch(f"segments/{rows['Private'].pk}", {"name": "x"}).status_code == 200
