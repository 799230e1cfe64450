"""The alerts board, one alert, and what people do with them, one or many.

Each verb has one address, which takes the alerts as `pick`: a button of the board sends those that are ticked, a page of
one alert sends that one. Without scripts every verb is an ordinary form.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import urlencode

from django import forms
from django.contrib import messages
from django.core.exceptions import BadRequest
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django_htmx.http import HttpResponseClientRedirect

from followups.services import Refused
from risk.alerts import services
from risk.alerts.filters import STATES, VIEWS, AlertFilter
from risk.alerts.forms import AssignForm, CloseForm, SnoozeForm
from risk.alerts.people import People
from risk.alerts.services import MANY, Change
from risk.alerts.tables import AlertTable
from risk.alerts.words import cause_words, state_words, story, tried_words
from risk.cases.services import similar
from risk.cases.words import alike
from risk.models import Alert
from risk.signals.words import answer_words, sentence
from tenants.filters import id_number
from tenants.models import Member
from tenants.pages import FormPage, ListPage, TenantView
from tenants.permissions import SEES_ALL, Role

UNDO: Final = "alerts-undo"


def board_rows(member: Member) -> QuerySet[Any]:
    """Alerts that a member sees, with what the board shows."""
    rows: QuerySet[Any] = Alert.objects.visible_to(member).select_related("customer", "closed_by__user")
    return rows


class Board(ListPage):
    """What is going wrong, the nearest clock first."""

    permission = "alerts:read"
    export_permission = "customers:export"
    export_name = "alerts"
    nav = "alerts"
    queryset = staticmethod(board_rows)
    filterset = AlertFilter
    table = AlertTable
    template = "risk/alerts.html"
    empty = "risk/alerts_empty.html"
    sort = "due_at"

    @property
    def usual(self) -> dict[str, str]:
        """What the board shows unless the address says otherwise: the member's own open alerts."""
        nobodys = self.member.role in SEES_ALL and self.member.role != Role.EXECUTIVE
        return {"view": "all" if nobodys else "mine", "state": "open"}

    @property
    def sorting(self) -> str:
        return self.request.GET.get("sort") or ("-closed_on" if self.asked["state"] == "closed" else self.sort)

    @cached_property
    def asked(self) -> dict[str, str]:
        """Whose alerts, and in which state."""
        return {name: self.request.GET.get(name) or usual for name, usual in self.usual.items()}

    def _filter_values(self) -> Any:
        values = super()._filter_values()
        for name, value in self.asked.items():
            values[name] = value
        return values

    def _is_filtered(self, chosen: Any) -> bool:
        return bool(set(super()._filter_values()) & (AlertFilter.names() - set(self.usual)))

    def counted(self, count: int, shown: str) -> str:
        return ngettext("%(count)s alert", "%(count)s alerts", count) % {"count": shown}

    def context(self, rows: Sequence[Any]) -> dict[str, Any]:
        def link(**changes: str) -> str:
            return "?" + urlencode(self.asked | changes)

        return {
            "views": [(label, link(view=code), code == self.asked["view"]) for code, label in VIEWS],
            "states": [(label, link(state=code), code == self.asked["state"]) for code, label in STATES],
            "asked": self.asked,
            "all_link": link(view="all"),
            "may_write": self.member.can("alerts:write"),
            "undo": self.request.session.pop(UNDO, None),
            "here": self.request.get_full_path(),
        }


class AlertPage(TenantView):
    """One alert: what fired, whose it is, what happened, what can be done, and what others did in such a case."""

    permission = "alerts:read"
    nav = "alerts"

    @cached_property
    def alert(self) -> Alert:
        rows = Alert.objects.visible_to(self.member).select_related(
            "customer__owner_a__user", "customer__owner_b__user", "assignee__user", "first_action_by__user",
            "closed_by__user",
        )  # fmt: skip
        found: Alert = get_object_or_404(rows, pk=self.kwargs["pk"])
        return found

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        self.refuse_unknown()
        alert, now = self.alert, timezone.now()
        customer = alert.customer
        who = People().whose(
            role=alert.role, owner_a=customer.owner_a_id, owner_b=customer.owner_b_id, assignee=alert.assignee_id
        )
        return self.render(
            "risk/alert.html",
            alert=alert,
            said=sentence(alert),
            answer=answer_words(alert.signal),
            state=state_words(alert, now),
            is_late=alert.is_late(now),
            is_snoozed=alert.is_snoozed(now),
            who=who,
            cause=cause_words(alert.cause),
            tried=tried_words(alert.tried),
            story=story(alert),
            alike=alike(similar(alert, member=self.member)),
            others=[each for each in services.open_of(customer) if each.pk != alert.pk],
            may_write=self.member.can("alerts:write"),
            pick=f"?pick={alert.pk}",
            undo=self.request.session.pop(UNDO, None),
            here=request.path,
        )


# ── verbs ───────────────────────────────────────────────────────────────────


def _ids(said: Sequence[str]) -> list[int]:
    """Raises BadRequest for what is no id, and for too many."""
    found = [id_number(text) for text in said]
    if len(found) > MANY or any(number is None for number in found):
        raise BadRequest(_("pick takes up to %(count)d ids of alerts.") % {"count": MANY})
    return [number for number in found if number is not None]


