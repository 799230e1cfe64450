"""The API of the lapse forecast: who may lapse and why, and the forecast's own record in past months."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, ClassVar, Final, get_args

from django.db.models import QuerySet, Subquery
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from customers.api import OfCustomerSerializer, OfTheNight
from health import backtests, forecasting
from health.filters import BackTestFilter, ForecastFilter
from health.models import BackTest, LapseForecast
from health.rules.backtest import Refusal
from health.rules.forecast import Code, Fit, Part, PartKey, Reason
from tenants.api.fields import Day, Money, Strict, money_of_points
from tenants.api.resources import Resource
from tenants.api.schema import bodies
from tenants.context import current_tenant

CODES: Final = [(each, each) for each in get_args(Code)]
REASONS: Final = [(each, each) for each in get_args(Reason)]
# Refusal is a union of two lists of codes.
REFUSALS: Final = [
    (each, each) for each in dict.fromkeys(code for codes in get_args(Refusal) for code in get_args(codes))
]
# The facts of a customer, and of the reasons, that are money.
_MONEY: Final = frozenset({"mean_order", "net_quarter", "net_year"})


def _facts(said: Mapping[str, Any]) -> dict[str, Any]:
    """Facts with money as the API writes it."""
    return {
        name: money_of_points(value) if name in _MONEY and value is not None else value for name, value in said.items()
    }


# ── forecasts ───────────────────────────────────────────────────────────────


class ForecastSerializer(OfCustomerSerializer):
    """How likely a customer orders nothing in the next horizon_days, as of the night of as_of.

    percent is null where there is no number, and code says why: one_order, one_day (several orders, all on one day),
    lapsed (silent for longer already), no_model. is_warned: from the policy's line on, or, with no_model, silent for
    longer than the policy's days; warned_on is the first night of it. expected_money is that of the next 12 months,
    money_at_risk percent of it; null where credit notes leave nothing to expect.
    """

    as_of = serializers.DateField(source="told_on", allow_null=True, read_only=True)
    code = serializers.ChoiceField(choices=CODES, help_text="Why there is no percent; empty when there is one.")
    expected_money = Money(read_only=True)
    money_at_risk = Money(read_only=True)
    currency = serializers.SerializerMethodField()

    class Meta:
        model = LapseForecast
        fields = [
            "customer", "external_ids", "as_of", "percent", "code", "horizon_days", "is_warned", "warned_on",
            "expected_money", "money_at_risk", "currency", "policy_version",
        ]  # fmt: skip

    def get_currency(self, row: LapseForecast) -> str:
        return current_tenant().currency


class ReasonSerializer(serializers.Serializer):
    """What one kind of fact adds to the usual, in percentage points, and the facts."""

    key = serializers.ChoiceField(choices=[(each, each) for each in get_args(PartKey)])
    points = serializers.IntegerField()
    inputs = serializers.SerializerMethodField()

    def get_inputs(self, part: Part) -> dict[str, Any]:
        return _facts(part.inputs)


class ExplanationSerializer(serializers.Serializer):
    """usual + the points of reasons + other = percent, exactly. usual is a typical active customer's."""

    percent = serializers.IntegerField()
    usual = serializers.IntegerField()
    reasons = ReasonSerializer(source="parts", many=True, help_text="The strongest, at most three.")
    other = serializers.IntegerField()


class LapseModelSerializer(serializers.Serializer):
    """The model of the month: fitted on as_of to windows of customers that were closed by then; or why there is none.

    lifetime_reason says more where the lifetime model that it builds on finds nothing. knows_season: whether there is
    a year of history to tell the season from; rates are how busy each calendar month is, 1 on the mean.
    """

    as_of = serializers.DateField()
    customers = serializers.IntegerField()
    windows = serializers.IntegerField()
    reason = serializers.ChoiceField(choices=REASONS)
    lifetime_reason = serializers.CharField()
    knows_season = serializers.SerializerMethodField()
    rates = serializers.SerializerMethodField()

    def get_knows_season(self, model: Fit) -> bool:
        return model.season.known

    def get_rates(self, model: Fit) -> list[float]:
        return list(model.season.rates)


class ForecastDetailSerializer(ForecastSerializer):
    """The same, with the facts that it rests on, what makes it differ from the usual, and the model."""

    facts = serializers.SerializerMethodField(help_text="As of as_of, by what is known now.")
    explanation = ExplanationSerializer(allow_null=True)
    model = LapseModelSerializer(allow_null=True)

    class Meta(ForecastSerializer.Meta):
        fields = [*ForecastSerializer.Meta.fields, "facts", "explanation", "model"]

    def get_facts(self, row: Any) -> dict[str, Any]:
        return _facts({name: value for name, value in row.facts.items() if name != "customer_id"})


