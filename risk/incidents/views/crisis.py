"""One crisis with all that is done about it, and what changes in it while one looks; what its verbs and forms share."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

from django.contrib import messages
from django.core.exceptions import BadRequest, ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone, translation
from django.utils.functional import cached_property
from django.utils.translation import gettext as _

from risk.cases.services import similar
from risk.cases.words import alike
from risk.incidents import reading, reports, services, talk
from risk.incidents.forms import UpdateForm
from risk.incidents.words import level_name
from risk.models import Incident, IncidentEntry, IncidentSeat, IncidentStep
from segmentation.models import Standing
from tenants.calendars import firm_calendar
from tenants.pages import FormPage, TenantView

READ, WRITE = "incidents:read", "incidents:write"


class CrisisView(TenantView):
    """Something of the crisis in the address."""

    permission = READ
    write_permission = WRITE
    nav = "crises"

    @cached_property
    def incident(self) -> Incident:
        rows = Incident.objects.visible_to(self.member).select_related("customer", "order", "alert", "drill_of")
        found: Incident = get_object_or_404(rows, pk=self.kwargs["pk"])
        return found

    def room(self, **more: Any) -> dict[str, Any]:
        """All that the swapped parts of the page show."""
        incident, now = self.incident, timezone.now()
        calendar = firm_calendar()
        clocks = reading.clock_lines(incident, now, calendar)
        listed = reading.step_lines(incident, now)
        language = more.pop("language", None) or self.language()
        return {
            "incident": incident,
            "level_words": level_name(incident.level),
            "tier": _tier(incident),
            "led": reading.team_words(incident),
            "clocks": clocks,
            "hours": reading.hours_words(incident, clocks, calendar, now),
            "pause": reading.paused_since(incident),
            "steps": listed,
            "steps_done": sum(line.row.status == IncidentStep.Status.DONE for line in listed),
            "entries": reading.entry_lines(incident),
            "seats": IncidentSeat.objects.filter(incident=incident).select_related("member__user"),
            "links": reading.link_lines(incident, now),
            "offers": reading.offer_lines(incident, self.member),
            "report": reading.report_lines(incident, language),
            "language": language,
            "languages": _languages(),
            "missing": services.missing_for(incident, Incident.Outcome.SAVED) if incident.is_open else [],
            "state": reading.state_of(incident, now),
            "may_write": self.member.can(WRITE),
            **more,
        }

    def language(self) -> str:
        """The language of the report that is shown: asked for, else the customer's."""
        asked = self.request.GET.get("report", "")
        if asked and asked not in reports.LANGUAGES:
            raise BadRequest(_("There is no such language."))
        return asked or reports.language_for(self.incident)

    def back(self) -> str:
        return self.address("crisis", pk=self.incident.pk)

    def again(self) -> HttpResponse:
        """After a write: the crisis."""
        return self.done("crisis", pk=self.incident.pk)


def _tier(incident: Incident) -> str:
    standing = Standing.objects.filter(customer=incident.customer_id).first()
    return str(standing.get_tier_display()) if standing is not None and standing.tier else ""


def _languages() -> list[tuple[str, str]]:
    return [(code, translation.get_language_info(code)["name_local"]) for code in reports.LANGUAGES]


class Crisis(CrisisView):
    """The room: clocks, steps, timeline, report, the customer's page."""

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        self.refuse_unknown("report")
        return self.page()

    def page(self, *, status: int = 200, **more: Any) -> HttpResponse:
        """The whole page; what was typed and refused comes along."""
        typed = {"text": "", "see": "internal", "about": "", "key": uuid.uuid4().hex}
        more.setdefault("update", typed)
        room = self.room(**more)
        like = alike(similar(self.incident, member=self.member)) if self.incident.is_open else None
        return self.render(
            "risk/crisis.html", status=status, abouts=IncidentEntry.About.choices, alike=like, **room
        )  # fmt: skip


class CrisisLive(CrisisView):
    """What has changed since `seen`: nothing (204), or the parts that are shown, without those in which people type."""

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        self.refuse_unknown("seen", "report")
        rows = Incident.objects.visible_to(self.member)
        revision = rows.filter(pk=self.kwargs["pk"]).values_list("revision", flat=True).first()
        if revision is not None:
            now_state = reading.state_of(Incident(revision=revision), timezone.now())
            seen = request.GET.get("seen", "")
            if seen == now_state:
                return HttpResponse(status=204)
            only_clocks = seen.partition("-")[0] == str(revision)
            return self.render("risk/_crisis_live.html", is_live=True, only_clocks=only_clocks, **self.room())
        raise Http404


class UpdateAdd(Crisis):
    """Write a line of the timeline; what was typed survives a refusal."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        form = UpdateForm(request.POST)
        said = form.cleaned_data if form.is_valid() else None
        try:
            if said is None:
                raise ValidationError(_("Write what happened."))
            talk.write_update(
                incident=self.incident, text=said["text"], member=self.member, about=said["about"],
                is_visible=said["see"] == "customer", key=said["key"],
            )  # fmt: skip
        except ValidationError as refusal:
            typed = {name: request.POST.get(name, "") for name in ("text", "see", "about", "key")}
            return self.page(status=422, update=typed, problem=" ".join(refusal.messages))
        return self.again()


class Verb(CrisisView):
    """A verb without fields of its own; a refusal is said above the crisis."""

    http_method_names = ["post"]
    said: ClassVar[Any] = ""

    def do(self) -> Any:
        raise NotImplementedError

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        try:
            self.do()
        except ValidationError as refusal:
            messages.error(request, " ".join(refusal.messages))
        else:
            if self.said:
                messages.success(request, str(self.said))
        return self.again()


class CrisisForm(CrisisView, FormPage):
    """A verb that asks for something first."""

    permission = WRITE
