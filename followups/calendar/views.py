"""The calendar: open follow-ups by month or week, moved by a date, and the address under which programmes read it."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib import messages
from django.core.exceptions import BadRequest
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views import View
from django_htmx.http import HttpResponseClientRedirect

from followups import services
from followups.calendar import feeds
from followups.calendar.reading import SPANS, bounds, page, people
from followups.models import FollowUp
from followups.services import Refused
from tenants.calendars import firm_calendar
from tenants.context import tenant_scope
from tenants.models import Member
from tenants.pages import FormPage, TenantView
from tenants.templatetags.perennial import day as short_day
from tenants.templatetags.perennial import month_year_long, weekday_day

FLASH = "calendar-flash"
EVERYBODY = "all"


class CalendarForm(forms.Form):
    """What the address of the calendar asks for: a month or a week, the day it is about, and whose it is."""

    span = forms.ChoiceField(choices=[(span, span) for span in SPANS], required=False)
    day = forms.DateField(required=False)
    who = forms.CharField(max_length=20, required=False)


class MoveForm(forms.Form):
    """To which day."""

    to = forms.DateField(
        label=gettext_lazy("To the day"), widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    )


class CalendarView(TenantView):
    """What the calendar's pages share: what the address asks for."""

    permission = "follow-ups:read"
    nav = "today"

    @cached_property
    def asked(self) -> dict[str, Any]:
        """span, day, who (a Member, or None for everybody). What does not exist, or makes no sense, is a 400."""
        form = CalendarForm(self.request.GET)
        if unknown := sorted(set(self.request.GET) - set(form.fields)):
            values = {"names": ", ".join(unknown), "known": ", ".join(form.fields)}
            raise BadRequest(_("The calendar has no parameter %(names)s. It has: %(known)s.") % values)
        if not form.is_valid():
            wrong = "; ".join(f"{name}: {' '.join(map(str, errors))}" for name, errors in form.errors.items())
            raise BadRequest(wrong)
        said = form.cleaned_data
        asked_day = said["day"] or self.request.tenant.today()
        if not 1990 <= asked_day.year <= 2100:
            raise BadRequest(_("A day between 1990 and 2100."))
        return {"span": said["span"] or "month", "day": asked_day, "who": self._who(said["who"])}

    def _who(self, text: str) -> Member | None:
        if text == EVERYBODY:
            return None
        if not text:
            return self.member if self.member.can("follow-ups:write") else None
        for each in people(self.member):
            if str(each.pk) == text:
                return each
        raise Http404

    def query(self, **changes: Any) -> str:
        """The parameters of the address, some of them changed."""
        who = self.asked["who"]
        said = {"span": self.asked["span"], "day": self.asked["day"], "who": who.pk if who else EVERYBODY} | changes
        return "?" + urlencode({name: value for name, value in said.items() if value not in (None, "")})


class Calendar(CalendarView):
    """A month or a week of open follow-ups."""

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        today, asked = self.request.tenant.today(), self.asked
        shown = page(self.member, asked["who"], asked["span"], asked["day"], today)
        works = firm_calendar()
        free = {
            each.day: works.holiday(each.day) for week in shown.weeks for each in week if not works.is_working(each.day)
        }
        week = asked["span"] == "week"
        first, last = bounds("week", asked["day"])
        title = f"{short_day(first)} – {short_day(last)}" if week else month_year_long(asked["day"])
        return self.render(
            "followups/calendar.html",
            page=shown,
            today=today,
            free=free,
            title=title,
            span=asked["span"],
            who=asked["who"],
            people=people(self.member),
            query=self.query(),
            links={
                "before": self.query(day=shown.before),
                "after": self.query(day=shown.after),
                "now": self.query(day=today),
                "month": self.query(span="month"),
                "week": self.query(span="week"),
                "base": self.query(span="week", day=""),
            },
            undo=request.session.pop(FLASH, None),
        )


class CalendarMove(CalendarView, FormPage):
    """Move a follow-up to another day: by the form, or dropped on the day."""

    permission = "follow-ups:write"
    submit = gettext_lazy("Move")

    @cached_property
    def follow_up(self) -> FollowUp:
        rows = FollowUp.objects.visible_to(self.member).select_related("customer")
        found: FollowUp = get_object_or_404(rows, pk=self.kwargs["pk"])
        return found

    def title(self) -> str:
        return _("Move %(name)s") % {"name": self.follow_up.customer.name}

    def form(self, data: Any = None, files: Any = None) -> MoveForm:
        return MoveForm(data, initial={"to": self.follow_up.day})

    def save(self, form: MoveForm) -> HttpResponseBase:
        to = form.cleaned_data["to"]
        try:
            change = services.move(follow_up=self.follow_up, member=self.member, to=to)
        except Refused as refusal:
            form.add_error("to", refusal)
            return self.show(form)
        if change.events:
            words = _("%(name)s moved to %(day)s") % {"name": self.follow_up.customer.name, "day": weekday_day(to)}
            self.request.session[FLASH] = {"words": words, "events": change.events}
        return self._back()

    def back(self) -> str:
        return self.address("calendar") + self.query()

    def _back(self) -> HttpResponse:
        return HttpResponseClientRedirect(self.back()) if self.request.htmx else redirect(self.back())


class CalendarUndo(CalendarView):
    """Take a move back."""

    permission = "follow-ups:write"

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        events = [int(event) for event in request.POST.get("events", "").split(",") if event.isdecimal()]
        try:
            services.undo(events=events, member=self.member)
        except Refused as refusal:
            for words in refusal.messages:
                messages.error(request, words)
        else:
            messages.success(request, _("It is back on its day."))
        return redirect(self.address("calendar") + self.query())


class Feed(TenantView):
    """The secret address of the member's own calendar: made, shown once, ended."""

    permission = "follow-ups:read"
    nav = "today"

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        return self.render("followups/calendar_feed.html", feed=feeds.feed_of(self.member))

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        if request.POST.get("end"):
            if feeds.revoke_feed(member=self.member):
                messages.success(request, _("The address no longer opens anything."))
            return redirect(self.address("calendar-feed"))
        feed, text = feeds.make_feed(member=self.member)
        address = request.build_absolute_uri(reverse("feed", kwargs={"secret": text}))
        response = self.render("followups/calendar_feed.html", feed=feed, address=address)
        response["Cache-Control"] = "no-store"
        return response


class PublicFeed(View):
    """The calendar itself, for programmes: no sign-in, the address is the key."""

    def get(self, request: HttpRequest, secret: str) -> HttpResponse:
        tenant = feeds.tenant_of_feed(secret)
        if tenant is None:
            raise Http404
        with tenant_scope(tenant):
            feed = feeds.check_feed(secret)
            if feed is None:
                raise Http404
            language = feed.member.user.language or tenant.language
            with translation.override(language), timezone.override(tenant.zone):
                body = feeds.calendar_of(
                    feed.member,
                    lambda row: request.build_absolute_uri(
                        reverse("today-one", kwargs={"tenant": tenant.slug, "pk": row.pk})
                    ),
                )
        response = HttpResponse(body, content_type="text/calendar; charset=utf-8")
        response["Content-Disposition"] = 'inline; filename="follow-ups.ics"'
        response["Cache-Control"] = f"private, max-age={int(feeds.FRESH_FOR.total_seconds())}"
        response["Referrer-Policy"] = "no-referrer"
        response["X-Robots-Tag"] = "noindex"
        return response
