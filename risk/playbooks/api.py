"""The API of playbooks: which there are, whether each helped, and the runs: beginning one, and what is done with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from customers.api import (
    NAMED_CUSTOMER,
    NAMED_MEMBER,
    OfCustomerSerializer,
    colleagues,
    customers_of,
    with_external_ids,
)
from followups.rules.variants import Rate
from risk.models import Alert, Playbook, PlaybookRun, PlaybookStep
from risk.playbooks import services as playbooks
from risk.playbooks.figures import figures_of
from risk.playbooks.filters import RunFilter
from risk.rules.playbooks import BRANCHES
from tenants.api.fields import Moment, Record, Ref, Strict
from tenants.api.resources import Resource
from tenants.api.schema import bodies
from tenants.filters import BooleanFilter, StrictFilterSet, updated_since
from tenants.models import Member


class PlaybookSerializer(Record):
    """A playbook: what begins it, its steps and their ways, and how it is judged (definition); docs/rules/playbooks.md."""

    title = serializers.CharField(read_only=True, help_text="What people call it, in the caller's language.")
    definition = serializers.JSONField(help_text="Sent anew it takes the place of the whole definition.")

    class Meta:
        model = Playbook
        fields = [
            "id", "code", "name", "title", "definition", "is_on", "since", "version", "created_at", "updated_at",
        ]  # fmt: skip
        read_only_fields: ClassVar[list[str]] = ["since", "version", "created_at", "updated_at"]


class PlaybookFilter(StrictFilterSet):
    is_on = BooleanFilter()
    updated_since = updated_since()

    class Meta:
        model = Playbook
        fields: list[str] = []


class PlaybookRateSerializer(serializers.Serializer):
    """A share with its 95 % interval by Wilson, each from 0 to 1; null where nothing is counted."""

    hits = serializers.IntegerField()
    of = serializers.IntegerField()
    share = serializers.FloatField(allow_null=True)
    low = serializers.FloatField(allow_null=True)
    high = serializers.FloatField(allow_null=True)


class PlaybookDifferenceSerializer(serializers.Serializer):
    """The first share minus the second, with Newcombe's 95 % interval."""

    share = serializers.FloatField()
    low = serializers.FloatField()
    high = serializers.FloatField()


class PlaybookFiguresSerializer(serializers.Serializer):
    """Whether a playbook helped, over the customers whom the caller sees."""

    as_of = Moment()
    measure = serializers.CharField(help_text="order: an order within measure_days; spend: at least as much as before.")
    measure_days = serializers.IntegerField()
    by_signal = PlaybookRateSerializer()
    held_out = PlaybookRateSerializer()
    by_hand = PlaybookRateSerializer()
    difference = PlaybookDifferenceSerializer(allow_null=True, help_text="by_signal minus held_out.")
    verdict = serializers.ChoiceField(choices=["not_enough", "no_holdout", "helps", "harms", "no_difference"])
    early = serializers.IntegerField(help_text="Runs for which it is too early to say.")


def _rate(found: Rate) -> dict[str, Any]:
    return {"hits": found.hits, "of": found.of, "share": found.share, "low": found.low, "high": found.high}


