"""It: a customer's story: what happened, newest first, by tab and page after page."""

import datetime as dt
import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from customers.models import Complaint, Contact, Interaction
from customers.services import set_owners
from health.models import HealthHistory
from health.pulses import give_pulse, withdraw
from risk.models import Alert
from segmentation.models import TierChange
from tenants.context import tenant_scope
from tests.pages.conftest import FRIDAY, HX, NOON, text

DAY = dt.timedelta(days=1)


@pytest.fixture
def ann(cast, sign_in):
    return sign_in(cast.ann)


@pytest.fixture
def customer(cast):
    return cast.customer()


@pytest.fixture
def story(cast, customer, placed, noon):
    """One thing of each kind, each on a day of its own."""
    placed(customer, 10, net="620.40")
    placed(customer, 11, net="-80", kind="credit_note", external_id="CN-1")
    with tenant_scope(cast.tenant):
        liu = Contact.objects.create(customer=customer, name="Liu Fang")
        Interaction.objects.create(
            customer=customer, contact=liu, member=cast.ann, channel="email", at=NOON - 3 * DAY, topic="Price list",
            answered=False, note="Opened twice",
        )  # fmt: skip
        Complaint.objects.create(customer=customer, topic="Chipped", opened_at=NOON - 5 * DAY)
        Alert.objects.create(
            customer=customer, signal="order_silence", risk_class="demand", level="mild", opened_on=FRIDAY - 2 * DAY,
            due_at=NOON, policy_version=1,
        )  # fmt: skip
        TierChange.objects.create(
            customer=customer, on=FRIDAY - 6 * DAY, before="silver", after="gold", policy_version=3
        )
        TierChange.objects.create(customer=customer, on=FRIDAY - 40 * DAY, before="", after="silver", policy_version=1)
        for days, score, band in ((20, 72, "green"), (13, 71, "green"), (6, 46, "yellow")):
            HealthHistory.objects.create(customer=customer, on=FRIDAY - days * DAY, score=score, band=band)
        set_owners(customer=customer, owner_b=cast.lea)


def read(client, customer, query="", **options):
    return client.get(f"/acme/customers/{customer.pk}/timeline/{query}", **options)


def lines(response):
    """The first line of each item, in words."""
    found = re.findall(r"<li>.*?<p>(.*?)</p>", text(response).split('id="timeline"')[-1], flags=re.S)
    return [" ".join(re.sub(r"<[^>]+>", " ", line).split()) for line in found]


def test_tells_everything_newest_first(ann, customer, story):
    assert lines(read(ann, customer)) == [
        "B owner Bo → Lea",
        "Alert opened: No order",
        "Price list, with Liu Fang, no answer",
        "Complaint: Chipped",
        "Health Green 71 → Yellow 46",
        "Tier Silver → Gold",
        f"Order SO-{customer.pk}-10, £620.40 , 1 category",
        "Credit note CN-1, −£80 , 1 category",
    ]


def test_groups_by_month(ann, customer, placed, noon):
    placed(customer, 5, 40)
    assert re.findall(r'pn-month">([^<]+)', text(read(ann, customer))) == ["November 2026", "October 2026"]


@pytest.mark.parametrize(("tab", "number"), [("all", 8), ("orders", 2), ("contacts", 2), ("alerts", 1), ("changes", 3)])
def test_counts_what_each_tab_holds(ann, customer, story, tab, number):
    page = read(ann, customer, f"?tab={tab}")
    assert len(lines(page)) == number
    assert re.search(rf'aria-current="true"[^>]+tab={tab}"[^>]*>\w+ <span class="mute">{number}<', text(page))


