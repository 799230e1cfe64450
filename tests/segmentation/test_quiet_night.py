"""It: a night of segmentation, value and cross-sell that looks only at whom something can have changed."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import transaction

from customers import services
from customers.changes import cut_points
from customers.models import Arrival, Customer, Evidence, Order
from customers.services.orders import Line
from segmentation import cross_selling, nightly, valuing
from segmentation.models import CrossSellRule, LifetimeFit, SpecDrift, Standing, TierChange, TierPin, Worth
from segmentation.rules.policy import Scheme, TierPolicy
from segmentation.rules.tiers import TIER_ORDER
from segmentation.services import pin_tier, unpin
from tenants.context import tenant_scope
from tenants.models import Event
from tenants.parts import parts_of
from tenants.policies import active_policy, complete_document, save_policy, switch_pack
from tenants.runs import Piece
from tests.conftest import Cast

pytestmark = pytest.mark.django_db

FIRST = dt.date(2026, 3, 3)
STEPS = {"segmentation": nightly.STEP, "value": valuing.STEP, "cross-sell": cross_selling.STEP}
ARTICLES = [services.Article(source="erp", external_id=f"A{n}", category=f"K{n % 3}") for n in range(4)]

# Short spans, so that a few weeks of nights cross every edge.
SETTINGS: dict[str, dict[str, Any]] = {
    "tiers": {
        "window_months": 2, "grace_days": 4, "lapsed_days": 20, "new_days": 15, "strategic_money": 900, "key_money": 300,
        "strategic_years": 2, "key_years": 1,
    },
    "value": {"evidence_months": 1, "minimum_repeaters": 10, "minimum_days": 28},
    "cross_sell": {"drift_days": 30, "drift_products": 1, "drift_percent": 80, "minimum_followed": 5, "window_months": 3},
}  # fmt: skip


class Days:
    """What happens to a firm between two nights, by the services that people, API and import use."""

    def __init__(self, cast: Cast, seed: int) -> None:
        self.cast, self.chance, self.number = cast, random.Random(seed), 0  # noqa: S311  # the same each time
        for n in range(36):
            since = FIRST - dt.timedelta(self.chance.choice((360, 365, 366, 725, 730, 900)) - n % 5)
            services.create_customer(name=f"C{n}", owner_a=cast.ann, since=since)
        for _ in range(260):
            self.order(FIRST - dt.timedelta(self.chance.randrange(1, 120)))

    def happen(self, night: dt.date) -> None:
        for what in (self.order, self.correct, self.evidence, self.customer, self.pin):
            for _ in range(3):
                what(night - dt.timedelta(self.chance.choice((-3, 0, 1, 1, 1, 2, 30, 59, 61, 100))))

    def some(self, model: Any = Customer) -> Any:
        return self.chance.choice(list(model.objects.order_by("pk")))

    def order(self, day: dt.date) -> None:
        self.number += 1
        sign = self.chance.choice((1, 1, 1, 1, 1, -1))
        services.create_order(
            external_id=f"{self.number}", customer=self.some(), placed_at=self.at(day), currency="GBP", due_on=day,
            paid_on=self.chance.choice((None, day + dt.timedelta(self.chance.randrange(40)))),
            lines=[
                Line(product=article, quantity=Decimal(sign * self.chance.randrange(1, 9)), unit_price=Decimal("12.5"))
                for article in self.chance.sample(ARTICLES, 2)
            ],
        )  # fmt: skip

    def at(self, day: dt.date) -> dt.datetime:
        return dt.datetime.combine(day, dt.time(self.chance.randrange(24)), self.cast.tenant.zone)

    def correct(self, day: dt.date) -> None:
        changes: tuple[dict[str, Any], ...] = (
            {"status": "cancelled"}, {"customer": self.some()}, {"paid_on": day}, {"placed_at": self.at(day)},
        )  # fmt: skip
        services.patch_order(order=self.some(Order), **self.chance.choice(changes))

    def evidence(self, day: dt.date) -> None:
        if Evidence.objects.exists() and self.chance.random() < 0.4:
            services.delete_evidence(evidence=self.some(Evidence))
            return
        kind = self.chance.choice(("referral", "referral", "benchmark"))
        referred = self.some() if kind == "referral" else None
        try:
            services.add_evidence(customer=self.some(), kind=kind, on=day, referred=referred)
        except ValidationError:
            return  # itself, somebody who has been referred already, or a day still to come

    def customer(self, day: dt.date) -> None:
        customer = self.some()
        changes: tuple[dict[str, Any], ...] = (
            {"closed_on": None if customer.closed_on else self.cast.tenant.today()},
            {"industry_position": self.chance.randrange(1, 6), "growth_potential": "high"},
            {"since": day - dt.timedelta(days=365)},
        )
        services.patch_customer(customer=customer, **self.chance.choice(changes))
        if self.chance.random() < 0.2:
            services.create_customer(name="New", owner_a=self.cast.ann)

    def pin(self, _day: dt.date) -> None:
        if TierPin.objects.filter(ended_at=None).exists() and self.chance.random() < 0.4:
            unpin(pin=self.chance.choice(list(TierPin.objects.filter(ended_at=None))), member=self.cast.lea)
            return
        customer = self.some()
        tiers = TIER_ORDER[active_policy().section(TierPolicy).scheme]
        until = self.cast.tenant.today() + dt.timedelta(self.chance.randrange(4))
        if customer.closed_on is None:
            pin_tier(customer=customer, tier=self.chance.choice(tiers), reason="So", until=until, member=self.cast.lea)


def night(as_of: dt.date, since: dt.date | None) -> Mapping[str, Mapping[str, int]]:
    """The three steps in parts of a dozen customers; the counts by step."""
    counted: dict[str, dict[str, int]] = {}
    for name, step in STEPS.items():
        piece = Piece(as_of, since)
        prepared = step.prepare(piece) if step.prepare is not None else None
        assert prepared is not None
        counts = dict(prepared.counts)
        for part in parts_of(cut_points(12)):
            for what, number in step.work(replace(piece, part=part, shared=prepared.shared)).items():
                counts[what] = counts.get(what, 0) + number
        counted[name] = counts
    return counted


def state() -> dict[str, list[str]]:
    """All that the steps write, but for the numbers of new rows and the clock."""
    said = {}
    for model in (Standing, TierChange, Worth, LifetimeFit, SpecDrift, CrossSellRule, Event):
        left_out = {"id", "created_at", "fit_id"}
        columns = [field.attname for field in model._meta.local_fields if field.attname not in left_out]
        said[model.__name__] = sorted(map(str, model._default_manager.values_list(*columns)))
    said["model"] = sorted(map(str, Worth.objects.values_list("customer_id", "fit__as_of")))
    return said


def as_everybody(as_of: dt.date) -> tuple[Mapping[str, Any], dict[str, list[str]]]:
    """What the night gives when it looks at everybody; nothing of it stays."""
    with transaction.atomic():
        found = night(as_of, None), state()
        transaction.set_rollback(True)
    return found


@pytest.mark.parametrize(
    ("scheme", "seed"), [("wholesale", 1), ("callback", 2), ("sales-team", 3), ("starter", 4), ("callback", 5)]
)
def test_says_what_a_night_for_everybody_would(cast: Cast, scheme: Scheme, seed: int, time_machine: Any) -> None:
    as_of, since = FIRST, None
    time_machine.move_to(dt.datetime.combine(as_of, dt.time(1), cast.tenant.zone))
    with tenant_scope(cast.tenant):
        document = switch_pack(complete_document(active_policy()), scheme)
        for section, settings in SETTINGS.items():
            document[section] |= settings
        save_policy(document, pack=scheme)
        days = Days(cast, seed)
        for _ in range(9):
            time_machine.move_to(dt.datetime.combine(as_of, dt.time(1), cast.tenant.zone))
            days.happen(as_of)
            expected, wanted = as_everybody(as_of)
            if days.chance.random() < 0.3:
                # Killed after its first part, and begun again.
                prepared = nightly.prepare(Piece(as_of, since))
                part = parts_of(cut_points(12))[0]
                nightly.work(Piece(as_of, since, part, prepared.shared))
            some = night(as_of, since)
            found = state()
            assert {
                name: sorted(set(wanted[name]) ^ set(found[name])) for name in wanted if wanted[name] != found[name]
            } == {}
            for step, count in (("segmentation", "customers"), ("segmentation", "scored"), ("value", "customers")):
                assert some[step][count] == expected[step][count]
            again = night(as_of, as_of)
            assert [again["segmentation"]["changed"], again["value"]["changed"], again["cross-sell"]["drifting"]] == [
                0
            ] * 3
            assert state() == found
            # What came in about that day itself counts for the next night.
            Arrival.objects.filter(at__lt=cast.tenant.start_of(as_of)).delete()
            since, as_of = as_of, as_of + dt.timedelta(days.chance.choice((1, 1, 2, 4)))
            if since.month != as_of.month:
                since = None
