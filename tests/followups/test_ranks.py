"""It: brings the ranks of open follow-ups up to date in the night, part by part, and of each table reads only the part."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from followups.landing import taken
from followups.models import FollowUp
from followups.nightly import rank_again
from followups.querysets import VIEWS, View, count_queue, done_today
from followups.rules.ranking import LEVEL_WEIGHTS, Level, priority_of
from health.models import HealthScore
from segmentation.models import Standing
from tenants.parts import EVERYBODY, LAST_NUMBER, Part, parts_of
from tests.followups.conftest import TODAY

pytestmark = pytest.mark.usefixtures("scope")

MONEY = st.none() | st.integers(-(10**12), 10**12)
SCORE = st.none() | st.just("unscored") | st.integers(0, 100)
TABLES = {"followups_followup", "segmentation_standing", "health_healthscore"}


def follow_up() -> st.SearchStrategy[tuple[Level, str, int | None]]:
    """Level, status, and the rank that it has; None: the right one."""
    return st.tuples(
        st.sampled_from(sorted(LEVEL_WEIGHTS)),
        st.sampled_from(["open", "open", "open", "done", "cancelled"]),
        st.none() | st.integers(0, 10**12),
    )


def known(customer: Any, money: int | None, score: int | str | None) -> None:
    """What the nights know of a customer: money (points) and health, None for no row."""
    if money is not None:
        units = Decimal(money).scaleb(-4)
        Standing.objects.create(customer=customer, frequency=1, monetary=units, policy_version=1, tier="gold")
    if score is not None:
        HealthScore.objects.create(
            customer=customer, score=None if score == "unscored" else score, band="none", known=0, order_days_count=0,
            spend_recent=0, spend_before=0, categories_recent=0, categories_before=0, policy_version=1,
        )  # fmt: skip


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=25)
@given(people=st.lists(st.tuples(MONEY, SCORE, st.lists(follow_up(), max_size=3)), min_size=1, max_size=6))
def test_gives_what_the_rule_gives_to_whatever_is_open(
    cast: Any, people: list[tuple[int | None, int | str | None, list[tuple[Level, str, int | None]]]]
) -> None:
    with transaction.atomic():
        customers, wanted, wrong = [], {}, 0
        for money, score, rows in people:
            customer = cast.customer()
            customers.append(customer.pk)
            known(customer, money, score)
            for number, (level, status, stored) in enumerate(rows):
                right = priority_of(money or 0, score if isinstance(score, int) else None, level)
                row = FollowUp.objects.create(
                    customer=customer, kind="review", rule="manual", period=str(number), due_on=TODAY, level=level,
                    status=status, priority=right if stored is None else stored,
                )  # fmt: skip
                wanted[row.pk] = right if status == "open" else row.priority
                wrong += row.priority != wanted[row.pk]
        middle = customers[len(customers) // 2]
        assert sum(rank_again(part) for part in parts_of([middle])) == wrong
        assert dict(FollowUp.objects.values_list("pk", "priority")) == wanted
        assert rank_again(EVERYBODY) == 0
        transaction.set_rollback(True)


def test_leaves_those_of_other_parts_alone(raised: Any, cast: Any) -> None:
    first, second = raised(priority=7), raised(priority=7)
    assert rank_again(Part(second.customer_id, LAST_NUMBER)) == 1
    assert FollowUp.objects.get(pk=first.pk).priority == 7
    assert FollowUp.objects.get(pk=second.pk).priority == priority_of(0, None, "routine")


def moved_in_place() -> int:
    """How many follow-ups this transaction has written without a word to the indexes."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_get_xact_tuples_hot_updated('followups_followup'::regclass)")
        return int(cursor.fetchone()[0])


def test_leaves_the_indexes_alone_where_ranks_move_a_little(raised: Any, cast: Any) -> None:
    """A usual night moves every sixth rank, most by a few percent: entries in ten indexes for each would be in vain."""
    right = priority_of(0, None, "routine")
    raised(priority=right + 200), raised(priority=right * 40)
    before = moved_in_place()
    assert rank_again(EVERYBODY) == 2
    assert moved_in_place() == before + 1


