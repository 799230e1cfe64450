"""Today: the account manager's page. Whom to contact, why, by when; log it; next.

Without scripts every row is a link to a page of its own and every verb an ordinary form. With them the
queue's pane, the strip and the preview are swapped; the order of the rows stays as it was ranked until the
member asks for a new one.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final
from urllib.parse import urlencode

from django import forms
from django.contrib import messages
from django.core.exceptions import BadRequest, ValidationError
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext
from django_htmx.http import replace_url, reswap, retarget

from customers.models import Customer
from customers.search import is_named
from dashboards import today as reading
from dashboards.places import waits_at
from dashboards.today import OUTCOMES, Preview, Row, Strip
from followups import bulk, desk, services
from followups.forms import MORE, PAGE, AssignForm, LogForm, PickForm, QueueForm, ScriptForm, SnoozeForm
from followups.models import Desk, FollowUp
from followups.querysets import (
    VIEWS,
    Due,
    QueueCounts,
    View,
    assignable,
    best_of_all,
    count_queue,
    done_today,
    due_filter,
)
from followups.rules.policy import CadencePolicy
from followups.scripts.services import note_script
from followups.services import MANY, AlreadyClosed, Change, Refused
from risk.incidents.reading import Tasks, tasks_of
from risk.playbooks import services as playbooks
from risk.playbooks.forms import StartForm
from tenants.calendars import firm_calendar
from tenants.models import Member, Run
from tenants.pages import TenantView
from tenants.permissions import SEES_ALL
from tenants.policies import Policy, active_policy
from tenants.querysets import last_night
from tenants.templatetags.perennial import weekday_day

TASKS: Final = 3
"""Steps in crises that stand over the queue; the rest is behind a link."""

ORDERS: Final = "today-orders"
FLASH: Final = "today-flash"
MENDED: Final = frozenset({"past", "too_far", "no_reason", "too_long", "not_a_worker"})
"""Codes of refusals that another answer in the form mends."""


@dataclass(frozen=True)
class State:
    """What the address asks for: it stays with the member through every link and verb."""

    view: View
    due: Due
    q: str
    show: int

    def query(self, **extra: Any) -> str:
        """The address's parameters, with `extra` ones; what is as usual is left out."""
        said = {"view": self.view, "due": self.due, "q": self.q, "show": self.show if self.show != PAGE else ""}
        return "?" + urlencode({name: value for name, value in (said | extra).items() if value not in ("", None)})

    @cached_property
    def here(self) -> str:
        """The parameters alone, for the addresses of verbs."""
        return self.query()

    @cached_property
    def links(self) -> dict[str, str]:
        """Where the heads, the numbers and the buttons of the queue lead."""
        every = {view: f"?view={view}" for view in VIEWS}
        return every | {
            "today": self.query(due="" if self.due == "today" else "today", q="", show=""),
            "late": self.query(due="" if self.due == "late" else "late", q="", show=""),
            "plain": self.query(due="", q="", show=""),
            "new": self.query(rank="new", show=""),
            "more": self.query(show=min(self.show + MORE, MANY)),
        }


@dataclass(frozen=True)
class Order:
    """The ranks as they were when the member last asked for them."""

    ids: list[int]
    at: dt.datetime


@dataclass(frozen=True)
class Undo:
    """What was done a moment ago, in words, and the events that take it back."""

    words: str
    events: Sequence[int] = ()

    @property
    def ids(self) -> str:
        return ",".join(map(str, self.events))


@dataclass(frozen=True)
class Pane:
    """The queue as it is shown. `refusals` say what was not done and why, `picked` stay selected."""

    rows: list[Row]
    current: Row | None
    counts: QueueCounts
    ranked_at: dt.datetime
    undo: Undo | None
    refusals: Sequence[str]
    picked: Collection[int]
    done: int

    @property
    def more(self) -> int:
        """How many "show more" would add."""
        return max(0, min(MORE, self.counts.found - len(self.rows), MANY - len(self.rows)))


