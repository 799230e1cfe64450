"""The API of sales figures: repurchase, order values, Pareto curve, season, migration; of whom the member sees."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, ClassVar

from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from segmentation import figures
from segmentation.models import Standing, Tier
from segmentation.rules import sales
from segmentation.rules.policy import TierPolicy
from tenants.api.fields import Money
from tenants.api.lists import past_day, two_days
from tenants.api.resources import Resource
from tenants.api.schema import bodies
from tenants.base import POINTS
from tenants.context import current_tenant
from tenants.policies import active_policy
from tenants.querysets import last_night

_PERIODS = [(each, each) for each in sales.PERIODS]


class FigureSerializer(serializers.Serializer):
    """As of a day: what happened before it counts. Money is in `currency`."""

    as_of = serializers.DateField()
    currency = serializers.SerializerMethodField()

    def get_currency(self, figure: Any) -> str:
        return current_tenant().currency


class RateSerializer(serializers.Serializer):
    """Of the customers who ordered from before until start, how many ordered again from start until end.

    share is null when nobody ordered before; covered is false when the orders begin after `before`.
    """

    period = serializers.ChoiceField(choices=_PERIODS)
    before = serializers.DateField()
    start = serializers.DateField()
    end = serializers.DateField(help_text="The day after the last one.")
    buyers_before = serializers.IntegerField()
    bought_again = serializers.IntegerField()
    share = serializers.FloatField(allow_null=True)
    covered = serializers.BooleanField()


class RepurchaseSerializer(FigureSerializer):
    """Repurchase rates of the last full month, quarter and year, and by month for a year, oldest first."""

    periods = RateSerializer(many=True)
    months = RateSerializer(many=True)


class OrderMonthSerializer(serializers.Serializer):
    """Orders of a month, their net money, and net money per order (null without orders)."""

    month = serializers.DateField()
    orders = serializers.IntegerField()
    net = Money()
    average = serializers.SerializerMethodField()

    def get_average(self, row: sales.OrderMonth) -> str | None:
        return _money(row.average)


class GrowthSerializer(serializers.Serializer):
    """Net money per order of a period beside that of the one before; change is a share (0.05: 5 % more)."""

    period = serializers.ChoiceField(choices=_PERIODS)
    before = serializers.DateField(source="span.before")
    start = serializers.DateField(source="span.start")
    end = serializers.DateField(source="span.end", help_text="The day after the last one.")
    orders_before = serializers.IntegerField()
    orders = serializers.IntegerField()
    average_before = serializers.SerializerMethodField()
    average = serializers.SerializerMethodField()
    change = serializers.FloatField(allow_null=True)
    covered = serializers.BooleanField()

    def get_average_before(self, row: sales.Growth) -> str | None:
        return _money(row.average_before)

    def get_average(self, row: sales.Growth) -> str | None:
        return _money(row.average)


class OrderValuesSerializer(FigureSerializer):
    """The average order by month, oldest first, and its growth."""

    months = OrderMonthSerializer(many=True)
    growth = GrowthSerializer(many=True)


class ParetoPointSerializer(serializers.Serializer):
    """The best `customers` customers bring `share` (0 to 1) of the money."""

    customers = serializers.IntegerField()
    share = serializers.FloatField()


class ParetoSerializer(FigureSerializer):
    """Who brings the net money from start until end. Customers below nothing are counted beside the curve."""

    start = serializers.DateField()
    end = serializers.DateField(help_text="The day after the last one.")
    core_share = serializers.IntegerField(help_text="Percent of the money that the core brings.")
    customers = serializers.IntegerField()
    total = Money()
    core_customers = serializers.IntegerField()
    core_money = Money()
    core_line = Money(help_text="Net money of the smallest customer of the core.")
    negative_customers = serializers.IntegerField()
    negative_money = Money()
    points = ParetoPointSerializer(many=True)


class SeasonMonthSerializer(serializers.Serializer):
    """A calendar month: its share of a year's orders, and the least and most of single years."""

    month = serializers.IntegerField()
    orders = serializers.IntegerField()
    share = serializers.FloatField()
    least = serializers.FloatField()
    most = serializers.FloatField()


