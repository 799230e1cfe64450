"""Runs of playbooks under way: what is due, what came of it, where it goes on, and when it is over.

Everything is rows, as with journeys (followups.journeys.walking): whoever walks a customer's runs has the customer's
lock; killed anywhere, the transaction has done nothing, and done again it finds what is there. Of all runs and journeys
of a customer one goes on, the others wait (followups.rules.journeys.settle).
"""

from __future__ import annotations

import datetime as dt
import json
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

import polars as pl
from django.db import connection
from django.utils import timezone

from customers.models import Customer
from followups.journeys import walking as journeys
from followups.journeys.team import NO_CONTACT, NO_SCRIPT, NOT_SENT, Team, withdraw
from followups.messages import outbox
from followups.models import DutyHolder, Enrolment, FollowUp, Message
from followups.raising import raise_follow_ups
from followups.rules.journeys import Fact, Place, settle
from followups.rules.ranking import LEVEL_WEIGHTS
from risk.cases import services as cases
from risk.models import Alert, PlaybookRun, PlaybookStep
from risk.rules.playbooks import (
    ANSWER_DAYS,
    Definition,
    Ending,
    Step,
    StepOutcome,
    begins_at,
    due_at,
    onward,
    stage_named,
    stages,
)
from tenants.calendars import firm_calendar
from tenants.context import current_tenant
from tenants.events import record
from tenants.parts import Customers, among
from tenants.policies import active_policy

AT_ONCE: Final = 200
"""Customers whose runs are walked in one go."""

LATE_COMMITS: Final = "interval '10 minutes'"
"""So long may a transaction take that writes a fact: what has come in is looked at so much further back."""

LOOK_AGAIN: Final = dt.timedelta(days=1)
"""While people work on the steps a run is looked at again so much later, if nothing comes in."""

ORIGIN: Final = "playbook:"
S: Final = PlaybookRun.Status
W: Final = PlaybookRun.Why
T: Final = PlaybookStep.Status

_SENT_INSTEAD: Final = frozenset({NO_CONTACT, NO_SCRIPT, NOT_SENT})

_BY_ALERT: Final[Mapping[str, tuple[str, Ending]]] = {
    Alert.Outcome.SAVED: (S.FINISHED, "saved"),
    Alert.Outcome.PASSED: (S.FINISHED, "saved"),
    Alert.Outcome.LOST: (S.FINISHED, "lost"),
    Alert.Outcome.FALSE_ALARM: (S.STOPPED, ""),
}
"""How a run ends when its alert was closed."""


def rule_of(playbook: str, step: str) -> str:
    """The rule of a step's follow-ups."""
    return f"{ORIGIN}{playbook}:{step}"


def period_of(run: PlaybookRun) -> str:
    """The period of a run's follow-ups."""
    return f"run:{run.pk}"


# ── what is due ─────────────────────────────────────────────────────────────

