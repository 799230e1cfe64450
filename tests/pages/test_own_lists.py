"""It: finds the first of somebody's own customers on a walk past everybody's, the same as among their own alone."""

from __future__ import annotations

import datetime as dt
import random
import re
from decimal import Decimal

import pytest
from django.db import connection

from customers.models import Customer
from customers.querysets import visible_apart
from dashboards.querysets import customer_rows, with_last_night
from dashboards.views.customers import CustomerList
from segmentation.models import Standing, Worth
from segmentation.querysets import StageDays, in_stage, with_stage
from tenants import lists
from tenants.context import tenant_scope
from tenants.keyset import Place
from tenants.lists import find, windows_of
from tests.pages.test_long_lists import ids, walked

URL = "/acme/customers/"
SIZE = 90
SORTS = ["name", "country", "money_12m", "clv", "tier", "last_order_on"]


@pytest.fixture
def many(cast, scope):
    """Customers of everybody and of nobody: some own, some covered, some both; numbers that are equal, and none."""
    dice = random.Random(5)  # noqa: S311  # the same each time
    people = [cast.ann, cast.bo, cast.lea, cast.eve, None]
    rows = Customer.objects.bulk_create(
        Customer(
            name=f"Firm {number // 3:03}",
            search_name=f"firm {number // 3:03}",
            country=dice.choice(["", "China", "Chile"]),
            owner_a=dice.choice(people),
            owner_b=dice.choice(people),
        )
        for number in range(SIZE)
    )
    for row in rows:
        if dice.random() < 0.9:
            Standing.objects.create(
                customer=row,
                frequency=dice.randrange(3),
                monetary=Decimal(dice.randrange(9)),
                tier=dice.choice(["", "key", "gold"]),
                last_order_on=dice.choice([None, dt.date(2026, 11, dice.randrange(1, 9))]),
                policy_version=1,
            )
            Worth.objects.create(
                customer=row,
                valued_on=dt.date(2026, 11, 1),
                repeats=1,
                clv=dice.choice([None, *(Decimal(number) for number in range(5))]),
                policy_version=1,
            )
    return rows


@pytest.fixture
def walks(monkeypatch):
    """Whether each list was found on a walk."""
    monkeypatch.setattr(lists, "LONGEST", 10**9)
    # A table that has just been filled is not analysed: the planner's guess of its rows may be far too small.
    monkeypatch.setattr(lists, "UNEVEN", 10**6)
    found, usual = [], lists._among_all

    def noted(*args, **kwargs):
        found.append((lot := usual(*args, **kwargs)) is not None)
        return lot

    monkeypatch.setattr(lists, "_among_all", noted)
    return found


def windows(rows, sort, falls):
    paths = [str(path) for path in CustomerList.table.base_columns[sort].order_by or (sort,)]
    return windows_of(rows, paths, CustomerList.table.indexed[sort], falls=falls)


