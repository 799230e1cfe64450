"""The API of cover and care: who is away, and days of customers that come round."""

from __future__ import annotations

from typing import Any, ClassVar

import django_filters as filters
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from customers.api import NAMED, NAMED_CUSTOMER, NAMED_MEMBER, colleagues, customers_of
from customers.models import Contact
from followups.care import services as care
from followups.cover import services as cover
from followups.models import Absence, CareDay
from tenants.api.fields import Day, Moment, Record, Ref
from tenants.api.resources import Resource
from tenants.api.schema import bodies
from tenants.context import current_tenant
from tenants.filters import IdFilter, StrictFilterSet, updated_since
from tenants.models import Member

PAST_DAYS = 366
"""Absences that ended so long ago are still listed."""


def _contacts(member: Member) -> QuerySet[Any]:
    rows: QuerySet[Any] = Contact.objects.visible_to(member)
    return rows


# ── absences ────────────────────────────────────────────────────────────────


class AbsenceFilter(StrictFilterSet):
    member = IdFilter(field_name="member", label=_("Who is away"))
    covered_by = IdFilter(field_name="covered_by", label=_("Who covers"))
    first_before = filters.DateFilter(field_name="first", lookup_expr="lte", label=_("Begun by"))
    last_after = filters.DateFilter(field_name="last", lookup_expr="gte", label=_("Not over before"))
    updated_since = updated_since()

    class Meta:
        model = Absence
        fields: list[str] = []


class AbsenceSerializer(Record):
    """A member is away from first to last, both included. Nobody named: each customer's other owner covers."""

    member = Ref(colleagues, NAMED_MEMBER, required=False, help_text="Left out: the caller.")
    first = Day()
    last = Day()
    covered_by = Ref(colleagues, NAMED_MEMBER, required=False, allow_null=True)
    settled_at = Moment(read_only=True, allow_null=True, help_text="When what had moved was given back.")

    class Meta:
        model = Absence
        fields = ["id", "member", "first", "last", "covered_by", "note", "settled_at", "created_at", "updated_at"]


class AbsenceViewSet(Resource):
    """Absences: while one is on, what falls due is with whoever covers."""

    resource = "absences"
    queryset: Any = Absence.objects
    serializer_class = AbsenceSerializer
    filterset_class = AbsenceFilter
    orderings: ClassVar[tuple[str, ...]] = ("updated_at", "-updated_at", "first", "-first")
    http_method_names = ["get", "post", "head"]

    def visible(self) -> QuerySet[Any]:
        rows: QuerySet[Any] = cover.absences(current_tenant().today(), past_days=PAST_DAYS)
        return rows.order_by()

    def create(self, request: Request) -> Response:
        """Plan an absence: one's own, or as a lead anybody's. What is due moves at once if it begins today."""
        asked = AbsenceSerializer(data=request.data, context=self.get_serializer_context())
        asked.is_valid(raise_exception=True)
        fields = dict(asked.validated_data)
        row = cover.plan_absence(member=self.member, away=fields.pop("member", self.member), **fields)
        return self.one(self.get_queryset().get(pk=row.pk), status=201, outcome="created")

    @bodies(responses=AbsenceSerializer)
    @action(detail=True, methods=["post"])
    def end(self, request: Request, pk: str) -> Response:
        """They are back: what had moved and is still open goes back. One that has not begun is forgotten (204)."""
        row = self.get_object()
        cover.end_absence(absence=row, member=self.member)
        ended = self.get_queryset().filter(pk=row.pk).first()
        return Response(status=204) if ended is None else self.one(ended, outcome="updated")


# ── care days ───────────────────────────────────────────────────────────────


class CareDayFilter(StrictFilterSet):
    customer = IdFilter(field_name="customer", label=_("Customer"))
    kind = filters.ChoiceFilter(choices=CareDay.Kind.choices, label=_("Kind"))
    updated_since = updated_since()

    class Meta:
        model = CareDay
        fields: list[str] = []


class CareDaySerializer(Record):
    """A day of a customer that comes round every year, by the sun or by the moon."""

    customer = Ref(customers_of, NAMED_CUSTOMER)
    contact = Ref(_contacts, NAMED, required=False, allow_null=True)
    on = Day(help_text="The day it happened.")

    class Meta:
        model = CareDay
        fields = ["id", "customer", "contact", "kind", "name", "on", "by", "created_at", "updated_at"]


class CareDayViewSet(Resource):
    """Days of customers that come round: when the company was founded, and what else it celebrates."""

    resource = "care-days"
    queryset: Any = CareDay.objects
    serializer_class = CareDaySerializer
    filterset_class = CareDayFilter
    http_method_names = ["get", "post", "head"]

    def create(self, request: Request) -> Response:
        """Note a day; the care calendar asks for it from the next night on."""
        asked = CareDaySerializer(data=request.data, context=self.get_serializer_context())
        asked.is_valid(raise_exception=True)
        row, outcome = care.save_care_day(**asked.validated_data)
        return self.one(self.get_queryset().get(pk=row.pk), status=201, outcome=outcome)

    @bodies(responses={204: None})
    @action(detail=True, methods=["post"], url_path="delete")
    def remove(self, request: Request, pk: str) -> Response:
        """Take a day away that was wrong."""
        care.delete_care_day(care_day=self.get_object())
        return Response(status=204)
