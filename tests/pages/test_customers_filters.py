"""It: the further filters and columns of the customers list."""

import csv
import datetime as dt
import html
import io
import re
from decimal import Decimal

import pytest
from django.db import connection
from django.db.models import Q
from django.test.utils import CaptureQueriesContext

from customers.models import Customer, Product
from health.models import LapseForecast
from segmentation.models import (
    CrossSellRule,
    CrossSellRun,
    SavedSegment,
    SegmentMember,
    SpecDrift,
    Standing,
    TierChange,
    TierPin,
    Worth,
)
from tenants.context import tenant_scope
from tests.pages.conftest import FRIDAY, HX, text

URL = "/acme/customers/"


@pytest.fixture
def eve(cast, sign_in, noon):
    return sign_in(cast.eve)


def names(response):
    return [html.unescape(name) for name in re.findall(r'class="row-link" href="[^"]+">([^<]+)', text(response))]


def before(days):
    return FRIDAY - dt.timedelta(days=days)


@pytest.fixture
def firm(cast, placed, night):
    """Old has ordered long ago, Good often and lately, New once; Never has not."""
    old, good, new = cast.customer("Old"), cast.customer("Good"), cast.customer("New")
    cast.customer("Never")
    placed(old, 300, 400)
    placed(good, 10, 40, 70, 100, 130, 160, 700, net="500")
    placed(new, 5, net="20")
    night()
    with tenant_scope(cast.tenant):
        Standing.objects.filter(customer=old).update(r=1, f=2, m=3, by_callback="bronze", by_wholesale="key")
        Standing.objects.filter(customer=good).update(r=5, f=5, m=5, by_callback="gold", by_sales_team="core")
        Worth.objects.filter(customer=good).update(clv=Decimal("1200.5"), score=88)
        Worth.objects.filter(customer=old).update(clv=Decimal("10"), score=5)
        Worth.objects.filter(customer=new).update(clv=None, score=None)
    return {row.name: row for row in (old, good, new)}


def test_filters_by_what_the_night_found_and_what_was_ordered(eve, firm, subtests):
    days = {f"d{n}": before(n) for n in (5, 10, 40, 100, 400)}
    for query, found in (
        ("r=5", ["Good"]),
        ("r=1&f=2&m=3", ["Old"]),
        ("r=1&f=5", []),
        ("stage=new", ["New"]),
        ("stage=prospect", ["Never"]),
        ("stage=lapsed", ["Old"]),
        ("money_from=20&money_to=20", ["New"]),
        ("money_from=0", ["Good", "Never", "New", "Old"]),
        ("money_from=20.0001", ["Good", "Old"]),
        ("clv_from=10&clv_to=1200.49", ["Old"]),
        ("clv_from=1200.5", ["Good"]),
        ("by_wholesale=key", ["Old"]),
        ("by_callback=gold", ["Good"]),
        ("by_sales_team=core", ["Good"]),
        ("segment=none", ["Never"]),
        ("tier=none", ["Never"]),
        ("ordered_from={d5}", ["New"]),
        ("ordered_from={d10}&ordered_to={d5}", ["Good"]),
        ("ordered_to={d400}", ["Good"]),
        ("ordered_from={d100}&ordered_to={d40}&again_from={d40}&again_to={d5}", ["Good"]),
        ("ordered_to={d40}&not_ordered_from={d40}", ["Old"]),
        ("not_ordered_from={d10}&not_ordered_to={d5}", ["Never", "New", "Old"]),
    ):
        with subtests.test(query):
            assert names(eve.get(f"{URL}?{query.format(**days)}")) == found


