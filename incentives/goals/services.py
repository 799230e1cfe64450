"""Goals: set one with its baseline, go through plan, do, check and act, and keep what became standard."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any, Final, cast

from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext as _

from incentives.kpis.figures import Value, Who, values
from incentives.kpis.words import kpi_title, period_words, shown
from incentives.models import Goal
from incentives.rules import goals as rules
from incentives.rules.kpis import KPIS, Code, Period
from tenants.context import current_tenant
from tenants.events import acting, changes_of, record
from tenants.models import Member, Team
from tenants.permissions import Role
from tenants.templatetags.perennial import day as day_words

TEXT_LENGTH: Final = 4000


class Refused(ValidationError):
    """A step that must not happen; its message says why, in the user's language."""


# ── reading ─────────────────────────────────────────────────────────────────


def quarter_of(goal: Goal) -> Period:
    return Period("quarter", goal.quarter)


def who_of(goal: Goal) -> Who:
    """Whose KPI measures the goal."""
    if goal.member_id is not None:
        return Who.person(goal.member_id)
    return Who.team(goal.team_id) if goal.team_id is not None else Who.tenant()


def measured(kpi: Code, quarter: Period, who: Who) -> Value:
    """What the KPI came to in a quarter; of one that runs, so far."""
    return values([kpi], period=quarter, of=who)[0]


def may_set(member: Member, *, team: Team | None, person: Member | None) -> bool:
    """Whether a member sets goals of somebody: their own, a lead's team and its people, the firm's only from above."""
    if not member.can("goals:write"):
        return False
    if member.role in (Role.EXECUTIVE, Role.ADMIN):
        return True
    if person is not None and person.pk == member.pk:
        return True
    if member.role != Role.TEAM_LEAD:
        return False
    if person is not None:
        return person.pk in member.team_members
    return team is not None and team.pk == member.team_id


def may_work_on(member: Member, goal: Goal) -> bool:
    """Whether a member takes the goal a step further: who answers for it, and who may set it."""
    if not member.can("goals:write"):
        return False
    return goal.owner_id == member.pk or may_set(member, team=goal.team, person=goal.member)


# ── setting ─────────────────────────────────────────────────────────────────


def add_goal(
    *,
    by: Member,
    quarter: dt.date,
    title: str,
    kpi: str,
    target: Decimal,
    baseline: Decimal | None = None,
    team: Team | None = None,
    member: Member | None = None,
    owner: Member | None = None,
    why: str = "",
    plan: str = "",
) -> Goal:
    """Set a goal of a quarter. Without a baseline it is what the KPI came to in the quarter before.

    Raises ValidationError by field: a quarter that is over, a KPI that there is not, a target of nothing or no better
    than the baseline, a baseline that nobody has measured, a team and a person at once. Refused for whom it is none of
    `by`'s business.
    """
    with acting(by):
        _refuse_strangers(by, team, member)
        goal = Goal(
            quarter=quarter, title=title.strip(), kpi=kpi, target=target, team=team, member=member,
            owner=owner or member or by, why=why.strip(), plan=plan.strip(),
        )  # fmt: skip
        _check(goal)
        _set_baseline(goal, baseline)
        _check_target(goal)
        goal.save(force_insert=True)
        record("created", goal, {"kpi": kpi, "quarter": quarter_of(goal).code, "baseline": str(goal.baseline),
                                 "target": str(target)})  # fmt: skip
        return goal


def change_goal(*, goal: Goal, by: Member, baseline: Decimal | None = None, **fields: Any) -> Goal:
    """Change what was planned; once it is under way the measure, baseline and target stay. Raises as `add_goal`."""
    with acting(by):
        row = _locked(goal)
        _refuse_idle(by, row)
        _refuse_closed(row)
        if "team" in fields or "member" in fields:
            _refuse_strangers(by, fields.get("team", row.team), fields.get("member", row.member))
        is_planned = row.state == Goal.State.PLAN
        values_ = {name: value.strip() if isinstance(value, str) else value for name, value in fields.items()}
        if baseline is not None:
            values_ |= {"baseline": baseline} | ({"baseline_of": None} if baseline != row.baseline else {})
        changes = changes_of(row, values_)
        if not is_planned and (fixed := changes.keys() & _FIXED):
            raise ValidationError(
                {
                    name: ValidationError(_("It is under way: what it is measured by stays."), code="under_way")
                    for name in fixed
                }
            )
        if changes:
            for name, value in values_.items():
                setattr(row, name, value)
            if changes.keys() & _FIXED:
                _check(row)
                _check_target(row)
            row.save()
            record("updated", row, changes)
        return row


