"""The API of awards: medals, the ranking of a month, awarding and correcting it, the best case."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from customers.api import NAMED_MEMBER, colleagues
from incentives.awards import services as awards
from incentives.awards.lists import MedalFilter, medal_rows
from incentives.awards.ranking import Stood, standing_round, stood_in
from incentives.awards.words import case_points, medal_why, why_without_place
from incentives.models import AwardStanding, Medal
from incentives.rules.awards import SHARES
from incentives.rules.kpis import Period
from tenants.api.fields import Day, Exact, Moment, Ref, Strict
from tenants.api.lists import query_fault
from tenants.api.resources import Resource
from tenants.api.schema import bodies
from tenants.problems import BadParameters


class MedalSerializer(serializers.ModelSerializer):
    """What somebody was honoured with for a month. `ended_at`: taken back, with the reason; it stays to be read."""

    id = serializers.CharField(source="pk")
    month = Day(help_text="Its first day.")
    member = serializers.CharField(source="member_id")
    member_name = serializers.CharField(source="member")
    team = serializers.CharField(source="team_id", allow_null=True)
    score = Exact(allow_null=True, help_text="Points of percent above what is usual; null for the best case.")
    case = serializers.CharField(source="case_id", allow_null=True)
    words = serializers.SerializerMethodField(help_text="Why, in the caller's language.")
    given_by = serializers.CharField(source="given_by_id", allow_null=True)
    given_at = Moment()
    ended_at = Moment(allow_null=True)
    updated_at = Moment()

    class Meta:
        model = Medal
        fields = [
            "id", "month", "kind", "member", "member_name", "team", "score", "case", "words", "given_by", "given_at",
            "ended_at", "ended_why", "updated_at",
        ]  # fmt: skip

    def get_words(self, row: Medal) -> str:
        return medal_why(row)


class AwardPartSerializer(serializers.Serializer):
    """One share of a score: value and usual in percent, above and adds in points of percent."""

    share = serializers.ChoiceField(choices=SHARES)
    weight = serializers.IntegerField()
    customers = serializers.IntegerField()
    counts = serializers.BooleanField()
    value = Exact(allow_null=True)
    usual = Exact(allow_null=True)
    above = Exact(allow_null=True)
    adds = Exact()


class AwardStandingSerializer(serializers.Serializer):
    """Where somebody stands in a month; without a place `why_not` says why, `words` in the caller's language."""

    member = serializers.CharField(source="member.pk")
    member_name = serializers.CharField(source="member")
    place = serializers.IntegerField(allow_null=True)
    score = Exact(allow_null=True)
    before = Exact(allow_null=True, help_text="The score of the month before, where there was a place.")
    why_not = serializers.ChoiceField(choices=["", *AwardStanding.WhyNot.values])
    words = serializers.SerializerMethodField()
    working_days = serializers.IntegerField(source="there.working_days")
    away_days = serializers.IntegerField(source="there.away_days")
    parts = AwardPartSerializer(many=True)

    def get_words(self, stood: Stood) -> str:
        return why_without_place(stood)


class RankingSerializer(serializers.Serializer):
    """The ranking of a month as it holds now; revision null: not awarded yet. Only whom the caller sees is listed."""

    period = serializers.CharField()
    revision = serializers.IntegerField(allow_null=True)
    why = serializers.CharField(help_text="Why it was corrected; empty for the first revision.")
    as_of = Day(allow_null=True)
    policy_version = serializers.IntegerField(allow_null=True)
    awarded_at = Moment(allow_null=True)
    with_place = serializers.IntegerField()
    results = AwardStandingSerializer(many=True)


class MonthBody(Strict):
    """Which month."""

    period = serializers.CharField(help_text="2026-10.")

    def validate_period(self, code: str) -> Period:
        month = _month(code)
        if month is None:
            raise serializers.ValidationError(_("Write a month like 2026-10."), code="no_month")
        return month


class CorrectBody(MonthBody):
    """Why it is corrected, and who is left out of it for good."""

    why = serializers.CharField(max_length=500)
    leave_out = Ref(colleagues, NAMED_MEMBER, required=False, allow_null=True)


class BestCaseBody(MonthBody):
    """Which of the proposed cases, and what others can learn from it."""

    case = serializers.IntegerField()
    reason = serializers.CharField(max_length=500)


class ProposalSerializer(serializers.Serializer):
    """A case that may be the best of its month, and what it has for it."""

    case = serializers.CharField(source="case.pk")
    customer = serializers.CharField(source="case.customer_id")
    handler = serializers.CharField(source="handler.pk")
    points = serializers.IntegerField(source="proposal.points")
    words = serializers.SerializerMethodField()

    def get_words(self, each: Any) -> str:
        return case_points(each)


