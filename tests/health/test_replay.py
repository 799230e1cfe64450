"""It: the score of any day, drawn again; and what moved a score since."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
import time_machine

from config.tasks import look_at_arrivals
from customers.models import Customer
from health.models import HealthScore
from health.replay import Moved, Replay, current, facts_between, moved, replay
from segmentation.models import TierChange
from tenants.context import tenant_scope
from tenants.policies import active_policy, complete_document, save_policy
from tenants.querysets import last_night
from tests.health.conftest import NOW, TODAY, Story

DAY = dt.timedelta(days=1)


def again(story: Story, customer: Customer, on: dt.date = TODAY) -> Replay:
    with tenant_scope(story.cast.tenant):
        return replay(customer, on)


def moves(story: Story, customer: Customer, since: dt.date) -> Moved:
    with tenant_scope(story.cast.tenant):
        night = last_night()
        assert night is not None
        return moved(customer, since, HealthScore.objects.get(customer=customer), night)


def test_draws_what_the_night_said(story: Story) -> None:
    customer = story.regular(silent=45)
    story.contact(customer, 3)
    story.night()
    drawn = again(story, customer)
    with tenant_scope(story.cast.tenant):
        row, night = HealthScore.objects.get(), last_night()
        assert night is not None
        assert drawn.receipt == current(row, night)[0]
    assert drawn.night is not None
    assert drawn.kept is not None
    assert (drawn.night.for_date, drawn.kept.score, drawn.kept.on) == (TODAY, row.score, TODAY)
    assert (drawn.differs, drawn.changed_since) == (False, {})


def test_counts_the_facts_of_that_day_and_no_later_ones(story: Story) -> None:
    customer = story.regular(silent=45)
    before = again(story, customer, TODAY - 30 * DAY).receipt
    story.orders(customer, 30, 10, 0)
    story.contact(customer, 29)
    story.complaint(customer, 5)
    after = again(story, customer, TODAY - 30 * DAY).receipt
    assert after == before
    assert before is not None
    assert before.lines[0].inputs["last_order_on"] == TODAY - 45 * DAY
    assert before.as_of == TODAY - 30 * DAY


def test_takes_the_policy_of_that_night(story: Story) -> None:
    customer = story.regular(silent=45)
    story.night()
    number = story.weigh(order_frequency=99)
    story.night(1)
    then, now = again(story, customer), again(story, customer, TODAY + DAY)
    assert then.receipt is not None
    assert now.receipt is not None
    assert (then.policy.number, then.receipt.lines[0].weight) == (number - 1, 15)
    assert (now.policy.number, now.receipt.lines[0].weight) == (number, 99)


def test_takes_without_a_night_the_policy_that_was_in_force(story: Story) -> None:
    customer = story.regular()
    with time_machine.travel(NOW + 3 * DAY):
        number = story.weigh(order_frequency=99)
        drawn = {later: again(story, customer, TODAY + later * DAY) for later in (-400, 2, 3, 4)}
    assert {later: each.policy.number for later, each in drawn.items()} == {
        -400: number - 1, 2: number - 1, 3: number, 4: number,
    }  # fmt: skip
    assert drawn[2].night is None
    assert drawn[2].kept is None


def test_takes_the_tier_of_that_day(story: Story) -> None:
    customer = story.regular()
    with tenant_scope(story.cast.tenant):
        for days, tier in ((2, "silver"), (7, "gold"), (7, "bronze")):
            TierChange.objects.create(customer=customer, on=TODAY + days * DAY, after=tier, policy_version=1)
        policy = active_policy()
        document = complete_document(policy)
        document["health"]["tier_weights"] = {
            tier: {"order_frequency": weight} for tier, weight in (("silver", 10), ("gold", 20), ("bronze", 30))
        }
        save_policy(document, pack=policy.pack)

    def weight(days: int) -> int:
        drawn = again(story, customer, TODAY + days * DAY).receipt
        assert drawn is not None
        return drawn.lines[0].weight

    # The night's change comes first on its day, what a person pins then counts from the next one.
    with time_machine.travel(NOW + 10 * DAY):
        assert [weight(days) for days in (1, 2, 6, 7, 8, 10)] == [15, 10, 10, 20, 30, 30]


def test_says_when_the_night_said_something_else_and_what_came_in_since(story: Story) -> None:
    customer = story.regular(silent=65)
    story.night()
    kept = story.score(customer).score
    with time_machine.travel(NOW + DAY):
        story.orders(customer, 5, 4)
        story.contact(customer, 3)
        story.orders(customer, 0)
    drawn = again(story, customer)
    assert drawn.receipt is not None
    assert drawn.kept is not None
    assert drawn.differs
    assert drawn.kept.score == kept != drawn.receipt.score
    assert drawn.changed_since == {"order": 2, "contact": 1}


def test_does_not_take_an_unwritten_move_between_mondays_for_a_difference(story: Story) -> None:
    customer = story.regular(every=100, silent=110)
    story.night(-4)
    story.night()
    drawn = again(story, customer)
    assert drawn.receipt is not None
    assert drawn.kept is not None
    assert (drawn.kept.on, drawn.kept.score != drawn.receipt.score, drawn.differs) == (TODAY - 4 * DAY, True, False)


def test_has_no_score_for_who_was_closed(story: Story) -> None:
    customer = story.regular()
    with tenant_scope(story.cast.tenant):
        Customer.objects.filter(pk=customer.pk).update(closed_on=TODAY - 5 * DAY)
        customer.refresh_from_db()
    assert again(story, customer).receipt is None
    assert again(story, customer, TODAY - 5 * DAY).receipt is not None


@pytest.mark.parametrize("orders", [(), (3,), (3, 3, 3)])
def test_has_no_number_where_too_little_is_known(story: Story, orders: tuple[int, ...]) -> None:
    customer = story.cast.customer()
    story.orders(customer, *orders)
    drawn = again(story, customer)
    assert drawn.receipt is not None
    assert (drawn.receipt.score, drawn.receipt.band) == (None, "none")


def test_knows_no_day_that_has_not_come(story: Story) -> None:
    customer = story.regular()
    assert again(story, customer, TODAY + DAY).receipt is not None
    with pytest.raises(ValueError, match="has not come"):
        again(story, customer, TODAY + 2 * DAY)


# ── what moved it ───────────────────────────────────────────────────────────


def test_adds_up_to_the_change_and_names_the_facts(story: Story) -> None:
    customer = story.regular(silent=45)
    story.contact(customer, 100)
    for topic in ("One", "Two"):
        story.complaint(customer, 300, topic=topic, solved_at=story.at(100), first_time=True)
    story.orders(customer, 3)
    story.orders(customer, 2, money=-40)
    called = story.contact(customer, 4)
    silent = story.contact(customer, 5, answered=False)
    late = story.complaint(customer, 6)
    solved = story.complaint(customer, 200, topic="Old", solved_at=story.at(1), first_time=False)
    content, likely = story.answer(customer, 2, "csat", 2), story.answer(customer, 2, "nps", 9)
    story.night()
    found = moves(story, customer, TODAY - 10 * DAY)
    assert found.then.receipt is not None
    assert found.change == found.now.score - found.then.receipt.score
    assert sum((move.change for move in found.moves), Decimal(0)) == found.change
    facts = {
        move.key: {(fact.kind, fact.row.pk) for fact in move.facts} for move in found.moves if move.key != "rounding"
    }
    assert len(facts["order_frequency"]) == 1
    assert len(facts["spend_trend"]) == 2
    assert ("contact", called.pk) in facts["interaction_frequency"]
    assert ("contact", silent.pk) not in facts["interaction_frequency"]
    assert facts["responsiveness"] == {("contact", called.pk), ("contact", silent.pk)}
    assert ("complaint", late.pk) in facts["complaint_rate"]
    assert facts["first_time_resolution"] == {("complaint", late.pk), ("solution", solved.pk)}
    assert facts["satisfaction"] == {("answer", content.pk)}
    assert facts["advocacy"] == {("answer", likely.pk)}
    by = {move.key: move.by for move in found.moves}
    assert by["order_frequency"] == "facts"
    assert set(by.values()) <= {"facts", "time", "weights", "rounding"}


def test_says_when_time_alone_did_it(story: Story) -> None:
    customer = story.regular(silent=65)
    story.night()
    found = moves(story, customer, TODAY - 10 * DAY)
    assert found.change is not None
    assert found.change < 0
    assert {move.by for move in found.moves} <= {"time", "weights", "rounding"}
    [first] = [move for move in found.moves if move.key == "order_frequency"]
    assert (first.by, first.change < 0) == ("time", True)


def test_names_both_policies(story: Story) -> None:
    customer = story.regular(silent=45)
    story.night(-10)
    number = story.weigh(order_frequency=99)
    story.night()
    assert moves(story, customer, TODAY - 10 * DAY).policies == (number - 1, number)


def test_goes_on_from_the_score_that_a_fact_has_made_since_the_night(story: Story) -> None:
    customer = story.regular(silent=65)
    story.night()
    look_at_arrivals()
    story.night()
    story.orders(customer, 0)
    look_at_arrivals()
    found = moves(story, customer, TODAY - 7 * DAY)
    assert found.until == TODAY + DAY
    assert found.now.score == story.score(customer).score
    [move] = [move for move in found.moves if move.key == "order_frequency"]
    assert [(fact.kind, fact.on) for fact in move.facts] == [("order", TODAY)]


def test_has_no_moves_without_a_score_then(story: Story) -> None:
    customer = story.regular(silent=1)
    story.night()
    found = moves(story, customer, TODAY - 720 * DAY)
    assert (found.change, list(found.moves)) == (None, [])


def test_lists_the_facts_of_the_days_newest_first(story: Story) -> None:
    customer, other = story.regular(silent=200), story.regular("Other")
    story.orders(customer, 4, due_on=TODAY - 3 * DAY, paid_on=TODAY - 2 * DAY)
    story.orders(customer, 3, status="cancelled")
    story.contact(customer, 1)
    story.contact(customer, 0)
    story.contact(customer, 5)
    story.contact(other, 2)
    with tenant_scope(story.cast.tenant):
        found = facts_between(customer, TODAY - 4 * DAY, TODAY)
    assert [(fact.kind, (TODAY - fact.on).days) for fact in found] == [("contact", 1), ("payment", 2), ("order", 4)]
