"""The API of KPIs: values, the rows behind them, score cards, and closing a period."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, ClassVar

from django.http import Http404
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from incentives.kpis import services as kpis
from incentives.kpis.counting import closing_of
from incentives.kpis.figures import ORDERS, Row, ScoreCard, Stands, Value, Who, may_see, people_seen
from incentives.kpis.views import usual_who
from incentives.models import KpiCount
from incentives.rules.kpis import CODES, Code, Period
from tenants.api.fields import Day, Exact, Moment, Strict
from tenants.api.lists import query_fault
from tenants.api.resources import Resource
from tenants.api.schema import bodies
from tenants.models import Member, Team
from tenants.problems import BadParameters, Fault

MOST_ROWS = 200


class CorrectedSerializer(serializers.Serializer):
    """What a frozen value would be by what was found since."""

    numerator = Exact(max_digits=24, decimal_places=4)
    denominator = Exact(max_digits=24, decimal_places=4)
    value = Exact(max_digits=24, decimal_places=4, allow_null=True)
    found_at = Moment()


class KpiValueSerializer(serializers.Serializer):
    """One KPI. value is in `unit`; achieved in percent of the target; null where there is nothing to measure.

    Of a closed period the value is frozen, and `corrected` says what it would be now, where that is something else.
    """

    kpi = serializers.ChoiceField(source="code", choices=CODES)
    title = serializers.CharField()
    unit = serializers.ChoiceField(source="kpi.unit", choices=["percent", "points", "hours", "count"])
    better = serializers.ChoiceField(source="kpi.better", choices=["up", "down"])
    numerator = Exact(max_digits=24, decimal_places=4)
    denominator = Exact(max_digits=24, decimal_places=4)
    value = Exact(max_digits=24, decimal_places=4, allow_null=True)
    target = Exact(max_digits=24, decimal_places=4)
    achieved = Exact(max_digits=24, decimal_places=4, allow_null=True)
    corrected = CorrectedSerializer(allow_null=True)


class KpisSerializer(serializers.Serializer):
    """The KPIs of somebody in a period; facts of days before as_of are in them."""

    period = serializers.CharField(source="period.code")
    start = Day(source="period.start")
    end = Day(source="period.last")
    who = serializers.CharField(source="who.code")
    as_of = Day()
    is_closed = serializers.BooleanField()
    results = KpiValueSerializer(many=True)


class KpiRowSerializer(serializers.Serializer):
    """A fact behind a value: the row of which table, when, for whom it counts, and how much.

    customer is empty where the caller does not see that customer any more; it counts all the same.
    """

    source = serializers.CharField()  # type: ignore[assignment]  # shadows an attribute that is set when it is bound
    row = serializers.CharField(source="row_id")
    customer = serializers.SerializerMethodField()
    customer_name = serializers.CharField(source="customer")
    day = Day(allow_null=True)
    person = serializers.CharField(source="person_id", allow_null=True)
    person_name = serializers.CharField(source="person")
    team = serializers.CharField()
    numerator = Exact(max_digits=28, decimal_places=8)
    denominator = Exact(max_digits=28, decimal_places=8)

    def get_customer(self, row: Row) -> str:
        return str(row.customer_id) if row.customer else ""

    def to_representation(self, instance: Any) -> Any:
        # Split by days they are shares of a whole: eight decimals say all that is told apart.
        return super().to_representation(
            Row(
                **{
                    **vars(instance),
                    "numerator": _short(instance.numerator),
                    "denominator": _short(instance.denominator),
                }
            )
        )


def _short(value: Any) -> Decimal:
    return round(Decimal(value), 8)


class KpiRowsSerializer(serializers.Serializer):
    results = KpiRowSerializer(many=True)
    next_offset = serializers.IntegerField(allow_null=True, help_text="Where the next page begins; null on the last.")


class ScoreLineSerializer(serializers.Serializer):
    """A KPI of a score card: its weight, the share it has of what could be measured, and what it adds to the score."""

    kpi = serializers.ChoiceField(choices=CODES)
    weight = serializers.IntegerField()
    share = Exact(max_digits=12, decimal_places=4)
    value = Exact(max_digits=24, decimal_places=4, allow_null=True)
    target = Exact(max_digits=24, decimal_places=4)
    achieved = Exact(max_digits=12, decimal_places=4, allow_null=True)
    contribution = Exact(max_digits=12, decimal_places=4)


class ScoreCardSerializer(serializers.Serializer):
    """What a member is measured as in a period, and the score; the contributions add up to it exactly."""

    member = serializers.CharField(source="member.pk")
    member_name = serializers.CharField(source="member")
    period = serializers.CharField(source="period.code")
    job = serializers.ChoiceField(choices=["", "sales", "service", "success"])
    score = Exact(max_digits=12, decimal_places=4, allow_null=True)
    is_on_target = serializers.BooleanField(allow_null=True)
    is_closed = serializers.BooleanField()
    as_of = Day()
    lines = serializers.SerializerMethodField()

    def get_lines(self, card: ScoreCard) -> list[dict[str, Any]]:
        found = [
            {
                "kpi": value.code, "weight": line.weight, "share": line.share, "value": value.value,
                "target": value.target, "achieved": line.achieved, "contribution": line.contribution,
            }
            for value, line in card.lines
        ]  # fmt: skip
        return [dict(each) for each in ScoreLineSerializer(found, many=True).data]


class ScoreCardsSerializer(serializers.Serializer):
    results = ScoreCardSerializer(many=True)


class PeriodBody(Strict):
    """Which period to close."""

    period = serializers.CharField(help_text="2026-W47, 2026-11 or 2026-Q4.")

    def validate_period(self, code: str) -> Period:
        try:
            return Period.read(code)
        except ValueError:
            raise serializers.ValidationError(
                _("Write a week like 2026-W47, a month like 2026-11 or a quarter like 2026-Q4."), code="no_period"
            ) from None


class ClosingSerializer(serializers.Serializer):
    """A closed period: its values are frozen."""

    period = serializers.SerializerMethodField()
    closed_at = Moment()
    closed_by = serializers.CharField(source="closed_by_id", allow_null=True)
    policy_version = serializers.IntegerField()

    def get_period(self, row: Any) -> str:
        return Period(row.span, row.start).code


def _query(name: str, words: str, *, required: bool = False) -> OpenApiParameter:
    return OpenApiParameter(name, str, OpenApiParameter.QUERY, required=required, description=words)


_PERIOD = _query("period", "2026-W47, 2026-11 or 2026-Q4.", required=True)
_WHO = _query("who", "person-<id>, team-<id> or tenant; without it the caller’s own, the lead’s team’s or the firm’s.")
_KPI = _query("kpi", f"One of: {', '.join(CODES)}.")


class KpiViewSet(Resource):
    """KPIs: target against actual of a person, a team or the firm, and the rows behind each value."""

    resource = "kpis"
    queryset: Any = KpiCount.objects  # what the values are of; none is listed
    permissions: ClassVar[Mapping[str, str]] = {
        "values": "kpis:read",
        "rows": "kpis:read",
        "score_cards": "kpis:read",
        "close": "kpis:write",
    }
    parameters: ClassVar[Mapping[str, frozenset[str]]] = {
        "values": frozenset({"period", "who", "kpi"}),
        "rows": frozenset({"period", "who", "kpi", "sort", "offset", "limit"}),
        "score_cards": frozenset({"period", "member"}),
    }
    http_method_names = ["get", "post", "head"]

    @bodies(responses=KpisSerializer, parameters=[_PERIOD, _WHO, _KPI])
    def values(self, request: Request) -> Response:
        """The KPIs of somebody in a period, or one of them."""
        period, who = self._period(), self._who()
        said = request.query_params.get("kpi")
        codes: list[Code] = list(CODES) if said is None else [self._kpi(said)]
        stands = Stands([period], codes)
        found: list[Value] = [stands.value(code, period, who) for code in codes]
        shown = {
            "period": period, "who": who, "as_of": stands.as_of(period),
            "is_closed": stands.closing(period) is not None, "results": found,
        }  # fmt: skip
        return Response(KpisSerializer(shown).data)

    @bodies(
        responses=KpiRowsSerializer,
        parameters=[
            _PERIOD,
            _WHO,
            _query("kpi", f"One of: {', '.join(CODES)}.", required=True),
            _query("sort", f"One of: {', '.join(ORDERS)}."),
            OpenApiParameter("offset", int, OpenApiParameter.QUERY, description="Rows to leave out, 0 without it."),
            OpenApiParameter("limit", int, OpenApiParameter.QUERY, description=f"At most {MOST_ROWS}; 50 without it."),
        ],
    )
    def rows(self, request: Request) -> Response:
        """The facts behind a value, as they are known now."""
        query = request.query_params
        kpi = self._kpi(query.get("kpi", ""))
        sort = query.get("sort", "customer")
        if sort not in ORDERS:
            raise _bad("sort", _("There are: %(known)s.") % {"known": ", ".join(ORDERS)})
        offset, limit = self._number("offset", 0, 0, 1_000_000), self._number("limit", 50, 1, MOST_ROWS)
        found = list(
            kpis.rows(kpi, self._period(), self._who(), order=sort, offset=offset, limit=limit + 1, seen_by=self.member)
        )
        more = offset + limit if len(found) > limit else None
        return Response(KpiRowsSerializer({"results": found[:limit], "next_offset": more}).data)

    @bodies(responses=ScoreCardsSerializer, parameters=[_PERIOD, _query("member", "Of one person only.")])
    def score_cards(self, request: Request) -> Response:
        """The score cards of everybody whom the caller sees, or of one person."""
        period, people = self._period(), people_seen(self.member)
        if (said := request.query_params.get("member")) is not None:
            people = [each for each in people if str(each.pk) == said]
            if not people:
                raise Http404
        return Response(ScoreCardsSerializer({"results": kpis.score_cards(people, period)}).data)

    @bodies(request=PeriodBody, responses=ClosingSerializer)
    def close(self, request: Request) -> Response:
        """Close a period that is over: its numbers then stay. A closed one is refused, saying who closed it."""
        asked = PeriodBody(data=request.data)
        asked.is_valid(raise_exception=True)
        period: Period = asked.validated_data["period"]
        kpis.close_period(period, self.member)
        return Response(ClosingSerializer(closing_of(period)).data, status=201, headers={"Outcome": "created"})

    def _period(self) -> Period:
        said = self.request.query_params.get("period", "")
        try:
            period = Period.read(said)
        except ValueError:
            words = _("Write a week like 2026-W47, a month like 2026-11 or a quarter like 2026-Q4.")
            raise _bad("period", words) from None
        if period.start > self.member.tenant.today():
            raise _bad("period", _("This period has not begun."))
        return period

    def _who(self) -> Who:
        said = self.request.query_params.get("who")
        if said is None:
            return usual_who(self.member)
        try:
            who = Who.read(said)
        except ValueError:
            raise _bad("who", _("Write person-1, team-1 or tenant.")) from None
        if not may_see(self.member, who) or not _exists(who):
            raise Http404
        return who

    def _kpi(self, said: str) -> Code:
        code = next((each for each in CODES if each == said), None)
        if code is None:
            raise _bad("kpi", _("There are: %(known)s.") % {"known": ", ".join(CODES)})
        return code

    def _number(self, name: str, usual: int, least: int, most: int) -> int:
        said = self.request.query_params.get(name)
        if said is None:
            return usual
        if not (said.isascii() and said.isdigit() and len(said) < 9 and least <= int(said) <= most):
            raise _bad(name, _("A whole number from %(least)d to %(most)d.") % {"least": least, "most": most})
        return int(said)


def _bad(name: str, words: str) -> BadParameters:
    fault: Fault = query_fault(name, "invalid", words)
    return BadParameters([fault])


def _exists(who: Who) -> bool:
    if who.kind == "person":
        return bool(Member.objects.filter(pk=who.pk).exists())
    return who.kind == "tenant" or bool(Team.objects.filter(pk=who.pk).exists())
