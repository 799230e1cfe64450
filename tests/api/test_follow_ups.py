import datetime as dt

import pytest

from customers.models import Interaction
from followups.models import FollowUp
from tenants.context import tenant_scope
from tests.api.conftest import Caller, faults
from tests.conftest import Cast


@pytest.fixture
def due(cast: Cast) -> FollowUp:
    """Ann should call a customer that Bo covers."""
    customer = cast.customer("Brook & Sons")
    with tenant_scope(cast.tenant):
        customer.external_ids.create(source="erp", value="K-17")
        return FollowUp.objects.create(
            customer=customer, assignee=cast.ann, kind="light_touch", rule="cadence:light_touch", period="2026-11-01",
            facts={"every_days": 30}, due_on=cast.tenant.today(),
        )  # fmt: skip


def test_lists_and_shows_what_to_do_and_why(api: Caller, cast: Cast, due: FollowUp) -> None:
    row = api.get("follow-ups", status="open").json()["results"][0]
    assert row == api.get(f"follow-ups/{due.pk}").json()
    assert (row["id"], row["customer"], row["assignee"]) == (str(due.pk), str(due.customer_id), str(cast.ann.pk))
    assert row["external_ids"] == [{"source": "erp", "external_id": "K-17"}]
    assert row["reason"]
    assert row["facts"] == {"every_days": 30}
    assert (row["status"], row["contact"], row["closed_at"]) == ("open", None, None)


def test_filters(api: Caller, cast: Cast, due: FollowUp) -> None:
    def found(**query: object) -> int:
        answer = api.get("follow-ups", **query)
        assert answer.status_code == 200, answer.content
        return len(answer.json()["results"])

    tomorrow, today = cast.tenant.today() + dt.timedelta(days=1), cast.tenant.today()
    assert found(assignee=cast.ann.pk) == found(due_before=tomorrow) == found(customer=due.customer_id) == 1
    assert found(status="done") == found(assignee=cast.bo.pk) == found(due_before=today) == found(assignee="null") == 0
    assert faults(api.get("follow-ups", status="late")) == {"?status": "invalid_choice"}


def test_completes_once(call_as, cast: Cast, due: FollowUp) -> None:
    ann = call_as(cast.ann)
    done = ann.post(f"follow-ups/{due.pk}/complete")
    assert done.status_code == 200, done.content
    assert (done["Outcome"], done.json()["status"], done.json()["closed_by"]) == ("updated", "done", str(cast.ann.pk))
    assert ann.post(f"follow-ups/{due.pk}/complete", {})["Outcome"] == "unchanged"
    late = call_as(cast.bo).post(f"follow-ups/{due.pk}/complete", {})
    assert late.status_code == 409
    assert faults(late) == {"#": "closed"}
    with tenant_scope(cast.tenant):
        assert Interaction.objects.count() == 1


def test_logs_the_contact_that_closed_it(call_as, cast: Cast, due: FollowUp) -> None:
    ann = call_as(cast.ann)
    said = {"channel": "visit", "answered": True, "about_competitor": True, "note": "Wants the spring range."}
    assert faults(ann.post(f"follow-ups/{due.pk}/complete", {"note": "x"})) == {"#/channel": "required"}
    done = ann.post(f"follow-ups/{due.pk}/complete", said).json()
    contact = ann.get(f"interactions/{done['interaction']}").json()
    assert {k: contact[k] for k in said} == said


def test_snoozes_with_a_reason(call_as, cast: Cast, due: FollowUp) -> None:
    ann = call_as(cast.ann)
    until = str(cast.tenant.today() + dt.timedelta(days=3))
    assert faults(ann.post(f"follow-ups/{due.pk}/snooze", {})) == {"#/until": "required", "#/reason": "required"}
    past = ann.post(f"follow-ups/{due.pk}/snooze", {"until": str(cast.tenant.today()), "reason": "later"})
    assert past.status_code == 400
    put_off = ann.post(f"follow-ups/{due.pk}/snooze", {"until": until, "reason": "later"})
    assert put_off.status_code == 200, put_off.content
    assert (put_off.json()["snoozed_until"], put_off.json()["snooze_reason"]) == (until, "later")


