"""It: ranks a closed month, freezes it, corrects it in the open, and honours the best case."""

from __future__ import annotations

import datetime as dt
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from threading import Barrier
from typing import Any

import pytest
import time_machine
from django.core.exceptions import ValidationError
from django.db import IntegrityError, ProgrammingError, connection, transaction

from customers.models import Interaction, SurveyResponse
from followups.models import Absence, Notice
from incentives.awards import services as awards
from incentives.awards.cases import handler_of
from incentives.awards.counting import usual_for
from incentives.awards.nightly import STEP
from incentives.awards.ranking import stood_in
from incentives.awards.words import why_without_place
from incentives.kpis.services import close_period
from incentives.ledger.services import approve, pay_out
from incentives.models import AwardRound, AwardStanding, AwardUsual, Medal, Reward
from incentives.rules.kpis import Period
from risk.cases.services import withdraw
from risk.models import Alert, Case
from segmentation.models import Standing
from tenants.context import tenant_scope
from tenants.models import Event, Member, Team
from tenants.policies import active_policy, save_policy
from tests.incentives.ledger_story import check_books, paid_to

OCTOBER = Period("month", dt.date(2026, 10, 1))
RULES = {
    "weights": {"coverage": 0, "csat": 100, "first_time": 0, "response_time": 0, "repurchase": 0},
    "least_customers": 2, "least_people": 2, "first_money": 300, "case_money": 50,
}  # fmt: skip


@pytest.fixture(autouse=True)
def _today():
    with time_machine.travel(dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC), tick=False):
        yield


def rules(**more: Any) -> None:
    document = dict(active_policy().document)
    document["awards"] = RULES | more
    save_policy(document, pack="callback", note="Only answers count")


def answer(cast: Any, customer: Any, *scores: int, day: dt.date = dt.date(2026, 10, 6)) -> None:
    at = cast.tenant.start_of(day) + dt.timedelta(hours=9)
    SurveyResponse.objects.bulk_create(
        SurveyResponse(customer=customer, kind="csat", score=score, at=at) for score in scores
    )


def held_by(cast: Any, member: Member, *rates: tuple[int, int]) -> list[Any]:
    """Customers of a member, each with so many content and discontented answers in October."""
    found = []
    for good, bad in rates:
        customer = cast.customer(f"Of {member} {len(found)}", owner_a=member, owner_b=None)
        answer(cast, customer, *[5] * good, *[1] * bad)
        found.append(customer)
    return found


@pytest.fixture
def firm(cast, scope):
    """Ann and Bo have been there for long; only answers count, two customers are enough."""
    Member.objects.update(created_at=dt.datetime(2025, 1, 1, tzinfo=dt.UTC))
    rules()
    return cast


def places(round_: AwardRound) -> dict[str, Any]:
    return {str(each.member): each.place or each.why_not for each in stood_in(round_)}


def test_freezes_the_ranking_and_corrects_it_beside_it_with_the_money_following(firm):
    held = held_by(firm, firm.ann, (1, 0), (1, 0))
    held_by(firm, firm.bo, (90, 10), (90, 10))  # many more answers, and not as good
    with pytest.raises(ValidationError, match="is not closed yet"):
        awards.award(month=OCTOBER, by=firm.lea)
    close_period(OCTOBER, firm.lea)
    first = awards.award(month=OCTOBER, by=firm.lea)
    assert places(first) == {"Ann": 1, "Bo": 2}
    with pytest.raises(ValidationError, match=r"Lea awarded Oct.*2026 on"):
        awards.award(month=OCTOBER, by=firm.ada)
    # 90 is the target while nothing else is known: who only reaches it is as usual, and gets no medal.
    gold = Medal.objects.get()
    assert (gold.kind, gold.member, gold.score) == ("first", firm.ann, 10)
    assert Notice.objects.get(member=firm.ann).kind == "medal_given"

    reward = Reward.objects.get()
    assert (reward.pending, reward.status, reward.customer_id) == (300, "pending", None)
    assert [why for _row, why in approve(rewards=[reward.pk], member=firm.lea).refused] == ["own_word"]
    assert len(approve(rewards=[reward.pk], member=firm.eve).rewards) == 1
    pay_out(member=firm.eve)
    assert paid_to(firm.ann) == 300
    check_books()

    answer(firm, held[0], 1, 1, 1)  # came in late
    assert places(first) == {"Ann": 1, "Bo": 2}, "what is frozen stays"
    with pytest.raises(ValidationError, match="everybody reads it"):
        awards.correct(month=OCTOBER, why=" ", by=firm.lea)
    second = awards.correct(month=OCTOBER, why="Answers came in late", by=firm.lea)
    assert (second.revision, places(second), places(first)["Ann"]) == (2, {"Ann": 2, "Bo": 1}, 1)
    gold.refresh_from_db()
    assert (gold.ended_why, gold.ended_by) == ("Answers came in late", firm.lea)
    assert not Medal.objects.held().exists(), "Bo is not above the usual"
    reward.refresh_from_db()
    assert (reward.paid, reward.payable, reward.status) == (300, -300, "claim")
    check_books()
    with pytest.raises(ValidationError, match="nothing to correct"):
        awards.correct(month=OCTOBER, why="Again", by=firm.lea)
    verbs = Event.objects.filter(object_type__in=["awardround", "medal"]).order_by("pk").values_list("verb", flat=True)
    assert list(verbs) == ["awarded", "given", "corrected", "taken_back"]
    told = Notice.objects.filter(member=firm.ann).order_by("pk").values_list("kind", flat=True)
    assert list(told) == ["medal_given", "medal_taken"]


