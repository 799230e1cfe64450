"""It: brings the follow-ups of who is away to whoever covers, and back again."""

from __future__ import annotations

import datetime as dt

import pytest
from django.core.exceptions import ValidationError

from followups.cover import services as cover
from followups.cover.services import Settled
from followups.models import Absence, CoverMove, FollowUp
from followups.services import Refused
from tenants.models import Event
from tests.followups.conftest import TODAY

DAY = dt.timedelta(days=1)
FIRST, LAST = TODAY + DAY, TODAY + 5 * DAY

pytestmark = pytest.mark.usefixtures("scope")


@pytest.fixture
def away(cast):
    """Ann's absence from tomorrow to Wednesday."""

    def plan(**fields):
        usual = {"member": cast.ann, "away": cast.ann, "first": FIRST, "last": LAST}
        return cover.plan_absence(**(usual | fields))

    return plan


def holder(row):
    return FollowUp.objects.get(pk=row.pk).assignee_id


def verbs(row):
    return list(
        Event.objects.filter(object_type="followup", object_id=row.pk).order_by("pk").values_list("verb", flat=True)
    )


def test_moves_what_falls_due_to_the_b_owner_and_brings_it_back(raised, away, cast):
    late, within, after = raised(due_on=TODAY - DAY), raised(due_on=LAST), raised(due_on=LAST + DAY)
    bos = raised(assignee=cast.bo)
    absence = away()
    assert cover.settle(TODAY) == Settled()
    assert holder(late) == cast.ann.pk
    assert cover.settle(FIRST) == Settled(moved=2)
    assert [holder(row) for row in (late, within, after, bos)] == [cast.bo.pk, cast.bo.pk, cast.ann.pk, cast.bo.pk]
    assert cover.settle(FIRST) == Settled()
    assert cover.settle(LAST + DAY) == Settled(returned=2)
    assert [holder(row) for row in (late, within, after, bos)] == [cast.ann.pk, cast.ann.pk, cast.ann.pk, cast.bo.pk]
    assert verbs(late) == ["covered", "returned"]
    absence.refresh_from_db()
    assert absence.settled_at is not None
    assert cover.settle(LAST + 2 * DAY) == Settled()


def test_moves_what_is_raised_while_somebody_is_away(raised, away, cast):
    away(first=TODAY)
    fresh = raised(due_on=TODAY)
    assert cover.settle(TODAY) == Settled(moved=1)
    assert holder(fresh) == cast.bo.pk


def test_moves_at_once_when_the_absence_begins_today(raised, away, cast):
    row = raised()
    away(first=TODAY)
    assert holder(row) == cast.bo.pk
    assert [each.member for each in cover.covers_for(cast.bo, TODAY)] == [cast.ann]


def test_leaves_with_whoever_covered_what_is_done_and_what_went_on_to_others(raised, away, cast):
    done, given = raised(), raised()
    away(first=TODAY)
    FollowUp.objects.filter(pk=done.pk).update(status="done")
    FollowUp.objects.filter(pk=given.pk).update(assignee=cast.lea)
    assert cover.settle(LAST + DAY) == Settled()
    assert [holder(done), holder(given)] == [cast.bo.pk, cast.lea.pk]
    assert not CoverMove.objects.filter(returned_at__isnull=True).exists()


def test_gives_to_who_was_named_where_they_see_the_customer_and_to_the_other_owner_elsewhere(raised, away, cast):
    for outsider in (cast.ann, cast.ada):
        outsider.team = None
        outsider.save()
    teams, outside = raised(), raised(cast.customer("Nobody of the team", owner_b=cast.ada))
    away(first=TODAY, covered_by=cast.lea)
    # Bo is of Lea's team and covers the one; of the other she sees nothing.
    assert [holder(teams), holder(outside)] == [cast.lea.pk, cast.ada.pk]


def test_leaves_what_nobody_can_take_and_says_how_many(raised, away, cast):
    alone = raised(cast.customer("No B owner", owner_b=None))
    gone = raised(cast.customer("B owner has left", owner_b=cast.eve))
    away(first=TODAY)
    assert cover.settle(TODAY) == Settled(stays=2)
    assert {holder(alone), holder(gone)} == {cast.ann.pk}


def test_finds_its_way_back_through_two_absences(raised, away, cast):
    shared = raised(cast.customer("Ada covers", owner_b=cast.ada))
    away(first=TODAY)
    assert holder(shared) == cast.ada.pk
    # Ada goes as well: nobody is left for it, and it stays with her until Ann is back.
    cover.plan_absence(member=cast.ada, away=cast.ada, first=TODAY, last=LAST + 5 * DAY)
    assert holder(shared) == cast.ada.pk
    cover.settle(LAST + DAY)
    assert holder(shared) == cast.ann.pk


def test_hands_on_what_somebody_covers_who_goes_as_well(raised, away, cast):
    row = raised(cast.customer("Bo covers"))
    away(first=TODAY, last=LAST)
    assert holder(row) == cast.bo.pk
    cover.plan_absence(member=cast.lea, away=cast.bo, first=TODAY, last=LAST + 5 * DAY, covered_by=cast.lea)
    assert holder(row) == cast.lea.pk
    assert cover.settle(LAST + DAY).returned == 1
    assert holder(row) == cast.ann.pk
    cover.settle(LAST + 6 * DAY)
    assert holder(row) == cast.ann.pk


