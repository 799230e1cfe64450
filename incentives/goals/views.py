"""Pages of goals: the list, setting one, and its four steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Final, cast

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from incentives.goals import services as goals
from incentives.goals.forms import STEP_FORMS, GoalForm
from incentives.goals.lists import GoalFilter, GoalTable, goal_rows, goal_value, of_words, quarter_words
from incentives.kpis.figures import Value, Who, may_see, people_seen
from incentives.kpis.words import kpi_title
from incentives.models import Goal
from incentives.rules import goals as rules
from incentives.rules.kpis import Code
from tenants.models import Event, Member, Team
from tenants.pages import FormPage, ListPage, TenantView
from tenants.permissions import Role

STEP_TITLES: Final = {
    "start": gettext_lazy("Start"),
    "check": gettext_lazy("Check the result"),
    "act": gettext_lazy("Write down what was learned"),
    "close": gettext_lazy("Close the goal"),
}
SAID: Final = {
    "start": gettext_lazy("The goal is under way."),
    "check": gettext_lazy("The result is taken from the KPI."),
    "act": gettext_lazy("What was learned is written down."),
    "close": gettext_lazy("The goal is closed."),
}


class GoalList(ListPage):
    """Goals by quarter: of the firm, of teams and of people."""

    permission = "goals:read"
    nav = "goals"
    queryset = staticmethod(goal_rows)
    filterset = GoalFilter
    table = GoalTable
    template = "incentives/goals.html"
    empty = "incentives/goals_empty.html"
    sort = "-quarter"
    export_permission = "customers:export"
    export_name = "goals"

    def counted(self, count: int, shown: str) -> str:
        return ngettext("%(count)s goal", "%(count)s goals", count) % {"count": shown}

    def context(self, rows: Sequence[Any]) -> dict[str, Any]:
        return {"may_add": self.member.can("goals:write")}


class _GoalPage(TenantView):
    permission = "goals:read"
    nav = "goals"

    @cached_property
    def goal(self) -> Goal:
        found: Goal = get_object_or_404(goal_rows(self.member), pk=self.kwargs["pk"])
        return found


@dataclass(frozen=True)
class StepShown:
    """One of the four steps, as the page shows it."""

    title: str
    text: str
    is_done: bool
    is_now: bool


def steps_of(goal: Goal) -> list[StepShown]:
    order = [Goal.State.PLAN, Goal.State.DO, Goal.State.CHECK, Goal.State.ACT, Goal.State.CLOSED]
    place = order.index(Goal.State(goal.state))
    texts = [goal.plan, goal.done, goal.learned, goal.standard]
    return [
        StepShown(str(state.label), text, place > number, place == number)
        for number, (state, text) in enumerate(zip(order[:-1], texts, strict=True))
    ]


class GoalPage(_GoalPage):
    """One goal: baseline, target, how it stands, its four steps, and what became standard."""

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        self.refuse_unknown()
        goal = self.goal
        quarter, who = goals.quarter_of(goal), goals.who_of(goal)
        now: Value | None = None
        if goal.checked_at is None and quarter.start <= self.request.tenant.today():
            now = goals.measured(cast(Code, goal.kpi), quarter, who)
        value = goal.result if goal.checked_at is not None else now.value if now else None
        verb = rules.next_verb(cast(rules.State, goal.state))
        return self.render(
            "incentives/goal.html",
            goal=goal,
            quarter=quarter_words(goal.quarter),
            of=of_words(goal),
            kpi=kpi_title(cast(Code, goal.kpi)),
            baseline=goal_value(goal, goal.baseline),
            baseline_of=quarter_words(goal.baseline_of) if goal.baseline_of else "",
            target=goal_value(goal, goal.target),
            now=now,
            result=goal_value(goal, goal.result),
            way=rules.way(goal.baseline, goal.target, value),
            steps=steps_of(goal),
            next_verb=verb if verb and goals.may_work_on(self.member, goal) else "",
            next_title=STEP_TITLES[verb] if verb else "",
            may_change=goal.state != Goal.State.CLOSED and goals.may_work_on(self.member, goal),
            may_see_rows=may_see(self.member, who),
            follows=goal.follows.first(),
            events=list(
                Event.objects.filter(object_type="goal", object_id=goal.pk)
                .select_related("actor__user")
                .order_by("-at", "-pk")[:20]
            ),
        )


def whos_for(member: Member) -> list[tuple[str, str]]:
    """Of whom a member may set goals, as a form offers them."""
    found: list[tuple[str, str]] = []
    if goals.may_set(member, team=None, person=None):
        found.append((Who.tenant().code, _("The whole firm")))
    found += [
        (Who.team(team).code, str(team))
        for team in Team.objects.order_by("name", "pk")
        if goals.may_set(member, team=team, person=None)
    ]
    people = people_seen(member)
    if member not in people:
        people = [member, *people]
    found += [(Who.person(each).code, str(each)) for each in people if goals.may_set(member, team=None, person=each)]
    return found


def owners_for(member: Member) -> list[Member]:
    """Who can answer for a goal that a member sets."""
    rows = Member.objects.filter(is_active=True).exclude(role=Role.INTEGRATION).select_related("user")
    if member.role == Role.ACCOUNT_MANAGER:
        rows = rows.filter(pk=member.pk)
    elif member.role == Role.TEAM_LEAD:
        rows = rows.filter(pk__in=[member.pk, *member.team_members])
    return list(rows.order_by("user__name", "pk"))


class GoalAdd(FormPage):
    """Set a goal."""

    permission = "goals:write"
    nav = "goals"
    heading: ClassVar[str | Promise] = gettext_lazy("Set a goal")

    def form(self, data: Any = None, files: Any = None) -> GoalForm:
        return GoalForm(
            data,
            today=self.request.tenant.today(),
            member=self.member,
            whos=whos_for(self.member),
            owners=owners_for(self.member),
        )

    def save(self, form: GoalForm) -> HttpResponse:
        goal = goals.add_goal(by=self.member, **form.values())
        messages.success(self.request, _("The goal is set."))
        return self.done("goal", pk=goal.pk)

    def back(self) -> str:
        return self.address("goals")


class GoalEdit(FormPage):
    """Change what was planned."""

    permission = "goals:write"
    nav = "goals"
    heading: ClassVar[str | Promise] = gettext_lazy("Change the goal")

    @cached_property
    def goal(self) -> Goal:
        found: Goal = get_object_or_404(goal_rows(self.member), pk=self.kwargs["pk"])
        if not goals.may_work_on(self.member, found):
            raise PermissionDenied(_("Who answers for the goal, and their lead, take it further."))
        return found

    def form(self, data: Any = None, files: Any = None) -> GoalForm:
        goal = self.goal
        whos, owners = whos_for(self.member), owners_for(self.member)
        own = goals.who_of(goal).code
        if own not in [code for code, _words in whos]:
            whos.append((own, of_words(goal)))
        if goal.owner not in owners:
            owners.append(goal.owner)
        return GoalForm(
            data, today=self.request.tenant.today(), member=self.member, whos=whos, owners=owners, goal=goal
        )

    def save(self, form: GoalForm) -> HttpResponse:
        goals.change_goal(goal=self.goal, by=self.member, **form.values())
        messages.success(self.request, _("The goal is saved."))
        return self.done("goal", pk=self.goal.pk)

    def back(self) -> str:
        return self.address("goal", pk=self.goal.pk)


class GoalStep(GoalEdit):
    """The next of the four steps."""

    heading = ""

    @cached_property
    def verb(self) -> rules.Verb:
        # A form that was open while somebody else took the step says what it was for.
        said = self.request.POST.get("verb")
        if said in rules.STEPS:
            return said  # type: ignore[return-value]  # one of the keys
        return rules.next_verb(cast(rules.State, self.goal.state)) or "close"

    def title(self) -> str:
        return str(STEP_TITLES[self.verb])

    def form(self, data: Any = None, files: Any = None) -> Any:
        form = STEP_FORMS[self.verb](data)
        form.fields["verb"] = forms.CharField(widget=forms.HiddenInput, initial=self.verb)
        return form

    def save(self, form: Any) -> HttpResponse:
        said = {name: value for name, value in form.cleaned_data.items() if name != "verb"}
        step: Any = getattr(goals, self.verb)
        step(goal=self.goal, by=self.member, **said)
        messages.success(self.request, SAID[self.verb])
        return self.done("goal", pk=self.goal.pk)
