from customers.models import Contact
from tenants.context import tenant_scope
from tests.api.conftest import Caller, faults
from tests.conftest import Cast

PRIYA = {
    "name": "Priya Shah", "title": "Buyer", "email": "priya@brook.example", "phone": "+44 20 7946 0000", "wechat": "",
    "birthday": "1984-02-29", "channel": "phone", "language": "en", "consent": "given", "consent_on": "2025-01-31",
    "is_main": True,
}  # fmt: skip


def test_creates_changes_and_upserts_a_contact(api: Caller, cast: Cast) -> None:
    customer = cast.customer()
    made = api.post("contacts", PRIYA | {"customer": str(customer.pk)})
    assert made.status_code == 201, made.content
    body = made.json()
    assert {k: body[k] for k in PRIYA} == PRIYA
    assert body["customer"] == str(customer.pk)
    assert api.patch(f"contacts/{body['id']}", {"birthday": None, "title": None}).json()["title"] == ""
    # A contact that was typed in gets its name in another system afterwards.
    named = api.patch(f"contacts/{body['id']}", {"source": "crm", "external_id": "7"})
    assert named["Outcome"] == "updated"
    assert api.put("contacts/by-external/crm/7", {"phone": "1"}).json()["id"] == body["id"]
    assert api.put("contacts/by-external/crm/7", {"phone": "1"})["Outcome"] == "unchanged"


def test_finds_the_customer_by_what_the_same_system_calls_it(api: Caller, cast: Cast) -> None:
    customer = cast.customer()
    with tenant_scope(cast.tenant):
        customer.external_ids.create(source="crm", value="K-17")
    for path, ref in (("crm/1", {"external_id": "K-17"}), ("shop/1", {"source": "crm", "external_id": "K-17"})):
        answer = api.put(f"contacts/by-external/{path}", {"name": "Priya Shah", "customer": ref})
        assert answer.status_code == 201, answer.content
        assert answer.json()["customer"] == str(customer.pk)
    missing = api.put("contacts/by-external/shop/2", {"name": "x", "customer": {"external_id": "K-17"}})
    assert faults(missing) == {"#/customer": "not_found"}
    assert faults(api.post("contacts", {"name": "x"})) == {"#/customer": "required"}


def test_lets_one_be_the_first_to_ask(api: Caller, cast: Cast) -> None:
    customer = str(cast.customer().pk)
    first = api.post("contacts", PRIYA | {"customer": customer}).json()
    second = api.post("contacts", PRIYA | {"customer": customer, "name": "Jo"}).json()
    assert second["is_main"]
    assert not api.get(f"contacts/{first['id']}").json()["is_main"]


def test_refuses_wrong_fields_all_at_once(api: Caller, cast: Cast) -> None:
    wrong = {"name": "", "email": "x", "channel": "pigeon", "consent": "maybe", "birthday": "0001-01-01", "is_main": 5}
    assert faults(api.post("contacts", wrong | {"customer": "1"})) == {
        "#/name": "blank", "#/email": "invalid", "#/channel": "invalid_choice", "#/consent": "invalid_choice",
        "#/birthday": "out_of_range", "#/is_main": "invalid", "#/customer": "not_found",
    }  # fmt: skip


def test_refuses_a_name_that_is_taken_or_differs_from_the_address(api: Caller, cast: Cast) -> None:
    customer = str(cast.customer().pk)
    named = {"customer": customer, "name": "Priya Shah", "source": "crm", "external_id": "7"}
    assert api.post("contacts", named).status_code == 201
    again = api.post("contacts", named)
    assert again.status_code == 409
    assert faults(again) == {"#/external_id": "taken"}
    assert api.put("contacts/by-external/crm/7", named).status_code == 200
    assert faults(api.put("contacts/by-external/crm/8", named)) == {"#/external_id": "differs"}


def test_keeps_account_managers_to_their_own(call_as, cast: Cast) -> None:
    ann = call_as(cast.ann)
    own, other = cast.customer(), cast.customer("Bo's", owner_a=cast.bo, owner_b=None)
    assert ann.post("contacts", {"name": "x", "customer": str(own.pk)}).status_code == 201
    assert faults(ann.post("contacts", {"name": "x", "customer": str(other.pk)})) == {"#/customer": "not_found"}
    with tenant_scope(cast.tenant):
        theirs = Contact.objects.create(customer=other, name="Theirs", source="crm", external_id="9")
    assert ann.get(f"contacts/{theirs.pk}").status_code == 404
    assert ann.put("contacts/by-external/crm/9", {"name": "x"}).status_code == 404
    assert len(ann.get("contacts").json()["results"]) == 1


def test_filters(api: Caller, cast: Cast) -> None:
    customer = cast.customer()
    api.post("contacts", PRIYA | {"customer": str(customer.pk)})
    api.post("contacts", {"name": "Jo", "customer": str(cast.customer("Other").pk)})

    def found(**query: object) -> set[str]:
        return {row["name"] for row in api.get("contacts", **query).json()["results"]}

    assert found(customer=customer.pk) == found(consent="given") == {"Priya Shah"}
    for typed in ("priya s", "PRIYA@brook", "020 7946 0000", "+44 20 7946 0000"):
        assert found(q=typed) == {"Priya Shah"}, typed
    assert found(q="brook") == set()
    assert found(customer=999999) == set()
