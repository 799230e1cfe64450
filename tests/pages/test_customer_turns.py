"""It: where a customer's spending turned, on the chart and in a list, with what the team did before."""

import datetime as dt
import json
import re

import pytest

from customers.models import Interaction
from tenants.context import tenant_scope
from tests.pages.conftest import FRIDAY
from tests.pages.test_customer import page, section

AUGUST = dt.date(2026, 8, 1)
LOW = [110, 95, 102, 99, 104, 98, 107, 101, 93, 105, 100, 97]
HIGH = [310, 295, 302]


@pytest.fixture
def ann(cast, sign_in):
    return sign_in(cast.ann)


@pytest.fixture
def customer(cast, placed, noon):
    """A customer who spends about 100 a month for a year, and about 300 from August 2026 on."""
    customer = cast.customer()
    month = dt.date(2025, 8, 10)
    for net in LOW + HIGH:
        placed(customer, (FRIDAY - month).days, net=str(net))
        month = (month.replace(day=1) + dt.timedelta(days=31)).replace(day=10)
    return customer


@pytest.fixture
def talked(cast, customer):
    def make(day, topic="", **fields):
        with tenant_scope(cast.tenant):
            at = dt.datetime.combine(day, dt.time(10), dt.UTC)
            Interaction.objects.create(customer=customer, channel="visit", at=at, topic=topic, **fields)

    return make


def spend(content):
    return json.loads(re.search(r'id="spend-data" type="application/json">(.*?)</script>', content)[1])


def test_marks_the_month_on_the_chart_and_lists_it(ann, customer):
    content = page(ann, customer)
    data = spend(content)
    assert [label for label, mark in zip(data["labels"], data["marks"], strict=True) if mark == "A"] == ["Aug 2026"]
    assert sum(map(bool, data["marks"])) == 1
    seen = section(content, "spend")
    assert "A Aug 2026 +200% £101 → £302 no contact logged" in seen


def test_says_what_the_team_did_in_the_two_months_before(cast, ann, customer, talked):
    talked(dt.date(2026, 5, 31), "Too early")
    talked(dt.date(2026, 6, 20), "Joint visit", member=cast.ann)
    talked(dt.date(2026, 8, 1), "Too late")
    seen = section(page(ann, customer), "spend").replace(" ,", ",")
    assert "£302 Visit 20 Jun, Joint visit, Ann" in seen
    assert "Too early" not in seen
    assert "Too late" not in seen


def test_lists_the_last_talks_and_says_how_many_more(ann, customer, talked):
    for day in range(1, 6):
        talked(dt.date(2026, 7, day), f"Talk {day}")
    seen = section(page(ann, customer), "spend")
    assert [n for n in range(1, 6) if f"Talk {n}" in seen] == [3, 4, 5]
    assert "2 more" in seen


def test_says_nothing_where_the_level_did_not_change(cast, ann, placed, noon):
    customer = cast.customer()
    placed(customer, *range(20, 500, 30))
    content = page(ann, customer)
    assert "Turning point" not in content
    assert not any(spend(content)["marks"])
