"""The API of what customers are worth: RFM scores and tiers, read only; the night writes them."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any, ClassVar

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from customers.api import OfCustomerSerializer, OfTheNight
from segmentation.filters import StandingFilter
from segmentation.models import Segment, Standing, Tier, TierChange
from tenants.api.fields import Money
from tenants.api.schema import bodies
from tenants.base import POINTS
from tenants.context import current_tenant


class StandingSerializer(OfCustomerSerializer):
    """Where a customer stands since the night of as_of.

    Frequency and monetary are of the policy's window; r, f and m are null for who never ordered.
    """

    as_of = serializers.SerializerMethodField()
    recency_days = serializers.SerializerMethodField()
    monetary = Money(read_only=True)
    currency = serializers.SerializerMethodField()
    tier = serializers.ChoiceField(choices=Tier.choices)
    segment = serializers.ChoiceField(choices=Segment.choices)

    class Meta:
        model = Standing
        fields = [
            "customer", "external_ids", "as_of", "tier", "segment", "r", "f", "m", "last_order_on", "recency_days",
            "frequency", "monetary", "currency", "below_since", "policy_version",
        ]  # fmt: skip

    def get_as_of(self, row: Standing) -> dt.date | None:
        return self.context["as_of"]

    def get_recency_days(self, row: Standing) -> int | None:
        as_of = self.context["as_of"]
        return (as_of - row.last_order_on).days if as_of and row.last_order_on else None

    def get_currency(self, row: Standing) -> str:
        return current_tenant().currency


class TierChangeSerializer(serializers.ModelSerializer):
    """A change of tier with the facts that decided it; money in the firm's currency."""

    before = serializers.ChoiceField(choices=Tier.choices)
    after = serializers.ChoiceField(choices=Tier.choices)
    facts = serializers.SerializerMethodField()

    class Meta:
        model = TierChange
        fields = ["on", "before", "after", "facts", "policy_version"]

    def get_facts(self, row: TierChange) -> dict[str, Any]:
        facts: dict[str, Any] = dict(row.facts)
        if (points := facts.get("monetary")) is not None:
            facts["monetary"] = Money().to_representation(Decimal(points) / POINTS)
        return facts


class StandingDetailSerializer(StandingSerializer):
    """The same, with every change of tier, newest first."""

    history = TierChangeSerializer(many=True)

    class Meta(StandingSerializer.Meta):
        fields = [*StandingSerializer.Meta.fields, "history"]


class StandingViewSet(OfTheNight):
    """Tiers and segments of today; one customer's with its history. The address has the customer's id."""

    resource = "tiers"
    queryset: Any = Standing.objects
    serializer_class = StandingSerializer
    filterset_class = StandingFilter
    orderings: ClassVar[tuple[str, ...]] = ("customer_id", "-customer_id", "monetary", "-monetary")

    @bodies(responses=StandingDetailSerializer)
    def retrieve(self, request: Request, **_address: str) -> Response:
        """Tier and segment of one customer, with every change of tier."""
        row = self.get_object()
        row.history = TierChange.objects.filter(customer=row.customer_id)
        return Response(StandingDetailSerializer(row, context=self.get_serializer_context()).data)
