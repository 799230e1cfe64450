"""Journeys under way: whoever enters, what each step does, who waits for what, and when it is over.

Everything is rows: an enrolment per event, a row per step that was done. Whoever walks a customer's journeys has the
customer's lock, so that two workers never walk the same one; killed anywhere, the transaction has done nothing, and
done again it finds what is there already.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import polars as pl
from django.db import connection
from django.utils import timezone

from customers.models import Customer
from followups.journeys import events as journey_events
from followups.journeys import voices
from followups.journeys.team import Team, withdraw
from followups.messages import outbox
from followups.models import Announcement, Enrolment, FollowUp, Journey, JourneyStep, Message
from followups.raising import raise_follow_ups
from followups.rules.journeys import (
    GRACE_DAYS,
    Definition,
    Fact,
    Place,
    Step,
    due_at,
    next_at,
    on_working_day,
    ready,
    settle,
)
from followups.rules.policy import CadencePolicy
from tenants.calendars import firm_calendar
from tenants.context import current_tenant, tenant_scope
from tenants.models import Tenant
from tenants.parts import Customers, among
from tenants.policies import active_policy

log = logging.getLogger("perennial.journeys")

AT_ONCE: Final = 200
"""Customers whose journeys are walked in one go."""

LATE_COMMITS: Final = dt.timedelta(minutes=10)
"""So long may a transaction take that writes a fact: between two nights facts are looked at so much further back."""

LOOK_AGAIN: Final = dt.timedelta(days=1)
"""When all steps are done and a follow-up is still open, it is looked at again so much later, if nothing comes in."""

NAMED: Final = 20_000
"""More customers than this are not named one by one: everybody is asked."""

ORIGIN: Final = "journey:"
S: Final = Enrolment.Status
W: Final = Enrolment.Why


# ── who enters ──────────────────────────────────────────────────────────────


def enter(journeys: Iterable[Journey], now: dt.datetime, customers: Customers = None) -> set[int]:
    """Give a place to each event of the last GRACE_DAYS up to `now` that begins a journey; returns whose are new."""
    entered: set[int] = set()
    for journey in journeys:
        since = max(journey.since, now - dt.timedelta(days=GRACE_DAYS))
        if since < now:
            sql, params = journey_events.events_sql(journey.rules, since, now, customers)
            entered.update(journey_events.enrol(journey.pk, sql, params, now))
    return entered


def journeys_on() -> list[Journey]:
    """The journeys that are switched on, the first to speak first."""
    return list(Journey.objects.filter(is_on=True).order_by("priority", "code"))


# ── walking ─────────────────────────────────────────────────────────────────


def due(now: dt.datetime, most: int, customers: Customers = None) -> list[int]:
    """The ids of up to `most` customers of whom a step or the end of a wait is due, those due longest first."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT customer_id FROM followups_enrolment
            WHERE tenant_id = %s AND ended_at IS NULL AND next_at <= %s AND {among(customers)}
            GROUP BY customer_id ORDER BY min(next_at), customer_id LIMIT %s
            """,
            [current_tenant().pk, now, most],
        )
        return [row[0] for row in cursor.fetchall()]


def walk(customer_ids: Collection[int], now: dt.datetime) -> int:
    """Bring the journeys of these customers up to `now`; returns how many customers were walked.

    Those whom somebody else is just walking are left out: they stay due. Call it inside a transaction.
    """
    ids = sorted(set(customer_ids))
    walked = 0
    for start in range(0, len(ids), AT_ONCE):
        some = Customer.objects.filter(pk__in=ids[start : start + AT_ONCE]).order_by("pk")
        locked = list(some.select_for_update(of=("self",), no_key=True, skip_locked=True))
        if locked:
            _Walk(locked, now).go()
        walked += len(locked)
    return walked


@dataclass
class _Wanted:
    """A follow-up that a step asks for, and the row of the step that will name it."""

    step: JourneyStep
    row: dict[str, Any]


class _Walk:
    """The journeys of some customers, locked, brought up to a moment: read at once, decided one by one, raised at once."""

    def __init__(self, customers: Sequence[Customer], now: dt.datetime) -> None:
        self.now, self.customers = now, {customer.pk: customer for customer in customers}
        open_ones = Enrolment.objects.filter(customer__in=list(self.customers), ended_at__isnull=True)
        self.rows = list(open_ones.select_related("journey", "contact", "complaint", "product").order_by("pk"))
        self.rules: dict[int, Definition] = {}
        for row in self.rows:
            if row.journey_id not in self.rules:
                self.rules[row.journey_id] = row.journey.rules
        self.steps: dict[int, dict[str, JourneyStep]] = defaultdict(dict)
        for step in JourneyStep.objects.filter(enrolment__in=self.rows).select_related("follow_up", "message"):
            self.steps[step.enrolment_id][step.code] = step
        self.facts = _facts_since(self.rows, now)
        self.others = voices.other_places(list(self.customers), now)
        self.wanted: list[_Wanted] = []
        self.team = Team()
        self.policy = active_policy()
        self.cadence, self.calendar = self.policy.section(CadencePolicy), firm_calendar(self.policy)

    def go(self) -> None:
        by_customer: dict[int, list[Enrolment]] = defaultdict(list)
        for row in self.rows:
            by_customer[row.customer_id].append(row)
        for rows in by_customer.values():
            self._customer(rows)
        self._raise()

    def _customer(self, rows: list[Enrolment]) -> None:
        for row in rows:
            if why := self._stopped_by(row):
                self._end(row, S.STOPPED, why)
        # Each round ends one journey at least, or it is the last.
        for _round in range(len(rows) + 1):
            alive = [row for row in rows if row.ended_at is None]
            if not alive or not self._settled(alive):
                return

    def _settled(self, rows: Sequence[Enrolment]) -> bool:
        """Let one go on and the others wait; says whether one ended, so that the next may go on."""
        others = self.others.get(rows[0].customer_id, [])
        found = settle([*(self._place(row) for row in rows), *others], self.now)
        by_pk = {row.pk: row for row in rows}
        for pk in found.over:
            if pk in by_pk:
                self._end(by_pk[pk], S.STOPPED, W.OVER)
        for pk in found.waits:  # before the other begins: never two at once
            if pk in by_pk:
                self._wait(by_pk[pk])
        if found.goes not in by_pk:  # one of another kind goes first, and is walked by its own
            return False
        active = [place.pk for place in others if place.is_active]
        voices.let_wait(active, self.now)
        self.others[rows[0].customer_id] = [place for place in others if not place.is_active]
        return self._go_on(by_pk[found.goes])

    def _place(self, row: Enrolment) -> Place:
        rules = self.rules[row.journey_id]
        since = row.waits_since or self.now
        return Place(
            pk=row.pk,
            priority=rules.priority,
            entered_at=row.entered_at,
            is_active=row.status == S.ACTIVE,
            expires_at=since + dt.timedelta(days=rules.wait_days),
        )

    def _stopped_by(self, row: Enrolment) -> str:
        facts = self.facts[row.pk]
        if self.customers[row.customer_id].closed_on is not None:
            return W.CLOSED
        if not row.journey.is_on:
            return W.SWITCHED_OFF
        return next((fact for fact in self.rules[row.journey_id].stops if fact in facts), "")

    # ── what becomes of one enrolment ───────────────────────────────────────

    def _end(self, row: Enrolment, status: str, why: str) -> None:
        row.status, row.why, row.ended_at, row.next_at, row.waits_since = status, why, self.now, None, None
        row.save(update_fields=["status", "why", "ended_at", "next_at", "waits_since", "updated_at"])
        if status == S.STOPPED:
            withdraw(list(self.steps[row.pk].values()))

    def _wait(self, row: Enrolment) -> None:
        rules = self.rules[row.journey_id]
        if row.status == S.ACTIVE:
            withdraw(list(self.steps[row.pk].values()))
        if row.status == S.ACTIVE or row.waits_since is None:
            row.waits_since = self.now
        row.status, row.why = S.WAITING, W.OTHER
        row.next_at = row.waits_since + dt.timedelta(days=rules.wait_days)
        row.save(update_fields=["status", "why", "waits_since", "next_at", "updated_at"])

    def _go_on(self, row: Enrolment) -> bool:
        """Do what is to be done now; says whether the journey ended with it."""
        rules = self.rules[row.journey_id]
        if row.status != S.ACTIVE:
            if row.why == W.OTHER and row.waits_since is not None:  # it waited for another one, not just for us
                row.base_at += max(self.now - row.waits_since, dt.timedelta())
                self._take_up(row)
            row.status, row.why, row.waits_since = S.ACTIVE, W.NONE, None
        steps = self.steps[row.pk]
        for step in ready(rules.steps, steps, row.base_at, self.now):
            steps[step.code] = self._do(row, rules, step)
        row.next_at = next_at(rules.steps, steps, row.base_at)
        if row.next_at is None:
            if not self._has_open(row):
                self._end(row, S.FINISHED, W.NONE)
                return True
            row.next_at = self.now + LOOK_AGAIN
        row.save(update_fields=["status", "why", "waits_since", "base_at", "next_at", "updated_at"])
        return False

    def _has_open(self, row: Enrolment) -> bool:
        asked = {each.step.pk for each in self.wanted}
        return any(
            step.pk in asked or (step.follow_up is not None and step.follow_up.status == FollowUp.Status.OPEN)
            for step in self.steps[row.pk].values()
        )

    def _take_up(self, row: Enrolment) -> None:
        """Open again what was withdrawn while another journey went first, and let the governor judge messages anew."""
        for step in self.steps[row.pk].values():
            if step.message is not None and step.message.status == Message.Status.CANCELLED:
                outbox.queue_again(step.message, self.now)
            known = step.follow_up
            if known is None or known.status != FollowUp.Status.CANCELLED or known.closed_by_id is not None:
                continue
            rule = next((each for each in self.rules[row.journey_id].steps if each.code == step.code), None)
            until = self._until(rule, row) if rule else self.now
            known.status, known.closed_at = FollowUp.Status.OPEN, None
            known.due_at, known.due_on = until, current_tenant().local_date(until)
            known.save(update_fields=["status", "closed_at", "due_at", "due_on", "updated_at"])

    # ── steps ───────────────────────────────────────────────────────────────

    def _until(self, step: Step, row: Enrolment) -> dt.datetime:
        until = due_at(step, row.base_at, self.now)
        if step.how == "message":  # machines have no days off; quiet hours are the governor's
            return until
        zone = current_tenant().zone
        return on_working_day(until, self.now, self.cadence.done_by, zone, self.calendar.is_working)

    def _do(self, row: Enrolment, rules: Definition, step: Step) -> JourneyStep:
        until = self._until(step, row)
        made = JourneyStep(enrolment=row, code=step.code, at=self.now, due_at=until)
        facts = self.facts[row.pk]
        if why := next((fact for fact in step.unless if fact in facts), ""):
            made.status, made.why = JourneyStep.Status.SKIPPED, why
            made.save(force_insert=True)
            return made
        if step.how == "message":
            made.message, made.why = self._message(row, rules, step)
            if made.message is not None and not made.why:
                blocked = made.message.status == Message.Status.BLOCKED
                made.status = JourneyStep.Status.SKIPPED if blocked else JourneyStep.Status.SENT
                made.save(force_insert=True)
                return made
        made.status = JourneyStep.Status.RAISED
        made.save(force_insert=True)
        self.wanted.append(_Wanted(made, self._follow_up(row, rules, step, until)))
        return made

    def _message(self, row: Enrolment, rules: Definition, step: Step) -> tuple[Message | None, str]:
        """The message of a step, and why a person has to do it instead; empty where none has to."""
        return self.team.write(
            customer=self.customers[row.customer_id],
            contact=row.contact,
            script=step.script,
            channel=step.channel,
            purpose="service" if rules.trigger in {"complaint_opened", "complaint_solved"} else "journey",
            origin=f"{ORIGIN}{row.journey.code}:{step.code}",
            period=row.event,
            product=row.product,
            complaint=row.complaint,
        )

    def _follow_up(self, row: Enrolment, rules: Definition, step: Step, until: dt.datetime) -> dict[str, Any]:
        customer = self.customers[row.customer_id]
        assignee, duty = self.team.holder(step.duty, customer)
        facts: dict[str, Any] = {
            "journey": row.journey.name,
            "code": row.journey.code,
            "step": step.code,
            "name": step.name,
        }
        facts |= {"script": step.script} if step.script else {}
        facts |= {"duty": duty} if duty else {}
        facts |= {"alone": True} if len(rules.steps) == 1 else {}
        return {
            "customer_id": customer.pk,
            "kind": step.kind if step.kind != "message" else "light_touch",
            "rule": rule_of(row.journey.code, step.code),
            "period": row.event,
            "due_on": current_tenant().local_date(until),
            "level": step.level,
            "facts": facts,
            "for_member": assignee,
            "with_contact": row.contact_id,
            "by_channel": step.channel,
            "until": until,
        }

    def _raise(self) -> None:
        if not self.wanted:
            return
        frame = pl.DataFrame(
            [each.row | {"facts": json.dumps(each.row["facts"], ensure_ascii=False)} for each in self.wanted],
            schema={
                "customer_id": pl.Int64, "kind": pl.String, "rule": pl.String, "period": pl.String, "due_on": pl.Date,
                "level": pl.String, "facts": pl.String, "for_member": pl.Int64, "with_contact": pl.Int64,
                "by_channel": pl.String, "until": pl.Datetime("us", "UTC"),
            },
        )  # fmt: skip
        raise_follow_ups(frame, policy_version=self.policy.number, customers=list(self.customers))
        rows = FollowUp.objects.filter(
            customer__in=list(self.customers), rule__in={each.row["rule"] for each in self.wanted}
        )
        made = {(row.customer_id, row.rule, row.period): row for row in rows}
        for each in self.wanted:
            each.step.follow_up = made.get((each.row["customer_id"], each.row["rule"], each.row["period"]))
        JourneyStep.objects.bulk_update([each.step for each in self.wanted], ["follow_up"])


def rule_of(journey: str, step: str) -> str:
    """The rule of a step's follow-ups."""
    return f"{ORIGIN}{journey}:{step}"


