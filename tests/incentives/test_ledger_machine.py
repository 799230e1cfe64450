"""Any sequence of orders, refunds, nights, approvals, disputes and pay-outs: it balances, and nothing is paid twice."""

from __future__ import annotations

import datetime as dt
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from customers.models import Order, Referral
from customers.services import patch_referral, withdraw_referral
from incentives.ledger.services import approve, open_dispute, pay_out, points_of, redeem, resolve
from incentives.models import Dispute, Payout, PayoutItem, Reward
from tests.incentives.ledger_story import check_books, night, of_kind, order, out_of_the_house, referred

FIRST = dt.date(2026, 1, 10)
TODAY = dt.date(2026, 11, 20)
CENT = Decimal("0.0001")


class Ledger(RuleBasedStateMachine):
    """One firm, two colleagues who bring customers, three customers, and whatever comes."""

    cast: Any

    def __init__(self) -> None:
        super().__init__()
        self.scope = transaction.atomic()
        self.scope.__enter__()
        referrer = self.cast.customer("Old friend")
        self.referrer = referrer
        self.rows = [
            referred(self.cast, FIRST, name=f"New {number}", referrer=referrer, member=member)
            for number, member in enumerate((self.cast.ann, self.cast.bo, self.cast.ann))
        ]
        self.key = 0

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self.scope.__exit__(None, None, None)

    @rule(who=st.integers(0, 2), ahead=st.integers(0, 300), net=st.integers(-3000, 5000).filter(bool))
    def orders(self, who: int, ahead: int, net: int) -> None:
        order(self.rows[who].customer, FIRST + dt.timedelta(days=ahead), net)

    @rule(which=st.integers(0, 50), status=st.sampled_from(list(Order.Status)))
    def refund_or_restore(self, which: int, status: str) -> None:
        found = list(Order.objects.order_by("pk")[which : which + 1])
        for row in found:
            row.status = status
            row.save()

    @rule()
    def night(self) -> None:
        night(TODAY)
        assert night(TODAY) == 0

    @rule(by=st.sampled_from(["eve", "ada", "lea", "ann"]), part=st.integers(1, 3))
    def approve(self, by: str, part: int) -> None:
        ids = list(Reward.objects.order_by("pk").values_list("pk", flat=True))[::part]
        member = getattr(self.cast, by)
        for row in approve(rewards=ids, member=member).rewards:
            assert row.member_id != member.pk

    @rule()
    def pay(self) -> None:
        before = out_of_the_house()
        payout = pay_out(member=self.cast.ada)
        assert out_of_the_house() - before == (payout.total if payout else 0)
        assert pay_out(member=self.cast.ada) is None

    @rule(which=st.integers(0, 20))
    def dispute(self, which: int) -> None:
        for row in Reward.objects.order_by("pk")[which : which + 1]:
            self.key += 1
            open_dispute(reward=row, member=self.cast.ann, text="Not right", key=str(self.key))

    @precondition(lambda self: Dispute.objects.filter(status="open").exists())
    @rule(amount=st.one_of(st.none(), st.integers(-50, 400)))
    def settle(self, amount: int | None) -> None:
        dispute = Dispute.objects.filter(status="open").select_related("reward").order_by("pk").first()
        assert dispute is not None
        self.key += 1
        said = None if amount is None else Decimal(amount)
        try:
            resolve(dispute=dispute, member=self.cast.lea, amount=said, text="Looked at", key=str(self.key))
        except ValidationError:
            assert said is not None
            assert said < min(0, dispute.reward.entitled)

    @rule(points=st.integers(1, 1500))
    def redeem(self, points: int) -> None:
        self.key += 1
        there = points_of(self.referrer)
        try:
            redeem(customer=self.referrer, points=points, what="A hamper", key=str(self.key), member=self.cast.ann)
        except ValidationError:
            assert points > there
        else:
            assert points_of(self.referrer) == there - points >= 0

    @rule(who=st.integers(0, 2), name=st.sampled_from(["ann", "bo"]))
    def credit_somebody_else(self, who: int, name: str) -> None:
        row = Referral.objects.get(pk=self.rows[who].pk)
        if row.withdrawn_at is None:
            patch_referral(referral=row, member=getattr(self.cast, name))

    @rule(who=st.integers(0, 2))
    def withdraw_claim(self, who: int) -> None:
        withdraw_referral(referral=Referral.objects.get(pk=self.rows[who].pk), why="Wrong")

    @invariant()
    def the_books_are_right(self) -> None:
        check_books()

    @invariant()
    def what_went_out_is_what_the_batches_say(self) -> None:
        items = sum((row.amount for row in PayoutItem.objects.all()), Decimal())
        totals = sum((row.total for row in Payout.objects.all()), Decimal())
        paid = sum((row.paid for row in Reward.objects.all()), Decimal())
        assert items == totals == paid == out_of_the_house()

    @invariant()
    def after_a_night_the_facts_decide(self) -> None:
        """By an independent reckoning: 5 % of each customer's orders less returns, never less than nothing on the way."""
        with transaction.atomic():
            night(TODAY)
            for row in Referral.objects.all():
                earned, running = Decimal(), Decimal()
                placed = list(
                    Order.objects.filter(customer=row.customer_id, status="placed").order_by("placed_on", "pk")
                )
                first = next((each for each in placed if each.kind == "order"), None)
                if row.withdrawn_at is None and first is not None:
                    for each in placed:
                        if each.placed_on >= first.placed_on:
                            share = (abs(each.net) * 5 / 100).quantize(CENT, ROUND_HALF_UP)
                            running += max(share if each.net > 0 else -share, -running)
                    earned = running
                rewards = [each for each in of_kind("staff") if each.referral_id == row.pk]
                assert sum((each.entitled for each in rewards), Decimal()) == earned
                stand = [each for each in rewards if each.member_id == row.member_id]
                assert sum((each.entitled for each in stand), Decimal()) == earned
            check_books()
            transaction.set_rollback(True)


@pytest.mark.django_db
def test_it_balances_and_pays_nothing_twice_whatever_comes(cast: Any, scope: Any, time_machine: Any) -> None:
    time_machine.move_to(dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC))
    machine = type("LedgerOfCast", (Ledger,), {"cast": cast})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=8, stateful_step_count=18, deadline=None, derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )  # fmt: skip
