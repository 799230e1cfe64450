"""Playbooks: which there are, what each does and whether it helped, who is in one; editing, beginning, and the verbs of a run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.contrib import messages
from django.core.exceptions import BadRequest, ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django_htmx.http import HttpResponseClientRedirect

from customers.models import Customer
from followups.models import Script
from followups.querysets import assignable
from followups.services import Refused
from risk.models import Alert, Playbook, PlaybookRun
from risk.models.playbooks import playbook_step_title
from risk.playbooks import services as playbooks
from risk.playbooks.figures import RECENT_DAYS, Line, figures_of, lines, recent_from
from risk.playbooks.filters import RunFilter
from risk.playbooks.forms import HandOverForm, PlaybookForm, SayForm, StartForm, StepSet, StopForm
from risk.playbooks.reading import last_event, run_line
from risk.playbooks.words import begins_words, measure_words, steps_words, stop_words, tier_words
from risk.rules.playbooks import Definition
from tenants.context import current_tenant
from tenants.export import write_csv
from tenants.models import Event, Member
from tenants.pages import ChoiceColumn, FormPage, ListPage, PageTable, PlainColumn, TenantView, WordsColumn
from tenants.templatetags.perennial import moment

PEOPLE_SHOWN = 20


class PlaybookView(TenantView):
    """Something of one playbook."""

    permission = "playbooks:read"
    write_permission = "playbooks:write"
    nav = "playbooks"

    @cached_property
    def playbook(self) -> Playbook:
        found: Playbook = get_object_or_404(Playbook, pk=self.kwargs["pk"])
        return found


class PlaybookList(TenantView):
    """All playbooks, the first to speak first, with how many runs there are and whether each helped."""

    permission = "playbooks:read"
    nav = "playbooks"

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        self.refuse_unknown("export")
        if request.GET.get("export", "csv") != "csv":
            raise BadRequest(_("The one form of export is csv."))
        playbooks.ensure_playbooks()
        found = lines(self.member)
        if "export" in request.GET:
            self.check_export("customers:export")
            return self.csv_file("playbooks", write_csv(_heads(), _rows(found)))
        return self.render(
            "risk/playbooks.html",
            lines=[
                (line, begins_words(line.rules), [playbook_step_title(s.code, s.name) for s in line.rules.steps])
                for line in found
            ],
            recent_days=RECENT_DAYS,
            recent_from=recent_from(),
            as_of=timezone.now(),
            may_write=self.member.can("playbooks:write"),
        )


def _heads() -> list[str]:
    return [
        _("Playbook"), _("Begins"), _("Switched on"), _("Steps"), _("Under way"), _("Waiting"), _("Saved, 90 days"),
        _("Lost, 90 days"), _("Ended otherwise, 90 days"), _("Cases"), _("It helped"), _("Held out"),
        _("Held out: went well all the same"), _("Verdict"),
    ]  # fmt: skip


def _rows(found: Sequence[Line]) -> Iterator[list[Any]]:
    for line in found:
        helped = line.figures.help
        yield [
            line.row.title, begins_words(line.rules), _("yes") if line.row.is_on else _("no"), len(line.rules.steps),
            line.active, line.waiting, line.saved, line.lost, line.others, helped.treated.of, helped.treated.hits,
            helped.held.of, helped.held.hits, helped.verdict,
        ]  # fmt: skip


class PlaybookPage(PlaybookView):
    """A playbook: what begins it, its steps and their ways, whether it helped, who is in it."""

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        rules = playbooks.version_of(self.playbook).rules
        named = {row.code: row for row in Script.objects.filter(code__in=[step.script for step in rules.steps])}
        people = run_rows(self.member).filter(playbook=self.playbook).order_by("-started_at", "-pk")
        return self.render(
            "risk/playbook.html",
            playbook=self.playbook,
            rules=rules,
            begins=begins_words(rules),
            tiers=tier_words(rules),
            stops=stop_words(rules),
            measure=measure_words(rules),
            steps=steps_words(rules, named),
            figures=figures_of(self.playbook, rules, self.member),
            people=people[:PEOPLE_SHOWN],
            may_write=self.member.can("playbooks:write"),
        )


class _Editor(PlaybookView):
    """The editor: what was typed survives every refusal."""

    permission = "playbooks:write"

    @cached_property
    def old(self) -> Playbook | None:
        return self.playbook if "pk" in self.kwargs else None

    @cached_property
    def rules(self) -> Definition | None:
        return playbooks.version_of(self.old).rules if self.old else None

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        return self.show(PlaybookForm(playbook=self.old, rules=self.rules), StepSet(rules=self.rules))

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        form, steps = PlaybookForm(request.POST, playbook=self.old), StepSet(request.POST)
        if not (form.is_valid() & steps.is_valid()):
            return self.show(form, steps)
        try:
            playbook, outcome = playbooks.save_playbook(
                member=self.member,
                definition=form.document() | {"steps": steps.documents()},
                playbook=self.old,
                code=form.cleaned_data.get("code", ""),
                name=form.cleaned_data["name"],
            )
        except ValidationError as refusal:
            for name, errors in refusal.error_dict.items():
                form.add_error(name if name in form.fields else None, errors)
            return self.show(form, steps)
        words = (
            _("“%(name)s” is made. It is switched off until you switch it on.")
            if outcome == "created"
            else _("“%(name)s” is saved.")
        )
        messages.success(self.request, words % {"name": playbook})
        return self.done("playbook", pk=playbook.pk)

    def show(self, form: PlaybookForm, steps: StepSet) -> HttpResponse:
        return self.render("risk/playbook_edit.html", playbook=self.old, form=form, steps=steps)


class PlaybookAdd(_Editor):
    """A new playbook."""


class PlaybookEdit(_Editor):
    """Another version of a playbook."""


class PlaybookSwitch(PlaybookView):
    """Switch a playbook on, from now on, or off."""

    permission = "playbooks:write"

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        on = request.POST.get("on") == "1"
        outcome = playbooks.switch(playbook=self.playbook, member=self.member, on=on)
        if outcome == "unchanged":
            words = _("“%(name)s” was so already.")
        elif on:
            words = _("“%(name)s” is switched on: alerts from now on count.")
        else:
            words = _("“%(name)s” is switched off; runs under way go to their end.")
        messages.success(request, words % {"name": self.playbook})
        return self.done("playbook", pk=self.playbook.pk)


# ── runs ────────────────────────────────────────────────────────────────────


def run_rows(member: Member) -> QuerySet[Any]:
    """The runs of customers whom a member sees, with what lists show."""
    related = ("customer", "playbook", "version", "alert", "member__user", "owner__user")
    rows: QuerySet[Any] = PlaybookRun.objects.visible_to(member).select_related(*related)
    return rows


class RunTable(PageTable):
    """Runs of playbooks."""

    customer = PlainColumn(verbose_name=gettext_lazy("Customer"), accessor="customer.name", orderable=False)
    playbook = PlainColumn(verbose_name=gettext_lazy("Playbook"), accessor="playbook.title", orderable=False)
    status = ChoiceColumn(PlaybookRun.Status.choices, verbose_name=gettext_lazy("Status"))
    outcome = ChoiceColumn(PlaybookRun.Outcome.choices, verbose_name=gettext_lazy("Outcome"))
    why = ChoiceColumn(PlaybookRun.Why.choices, verbose_name=gettext_lazy("Why"))
    level = ChoiceColumn(Alert.Level.choices, verbose_name=gettext_lazy("Level"))
    member = PlainColumn(verbose_name=gettext_lazy("Begun by"), accessor="member", orderable=False)
    started_at = WordsColumn(moment, verbose_name=gettext_lazy("Began"))
    next_at = WordsColumn(moment, verbose_name=gettext_lazy("Next look"))
    ended_at = WordsColumn(moment, verbose_name=gettext_lazy("Ended"))

    fixed = ("customer", "playbook")

    def render_playbook(self, value: str, record: PlaybookRun) -> str:
        address = reverse("playbook-run", kwargs={"tenant": current_tenant().slug, "pk": record.pk})
        return format_html('<a href="{}">{}</a>', address, value)

    def value_playbook(self, value: str) -> str:
        return value

    def render_customer(self, record: PlaybookRun) -> str:
        address = reverse("customer", kwargs={"tenant": current_tenant().slug, "pk": record.customer_id})
        return format_html('<a href="{}">{}</a>', address, record.customer.name)

    def value_customer(self, value: str) -> str:
        return value

    class Meta(PageTable.Meta):
        model = PlaybookRun
        fields = (
            "customer", "playbook", "status", "outcome", "why", "level", "member", "started_at", "next_at", "ended_at",
        )  # fmt: skip


class RunList(ListPage):
    """Who is in which playbook, of the customers that the member sees."""

    permission = "playbook-runs:read"
    nav = "playbooks"
    queryset = staticmethod(run_rows)
    filterset = RunFilter
    table = RunTable
    template = "risk/playbook_runs.html"
    empty = "risk/playbook_runs_empty.html"
    sort = "-started_at"
    export_permission = "customers:export"
    export_name = "playbook-runs"

    def counted(self, count: int, shown: str) -> str:
        return ngettext("%(count)s run", "%(count)s runs", count) % {"count": shown}


class RunView(TenantView):
    """Something of one run; one of a customer whom the member does not see is not there."""

    permission = "playbook-runs:read"
    write_permission = "follow-ups:write"
    nav = "playbooks"

    @cached_property
    def run(self) -> PlaybookRun:
        found: PlaybookRun = get_object_or_404(run_rows(self.member), pk=self.kwargs["pk"])
        return found


class RunPage(RunView):
    """One run: its steps with who has each by when, and what can be done."""

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        rows = playbooks.open_steps([self.run])[self.run.pk]
        may_write = self.member.can("follow-ups:write")
        return self.render(
            "risk/playbook_run.html",
            run=self.run,
            line=run_line(self.run, rows, timezone.now()),
            undo=last_event(self.run, self.member) if may_write else None,
            may_write=may_write,
            here=request.path,
        )


class RunVerb(RunView):
    """A verb of a run; back to where it was said, with a way to take it back."""

    permission = "follow-ups:write"

    def verb(self, request: HttpRequest) -> tuple[str, playbooks.Change]:
        """What was done, in words, and the change."""
        raise NotImplementedError

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        usual = self.address("playbook-run", pk=self.run.pk)  # a run that is not there is said before all else
        try:
            words, _change = self.verb(request)
        except Refused as refusal:
            for message in refusal.messages:
                messages.error(request, message)
        else:
            messages.success(request, words)
        return back_to(request, usual)


def back_to(request: HttpRequest, usual: str) -> HttpResponse:
    """On to the page that a form names as `next`, if it is one of ours; else to the usual one."""
    asked = request.POST.get("next", "")
    safe = url_has_allowed_host_and_scheme(asked, allowed_hosts={request.get_host()}) and asked.startswith("/")
    address = asked if safe else usual
    return HttpResponseClientRedirect(address) if getattr(request, "htmx", None) else redirect(address)


class RunSay(RunVerb):
    """Say what came of a step."""

    def verb(self, request: HttpRequest) -> tuple[str, playbooks.Change]:
        form = SayForm(request.POST)
        if not form.is_valid():
            raise BadRequest(form.errors.as_text())
        said = form.cleaned_data
        change = playbooks.say(
            run=self.run, code=self.kwargs["step"], outcome=said["outcome"], note=said["note"], member=self.member
        )
        return _("%(customer)s: it is noted what came of the step.") % {"customer": self.run.customer.name}, change


class RunSkip(RunVerb):
    """Leave a step out."""

    def verb(self, request: HttpRequest) -> tuple[str, playbooks.Change]:
        change = playbooks.skip(run=self.run, code=self.kwargs["step"], member=self.member)
        return _("%(customer)s: the step is skipped.") % {"customer": self.run.customer.name}, change


class RunStop(RunVerb):
    """End a run by hand, with an outcome or without one."""

    def verb(self, request: HttpRequest) -> tuple[str, playbooks.Change]:
        form = StopForm(request.POST)
        if not form.is_valid():
            raise BadRequest(form.errors.as_text())
        change = playbooks.stop(run=self.run, outcome=form.cleaned_data["outcome"], member=self.member)
        said = {"customer": self.run.customer.name, "playbook": self.run.playbook.title}
        return _("%(customer)s: “%(playbook)s” has ended.") % said, change


class RunUndo(RunVerb):
    """Take back the last thing that was done with a run."""

    def verb(self, request: HttpRequest) -> tuple[str, playbooks.Change]:
        found: Event | None = last_event(self.run, self.member)
        asked = request.POST.get("event", "")
        if not asked.isdecimal() or found is None or found.pk != int(asked):
            raise Refused(_("The run has gone on since; it cannot be undone."), code="changed")
        change = playbooks.undo(event=found.pk, member=self.member)
        return _("%(customer)s: taken back.") % {"customer": self.run.customer.name}, change


class RunHandOver(FormPage):
    """Give a run to somebody else."""

    permission = "follow-ups:write"
    nav = "playbooks"
    heading = gettext_lazy("Hand over")
    submit = gettext_lazy("Hand over")

    @cached_property
    def run(self) -> PlaybookRun:
        found: PlaybookRun = get_object_or_404(run_rows(self.member), pk=self.kwargs["pk"])
        return found

    def form(self, data: Any = None, files: Any = None) -> HandOverForm:
        people = Member.objects.select_related("user").filter(is_active=True)
        if not self.member.can("follow-ups:assign"):
            people = people.filter(pk__in=[self.run.customer.owner_a_id, self.run.customer.owner_b_id])
        return HandOverForm(data, people=assignable(people))

    def save(self, form: HandOverForm) -> HttpResponse:
        to = form.member()
        playbooks.hand_over(run=self.run, to=to, member=self.member)
        said = {"customer": self.run.customer.name, "who": to}
        messages.success(self.request, _("%(customer)s: handed over to %(who)s.") % said)
        return self.done("playbook-run", pk=self.run.pk)

    def back(self) -> str:
        return self.address("playbook-run", pk=self.run.pk)


# ── beginning ───────────────────────────────────────────────────────────────


class StartPlaybook(FormPage):
    """Begin a playbook for a customer, for one of its alerts where `alert` names one."""

    permission = "follow-ups:write"
    nav = "customers"
    submit = gettext_lazy("Begin")

    @cached_property
    def customer(self) -> Customer:
        rows = Customer.objects.visible_to(self.member)
        found: Customer = get_object_or_404(rows, pk=self.kwargs["customer"])
        return found

    @cached_property
    def alert(self) -> Alert | None:
        asked = self.request.GET.get("alert", "")
        if not asked:
            return None
        if not asked.isdecimal():
            raise BadRequest(_("That is no alert."))
        found: Alert = get_object_or_404(Alert, pk=int(asked), customer=self.customer)
        return found

    def title(self) -> str:
        return _("Begin a playbook for %(customer)s") % {"customer": self.customer.name}

    def form(self, data: Any = None, files: Any = None) -> StartForm:
        self.refuse_unknown("alert")
        return StartForm(data, offered=playbooks.playbooks_to_start(self.customer, self.alert))

    def save(self, form: StartForm) -> HttpResponse:
        playbook = form.chosen()
        open_before = PlaybookRun.objects.filter(playbook=playbook, customer=self.customer, ended_at__isnull=True)
        there = open_before.exists()
        run = playbooks.start(playbook=playbook, customer=self.customer, member=self.member, alert=self.alert)
        said = {"customer": self.customer.name, "playbook": playbook.title}
        if there:
            messages.info(self.request, _("%(customer)s is in “%(playbook)s” already.") % said)
        elif run.status == PlaybookRun.Status.WAITING:
            words = _("“%(playbook)s” waits: something else speaks to %(customer)s first.")
            messages.success(self.request, words % said)
        else:
            messages.success(self.request, _("“%(playbook)s” has begun for %(customer)s.") % said)
        return self.done("playbook-run", pk=run.pk)

    def back(self) -> str:
        return self.address("customer", pk=self.customer.pk)
