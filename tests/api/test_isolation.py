"""Another firm's rows: not listed, not found by any id or name, not referred to, not changed."""

from decimal import Decimal

import pytest

from customers.models import (
    Complaint,
    Contact,
    Customer,
    Evidence,
    Interaction,
    Order,
    Product,
    Referral,
    SurveyResponse,
)
from followups.models import (
    Absence,
    CareDay,
    Enrolment,
    FollowUp,
    Journey,
    Message,
    MysteryVisit,
    Notice,
    QualityReview,
    Script,
    Survey,
)
from health.models import BackTest, HealthScore, LapseForecast, Pulse
from incentives.models import Certification, Goal, Medal, PromotionNote, Report, Reward, Training, Upgrade
from risk.models import Alert, Case, Incident, WinBack
from segmentation.models import SavedSegment, Standing
from tenants.context import tenant_scope
from tenants.models import Member
from tests.api.conftest import Caller, faults
from tests.api.test_access import RESOURCES, WRITABLE
from tests.conftest import Cast
from tests.contracts.rows import playbook, playbook_run


def _journey(code: str = "theirs") -> Journey:
    definition = {"trigger": "silence", "steps": [{"code": "ask"}]}
    return Journey.objects.create(code=code, name="Theirs", trigger="silence", definition=definition)


NAME = {"source": "erp", "external_id": "1"}


