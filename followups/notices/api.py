"""The API of notices: what a member has been told, and what they have read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from followups.models import Notice
from followups.notices import services
from tenants.api.fields import Moment, Record
from tenants.api.resources import Resource
from tenants.api.schema import bodies
from tenants.filters import BooleanFilter, StrictFilterSet, updated_since


class NoticeFilter(StrictFilterSet):
    """Notices by whether they have been read."""

    read = BooleanFilter(field_name="read_at", lookup_expr="isnull", exclude=True, label=_("Read"))
    updated_since = updated_since()

    class Meta:
        model = Notice
        fields: list[str] = []


class NoticeSerializer(Record):
    """Something that the caller should know. `words` is in the language of the request; `path` leads to its page."""

    words = serializers.SerializerMethodField()
    path = serializers.CharField(source="url", read_only=True, help_text="Below the firm's own address; may be empty.")
    created_at = Moment(read_only=True)
    read_at = Moment(read_only=True, allow_null=True)
    updated_at = Moment(read_only=True)

    class Meta:
        model = Notice
        fields = ["id", "kind", "words", "path", "created_at", "read_at", "updated_at"]
        read_only_fields = fields

    def get_words(self, row: Notice) -> str:
        return services.sentence(row)


class NoticeViewSet(Resource):
    """Notices of the caller; nobody reads those of somebody else."""

    resource = "notices"
    permissions: ClassVar[Mapping[str, str]] = {"read": "notices:write"}
    queryset: Any = Notice.objects
    serializer_class = NoticeSerializer
    filterset_class = NoticeFilter
    http_method_names = ["get", "post", "head"]

    def visible(self) -> QuerySet[Any]:
        rows: QuerySet[Any] = services.notices_of(self.member)
        return rows.order_by()

    @bodies(request=None, responses=NoticeSerializer)
    @action(detail=True, methods=["post"])
    def read(self, request: Request, pk: str) -> Response:
        """Mark it read. Read before: unchanged."""
        row = self.get_object()
        changed = services.read(member=self.member, ids=[row.pk])
        return self.one(self.get_queryset().get(pk=row.pk), outcome="updated" if changed else "unchanged")