@given(st.lists(st.integers(0, 10**14), min_size=2, max_size=20))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=25)
def test_ranks_nobody_of_a_higher_magnitude_behind(cast: Any, priorities: list[int]) -> None:
    with transaction.atomic():
        customer = cast.customer()
        rows = [
            FollowUp(customer=customer, kind="review", rule="manual", period=str(number), due_on=TODAY, priority=each)
            for number, each in enumerate(priorities)
        ]
        FollowUp.objects.bulk_create(rows)
        found = FollowUp.objects.order_by("magnitude", "priority").values_list("priority", flat=True)
        assert [each // 100 for each in found] == sorted(each // 100 for each in priorities)
        transaction.set_rollback(True)


def scans(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The nodes of a plan that read a table."""
    if "Relation Name" in plan and plan["Node Type"] != "ModifyTable":
        yield plan
    for inner in plan.get("Plans", []):
        yield from scans(inner)


def plans(statements: Sequence[dict[str, str]], begins: str) -> Iterator[dict[str, Any]]:
    """The plans of those of the captured statements that begin so."""
    with connection.cursor() as cursor:
        for each in statements:
            if each["sql"].strip().startswith(begins):
                cursor.execute("EXPLAIN (FORMAT JSON) " + each["sql"])
                found = cursor.fetchone()[0]
                yield (json.loads(found) if isinstance(found, str) else found)[0]["Plan"]


def test_reads_of_each_table_only_the_part(raised: Any, cast: Any) -> None:
    row = raised(priority=7)
    known(row.customer, 100, 50)
    part = Part(row.customer_id, row.customer_id + 10)
    with CaptureQueriesContext(connection) as asked:
        assert rank_again(part) == 1
    (plan,) = plans(asked.captured_queries, "UPDATE")
    read = list(scans(plan))
    assert {scan["Relation Name"] for scan in read} == TABLES
    for scan in read:
        said = " ".join(str(scan.get(name, "")) for name in ("Index Cond", "Recheck Cond", "Filter"))
        inner = " ".join(str(each.get("Index Cond", "")) for each in scan.get("Plans", []))
        assert f"customer_id <= {part.last})" in (said + inner).replace("'", ""), scan


def test_finds_what_was_done_today_in_an_index_of_what_was_done_or_closed(raised: Any, cast: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")  # the planner would read an empty table through
    with CaptureQueriesContext(connection) as asked:
        assert done_today(FollowUp.objects.all(), cast.ann, "mine", TODAY) == 0
    (plan,) = plans(asked.captured_queries, "SELECT")
    assert re.search(r'"follow_up_(done|closed_by)"', json.dumps(plan))


def asked_of(statement: str) -> set[str]:
    """The columns of follow-ups that a query reads."""
    return set(re.findall(r'"followups_followup"\."(\w+)"', statement))


def held_by(name: str) -> set[str]:
    """The columns that an index holds, with those of its condition."""
    (index,) = (each for each in FollowUp._meta.indexes if each.name == name)
    said = {of for of, _value in index.condition.children}
    names = {*index.fields, *index.include, *(of.removesuffix("__isnull") for of in said)}
    return {each.column for each in FollowUp._meta.concrete_fields if each.column and each.name in names}


# Not by the plan: which of several indexes is read of a table of five rows is a matter of chance.


@pytest.mark.parametrize(
    ("who", "view", "index"), [("lea", "all", "follow_up_done"), ("ann", "mine", "follow_up_closed_by")]
)
def test_finds_in_the_index_whose_was_done_today(cast: Any, who: str, view: View, index: str) -> None:
    with CaptureQueriesContext(connection) as asked:
        done_today(FollowUp.objects.all(), getattr(cast, who), view, TODAY)
    assert asked_of(asked.captured_queries[-1]["sql"]) - {"id", "status"} == held_by(index) - {"status"}


@pytest.mark.parametrize("who", ["ann", "lea"])
@pytest.mark.parametrize("view", VIEWS)
def test_counts_a_queue_by_what_the_indexes_of_owners_hold_and_in_no_groups(cast: Any, who: str, view: View) -> None:
    with CaptureQueriesContext(connection) as asked:
        count_queue(FollowUp.objects.all(), getattr(cast, who), view, TODAY)
    statement = asked.captured_queries[-1]["sql"]
    assert asked_of(statement) == held_by("follow_up_owned") == held_by("follow_up_covered")
    assert "GROUP BY" not in statement


def test_counts_the_desks_by_what_the_index_of_the_queues_holds(raised: Any, cast: Any) -> None:
    raised(), raised(due_on=TODAY + dt.timedelta(days=1)), raised(status="done"), raised(assignee=None)
    raised(due_on=TODAY - dt.timedelta(days=1))
    with CaptureQueriesContext(connection) as asked:
        assert taken(TODAY) == {(cast.ann.pk, TODAY): 1, (cast.ann.pk, TODAY + dt.timedelta(days=1)): 1}
    (statement,) = asked.captured_queries
    assert asked_of(statement["sql"]) == held_by("follow_up_queue")


@pytest.mark.parametrize(
    ("field", "index"),
    [
        ("contact", "follow_up_of_contact"),
        ("interaction", "follow_up_done_by_touch"),
        ("closed_by", "follow_up_closed_by"),
    ],
)
def test_finds_what_refers_to_something_without_an_entry_for_what_does_not(raised: Any, field: str, index: str) -> None:
    raised()
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")  # the planner would read an empty table through
    with CaptureQueriesContext(connection) as asked:
        list(FollowUp.objects.filter(**{field: 12345}).order_by().values_list("period"))
    (plan,) = plans(asked.captured_queries, "SELECT")
    assert index in json.dumps(plan)