@pytest.fixture
def theirs(cast: Cast) -> dict[str, int]:
    """One row of everything in globex: resource → id."""
    with tenant_scope(cast.other_tenant):
        customer = Customer.objects.create(name="Theirs", owner_a=cast.otto)
        customer.external_ids.create(source="erp", value="1")
        facts = {"customer": customer, **NAME}
        HealthScore.objects.create(
            customer=customer, band="none", known=0, order_days_count=0, spend_recent=0, spend_before=0,
            categories_recent=0, categories_before=0, policy_version=1,
        )  # fmt: skip
        Standing.objects.create(customer=customer, frequency=0, monetary=0, policy_version=1)
        LapseForecast.objects.create(customer=customer, percent=50, policy_version=1)
        return {
            "customers": customer.pk,
            "tiers": customer.pk,
            "scores": customer.pk,
            "forecasts": customer.pk,
            "back-tests": BackTest.objects.create(
                first="2026-05-01", last="2026-08-01", horizon_days=90, policy_version=1
            ).pk,
            "contacts": Contact.objects.create(name="Theirs", **facts).pk,
            "products": Product.objects.create(**NAME).pk,
            "orders": Order.objects.create(
                placed_at="2026-11-20T00:00Z",
                placed_on="2026-11-20",
                currency="CNY",
                net=Decimal(1),
                digest="x",
                **facts,
            ).pk,
            "interactions": Interaction.objects.create(channel="phone", **facts).pk,
            "complaints": Complaint.objects.create(topic="Late", **facts).pk,
            "survey-responses": SurveyResponse.objects.create(kind="nps", score=9, **facts).pk,
            "evidence": Evidence.objects.create(kind="endorsement", on="2026-11-20", **facts).pk,
            "referrals": Referral.objects.create(
                referrer=Customer.objects.create(name="Their friend"), on="2026-11-20", **facts
            ).pk,
            "rewards": Reward.objects.create(
                key="referral:1:1", kind="referral", customer=customer, earned_on="2026-11-20", policy_version=1
            ).pk,
            "upgrades": Upgrade.objects.create(customer=customer, on="2026-11-20", what="Theirs").pk,
            "goals": Goal.objects.create(
                quarter="2026-10-01", title="Theirs", kpi="csat", owner=cast.otto, baseline=80, target=90
            ).pk,
            "awards": Medal.objects.create(
                month="2026-10-01", kind="case", member=cast.otto, case_id=1, reason="Theirs"
            ).pk,
            "reports": Report.objects.create(
                kind="monthly", start="2026-10-01", as_of="2026-11-01", policy_version=1
            ).pk,
            "certifications": Certification.objects.create(member=cast.otto, quarter="2026-10-01").pk,
            "trainings": Training.objects.create(
                member=cast.otto,
                mentor=Member.objects.create(user=cast.ann.user, role="team_lead"),
                title="Theirs",
                starts_on="2026-11-01",
                due_on="2026-11-15",
                wanted=3,
            ).pk,
            "promotion-notes": PromotionNote.objects.create(
                member=cast.otto,
                first_quarter="2023-10-01",
                last_quarter="2026-07-01",
                job="sales",
                policy_version=1,
                raised_on="2026-11-20",
            ).pk,
            "pulses": Pulse.objects.create(customer=customer, member=cast.otto, band="red", reason="price").pk,
            "absences": Absence.objects.create(member=cast.otto, first="2026-11-20", last="2026-11-21").pk,
            "care-days": CareDay.objects.create(customer=customer, on="1998-12-01").pk,
            "follow-ups": FollowUp.objects.create(
                customer=customer, kind="light_touch", rule="manual", period="1", due_on="2026-11-20"
            ).pk,
            "segments": SavedSegment.objects.create(name="Theirs", member=cast.otto, is_shared=True).pk,
            "messages": Message.objects.create(
                customer=customer,
                contact=Contact.objects.create(name="Written to", customer=customer),
                channel="email",
                purpose="care",
                origin="manual",
                period="1",
                body="Theirs",
                due_at="2026-11-20T00:00Z",
            ).pk,
            "surveys": Survey.objects.create(
                customer=customer,
                contact=Contact.objects.create(name="Asked", customer=customer),
                kind="nps",
                cause="hand",
                period="1",
                channel="email",
                language="en",
                expires_at="2026-12-20T00:00Z",
            ).pk,
            "quality-reviews": QualityReview.objects.create(
                customer=customer,
                interaction=Interaction.objects.create(channel="phone", customer=customer),
                member=cast.otto,
                month="2026-10-01",
            ).pk,
            "mystery-visits": MysteryVisit.objects.create(
                on="2026-11-02", channel="store", scene="Tiles", score=5, visitor=cast.otto
            ).pk,
            "scripts": Script.objects.create(code="theirs", scene="regular", name="Theirs").pk,
            "journeys": _journey().pk,
            "enrolments": Enrolment.objects.create(
                journey=_journey("second"),
                customer=customer,
                event="order:1",
                event_at="2026-11-20T00:00Z",
                base_at="2026-11-20T00:00Z",
            ).pk,
            "alerts": Alert.objects.create(
                customer=customer,
                signal="order_silence",
                risk_class="demand",
                level="mild",
                period="1",
                opened_on="2026-11-20",
                due_at="2026-11-21T00:00Z",
                policy_version=1,
            ).pk,
            "notices": Notice.objects.create(member=cast.otto, kind="alerts_new", key="theirs").pk,
            "cases": Case.objects.create(
                customer=customer,
                risk_class="demand",
                outcome="lost",
                opened_on="2026-11-01",
                closed_on="2026-11-20",
            ).pk,
            "playbooks": playbook().pk,
            "playbook-runs": playbook_run().pk,
            "win-backs": WinBack.objects.create(
                customer=customer,
                last_order_on="2025-01-01",
                lapsed_on="2026-01-02",
                orders=1,
                yearly=1,
                chance=0.5,
                expected=1,
            ).pk,
            "incidents": Incident.objects.create(
                customer=customer, number=1, title="Theirs", level="major", policy_version=1, calendar_version=1
            ).pk,
            "members": cast.otto.pk,
        }