class TodayView(TenantView):
    """What the pages and verbs of Today share."""

    permission = "follow-ups:read"
    write_permission = "follow-ups:write"
    nav = "today"

    @cached_property
    def today(self) -> dt.date:
        return self.request.tenant.today()

    @cached_property
    def night(self) -> Run | None:
        return last_night()

    @cached_property
    def policy(self) -> Policy:
        return active_policy()

    @cached_property
    def asked(self) -> dict[str, Any]:
        """The address's parameters. A parameter that does not exist, or makes no sense, is a 400 that names it."""
        form = QueueForm(self.request.GET)
        if unknown := sorted(set(self.request.GET) - set(form.fields)):
            values = {"names": ", ".join(unknown), "known": ", ".join(form.fields)}
            raise BadRequest(_("Today has no parameter %(names)s. It has: %(known)s.") % values)
        if not form.is_valid():
            wrong = "; ".join(f"{name}: {' '.join(map(str, errors))}" for name, errors in form.errors.items())
            raise BadRequest(wrong)
        return form.cleaned_data

    @cached_property
    def desk(self) -> Desk | None:
        return desk.desk_of(self.member)

    @cached_property
    def state(self) -> State:
        asked = self.asked
        return State(
            view=asked["view"] or desk.view_of(self.member, self.desk),
            due=asked["due"],
            q=asked["q"].strip(),
            show=asked["show"] or PAGE,
        )

    # ── the order ────────────────────────────────────────────────────────────

    def order(self, *, again: bool = False) -> Order:
        """The fixed order of this view: ranked once a day, and again when asked for.

        Looking for a name ranks afresh: nobody works through a search.
        """
        state, key = self.state, f"{self.request.tenant.slug}:{self.state.view}:{self.state.due}"
        if state.q:
            return Order(self._ranked(state.show), timezone.now())
        kept = self.request.session.get(ORDERS, {})
        known = kept.get(key)
        if again or known is None or known["day"] != self.today.isoformat():
            known = {"ids": self._ranked(state.show), "at": timezone.now().isoformat()}
        elif state.show > known["show"]:
            more = self._ranked(state.show - len(known["ids"]), without=known["ids"])
            known = known | {"ids": known["ids"] + more}
        else:
            return Order(known["ids"], dt.datetime.fromisoformat(known["at"]))
        known |= {"day": self.today.isoformat(), "show": state.show}
        fresh = {name: each for name, each in kept.items() if each["day"] == self.today.isoformat()}
        self.request.session[ORDERS] = fresh | {key: known}
        return Order(known["ids"], dt.datetime.fromisoformat(known["at"]))

    def _ranked(self, most: int, without: Sequence[int] = ()) -> list[int]:
        if self.state.view == "all" and not self.state.q and self.member.role in SEES_ALL:
            return best_of_all(self.today, self.state.due, most, without)
        rows = FollowUp.objects.queue(self.member, self.state.view, self.today).filter(self._only)
        return list(rows.exclude(pk__in=without).values_list("pk", flat=True)[: max(0, most)])

    @cached_property
    def _only(self) -> Q:
        return due_filter(self.state.due, self.today) & is_named(self.state.q, "customer_id")

    # ── what is shown ────────────────────────────────────────────────────────

    def pane(
        self,
        *,
        at: int | None = None,
        again: bool = False,
        undo: Undo | None = None,
        refusals: Sequence[str] = (),
        picked: Collection[int] = (),
    ) -> Pane:
        """The queue around the follow-up `at`; where that has gone, the next one in order is current."""
        order = self.order(again=again)
        rows = self._rows(order)
        counts = self._count(order)
        if not rows and counts.found:  # all that were ranked are done, and others wait
            order = self.order(again=True)
            rows, counts = self._rows(order), self._count(order)
        return Pane(
            rows=rows,
            current=_current(rows, order.ids, at),
            counts=counts,
            ranked_at=order.at,
            undo=undo,
            refusals=refusals,
            picked=picked,
            done=done_today(FollowUp.objects.all(), self.member, self.state.view, self.today),
        )

    def _rows(self, order: Order) -> list[Row]:
        return reading.queue_rows(self.member, self.state.view, self.today, order.ids)

    def _count(self, order: Order) -> QueueCounts:
        return count_queue(
            FollowUp.objects.all(),
            self.member,
            self.state.view,
            self.today,
            since=order.at,
            known=order.ids,
            only=self._only,
        )

    def strip(self, pane: Pane) -> Strip:
        return Strip(pane.counts, pane.done, *reading.risk(self.member))

    def follow_up(self, pk: int) -> FollowUp:
        """The follow-up with its customer and contact. Raises Http404 for one that the member does not see."""
        row = reading.preview_row(self.member, pk)
        if row is None:
            raise Http404
        return row

    def preview(self, pk: int) -> Preview:
        return reading.preview(
            reading.name_people(self.follow_up(pk), self.member), self.policy, self.today, self.night
        )

    def show(self, template: str, *, status: int = 200, **context: Any) -> HttpResponse:
        """A page or fragment of Today with what all of them need."""
        form = context.pop("form", None) or LogForm()
        return self.render(
            template,
            status=status,
            state=self.state,
            night=self.night,
            policy_number=self.policy.number,
            today=self.today,
            tomorrow=self.today + dt.timedelta(days=1),
            plan_until=self.today + dt.timedelta(days=services.PLAN_MAX_DAYS),
            form=form,
            **context,
        )

    # ── what a verb answers ──────────────────────────────────────────────────

    def after(
        self, *, at: int | None, acted: Collection[int], undo: Undo | None = None, refusals: Sequence[str] = (),
        picked: Collection[int] = (), shown: int | None = None,
    ) -> HttpResponse:  # fmt: skip
        """The queue after a verb: swapped in, or without scripts the page with what has to be said.

        `shown` is the follow-up in the preview, which is swapped too when another one is current now.
        """
        if not self.request.htmx:
            for words in refusals:
                messages.error(self.request, words)
            if undo:
                self.request.session[FLASH] = {"words": undo.words, "events": list(undo.events)}
            return redirect(self.address("today") + self.state.query(at=at))
        pane = self.pane(at=at, undo=undo, refusals=refusals, picked=picked)
        current = pane.current
        stays = current is not None and current.pk == shown and shown not in acted
        response = self.show(
            "dashboards/_today_answer.html",
            pane=pane,
            strip=self.strip(pane),
            swap_preview=not stays,
            preview=self.preview(current.pk) if current and not stays else None,
        )
        response = retarget(reswap(response, "outerHTML"), "#queue-body")
        return replace_url(response, self.address("today") + self.state.query(at=current.pk if current else None))

    def flash(self) -> Undo | None:
        """What a verb without scripts has left to say."""
        kept = self.request.session.pop(FLASH, None)
        return Undo(kept["words"], kept["events"]) if kept else None


