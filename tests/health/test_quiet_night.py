"""It: a night that looks only at whom something can have changed, and writes what looking at everybody would."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import suppress
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
import time_machine
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

import config.night
import health.nightly
import segmentation.nightly
from customers import services
from customers.models import Arrival, Complaint, Contact, Customer, Interaction, Order, Product, SurveyResponse
from customers.services import Article, Line
from health.models import HealthCount, HealthHistory, HealthScore, KnownCategory, ScoreBasis
from health.scoring import rescore
from segmentation.services import pin_tier
from tenants.context import current_tenant, tenant_scope
from tenants.models import Event
from tenants.parts import Part, parts_of
from tenants.policies import active_policy, complete_document, save_policy
from tenants.runs import Piece
from tests.conftest import Cast

FIRST = dt.date(2026, 3, 2)
"""A Monday, on which the firm's first night is."""

DAY = dt.timedelta(days=1)

SHORT: dict[str, dict[str, Any]] = {
    # Windows that a few weeks of nights cross more than once, and weights that go by tier and by stage.
    "tiers": {"new_days": 20, "lapsed_days": 25},
    "health": {
        "spend_days": 9, "spend_before_days": 30, "category_days": 30, "interaction_days": 8,
        "interaction_before_days": 31, "complaint_days": 7, "complaint_before_days": 40, "resolution_days": 30,
        "satisfaction_days": 33, "advocacy_days": 35, "competitor_days": 10, "invoices": 2, "minimum_known": 2,
        "tier_weights": {"gold": {"order_frequency": 40}, "silver": {"spend_trend": 3}},
        "stage_weights": {"won_back": {"order_frequency": 30, "payment_behaviour": 20}},
    },
}  # fmt: skip