class SeasonsSerializer(FigureSerializer):
    """When in the year orders come; no months when there are fewer than two full years."""

    years = serializers.IntegerField()
    start = serializers.DateField(allow_null=True)
    end = serializers.DateField(help_text="The day after the last one.")
    history_months = serializers.IntegerField()
    months = SeasonMonthSerializer(many=True)


class MigrationCellSerializer(serializers.Serializer):
    """Customers with the tier `before` on the first day and `after` on the second; money of the window."""

    before = serializers.ChoiceField(choices=Tier.choices)
    after = serializers.ChoiceField(choices=Tier.choices)
    customers = serializers.IntegerField()
    money = serializers.SerializerMethodField()

    def get_money(self, cell: dict[str, Any]) -> str | None:
        return _money(Decimal(cell["money"]) / POINTS)


class MigrationSerializer(serializers.Serializer):
    """How customers moved between tiers from the day start to the day end."""

    start = serializers.DateField()
    end = serializers.DateField()
    currency = serializers.SerializerMethodField()
    cells = MigrationCellSerializer(many=True)

    def get_currency(self, figure: Any) -> str:
        return current_tenant().currency


def _money(value: Decimal | None) -> str | None:
    return None if value is None else Money().to_representation(round(value, 2))


_AS_OF = OpenApiParameter(
    "as_of", {"type": "string", "format": "date"}, OpenApiParameter.QUERY, description="Default: the last night."
)
_DAYS = [
    OpenApiParameter(name, {"type": "string", "format": "date"}, OpenApiParameter.QUERY, required=True)
    for name in ("start", "end")
]
_ONE_DAY = frozenset({"as_of"})


class FiguresViewSet(Resource):
    """Sales figures, worked out when asked for, over the customers whom the caller sees."""

    resource = "figures"
    queryset: Any = Standing.objects  # what the figures are of; none is listed
    actions: ClassVar[tuple[str, ...]] = ("repurchase", "order_values", "pareto", "seasons", "migration")
    permissions: ClassVar[Mapping[str, str]] = dict.fromkeys(actions, "values:read")
    parameters: ClassVar[Mapping[str, frozenset[str]]] = {
        **dict.fromkeys(actions, _ONE_DAY),
        "migration": frozenset({"start", "end"}),
    }
    http_method_names = ["get", "head"]

    @bodies(responses=RepurchaseSerializer, parameters=[_AS_OF])
    def repurchase(self, request: Request) -> Response:
        """How many of those who ordered before ordered again: month, quarter, year."""
        day = self._as_of()
        told = {
            "as_of": day,
            "periods": figures.repurchase(self.member, day),
            "months": figures.repurchase_series(self.member, day),
        }
        return Response(RepurchaseSerializer(told).data)

    @bodies(responses=OrderValuesSerializer, parameters=[_AS_OF])
    def order_values(self, request: Request) -> Response:
        """Net money per order, by month, and its growth."""
        day = self._as_of()
        found = figures.order_values(self.member, day)
        return Response(OrderValuesSerializer({"as_of": day, "months": found.months, "growth": found.growth}).data)

    @bodies(responses=ParetoSerializer, parameters=[_AS_OF])
    def pareto(self, request: Request) -> Response:
        """Which share of the customers brings which share of the money."""
        day = self._as_of()
        found = figures.pareto(self.member, day, active_policy().section(TierPolicy))
        return Response(ParetoSerializer({"as_of": day, **vars(found)}).data)

    @bodies(responses=SeasonsSerializer, parameters=[_AS_OF])
    def seasons(self, request: Request) -> Response:
        """Which share of a year's orders comes in which calendar month."""
        day = self._as_of()
        return Response(SeasonsSerializer({"as_of": day, **vars(figures.seasons(self.member, day))}).data)

    @bodies(responses=MigrationSerializer, parameters=_DAYS)
    def migration(self, request: Request) -> Response:
        """How many customers, with how much money, had which tier on two days."""
        start, end = two_days(request.query_params)
        cells = figures.migration(self.member, start, end).rows(named=True)
        return Response(MigrationSerializer({"start": start, "end": end, "cells": cells}).data)

    def _as_of(self) -> dt.date:
        if "as_of" in self.request.query_params:
            return past_day(self.request.query_params, "as_of")
        night = last_night()
        return night.for_date if night else current_tenant().today()