def _current(rows: Sequence[Row], order: Sequence[int], at: int | None) -> Row | None:
    if at in order:
        place = order.index(at) + 1
        return next((row for row in rows if row.number >= place), rows[-1] if rows else None)
    return next(iter(rows), None)


class Today(TodayView):
    """The page: strip, ranked queue, preview. The view that was chosen last is the one that it opens with."""

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        again = self.asked["rank"] == "new"
        if self.asked["view"] and self.asked["view"] != desk.view_of(self.member, self.desk):
            desk.choose_view(member=self.member, view=self.asked["view"])
        pane = self.pane(at=self.asked["at"], again=again, undo=None if self.request.htmx else self.flash())
        shown: dict[str, Any] = {"pane": pane, "strip": self.strip(pane)}
        if self.request.htmx and not self.request.htmx.history_restore_request:
            preview = self.preview(pane.current.pk) if pane.current else None
            response = self.show("dashboards/_today_answer.html", **shown, swap_preview=True, preview=preview)
            return replace_url(response, self.address("today") + self.state.query())
        if again:
            return redirect(self.address("today") + self.state.query())
        return self.show(
            "dashboards/today.html",
            **shown,
            preview=self.preview(pane.current.pk) if pane.current else None,
            closed_today=self._closed_today(),
            tasks=self._tasks(),
            no_customers=not pane.counts.all and not Customer.objects.visible_to(self.member).exists(),
        )

    def _tasks(self) -> Tasks | None:
        """The member's steps in crises. Where none is open the side bar knows, and nobody asks for them."""
        if not waits_at(self.request, "crises"):
            return None
        return tasks_of(self.member, timezone.now(), firm_calendar(self.policy), TASKS)

    def _closed_today(self) -> dt.datetime | None:
        closed = self.desk.closed_at if self.desk else None
        return closed if closed and self.request.tenant.local_date(closed) == self.today else None


class Fresh(TodayView):
    """What has come since the ranking: the strip and the "2 new" button, asked for now and then."""

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        pane = self.pane()
        return self.show("dashboards/_today_fresh.html", pane=pane, strip=self.strip(pane))