@pytest.mark.parametrize("verb", ["complete", "snooze"])
def test_is_only_for_those_who_see_the_customer_and_may(call_as, cast: Cast, due: FollowUp, verb: str) -> None:
    with tenant_scope(cast.tenant):
        due.customer.owner_b = None
        due.customer.save()
    assert call_as(cast.bo).post(f"follow-ups/{due.pk}/{verb}", {}).status_code == 404
    assert call_as(cast.eve).post(f"follow-ups/{due.pk}/{verb}", {}).status_code == 403
    assert call_as(cast.ann, ("follow-ups:read",)).post(f"follow-ups/{due.pk}/{verb}", {}).status_code == 403
    with tenant_scope(cast.tenant):
        due.refresh_from_db()
        assert (due.status, due.snoozed_until) == ("open", None)


def test_agrees_the_next_touch_once(call_as, cast: Cast, due: FollowUp) -> None:
    ann, day = call_as(cast.ann), str(cast.tenant.today() + dt.timedelta(days=9))
    said = {"customer": str(due.customer_id), "kind": "review", "due_on": day, "promised": True, "text": "Prices"}
    made = ann.post("follow-ups", said)
    assert made.status_code == 201, made.content
    row = made.json()
    assert (row["rule"], row["kind"], row["due_on"], row["assignee"]) == ("promise", "review", day, str(cast.ann.pk))
    assert "Prices" in row["reason"]
    again = ann.post("follow-ups", said)
    assert (again.status_code, again["Outcome"], again.json()["id"]) == (200, "unchanged", row["id"])
    named = said | {"customer": {"source": "erp", "external_id": "K-17"}, "kind": "report"}
    assert ann.post("follow-ups", named).status_code == 201
    past = ann.post("follow-ups", said | {"due_on": str(cast.tenant.today())})
    assert past.status_code == 400
    assert faults(ann.post("follow-ups", {})) == {
        "#/customer": "required",
        "#/kind": "required",
        "#/due_on": "required",
    }


def test_plans_the_next_touch_with_the_contact(call_as, cast: Cast, due: FollowUp) -> None:
    ann, day = call_as(cast.ann), cast.tenant.today() + dt.timedelta(days=9)
    said = {"channel": "phone", "answered": True, "next_on": str(day)}
    assert ann.post(f"follow-ups/{due.pk}/complete", said).status_code == 200
    with tenant_scope(cast.tenant):
        assert FollowUp.objects.get(rule="planned").due_on == day


def test_moves_and_assigns(call_as, cast: Cast, due: FollowUp) -> None:
    ann, day = call_as(cast.ann), str(cast.tenant.today() + dt.timedelta(days=4))
    assert ann.post(f"follow-ups/{due.pk}/move", {"to": day}).json()["snoozed_until"] == day
    assert ann.post(f"follow-ups/{due.pk}/move", {"to": "2020-01-01"}).status_code == 400
    given = ann.post(f"follow-ups/{due.pk}/assign", {"assignee": str(cast.bo.pk)})
    assert (given.status_code, given.json()["assignee"]) == (200, str(cast.bo.pk))
    assert ann.post(f"follow-ups/{due.pk}/assign", {"assignee": str(cast.lea.pk)}).status_code == 400


@pytest.mark.parametrize("verb", ["move", "assign"])
def test_moves_and_assigns_only_for_those_who_may(call_as, cast: Cast, due: FollowUp, verb: str) -> None:
    assert call_as(cast.eve).post(f"follow-ups/{due.pk}/{verb}", {}).status_code == 403
    assert call_as(cast.eve).post("follow-ups", {}).status_code == 403
    with tenant_scope(cast.tenant):
        due.customer.owner_b = None
        due.customer.save()
    assert call_as(cast.bo).post(f"follow-ups/{due.pk}/{verb}", {}).status_code == 404
