"""It: pages a list that is too long to count, forwards, backwards and deep, and says that there are more."""

from __future__ import annotations

import html
import re

import pytest
from django.db import connection

from customers import search
from customers.models import Customer, ExternalId
from tenants import lists, pages
from tenants.context import tenant_scope
from tests.pages.conftest import text

URL = "/acme/customers/"
SIZE = 60


@pytest.fixture
def many(cast, monkeypatch):
    """More customers than are counted or sorted; several of one name."""
    monkeypatch.setattr(lists, "COUNT_CAP", 50)
    monkeypatch.setattr(lists, "CHEAP", 0.0)
    monkeypatch.setattr(lists, "GAIN", 0)
    with tenant_scope(cast.tenant):
        return Customer.objects.bulk_create(
            Customer(name=f"Firm {number // 7:03}", search_name=f"firm {number // 7:03}", owner_a=cast.ann)
            for number in range(SIZE)
        )


def ids(response):
    return [int(pk) for pk in re.findall(r'class="row-link" href="/acme/customers/(\d+)/"', text(response))]


def link(response, relation):
    found = re.search(rf'rel="{relation}" href="([^"]+)"', text(response))
    return URL + html.unescape(found[1]) if found else None


def walked(client, address, relation):
    found = []
    while address:
        response = client.get(address)
        found.append(ids(response))
        address = link(response, relation)
    return found


def test_says_that_there_are_more_than_are_counted(cast, sign_in, many):
    assert "50+" in text(sign_in(cast.eve).get(URL))


def test_counts_what_a_filter_leaves(cast, sign_in, many):
    assert "50+" not in text(sign_in(cast.eve).get(f"{URL}?name=nobody"))


@pytest.mark.parametrize("sort", ["name", "-name"])
def test_shows_every_row_once_on_the_way_through(cast, sign_in, many, monkeypatch, sort):
    monkeypatch.setattr(pages, "PAGE_SIZE", 7)
    eve = sign_in(cast.eve)
    there = walked(eve, f"{URL}?sort={sort}", "next")
    flat = [pk for page in there for pk in page]
    assert len(there) > 2
    order = sorted(many, key=lambda row: (row.search_name, row.pk), reverse=sort.startswith("-"))
    assert flat == [row.pk for row in order]


@pytest.mark.parametrize("search", ["", "&q=firm"])
def test_shows_the_same_where_the_walk_along_the_index_is_given_up(cast, sign_in, many, monkeypatch, search):
    monkeypatch.setattr(pages, "PAGE_SIZE", 7)
    eve = sign_in(cast.eve)
    address = f"{URL}?sort=name{search}"
    there, said = walked(eve, address, "next"), "50+" in text(eve.get(address))
    monkeypatch.setattr(lists._Query, "ids", lambda query, within_ms: None)
    assert walked(eve, address, "next") == there
    assert ("50+" in text(eve.get(address))) is said is True


def test_gives_a_walk_up_that_takes_too_long_and_goes_on(db):
    def limit():
        with connection.cursor() as cursor:
            cursor.execute("SHOW statement_timeout")
            return cursor.fetchone()[0]

    before = limit()
    assert lists._Query("SELECT 7 FROM pg_sleep(%s)", (20,)).ids(20) is None
    assert lists._Query("SELECT 7 FROM pg_sleep(%s)", (0,)).ids(10_000) == [7]
    assert limit() == before


def test_comes_back_the_way_it_went(cast, sign_in, many, monkeypatch):
    monkeypatch.setattr(pages, "PAGE_SIZE", 7)
    eve = sign_in(cast.eve)
    address, last = URL, None
    while address:
        last, address = address, link(eve.get(address), "next")
    back = walked(eve, last, "prev")
    assert sorted(pk for page in back for pk in page) == sorted(row.pk for row in many)


def test_loses_no_row_when_others_come_meanwhile(cast, sign_in, many, monkeypatch):
    monkeypatch.setattr(pages, "PAGE_SIZE", 7)
    eve = sign_in(cast.eve)
    first = eve.get(URL)
    with tenant_scope(cast.tenant):
        Customer.objects.create(name="Aaa", search_name="aaa", owner_a=cast.ann)
    seen = ids(first) + [pk for page in walked(eve, link(first, "next"), "next") for pk in page]
    assert sorted(seen) == sorted(row.pk for row in many)


@pytest.mark.parametrize("counted", [10, 10_000], ids=["more than are counted", "few"])
def test_puts_first_whose_number_is_searched_for_and_then_the_nearest(cast, sign_in, many, monkeypatch, counted):
    monkeypatch.setattr(lists, "COUNT_CAP", counted)
    monkeypatch.setattr(pages, "PAGE_SIZE", 7)
    monkeypatch.setattr(search, "NEAREST", 11)
    # The later the name, the nearer the number: C17 itself is that of the last.
    numbers = ["C17", *(f"C17{number:02}" for number in range(SIZE - 1))]
    with tenant_scope(cast.tenant):
        ExternalId.objects.bulk_create(
            ExternalId(customer=row, source="erp", value=number)
            for row, number in zip(reversed(many), numbers, strict=True)
        )
    flat = [pk for page in walked(sign_in(cast.eve), f"{URL}?q=c17", "next") for pk in page]
    rows = [row.pk for row in many]
    assert flat == [rows[-1], *rows[-11:-1], *rows[:-11]]


def test_exports_all_of_them(cast, sign_in, many):
    content = text(sign_in(cast.eve).get(f"{URL}?export=csv"))
    assert len(content.strip().splitlines()) == SIZE + 1
