"""Cover: who is away and who steps in; customers that change hands for good, and the history of that."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import BadRequest, PermissionDenied
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.utils import timezone, translation
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from customers.models import Customer
from followups.cover import services as cover
from followups.cover.forms import AbsenceForm, HandOverForm
from followups.models import Absence, CoverMove, FollowUp
from followups.querysets import assignable
from followups.services import MANY
from tenants.context import tenant_scope
from tenants.export import write_csv
from tenants.models import Event, Member
from tenants.pages import FormPage, TenantView
from tenants.templatetags.perennial import whole

CHANGES_SHOWN = 200


@dataclass(frozen=True)
class Line:
    """An absence in the list: how many follow-ups are in other hands, and how many nobody could take."""

    row: Absence
    state: str
    in_hand: int
    stays: int
    may_change: bool
    may_read_pack: bool


def _members() -> list[Member]:
    return list(Member.objects.filter(is_active=True).select_related("user"))


class CoverPage(TenantView):
    """Who is away now and soon, and in whose hands their follow-ups are."""

    permission = "follow-ups:read"
    nav = "cover"

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        self.refuse_unknown()
        today = self.request.tenant.today()
        rows = list(cover.absences(today))
        in_hand = _counts(
            CoverMove.objects.filter(absence__in=rows, returned_at__isnull=True, follow_up__status="open")
        )
        lines = [self._line(row, today, in_hand.get(row.pk, 0)) for row in rows]
        return self.render(
            "followups/cover.html",
            now=[line for line in lines if line.state == "now"],
            coming=[line for line in reversed(lines) if line.state == "coming"],
            past=[line for line in lines if line.state == "past"],
            covering=cover.covers_for(self.member, today),
            uncovered=Customer.objects.visible_to(self.member)
            .filter(owner_a__isnull=False, owner_b__isnull=True, closed_on__isnull=True)
            .count(),
            may_plan=self.member.can("absences:write"),
            may_hand_over=self.member.can("follow-ups:assign"),
        )

    def _line(self, row: Absence, today: dt.date, in_hand: int) -> Line:
        state = "past" if row.settled_at or row.last < today else "coming" if row.first > today else "now"
        stays = 0
        if state == "now":
            left = FollowUp.objects.filter(assignee=row.member_id, status=FollowUp.Status.OPEN, day__lte=row.last)
            stays = left.visible_to(self.member).count()
        may = state != "past" and cover.may_plan(self.member, row.member)
        return Line(row, state, in_hand, stays, may, state != "past")


def _counts(moves: Any) -> dict[int, int]:
    return dict(moves.order_by().values_list("absence").annotate(Count("pk")))


class _AbsencePage(FormPage):
    permission = "absences:write"
    nav = "cover"

    @cached_property
    def absence(self) -> Absence:
        rows = Absence.objects.select_related("member__user", "covered_by__user")
        found: Absence = get_object_or_404(rows, pk=self.kwargs["pk"])
        if not cover.may_plan(self.member, found.member):
            raise PermissionDenied(_("You can plan your own absence; your lead plans those of others."))
        return found

    def back(self) -> str:
        return self.address("cover")


class AbsenceAdd(_AbsencePage):
    """Plan an absence: one's own, or as a lead anybody's."""

    heading = gettext_lazy("Plan an absence")

    def form(self, data: Any = None, files: Any = None) -> AbsenceForm:
        today = self.request.tenant.today()
        return AbsenceForm(
            data,
            people=assignable(_members()),
            may_choose=self.member.can("follow-ups:assign"),
            initial={"member": self.member.pk, "first": today, "last": today},
        )

    def save(self, form: AbsenceForm) -> HttpResponse:
        values = {"away": self.member} | form.values()
        absence = cover.plan_absence(member=self.member, **values)
        messages.success(self.request, _("The absence of %(who)s is planned.") % {"who": absence.member})
        return self.done("cover")


class AbsenceEdit(_AbsencePage):
    """Other days, or somebody else who covers."""

    def title(self) -> str:
        return _("Absence of %(who)s") % {"who": self.absence.member}

    def form(self, data: Any = None, files: Any = None) -> AbsenceForm:
        return AbsenceForm(data, people=assignable(_members()), may_choose=False, absence=self.absence)

    def save(self, form: AbsenceForm) -> HttpResponse:
        cover.change_absence(absence=self.absence, member=self.member, **form.values())
        messages.success(self.request, _("The absence of %(who)s is saved.") % {"who": self.absence.member})
        return self.done("cover")


class AbsenceEnd(_AbsencePage):
    """They are back, or do not go."""

    submit = gettext_lazy("Give back")

    def title(self) -> str:
        return _("%(who)s is back: give the open follow-ups back?") % {"who": self.absence.member}

    def form(self, data: Any = None, files: Any = None) -> forms.Form:
        return forms.Form(data)

    def save(self, form: forms.Form) -> HttpResponse:
        who = self.absence.member
        done = cover.end_absence(absence=self.absence, member=self.member)
        words = ngettext(
            "%(who)s is back: %(count)s follow-up came back.",
            "%(who)s is back: %(count)s follow-ups came back.",
            done.returned,
        )
        messages.success(self.request, words % {"who": who, "count": whole(done.returned)})
        return self.done("cover")


class HandOver(FormPage):
    """Give the customers of one person to another for good: first how many they are, then do it."""

    permission = "follow-ups:assign"
    nav = "cover"
    heading = gettext_lazy("Hand customers over")

    def back(self) -> str:
        return self.address("cover")

    def form(self, data: Any = None, files: Any = None) -> HandOverForm:
        everybody = list(Member.objects.select_related("user"))
        owners = Customer.objects.visible_to(self.member).filter(closed_on__isnull=True)
        held = {pk for pair in owners.values_list("owner_a", "owner_b").distinct() for pk in pair if pk}
        givers = sorted((person for person in everybody if person.pk in held), key=lambda person: str(person).lower())
        takers = assignable(everybody)
        return HandOverForm(data, givers=givers, takers=takers, initial={"giver": self.request.GET.get("giver")})

    def save(self, form: HandOverForm) -> HttpResponseBase:
        giver, taker = form.person("giver"), form.person("taker")
        seen = form.cleaned_data["seen"]
        if seen is None:
            return self._ask(form, giver, taker)
        done = cover.hand_over(giver=giver, taker=taker, seen=seen, member=self.member)
        words = ngettext(
            "%(count)s customer of %(giver)s is with %(taker)s now.",
            "%(count)s customers of %(giver)s are with %(taker)s now.",
            done.customers,
        )
        said = {"count": whole(done.customers), "giver": giver, "taker": taker}
        messages.success(self.request, words % said)
        return self._ask(form, giver, taker) if done.left else self.done("owner-changes")

    def _ask(self, form: HandOverForm, giver: Member, taker: Member) -> HttpResponse:
        count = cover.owned_by(giver, self.member).count()
        most = min(count, MANY)
        data = {"giver": giver.pk, "taker": taker.pk, "seen": count}
        return self.render(
            "followups/hand_over_ask.html",
            giver=giver,
            taker=taker,
            count=count,
            most=most,
            values=data,
            action=self.request.path,
            back=self.back(),
        )


# ── the history of owners ───────────────────────────────────────────────────


@dataclass(frozen=True)
class OwnerChange:
    """One change: names before and after, "–" for nobody; empty where that owner stayed."""

    at: dt.datetime
    customer_id: int
    customer: str
    a_before: str
    a_after: str
    b_before: str
    b_after: str
    by: str


class OwnerChanges(TenantView):
    """Which customers changed hands, when and by whom."""

    permission = "customers:read"
    nav = "cover"

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        self.refuse_unknown("export")
        if request.GET.get("export", "csv") != "csv":
            raise BadRequest(_("The one form of export is csv."))
        rows = cover.owner_changes(self.member)
        if request.GET.get("export"):
            self.check_export("customers:export")
            return self.csv_file("owner-changes", self._lines())
        return self.render(
            "followups/owner_changes.html",
            changes=list(_changes(rows[:CHANGES_SHOWN])),
            count=rows.count(),
            shown=CHANGES_SHOWN,
            may_export=self.member.can("customers:export"),
        )

    def _lines(self) -> Iterator[str]:
        tenant, language = self.request.tenant, translation.get_language()
        heads = [
            _("When"),
            _("Customer"),
            _("A owner before"),
            _("A owner"),
            _("B owner before"),
            _("B owner"),
            _("By"),
        ]
        with tenant_scope(tenant), translation.override(language), timezone.override(tenant.zone):
            values = (
                [each.at, each.customer, each.a_before, each.a_after, each.b_before, each.b_after, each.by]
                for each in _changes(cover.owner_changes(self.member))
            )
            yield from write_csv(heads, values)


def _changes(rows: Any) -> Iterator[OwnerChange]:
    events: list[Event] = list(rows)
    names = {person.pk: str(person) for person in Member.objects.select_related("user")}
    found = Customer.objects.filter(Q(pk__in=[event.customer_id for event in events]))
    customers = dict(found.values_list("pk", "name"))
    for event in events:
        sides = [event.changes.get(name) for name in ("owner_a", "owner_b")]
        said = [names.get(each, "–") if side else "" for side in sides for each in (side or [None, None])]
        yield OwnerChange(
            timezone.localtime(event.at),
            event.customer_id or 0,
            customers.get(event.customer_id or 0, ""),
            said[0],
            said[1],
            said[2],
            said[3],
            str(event.actor) if event.actor else "–",
        )
