"""The API of growth: certifications scored and confirmed, trainings with their customers, notes of promotion."""

from __future__ import annotations

from typing import Any, ClassVar, cast

from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from customers.api import NAMED_CUSTOMER, NAMED_MEMBER, colleagues, customers_of
from incentives.growth import services as growth
from incentives.growth.lists import (
    CertificationFilter,
    NoteFilter,
    TrainingFilter,
    certification_rows,
    note_rows,
    training_rows,
    with_customers,
)
from incentives.models import Certification, CertificationScore, Dimension, PromotionNote, Training, TrainingCustomer
from incentives.rules.growth import DIMENSIONS, STANDS
from incentives.rules.growth import Dimension as Code
from tenants.api.fields import Day, Exact, Moment, Record, Ref, Strict
from tenants.api.resources import Resource
from tenants.api.schema import bodies

TEXT_LENGTH = 4000


# ── certifications ──────────────────────────────────────────────────────────


class CertificationPartSerializer(serializers.Serializer):
    """Facts of one kind: of `count` things `good` were as they should be."""

    code = serializers.CharField()
    good = serializers.CharField()
    count = serializers.CharField()


class CertificationScoreSerializer(serializers.ModelSerializer):
    """The score of a dimension, 0 to 100: from facts, which are given, or by the reviewer, with the reason."""

    dimension = serializers.ChoiceField(choices=Dimension.values)
    score = Exact(max_digits=4, decimal_places=1)
    facts = CertificationPartSerializer(many=True)

    class Meta:
        model = CertificationScore
        fields = ["dimension", "source", "score", "facts", "reason"]


class CertificationSerializer(Record):
    """One person in one quarter. state: open, scored, confirmed; the scores are there once it is scored."""

    member = serializers.CharField(source="member_id", read_only=True)
    member_name = serializers.CharField(source="member", read_only=True)
    quarter = Day(read_only=True, help_text="The first day of the quarter.")
    reviewer = serializers.CharField(source="reviewer_id", read_only=True, allow_null=True)
    mean = Exact(max_digits=4, decimal_places=1, read_only=True, allow_null=True)
    scores = CertificationScoreSerializer(source="standing_scores", many=True, read_only=True)
    scored_by = serializers.CharField(source="scored_by_id", read_only=True, allow_null=True)
    confirmed_by = serializers.CharField(source="confirmed_by_id", read_only=True, allow_null=True)
    scored_at = Moment(read_only=True, allow_null=True)
    confirmed_at = Moment(read_only=True, allow_null=True)
    created_at = Moment(read_only=True)
    updated_at = Moment(read_only=True)

    class Meta:
        model = Certification
        fields = [
            "id", "member", "member_name", "quarter", "reviewer", "state", "scores", "mean", "passed", "note",
            "scored_by", "scored_at", "confirmed_by", "confirmed_at", "sent_back_why", "created_at", "updated_at",
        ]  # fmt: skip
        read_only_fields = fields


class ScoreBody(Strict):
    """Scores and reasons for the dimensions of which there are too few facts; of the others nothing."""

    knowledge = serializers.IntegerField(min_value=0, max_value=100, required=False)
    knowledge_reason = serializers.CharField(max_length=TEXT_LENGTH, required=False)
    communication = serializers.IntegerField(min_value=0, max_value=100, required=False)
    communication_reason = serializers.CharField(max_length=TEXT_LENGTH, required=False)
    problems = serializers.IntegerField(min_value=0, max_value=100, required=False)
    problems_reason = serializers.CharField(max_length=TEXT_LENGTH, required=False)
    coordination = serializers.IntegerField(min_value=0, max_value=100, required=False)
    coordination_reason = serializers.CharField(max_length=TEXT_LENGTH, required=False)
    note = serializers.CharField(max_length=TEXT_LENGTH, required=False, allow_blank=True)

    def given(self) -> dict[Code, growth.Given]:
        said = self.validated_data
        return {each: growth.Given(said.get(each), said.get(f"{each}_reason", "")) for each in DIMENSIONS}


