"""It: the RFM grid, another scheme beside, moves between tiers, sales figures and cross-sell rules."""

from __future__ import annotations

import csv
import html
import io
import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from config.night import run_night
from segmentation.models import CrossSellRule, CrossSellRun, TierChange
from tenants.context import tenant_scope
from tests.pages.conftest import FRIDAY, HX, text

GRID, MOVES, FIGURES, RULES = (f"/acme/segments/{page}" for page in ("", "migration/", "figures/", "cross-sell/"))


@pytest.fixture
def eve(cast, sign_in):
    return sign_in(cast.eve)


@pytest.fixture
def five(cast, placed, night):
    """Five customers, each better than the one before in all three scores, and one who never ordered."""
    rows = [cast.customer(name) for name in ("One", "Two", "Three", "Four", "Five")]
    for place, customer in enumerate(rows):
        placed(customer, *range(90 - 20 * place, 91 + place * 10, 10)[: place + 1], net=str(100 * (place + 1)))
    cast.customer("Never")
    night()
    return rows


def table(response):
    return list(csv.reader(io.StringIO(text(response).removeprefix("\ufeff"))))


def links(page, start):
    """(address, number) of every link to a list that stands on a number."""
    found = re.findall(rf'href="({start}\?[^"]*)"[^>]*>(?:<b>)?([\d,]+)(?: customers?)?<', page)
    return [(html.unescape(address), int(number.replace(",", ""))) for address, number in found]


def rows_of(client, address):
    said = re.search(r'role="status">(?:more than )?([\d,]+) customer', text(client.get(address, headers=HX)))
    return int(said[1].replace(",", ""))


def check_links(client, page, least):
    found = links(page, "/acme/customers/")
    assert len(found) >= least
    for address, number in found:
        assert rows_of(client, address) == number, address


# ── the grid ─────────────────────────────────────────────────────────────────


def test_explains_the_grid_before_the_first_night(eve, cast):
    cast.customer("Waiting")
    page = text(eve.get(GRID))
    assert "Nobody has scores yet" in page
    assert "pn-grid" not in page


def test_counts_each_customer_once_in_the_grid(eve, five):
    rows = table(eve.get(f"{GRID}?export=csv"))
    assert rows[0] == ["Recency", "Frequency", "Customers", "Net money"]
    assert len(rows) == 1 + 25
    assert sum(int(row[2]) for row in rows[1:]) == 5
    assert "5 customers who ever ordered" in text(eve.get(GRID))


@pytest.mark.parametrize("axes", ["rf", "rm", "fm"])
def test_opens_as_many_rows_as_each_number_of_the_grid_says(eve, five, axes):
    page = text(eve.get(f"{GRID}?axes={axes}"))
    check_links(eve, page, least=5 + 5)


@pytest.mark.parametrize("scheme", ["wholesale", "sales-team", "starter"])
def test_opens_the_rows_of_another_scheme_beside(eve, five, scheme):
    page = text(eve.get(f"{GRID}?beside={scheme}"))
    check_links(eve, page, least=5)
    assert "No tier" in page


def test_counts_for_an_account_manager_own_customers_alone(cast, sign_in, five):
    with tenant_scope(cast.tenant):
        type(five[0]).objects.filter(pk__in=[five[0].pk, five[1].pk]).update(owner_a=cast.ada, owner_b=None)
    assert "3 customers who ever ordered" in text(sign_in(cast.ann).get(GRID))


@pytest.mark.parametrize(
    "address",
    [
        f"{GRID}?axes=xy", f"{GRID}?beside=callback", f"{GRID}?page=2", f"{GRID}?export=pdf",
        f"{MOVES}?from=x", f"{MOVES}?export=", f"{MOVES}?from=0001-01-01&to=0001-01-02", f"{MOVES}?to=9999-12-31",
        f"{FIGURES}?export=csv",
    ],
)  # fmt: skip
def test_refuses_what_the_page_does_not_have(eve, five, address):
    assert eve.get(address).status_code == 400


def test_exports_for_whom_it_is_allowed_only(cast, sign_in, five):
    assert sign_in(cast.ian).get(f"{GRID}?export=csv").status_code == 403
    assert sign_in(cast.ann).get(f"{GRID}?export=csv").status_code == 200


# ── moves ────────────────────────────────────────────────────────────────────


def test_shows_who_moved_between_two_days(cast, eve, placed, noon):
    """Six customers of two months ago; then one orders more than all the others, and rises to gold."""
    early = FRIDAY.replace(month=9, day=20)
    rows = [cast.customer(name) for name in ("A", "B", "C", "D", "E", "F")]
    for place, customer in enumerate(rows):
        placed(customer, 70 + place, net=str(1000 - 100 * place))
    run_night(cast.tenant, early)
    placed(rows[-1], 1, 2, 3, net="5000")
    run_night(cast.tenant, FRIDAY)
    with tenant_scope(cast.tenant):
        moved = TierChange.objects.get(customer=rows[-1], on=FRIDAY)
    assert moved.after == "gold"
    page = text(eve.get(f"{MOVES}?from={early}&to={FRIDAY}"))
    check_links(eve, page, least=3)
    address = f"/acme/customers/?moved_from={early}&moved_to={FRIDAY}"
    assert rows_of(eve, f"{address}&tier_before={moved.before}&tier_after=gold") == 1
    said = re.search(rf'href="{re.escape(html.escape(address))}">(\d+) customers? ha', page)
    assert int(said[1]) == rows_of(eve, address) >= 1
    assert "their first one" not in page
    cells = table(eve.get(f"{MOVES}?from={early}&to={FRIDAY}&export=csv"))
    assert cells[0] == ["From", "To", "Customers", "Net money"]
    assert sum(int(row[2]) for row in cells[1:]) == 6


