"""The crisis room: the list, one crisis with all that is done about it, and what changes in it while one looks."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

from django.contrib import messages
from django.core.exceptions import BadRequest, PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from customers.models import Customer
from risk.cases.services import similar
from risk.cases.words import alike
from risk.incidents import compensation, reading, reports, services, steps, talk
from risk.incidents.filters import IncidentFilter
from risk.incidents.forms import (
    CloseForm,
    CompensationForm,
    LevelForm,
    LinkForm,
    OpenForm,
    ReasonForm,
    ReportForm,
    StepForm,
    TeamForm,
    UpdateForm,
)
from risk.incidents.people import usual_lead
from risk.incidents.printing import report_pdf
from risk.incidents.room import Refused
from risk.incidents.views_public import page_of
from risk.incidents.words import STATES, clock_name, level_name, step_title, when_words
from risk.models import Alert, Incident, IncidentCompensation, IncidentEntry, IncidentLink, IncidentSeat, IncidentStep
from risk.rules.crisis_policy import CLOCKS
from segmentation.models import Standing
from tenants.calendars import firm_calendar
from tenants.context import current_tenant
from tenants.filters import id_number
from tenants.models import Member
from tenants.pages import ChoiceColumn, FormPage, ListPage, PageTable, PlainColumn, TenantView, WordsColumn
from tenants.pdf import NoPdfError
from tenants.permissions import Role
from tenants.templatetags.perennial import moment

READ, WRITE = "incidents:read", "incidents:write"


def people() -> list[Member]:
    """Who can work on crises, by name."""
    rows = Member.objects.filter(is_active=True).exclude(role=Role.INTEGRATION).select_related("user")
    return sorted((row for row in rows if row.can(WRITE)), key=lambda row: str(row).lower())


# ── the list ────────────────────────────────────────────────────────────────


class IncidentTable(PageTable):
    """Crises: what went wrong for whom, how bad it is, and how it stands."""

    title = PlainColumn(verbose_name=gettext_lazy("Crisis"), orderable=False)
    level = ChoiceColumn(Incident.Level.choices, verbose_name=gettext_lazy("Level"), orderable=False)
    customer = PlainColumn(verbose_name=gettext_lazy("Customer"), orderable=False)
    kind = ChoiceColumn(Incident.Kind.choices, verbose_name=gettext_lazy("Kind"), orderable=False)
    opened_at = WordsColumn(moment, verbose_name=gettext_lazy("Opened"))
    state = PlainColumn(verbose_name=gettext_lazy("Now"), orderable=False, empty_values=(), accessor="pk")
    closed_at = WordsColumn(moment, verbose_name=gettext_lazy("Closed"))
    outcome = PlainColumn(verbose_name=gettext_lazy("Outcome"), orderable=False)

    fixed = ("title",)
    extra: ClassVar[tuple[str, ...]] = ("kind", "closed_at")
    indexed: ClassVar[dict[str, str]] = {"opened_at": "pk"}
    needs: ClassVar[dict[str, str]] = {"state": "clocks"}

    class Meta(PageTable.Meta):
        pass

    def render_title(self, record: Incident) -> str:
        address = reverse("crisis", kwargs={"tenant": self.request.tenant.slug, "pk": record.pk})
        drill = format_html(' <span class="badge">{}</span>', _("drill")) if record.is_drill else ""
        return format_html('<a class="row-link" href="{}">{} {}</a>{}', address, record.name, record.title, drill)

    def value_title(self, record: Incident) -> str:
        drill = _("drill")
        return f"{record.name} {record.title} ({drill})" if record.is_drill else f"{record.name} {record.title}"

    def render_level(self, record: Incident) -> str:
        return render_to_string("components/level.html", {"level": record.bars, "words": level_name(record.level)})

    def value_level(self, record: Incident) -> str:
        return level_name(record.level)

    def render_state(self, record: Incident) -> str:
        return state_words(record)

    def value_state(self, record: Incident) -> str:
        return state_words(record)


def state_words(incident: Incident) -> str:
    """How a crisis stands in a few words: its outcome, or its next clock."""
    if not incident.is_open:
        return str(incident.get_outcome_display())
    rows = {clock.kind: clock for clock in incident.clocks.all() if clock.dropped_at is None}
    clock = next((rows[kind] for kind in CLOCKS if kind in rows and rows[kind].met_at is None), None)
    if clock is None:
        return _("all clocks met")
    if clock.deadline_at is None:
        state = STATES["paused"]
    elif clock.deadline_at <= timezone.now():
        state = STATES["breached"]
    else:
        state = _("due %(at)s") % {"at": when_words(clock.deadline_at)}
    return f"{clock_name(clock.kind)}: {state}"


class IncidentList(ListPage):
    """The crises that the member sees, the newest first."""

    permission = READ
    export_permission = "customers:export"
    export_name = "crises"
    nav = "crises"
    queryset = staticmethod(lambda member: Incident.objects.visible_to(member).select_related("customer"))
    filterset = IncidentFilter
    table = IncidentTable
    template = "risk/crises.html"
    empty = "risk/crises_empty.html"
    sort = "-opened_at"


# ── one crisis ──────────────────────────────────────────────────────────────


class _Crisis(TenantView):
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


class Crisis(_Crisis):
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


class CrisisLive(_Crisis):
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


class Verb(_Crisis):
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


class Resume(Verb):
    """Let the clocks run again."""

    def do(self) -> None:
        services.resume(incident=self.incident, member=self.member)


class Drill(Verb):
    """A drill: a marked copy that begins now."""

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        try:
            copy = services.start_drill(incident=self.incident, member=self.member)
        except ValidationError as refusal:
            messages.error(request, " ".join(refusal.messages))
            return self.again()
        messages.success(request, _("The drill begins now. The customer hears nothing of it."))
        return self.done("crisis", pk=copy.pk)


# ── forms ───────────────────────────────────────────────────────────────────


class _CrisisForm(_Crisis, FormPage):
    permission = WRITE


class CrisisOpen(FormPage):
    """Open a crisis; from the customer's page, an alert or a complaint the customer is known already."""

    permission = WRITE
    nav = "crises"
    heading = gettext_lazy("Open a crisis")
    submit = gettext_lazy("Open: the clocks begin")

    @cached_property
    def alert(self) -> Alert | None:
        number = id_number(self.request.GET.get("alert", ""))
        if "alert" not in self.request.GET:
            return None
        found: Alert = get_object_or_404(
            Alert.objects.visible_to(self.member).select_related("customer"), pk=number or 0
        )
        return found

    @cached_property
    def customer(self) -> Customer | None:
        self.refuse_unknown("customer", "alert", "complaint")
        if self.alert is not None:
            return self.alert.customer
        if "customer" not in self.request.GET:
            return None
        number = id_number(self.request.GET["customer"])
        found: Customer = get_object_or_404(Customer.objects.visible_to(self.member), pk=number or 0)
        return found

    def form(self, data: Any = None, files: Any = None) -> OpenForm:
        initial = {"level": Incident.Level.GENERAL, "complaint": self.request.GET.get("complaint")}
        return OpenForm(data, initial=initial, member=self.member, customer=self.customer)

    def title(self) -> str:
        return _("Open a crisis: %(customer)s") % {"customer": self.customer} if self.customer else super().title()

    def back(self) -> str:
        return self.address("customer", pk=self.customer.pk) if self.customer else self.address("crises")

    def save(self, form: Any) -> HttpResponse:
        said = form.values()
        incident = services.open_incident(member=self.member, alert=self.alert, **said)
        return self.done("crisis", pk=incident.pk)


