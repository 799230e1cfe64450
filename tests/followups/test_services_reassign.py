"""It: reassign, and change of owner."""

import pytest
from django.core.exceptions import ValidationError

from followups.models import FollowUp
from followups.services import Refused, change_owner, reassign, reassign_many
from tenants.services import create_member


def test_gives_a_follow_up_to_the_owner_who_covers(raised, scope, cast):
    row = raised()
    reassign(follow_up=row, member=cast.ann, assignee=cast.bo)
    row.refresh_from_db()
    assert row.assignee == cast.bo


def test_changes_nothing_when_sent_twice(raised, scope, cast):
    row = raised()
    reassign(follow_up=row, member=cast.ann, assignee=cast.bo)
    assert reassign(follow_up=row, member=cast.ann, assignee=cast.bo).events == []


def test_lets_an_account_manager_give_only_to_the_owners(raised, scope, cast):
    row = raised()
    with pytest.raises(Refused, match="A or B owner"):
        reassign(follow_up=row, member=cast.ann, assignee=cast.lea)


def test_lets_a_lead_give_to_anybody_who_sees_the_customer(raised, scope, cast):
    row = raised()
    reassign(follow_up=row, member=cast.lea, assignee=cast.ada)
    row.refresh_from_db()
    assert row.assignee == cast.ada


def test_refuses_somebody_who_does_not_see_the_customer(raised, scope, cast):
    cy = create_member(email="cy@acme.example", name="Cy", role="account_manager")
    with pytest.raises(Refused, match="Cy is neither its owner nor covers it"):
        reassign(follow_up=raised(), member=cast.lea, assignee=cy)


@pytest.mark.parametrize("who", ["eve", "gone"])
def test_refuses_somebody_who_does_not_work_on_follow_ups(raised, scope, cast, who):
    assignee = cast.eve
    if who == "gone":
        assignee = create_member(email="gone@acme.example", name="Gone", role="account_manager")
        assignee.is_active = False
    with pytest.raises(Refused, match="does not work on follow-ups"):
        reassign(follow_up=raised(), member=cast.lea, assignee=assignee)


def test_gives_many_and_says_which_stay(raised, scope, cast):
    covered, uncovered = raised(), raised(cast.customer("Alone", owner_b=None))
    change = reassign_many(ids=[covered.pk, uncovered.pk], seen=2, member=cast.ann, assignee=cast.bo)
    assert change.follow_ups == [covered]
    assert [row for row, _words in change.stays] == [uncovered]


def test_moves_open_follow_ups_with_the_owner(raised, scope, cast):
    customer = cast.customer()
    annes, bos, nobodys = (raised(customer, assignee=who) for who in (cast.ann, cast.bo, None))
    closed = raised(customer, status="done")
    change = change_owner(customer=customer, owner_a=cast.lea, owner_b=cast.bo, member=cast.ada)
    customer.refresh_from_db()
    assert (customer.owner_a, customer.owner_b) == (cast.lea, cast.bo)
    assert change.follow_ups == [annes]
    owners = dict(FollowUp.objects.values_list("pk", "assignee"))
    assert owners == {annes.pk: cast.lea.pk, bos.pk: cast.bo.pk, nobodys.pk: None, closed.pk: cast.ann.pk}


def test_gives_an_ownerless_customers_follow_ups_to_the_first_owner(raised, scope, cast):
    customer = cast.customer(owner_a=None, owner_b=None)
    row = raised(customer, assignee=None)
    assert change_owner(customer=customer, owner_a=cast.ann, owner_b=None, member=cast.ada).follow_ups == [row]


def test_refuses_one_person_as_both_owners_and_moves_nothing(raised, scope, cast):
    row = raised()
    with pytest.raises(ValidationError):
        change_owner(customer=row.customer, owner_a=cast.bo, owner_b=cast.bo, member=cast.ada)
    row.refresh_from_db()
    assert row.assignee == cast.ann