class One(TodayView):
    """One follow-up: the preview beside the queue, or on a small screen and without scripts a page of its own."""

    def get(self, request: HttpRequest, pk: int, **kwargs: Any) -> HttpResponse:
        preview = self.preview(pk)
        if self.request.htmx and not self.request.htmx.history_restore_request:
            return self.show("dashboards/_today_preview.html", preview=preview)
        return self.show("dashboards/today_one.html", preview=preview, undo=self.flash())


class Log(TodayView):
    """Log and next: one action logs the contact, closes the follow-up, and shows the next customer."""

    def post(self, request: HttpRequest, pk: int, **kwargs: Any) -> HttpResponse:
        follow_up, form = self.follow_up(pk), LogForm(request.POST)
        if not form.is_valid():
            return self._again(pk, form, status=400)
        said = form.cleaned_data
        next_on, next_kind = self._next(follow_up, said)
        try:
            change = services.log_contact(
                follow_up=follow_up,
                member=self.member,
                channel=said["channel"],
                answered=OUTCOMES[said["outcome"]],
                note=said["note"],
                about_competitor=said["about_competitor"],
                leaving=said["leaving"],
                anyway=said["anyway"],
                next_on=next_on,
                next_kind=next_kind,
                promised=said["promised"],
            )
        except AlreadyClosed as faster:
            return self._again(pk, form, faster=faster.messages[0], status=409)
        except Refused as refusal:
            form.add_error("next_on", refusal)
            return self._again(pk, form, status=400)
        if change.interaction is not None:
            note_script(said["script"], change.interaction, follow_up)
        words = _("%(customer)s logged") % {"customer": follow_up.customer.name}
        if change.planned:
            words += _(", next on %(day)s") % {"day": weekday_day(change.planned[0].due_on)}
        undo = Undo(words, change.events)
        if "own_page" in request.POST:
            return self._next_page(pk, undo)
        return self.after(at=pk, acted=[pk], undo=undo, shown=pk)

    def _next(self, follow_up: FollowUp, said: dict[str, Any]) -> tuple[dt.date | None, str]:
        """Day and kind of the next touch where the member plans it; no day where the cadence's own was left as it was."""
        coming = reading.coming(follow_up, self.policy, self.today)
        day = said["next_on"]
        if day is None and said["promised"] and coming:
            day = coming.day
        if day is None or (coming and day == coming.day and not said["promised"]):
            return None, ""
        return day, coming.kind if coming else ""

    def _again(self, pk: int, form: LogForm, *, status: int, faster: str = "") -> HttpResponse:
        """The preview with what was typed, and why it was not taken."""
        preview = self.preview(pk)
        if not self.request.htmx:
            return self.show("dashboards/today_one.html", preview=preview, form=form, faster=faster, status=status)
        response = self.show("dashboards/_today_preview.html", preview=preview, form=form, faster=faster)
        return retarget(reswap(response, "innerHTML"), "#preview")

    def _next_page(self, pk: int, undo: Undo) -> HttpResponse:
        """On a small screen: on to the next follow-up's own page, or back to the queue when it is worked off."""
        self.request.session[FLASH] = {"words": undo.words, "events": list(undo.events)}
        order = self.order()
        following = _current(self._rows(order), order.ids, pk)
        if following is None:
            return redirect(self.address("today") + self.state.query())
        return redirect(self.address("today-one", pk=following.pk) + self.state.query())


