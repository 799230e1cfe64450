"""The API of health: scores with their receipts, of today and of any day, read only."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, ClassVar, Final, get_args

from django.http import Http404
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from customers.api import OfCustomerSerializer, OfTheNight, customers_of, with_external_ids
from customers.models import Customer
from health.filters import HealthFilter
from health.history import month_before, week_before
from health.models import Band, HealthHistory, HealthScore
from health.replay import Fact, Moved, Replay, between, current, last_day, replay
from health.rules.policy import HealthPolicy, WeightsFrom
from health.rules.receipt import Receipt, ReceiptLine
from tenants.api.fields import Moment, money_of_points
from tenants.api.lists import given_day, query_fault
from tenants.api.schema import bodies
from tenants.context import current_tenant
from tenants.filters import id_number
from tenants.policies import Policy, active_policy
from tenants.problems import BadParameters
from tenants.querysets import last_night

# The facts of a line that are money.
_MONEY: Final = frozenset({("spend_trend", "recent"), ("spend_trend", "before")})

FACTS_SHOWN: Final = 20
"""So many facts are listed below what they moved, the newest."""


class HealthSerializer(OfCustomerSerializer):
    """A customer's health: 0 to 100; null and "none" when too little is known.

    as_of is the day of the last night, or, after a fact has come in since (rescored_at), that of the coming one.
    band_since is the day of the night that first gave this colour. week_score and month_score are the scores on the
    Monday at least 7, at least 30 days before.
    """

    as_of = serializers.SerializerMethodField()
    band = serializers.ChoiceField(choices=Band.choices)
    rescored_at = Moment(read_only=True, allow_null=True)

    class Meta:
        model = HealthScore
        fields = [
            "customer", "external_ids", "as_of", "score", "band", "band_since", "known", "week_score", "month_score",
            "rescored_at", "policy_version",
        ]  # fmt: skip

    def get_as_of(self, row: HealthScore) -> dt.date | None:
        night = self.context["as_of"]
        return row.as_of(night) if night else None


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
    is_assumed = serializers.BooleanField(
        help_text="Unknown, and counted as the points that the policy gives for that."
    )

    def get_inputs(self, line: ReceiptLine) -> dict[str, Any]:
        return {
            name: money_of_points(value) if (line.key, name) in _MONEY and isinstance(value, int) else value
            for name, value in line.inputs.items()
        }


class AlsoSerializer(serializers.Serializer):
    """What an act would make of the score: contact (an answered one), solve (what is asked repeatedly), order (today)."""

    action = serializers.CharField()
    score = serializers.IntegerField()
    band = serializers.ChoiceField(choices=Band.choices)


class LiftSerializer(AlsoSerializer):
    """What one act would make of the score; then: what another one would make of it as well."""

    then = AlsoSerializer(allow_null=True)


class ReceiptSerializer(serializers.Serializer):
    """Contributions and rounding add up to the score exactly.

    weights_from says whose weights count: all, or those of a tier or stage, which weights_for names.
    """

    as_of = serializers.DateField()
    score = serializers.IntegerField(allow_null=True)
    band = serializers.ChoiceField(choices=Band.choices)
    known = serializers.IntegerField()
    minimum_known = serializers.IntegerField()
    currency = serializers.SerializerMethodField()
    lines = ReceiptLineSerializer(many=True)
    rounding = serializers.CharField()
    lift = LiftSerializer(allow_null=True)
    weights_from = serializers.ChoiceField(choices=[(each, each) for each in get_args(WeightsFrom)])
    weights_for = serializers.CharField()

    def get_currency(self, receipt: Receipt) -> str:
        return current_tenant().currency


class FactSerializer(serializers.Serializer):
    """A fact that came in: an order, contact, complaint, solution (of a complaint), answer or payment (of an order).

    id is that of the row: of the order, interaction, complaint or survey response.
    """

    kind = serializers.CharField()
    on = serializers.DateField()
    id = serializers.SerializerMethodField()

    def get_id(self, fact: Fact) -> str:
        return str(fact.row.pk)


class IndicatorMoveSerializer(serializers.Serializer):
    """What one indicator did to the score, and the facts that came in: the newest 20 of facts_count.

    by: facts; time alone (days since the last order, what has left a window); weights (the value is as before, others
    have become known or unknown); rounding, which is a key of its own.
    """

    key = serializers.CharField()
    change = serializers.CharField()
    by = serializers.CharField()
    before = serializers.FloatField(source="before.value", allow_null=True, default=None)
    after = serializers.FloatField(source="after.value", allow_null=True, default=None)
    facts_count = serializers.SerializerMethodField()
    facts = serializers.SerializerMethodField()

    def get_facts_count(self, move: Any) -> int:
        return len(move.facts)

    def get_facts(self, move: Any) -> list[dict[str, Any]]:
        return [dict(FactSerializer(fact).data) for fact in move.facts[:FACTS_SHOWN]]


class MovedSerializer(serializers.Serializer):
    """What moved the score since a day; the changes add up to the difference of the two scores.

    score is the one of that day by the facts that are known today; policy_version the one by which it is drawn.
    """

    since = serializers.DateField()
    score = serializers.IntegerField(source="score_then", allow_null=True)
    change = serializers.IntegerField(allow_null=True)
    policy_version = serializers.IntegerField(source="then.policy.number")
    moves = IndicatorMoveSerializer(many=True)


class MovedSinceSerializer(serializers.Serializer):
    """Since the Monday at least 7, and the one at least 30 days before as_of."""

    week = MovedSerializer()
    month = MovedSerializer()


class HealthHistorySerializer(serializers.ModelSerializer):
    """The score on a day. A row is written when the colour changes, and once a week while the score moves.

    What is not written has not changed: the score of any Monday is that of the last row up to it.
    """

    band = serializers.ChoiceField(choices=Band.choices)

    class Meta:
        model = HealthHistory
        fields = ["on", "score", "band"]


class ReplaySerializer(serializers.Serializer):
    """How the day compares with what its night said.

    had_night: a night ran for this day. kept: the last row of the history up to it. differs: the night said something
    else than these facts do; changed_since then counts the facts dated before the day that were entered or changed
    after that night, by kind.
    """

    had_night = serializers.SerializerMethodField()
    kept = HealthHistorySerializer(allow_null=True)
    differs = serializers.BooleanField()
    changed_since = serializers.DictField(child=serializers.IntegerField())

    def get_had_night(self, replayed: Replay) -> bool:
        return replayed.night is not None


class HealthDetailSerializer(HealthSerializer):
    """The same, with the receipt: every number that the score consists of; and what moved it, with the facts.

    moved is null before the first night. replay is null but for another day (as_of), whose score then is what that
    night says by the facts dated before it that are known today; receipt is null when the customer was closed by then.
    """

    receipt = ReceiptSerializer(allow_null=True)
    moved = MovedSinceSerializer(allow_null=True)
    replay = ReplaySerializer(allow_null=True)

    class Meta(HealthSerializer.Meta):
        fields = [*HealthSerializer.Meta.fields, "receipt", "moved", "replay"]


class HealthHistoryListSerializer(serializers.Serializer):
    """All rows of the history in the days asked for, oldest first."""

    results = HealthHistorySerializer(many=True)


def _a_day(name: str, words: str) -> OpenApiParameter:
    return OpenApiParameter(name, dt.date, description=words)


class HealthViewSet(OfTheNight):
    """Health scores of today, or of another day; one customer's with its receipt. The address has the customer's id."""

    resource = "scores"
    queryset: Any = HealthScore.objects
    serializer_class = HealthSerializer
    filterset_class = HealthFilter
    parameters: ClassVar[Mapping[str, frozenset[str]]] = {
        "retrieve": frozenset({"as_of"}),
        "history": frozenset({"since", "until"}),
    }

    @bodies(
        responses=HealthDetailSerializer,
        parameters=[_a_day("as_of", "Another day, up to tomorrow: the score is worked out again as of it.")],
    )
    def retrieve(self, request: Request, **_address: str) -> Response:
        """Health of one customer with its receipt: as it stands, or as of another day."""
        context = self.get_serializer_context()
        if day := given_day(request.query_params, "as_of"):
            row = _replayed(self._customer(), day)
            context["as_of"] = day
        else:
            row = self.get_object()
            _explain(row)
        return Response(HealthDetailSerializer(row, context=context).data)

    @bodies(
        responses=HealthHistoryListSerializer,
        parameters=[_a_day("since", "From this day on."), _a_day("until", "Up to and with this day.")],
    )
    @action(detail=True, methods=["get"])
    def history(self, request: Request, customer: str) -> Response:
        """What the customer's scores were, also of a customer who is closed now."""
        rows = HealthHistory.objects.filter(customer=self._customer()).order_by("on")
        if since := given_day(request.query_params, "since"):
            rows = rows.filter(on__gte=since)
        if until := given_day(request.query_params, "until"):
            rows = rows.filter(on__lte=until)
        return Response(HealthHistoryListSerializer({"results": rows}).data)

    def _customer(self) -> Any:
        """The customer of the address. Raises Http404."""
        number = id_number(self.kwargs["customer"])
        rows = with_external_ids(customers_of(self.member), "pk")
        row = None if number is None else rows.filter(pk=number).first()
        if row is None:
            raise Http404
        return row


