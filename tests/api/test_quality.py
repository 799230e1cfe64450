"""The API of quality review: the sample, findings, mystery visits, results per person."""

from __future__ import annotations

import datetime as dt

import pytest

from customers.models import Interaction
from followups.models import QualityReview
from followups.quality import services as quality
from tenants.context import tenant_scope
from tests.api.conftest import faults
from tests.conftest import Cast

NOON = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)
FOUND = {"score": 2, "problem_kind": "slow", "problem": "Two days", "cause": "Nobody on duty", "measure": "A rota"}


@pytest.fixture
def review(cast: Cast, time_machine) -> QualityReview:
    time_machine.move_to(NOON, tick=False)
    customer = cast.customer()
    with tenant_scope(cast.tenant):
        at = dt.datetime(2026, 10, 9, 9, tzinfo=dt.UTC)
        Interaction.objects.create(customer=customer, member=cast.ann, channel="phone", at=at)
        quality.draw_month(NOON.date())
        found: QualityReview = QualityReview.objects.get()
        return found


def test_lists_and_reviews_the_sample(call_as, cast: Cast, review: QualityReview) -> None:
    lea = call_as(cast.lea)
    row = lea.get("quality-reviews").json()["results"][0]
    assert (row["state"], row["member"], row["month"]) == ("waiting", str(cast.ann.pk), "2026-10-01")
    path = f"quality-reviews/{row['id']}/review"
    assert faults(lea.post(path, {"score": 9})) == {"#/score": "max_value"}
    assert faults(lea.post(path, FOUND | {"cause": ""})) == {"#/cause": "required"}
    done = lea.post(path, FOUND)
    assert (done["Outcome"], done.json()["state"], done.json()["reviewer"]) == ("updated", "problem", str(cast.lea.pk))
    assert lea.post(path, FOUND)["Outcome"] == "unchanged"
    assert call_as(cast.ann).get("quality-reviews").json()["results"][0]["measure"] == "A rota"
    assert call_as(cast.ann).post(path, FOUND).status_code == 403
    assert call_as(cast.otto).get(f"quality-reviews/{row['id']}").status_code == 404


def test_nobody_reviews_themselves(call_as, cast: Cast, review: QualityReview) -> None:
    with tenant_scope(cast.tenant):
        QualityReview.objects.update(member=cast.ada)
    refused = call_as(cast.ada).post(f"quality-reviews/{review.pk}/review", FOUND)
    assert refused.status_code == 403
    assert refused["Content-Type"] == "application/problem+json"


def test_writes_and_changes_a_mystery_visit(call_as, cast: Cast, time_machine) -> None:
    time_machine.move_to(NOON, tick=False)
    eve = call_as(cast.eve)
    fields = {"on": "2026-11-19", "channel": "store", "scene": "Green tiles", "score": 4, "member": str(cast.ann.pk)}
    assert faults(eve.post("mystery-visits", {"on": "2026-11-30", "scene": ""})) == {
        "#/channel": "required", "#/scene": "blank", "#/score": "required",
    }  # fmt: skip
    assert faults(eve.post("mystery-visits", fields | {"on": "2026-11-30"})) == {"#/on": "in_the_future"}
    made = eve.post("mystery-visits", fields)
    assert (made.status_code, made.json()["visitor"], made.json()["state"]) == (201, str(cast.eve.pk), "good")
    changed = eve.patch(f"mystery-visits/{made.json()['id']}", {"score": 3})
    assert (changed["Outcome"], changed.json()["score"], changed.json()["scene"]) == ("updated", 3, "Green tiles")
    assert call_as(cast.ann).get("mystery-visits").status_code == 403


def test_tells_the_results_of_each_person(call_as, cast: Cast, review: QualityReview) -> None:
    lea = call_as(cast.lea)
    lea.post(f"quality-reviews/{review.pk}/review", FOUND)
    said = lea.get("figures/quality", start="2026-10-15", end="2026-10-20").json()
    assert (said["start"], said["end"]) == ("2026-10-01", "2026-10-31")
    (row,) = said["people"]
    assert (row["member"], row["contacts"], row["drawn"], row["reviewed"], row["good"]) == (
        str(cast.ann.pk),
        1,
        1,
        1,
        0,
    )
    assert row["problems"] == {"slow": 1}
    assert call_as(cast.bo).get("figures/quality", start="2026-10-15", end="2026-10-20").json()["people"] == []
