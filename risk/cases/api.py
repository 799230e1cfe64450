"""The API of the case library: cases, what is learned from them, and what they say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from customers.api import OfCustomerSerializer, with_external_ids
from risk.cases import services as cases
from risk.cases.lists import CAUSE_CHOICES, TRIED_CHOICES, CaseFilter
from risk.models import Case
from tenants.api.fields import Day, Moment, Money, Strict
from tenants.api.resources import Resource
from tenants.api.schema import bodies


class CaseSerializer(OfCustomerSerializer):
    """A customer that was nearly or really lost: why, what was tried, how it ended, what is learned."""

    id = serializers.CharField(source="pk", read_only=True)
    alert = serializers.CharField(source="alert_id", read_only=True, allow_null=True)
    incident = serializers.CharField(source="incident_id", read_only=True, allow_null=True)
    playbook_run = serializers.CharField(source="playbook_run_id", read_only=True, allow_null=True)
    tried = serializers.ListField(child=serializers.ChoiceField(choices=TRIED_CHOICES), read_only=True)
    money = Money(read_only=True, allow_null=True, help_text="The customer's yearly money when it was at risk.")
    opened_on = Day(read_only=True)
    closed_on = Day(read_only=True)
    won_back_on = Day(read_only=True, allow_null=True, help_text="A lost customer's first order afterwards.")
    created_at = Moment(read_only=True)
    updated_at = Moment(read_only=True)

    class Meta:
        model = Case
        fields = [
            "id", "customer", "external_ids", "alert", "incident", "playbook_run", "signal", "level", "risk_class",
            "cause", "outcome", "tried", "text", "lessons", "money", "industry", "opened_on", "closed_on",
            "won_back_on", "created_at", "updated_at",
        ]  # fmt: skip


class LearnSerializer(Strict):
    """What is learned; what is left out stays."""

    lessons = serializers.CharField(required=False, allow_blank=True, max_length=8000)
    cause = serializers.ChoiceField(choices=CAUSE_CHOICES, required=False, allow_blank=True)
    tried = serializers.ListField(child=serializers.ChoiceField(choices=TRIED_CHOICES), required=False, max_length=20)
    text = serializers.CharField(required=False, allow_blank=True, max_length=8000)


class ShareSerializer(serializers.Serializer):
    """A share with its 95 % interval by Wilson; null where nothing is counted."""

    hits = serializers.IntegerField()
    of = serializers.IntegerField()
    share = serializers.FloatField(allow_null=True)
    low = serializers.FloatField(allow_null=True)
    high = serializers.FloatField(allow_null=True)


class GainSerializer(serializers.Serializer):
    """The share with it minus the share without, with its 95 % interval by Newcombe."""

    share = serializers.FloatField()
    low = serializers.FloatField()
    high = serializers.FloatField()


class HelpedSerializer(serializers.Serializer):
    """Of the cases of a cause in which it was tried, how many were saved or won back."""

    tried = serializers.ChoiceField(choices=TRIED_CHOICES)
    good = ShareSerializer()
    gain = GainSerializer(allow_null=True)
    enough = serializers.BooleanField(help_text="Whether there are enough cases for the share to mean something.")


class StatementSerializer(serializers.Serializer):
    """What the library says about a cause, counted over the cases that the caller sees."""

    cause = serializers.CharField()
    risk_class = serializers.CharField()
    share = ShareSerializer(help_text="Of all decided cases those of this cause.")
    lost = ShareSerializer(help_text="Of its cases those that are lost for good.")
    good = ShareSerializer(help_text="Of its cases those that were saved or won back.")
    helped = HelpedSerializer(many=True)
    enough = serializers.BooleanField()
    enough_own = serializers.BooleanField()


class StatementsSerializer(serializers.Serializer):
    """All statements, the most frequent cause first."""

    statements = StatementSerializer(many=True)


class CaseViewSet(Resource):
    """Kept cases."""

    resource = "cases"
    permissions: ClassVar[Mapping[str, str]] = {"statements": "cases:read"}
    queryset: Any = Case.objects
    serializer_class = CaseSerializer
    filterset_class = CaseFilter
    orderings: ClassVar[tuple[str, ...]] = ("updated_at", "-updated_at", "closed_on", "-closed_on")
    http_method_names = ["get", "patch", "head"]

    def detailed(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        return with_external_ids(rows)

    @bodies(request=LearnSerializer, responses=CaseSerializer)
    def partial_update(self, request: Request, pk: str) -> Response:
        """JSON merge patch: lessons, cause, tried, text."""
        row = self.get_object()
        said = LearnSerializer(data=request.data, context=self.get_serializer_context())
        said.is_valid(raise_exception=True)
        before = {"lessons": row.lessons, "cause": row.cause, "tried": row.tried, "text": row.text}
        outcome = cases.learn(case=row, **{**before, **said.validated_data})
        return self.one(self.get_queryset().get(pk=row.pk), outcome=outcome)

    @bodies(responses=StatementsSerializer)
    @action(detail=False, methods=["get"])
    def statements(self, request: Request) -> Response:
        """What the cases say: each cause's share, and what kept or won back its customers."""
        found = cases.statements(self.visible())
        return Response(StatementsSerializer({"statements": found}).data)