def test_filters_by_pin_drift_and_closing(cast, eve):
    pinned, drifting = cast.customer("Pinned"), cast.customer("Drifting")
    cast.customer("Closed", closed_on=FRIDAY)
    with tenant_scope(cast.tenant):
        TierPin.objects.create(customer=pinned, tier="gold", reason="x", until=FRIDAY)
        TierPin.objects.create(customer=drifting, tier="gold", reason="x", until=before(1))
        SpecDrift.objects.create(customer=drifting, ratio=0.5, products=3, since=FRIDAY, policy_version=1)
    assert names(eve.get(f"{URL}?pinned=yes")) == ["Pinned"]
    assert names(eve.get(f"{URL}?pinned=no")) == ["Closed", "Drifting"]
    assert names(eve.get(f"{URL}?drift=yes")) == ["Drifting"]
    assert names(eve.get(f"{URL}?drift=no")) == ["Closed", "Pinned"]
    assert names(eve.get(f"{URL}?closed=yes")) == ["Closed"]
    assert names(eve.get(f"{URL}?closed=no")) == ["Drifting", "Pinned"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("moved_from={d20}&tier_before=gold&moved_to={d0}&tier_after=silver", ["Fell"]),
        ("moved_from={d20}&tier_before=none&moved_to={d0}&tier_after=gold", ["Rose"]),
        ("moved_from={d20}&tier_before=gold", ["Fell", "Stays"]),
        ("moved_to={d20}&tier_after=gold", ["Fell", "Stays"]),
        ("tier_after=gold", ["Rose", "Stays"]),
        ("moved_from={d20}&moved_to={d0}", ["Fell", "Rose"]),
        ("moved_from={d9}&moved_to={d0}", []),
        ("moved_from={d10}", []),
        ("moved_from={d11}", ["Fell", "Rose"]),
    ],
)
def test_filters_by_moves_between_two_days(cast, eve, query, found):
    moves = {"Fell": [(30, "gold"), (10, "silver")], "Rose": [(10, "gold")], "Stays": [(30, "gold")]}
    for name, changes in moves.items():
        customer = cast.customer(name)
        with tenant_scope(cast.tenant):
            for days, after in changes:
                TierChange.objects.create(customer=customer, on=before(days), after=after, policy_version=1)
    days = {f"d{n}": before(n) for n in (0, 9, 10, 11, 20)}
    assert names(eve.get(f"{URL}?{query.format(**days)}")) == found


def test_takes_the_later_of_two_changes_of_a_day(cast, eve):
    customer = cast.customer("Pinned after the night")
    with tenant_scope(cast.tenant):
        for after in ("silver", "gold"):
            TierChange.objects.create(customer=customer, on=FRIDAY, after=after, policy_version=1)
    assert names(eve.get(f"{URL}?tier_after=gold")) == ["Pinned after the night"]


def test_filters_by_cross_sell_rule_and_says_which(cast, eve, placed, night):
    buyer = cast.customer("Buyer")
    placed(buyer, 10)
    placed(cast.customer("Closed", closed_on=FRIDAY), 10)
    cast.customer("Other")
    night()
    with tenant_scope(cast.tenant):
        CrossSellRun.objects.all().delete()
        CrossSellRun.objects.create(as_of=FRIDAY, level="category", customers=1, items=2, rules=1, policy_version=1)
        rule = CrossSellRule.objects.create(
            antecedent="Tiles", consequent="Grout", customers=1, followed=1, support=1, confidence=1, lift=2,
            median_days=3,
        )  # fmt: skip
        Product.objects.create(external_id="P-2", name="Grout", category="Grout")
    answer = eve.get(f"{URL}?rule={rule.pk}")
    assert names(answer) == ["Buyer"]
    assert "Tiles → Grout" in text(answer)
    assert "Cross-sell rule" not in text(eve.get(URL)), "asked for by a link alone"


