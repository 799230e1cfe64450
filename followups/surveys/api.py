"""The API of surveys and quality review: who was asked, what became of low answers, what reviewers found."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, ClassVar

import django_filters as filters
from django.db.models import F, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from customers.api import NAMED, NAMED_CUSTOMER, NAMED_MEMBER, colleagues, customers_of
from customers.models import Complaint, Contact, SurveyResponse
from followups.messages.whys import message_why
from followups.models import FollowUp, MysteryVisit, QualityReview, Reason, Survey, SurveyLoop
from followups.quality import services as quality
from followups.quality.lists import ReviewFilter, VisitFilter, review_rows, visit_rows
from followups.rules.surveys import Nps
from followups.surveys import figures as survey_figures
from followups.surveys import loops
from followups.surveys import services as surveys
from followups.surveys.figures import Csat, Rate
from followups.surveys.lists import STATES, SurveyFilter
from tenants.api.fields import Day, Moment, Record, Ref, Strict
from tenants.api.lists import two_days
from tenants.api.resources import Resource
from tenants.api.schema import bodies
from tenants.filters import IdFilter, StrictFilterSet, updated_since
from tenants.models import Member


def _contacts_of(member: Member) -> QuerySet[Any]:
    rows: QuerySet[Any] = Contact.objects.visible_to(member).select_related("customer")
    return rows


def _complaints_of(member: Member) -> QuerySet[Any]:
    rows: QuerySet[Any] = Complaint.objects.visible_to(member)
    return rows


# ── who was asked ───────────────────────────────────────────────────────────


class SurveySerializer(Record):
    """One asking of one contact, by a link of its own. The link itself is given to nobody but the contact.

    state: open (can still be answered), answered, expired, blocked (nobody was asked; why says why). Of an answer
    `response` is the row of survey-responses.
    """

    customer = serializers.CharField(source="customer_id", read_only=True)
    contact = Ref(_contacts_of, NAMED)
    complaint = Ref(_complaints_of, NAMED, required=False, allow_null=True)
    response = serializers.CharField(source="response_id", read_only=True, allow_null=True)
    state = serializers.ChoiceField(choices=STATES, read_only=True)
    why = serializers.SerializerMethodField(help_text="Why nobody was asked, or why it has to wait; else empty.")
    score = serializers.IntegerField(read_only=True, allow_null=True)
    cause = serializers.ChoiceField(choices=Survey.Cause.choices, read_only=True)
    channel = serializers.CharField(read_only=True)
    language = serializers.CharField(read_only=True)
    reminders = serializers.IntegerField(read_only=True)
    asked_at = Moment(read_only=True)
    expires_at = Moment(read_only=True)
    answered_at = Moment(read_only=True, allow_null=True)
    changed_at = Moment(read_only=True, allow_null=True)
    created_at = Moment(read_only=True)
    updated_at = Moment(read_only=True)

    class Meta:
        model = Survey
        fields = [
            "id", "customer", "contact", "kind", "cause", "complaint", "channel", "language", "state", "why",
            "asked_at", "expires_at", "reminders", "answered_at", "changed_at", "score", "response", "created_at",
            "updated_at",
        ]  # fmt: skip

    def get_why(self, row: Survey) -> str:
        if row.message is None or row.answered_at is not None or not row.message.why:
            return ""
        return message_why(row.message)


class SurveyViewSet(Resource):
    """Askings: by rotation, after talks and solved complaints, by hand."""

    resource = "surveys"
    queryset: Any = Survey.objects
    serializer_class = SurveySerializer
    filterset_class = SurveyFilter
    orderings: ClassVar[tuple[str, ...]] = ("updated_at", "-updated_at", "asked_at", "-asked_at")
    http_method_names = ["get", "post", "head"]

    def detailed(self, rows: Any) -> QuerySet[Any]:
        found: QuerySet[Any] = rows.with_state(timezone.now()).annotate(score=F("response__score"))
        return found.select_related("message")

    def create(self, request: Request) -> Response:
        """Ask a contact now, through the contact governor. The same contact is asked once a day for each kind."""
        asked = SurveySerializer(data=request.data, context=self.get_serializer_context())
        asked.is_valid(raise_exception=True)
        survey, outcome = surveys.ask_by_hand(member=self.member, **asked.validated_data)
        status = 201 if outcome == "created" else 200
        return self.one(self.get_queryset().get(pk=survey.pk), status=status, outcome=outcome)


# ── what became of low answers ──────────────────────────────────────────────


class SurveyLoopFilter(StrictFilterSet):
    customer = IdFilter(field_name="customer_id", label=_("Customer"))
    response = IdFilter(field_name="response_id", label=_("Answer"))
    follow_up_status = filters.ChoiceFilter(
        field_name="follow_up__status", choices=FollowUp.Status.choices, label=_("Status of the follow-up")
    )
    updated_since = updated_since()

    class Meta:
        model = SurveyLoop
        fields: list[str] = []


class SurveyLoopSerializer(Record):
    """What became of a low answer: collected (opened_at), analysed, acted on (follow_up), asked again, better or not."""

    customer = Ref(customers_of, NAMED_CUSTOMER, read_only=True)
    response = serializers.CharField(source="response_id", read_only=True)
    reasons = serializers.SerializerMethodField(help_text="What the answer was about.")
    follow_up = serializers.CharField(source="follow_up_id", read_only=True, allow_null=True)
    follow_up_status = serializers.ChoiceField(
        source="follow_up.status", choices=FollowUp.Status.choices, read_only=True, default=None, allow_null=True
    )
    asked_again = serializers.CharField(source="asked_again_id", read_only=True, allow_null=True)
    verified_by = serializers.CharField(source="verified_by_id", read_only=True, allow_null=True)
    analysed_by = serializers.CharField(source="analysed_by_id", read_only=True, allow_null=True)

    class Meta:
        model = SurveyLoop
        fields = [
            "id", "customer", "response", "opened_at", "analysed_at", "analysed_by", "reasons", "behind", "follow_up",
            "follow_up_status", "asked_again", "verified_by", "improved", "created_at", "updated_at",
        ]  # fmt: skip
        read_only_fields = ["opened_at", "analysed_at", "behind", "improved", "created_at", "updated_at"]

    def get_reasons(self, row: SurveyLoop) -> list[str]:
        return sorted(reason.code for reason in row.response.reasons.all())


class AnalysisSerializer(Strict):
    """What a low answer was about, and what was behind it."""

    reasons = serializers.ListField(child=serializers.ChoiceField(choices=Reason.choices), allow_empty=False)
    behind = serializers.CharField(required=False, allow_blank=True, default="", max_length=loops.BEHIND_LENGTH)


class SurveyLoopViewSet(Resource):
    """What became of low answers."""

    resource = "survey-loops"
    permissions: ClassVar[Mapping[str, str]] = {
        "list": "surveys:read", "retrieve": "surveys:read", "analyse": "surveys:write",
    }  # fmt: skip
    queryset: Any = SurveyLoop.objects
    serializer_class = SurveyLoopSerializer
    filterset_class = SurveyLoopFilter
    http_method_names = ["get", "post", "head"]

    def detailed(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        return rows.select_related("response", "follow_up").prefetch_related("response__reasons")

    @bodies(request=AnalysisSerializer, responses=SurveyLoopSerializer)
    @action(detail=True, methods=["post"])
    def analyse(self, request: Request, pk: str) -> Response:
        """Note what the answer was about; the customer's own reasons stay."""
        row = self.get_object()
        asked = AnalysisSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        outcome = loops.analyse(loop=row, member=self.member, **asked.validated_data)
        return self.one(self.get_queryset().get(pk=row.pk), outcome=outcome)