def test_leads_to_older_pages_without_losing_or_repeating_any(cast, ann, customer, placed, noon):
    placed(customer, *range(1, 31))
    with tenant_scope(cast.tenant):
        for n in range(15):
            # All at once, and at the very moment of an order.
            moment = cast.tenant.start_of(FRIDAY - 7 * DAY) + dt.timedelta(hours=9)
            Interaction.objects.create(customer=customer, channel="phone", at=moment, topic=f"Call {n}")
            Alert.objects.create(
                customer=customer, signal=f"s{n}", risk_class="demand", level="mild", opened_on=FRIDAY - 7 * DAY,
                due_at=NOON, policy_version=1, closed_on=FRIDAY, outcome="passed",
            )  # fmt: skip
    seen, query, pages = [], "?tab=all", 0
    while query:
        page = read(ann, customer, query, headers=HX)
        seen += re.findall(r"(Order SO-\S+?),|(Call \d+)|(Alert opened: \w+)", text(page))
        older = re.search(r'href="[^"]+(\?tab=all&amp;before=[^"]+)"', text(page))
        query, pages = (older[1].replace("&amp;", "&") if older else ""), pages + 1
    assert pages == 3
    assert len(seen) == 60
    assert len(set(seen)) == 60


def test_gives_the_older_ones_alone_to_the_page(ann, customer, placed, noon):
    placed(customer, *range(1, 31))
    first = text(read(ann, customer, headers=HX))
    before = re.search(r"before=([\d.-]+)", first)[1]
    older = text(read(ann, customer, f"?before={before}", headers=HX))
    assert "nav-underline" in first
    assert "nav-underline" not in older
    assert "<html" not in older


def test_works_without_scripts(ann, customer, story):
    assert "<html" in text(read(ann, customer, "?tab=orders"))


@pytest.mark.parametrize("query", ["?tab=secrets", "?before=x", "?before=1-2", "?before=9e99-1-1"])
def test_refuses_a_place_that_is_none(ann, customer, query):
    assert read(ann, customer, query).status_code == 400


def test_says_what_was_in_an_order(ann, customer, placed, noon):
    placed(customer, 3)
    assert "Glazed tile × 1" in text(read(ann, customer))


def test_tells_how_people_see_the_customer_until_they_take_it_back(cast, ann, customer, noon):
    with tenant_scope(cast.tenant):
        pulse, _outcome = give_pulse(
            customer=customer, member=cast.ann, band="red", reason="price", note="talk failed twice"
        )
    page = read(ann, customer, "?tab=changes")
    assert lines(page) == ["Own view Red"]
    assert "Price, “talk failed twice”" in text(page)
    with tenant_scope(cast.tenant):
        withdraw(pulse=pulse, member=cast.ann)
    assert lines(read(ann, customer, "?tab=changes")) == []


def test_is_empty_in_words(ann, customer):
    assert "Nothing here yet" in text(read(ann, customer))


def test_is_not_there_for_who_does_not_see_the_customer(cast, sign_in, customer):
    with tenant_scope(cast.tenant):
        type(customer).objects.filter(pk=customer.pk).update(owner_a=cast.bo, owner_b=None)
    assert read(sign_in(cast.ann), customer).status_code == 404


def test_asks_the_database_as_often_for_a_long_story(ann, customer, placed, noon):
    def count():
        read(ann, customer)
        with CaptureQueriesContext(connection) as queries:
            read(ann, customer)
        return len(queries)

    placed(customer, 1)
    one = count()
    placed(customer, *range(2, 60))
    assert count() == one


def test_reads_orders_in_the_order_of_the_index_of_a_customers_days(ann, customer, placed, noon):
    placed(customer, *range(1, 60))
    with CaptureQueriesContext(connection) as queries:
        content = text(read(ann, customer))
    mark = re.search(r"before=([\w.-]+)", content)[1]
    (asked,) = [each["sql"] for each in queries if '"customers_order"."placed_at" DESC' in each["sql"]]
    assert 'ORDER BY "customers_order"."placed_on" DESC, "customers_order"."placed_at" DESC' in asked
    with CaptureQueriesContext(connection) as queries:
        read(ann, customer, f"?before={mark}")
    (asked,) = [each["sql"] for each in queries if '"customers_order"."placed_at" DESC' in each["sql"]]
    assert '"customers_order"."placed_on" <= ' in asked
