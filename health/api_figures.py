"""The API of health figures: distribution, trend, movers, transitions, owners, data quality; of whom the caller sees."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, ClassVar, Final, cast, get_args

from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from health import figures, quality
from health.models import Band, HealthScore
from tenants.api.fields import Money
from tenants.api.lists import query_fault, two_days
from tenants.api.resources import Resource
from tenants.api.schema import bodies
from tenants.context import current_tenant
from tenants.problems import BadParameters
from tenants.querysets import last_night

_BANDS: Final = Band.choices
_BANDS_OR_NONE: Final = [*Band.choices, (figures.NOT_SCORED, "")]
_SINCE: Final = [(each, each) for each in get_args(figures.Since)]
MAX_WEEKS: Final = 260
MAX_MOVERS: Final = 200


class _OfADay(serializers.Serializer):
    """As of the last night. Money is in `currency`: net, of the policy's window for tiers."""

    as_of = serializers.DateField(allow_null=True)
    currency = serializers.SerializerMethodField()

    def get_currency(self, figure: Any) -> str:
        return current_tenant().currency


class BandShareSerializer(serializers.Serializer):
    """The customers of a colour, and what part of all customers and of all money they are (0 to 1)."""

    band = serializers.ChoiceField(choices=_BANDS)
    customers = serializers.IntegerField()
    money = Money()
    customer_share = serializers.FloatField(allow_null=True)
    money_share = serializers.FloatField(allow_null=True)


class DistributionSerializer(_OfADay):
    """How many customers have which colour now; rescored of them since the night, after a fact came in."""

    rescored = serializers.IntegerField()
    bands = BandShareSerializer(many=True)


class WeekBandSerializer(serializers.Serializer):
    """How many customers had a colour on a night."""

    band = serializers.ChoiceField(choices=_BANDS)
    customers = serializers.IntegerField()
    money = Money()


class WeekSerializer(serializers.Serializer):
    """The last night of seven days."""

    on = serializers.DateField()
    bands = serializers.SerializerMethodField()

    def get_bands(self, week: figures.Week) -> list[dict[str, Any]]:
        rows = [
            {"band": band, "customers": week.customers.get(band, 0), "money": week.money.get(band, 0)}
            for band in figures.BANDS
        ]
        return cast(list[dict[str, Any]], WeekBandSerializer(rows, many=True).data)


class TrendSerializer(_OfADay):
    """The colours week by week, oldest first; weeks without a night are left out. Counted by A owner."""

    weeks = WeekSerializer(many=True)


class MoverSerializer(serializers.Serializer):
    """A customer whose score changed by so many points."""

    customer = serializers.CharField(source="customer.pk")
    name = serializers.CharField(source="customer.name")
    score = serializers.IntegerField()
    band = serializers.ChoiceField(choices=_BANDS)
    change = serializers.IntegerField()
    money = Money(allow_null=True)


class MoversSerializer(_OfADay):
    """Whose score rose and whose fell since the Monday start: how many, and the first of each, biggest first.

    dropped lost 5 points or more.
    """

    since = serializers.ChoiceField(choices=_SINCE)
    start = serializers.DateField()
    risen = serializers.IntegerField()
    fallen = serializers.IntegerField()
    dropped = serializers.IntegerField()
    up = MoverSerializer(many=True)
    down = MoverSerializer(many=True)


class TransitionSerializer(serializers.Serializer):
    """Customers with the colour `before` on the first day and `after` on the second; empty: none at all."""

    before = serializers.ChoiceField(choices=_BANDS_OR_NONE)
    after = serializers.ChoiceField(choices=_BANDS_OR_NONE)
    customers = serializers.IntegerField()
    money = Money()


class TransitionsSerializer(_OfADay):
    """How customers moved between colours from the day start to the day end; the money is that of now."""

    start = serializers.DateField()
    end = serializers.DateField()
    cells = TransitionSerializer(many=True)


class OwnerHealthSerializer(serializers.Serializer):
    """The customers of an A owner (null: nobody's) by colour; fallen have lost points in a week."""

    owner = serializers.CharField(source="owner.pk", allow_null=True, default=None)
    name = serializers.CharField(source="owner.user.name", allow_null=True, default=None)
    green = serializers.SerializerMethodField()
    yellow = serializers.SerializerMethodField()
    red = serializers.SerializerMethodField()
    none = serializers.SerializerMethodField()
    fallen = serializers.IntegerField()
    money = Money()
    red_money = Money()

    def get_green(self, row: figures.OwnerHealth) -> int:
        return row.customers.get(Band.GREEN, 0)

    def get_yellow(self, row: figures.OwnerHealth) -> int:
        return row.customers.get(Band.YELLOW, 0)

    def get_red(self, row: figures.OwnerHealth) -> int:
        return row.customers.get(Band.RED, 0)

    def get_none(self, row: figures.OwnerHealth) -> int:
        return row.customers.get(Band.NONE, 0)


class OwnersSerializer(_OfADay):
    """Health by A owner; who has most money in red first."""

    owners = OwnerHealthSerializer(many=True)


class KindQualitySerializer(serializers.Serializer):
    """A kind of fact: fresh, stale and missing of the `base` customers of whom it could be known; used: in the score.

    share is that of the fresh ones (0 to 1); short: how many more the goal takes; weight that of its indicators.
    """

    kind = serializers.ChoiceField(choices=[(each, each) for each in quality.KINDS])
    indicators = serializers.SerializerMethodField()
    weight = serializers.IntegerField()
    base = serializers.IntegerField()
    fresh = serializers.IntegerField()
    stale = serializers.IntegerField()
    missing = serializers.IntegerField()
    share = serializers.FloatField(allow_null=True)
    short = serializers.IntegerField()
    used = serializers.IntegerField()
    used_stale = serializers.IntegerField()

    def get_indicators(self, row: quality.KindQuality) -> list[str]:
        return list(quality.INDICATORS[row.kind])


