"""The API of what customers are worth: lifetime value in both forms and the scorecard, read only."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from customers.api import OfCustomerSerializer, OfTheNight
from segmentation.filters import WorthFilter
from segmentation.models import LifetimeFit, Tier, Worth
from segmentation.valuing import explain
from segmentation.words import WHY_NO_MODEL
from tenants.api.fields import Exact, Money
from tenants.api.schema import bodies
from tenants.context import current_tenant


class WorthSerializer(OfCustomerSerializer):
    """What a customer is worth as of valued_on; null where nothing can be said.

    clv is the discounted form, clv_simple the simple one. expected_orders are order days of the next 12 months,
    expected_order_money is the net money of each. score and its parts are 0 to 100.
    """

    tier = serializers.ChoiceField(choices=Tier.choices)
    clv = Money(read_only=True)
    clv_simple = Money(read_only=True)
    expected_order_money = Money(read_only=True)
    currency = serializers.SerializerMethodField()

    class Meta:
        model = Worth
        fields = [
            "customer", "external_ids", "valued_on", "tier", "clv", "clv_simple", "expected_orders",
            "expected_order_money", "alive", "score", "direct", "indirect", "strategic", "currency", "policy_version",
        ]  # fmt: skip

    def get_currency(self, row: Worth) -> str:
        return current_tenant().currency


class YearSerializer(serializers.Serializer):
    """One coming year: money = orders × order_money × margin × factor."""

    number = serializers.IntegerField()
    orders = Exact()
    factor = Exact()
    money = Money()


class DiscountedSerializer(serializers.Serializer):
    """The lifetime model's orders of each coming year × money of an order × margin, discounted; clv is their sum.

    repeats are order days after the first, weeks_to_last and weeks_known the weeks from the first order day to the
    last and to the day of the valuation; alive is null for one order day. why: the reason where clv is null.
    """

    repeats = serializers.IntegerField()
    weeks_to_last = Exact(allow_null=True)
    weeks_known = Exact(allow_null=True)
    mean_order = Money(allow_null=True)
    alive = serializers.FloatField(allow_null=True)
    order_money = Money(allow_null=True)
    margin_percent = serializers.IntegerField()
    discount_percent = Exact()
    years = YearSerializer(many=True)
    clv = Money(allow_null=True)
    why = serializers.CharField()


class RetentionSerializer(serializers.Serializer):
    """Of the customers who ordered in the year before last, who ordered again; tier is "" for the whole firm."""

    tier = serializers.CharField()
    customers = serializers.IntegerField()
    again = serializers.IntegerField()


class SimpleSerializer(serializers.Serializer):
    """clv = yearly × margin × share × lifetime − acquisition_cost; yearly = net ÷ years.

    lifetime is 1 ÷ (1 − share) years, at most horizon_years (capped). why: the reason where clv is null.
    """

    net = Money()
    years = Exact(allow_null=True)
    yearly = Money(allow_null=True)
    margin_percent = serializers.IntegerField()
    retention = RetentionSerializer(allow_null=True)
    share = Exact(allow_null=True)
    lifetime = Exact(allow_null=True)
    horizon_years = serializers.IntegerField()
    capped = serializers.BooleanField()
    acquisition_cost = Money()
    clv = Money(allow_null=True)
    why = serializers.CharField()


class ScoreLineSerializer(serializers.Serializer):
    """One fact: its points, the value behind them, or why it is left out. evidence is the id of a row of evidence."""

    key = serializers.CharField()
    points = serializers.IntegerField(allow_null=True)
    value = serializers.FloatField(allow_null=True)
    weight = serializers.IntegerField(allow_null=True, help_text="Inside the direct part.")
    evidence = serializers.CharField(allow_null=True)
    unknown = serializers.CharField()


class ScorePartSerializer(serializers.Serializer):
    """One of the three parts: its lines, what they make, its weight, what it adds to the score."""

    key = serializers.CharField()
    lines = ScoreLineSerializer(many=True)
    score = serializers.IntegerField(allow_null=True)
    capped = serializers.BooleanField(help_text="The lines have more than 100 points together.")
    weight = serializers.IntegerField()
    effective_weight = serializers.CharField(allow_null=True)
    contribution = serializers.CharField(allow_null=True)
    unknown = serializers.CharField()


class ScorecardSerializer(serializers.Serializer):
    """Contributions and rounding add up to the score exactly."""

    score = serializers.IntegerField(allow_null=True)
    parts = ScorePartSerializer(many=True)
    rounding = serializers.CharField()


class LifetimeFitSerializer(serializers.ModelSerializer):
    """The lifetime model: BG/NBD (r, alpha, a, b; time in weeks) and Gamma-Gamma (p, q, v; money).

    Without a model parameters are null, reason is its code and why says it.
    """

    why = serializers.SerializerMethodField()

    class Meta:
        model = LifetimeFit
        fields = [
            "as_of", "r", "alpha", "a", "b", "log_likelihood", "p", "q", "v", "customers", "repeaters", "converged",
            "reason", "why",
        ]  # fmt: skip

    def get_why(self, row: LifetimeFit) -> str:
        return str(WHY_NO_MODEL[row.reason]) if row.reason else ""


class WorthDetailSerializer(WorthSerializer):
    """The same, with all that the numbers consist of: facts, formulas' inputs, evidence and the model."""

    net = Money(read_only=True, help_text="Net money of all time.")
    mean_order = Money(read_only=True, help_text="Mean net money of an order day after the first.")
    window_net = Money(read_only=True, help_text="Net money of the tiers' window.")
    referred_net = Money(read_only=True, help_text="What referred customers brought in that window.")
    discounted = DiscountedSerializer()
    simple = SimpleSerializer()
    scorecard = ScorecardSerializer()
    fit = LifetimeFitSerializer(allow_null=True)

    class Meta(WorthSerializer.Meta):
        fields = [
            *WorthSerializer.Meta.fields, "first_order_on", "last_order_on", "repeats", "net", "mean_order", "window_net",
            "more_than", "days_late", "referred_net", "discounted", "simple", "scorecard", "fit",
        ]  # fmt: skip


class WorthViewSet(OfTheNight):
    """Lifetime values and value scores; one customer's with its formulas. The address has the customer's id."""

    resource = "values"
    queryset: Any = Worth.objects
    serializer_class = WorthSerializer
    filterset_class = WorthFilter
    orderings: ClassVar[tuple[str, ...]] = ("customer_id", "-customer_id", "clv", "-clv")

    def detailed(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        return super().detailed(rows.select_related("fit") if self.action == "retrieve" else rows)

    @bodies(responses=WorthDetailSerializer)
    def retrieve(self, request: Request, **_address: str) -> Response:
        """What one customer is worth, with every number that it consists of."""
        row = self.get_object()
        explained = explain(row)
        row.discounted, row.simple, row.scorecard = explained.discounted, explained.simple, explained.scorecard
        return Response(WorthDetailSerializer(row, context=self.get_serializer_context()).data)
