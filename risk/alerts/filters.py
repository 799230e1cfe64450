"""The filters of alerts: the same for board, API and export."""

from __future__ import annotations

from typing import Any, Final

import django_filters as filters
from django import forms
from django.db.models import F, Q, QuerySet, Value
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from customers.search import named_like
from risk.alerts.people import falls_to
from risk.cases.services import cause_title
from risk.models import Alert, AnswerRole
from risk.rules.causes import CAUSES
from tenants.filters import BooleanFilter, IdFilter, StrictFilterSet, members, updated_since

VIEWS: Final = (("mine", _("Mine")), ("team", _("My team’s")), ("all", _("All")))
STATES: Final = (("open", _("open")), ("snoozed", _("snoozed")), ("closed", _("closed")))
WIDER: Final = (("unclosed", _("open or snoozed")), ("any", _("any")))
"""States that only links ask for."""


def cause_choices(_request: Any = None) -> list[tuple[str, str]]:
    """Every cause by its code, in the reader's language."""
    return [(code, cause_title(code)) for code in CAUSES]


def in_state(rows: QuerySet[Any], state: str) -> QuerySet[Any]:
    """Those of the alerts that are open and seen, open and put off, not closed at all, or closed; any: all of them."""
    if state in ("any", "unclosed"):
        return rows if state == "any" else rows.filter(closed_on__isnull=True)
    if state == "closed":
        return rows.filter(closed_on__isnull=False)
    put_off = Q(snoozed_until__gt=timezone.now())
    return rows.filter(
        put_off if state == "snoozed" else ~put_off | Q(snoozed_until__isnull=True), closed_on__isnull=True
    )


def answered_in_time(*, in_time: bool) -> Q:
    """The condition that the first action came by the clock; or after it, or the clock ran out without one."""
    done = Coalesce(F("first_action_at"), F("closed_at"), Value(timezone.now()))
    if in_time:
        return Q(first_action_at__lte=F("due_at"))
    return Q(due_at__lt=done) & ~Q(first_action_at__lte=F("due_at"))


class _Day(filters.DateFilter):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(widget=forms.DateInput({"type": "date"}), **kwargs)


class AlertFilter(StrictFilterSet):
    """Alerts by whose they are, how they stand, what fired, how heavy, by day and by what came of them."""

    q = filters.CharFilter(method="named", label=_("Name of the customer"), widget=forms.TextInput({"type": "search"}))
    view = filters.ChoiceFilter(choices=VIEWS, method="whose", label=_("Whose"), widget=forms.HiddenInput)
    state = filters.ChoiceFilter(
        choices=(*STATES, *WIDER), method="standing", label=_("State"), widget=forms.HiddenInput
    )
    level = filters.ChoiceFilter(choices=Alert.Level.choices, label=_("Level"))
    signal = filters.ChoiceFilter(choices=Alert.Signal.choices, label=_("Signal"))
    risk_class = filters.ChoiceFilter(choices=Alert.RiskClass.choices, label=_("Class"))
    in_time = BooleanFilter(method="timely", label=_("Answered in time"))
    answered = BooleanFilter(field_name="first_action_at", lookup_expr="isnull", exclude=True, label=_("Answered"))
    role = filters.ChoiceFilter(choices=AnswerRole.choices, label=_("Who answers"))
    assignee = filters.ModelChoiceFilter(queryset=members, label=_("Assigned to"))
    escalated = BooleanFilter(method="went_up", label=_("Went up the line"))
    outcome = filters.ChoiceFilter(choices=Alert.Outcome.choices, label=_("Outcome"))
    cause = filters.ChoiceFilter(choices=cause_choices, label=_("Cause"))
    opened = _Day(field_name="opened_on", label=_("Opened on"))
    opened_from = _Day(field_name="opened_on", lookup_expr="gte", label=_("Opened from"))
    opened_to = _Day(field_name="opened_on", lookup_expr="lte", label=_("Opened until"))
    closed_from = _Day(field_name="closed_on", lookup_expr="gte", label=_("Closed from"))
    closed_to = _Day(field_name="closed_on", lookup_expr="lte", label=_("Closed until"))
    has_cause = BooleanFilter(method="with_cause", label=_("With a cause"))
    clocked = BooleanFilter(method="has_clock_verdict", label=_("Clock has a verdict"))
    customer = IdFilter(field_name="customer_id", label=_("Customer"))
    owner_a = IdFilter(field_name="customer__owner_a_id", label=_("A owner"))
    team = IdFilter(field_name="customer__owner_a__team_id", label=_("Team of the A owner"))
    updated_since = updated_since()

    more = frozenset(
        {
            "answered", "role", "assignee", "escalated", "outcome", "cause", "opened_from", "opened_to", "closed_from",
            "closed_to",
        }
    )  # fmt: skip
    on_demand = frozenset({"customer", "opened", "has_cause", "clocked", "owner_a", "team", "updated_since"})
    together = (frozenset({"opened_from", "opened_to"}), frozenset({"closed_from", "closed_to"}))

    class Meta:
        model = Alert
        fields: list[str] = []

    def named(self, rows: QuerySet[Any], _name: str, text: str) -> QuerySet[Any]:
        return named_like(rows, text, "customer_id")

    def whose(self, rows: QuerySet[Any], _name: str, view: str) -> QuerySet[Any]:
        member = self.request.member
        if view == "mine":
            return rows.filter(falls_to(member))
        if view == "team":
            team = [member.pk, *member.team_members]
            return rows.filter(Q(customer__owner_a__in=team) | Q(customer__owner_b__in=team) | Q(assignee__in=team))
        return rows

    def standing(self, rows: QuerySet[Any], _name: str, state: str) -> QuerySet[Any]:
        return in_state(rows, state)

    def timely(self, rows: QuerySet[Any], _name: str, said: Any) -> QuerySet[Any]:
        return rows.filter(answered_in_time(in_time=bool(said)))

    def went_up(self, rows: QuerySet[Any], _name: str, said: Any) -> QuerySet[Any]:
        return rows.filter(escalations__gt=0) if said else rows.filter(escalations=0)

    def with_cause(self, rows: QuerySet[Any], _name: str, said: Any) -> QuerySet[Any]:
        return rows.exclude(cause="") if said else rows.filter(cause="")

    def has_clock_verdict(self, rows: QuerySet[Any], _name: str, said: Any) -> QuerySet[Any]:
        """Answered in time or late: not still running, and not closed in time without an answer."""
        either = answered_in_time(in_time=True) | answered_in_time(in_time=False)
        return rows.filter(either) if said else rows.exclude(either)
