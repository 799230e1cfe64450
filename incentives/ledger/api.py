"""The API of the ledger: rewards with their disputes, service upgrades, statements."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from customers.api import NAMED_CUSTOMER, customers_of
from incentives.ledger import services as ledger
from incentives.ledger.lists import RewardFilter, UpgradeFilter, reward_rows
from incentives.ledger.words import REFUSALS, explain
from incentives.models import Reward, Upgrade
from tenants.api.fields import Day, Moment, Money, Record, Ref, Strict
from tenants.api.resources import Resource
from tenants.api.schema import bodies


class RewardSerializer(serializers.ModelSerializer):
    """One thing earned. pending + payable + paid = entitled + correction; a payable below zero is set off."""

    id = serializers.CharField(source="pk")
    member = serializers.CharField(
        source="member_id", allow_null=True, help_text="Whose pay; null for points and the product team."
    )
    customer = serializers.CharField(
        source="customer_id",
        allow_null=True,
        help_text="Whose order it was; for points, who gets them; null for medals.",
    )
    referral = serializers.CharField(source="referral_id", allow_null=True)
    upgrade = serializers.CharField(source="upgrade_id", allow_null=True)
    order = serializers.CharField(source="order_id", allow_null=True)
    words = serializers.SerializerMethodField(help_text="Why, in the caller's language.")
    earned_on = Day()
    entitled = Money()
    correction = Money()
    pending = Money()
    payable = Money()
    paid = Money()
    approved_at = Moment(allow_null=True)
    updated_at = Moment()

    class Meta:
        model = Reward
        fields = [
            "id", "kind", "member", "customer", "referral", "upgrade", "order", "earned_on", "words", "entitled",
            "correction", "pending", "payable", "paid", "status", "is_disputed", "approved_at", "updated_at",
        ]  # fmt: skip

    def get_words(self, row: Reward) -> str:
        """Why it is earned."""
        return explain(row)


class DisputeSerializer(Strict):
    """What is wrong."""

    text = serializers.CharField(max_length=4000)
    key = serializers.CharField(max_length=40, help_text="Yours: sent twice, it is one message.")


class RewardViewSet(Resource):
    """Rewards: what staff, the product team and customers have earned, and where it stands."""

    resource = "rewards"
    permissions: ClassVar[Mapping[str, str]] = {"approve": "rewards:approve", "dispute": "rewards:write"}
    queryset: Any = Reward.objects
    serializer_class = RewardSerializer
    filterset_class = RewardFilter
    orderings: ClassVar[tuple[str, ...]] = ("updated_at", "-updated_at", "earned_on", "-earned_on")
    http_method_names = ["get", "post", "head"]

    def visible(self) -> QuerySet[Any]:
        return reward_rows(self.member)

    @bodies(responses=RewardSerializer)
    @action(detail=True, methods=["post"])
    def approve(self, request: Request, pk: str) -> Response:
        """Approve what waits of it; nobody approves their own. 400 with the reason when it cannot be."""
        row = self.get_object()
        done = ledger.approve(rewards=[row.pk], member=self.member)
        for _reward, why in done.refused:
            raise serializers.ValidationError({"non_field_errors": [str(REFUSALS[why])]}, code=why)
        return self.one(self.get_queryset().get(pk=row.pk), outcome="updated")

    @bodies(request=DisputeSerializer, responses=RewardSerializer)
    @action(detail=True, methods=["post"])
    def dispute(self, request: Request, pk: str) -> Response:
        """Say that it is wrong; nothing is approved or paid of it until that is settled."""
        row = self.get_object()
        asked = DisputeSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        ledger.open_dispute(reward=row, member=self.member, **asked.validated_data)
        return self.one(self.get_queryset().get(pk=row.pk), outcome="updated")


class UpgradeSerializer(Record):
    """A customer got a better service on a day."""

    customer = Ref(customers_of, NAMED_CUSTOMER)
    on = Day()
    withdrawn_at = Moment(read_only=True, allow_null=True)

    class Meta:
        model = Upgrade
        fields = ["id", "customer", "on", "what", "withdrawn_at", "withdrawn_why", "created_at", "updated_at"]
        read_only_fields: ClassVar[list[str]] = ["withdrawn_why", "created_at", "updated_at"]


class WithdrawUpgradeSerializer(Strict):
    """Why it is withdrawn."""

    why = serializers.CharField(max_length=200)


class UpgradeViewSet(Resource):
    """Service upgrades: what a customer spends more from then on earns the product team its share."""

    resource = "upgrades"
    permissions: ClassVar[Mapping[str, str]] = {"withdraw": "upgrades:write"}
    queryset: Any = Upgrade.objects
    serializer_class = UpgradeSerializer
    filterset_class = UpgradeFilter
    orderings: ClassVar[tuple[str, ...]] = ("updated_at", "-updated_at", "on", "-on")
    http_method_names = ["get", "post", "head"]

    def create(self, request: Request) -> Response:
        """Record an upgrade; its rewards come month by month."""
        asked = UpgradeSerializer(data=request.data, context=self.get_serializer_context())
        asked.is_valid(raise_exception=True)
        row = ledger.record_upgrade(member=self.member, **asked.validated_data)
        return self.one(self.get_queryset().get(pk=row.pk), status=201, outcome="created")

    @bodies(request=WithdrawUpgradeSerializer, responses=UpgradeSerializer)
    @action(detail=True, methods=["post"])
    def withdraw(self, request: Request, pk: str) -> Response:
        """Take back an upgrade that was wrong; what was earned by it is reversed in the coming night."""
        row = self.get_object()
        asked = WithdrawUpgradeSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        outcome = ledger.withdraw_upgrade(upgrade=row, why=asked.validated_data["why"])
        return self.one(self.get_queryset().get(pk=row.pk), outcome=outcome)