def test_nothing_frozen_can_be_edited_in_the_database_either(firm):
    held_by(firm, firm.ann, (1, 0), (1, 0))
    held_by(firm, firm.bo, (1, 1), (1, 1))
    close_period(OCTOBER, firm.lea)
    awards.award(month=OCTOBER, by=firm.lea)
    for table in ("awardround", "awardstanding", "awardusual"):
        with (
            connection.cursor() as cursor,
            pytest.raises(ProgrammingError, match="permission denied"),
            transaction.atomic(),
        ):
            cursor.execute(f"DELETE FROM incentives_{table}")
    for statement in (
        "UPDATE incentives_medal SET score = 1",
        "DELETE FROM incentives_medal",
        "UPDATE incentives_medal SET ended_at = now(), ended_why = 'x', kind = 'third'",
    ):
        with (
            connection.cursor() as cursor,
            pytest.raises(IntegrityError, match="stays as it was given"),
            transaction.atomic(),
        ):
            cursor.execute(statement)


def test_somebody_is_left_out_for_good_by_an_executive_and_never_by_themselves(firm):
    made_up, _other = held_by(firm, firm.ann, (1, 0), (1, 0))
    held_by(firm, firm.bo, (19, 1), (1, 0))
    close_period(OCTOBER, firm.lea)
    awards.award(month=OCTOBER, by=firm.eve)
    for by, out in ((firm.lea, firm.ann), (firm.ada, firm.ada)):
        with pytest.raises(ValidationError, match="leaves somebody out"):
            awards.correct(month=OCTOBER, why="Made up", by=by, leave_out=out)
    second = awards.correct(month=OCTOBER, why="Made up", by=firm.eve, leave_out=firm.ann)
    assert places(second) == {"Bo": 1, "Ann": "left_out"}
    assert not Medal.objects.held().exists(), "one alone is no ranking"
    answer(firm, made_up, 1)
    held_by(firm, firm.bo, (1, 3))
    third = awards.correct(month=OCTOBER, why="More came in", by=firm.lea)
    assert places(third)["Ann"] == "left_out"


def test_days_away_and_new_colleagues_do_not_count_against_anybody(firm):
    south = Team.objects.get(name="South")
    people = {}
    for name, since in (("cy", dt.date(2026, 10, 12)), ("dee", dt.date(2026, 10, 12)), ("fay", dt.date(2025, 1, 1))):
        user = firm.ann.user.__class__.objects.create_user(f"{name}@acme.example", name=name.title())
        people[name] = Member.objects.create(user=user, role="account_manager", team=south)
        Member.objects.filter(pk=people[name].pk).update(created_at=firm.tenant.start_of(since))
    customer = held_by(firm, people["dee"], (1, 0), (1, 0))[0]
    # Dee has worked here before there was an account.
    Interaction.objects.create(
        customer=customer, member=people["dee"], channel="phone", at=firm.tenant.start_of(dt.date(2026, 9, 1))
    )
    held_by(firm, people["cy"], (1, 0), (1, 0))
    held_by(firm, people["fay"], (1, 0), (1, 0))
    held_by(firm, firm.bo, (1, 0))
    Member.objects.filter(pk=people["fay"].pk).update(is_active=False)
    ann_one, _two = held_by(firm, firm.ann, (9, 1), (1, 0))
    Absence.objects.create(member=firm.ann, first=dt.date(2026, 10, 19), last=dt.date(2026, 10, 21))
    answer(firm, ann_one, 1, 1, 1, day=dt.date(2026, 10, 20))
    Absence.objects.create(member=people["dee"], first=dt.date(2026, 10, 5), last=dt.date(2026, 10, 30))
    close_period(OCTOBER, firm.lea)
    round_ = awards.award(month=OCTOBER, by=firm.lea)
    assert places(round_) == {"Ann": 1, "Bo": "too_few", "Cy": "new", "Dee": "away", "Fay": "left"}
    stood = {str(each.member): each for each in stood_in(round_)}
    assert stood["Ann"].score == 5, "95 % against 90: what fell on days away is left out"
    assert why_without_place(stood["Dee"]) == "Away on 20 of 22 working days"
    assert stood["Ann"].there.away_days == 3


