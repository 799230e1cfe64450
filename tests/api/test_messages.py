"""Messages over the API: through the governor, once by reference, and always with the reason."""

import datetime as dt

import pytest

from customers.models import Contact
from followups.models import Message, OptOut
from tenants.context import tenant_scope
from tests.api.conftest import Caller, faults
from tests.conftest import Cast

NOON = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)


@pytest.fixture(autouse=True)
def _friday_noon(time_machine) -> None:
    time_machine.move_to(NOON, tick=False)


@pytest.fixture
def mei(cast: Cast) -> Contact:
    customer = cast.customer("Brook & Sons")
    with tenant_scope(cast.tenant):
        return Contact.objects.create(
            customer=customer, name="Mei Lin", email="mei@brook.example", source="erp", external_id="P-1"
        )


def said(mei: Contact, **fields: object) -> dict[str, object]:
    usual = {
        "contact": str(mei.pk), "channel": "email", "purpose": "news", "subject": "New tiles", "body": "They are here.",
        "reference": "tiles-2026-11",
    }  # fmt: skip
    return usual | fields


def test_it_sends_one_message_by_reference(api: Caller, cast: Cast, mei: Contact) -> None:
    first = api.post("messages", said(mei))
    assert first.status_code == 201, first.content
    row = first.json()
    assert (row["status"], row["why"], row["why_words"], row["origin"]) == ("queued", "", "", "api")
    assert first["Location"] == f"/api/v1/messages/{row['id']}"
    again = api.post("messages", said(mei, contact={"source": "erp", "external_id": "P-1"}, body="Other words"))
    assert (again.status_code, again["Outcome"], again.json()["id"]) == (200, "unchanged", row["id"])
    assert again.json()["body"] == "They are here."
    assert api.get(f"messages/{row['id']}").json() == row
    assert [each["id"] for each in api.get("messages", status="queued").json()["results"]] == [row["id"]]


def test_it_says_why_a_message_is_held_or_blocked(api: Caller, cast: Cast, mei: Contact, time_machine) -> None:
    blocked = api.post("messages", said(mei, channel="sms")).json()
    assert (blocked["status"], blocked["why"]) == ("blocked", "channel_off")
    assert blocked["why_words"] == "The channel is not set up or switched off: SMS."
    time_machine.move_to(NOON.replace(hour=21))
    held = api.post("messages", said(mei)).json()
    assert (held["status"], held["why"], held["due_at"]) == ("held", "quiet", "2026-11-21T08:30:00Z")


def test_it_waits_until_the_moment_that_was_asked_for(api: Caller, mei: Contact) -> None:
    row = api.post("messages", said(mei, not_before="2026-11-23T10:00:00Z")).json()
    assert (row["status"], row["due_at"]) == ("queued", "2026-11-23T10:00:00Z")


@pytest.mark.parametrize(
    ("wrong", "fault"),
    [
        ({"body": ""}, {"#/body": "blank"}),
        ({"subject": ""}, {"#/subject": "invalid"}),
        ({"channel": "phone"}, {"#/channel": "invalid_choice"}),
        ({"purpose": "spam"}, {"#/purpose": "invalid_choice"}),
        ({"to": "x"}, {"#/to": "unknown_field"}),
    ],
)
def test_it_names_what_is_wrong(api: Caller, mei: Contact, wrong: dict[str, str], fault: dict[str, str]) -> None:
    answer = api.post("messages", said(mei, **wrong))
    assert answer.status_code == 400
    assert faults(answer) == fault


def test_it_reaches_no_contact_that_the_member_does_not_see(call_as, cast: Cast, mei: Contact) -> None:
    with tenant_scope(cast.tenant):
        type(mei.customer).objects.update(owner_a=None, owner_b=None)
    answer = call_as(cast.ann).post("messages", said(mei))
    assert answer.status_code == 400
    assert "#/contact" in faults(answer)


def test_it_asks_the_governor_without_sending(api: Caller, cast: Cast, mei: Contact) -> None:
    ask = {"contact": str(mei.pk), "channel": "email", "purpose": "survey"}
    yes = api.post("messages/verdict", ask)
    assert yes.json() == {"allowed": True, "not_before": "2026-11-20T12:00:00Z", "why": "", "why_words": ""}
    later = api.post("messages/verdict", ask | {"at": "2026-11-20T22:00:00Z"}).json()
    assert (later["allowed"], later["not_before"], later["why"]) == (False, "2026-11-21T08:30:00Z", "quiet")
    with tenant_scope(cast.tenant):
        OptOut.objects.create(contact=mei, channel="email", how="link")
        never = api.post("messages/verdict", ask).json()
        assert (never["allowed"], never["not_before"], never["why"]) == (False, None, "opted_out")
        assert not Message.objects.exists()


def test_it_withdraws_and_sends_again(api: Caller, cast: Cast, mei: Contact) -> None:
    row = api.post("messages", said(mei)).json()
    assert api.post(f"messages/{row['id']}/cancel").json()["status"] == "cancelled"
    assert api.post(f"messages/{row['id']}/again").json()["status"] == "queued"
    with tenant_scope(cast.tenant):
        Message.objects.update(status="sent")
    for verb in ("cancel", "again", "confirm"):
        answer = api.post(f"messages/{row['id']}/{verb}")
        assert answer.status_code == (200 if verb == "confirm" else 409), verb


def test_it_keeps_opt_outs(api: Caller, cast: Cast, mei: Contact) -> None:
    out = api.post("opt-outs", {"contact": str(mei.pk), "channel": "email", "note": "by phone"})
    assert (out.status_code, out.json()["how"]) == (201, "person")
    assert api.post("opt-outs", {"contact": str(mei.pk), "channel": "email"}).status_code == 200
    assert api.post("messages", said(mei)).json()["why"] == "opted_out"
    assert len(api.get("opt-outs", contact=mei.pk).json()["results"]) == 1
    assert api.post(f"opt-outs/{out.json()['id']}/end").status_code == 200
    assert api.get("opt-outs").json()["results"] == []
    every = api.post("opt-outs", {"contact": str(mei.pk)})
    assert (every.status_code, every.json()["channel"]) == (201, "")


def test_it_lets_who_only_looks_send_nothing(call_as, cast: Cast, mei: Contact) -> None:
    eve = call_as(cast.eve)
    assert eve.post("messages", said(mei)).status_code == 403
    assert eve.post("opt-outs", {"contact": str(mei.pk)}).status_code == 403
    assert (
        eve.post("messages/verdict", {"contact": str(mei.pk), "channel": "email", "purpose": "care"}).status_code == 200
    )