class ProposalsSerializer(serializers.Serializer):
    results = ProposalSerializer(many=True)


_PERIOD = OpenApiParameter("period", str, OpenApiParameter.QUERY, required=True, description="A month: 2026-10.")


class AwardViewSet(Resource):
    """Awards: medals of a month's ranking and best cases."""

    resource = "awards"
    permissions: ClassVar[Mapping[str, str]] = {
        "standings": "awards:read",
        "give": "awards:write",
        "correct": "awards:write",
        "proposals": "awards:write",
        "best_case": "awards:write",
    }
    parameters: ClassVar[Mapping[str, frozenset[str]]] = {
        "standings": frozenset({"period"}),
        "proposals": frozenset({"period"}),
    }
    queryset: Any = Medal.objects
    serializer_class = MedalSerializer
    filterset_class = MedalFilter
    orderings: ClassVar[tuple[str, ...]] = ("updated_at", "-updated_at", "month", "-month")
    http_method_names = ["get", "post", "head"]

    def visible(self) -> QuerySet[Any]:
        rows: QuerySet[Any] = medal_rows(self.member).order_by()
        return rows

    @bodies(responses=RankingSerializer, parameters=[_PERIOD])
    @action(detail=False, methods=["get"])
    def standings(self, request: Request) -> Response:
        """The ranking of a month: one's own standing, a lead's team's, all for who sees all."""
        return self._ranking(self._period())

    @bodies(request=MonthBody, responses=RankingSerializer)
    @action(detail=False, methods=["post"])
    def give(self, request: Request) -> Response:
        """Award a closed month: its ranking is frozen, its medals are given. Refused when it is open or awarded."""
        asked = MonthBody(data=request.data)
        asked.is_valid(raise_exception=True)
        month: Period = asked.validated_data["period"]
        awards.award(month=month, by=self.member)
        return self._ranking(month, status=201, headers={"Outcome": "created"})

    @bodies(request=CorrectBody, responses=RankingSerializer)
    @action(detail=False, methods=["post"])
    def correct(self, request: Request) -> Response:
        """Rank an awarded month again by the facts as they are known now; the ranking before stays beside it."""
        asked = CorrectBody(data=request.data, context=self.get_serializer_context())
        asked.is_valid(raise_exception=True)
        fields = dict(asked.validated_data)
        month: Period = fields.pop("period")
        awards.correct(month=month, by=self.member, **fields)
        return self._ranking(month, status=201, headers={"Outcome": "created"})

    @bodies(responses=ProposalsSerializer, parameters=[_PERIOD])
    @action(detail=False, methods=["get"])
    def proposals(self, request: Request) -> Response:
        """The cases among which the caller chooses the best of a month."""
        return Response(ProposalsSerializer({"results": awards.proposed(self._period(), self.member)}).data)

    @bodies(request=BestCaseBody, responses=MedalSerializer)
    @action(detail=False, methods=["post"], url_path="best-case")
    def best_case(self, request: Request) -> Response:
        """Choose the best case of a month, for the team of whoever ended it. Chosen again: the one before is taken back."""
        asked = BestCaseBody(data=request.data)
        asked.is_valid(raise_exception=True)
        said = asked.validated_data
        medal = awards.choose_case(month=said["period"], case=said["case"], reason=said["reason"], by=self.member)
        return self.one(self.get_queryset().get(pk=medal.pk), status=201, outcome="created")

    def _period(self) -> Period:
        month = _month(self.request.query_params.get("period", ""))
        if month is None or month.start > self.member.tenant.today():
            raise BadParameters([query_fault("period", "invalid", _("Write a month like 2026-10 that has begun."))])
        return month

    def _ranking(self, month: Period, *, status: int = 200, headers: dict[str, str] | None = None) -> Response:
        found = standing_round(month)
        shown = {
            "period": month.code,
            "revision": found.revision if found else None,
            "why": found.why if found else "",
            "as_of": found.as_of if found else None,
            "policy_version": found.policy_version if found else None,
            "awarded_at": found.awarded_at if found else None,
            "with_place": found.facts["with_place"] if found else 0,
            "results": stood_in(found, self.member) if found else [],
        }
        return Response(RankingSerializer(shown).data, status=status, headers=headers)


def _month(code: str) -> Period | None:
    try:
        period = Period.read(code)
    except ValueError:
        return None
    return period if period.span == "month" else None
