"""It: the twelve indicators: what each one sees, by whose weights, and what would lift the score."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from health.models import HealthScore
from health.rules.indicators import FACTS, lasting_scores, raw_values, score_frame
from health.rules.policy import KEYS, HealthPolicy, IndicatorRule, IndicatorWeights
from health.rules.receipt import HealthFacts, Lift, Receipt, Unknown, receipt
from tests.health.cases import POLICY, D, facts, frame, known_facts, line, own_weights, policies

quick = settings(max_examples=50, deadline=None)

# Five order days, the last one 20 days ago after gaps of 19: green by orders alone.
STEADY = HealthFacts(
    order_days_count=9,
    last_order_on=D - dt.timedelta(20),
    median_gap=19,
    gap_cv=0.4,
    spend_recent=9_000_000,
    spend_before=36_500_000,
    categories_recent=4,
    categories_before=4,
    orders_recent=4,
    orders_before=16,
)


def seen(key: str, **changed: Any) -> Any:
    """The raw value of an indicator for the steady customer with other facts; the frame must see the same."""
    row = dataclasses.replace(STEADY, **changed)
    one = line(receipt(row, POLICY, D), key)
    assert raw_values(frame([row]), POLICY, D).row(0, named=True)[key] == one.value
    return one.unknown.code if one.unknown else one.value


def test_reads_exactly_the_facts_that_the_score_keeps() -> None:
    kept = {field.attname for field in HealthScore._meta.concrete_fields}
    about = {"tenant_id", "score", "band", "known", "week_score", "month_score", "week_points", "month_points"}
    about |= {"band_since", "rescored_at", "facts_until", "stands_until", "kept_on", "kept_score", "kept_band"}
    assert kept - about - {"policy_version"} == set(FACTS)
    assert ["customer_id", *(each.name for each in dataclasses.fields(HealthFacts))] == list(FACTS)


# ── what each indicator sees ─────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("recent", "before", "value"),
    [(4, 12, 1.0), (2, 12, 0.5), (0, 12, 0.0), (4, 21, 4 * 270 / (21 * 90)), (3, 0, "no_contacts_before")],
)
def test_compares_contacts_with_as_many_days_of_before(recent: int, before: int, value: Any) -> None:
    assert seen("interaction_frequency", contacts_recent=recent, contacts_before=before) == value


@pytest.mark.parametrize(
    ("asked", "answered", "run", "value"),
    [(5, 4, 0, 0.8), (5, 2, 2, 0.4), (5, 2, 3, 0.0), (2, 0, 2, 0.0), (0, 0, 0, "nobody_asked")],
)
def test_counts_who_does_not_answer_three_times_in_a_row_as_silent(
    asked: int, answered: int, run: int, value: Any
) -> None:
    assert seen("responsiveness", asked=asked, answered=answered, unanswered_run=run) == value


@pytest.mark.parametrize(
    ("complaints", "orders", "value"),
    [
        ((0, 0), (4, 16), 0.0),
        ((0, 3), (0, 16), 0.0),  # no orders and no complaints now is no complaint either
        ((1, 4), (4, 16), 1.0),
        ((2, 4), (4, 16), 2.0),
        ((1, 4), (0, 16), 4.0),  # about an order of before: as if there had been one
        ((1, 0), (4, 16), 4.0),  # the first one ever: as if there had been one before
        ((2, 0), (4, 16), 8.0),
        ((1, 0), (2, 0), 0.5),  # no orders before: one complaint per order is what it is compared with
        ((3, 0), (0, 0), "no_orders"),
        ((None, None), (4, 16), "no_complaints_kept"),
    ],
)
def test_compares_complaints_per_order_with_those_of_before(
    complaints: tuple[int | None, int | None], orders: tuple[int, int], value: Any
) -> None:
    assert (
        seen(
            "complaint_rate",
            complaints_recent=complaints[0],
            complaints_before=complaints[1],
            orders_recent=orders[0],
            orders_before=orders[1],
        )
        == value
    )


@quick
@given(facts(), st.integers(1, 5))
def test_never_scores_a_complaint_more_better(row: HealthFacts, more: int) -> None:
    noted = dataclasses.replace(row, complaints_recent=row.complaints_recent or 0)
    worse = dataclasses.replace(noted, complaints_recent=(noted.complaints_recent or 0) + more)
    before, after = receipt(noted, POLICY, D), receipt(worse, POLICY, D)
    assert before.known == after.known
    assert (after.score is None) == (before.score is None)
    assert (after.score or 0) <= (before.score or 0)


@pytest.mark.parametrize(
    ("solved", "first", "open_", "value"),
    [(6, 5, 0, 5 / 6), (6, 5, 2, 5 / 6), (6, 5, 3, 0.0), (0, 0, 3, 0.0), (0, 0, 2, "nothing_solved"), (4, 0, 0, 0.0)],
)
def test_gives_nothing_for_solving_while_the_same_question_is_open_three_times(
    solved: int, first: int, open_: int, value: Any
) -> None:
    assert seen("first_time_resolution", solved=solved, solved_first=first, repeated_open=open_) == value


@pytest.mark.parametrize(("total", "answers", "value"), [(7, 2, 3.5), (5, 1, 5.0), (0, 0, "no_answers")])
def test_takes_the_mean_of_the_satisfaction_answers(total: int, answers: int, value: Any) -> None:
    assert seen("satisfaction", csat_sum=total, csat_count=answers) == value


@pytest.mark.parametrize(
    ("promoters", "detractors", "answers", "value"),
    [(3, 1, 4, 50.0), (0, 2, 2, -100.0), (1, 1, 3, 0.0), (0, 0, 3, 0.0), (0, 0, 0, "no_answers")],
)
def test_takes_promoters_less_detractors_of_all_answers(
    promoters: int, detractors: int, answers: int, value: Any
) -> None:
    assert seen("advocacy", promoters=promoters, detractors=detractors, nps_count=answers) == value


@pytest.mark.parametrize(("contacts", "value"), [(0, 0.0), (2, 2.0), (None, "nothing_noted")])
def test_tells_nobody_asked_about_competitors_from_nobody_noted_it(contacts: int | None, value: Any) -> None:
    assert seen("competitor_interest", competitor_recent=contacts) == value


@pytest.mark.parametrize(
    ("days", "invoices", "value"), [(11.0, 5, 11.0), (-3.5, 1, -3.5), (None, 0, "no_invoices"), (4.0, 0, "no_invoices")]
)
def test_takes_the_days_late_of_the_invoices_paid(days: float | None, invoices: int, value: Any) -> None:
    assert seen("payment_behaviour", days_late=days, invoices=invoices) == value


ALL_KNOWN = HealthFacts(
    order_days_count=9,
    last_order_on=D - dt.timedelta(41),
    median_gap=19,
    gap_cv=0.92,
    spend_recent=1_860_000,
    spend_before=14_315_000,
    categories_recent=5,
    categories_before=8,
    contacts_recent=4,
    contacts_before=21,
    asked=5,
    answered=2,
    unanswered_run=3,
    complaints_recent=1,
    complaints_before=2,
    orders_recent=4,
    orders_before=12,
    solved=6,
    solved_first=5,
    csat_sum=7,
    csat_count=2,
    promoters=1,
    detractors=1,
    nps_count=2,
    competitor_recent=2,
    days_late=11,
    invoices=5,
)


def test_draws_all_twelve_so_that_they_can_be_followed_by_hand() -> None:
    drawn = receipt(ALL_KNOWN, POLICY, D)
    # Contacts: 4 / (21 x 90 / 270) = 0.571 on 0.5 -> 40, 1 -> 100 is 48.571, of 8 points 3.886.
    # Complaints: (1 / 4) / (2 / 12) = 1.5 is 30, of 9 points 2.7. NPS 0 is 50, of 7 points 3.5.
    assert " ".join(str(part.contribution) for part in drawn.lines) == (
        "3.8 3.5 3.3 3.2 3.9 0.0 2.7 4.0 4.6 3.5 1.2 3.2"
    )
    assert (drawn.known, drawn.score, drawn.band, str(drawn.total), str(drawn.rounding)) == (
        12, 37, "red", "36.9", "0.1",
    )  # fmt: skip
    assert [part.effective_weight for part in drawn.lines] == [part.weight for part in drawn.lines]


# ── by whose weights, and what counts while it is unknown ────────────────────


@quick
@given(known_facts(), st.sets(st.sampled_from(KEYS[4:])), own_weights)
def test_reweights_what_is_left_to_one_hundred_percent(row: HealthFacts, lost: set[str], own: IndicatorWeights) -> None:
    unknown: dict[str, dict[str, Any]] = {
        "interaction_frequency": {"contacts_before": 0},
        "responsiveness": {"asked": 0},
        "complaint_rate": {"complaints_recent": None},
        "first_time_resolution": {"solved": 0, "repeated_open": 0},
        "satisfaction": {"csat_count": 0},
        "advocacy": {"nps_count": 0},
        "competitor_interest": {"competitor_recent": None},
        "payment_behaviour": {"invoices": 0},
    }
    for key in lost:
        row = dataclasses.replace(row, **unknown[key])
    policy = HealthPolicy(stage_weights={"active": own}, minimum_known=1)
    drawn = receipt(dataclasses.replace(row, stage="active"), policy, D)
    left = [part for part in drawn.lines if part.key not in lost and getattr(own, part.key)]
    assert [part for part in drawn.lines if part.unknown is None] == left
    assert sum(part.effective_weight or 0 for part in left) == 100
    exact = sum(part.weight * (part.score or 0) for part in left) / sum(part.weight for part in left)
    assert drawn.score is not None
    assert abs(drawn.score - exact) <= 0.5


def test_weighs_by_the_stage_before_the_tier_before_everybody() -> None:
    gold = IndicatorWeights(order_frequency=50)
    fresh = IndicatorWeights(order_frequency=70)
    policy = HealthPolicy(tier_weights={"gold": gold}, stage_weights={"new": fresh})
    cases = [("", "active", "all", "", 15), ("gold", "active", "tier", "gold", 50), ("gold", "new", "stage", "new", 70)]
    for tier, stage, origin, which, weight in cases:
        drawn = receipt(dataclasses.replace(STEADY, tier=tier, stage=stage), policy, D)
        assert (drawn.weights_from, drawn.weights_for) == (origin, which)
        assert line(drawn, "order_frequency").weight == weight


def test_switches_an_indicator_off_for_one_stage_only() -> None:
    policy = HealthPolicy(stage_weights={"new": IndicatorWeights(order_stability=0)})
    new, active = (receipt(dataclasses.replace(STEADY, stage=stage), policy, D) for stage in ("new", "active"))
    assert line(new, "order_stability").unknown == Unknown("switched_off")
    assert line(active, "order_stability").unknown is None
    assert new.known == active.known - 1


def assuming(points: int, *keys: str) -> HealthPolicy:
    indicators = {
        key: IndicatorRule(weight=rule.weight, line=rule.line, unknown_points=points if key in keys else None)
        for key, rule in POLICY.indicators.items()
    }
    return HealthPolicy(indicators=indicators)


def test_counts_what_is_unknown_as_the_policy_says() -> None:
    left_out = receipt(STEADY, POLICY, D)
    assert (left_out.score, left_out.known) == (99, 4)
    drawn = receipt(STEADY, assuming(20, "satisfaction", "advocacy"), D)
    assumed = line(drawn, "satisfaction")
    assert (assumed.value, assumed.score, assumed.is_assumed) == (None, 20, True)
    # (43 x 98.531 + 15 x 20) / 58 = 78.2
    assert (drawn.score, drawn.known) == (78, 4)
    assert drawn.total + drawn.rounding == drawn.score
    assert score_frame(frame([STEADY]), assuming(20, "satisfaction", "advocacy"), D).row(0)[1:] == (78, "green", 4)


def test_does_not_take_what_is_assumed_for_known() -> None:
    nobody = HealthFacts(order_days_count=1, last_order_on=D - dt.timedelta(3))
    policy = assuming(100, *KEYS)
    drawn = receipt(nobody, policy, D)
    assert (drawn.score, drawn.band, drawn.known) == (None, "none", 0)
    assert score_frame(frame([nobody]), policy, D).row(0)[1:] == (None, "none", 0)


@quick
@given(st.lists(facts(), min_size=1, max_size=8), policies())
def test_weighs_every_row_of_a_frame_by_its_own_tier_and_stage(rows: list[HealthFacts], policy: HealthPolicy) -> None:
    together = score_frame(frame(rows), policy, D).drop("customer_id").rows()
    alone = [score_frame(frame([row]), policy, D).drop("customer_id").row(0) for row in rows]
    assert together == alone


# ── until when a score stands ────────────────────────────────────────────────

lines = st.lists(st.tuples(st.integers(0, 8), st.integers(0, 100)), min_size=2, max_size=4).map(
    lambda points: tuple(
        (float(value), score)
        for value, score in zip(
            sorted({each for each, _ in points}), sorted(score for _, score in points), strict=False
        )
    )
)


@st.composite
def policies_of_time(draw: st.DrawFn) -> HealthPolicy:
    """Any policy, with any line of order frequency that goes one way."""
    policy, points = draw(policies()), draw(lines.filter(lambda drawn: len(drawn) > 1))
    if draw(st.booleans()):
        points = tuple((value, 100 - score) for value, score in points)
    rule = policy.indicators["order_frequency"].model_copy(update={"line": points})
    return policy.model_copy(update={"indicators": {**policy.indicators, "order_frequency": rule}})


DAYS_AHEAD = 900


@quick
@given(facts(), policies_of_time())
def test_names_the_first_day_on_which_time_alone_gives_another_score(row: HealthFacts, policy: HealthPolicy) -> None:
    found = lasting_scores(frame([row]), policy, D)
    assert found.drop("moves_on").rows() == score_frame(frame([row]), policy, D).rows()
    moves_on = found["moves_on"][0]
    if row.last_order_on is None:
        assert moves_on is None
        return
    # So many days on is as if the last order had been so many days earlier.
    earlier = [row.last_order_on - dt.timedelta(n) for n in range(DAYS_AHEAD)]
    later = score_frame(frame([dataclasses.replace(row, last_order_on=day) for day in earlier]), policy, D)["score"]
    others = [n for n, score in enumerate(later) if score != later[0]]
    if others:
        assert moves_on == D + dt.timedelta(others[0])
    else:
        assert moves_on is None or moves_on >= D + dt.timedelta(DAYS_AHEAD)


# ── what would lift the score ────────────────────────────────────────────────


def acts(row: HealthFacts, lift: Lift | None) -> list[HealthFacts]:
    """The facts after the first act, and after both, worked out here once more."""
    found = []
    while lift:
        if lift.action == "order":
            row = dataclasses.replace(row, last_order_on=D, orders_recent=row.orders_recent + 1)
        elif lift.action == "solve":
            row = dataclasses.replace(row, solved=row.solved + row.repeated_open, repeated_open=0)
        else:
            fits = row.asked < POLICY.outbound_contacts
            row = dataclasses.replace(
                row,
                contacts_recent=row.contacts_recent + 1,
                asked=row.asked + fits,
                answered=row.answered + 1 if fits else max(row.answered, 1),
                unanswered_run=0,
                last_asked_on=D,
            )
        found.append(row)
        lift = lift.then
    return found


@quick
@given(facts())
def test_promises_what_scoring_again_after_the_act_gives(row: HealthFacts) -> None:
    drawn = receipt(row, POLICY, D)
    assert (drawn.score is not None) or drawn.lift is None
    lift, before = drawn.lift, drawn.score
    for after in acts(row, drawn.lift):
        again = receipt(after, POLICY, D)
        assert lift is not None
        assert before is not None
        assert (lift.score, lift.band) == (again.score, again.band)
        assert lift.score > before
        lift, before = lift.then, lift.score
    assert lift is None


SILENT = dataclasses.replace(ALL_KNOWN, answered=4, unanswered_run=3, contacts_recent=5)


def lifts(drawn: Receipt) -> list[tuple[str, int, str]]:
    found, lift = [], drawn.lift
    while lift:
        found.append((lift.action, lift.score, lift.band))
        lift = lift.then
    return found


def test_names_the_firms_own_act_before_the_customers_when_both_lift_the_colour() -> None:
    drawn = receipt(SILENT, POLICY, D)
    assert (drawn.score, drawn.band) == (38, "red")
    assert lifts(drawn) == [("contact", 47, "yellow"), ("order", 60, "yellow")]


def test_names_an_order_where_only_an_order_lifts_the_colour() -> None:
    asked = dataclasses.replace(
        ALL_KNOWN, asked=4, answered=3, unanswered_run=0, contacts_recent=6, competitor_recent=9
    )
    drawn = receipt(asked, HealthPolicy(yellow=50), D)
    assert (drawn.score, drawn.band) == (45, "red")
    # A contact alone makes it 47: more, but still red.
    assert lifts(drawn) == [("order", 58, "yellow"), ("contact", 60, "yellow")]


def test_names_the_question_that_is_open_again_and_again() -> None:
    row = dataclasses.replace(
        STEADY, last_order_on=D, solved=30, solved_first=30, repeated_open=3, csat_sum=5, csat_count=1
    )
    drawn = receipt(row, POLICY, D)
    # Solved, but not the first time: 30 of 33.
    again = dataclasses.replace(row, solved=33, repeated_open=0)
    assert lifts(drawn) == [("solve", receipt(again, POLICY, D).score, "green")]


def test_promises_nothing_for_the_first_contact_of_a_firm_that_notes_none() -> None:
    row = dataclasses.replace(STEADY, last_order_on=D, spend_recent=0)
    assert receipt(row, POLICY, D).lift is None


def test_promises_nothing_where_nothing_helps() -> None:
    best = dataclasses.replace(STEADY, last_order_on=D)
    drawn = receipt(best, POLICY, D)
    assert (drawn.score, drawn.lift) == (100, None)