class LevelChange(_CrisisForm):
    """Another level while it runs."""

    heading = gettext_lazy("Change the level")

    def form(self, data: Any = None, files: Any = None) -> LevelForm:
        return LevelForm(data, initial={"level": self.incident.level})

    def save(self, form: Any) -> HttpResponse:
        said = form.cleaned_data
        services.change_level(
            incident=self.incident, level=said["level"], reason=said["reason"], member=self.member
        )  # fmt: skip
        return self.again()


class Pause(_CrisisForm):
    """Stop the clocks."""

    heading = gettext_lazy("Stop the clocks")
    submit = gettext_lazy("Stop them")

    def form(self, data: Any = None, files: Any = None) -> ReasonForm:
        return ReasonForm(data)

    def save(self, form: Any) -> HttpResponse:
        services.pause(incident=self.incident, reason=form.cleaned_data["reason"], member=self.member)
        return self.again()


class Reopen(_CrisisForm):
    """Open a closed crisis again."""

    heading = gettext_lazy("Open it again")
    submit = gettext_lazy("Open again")

    def form(self, data: Any = None, files: Any = None) -> ReasonForm:
        return ReasonForm(data)

    def save(self, form: Any) -> HttpResponse:
        services.reopen(incident=self.incident, reason=form.cleaned_data["reason"], member=self.member)
        return self.again()


