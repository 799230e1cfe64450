"""It: who may lapse, by money at risk, with the reasons in words; and the same on the customers list."""

from __future__ import annotations

import csv
import html
import io
import re
from decimal import Decimal
from typing import get_args

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from dashboards.lapse_words import SHORT_WHY, WHY_NO_CUT_OFF, WHY_NO_FORECAST, WHY_NO_NUMBER, part_words, short_words
from health.models import LapseForecast
from health.rules.backtest import Refusal
from health.rules.forecast import Code, Part, PartKey, Reason
from tenants.context import tenant_scope
from tenants.models import User
from tests.health.crowds import crowd
from tests.pages.conftest import FRIDAY, HX, text
from tests.pages.test_customer import words

__all__ = ["crowd"]

LIST = "/acme/health/forecast/"


@pytest.fixture
def eve(cast, sign_in):
    return sign_in(cast.eve)


@pytest.fixture
def told(crowd, night):
    """A crowd with a past, and the night that forecasts it."""
    night()
    return crowd


def table(client, address=LIST):
    rows = csv.reader(io.StringIO(text(client.get(address)).removeprefix("\ufeff")))
    head = next(rows)
    return [dict(zip(head, row, strict=True)) for row in rows]


def counted(client, address):
    said = re.search(r'role="status">([\d,]+) customers?<', text(client.get(address, headers=HX)))
    return int(said[1].replace(",", ""))


# ── the list ─────────────────────────────────────────────────────────────────


def test_explains_itself_before_the_first_night(eve, cast):
    cast.customer()
    page = text(eve.get(LIST))
    assert "The next night makes the first forecast." in page
    assert "pn-strip" not in page


def test_puts_the_most_money_at_risk_first(cast, eve, told):
    rows = table(eve, f"{LIST}?export=csv&lapse_from=0")
    at_risk = [Decimal(row["Money at risk"]) for row in rows if row["Money at risk"]]
    assert len(at_risk) > 50
    assert at_risk == sorted(at_risk, reverse=True)
    for row in rows[:20]:
        exact = Decimal(row["Expected, 12 months"]) * int(row["Lapse"]) / 100
        assert abs(Decimal(row["Money at risk"]) - exact) <= Decimal("0.0001")


def test_puts_who_has_no_number_last_and_says_why(cast, eve, told):
    rows = table(eve, f"{LIST}?export=csv")
    numbers = [row["Lapse"] != "" for row in rows]
    assert numbers == sorted(numbers, reverse=True)
    assert not all(numbers)
    with tenant_scope(cast.tenant):
        codes = {each.customer.name: each.code for each in LapseForecast.objects.select_related("customer")}
    for row in rows:
        assert bool(row["Lapse"]) == (codes[row["Customer"]] == "")
        if not row["Lapse"]:
            assert row["Reasons, percentage points"] == str(WHY_NO_NUMBER[codes[row["Customer"]]])


def test_says_the_three_strongest_reasons_in_words(eve, told):
    for row in table(eve, f"{LIST}?export=csv&lapse_from=0"):
        reasons = row["Reasons, percentage points"].split("; ")
        assert all(re.search(r" [+−]\d+$", reason) for reason in reasons if not reason.endswith("usual"))
    page = words(text(eve.get(f"{LIST}?lapse_from=60")))
    assert re.search(r"Silent for \d+ days?, [\d.]+ × own gap \+\d+", page)


def test_opens_as_many_rows_as_each_number_of_the_strip_says(eve, told):
    page = text(eve.get(LIST))
    strip = page[page.index("pn-strip") : page.index("pn-filters")]
    found = re.findall(r'href="(\?[^"]+)"><span class="k">[^<]+</span><span class="v"><b>([\d,]+)</b>', strip)
    assert len(found) == 2
    for address, number in found:
        assert counted(eve, f"{LIST}{html.unescape(address)}") == int(number.replace(",", ""))


def test_shows_what_the_member_sees(cast, sign_in, told):
    with tenant_scope(cast.tenant):
        type(told[0]).objects.filter(pk__in=[each.pk for each in told[:200]]).update(owner_a=cast.bo)
    ann, bo, eve = (sign_in(each) for each in (cast.ann, cast.bo, cast.eve))
    everybody = counted(eve, LIST)
    assert 0 < counted(ann, LIST) < counted(bo, LIST) < everybody
    assert counted(ann, LIST) + counted(bo, LIST) == everybody
    risk = [
        re.search(r"Money at risk of all</span><span class=\"v\"><b>([^<]+)", text(each.get(LIST)))[1]
        for each in (ann, eve)
    ]
    assert risk[0] != risk[1]


def test_filters_by_warning_percent_money_and_reason(eve, told):
    rows = table(eve, f"{LIST}?export=csv")
    numbered = [row for row in rows if row["Lapse"]]
    for query, expected in {
        "warned=yes": sum(int(row["Lapse"]) >= 50 for row in numbered),
        "warned=no": len(rows) - sum(int(row["Lapse"]) >= 50 for row in numbered),
        "lapse_from=70": sum(int(row["Lapse"]) >= 70 for row in numbered),
        "lapse_from=20&lapse_to=40": sum(20 <= int(row["Lapse"]) <= 40 for row in numbered),
        "at_risk_from=200": sum(Decimal(row["Money at risk"] or 0) >= 200 for row in numbered),
        "no_forecast=lapsed": sum("lapsed" in row["Reasons, percentage points"] for row in rows if not row["Lapse"]),
        f"warned_from={FRIDAY}": sum(int(row["Lapse"]) >= 50 for row in numbered),
        f"warned_to={FRIDAY}": 0,
    }.items():
        found = text(eve.get(f"{LIST}?{query}", headers=HX))
        if expected:
            assert counted(eve, f"{LIST}?{query}") == expected, query
        else:
            assert "Nothing matches these filters" in found


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("lapse_from=60&lapse_to=20", "This lies below the beginning of the range."),
        ("lapse_from=101", "less than or equal to 100"),
        ("warned=perhaps", "Lapse warning"),
    ],
)
def test_says_what_is_wrong_with_a_filter(eve, told, query, said):
    page = text(eve.get(f"{LIST}?{query}"))
    assert "These filters do not work" in page
    assert said in html.unescape(page)


