"""It: reckons the chance that a lapsed customer comes back from how the firm's silences ended, and what that is worth."""

import datetime as dt
import math

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from risk.rules.win_back import (
    ENOUGH,
    GROUPS,
    LONGEST,
    MONTH_DAYS,
    PRIOR_ENDED,
    PRIOR_REACHED,
    WEIGHT,
    History,
    Month,
    OfferCount,
    group_of,
    offer_rates,
    rank,
)

AS_OF = dt.date(2026, 11, 20)


@st.composite
def months(draw):
    reached = draw(st.integers(0, 500))
    ended = draw(st.integers(0, reached))
    return Month(draw(st.sampled_from(GROUPS)), draw(st.integers(0, 150)), reached, ended)


HISTORIES = st.lists(months(), max_size=12).map(History.of)
# How long it takes says something about the machine, not about the rule.
patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def slow_chance(history, group, month, days):
    """The same, said out: whole months one by one, then the part of one that is left."""
    mean = (sum(m.ended for m in history.months) + PRIOR_ENDED) / (
        sum(m.reached for m in history.months) + PRIOR_REACHED
    )
    stays = 1.0
    whole, part = divmod(days / MONTH_DAYS, 1)
    for step in range(int(whole) + 1):
        at = min(month + step, LONGEST)
        here = [m for m in history.months if m.month == at]
        of_all = (sum(m.ended for m in here) + WEIGHT * mean) / (sum(m.reached for m in here) + WEIGHT)
        own = [m for m in here if m.group == group]
        hazard = (sum(m.ended for m in own) + WEIGHT * of_all) / (sum(m.reached for m in own) + WEIGHT)
        stays *= (1 - hazard) ** (1.0 if step < int(whole) else part)
    return 1 - stays


@patient
@given(HISTORIES, st.sampled_from(GROUPS), st.integers(0, 130), st.integers(0, 1000))
def test_the_chance_is_one_less_all_months_that_pass_without_an_order(history, group, month, days):
    assert history.chance(group, month, days) == pytest.approx(slow_chance(history, group, month, days), abs=1e-9)


@patient
@given(HISTORIES, st.sampled_from(GROUPS), st.integers(0, 130), st.integers(0, 900), st.integers(0, 300))
def test_a_longer_horizon_never_makes_it_less_likely(history, group, month, days, more):
    near, far = history.chance(group, month, days), history.chance(group, month, days + more)
    assert 0 <= near <= far + 1e-12
    assert far <= 1


@patient
@given(st.sampled_from(GROUPS), st.integers(0, LONGEST))
def test_without_a_history_one_in_two_hundred_ends_in_a_month(group, month):
    empty = History(())
    assert empty.hazard(group, month) == pytest.approx(PRIOR_ENDED / PRIOR_REACHED)
    assert empty.chance(group, month, 0) == 0


def test_many_silences_speak_for_themselves_and_few_are_drawn_towards_all():
    history = History.of([Month("many", 12, 10_000, 2_000), Month("once", 12, 4, 4)])
    assert history.hazard("many", 12) == pytest.approx(0.2, abs=0.002)
    assert 0.2 < history.hazard("once", 12) < 0.3


def test_rows_about_the_same_month_are_added_up_and_nonsense_is_refused():
    twice = History.of([Month("few", 13, 10, 1), Month("few", 13, 30, 2)])
    assert twice.months == (Month("few", 13, 40, 3),)
    with pytest.raises(ValueError, match="5 of 4"):
        History.of([Month("few", 13, 4, 5)])
    with pytest.raises(ValueError, match="horizon"):
        twice.chance("few", 13, -1)


@patient
@given(
    HISTORIES,
    st.lists(
        st.tuples(st.integers(366, 4000), st.integers(1, 30), st.integers(-(10**9), 10**11)), max_size=20
    ),
    st.integers(30, 1000),
)  # fmt: skip
def test_ranks_each_as_one_by_one(history, customers, horizon):
    rows = [(n, AS_OF - dt.timedelta(days=days), orders, money) for n, (days, orders, money) in enumerate(customers)]
    frame = pl.DataFrame(
        rows,
        schema={"customer_id": pl.Int64, "last_order_on": pl.Date, "orders": pl.Int64, "yearly": pl.Int64},
        orient="row",
    )
    found = rank(frame, history, AS_OF, horizon)
    assert found.height == len(rows)
    for row, (days, orders, money) in zip(found.iter_rows(named=True), customers, strict=True):
        month = min(LONGEST, math.floor(days / MONTH_DAYS))
        chance = history.chance(group_of(orders), month, horizon)
        assert row["chance"] == pytest.approx(chance)
        assert abs(row["expected"] - max(0, money) * chance) <= 0.5 + abs(money) * 1e-9


def test_tells_the_return_rate_of_an_offer_against_none():
    trial, storage = offer_rates([OfferCount("storage", 3, 3), OfferCount("trial", 20, 10)], (5, 50))
    assert (trial.offer, trial.rate.share, trial.enough) == ("trial", 0.5, True)
    assert trial.gain is not None
    assert trial.gain.share == pytest.approx(0.4)
    assert trial.gain.low > 0
    assert (storage.enough, storage.gain) == (False, None)
    assert ENOUGH > 3
