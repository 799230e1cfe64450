"""The API of follow-ups: what to do and by when; complete it or put it off."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from customers.api import OfCustomerSerializer, with_external_ids
from customers.models import Channel, Customer, TouchKind
from followups import services
from followups.filters import FollowUpFilter
from followups.models import FollowUp
from followups.reasons import phrase
from segmentation.api_cross_sell import OfferedCustomerViewSet
from tenants.api.fields import Day, Moment, Strict
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
    note = serializers.CharField(required=False, allow_blank=True, max_length=services.NOTE_LENGTH)

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

    def _after(self, row: FollowUp, change: services.Change) -> Response:
        changed = self.get_queryset().get(pk=row.pk)
        return self.one(changed, outcome="updated" if change.events else "unchanged")


class OwnedCustomerViewSet(OfferedCustomerViewSet):
    """Customers; when one changes hands, its open follow-ups go along."""

    def hand_over(self, customer: Customer, owners: dict[str, Any]) -> None:
        both = {"owner_a": customer.owner_a, "owner_b": customer.owner_b} | owners
        services.change_owner(customer=customer, member=self.member, **both)