@dataclasses.dataclass
class Firm:
    """A firm of which things happen at random, and its nights."""

    cast: Cast
    chance: np.random.Generator
    today: dt.date = FIRST
    numbers: int = 0
    done: dt.date | None = None
    """The last night that stands; what is since it is all that the next one has to look at."""

    # ── what happens ──

    def one(self, of: Any) -> Any:
        """One of these at random; None when there are none."""
        rows = list(of)
        return rows[int(self.chance.integers(len(rows)))] if rows else None

    def some(self, model: Any) -> Any:
        return self.one(model.objects.order_by("pk"))

    def customer(self) -> Customer:
        customer: Customer = self.some(Customer)
        return customer

    def day(self, first: int = -60, last: int = 5) -> dt.date:
        """A day from long ago to what is still to come, most often about now."""
        days = 0 if self.chance.random() < 0.5 else int(self.chance.integers(first, last))
        return self.today + days * DAY

    def at(self, day: dt.date | None = None) -> dt.datetime:
        return current_tenant().start_of(day or self.day()) + dt.timedelta(hours=int(self.chance.integers(24)))

    def maybe(self) -> bool | None:
        value: bool | None = self.one([True, False, None])
        return value

    def order(self) -> None:
        self.numbers += 1
        article = Article(source="erp", external_id=f"{self.chance.integers(5)}", category="A")
        due, paid = self.one([None, self.today]), self.one([None, self.day(-5, 12)])
        services.create_order(
            external_id=f"{self.numbers}", customer=self.customer(), placed_at=self.at(), due_on=due, paid_on=paid,
            lines=[Line(product=article, quantity=Decimal(1), unit_price=Decimal(int(self.chance.integers(-20, 200))))],
        )  # fmt: skip

    def correct_order(self) -> None:
        if order := self.some(Order):
            fields: list[dict[str, Any]] = [
                {"placed_at": self.at()}, {"customer": self.customer()}, {"status": self.one(["placed", "cancelled"])},
                {"due_on": self.today, "paid_on": self.day(-5, 12)},
            ]  # fmt: skip
            services.patch_order(order=order, **self.one(fields))

    def contact(self) -> None:
        services.log_interaction(
            customer=self.customer(), channel="phone", at=self.at(), answered=self.maybe(), solved=self.maybe(),
            direction=self.one(["inbound", "outbound"]), about_competitor=self.chance.random() < 0.2,
        )  # fmt: skip

    def correct_contact(self) -> None:
        if contact := self.some(Interaction):
            if self.chance.random() < 0.4:
                services.delete_interaction(interaction=contact)
            else:
                services.patch_interaction(interaction=contact, customer=self.customer(), at=self.at())

    def complaint(self) -> None:
        services.open_complaint(
            customer=self.customer(), opened_at=self.at(self.day(-60, 1)), topic=self.one(["Late", "late ", "Broken"])
        )

    def solve(self) -> None:
        if complaint := self.some(Complaint):
            at = max(self.at(), complaint.opened_at)
            services.patch_complaint(complaint=complaint, solved_at=at, first_time=self.maybe())

    def answer(self) -> None:
        kind = self.one(["nps", "csat"])
        customer = self.customer()
        services.add_survey_response(
            customer=customer, kind=kind, score=int(self.chance.integers(1, 6)), at=self.at(),
            contact=self.one([None, *Contact.objects.filter(customer=customer)]),
        )  # fmt: skip

    def correct_answer(self) -> None:
        if answer := self.some(SurveyResponse):
            services.patch_survey_response(response=answer, at=self.at(), score=int(self.chance.integers(1, 6)))

    def person(self) -> None:
        services.save_contact(customer=self.customer(), name=f"Person {self.chance.integers(1000)}")

    def newcomer(self) -> None:
        services.create_customer(name=f"New {self.chance.integers(10_000)}", owner_a=self.cast.ann)

    def close(self) -> None:
        customer = self.customer()
        services.patch_customer(customer=customer, closed_on=None if customer.closed_on else self.today)

    def hand_over(self) -> None:
        services.set_owners(customer=self.customer(), owner_a=self.one([self.cast.ann, self.cast.bo]))

    def regroup(self) -> None:
        if product := self.some(Product):
            services.patch_product(product=product, category=self.one(["A", "B", "C", ""]))

    def pin(self) -> None:
        customer = self.one(Customer.objects.filter(closed_on=None).order_by("pk"))
        if customer is not None:
            until = current_tenant().today() + 20 * DAY
            pin_tier(
                customer=customer, tier=self.one(["gold", "silver", "bronze"]), reason="so", until=until,
                member=self.cast.ann,
            )  # fmt: skip

    def look(self) -> None:
        """Somebody scores between two nights."""
        rescore(services.take_arrivals(100), timezone.now())

    def something(self) -> None:
        often = [self.order] * 8 + [self.contact] * 5 + [self.look] * 3 + [self.answer] * 3 + [self.complaint] * 2
        seldom: list[Callable[[], None]] = [
            self.correct_order, self.correct_contact, self.solve, self.correct_answer, self.person, self.newcomer,
            self.close, self.hand_over, self.regroup, self.pin, self.order,
        ]  # fmt: skip
        with suppress(ValidationError), transaction.atomic():  # some of it is refused, as what is still to come
            self.one([*often, *seldom])()

    # ── nights ──

    def parts(self) -> list[Part]:
        ids = list(Customer.objects.order_by("pk").values_list("pk", flat=True))
        return parts_of([ids[len(ids) // 3], ids[2 * len(ids) // 3]])

    def night(self, as_of: dt.date, since: dt.date | None, *, parts: int | None = None) -> dict[str, int]:
        """The steps of tiers and health in three parts; with `parts` it breaks off after so many."""
        segmentation.nightly.STEP.at_once(as_of)
        piece = Piece(as_of, since)
        step = health.nightly.STEP
        assert step.prepare is not None
        assert step.finish is not None
        prepared = step.prepare(piece)
        found: dict[str, int] = {}
        for part in self.parts()[:parts]:
            for name, number in step.work(Piece(as_of, since, part, prepared.shared)).items():
                found[name] = found.get(name, 0) + number
        return found if parts is not None else found | step.finish(Piece(as_of, since, shared=prepared.shared))

    def both_ways(self, as_of: dt.date) -> None:
        """The night that looks at some and the one that looks at everybody, from the same state: they say the same."""
        everybody, counts = self.instead(lambda: self.night(as_of, None))
        some, found = written(), {}
        if self.done is not None:
            some, found = self.instead(lambda: self.night(as_of, self.done))
            assert found == counts
            for name, rows in everybody.items():
                assert some[name] == rows, name

    def instead(self, night: Callable[[], dict[str, int]]) -> tuple[dict[str, list[Any]], dict[str, int]]:
        """What a night would write, and count; nothing stays of it."""
        before = transaction.savepoint()
        counts = night()
        found = written()
        transaction.savepoint_rollback(before)
        return found, counts

    def forget(self, as_of: dt.date) -> None:
        """The night's last step."""
        Arrival.objects.filter(at__lt=current_tenant().start_of(as_of)).delete()


_NUMBERED = {"id", "customer_number", "tier_change_number"}
_MODELS: tuple[Any, ...] = (HealthScore, HealthHistory, HealthCount, ScoreBasis, KnownCategory)


def written() -> dict[str, list[Any]]:
    """All that the step writes, but for the numbers of rows."""
    found = {}
    for model in _MODELS:
        columns = [f.attname for f in model._meta.concrete_fields if f.attname not in _NUMBERED]
        found[model.__name__] = [
            dict(zip(columns, row, strict=True)) for row in sorted(model.objects.values_list(*columns), key=repr)
        ]
    events = Event.objects.filter(verb="health_changed").values_list("customer_id", "at", "changes", "policy_version")
    notes = Arrival.objects.values_list("customer_id", "is_seen")
    return found | {"events": sorted(events, key=repr), "notes": sorted(notes)}


@pytest.fixture
def shortened(cast: Cast) -> Iterator[Cast]:
    """acme with windows so short that its nights cross them, at midnight before FIRST."""
    with tenant_scope(cast.tenant), time_machine.travel(cast.tenant.start_of(FIRST - DAY)):
        policy = active_policy()
        document = complete_document(policy)
        for section, values in SHORT.items():
            document[section] |= values
        save_policy(document, pack=policy.pack)
        for n in range(9):
            cast.customer(f"C{n}")
        yield cast


@pytest.mark.parametrize("seed", range(4))
def test_says_what_looking_at_everybody_would(shortened: Cast, seed: int) -> None:
    firm = Firm(shortened, np.random.default_rng(seed))
    for _fact in range(60):
        firm.order()
    for _night in range(12):
        with time_machine.travel(firm.cast.tenant.start_of(firm.today) + dt.timedelta(hours=2)):
            _a_night(firm)
        with time_machine.travel(firm.cast.tenant.start_of(firm.today) + dt.timedelta(hours=15)):
            for _fact in range(int(firm.chance.integers(0, 7))):
                firm.something()
        firm.today += DAY * firm.one([1, 1, 1, 2, 3, 6])
    assert HealthHistory.objects.count() > 25  # it did have something to say


def test_takes_over_what_stands_of_whom_nothing_can_have_changed(shortened: Cast) -> None:
    firm = Firm(shortened, np.random.default_rng(1))
    one, other = Customer.objects.order_by("pk")[:2]
    firm.night(FIRST, None)
    firm.forget(FIRST + DAY)
    wrong = {"csat_sum": 9, "csat_count": 9}  # what no fact says: who looks at it puts it right
    HealthScore.objects.filter(customer__in=[one, other]).update(**wrong)
    services.arrived([one.pk])
    firm.night(FIRST + DAY, FIRST)
    assert set(HealthScore.objects.filter(**wrong).values_list("customer_id", flat=True)) == {other.pk}
    firm.night(FIRST + DAY, None)
    assert not HealthScore.objects.filter(**wrong).exists()


def test_looks_at_everybody_when_a_firm_begins_to_write_complaints_down(shortened: Cast) -> None:
    firm = Firm(shortened, np.random.default_rng(1))
    firm.night(FIRST, None)
    assert set(HealthScore.objects.values_list("complaints_recent", flat=True)) == {None}
    services.open_complaint(customer=firm.customer(), opened_at=firm.at(FIRST), topic="Late")
    firm.night(FIRST + DAY, FIRST)
    assert set(HealthScore.objects.values_list("complaints_recent", flat=True)) == {0, 1}


def test_works_off_a_whole_night_in_parts(shortened: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config.night, "PART", 3)
    firm = Firm(shortened, np.random.default_rng(2))
    for _fact in range(60):
        firm.order()
    assert config.night.run_night(shortened.tenant, FIRST).status == "done"
    for _fact in range(9):
        firm.something()
    firm.done = FIRST

    def tomorrow(*, everybody: bool) -> dict[str, int]:
        run = config.night.run_night(shortened.tenant, FIRST + DAY, everybody=everybody)
        assert (run.status, run.since) == ("done", None if everybody else FIRST)
        step = run.steps.get(name=health.nightly.NAME)
        assert step.parts.count() == 3
        counts: dict[str, int] = step.counts
        return counts

    assert firm.instead(lambda: tomorrow(everybody=False)) == firm.instead(lambda: tomorrow(everybody=True))


def _a_night(firm: Firm) -> None:
    kind = firm.chance.random()
    if kind < 0.1 and firm.done is not None:  # one that breaks off: the next one begins from the last that was done
        firm.night(firm.today, firm.done, parts=int(firm.chance.integers(0, 3)))
        return
    if kind < 0.2 and firm.done is not None:  # one whose later steps fail: nothing is forgotten
        firm.both_ways(firm.today)
        firm.night(firm.today, firm.done)
        return
    if kind < 0.3:  # one for an earlier day, which looks at everybody
        firm.night(firm.today - 3 * DAY, None)
        firm.done = firm.today - 3 * DAY
    if kind > 0.95:
        document = complete_document(active_policy())
        document["health"]["green"] = int(firm.chance.integers(60, 80))
        save_policy(document, pack=active_policy().pack)
        firm.done = None
    firm.both_ways(firm.today)
    firm.night(firm.today, firm.done)
    firm.done = firm.today
    if firm.chance.random() < 0.3:  # the same night again
        firm.both_ways(firm.today)
        before = written()
        firm.something()
        firm.both_ways(firm.today)
        firm.night(firm.today, firm.done)
        assert before["HealthHistory"]
    firm.forget(firm.today)
