"""Journeys: which there are, what each does, who would enter and who is in it; editing, announcing, taking out."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.core.exceptions import BadRequest, ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from customers.models import Channel, Product, TouchKind
from followups.journeys import services as journeys
from followups.journeys.filters import EnrolmentFilter
from followups.journeys.forms import AnnounceForm, DutiesForm, JourneyForm, StepSet
from followups.journeys.services import LOOK_BACK_DAYS, DryRun, JourneyLine, event_words, hours_words
from followups.models import DutyHolder, Enrolment, Journey, Script
from followups.models.journeys import step_title
from followups.querysets import assignable
from followups.rules.journeys import Definition, Step
from segmentation.models import Tier
from tenants.context import current_tenant
from tenants.export import write_csv
from tenants.models import Member
from tenants.pages import ChoiceColumn, FormPage, ListPage, PageTable, PlainColumn, TenantView, WordsColumn
from tenants.templatetags.perennial import moment, whole

RECENT_DAYS = 30
PEOPLE_SHOWN = 20


@dataclass(frozen=True)
class StepWords:
    """A step as people read it."""

    title: str
    when: str
    what: str
    channel: str
    script: Script | None
    script_code: str
    who: str
    unless: str
    message: bool


def step_words(step: Step, scripts: dict[str, Script]) -> StepWords:
    """A step of a definition in words; `scripts` by their codes."""
    facts = {"order": _("an order"), "answer": _("an answer"), "complaint": _("a complaint")}
    begins, ends = hours_words(step.after_hours), hours_words(step.within_hours)
    if step.after_hours:
        when = _("from %(begins)s to %(ends)s after it") % {"begins": begins, "ends": ends}
    else:
        when = _("within %(ends)s") % {"ends": ends}
    return StepWords(
        title=step_title(step.code, step.name),
        when=when,
        what=str(TouchKind(step.kind).label),
        channel=str(Channel(step.channel).label),
        script=scripts.get(step.script),
        script_code=step.script,
        who=str(DutyHolder.Duty(step.duty).label),
        unless=", ".join(facts[fact] for fact in step.unless),
        message=step.how == "message",
    )


def trigger_words(rules: Definition) -> str:
    """What begins a journey, as a sentence."""
    words = ", ".join(rules.words[:5]) + ("…" if len(rules.words) > 5 else "")
    said = {
        "first_order": _("the first order of a customer"),
        "complaint_solved": _("a complaint is solved"),
        "complaint_opened": _("a complaint that names: %(words)s") % {"words": words},
        "asked": _("the customer asks about: %(words)s") % {"words": words},
        "silence": ngettext("no order for %(days)d day", "no order for %(days)d days", rules.days)
        % {"days": rules.days},
        "announced": _("somebody announces a product"),
    }
    return said[rules.trigger]


def condition_words(rules: Definition) -> list[str]:
    """For whom a journey is, in words; empty for everybody."""
    wanted, said = rules.conditions, []
    if wanted.tiers:
        names = [str(Tier(tier).label) if tier in Tier.values else tier for tier in wanted.tiers]
        said.append(_("tier %(tiers)s") % {"tiers": ", ".join(names)})
    if wanted.bands:
        bands = {"green": _("Green"), "yellow": _("Yellow"), "red": _("Red")}
        said.append(_("health %(bands)s") % {"bands": ", ".join(bands[band] for band in wanted.bands)})
    if wanted.countries:
        said.append(", ".join(wanted.countries))
    if wanted.least_net is not None:
        said.append(_("net money of 12 months at least %(money)s") % {"money": whole(wanted.least_net)})
    return said


def stop_words(rules: Definition) -> str:
    """What stops a journey, in words."""
    facts = {"order": _("an order"), "answer": _("an answer"), "complaint": _("a complaint")}
    return ", ".join(facts[fact] for fact in rules.stops)


class JourneyView(TenantView):
    """Something of one journey."""

    permission = "journeys:read"
    write_permission = "journeys:write"
    nav = "journeys"

    @cached_property
    def journey(self) -> Journey:
        found: Journey = get_object_or_404(Journey, pk=self.kwargs["pk"])
        return found


class JourneyList(TenantView):
    """All journeys, the first to speak first, with how many customers are in each."""

    permission = "journeys:read"
    nav = "journeys"

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        self.refuse_unknown("export")
        if request.GET.get("export", "csv") != "csv":
            raise BadRequest(_("The one form of export is csv."))
        journeys.ensure_journeys()
        lines = journeys.journey_lines(timezone.now() - dt.timedelta(days=RECENT_DAYS))
        if "export" in request.GET:
            self.check_export("customers:export")
            return self.csv_file("journeys", write_csv(_heads(), _rows(lines)))
        return self.render(
            "followups/journeys.html",
            lines=[
                (line, trigger_words(line.rules), [step_title(s.code, s.name) for s in line.rules.steps])
                for line in lines
            ],
            recent_days=RECENT_DAYS,
            may_write=self.member.can("journeys:write"),
            can_announce=any(line.row.is_on and line.row.trigger == Journey.Trigger.ANNOUNCED for line in lines),
        )


def _heads() -> list[str]:
    return [
        _("Journey"), _("Begins with"), _("Switched on"), _("Steps"), _("Under way"), _("Waiting"),
        _("Finished, 30 days"), _("Stopped, 30 days"),
    ]  # fmt: skip


def _rows(lines: Sequence[JourneyLine]) -> Iterator[list[Any]]:
    for line in lines:
        yield [
            line.row.title, trigger_words(line.rules), _("yes") if line.row.is_on else _("no"), len(line.rules.steps),
            line.active, line.waiting, line.finished, line.stopped,
        ]  # fmt: skip


class JourneyPage(JourneyView):
    """A journey: what begins it, its steps, who would enter, who is in it."""

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        rules = self.journey.rules
        named = {row.code: row for row in Script.objects.filter(code__in=[step.script for step in rules.steps])}
        people = _seen(self.member).filter(journey=self.journey).order_by("-entered_at", "-pk")
        return self.render(
            "followups/journey.html",
            journey=self.journey,
            rules=rules,
            begins=trigger_words(rules),
            conditions=condition_words(rules),
            stops=stop_words(rules),
            steps=[step_words(step, named) for step in rules.steps],
            dry_run=journeys.dry_run(rules, self.member),
            look_back=LOOK_BACK_DAYS,
            people=[(row, event_words(row)) for row in people[:PEOPLE_SHOWN]],
            may_write=self.member.can("journeys:write"),
        )


def _seen(member: Member) -> Any:
    related = ("customer", "journey", "complaint", "product")
    return Enrolment.objects.visible_to(member).select_related(*related)


class _Editor(JourneyView):
    """The editor: with the button "Who would enter" it asks the rows instead of saving."""

    permission = "journeys:write"

    @cached_property
    def old(self) -> Journey | None:
        return self.journey if "pk" in self.kwargs else None

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        return self.show(JourneyForm(journey=self.old), StepSet(rules=self.old.rules if self.old else None))

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        form, steps = JourneyForm(request.POST, journey=self.old), StepSet(request.POST)
        if not (form.is_valid() & steps.is_valid()):
            return self.show(form, steps)
        document = form.document() | {"steps": steps.documents()}
        try:
            if "try" in request.POST:
                return self.show(form, steps, journeys.dry_run(journeys.checked(document), self.member))
            journey, outcome = journeys.save_journey(
                member=self.member,
                definition=document,
                journey=self.old,
                code=form.cleaned_data.get("code", ""),
                name=form.cleaned_data["name"],
            )
        except ValidationError as refusal:
            _say(form, refusal)
            return self.show(form, steps)
        words = (
            _("“%(name)s” is made. It is switched off until you switch it on.")
            if outcome == "created"
            else _("“%(name)s” is saved.")
        )
        messages.success(self.request, words % {"name": journey})
        return self.done("journey", pk=journey.pk)

    def show(self, form: JourneyForm, steps: StepSet, tried: DryRun | None = None) -> HttpResponse:
        return self.render(
            "followups/journey_edit.html",
            journey=self.old,
            form=form,
            steps=steps,
            dry_run=tried,
            look_back=LOOK_BACK_DAYS,
        )


def _say(form: JourneyForm, refusal: ValidationError) -> None:
    if not hasattr(refusal, "error_dict"):
        form.add_error(None, refusal)
        return
    for name, errors in refusal.error_dict.items():
        form.add_error(name if name in form.fields else None, errors)


class JourneyAdd(_Editor):
    """A new journey."""


class JourneyEdit(_Editor):
    """Another definition of a journey."""


class JourneySwitch(JourneyView):
    """Switch a journey on, from now on, or off."""

    permission = "journeys:write"

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        on = request.POST.get("on") == "1"
        outcome = journeys.switch(journey=self.journey, member=self.member, on=on)
        if outcome == "unchanged":
            messages.info(request, _("“%(name)s” was so already.") % {"name": self.journey})
        elif on:
            messages.success(
                request, _("“%(name)s” is switched on: what happens from now on counts.") % {"name": self.journey}
            )
        else:
            messages.success(
                request, _("“%(name)s” is switched off; whoever is in it is taken out.") % {"name": self.journey}
            )
        return self.done("journey", pk=self.journey.pk)


class Announce(FormPage):
    """Announce a product: the journeys that begin with it take whoever meets their conditions."""

    permission = "journeys:write"
    nav = "journeys"
    heading = gettext_lazy("Announce a product")
    submit = gettext_lazy("Announce")

    def form(self, data: Any = None, files: Any = None) -> AnnounceForm:
        return AnnounceForm(data)

    def save(self, form: AnnounceForm) -> HttpResponse:
        product: Product = form.cleaned_data["product"]
        _row, outcome = journeys.announce(product=product, member=self.member)
        if outcome == "created":
            messages.success(
                self.request,
                _("“%(product)s” is announced; its journeys begin within a minute.") % {"product": product},
            )
        else:
            messages.info(self.request, _("“%(product)s” was announced before.") % {"product": product})
        return self.done("journeys")

    def back(self) -> str:
        return self.address("journeys")


class Duties(FormPage):
    """Who does what journeys ask of the product manager, of after-sales and of the executive."""

    permission = "journeys:write"
    nav = "journeys"
    heading = gettext_lazy("Who does what")

    def form(self, data: Any = None, files: Any = None) -> DutiesForm:
        people = assignable(Member.objects.select_related("user"))
        return DutiesForm(data, people=people, held=dict(DutyHolder.objects.values_list("duty", "member_id")))

    def save(self, form: DutiesForm) -> HttpResponse:
        for duty, holder in form.holders().items():
            journeys.name_duty(duty=duty, holder=holder, member=self.member)
        messages.success(self.request, _("It is noted who does what."))
        return self.done("journeys")

    def back(self) -> str:
        return self.address("journeys")


class TakeOut(TenantView):
    """Take a customer out of a journey."""

    permission = "follow-ups:write"
    nav = "customers"

    def post(self, request: HttpRequest, pk: int, **kwargs: Any) -> HttpResponse:
        row: Enrolment = get_object_or_404(_seen(self.member), pk=pk)
        said = {"customer": row.customer.name, "journey": row.journey.title}
        if journeys.take_out(enrolment=row, member=self.member) == "updated":
            messages.success(request, _("%(customer)s is out of “%(journey)s”.") % said)
        else:
            messages.info(request, _("%(customer)s was out of “%(journey)s” already.") % said)
        return self.done("customer", pk=row.customer_id)


# ── who is in which ─────────────────────────────────────────────────────────


class EnrolmentTable(PageTable):
    """Who is in which journey."""

    customer = PlainColumn(verbose_name=gettext_lazy("Customer"), accessor="customer.name", orderable=False)
    journey = PlainColumn(verbose_name=gettext_lazy("Journey"), accessor="journey.title", orderable=False)
    status = ChoiceColumn(Enrolment.Status.choices, verbose_name=gettext_lazy("Status"))
    why = ChoiceColumn(Enrolment.Why.choices, verbose_name=gettext_lazy("Why"))
    event_at = WordsColumn(moment, verbose_name=gettext_lazy("Began with"))
    entered_at = WordsColumn(moment, verbose_name=gettext_lazy("Entered"))
    next_at = WordsColumn(moment, verbose_name=gettext_lazy("Next look"))
    ended_at = WordsColumn(moment, verbose_name=gettext_lazy("Ended"))

    fixed = ("customer", "journey")

    def render_customer(self, record: Enrolment) -> str:
        address = reverse("customer", kwargs={"tenant": current_tenant().slug, "pk": record.customer_id})
        return format_html('<a href="{}#journeys">{}</a>', address, record.customer.name)

    def value_customer(self, value: str) -> str:
        return value

    class Meta(PageTable.Meta):
        model = Enrolment
        fields = ("customer", "journey", "status", "why", "event_at", "entered_at", "next_at", "ended_at")


class EnrolmentList(ListPage):
    """Who is in which journey, of the customers that the member sees."""

    permission = "journeys:read"
    nav = "journeys"
    queryset = staticmethod(_seen)
    filterset = EnrolmentFilter
    table = EnrolmentTable
    template = "followups/enrolments.html"
    empty = "followups/enrolments_empty.html"
    sort = "-entered_at"
    export_permission = "customers:export"
    export_name = "journeys"

    def counted(self, count: int, shown: str) -> str:
        return ngettext("%(count)s place in a journey", "%(count)s places in journeys", count) % {"count": shown}
