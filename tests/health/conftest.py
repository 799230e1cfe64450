"""A story for health: customers whose facts are written by the services, and nights over them."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.utils import timezone

import health.nightly
import segmentation.nightly
from customers import services
from customers.models import Complaint, Customer, Interaction, SurveyResponse
from health.models import HealthScore
from segmentation.models import Standing
from tenants.context import tenant_scope
from tenants.models import PolicyVersion, Run
from tenants.policies import active_policy, complete_document, save_policy
from tests.conftest import Cast

TODAY = dt.date(2026, 11, 20)
"""A Friday; nights of the story are as of it, unless they are of some days later."""

NOW = dt.datetime(2026, 11, 20, 10, 32, tzinfo=dt.UTC)


@dataclass
class Story:
    """Writes facts of acme's customers, so many days before TODAY at noon, and runs its nights."""

    cast: Cast
    numbers: Any = field(default_factory=lambda: itertools.count(1))

    def at(self, days_ago: int) -> dt.datetime:
        return self.cast.tenant.start_of(TODAY - dt.timedelta(days=days_ago)) + dt.timedelta(hours=12)

    def orders(self, customer: Customer, *days_ago: int, money: int = 100, category: str = "A", **said: Any) -> None:
        with tenant_scope(self.cast.tenant), services.many_orders([customer.pk]):
            for days in days_ago:
                article = services.Article(source="erp", external_id=category, category=category)
                services.create_order(
                    external_id=f"{next(self.numbers)}",
                    customer=customer,
                    placed_at=self.at(days),
                    lines=[services.Line(product=article, quantity=Decimal(1), unit_price=Decimal(money))],
                    **said,
                )

    def regular(self, name: str = "Brook & Sons", every: int = 30, silent: int = 1) -> Customer:
        """A customer who has ordered every so many days for two years, until so many days ago."""
        customer = self.cast.customer(name)
        self.orders(customer, *range(silent, 730, every))
        return customer

    def contact(self, customer: Customer, days_ago: int, *, answered: bool | None = True, **said: Any) -> Interaction:
        with tenant_scope(self.cast.tenant):
            return services.log_interaction(
                customer=customer, channel="phone", at=self.at(days_ago), answered=answered, **said
            )

    def complaint(self, customer: Customer, days_ago: int, topic: str = "Late", **said: Any) -> Complaint:
        with tenant_scope(self.cast.tenant):
            return services.open_complaint(customer=customer, opened_at=self.at(days_ago), topic=topic, **said)

    def answer(self, customer: Customer, days_ago: int, kind: str, score: int, **said: Any) -> SurveyResponse:
        with tenant_scope(self.cast.tenant):
            return services.add_survey_response(customer=customer, at=self.at(days_ago), kind=kind, score=score, **said)

    def night(self, later: int = 0) -> dict[str, int]:
        """The step of health, of TODAY or so many days later, after a first one of tiers; the run counts as finished."""
        with tenant_scope(self.cast.tenant):
            day = TODAY + dt.timedelta(days=later)
            if not Standing.objects.exists():
                segmentation.nightly.run(day)
            counts = health.nightly.run(day)
            version = PolicyVersion.objects.order_by("-number").values_list("number", flat=True)[0]
            Run.objects.update_or_create(
                job="nightly",
                for_date=day,
                defaults={"status": "done", "finished_at": timezone.now(), "policy_version": version},
            )
        return counts

    def score(self, customer: Customer) -> HealthScore:
        with tenant_scope(self.cast.tenant):
            return HealthScore.objects.get(customer=customer)

    def weigh(self, **weights: int) -> int:
        """A new version of the policy in which these indicators weigh so much; returns its number."""
        with tenant_scope(self.cast.tenant):
            policy = active_policy()
            document = complete_document(policy)
            for key, weight in weights.items():
                document["health"]["indicators"][key]["weight"] = weight
            return save_policy(document, pack=policy.pack).number


@pytest.fixture
def story(cast: Cast) -> Iterator[Story]:
    """It is NOW in the story, and its clock runs."""
    with time_machine.travel(NOW):
        yield Story(cast)