class Team(_CrisisForm):
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


class StepAdd(_CrisisForm):
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


class _OfStep(_Crisis):
    @cached_property
    def step(self) -> IncidentStep:
        rows = IncidentStep.objects.visible_to(self.member).select_related("incident", "owner__user")
        found: IncidentStep = get_object_or_404(rows, pk=self.kwargs["pk"])
        return found

    @cached_property
    def incident(self) -> Incident:
        return self.step.incident


class StepChange(_OfStep, _CrisisForm):
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


class StepDo(_OfStep, Verb):
    """Tick a step off, put it back, or leave it out."""

    def do(self) -> None:
        verbs = {"done": steps.done, "undo": steps.undo, "skip": steps.leave_out}
        verbs[self.kwargs["verb"]](step=self.step, member=self.member)


class CompensationAsk(_CrisisForm):
    """What the customer is offered; who may not grant it asks."""

    heading = gettext_lazy("Compensation")
    submit = gettext_lazy("Grant or ask")

    def form(self, data: Any = None, files: Any = None) -> CompensationForm:
        return CompensationForm(data)

    def save(self, form: Any) -> HttpResponse:
        compensation.ask(incident=self.incident, member=self.member, **form.cleaned_data)
        return self.again()


class CompensationDo(Verb):
    """Approve, refuse or withdraw what waits."""

    @cached_property
    def row(self) -> IncidentCompensation:
        rows = IncidentCompensation.objects.visible_to(self.member).select_related("incident")
        found: IncidentCompensation = get_object_or_404(rows, pk=self.kwargs["pk"])
        return found

    @cached_property
    def incident(self) -> Incident:
        return self.row.incident

    def do(self) -> None:
        verb = self.kwargs["verb"]
        if verb == "withdraw":
            compensation.withdraw(compensation=self.row, member=self.member)
            return
        why = self.request.POST.get("why", "")[:200]
        try:
            compensation.decide(compensation=self.row, approve=verb == "approve", member=self.member, why=why)
        except PermissionDenied as refusal:
            raise ValidationError(str(refusal)) from refusal


class Close(_CrisisForm):
    """Close it with outcome and cause."""

    heading = gettext_lazy("Close the crisis")
    submit = pgettext_lazy("verb", "Close")

    def form(self, data: Any = None, files: Any = None) -> CloseForm:
        return CloseForm(data, initial={"outcome": Incident.Outcome.SAVED})

    def save(self, form: Any) -> HttpResponse:
        services.close(incident=self.incident, member=self.member, **form.cleaned_data)
        messages.success(self.request, _("%(crisis)s is closed.") % {"crisis": self.incident.name})
        return self.again()


# ── the customer's page and the report ──────────────────────────────────────


