import datetime as dt

from django.utils import timezone

from customers.models import Contact, Interaction
from tenants.context import tenant_scope
from tests.api.conftest import Caller, faults
from tests.conftest import Cast


def test_logs_a_contact(api: Caller, call_as, cast: Cast) -> None:
    customer = cast.customer()
    said = {
        "customer": str(customer.pk),
        "channel": "phone",
        "topic": "Spring range",
        "answered": True,
        "note": "Wants it.",
    }
    made = call_as(cast.ann).post("interactions", said)
    assert made.status_code == 201, made.content
    body = made.json()
    assert {k: body[k] for k in said} == said
    assert (body["direction"], body["kind"], body["member"]) == ("outbound", "light_touch", str(cast.ann.pk))
    by_crm = api.post("interactions", said | {"member": {"email": "bo@acme.example"}}).json()
    assert by_crm["member"] == str(cast.bo.pk)
    assert api.post("interactions", said).json()["member"] is None  # an integration does not talk to customers


def test_upserts_and_patches(api: Caller, cast: Cast) -> None:
    customer = cast.customer()
    said = {"customer": str(customer.pk), "channel": "wechat", "at": "2026-11-20T10:00:00Z"}
    assert api.put("interactions/by-external/crm/5", said)["Outcome"] == "created"
    assert api.put("interactions/by-external/crm/5", said)["Outcome"] == "unchanged"
    solved = api.put("interactions/by-external/crm/5", {"solved": True})
    assert solved["Outcome"] == "updated"
    assert api.patch(f"interactions/{solved.json()['id']}", {"solved": None}).json()["solved"] is None


def test_refuses_what_cannot_be(api: Caller, cast: Cast) -> None:
    customer, other = cast.customer(), cast.customer("Other")
    with tenant_scope(cast.tenant):
        theirs = Contact.objects.create(customer=other, name="Theirs")
    future = (timezone.now() + dt.timedelta(days=2)).isoformat()
    said = {"customer": str(customer.pk), "channel": "phone"}
    assert faults(api.post("interactions", said | {"at": future, "contact": str(theirs.pk)})) == {
        "#/at": "in_the_future", "#/contact": "other_customer",
    }  # fmt: skip
    assert faults(api.post("interactions", {"channel": "pigeon"})) == {
        "#/customer": "required", "#/channel": "invalid_choice",
    }  # fmt: skip
    with tenant_scope(cast.tenant):
        assert not Interaction.objects.exists()
    assert api.post("interactions", said | {"contact": None}).status_code == 201


def test_filters(api: Caller, cast: Cast) -> None:
    customer = cast.customer()
    for day, channel in ((18, "phone"), (19, "visit")):
        said = {"customer": str(customer.pk), "channel": channel, "at": f"2026-11-{day}T10:00:00Z"}
        assert api.post("interactions", said | {"member": str(cast.ann.pk)}).status_code == 201

    def found(**query: object) -> list[str]:
        return [row["channel"] for row in api.get("interactions", **query).json()["results"]]

    assert found(since="2026-11-19T00:00:00Z") == found(channel="visit") == ["visit"]
    assert found(until="2026-11-19T00:00:00Z") == ["phone"]
    assert found(member=cast.ann.pk, ordering="-at") == ["visit", "phone"]
    assert found(member=cast.bo.pk) == found(kind="deep_talk") == []