def test_tells_first_tiers_from_moves(eve, five):
    assert "their first one: 5" in text(eve.get(MOVES))


def test_gives_every_change_of_tier_as_csv_and_why(cast, eve, placed, noon):
    early = FRIDAY.replace(month=9, day=20)
    rows = [cast.customer(name) for name in ("A", "B", "C", "D", "E", "F")]
    for place, customer in enumerate(rows):
        placed(customer, 70 + place, net=str(1000 - 100 * place))
    run_night(cast.tenant, early)
    placed(rows[-1], 1, 2, 3, net="5000")
    run_night(cast.tenant, FRIDAY)
    head, *changes = table(eve.get(f"{MOVES}?from={early}&to={FRIDAY}&export=changes"))
    assert head == ["Day", "Customer", "From", "To", "Why", "Policy version"]
    risen = next(row for row in changes if row[1] == "F")
    assert (risen[0], risen[3], risen[5]) == ("2026-11-20", "Gold", "1")
    assert "more net money" in risen[4]
    assert [row for row in changes if row[2] == "No tier"] == []


def test_refuses_a_span_that_ends_before_it_begins(eve, five):
    assert eve.get(f"{MOVES}?from=2026-11-20&to=2026-11-01").status_code == 400


# ── sales figures ────────────────────────────────────────────────────────────


def test_opens_the_rows_behind_each_figure(cast, eve, placed, night):
    kept, lost, late = cast.customer("Kept"), cast.customer("Lost"), cast.customer("Late")
    placed(kept, 30, 60, 95, net="400")
    placed(lost, 61, 100, net="50")
    placed(late, 10, 33, net="20")
    night()
    page = text(eve.get(FIGURES))
    check_links(eve, page, least=6)
    assert "Repurchase rate" in page


@pytest.mark.parametrize("sheet", ["repurchase", "order-values", "pareto", "seasons"])
def test_exports_each_figure(eve, five, sheet):
    answer = eve.get(f"{FIGURES}?export={sheet}")
    assert answer.status_code == 200
    assert len(table(answer)[0]) >= 2


def test_shows_figures_of_a_firm_without_orders(eve, night):
    night()
    page = text(eve.get(FIGURES))
    assert "Nobody has brought money in this time." in page
    assert "A season shows after" in page


# ── cross-sell ───────────────────────────────────────────────────────────────


@pytest.fixture
def rule(cast):
    """Who bought tiles bought grout."""
    with tenant_scope(cast.tenant):
        CrossSellRun.objects.create(as_of=FRIDAY, level="category", customers=200, items=2, rules=1, policy_version=1)
        return CrossSellRule.objects.create(
            antecedent="Tiles", consequent="Grout", customers=77, followed=48, support=0.24, confidence=0.6234, lift=2.1,
            median_days=31,
        )  # fmt: skip


def test_lists_rules_with_their_figures_and_minimum(eve, rule):
    page = text(eve.get(RULES))
    for word in ("Tiles", "Grout", "62.34%", "48", "77", "2.1", "31", "1 rule", "a rule needs 20 customers"):
        assert word in page, word


def test_finds_rules_by_name(eve, rule):
    assert "1 rule<" in text(eve.get(f"{RULES}?q=gro"))
    assert "Nothing matches" in text(eve.get(f"{RULES}?q=carpet"))


def test_opens_the_customers_whom_it_could_be_offered(cast, eve, placed, rule):
    placed(cast.customer("Has tiles"), 20)
    cast.customer("Has nothing")
    address = f"/acme/customers/?rule={rule.pk}"
    assert address in text(eve.get(RULES))
    assert rows_of(eve, address) == 1


def test_says_why_there_are_no_rules(cast, eve, night):
    assert "Rules are searched for with the first night" in text(eve.get(RULES))
    night()
    assert "Nobody has ordered yet." in text(eve.get(RULES))


@pytest.mark.parametrize("address", [GRID, MOVES, FIGURES, RULES])
def test_asks_the_database_as_often_for_many_as_for_few(cast, eve, placed, night, rule, address):
    placed(cast.customer("First"), 20)
    night()
    eve.get(address)
    with CaptureQueriesContext(
        connection,
    ) as few:
        eve.get(address)
    for place in range(8):
        placed(cast.customer(f"More {place}"), 5 + place, 40 + place, 80)
    night()
    with CaptureQueriesContext(connection) as many:
        eve.get(address)
    assert len(many) <= len(few)
