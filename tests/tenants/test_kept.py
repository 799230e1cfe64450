"""It: makes what is kept once for each key, keeps so many at most, and asks a kept query for what is there now."""

from __future__ import annotations

import datetime as dt
from itertools import count
from typing import Any
from unittest import mock

import pytest
from django.db.models.sql.compiler import SQLCompiler

from customers.asked import OfCustomer
from customers.models import Contact, Customer
from tenants.context import tenant_scope
from tenants.kept import Kept
from tenants.models import Member
from tenants.prepared import Prepared


def test_makes_a_value_once_for_each_key() -> None:
    numbers = count(1)
    kept: Kept[str, int] = Kept(2)
    assert [kept.get(key, lambda: next(numbers)) for key in ("a", "a", "b", "a")] == [1, 1, 2, 1]


def test_begins_anew_when_it_is_full() -> None:
    numbers = count(1)
    kept: Kept[str, int] = Kept(2)
    assert [kept.get(key, lambda: next(numbers)) for key in ("a", "b", "c", "c", "a")] == [1, 2, 3, 3, 4]


def test_keeps_nothing_of_what_failed() -> None:
    kept: Kept[int, int] = Kept(2)
    with pytest.raises(ZeroDivisionError):
        kept.get(1, lambda: 1 // 0)
    assert kept.get(1, lambda: 7) == 7


@pytest.fixture
def prepared(cast: Any, scope: Any) -> Prepared[Member]:
    return Prepared(Member.objects.filter(pk=-1).select_related("user", "team"), -1)


def test_finds_what_is_asked_for_with_what_belongs_to_it(cast: Any, prepared: Prepared[Member], scope: Any) -> None:
    for member in (cast.ann, cast.lea):
        (found,) = prepared.rows(member.pk)
        assert (found.pk, found.user.email, found.team) == (member.pk, member.user.email, cast.lea.team)
    assert prepared.rows(cast.otto.pk) == []


def test_puts_each_value_in_the_place_of_its_mark(cast: Any, scope: Any) -> None:
    day = dt.date(2026, 11, 20)
    old, new = (Customer.objects.create(name=name, since=day, owner_a=cast.ann) for name in ("Huaxin", "Nordlys"))
    asked = Prepared(Customer.objects.filter(since__lte=dt.date.min, pk=-1), -1, dt.date.min)
    assert [asked.rows(each.pk, day) for each in (old, new)] == [[old], [new]]
    assert asked.rows(old.pk, day - dt.timedelta(days=1)) == []


def test_reads_the_rows_of_one_customer_after_the_other(cast: Any) -> None:
    asked = OfCustomer[Contact](lambda pk, name="": Contact.objects.filter(customer_id=pk, name__contains=name))
    with tenant_scope(cast.tenant):
        ours = [Customer.objects.create(name=name) for name in ("Huaxin", "Nordlys")]
        people = [Contact.objects.create(customer=each, name=f"Liu {each.name}") for each in ours]
        assert asked.first(ours[0].pk) == people[0]
        with mock.patch.object(SQLCompiler, "as_sql", side_effect=AssertionError):
            assert asked.rows(ours[1].pk) == [people[1]]
        assert asked.first(ours[1].pk, "Huaxin") is None
    with tenant_scope(cast.other_tenant):
        theirs = Customer.objects.create(name="Tollgate")
        stranger = Contact.objects.create(customer=theirs, name="Otto")
        assert [asked.rows(each.pk) for each in (ours[0], theirs)] == [[], [stranger]]


def test_finds_what_is_there_now(cast: Any, prepared: Prepared[Member], scope: Any) -> None:
    assert prepared.rows(cast.ann.pk)[0].is_active
    Member.objects.filter(pk=cast.ann.pk).update(is_active=False)
    assert not prepared.rows(cast.ann.pk)[0].is_active


def test_puts_the_query_into_sql_once(
    cast: Any, prepared: Prepared[Member], scope: Any, django_assert_num_queries: Any
) -> None:
    with mock.patch.object(SQLCompiler, "as_sql", side_effect=AssertionError), django_assert_num_queries(2):
        assert [row.pk for member in (cast.ann, cast.bo) for row in prepared.rows(member.pk)] == [
            cast.ann.pk,
            cast.bo.pk,
        ]


def test_reads_annotations_and_columns_of_our_own_kinds(cast: Any, scope: Any) -> None:
    Customer.objects.create(name="Huaxin", owner_a=cast.ann)
    (found,) = Prepared(Customer.objects.select_related("owner_a__user")).rows()
    assert (found.name, found.owner_a.user.name) == ("Huaxin", "Ann")
