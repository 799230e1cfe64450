import pytest

from customers.models import Customer, Tag
from followups.models import FollowUp
from tenants.context import tenant_scope
from tenants.models import Event
from tests.api.conftest import Caller, faults
from tests.conftest import Cast

BROOK = {
    "name": "Brook & Sons", "country": "GB", "city": "Leeds", "industry": "Furniture", "since": "2019-03-01",
    "note": "Pays on Fridays.", "tags": ["wholesale", "north"],
    "external_ids": [{"source": "erp", "external_id": "K-17"}, {"source": "shop", "external_id": "A/12"}],
}  # fmt: skip


def _events(cast: Cast) -> list[tuple[str, dict[str, object]]]:
    with tenant_scope(cast.tenant):
        rows = Event.objects.filter(object_type="customer").order_by("id")
        return [(row.verb, row.changes) for row in rows]


def test_creates_and_shows_a_customer(api: Caller, cast: Cast) -> None:
    answer = api.post("customers", BROOK | {"owner_a": {"email": "ANN@acme.example"}, "owner_b": str(cast.bo.pk)})
    assert answer.status_code == 201, answer.content
    made = answer.json()
    assert answer["Location"] == f"/api/v1/customers/{made['id']}"
    assert answer["Outcome"] == "created"
    assert {k: made[k] for k in BROOK} == BROOK | {"tags": ["north", "wholesale"]}
    assert (made["owner_a"], made["owner_b"]) == (str(cast.ann.pk), str(cast.bo.pk))
    assert made["closed_on"] is None
    assert api.get(answer["Location"]).json() == made
    assert _events(cast) == [("created", {})]
    with tenant_scope(cast.tenant):
        assert Event.objects.get(object_type="customer").actor == cast.ian


def test_refuses_an_external_id_that_another_customer_has(api: Caller) -> None:
    assert api.post("customers", BROOK).status_code == 201
    answer = api.post("customers", BROOK | {"name": "Other"})
    assert answer.status_code == 409
    assert faults(answer) == {"#/external_ids/0": "taken"}
    other = api.post("customers", {"name": "Other"}).json()
    taken = api.post(f"customers/{other['id']}/external-ids", {"source": "erp", "external_id": "K-17"})
    assert taken.status_code == 409
    assert api.patch(f"customers/{other['id']}", {"external_ids": BROOK["external_ids"]}).status_code == 409


def test_changes_only_what_a_merge_patch_names(api: Caller, cast: Cast) -> None:
    made = api.post("customers", BROOK).json()
    answer = api.patch(f"customers/{made['id']}", {"city": "York", "since": None, "note": None, "tags": ["north"]})
    assert answer.status_code == 200
    assert answer["Outcome"] == "updated"
    changed = answer.json()
    assert changed == made | {
        "city": "York", "since": None, "note": "", "tags": ["north"], "updated_at": changed["updated_at"],
    }  # fmt: skip
    assert changed["updated_at"] > made["updated_at"]
    assert _events(cast)[-1] == (
        "updated",
        {"city": ["Leeds", "York"], "since": ["2019-03-01", None], "note": ["Pays on Fridays.", ""],
         "tags": [["north", "wholesale"], ["north"]]},
    )  # fmt: skip
    assert faults(api.patch(f"customers/{made['id']}", {"name": None})) == {"#/name": "null"}


def test_writes_nothing_when_nothing_differs(api: Caller, cast: Cast) -> None:
    made = api.post("customers", BROOK).json()
    for answer in (
        api.patch(f"customers/{made['id']}", {}),
        api.patch(f"customers/{made['id']}", made),  # what was read may be sent back as it is
        api.put("customers/by-external/erp/K-17", BROOK),
        api.post(f"customers/{made['id']}/external-ids", {"source": "erp", "external_id": "K-17"}),
    ):
        assert answer.status_code == 200, answer.content
        assert answer["Outcome"] == "unchanged"
        assert answer.json() == made
    assert len(_events(cast)) == 1


