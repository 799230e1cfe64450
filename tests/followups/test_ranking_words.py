"""It: the reason for a rank, factor by factor, is the arithmetic that ranks."""

import datetime as dt

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from followups.rules.ranking import LEVEL_WEIGHTS, explain, priority, urgency

AS_OF = dt.date(2026, 11, 20)


@given(
    money=st.none() | st.integers(-(10**12), 10**14),
    score=st.none() | st.integers(0, 100),
    level=st.sampled_from(sorted(LEVEL_WEIGHTS)),
    late=st.integers(-400, 400),
)
def test_says_the_same_as_the_rules_that_rank(money, score, level, late):
    due_on = AS_OF - dt.timedelta(days=late)
    frame = pl.DataFrame(
        {"money": [money], "score": [score], "level": [level], "due_on": [due_on]},
        schema={"money": pl.Int64, "score": pl.Int16, "level": pl.String, "due_on": pl.Date},
    )
    reckoned = frame.select(
        priority=priority(pl.col("money"), pl.col("score"), pl.col("level")), urgency=urgency(pl.col("due_on"), AS_OF)
    ).row(0, named=True)
    said = explain(priority=reckoned["priority"], money=money, score=score, level=level, due_on=due_on, as_of=AS_OF)
    assert said.worth // 100 * said.risk * said.weight == reckoned["priority"]
    assert said.urgency == reckoned["urgency"]
    assert said.rank == reckoned["priority"] // 100 * reckoned["urgency"]
    assert not said.has_moved


def test_says_that_health_has_moved_since_the_rank_was_reckoned():
    known = {"money": 10_000_000, "level": "routine", "due_on": AS_OF, "as_of": AS_OF}
    said = explain(priority=10_000_000 // 100 * 30, score=40, **known)
    assert (said.risk, said.has_moved) == (60, True)
    assert said.coming == 2 * said.rank
