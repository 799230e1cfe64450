"""The API of complaints: the facts as before, and the verbs of their four steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from customers.api import NAMED_MEMBER, ComplaintSerializer, ComplaintViewSet, colleagues
from customers.models import Complaint
from risk.complaints import services as complaints
from risk.complaints.lists import BoardFilter
from tenants.api.fields import Moment, Ref, Strict
from tenants.api.resources import Outcome
from tenants.api.schema import bodies


class ComplaintWaySerializer(ComplaintSerializer):
    """Something that went wrong for a customer, and how far its four steps have come."""

    assignee = serializers.CharField(source="assignee_id", read_only=True, allow_null=True)
    due_at = Moment(read_only=True, allow_null=True, help_text="Until when the next step is due, in business time.")
    apologised_at = Moment(read_only=True, allow_null=True)
    promised_at = Moment(read_only=True, allow_null=True)
    promised_until = Moment(read_only=True, allow_null=True)
    called_back_at = Moment(read_only=True, allow_null=True)

    class Meta(ComplaintSerializer.Meta):
        fields = [
            *ComplaintSerializer.Meta.fields, "kind", "status", "assignee", "due_at", "apologised_at", "promised_at",
            "promised_until", "solution", "called_back_at", "is_content", "reopened",
        ]  # fmt: skip
        read_only_fields = ["status", "solution", "is_content", "reopened"]


class NoteSerializer(Strict):
    """What was said to the customer."""

    note = serializers.CharField(required=False, allow_blank=True, max_length=4000)


class PromiseSerializer(Strict):
    """Until when it will be solved, as the customer was told."""

    until = Moment()
    note = serializers.CharField(required=False, allow_blank=True, max_length=4000)


class ProgressSerializer(Strict):
    """What was done in between."""

    text = serializers.CharField(max_length=4000)
    is_told = serializers.BooleanField(required=False, help_text="Whether the customer was told.")


class CallBackSerializer(Strict):
    """What the customer said: content closes it, not content opens it again."""

    is_content = serializers.BooleanField()
    note = serializers.CharField(required=False, allow_blank=True, max_length=4000)


class HandOnSerializer(Strict):
    """What it is about, and who looks after it; without a person the rules say who."""

    kind = serializers.ChoiceField(choices=Complaint.Kind.choices)
    assignee = Ref(colleagues, NAMED_MEMBER, required=False, allow_null=True)


class ComplaintWayViewSet(ComplaintViewSet):
    """Complaints."""

    serializer_class = ComplaintWaySerializer
    filterset_class = BoardFilter
    permissions: ClassVar[Mapping[str, str]] = {}

    def _said(self, request: Request, reader: type[Strict]) -> dict[str, Any]:
        said = reader(data=request.data, context=self.get_serializer_context())
        said.is_valid(raise_exception=True)
        return dict(said.validated_data)

    def _after(self, row: Complaint, outcome: Any) -> Response:
        return self.one(self.get_queryset().get(pk=row.pk), outcome=outcome)

    @bodies(request=NoteSerializer, responses=ComplaintWaySerializer)
    @action(detail=True, methods=["post"])
    def apologise(self, request: Request, pk: str) -> Response:
        """Step one: the customer was told that we are sorry."""
        row, said = self.get_object(), self._said(request, NoteSerializer)
        return self._after(row, complaints.apologise(complaint=row, member=self.member, **said))

    @bodies(request=PromiseSerializer, responses=ComplaintWaySerializer)
    @action(detail=True, methods=["post"])
    def promise(self, request: Request, pk: str) -> Response:
        """Step two: recorded, and a time promised; promised again, the new time counts."""
        row, said = self.get_object(), self._said(request, PromiseSerializer)
        return self._after(row, complaints.promise(complaint=row, member=self.member, **said))

    @bodies(request=ProgressSerializer, responses=ComplaintWaySerializer)
    @action(detail=True, methods=["post"])
    def progress(self, request: Request, pk: str) -> Response:
        """What was done in between."""
        row, said = self.get_object(), self._said(request, ProgressSerializer)
        complaints.progress(complaint=row, member=self.member, **said)
        return self._after(row, "updated")

    def solve_row(self, row: Complaint, how: Mapping[str, Any]) -> Outcome:
        """Step three, where it is said how; without a solution it is just noted that it is solved."""
        if "solution" not in how:
            return super().solve_row(row, how)
        return complaints.solve(
            complaint=row,
            member=self.member,
            solution=how["solution"],
            first_time=how.get("first_time"),
            at=how.get("solved_at"),
        )

    @bodies(request=CallBackSerializer, responses=ComplaintWaySerializer)
    @action(detail=True, methods=["post"], url_path="call-back")
    def call_back(self, request: Request, pk: str) -> Response:
        """Step four: the customer was called back."""
        row, said = self.get_object(), self._said(request, CallBackSerializer)
        return self._after(row, complaints.call_back(complaint=row, member=self.member, **said))

    @bodies(request=HandOnSerializer, responses=ComplaintWaySerializer)
    @action(detail=True, methods=["post"], url_path="hand-on")
    def hand_on(self, request: Request, pk: str) -> Response:
        """Say what it is about, and who looks after it."""
        row, said = self.get_object(), self._said(request, HandOnSerializer)
        outcome = complaints.hand_to(
            complaint=row, member=self.member, kind=said["kind"], assignee=said.get("assignee")
        )
        return self._after(row, outcome)

    @bodies(responses=ComplaintWaySerializer)
    @action(detail=True, methods=["post"], url_path="take-back")
    def take_back(self, request: Request, pk: str) -> Response:
        """Take the last step back that was noted by mistake."""
        row = self.get_object()
        return self._after(row, complaints.take_back(complaint=row, member=self.member))