def test_upserts_by_what_a_system_calls_it(api: Caller, cast: Cast) -> None:
    plain = {k: v for k, v in BROOK.items() if k != "external_ids"}
    first = api.put("customers/by-external/erp/K-17", plain)
    assert (first.status_code, first["Outcome"]) == (201, "created")
    assert first.json()["external_ids"] == [{"source": "erp", "external_id": "K-17"}]
    second = api.put("customers/by-external/erp/K-17", {"city": "York"})
    assert (second.status_code, second["Outcome"]) == (200, "updated")
    assert second.json()["id"] == first.json()["id"]
    assert second.json()["name"] == "Brook & Sons"
    # Another system's name for it is added; then it is found by either, also with a slash in it.
    api.post(f"customers/{first.json()['id']}/external-ids", {"source": "shop", "external_id": "A/12"})
    for path in ("erp/K-17", "shop/A/12", "shop/A%2F12"):
        assert api.get(f"customers/by-external/{path}").json()["id"] == first.json()["id"]
    assert api.put("customers/by-external/shop/A/12", {"city": "Hull"}).json()["city"] == "Hull"
    with tenant_scope(cast.tenant):
        assert Customer.objects.count() == 1


def test_needs_a_name_for_a_new_one_only(api: Caller) -> None:
    assert faults(api.put("customers/by-external/erp/K-17", {"city": "York"})) == {"#/name": "required"}
    assert api.put("customers/by-external/erp/K-17", {"name": "Brook & Sons"}).status_code == 201
    assert api.put("customers/by-external/erp/K-17", {"city": "York"}).status_code == 200


def test_refuses_names_that_do_not_fit(api: Caller) -> None:
    answer = api.put(f"customers/by-external/{'s' * 31}/{'1' * 101}", {"name": "Brook & Sons"})
    assert faults(answer) == {"#/external_ids/0/source": "max_length", "#/external_ids/0/external_id": "max_length"}


@pytest.mark.parametrize(
    "owner", ["999999", "x", 5, {"email": "nobody@acme.example"}, {"name": "Ann"}, {}, ["1"], True]
)
def test_refuses_an_owner_that_is_nobody(api: Caller, owner: object) -> None:
    assert set(faults(api.post("customers", {"name": "Brook & Sons", "owner_a": owner}))) == {"#/owner_a"}


def test_refuses_the_same_person_twice(api: Caller, cast: Cast) -> None:
    both = {"owner_a": str(cast.ann.pk), "owner_b": str(cast.ann.pk)}
    assert faults(api.post("customers", {"name": "Brook & Sons"} | both)) == {"#/owner_b": "same_owner"}
    customer = cast.customer()
    assert faults(api.patch(f"customers/{customer.pk}", both)) == {"#/owner_b": "same_owner"}


def test_moves_open_follow_ups_to_the_new_owner(api: Caller, cast: Cast) -> None:
    customer = cast.customer()
    with tenant_scope(cast.tenant):
        follow_up = FollowUp.objects.create(
            customer=customer, assignee=cast.ann, kind="light_touch", rule="manual", period="1", due_on="2026-11-20"
        )
    answer = api.patch(f"customers/{customer.pk}", {"owner_a": {"email": "lea@acme.example"}, "city": "York"})
    assert answer["Outcome"] == "updated"
    assert answer.json()["owner_a"] == str(cast.lea.pk)
    assert answer.json()["owner_b"] == str(cast.bo.pk)
    with tenant_scope(cast.tenant):
        follow_up.refresh_from_db()
        assert follow_up.assignee == cast.lea
    assert [verb for verb, _changes in _events(cast)] == ["updated", "owners_changed"]


def test_shows_everybody_only_their_customers(call_as, cast: Cast) -> None:
    cast.customer("Ann's", owner_b=None)
    cast.customer("Covered by Ann", owner_a=cast.bo, owner_b=cast.ann)
    cast.customer("Bo's", owner_a=cast.bo, owner_b=None)
    cast.customer("Nobody's", owner_a=None, owner_b=None)
    seen = {
        name: {row["name"] for row in call_as(getattr(cast, name)).get("customers").json()["results"]}
        for name in ("ann", "bo", "lea", "eve", "ada", "ian")
    }
    everything = {"Ann's", "Covered by Ann", "Bo's", "Nobody's"}
    assert seen["ann"] == {"Ann's", "Covered by Ann"}
    assert seen["bo"] == {"Covered by Ann", "Bo's"}
    assert seen["lea"] == seen["eve"] == seen["ada"] == seen["ian"] == everything
    counted = call_as(cast.ann).get("customers", count="exact").json()["count"]
    assert counted == 2