def test_their_ids_and_names_are_not_found(call_as, cast: Cast, theirs: dict[str, int]) -> None:
    api = call_as(cast.ada)
    assert set(theirs) == set(RESOURCES)
    for resource, pk in theirs.items():
        assert api.get(f"{resource}/{pk}").status_code == 404, resource
        if resource != "members":
            assert api.get(resource).json()["results"] == [], resource
    for resource in WRITABLE:
        assert api.patch(f"{resource}/{theirs[resource]}", {}).status_code == 404, resource
        assert api.get(f"{resource}/by-external/erp/1").status_code == 404, resource
    for path in (
        f"follow-ups/{theirs['follow-ups']}/complete",
        f"follow-ups/{theirs['follow-ups']}/snooze",
        f"complaints/{theirs['complaints']}/solve",
        *(f"alerts/{theirs['alerts']}/{verb}" for verb in ("act", "snooze", "wake", "assign", "close", "reopen")),
        f"notices/{theirs['notices']}/read",
        *(
            f"complaints/{theirs['complaints']}/{verb}"
            for verb in ("apologise", "promise", "progress", "call-back", "hand-on", "take-back")
        ),
        *(f"win-backs/{theirs['win-backs']}/{verb}" for verb in ("offer", "answer", "give-up", "take-up")),
        *(f"playbook-runs/{theirs['playbook-runs']}/{verb}" for verb in ("say", "skip", "stop", "hand-over", "undo")),
        *(
            f"incidents/{theirs['incidents']}/{verb}"
            for verb in ("level", "pause", "resume", "entries", "step-done", "close")
        ),
        f"evidence/{theirs['evidence']}/delete",
        f"referrals/{theirs['referrals']}/withdraw",
        f"upgrades/{theirs['upgrades']}/withdraw",
        f"reports/{theirs['reports']}/send",
        *(
            f"certifications/{theirs['certifications']}/{verb}"
            for verb in ("score", "confirm", "send-back", "reviewer")
        ),
        *(f"trainings/{theirs['trainings']}/{verb}" for verb in ("customers", "approve", "take-back", "end")),
        f"promotion-notes/{theirs['promotion-notes']}/settle",
        *(f"rewards/{theirs['rewards']}/{verb}" for verb in ("approve", "dispute")),
        f"customers/{theirs['customers']}/external-ids",
    ):
        assert api.post(path, {}).status_code == 404, path


def test_their_rows_cannot_be_referred_to(api: Caller, cast: Cast, theirs: dict[str, int]) -> None:
    own = str(cast.customer().pk)
    for ref in (str(theirs["customers"]), NAME):
        assert faults(api.post("contacts", {"name": "x", "customer": ref})) == {"#/customer": "not_found"}
    for owner in (str(cast.otto.pk), {"email": "otto@globex.example"}):
        assert faults(api.post("customers", {"name": "x", "owner_a": owner})) == {"#/owner_a": "not_found"}
    said = {"customer": own, "channel": "phone", "contact": str(theirs["contacts"])}
    assert faults(api.post("interactions", said)) == {"#/contact": "not_found"}
    said = {"customer": own, "topic": "x", "order": str(theirs["orders"])}
    assert faults(api.post("complaints", said)) == {"#/order": "not_found"}
    said = {"customer": own, "kind": "nps", "score": 9}
    strangers = {"contact": str(theirs["contacts"]), "complaint": str(theirs["complaints"])}
    refused = faults(api.post("survey-responses", said | strangers))
    assert refused == {"#/contact": "not_found", "#/complaint": "not_found"}
    said = {"customer": own, "kind": "referral", "on": "2026-01-02", "referred": str(theirs["customers"])}
    assert faults(api.post("evidence", said)) == {"#/referred": "not_found"}
    line = {"product": str(theirs["products"]), "quantity": "1", "unit_price": "1"}
    order = {"customer": own, "placed_at": "2026-11-20T00:00:00Z", "lines": [line]}
    assert faults(api.put("orders/by-external/erp/1", order)) == {"#/lines/0/product": "not_found"}
    assert faults(api.get("customers", owner_a=cast.otto.pk)) == {"?owner_a": "invalid_choice"}
    assert api.get("contacts", customer=theirs["customers"]).json()["results"] == []


def test_the_same_name_is_free_in_each_firm(api: Caller, cast: Cast, theirs: dict[str, int]) -> None:
    made = api.put("customers/by-external/erp/1", {"name": "Ours"})
    assert made.status_code == 201
    assert made.json()["id"] != str(theirs["customers"])
    with tenant_scope(cast.other_tenant):
        assert Customer.objects.get(external_ids__value="1").name == "Theirs"