# ── quality review ──────────────────────────────────────────────────────────

_FINDINGS = [
    "score", "problem_kind", "problem", "cause", "measure", "measure_due_on", "measure_done_on",
]  # fmt: skip


class FindingsSerializer(Strict):
    """What was found: with a problem its kind, cause and measure are said as well."""

    score = serializers.IntegerField(min_value=1, max_value=5)
    problem_kind = serializers.CharField(required=False, allow_blank=True, max_length=10)
    problem = serializers.CharField(required=False, allow_blank=True, max_length=quality.TEXT_LENGTH)
    cause = serializers.CharField(required=False, allow_blank=True, max_length=quality.TEXT_LENGTH)
    measure = serializers.CharField(required=False, allow_blank=True, max_length=quality.TEXT_LENGTH)
    measure_due_on = Day(required=False, allow_null=True)
    measure_done_on = Day(required=False, allow_null=True)


class QualityReviewSerializer(Record):
    """A logged contact of the month's sample (interaction, of member), and what a reviewer found."""

    customer = Ref(customers_of, NAMED_CUSTOMER, read_only=True)
    interaction = serializers.CharField(source="interaction_id", read_only=True)
    member = serializers.CharField(source="member_id", read_only=True, help_text="Whose contact it is.")
    reviewer = serializers.CharField(source="reviewer_id", read_only=True, allow_null=True)
    state = serializers.CharField(read_only=True, help_text="waiting, good, problem (measure open), late, done.")

    class Meta:
        model = QualityReview
        fields = [
            "id", "customer", "interaction", "member", "month", "state", "reviewed_at", "reviewer", *_FINDINGS,
            "created_at", "updated_at",
        ]  # fmt: skip
        read_only_fields = ["month", "reviewed_at", *_FINDINGS, "created_at", "updated_at"]


