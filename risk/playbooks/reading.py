"""A run as a page or the API shows it: its steps, what became of each, and what may be done with it now."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from django.utils.translation import gettext as _

from customers.models import Customer
from followups.models import Enrolment, FollowUp
from risk.models import Alert, PlaybookRun, PlaybookStep
from risk.models.playbooks import playbook_step_title
from risk.playbooks.services import UNDOABLE, open_steps, runs_of
from risk.playbooks.words import BRANCH_WORDS, step_state, what_words
from risk.rules.playbooks import Step
from tenants.models import Event, Member

State = Literal["done", "out", "now", "later"]

RUNS_SHOWN = 6


@dataclass(frozen=True)
class StepLine:
    """A step of a run: what it asks, what became of it, who has it by when. `row` is None for one not yet come to."""

    code: str
    title: str
    what: str
    state: State
    words: str
    why: str
    who: str
    at: dt.datetime | None
    is_late: bool
    row: PlaybookStep | None
    outcomes: Sequence[tuple[str, str]]
    may_skip: bool

    @property
    def follow_up(self) -> FollowUp | None:
        return self.row.follow_up if self.row is not None else None


@dataclass(frozen=True)
class RunLine:
    """A run, ready to print."""

    row: PlaybookRun
    steps: Sequence[StepLine]
    done: int
    why: str

    @property
    def now(self) -> Sequence[StepLine]:
        """The steps that are under way."""
        return [step for step in self.steps if step.state == "now"]


def run_lines(
    *,
    customer: Customer | None = None,
    alert: Alert | None = None,
    incident: int | None = None,
    now: dt.datetime,
    most: int = RUNS_SHOWN,
) -> list[RunLine]:
    """The runs of a customer, an alert or a crisis, ready to print: the open ones first, then the last that ended."""
    rows = sorted(
        runs_of(customer=customer, alert=alert, incident=incident)[: most * 4], key=lambda run: not run.is_open
    )[:most]
    steps = open_steps(rows)
    return [run_line(run, steps[run.pk], now) for run in rows]


def run_line(run: PlaybookRun, rows: Sequence[PlaybookStep], now: dt.datetime) -> RunLine:
    """One run with its steps, in the order in which they came, then those that are still to come."""
    rules = {step.code: step for step in run.version.rules.steps}
    lines = [_line(run, rules[row.code], row, now) for row in rows if row.code in rules]
    if run.is_open:
        there = {row.code for row in rows}
        ahead = _ahead(list(rules.values()), run.stage)
        lines += [_coming(rules[code]) for code in ahead if code not in there]
    return RunLine(run, lines, sum(line.state in {"done", "out"} for line in lines), why_words(run))


def _ahead(steps: Sequence[Step], stage: str) -> list[str]:
    codes = [step.code for step in steps]
    return codes[codes.index(stage) :] if stage in codes else codes


def _line(run: PlaybookRun, rule: Step, row: PlaybookStep, now: dt.datetime) -> StepLine:
    statuses: Mapping[str, State] = {
        PlaybookStep.Status.DONE: "done",
        PlaybookStep.Status.RAISED: "now",
        PlaybookStep.Status.ASKS: "now",
        PlaybookStep.Status.AHEAD: "later",
    }
    state = statuses[row.status]
    if row.outcome in {PlaybookStep.Outcome.SKIPPED, PlaybookStep.Outcome.LEFT_OUT, PlaybookStep.Outcome.WITHDRAWN}:
        state = "out"
    if state == "now" and not run.is_open:
        state = "out"
    assignee = row.follow_up.assignee if row.follow_up is not None else None
    who = str(assignee or "") if state == "now" else str(row.said_by or assignee or "")
    at = row.done_at if row.status == PlaybookStep.Status.DONE else row.due_at if state == "now" else row.begins_at
    under_way = run.status == PlaybookRun.Status.ACTIVE and state == "now"
    return StepLine(
        code=row.code,
        title=playbook_step_title(row.code, rule.name),
        what=what_words(rule),
        state=state,
        words=step_state(row) if run.is_open or row.status == PlaybookStep.Status.DONE else _("not done"),
        why=str(row.get_why_display()) if row.why else "",
        who=who,
        at=at,
        is_late=state == "now" and row.due_at is not None and row.due_at < now,
        row=row,
        outcomes=_outcomes(rule, row) if under_way else (),
        may_skip=run.status == PlaybookRun.Status.ACTIVE and state in {"now", "later"},
    )


def _coming(rule: Step) -> StepLine:
    return StepLine(
        code=rule.code, title=playbook_step_title(rule.code, rule.name), what=what_words(rule), state="later",
        words="", why="", who="", at=None, is_late=False, row=None, outcomes=(), may_skip=False,
    )  # fmt: skip


def _outcomes(rule: Step, row: PlaybookStep) -> list[tuple[str, str]]:
    """What may be said of a step that is under way."""
    codes = ["done"] if rule.inside else ["reached", "not_reached"]
    if row.status == PlaybookStep.Status.ASKS:
        codes = ["saved", "lost", "done"]
    elif rule.asks:
        codes += ["saved", "lost"]
    return [(code, str(BRANCH_WORDS[code])) for code in codes]


def why_words(run: PlaybookRun) -> str:
    """Why a run waits or has ended; what it waits for by name."""
    if run.status == PlaybookRun.Status.WAITING and run.why == PlaybookRun.Why.OTHER:
        other = PlaybookRun.objects.filter(customer=run.customer_id, status=PlaybookRun.Status.ACTIVE).first()
        if other is not None:
            return _("“%(journey)s” goes first") % {"journey": other.playbook.title}
        place = Enrolment.objects.filter(customer=run.customer_id, status=Enrolment.Status.ACTIVE).first()
        if place is not None:
            return _("“%(journey)s” goes first") % {"journey": place.journey.title}
    return str(run.get_why_display()) if run.why else ""


def last_event(run: PlaybookRun, member: Member) -> Event | None:
    """The last thing that somebody did with a run, if the member may take it back."""
    rows = Event.objects.filter(object_type="playbookrun", object_id=run.pk).order_by("-pk")
    found: Event | None = rows.first()
    if found is None or found.verb not in UNDOABLE or run.status == PlaybookRun.Status.HELD:
        return None
    mine = found.actor_id == member.pk or member.can("follow-ups:assign")
    return found if mine and found.actor_id is not None else None