_DUE: Final = f"""
SELECT customer_id FROM (
    SELECT r.customer_id, r.next_at AS at FROM risk_playbookrun r
    WHERE r.tenant_id = %(tenant)s AND r.ended_at IS NULL AND r.next_at <= %(now)s
    UNION ALL
    SELECT r.customer_id, s.at FROM risk_playbookrun r
    JOIN customers_arrival s ON s.tenant_id = r.tenant_id AND s.customer_id = r.customer_id
    WHERE r.tenant_id = %(tenant)s AND r.ended_at IS NULL AND s.at >= r.looked_at - {LATE_COMMITS}
    UNION ALL
    SELECT r.customer_id, a.updated_at FROM risk_playbookrun r
    JOIN risk_alert a ON a.tenant_id = r.tenant_id AND a.id = r.alert_id
    WHERE r.tenant_id = %(tenant)s AND r.ended_at IS NULL AND a.closed_on IS NOT NULL
    UNION ALL
    SELECT r.customer_id, f.closed_at FROM risk_playbookstep s
    JOIN risk_playbookrun r ON r.tenant_id = s.tenant_id AND r.id = s.run_id AND r.status = 'active'
    JOIN followups_followup f ON f.tenant_id = s.tenant_id AND f.id = s.follow_up_id AND f.status <> 'open'
    WHERE s.tenant_id = %(tenant)s AND s.status = 'raised'
    UNION ALL
    SELECT r.customer_id, f.created_at FROM risk_playbookrun r
    JOIN risk_alert a ON a.tenant_id = r.tenant_id AND a.id = r.alert_id
    JOIN followups_followup f ON f.tenant_id = r.tenant_id AND f.customer_id = r.customer_id AND f.status = 'open'
     AND f.rule = 'signal:' || a.signal
    WHERE r.tenant_id = %(tenant)s AND r.status = 'active'
    UNION ALL
    SELECT r.customer_id, r.waits_since FROM risk_playbookrun r
    WHERE r.tenant_id = %(tenant)s AND r.status = 'waiting' AND r.ended_at IS NULL
      AND NOT EXISTS (SELECT 1 FROM followups_enrolment e WHERE e.tenant_id = r.tenant_id
                      AND e.customer_id = r.customer_id AND e.status = 'active')
      AND NOT EXISTS (SELECT 1 FROM risk_playbookrun o WHERE o.tenant_id = r.tenant_id
                      AND o.customer_id = r.customer_id AND o.status = 'active')
) due WHERE {{among}} GROUP BY customer_id ORDER BY min(at) NULLS FIRST, customer_id LIMIT %(most)s
"""
"""Whose run is to be looked at: a step or a wait is over, something came in, its alert or a follow-up was closed, the signal
asks for what its steps do, or what went first has ended."""


def due(now: dt.datetime, most: int, customers: Customers = None) -> list[int]:
    """The ids of up to `most` customers whose runs are to be looked at, those who wait longest first."""
    with connection.cursor() as cursor:
        cursor.execute(
            _DUE.format(among=among(customers)),
            {"tenant": current_tenant().pk, "now": now, "most": most},
        )
        return [row[0] for row in cursor.fetchall()]


# ── walking ─────────────────────────────────────────────────────────────────


def walk(customer_ids: Collection[int], now: dt.datetime, *, wait: bool = False) -> int:
    """Bring the runs of these customers up to `now`; returns how many customers were walked.

    Those whom somebody else is just walking are left out, and stay due; with `wait` they are waited for. Call it inside a
    transaction.
    """
    ids = sorted(set(customer_ids))
    walked = 0
    for start in range(0, len(ids), AT_ONCE):
        some = Customer.objects.filter(pk__in=ids[start : start + AT_ONCE]).order_by("pk")
        locked = list(some.select_for_update(of=("self",), no_key=True, skip_locked=not wait))
        if locked:
            _Walk(locked, now).go()
        walked += len(locked)
    return walked


@dataclass
class _Wanted:
    """A follow-up that a step asks for, and the row of the step that will name it."""

    step: PlaybookStep
    row: dict[str, Any]


