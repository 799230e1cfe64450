"""It: a health receipt in words and marks."""

import datetime as dt
import re
from dataclasses import replace

import pytest
from django.template.loader import render_to_string

from dashboards.receipts import draw, line_words
from health.rules.policy import HealthPolicy, IndicatorWeights
from health.rules.receipt import HealthFacts, receipt

DAY = dt.date(2026, 11, 20)
POLICY = HealthPolicy()
FACTS = HealthFacts(
    order_days_count=30,
    last_order_on=DAY - dt.timedelta(days=41),
    median_gap=19.0,
    gap_cv=0.92,
    spend_recent=1_860_000 * 10_000,
    spend_before=14_315_000 * 10_000,
    categories_recent=5,
    categories_before=8,
)


@pytest.fixture
def drawn():
    return draw(receipt(FACTS, POLICY, DAY))


def row(drawn, name):
    return next(row for row in drawn.rows if row.name == name)


def test_says_what_was_seen(drawn):
    assert row(drawn, "Order frequency").value == "41 ÷ 19 d = 2.16"
    assert row(drawn, "Order stability").value == "variation 0.92"
    assert row(drawn, "Category breadth").value == "5 ÷ 8 = 0.62"
    assert re.fullmatch(r"\D*1\.9M ÷ \D*3\.5M = 0\.53", row(drawn, "Spend trend").value)


def test_draws_the_bar_as_long_as_the_weight_and_fills_it_by_the_score(drawn):
    heaviest, lightest = row(drawn, "Order frequency"), row(drawn, "Order stability")
    assert heaviest.track == "48.0"
    assert float(lightest.track) == pytest.approx(48 * 6 / 15, abs=0.2)
    assert float(heaviest.fill) == pytest.approx(48 * 0.253, abs=0.2)


def test_puts_the_customer_on_the_line(drawn):
    curve = row(drawn, "Order frequency").curve
    assert curve.points == "1.5,2.5 6.2,2.5 14.1,6.9 22.0,10.2 37.8,13.5 42.5,13.5"
    assert (curve.x, curve.y) == ("24.5", "10.7")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (((1, 100), (1.5, 60), (2, 30), (3, 0)), "≤1→100, 1.5→60, 2→30, ≥3→0"),
        (((0.2, 0), (0.5, 20), (1, 100)), "≥1→100, 0.5→20, ≤0.2→0"),
        (((0, 100), (3, 0)), "0→100, ≥3→0"),
        (((-50, 0), (50, 100)), "≥50→100, ≤−50→0"),
    ],
)
def test_writes_a_line_best_first(line, words):
    assert line_words(line) == words


def test_says_why_an_indicator_is_unknown():
    drawn = draw(receipt(HealthFacts(order_days_count=1, last_order_on=DAY), POLICY, DAY))
    why = dict(drawn.unknown)
    assert why["Order frequency"] == "needs orders on 3 days, has 1"
    assert why["Spend trend"] == "nothing bought in the 365 days before the last 90"
    assert why["Category breadth"] == "nothing bought in the 180 days before the last 180"
    assert why["Advocacy"] == "no answer in the last 365 days"
    assert drawn.rows == []


def test_leaves_no_bar_longer_than_its_place(drawn):
    assert all(float(row.fill) <= float(row.track) <= 48 for row in drawn.rows)


# ── the other eight indicators ───────────────────────────────────────────────

TALKING = replace(
    FACTS,
    contacts_recent=4,
    contacts_before=21,
    asked=5,
    answered=4,
    complaints_recent=1,
    complaints_before=2,
    orders_recent=4,
    orders_before=12,
    solved=6,
    solved_first=5,
    csat_sum=7,
    csat_count=2,
    promoters=1,
    detractors=2,
    nps_count=4,
    competitor_recent=2,
    days_late=11.5,
    invoices=5,
)


@pytest.mark.parametrize(
    ("name", "changed", "words"),
    [
        ("Interaction frequency", {}, "4 ÷ 7 = 0.57"),
        ("Responsiveness", {}, "4 of 5 answered"),
        ("Responsiveness", {"unanswered_run": 3}, "last 3 unanswered"),
        ("Complaint rate", {}, "0.25 ÷ 0.17 = 1.50"),
        ("Complaint rate", {"complaints_recent": 0}, "no complaints"),
        ("Complaint rate", {"complaints_before": 0}, "0.25 ÷ 0.08 = 3.00"),
        ("Solved first time", {}, "5 ÷ 6 = 0.83"),
        ("Solved first time", {"repeated_open": 4}, "same question open 4 times"),
        ("Satisfaction", {}, "CSAT 3.5"),
        ("Advocacy", {}, "NPS −25"),
        ("Competitor interest", {}, "2 contacts"),
        ("Competitor interest", {"competitor_recent": 1}, "1 contact"),
        ("Payment", {}, "11.5 d late"),
        ("Payment", {"days_late": -2.0}, "2 d early"),
        ("Payment", {"days_late": 0.0}, "on time"),
    ],
)
def test_says_of_every_indicator_what_was_seen(name, changed, words):
    assert row(draw(receipt(replace(TALKING, **changed), POLICY, DAY)), name).value == words