class WhyBody(Strict):
    """Why."""

    why = serializers.CharField(max_length=300)


class ReviewerBody(Strict):
    """Who reviews: a lead, an executive or an administrator."""

    reviewer = Ref(colleagues, NAMED_MEMBER)


class CertificationViewSet(Resource):
    """Certifications: four dimensions each quarter, made by the night, scored and confirmed by two people."""

    resource = "certifications"
    queryset: Any = Certification.objects
    serializer_class = CertificationSerializer
    filterset_class = CertificationFilter
    orderings: ClassVar[tuple[str, ...]] = ("updated_at", "-updated_at", "quarter", "-quarter")
    http_method_names = ["get", "post", "head"]

    def get_queryset(self) -> QuerySet[Any]:
        return certification_rows(self.member).prefetch_related("scores")

    def _again(self, pk: int) -> Response:
        return self.one(self.get_queryset().get(pk=pk), outcome="updated")

    @bodies(request=ScoreBody, responses=CertificationSerializer)
    @action(detail=True, methods=["post"])
    def score(self, request: Request, pk: str) -> Response:
        """Score it, its quarter being over. What the facts give cannot be said otherwise."""
        row = self.get_object()
        asked = ScoreBody(data=request.data)
        asked.is_valid(raise_exception=True)
        note = asked.validated_data.get("note", "")
        growth.score(certification=row, by=self.member, given=asked.given(), note=note)
        return self._again(row.pk)

    @bodies(request=None, responses=CertificationSerializer)
    @action(detail=True, methods=["post"])
    def confirm(self, request: Request, pk: str) -> Response:
        """Confirm what somebody else has scored. Sent twice it changes nothing more."""
        row = self.get_object()
        growth.confirm(certification=row, by=self.member)
        return self._again(row.pk)

    @bodies(request=WhyBody, responses=CertificationSerializer)
    @action(detail=True, methods=["post"], url_path="send-back")
    def send_back(self, request: Request, pk: str) -> Response:
        """Send a score back to be looked at again."""
        row = self.get_object()
        asked = WhyBody(data=request.data)
        asked.is_valid(raise_exception=True)
        growth.send_back(certification=row, by=self.member, why=asked.validated_data["why"])
        return self._again(row.pk)

    @bodies(request=ReviewerBody, responses=CertificationSerializer)
    @action(detail=True, methods=["post"])
    def reviewer(self, request: Request, pk: str) -> Response:
        """Name who reviews."""
        row = self.get_object()
        asked = ReviewerBody(data=request.data, context=self.get_serializer_context())
        asked.is_valid(raise_exception=True)
        growth.name_reviewer(certification=row, by=self.member, reviewer=asked.validated_data["reviewer"])
        return self._again(row.pk)


# ── trainings ───────────────────────────────────────────────────────────────


class TrainingCustomerSerializer(serializers.ModelSerializer):
    """A customer with whom it is tried; `customer` is null where the caller does not see that customer."""

    id = serializers.CharField(source="pk", read_only=True)
    customer = serializers.SerializerMethodField()
    done_on = Day(allow_null=True)
    note = serializers.SerializerMethodField()

    class Meta:
        model = TrainingCustomer
        fields = ["id", "customer", "done_on", "note"]

    def get_customer(self, row: Any) -> str | None:
        return str(row.customer_id) if row.is_seen else None

    def get_note(self, row: Any) -> str:
        return str(row.note) if row.is_seen else ""