class _Walk:
    """The runs of some customers, locked, brought up to a moment: read at once, decided one by one, raised at once."""

    def __init__(self, customers: Sequence[Customer], now: dt.datetime) -> None:
        self.now, self.customers = now, {customer.pk: customer for customer in customers}
        open_ones = PlaybookRun.objects.filter(customer__in=list(self.customers), ended_at__isnull=True)
        self.runs = list(open_ones.select_related("playbook", "version", "alert", "owner").order_by("pk"))
        versions: dict[int, Definition] = {}
        for run in self.runs:
            if run.version_id not in versions:
                versions[run.version_id] = run.version.rules
        self.rules = {run.pk: versions[run.version_id] for run in self.runs}
        self.steps: dict[int, dict[str, PlaybookStep]] = defaultdict(dict)
        rows = PlaybookStep.objects.filter(run__in=self.runs).select_related("follow_up__interaction", "message")
        for step in rows:
            self.steps[step.run_id][step.code] = step
        self.facts = _facts_since(self.runs, now)
        self.journeys = _journey_places(list(self.customers), now)
        self.wanted: list[_Wanted] = []
        self.ended: set[int] = set()
        self.team = Team()
        self.policy = active_policy()
        self.calendar = firm_calendar(self.policy)

    def go(self) -> None:
        by_customer: dict[int, list[PlaybookRun]] = defaultdict(list)
        for run in self.runs:
            by_customer[run.customer_id].append(run)
        for runs in by_customer.values():
            self._customer(runs)
        self._raise()
        PlaybookRun.objects.filter(pk__in=[run.pk for run in self.runs]).update(looked_at=self.now)
        if self.ended:  # what has waited for one of them may go on with the next ring
            waiting = Enrolment.objects.filter(customer__in=self.ended, status=Enrolment.Status.WAITING)
            waiting.filter(ended_at__isnull=True).update(next_at=self.now)

    def _customer(self, runs: list[PlaybookRun]) -> None:
        for run in runs:
            if run.status == S.ACTIVE:
                self._read(run)
            if found := self._ended_by(run):
                self.end(run, *found)
        # Each round ends one run at least, or it is the last.
        for _round in range(len(runs) + 1):
            alive = [run for run in runs if run.ended_at is None]
            if not alive or not self._settled(alive):
                return

    def _settled(self, runs: Sequence[PlaybookRun]) -> bool:
        """Let one go on and the others wait; says whether one ended, so that the next may go on."""
        customer = runs[0].customer_id
        places = [*(place_of(run, self.rules[run.pk], self.now) for run in runs), *self.journeys.get(customer, ())]
        found = settle(places, self.now)
        by_place = {-run.pk: run for run in runs}
        for pk in found.over:
            if pk in by_place:
                self.end(by_place[pk], S.STOPPED, W.OVER, "")
        for pk in found.waits:
            if pk in by_place:
                let_wait(
                    by_place[pk], self.rules[by_place[pk].pk], list(self.steps[by_place[pk].pk].values()), self.now
                )
        if found.goes not in by_place:  # a journey goes first, and is walked by its own, with the next ring
            waiting = Enrolment.objects.filter(pk=found.goes, status=Enrolment.Status.WAITING)
            waiting.filter(next_at__gt=self.now).update(next_at=self.now)
            return False
        return self._go_on(by_place[found.goes])

    def _ended_by(self, run: PlaybookRun) -> tuple[str, str, Ending] | None:
        """Status, why and ending of a run that something outside has ended."""
        if self.customers[run.customer_id].closed_on is not None:
            return S.STOPPED, W.CLOSED, "lost"
        facts = self.facts[run.pk]
        if why := next((fact for fact in self.rules[run.pk].stops if fact in facts), ""):
            return S.FINISHED, why, "saved"
        if run.alert is not None and run.alert.closed_on is not None:
            status, ending = _BY_ALERT[run.alert.outcome]
            return status, W.ALERT, ending
        return None

    # ── what came of its steps ──────────────────────────────────────────────

    def _read(self, run: PlaybookRun) -> None:
        rules = {step.code: step for step in self.rules[run.pk].steps}
        for step in self.steps[run.pk].values():
            if step.status == T.RAISED:
                read_follow_up(step, rules[step.code], self.now)
            asked_at = step.done_at if step.status == T.ASKS else None
            if asked_at is not None and self.now >= asked_at + dt.timedelta(days=ANSWER_DAYS):
                step.status, step.why = T.DONE, PlaybookStep.Why.SILENT
                step.save(update_fields=["status", "why"])

    # ── what becomes of one run ─────────────────────────────────────────────

    def end(self, run: PlaybookRun, status: str, why: str, ending: Ending) -> None:
        end(run, list(self.steps[run.pk].values()), status, why, ending, self.now)
        self.ended.add(run.customer_id)

    def _go_on(self, run: PlaybookRun) -> bool:
        """Do what is to be done now; says whether the run ended with it."""
        if run.status != S.ACTIVE:
            self._begin(run)
        replace_answer(run)
        rules, steps = self.rules[run.pk], self.steps[run.pk]
        for _stage in stages(rules.steps):
            self._enter(run, rules)
            for step in stage_named(rules.steps, run.stage):
                row = steps[step.code]
                if row.status == T.AHEAD and row.begins_at <= self.now:
                    self._do(run, rules, step, row)
            found = onward(rules.steps, run.stage, _outcomes(steps))
            if found is None:
                break
            if found.is_over:
                self.end(run, S.FINISHED, W.NONE, found.ending)
                return True
            over = [steps[step.code].done_at for step in stage_named(rules.steps, run.stage)]
            run.stage_at = max([at for at in over if at is not None], default=self.now)
            run.stage = found.stage
        run.next_at = self._next(run)
        run.save(
            update_fields=["status", "why", "waits_since", "base_at", "stage", "stage_at", "next_at", "updated_at"]
        )
        return False

    def _begin(self, run: PlaybookRun) -> None:
        """Let a run that waited go on: journeys of the customer wait for it, and it takes up what it had to leave."""
        if run.why == W.OTHER and run.waits_since is not None:  # it waited for another one, not just for us
            waited = max(self.now - run.waits_since, dt.timedelta())
            run.base_at, run.stage_at = run.base_at + waited, run.stage_at + waited
            for step in self.steps[run.pk].values():
                if step.status == T.AHEAD:
                    step.begins_at += waited
                    step.save(update_fields=["begins_at"])
        run.status, run.why, run.waits_since, run.next_at = S.ACTIVE, W.NONE, None, self.now
        run.save()
        if any(place.is_active for place in self.journeys.get(run.customer_id, ())):
            journeys.walk([run.customer_id], self.now)  # never two at once: they take back what they have raised
        self._take_up(run)

    def _take_up(self, run: PlaybookRun) -> None:
        """Open again what was withdrawn while another one went first, and let the governor judge messages anew."""
        for step in self.steps[run.pk].values():
            if step.message is not None and step.message.status == Message.Status.CANCELLED:
                outbox.queue_again(step.message, self.now)
            known = step.follow_up
            if step.status != T.RAISED or known is None or known.closed_by_id is not None:
                continue
            if known.status == FollowUp.Status.CANCELLED:
                rule = next(each for each in self.rules[run.pk].steps if each.code == step.code)
                _open_again(known, due_at(rule, run.base_at, run.stage_at, self.now, self.calendar))

    def _enter(self, run: PlaybookRun, rules: Definition) -> None:
        """Put the steps of its stage there, with when each begins."""
        for step in stage_named(rules.steps, run.stage):
            if step.code not in self.steps[run.pk]:
                row = PlaybookStep(
                    run=run, code=step.code, status=T.AHEAD,
                    begins_at=begins_at(step, run.base_at, run.stage_at, self.calendar),
                    due_at=due_at(step, run.base_at, run.stage_at, run.stage_at, self.calendar),
                )  # fmt: skip
                row.save(force_insert=True)
                self.steps[run.pk][step.code] = row

    def _next(self, run: PlaybookRun) -> dt.datetime:
        """When to look again, if nothing comes in."""
        rows = self.steps[run.pk].values()
        moments = [row.begins_at for row in rows if row.status == T.AHEAD]
        answers = [row.done_at for row in rows if row.status == T.ASKS and row.done_at is not None]
        moments += [at + dt.timedelta(days=ANSWER_DAYS) for at in answers]
        return min([*moments, self.now + LOOK_AGAIN])

    # ── steps ───────────────────────────────────────────────────────────────

    def _do(self, run: PlaybookRun, rules: Definition, step: Step, row: PlaybookStep) -> None:
        facts = self.facts[run.pk]
        row.raised_at = self.now
        row.due_at = due_at(step, run.base_at, run.stage_at, self.now, self.calendar)
        if why := next((fact for fact in step.unless if fact in facts), ""):
            row.status, row.outcome, row.why, row.done_at = T.DONE, PlaybookStep.Outcome.LEFT_OUT, why, self.now
            row.save()
            return
        if step.how == "message":
            row.message, row.why = self.team.write(
                customer=self.customers[run.customer_id],
                contact=None,
                script=step.script,
                channel=step.channel,
                purpose="journey",
                origin=rule_of(run.playbook.code, step.code),
                period=period_of(run),
            )
            if row.why not in _SENT_INSTEAD and row.message is not None:
                blocked = row.message.status == Message.Status.BLOCKED
                row.status, row.done_at = T.DONE, self.now
                row.outcome = PlaybookStep.Outcome.LEFT_OUT if blocked else PlaybookStep.Outcome.SENT
                row.save()
                return
        row.status = T.RAISED
        row.save()
        self.wanted.append(_Wanted(row, self._follow_up(run, rules, step, row.due_at)))

    def _follow_up(self, run: PlaybookRun, rules: Definition, step: Step, until: dt.datetime) -> dict[str, Any]:
        customer = self.customers[run.customer_id]
        assignee, duty = self._who(run, step, customer)
        alerted = run.alert.level if run.alert is not None else run.level  # it may have risen since
        facts: dict[str, Any] = {
            "playbook": run.playbook.name, "code": run.playbook.code, "step": step.code, "name": step.name,
            "run": run.pk,
        }  # fmt: skip
        facts |= {"script": step.script} if step.script else {}
        facts |= {"what": step.what} if step.what else {}
        facts |= {"duty": duty} if duty else {}
        facts |= {"inside": True} if step.inside else {}
        return {
            "customer_id": customer.pk,
            "kind": step.kind if step.kind != "message" else "light_touch",
            "rule": rule_of(run.playbook.code, step.code),
            "period": period_of(run),
            "due_on": current_tenant().local_date(until),
            "level": max(
                (step.level, cast(Any, run.level), cast(Any, alerted)), key=lambda level: LEVEL_WEIGHTS[level]
            ),
            "facts": facts,
            "for_member": assignee,
            "by_channel": step.channel,
            "until": until,
        }

    def _who(self, run: PlaybookRun, step: Step, customer: Customer) -> tuple[int | None, str]:
        """Whose a step is, and the duty to name where somebody else does it for whom nobody has named."""
        if step.duty == "owner":
            owner = self.team.member(run.owner_id)
            return (owner.pk if owner else customer.owner_a_id), ""
        found, unnamed = self.team.holder(step.duty, customer)
        if unnamed == DutyHolder.Duty.EXECUTIVE and (lead := self.team.lead(customer)) is not None:
            return lead.pk, unnamed  # the line upwards, as far as somebody is there
        return found, unnamed

    def _raise(self) -> None:
        if not self.wanted:
            return
        frame = pl.DataFrame(
            [each.row | {"facts": json.dumps(each.row["facts"], ensure_ascii=False)} for each in self.wanted],
            schema={
                "customer_id": pl.Int64, "kind": pl.String, "rule": pl.String, "period": pl.String, "due_on": pl.Date,
                "level": pl.String, "facts": pl.String, "for_member": pl.Int64, "by_channel": pl.String,
                "until": pl.Datetime("us", "UTC"),
            },
        )  # fmt: skip
        raise_follow_ups(frame, policy_version=self.policy.number, customers=list(self.customers))
        rows = FollowUp.objects.filter(
            customer__in=list(self.customers), rule__in={each.row["rule"] for each in self.wanted}
        )
        made = {(row.customer_id, row.rule, row.period): row for row in rows}
        for each in self.wanted:
            found = made.get((each.row["customer_id"], each.row["rule"], each.row["period"]))
            if found is not None and found.status == FollowUp.Status.CANCELLED and found.closed_by_id is None:
                _open_again(found, each.row["until"])  # its step was taken back, and is done after all
            each.step.follow_up = found
        PlaybookStep.objects.bulk_update([each.step for each in self.wanted], ["follow_up"])