class LinkAdd(_CrisisForm):
    """A private link for a contact."""

    heading = gettext_lazy("Let a contact read along")
    submit = gettext_lazy("Make the link")

    def form(self, data: Any = None, files: Any = None) -> LinkForm:
        return LinkForm(data, customer=self.incident.customer)

    def save(self, form: Any) -> HttpResponse:
        said = form.cleaned_data
        talk.make_link(incident=self.incident, contact=said["contact"], member=self.member, send=said["send"])
        return self.again()


class LinkRevoke(Verb):
    """End a link."""

    @cached_property
    def link(self) -> IncidentLink:
        found: IncidentLink = get_object_or_404(
            IncidentLink.objects.visible_to(self.member).select_related("incident"), pk=self.kwargs["pk"]
        )
        return found

    @cached_property
    def incident(self) -> Incident:
        return self.link.incident

    def do(self) -> None:
        talk.revoke_link(link=self.link, member=self.member)


class CustomerView(_Crisis):
    """What the customer sees, as the customer sees it; nobody has read it by that."""

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        self.refuse_unknown("lang")
        language = request.GET.get("lang") or reports.language_for(self.incident)
        with translation.override(language if language in reports.LANGUAGES else reports.LANGUAGES[0]):
            return page_of(request, self.incident, preview=True)


class ReportSave(Crisis):
    """Save the report; what was typed survives a refusal."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        language = str(kwargs["language"])
        form = ReportForm(request.POST)
        try:
            if not form.is_valid():
                raise ValidationError(_("The form was open too long, or cookies are switched off. Go back, reload, send it again."))  # fmt: skip
            said = form.cleaned_data
            parts = {part: said[part] for part in ("why", "avoided", "offer")}
            report, _outcome = reports.save(
                incident=self.incident, language=language, parts=parts, seen=said["seen"], member=self.member
            )
        except ValidationError as refusal:
            words = " ".join(refusal.messages)
            if self.request.htmx:
                return self.render("risk/_report_saved.html", problem=words, version=request.POST.get("seen", "0"))
            return self._typed(request, language, words)
        if self.request.htmx:
            return self.render("risk/_report_saved.html", saved=report.updated_at, version=report.version)
        return self.again()

    def _typed(self, request: HttpRequest, language: str, words: str) -> HttpResponse:
        room = self.room(language=language)
        report = room["report"]
        for part in ("why", "avoided", "offer"):
            setattr(report.row, part, request.POST.get(part, ""))
        typed = {"text": "", "see": "internal", "about": "", "key": uuid.uuid4().hex}
        return self.render(
            "risk/crisis.html", status=409, abouts=IncidentEntry.About.choices, update=typed, problem=words, **room
        )


class ReportDo(Verb):
    """Draft the report anew from the log, or confirm its cause."""

    def do(self) -> None:
        verbs: dict[str, Any] = {"draft": reports.redraft, "confirm": reports.confirm_cause}
        verbs[self.kwargs["verb"]](
            incident=self.incident, language=self.kwargs["language"], member=self.member
        )  # fmt: skip

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        super().post(request, **kwargs)
        response = self.again()
        address = f"{self.back()}?report={kwargs['language']}"
        header = "HX-Redirect" if "HX-Redirect" in response else "Location"
        response[header] = address
        return response


class ReportPage(_Crisis):
    """The report as the customer will read it; `?as=pdf` gives the PDF."""

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        self.refuse_unknown("as")
        if request.GET.get("as", "pdf") != "pdf":
            raise BadRequest(_("The one other form is pdf."))
        report = reports.report_of(self.incident, str(kwargs["language"]))
        context: dict[str, Any] = {
            "incident": self.incident,
            "report": report,
            "firm": current_tenant().name,
            "preview": True,
        }
        with translation.override(report.language):
            if "as" not in request.GET:
                return self.render("risk/report.html", **context)
            try:
                return report_pdf(self.incident, report)
            except NoPdfError:
                return self.render("risk/report.html", **context, no_pdf=True, status=503)
