"""The API of what customers are worth: RFM scores and tiers, which the night writes, and pins, which people do."""

from __future__ import annotations

import datetime as dt
from typing import Any, ClassVar

from django.db.models import CharField, OuterRef, QuerySet, Subquery
from django.db.models.functions import Cast, JSONObject
from django.utils.functional import cached_property
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from customers.api import OfCustomerSerializer, OfTheNight
from segmentation import services
from segmentation.filters import StandingFilter
from segmentation.models import Segment, Stage, Standing, Tier, TierChange, TierPin
from segmentation.querysets import with_stage
from segmentation.rules.policy import TierPolicy
from tenants.api.fields import Day, Money, Strict, money_of_points
from tenants.api.resources import Outcome
from tenants.api.schema import bodies
from tenants.context import current_tenant
from tenants.policies import last_night_and_policy


class PinnedSerializer(serializers.Serializer):
    """The pin that holds today: a person has fixed the tier up to and with the day until."""

    tier = serializers.ChoiceField(choices=Tier.choices)
    reason = serializers.CharField()
    until = serializers.DateField()
    member = serializers.CharField(allow_null=True, help_text="Who pinned it.")


class StandingSerializer(OfCustomerSerializer):
    """Where a customer stands since the night of as_of.

    Frequency and monetary are of the policy's window; r, f and m are null for who never ordered. by_wholesale,
    by_callback and by_sales_team are what those schemes would make of the customer by the facts alone; what the
    starter scheme would is the segment.
    """

    as_of = serializers.SerializerMethodField()
    recency_days = serializers.SerializerMethodField()
    monetary = Money(read_only=True)
    currency = serializers.SerializerMethodField()
    tier = serializers.ChoiceField(choices=Tier.choices)
    segment = serializers.ChoiceField(choices=Segment.choices)
    stage = serializers.ChoiceField(choices=Stage.choices)
    by_wholesale = serializers.ChoiceField(choices=Tier.choices)
    by_callback = serializers.ChoiceField(choices=Tier.choices)
    by_sales_team = serializers.ChoiceField(choices=Tier.choices)
    pin = PinnedSerializer(read_only=True, allow_null=True)

    class Meta:
        model = Standing
        fields = [
            "customer", "external_ids", "as_of", "tier", "segment", "stage", "r", "f", "m", "first_order_on",
            "last_order_on", "returned_on", "recency_days", "frequency", "monetary", "currency", "by_wholesale",
            "by_callback", "by_sales_team", "below_since", "pin", "policy_version",
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
            facts["monetary"] = money_of_points(points)
        return facts


class StandingDetailSerializer(StandingSerializer):
    """The same, with every change of tier, newest first."""

    history = TierChangeSerializer(many=True)

    class Meta(StandingSerializer.Meta):
        fields = [*StandingSerializer.Meta.fields, "history"]


class PinSerializer(Strict):
    """Which tier the customer is to have, why, and the last day on which that holds."""

    tier = serializers.ChoiceField(choices=[each for each in Tier.choices if each[0]])
    reason = serializers.CharField(max_length=200)
    until = Day()


class StandingViewSet(OfTheNight):
    """Tiers and segments of today; one customer's with its history. The address has the customer's id."""

    resource = "tiers"
    queryset: Any = Standing.objects
    serializer_class = StandingSerializer
    filterset_class = StandingFilter
    orderings: ClassVar[tuple[str, ...]] = ("customer_id", "-customer_id", "monetary", "-monetary")

    @cached_property
    def night(self) -> tuple[dt.date | None, TierPolicy]:
        """The day of the last night, and the rules by which it worked."""
        found = last_night_and_policy() if self.member_or_none else None
        return (found[0].for_date, found[1].section(TierPolicy)) if found else (None, TierPolicy())

    @property
    def as_of(self) -> dt.date | None:
        return self.night[0]

    def detailed(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        rows = with_stage(rows, *self.night, standing="", closed_on="customer__closed_on")
        pin = JSONObject(
            tier="tier", reason="reason", until="until", member=Cast("created_by_id", CharField(null=True))
        )
        pins = TierPin.objects.in_force(current_tenant().today()).filter(customer=OuterRef("customer_id"))
        return super().detailed(rows.annotate(pin=Subquery(pins.values(json=pin)[:1])))

    @bodies(request=PinSerializer, responses=StandingSerializer)
    @action(detail=True, methods=["post"])
    def pin(self, request: Request, customer: str) -> Response:
        """Fix the customer's tier until a day, for a reason; it counts at once. Safe to send again."""
        row = self.get_object()
        asked = PinSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        _pin, outcome = services.pin_tier(customer=row.customer, member=self.member, **asked.validated_data)
        return self.one(self.get_queryset().get(customer=row.customer_id), outcome=outcome)

    @bodies(responses=StandingSerializer)
    @action(detail=True, methods=["post"])
    def unpin(self, request: Request, customer: str) -> Response:
        """End the pin, if there is one. The tier stays until the night, which goes on as ever."""
        row = self.get_object()
        pin = TierPin.objects.in_force(current_tenant().today()).filter(customer=row.customer_id).first()
        outcome: Outcome = services.unpin(pin=pin, member=self.member) if pin else "unchanged"
        return self.one(self.get_queryset().get(customer=row.customer_id), outcome=outcome)

    @bodies(responses=StandingDetailSerializer)
    def retrieve(self, request: Request, **_address: str) -> Response:
        """Tier and segment of one customer, with every change of tier."""
        row = self.get_object()
        row.history = TierChange.objects.filter(customer=row.customer_id)
        return Response(StandingDetailSerializer(row, context=self.get_serializer_context()).data)