def test_what_is_usual_is_counted_as_by_hand_and_never_again(firm):
    gold = [firm.customer(f"Gold {number}") for number in range(40)]
    rest = [firm.customer(f"Other {number}") for number in range(10)]
    Standing.objects.bulk_create(
        Standing(customer=each, frequency=0, monetary=0, tier="gold", policy_version=1) for each in gold
    )
    for number, customer in enumerate([*gold, *rest]):
        answer(firm, customer, *([5, 5, 1, 1] if number % 2 else [5]), day=dt.date(2026, 8, 3))
        answer(firm, customer, 5, day=dt.date(2026, 2, 3))
    close_period(OCTOBER, firm.lea)
    policy = active_policy()
    today = firm.tenant.today()
    usual = usual_for(OCTOBER, today, policy)
    assert not AwardUsual.objects.exists(), "who only looks keeps nothing"
    # 40 customers in each of two quarters, once 20 of them at a half and all others at one: 70 of 80; of all, 87.5 of 100.
    assert usual["csat", "gold"].percent == Fraction(7000, 80)
    assert usual["csat", "gold"].of == "tier"
    assert usual["csat", "bronze"].percent == Fraction(8750, 100), "too few: the firm’s"
    assert usual["coverage", "gold"].of == "target"
    usual_for(OCTOBER, today, policy, keep=True)
    kept = AwardUsual.objects.count()
    answer(firm, gold[0], 1, 1, 1, day=dt.date(2026, 8, 4))
    assert usual_for(OCTOBER, today, policy, keep=True) == usual
    assert AwardUsual.objects.count() == kept


def test_who_has_risen_most_since_the_month_before_is_honoured_too(firm):
    for month, shares in ((OCTOBER.before, {"ann": (1, 0), "bo": (0, 1)}), (OCTOBER, {"ann": (1, 0), "bo": (1, 1)})):
        for name, (good, bad) in shares.items():
            for number in range(2):
                customer = firm.customer(f"{name} {month.code} {number}", owner_a=getattr(firm, name), owner_b=None)
                answer(firm, customer, *[5] * good, *[1] * bad, day=month.start + dt.timedelta(days=5))
        close_period(month, firm.lea)
        awards.award(month=month, by=firm.lea)
    medals = {(row.month, row.kind): row for row in Medal.objects.all()}
    assert set(medals) == {
        (OCTOBER.before.start, "first"), (OCTOBER.start, "first"), (OCTOBER.start, "improved"),
    }  # fmt: skip
    improved = medals[OCTOBER.start, "improved"]
    assert (improved.member, improved.facts["rise"]) == (firm.bo, "50.0000")


# ── the best case ───────────────────────────────────────────────────────────


def case(cast: Any, closed_by: Member, **fields: Any) -> Case:
    said = {
        "customer": cast.customer(f"Saved {Case.objects.count()}"), "risk_class": "demand", "outcome": "saved",
        "opened_on": dt.date(2026, 9, 20), "closed_on": dt.date(2026, 10, 12), "closed_by": closed_by, "cause": "price",
        "lessons": "Ask first what the other offer includes", "tried": ["added_service"],
    }  # fmt: skip
    return Case.objects.create(**(said | fields))


