"""It: the reason of a tier in words: each fact beside the line that it met or missed."""

import json

import pytest
from django.utils import translation
from hypothesis import given, settings

from dashboards.tier_words import because, explained
from segmentation.models import TierChange
from segmentation.rules.policy import TierPolicy
from segmentation.rules.tiers import BY_SCHEME, POINTS, TIER_ORDER, assign
from tests.segmentation.test_tiers import D, customers, policies, scored

CALLBACK = TierPolicy(scheme="callback")
WHOLESALE = TierPolicy(scheme="wholesale")
SALES = TierPolicy(scheme="sales-team")

WHY = {
    "recency_days": 12, "frequency": 5, "monetary": 12_400 * POINTS, "r": 5, "f": 4, "m": 5, "segment": "111",
    "relation_since": "2019-03-01", "relation_years": 7, "industry_position": None, "growth_potential": "",
    "potential": None, "better_recency": 4.29, "better_money": 11.0, "better_score": 22.31, "better_share": 63.25,
}  # fmt: skip


@pytest.mark.parametrize(
    ("tier", "rules", "facts", "held", "missed"),
    [
        (
            "gold",
            CALLBACK,
            {},
            ["4.2% ordered more recently (Gold: under 20%)", "11.0% brought more net money (Gold: under 15%)"],
            [],
        ),
        (
            "silver",
            CALLBACK,
            {"better_recency": 20.0},
            ["22.3% have a higher R + F + M (Silver: under 40%)"],
            ["20.0% ordered more recently (Gold: under 20%)"],
        ),
        ("bronze", CALLBACK, {"better_score": 40.0}, [], ["40.0% have a higher R + F + M (Silver: under 40%)"]),
        (
            "strategic",
            WHOLESALE,
            {"monetary": 10_000_000 * POINTS},
            [
                "relation of 7 years (Strategic: at least 5)",
                "net money 10,000,000 in 12 months (Strategic: at least 10,000,000)",
            ],
            [],
        ),
        (
            "key",
            WHOLESALE,
            {"monetary": 1_200_000 * POINTS, "relation_years": 1},
            ["net money 1,200,000 in 12 months (Key: at least 1,000,000)"],
            [
                "relation of 1 year (Strategic: at least 5)",
                "net money 1,200,000 in 12 months (Strategic: at least 10,000,000)",
            ],
        ),
        (
            "key",
            WHOLESALE,
            {"growth_potential": "high"},
            ["growth potential high (Key: high)", "relation of 7 years (Key: at least 2)"],
            ["net money 12,400 in 12 months (Strategic: at least 10,000,000)"],
        ),
        (
            "regular",
            WHOLESALE,
            {},
            [],
            ["net money 12,400 in 12 months (Key: at least 1,000,000)", "growth potential not known (Key: high)"],
        ),
        (
            "regular",
            WHOLESALE,
            {"growth_potential": "high", "relation_years": 1},
            ["growth potential high (Key: high)"],
            ["net money 12,400 in 12 months (Key: at least 1,000,000)", "relation of 1 year (Key: at least 2)"],
        ),
        ("core", SALES, {}, ["customers who brought more bring 63.2% of the money (A core: under 80%)"], []),
        (
            "potential",
            SALES,
            {"better_share": 93.0, "potential": 4.5},
            ["potential 4.5 of 5 (B potential: at least 4)"],
            ["customers who brought more bring 93.0% of the money (A core: under 80%)"],
        ),
        (
            "basic",
            SALES,
            {"monetary": 0},
            [],
            ["no net money in the window", "potential not known: neither industry position nor growth"],
        ),
        (
            "champions",
            TierPolicy(scheme="starter"),
            {},
            ["scores R 5, F 4, M 5 (4 and 5 are high): segment 111"],
            [],
        ),
    ],
)
def test_says_which_lines_were_met_and_missed(tier, rules, facts, held, missed):
    with translation.override("en"):
        found = because(tier, WHY | facts, rules)
    # Outside a tenant there is no currency, only the space after it.
    said = [[words.replace("\u00a0", "") for words in each] for each in (found.held, found.missed)]
    assert said == [held, missed]


@settings(max_examples=60, deadline=None)
@given(customers, policies)
def test_names_a_missed_line_for_every_tier_but_the_best(rows, rules):
    """For whatever the rules decide, the words agree with them, also after a way through JSON."""
    best = TIER_ORDER[rules.scheme][0]
    for row in assign(scored(rows), rules, D).iter_rows(named=True):
        if row["why"] is None:
            continue
        facts = json.loads(json.dumps(row["why"], default=str))
        tier = row[BY_SCHEME[rules.scheme]]
        with translation.override("en"):
            found = because(tier, facts, rules)
        if rules.scheme == "starter":
            assert found.held
            assert not found.missed
        else:
            assert bool(found.missed) == (tier != best), (tier, facts, found)
            if tier != TIER_ORDER[rules.scheme][-1]:
                assert found.held, (tier, facts)


def test_uses_the_lines_of_its_own_policy_version():
    rules = TierPolicy(scheme="callback", gold_recency_best=4)
    assert "under 4%" in because("silver", WHY, rules).missed[0]


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        (WHY | {"move": "fall"}, "Below its line for 30 days. 22.3% have a higher R + F + M (Silver: under 40%)."),
        (WHY | {"move": "start"}, "The first tier, by the first night with an order. 22.3%"),
        ({"move": "pin", "pin": "silver", "reason": "Big tender", "until": "2027-03-01"}, "Pinned until 1 Mar 2027: Big tender"),
        ({"move": "pin", **WHY}, "Pinned by a person"),
        ({}, ""),
    ],
)  # fmt: skip
def test_says_what_made_the_tier_move(facts, words):
    with translation.override("en"):
        said = explained(TierChange(before="gold", after="silver", facts=facts), CALLBACK)
    assert said.startswith(words)
    assert bool(said) == bool(words)


def test_says_nothing_about_facts_that_an_old_row_does_not_have():
    assert because("core", {"monetary": 5 * POINTS, "r": 1}, SALES).held == ()
    assert because("", WHY, SALES).held == ()