def test_keeps_account_managers_to_their_own(call_as, cast: Cast) -> None:
    ann = call_as(cast.ann)
    own, other = cast.customer("Ann's"), cast.customer("Bo's", owner_a=cast.bo, owner_b=None)
    with tenant_scope(cast.tenant):
        other.external_ids.create(source="erp", value="K-17")
    assert ann.patch(f"customers/{own.pk}", {"city": "York"}).status_code == 200
    for answer in (
        ann.get(f"customers/{other.pk}"),
        ann.patch(f"customers/{other.pk}", {"city": "York"}),
        ann.get("customers/by-external/erp/K-17"),
        ann.put("customers/by-external/erp/K-17", {"city": "York"}),
        ann.post(f"customers/{other.pk}/external-ids", {"source": "crm", "external_id": "1"}),
    ):
        assert answer.status_code == 404
    row = ann.post("customers/batch", {"rows": [{"source": "erp", "external_id": "K-17", "city": "York"}]}).json()
    assert row["results"][0]["problem"]["status"] == 404
    with tenant_scope(cast.tenant):
        other.refresh_from_db()
        assert other.city == ""


def test_makes_whoever_sees_only_their_own_the_owner(call_as, cast: Cast) -> None:
    ann = call_as(cast.ann)
    made = ann.post("customers", {"name": "Brook & Sons"}).json()
    assert made["owner_a"] == str(cast.ann.pk)
    assert ann.put("customers/by-external/erp/1", {"name": "Other"}).json()["owner_a"] == str(cast.ann.pk)
    assert faults(ann.post("customers", {"name": "x", "owner_a": str(cast.bo.pk)})) == {"#/owner_a": "forbidden"}
    assert faults(ann.patch(f"customers/{made['id']}", {"owner_a": None})) == {"#/owner_a": "forbidden"}
    assert ann.patch(f"customers/{made['id']}", {"owner_a": str(cast.ann.pk)})["Outcome"] == "unchanged"
    lea = call_as(cast.lea)
    assert lea.patch(f"customers/{made['id']}", {"owner_a": str(cast.bo.pk)}).json()["owner_a"] == str(cast.bo.pk)


def test_filters(api: Caller, cast: Cast) -> None:
    brook = cast.customer("Brook & Sons", country="GB", owner_b=None)
    cast.customer("华信建材", country="CN", owner_a=cast.bo, owner_b=cast.ann, closed_on="2026-01-01")
    cast.customer("Nobody's", owner_a=None, owner_b=None)
    with tenant_scope(cast.tenant):
        brook.external_ids.create(source="erp", value="K-17")
        for name in ("north", "south"):
            tag = Tag.objects.create(name=name)
            if name == "north":
                brook.tags.add(tag, through_defaults={"tenant": cast.tenant})

    def found(**query: object) -> set[str]:
        answer = api.get("customers", **query)
        assert answer.status_code == 200, answer.content
        return {row["name"] for row in answer.json()["results"]}

    assert found(q="broo") == found(q="k-1") == found(country="gb") == found(tag="north") == {"Brook & Sons"}
    assert found(q="华信") == found(owner_b=cast.ann.pk) == found(closed="true") == {"华信建材"}
    assert found(owner_a=cast.ann.pk) == {"Brook & Sons"}
    assert found(owner_a="null") == {"Nobody's"}
    assert found(tag="south") == found(q="nothing") == set()
    assert found(closed="false") == {"Brook & Sons", "Nobody's"}
    assert found(tag="north", owner_a=cast.bo.pk) == set()
    assert faults(api.get("customers", tag="west")) == {"?tag": "invalid_choice"}
    assert faults(api.get("customers", owner_a="999999")) == {"?owner_a": "invalid_choice"}


def test_takes_the_potential_and_notes_what_changed(api: Caller, cast: Cast) -> None:
    made = api.post("customers", BROOK | {"industry_position": 4, "growth_potential": "medium"}).json()
    assert (made["industry_position"], made["growth_potential"]) == (4, "medium")
    one = f"customers/{made['id']}"
    assert api.patch(one, {"industry_position": None, "growth_potential": "high"})["Outcome"] == "updated"
    assert _events(cast)[-1][1] == {"industry_position": [4, None], "growth_potential": ["medium", "high"]}
    assert api.patch(one, {"growth_potential": None}).json()["growth_potential"] == ""
    rows = [BROOK | {"external_ids": [], "source": "erp", "external_id": "K-17", "industry_position": 5}]
    assert api.post("customers/batch", {"mode": "partial", "rows": rows}).json()["results"][0]["status"] == "updated"
    assert api.get(one).json()["industry_position"] == 5
    wrong = faults(api.patch(one, {"industry_position": 6, "growth_potential": "endless"}))
    assert wrong == {"#/industry_position": "max_value", "#/growth_potential": "invalid_choice"}
