"""Who works on a crisis, and on which steps."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy

from risk.incidents import services, steps
from risk.incidents.forms import StepForm, TeamForm
from risk.incidents.people import usual_lead
from risk.incidents.room import Refused
from risk.incidents.views.crisis import WRITE, CrisisForm, CrisisView, Verb
from risk.incidents.words import step_title
from risk.models import Incident, IncidentSeat, IncidentStep
from tenants.models import Member
from tenants.permissions import Role


def people() -> list[Member]:
    """Who can work on crises, by name."""
    rows = Member.objects.filter(is_active=True).exclude(role=Role.INTEGRATION).select_related("user")
    return sorted((row for row in rows if row.can(WRITE)), key=lambda row: str(row).lower())


class Team(CrisisForm):
    """Name the team; who comes second is told who came first."""

    heading = gettext_lazy("Name the team")

    def form(self, data: Any = None, files: Any = None) -> TeamForm:
        seats = dict(IncidentSeat.objects.filter(incident=self.incident).values_list("seat", "member_id"))
        if not seats:
            lead = usual_lead(self.incident.level, self.incident.customer)
            seats = {"lead": lead.pk if lead else "", "contact": self.incident.customer.owner_a_id or ""}
        return TeamForm(data, initial=seats | {"seen": self.incident.team_revision}, people=people())

    def save(self, form: Any) -> HttpResponse:
        try:
            services.name_team(
                incident=self.incident, seats=form.seats(), seen=form.cleaned_data["seen"], member=self.member
            )
        except Refused as refusal:
            # The next sending says that the other team has been seen.
            form.data = form.data.copy()
            self.incident.refresh_from_db(fields=["team_revision"])
            form.data["seen"] = str(self.incident.team_revision)
            raise refusal
        return self.again()


class StepAdd(CrisisForm):
    """A step of one's own."""

    heading = gettext_lazy("Add a step")

    def form(self, data: Any = None, files: Any = None) -> StepForm:
        return StepForm(data, people=people(), is_new=True)

    def save(self, form: Any) -> HttpResponse:
        steps.add(
            incident=self.incident, title=form.cleaned_data["title"], member=self.member, owner=form.owner_member,
            due_at=form.due,
        )  # fmt: skip
        return self.again()


class OfStep(CrisisView):
    """Something of the step in the address."""

    @cached_property
    def step(self) -> IncidentStep:
        rows = IncidentStep.objects.visible_to(self.member).select_related("incident", "owner__user")
        found: IncidentStep = get_object_or_404(rows, pk=self.kwargs["pk"])
        return found

    @cached_property
    def incident(self) -> Incident:
        return self.step.incident


class StepChange(OfStep, CrisisForm):
    """Move a step, hand it over, or both."""

    submit = gettext_lazy("Save")

    def title(self) -> str:
        return step_title(self.step)

    def form(self, data: Any = None, files: Any = None) -> StepForm:
        local = timezone.localtime(self.step.due_at) if self.step.due_at else None
        initial = {"due_at": local, "owner": self.step.owner_id or ""}
        return StepForm(data, initial=initial, people=people(), is_new=False)

    def save(self, form: Any) -> HttpResponse:
        due = form.due
        # The field knows minutes: what nobody has touched is not moved by its seconds.
        was = self.step.due_at
        if due is not None and was is not None and due == was.replace(second=0, microsecond=0):
            due = was
        steps.change(step=self.step, member=self.member, due_at=due, owner=form.owner_member)
        return self.again()


class StepDo(OfStep, Verb):
    """Tick a step off, put it back, or leave it out."""

    def do(self) -> None:
        verbs = {"done": steps.done, "undo": steps.undo, "skip": steps.leave_out}
        verbs[self.kwargs["verb"]](step=self.step, member=self.member)