# ── what has happened since ─────────────────────────────────────────────────

_SINCE: Final = """
SELECT e.id,
    EXISTS (SELECT 1 FROM customers_order o WHERE o.tenant_id = %(tenant)s AND o.customer_id = e.customer_id
            AND o.kind = 'order' AND o.status = 'placed' AND o.placed_on >= e.event_at::date - 1
            AND o.placed_at > e.event_at AND o.placed_at < %(now)s),
    EXISTS (SELECT 1 FROM customers_interaction i WHERE i.tenant_id = %(tenant)s AND i.customer_id = e.customer_id
            AND i.at > e.event_at AND i.at < %(now)s AND (i.answered OR i.direction = 'inbound')),
    EXISTS (SELECT 1 FROM customers_complaint k WHERE k.tenant_id = %(tenant)s AND k.customer_id = e.customer_id
            AND k.opened_at > e.event_at AND k.opened_at < %(now)s)
FROM followups_enrolment e WHERE e.tenant_id = %(tenant)s AND e.id = ANY(%(ids)s)
"""


def _facts_since(rows: Sequence[Enrolment], now: dt.datetime) -> dict[int, set[Fact]]:
    """Enrolment id → what has happened since its event: an order, an answer, a complaint."""
    names: tuple[Fact, ...] = ("order", "answer", "complaint")
    if not rows:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_SINCE, {"tenant": current_tenant().pk, "now": now, "ids": [row.pk for row in rows]})
        return {
            pk: {name for name, there in zip(names, found, strict=True) if there} for pk, *found in cursor.fetchall()
        }