def test_says_beside_the_line_what_is_no_points_whatever_the_share():
    drawn = draw(receipt(TALKING, POLICY, DAY))
    assert row(drawn, "Responsiveness").curve.words == "≥1→100, 0.5→50, 0→0, last 3 unanswered→0"
    assert row(drawn, "Solved first time").curve.words.endswith("same question open 3 times→0")


@pytest.mark.parametrize(
    ("name", "changed", "why"),
    [
        ("Interaction frequency", {"contacts_before": 0}, "no two-way contact in the 270 days before the last 90"),
        ("Responsiveness", {"asked": 0}, "no contact noted as answered or not"),
        ("Complaint rate", {"complaints_recent": None}, "complaints are not kept here yet"),
        ("Complaint rate", {"orders_recent": 0, "orders_before": 0}, "no order in the last 455 days"),
        ("Solved first time", {"solved": 0}, "nothing solved in the last 180 days"),
        ("Satisfaction", {"csat_count": 0}, "no answer in the last 180 days"),
        ("Advocacy", {"nps_count": 0}, "no answer in the last 365 days"),
        ("Competitor interest", {"competitor_recent": None}, "not noted in the last 90 days"),
        ("Payment", {"invoices": 0}, "no paid invoice yet"),
    ],
)
def test_says_of_every_indicator_why_it_is_unknown(name, changed, why):
    drawn = draw(receipt(replace(TALKING, **changed), POLICY, DAY))
    assert drawn.unknown == [(name, why)]
    assert drawn.known == 11
    assert name not in drawn.known_names


def test_says_what_an_unknown_indicator_counts_as():
    indicators = dict(POLICY.indicators)
    indicators["payment_behaviour"] = indicators["payment_behaviour"].model_copy(update={"unknown_points": 40})
    policy = HealthPolicy(indicators=indicators)
    drawn = draw(receipt(replace(TALKING, invoices=0), policy, DAY))
    payment = row(drawn, "Payment")
    assert (payment.value, payment.why, payment.score) == ("counts as 40", "no paid invoice yet", "40")
    assert payment.curve is None
    assert drawn.unknown == []
    assert "Payment" not in drawn.known_names
    page = render_to_string("dashboards/_receipt.html", {"drawn": drawn})
    assert "counts as 40" in page
    assert "no paid invoice yet" in page
    assert f'{payment.contribution} <span class="of">/ 5</span>' in page


def test_says_by_whose_weights_it_is_when_they_are_not_everybodys():
    own = IndicatorWeights(order_frequency=50)
    policy = HealthPolicy(tier_weights={"gold": own}, stage_weights={"won_back": own})
    said = [
        draw(receipt(replace(TALKING, tier=tier, stage=stage), policy, DAY)).weights
        for tier, stage in (("silver", "active"), ("gold", "active"), ("gold", "won_back"))
    ]
    assert said == ["", "Weights for the tier Gold", "Weights for the stage Won back"]
    gold = draw(receipt(replace(TALKING, tier="gold"), policy, DAY))
    assert "Weights for the tier Gold" in render_to_string("dashboards/_receipt.html", {"drawn": gold})


def test_names_the_act_that_would_lift_it_and_the_one_on_top():
    silent = replace(TALKING, unanswered_run=3, contacts_recent=5, promoters=2)
    drawn = draw(receipt(silent, POLICY, DAY))
    assert [each.words for each in drawn.lifts] == ["One answered contact makes it", "An order as well:"]
    assert [each.band for each in drawn.lifts] == ["yellow", "yellow"]
    page = " ".join(re.sub(r"<[^>]+>", " ", render_to_string("dashboards/_lift.html", {"drawn": drawn})).split())
    first, second = (each.score for each in drawn.lifts)
    assert re.search(rf"One answered contact makes it Yellow {first} An order as well: Yellow {second}", page)


def test_promises_nothing_when_nothing_would_lift_it():
    best = replace(FACTS, last_order_on=DAY)
    assert draw(receipt(best, POLICY, DAY)).lifts == []
    assert render_to_string("dashboards/_lift.html", {"drawn": draw(receipt(best, POLICY, DAY))}).strip() == ""
