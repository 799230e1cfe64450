"""It: a night of risk that looks only where something can have moved, and writes what looking at everybody would."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl
import pytest
import time_machine
from django.utils import timezone

import health.nightly
import risk.nightly
import segmentation.nightly
from customers import services
from customers.activity import refresh_activity
from customers.changes import crossed_by
from customers.models import Arrival, Complaint, Interaction, Order
from followups.models import FollowUp
from health.facts import Reads
from health.models import LapseForecast
from health.scoring import rescore
from risk.alerts.services import close
from risk.models import Alert, AlertRepeat
from risk.rules.policy import RiskPolicy
from risk.rules.signals import fired
from risk.signals.facts import OWN, STOOD, boundaries, night_facts, past_facts
from risk.signals.services import fire_for
from segmentation.models import SpecDrift
from tenants.context import current_tenant, tenant_scope
from tenants.models import Event
from tenants.policies import active_policy, complete_document, save_policy
from tenants.runs import Piece
from tests.conftest import Cast
from tests.health.test_quiet_night import DAY, FIRST, SHORT, Firm

pytestmark = pytest.mark.django_db

LINES: dict[str, dict[str, Any]] = SHORT | {
    # Lines so near that a few weeks of nights pass each of them more than once.
    "risk": {
        "silence_days": 9, "own_cycle_min_days": 4, "ignore_after_days": 24, "contact_silence_days": 6,
        "frequency_gaps": 2, "activity_days": 30, "activity_orders": 2, "categories_least": 1, "category_drop": 20,
        "complaints_least": 1, "complaint_rise": 10, "spend_months": 2, "spend_drop": 5, "competitor_days": 30,
        "unanswered_contacts": 2, "nps_silence_days": 30, "leaving_days": 7, "rest_days": 3,
    },
    "complaints": {"repeat_days": 12, "repeat_times": 2},
}  # fmt: skip


@dataclasses.dataclass
class Troubled(Firm):
    """The firm of health's quiet nights, to which more goes wrong."""

    def contact(self) -> None:
        services.log_interaction(
            customer=self.customer(), channel="phone", at=self.at(), answered=self.one([True, False, False, None]),
            solved=self.one([None, False, False, True]), topic=self.one(["", "Invoice", "invoice ", "Van"]),
            direction=self.one(["inbound", "outbound"]), about_competitor=self.chance.random() < 0.4,
            leaving=self.one(["", "", "", "", "considers", "broke_off"]),
        )  # fmt: skip

    def look(self) -> None:
        now = timezone.now()
        asked = services.take_arrivals(100)
        rescore(asked, now)
        fire_for(asked, as_of=current_tenant().local_date(now) + DAY, now=now)

    def close_alert(self) -> None:
        if alert := self.one(Alert.objects.filter(closed_on=None).order_by("customer_id", "signal")):
            close(alert=alert, outcome="false_alarm", member=self.cast.ann)

    def regroup(self) -> None:
        """Another category has everybody looked at: the night before does not stand."""
        super().regroup()
        self.done = None

    def something(self) -> None:
        if self.chance.random() < 0.15:
            self.close_alert()
        else:
            super().something()

    def others_say(self, as_of: dt.date) -> None:
        """What the steps of forecast and cross-sell find on a night, of some."""
        customer = self.customer()
        if self.chance.random() < 0.5:
            forecast = LapseForecast.objects.filter(customer=customer, is_warned=True).first()
            LapseForecast.objects.filter(customer=customer).delete()
            is_warned = forecast is None
            LapseForecast.objects.create(
                customer=customer, percent=60 if is_warned else 30, is_warned=is_warned,
                warned_on=as_of if is_warned else None, policy_version=1,
            )  # fmt: skip
        elif SpecDrift.objects.filter(customer=customer).delete()[0] == 0:
            SpecDrift.objects.create(customer=customer, ratio=0.5, products=3, since=as_of, policy_version=1)

    def before(self, as_of: dt.date) -> None:
        """The steps before that of risk."""
        segmentation.nightly.STEP.at_once(as_of)
        health.nightly.STEP.at_once(as_of)
        for _said in range(2):
            self.others_say(as_of)

    def night(self, as_of: dt.date, since: dt.date | None, *, parts: int | None = None) -> dict[str, int]:
        """The step of risk in three parts; with `parts` it breaks off after so many."""
        found: Counter[str] = Counter()
        for part in self.parts()[:parts]:
            found.update(risk.nightly.STEP.work(Piece(as_of, since, part)))
        return dict(found)

    def both_ways(self, as_of: dt.date) -> None:
        since = self.done
        everybody, counts = self.of(as_of, None)
        if since is not None and (since.year, since.month) == (as_of.year, as_of.month):
            some, found = self.of(as_of, since)
            assert found == counts
            for name, rows in everybody.items():
                assert some[name] == rows, name

    def of(self, as_of: dt.date, since: dt.date | None) -> tuple[dict[str, list[Any]], dict[str, int]]:
        """What a night would write, and count; nothing stays of it."""
        told: list[dict[str, list[Any]]] = []

        def night() -> dict[str, int]:
            counts = self.night(as_of, since)
            told.append(written())
            return counts

        _health, counts = self.instead(night)
        return told[0], counts


