"""It: the customer's page at once, and its parts as they are scrolled to."""

from __future__ import annotations

import datetime as dt
import re
from unittest import mock

import pytest
from django.db import connection
from django.db.models.sql.compiler import SQLCompiler
from django.test.utils import CaptureQueriesContext

from customers.models import Complaint, Contact, Interaction, SurveyResponse
from dashboards.views.customer import PARTS
from health.models import Pulse
from segmentation.models import TierPin
from tenants.context import tenant_scope
from tests.pages.conftest import HX, text
from tests.pages.test_customer import words

_as_sql = SQLCompiler.as_sql


def count_sql(self, *args, **kwargs):
    count_sql.number += 1
    return _as_sql(self, *args, **kwargs)


REGULAR = tuple(range(4, 500, 20))
OPENED_AT = {
    "moved": "receipt",
    "lapse": "lapse",
    "spend": "spend",
    "timeline": "timeline",
    "worth": "value",
    "dealings": "orders",
}


@pytest.fixture
def ann(cast, sign_in):
    return sign_in(cast.ann)


@pytest.fixture
def customer(cast, placed, night):
    """A customer with a bit of everything, after a night."""
    customer = cast.customer()
    placed(customer, *REGULAR, net="200")
    with tenant_scope(cast.tenant):
        at = dt.datetime(2026, 11, 1, 9, tzinfo=dt.UTC)
        contact = Contact.objects.create(customer=customer, name="Liu Fang")
        Interaction.objects.create(customer=customer, channel="phone", at=at, topic="Glaze", contact=contact)
        Complaint.objects.create(customer=customer, topic="Late delivery", opened_at=at)
        SurveyResponse.objects.create(customer=customer, kind="csat", score=4, at=at)
    night()
    return customer


def page(client, customer, query=""):
    answer = client.get(f"/acme/customers/{customer.pk}/{query}")
    assert answer.status_code == 200
    return text(answer)


def part(client, customer, name, query=""):
    answer = client.get(f"/acme/customers/{customer.pk}/parts/{name}/{query}", headers=HX)
    assert answer.status_code == 200
    return text(answer)


def sections(content):
    """The words of each section that has a name, by it."""
    found = re.findall(r'<section[^>]* aria-labelledby="([\w-]+)-title"[^>]*>(.*?)</section>', content, flags=re.S)
    return {name: words(body) for name, body in found}


def test_says_at_once_who_it_is_how_it_is_and_what_is_to_be_done(ann, customer):
    seen = sections(page(ann, customer))
    assert "Order frequency" in seen["receipt"]
    assert "Liu Fang" in seen["contacts"]
    assert "Expected, own gap of 20 days" in seen["next"]
    assert {"follow-ups", "tier", "facts"} <= seen.keys()


def test_leaves_what_takes_longer_for_later(ann, customer):
    content = page(ann, customer)
    assert set(re.findall(rf'hx-get="/acme/customers/{customer.pk}/parts/(\w+)/"', content)) == set(PARTS)
    assert sections(content)["timeline"] == "Timeline Show"
    assert "Late delivery" not in content


@pytest.mark.parametrize("name", PARTS)
def test_brings_each_part_as_the_whole_page_has_it(ann, customer, name):
    whole = sections(page(ann, customer, "?all=yes"))
    came = sections(part(ann, customer, name))
    assert came
    assert {each: whole[each] for each in came} == came


def test_leaves_nothing_out_of_the_parts(ann, customer):
    at_once, whole = sections(page(ann, customer)), sections(page(ann, customer, "?all=yes"))
    later = {each for name in PARTS for each in sections(part(ann, customer, name))}
    assert {each for each in whole if whole[each] == at_once.get(each)} | later >= whole.keys() - {"receipt"}


def test_adds_the_reasons_of_the_forecast_to_the_strip(ann, customer):
    content = part(ann, customer, "lapse")
    reasons = re.search(r'<ol[^>]*id="lapse-reasons"[^>]*>', content)
    assert (reasons is not None) == ('id="lapse-reasons"' in page(ann, customer))