# ── shared with the verbs ───────────────────────────────────────────────────


def place_of(run: PlaybookRun, rules: Definition, now: dt.datetime) -> Place:
    """Where a run stands among all that want to speak; its number is negative, journeys have positive ones."""
    since = run.waits_since or now
    return Place(
        pk=-run.pk,
        priority=rules.priority,
        entered_at=run.started_at,
        is_active=run.status == S.ACTIVE,
        expires_at=since + dt.timedelta(days=rules.wait_days),
    )


def _journey_places(customers: Collection[int], now: dt.datetime) -> dict[int, list[Place]]:
    found: dict[int, list[Place]] = defaultdict(list)
    rows = Enrolment.objects.filter(customer__in=customers, ended_at__isnull=True).select_related("journey")
    for row in rows:
        if not row.journey.is_on:  # it is taken out by the next ring
            continue
        since = row.waits_since or now
        found[row.customer_id].append(
            Place(
                pk=row.pk,
                priority=row.journey.priority,
                entered_at=row.entered_at,
                is_active=row.status == Enrolment.Status.ACTIVE,
                expires_at=since + dt.timedelta(days=row.journey.rules.wait_days),
            )
        )
    return found


def let_wait(run: PlaybookRun, rules: Definition, steps: Sequence[PlaybookStep], now: dt.datetime) -> None:
    """Let a run wait for another one or a journey; what nobody has done is withdrawn until it goes on."""
    if run.status == S.WAITING and run.why == W.OTHER and run.waits_since is not None:
        return
    if run.status == S.ACTIVE:
        withdraw(steps)
    if run.status == S.ACTIVE or run.waits_since is None:
        run.waits_since = now
    run.status, run.why = S.WAITING, W.OTHER
    run.next_at = run.waits_since + dt.timedelta(days=rules.wait_days)
    run.save(update_fields=["status", "why", "waits_since", "next_at", "updated_at"])