def test_gives_back_when_they_return_early_and_only_once(raised, away, cast):
    row = raised()
    absence = away(first=TODAY)
    assert cover.end_absence(absence=absence, member=cast.ann) == Settled(returned=1)
    assert holder(row) == cast.ann.pk
    assert cover.end_absence(absence=absence, member=cast.ann) == Settled()
    assert cover.settle(TODAY) == Settled()
    assert verbs(row) == ["covered", "returned"]


def test_forgets_an_absence_that_was_called_off_before_it_began(away, cast):
    absence = away()
    assert cover.end_absence(absence=absence, member=cast.ann) == Settled()
    assert not Absence.objects.exists()
    assert Event.objects.filter(object_type="absence", verb="called_off").exists()


def test_follows_a_change_of_who_covers(raised, away, cast):
    row = raised()
    absence = away(first=TODAY)
    cover.change_absence(absence=absence, member=cast.ann, first=TODAY, last=LAST, covered_by=cast.lea)
    assert holder(row) == cast.lea.pk
    cover.change_absence(absence=absence, member=cast.ann, first=FIRST, last=LAST, covered_by=cast.lea)
    assert holder(row) == cast.ann.pk


def test_gives_back_to_the_new_owner_where_the_customer_changed_hands(raised, away, cast):
    row = raised()
    away(first=TODAY)
    row.customer.owner_a, row.customer.owner_b = cast.lea, None
    row.customer.save()
    cover.settle(LAST + DAY)
    assert holder(row) == cast.lea.pk


@pytest.mark.parametrize(
    ("fields", "where", "code"),
    [
        ({"first": LAST, "last": FIRST}, "last", "wrong_way_round"),
        ({"first": TODAY - 3 * DAY, "last": TODAY - DAY}, "last", "past"),
        ({"last": FIRST + 366 * DAY}, "last", "too_long"),
        ({"covered_by": "ann"}, "covered_by", "cannot_cover"),
        ({"covered_by": "eve"}, "covered_by", "cannot_cover"),
        ({"note": "x" * 201}, "note", "too_long"),
    ],
)
def test_refuses_an_absence_that_cannot_be(away, cast, fields, where, code):
    fields = {name: getattr(cast, value) if name == "covered_by" else value for name, value in fields.items()}
    with pytest.raises(ValidationError) as refused:
        away(**fields)
    assert {name: errors[0].code for name, errors in refused.value.error_dict.items()} == {where: code}
    assert not Absence.objects.exists()


def test_refuses_two_absences_at_once_and_cover_by_who_is_away(away, cast):
    away()
    with pytest.raises(ValidationError) as refused:
        away(first=LAST, last=LAST + 9 * DAY)
    assert refused.value.error_dict["first"][0].code == "overlaps"
    with pytest.raises(ValidationError) as refused:
        cover.plan_absence(member=cast.lea, away=cast.bo, first=LAST, last=LAST, covered_by=cast.ann)
    assert "away from" in refused.value.error_dict["covered_by"][0].message
    away(first=LAST + DAY, last=LAST + 2 * DAY)


def test_lets_people_plan_their_own_absence_and_a_lead_everybodys(away, cast):
    with pytest.raises(Refused):
        cover.plan_absence(member=cast.bo, away=cast.ann, first=FIRST, last=LAST)
    absence = cover.plan_absence(member=cast.lea, away=cast.ann, first=FIRST, last=LAST)
    with pytest.raises(Refused):
        cover.end_absence(absence=absence, member=cast.bo)
    assert list(cover.absences(TODAY)) == [absence]


# ── for good ────────────────────────────────────────────────────────────────


def test_hands_customers_over_for_good_with_their_follow_ups_and_a_history(raised, cast):
    mine, covered = raised(), raised(cast.customer("Ann covers", owner_a=cast.lea, owner_b=cast.ann), assignee=cast.lea)
    other = raised(cast.customer("Bo's own", owner_a=cast.bo, owner_b=None), assignee=cast.bo)
    done = cover.hand_over(giver=cast.ann, taker=cast.bo, seen=2, member=cast.lea)
    assert (done.customers, done.left) == (2, 0)
    mine.customer.refresh_from_db()
    covered.customer.refresh_from_db()
    assert (mine.customer.owner_a, mine.customer.owner_b) == (cast.bo, None)
    assert (covered.customer.owner_a, covered.customer.owner_b) == (cast.lea, cast.bo)
    assert [holder(row) for row in (mine, covered, other)] == [cast.bo.pk, cast.lea.pk, cast.bo.pk]
    changes = cover.owner_changes(cast.lea)
    assert {event.customer_id for event in changes} == {mine.customer_id, covered.customer_id}
    assert {event.actor_id for event in changes} == {cast.lea.pk}


def test_hands_nothing_over_when_the_count_has_changed_or_the_people_do_not_fit(raised, cast):
    raised()
    for fields, code in [
        ({"seen": 2}, "changed"),
        ({"taker": cast.ann}, "same"),
        ({"taker": cast.eve}, "not_a_worker"),
        ({"member": cast.bo}, "not_yours"),
    ]:
        usual = {"giver": cast.ann, "taker": cast.bo, "seen": 1, "member": cast.lea}
        with pytest.raises(Refused) as refused:
            cover.hand_over(**(usual | fields))
        assert refused.value.code == code


def test_goes_on_with_the_rest_where_there_are_more_than_at_once(raised, cast, monkeypatch):
    monkeypatch.setattr(cover, "MANY", 2)
    for _n in range(3):
        raised()
    first = cover.hand_over(giver=cast.ann, taker=cast.bo, seen=3, member=cast.lea)
    assert (first.customers, first.left) == (2, 1)
    assert cover.hand_over(giver=cast.ann, taker=cast.bo, seen=1, member=cast.lea).left == 0