def test_filters_by_saved_segment_and_who_joined_or_left(cast, sign_in, noon):
    stays, joined, left, back = (cast.customer(name) for name in ("Stays", "Joined", "Left", "Back"))
    with tenant_scope(cast.tenant):
        mine = SavedSegment.objects.create(name="Mine", filters={"tier": ["gold"]}, member=cast.ann)
        SavedSegment.objects.update(created_at=cast.tenant.start_of(before(100)))
        theirs = SavedSegment.objects.create(name="Theirs", filters={"tier": ["gold"]}, member=cast.bo)
        for customer, since, until in (
            (stays, 90, None), (joined, 5, None), (left, 90, 5), (back, 90, 20), (back, 6, None),
        ):  # fmt: skip
            SegmentMember.objects.create(
                segment=mine, customer=customer, joined_on=before(since), left_on=before(until) if until else None
            )
    ann = sign_in(cast.ann)
    asked = f"{URL}?saved={mine.pk}"
    assert names(ann.get(asked)) == ["Back", "Joined", "Stays"]
    assert names(ann.get(f"{asked}&saved_joined_from={before(7)}")) == ["Back", "Joined"]
    assert names(ann.get(f"{asked}&saved_left_from={before(30)}")) == ["Left"]
    refused = ann.get(f"{URL}?saved={theirs.pk}")
    assert names(refused) == []
    assert "These filters do not work" in text(refused)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("r=6", "Recency score: "),
        ("stage=gone", "Stage: "),
        ("money_from=many", "Net money from: "),
        ("money_from=1.00001", "Net money from: "),
        ("clv_to=1e30", "Lifetime value up to: "),
        ("pinned=perhaps", "Tier pinned: "),
        ("moved_from=2026-13-01", "Tier before, on: "),
        ("tier_before=gold", "Tier before, on: Say the day"),
        ("moved_to=2026-11-01", "Tier before, on: Say the day"),
        ("moved_from=2026-11-02&moved_to=2026-11-01", "Tier after, on: This lies below"),
        ("money_from=2&money_to=1", "Net money up to: This lies below"),
        ("rule=x", "Cross-sell rule: "),
        ("saved=99", "Saved segment: "),
        ("saved_joined_from=2026-11-01", "Joined the segment since: Say which"),
    ],
)
def test_says_what_is_wrong_with_a_value_also_in_the_fragment(cast, eve, query, words):
    cast.customer("Anybody")
    for headers in ({}, HX):
        answer = eve.get(f"{URL}?{query}", headers=headers)
        assert names(answer) == []
        assert words in text(answer)
    assert eve.get(f"{URL}?{query}&export=csv").status_code == 400


def test_draws_the_further_filters_when_somebody_opens_them(cast, eve):
    cast.customer()
    page = text(eve.get(URL))
    assert 'name="pinned"' not in page
    address = html.unescape(re.search(r'hx-get="([^"]+)" hx-trigger="toggle from:closest details once"', page)[1])
    fields = text(eve.get(URL + address, headers=HX))
    assert "<html" not in fields
    assert 'name="pinned"' in fields
    assert 'name="tier"' not in fields, "is there already"
    assert 'name="rule"' not in fields, "asked for by a link alone"


def test_draws_the_further_filters_at_once_without_scripts(cast, eve):
    cast.customer()
    page = text(eve.get(f"{URL}?filters=more&pinned=no"))
    assert '<details class="pn-filters-more" open>' in page
    assert 'name="closed"' in page
    assert page.count('<select name="pinned"') == 1
    assert "Clear the filters" in page


def test_shows_a_further_filter_that_is_set_and_what_belongs_to_it(cast, eve):
    cast.customer()
    page = text(eve.get(f"{URL}?pinned=no&money_from=5"))
    assert re.search(r'<option value="no" selected\s*>', page)
    assert 'name="money_from"' in page
    assert 'name="money_to"' in page
    assert 'name="clv_from"' not in page
    assert "Clear the filters" in page


