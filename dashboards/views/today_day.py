"""The two ends of the day: what came in since the member last closed it, and the check with which they close it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.contrib import messages
from django.core.exceptions import BadRequest
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone, translation
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from dashboards import day
from dashboards.day import KINDS, MOST_COUNTED, Kind
from dashboards.views.today import Undo
from followups import bulk, desk, services
from followups.models import Desk, FollowUp
from followups.reasons import SnoozeReason
from followups.services import MANY, Refused
from tenants.context import tenant_scope
from tenants.export import write_csv
from tenants.pages import TenantView
from tenants.templatetags.perennial import weekday_day, whole

CLOSING_FLASH = "closing-flash"


class DayView(TenantView):
    """What the pages of the day's ends share."""

    permission = "follow-ups:read"
    nav = "today"

    @cached_property
    def desk(self) -> Desk | None:
        return desk.desk_of(self.member)


class Since(DayView):
    """How much has come in since then, of each kind; Today asks for it when it is on screen."""

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        self.refuse_unknown()
        since = desk.since(self.desk)
        found = day.counts(self.member, since)
        news = [
            (kind, day.TITLES[kind], f"{whole(MOST_COUNTED)}+" if count > MOST_COUNTED else whole(count), count)
            for kind, count in found.items()
        ]
        htmx = self.request.htmx and not self.request.htmx.history_restore_request
        template = "dashboards/_today_since.html" if htmx else "dashboards/today_since.html"
        return self.render(template, since=since, news=news, anything=any(found.values()), closed=bool(self._closed()))

    def _closed(self) -> Any:
        return self.desk and self.desk.closed_at


class SinceRows(DayView):
    """The rows behind one of these numbers."""

    def get(self, request: HttpRequest, kind: str, **kwargs: Any) -> HttpResponseBase:
        self.refuse_unknown("export")
        if kind not in KINDS:
            raise Http404
        asked: Kind = kind
        since = desk.since(self.desk)
        rows = day.news(self.member, asked, since)
        if "export" in request.GET:
            return self._export(asked, rows)
        count = rows.order_by()[: MOST_COUNTED + 1].count()
        return self.render(
            "dashboards/today_since_rows.html",
            since=since,
            kind=asked,
            kinds=[(each, day.TITLES[each]) for each in KINDS],
            title=day.TITLES[asked],
            columns=day.COLUMNS[asked],
            lines=list(day.lines(asked, rows, most=day.SHOWN)),
            shown=f"{whole(MOST_COUNTED)}+" if count > MOST_COUNTED else whole(count),
            count=count,
            more=count > day.SHOWN,
            most=day.SHOWN,
            empty=day.EMPTY[asked],
            may_export=self.member.can("customers:export"),
        )

    def _export(self, kind: Kind, rows: Any) -> HttpResponseBase:
        if self.request.GET["export"] != "csv":
            raise BadRequest(_("The one form of export is csv."))
        self.check_export("customers:export")
        tenant, language = self.request.tenant, translation.get_language()
        columns = [_("Customer"), *map(str, day.COLUMNS[kind])]

        def written() -> Iterator[str]:
            # The response is written after the request's scope has closed: open it again, with its manners.
            with tenant_scope(tenant), translation.override(language), timezone.override(tenant.zone):
                yield from write_csv(columns, ([line.customer, *line.values] for line in day.lines(kind, rows)))

        return self.csv_file(f"since-{kind}", written())


class CloseDay(DayView):
    """What is left of today, what was promised, what was done without a word; carried over with one key, then closed."""

    write_permission = "follow-ups:write"

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        self.refuse_unknown()
        kept = request.session.pop(CLOSING_FLASH, None)
        return self.render(
            "dashboards/today_close.html",
            close=day.closing(self.member, self.request.tenant.today()),
            today=self.request.tenant.today(),
            desk=self.desk,
            undo=Undo(kept["words"], kept["events"]) if kept else None,
        )

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        verb = request.POST.get("verb", "")
        if verb == "carry":
            return self._carry()
        if verb == "undo":
            return self._undo()
        if verb == "say":
            return self._say()
        if verb == "close":
            desk.close_day(member=self.member)
            messages.success(request, _("The day is closed. Tomorrow begins with what comes in from now on."))
            return redirect(self.address("today"))
        raise BadRequest(_("verb is one of: %(known)s.") % {"known": "carry, undo, say, close"})

    def _say(self) -> HttpResponse:
        asked = self.request.POST.get("follow_up", "")
        rows = FollowUp.objects.visible_to(self.member)
        row = get_object_or_404(rows, pk=int(asked) if asked.isdecimal() and len(asked) < 19 else 0)
        try:
            services.add_words(follow_up=row, member=self.member, note=self.request.POST.get("note", ""))
        except Refused as refusal:
            for words in refusal.messages:
                messages.error(self.request, words)
        return redirect(self.address("today-close"))

    def _carry(self) -> HttpResponse:
        today = self.request.tenant.today()
        check = day.closing(self.member, today)
        until, ids = check.next_day, check.carried
        try:
            if len(ids) > MANY:
                said = {"until": until.isoformat(), "reason": SnoozeReason.CARRIED.value}
                row = bulk.start(verb="snooze", ids=ids, seen=len(ids), member=self.member, said=said)
                return redirect(self.address("bulk", pk=row.pk))
            change = services.snooze_many(
                ids=ids, seen=len(ids), member=self.member, until=until, reason=SnoozeReason.CARRIED
            )
        except Refused as refusal:
            for words in refusal.messages:
                messages.error(self.request, words)
        else:
            count = len(change.follow_ups)
            words = ngettext("%(count)d carried over to %(day)s", "%(count)d carried over to %(day)s", count)
            self.request.session[CLOSING_FLASH] = {
                "words": words % {"count": count, "day": weekday_day(until)},
                "events": change.events,
            }
        return redirect(self.address("today-close"))

    def _undo(self) -> HttpResponse:
        events = [int(event) for event in self.request.POST.get("events", "").split(",") if event.isdecimal()]
        try:
            change = services.undo(events=events, member=self.member)
        except Refused as refusal:
            for words in refusal.messages:
                messages.error(self.request, words)
        else:
            count = len(change.follow_ups)
            messages.success(
                self.request, ngettext("%(count)d brought back", "%(count)d brought back", count) % {"count": count}
            )
        return redirect(self.address("today-close"))
