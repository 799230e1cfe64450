"""The ledger as stories: accrued, approved, paid, refunded, disputed; and what the database itself refuses."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import DatabaseError, IntegrityError, connections, transaction

from customers.models import Arrival, Order, Referral
from customers.services import arrived, patch_referral, withdraw_referral
from incentives.ledger.accruing import STEP
from incentives.ledger.services import (
    Days,
    Line,
    account,
    approve,
    balance,
    open_dispute,
    pay_out,
    points_of,
    post,
    record_upgrade,
    redeem,
    reply,
    resolve,
    statement,
    withdraw,
    withdraw_upgrade,
)
from incentives.models import Account, Entry, EntryLine, Payout, PayoutItem, Reward
from tests.incentives.ledger_story import check_books, night, of_kind, order, out_of_the_house, paid_to, referred

TODAY = dt.date(2026, 11, 20)
YESTERDAY = TODAY - dt.timedelta(days=1)
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _friday(time_machine: Any) -> None:
    time_machine.move_to(dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC))


def ids() -> list[int]:
    return list(Reward.objects.values_list("pk", flat=True))


def test_it_accrues_five_percent_and_points_once_and_explains_them(cast: Any, scope: Any) -> None:
    row = referred(cast, dt.date(2026, 5, 1))
    order(row.customer, dt.date(2026, 5, 20), 12_000)
    order(row.customer, dt.date(2026, 6, 3), -2_000)
    order(row.customer, dt.date(2027, 6, 1), 500)  # still to come
    assert night(TODAY) == 3
    assert night(TODAY) == 0
    first, credit = of_kind("staff")
    assert (first.amount, first.pending, first.status) == (600, 600, "pending")
    assert (credit.amount, credit.payable, credit.status) == (-100, -100, "claim")
    (points,) = of_kind("referral")
    assert (points.customer_id, points.amount) == (row.referrer_id, 1000)
    check_books()
    found = statement(cast.ann, Days(dt.date(2026, 11, 1), dt.date(2026, 12, 1)))
    assert (found.pending, found.owed, found.earned) == (600, -100, 500)
    words = " ".join(line.words for line in found.lines)
    assert "5% of order O-" in words
    assert "£12,000" in words
    assert "whom Huaxin Building Materials recommended on 1 May" in words
    assert "credit note" in words
    assert statement(cast.bo, Days(dt.date(2026, 11, 1), dt.date(2026, 12, 1))).lines == ()


def test_it_keeps_the_percentage_of_the_day_when_the_policy_changes(cast: Any, scope: Any, time_machine: Any) -> None:
    from tenants.policies import active_policy, complete_document, save_policy

    row = referred(cast, dt.date(2026, 5, 1))
    order(row.customer, dt.date(2026, 5, 20), 100)
    night(TODAY)
    policy = active_policy()
    document = complete_document(policy)
    document["rewards"] |= {"staff_percent": 10}
    save_policy(document, pack=policy.pack)
    time_machine.move_to(dt.datetime(2026, 11, 25, 12, tzinfo=dt.UTC))
    order(row.customer, dt.date(2026, 11, 24), 100)
    night(dt.date(2026, 11, 25))
    assert [each.amount for each in of_kind("staff")] == [5, 10]


def test_it_pays_once_and_sets_a_refund_after_the_pay_out_off(cast: Any, scope: Any) -> None:
    row = referred(cast, dt.date(2026, 5, 1))
    sold = order(row.customer, dt.date(2026, 5, 20), 1000)
    night(TODAY)
    assert pay_out(member=cast.ada) is None  # nothing is approved
    assert [each.status for each in approve(rewards=ids(), member=cast.eve).rewards] == ["approved", "approved"]
    payout = pay_out(member=cast.ada)
    assert payout is not None
    assert (payout.number, payout.total, payout.people) == (1, 50, 1)
    assert pay_out(member=cast.ada) is None
    assert paid_to(cast.ann) == 50
    sold.status = Order.Status.CANCELLED
    sold.save()
    night(TODAY)
    (staff,) = of_kind("staff")
    assert (staff.status, staff.payable, staff.paid, staff.amount) == ("claim", -50, 50, 0)
    assert "The order was cancelled." in statement(cast.ann, Days(TODAY.replace(day=1), TODAY)).lines[-1].words
    assert pay_out(member=cast.ada) is None
    # The next order of 1,600 earns 80: 30 of it go out, 50 are set off; the first order is another one now.
    order(row.customer, dt.date(2026, 11, 2), 1600)
    night(TODAY)
    approve(rewards=ids(), member=cast.eve)
    second = pay_out(member=cast.ada)
    assert second is not None
    assert (second.total, paid_to(cast.ann), out_of_the_house()) == (30, 80, 80)
    assert PayoutItem.objects.count() == 2
    check_books()


def test_it_lets_nobody_approve_their_own_and_leads_only_to_a_limit(cast: Any, scope: Any) -> None:
    row = referred(cast, dt.date(2026, 5, 1), member=cast.lea)
    order(row.customer, dt.date(2026, 5, 20), 1000)
    big = referred(cast, dt.date(2026, 5, 2), name="Big", referrer=row.referrer, member=cast.ann)
    order(big.customer, dt.date(2026, 5, 20), 200_000)
    night(TODAY)
    done = approve(rewards=[each.pk for each in of_kind("staff")], member=cast.lea)
    assert done.rewards == ()
    assert {why for _reward, why in done.refused} == {"own", "over_limit"}
    # Bo sees nothing of either.
    assert approve(rewards=[each.pk for each in of_kind("staff")], member=cast.bo).refused == ()
    assert len(approve(rewards=ids(), member=cast.eve).rewards) == 4


def test_it_credits_points_and_takes_back_what_was_redeemed(cast: Any, scope: Any) -> None:
    referrer = cast.customer("Old friend")
    rows = [referred(cast, dt.date(2026, 3, 1 + n), name=f"New {n}", referrer=referrer) for n in range(3)]
    sold = [order(each.customer, dt.date(2026, 4, 1), 10) for each in rows]
    night(TODAY)
    assert [each.amount for each in of_kind("step")] == [2000]
    assert points_of(referrer) == 0
    approve(rewards=ids(), member=cast.eve)
    assert points_of(referrer) == 5000
    with pytest.raises(ValidationError):
        redeem(customer=referrer, points=5001, what="A hamper", key="1", member=cast.ann)
    redeem(customer=referrer, points=4500, what="A hamper", key="1", member=cast.ann)
    redeem(customer=referrer, points=4500, what="A hamper", key="1", member=cast.ann)  # the same form again
    assert points_of(referrer) == 500
    Order.objects.filter(pk=sold[0].pk).update(status=Order.Status.CANCELLED)
    night(TODAY)
    assert points_of(referrer) == -2500  # 1,000 for the referral and the step of 2,000
    found = statement(referrer, Days(dt.date(2026, 1, 1), dt.date(2027, 1, 1)))
    assert (found.is_points, found.owed, found.paid) == (True, -2500, 4500)
    check_books()


def test_it_holds_what_is_disputed_and_corrects_in_the_open(cast: Any, scope: Any) -> None:
    row = referred(cast, dt.date(2026, 5, 1))
    order(row.customer, dt.date(2026, 5, 20), 1000)
    night(TODAY)
    (staff,) = of_kind("staff")
    dispute = open_dispute(reward=staff, member=cast.ann, text="It was 1,200.", key="a")
    assert open_dispute(reward=staff, member=cast.ann, text="It was 1,200.", key="a").pk == dispute.pk
    reply(dispute=dispute, member=cast.lea, text="Which invoice?", key="b")
    assert [each.text for each in dispute.messages.all()] == ["It was 1,200.", "Which invoice?"]
    assert approve(rewards=[staff.pk], member=cast.eve).refused[0][1] == "disputed"
    with pytest.raises(ValidationError):
        resolve(dispute=dispute, member=cast.ann, amount=Decimal(60), text="Yes.", key="c")
    with pytest.raises(ValidationError):
        withdraw(dispute=dispute, member=cast.lea)
    resolve(dispute=dispute, member=cast.lea, amount=Decimal(60), text="Invoice found.", key="c")
    with pytest.raises(ValidationError):
        reply(dispute=dispute, member=cast.ann, text="Thanks.", key="d")
    staff.refresh_from_db()
    assert (staff.amount, staff.correction, staff.pending, staff.is_disputed) == (60, 10, 60, False)
    assert approve(rewards=[staff.pk], member=cast.lea).refused[0][1] == "own_correction"
    assert approve(rewards=[staff.pk], member=cast.eve).rewards[0].payable == 60
    # What is corrected of an order that is gone goes with it.
    Order.objects.update(status=Order.Status.CANCELLED)
    night(TODAY)
    staff.refresh_from_db()
    assert (staff.amount, staff.correction) == (0, 0)
    check_books()


def test_it_pays_the_product_team_three_percent_of_added_spend(cast: Any, scope: Any) -> None:
    customer = cast.customer()
    for month in range(1, 9):
        order(customer, dt.date(2025, month, 2), 1000)
    for month in (9, 10, 11, 12):
        order(customer, dt.date(2025, month, 2), 1000)
    upgrade = record_upgrade(customer=customer, on=dt.date(2026, 1, 2), what="Same-day delivery", member=cast.ann)
    with pytest.raises(ValidationError, match="would count twice"):
        record_upgrade(customer=customer, on=dt.date(2026, 8, 1), what="Storage", member=cast.ann)
    order(customer, dt.date(2026, 1, 5), 5000)
    night(dt.date(2026, 2, 2))
    (month,) = of_kind("product")
    # 12,000 from 2 January 2025 on is the baseline: 1,000 a month are expected, 3 % of 4,000 are earned.
    assert month.amount == 120
    night(dt.date(2026, 4, 2))
    assert [each.amount for each in of_kind("product")] == [120, -30, -30]
    assert "Same-day delivery" in statement(None, Days(dt.date(2026, 1, 1), TODAY)).lines[0].words
    done = approve(rewards=ids(), member=cast.ada)
    assert len(done.rewards) == 1
    payout = pay_out(member=cast.ada)
    assert payout is not None
    assert payout.total == 60
    withdraw_upgrade(upgrade=upgrade, why="Never went live")
    night(TODAY)
    assert -balance(account(Account.Kind.PRODUCT_PAYABLE)) == -60
    check_books()
    with pytest.raises(ValidationError, match="90 days of orders"):
        record_upgrade(customer=cast.customer("Young"), on=TODAY, what="Storage")


def test_it_follows_a_claim_that_is_corrected_or_withdrawn(cast: Any, scope: Any) -> None:
    row = referred(cast, dt.date(2026, 5, 1))
    order(row.customer, dt.date(2026, 5, 20), 1000)
    night(TODAY)
    patch_referral(referral=row, member=cast.bo)
    night(TODAY)
    assert {each.member_id: each.amount for each in of_kind("staff")} == {cast.ann.pk: 0, cast.bo.pk: 50}
    withdraw_referral(referral=Referral.objects.get(), why="It was a trade fair")
    night(TODAY)
    assert {each.amount for each in Reward.objects.all()} == {0}
    check_books()
    # An order that comes in late and is older than the recommendation says that it was no new customer.
    again = referred(cast, dt.date(2026, 6, 1), name="Other")
    order(again.customer, dt.date(2026, 6, 5), 1000)
    night(TODAY)
    order(again.customer, dt.date(2026, 5, 5), 1)
    night(TODAY)
    assert {each.amount for each in Reward.objects.filter(referral=again)} == {0}


def test_it_finds_on_a_quiet_night_all_that_a_night_for_everybody_would(cast: Any, scope: Any) -> None:
    row = referred(cast, dt.date(2026, 5, 1))
    quiet = referred(cast, dt.date(2026, 5, 1), name="Quiet", referrer=row.referrer)
    order(quiet.customer, dt.date(2026, 5, 9), 70)
    ahead = order(row.customer, dt.date(2026, 11, 19), 500)  # of a day that the first night does not count yet
    old = cast.customer("Old")
    order(old, dt.date(2026, 1, 1), 100)
    record_upgrade(customer=old, on=dt.date(2026, 10, 19), what="Storage")
    order(old, dt.date(2026, 10, 25), 900)
    first, second = dt.date(2026, 11, 18), dt.date(2026, 11, 20)
    night(first)
    before = Entry.objects.count()
    Arrival.objects.all().delete()
    # Nobody has a note: what counts now is the day that has come, and the month of the upgrade that is over.
    assert STEP.at_once(second, since=first)["posted"] == 3
    assert night(second) == 0
    assert {each.order_id for each in of_kind("staff")} >= {ahead.pk}
    ahead.status = Order.Status.CANCELLED
    ahead.save()
    arrived([row.customer_id])
    assert STEP.at_once(second, since=second)["posted"] == 2
    assert night(second) == 0
    assert Entry.objects.count() == before + 5


def test_it_posts_once_by_key_and_refuses_what_does_not_balance(cast: Any, scope: Any) -> None:
    owed, cost = account("staff_payable", member=cast.ann), account("staff_expense")
    points = account("points", customer=cast.customer())
    lines = [Line(cost, Decimal(5)), Line(owed, Decimal(-5))]
    entry = post(lines=lines, kind=Entry.Kind.ACCRUAL, key="bonus:1", facts={}, member=cast.ada)
    assert post(lines=lines, kind=Entry.Kind.ACCRUAL, key="bonus:1", facts={}).pk == entry.pk
    assert balance(owed) == -5
    for wrong in (
        [Line(cost, Decimal(5))],
        [Line(cost, Decimal(5)), Line(owed, Decimal(-4))],
        [Line(cost, Decimal(5)), Line(points, Decimal(-5))],
    ):
        with pytest.raises(ValueError, match="An entry"):
            post(lines=wrong, kind=Entry.Kind.ACCRUAL, key="bonus:2", facts={})
    with pytest.raises(IntegrityError):
        account("staff_payable")


def test_it_cannot_be_unbalanced_or_changed_in_the_database_itself(cast: Any, scope: Any) -> None:
    owed, cost = account("staff_payable", member=cast.ann), account("staff_expense")
    lines = [Line(cost, Decimal(5)), Line(owed, Decimal(-5))]
    entry = post(lines=lines, kind=Entry.Kind.ACCRUAL, key="bonus:1", facts={})

    def wrong_lines(amounts: list[int], said: int, of: Entry | None = None) -> None:
        with transaction.atomic():
            into = of or Entry.objects.create(kind="accrual", key="wrong", on=TODAY, line_count=said)
            for each in amounts:
                EntryLine.objects.create(entry=into, account=cost, amount=each)
            with connections["default"].cursor() as cursor:
                cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")

    for amounts, said, of in (([5, -4], 2, None), ([], 2, None), ([5, -5], 3, None), ([1, -1], 2, entry)):
        with pytest.raises(IntegrityError, match="ledger entry"):
            wrong_lines(amounts, said, of)
    for row, change in ((entry, {"key": "x"}), (EntryLine.objects.first(), {"amount": 1}), (owed, {"kind": "x"})):
        with pytest.raises(DatabaseError), transaction.atomic():
            type(row).objects.filter(pk=row.pk).update(**change)
        with pytest.raises(DatabaseError), transaction.atomic():
            type(row).objects.filter(pk=row.pk).delete()
    assert Payout.objects.count() == 0


@pytest.mark.django_db(databases=["default", "owner"], transaction=True)
def test_it_cannot_be_changed_by_the_owner_of_the_tables_either(cast: Any) -> None:
    from tenants.context import tenant_scope

    with tenant_scope(cast.tenant):
        owed, cost = account("staff_payable", member=cast.ann), account("staff_expense")
        post(lines=[Line(cost, Decimal(5)), Line(owed, Decimal(-5))], kind="accrual", key="bonus:1", facts={})
    with connections["owner"].cursor() as cursor:
        for statement_of in (
            "UPDATE incentives_entryline SET amount = 0",
            "DELETE FROM incentives_entryline",
            "DELETE FROM incentives_entry",
        ):
            with pytest.raises(DatabaseError, match="only ever added to"):
                cursor.execute(statement_of)