@pytest.mark.parametrize("query", ["money_from=0", "pinned=no", "q=a"])
def test_offers_to_save_what_is_filtered(cast, sign_in, query):
    cast.customer("a")
    assert f"/acme/segments/saved/add/?{query}" in text(sign_in(cast.ann).get(f"{URL}?{query}&sort=name"))
    assert "saved/add" not in text(sign_in(cast.ann).get(f"{URL}?sort=name"))
    assert "saved/add" not in text(sign_in(cast.ian).get(f"{URL}?{query}"))


def test_shows_stage_and_value_and_on_request_scores_and_other_schemes(eve, firm):
    page = text(eve.get(f"{URL}?q=Good"))
    assert "£1,200.50" in page
    assert ">88<" in page
    assert "Active" in page
    columns = "&".join(
        f"columns={name}" for name in ("stage", "clv", "value_score", "r", "first_order_on", "by_callback")
    )
    content = text(eve.get(f"{URL}?{columns}&sort=-clv&export=csv")).removeprefix("\ufeff")
    rows = list(csv.reader(io.StringIO(content)))
    assert rows[0] == [
        "Customer", "Stage", "Lifetime value", "Value score", "Recency score", "First order", "Tier, call-backs",
    ]  # fmt: skip
    assert rows[1] == ["Good", "Active", "1200.5", "88", "5", str(before(700)), "Gold"]
    assert [row[0] for row in rows[1:]] == ["Good", "Old", "New", "Never"]


def test_asks_the_database_as_often_with_all_columns_for_many_as_for_one(cast, eve):
    def count():
        eve.get(address)
        with CaptureQueriesContext(connection) as queries:
            text(eve.get(address))
        return len(queries)

    address = f"{URL}?columns=stage&columns=clv&columns=r&columns=by_callback&stage="
    cast.customer()
    one = count()
    with tenant_scope(cast.tenant):
        Customer.objects.bulk_create(Customer(name=f"C{n}", search_name=f"c{n}") for n in range(20))
    assert count() == one


# ── who is warned of, in a stage, and brings so much ─────────────────────────


@pytest.fixture
def warned(cast, firm):
    """The forecast warns of Old and Good, not of New."""
    with tenant_scope(cast.tenant):
        LapseForecast.objects.all().delete()
        for name, is_warned in (("Old", True), ("Good", True), ("New", False)):
            LapseForecast.objects.create(customer=firm[name], percent=60, is_warned=is_warned, policy_version=1)
    return firm


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("warned=yes", ["Good", "Old"]),
        ("warned=no", ["New"]),
        ("warned=yes&stage=active", ["Good"]),
        ("warned=yes&stage=lapsed", ["Old"]),
        ("warned=no&stage=new", ["New"]),
        ("warned=no&stage=active", []),
        ("warned=no&stage=prospect", []),  # of whom nothing is forecast
        ("warned=yes&money_from=1", ["Good", "Old"]),
        ("warned=yes&money_from=2000", ["Good"]),
        ("warned=yes&money_to=2000", ["Old"]),
        ("warned=no&money_to=2000", ["New"]),
        ("warned=yes&stage=active&money_from=1000&money_to=9000", ["Good"]),
    ],
)
def test_finds_who_is_warned_of_by_stage_and_money_too(eve, warned, query, found):
    assert names(eve.get(f"{URL}?{query}")) == found


def test_finds_them_by_what_one_index_of_the_standings_holds(eve, warned):
    with CaptureQueriesContext(connection) as asked:
        eve.get(f"{URL}?stage=active&warned=yes&money_from=1000")
    (finding,) = (each["sql"] for each in asked if "AS found" in each["sql"])
    _joins, where = finding.split(" WHERE ")
    assert set(re.findall(r"\b(standing|lapse|health|worth)\.", where)) == {"standing"}
    (index,) = (each for each in Standing._meta.indexes if each.name == "standing_warned")
    held = {Standing._meta.get_field(name).column for name in (*index.fields, *index.include)} | {"is_warned"}
    assert set(re.findall(r'standing\."(\w+)"', where)) <= held
    assert index.condition == Q(is_warned=True)