class ForecastViewSet(OfTheNight):
    """Lapse forecasts, most money at risk first; one customer's with its reasons. The address has the customer's id.

    Customers who never ordered have none.
    """

    resource = "forecasts"
    queryset: Any = LapseForecast.objects
    serializer_class = ForecastSerializer
    filterset_class = ForecastFilter
    orderings: ClassVar[tuple[str, ...]] = ("-money_at_risk", "money_at_risk", "customer_id", "-customer_id")

    @property
    def as_of(self) -> dt.date | None:
        return None  # the rows say it themselves: of another night than the last where a later step has failed

    def detailed(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        rows = rows.annotate(told_on=Subquery(forecasting.nights_told()[:1]))
        return super().detailed(rows.select_related("fit") if self.action == "retrieve" else rows)

    @bodies(responses=ForecastDetailSerializer)
    def retrieve(self, request: Request, **_address: str) -> Response:
        """The forecast of one customer, with what makes it differ from the usual."""
        row = self.get_object()
        explained = forecasting.explain(row, as_of=row.told_on)
        row.explanation, row.model, row.facts = explained.explanation, explained.model, explained.facts or {}
        return Response(ForecastDetailSerializer(row, context=self.get_serializer_context()).data)


# ── back-tests ──────────────────────────────────────────────────────────────


class MeasuresSerializer(serializers.Serializer):
    """How well forecasts did; shares are 0 to 1. docs/rules/forecast.md says how each is counted.

    majority_… is of saying the same of everybody, rule_… of the plain rule of silence. Means over cut-offs make
    fractions of counts.
    """

    customers = serializers.FloatField()
    base_rate = serializers.FloatField(help_text="Share that lapsed.")
    auc = serializers.FloatField()
    average_precision = serializers.FloatField()
    accuracy = serializers.FloatField()
    majority_accuracy = serializers.FloatField()
    rule_accuracy = serializers.FloatField()
    warned = serializers.FloatField()
    precision = serializers.FloatField(allow_null=True)
    recall = serializers.FloatField()
    rule_warned = serializers.FloatField()
    rule_precision = serializers.FloatField(allow_null=True)
    rule_recall = serializers.FloatField()
    precision_top_decile = serializers.FloatField()
    brier = serializers.FloatField()
    ece = serializers.FloatField()
    lead_time_days = serializers.FloatField(allow_null=True)
    rule_lead_time_days = serializers.FloatField(allow_null=True)


class CutOffSerializer(serializers.Serializer):
    """One past day: its measures, or why it could not be measured."""

    day = serializers.DateField()
    measures = MeasuresSerializer(allow_null=True)
    reason = serializers.ChoiceField(choices=REFUSALS)
    lifetime_reason = serializers.CharField()


class BinSerializer(serializers.Serializer):
    """Forecasts between low and high: how many, what they said on the mean, what share lapsed."""

    low = serializers.FloatField()
    high = serializers.FloatField()
    n = serializers.IntegerField()
    predicted = serializers.FloatField(allow_null=True)
    seen = serializers.FloatField(allow_null=True)


class DecileSerializer(serializers.Serializer):
    """A tenth of the forecasts, the first at highest risk: how many, and what share of them lapsed."""

    number = serializers.IntegerField()
    n = serializers.IntegerField()
    lapsed = serializers.FloatField(allow_null=True)


class BackTestSerializer(serializers.ModelSerializer):
    """What the forecast would have said in the months from that of first to that of last, and what then came.

    done of total months are measured. means are over the months that could be; without any, reason says why.
    """

    id = serializers.CharField(source="pk")
    horizon_days = serializers.IntegerField()
    member = serializers.CharField(source="member_id", allow_null=True, help_text="Who started it; null: the night.")
    done = serializers.IntegerField()
    total = serializers.IntegerField()
    reason = serializers.CharField()
    means = MeasuresSerializer(source="result.means", allow_null=True, read_only=True)

    class Meta:
        model = BackTest
        fields = [
            "id", "first", "last", "horizon_days", "status", "done", "total", "reason", "means", "member",
            "policy_version", "created_at", "finished_at",
        ]  # fmt: skip


class BackTestDetailSerializer(BackTestSerializer):
    """The same, month by month, with calibration and gain over all forecasts of all months; null until it is done."""

    cut_offs = CutOffSerializer(source="result.cut_offs", many=True, allow_null=True, read_only=True)
    calibration = BinSerializer(source="result.calibration", many=True, allow_null=True, read_only=True)
    gain = DecileSerializer(source="result.gain", many=True, allow_null=True, read_only=True)

    class Meta(BackTestSerializer.Meta):
        fields = [*BackTestSerializer.Meta.fields, "cut_offs", "calibration", "gain"]


class StartSerializer(Strict):
    """Which months to test, by any day of the first and the last; left out: the last ten that can be."""

    first = Day(required=False)
    last = Day(required=False)
    horizon_days = serializers.IntegerField(required=False, help_text="Left out: what the policy says.")


class BackTestViewSet(Resource):
    """Back-tests of the forecast, oldest first; a POST lets a worker make one."""

    resource = "back-tests"
    queryset: Any = BackTest.objects
    serializer_class = BackTestSerializer
    filterset_class = BackTestFilter
    orderings: ClassVar[tuple[str, ...]] = ("id", "-id")
    http_method_names = ["get", "post", "head"]

    def visible(self) -> QuerySet[BackTest]:
        return backtests.with_progress()

    @bodies(responses=BackTestDetailSerializer)
    def retrieve(self, request: Request, **_address: str) -> Response:
        """One back-test, month by month."""
        return Response(BackTestDetailSerializer(self.get_object(), context=self.get_serializer_context()).data)

    @bodies(request=StartSerializer, responses={201: BackTestSerializer, 200: BackTestSerializer})
    def create(self, request: Request) -> Response:
        """Start a back-test. While the same one is under way, that one is the answer."""
        asked = StartSerializer(data=request.data, context=self.get_serializer_context())
        asked.is_valid(raise_exception=True)
        row, outcome = backtests.start_back_test(member=self.member, **asked.validated_data)
        return self.one(
            self.get_queryset().get(pk=row.pk), status=201 if outcome == "created" else 200, outcome=outcome
        )