class TrainingSerializer(Record):
    """What was learned is tried with so many customers until a day; then the mentor, and nobody else, approves.

    stand: open, late, ready (waits for the mentor), approved, approved_late, ended.
    """

    member = Ref(colleagues, NAMED_MEMBER)
    mentor = Ref(colleagues, NAMED_MEMBER)
    starts_on = Day(required=False, help_text="Left out: today.")
    due_on = Day(required=False, help_text="Left out: as long as the policy says.")
    wanted = serializers.IntegerField(required=False, min_value=1, max_value=20, help_text="Customers.")
    done = serializers.IntegerField(read_only=True)
    stand = serializers.ChoiceField(choices=STANDS, read_only=True)
    customers = TrainingCustomerSerializer(many=True, read_only=True)
    ready_on = Day(read_only=True, allow_null=True, help_text="When the last customer that was wanted was done.")
    approved_by = serializers.CharField(source="approved_by_id", read_only=True, allow_null=True)
    approved_on = Day(read_only=True, allow_null=True)
    created_at = Moment(read_only=True)
    updated_at = Moment(read_only=True)

    class Meta:
        model = Training
        fields = [
            "id", "member", "mentor", "title", "plan", "starts_on", "due_on", "wanted", "done", "stand", "customers",
            "ready_on", "approved_by", "approved_on", "said", "ended_why", "created_at", "updated_at",
        ]  # fmt: skip
        read_only_fields = ["said", "ended_why"]


class TrainingChangeSerializer(TrainingSerializer):
    """What can be changed: whose training it is stays."""

    member = serializers.CharField(source="member_id", read_only=True)  # type: ignore[assignment]  # told, no longer taken


class CustomerBody(Strict):
    """A customer with whom it is tried; with `done_on` it is done, with null it is not."""

    customer = Ref(customers_of, NAMED_CUSTOMER)
    done_on = Day(required=False, allow_null=True)
    note = serializers.CharField(max_length=TEXT_LENGTH, required=False, allow_blank=True)


class SaidBody(Strict):
    """What the mentor says."""

    said = serializers.CharField(max_length=TEXT_LENGTH, required=False, allow_blank=True)


class TrainingViewSet(Resource):
    """Trainings: three customers in two weeks, the mentor approves."""

    resource = "trainings"
    queryset: Any = Training.objects
    serializer_class = TrainingSerializer
    filterset_class = TrainingFilter
    orderings: ClassVar[tuple[str, ...]] = ("updated_at", "-updated_at", "due_on", "-due_on")
    http_method_names = ["get", "post", "patch", "head"]

    def get_queryset(self) -> QuerySet[Any]:
        return with_customers(training_rows(self.member), self.member)

    def _again(self, pk: int) -> Response:
        return self.one(self.get_queryset().get(pk=pk), outcome="updated")

    def create(self, request: Request) -> Response:
        """Plan a training: one's own, or of somebody whom the caller leads."""
        asked = TrainingSerializer(data=request.data, context=self.get_serializer_context())
        asked.is_valid(raise_exception=True)
        row = growth.plan_training(by=self.member, **asked.validated_data)
        return self.one(self.get_queryset().get(pk=row.pk), status=201, outcome="created")

    def partial_update(self, request: Request, pk: str) -> Response:
        """JSON merge patch: what is absent stays."""
        row = self.get_object()
        context = self.get_serializer_context() | {"merge": True}
        asked = TrainingChangeSerializer(row, data=request.data, partial=True, context=context)
        asked.is_valid(raise_exception=True)
        growth.change_training(training=row, by=self.member, **asked.validated_data)
        return self._again(row.pk)

    @bodies(request=CustomerBody, responses=TrainingSerializer)
    @action(detail=True, methods=["post"], url_path="customers")
    def customer(self, request: Request, pk: str) -> Response:
        """Name a customer, say that it is done and what came of it, or take that back. Safe to send again."""
        row = self.get_object()
        asked = CustomerBody(data=request.data, context=self.get_serializer_context())
        asked.is_valid(raise_exception=True)
        said = asked.validated_data
        item = growth.add_customer(training=row, by=self.member, customer=said["customer"])
        if "done_on" in said and said["done_on"] is None:
            growth.customer_undone(item=item, by=self.member)
        elif "done_on" in said:
            growth.customer_done(item=item, by=self.member, on=said["done_on"], note=said.get("note", item.note))
        return self._again(row.pk)

    @bodies(request=SaidBody, responses=TrainingSerializer)
    @action(detail=True, methods=["post"])
    def approve(self, request: Request, pk: str) -> Response:
        """The mentor approves, all customers being done. Sent twice it changes nothing more."""
        row = self.get_object()
        asked = SaidBody(data=request.data)
        asked.is_valid(raise_exception=True)
        growth.approve(training=row, by=self.member, said=asked.validated_data.get("said", ""))
        return self._again(row.pk)

    @bodies(request=None, responses=TrainingSerializer)
    @action(detail=True, methods=["post"], url_path="take-back")
    def take_back(self, request: Request, pk: str) -> Response:
        """The mentor takes the approval back, within some days."""
        row = self.get_object()
        growth.take_back(training=row, by=self.member)
        return self._again(row.pk)

    @bodies(request=WhyBody, responses=TrainingSerializer)
    @action(detail=True, methods=["post"])
    def end(self, request: Request, pk: str) -> Response:
        """End one that is not gone on with."""
        row = self.get_object()
        asked = WhyBody(data=request.data)
        asked.is_valid(raise_exception=True)
        growth.end(training=row, by=self.member, why=asked.validated_data["why"])
        return self._again(row.pk)