def test_refuses_what_it_does_not_know(eve, told):
    answer = eve.get(f"{LIST}?percent=50")
    assert answer.status_code == 400
    assert "percent" in text(answer)


def test_says_plainly_that_there_is_no_model_and_warns_by_silence(cast, eve, placed, night):
    quiet, lively = cast.customer("Quiet"), cast.customer("Lively")
    placed(quiet, *range(75, 400, 20))
    placed(lively, *range(5, 400, 20))
    night()
    page = words(text(eve.get(LIST)))
    assert "There is no model, so there are no percentages. Fewer customers have ordered again" in page
    assert "the plain rule warns: silent for more than 60 days" in page
    assert "Money at risk of all" not in page
    rows = table(eve, f"{LIST}?export=csv")
    # Who is warned of comes first.
    assert [(row["Customer"], row["Lapse"], row["Warned since"]) for row in rows] == [
        ("Quiet", "", str(FRIDAY)), ("Lively", "", ""),
    ]  # fmt: skip
    assert {row["Reasons, percentage points"] for row in rows} == {"There is no model yet."}


def test_asks_no_more_the_more_rows_there_are(eve, told):
    counts = []
    for query in ("lapse_from=85", "lapse_from=85", "lapse_from=20"):  # the first asks what the others then know
        with CaptureQueriesContext(connection) as queries:
            text(eve.get(f"{LIST}?{query}"))
        counts.append(len(queries))
    assert counted(eve, f"{LIST}?lapse_from=85") < counted(eve, f"{LIST}?lapse_from=20")
    assert counts[2] <= counts[1] + 1  # of more than a page: which rows, and then all about them


def test_reads_in_chinese(cast, eve, told):
    User.objects.filter(pk=cast.eve.user_id).update(language="zh-hans")
    assert '<html lang="zh-hans">' in text(eve.get(LIST))


# ── the customers list ───────────────────────────────────────────────────────


def test_the_customers_list_has_the_percentage_and_its_filters(cast, eve, told):
    assert counted(eve, "/acme/customers/?warned=yes") == counted(eve, f"{LIST}?warned=yes")
    rows = table(eve, "/acme/customers/?export=csv&sort=-lapse")
    percents = [int(row["Lapse"]) for row in rows if row["Lapse"]]
    assert percents == sorted(percents, reverse=True)
    assert [row["Lapse"] == "" for row in rows] == sorted(row["Lapse"] == "" for row in rows)


# ── words ────────────────────────────────────────────────────────────────────


def test_every_code_of_the_rules_has_words():
    assert set(get_args(Code)) == {"", *WHY_NO_NUMBER}
    assert SHORT_WHY.keys() == WHY_NO_NUMBER.keys()
    assert set(get_args(Reason)) == {"", *WHY_NO_FORECAST}
    refusals = {code for codes in get_args(Refusal) for code in get_args(codes)}
    assert refusals == {"", *WHY_NO_CUT_OFF, *WHY_NO_FORECAST}


FACTS = {
    "silence": {"days": 41, "median_gap": 19.0},
    "rhythm": {"order_days": 12, "median_gap": 30.0, "longest_gap": 60, "days_known": 400},
    "recent": {"order_days": 1, "days": 182, "active_months": 1},
    "money": {"mean_order": 6_200_000, "net_quarter": 6_200_000, "net_year": 82_000_000},
    "credit_notes": {"credit_notes": 3, "orders": 12},
    "season": {"same_season": 2, "horizon_days": 90, "busy": 120},
}


def test_every_kind_of_reason_has_words(scope):
    assert FACTS.keys() == set(get_args(PartKey))
    said = {key: (part_words(Part(key, 10, facts)), short_words(Part(key, 10, facts))) for key, facts in FACTS.items()}
    assert said == {
        "silence": ("Silent for 41 days, 2.2 × own gap", "silent 2.2 × own gap"),
        "rhythm": ("Own gap of 30 days, 12 order days", "own gap 30 d"),
        "recent": ("1 order day in half a year, active in 1 of 6 months", "1 order day in 6 months"),
        "money": ("Brought £620 in 3 months, £8k in 12", "£620 in 3 months"),
        "credit_notes": ("3 credit notes to 12 orders", "3 credit notes"),
        "season": ("Busy season ahead, 120% of usual; 2 order days in it a year ago", "season ahead 120%"),
    }


def test_silence_that_speaks_for_a_customer_is_a_recent_order():
    assert part_words(Part("silence", -10, {"days": 4, "median_gap": 20.0})) == "Last order 4 days ago, 0.2 × own gap"


@pytest.mark.parametrize(
    ("busy", "same", "said"),
    [(78, 0, "Quiet season ahead, 78% of usual"), (103, 0, "Usual season ahead"), (96, 1, "Usual season ahead; 1 order day in it a year ago")],
)  # fmt: skip
def test_a_season_is_quiet_busy_or_usual(busy, same, said):
    assert part_words(Part("season", 5, {"busy": busy, "same_season": same, "horizon_days": 90})) == said
