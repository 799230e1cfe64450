"""A list takes at most five queries, however many rows it has: three to admit the caller, two to answer."""

from collections.abc import Callable

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from customers.models import Complaint, Contact, Customer, Interaction, Order, OrderLine, Product, SurveyResponse, Tag
from followups.models import FollowUp, MysteryVisit, QualityReview, Survey
from health.models import BackTest, BackTestCutOff, HealthScore, LapseForecast, Pulse
from segmentation.models import Standing
from tenants.context import tenant_scope
from tenants.models import Run
from tests.api.test_access import RESOURCES
from tests.conftest import Cast


def _fill(cast: Cast, first: int, last: int) -> None:
    with tenant_scope(cast.tenant):
        night = {"status": "done", "finished_at": timezone.now(), "policy_version": 1}
        Run.objects.get_or_create(job="nightly", for_date="2026-11-20", defaults=night)
        tag, _made = Tag.objects.get_or_create(name="north")
        for n in range(first, last):
            customer = Customer.objects.create(name=f"C{n}", owner_a=cast.ann, owner_b=cast.bo)
            customer.external_ids.create(source="erp", value=str(n))
            customer.tags.add(tag, through_defaults={"tenant": cast.tenant})
            facts = {"customer": customer, "source": "erp", "external_id": str(n)}
            contact = Contact.objects.create(name="x", **facts)
            product = Product.objects.create(source="erp", external_id=str(n))
            order = Order.objects.create(
                placed_at="2026-11-20T00:00Z", placed_on="2026-11-20", currency="GBP", net=1, digest="x", **facts
            )
            OrderLine.objects.create(order=order, position=1, product=product, quantity=1, unit_price=1, money=1)
            talk = Interaction.objects.create(channel="phone", member=cast.ann, contact=contact, **facts)
            Survey.objects.create(
                customer=customer, contact=contact, kind="nps", cause="hand", period="1", channel="email", language="en",
                expires_at=timezone.now(),
            )  # fmt: skip
            QualityReview.objects.create(customer=customer, interaction=talk, member=cast.ann, month="2026-10-01")
            MysteryVisit.objects.create(on="2026-11-02", channel="store", scene="x", score=5, visitor=cast.eve)
            complaint = Complaint.objects.create(topic="Late", order=order, **facts)
            SurveyResponse.objects.create(kind="csat", score=4, contact=contact, complaint=complaint, **facts)
            FollowUp.objects.create(
                customer=customer, contact=contact, assignee=cast.ann, kind="light_touch", rule="manual", period="1",
                due_on="2026-11-20",
            )  # fmt: skip
            Standing.objects.create(customer=customer, frequency=0, monetary=0, policy_version=1)
            LapseForecast.objects.create(customer=customer, percent=50, money_at_risk=n or None, policy_version=1)
            test = BackTest.objects.create(first="2026-05-01", last="2026-08-01", horizon_days=90, policy_version=1)
            BackTestCutOff.objects.create(back_test=test, cut_off="2026-05-01")
            Pulse.objects.create(customer=customer, member=cast.ann, band="red", reason="price")
            HealthScore.objects.create(
                customer=customer, band="none", known=0, order_days_count=0, spend_recent=0, spend_before=0,
                categories_recent=0, categories_before=0, policy_version=1,
            )  # fmt: skip


def _queries(answer: Callable[[], object]) -> list[str]:
    with CaptureQueriesContext(
        connection,
    ) as captured:
        answer()
    # The savepoints stand for the transaction that a request has outside of tests.
    return [
        q["sql"]
        for q in captured
        if not q["sql"].startswith(("SAVEPOINT", "RELEASE", "SELECT set_config('app.tenant_id', '',"))
    ]


@pytest.mark.parametrize("resource", RESOURCES)
def test_takes_at_most_five_queries_whatever_its_length(cast: Cast, call_as, resource: str) -> None:
    api = call_as(cast.ada)
    _fill(cast, 0, 1)
    rows = api.get(resource).json()["results"]
    short = _queries(lambda: api.get(resource))
    _fill(cast, 1, 8)
    assert len(api.get(resource).json()["results"]) >= len(rows)
    long = _queries(lambda: api.get(resource))
    assert len(long) == len(short), "\n".join(long)
    assert len(long) <= 5, "\n".join(long)


def test_says_the_tenant_in_every_query(cast: Cast, call_as) -> None:
    """Then the wall's own condition costs nothing."""
    api = call_as(cast.ada)
    _fill(cast, 0, 1)
    for resource in RESOURCES:
        for sql in _queries(lambda resource=resource: api.get(resource))[2:]:
            assert "tenant_id" in sql.partition("WHERE")[2], sql