def test_a_lead_chooses_the_best_case_of_the_team_among_those_proposed(firm):
    severe = case(firm, firm.ann, level="severe")
    mild = case(firm, firm.bo, level="mild")
    untold = case(firm, firm.ann, level="severe", lessons="")
    own = case(firm, firm.lea, level="severe")
    back = case(
        firm, firm.bo, outcome="lost", closed_on=dt.date(2026, 6, 1), won_back_on=dt.date(2026, 10, 3), level="mild"
    )
    case(firm, firm.ann, closed_on=dt.date(2026, 9, 30))  # of another month
    found = awards.proposed(OCTOBER, firm.lea)
    assert [(each.case, each.proposal.points) for each in found] == [(back, 6), (severe, 6), (mild, 4)]
    assert awards.proposed(OCTOBER, firm.bo) == []
    assert own in [each.case for each in awards.proposed(OCTOBER, firm.eve)]
    for wrong in (own, untold):
        with pytest.raises(ValidationError, match="not among the cases"):
            awards.choose_case(month=OCTOBER, case=wrong.pk, reason="Mine", by=firm.lea)
    with pytest.raises(ValidationError, match="learn from it"):
        awards.choose_case(month=OCTOBER, case=mild.pk, reason=" ", by=firm.lea)
    with pytest.raises(ValidationError, match="still runs"):
        awards.choose_case(month=OCTOBER.after, case=mild.pk, reason="Early", by=firm.lea)
    first = awards.choose_case(month=OCTOBER, case=mild.pk, reason="Ask first", by=firm.lea)
    assert awards.choose_case(month=OCTOBER, case=mild.pk, reason="Sent twice", by=firm.lea) == first
    assert Reward.objects.get().pending == 50
    second = awards.choose_case(month=OCTOBER, case=severe.pk, reason="It was harder", by=firm.lea)
    first.refresh_from_db()
    assert (first.ended_why, second.member, Medal.objects.held().get()) == ("It was harder", firm.ann, second)
    assert {(row.member, row.pending) for row in Reward.objects.select_related("member")} == {
        (firm.bo, 0), (firm.ann, 50),
    }  # fmt: skip
    check_books()


def test_the_honour_outlives_the_case_that_is_opened_again(firm):
    alert = Alert.objects.create(
        customer=firm.customer(), signal="order_silence", risk_class="demand", level="severe", period="1",
        opened_on=dt.date(2026, 10, 1), due_at=firm.tenant.start_of(dt.date(2026, 10, 2)), policy_version=1,
    )  # fmt: skip
    kept = case(firm, firm.ann, alert=alert)
    medal = awards.choose_case(month=OCTOBER, case=kept.pk, reason="Ask first", by=firm.lea)
    assert withdraw(alert=alert) == 1
    medal.refresh_from_db()
    assert (medal.ended_at, medal.case_id) == (None, kept.pk)


def test_who_closed_a_case_ended_it_and_a_machine_did_not(firm):
    assert handler_of(case(firm, firm.bo)) == firm.bo
    assert handler_of(case(firm, firm.ian)) == firm.ann, "the customer’s A owner"
    firm.bo.is_active = False
    assert handler_of(case(firm, firm.bo)) == firm.ann


# ── the night, and at once ──────────────────────────────────────────────────


def test_the_night_tells_once_that_a_month_can_be_awarded(firm):
    held_by(firm, firm.ann, (1, 0), (1, 0))
    today = dt.date(2026, 11, 22)
    assert STEP.at_once(today) == {"awards_told": 0}
    close_period(OCTOBER, firm.lea)
    assert STEP.at_once(today) == {"awards_told": 3}
    assert STEP.at_once(today) == {"awards_told": 0}
    assert {str(row.member) for row in Notice.objects.filter(kind="awards_due")} == {"Lea", "Eve", "Ada"}
    assert AwardUsual.objects.exists(), "counted before anybody waits for it"
    awards.award(month=OCTOBER, by=firm.eve)
    Notice.objects.all().delete()
    assert STEP.at_once(today) == {"awards_told": 0}


@pytest.mark.django_db(databases=["default", "owner"], transaction=True)
def test_two_who_award_at_the_same_moment_award_once(cast):
    with tenant_scope(cast.tenant):
        Member.objects.update(created_at=dt.datetime(2025, 1, 1, tzinfo=dt.UTC))
        rules()
        held_by(cast, cast.ann, (1, 0), (1, 0))
        held_by(cast, cast.bo, (1, 1), (1, 1))
        close_period(OCTOBER, cast.lea)
    start = Barrier(3)

    def one(member: Member) -> Any:
        try:
            with tenant_scope(cast.tenant):
                start.wait(timeout=60)
                return awards.award(month=OCTOBER, by=member)
        except ValidationError as error:
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(3) as pool:
        done = list(pool.map(one, (cast.lea, cast.eve, cast.ada)))
    assert sum(isinstance(each, AwardRound) for each in done) == 1
    with tenant_scope(cast.tenant):
        assert (AwardRound.objects.count(), AwardStanding.objects.count(), Reward.objects.count()) == (1, 2, 1)
        check_books()