# ── between two nights, and every night ─────────────────────────────────────


WALKED_AT_ONCE: Final = 1_000
"""Customers in one transaction between two nights."""

ROUNDS: Final = 20
"""Of one tenant in a row, so that a big one does not keep the others waiting; the next ring goes on."""


def look_at(tenant: Tenant) -> int:
    """Look at a firm's journeys until nothing is due; returns how many customers were walked. One that fails is logged."""
    walked = 0
    try:
        for _round in range(ROUNDS):
            with tenant_scope(tenant):
                found = look_at_facts(timezone.now(), WALKED_AT_ONCE)
            walked += found
            if found < WALKED_AT_ONCE:
                break
    except Exception:
        log.exception("journeys of %s failed", tenant.slug)
    return walked


def look_at_facts(now: dt.datetime, most: int) -> int:
    """Between two nights: enrol for facts that have come in, and walk whoever is due or had one; returns how many.

    Call it in a tenant's scope. What came in is known by its note (customers.Arrival) since the journeys were last
    looked at, or by an announcement; up to `most` customers at a time, the others with the next ring.
    """
    on = journeys_on()
    since = min((journey.looked_at for journey in on), default=now) - LATE_COMMITS
    arrived = _arrived(since) if on else []
    entered: set[int] = set()
    if arrived:
        by_facts = [journey for journey in on if journey.trigger != Journey.Trigger.ANNOUNCED]
        entered |= enter(by_facts, now, arrived if len(arrived) <= NAMED else None)
    entered |= enter(
        [journey for journey in on if journey.trigger == Journey.Trigger.ANNOUNCED and _is_announced(journey, since)],
        now,
    )
    under_way = Enrolment.objects.filter(customer__in=arrived, ended_at__isnull=True)
    concerned = set(under_way.values_list("customer_id", flat=True)) if arrived else set()
    waiting = sorted(entered | concerned | set(due(now, most)))
    walked = walk(waiting[:most], now)
    # Facts of whoever has not been walked yet are there the next time: their enrolments are due.
    Journey.objects.filter(pk__in=[journey.pk for journey in on]).update(looked_at=now)
    return walked


def _arrived(since: dt.datetime) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT customer_id FROM customers_arrival WHERE tenant_id = %s AND at >= %s ORDER BY customer_id",
            [current_tenant().pk, since],
        )
        return [row[0] for row in cursor.fetchall()]


def _is_announced(journey: Journey, since: dt.datetime) -> bool:
    return Announcement.objects.filter(at__gte=max(since, journey.since)).exists()
