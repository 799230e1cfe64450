"""It: a health receipt in words and marks."""

import datetime as dt
import re

import pytest

from dashboards.receipts import draw, line_words
from health.rules.policy import HealthPolicy
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
    assert why["Spend trend"] == "nothing bought in the year before"
    assert why["Category breadth"] == "nothing bought in the half-year before"
    assert why["Advocacy"] == "not recorded yet"
    assert drawn.rows == []


def test_leaves_no_bar_longer_than_its_place(drawn):
    assert all(float(row.fill) <= float(row.track) <= 48 for row in drawn.rows)
