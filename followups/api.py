"""The API of follow-ups: what to do and by when; complete it or put it off."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from customers.api import (
    NAMED_CUSTOMER,
    NAMED_MEMBER,
    OfCustomerSerializer,
    colleagues,
    customers_of,
    with_external_ids,
)
from customers.models import Channel, Customer, Interaction, TouchKind
from followups import services
from followups.filters import FollowUpFilter
from followups.models import FollowUp
from followups.reasons import PLANNED, PROMISE, phrase
from segmentation.api_cross_sell import OfferedCustomerViewSet
from tenants.api.fields import Day, Moment, Ref, Strict
from tenants.api.resources import Resource
from tenants.api.schema import bodies
from tenants.context import current_tenant


class FollowUpSerializer(OfCustomerSerializer):
    """Somebody should get in touch with a customer, for a reason, by a day."""

    id = serializers.CharField(source="pk")
    contact = serializers.CharField(source="contact_id", allow_null=True)
    assignee = serializers.CharField(source="assignee_id", allow_null=True)
    closed_by = serializers.CharField(source="closed_by_id", allow_null=True)
    interaction = serializers.CharField(source="interaction_id", allow_null=True)
    reason = serializers.SerializerMethodField(help_text="Why it is here, in words.")
    due_at = Moment(allow_null=True)
    closed_at = Moment(allow_null=True)
    created_at = Moment()
    updated_at = Moment()

    class Meta:
        model = FollowUp
        fields = [
            "id", "customer", "external_ids", "contact", "assignee", "kind", "channel", "rule", "period", "reason",
            "facts", "level", "due_on", "due_at", "status", "snoozed_until", "snooze_reason", "closed_at", "closed_by",
            "interaction", "policy_version", "created_at", "updated_at",
        ]  # fmt: skip

    def get_reason(self, row: FollowUp) -> str:
        return phrase(row, current_tenant().today())


class CompleteSerializer(Strict):
    """How it was done. With a channel a contact is logged as described; else as the follow-up asks."""

    channel = serializers.ChoiceField(choices=Channel.choices, required=False)
    kind = serializers.ChoiceField(choices=TouchKind.choices, required=False)
    answered = serializers.BooleanField(required=False, allow_null=True)
    about_competitor = serializers.BooleanField(required=False)
    leaving = serializers.ChoiceField(
        choices=Interaction.Leaving.choices, required=False, allow_blank=True, help_text="Whether it thinks of leaving."
    )
    note = serializers.CharField(required=False, allow_blank=True, max_length=services.NOTE_LENGTH)
    next_on = Day(required=False, help_text="The next touch, agreed by hand; without it the cadence plans.")
    promised = serializers.BooleanField(required=False, help_text="Whether the next touch was promised.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs and "channel" not in attrs:
            raise serializers.ValidationError(
                {"channel": [self.fields["channel"].error_messages["required"]]}, "required"
            )
        return attrs


class SnoozeSerializer(Strict):
    """Until when it can wait, and why."""

    until = Day()
    reason = serializers.CharField(max_length=services.REASON_LENGTH)


class PlanSerializer(Strict):
    """The next touch with a customer, agreed by hand; it is the caller's own."""

    customer = Ref(customers_of, NAMED_CUSTOMER)
    kind = serializers.ChoiceField(choices=TouchKind.choices)
    due_on = Day()
    channel = serializers.ChoiceField(choices=Channel.choices, required=False)
    promised = serializers.BooleanField(required=False)
    text = serializers.CharField(required=False, allow_blank=True, max_length=services.REASON_LENGTH)


class MoveSerializer(Strict):
    """To which day."""

    to = Day()


class AssignSerializer(Strict):
    """Who takes it."""

    assignee = Ref(colleagues, NAMED_MEMBER)


class FollowUpViewSet(Resource):
    """Follow-ups."""

    resource = "follow-ups"
    queryset: Any = FollowUp.objects
    serializer_class = FollowUpSerializer
    filterset_class = FollowUpFilter
    orderings: ClassVar[tuple[str, ...]] = ("updated_at", "-updated_at", "due_on", "-due_on")

    def detailed(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        return with_external_ids(rows)

    @bodies(request=CompleteSerializer, responses=FollowUpSerializer)
    @action(detail=True, methods=["post"])
    def complete(self, request: Request, pk: str) -> Response:
        """Mark it done. Sent again by the same member it changes nothing; closed by somebody else: 409."""
        row = self.get_object()
        asked = CompleteSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        said = asked.validated_data
        if said:
            change = services.log_contact(
                follow_up=row,
                member=self.member,
                channel=said["channel"],
                answered=said.get("answered"),
                note=said.get("note", ""),
                kind=said.get("kind", ""),
                about_competitor=said.get("about_competitor", False),
                leaving=said.get("leaving", ""),
                next_on=said.get("next_on"),
                promised=said.get("promised", False),
            )
        else:
            change = services.complete(follow_up=row, member=self.member)
        return self._after(row, change)

    @bodies(request=SnoozeSerializer, responses=FollowUpSerializer)
    @action(detail=True, methods=["post"])
    def snooze(self, request: Request, pk: str) -> Response:
        """Put it off to a day, with a reason."""
        row = self.get_object()
        asked = SnoozeSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        change = services.snooze(follow_up=row, member=self.member, **asked.validated_data)
        return self._after(row, change)

    @bodies(request=PlanSerializer, responses={201: FollowUpSerializer})
    def create(self, request: Request) -> Response:
        """Agree the next touch with a customer. The same kind on the same day again is the one that is there."""
        asked = PlanSerializer(data=request.data, context=self.get_serializer_context())
        asked.is_valid(raise_exception=True)
        said = asked.validated_data
        change = services.plan(member=self.member, **said)
        rows = self.get_queryset().filter(customer=said["customer"], kind=said["kind"])
        row = rows.get(
            rule=PROMISE if said.get("promised") else PLANNED,
            period=services.plan_period(kind=said["kind"], due_on=said["due_on"]),
        )
        return self.one(
            row, status=201 if change.planned else 200, outcome="created" if change.planned else "unchanged"
        )

    @bodies(request=MoveSerializer, responses=FollowUpSerializer)
    @action(detail=True, methods=["post"])
    def move(self, request: Request, pk: str) -> Response:
        """Move it to another day: what was agreed by hand freely, all else as far as it can be put off."""
        row = self.get_object()
        asked = MoveSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        return self._after(row, services.move(follow_up=row, member=self.member, **asked.validated_data))

    @bodies(request=AssignSerializer, responses=FollowUpSerializer)
    @action(detail=True, methods=["post"])
    def assign(self, request: Request, pk: str) -> Response:
        """Give it to somebody who sees the customer: to its owners, and who may assign to anybody."""
        row = self.get_object()
        asked = AssignSerializer(data=request.data, context=self.get_serializer_context())
        asked.is_valid(raise_exception=True)
        change = services.reassign(follow_up=row, member=self.member, **asked.validated_data)
        return self._after(row, change)

    def _after(self, row: FollowUp, change: services.Change) -> Response:
        changed = self.get_queryset().get(pk=row.pk)
        return self.one(changed, outcome="updated" if change.events else "unchanged")


class OwnedCustomerViewSet(OfferedCustomerViewSet):
    """Customers; when one changes hands, its open follow-ups go along."""

    def hand_over(self, customer: Customer, owners: dict[str, Any]) -> None:
        both = {"owner_a": customer.owner_a, "owner_b": customer.owner_b} | owners
        services.change_owner(customer=customer, member=self.member, **both)
