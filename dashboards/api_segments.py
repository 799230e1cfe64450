"""The API of saved segments: filters of the customers list under a name, and who is in them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import django_filters as filters
from django.db.models import Count, Q, QuerySet
from django.http import Http404
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from customers.api import OfCustomerSerializer, with_external_ids
from dashboards import segments
from segmentation.models import SavedSegment, SegmentMember
from tenants.api.fields import Moment, Record
from tenants.api.resources import Resource
from tenants.api.schema import bodies
from tenants.filters import StrictFilterSet, id_number


class FiltersField(serializers.DictField):
    """Parameter of the customers list → its values."""

    child = serializers.ListField(child=serializers.CharField(), max_length=50)


class SegmentSerializer(Record):
    """A filter of the customers list under a name. Every night looks anew who is in it, over the whole firm.

    filters holds parameters of the customers list, each with a list of values: {"tier": ["gold"], "stage":
    ["lapsed"]}; a filter by a saved segment is refused. members counts who is in it and visible to the caller.
    """

    filters = FiltersField(help_text="Sent anew it takes the place of all filters.")
    is_shared = serializers.BooleanField(required=False, help_text="Whether everybody of the firm sees it.")
    member = serializers.CharField(source="member_id", read_only=True, help_text="Who made it.")
    members = serializers.IntegerField(read_only=True, source="count")
    evaluated_at = Moment(read_only=True, allow_null=True)
    problem = serializers.CharField(
        read_only=True, help_text="Why the filters no longer work; the members are then those of evaluated_at."
    )

    class Meta:
        model = SavedSegment
        fields = [
            "id", "name", "filters", "is_shared", "member", "members", "evaluated_at", "problem", "created_at",
            "updated_at",
        ]  # fmt: skip
        read_only_fields: ClassVar[list[str]] = ["created_at", "updated_at"]


class SegmentMemberSerializer(OfCustomerSerializer):
    """A customer who is in a saved segment, and since when."""

    class Meta:
        model = SegmentMember
        fields = ["customer", "external_ids", "joined_on"]


class SegmentMemberFilter(StrictFilterSet):
    joined_from = filters.DateFilter(field_name="joined_on", lookup_expr="gte", label=_("Joined on or after"))

    class Meta:
        model = SegmentMember
        fields: list[str] = []


class SegmentViewSet(Resource):
    """Saved segments: one's own and those that are shared."""

    resource = "segments"
    queryset: Any = SavedSegment.objects
    serializer_class = SegmentSerializer
    orderings: ClassVar[tuple[str, ...]] = ("updated_at", "-updated_at", "name", "-name")

    def detailed(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        seen = SegmentMember.objects.visible_to(self.member).filter(left_on__isnull=True)
        inside = Q(members__left_on__isnull=True, members__pk__in=seen.values("pk"))
        return rows.annotate(count=Count("members", filter=inside))

    def create(self, request: Request) -> Response:
        """Save filters under a name; who matches is looked up at once."""
        fields = self._checked(request)
        row = segments.save_segment(member=self.member, **({"is_shared": False} | fields))
        return self.one(self.get_queryset().get(pk=row.pk), status=201, outcome="created")

    def partial_update(self, request: Request, pk: str) -> Response:
        """JSON merge patch: what is absent stays. Only who made it, and an administrator, change it."""
        row = self.get_object()
        fields = self._checked(request, merge=True)
        outcome = segments.change_segment(segment=row, member=self.member, **fields)
        return self.one(self.get_queryset().get(pk=row.pk), outcome=outcome)

    def _checked(self, request: Request, *, merge: bool = False) -> dict[str, Any]:
        reader = SegmentSerializer(data=request.data, context=self.get_serializer_context() | {"merge": merge})
        reader.is_valid(raise_exception=True)
        return dict(reader.validated_data)


class SegmentMemberViewSet(Resource):
    """Who is in a saved segment: of its customers those that the caller sees."""

    resource = "segments-members"
    permissions: ClassVar[Mapping[str, str]] = {"list": "segments:read"}
    queryset: Any = SegmentMember.objects
    serializer_class = SegmentMemberSerializer
    filterset_class = SegmentMemberFilter
    orderings: ClassVar[tuple[str, ...]] = ("id", "-id", "joined_on", "-joined_on")
    http_method_names = ["get", "head"]

    def visible(self) -> QuerySet[Any]:
        number = id_number(self.kwargs["pk"])
        seen = SavedSegment.objects.visible_to(self.member)
        segment = None if number is None else seen.filter(pk=number).first()
        if segment is None:
            raise Http404
        return super().visible().filter(segment=segment, left_on__isnull=True)

    def detailed(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        return with_external_ids(rows)

    @bodies(responses=SegmentMemberSerializer)
    def list(self, request: Request, **_address: str) -> Response:
        """Who is in the saved segment now, as of evaluated_at."""
        return super().list(request)