def end(
    run: PlaybookRun, steps: Sequence[PlaybookStep], status: str, why: str, ending: Ending, now: dt.datetime
) -> None:
    """End a run; what nobody has done is withdrawn. An end that the run itself came to is an event like any other."""
    before = run.status
    run.status, run.why, run.outcome = status, why, ending
    run.ended_at, run.next_at, run.waits_since = now, None, None
    run.save(update_fields=["status", "why", "outcome", "ended_at", "next_at", "waits_since", "updated_at"])
    withdraw(steps)
    if status == S.STOPPED:
        give_back_answer(run)
    else:
        cases.keep(playbook_run=run)
    if why not in {W.BY_HAND, W.UNDONE}:
        record("ended", run, {"status": [before, status], "outcome": ["", ending], "why": why})


def replace_answer(run: PlaybookRun) -> None:
    """Withdraw the signal's own follow-up: the steps take its place, and nobody is asked twice."""
    if run.alert is None:
        return
    asked = FollowUp.objects.filter(
        customer=run.customer_id, rule=f"signal:{run.alert.signal}", status=FollowUp.Status.OPEN
    )
    ids = sorted(asked.values_list("pk", flat=True))
    if ids:
        now = timezone.now()
        asked.filter(pk__in=ids).update(status=FollowUp.Status.CANCELLED, closed_at=now, updated_at=now)
        run.replaced = sorted({*run.replaced, *ids})
        run.save(update_fields=["replaced", "updated_at"])