_FIXED: Final = frozenset({"kpi", "quarter", "team", "member", "baseline", "target"})


def _check(goal: Goal) -> None:
    """Raises ValidationError by field."""
    wrong: dict[str, ValidationError] = {}
    if not goal.title:
        wrong["title"] = ValidationError(_("Say what is to get better."), code="required")
    if goal.kpi not in KPIS:
        wrong["kpi"] = ValidationError(_("There is no such KPI."), code="unknown")
    if goal.target is None or goal.target <= 0:
        words = _("A target of nothing is always reached and nothing can be measured by it; say more than 0.")
        wrong["target"] = ValidationError(words, code="target_of_nothing")
    if goal.team is not None and goal.member is not None:
        wrong["member"] = ValidationError(_("Of a team or of a person, not of both."), code="of_both")
    try:
        quarter = Period("quarter", goal.quarter)
    except ValueError:
        wrong["quarter"] = ValidationError(_("A quarter begins in January, April, July or October."), code="no_quarter")
    else:
        if quarter.end <= current_tenant().today():
            words = _("%(quarter)s is over; set a goal for one that is not.")
            wrong["quarter"] = ValidationError(words % {"quarter": period_words(quarter)}, code="over")
    if wrong:
        raise ValidationError(wrong)


def _set_baseline(goal: Goal, said: Decimal | None) -> None:
    if said is not None:
        goal.baseline = said
        return
    before = quarter_of(goal).before
    value = measured(cast(Code, goal.kpi), before, who_of(goal))
    if value.value is None:
        words = _("Nothing was measured in %(quarter)s: say the baseline yourself.")
        raise ValidationError(
            {"baseline": ValidationError(words % {"quarter": period_words(before)}, code="not_measured")}
        )
    goal.baseline, goal.baseline_of = value.value, before.start


def _check_target(goal: Goal) -> None:
    kpi = KPIS[cast(Code, goal.kpi)]
    if not rules.is_better(kpi, goal.target, goal.baseline):
        words = _("%(target)s is no better than the baseline of %(baseline)s.")
        said = {"target": shown(kpi, goal.target), "baseline": shown(kpi, goal.baseline)}
        raise ValidationError({"target": ValidationError(words % said, code="no_better")})


# ── the four steps ──────────────────────────────────────────────────────────


def start(*, goal: Goal, by: Member, plan: str) -> Goal:
    """Plan → do: say what will be done. Raises ValidationError without a plan."""
    with acting(by):
        row = _step(goal, by, "start")
        if row is None:
            return goal
        row.plan = _said("plan", plan, _("Say what will be done."))
        return _save(row, "started", ["plan"])


def check(*, goal: Goal, by: Member, done: str) -> Goal:
    """Do → check: say what was done, and take the result from the KPI. Raises Refused while the quarter runs."""
    with acting(by):
        row = _step(goal, by, "check")
        if row is None:
            return goal
        quarter, kpi = quarter_of(row), KPIS[cast(Code, row.kpi)]
        if quarter.end > current_tenant().today():
            so_far = measured(kpi.code, quarter, who_of(row))
            words = _("%(quarter)s runs until %(day)s; so far %(kpi)s is %(value)s.")
            said = {
                "quarter": period_words(quarter), "day": day_words(quarter.last), "kpi": kpi_title(kpi.code),
                "value": so_far.words,
            }  # fmt: skip
            raise Refused(words % said, code="runs")
        row.done = _said("done", done, _("Say what was done."))
        value = measured(kpi.code, quarter, who_of(row)).value
        row.result, row.checked_at = value, timezone.now()
        row.verdict = rules.verdict(kpi, row.baseline, row.target, value)
        return _save(row, "checked", ["done", "result", "checked_at", "verdict"])


