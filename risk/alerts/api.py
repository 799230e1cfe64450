"""The API of alerts: what is going wrong, and what people do about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from customers.api import NAMED_CUSTOMER, NAMED_MEMBER, colleagues, customers_of
from risk.alerts import services
from risk.alerts.filters import AlertFilter
from risk.alerts.services import BY_PEOPLE, NOTE_LENGTH, REASON_LENGTH, Change
from risk.cases.lists import CAUSE_CHOICES, TRIED_CHOICES
from risk.models import Alert
from risk.signals.words import sentence
from tenants.api.fields import Moment, Money, Record, Ref, Strict
from tenants.api.resources import Resource
from tenants.api.schema import bodies


class AlertSerializer(Record):
    """A signal that fired for a customer, and what came of it.

    At most one is open per customer and signal; what fires again adds to `repeats`. `due_at` is the clock of the first
    answer in the firm's business time, `escalates_at` when it goes up the line (null: somebody has acted, or nobody is
    above), `role` whose turn it is, `assignee` null for whoever has the role. `facts` are what fired it, `facts_words`
    the same in a sentence. `outcome` is empty while it is open.
    """

    customer = Ref(customers_of, NAMED_CUSTOMER, read_only=True)
    facts_words = serializers.SerializerMethodField(help_text="What fired it, in a sentence.")
    facts = serializers.SerializerMethodField()
    money = Money(read_only=True, help_text="Yearly net money of the customer when it opened.")
    opened_at = Moment(read_only=True)
    due_at = Moment(read_only=True)
    escalates_at = Moment(read_only=True, allow_null=True)
    escalated_at = Moment(read_only=True, allow_null=True)
    assignee = Ref(colleagues, NAMED_MEMBER, read_only=True, allow_null=True)
    first_action_at = Moment(read_only=True, allow_null=True)
    first_action_by = serializers.CharField(source="first_action_by_id", read_only=True, allow_null=True)
    snoozed_until = Moment(read_only=True, allow_null=True)
    closed_at = Moment(read_only=True, allow_null=True)
    closed_by = serializers.CharField(source="closed_by_id", read_only=True, allow_null=True)
    outcome = serializers.ChoiceField(choices=["", *Alert.Outcome.choices], read_only=True)
    cause = serializers.ChoiceField(choices=[("", ""), *CAUSE_CHOICES], read_only=True)
    tried = serializers.ListField(child=serializers.ChoiceField(choices=TRIED_CHOICES), read_only=True)
    created_at = Moment(read_only=True)
    updated_at = Moment(read_only=True)

    class Meta:
        model = Alert
        fields = [
            "id", "customer", "signal", "risk_class", "level", "facts", "facts_words", "period", "money", "opened_on",
            "opened_at", "repeats", "last_fired_on", "due_at", "role", "assignee", "escalates_at", "escalations",
            "escalated_at", "first_action_at", "first_action_by", "snoozed_until", "snooze_reason", "closed_on",
            "closed_at", "closed_by", "outcome", "cause", "tried", "note", "policy_version", "created_at", "updated_at",
        ]  # fmt: skip
        read_only_fields = fields

    def get_facts_words(self, row: Alert) -> str:
        return sentence(row)

    def get_facts(self, row: Alert) -> dict[str, Any]:
        return dict(row.facts)


class ActSerializer(Strict):
    """That somebody takes care of it."""

    note = serializers.CharField(required=False, allow_blank=True, default="", max_length=NOTE_LENGTH)


class AlertSnoozeSerializer(Strict):
    """Until when it can wait, and why."""

    until = Moment()
    reason = serializers.CharField(max_length=REASON_LENGTH)


class AlertAssignSerializer(Strict):
    """Whose it is; null: whoever has the role."""

    assignee = Ref(colleagues, NAMED_MEMBER, allow_null=True)


class CloseSerializer(Strict):
    """What came of it, why, and what was tried. `saved` and `lost` need a cause."""

    outcome = serializers.ChoiceField(choices=[(each.value, each.label) for each in BY_PEOPLE])
    cause = serializers.ChoiceField(choices=CAUSE_CHOICES, required=False, allow_blank=True, default="")
    tried = serializers.ListField(child=serializers.ChoiceField(choices=TRIED_CHOICES), required=False, default=list)
    note = serializers.CharField(required=False, allow_blank=True, default="", max_length=NOTE_LENGTH)


class AlertViewSet(Resource):
    """Alerts: the night and arriving facts open them, people answer and close them."""

    resource = "alerts"
    permissions: ClassVar[Mapping[str, str]] = dict.fromkeys(
        ("act", "snooze", "wake", "assign", "close", "reopen"), "alerts:write"
    )
    queryset: Any = Alert.objects
    serializer_class = AlertSerializer
    filterset_class = AlertFilter
    orderings: ClassVar[tuple[str, ...]] = (
        "updated_at", "-updated_at", "due_at", "-due_at", "opened_on", "-opened_on",
    )  # fmt: skip
    http_method_names = ["get", "post", "head"]

    def detailed(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        return rows.select_related("customer")

    @bodies(request=ActSerializer, responses=AlertSerializer)
    @action(detail=True, methods=["post"])
    def act(self, request: Request, pk: str) -> Response:
        """Say that one takes care of it: the clock stops. Said before: unchanged."""
        alert, said = self.get_object(), self._said(ActSerializer, request)
        return self._after(services.act(alert=alert, member=self.member, **said))

    @bodies(request=AlertSnoozeSerializer, responses=AlertSerializer)
    @action(detail=True, methods=["post"])
    def snooze(self, request: Request, pk: str) -> Response:
        """Put it off to a moment, with a reason; a severe one not beyond its clock."""
        alert, said = self.get_object(), self._said(AlertSnoozeSerializer, request)
        return self._after(services.snooze(alert=alert, member=self.member, **said))

    @bodies(request=None, responses=AlertSerializer)
    @action(detail=True, methods=["post"])
    def wake(self, request: Request, pk: str) -> Response:
        """End a snooze now."""
        return self._after(services.wake(alert=self.get_object(), member=self.member))

    @bodies(request=AlertAssignSerializer, responses=AlertSerializer)
    @action(detail=True, methods=["post"])
    def assign(self, request: Request, pk: str) -> Response:
        """Give it to somebody who sees the customer; null gives it back to whoever has the role."""
        alert, said = self.get_object(), self._said(AlertAssignSerializer, request)
        return self._after(services.assign(alert=alert, member=self.member, **said))

    @bodies(request=CloseSerializer, responses=AlertSerializer)
    @action(detail=True, methods=["post"])
    def close(self, request: Request, pk: str) -> Response:
        """Close it with what came of it. It becomes a case of the library."""
        alert, said = self.get_object(), self._said(CloseSerializer, request)
        return self._after(services.close(alert=alert, member=self.member, **said))

    @bodies(request=None, responses=AlertSerializer)
    @action(detail=True, methods=["post"])
    def reopen(self, request: Request, pk: str) -> Response:
        """Open a closed one again: it was not over."""
        return self._after(services.reopen(alert=self.get_object(), member=self.member))

    def _said(self, kind: type[Strict], request: Request) -> dict[str, Any]:
        asked = kind(data=request.data, context=self.get_serializer_context())
        asked.is_valid(raise_exception=True)
        said: dict[str, Any] = asked.validated_data
        return said

    def _after(self, change: Change) -> Response:
        row = self.get_queryset().get(pk=self.get_object().pk)
        return self.one(row, outcome="updated" if change.events else "unchanged")