_NUMBERED = {"id", "alert_id", "object_id"}


def written() -> dict[str, list[Any]]:
    """All that the step writes, but for the numbers of rows."""
    found = {}
    for rows in (
        Alert.objects.all(),
        AlertRepeat.objects.all(),
        FollowUp.objects.filter(rule__startswith="signal:"),
        Event.objects.filter(object_type="alert"),
    ):
        columns = [f.attname for f in rows.model._meta.concrete_fields if f.attname not in _NUMBERED]
        found[rows.model.__name__] = [
            dict(zip(columns, row, strict=True)) for row in sorted(rows.values_list(*columns), key=repr)
        ]
    return found


@pytest.fixture
def troubled(cast: Cast) -> Iterator[Cast]:
    """acme with lines so near that its nights pass them, at midnight before FIRST."""
    with tenant_scope(cast.tenant), time_machine.travel(cast.tenant.start_of(FIRST - DAY), tick=False):
        policy = active_policy()
        document = complete_document(policy)
        for section, values in LINES.items():
            document[section] |= values
        save_policy(document, pack=policy.pack)
        for n in range(9):
            cast.customer(f"C{n}")
        yield cast


@pytest.mark.parametrize("seed", range(4))
def test_says_what_looking_at_everybody_would(troubled: Cast, seed: int) -> None:
    firm = Troubled(troubled, np.random.default_rng(seed))
    for _fact in range(70):
        firm.order()
    with time_machine.travel(firm.cast.tenant.start_of(FIRST + 5 * DAY)):  # some is entered ahead
        for _fact in range(50):
            firm.contact()
    for _night in range(14):
        # The clock stands still, so that both ways write the same moments.
        with time_machine.travel(firm.cast.tenant.start_of(firm.today) + dt.timedelta(hours=2), tick=False):
            _a_night(firm)
        with time_machine.travel(firm.cast.tenant.start_of(firm.today) + dt.timedelta(hours=15), tick=False):
            for _fact in range(int(firm.chance.integers(0, 12))):
                firm.something()
        firm.today += DAY * firm.one([1, 1, 1, 2, 3, 6])
    assert len(set(Alert.objects.values_list("signal", flat=True))) > 8, "it did have something to say"
    ended = set(Alert.objects.filter(outcome="passed").values_list("signal", flat=True))
    assert len(ended.intersection(OWN)) > 1, "and something to take back"


def _a_night(firm: Troubled) -> None:
    as_of = firm.today
    firm.before(as_of)
    reads_by_need(as_of)
    kind = firm.chance.random()
    if kind < 0.1 and firm.done is not None:  # one that breaks off: the next one begins from the last that was done
        firm.night(as_of, None, parts=int(firm.chance.integers(0, 3)))
        return
    firm.both_ways(as_of)
    if kind < 0.2 and firm.done is not None:  # one whose later steps fail: nothing is forgotten
        firm.night(as_of, None)
        return
    firm.night(as_of, None)
    firm.done = as_of
    if firm.chance.random() < 0.3:  # the same night again
        firm.something()
        firm.before(as_of)
        firm.both_ways(as_of)
        firm.night(as_of, None)
    firm.forget(as_of)