def _explain(row: Any) -> None:
    """Hang the receipt of a score onto it, and what moved it."""
    night, row.replay, row.moved = last_night(), None, None
    if night is None:
        row.receipt = row.receipt(active_policy().section(HealthPolicy), current_tenant().today())
    else:
        row.receipt, policy = current(row, night)
        row.moved = _moved(row.customer, row.receipt, policy)


def _replayed(customer: Any, day: dt.date) -> Any:
    """A score as of another day, which no table has. Raises BadParameters for a day that has not come."""
    if day > last_day():
        raise BadParameters([query_fault("as_of", "in_the_future", _("Tomorrow at the latest."))])
    again = replay(customer, day)
    row: Any = HealthScore(customer=customer, band=Band.NONE, known=0, policy_version=again.policy.number)
    row.names, row.receipt, row.replay, row.moved = customer.names, again.receipt, again, None
    if again.receipt is not None:
        row.score, row.band, row.known = again.receipt.score, again.receipt.band, again.receipt.known
        row.moved = _moved(customer, again.receipt, again.policy)
        row.week_score, row.month_score = (moved.score_then for moved in row.moved.values())
    return row


def _moved(customer: Customer, now: Receipt, policy: Policy) -> dict[str, Moved]:
    return {
        "week": between(customer, week_before(now.as_of), now, policy),
        "month": between(customer, month_before(now.as_of), now, policy),
    }