@pytest.mark.parametrize("name", PARTS)
def test_leads_to_the_part_on_the_whole_page_without_scripts(ann, customer, name):
    answer = ann.get(f"/acme/customers/{customer.pk}/parts/{name}/?since=month")
    assert answer["Location"] == f"/acme/customers/{customer.pk}/?all=yes&since=month#{name}"
    assert f"/acme/customers/{customer.pk}/?all=yes#" in page(ann, customer)


def test_has_no_other_parts_and_no_other_parameters(ann, customer):
    assert ann.get(f"/acme/customers/{customer.pk}/parts/nothing/", headers=HX).status_code == 404
    refused = ann.get(f"/acme/customers/{customer.pk}/?tab=orders")
    assert refused.status_code == 400
    assert "This page has no parameter tab. It has: all, since." in words(text(refused))


@pytest.mark.parametrize("name", PARTS)
def test_works_before_the_first_night_and_for_who_never_ordered(cast, ann, noon, name):
    assert "None" not in words(part(ann, cast.customer(), name)).replace("None.", "")


def test_puts_what_it_asks_of_a_customer_into_sql_once(cast, ann, customer, placed, night):
    other = cast.customer("Nordlys")
    placed(other, 3, 40, 90)
    night()
    page(ann, customer)
    with CaptureQueriesContext(connection) as queries, mock.patch.object(SQLCompiler, "as_sql", count_sql):
        count_sql.number = 0
        assert "Nordlys" in page(ann, other)
    assert count_sql.number <= 8
    assert len(queries) <= 25


def test_asks_for_what_most_customers_have_none_of_where_there_is_some(cast, ann, customer):
    def asked():
        with CaptureQueriesContext(connection) as queries:
            content = page(ann, customer)
        return content, [each["sql"] for each in queries]

    rare = ("segmentation_tierpin", "health_pulse", "risk_incident", "risk_playbookrun", "followups_enrolment")
    content, statements = asked()
    assert not [sql for sql in statements for table in rare if sql.startswith(f'SELECT "{table}"')]
    assert "Pinned to" not in content
    with tenant_scope(cast.tenant):
        until = dt.date(2027, 3, 1)
        TierPin.objects.create(customer=customer, tier="gold", reason="New plant", until=until, created_by=cast.ann)
        Pulse.objects.create(customer=customer, member=cast.ann, band="red", reason="other", note="Cold shoulder")
    content, statements = asked()
    assert "Pinned to" in content
    assert "New plant" in content
    assert "Cold shoulder" in content
    asked_for = {table for sql in statements for table in rare if sql.startswith(f'SELECT "{table}"')}
    assert asked_for == {"segmentation_tierpin", "health_pulse"}


def test_reads_the_first_and_the_last_order_along_the_index_of_a_customers_days(ann, customer):
    with CaptureQueriesContext(connection) as queries:
        page(ann, customer)
    (asked,) = [each["sql"] for each in queries if '"last_order_on"' in each["sql"] and "has_pins" in each["sql"]]
    assert 'ORDER BY 1 ASC, U0."id" ASC LIMIT 1) AS "first_order_on"' in asked
    assert 'ORDER BY 1 DESC, U0."id" DESC LIMIT 1) AS "last_order_on"' in asked
    assert not any('MIN("customers_order"' in each["sql"] for each in queries)


@pytest.mark.parametrize(("name", "most"), [("", 31), *[(f"parts/{name}/", 46) for name in PARTS]])
def test_costs_as_much_for_a_long_story_as_for_a_short_one(cast, ann, customer, placed, night, name, most):
    def count():
        with CaptureQueriesContext(connection) as queries:
            assert ann.get(f"/acme/customers/{customer.pk}/{name}", headers=HX if name else {}).status_code == 200
        return len(queries)

    few = count()
    assert few <= most
    placed(customer, *(days for days in range(5, 500, 7) if days not in REGULAR), net="90")
    with tenant_scope(cast.tenant):
        for days in range(40):
            at = dt.datetime(2026, 11, 1, 9, tzinfo=dt.UTC) - dt.timedelta(days=days)
            Interaction.objects.create(customer=customer, channel="phone", at=at, topic=f"Talk {days}", member=cast.bo)
            Contact.objects.create(customer=customer, name=f"Contact {days}")
    night()
    assert count() <= few + 1  # the older page of a story has a query for what was in its orders