def give_back_answer(run: PlaybookRun) -> None:
    """Open the signal's own follow-up again, while its alert is open: the run that took its place has been stopped."""
    if not run.replaced or run.alert is None or run.alert.closed_on is not None:
        return
    rows = FollowUp.objects.filter(pk__in=run.replaced, status=FollowUp.Status.CANCELLED, closed_by__isnull=True)
    rows.update(status=FollowUp.Status.OPEN, closed_at=None, updated_at=timezone.now())


def read_follow_up(step: PlaybookStep, rule: Step, now: dt.datetime) -> None:
    """Read what came of a step's follow-up, once somebody has closed it."""
    known = step.follow_up
    if known is not None and known.status == FollowUp.Status.OPEN:
        return
    outcome: StepOutcome = "withdrawn"
    step.done_at = now
    if known is not None:
        step.done_at, step.said_by_id = known.closed_at or now, known.closed_by_id
        if known.status == FollowUp.Status.DONE:
            answered = known.interaction.answered if known.interaction is not None and not rule.inside else None
            outcome = "done" if answered is None else "reached" if answered else "not_reached"
    step.outcome = outcome
    step.status = T.ASKS if rule.asks and outcome in {"reached", "done"} else T.DONE
    step.save(update_fields=["status", "outcome", "done_at", "said_by"])


