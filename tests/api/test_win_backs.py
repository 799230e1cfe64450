import datetime as dt
from decimal import Decimal

from risk.models import WinBack
from tenants.context import tenant_scope
from tests.api.conftest import Caller, faults
from tests.conftest import Cast

DAY = dt.date(2026, 11, 2)


def lapse(cast: Cast, name: str, expected: int) -> str:
    customer = cast.customer(name)
    with tenant_scope(cast.tenant):
        row = WinBack.objects.create(
            customer=customer, last_order_on=DAY - dt.timedelta(days=400), lapsed_on=DAY - dt.timedelta(days=34),
            orders=3, yearly=Decimal(1000), chance=0.25, expected=expected,
        )  # fmt: skip
        return str(row.pk)


def test_ranks_offers_and_answers(call_as, cast: Cast) -> None:
    small, big = lapse(cast, "Small", 10), lapse(cast, "Big", 250)
    ann: Caller = call_as(cast.ann)
    rows = ann.get("win-backs", ordering="-expected").json()["results"]
    assert [(row["id"], row["expected"], row["chance"]) for row in rows] == [
        (big, "250.00", 0.25), (small, "10.00", 0.25),
    ]  # fmt: skip
    made = ann.post(f"win-backs/{big}/offer", {"offer": "trial", "terms": "30 days"})
    assert made.status_code == 200, made.content
    attempt = made.json()["attempts"][0]
    assert (made.json()["status"], attempt["offer"], attempt["result"]) == ("tried", "trial", "waiting")
    answered = ann.post(f"win-backs/{big}/answer", {"attempt": attempt["id"], "result": "declined"})
    assert answered.json()["attempts"][0]["result"] == "declined"
    assert ann.post(f"win-backs/{small}/answer", {"attempt": attempt["id"], "result": "declined"}).status_code == 404
    assert faults(ann.post(f"win-backs/{big}/offer", {"offer": "moon"})) == {"#/offer": "invalid_choice"}
    assert ann.post(f"win-backs/{big}/give-up", {"reason": "Moved"}).json()["status"] == "given_up"
    assert ann.post(f"win-backs/{big}/take-up", {}).json()["status"] == "tried"
    assert [row["id"] for row in ann.get("win-backs", offer="trial").json()["results"]] == [big]
    assert ann.get("win-backs/rates").json() == {"rates": []}


def test_walks_a_complaint_through_its_steps(call_as, cast: Cast) -> None:
    ann: Caller = call_as(cast.ann)
    made = ann.post("complaints", {"customer": str(cast.customer().pk), "topic": "Late", "kind": "logistics"}).json()
    assert (made["kind"], made["status"], made["due_at"]) == ("logistics", "open", None)
    place = f"complaints/{made['id']}"
    first = ann.post(f"{place}/apologise", {"note": "Sorry"}).json()
    assert (first["status"], first["assignee"]) == ("apologised", str(cast.ann.pk))
    assert first["due_at"] is not None
    assert faults(ann.post(f"{place}/promise", {"until": "2020-01-01T00:00:00Z"})) == {"#/until": "in_the_past"}
    assert ann.post(f"{place}/promise", {"until": "2036-01-01T00:00:00Z"}).json()["status"] == "promised"
    assert ann.post(f"{place}/progress", {"text": "Found"}).status_code == 200
    assert ann.post(f"{place}/solve", {"solution": "Sent again"}).json()["solution"] == "Sent again"
    assert ann.post(f"{place}/call-back", {"is_content": False}).json()["reopened"] == 1
    assert ann.post(f"{place}/take-back", {}).json()["status"] == "apologised"
    handed = ann.post(f"{place}/hand-on", {"kind": "quality", "assignee": {"email": "bo@acme.example"}}).json()
    assert (handed["kind"], handed["assignee"]) == ("quality", str(cast.bo.pk))
    assert [row["id"] for row in ann.get("complaints", state="open", kind="quality").json()["results"]] == [made["id"]]
    assert call_as(cast.eve).post(f"{place}/apologise", {}).status_code == 403
