"""It: the customers list, its filters, order, columns, pages and export, as each role sees it."""

import csv
import html
import io
import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from customers.models import CustomerTag, ExternalId, Tag
from tenants.context import tenant_scope
from tests.pages.conftest import HX, text

URL = "/acme/customers/"


@pytest.fixture
def ann(cast, sign_in):
    return sign_in(cast.ann)


def names(response):
    return [html.unescape(name) for name in re.findall(r'class="row-link" href="[^"]+">([^<]+)', text(response))]


def table(response):
    content = text(response)
    assert content.startswith("\ufeff")
    return list(csv.reader(io.StringIO(content.removeprefix("\ufeff"))))


def link(response, relation):
    """Where a link of the page leads, by what it says of itself (rel)."""
    found = re.search(rf'rel="{relation}" href="([^"]+)"', text(response))
    return URL + html.unescape(found[1]) if found else None


def walk(client, address, relation):
    """The ids of the customers of a page and of all that a relation leads to from it, page by page."""
    pages = []
    while address:
        response = client.get(address)
        pages.append(re.findall(r"/acme/customers/(\d+)/\"", text(response)))
        address = link(response, relation)
    return pages


def test_shows_own_and_covered_customers_alone(cast, ann):
    cast.customer("Own")
    cast.customer("Covered", owner_a=cast.bo, owner_b=cast.ann)
    cast.customer("Somebody else's", owner_a=cast.bo, owner_b=None)
    assert names(ann.get(URL)) == ["Covered", "Own"]


@pytest.mark.parametrize(
    ("who", "seen"),
    [("lea", ["Nobody's", "Own"]), ("eve", ["Far", "Nobody's", "Own"]), ("ada", ["Far", "Nobody's", "Own"])],
)
def test_shows_leads_their_team_and_others_all(cast, sign_in, who, seen):
    cast.customer("Own")
    cast.customer("Nobody's", owner_a=None, owner_b=None)
    cast.customer("Far", owner_a=cast.ada, owner_b=None)
    with tenant_scope(cast.tenant):
        type(cast.ada).objects.filter(pk=cast.ada.pk).update(team=None)
    assert names(sign_in(getattr(cast, who)).get(URL)) == seen


def test_says_how_many_there_are(cast, ann):
    cast.customer("One")
    assert "1 customer<" in text(ann.get(URL))
    cast.customer("Two")
    assert "2 customers<" in text(ann.get(URL))


def test_shows_where_a_customer_stands_since_last_night(cast, ann, placed, night):
    customer = cast.customer("Huaxin")
    placed(customer, 10, 30, 50, 70, 90, net="250.50")
    night()
    page = text(ann.get(URL))
    assert "£1,252.50" in page
    assert "10 Nov" in page
    assert 'data-band="' in page
    assert "Gold" in page


def test_writes_a_dash_for_what_no_night_has_seen(cast, ann):
    cast.customer("Fresh")
    page = text(ann.get(URL))
    assert "None" not in page.split("<tbody>")[1]


def test_filters(cast, sign_in, placed, night, subtests):
    huaxin = cast.customer("Huaxin", country="China", owner_b=None)
    oakfield = cast.customer("Oakfield", owner_a=cast.bo, owner_b=None)
    cast.customer("Nobody's", owner_a=None, owner_b=None)
    with tenant_scope(cast.tenant):
        ExternalId.objects.create(customer=oakfield, source="erp", value="C-77")
        tag = Tag.objects.create(name="tiles")
        CustomerTag.objects.create(customer=oakfield, tag=tag)
    placed(huaxin, 10, 30, 50, 70, 90)
    night()
    eve = sign_in(cast.eve)
    for query, found in (
        ("q=hua", ["Huaxin"]),
        ("q=HUA", ["Huaxin"]),
        ("q=C-77", ["Oakfield"]),
        ("country=China", ["Huaxin"]),
        ("owner={ann}", ["Huaxin"]),
        ("owner=none", ["Nobody's"]),
        ("tier=gold", ["Huaxin"]),
        ("health=none&country=China", ["Huaxin"]),
        ("tag={tag}", ["Oakfield"]),
        ("q=hua&tier=silver", []),
    ):
        with subtests.test(query):
            assert names(eve.get(f"{URL}?{query.format(ann=cast.ann.pk, tag=tag.pk)}")) == found


def test_keeps_what_was_asked_in_the_form(cast, ann):
    page = text(ann.get(f"{URL}?q=hua&health=red&sort=-money_12m"))
    assert 'value="hua"' in page
    assert re.search(r'<option value="red" selected\s*>', page)
    assert '<input type="hidden" name="sort" value="-money_12m">' in page


def test_says_at_the_field_that_a_value_does_not_exist(cast, ann):
    cast.customer()
    page = ann.get(f"{URL}?tier=platinum")
    assert names(page) == []
    assert "invalid-feedback" in text(page)


@pytest.mark.parametrize(
    "query", ["sort=tags", "sort=nothing", "columns=nothing", "page=1", "place=x", "filters=all", "export=pdf"]
)
def test_refuses_what_it_does_not_have(cast, ann, query):
    assert ann.get(f"{URL}?{query}").status_code == 400