class QualityReviewViewSet(Resource):
    """The months' samples of logged contacts."""

    resource = "quality-reviews"
    queryset: Any = QualityReview.objects
    serializer_class = QualityReviewSerializer
    filterset_class = ReviewFilter
    http_method_names = ["get", "post", "head"]

    def get_queryset(self) -> QuerySet[Any]:
        return review_rows(self.member)

    @bodies(request=FindingsSerializer, responses=QualityReviewSerializer)
    @action(detail=True, methods=["post"])
    def review(self, request: Request, pk: str) -> Response:
        """Write down what was found; sent again it changes nothing. Nobody reviews their own contacts: 403."""
        row = self.get_object()
        asked = FindingsSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        outcome = quality.review(review=row, member=self.member, **asked.validated_data)
        return self.one(
            self.get_queryset().get(pk=row.pk), outcome="unchanged" if outcome == "unchanged" else "updated"
        )


class MysteryVisitSerializer(Record):
    """Somebody (visitor) came as a customer; member is whom they met. score is 1 to 5."""

    member = Ref(colleagues, NAMED_MEMBER, required=False, allow_null=True)
    visitor = Ref(colleagues, NAMED_MEMBER, required=False)
    state = serializers.CharField(read_only=True, help_text="good, problem (measure open), late, done.")

    class Meta:
        model = MysteryVisit
        fields = [
            "id", "on", "channel", "place", "member", "visitor", "scene", "state", *_FINDINGS, "created_at",
            "updated_at",
        ]  # fmt: skip
        read_only_fields = ["created_at", "updated_at"]


class MysteryVisitViewSet(Resource):
    """Mystery visits."""

    resource = "mystery-visits"
    queryset: Any = MysteryVisit.objects
    serializer_class = MysteryVisitSerializer
    filterset_class = VisitFilter
    orderings: ClassVar[tuple[str, ...]] = ("updated_at", "-updated_at", "on", "-on")
    http_method_names = ["get", "post", "patch", "head"]

    def get_queryset(self) -> QuerySet[Any]:
        return visit_rows(self.member)

    def create(self, request: Request) -> Response:
        """Write down a visit; visitor is the caller unless said otherwise."""
        asked = MysteryVisitSerializer(data=request.data, context=self.get_serializer_context())
        asked.is_valid(raise_exception=True)
        visit = quality.add_visit(by=self.member, **asked.validated_data)
        return self.one(self.get_queryset().get(pk=visit.pk), status=201, outcome="created")

    def partial_update(self, request: Request, pk: str) -> Response:
        """JSON merge patch: what is absent stays, null takes away."""
        row = self.get_object()
        context = self.get_serializer_context() | {"merge": True}
        asked = MysteryVisitSerializer(row, data=request.data, partial=True, context=context)
        asked.is_valid(raise_exception=True)
        outcome = quality.change_visit(visit=row, by=self.member, **asked.validated_data)
        return self.one(self.get_queryset().get(pk=row.pk), outcome=outcome)


# ── figures ─────────────────────────────────────────────────────────────────


class ResponseRateSerializer(serializers.Serializer):
    """How many answered; share is 0 to 1, low and high its 95 % interval (Wilson); null of nothing."""

    asked = serializers.IntegerField()
    answered = serializers.IntegerField()
    share = serializers.FloatField(allow_null=True)
    low = serializers.SerializerMethodField()
    high = serializers.SerializerMethodField()

    def get_low(self, rate: Rate) -> float | None:
        return rate.interval[0] if rate.interval else None

    def get_high(self, rate: Rate) -> float | None:
        return rate.interval[1] if rate.interval else None


class NpsSerializer(serializers.Serializer):
    """Over the latest answer of each contact: score -100 to 100 with its 95 % interval (adjusted Wald).

    Of a single answer score is null, and rating is that answer, 0 to 10.
    """

    n = serializers.IntegerField()
    promoters = serializers.IntegerField()
    passives = serializers.IntegerField()
    detractors = serializers.IntegerField()
    score = serializers.FloatField(allow_null=True)
    low = serializers.SerializerMethodField()
    high = serializers.SerializerMethodField()
    rating = serializers.IntegerField(allow_null=True)

    def get_low(self, nps: Nps) -> float | None:
        return nps.interval[0] if nps.interval else None

    def get_high(self, nps: Nps) -> float | None:
        return nps.interval[1] if nps.interval else None


