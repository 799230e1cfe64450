"""The API of reports: what a month or a week came to, as it was made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from incentives.models import Report
from incentives.reports import services as reports
from incentives.reports.lists import ReportFilter
from tenants.api.fields import Day, Moment, Record, Strict
from tenants.api.resources import Resource
from tenants.api.schema import bodies


class ReportSerializer(Record):
    """A report: of which period and of whom, and what it says. Without team and member it is the firm's; never changed.

    `facts` holds a part for each of its tables: kpis, people, lapses, causes, moves, health, coverage, alerts, crises,
    cases, rewards, medals, now; and `missing`, what is not in it. Money and values are decimals as text.
    """

    start = Day(read_only=True)
    period = serializers.SerializerMethodField()
    team = serializers.CharField(source="team_id", read_only=True, allow_null=True)
    member = serializers.CharField(source="member_id", read_only=True, allow_null=True)
    as_of = Day(read_only=True)
    made_at = Moment(read_only=True)
    facts = serializers.JSONField(read_only=True)

    class Meta:
        model = Report
        fields = ["id", "kind", "period", "start", "team", "member", "as_of", "policy_version", "made_at", "facts"]
        read_only_fields = fields

    def get_period(self, row: Report) -> str:
        return reports.period_of(row).code


class SendBody(Strict):
    """`key` is of the caller's making: with the same key a report is sent once."""

    key = serializers.RegexField(r"^[A-Za-z0-9-]{1,60}$")


class SentSerializer(serializers.Serializer):
    """Whether the report is on its way now; false: it was sent before with this key."""

    is_sent = serializers.BooleanField()


class ReportViewSet(Resource):
    """Reports that were made; each is sent to its readers by itself."""

    resource = "reports"
    permissions: ClassVar[Mapping[str, str]] = {"send": "reports:read"}
    queryset: Any = Report.objects
    serializer_class = ReportSerializer
    filterset_class = ReportFilter
    orderings: ClassVar[tuple[str, ...]] = ("made_at", "-made_at", "start", "-start")
    http_method_names = ["get", "post", "head"]

    def get_queryset(self) -> QuerySet[Any]:
        rows: QuerySet[Any] = reports.visible(self.member).order_by()
        return rows

    @bodies(request=SendBody, responses=SentSerializer)
    @action(detail=True, methods=["post"])
    def send(self, request: Request, pk: str) -> Response:
        """Send it to the caller by mail, with the file, now."""
        row = self.get_object()
        asked = SendBody(data=request.data)
        asked.is_valid(raise_exception=True)
        is_sent = reports.send_to_me(
            member=self.member,
            kind=reports.kind_of(row),
            period=reports.period_of(row),
            who=reports.who_of(row),
            report=row,
            token=asked.validated_data["key"],
        )
        return Response(SentSerializer({"is_sent": is_sent}).data)