def test_knows_whose_a_customer_is_in_parts_that_have_nothing_in_common(cast, many):
    for member in (cast.ann, cast.bo, cast.lea):
        parts = [set(Customer.objects.filter(part).values_list("pk", flat=True)) for part in visible_apart(member)]
        everything = set().union(*parts)
        assert sum(map(len, parts)) == len(everything)
        assert everything == set(Customer.objects.visible_to(member).values_list("pk", flat=True))
        assert everything
    assert set(Customer.objects.visible_to(cast.ann)) < set(many)


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("falls", [False, True])
@pytest.mark.parametrize("backwards", [False, True])
def test_finds_the_same_customers_on_a_walk_past_everybodys(cast, many, walks, sort, falls, backwards):
    rows = customer_rows(cast.ann)
    own = [Customer.objects.filter(part) for part in visible_apart(cast.ann)]
    order = windows(rows, sort, falls)
    every = find(rows, order, SIZE)
    assert every.rows is not None
    starts = every.rows if not backwards else every.rows[::-1]
    for place, most in ((None, 5), (0, 4), (3, 7), (len(starts) // 3, 3), (len(starts) * 2 // 3, 3)):
        if place is None and backwards:
            continue
        at = None
        if place is not None:
            number, pk = starts[place]
            row = customer_rows(cast.ann).get(pk=pk)
            names = order[number].names
            values = tuple(row.pk if name in ("pk", names[-1]) else getattr(row, name) for name in names)
            at = Place(number, values, 0)
        slow = find(rows, order, most, place=at, backwards=backwards)
        quick = find(rows, order, most, place=at, backwards=backwards, own=own)
        assert quick == slow
    assert any(walks)


def test_goes_the_usual_way_where_a_walk_would_be_long(cast, many, walks, monkeypatch):
    rows = customer_rows(cast.ann)
    own = [Customer.objects.filter(part) for part in visible_apart(cast.ann)]
    for name, most in (("LONGEST", 0), ("MOST_OWN", 3)):
        with monkeypatch.context() as patched:
            patched.setattr(lists, name, most)
            assert find(rows, windows(rows, "name", falls=False), 5, own=own).rows
    assert walks == [False, False]


def test_goes_the_usual_way_where_the_walk_ends_too_soon(cast, many, walks, monkeypatch):
    """Somebody's customers may all stand at the end of the order."""
    Customer.objects.filter(owner_a=cast.bo).update(search_name="zzz")
    rows = customer_rows(cast.bo)
    own = [Customer.objects.filter(part) for part in visible_apart(cast.bo)]
    order = windows(rows, "name", falls=False)
    slow = find(rows, order, 15)
    monkeypatch.setattr(lists, "UNEVEN", 0)
    assert find(rows, order, 15, own=own) == slow
    assert walks == [False]


def test_shows_every_own_customer_once_on_the_way_through(cast, many, walks, sign_in, monkeypatch):
    monkeypatch.setattr("tenants.pages.PAGE_SIZE", 7)
    flat = [pk for page in walked(sign_in(cast.ann), URL, "next") for pk in page]
    rows = [row for row in many if cast.ann.pk in (row.owner_a_id, row.owner_b_id)]
    assert flat == [row.pk for row in sorted(rows, key=lambda row: (row.search_name, row.pk))]
    assert any(walks)


def test_narrows_by_filters_the_usual_way(cast, many, walks, sign_in):
    china = [row.pk for row in many if cast.ann.pk in (row.owner_a_id, row.owner_b_id) and row.country == "China"]
    assert sorted(ids(sign_in(cast.ann).get(f"{URL}?country=China"))) == china
    assert walks == []


def test_asks_no_walk_of_who_sees_everybody(cast, many, walks, sign_in):
    assert len(ids(sign_in(cast.eve).get(URL))) == 50
    assert walks == []


@pytest.fixture
def plan(scope, db):
    """How the database finds what a query asks for where an index alone has the answer."""

    def told(sql, params=()):
        with connection.cursor() as cursor:
            for way in ("seqscan", "bitmapscan", "indexscan"):
                cursor.execute(f"SET LOCAL enable_{way} = off")
            cursor.execute(f"EXPLAIN {sql}", params)
            return "\n".join(line for (line,) in cursor.fetchall())

    return told


@pytest.mark.parametrize(("part", "index"), [(0, "customer_owned"), (1, "customer_covered")])
def test_knows_whose_customers_are_from_an_index_alone(cast, plan, part, index):
    rows = Customer.objects.filter(visible_apart(cast.ann)[part]).values_list("pk")
    assert f"Index Only Scan using {index} on customers_customer" in plan(*rows.query.sql_with_params())


@pytest.mark.parametrize("stage", ["active", "new", "won_back", "lapsed"])
def test_has_all_that_a_stage_goes_by_beside_the_money_in_one_index(cast, scope, stage):
    day = dt.date(2026, 11, 1)
    rows = with_stage(Standing.objects.all(), day, StageDays(180, 90), standing="", closed_on="customer__closed_on")
    rich = in_stage(rows.filter(monetary__gte=Decimal(10_000)), [stage]).values_list("customer_id")
    asked = set(re.findall(r'"segmentation_standing"\."(\w+)"', str(rich.query)))
    with connection.cursor() as cursor:
        cursor.execute("SELECT attname FROM pg_attribute WHERE attrelid = 'standing_by_money'::regclass")
        known = {name for (name,) in cursor.fetchall()}
    assert {"monetary", "last_order_on"} <= asked <= known


def test_puts_a_query_together_once_for_each_firm_and_night(cast):
    """What is kept is the query: each page asks it anew, of its own firm and for its own member."""
    with tenant_scope(cast.tenant):
        assert list(customer_rows(cast.eve)) == []
        added = Customer.objects.create(name="Added", owner_a=cast.ann)
        assert [row.pk for row in customer_rows(cast.eve)] == [added.pk]
        assert [row.pk for row in customer_rows(cast.bo)] == []
        slow = with_last_night(Customer.objects.visible_to(cast.ann))
        names = list(slow.query.annotation_select)
        assert "stage" in names
        one, other = (
            [[getattr(row, name) for name in names] for row in rows] for rows in (customer_rows(cast.ann), slow)
        )
        assert one == other
    with tenant_scope(cast.other_tenant):
        assert list(customer_rows(cast.otto)) == []