class PlaybookViewSet(Resource):
    """Playbooks."""

    resource = "playbooks"
    queryset: Any = Playbook.objects
    serializer_class = PlaybookSerializer
    filterset_class = PlaybookFilter
    permissions: ClassVar[Mapping[str, str]] = {"figures": "playbooks:read"}

    def visible(self) -> QuerySet[Any]:
        rows: QuerySet[Any] = Playbook.objects.all()
        return rows

    def detailed(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        return playbooks.with_definition(rows)

    def create(self, request: Request) -> Response:
        """A new playbook; it is switched off unless is_on says otherwise."""
        said = self._checked(request)
        is_on = said.pop("is_on", False)
        row, _made = playbooks.save_playbook(member=self.member, **({"name": ""} | said))
        if is_on:
            playbooks.switch(playbook=row, member=self.member, on=True)
        return self.one(self.get_queryset().get(pk=row.pk), status=201, outcome="created")

    def partial_update(self, request: Request, pk: str) -> Response:
        """JSON merge patch: name, definition, is_on. A code stays; a definition is taken as a whole."""
        row = self.get_object()
        said = self._checked(request, merge=True)
        said.pop("code", None)
        outcomes = []
        if said.keys() & {"name", "definition"}:
            _row, outcome = playbooks.save_playbook(
                member=self.member,
                playbook=row,
                name=said.get("name", row.name),
                definition=said.get("definition", row.definition),
            )
            outcomes.append(outcome)
        if "is_on" in said:
            outcomes.append(playbooks.switch(playbook=row, member=self.member, on=said["is_on"]))
        changed = any(outcome != "unchanged" for outcome in outcomes)
        return self.one(self.get_queryset().get(pk=row.pk), outcome="updated" if changed else "unchanged")

    def _checked(self, request: Request, *, merge: bool = False) -> dict[str, Any]:
        reader = PlaybookSerializer(data=request.data, context=self.get_serializer_context() | {"merge": merge})
        reader.is_valid(raise_exception=True)
        return dict(reader.validated_data)

    @bodies(responses=PlaybookFiguresSerializer)
    @action(detail=True, methods=["get"])
    def figures(self, request: Request, pk: str) -> Response:
        """Whether it helped: rates with intervals, those held out beside it, and a verdict."""
        row = self.get_object()
        rules = playbooks.version_of(row).rules
        found = figures_of(row, rules, self.member)
        between = found.help.difference
        answer = {
            "as_of": found.as_of, "measure": rules.measure, "measure_days": rules.measure_days,
            "by_signal": _rate(found.help.treated), "held_out": _rate(found.help.held),
            "by_hand": _rate(found.by_hand),
            "difference": between and {"share": between.share, "low": between.low, "high": between.high},
            "verdict": found.help.verdict, "early": found.early,
        }  # fmt: skip
        return Response(PlaybookFiguresSerializer(answer).data)


class PlaybookStepSerializer(serializers.ModelSerializer):
    """What a step of a run has done, and what came of it."""

    follow_up = serializers.CharField(source="follow_up_id", allow_null=True)
    message = serializers.CharField(source="message_id", allow_null=True)
    begins_at = Moment()
    due_at = Moment(allow_null=True)
    done_at = Moment(allow_null=True)

    class Meta:
        model = PlaybookStep
        fields = ["code", "status", "outcome", "why", "begins_at", "due_at", "done_at", "follow_up", "message"]


class PlaybookRunSerializer(OfCustomerSerializer):
    """A customer's run of a playbook: at most one of each is open, one of all is active."""

    id = serializers.CharField(source="pk")
    playbook = serializers.CharField(source="playbook_id")
    code = serializers.CharField(source="playbook.code", help_text="The playbook's code.")
    version = serializers.IntegerField(source="version.number", help_text="Of the playbook, with which it began.")
    alert = serializers.CharField(source="alert_id", allow_null=True)
    crisis = serializers.CharField(source="incident_id", allow_null=True)
    member = serializers.CharField(source="member_id", allow_null=True, help_text="Who began it; null: a signal did.")
    owner = serializers.CharField(source="owner_id", allow_null=True, help_text="Whom it was handed over to.")
    steps = PlaybookStepSerializer(many=True)
    started_at = Moment()
    next_at = Moment(allow_null=True)
    ended_at = Moment(allow_null=True)
    updated_at = Moment()

    class Meta:
        model = PlaybookRun
        fields = [
            "id", "customer", "external_ids", "playbook", "code", "version", "alert", "crisis", "member", "owner",
            "level", "status", "why", "outcome", "stage", "started_at", "next_at", "ended_at", "steps", "updated_at",
        ]  # fmt: skip


def _alerts(member: Member) -> QuerySet[Any]:
    rows: QuerySet[Any] = Alert.objects.visible_to(member)
    return rows


def _playbooks(_member: Member) -> QuerySet[Any]:
    rows: QuerySet[Any] = Playbook.objects.all()
    return rows


class PlaybookStartSerializer(Strict):
    """Which playbook to begin, for whom."""

    playbook = Ref(_playbooks, {"code": "code"})
    customer = Ref(customers_of, NAMED_CUSTOMER)
    alert = Ref(_alerts, {}, required=False, allow_null=True)


class SaySerializer(Strict):
    """What came of a step."""

    step = serializers.CharField(max_length=11)
    outcome = serializers.ChoiceField(choices=list(BRANCHES))
    note = serializers.CharField(max_length=4000, required=False, allow_blank=True)


class SkipSerializer(Strict):
    """Which step to leave out."""

    step = serializers.CharField(max_length=11)


class StopSerializer(Strict):
    """How it ends; without an outcome it is stopped."""

    outcome = serializers.ChoiceField(choices=["saved", "lost", "no_answer"], required=False)


class HandOverSerializer(Strict):
    """Who takes it over."""

    to = Ref(colleagues, NAMED_MEMBER)


class PlaybookRunViewSet(Resource):
    """Runs of playbooks."""

    resource = "playbook-runs"
    permissions: ClassVar[Mapping[str, str]] = dict.fromkeys(
        ("create", "say", "skip", "stop", "hand_over", "undo"), "follow-ups:write"
    )
    queryset: Any = PlaybookRun.objects
    serializer_class = PlaybookRunSerializer
    filterset_class = RunFilter
    orderings: ClassVar[tuple[str, ...]] = ("updated_at", "-updated_at", "started_at", "-started_at")
    http_method_names = ["get", "post", "head"]

    def detailed(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        return with_external_ids(rows).select_related("playbook", "version").prefetch_related("steps")

    @bodies(request=PlaybookStartSerializer, responses={201: PlaybookRunSerializer})
    def create(self, request: Request) -> Response:
        """Begin a playbook for a customer; while one of it is open, that one comes back (Outcome: unchanged)."""
        said = self._said(PlaybookStartSerializer, request)
        there = PlaybookRun.objects.filter(
            playbook=said["playbook"], customer=said["customer"], ended_at__isnull=True
        ).exists()
        run = playbooks.start(
            playbook=said["playbook"], customer=said["customer"], alert=said.get("alert"), member=self.member
        )
        row = self.get_queryset().get(pk=run.pk)
        return self.one(row, status=200 if there else 201, outcome="unchanged" if there else "created")

    @bodies(request=SaySerializer, responses=PlaybookRunSerializer)
    @action(detail=True, methods=["post"])
    def say(self, request: Request, pk: str) -> Response:
        """Say what came of a step; its follow-up is closed with it, and the run goes on."""
        row, said = self.get_object(), self._said(SaySerializer, request)
        return self._changed(
            playbooks.say(
                run=row, code=said["step"], outcome=said["outcome"], note=said.get("note", ""), member=self.member
            )
        )

    @bodies(request=SkipSerializer, responses=PlaybookRunSerializer)
    @action(detail=True, methods=["post"])
    def skip(self, request: Request, pk: str) -> Response:
        """Leave a step out."""
        row, said = self.get_object(), self._said(SkipSerializer, request)
        return self._changed(playbooks.skip(run=row, code=said["step"], member=self.member))

    @bodies(request=StopSerializer, responses=PlaybookRunSerializer)
    @action(detail=True, methods=["post"])
    def stop(self, request: Request, pk: str) -> Response:
        """End a run by hand; what nobody has done is withdrawn."""
        row, said = self.get_object(), self._said(StopSerializer, request)
        return self._changed(playbooks.stop(run=row, outcome=said.get("outcome", ""), member=self.member))

    @bodies(request=HandOverSerializer, responses=PlaybookRunSerializer)
    @action(detail=True, methods=["post"], url_path="hand-over")
    def hand_over(self, request: Request, pk: str) -> Response:
        """Give a run to somebody who sees the customer."""
        row, said = self.get_object(), self._said(HandOverSerializer, request)
        return self._changed(playbooks.hand_over(run=row, to=said["to"], member=self.member))

    @bodies(responses=PlaybookRunSerializer)
    @action(detail=True, methods=["post"])
    def undo(self, request: Request, pk: str) -> Response:
        """Take back the last thing that was done with a run, while nothing has happened to it since."""
        return self._changed(playbooks.undo_last(run=self.get_object(), member=self.member))

    def _said(self, reader: type[Strict], request: Request) -> dict[str, Any]:
        found = reader(data=request.data, context=self.get_serializer_context())
        found.is_valid(raise_exception=True)
        return dict(found.validated_data)

    def _changed(self, change: playbooks.Change) -> Response:
        row = self.get_queryset().get(pk=change.run.pk)
        return self.one(row, outcome="unchanged" if change.event is None else "updated")
