"""Complaints: the board, one complaint with its four steps, the verbs of each, and how they go."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from customers.models import Complaint
from risk.complaints import figures
from risk.complaints import services as complaints
from risk.complaints.forms import (
    ApologiseForm,
    CallBackForm,
    FiguresForm,
    HandForm,
    ProgressForm,
    PromiseForm,
    SolutionForm,
    TopicHoldersForm,
)
from risk.complaints.lists import MET, STEP_WORDS, BoardFilter, BoardTable, complaint_rows
from risk.complaints.people import Desk
from risk.complaints.repeats import repeated
from risk.models import Incident, TopicHolder
from risk.rules.complaint_policy import STEPS, ComplaintPolicy
from risk.rules.complaints import NEXT
from tenants.export import write_csv
from tenants.models import Member
from tenants.pages import FormPage, ListPage, TenantView
from tenants.policies import active_policy

FIGURE_DAYS = 90


class Board(ListPage):
    """Complaints of customers that the member sees, what is due first."""

    permission = "complaints:read"
    nav = "complaints"
    queryset = staticmethod(complaint_rows)
    filterset = BoardFilter
    table = BoardTable
    template = "risk/complaints.html"
    empty = "risk/complaints_empty.html"
    sort = "due_at"
    export_permission = "customers:export"
    export_name = "complaints"

    def counted(self, count: int, shown: str) -> str:
        return ngettext("%(count)s complaint", "%(count)s complaints", count) % {"count": shown}

    def context(self, rows: Sequence[Any]) -> dict[str, Any]:
        mine = self.seen.filter(assignee=self.member)
        now = timezone.now()
        return {
            "section": "board",
            "mine_count": mine.filter(complaints.OPEN).count(),
            "late_count": self.seen.filter(complaints.late(now)).count(),
            "open_count": self.seen.filter(complaints.OPEN, due_at__isnull=False).count(),
            "may_name": self.member.can("policy:write"),
        }


@dataclass(frozen=True)
class StepLine:
    """A step as the page shows it: `state` is done, now or later; `by` its clock, `was_late` whether it was missed."""

    code: str
    title: str
    state: str
    done_at: dt.datetime | None
    by: dt.datetime | None
    was_late: bool


def step_lines(complaint: Complaint, now: dt.datetime) -> list[StepLine]:
    """The four steps of a complaint in their order."""
    due = NEXT.get(complaint.status)
    found = []
    for step in STEPS:
        done_field, by_field = MET[step]
        done_at, by = getattr(complaint, done_field), getattr(complaint, by_field)
        state = "now" if step == due else "done" if done_at is not None else "later"
        was_late = by is not None and (done_at > by if done_at else by <= now and state == "now")
        found.append(StepLine(step, str(STEP_WORDS[step]), state, done_at, by, was_late))
    return found


class _OfComplaint(TenantView):
    permission = "complaints:read"
    write_permission = "complaints:write"
    nav = "complaints"

    @cached_property
    def complaint(self) -> Complaint:
        rows = Complaint.objects.visible_to(self.member).select_related("customer", "assignee__user", "order")
        found: Complaint = get_object_or_404(rows, pk=self.kwargs["pk"])
        return found

    def back(self) -> str:
        return self.address("complaint", pk=self.kwargs["pk"])


class ComplaintPage(_OfComplaint):
    """One complaint: what happened, its four steps with their clocks, what was done, and what it is like."""

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        self.refuse_unknown()
        row, now = self.complaint, timezone.now()
        rules = active_policy().section(ComplaintPolicy)
        tomorrow = self.request.tenant.today() + dt.timedelta(days=1)
        again = repeated([row.customer_id], as_of=tomorrow, policy=rules)
        same = [line for line in again.iter_rows(named=True) if line["topic"] == row.topic.strip().lower()]
        others = Complaint.objects.filter(customer=row.customer).exclude(pk=row.pk).order_by("-opened_at", "-pk")
        return self.render(
            "risk/complaint.html",
            complaint=row,
            steps=step_lines(row, now),
            now_step=NEXT.get(row.status, ""),
            notes=row.notes.select_related("member__user").order_by("-at", "-pk"),
            repeat=same[0] if same else None,
            repeat_days=rules.repeat_days,
            others=others[:5],
            incident=Incident.objects.visible_to(self.member).filter(complaint=row, is_drill=False).first(),
            is_late=row.due_at is not None and row.due_at <= now,
            may_write=self.member.can("complaints:write"),
            can_take_back=row.apologised_at is not None or row.solved_at is not None,
        )


class _Verb(_OfComplaint, FormPage):
    """A form of one complaint; what it wrote is said on its page."""

    permission = "complaints:write"
    done_words: ClassVar[str | Promise] = ""

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        _there = self.complaint  # what is not there is said before what is wrong with the form
        return super().post(request, **kwargs)

    def finished(self) -> HttpResponse:
        messages.success(self.request, str(self.done_words))
        return self.done("complaint", pk=self.complaint.pk)

    def form(self, data: Any = None, files: Any = None) -> forms.Form:
        raise NotImplementedError


class Apologise(_Verb):
    """Step one."""

    heading = gettext_lazy("The customer was told that we are sorry")
    submit = gettext_lazy("Apologised")
    done_words = gettext_lazy("The apology is noted.")

    def form(self, data: Any = None, files: Any = None) -> forms.Form:
        return ApologiseForm(data)

    def save(self, form: Any) -> HttpResponseBase:
        complaints.apologise(complaint=self.complaint, member=self.member, note=form.cleaned_data["note"])
        return self.finished()


class Promised(_Verb):
    """Step two."""

    heading = gettext_lazy("Until when will it be solved?")
    submit = gettext_lazy("Promised")
    done_words = gettext_lazy("The promised time is noted. Its clock runs.")

    def form(self, data: Any = None, files: Any = None) -> forms.Form:
        return PromiseForm(data, complaint=self.complaint)

    def save(self, form: Any) -> HttpResponseBase:
        complaints.promise(complaint=self.complaint, member=self.member, **form.cleaned_data)
        return self.finished()


class Progress(_Verb):
    """What was done in between."""

    heading = gettext_lazy("What was done")
    submit = gettext_lazy("Write it down")
    done_words = gettext_lazy("It is written down.")

    def form(self, data: Any = None, files: Any = None) -> forms.Form:
        return ProgressForm(data)

    def save(self, form: Any) -> HttpResponseBase:
        complaints.progress(complaint=self.complaint, member=self.member, **form.cleaned_data)
        return self.finished()


class Solve(_Verb):
    """Step three."""

    heading = gettext_lazy("It is solved, and the customer knows")
    submit = gettext_lazy("Solved")
    done_words = gettext_lazy("It is solved. The call back is next.")

    def form(self, data: Any = None, files: Any = None) -> forms.Form:
        return SolutionForm(data)

    def save(self, form: Any) -> HttpResponseBase:
        complaints.solve(complaint=self.complaint, member=self.member, **form.cleaned_data)
        return self.finished()


class CallBack(_Verb):
    """Step four."""

    heading = gettext_lazy("The customer was called back")
    submit = gettext_lazy("Called back")

    def form(self, data: Any = None, files: Any = None) -> forms.Form:
        return CallBackForm(data)

    def save(self, form: Any) -> HttpResponseBase:
        complaints.call_back(complaint=self.complaint, member=self.member, **form.cleaned_data)
        content = form.cleaned_data["is_content"]
        self.done_words = (  # type: ignore[misc]  # said of this call alone
            _("The complaint is closed.") if content else _("It is open again, and somebody has to solve it.")
        )
        return self.finished()


class Hand(_Verb):
    """What it is about, and who looks after it."""

    heading = gettext_lazy("Hand it on")
    submit = gettext_lazy("Hand it on")
    done_words = gettext_lazy("It is handed on.")

    def form(self, data: Any = None, files: Any = None) -> forms.Form:
        return HandForm(data, complaint=self.complaint, desk=Desk(active_policy().section(ComplaintPolicy)))

    def save(self, form: Any) -> HttpResponseBase:
        complaints.hand_to(complaint=self.complaint, member=self.member, **form.cleaned_data)
        return self.finished()


class TakeBack(_Verb):
    """The last step was noted by mistake."""

    heading = gettext_lazy("Take the last step back?")
    submit = gettext_lazy("Take it back")
    done_words = gettext_lazy("The step is taken back.")

    def form(self, data: Any = None, files: Any = None) -> forms.Form:
        return forms.Form(data)

    def save(self, form: Any) -> HttpResponseBase:
        complaints.take_back(complaint=self.complaint, member=self.member)
        return self.finished()


VERBS: dict[str, type[_Verb]] = {
    "apologise": Apologise,
    "promise": Promised,
    "progress": Progress,
    "solve": Solve,
    "call-back": CallBack,
    "hand-on": Hand,
    "take-back": TakeBack,
}
"""What can be done with a complaint, by the last word of the address."""


class TopicHolders(FormPage):
    """Who gets the complaints of each kind."""

    permission = "policy:write"
    nav = "complaints"
    heading = gettext_lazy("Who gets which complaints")

    def form(self, data: Any = None, files: Any = None) -> TopicHoldersForm:
        return TopicHoldersForm(data, held=dict(TopicHolder.objects.values_list("topic", "member_id")))

    def save(self, form: Any) -> HttpResponseBase:
        for topic, holder in form.holders().items():
            complaints.name_holder(topic=topic, holder=holder, member=self.member)
        messages.success(self.request, _("It is said who gets which complaints."))
        return self.done("complaints")

    def back(self) -> str:
        return self.address("complaints")


@dataclass(frozen=True)
class FigureLine:
    """A line of the figures with what it is called and what narrows the list to it."""

    title: str
    query: str
    line: figures.Line


class Figures(TenantView):
    """First-time resolution, steps on time and hours to the solution, by kind and by person; each number opens its rows."""

    permission = "complaints:read"
    nav = "complaints"

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        asked = self.parameters(FiguresForm)
        today = self.request.tenant.today()
        until = asked["until"] or today
        since = asked["since"] or until - dt.timedelta(days=FIGURE_DAYS - 1)
        rows = Complaint.objects.visible_to(self.member)
        kinds = figures.lines(rows, "kind", since=since, until=until)
        people = figures.lines(rows, "assignee", since=since, until=until)
        names = {str(each.pk): str(each) for each in Member.objects.select_related("user")}
        labels = {code: str(label) for code, label in Complaint.Kind.choices}
        by_kind = _figure_lines(kinds, lambda key: labels.get(key, _("not said")), "kind")
        by_person = _figure_lines(people, lambda key: names.get(key, _("nobody")), "assignee")
        if asked["export"]:
            self.check_export("customers:export")
            return self.csv_file("complaint-figures", _csv([*by_kind, *by_person]))
        opened, first = figures.whole(kinds)
        return self.render(
            "risk/complaint_figures.html",
            section="figures",
            since=since,
            until=until,
            by_kind=by_kind,
            by_person=by_person,
            opened=opened,
            first=first,
            steps=[(step, STEP_WORDS[step]) for step in STEPS],
        )


def _figure_lines(found: Sequence[figures.Line], title: Callable[[str], str], name: str) -> list[FigureLine]:
    return [FigureLine(title(line.key), f"{name}={line.key}" if line.key else "", line) for line in found]


def _csv(found: Sequence[FigureLine]) -> Iterator[str]:
    heads = [
        _("Kind or person"), _("Opened"), _("A step is to do"), _("Late"), _("Solved"), _("Solved the first time"),
        _("Of which it is known"), _("Opened again"), _("Half are solved within hours"),
        _("Nine of ten are solved within hours"), *(_("On time: %(step)s") % {"step": STEP_WORDS[step]} for step in STEPS),
    ]  # fmt: skip
    return write_csv(
        heads,
        (
            [
                each.title, each.line.opened, each.line.to_do, each.line.late, each.line.solved, each.line.first.hits,
                each.line.first.of, each.line.reopened, each.line.median, each.line.ninety,
                *(each.line.on_time[step].share for step in STEPS),
            ]
            for each in found
        ),
    )  # fmt: skip
