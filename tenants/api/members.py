"""The API of this app: who is calling, and the people of the tenant."""

from __future__ import annotations

from typing import Any, ClassVar

import django_filters as filters
from django.conf import settings
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from tenants.api.access import tenant_request
from tenants.api.batches import MAX_BATCH_ROWS
from tenants.api.fields import Moment, Record
from tenants.api.lists import MAX_PAGE_ROWS, query_fault
from tenants.api.resources import Resource
from tenants.api.schema import bodies
from tenants.filters import BooleanFilter, StrictFilterSet
from tenants.models import Member, Tenant
from tenants.permissions import Role, permissions_of
from tenants.problems import BadParameters


class TenantSerializer(serializers.ModelSerializer):
    class Meta:
        model = Tenant
        fields = ["slug", "name", "timezone", "currency", "country", "language"]


class MemberSerializer(Record):
    """A person of the firm."""

    name = serializers.CharField(source="user.name", read_only=True)
    email = serializers.EmailField(source="user.email", read_only=True)
    team = serializers.CharField(source="team.name", default=None, read_only=True)

    class Meta:
        model = Member
        fields = ["id", "name", "email", "role", "team", "weekly_capacity", "is_active"]


class TokenSerializer(serializers.Serializer):
    name = serializers.CharField()
    prefix = serializers.CharField()
    expires_at = Moment()


class LimitsSerializer(serializers.Serializer):
    page_rows = serializers.IntegerField()
    batch_rows = serializers.IntegerField()
    body_bytes = serializers.IntegerField()


class MeSerializer(serializers.Serializer):
    """Whom the API takes you for, and what you may do."""

    tenant = TenantSerializer()
    member = MemberSerializer()
    role = serializers.ChoiceField(choices=Role.choices)
    scopes = serializers.ListField(child=serializers.CharField())
    token = TokenSerializer(allow_null=True)
    limits = LimitsSerializer()


class Me(APIView):
    """Tenant, member, role, scopes and limits of whoever calls."""

    http_method_names = ["get", "head"]

    @bodies(responses=MeSerializer)
    def get(self, request: Request) -> Response:
        """Tenant, member, role, scopes and limits of whoever calls."""
        if request.query_params:
            raise BadParameters(
                [
                    query_fault(name, "unknown_parameter", _("There is no such parameter."))
                    for name in request.query_params
                ]
            )
        asked = tenant_request(request)
        allowed = permissions_of(asked.member.role)
        limits = {
            "page_rows": MAX_PAGE_ROWS,
            "batch_rows": MAX_BATCH_ROWS,
            "body_bytes": settings.DATA_UPLOAD_MAX_MEMORY_SIZE,
        }
        caller = {
            "tenant": asked.tenant,
            "member": asked.member,
            "role": asked.member.role,
            "scopes": sorted(allowed if asked.token is None else allowed & set(asked.token.scopes)),
            "token": asked.token,
            "limits": limits,
        }
        return Response(MeSerializer(caller).data)


class MemberFilter(StrictFilterSet):
    role = filters.ChoiceFilter(choices=Role.choices, label=_("role"))
    is_active = BooleanFilter(label=_("active"))


class MemberViewSet(Resource):
    """The people of the firm."""

    resource = "members"
    queryset: Any = Member.objects
    serializer_class = MemberSerializer
    filterset_class = MemberFilter
    orderings: ClassVar[tuple[str, ...]] = ("id", "-id")

    def visible(self) -> QuerySet[Member]:
        rows: QuerySet[Member] = Member.objects.all()
        return rows

    def detailed(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        return rows.select_related("user", "team")