def reads_by_need(as_of: dt.date) -> None:
    """What fires by the facts that a night reads is what fires by all of them (forecasts and drifts nobody keeps)."""
    policy = active_policy()
    rules = policy.section(RiskPolicy)
    is_kept = ~pl.col("signal").is_in(["lapse_forecast", "spec_drift"])
    needed = fired(night_facts(as_of, policy, None), rules, as_of).filter(is_kept)
    in_full = fired(past_facts(as_of, policy, None, Reads()), rules, as_of).filter(is_kept)
    assert needed.rows() == in_full.rows()


@pytest.mark.parametrize(
    ("kind", "days_ago", "asked"),
    [
        ("order", 0, {STOOD, "frequency_falling", "activity_drop"}),
        ("order", 30, {STOOD, "activity_drop"}),  # and health's windows of categories
        ("order", 60, {STOOD, "activity_drop"}),
        ("order", 31, set()),
        ("order", 39, {STOOD}),
        ("contact", 0, {STOOD, "contact_silence", "competitor_pull", "repeated_question", "leaving"}),
        ("contact", 5, {"contact_silence"}),
        ("contact", 7, {"leaving"}),
        ("contact", 12, {"repeated_question"}),
        ("contact", 30, {"competitor_pull"}),
        ("contact", 60, {"competitor_pull"}),
        ("complaint", 12, {"repeated_question"}),
        ("complaint", 7, {STOOD}),
        ("solution", 0, {"repeated_question"}),
    ],
)
def test_asks_a_signal_only_where_its_own_windows_move(
    troubled: Cast, kind: str, days_ago: int, asked: set[str]
) -> None:
    firm = Troubled(troubled, np.random.default_rng(0))
    customer = firm.customer()
    # What is dated so long before the last night counts differently tonight.
    at = current_tenant().start_of(FIRST - days_ago * DAY) + dt.timedelta(hours=9)
    long_ago = current_tenant().start_of(FIRST - 300 * DAY)
    if kind == "order":
        firm.order()
        Order.objects.update(customer=customer, placed_at=at, placed_on=FIRST - days_ago * DAY)
    elif kind == "contact":
        Interaction.objects.create(customer=customer, channel="phone", at=at)
    else:
        solved = at if kind == "solution" else None
        Complaint.objects.create(
            customer=customer, opened_at=long_ago if solved else at, topic="Late", solved_at=solved
        )
    Arrival.objects.all().delete()
    found = crossed_by(Piece(FIRST + DAY, FIRST), boundaries(active_policy()))
    assert set(found) == {STOOD, *OWN}
    assert {group for group, ids in found.items() if ids == [customer.pk]} == asked
    assert {group for group, ids in found.items() if not ids} == set(found) - asked


@pytest.mark.parametrize("signal", ["activity_drop", "frequency_falling"])
def test_ends_what_was_said_about_orders_when_time_alone_makes_the_customer_lost(troubled: Cast, signal: str) -> None:
    firm = Troubled(troubled, np.random.default_rng(0))
    firm.order()
    day = FIRST - 24 * DAY
    Order.objects.update(placed_at=firm.at(day), placed_on=day)
    customer = Order.objects.get().customer
    refresh_activity([(customer.pk, day), (customer.pk, FIRST)])
    alert = Alert.objects.create(
        customer=customer, signal=signal, risk_class="demand", level="mild", period="2026-02-20", opened_on=day,
        opened_at=firm.at(day), due_at=firm.at(day), policy_version=1,
    )  # fmt: skip
    firm.before(FIRST + DAY)
    Arrival.objects.all().delete()
    assert firm.night(FIRST + DAY, FIRST)["closed"] == 1
    alert.refresh_from_db()
    assert alert.outcome == "lost"


def test_hears_the_silence_of_whom_the_night_has_brought_into_the_top_tiers(troubled: Cast) -> None:
    firm = Troubled(troubled, np.random.default_rng(0))
    firm.order()
    day = FIRST - 2 * DAY
    Order.objects.update(placed_at=firm.at(day), placed_on=day)
    customer = Order.objects.get().customer
    refresh_activity([(customer.pk, day), (customer.pk, FIRST)])
    Interaction.objects.create(customer=customer, channel="phone", at=firm.at(FIRST - 20 * DAY))
    firm.before(FIRST + DAY)
    Arrival.objects.all().delete()
    firm.night(FIRST + DAY, FIRST)
    assert Alert.objects.filter(customer=customer, signal="contact_silence").exists()
