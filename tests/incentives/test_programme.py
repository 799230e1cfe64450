"""It: the return of a programme, on paper, and what must hold of it whatever is entered."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incentives.rules.programme import ProgrammePolicy, cost_per_contact, programme_return, yearly_gain

CENT = Decimal("0.01")
money = st.integers(0, 10**9).map(Decimal)
costs = st.integers(1, 10**9).map(Decimal)
rates = st.integers(0, 40)
spans = st.integers(1, 20)


def test_it_reckons_as_on_paper():
    # 1,200 once and 400 a year bring 1,000 a year: at 10 % two years are 600 / 1.1 + 600 / 1.21.
    found = programme_return(gain=Decimal(1000), once=1200, yearly=400, years=2, discount=10)
    assert found.flows == (-1200, 600, 600)
    assert found.value.quantize(CENT) == Decimal("-158.68")
    assert found.ratio.quantize(CENT) == Decimal("0.92")
    assert found.payback is None
    third = programme_return(gain=Decimal(1000), once=1200, yearly=400, years=3, discount=10)
    # 1,041.32 is back after two years; of the third year's 450.79 it takes 158.68.
    assert third.payback.quantize(CENT) == Decimal("2.35")
    assert programme_return(gain=Decimal(1000), once=0, yearly=400, years=5, discount=12).ratio == Decimal("2.5")
    assert programme_return(gain=Decimal(5), once=0, yearly=0, years=1, discount=0).ratio is None


def test_it_counts_what_lies_above_the_baseline_and_what_came_by_referral():
    said = {"before": Decimal(1000), "baseline": 60, "margin": 50}
    assert yearly_gain(kept=Decimal(700), referred=Decimal(40), **said) == 70
    # Kept less than before the programme: it has cost money, and says so.
    assert yearly_gain(kept=Decimal(500), referred=Decimal(0), **said) == -50


def test_it_says_nothing_of_what_was_not_entered():
    assert cost_per_contact(yearly=0, contacts=9) is None
    assert cost_per_contact(yearly=90, contacts=0) is None
    assert cost_per_contact(yearly=90, contacts=9) == 10
    assert ProgrammePolicy().yearly == 0
    with pytest.raises(ValueError, match="a year or more"):
        programme_return(gain=Decimal(1), once=1, yearly=1, years=0, discount=12)


@given(gain=money, once=money, yearly=money, years=spans, rate=rates)
def test_it_is_worth_what_its_discounted_flows_add_up_to(gain, once, yearly, years, rate):
    found = programme_return(gain=gain, once=once, yearly=yearly, years=years, discount=rate)
    added = sum(flow / (1 + Decimal(rate) / 100) ** year for year, flow in enumerate(found.flows))
    assert abs(found.value - added) < CENT
    assert len(found.flows) == years + 1


@given(gain=money, once=costs, yearly=costs, years=spans, rate=rates)
def test_it_pays_back_exactly_when_it_is_worth_something(gain, once, yearly, years, rate):
    found = programme_return(gain=gain, once=once, yearly=yearly, years=years, discount=rate)
    if abs(found.value) > CENT:
        assert (found.value > 0) == (found.ratio > 1) == (found.payback is not None)
    if found.payback is not None:
        assert 0 <= found.payback <= years


@given(gain=costs, once=costs, yearly=costs, years=spans, rate=rates, times=st.integers(2, 1000))
def test_it_does_not_depend_on_the_currency(gain, once, yearly, years, rate, times):
    said = {"years": years, "discount": rate}
    found = programme_return(gain=gain, once=once, yearly=yearly, **said)
    other = programme_return(gain=gain * times, once=once * times, yearly=yearly * times, **said)
    assert abs(found.ratio - other.ratio) < Decimal("1e-9") * max(1, found.ratio)


@given(gain=costs, once=costs, yearly=costs, years=spans, rate=rates, more=costs)
def test_more_gain_is_never_worth_less_and_more_cost_never_more(gain, once, yearly, years, rate, more):
    said = {"years": years, "discount": rate}
    found = programme_return(gain=gain, once=once, yearly=yearly, **said)
    assert programme_return(gain=gain + more, once=once, yearly=yearly, **said).value > found.value
    assert programme_return(gain=gain, once=once + more, yearly=yearly, **said).value < found.value
    assert programme_return(gain=gain, once=once, yearly=yearly + more, **said).value < found.value
