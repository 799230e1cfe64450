"""The API of referrals: recorded, changed, upserted, withdrawn; what became of each."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from customers.api import NAMED, NAMED_CUSTOMER, NAMED_MEMBER, ScoredFacts, colleagues, customers_of
from customers.models import Referral, SurveyResponse
from incentives.referrals import services as referrals
from incentives.referrals.lists import ReferralFilter
from incentives.referrals.reading import RESULTS, with_results
from tenants.api.fields import Day, Moment, Record, Ref, Strict
from tenants.api.resources import Outcome
from tenants.api.schema import bodies
from tenants.models import Member


def _responses(member: Member) -> QuerySet[Any]:
    rows: QuerySet[Any] = SurveyResponse.objects.visible_to(member)
    return rows


class ReferralSerializer(Record):
    """A customer recommended us to a new one; member is who brought it and gets the reward for its new orders."""

    referrer = Ref(customers_of, NAMED_CUSTOMER)
    customer = Ref(customers_of, NAMED_CUSTOMER, help_text="The new customer; one claim at a time.")
    member = Ref(
        colleagues, NAMED_MEMBER, required=False, allow_null=True, help_text="Left out: the A owner of the referrer."
    )
    on = Day()
    response = Ref(_responses, NAMED, required=False, allow_null=True, help_text="The survey answer it was said in.")
    result = serializers.ChoiceField(choices=RESULTS, read_only=True)
    first_on = Day(read_only=True, allow_null=True, help_text="When the new customer placed its first order.")
    withdrawn_at = Moment(read_only=True, allow_null=True)

    class Meta:
        model = Referral
        fields = [
            "id", "source", "external_id", "referrer", "customer", "member", "on", "origin", "response", "note",
            "result", "first_on", "withdrawn_at", "withdrawn_why", "created_at", "updated_at",
        ]  # fmt: skip
        read_only_fields: ClassVar[list[str]] = [
            "origin", "withdrawn_why", "created_at", "updated_at",
        ]  # fmt: skip


class WithdrawReferralSerializer(Strict):
    """Why it is withdrawn."""

    why = serializers.CharField(max_length=200)


class ReferralViewSet(ScoredFacts):
    """Referrals: who recommended us to whom, when, and what came of it."""

    resource = "referrals"
    permissions: ClassVar[dict[str, str]] = {"withdraw": "referrals:write"}
    queryset: Any = Referral.objects
    serializer_class = ReferralSerializer
    filterset_class = ReferralFilter
    orderings: ClassVar[tuple[str, ...]] = ("updated_at", "-updated_at", "on", "-on")

    def visible(self) -> QuerySet[Any]:
        return with_results(super().visible())

    def create_row(self, fields: dict[str, Any]) -> Referral:
        return referrals.record_referral(**_origin(fields))

    def patch_row(self, row: Any, fields: dict[str, Any]) -> Outcome:
        return referrals.patch_referral(referral=row, **fields)

    def upsert_row(self, source: str, external_id: str, fields: dict[str, Any]) -> tuple[Referral, Outcome]:
        return referrals.upsert_referral(source=source, external_id=external_id, **_origin(fields))

    @bodies(request=WithdrawReferralSerializer, responses=ReferralSerializer)
    @action(detail=True, methods=["post"])
    def withdraw(self, request: Request, pk: str) -> Response:
        """Take back a referral that was wrong; what was earned by it is reversed in the coming night."""
        row = self.get_object()
        asked = WithdrawReferralSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        outcome = referrals.withdraw_referral(referral=row, why=asked.validated_data["why"])
        return self.one(self.get_queryset().get(pk=row.pk), outcome=outcome)


def _origin(fields: dict[str, Any]) -> dict[str, Any]:
    """A programme's own, unless it comes from a survey answer."""
    return {**fields, "origin": Referral.Origin.SURVEY if fields.get("response") else Referral.Origin.API}
