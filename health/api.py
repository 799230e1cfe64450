"""The API of health: scores with their receipts, read only; the night writes them."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from customers.api import OfCustomerSerializer, OfTheNight
from health.filters import HealthFilter
from health.models import Band, HealthScore
from health.rules.policy import HealthPolicy
from health.rules.receipt import Receipt, ReceiptLine
from tenants.api.fields import Money
from tenants.api.schema import bodies
from tenants.base import POINTS
from tenants.context import current_tenant
from tenants.policies import active_policy

# The facts of a line that are money.
_MONEY = {("spend_trend", "recent"), ("spend_trend", "before")}


class HealthSerializer(OfCustomerSerializer):
    """A customer's health since the night of as_of: 0 to 100; null and "none" when too little is known."""

    as_of = serializers.SerializerMethodField()
    band = serializers.ChoiceField(choices=Band.choices)

    class Meta:
        model = HealthScore
        fields = ["customer", "external_ids", "as_of", "score", "band", "known", "policy_version"]

    def get_as_of(self, row: HealthScore) -> dt.date | None:
        return self.context["as_of"]


class UnknownSerializer(serializers.Serializer):
    """Why an indicator is left out."""

    code = serializers.CharField()
    needs = serializers.IntegerField(allow_null=True)
    has = serializers.IntegerField(allow_null=True)


class ReceiptLineSerializer(serializers.Serializer):
    """One indicator: the facts behind its value, where that lies on the line, what it adds to the score."""

    key = serializers.CharField()
    inputs = serializers.SerializerMethodField()
    value = serializers.FloatField(allow_null=True)
    line = serializers.ListField(
        child=serializers.ListField(child=serializers.FloatField()), help_text="Points of raw value and score."
    )
    score = serializers.CharField(allow_null=True)
    weight = serializers.IntegerField()
    effective_weight = serializers.CharField(allow_null=True)
    contribution = serializers.CharField(allow_null=True)
    unknown = UnknownSerializer(allow_null=True)

    def get_inputs(self, line: ReceiptLine) -> dict[str, Any]:
        return {
            name: Money().to_representation(Decimal(value) / POINTS)
            if (line.key, name) in _MONEY and isinstance(value, int)
            else value
            for name, value in line.inputs.items()
        }


class LiftSerializer(serializers.Serializer):
    """What one act would make of the score."""

    action = serializers.CharField()
    score = serializers.IntegerField()
    band = serializers.ChoiceField(choices=Band.choices)


class ReceiptSerializer(serializers.Serializer):
    """Contributions and rounding add up to the score exactly."""

    as_of = serializers.DateField()
    score = serializers.IntegerField(allow_null=True)
    band = serializers.ChoiceField(choices=Band.choices)
    known = serializers.IntegerField()
    minimum_known = serializers.IntegerField()
    currency = serializers.SerializerMethodField()
    lines = ReceiptLineSerializer(many=True)
    rounding = serializers.CharField()
    lift = LiftSerializer(allow_null=True)

    def get_currency(self, receipt: Receipt) -> str:
        return current_tenant().currency


class HealthDetailSerializer(HealthSerializer):
    """The same, with the receipt: every number that the score consists of."""

    receipt = ReceiptSerializer()

    class Meta(HealthSerializer.Meta):
        fields = [*HealthSerializer.Meta.fields, "receipt"]


class HealthViewSet(OfTheNight):
    """Health scores of today; one customer's with its receipt. The address has the customer's id."""

    resource = "scores"
    queryset: Any = HealthScore.objects
    serializer_class = HealthSerializer
    filterset_class = HealthFilter

    @bodies(responses=HealthDetailSerializer)
    def retrieve(self, request: Request, **_address: str) -> Response:
        """Health of one customer with its receipt as of the last night."""
        row = self.get_object()
        context = self.get_serializer_context()
        as_of = context["as_of"] or current_tenant().today()
        drawn = row.receipt(active_policy().section(HealthPolicy), as_of)
        row.receipt = drawn
        return Response(HealthDetailSerializer(row, context=context).data)