class _Verb(TenantView):
    """What the verbs share: which alerts, where to go on, and what can be taken back."""

    permission = "alerts:write"
    nav = "alerts"

    @cached_property
    def ids(self) -> list[int]:
        """The alerts of the address, or of the form."""
        return _ids(self.request.POST.getlist("pick") or self.request.GET.getlist("pick"))

    @cached_property
    def alerts(self) -> list[Alert]:
        """Those of them that the member sees and that are open."""
        rows = Alert.objects.visible_to(self.member).filter(pk__in=self.ids, closed_on__isnull=True)
        return list(rows.select_related("customer"))

    def back(self) -> str:
        """The page that asked; of one alert that one."""
        asked = self.request.POST.get("back") or self.request.GET.get("back") or ""
        if url_has_allowed_host_and_scheme(asked, None) and asked.startswith(f"/{self.request.tenant.slug}/"):
            return asked
        if len(self.ids) == 1:
            return self.address("alert", pk=self.ids[0])
        return self.address("alerts")

    def went(self, words: str, change: Change) -> HttpResponse:
        """On to the page that asked, which says what was done, what stays, and how to take it back."""
        for _row, why in change.stays:
            messages.warning(self.request, why)
        if change.events:
            self.request.session[UNDO] = {"words": words, "events": change.events}
        address = self.back()
        return HttpResponseClientRedirect(address) if self.request.htmx else redirect(address)


class Act(_Verb):
    """Say that one takes care of alerts."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        try:
            change = services.act_many(ids=self.ids, member=self.member)
        except Refused as refusal:
            messages.error(request, refusal.messages[0])
            change = Change()
        count = len(change.alerts)
        return self.went(
            ngettext("%(count)d alert in hand", "%(count)d alerts in hand", count) % {"count": count}, change
        )


class _OfOne(_Verb):
    """A verb on one alert, open or closed."""

    http_method_names = ["post"]

    def do(self, alert: Alert) -> tuple[str, Change]:
        raise NotImplementedError

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        alert = get_object_or_404(Alert.objects.visible_to(self.member), pk=self.kwargs["pk"])
        vars(self)["ids"] = [alert.pk]
        try:
            words, change = self.do(alert)
        except Refused as refusal:
            messages.error(request, refusal.messages[0])
            words, change = "", Change()
        return self.went(words, change)


class Wake(_OfOne):
    """End a snooze now."""

    def do(self, alert: Alert) -> tuple[str, Change]:
        return _("No longer put off"), services.wake(alert=alert, member=self.member)


class Reopen(_OfOne):
    """Open a closed alert again."""

    def do(self, alert: Alert) -> tuple[str, Change]:
        return _("Opened again"), services.reopen(alert=alert, member=self.member)


class Undo(_Verb):
    """Take back what was done a moment ago."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        said = request.POST.get("events", "")
        numbers = [id_number(text) for text in said.split(",")]
        try:
            services.undo(events=[number for number in numbers if number is not None], member=self.member)
        except Refused as refusal:
            messages.error(request, refusal.messages[0])
        else:
            messages.success(request, _("Taken back"))
        return redirect(self.back())


class _VerbForm(_Verb, FormPage):
    """A verb that asks for something first."""

    def title(self) -> str:
        names = [str(alert.customer) for alert in self.alerts]
        if len(names) == 1:
            return f"{self.heading}: {names[0]}"
        words = ngettext("%(heading)s: %(count)d alert", "%(heading)s: %(count)d alerts", len(names))
        return words % {"heading": self.heading, "count": len(names)}

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        self.refuse_unknown("pick", "back")
        form = self.form()
        if not self.alerts:
            form.full_clean()
            messages.error(request, _("Select open alerts first."))
        return self.show(form)


class Snooze(_VerbForm):
    """Put alerts off, with a reason and an end."""

    heading = gettext_lazy("Snooze")
    submit = gettext_lazy("Snooze")

    def form(self, data: Any = None, files: Any = None) -> SnoozeForm:
        return SnoozeForm(data, alerts=self.alerts)

    def save(self, form: SnoozeForm) -> HttpResponse:
        said = form.cleaned_data
        change = services.snooze_many(ids=self.ids, until=said["until"], reason=said["reason"], member=self.member)
        count = len(change.alerts)
        return self.went(
            ngettext("%(count)d alert put off", "%(count)d alerts put off", count) % {"count": count}, change
        )


class Assign(_VerbForm):
    """Give alerts to somebody."""

    heading = gettext_lazy("Assign")
    submit = gettext_lazy("Assign")

    def form(self, data: Any = None, files: Any = None) -> AssignForm:
        return AssignForm(data, people=assignable(self.member, self.alerts))

    def save(self, form: AssignForm) -> HttpResponse:
        change = services.assign_many(ids=self.ids, assignee=form.member(), member=self.member)
        count = len(change.alerts)
        return self.went(ngettext("%(count)d alert given", "%(count)d alerts given", count) % {"count": count}, change)


def assignable(member: Member, alerts: Sequence[Alert]) -> list[Member]:
    """Whom a member may give alerts: the customers' owners; who may assign, everybody who works on alerts."""
    rows = Member.objects.filter(is_active=True).select_related("user").order_by("user__name", "pk")
    people = [each for each in rows if each.can("alerts:write") and each.role != Role.INTEGRATION]
    if member.can("alerts:assign"):
        return people
    owners = {pk for alert in alerts for pk in (alert.customer.owner_a_id, alert.customer.owner_b_id)}
    return [each for each in people if each.pk in owners]


class Close(_VerbForm):
    """Close alerts with what came of them."""

    heading = gettext_lazy("Close the alert")
    submit = gettext_lazy("Close the alert")

    def form(self, data: Any = None, files: Any = None) -> forms.Form:
        return CloseForm(data)

    def save(self, form: forms.Form) -> HttpResponse:
        change = services.close_many(ids=self.ids, member=self.member, **form.cleaned_data)
        count = len(change.alerts)
        return self.went(
            ngettext("%(count)d alert closed", "%(count)d alerts closed", count) % {"count": count}, change
        )
