"""It: the value scorecard, and the receipt that adds up to it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segmentation.rules import scorecard
from segmentation.rules.policy import EvidencePoints, ValuePolicy
from segmentation.rules.scorecard import Evidence, ScoreFacts

quick = settings(max_examples=150, deadline=None)
RULES = ValuePolicy()


def known(
    *,
    tier: str = "gold",
    ordered: bool = True,
    more_than: float | None = 80.0,
    days_late: float | None = 0.0,
    evidence: tuple[Evidence, ...] = (),
    indirect: bool = True,
    strategic: bool = True,
) -> ScoreFacts:
    return ScoreFacts(
        tier=tier, ordered=ordered, more_than=more_than, days_late=days_late, evidence=evidence,
        indirect_kept=indirect, strategic_kept=strategic,
    )  # fmt: skip


rows_of_evidence = st.lists(
    st.tuples(st.integers(1, 999), st.sampled_from(sorted(scorecard.KINDS)), st.integers(0, 100)), max_size=6
).map(tuple)
cards = st.builds(
    known,
    tier=st.sampled_from(["gold", "silver", ""]),
    ordered=st.booleans(),
    more_than=st.none() | st.integers(0, 10_000).map(lambda n: n / 100),
    days_late=st.none() | st.integers(-60, 180).map(lambda n: n / 2),
    evidence=rows_of_evidence,
    indirect=st.booleans(),
    strategic=st.booleans(),
)
weights = st.tuples(st.integers(0, 100), st.integers(0, 100)).filter(lambda two: sum(two) <= 100).map(
    lambda two: {"direct": two[0], "indirect": two[1], "strategic": 100 - sum(two)}
)  # fmt: skip
policies = st.tuples(weights, weights).map(lambda two: ValuePolicy(weights=two[0], tier_weights={"gold": two[1]}))


@quick
@given(cards, policies)
def test_contributions_and_rounding_are_the_score(facts: ScoreFacts, rules: ValuePolicy) -> None:
    card = scorecard.receipt(facts, rules)
    effective = [part.effective_weight for part in card.parts if part.effective_weight is not None]
    if card.score is None:
        assert (card.total, card.rounding, effective) == (0, 0, [])
        return
    assert card.total + card.rounding == card.score
    assert 0 <= card.score <= 100
    assert sum(effective) == 100
    assert abs(card.rounding) <= Decimal("0.5")
    for part in card.parts:
        if part.contribution is not None:
            assert part.contribution <= (part.effective_weight or 0)
            assert part.unknown == ""
        assert (part.score is None) == (part.unknown != "")


@quick
@given(cards, policies)
def test_is_the_mean_of_what_is_known_by_hand(facts: ScoreFacts, rules: ValuePolicy) -> None:
    card = scorecard.receipt(facts, rules)
    parts = [(part.score, part.weight) for part in card.parts if part.score is not None]
    whole = sum(weight for _score, weight in parts)
    expected = None if not whole else (2 * sum(s * w for s, w in parts) + whole) // (2 * whole)
    assert card.score == expected
    direct, indirect, strategic = card.parts
    lines = [(line.points, line.weight or 0) for line in direct.lines if line.points is not None]
    total = sum(weight for _points, weight in lines)
    assert direct.score == (None if not lines else (2 * sum(p * w for p, w in lines) + total) // (2 * total))
    for part in (indirect, strategic):
        if part.score is not None:
            points = sum(line.points or 0 for line in part.lines)
            assert (part.score, part.capped) == (min(points, 100), points > 100)
            assert {line.evidence for line in part.lines} == {
                number for number, kind, _points in facts.evidence if scorecard.KINDS[kind] == part.key
            }


@quick
@given(st.lists(cards, max_size=12), policies)
def test_says_of_many_what_it_says_of_each(many: list[ScoreFacts], rules: ValuePolicy) -> None:
    rows = [
        {
            "tier": one.tier,
            "more_than": one.more_than,
            "days_late": one.days_late,
            "indirect_points": scorecard.points_of(one.evidence, "indirect") if one.indirect_kept else None,
            "strategic_points": scorecard.points_of(one.evidence, "strategic") if one.strategic_kept else None,
        }
        for one in many
    ]
    scored = scorecard.score_frame(pl.DataFrame(rows, schema=dict(scorecard.SCORE_FACTS)), rules)
    for one, row in zip(many, scored.iter_rows(named=True), strict=True):
        card = scorecard.receipt(one, rules)
        assert row["score"] == card.score
        assert [row[part.key] for part in card.parts] == [part.score for part in card.parts]


@quick
@given(cards, policies, st.integers(0, 5000), st.integers(0, 60), st.integers(0, 40))
def test_a_better_customer_never_scores_lower(
    facts: ScoreFacts, rules: ValuePolicy, more: int, days: int, points: int
) -> None:
    before = scorecard.receipt(facts, rules)
    better = known(
        tier=facts.tier,
        ordered=facts.ordered,
        more_than=None if facts.more_than is None else min(facts.more_than + more / 100, 100.0),
        days_late=None if facts.days_late is None else facts.days_late - days,
        evidence=(*facts.evidence, (1, "endorsement", points), (2, "cluster", points)),
        indirect=facts.indirect_kept,
        strategic=facts.strategic_kept,
    )
    after = scorecard.receipt(better, rules)
    assert (after.score is None) == (before.score is None)
    assert (after.score or 0) >= (before.score or 0)


def test_adds_up_by_hand() -> None:
    card = scorecard.receipt(
        known(
            more_than=80.0, days_late=15.0, evidence=((7, "referral", 20), (8, "endorsement", 25), (9, "cluster", 25))
        ),
        RULES,
    )
    direct, indirect, strategic = card.parts
    # Money 80 twice and payment 50 once: 70. The margin is left out.
    assert [(line.key, line.points, line.unknown) for line in direct.lines] == [
        ("money", 80, ""), ("margin", None, "no_margins"), ("payment", 50, ""),
    ]  # fmt: skip
    assert (direct.score, indirect.score, strategic.score) == (70, 45, 25)
    assert [part.contribution for part in card.parts] == [Decimal("28.0"), Decimal("13.5"), Decimal("7.5")]
    assert (card.score, card.rounding) == (49, Decimal("0.0"))


@pytest.mark.parametrize(
    ("days", "points"),
    [(-20.0, 100), (0.0, 100), (7.5, 75), (15.0, 50), (16.0, 48), (30.0, 25), (45.0, 0), (300.0, 0)],
)
def test_payment_goes_by_straight_lines(days: float, points: int) -> None:
    assert scorecard.receipt(known(days_late=days), RULES).parts[0].lines[2].points == points


def test_leaves_out_what_is_not_known_and_lets_the_rest_weigh_more() -> None:
    card = scorecard.receipt(known(more_than=60.0, days_late=None, indirect=False, strategic=False), RULES)
    assert [part.unknown for part in card.parts] == ["", "not_kept", "not_kept"]
    assert card.parts[0].lines[2].unknown == "no_payments"
    assert (card.score, card.parts[0].effective_weight) == (60, Decimal("100.0"))


@pytest.mark.parametrize(("ordered", "why"), [(True, "alone"), (False, "never_ordered")])
def test_has_no_score_where_nothing_is_known(ordered: bool, why: str) -> None:  # noqa: FBT001  # a case
    nothing = known(ordered=ordered, more_than=None, days_late=None, indirect=False, strategic=False)
    card = scorecard.receipt(nothing, RULES)
    assert (card.score, card.parts[0].unknown) == (None, why)


def test_no_evidence_is_nothing_where_the_firm_keeps_the_book() -> None:
    card = scorecard.receipt(known(more_than=100.0), RULES)
    assert [part.score for part in card.parts] == [100, 0, 0]
    assert card.score == 40


def test_weighs_by_the_tier() -> None:
    rules = ValuePolicy(tier_weights={"strategic": {"direct": 20, "indirect": 20, "strategic": 60}})
    evidence: tuple[Evidence, ...] = ((1, "benchmark", 50), (2, "co_development", 40))
    assert scorecard.receipt(known(tier="key", evidence=evidence, more_than=0.0, days_late=None), rules).score == 27
    assert (
        scorecard.receipt(known(tier="strategic", evidence=evidence, more_than=0.0, days_late=None), rules).score == 54
    )


def test_has_no_score_where_what_is_known_weighs_nothing() -> None:
    rules = ValuePolicy(weights={"direct": 0, "indirect": 50, "strategic": 50})
    card = scorecard.receipt(known(indirect=False, strategic=False), rules)
    assert (card.score, card.total) == (None, 0)


@quick
@given(st.lists(st.none() | st.integers(-50, 50), max_size=40))
def test_ranks_by_the_share_of_others_who_brought_less(money: list[int | None]) -> None:
    rows = pl.DataFrame({"money": money}, schema={"money": pl.Int64})
    among = scorecard.ranking(rows.get_column("money"))
    got = rows.select(scorecard.more_than(pl.col("money"), among)).to_series().to_list()
    ranked = [each for each in money if each is not None]
    for each, share in zip(money, got, strict=True):
        if each is None or len(ranked) < 2:
            assert share is None
        else:
            assert share == sum(other < each for other in ranked) * 10_000 // (len(ranked) - 1) / 100


@pytest.mark.parametrize(
    ("referred", "typical", "points"),
    [(0, 500, 0), (-900, 500, 0), (500, 500, 20), (1250, 500, 50), (10**15, 500, 100), (500, None, 0), (500, 0, 0)],
)
def test_referred_money_counts_in_typical_customers(referred: int, typical: int | None, points: int) -> None:
    assert scorecard.referred_points(referred, typical, EvidencePoints()) == points


def test_every_kind_of_evidence_has_its_part_and_its_points() -> None:
    kinds: dict[str, Any] = dict(scorecard.KINDS)
    assert set(kinds) - {scorecard.REFERRED_MONEY} == set(EvidencePoints.model_fields)
    assert [scorecard.evidence_points(kind, EvidencePoints()) for kind in EvidencePoints.model_fields] == [
        20,
        25,
        50,
        40,
        25,
    ]
