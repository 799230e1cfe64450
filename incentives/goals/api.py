"""The API of goals: set one, change it, take it through plan, do, check and act."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from customers.api import NAMED_MEMBER, colleagues
from incentives.goals import services as goals
from incentives.goals.lists import GoalFilter, goal_rows
from incentives.models import Goal
from incentives.rules.kpis import CODES
from tenants.api.fields import Day, Exact, Moment, Record, Ref, Strict
from tenants.api.resources import Resource
from tenants.api.schema import bodies
from tenants.models import Team


@extend_schema_field(OpenApiTypes.STR)
class TeamField(serializers.Field):
    """A team by its id; null: not of a team."""

    def to_internal_value(self, data: Any) -> Team:
        found: Team | None = Team.objects.filter(pk=int(data)).first() if str(data).isdecimal() else None
        if found is None:
            raise serializers.ValidationError(_("There is no such team."), code="does_not_exist")
        return found

    def to_representation(self, value: Team) -> str:
        return str(value.pk)


class GoalSerializer(Record):
    """One goal: a KPI of the firm, a team or a person, from a baseline to a target within a quarter.

    Without a baseline it is what the KPI came to in the quarter before. state: plan, do, check, act, closed; the result
    is taken from the KPI when the goal is checked.
    """

    quarter = Day(help_text="The first day of the quarter.")
    kpi = serializers.ChoiceField(choices=CODES)
    team = TeamField(required=False, allow_null=True)
    member = Ref(colleagues, NAMED_MEMBER, required=False, allow_null=True)
    owner = Ref(colleagues, NAMED_MEMBER, required=False)
    baseline = Exact(max_digits=16, decimal_places=4, required=False)
    baseline_of = Day(
        read_only=True, allow_null=True, help_text="The quarter that the baseline is of; null: it was said."
    )
    target = Exact(max_digits=16, decimal_places=4)
    result = Exact(max_digits=16, decimal_places=4, read_only=True, allow_null=True)
    followed_by = serializers.CharField(source="followed_by_id", read_only=True, allow_null=True)
    checked_at = Moment(read_only=True, allow_null=True)
    closed_at = Moment(read_only=True, allow_null=True)

    class Meta:
        model = Goal
        fields = [
            "id", "quarter", "title", "why", "kpi", "team", "member", "owner", "baseline", "baseline_of", "target",
            "state", "plan", "done", "result", "verdict", "learned", "standard", "standard_where", "followed_by",
            "checked_at", "closed_at", "created_at", "updated_at",
        ]  # fmt: skip
        read_only_fields = ["state", "verdict", "done", "learned", "standard", "standard_where"]


class GoalStepBody(Strict):
    """What a step asks for: plan to start, done to check, learned to act; to close, standard and the rest."""

    verb = serializers.ChoiceField(choices=["start", "check", "act", "close"])
    plan = serializers.CharField(required=False, max_length=4000)
    done = serializers.CharField(required=False, max_length=4000)
    learned = serializers.CharField(required=False, max_length=4000)
    standard = serializers.CharField(required=False, allow_blank=True, max_length=4000)
    where = serializers.CharField(required=False, allow_blank=True, max_length=300)
    go_on = serializers.BooleanField(required=False)
    target = Exact(max_digits=16, decimal_places=4, required=False)


class GoalViewSet(Resource):
    """Goals of a quarter (PDCA)."""

    resource = "goals"
    queryset: Any = Goal.objects
    serializer_class = GoalSerializer
    filterset_class = GoalFilter
    orderings: ClassVar[tuple[str, ...]] = ("updated_at", "-updated_at", "quarter", "-quarter")
    http_method_names = ["get", "post", "patch", "head"]

    def get_queryset(self) -> QuerySet[Any]:
        return goal_rows(self.member)

    def create(self, request: Request) -> Response:
        """Set a goal; the caller answers for it unless somebody else is named."""
        asked = GoalSerializer(data=request.data, context=self.get_serializer_context())
        asked.is_valid(raise_exception=True)
        goal = goals.add_goal(by=self.member, **asked.validated_data)
        return self.one(self.get_queryset().get(pk=goal.pk), status=201, outcome="created")

    def partial_update(self, request: Request, pk: str) -> Response:
        """JSON merge patch: what is absent stays, null takes away. Once it is under way the measure stays."""
        row = self.get_object()
        context = self.get_serializer_context() | {"merge": True}
        asked = GoalSerializer(row, data=request.data, partial=True, context=context)
        asked.is_valid(raise_exception=True)
        goals.change_goal(goal=row, by=self.member, **asked.validated_data)
        return self.one(self.get_queryset().get(pk=row.pk), outcome="updated")

    @bodies(request=GoalStepBody, responses=GoalSerializer)
    @action(detail=True, methods=["post"])
    def step(self, request: Request, pk: str) -> Response:
        """Take the next of the four steps. Sent twice it changes nothing more."""
        row = self.get_object()
        asked = GoalStepBody(data=request.data)
        asked.is_valid(raise_exception=True)
        fields = dict(asked.validated_data)
        verb = fields.pop("verb")
        takes = {
            "start": ("plan",),
            "check": ("done",),
            "act": ("learned",),
            "close": ("standard", "where", "go_on", "target"),
        }
        strange = sorted(fields.keys() - set(takes[verb]))
        if strange:
            raise serializers.ValidationError({name: [_("Another step asks for this.")] for name in strange})
        usual: dict[str, Any] = dict.fromkeys(takes[verb], "") if verb != "close" else {}
        step: Any = getattr(goals, verb)
        step(goal=row, by=self.member, **{**usual, **fields})
        return self.one(self.get_queryset().get(pk=row.pk), outcome="updated")
