"""It: a night that looks only at those for whom something can have changed, as one that looks at everybody."""

from __future__ import annotations

import datetime as dt
import random
from decimal import Decimal
from typing import Any

import pytest
from django.db.models import QuerySet
from django.utils import timezone

import config.night
from config.night import STEPS, run_night
from customers import services
from customers.models import Arrival, Complaint, Customer, Interaction, Order
from customers.services.orders import Line
from followups.models import FollowUp
from followups.services import complete
from segmentation.services import pin_tier
from tenants.context import tenant_scope
from tenants.models import Run
from tenants.policies import active_policy, save_policy
from tenants.runs import Piece, Step, open_run, work_off
from tests.config.test_night import state
from tests.conftest import Cast
from tests.health.crowds import TODAY, crowd

__all__ = ["crowd"]

pytestmark = pytest.mark.django_db

ARTICLES = [services.Article(source="erp", external_id=f"A{n}", category=f"K{n % 4}") for n in range(9)]


class Days:
    """What happens between two nights, by the services that people, API and import use."""

    def __init__(self, cast: Cast, crowd: list[Customer], seed: int) -> None:
        self.cast, self.crowd, self.chance, self.number = cast, crowd, random.Random(seed), 0  # noqa: S311  # the same each time

    def happen(self, night: dt.date) -> None:
        """Some of everything, before a night: of the days before, of long ago, of that day, of days to come."""
        for each in (
            self._order,
            self._correct,
            self._contact,
            self._complain,
            self._answer,
            self._customer,
            self._work,
        ):
            for _ in range(4):
                each(
                    self.chance.choice(self.crowd),
                    night - dt.timedelta(self.chance.choice((-3, 0, 1, 1, 1, 2, 45, 200))),
                )

    def _one_of(self, rows: QuerySet[Any]) -> Any:
        """One of the rows, the same for the same seed: what fails can be played again."""
        there = rows.order_by("customer", "pk")
        count = there.count()
        return there[self.chance.randrange(count)] if count else None

    def _at(self, day: dt.date) -> dt.datetime:
        return dt.datetime.combine(day, dt.time(self.chance.randrange(24)), self.cast.tenant.zone)

    def _past(self, day: dt.date) -> dt.datetime:
        return min(self._at(day), timezone.now())

    def _order(self, customer: Customer, day: dt.date) -> None:
        self.number += 1
        sign = self.chance.choice((1, 1, 1, -1))
        services.create_order(
            external_id=f"new {self.number}", customer=customer, placed_at=self._at(day), currency="GBP",
            due_on=day + dt.timedelta(30), paid_on=self.chance.choice((None, day + dt.timedelta(self.chance.randrange(60)))),
            lines=[
                Line(product=article, quantity=Decimal(sign * self.chance.randrange(1, 9)), unit_price=Decimal("12.5"))
                for article in self.chance.sample(ARTICLES, 2)
            ],
        )  # fmt: skip

    def _correct(self, customer: Customer, day: dt.date) -> None:
        order = self._one_of(Order.objects.filter(customer=customer))
        if order is None:
            return
        change: dict[str, Any] = self.chance.choice(
            (
                {"status": "cancelled"},
                {"customer": self.chance.choice(self.crowd)},
                {"due_on": day - dt.timedelta(20), "paid_on": day},
            )
        )
        services.patch_order(order=order, **change)

    def _contact(self, customer: Customer, day: dt.date) -> None:
        if self.chance.random() < 0.3 and (there := self._one_of(Interaction.objects.all())):
            services.delete_interaction(interaction=there)
            return
        services.log_interaction(
            customer=customer, channel="phone", at=self._past(day), kind=self.chance.choice(("light_touch", "deep_talk")),
            answered=self.chance.choice((True, False, None)), solved=self.chance.choice((True, False, None)),
            about_competitor=self.chance.random() < 0.2,
            leaving=self.chance.choice(("", "", "", "", "considers", "broke_off")),
        )  # fmt: skip

    def _complain(self, customer: Customer, day: dt.date) -> None:
        opened = self._one_of(Complaint.objects.filter(solved_at=None, opened_at__lt=timezone.now()))
        if opened is not None and self.chance.random() < 0.5:
            services.solve_complaint(complaint=opened, first_time=self.chance.random() < 0.5)
        else:
            services.open_complaint(
                customer=customer, topic=f"topic {self.chance.randrange(3)}", opened_at=self._past(day)
            )

    def _answer(self, customer: Customer, day: dt.date) -> None:
        kind = self.chance.choice(("nps", "csat"))
        services.add_survey_response(
            customer=customer, kind=kind, score=self.chance.randrange(1, 6), at=self._past(day)
        )

    def _customer(self, customer: Customer, day: dt.date) -> None:
        change: dict[str, Any] = self.chance.choice(
            (
                {"closed_on": min(day, self.cast.tenant.today())}, {"closed_on": None}, {"industry_position": 5, "growth_potential": "high"},
                {"since": dt.date(2020, 1, 1)}, {"owner_a": self.cast.bo},
            )
        )  # fmt: skip
        services.patch_customer(customer=Customer.objects.get(pk=customer.pk), **change)

    def _work(self, customer: Customer, day: dt.date) -> None:
        open_one = self._one_of(FollowUp.objects.filter(status="open"))
        if open_one is not None and self.chance.random() < 0.7:
            complete(follow_up=open_one, member=self.cast.ann)
        elif Customer.objects.get(pk=customer.pk).closed_on is None:
            pin_tier(
                customer=customer, tier="gold", reason="Said so", until=self.cast.tenant.today() + dt.timedelta(self.chance.randrange(5)),
                member=self.cast.lea,
            )  # fmt: skip


