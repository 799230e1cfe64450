"""The API of crises: which there are, how their clocks stand, and opening, moving and closing one from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.db.models import Max, Prefetch, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from customers.api import NAMED, NAMED_CUSTOMER, customers_of
from customers.models import Complaint, Order
from risk.incidents import services, steps, talk
from risk.incidents.filters import IncidentFilter
from risk.incidents.words import entry_words, step_title
from risk.models import Alert, Incident, IncidentClock, IncidentEntry, IncidentStep
from risk.rules.causes import CAUSES, TRIED
from tenants.api.fields import Day, Moment, Money, Record, Ref, Strict
from tenants.api.resources import Resource
from tenants.api.schema import bodies
from tenants.filters import id_number
from tenants.models import Member


def _orders_of(member: Member) -> QuerySet[Any]:
    rows: QuerySet[Any] = Order.objects.visible_to(member)
    return rows


def _complaints_of(member: Member) -> QuerySet[Any]:
    rows: QuerySet[Any] = Complaint.objects.visible_to(member)
    return rows


def _alerts_of(member: Member) -> QuerySet[Any]:
    rows: QuerySet[Any] = Alert.objects.visible_to(member)
    return rows


class IncidentClockSerializer(serializers.ModelSerializer):
    """A clock: business minutes that it has, and the moment at which it runs out (null while it is stopped)."""

    state = serializers.SerializerMethodField(help_text="met, breached, paused, running.")
    deadline_at = Moment(allow_null=True)
    met_at = Moment(allow_null=True)
    breached_at = Moment(allow_null=True)

    class Meta:
        model = IncidentClock
        fields = ["kind", "target_minutes", "deadline_at", "met_at", "breached_at", "state"]

    def get_state(self, row: IncidentClock) -> str:
        if row.met_at is not None:
            return "met"
        if row.deadline_at is None:
            return "paused"
        return "breached" if row.deadline_at <= timezone.now() else "running"


class IncidentStepSerializer(serializers.ModelSerializer):
    """A step: of the shipped list by its code, or one's own."""

    id = serializers.CharField(source="pk")
    title = serializers.SerializerMethodField(help_text="In the caller's language.")
    owner = serializers.CharField(source="owner_id", allow_null=True)
    due_at = Moment(allow_null=True)
    done_at = Moment(allow_null=True)

    class Meta:
        model = IncidentStep
        fields = ["id", "code", "title", "owner", "due_at", "status", "done_at"]

    def get_title(self, row: IncidentStep) -> str:
        return step_title(row)


class IncidentEntrySerializer(serializers.ModelSerializer):
    """A line of the timeline; `code` where the house itself noted it."""

    id = serializers.CharField(source="pk")
    at = Moment()
    member = serializers.CharField(source="member_id", allow_null=True)
    text = serializers.SerializerMethodField(help_text="In the caller's language.")

    class Meta:
        model = IncidentEntry
        fields = ["id", "at", "member", "is_visible", "about", "code", "text"]

    def get_text(self, row: IncidentEntry) -> str:
        return entry_words(row)


class IncidentSerializer(Record):
    """A crisis of a customer, or a drill (is_drill), which no figure counts; see docs/rules/crisis.md."""

    name = serializers.CharField(read_only=True, help_text="CR-118.")
    customer = Ref(customers_of, NAMED_CUSTOMER, read_only=True)
    order = serializers.CharField(source="order_id", read_only=True, allow_null=True)
    alert = serializers.CharField(source="alert_id", read_only=True, allow_null=True)
    complaint = serializers.CharField(source="complaint_id", read_only=True, allow_null=True)
    value = Money(read_only=True, allow_null=True)
    needed_by = Day(read_only=True, allow_null=True)
    opened_at = Moment(read_only=True)
    closed_at = Moment(read_only=True, allow_null=True)
    tried = serializers.ListField(child=serializers.CharField(), read_only=True)
    clocks = IncidentClockSerializer(many=True, read_only=True)
    steps = IncidentStepSerializer(many=True, read_only=True)
    team = serializers.SerializerMethodField(help_text="Member ids by what each does.")
    entries = IncidentEntrySerializer(many=True, read_only=True)
    created_at = Moment(read_only=True)
    updated_at = Moment(read_only=True)

    class Meta:
        model = Incident
        fields = [
            "id", "name", "customer", "title", "what", "level", "kind", "order", "alert", "complaint", "value",
            "needed_by", "is_drill", "opened_at", "closed_at", "outcome", "cause", "tried", "note", "clocks", "steps",
            "team", "entries", "policy_version", "created_at", "updated_at",
        ]  # fmt: skip
        read_only_fields = fields

    def get_team(self, row: Incident) -> dict[str, str]:
        return {seat.seat: str(seat.member_id) for seat in row.seats.all()}


class NewIncidentSerializer(Strict):
    """A crisis to be opened: its clocks begin at once, in business time."""

    customer = Ref(customers_of, NAMED_CUSTOMER)
    title = serializers.CharField(max_length=160)
    level = serializers.ChoiceField(choices=Incident.Level.choices)
    kind = serializers.ChoiceField(choices=Incident.Kind.choices, default=Incident.Kind.OTHER)
    what = serializers.CharField(required=False, allow_blank=True, default="", max_length=talk.TEXT_LENGTH)
    order = Ref(_orders_of, NAMED, required=False, allow_null=True, default=None)
    complaint = Ref(_complaints_of, NAMED, required=False, allow_null=True, default=None)
    alert = Ref(_alerts_of, {}, required=False, allow_null=True, default=None)
    value = Money(required=False, allow_null=True, default=None, min_value=0)
    needed_by = Day(required=False, allow_null=True, default=None)
    drill = serializers.BooleanField(default=False)


