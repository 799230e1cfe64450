"""The API of pulses: a person's own view of a customer, beside the score."""

from __future__ import annotations

from typing import Any, ClassVar

import django_filters as filters
from django.db.models import Case, F, FilteredRelation, Q, QuerySet, Value, When
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from customers.api import NAMED_CUSTOMER, customers_of
from health import figures, pulses
from health.models import Band, Pulse
from tenants.api.fields import Moment, Record, Ref
from tenants.api.resources import Resource
from tenants.api.schema import bodies
from tenants.context import current_tenant
from tenants.filters import BooleanFilter, IdFilter, StrictFilterSet


class PulseFilter(StrictFilterSet):
    customer = IdFilter(field_name="customer", label=_("Customer"))
    member = IdFilter(field_name="member", label=_("By"))
    band = filters.MultipleChoiceFilter(choices=Pulse.VIEWS, label=_("Own view"))
    reason = filters.MultipleChoiceFilter(choices=Pulse.Reason.choices, label=_("Reason"))
    counting = BooleanFilter(field_name="counts", label=_("The view of each customer that counts"))
    differs = filters.ChoiceFilter(
        method="by_difference",
        choices=[("any", _("By a colour or more")), ("worse", _("The person sees it worse")),
                 ("better", _("The person sees it better"))],
        label=_("Score and own view differ"),
    )  # fmt: skip

    class Meta:
        model = Pulse
        fields: list[str] = []

    def by_difference(self, rows: QuerySet[Pulse], _name: str, view: figures.View) -> QuerySet[Pulse]:
        differing = figures.disagreements(self.request.member).filter(figures.DIFFERS[view])
        return rows.filter(pk__in=differing.values("pk"))


class PulseSerializer(Record):
    """How a member sees a customer since at, and why. It never enters the score, which stands beside it.

    counts: the latest of its customer that is neither withdrawn nor older than the policy's days. score and band_by_score
    are today's of the customer; null before its first night.
    """

    customer = Ref(customers_of, NAMED_CUSTOMER)
    band = serializers.ChoiceField(choices=Pulse.VIEWS)
    member = serializers.CharField(source="member_id", read_only=True, help_text="Whose view it is: the caller's.")
    at = Moment(read_only=True)
    withdrawn_at = Moment(read_only=True, allow_null=True)
    counts = serializers.BooleanField(read_only=True)
    score = serializers.IntegerField(read_only=True, allow_null=True)
    band_by_score = serializers.ChoiceField(choices=Band.choices, read_only=True, allow_null=True)

    class Meta:
        model = Pulse
        fields = [
            "id", "customer", "band", "reason", "note", "member", "at", "withdrawn_at", "counts", "score", "band_by_score",
        ]  # fmt: skip


class PulseViewSet(Resource):
    """Own views of customers, all that were ever given."""

    resource = "pulses"
    queryset: Any = Pulse.objects
    serializer_class = PulseSerializer
    filterset_class = PulseFilter
    orderings: ClassVar[tuple[str, ...]] = ("at", "-at")
    http_method_names = ["get", "post", "head"]

    def detailed(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        tenant = current_tenant().pk
        of_tenant = Q(customer__health_scores__tenant_id=tenant)
        counts = When(pk__in=pulses.latest_pulses().values("pk"), then=Value(True))
        return rows.annotate(
            health=FilteredRelation("customer__health_scores", condition=of_tenant),
            score=F("health__score"),
            band_by_score=F("health__band"),
            counts=Case(counts, default=Value(False)),
        ).select_related("customer")

    def create(self, request: Request) -> Response:
        """Give one's own view; it takes the place of the one before. The same again on the same day changes nothing."""
        asked = PulseSerializer(data=request.data, context=self.get_serializer_context())
        asked.is_valid(raise_exception=True)
        row, outcome = pulses.give_pulse(member=self.member, **asked.validated_data)
        status = 201 if outcome == "created" else 200
        return self.one(self.get_queryset().get(pk=row.pk), status=status, outcome=outcome)

    @bodies(responses=PulseSerializer)
    @action(detail=True, methods=["post"])
    def withdraw(self, request: Request, pk: str) -> Response:
        """Take a view back: one's own, or as a lead or an administrator anybody's."""
        row = self.get_object()
        outcome = pulses.withdraw(pulse=row, member=self.member)
        return self.one(self.get_queryset().get(pk=row.pk), outcome=outcome)
