from customers.models import Order
from tenants.context import tenant_scope
from tenants.models import Event
from tests.api.conftest import Caller, faults
from tests.api.test_orders import ORDER
from tests.conftest import Cast


def test_opens_and_solves_a_complaint(api: Caller, cast: Cast) -> None:
    customer = cast.customer()
    said = {"customer": str(customer.pk), "topic": "Late", "severity": "serious", "opened_at": "2026-11-18T10:00:00Z"}
    made = api.put("complaints/by-external/crm/1", said)
    assert made.status_code == 201, made.content
    assert api.put("complaints/by-external/crm/1", said)["Outcome"] == "unchanged"
    complaint = made.json()
    assert complaint["solved_at"] is None
    assert [row["id"] for row in api.get("complaints", solved="false").json()["results"]] == [complaint["id"]]
    too_early = {"solved_at": "2026-11-17T10:00:00Z"}
    assert faults(api.post(f"complaints/{complaint['id']}/solve", too_early)) == {"#/solved_at": "before_opened"}
    solved = api.post(f"complaints/{complaint['id']}/solve", {"first_time": True})
    assert solved.status_code == 200, solved.content
    assert solved.json()["solved_at"]
    assert solved.json()["first_time"] is True
    assert api.get("complaints", solved="false").json()["results"] == []
    with tenant_scope(cast.tenant):
        verbs = Event.objects.filter(object_type="complaint").order_by("id").values_list("verb", flat=True)
        assert list(verbs) == ["opened", "solved"]


def test_belongs_to_an_order_of_the_same_customer(api: Caller, cast: Cast) -> None:
    customer, other = cast.customer(), cast.customer("Other")
    order = api.put("orders/by-external/erp/1001", ORDER | {"customer": str(customer.pk)})
    assert order.status_code == 201, order.content
    said = {"customer": str(customer.pk), "topic": "Late", "order": {"source": "erp", "external_id": "1001"}}
    assert api.post("complaints", said).json()["order"] == order.json()["id"]
    assert faults(api.post("complaints", said | {"customer": str(other.pk)})) == {"#/order": "other_customer"}
    with tenant_scope(cast.tenant):
        assert Order.objects.count() == 1