class CsatSerializer(serializers.Serializer):
    """Answers from 1 to 5: content gave 4 or 5, low less; share is that of the content ones with its interval."""

    n = serializers.IntegerField()
    mean = serializers.FloatField(allow_null=True)
    content = serializers.IntegerField()
    low = serializers.IntegerField()
    share = serializers.FloatField(allow_null=True)
    share_low = serializers.SerializerMethodField()
    share_high = serializers.SerializerMethodField()

    def get_share_low(self, csat: Csat) -> float | None:
        return csat.interval[0] if csat.interval else None

    def get_share_high(self, csat: Csat) -> float | None:
        return csat.interval[1] if csat.interval else None


class SurveyMonthSerializer(serializers.Serializer):
    month = serializers.DateField()
    rate = ResponseRateSerializer()
    nps = NpsSerializer()
    csat = CsatSerializer()


class SurveyReasonRowSerializer(serializers.Serializer):
    """How often a reason was named with low (detractor, CSAT 1 and 2), middling and good answers."""

    reason = serializers.ChoiceField(source="code", choices=Reason.choices)
    low = serializers.IntegerField()
    middle = serializers.IntegerField()
    good = serializers.IntegerField()


class LoopFiguresSerializer(serializers.Serializer):
    """How far the low answers of the time have come."""

    collected = serializers.IntegerField()
    analysed = serializers.IntegerField()
    done = serializers.IntegerField(help_text="Follow-ups that are done.")
    open = serializers.IntegerField()
    late = serializers.IntegerField()
    asked_again = serializers.IntegerField()
    answered_again = serializers.IntegerField()
    improved = serializers.IntegerField()


class SurveyFiguresSerializer(serializers.Serializer):
    """From the day start up to and with the day end, of the customers whom the caller sees."""

    start = serializers.DateField()
    end = serializers.SerializerMethodField()
    rate = ResponseRateSerializer()
    blocked = serializers.IntegerField()
    waiting = serializers.IntegerField()
    nps = NpsSerializer()
    csat = CsatSerializer()
    months = SurveyMonthSerializer(many=True)
    reasons = SurveyReasonRowSerializer(many=True)
    loop = LoopFiguresSerializer()

    def get_end(self, found: survey_figures.Overview) -> dt.date:
        return found.end - dt.timedelta(days=1)


class PersonResultSerializer(serializers.Serializer):
    """One person: contacts logged, drawn, reviewed, without a problem; mean scores 1 to 5, null of nothing."""

    member = serializers.CharField(source="member.pk")
    contacts = serializers.IntegerField()
    drawn = serializers.IntegerField()
    reviewed = serializers.IntegerField()
    good = serializers.IntegerField()
    score = serializers.FloatField(allow_null=True)
    problems = serializers.SerializerMethodField(help_text="How often each kind of problem was found.")
    measures = serializers.IntegerField()
    measures_done = serializers.IntegerField()
    visits = serializers.IntegerField()
    visit_score = serializers.FloatField(allow_null=True)
    csat_answers = serializers.IntegerField(source="asked")
    csat = serializers.FloatField(allow_null=True)

    def get_problems(self, row: quality.Result) -> dict[str, int]:
        return dict(row.kinds)


class QualityFiguresSerializer(serializers.Serializer):
    """Contacts of the months from that of the day start up to and with that of the day end."""

    start = serializers.DateField()
    end = serializers.DateField()
    people = PersonResultSerializer(many=True)


_DAYS = [
    OpenApiParameter(name, {"type": "string", "format": "date"}, OpenApiParameter.QUERY, required=True)
    for name in ("start", "end")
]


class SurveyFiguresViewSet(Resource):
    """Figures of surveys and of quality review, worked out when asked for."""

    resource = "survey-figures"
    queryset: Any = SurveyResponse.objects  # what the figures are of; none is listed
    permissions: ClassVar[Mapping[str, str]] = {"surveys": "surveys:read", "quality": "quality-reviews:read"}
    parameters: ClassVar[Mapping[str, frozenset[str]]] = dict.fromkeys(permissions, frozenset({"start", "end"}))
    http_method_names = ["get", "head"]

    @bodies(responses=SurveyFiguresSerializer, parameters=_DAYS)
    def surveys(self, request: Request) -> Response:
        """Response rate, NPS, CSAT, reasons, and what became of low answers."""
        start, end = two_days(request.query_params)
        found = survey_figures.overview(self.member, start, end + dt.timedelta(days=1))
        return Response(SurveyFiguresSerializer(found).data)

    @bodies(responses=QualityFiguresSerializer, parameters=_DAYS)
    def quality(self, request: Request) -> Response:
        """What reviews, mystery visits and answers after talks say of each person."""
        start, end = two_days(request.query_params)
        first, over = start.replace(day=1), (end.replace(day=1) + dt.timedelta(days=32)).replace(day=1)
        people = quality.results(self.member, first, over)
        last = over - dt.timedelta(days=1)
        return Response(QualityFiguresSerializer({"start": first, "end": last, "people": people}).data)