class QualitySerializer(serializers.Serializer):
    """Data quality as of the last night.

    share (0 to 1): what part of all that scores can rest on is there and fresh, each kind by its weight; goal in percent.
    on_stale of the scored customers have a score that rests on a stale fact.
    """

    as_of = serializers.DateField(allow_null=True)
    goal = serializers.IntegerField()
    share = serializers.FloatField(allow_null=True)
    customers = serializers.IntegerField()
    scored = serializers.IntegerField()
    on_stale = serializers.IntegerField()
    stale_share = serializers.FloatField(allow_null=True)
    latest_order_on = serializers.DateField(allow_null=True)
    kinds = KindQualitySerializer(many=True)


def _parameter(name: str, schema: dict[str, Any], words: str = "", *, required: bool = False) -> OpenApiParameter:
    return OpenApiParameter(name, schema, OpenApiParameter.QUERY, required=required, description=words)


_DAY: Final = {"type": "string", "format": "date"}
_SINCE_SCHEMA: Final = {"type": "string", "enum": list(get_args(figures.Since)), "default": "week"}


def _whole(least: int, most: int, usual: int) -> dict[str, Any]:
    return {"type": "integer", "minimum": least, "maximum": most, "default": usual}


class HealthFiguresViewSet(Resource):
    """How customers are doing, worked out when asked for, over those whom the caller sees."""

    resource = "health"
    queryset: Any = HealthScore.objects  # what the figures are of; none is listed
    actions: ClassVar[tuple[str, ...]] = ("distribution", "trend", "movers", "transitions", "owners")
    permissions: ClassVar[Mapping[str, str]] = dict.fromkeys((*actions, "data_quality"), "scores:read")
    parameters: ClassVar[Mapping[str, frozenset[str]]] = {
        "trend": frozenset({"weeks"}),
        "movers": frozenset({"since", "limit"}),
        "transitions": frozenset({"start", "end"}),
    }
    http_method_names = ["get", "head"]

    @bodies(responses=DistributionSerializer)
    def distribution(self, request: Request) -> Response:
        """How many customers, with how much money, have which colour now."""
        return self._said(
            DistributionSerializer,
            rescored=figures.rescored(self.member),
            bands=figures.distribution(self.member),
        )

    @bodies(
        responses=TrendSerializer,
        parameters=[_parameter("weeks", _whole(1, MAX_WEEKS, figures.TREND_WEEKS))],
    )
    def trend(self, request: Request) -> Response:
        """How many had which colour, week by week."""
        weeks = self._number("weeks", most=MAX_WEEKS, usual=figures.TREND_WEEKS)
        return self._said(TrendSerializer, weeks=figures.trend(self.member, self._day_of_figures(), weeks))

    @bodies(
        responses=MoversSerializer,
        parameters=[_parameter("since", _SINCE_SCHEMA), _parameter("limit", _whole(1, MAX_MOVERS, 50))],
    )
    def movers(self, request: Request) -> Response:
        """Whose score rose or fell most since the Monday a week, or a month, before."""
        since = self.request.query_params.get("since", "week")
        if since not in get_args(figures.Since):
            words = _("since is one of: %(known)s.") % {"known": ", ".join(get_args(figures.Since))}
            raise BadParameters([query_fault("since", "invalid_choice", words)])
        limit = self._number("limit", most=MAX_MOVERS, usual=50)
        found = figures.movers(self.member, self._day_of_figures(), cast(figures.Since, since), limit)
        return self._said(MoversSerializer, since=since, **vars(found))

    @bodies(
        responses=TransitionsSerializer,
        parameters=[_parameter(name, _DAY, required=True) for name in ("start", "end")],
    )
    def transitions(self, request: Request) -> Response:
        """How many customers, with how much money, had which colour on two days."""
        start, end = two_days(request.query_params)
        found = figures.transitions(self.member, start, end)
        cells = [
            {"before": a, "after": b, "customers": count, "money": money} for (a, b), (count, money) in found.items()
        ]
        return self._said(TransitionsSerializer, start=start, end=end, cells=cells)

    @bodies(responses=OwnersSerializer)
    def owners(self, request: Request) -> Response:
        """How the customers of each A owner are doing."""
        return self._said(OwnersSerializer, owners=figures.owners(self.member).shown)

    @bodies(responses=QualitySerializer)
    def data_quality(self, request: Request) -> Response:
        """Of how many customers each kind of fact is there and fresh, and which scores rest on it."""
        meter = quality.quality(self.member)
        shares = {"share": meter.share, "stale_share": meter.stale_share}
        return Response(QualitySerializer({"as_of": self._as_of(), **vars(meter), **shares}).data)

    def _said(self, serializer: type[_OfADay], **figure: Any) -> Response:
        return Response(serializer({"as_of": self._as_of(), **figure}).data)

    def _as_of(self) -> dt.date | None:
        night = last_night()
        return night.for_date if night else None

    def _day_of_figures(self) -> dt.date:
        return self._as_of() or current_tenant().today()

    def _number(self, name: str, *, most: int, usual: int) -> int:
        """A whole number of the query from 1 to `most`. Raises BadParameters."""
        text = self.request.query_params.get(name, str(usual))
        if not (text.isascii() and text.isdecimal() and len(text) < 5 and 1 <= int(text) <= most):
            words = _("Must be a whole number from 1 to %(most)s.") % {"most": most}
            raise BadParameters([query_fault(name, "out_of_range", words)])
        return int(text)