def _open_again(known: FollowUp, until: dt.datetime) -> None:
    known.status, known.closed_at = FollowUp.Status.OPEN, None
    known.due_at, known.due_on = until, current_tenant().local_date(until)
    known.save(update_fields=["status", "closed_at", "due_at", "due_on", "updated_at"])


def _outcomes(steps: Mapping[str, PlaybookStep]) -> dict[str, StepOutcome]:
    return {code: cast(StepOutcome, row.outcome) for code, row in steps.items() if row.status == T.DONE}


_SINCE: Final = """
SELECT r.id,
    EXISTS (SELECT 1 FROM customers_order o WHERE o.tenant_id = %(tenant)s AND o.customer_id = r.customer_id
            AND o.kind = 'order' AND o.status = 'placed' AND o.placed_on >= r.started_at::date - 1
            AND o.placed_at > r.started_at AND o.placed_at < %(now)s),
    EXISTS (SELECT 1 FROM customers_interaction i WHERE i.tenant_id = %(tenant)s AND i.customer_id = r.customer_id
            AND i.at > r.started_at AND i.at <= %(now)s AND (i.answered OR i.direction = 'inbound')),
    EXISTS (SELECT 1 FROM customers_complaint k WHERE k.tenant_id = %(tenant)s AND k.customer_id = r.customer_id
            AND k.opened_at > r.started_at AND k.opened_at < %(now)s)
FROM risk_playbookrun r WHERE r.tenant_id = %(tenant)s AND r.id = ANY(%(ids)s)
"""


def _facts_since(runs: Sequence[PlaybookRun], now: dt.datetime) -> dict[int, set[Fact]]:
    """Run id → what has happened since it began: an order, an answer, a complaint."""
    names: tuple[Fact, ...] = ("order", "answer", "complaint")
    if not runs:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_SINCE, {"tenant": current_tenant().pk, "now": now, "ids": [run.pk for run in runs]})
        return {
            pk: {name for name, there in zip(names, found, strict=True) if there} for pk, *found in cursor.fetchall()
        }


# ── what journeys ask ───────────────────────────────────────────────────────


class PlaybookVoice:
    """Playbooks as journeys see them (followups.journeys.voices)."""

    def places(self, customers: Collection[int], now: dt.datetime) -> dict[int, list[Place]]:
        """The open runs of some customers, by customer."""
        found: dict[int, list[Place]] = defaultdict(list)
        rows = PlaybookRun.objects.filter(customer__in=customers, ended_at__isnull=True).select_related("version")
        for run in rows:
            found[run.customer_id].append(place_of(run, run.version.rules, now))
        return found

    def wait(self, places: Collection[int], now: dt.datetime) -> None:
        """Let runs wait for a journey."""
        rows = PlaybookRun.objects.filter(pk__in=[-place for place in places], ended_at__isnull=True)
        for run in rows.select_related("version"):
            let_wait(run, run.version.rules, list(run.steps.select_related("follow_up")), now)

    def speaking(self, customer: int) -> str:
        """The playbook that is under way for a customer; empty for none."""
        run = PlaybookRun.objects.filter(customer=customer, status=S.ACTIVE).select_related("playbook").first()
        return run.playbook.title if run else ""
