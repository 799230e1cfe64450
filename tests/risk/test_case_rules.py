"""It: says what cases say, counted, with intervals, and only where there are enough."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from risk.rules.cases import ENOUGH, Group, statements
from risk.rules.causes import CAUSES, TRIED, class_of, tried_codes

# How long it takes says something about the machine, not about the rule.
patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
GROUPS = st.lists(
    st.builds(
        Group,
        cause=st.sampled_from(["", *CAUSES]),
        risk_class=st.just("relationship"),
        end=st.sampled_from(["saved", "lost", "won_back", "false_alarm"]),
        tried=st.lists(st.sampled_from(sorted(TRIED)), unique=True, max_size=3).map(tuple),
        count=st.integers(0, 20),
    ),
    max_size=30,
)


def of(cause, end, count, *tried):
    return Group(cause, "relationship", end, tried, count)


def test_says_how_often_a_cause_is_behind_it_and_what_won_back_its_customers():
    # Price behind 15 of 100; of ten with added service eight ended well.
    found = statements(
        [
            of("price", "saved", 5, "added_service"), of("price", "won_back", 3, "added_service"),
            of("price", "lost", 2, "added_service"), of("price", "lost", 5, "discount"),
            of("quality", "saved", 85), of("price", "false_alarm", 40),
        ]
    )  # fmt: skip
    quality, price = found
    assert quality.cause == "quality"
    assert (price.share.hits, price.share.of, price.share.share) == (15, 100, 0.15)
    assert price.best is not None
    assert (price.best.tried, price.best.good.share) == ("added_service", 0.8)
    assert price.best.good.low == pytest.approx(0.4902, abs=1e-4)  # Wilson, 8 of 10
    assert (price.lost.hits, price.lost.of) == (7, 15)
    assert [each.enough for each in price.helped] == [True, False]
    assert price.best.gain is None  # only five without it


def test_compares_with_those_without_it_where_both_are_enough():
    found = statements(
        [of("price", "saved", 9, "training"), of("price", "lost", 1, "training"), of("price", "lost", 10)]
    )
    gain = found[0].helped[0].gain
    assert gain is not None
    assert gain.share == pytest.approx(0.9)
    assert 0 < gain.low < gain.share < gain.high <= 1


def test_says_nothing_of_few_cases():
    few = statements([of("price", "saved", ENOUGH - 1, "discount")])[0]
    assert not few.enough
    assert not few.enough_own
    assert few.best is None
    assert statements([]) == []


@patient
@given(GROUPS)
def test_shares_are_of_all_decided_cases_whatever_they_are(groups):
    decided = [each for each in groups if each.end != "false_alarm"]
    whole = sum(each.count for each in decided)
    found = statements(groups)
    assert [each.share.hits for each in found] == sorted((each.share.hits for each in found), reverse=True)
    named = sum(each.count for each in decided if each.cause)
    assert sum(each.share.hits for each in found) == named <= whole
    for each in found:
        assert each.share.of == whole
        assert each.lost.hits + each.good.hits == each.lost.of == each.good.of == each.share.hits
        assert each.enough == (whole >= ENOUGH)
        for helped in each.helped:
            own = [g for g in decided if g.cause == each.cause and helped.tried in g.tried]
            assert helped.good.of == sum(g.count for g in own)
            assert helped.good.hits == sum(g.count for g in own if g.end != "lost")
            assert helped.enough == (helped.good.of >= ENOUGH)


@patient
@given(GROUPS)
def test_the_order_of_the_cases_changes_nothing(groups):
    assert statements(groups) == statements(list(reversed(groups)))


@patient
@given(st.lists(st.sampled_from(["discount", "nothing", "made up", "training", ""])))
def test_what_was_tried_is_known_in_order_and_said_once(said):
    found = tried_codes(said)
    assert found == tried_codes(",".join(said)) == tried_codes(found)
    assert found == [code for code in TRIED if code in set(found)]
    assert "nothing" not in found or found == ["nothing"]


def test_every_cause_has_its_class():
    assert {class_of(code) for code in CAUSES} == {"demand", "relationship", "external"}
    assert class_of("what somebody once wrote", "external") == "external"