class IncidentLevelSerializer(Strict):
    """Another level, and why."""

    level = serializers.ChoiceField(choices=Incident.Level.choices)
    reason = serializers.CharField(max_length=200)


class IncidentReasonSerializer(Strict):
    """Why."""

    reason = serializers.CharField(max_length=200)


class NewIncidentEntrySerializer(Strict):
    """A line of the timeline. `reference` makes it one: sent again with the same, nothing is added."""

    text = serializers.CharField(max_length=talk.TEXT_LENGTH)
    is_visible = serializers.BooleanField(default=False, help_text="Whether the customer sees it.")
    about = serializers.ChoiceField(choices=IncidentEntry.About.choices, default="", allow_blank=True)
    reference = serializers.CharField(max_length=36, required=False, allow_blank=True, default="")


class IncidentStepDoneSerializer(Strict):
    """Which step is done."""

    step = serializers.CharField(max_length=20, help_text="Its id, or its code.")


class IncidentCloseSerializer(Strict):
    """How it ended, and why it had come to it."""

    outcome = serializers.ChoiceField(choices=Incident.Outcome.choices)
    cause = serializers.ChoiceField(choices=[(code, code) for code in CAUSES])
    tried = serializers.ListField(
        child=serializers.ChoiceField(choices=[(code, code) for code in TRIED]), required=False, default=list
    )
    note = serializers.CharField(required=False, allow_blank=True, default="", max_length=talk.TEXT_LENGTH)


class IncidentViewSet(Resource):
    """Crises."""

    resource = "incidents"
    permissions: ClassVar[Mapping[str, str]] = dict.fromkeys(
        ("level", "pause", "resume", "entries", "step_done", "close"), "incidents:write"
    )
    queryset: Any = Incident.objects
    serializer_class = IncidentSerializer
    filterset_class = IncidentFilter
    orderings: ClassVar[tuple[str, ...]] = ("updated_at", "-updated_at", "opened_at", "-opened_at")
    http_method_names = ["get", "post", "head"]

    def detailed(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        clocks = IncidentClock.objects.filter(dropped_at__isnull=True).order_by("pk")
        return rows.select_related("customer").prefetch_related(Prefetch("clocks", clocks), "steps", "seats", "entries")

    @bodies(request=NewIncidentSerializer, responses=IncidentSerializer)
    def create(self, request: Request) -> Response:
        """Open a crisis. One that its alert or complaint has already, or that was opened a moment ago, comes back: 200."""
        said = self._read(NewIncidentSerializer, request)
        last = Incident.objects.aggregate(last=Max("pk"))["last"] or 0
        row = services.open_incident(member=self.member, **said)
        is_new = row.pk > last
        found = self.get_queryset().get(pk=row.pk)
        return self.one(found, status=201 if is_new else 200, outcome="created" if is_new else "unchanged")

    @bodies(request=IncidentLevelSerializer, responses=IncidentSerializer)
    @action(detail=True, methods=["post"])
    def level(self, request: Request, pk: str) -> Response:
        """Another level: deadlines are reckoned anew from when it was opened."""
        row = self.get_object()
        return self._after(
            row, services.change_level(incident=row, member=self.member, **self._read(IncidentLevelSerializer, request))
        )

    @bodies(request=IncidentReasonSerializer, responses=IncidentSerializer)
    @action(detail=True, methods=["post"])
    def pause(self, request: Request, pk: str) -> Response:
        """Stop the clocks."""
        row = self.get_object()
        return self._after(
            row, services.pause(incident=row, member=self.member, **self._read(IncidentReasonSerializer, request))
        )

    @bodies(request=None, responses=IncidentSerializer)
    @action(detail=True, methods=["post"])
    def resume(self, request: Request, pk: str) -> Response:
        """Let the clocks run on."""
        row = self.get_object()
        return self._after(row, services.resume(incident=row, member=self.member))

    @bodies(request=NewIncidentEntrySerializer, responses=IncidentSerializer)
    @action(detail=True, methods=["post"])
    def entries(self, request: Request, pk: str) -> Response:
        """Write a line of the timeline."""
        row = self.get_object()
        said = self._read(NewIncidentEntrySerializer, request)
        key = f"api:{said.pop('reference')}"
        _entry, outcome = talk.write_update(
            incident=row, member=self.member, key="" if key == "api:" else key, **said
        )  # fmt: skip
        return self._after(row, outcome)

    @bodies(request=IncidentStepDoneSerializer, responses=IncidentSerializer)
    @action(detail=True, methods=["post"], url_path="step-done")
    def step_done(self, request: Request, pk: str) -> Response:
        """Tick a step off; the clock that it meets stops."""
        row = self.get_object()
        said = self._read(IncidentStepDoneSerializer, request)["step"]
        number = id_number(said)
        found = row.steps.filter(pk=number) if number is not None else row.steps.exclude(code="").filter(code=said)
        step = found.select_related("incident").first()
        if step is None:
            raise ValidationError({"step": ValidationError(_("There is no such step."), code="not_found")})
        return self._after(row, steps.done(step=step, member=self.member))

    @bodies(request=IncidentCloseSerializer, responses=IncidentSerializer)
    @action(detail=True, methods=["post"])
    def close(self, request: Request, pk: str) -> Response:
        """Close it; what is missing for that is said."""
        row = self.get_object()
        return self._after(
            row, services.close(incident=row, member=self.member, **self._read(IncidentCloseSerializer, request))
        )

    def _read(self, serializer: type[Strict], request: Request) -> dict[str, Any]:
        asked = serializer(data=request.data, context=self.get_serializer_context())
        asked.is_valid(raise_exception=True)
        return dict(asked.validated_data)

    def _after(self, row: Incident, outcome: Any) -> Response:
        return self.one(self.get_queryset().get(pk=row.pk), outcome=outcome)