@pytest.mark.parametrize("seed", range(6))
def test_says_what_a_night_for_everybody_would(
    cast: Cast, crowd: list[Customer], monkeypatch: pytest.MonkeyPatch, seed: int, time_machine: Any
) -> None:
    monkeypatch.setattr(config.night, "PART", 70)
    days = Days(cast, crowd, seed)
    night = TODAY - dt.timedelta(17)
    looked_at_some = 0
    for _ in range(5):
        time_machine.move_to(dt.datetime.combine(night, dt.time(2, 5), cast.tenant.zone))
        with tenant_scope(cast.tenant):
            days.happen(night)
        some = run_night(cast.tenant, night)
        assert some.status == Run.Status.DONE
        looked_at_some += some.since is not None
        said = state(cast.tenant)
        assert run_night(cast.tenant, night, everybody=True).status == Run.Status.DONE
        assert difference(said, state(cast.tenant)) == {}
        night += dt.timedelta(days.chance.choice((0, 1, 1, 2)))
    assert looked_at_some >= 3


def difference(some: dict[str, list[str]], everybody: dict[str, list[str]]) -> dict[str, list[str]]:
    """By table, the rows that only one of the two has; the model that answered is one of the same day."""
    return {
        name: sorted(set(some[name]) ^ set(everybody[name])) for name in some if some[name] != everybody[name]
    }  # fmt: skip


def test_works_in_parts(cast: Cast, crowd: list[Customer], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config.night, "PART", 70)
    run = run_night(cast.tenant, TODAY)
    assert len(run.cuts) == 2
    with tenant_scope(cast.tenant):
        steps = list(run.steps.all())
        assert {step.status for step in steps} == {Run.Status.DONE}
        assert max(step.parts.count() for step in steps) == 3


@pytest.mark.django_db(transaction=True, databases=["default", "owner"])
@pytest.mark.xdist_group("transactions")
def test_forgets_what_it_has_reckoned_with(cast: Cast) -> None:
    old, unseen, new, late = (cast.customer(name) for name in ("Old", "Unseen", "New", "Late"))
    long_ago = cast.tenant.start_of(TODAY) - dt.timedelta(hours=3)

    def work(piece: Piece) -> dict[str, int]:
        services.arrived([late.pk])  # a fact that comes in while the night works
        Arrival.objects.filter(customer=late).update(at=long_ago, is_seen=True)
        return {}

    with tenant_scope(cast.tenant):
        Arrival.objects.all().delete()
        services.arrived([old.pk, unseen.pk, late.pk])
        Arrival.objects.update(at=long_ago, is_seen=True)
        Arrival.objects.filter(customer=unseen).update(is_seen=False)
        services.arrived([new.pk])
        Arrival.objects.filter(customer=new).update(at=cast.tenant.start_of(TODAY), is_seen=True)
    steps = {"first": Step(lambda piece: {}), "work": Step(work), "notes": STEPS["notes"]}
    work_off(open_run(cast.tenant, "nightly", TODAY, steps), steps)
    with tenant_scope(cast.tenant):
        assert set(Arrival.objects.values_list("customer", flat=True)) == {unseen.pk, new.pk, late.pk}


@pytest.mark.parametrize(
    ("case", "expected"),
    [("next", True), ("again", True), ("month", False), ("earlier", False), ("policy", False), ("release", False)],
)
def test_looks_at_everybody_unless_the_last_night_can_be_taken_as_given(
    cast: Cast, monkeypatch: pytest.MonkeyPatch, *, case: str, expected: bool
) -> None:
    cast.customer()
    run_night(cast.tenant, TODAY)
    day = {"again": TODAY, "month": dt.date(2026, 12, 1), "earlier": TODAY - dt.timedelta(1)}
    if case == "policy":
        with tenant_scope(cast.tenant):
            policy = active_policy()
            save_policy(policy.document | {"cadence": {"weekly_capacity": 31}}, pack=policy.pack)
    if case == "release":
        monkeypatch.setattr("tenants.runs.RELEASE", "another")
    run = run_night(cast.tenant, day.get(case, TODAY + dt.timedelta(1)))
    assert (run.since is not None) == expected
