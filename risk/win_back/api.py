"""The API of win-back: lapsed customers by expected money, offers, what came of them, and return rates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from customers.api import OfCustomerSerializer, with_external_ids
from customers.models import Channel
from risk.cases.api import GainSerializer, ShareSerializer
from risk.models import WinBack, WinBackTry
from risk.win_back import services as win_backs
from risk.win_back.lists import WinBackFilter
from tenants.api.fields import Day, Moment, Money, Strict
from tenants.api.resources import Resource
from tenants.api.schema import bodies
from tenants.context import current_tenant
from tenants.filters import id_number


class TrySerializer(serializers.ModelSerializer):
    """An offer, and what came of it."""

    id = serializers.CharField(source="pk")
    member = serializers.CharField(source="member_id", allow_null=True)
    playbook_run = serializers.CharField(source="playbook_run_id", allow_null=True)
    at = Moment()
    result_at = Moment(allow_null=True)
    returned_on = Day(allow_null=True, help_text="The first order again, when this was the last offer before it.")

    class Meta:
        model = WinBackTry
        fields = [
            "id", "member", "at", "offer", "channel", "terms", "note", "result", "result_at", "playbook_run",
            "returned_on",
        ]  # fmt: skip


class WinBackSerializer(OfCustomerSerializer):
    """A lapse of a customer: what it may bring again, and what was tried."""

    id = serializers.CharField(source="pk", read_only=True)
    last_order_on = Day(read_only=True)
    lapsed_on = Day(read_only=True)
    yearly = Money(read_only=True, help_text="Net money of the twelve months up to the last order.")
    chance = serializers.FloatField(
        read_only=True, help_text="Of an order within the policy's horizon, from the firm's own history."
    )
    expected = Money(read_only=True, help_text="chance × yearly, not below 0.")
    returned_on = Day(read_only=True, allow_null=True)
    attempts = TrySerializer(many=True, read_only=True)
    updated_at = Moment(read_only=True)

    class Meta:
        model = WinBack
        fields = [
            "id", "customer", "external_ids", "last_order_on", "lapsed_on", "orders", "yearly", "chance", "expected",
            "status", "tries", "returned_on", "reason", "attempts", "updated_at",
        ]  # fmt: skip


class OfferSerializer(Strict):
    """An offer to a customer that went."""

    offer = serializers.ChoiceField(choices=WinBackTry.Offer.choices)
    terms = serializers.CharField(required=False, allow_blank=True, max_length=300)
    channel = serializers.ChoiceField(choices=Channel.choices, required=False, allow_blank=True)
    note = serializers.CharField(required=False, allow_blank=True, max_length=300)
    with_playbook = serializers.BooleanField(required=False, help_text="Begin the win-back playbook as well.")


class AnswerSerializer(Strict):
    """What the customer said to an offer."""

    attempt = serializers.CharField(help_text="The id of one of the attempts.")
    result = serializers.ChoiceField(choices=WinBackTry.Result.choices)
    note = serializers.CharField(required=False, allow_blank=True, max_length=300)


class GiveUpSerializer(Strict):
    """Why nobody tries any more."""

    reason = serializers.CharField(max_length=200)


class OfferRateSerializer(serializers.Serializer):
    """How often an offer brought customers back, against lapses that nobody tried to win back."""

    offer = serializers.ChoiceField(choices=WinBackTry.Offer.choices)
    rate = ShareSerializer()
    gain = GainSerializer(allow_null=True)
    enough = serializers.BooleanField()


class RatesSerializer(serializers.Serializer):
    """The return rates of all offers that were made."""

    rates = OfferRateSerializer(many=True)


class WinBackViewSet(Resource):
    """Lapsed customers."""

    resource = "win-backs"
    permissions: ClassVar[Mapping[str, str]] = {"rates": "win-backs:read"}
    queryset: Any = WinBack.objects
    serializer_class = WinBackSerializer
    filterset_class = WinBackFilter
    orderings: ClassVar[tuple[str, ...]] = ("updated_at", "-updated_at", "expected", "-expected")
    http_method_names = ["get", "post", "head"]

    def detailed(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        return with_external_ids(rows).prefetch_related("attempts")

    def _said(self, request: Request, reader: type[Strict]) -> dict[str, Any]:
        said = reader(data=request.data, context=self.get_serializer_context())
        said.is_valid(raise_exception=True)
        return dict(said.validated_data)

    def _after(self, row: WinBack, outcome: Any = "updated") -> Response:
        return self.one(self.get_queryset().get(pk=row.pk), outcome=outcome)

    @bodies(request=OfferSerializer, responses=WinBackSerializer)
    @action(detail=True, methods=["post"])
    def offer(self, request: Request, pk: str) -> Response:
        """Write down an offer; it waits for an answer."""
        row, said = self.get_object(), self._said(request, OfferSerializer)
        win_backs.offer(win_back=row, member=self.member, **said)
        return self._after(row)

    @bodies(request=AnswerSerializer, responses=WinBackSerializer)
    @action(detail=True, methods=["post"])
    def answer(self, request: Request, pk: str) -> Response:
        """Note what came of an offer."""
        row, said = self.get_object(), self._said(request, AnswerSerializer)
        number = id_number(said.pop("attempt"))
        attempt = WinBackTry.objects.filter(win_back=row, pk=number).first() if number is not None else None
        if attempt is None:
            raise NotFound
        return self._after(row, win_backs.answer(attempt=attempt, member=self.member, **said))

    @bodies(request=GiveUpSerializer, responses=WinBackSerializer)
    @action(detail=True, methods=["post"], url_path="give-up")
    def give_up(self, request: Request, pk: str) -> Response:
        """Nobody tries any more."""
        row, said = self.get_object(), self._said(request, GiveUpSerializer)
        return self._after(row, win_backs.give_up(win_back=row, member=self.member, **said))

    @bodies(responses=WinBackSerializer)
    @action(detail=True, methods=["post"], url_path="take-up")
    def take_up(self, request: Request, pk: str) -> Response:
        """It is tried again after all."""
        row = self.get_object()
        return self._after(row, win_backs.take_up(win_back=row, member=self.member))

    @bodies(responses=RatesSerializer)
    @action(detail=False, methods=["get"])
    def rates(self, request: Request) -> Response:
        """How often each offer brought customers back, over those that the caller sees."""
        tries = WinBackTry.objects.visible_to(self.member)
        found = win_backs.offer_rates(tries, self.visible(), current_tenant().today())
        return Response(RatesSerializer({"rates": found}).data)