class Picking(TodayView):
    """A verb on follow-ups that the member has picked, one or many."""

    @cached_property
    def picks(self) -> dict[str, Any]:
        """pick (ids), seen and at, from the form or, on the way to a form, from the address."""
        posted = self.request.method == "POST"
        form = PickForm(self.request.POST if posted else self.request.GET)
        if not form.is_valid():
            raise BadRequest(_("That is no selection."))
        picks = form.cleaned_data
        return picks | {"seen": picks["seen"] if picks["seen"] is not None else len(set(picks["pick"]))}

    @cached_property
    def asked(self) -> dict[str, Any]:
        # The picks may stand in the address as well.
        form = QueueForm({name: value for name, value in self.request.GET.items() if name != "at"})
        if not form.is_valid():
            raise BadRequest(str(form.errors.as_text()))
        return form.cleaned_data

    def picked_rows(self) -> list[FollowUp]:
        rows: list[FollowUp] = list(reading.preview_rows(self.member).filter(pk__in=self.picks["pick"]).order_by("pk"))
        return rows

    def changed(self, change: Change, words: str) -> HttpResponse:
        """The queue after `change`; what must stay is said, and stays picked."""
        stays = [row.pk for row, _why in change.stays]
        if stays:
            words += _(", %(count)d stays") % {"count": len(stays)}
        return self.after(
            at=self.picks["at"],
            shown=self.picks["at"],
            acted=[row.pk for row in change.follow_ups],
            undo=Undo(words, change.events) if change.events else None,
            refusals=[why for _row, why in change.stays],
            picked=stays,
        )

    def refused(self, refusal: ValidationError) -> HttpResponse:
        """The queue as it is now, with why nothing was done; what is still there stays picked."""
        at = self.picks["at"]
        picked = self.picks["pick"] if len(self.picks["pick"]) > 1 else ()
        return self.after(at=at, shown=at, acted=(), refusals=refusal.messages, picked=picked)


class Done(Picking):
    """Mark the picked follow-ups done."""

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        try:
            change = services.complete_many(ids=self.picks["pick"], seen=self.picks["seen"], member=self.member)
        except Refused as refusal:
            return self.refused(refusal)
        count = len(change.follow_ups)
        words = ngettext("%(count)d done", "%(count)d done", count) % {"count": count}
        if change.interaction:
            words += _(", next touch planned")
        return self.changed(change, words)


class PickedForm(Picking):
    """A verb that asks something first, in a dialog or on a page of its own.

    `field` is where a refusal is said that the member can mend; any other one leads back to the queue.
    """

    permission = "follow-ups:write"
    template: ClassVar[str]
    field: ClassVar[str]

    def form(self, data: Any = None) -> Any:
        raise NotImplementedError

    def save(self, form: Any) -> HttpResponse:
        raise NotImplementedError

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        return self.ask(self.form())

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        if "open" in request.POST:  # too many picks for an address: the dialog is asked for by POST
            return self.ask(self.form())
        form = self.form(request.POST)
        if not form.is_valid():
            return self.ask(form)
        try:
            return self.save(form)
        except Refused as refusal:
            if any(error.code not in MENDED for error in refusal.error_list):
                return self.refused(refusal)
            form.add_error(self.field, refusal)
            return self.ask(form)

    def ask(self, form: forms.Form, **context: Any) -> HttpResponse:
        dialog = bool(self.request.htmx)
        response = self.show(
            self.template if dialog else "dashboards/today_ask.html",
            card=self.template,
            dialog=dialog,
            form=form,
            picks=self.picks,
            rows=self.picked_rows(),
            back=self.address("today") + self.state.query(at=self.picks["at"]),
            **context,
        )
        return retarget(reswap(response, "innerHTML"), "#dialog-body") if dialog else response


class Snooze(PickedForm):
    """Put the picked follow-ups off, with a reason and an end."""

    template = "dashboards/_today_snooze.html"
    field = "until"

    def form(self, data: Any = None) -> SnoozeForm:
        most = self.policy.section(CadencePolicy).snooze_max_days
        return SnoozeForm(data, today=self.today, most_days=most)

    def ask(self, form: forms.Form, **context: Any) -> HttpResponse:
        severe = [row.customer.name for row in self.picked_rows() if row.level == FollowUp.Level.SEVERE]
        tomorrow = self.today + dt.timedelta(days=1)
        monday = self.today + dt.timedelta(days=8 - self.today.isoweekday())
        return super().ask(
            form, severe=severe, days={tomorrow: _("Tomorrow"), monday: pgettext("put off until", "Monday")}
        )

    def save(self, form: SnoozeForm) -> HttpResponse:
        until, reason = form.cleaned_data["until"], form.cleaned_data["reason"]
        change = services.snooze_many(
            ids=self.picks["pick"], seen=self.picks["seen"], member=self.member, until=until, reason=reason
        )
        count = len(change.follow_ups)
        words = ngettext("%(count)d snoozed to %(day)s", "%(count)d snoozed to %(day)s", count)
        return self.changed(change, words % {"count": count, "day": weekday_day(until)})


