"""Bulks from Today: one verb on everything that a view holds, at once or by a worker, with its progress and its undo."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from dashboards.views.today import FLASH, TodayView
from followups import bulk, services
from followups.forms import AssignForm, ScriptForm, SnoozeForm
from followups.models import Bulk, FollowUp
from followups.querysets import assignable
from followups.rules.policy import CadencePolicy
from followups.services import MANY, Change, Refused
from tenants.models import Member
from tenants.pages import TenantView
from tenants.permissions import SEES_ALL
from tenants.templatetags.perennial import weekday_day

VERBS = {
    "complete": gettext_lazy("Mark done"),
    "snooze": gettext_lazy("Snooze"),
    "reassign": gettext_lazy("Assign"),
    "script": gettext_lazy("Send a script"),
}
WHYS = 200
"""Follow-ups that stay which the progress page names."""
LISTED = 30


class SeenForm(forms.Form):
    """The verb, and how many follow-ups the member saw."""

    verb = forms.ChoiceField(choices=list(VERBS.items()))
    seen = forms.IntegerField(min_value=0)


class BulkAll(TodayView):
    """One verb on all follow-ups of the view as the address asks for it: how many, then which verb, then done."""

    permission = "follow-ups:write"

    @cached_property
    def ids(self) -> list[int]:
        """The follow-ups of the view now, one more than a bulk takes at most."""
        rows = FollowUp.objects.queue(self.member, self.state.view, self.today).filter(self._only)
        if self.state.view == "all" and self.member.role in SEES_ALL:
            rows = rows.order_by("pk")
        return list(rows.values_list("pk", flat=True)[: bulk.MOST + 1])

    def forms_for(self, verb: str = "", data: Any = None) -> dict[str, Any]:
        most = self.policy.section(CadencePolicy).snooze_max_days
        return {
            "snooze": SnoozeForm(data if verb == "snooze" else None, today=self.today, most_days=most),
            "reassign": AssignForm(data if verb == "reassign" else None, people=self._people()),
            "script": ScriptForm(data if verb == "script" else None),
        }

    def _people(self) -> list[Member]:
        members = Member.objects.select_related("user").filter(is_active=True)
        if not self.member.can("follow-ups:assign"):
            owners = FollowUp.objects.filter(pk__in=self.ids[: bulk.MOST]).order_by()
            known = set(owners.values_list("owner_a", flat=True).distinct())
            known |= set(owners.values_list("owner_b", flat=True).distinct())
            members = members.filter(pk__in=known)
        return assignable(members)

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        return self._ask(self.forms_for())

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        seen = SeenForm(request.POST)
        if not seen.is_valid():
            return self._ask(self.forms_for(), refusals=[_("Choose what to do.")], status=400)
        verb = seen.cleaned_data["verb"]
        asked = self.forms_for(verb, request.POST)
        form = asked.get(verb)
        if form is not None and not form.is_valid():
            return self._ask(asked, verb=verb, status=400)
        said = _said(verb, form)
        try:
            return self._do(verb, said, seen.cleaned_data["seen"])
        except Refused as refusal:
            return self._ask(asked, verb=verb, refusals=refusal.messages, status=409)

    def _do(self, verb: str, said: dict[str, Any], seen: int) -> HttpResponse:
        if len(self.ids) > MANY or verb == "script":
            row = bulk.start(verb=verb, ids=self.ids, seen=seen, member=self.member, said=said)
            return redirect(self.address("bulk", pk=row.pk))
        ids, member = self.ids, self.member
        if verb == "complete":
            change = services.complete_many(ids=ids, seen=seen, member=member)
            words = ngettext("%(count)d done", "%(count)d done", len(change.follow_ups))
        elif verb == "snooze":
            until = self.day_of(said)
            change = services.snooze_many(ids=ids, seen=seen, member=member, until=until, reason=said["reason"])
            words = ngettext("%(count)d snoozed to %(day)s", "%(count)d snoozed to %(day)s", len(change.follow_ups))
            words = words.replace("%(day)s", weekday_day(until))
        else:
            assignee = Member.objects.select_related("user").get(pk=said["assignee"])
            change = services.reassign_many(ids=ids, seen=seen, member=member, assignee=assignee)
            words = ngettext("%(count)d given to %(who)s", "%(count)d given to %(who)s", len(change.follow_ups))
            words = words.replace("%(who)s", str(assignee))
        return self._back(change, words.replace("%(count)d", str(len(change.follow_ups))))

    @staticmethod
    def day_of(said: dict[str, Any]) -> Any:
        return forms.DateField().to_python(said["until"])

    def _back(self, change: Change, words: str) -> HttpResponse:
        for _row, why in change.stays[:LISTED]:
            messages.warning(self.request, why)
        self.request.session[FLASH] = {"words": words, "events": change.events}
        return redirect(self.address("today") + self.state.query())

    def _ask(self, asked: dict[str, Any], *, verb: str = "", refusals: Any = (), status: int = 200) -> HttpResponse:
        severe = FollowUp.objects.filter(pk__in=self.ids[: bulk.MOST], level=FollowUp.Level.SEVERE).count()
        return self.show(
            "dashboards/today_bulk.html",
            status=status,
            count=min(len(self.ids), bulk.MOST),
            too_many=len(self.ids) > bulk.MOST,
            most=bulk.MOST,
            at_once=MANY,
            asked=asked,
            verb=verb,
            severe=severe,
            refusals=refusals,
            back=self.address("today") + self.state.query(),
        )


def _said(verb: str, form: Any) -> dict[str, Any]:
    if verb == "snooze":
        return {"until": form.cleaned_data["until"].isoformat(), "reason": form.cleaned_data["reason"]}
    if verb == "reassign":
        return {"assignee": form.member().pk}
    if verb == "script":
        return form.said()
    return {}


class _OfBulk(TenantView):
    permission = "follow-ups:read"
    write_permission = "follow-ups:write"
    nav = "today"

    @cached_property
    def bulk(self) -> Bulk:
        """One's own; who may assign sees everybody's."""
        found: Bulk = get_object_or_404(Bulk.objects.select_related("member__user"), pk=self.kwargs["pk"])
        if found.member_id != self.member.pk and not self.member.can("follow-ups:assign"):
            raise PermissionDenied(_("Only who did it, and who may assign, sees what was done at once."))
        return found


class BulkList(TenantView):
    """The bulks of the member, newest first; who may assign sees everybody's."""

    permission = "follow-ups:read"
    nav = "today"

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        rows = Bulk.objects.select_related("member__user").order_by("-pk")
        if not self.member.can("follow-ups:assign"):
            rows = rows.filter(member=self.member)
        return self.render("dashboards/today_bulks.html", bulks=rows[:LISTED], verbs=VERBS)


class BulkPage(_OfBulk):
    """How far a bulk is; when it has ended, what it did, what stays and why, and the way back."""

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        found = bulk.counts(self.bulk)
        done = self.bulk.total - found["waiting"]
        if self.bulk.status == Bulk.Status.UNDOING:
            done = found["undone"] + found["kept"] + found["stays"]
        ended = not self.bulk.is_at_work
        return self.render(
            "dashboards/_today_bulk_run.html" if self.request.htmx else "dashboards/today_bulk_one.html",
            bulk=self.bulk,
            verb=VERBS[self.bulk.verb],
            counts=found,
            percent=100 * done // max(1, self.bulk.total),
            reasons=bulk.reasons(self.bulk, WHYS) if ended else [],
            may_undo=self.member.can("follow-ups:write")
            and self.bulk.status in {Bulk.Status.OPEN, Bulk.Status.DONE, Bulk.Status.FAILED},
        )


class BulkUndo(_OfBulk):
    """Take a bulk back; what it has not begun stays as it is."""

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        try:
            bulk.undo(bulk=self.bulk, member=self.member)
        except Refused as refusal:
            for words in refusal.messages:
                messages.error(request, words)
        return redirect(self.address("bulk", pk=self.bulk.pk))
