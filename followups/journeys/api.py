"""The API of journeys: which there are, who would enter, and who is in which."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import django_filters as filters
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from customers.api import OfCustomerSerializer, with_external_ids
from followups.journeys import services as journeys
from followups.journeys.filters import EnrolmentFilter
from followups.models import Enrolment, Journey, JourneyStep
from tenants.api.fields import Day, Moment, Record, Strict
from tenants.api.resources import Resource
from tenants.api.schema import bodies
from tenants.filters import BooleanFilter, StrictFilterSet, updated_since


class JourneySerializer(Record):
    """A journey: what begins it, for whom, its steps, and what stops it (definition); see docs/rules/journeys.md."""

    title = serializers.CharField(read_only=True, help_text="What people call it, in the caller's language.")
    definition = serializers.JSONField(help_text="Sent anew it takes the place of the whole definition.")

    class Meta:
        model = Journey
        fields = [
            "id", "code", "name", "title", "trigger", "priority", "definition", "is_on", "since", "version",
            "created_at", "updated_at",
        ]  # fmt: skip
        read_only_fields: ClassVar[list[str]] = [
            "trigger", "priority", "since", "version", "created_at", "updated_at",
        ]  # fmt: skip


class JourneyFilter(StrictFilterSet):
    is_on = BooleanFilter(label=gettext_lazy("Switched on"))
    trigger = filters.ChoiceFilter(choices=Journey.Trigger.choices, label=gettext_lazy("Begins with"))
    updated_since = updated_since()

    class Meta:
        model = Journey
        fields: list[str] = []


class DryRunAskSerializer(Strict):
    """The definition to try."""

    definition = serializers.JSONField()


class WouldEnterSerializer(serializers.Serializer):
    customer = serializers.CharField()
    event = serializers.CharField()
    at = Moment()


class JourneyDryRunSerializer(serializers.Serializer):
    """Who would have entered since a day; latest names up to 50 of those whom the caller sees."""

    since = Day()
    events = serializers.IntegerField()
    customers = serializers.IntegerField()
    hidden = serializers.IntegerField(help_text="Customers whom the caller does not see.")
    latest = WouldEnterSerializer(many=True)


class JourneyViewSet(Resource):
    """Journeys."""

    resource = "journeys"
    queryset: Any = Journey.objects
    serializer_class = JourneySerializer
    filterset_class = JourneyFilter
    permissions: ClassVar[Mapping[str, str]] = {"dry_run": "journeys:read"}

    def visible(self) -> QuerySet[Any]:
        rows: QuerySet[Any] = Journey.objects.all()
        return rows

    def create(self, request: Request) -> Response:
        """A new journey; it is switched off unless is_on says otherwise."""
        said = self._checked(request)
        is_on = said.pop("is_on", False)
        row, _made = journeys.save_journey(member=self.member, **({"name": ""} | said))
        if is_on:
            journeys.switch(journey=row, member=self.member, on=True)
        return self.one(self.get_queryset().get(pk=row.pk), status=201, outcome="created")

    def partial_update(self, request: Request, pk: str) -> Response:
        """JSON merge patch: name, definition, is_on. A code stays; a definition is taken as a whole."""
        row = self.get_object()
        said = self._checked(request, merge=True)
        said.pop("code", None)
        outcomes = []
        if said.keys() & {"name", "definition"}:
            _row, outcome = journeys.save_journey(
                member=self.member,
                journey=row,
                name=said.get("name", row.name),
                definition=said.get("definition", row.definition),
            )
            outcomes.append(outcome)
        if "is_on" in said:
            outcomes.append(journeys.switch(journey=row, member=self.member, on=said["is_on"]))
        changed = any(outcome != "unchanged" for outcome in outcomes)
        return self.one(self.get_queryset().get(pk=row.pk), outcome="updated" if changed else "unchanged")

    def _checked(self, request: Request, *, merge: bool = False) -> dict[str, Any]:
        reader = JourneySerializer(data=request.data, context=self.get_serializer_context() | {"merge": merge})
        reader.is_valid(raise_exception=True)
        return dict(reader.validated_data)

    @bodies(request=DryRunAskSerializer, responses=JourneyDryRunSerializer)
    @action(detail=False, methods=["post"], url_path="dry-run")
    def dry_run(self, request: Request) -> Response:
        """Who would have entered a journey of this definition in the last 30 days; nothing is written."""
        asked = DryRunAskSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        found = journeys.dry_run(journeys.checked(asked.validated_data["definition"]), self.member)
        latest = [
            {"customer": str(customer.pk), "event": entry.event, "at": entry.at} for customer, entry in found.latest
        ]
        answer = {
            "since": found.since, "events": found.events, "customers": found.customers, "hidden": found.hidden,
            "latest": latest,
        }  # fmt: skip
        return Response(JourneyDryRunSerializer(answer).data)


class StepDoneSerializer(serializers.ModelSerializer):
    """What a step has done."""

    follow_up = serializers.CharField(source="follow_up_id", allow_null=True)
    message = serializers.CharField(source="message_id", allow_null=True)
    at = Moment()
    due_at = Moment(allow_null=True)

    class Meta:
        model = JourneyStep
        fields = ["code", "status", "why", "at", "due_at", "follow_up", "message"]


class EnrolmentSerializer(OfCustomerSerializer):
    """A customer's place in a journey: one for each event, at most one of a customer active."""

    id = serializers.CharField(source="pk")
    journey = serializers.CharField(source="journey_id")
    code = serializers.CharField(source="journey.code", help_text="The journey's code.")
    contact = serializers.CharField(source="contact_id", allow_null=True)
    steps = StepDoneSerializer(many=True)
    event_at = Moment()
    entered_at = Moment()
    waits_since = Moment(allow_null=True)
    next_at = Moment(allow_null=True)
    ended_at = Moment(allow_null=True)
    updated_at = Moment()

    class Meta:
        model = Enrolment
        fields = [
            "id", "customer", "external_ids", "journey", "code", "contact", "event", "event_at", "entered_at", "status",
            "why", "waits_since", "next_at", "ended_at", "steps", "updated_at",
        ]  # fmt: skip


class EnrolmentViewSet(Resource):
    """Places in journeys."""

    resource = "enrolments"
    permissions: ClassVar[Mapping[str, str]] = {"stop": "follow-ups:write"}
    queryset: Any = Enrolment.objects
    serializer_class = EnrolmentSerializer
    filterset_class = EnrolmentFilter
    orderings: ClassVar[tuple[str, ...]] = ("updated_at", "-updated_at", "entered_at", "-entered_at")
    http_method_names = ["get", "post", "head"]

    def detailed(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        return with_external_ids(rows).select_related("journey").prefetch_related("steps")

    @bodies(responses=EnrolmentSerializer)
    @action(detail=True, methods=["post"])
    def stop(self, request: Request, pk: str) -> Response:
        """Take the customer out of the journey; what nobody has done is withdrawn."""
        row = self.get_object()
        outcome = journeys.take_out(enrolment=row, member=self.member)
        return self.one(self.get_queryset().get(pk=row.pk), outcome=outcome)