class Assign(PickedForm):
    """Give the picked follow-ups to somebody else."""

    template = "dashboards/_today_assign.html"
    field = "assignee"

    def form(self, data: Any = None) -> AssignForm:
        return AssignForm(data, people=self._people())

    def _people(self) -> list[Member]:
        """Everybody who works on follow-ups; for whom may not assign, the owners of the picked customers."""
        members = Member.objects.select_related("user").filter(is_active=True)
        if not self.member.can("follow-ups:assign"):
            owners = {pk for row in self.picked_rows() for pk in (row.customer.owner_a_id, row.customer.owner_b_id)}
            members = members.filter(pk__in=owners)
        return assignable(members)

    def save(self, form: AssignForm) -> HttpResponse:
        assignee = form.member()
        change = services.reassign_many(
            ids=self.picks["pick"], seen=self.picks["seen"], member=self.member, assignee=assignee
        )
        count = len(change.follow_ups)
        words = ngettext("%(count)d given to %(who)s", "%(count)d given to %(who)s", count)
        return self.changed(change, words % {"count": count, "who": assignee})


class SendScript(PickedForm):
    """Send the picked customers a script, each in their own words: a worker does it, as far as the governor lets it."""

    template = "dashboards/_today_script.html"
    field = "script"

    def form(self, data: Any = None) -> ScriptForm:
        return ScriptForm(data)

    def save(self, form: ScriptForm) -> HttpResponse:
        row = bulk.start(
            verb="script", ids=self.picks["pick"], seen=self.picks["seen"], member=self.member, said=form.said()
        )
        return self.done("bulk", pk=row.pk)


class BeginPlaybook(PickedForm):
    """Begin a playbook for the customers of the picked follow-ups; the follow-ups stay, but for what its steps replace."""

    template = "dashboards/_today_playbook.html"
    field = "playbook"

    def form(self, data: Any = None) -> StartForm:
        rows = self.picked_rows()
        customer = rows[0].customer if len({row.customer_id for row in rows}) == 1 else None
        return StartForm(data, offered=playbooks.playbooks_to_start(customer))

    def save(self, form: StartForm) -> HttpResponse:
        customers = {row.customer_id for row in self.picked_rows()}
        done = playbooks.start_many(playbook=form.chosen(), customers=customers, member=self.member)
        refusals = [why for _customer, why in done.stays]
        refusals += [
            _("%(customer)s is in “%(playbook)s” already.") % {"customer": run.customer.name, "playbook": run.playbook}
            for run in done.there
        ]
        count = len(done.runs)
        words = ngettext("“%(playbook)s” begun for %(count)d", "“%(playbook)s” begun for %(count)d", count)
        undo = Undo(words % {"count": count, "playbook": form.chosen()}, done.events) if count else None
        at = self.picks["at"]
        return self.after(at=at, shown=None, acted=(), undo=undo, refusals=refusals)


class TakeBack(TodayView):
    """Undo what was done with follow-ups, one or a whole bulk."""

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        events = [int(event) for event in request.POST.get("events", "").split(",") if event.isdecimal()]
        at = PickForm(request.POST)
        shown = at.cleaned_data.get("at") if at.is_valid() else None
        if playbooks.are_starts(events):
            return self._stop_playbooks(events, shown)
        try:
            change = services.undo(events=events, member=self.member)
        except Refused as refusal:
            return self.after(at=shown, shown=shown, acted=(), refusals=refusal.messages)
        back = [row.pk for row in change.follow_ups]
        words = ngettext("%(count)d brought back", "%(count)d brought back", len(back)) % {"count": len(back)}
        first = min(back, key=lambda pk: self._place(pk), default=shown)
        return self.after(at=first, shown=shown, acted=back, undo=Undo(words) if back else None)

    def _stop_playbooks(self, events: Sequence[int], shown: int | None) -> HttpResponse:
        done = playbooks.undo_starts(events=events, member=self.member)
        refusals = [why for each in done if isinstance(each, Refused) for why in each.messages]
        count = len(done) - sum(isinstance(each, Refused) for each in done)
        words = ngettext("%(count)d playbook taken back", "%(count)d playbooks taken back", count) % {"count": count}
        return self.after(at=shown, shown=None, acted=(), undo=Undo(words) if count else None, refusals=refusals)

    def _place(self, pk: int) -> int:
        ids = self.order().ids
        return ids.index(pk) if pk in ids else len(ids)
