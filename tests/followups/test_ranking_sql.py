"""It: the rank of a follow-up, said by SQL as by the rule."""

from __future__ import annotations

import polars as pl
import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from followups.rules.ranking import LEVEL_WEIGHTS, priority, priority_sql

MONEY = st.none() | st.integers(-(10**15), 10**15)
SCORE = st.none() | st.integers(0, 100)


@pytest.mark.django_db
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=30)
@given(rows=st.lists(st.tuples(MONEY, SCORE, st.sampled_from(list(LEVEL_WEIGHTS))), min_size=1, max_size=40))
def test_is_the_same_in_sql(rows: list[tuple[int | None, int | None, str]]) -> None:
    schema = {"money": pl.Int64, "score": pl.Int16, "level": pl.String}
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    ranks = frame.select(priority(pl.col("money"), pl.col("score"), pl.col("level"))).to_series().to_list()
    values = ", ".join(["(%s, %s::bigint, %s::smallint, %s)"] * len(rows))
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {priority_sql('money', 'score', 'level')} FROM (VALUES {values}) v (n, money, score, level) ORDER BY n",
            [value for n, row in enumerate(rows) for value in (n, *row)],
        )
        assert [row[0] for row in cursor.fetchall()] == ranks