def act(*, goal: Goal, by: Member, learned: str) -> Goal:
    """Check → act: say what was learned from the result."""
    with acting(by):
        row = _step(goal, by, "act")
        if row is None:
            return goal
        row.learned = _said("learned", learned, _("Say what was learned."))
        return _save(row, "acted", ["learned"])


def close(
    *, goal: Goal, by: Member, standard: str = "", where: str = "", go_on: bool = False, target: Decimal | None = None
) -> Goal:
    """Act → closed: say what became standard and where it is written down; go on with the next quarter if wanted.

    A goal that was reached leaves a standard: without one it would be lost again. `go_on` makes a goal of the quarter
    after the running one's start, with the result as its baseline and `target`, or the same target while it is still
    ahead. Raises ValidationError by field.
    """
    with acting(by):
        row = _step(goal, by, "close")
        if row is None:
            return goal
        if row.verdict == Goal.Verdict.REACHED:
            row.standard = _said(
                "standard", standard, _("It was reached: say what becomes standard, or it is lost again.")
            )
        else:
            row.standard = standard.strip()
        row.standard_where = where.strip()
        row.closed_at = timezone.now()
        if go_on:
            row.followed_by = _next(row, by, target)
        return _save(row, "closed", ["standard", "standard_where", "closed_at", "followed_by"])


def _next(row: Goal, by: Member, target: Decimal | None) -> Goal:
    quarter = quarter_of(row).after
    today = current_tenant().today()
    while quarter.end <= today:
        quarter = quarter.after
    return add_goal(
        by=by, quarter=quarter.start, title=row.title, kpi=row.kpi, baseline=row.result,
        target=row.target if target is None else target, team=row.team, member=row.member, owner=row.owner,
        why=row.learned,
    )  # fmt: skip


def _locked(goal: Goal) -> Goal:
    """The row as it stands now, locked until the end."""
    row: Goal = (
        Goal.objects.select_related("team", "member__user", "owner__user")
        .select_for_update(of=("self",))
        .get(pk=goal.pk)
    )
    return row


def _step(goal: Goal, by: Member, verb: rules.Verb) -> Goal | None:
    """The row in the state before the step; None when the step has been taken already: a form sent twice."""
    row = _locked(goal)
    _refuse_idle(by, row)
    before, after = rules.STEPS[verb]
    if row.state == after:
        return None
    _refuse_closed(row)
    if row.state != before:
        words = _("The goal is at “%(state)s”: that step is not next.")
        raise Refused(words % {"state": row.get_state_display()}, code="not_next")
    row.state = after
    return row


def _save(row: Goal, verb: str, fields: list[str]) -> Goal:
    row.save(update_fields=["state", "updated_at", *fields])
    said = {"state": row.state} | ({"result": str(row.result), "verdict": row.verdict} if verb == "checked" else {})
    record(verb, row, said)
    return row


def _said(field: str, text: str, words: str) -> str:
    if not text.strip():
        raise ValidationError({field: ValidationError(words, code="required")})
    if len(text) > TEXT_LENGTH:
        too_long = _("At most %(count)d characters.") % {"count": TEXT_LENGTH}
        raise ValidationError({field: ValidationError(too_long, code="too_long")})
    return text.strip()


def _refuse_closed(row: Goal) -> None:
    if row.state == Goal.State.CLOSED:
        day = day_words(current_tenant().local_date(row.closed_at)) if row.closed_at else ""
        raise Refused(_("The goal was closed on %(day)s and stays as it is.") % {"day": day}, code="closed")


def _refuse_idle(by: Member, row: Goal) -> None:
    if not may_work_on(by, row):
        raise Refused(_("Who answers for the goal, and their lead, take it further."), code="not_yours")


def _refuse_strangers(by: Member, team: Team | None, person: Member | None) -> None:
    if not may_set(by, team=team, person=person):
        raise Refused(
            _("You can set your own goals; a lead those of the team and its people, an executive those of the firm."),
            code="not_yours",
        )