# ── promotion ───────────────────────────────────────────────────────────────


class NoteQuarterSerializer(serializers.Serializer):
    """A quarter as it stood when the note was written; score is null in a gap."""

    quarter = serializers.CharField()
    score = serializers.CharField(allow_null=True)
    job = serializers.CharField(allow_blank=True)


class PromotionNoteSerializer(Record):
    """Somebody has been on target for so many years in a row, by closed quarters. Written once for each person."""

    member = serializers.CharField(source="member_id", read_only=True)
    member_name = serializers.CharField(source="member", read_only=True)
    first_quarter = Day(read_only=True)
    last_quarter = Day(read_only=True)
    quarters = NoteQuarterSerializer(many=True, read_only=True)
    gaps = NoteQuarterSerializer(many=True, read_only=True, help_text="Quarters without a score in between.")
    team_changes = serializers.ListField(child=Day(), read_only=True)
    raised_on = Day(read_only=True)
    settled_by = serializers.CharField(source="settled_by_id", read_only=True, allow_null=True)
    settled_on = Day(read_only=True, allow_null=True)
    created_at = Moment(read_only=True)
    updated_at = Moment(read_only=True)

    class Meta:
        model = PromotionNote
        fields = [
            "id", "member", "member_name", "job", "first_quarter", "last_quarter", "quarters", "gaps", "team_changes",
            "raised_on", "outcome", "said", "settled_by", "settled_on", "created_at", "updated_at",
        ]  # fmt: skip
        read_only_fields = fields


class SettleBody(Strict):
    """What came of the talk."""

    outcome = serializers.ChoiceField(choices=[each for each in PromotionNote.Outcome.values if each])
    said = serializers.CharField(max_length=TEXT_LENGTH)


class PromotionNoteViewSet(Resource):
    """Notes of promotion, and what came of the talk."""

    resource = "promotion-notes"
    queryset: Any = PromotionNote.objects
    serializer_class = PromotionNoteSerializer
    filterset_class = NoteFilter
    http_method_names = ["get", "post", "head"]

    def get_queryset(self) -> QuerySet[Any]:
        return note_rows(self.member)

    @bodies(request=SettleBody, responses=PromotionNoteSerializer)
    @action(detail=True, methods=["post"])
    def settle(self, request: Request, pk: str) -> Response:
        """Say what came of the talk; the person's lead does, or who stands above."""
        row = self.get_object()
        asked = SettleBody(data=request.data)
        asked.is_valid(raise_exception=True)
        growth.settle(note=row, by=self.member, **cast(dict[str, Any], asked.validated_data))
        return self.one(self.get_queryset().get(pk=row.pk), outcome="updated")