def test_refuses_to_export_a_filter_that_does_not_exist(cast, ann):
    assert ann.get(f"{URL}?tier=platinum&export=csv").status_code == 400


def test_sorts_with_the_empty_ones_last_both_ways(cast, ann, placed, night):
    for name, days in (("Old", 90), ("New", 5)):
        placed(cast.customer(name), days)
    cast.customer("Never")
    night()
    assert names(ann.get(f"{URL}?sort=last_order_on")) == ["Old", "New", "Never"]
    assert names(ann.get(f"{URL}?sort=-last_order_on")) == ["New", "Old", "Never"]


def test_says_which_column_sorts(cast, ann):
    cast.customer()
    assert text(ann.get(f"{URL}?sort=-health")).count('aria-sort="descending"') == 1


def test_turns_pages_in_a_total_order(cast, ann):
    for _ in range(120):
        cast.customer("Same name")
    found = walk(ann, URL, "next")
    assert [len(page) for page in found] == [50, 50, 20]
    assert len({pk for page in found for pk in page}) == 120


def test_swaps_count_and_rows_together(cast, ann):
    cast.customer("Huaxin")
    fragment = text(ann.get(f"{URL}?q=hua", headers=HX))
    assert "<html" not in fragment
    assert "1 customer<" in fragment
    assert "Huaxin" in fragment


def test_gives_the_whole_page_when_the_browser_goes_back(cast, ann):
    answer = ann.get(URL, headers=HX | {"HX-History-Restore-Request": "true"})
    assert "<html" in text(answer)
    assert "HX-Request" in answer["Vary"]


def test_remembers_the_columns_that_somebody_chose(cast, ann):
    cast.customer(city="Foshan")
    assert "Foshan" not in text(ann.get(URL))
    assert "Foshan" in text(ann.get(f"{URL}?columns=city&columns=tier"))
    again = text(ann.get(URL))
    assert "Foshan" in again
    assert "B owner</a>" not in again
    assert "Huaxin Building Materials" in again  # the name stays


def test_offers_the_import_when_there_is_nothing(cast, sign_in):
    assert "/acme/imports/add/" in text(sign_in(cast.ada).get(URL))
    assert "/acme/imports/add/" not in text(sign_in(cast.ann).get(URL))


def test_explains_that_a_filter_left_nothing(cast, ann):
    cast.customer()
    assert "Nothing matches" in text(ann.get(f"{URL}?q=zzz"))


def test_exports_the_same_rows_in_the_same_order_and_columns(cast, ann, placed, night):
    for name, net in (("Small", "10"), ("Big", "2500.5"), ("Other", "99")):
        placed(cast.customer(name), 5, net=net)
    night()
    answer = ann.get(f"{URL}?sort=-money_12m&columns=money_12m&columns=last_order_on&q=big&export=csv")
    assert answer["Content-Disposition"] == 'attachment; filename="customers-acme-2026-11-20.csv"'
    assert table(answer) == [
        ["Customer", "Last order", "Net money, 12 months"],
        ["Big", "2026-11-15", "2500.5"],
    ]


@pytest.mark.parametrize("name", ["=1+1", "+44", "-7", "@SUM(A1)", "\tx"])
def test_exports_no_formula(cast, ann, name):
    cast.customer(name)
    rows = table(ann.get(f"{URL}?columns=name&export=csv"))
    assert rows[1][0] == f"'{name}"


@pytest.mark.parametrize(("name", "cell"), [("\r=1+1", "'\n=1+1"), ("x\r=1+1", "x\n=1+1"), ("x\r\n=1+1", "x\n=1+1")])
def test_lets_no_cell_begin_a_row(cast, ann, name, cell):
    cast.customer(name)
    assert table(ann.get(f"{URL}?columns=name&export=csv"))[1:] == [[cell]]


def test_exports_a_negative_number_as_a_number(cast, ann, placed, night):
    placed(cast.customer(), 5, net="-120.5", kind="credit_note")
    night()
    assert table(ann.get(f"{URL}?columns=money_12m&export=csv"))[1][1] == "-120.5"


def test_exports_only_what_the_member_sees(cast, ann):
    cast.customer("Own")
    cast.customer("Bo's", owner_a=cast.bo, owner_b=None)
    assert [row[0] for row in table(ann.get(f"{URL}?columns=name&export=csv"))[1:]] == ["Own"]


def test_lets_the_integration_read_but_not_export(cast, sign_in):
    client = sign_in(cast.ian)
    cast.customer()
    assert "export=csv" not in text(client.get(URL))
    assert client.get(f"{URL}?export=csv").status_code == 403


def test_asks_the_database_as_often_for_twenty_rows_as_for_one(cast, ann):
    def count(address):
        ann.get(address)  # what the session keeps is asked for once
        with CaptureQueriesContext(connection) as queries:
            text(ann.get(address))
        return len(queries)

    all_columns = f"{URL}?columns=tags&columns=external_ids&columns=owner_a&columns=owner_b"
    cast.customer()
    one, one_csv = count(all_columns), count(f"{all_columns}&export=csv")
    for _ in range(20):
        cast.customer()
    assert count(all_columns) == one
    assert count(f"{all_columns}&export=csv") == one_csv
