"""It: the health dashboard, the disagreement list and the data quality, each number with its rows."""

from __future__ import annotations

import csv
import datetime as dt
import html
import io
import re
from types import SimpleNamespace

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from health import pulses
from health.models import HealthScore
from tenants.context import tenant_scope
from tests.health.scored import counted, history_of, night_of, score_of
from tests.pages.conftest import FRIDAY, HX, text

OVERVIEW, DISAGREEMENT, QUALITY = (f"/acme/health/{page}" for page in ("", "disagreement/", "data-quality/"))
MONDAY = dt.date(2026, 11, 2)


@pytest.fixture
def eve(cast, sign_in):
    return sign_in(cast.eve)


@pytest.fixture
def firm(cast, noon):
    """Five customers in four colours, of whom two fell and one rose, and three weeks of nights."""
    with tenant_scope(cast.tenant):
        night_of(FRIDAY)
        rows = {
            "Fell": (35, 52, 80, 400), "Slipped": (71, 73, 71, 90), "Rose": (90, 60, None, 100), "Quiet": (60, 60, 60, 20),
            "Unknown": (None, None, None, 5),
        }  # fmt: skip
        found = {}
        for name, (score, week, month, net) in rows.items():
            owners = {"owner_a": None, "owner_b": None} if name == "Quiet" else {}
            found[name] = customer = cast.customer(name, **owners)
            score_of(customer, score, week_score=week, month_score=month, net=net)
            history_of(customer, (dt.date(2026, 10, 12), month), (MONDAY, week), (dt.date(2026, 11, 18), score))
        for days in (14, 7):
            for owner, band, customers in (
                (cast.ann, "green", 1), (cast.ann, "yellow", 2), (cast.ann, "none", 1), (None, "yellow", 1),
            ):  # fmt: skip
                counted(FRIDAY - dt.timedelta(days=days), owner, band, customers)
        for owner, band, customers in (
            (cast.ann, "green", 2), (cast.ann, "red", 1), (cast.ann, "none", 1), (None, "yellow", 1),
        ):  # fmt: skip
            counted(FRIDAY, owner, band, customers)
        pulses.give_pulse(customer=found["Fell"], member=cast.ann, band="green", reason="season", note="Moves house")
        pulses.give_pulse(customer=found["Rose"], member=cast.ann, band="yellow", reason="price")
        pulses.give_pulse(customer=found["Quiet"], member=cast.lea, band="yellow", reason="other")
    return SimpleNamespace(**found)


def table(response):
    return list(csv.reader(io.StringIO(text(response).removeprefix("\ufeff"))))


def rows_of(client, address):
    said = re.search(r'role="status">(?:more than )?([\d,]+) customer', text(client.get(address, headers=HX)))
    return int(said[1].replace(",", ""))


def numbers(page):
    """(address, number) of every link to the customers that stands on a number, is "All 8", or is on the strip."""
    plain = re.findall(r'href="(/acme/customers/\?[^"]*)"[^>]*>(?:<b>)?(?:All )?([\d,]+)(?: scores? \([^<]*)?<', page)
    strip = re.findall(
        r'<a class="pn-stat" href="(/acme/customers/\?[^"]*)">.*?<b>([\d,]+)</b>', page
    )  # fmt: skip
    return [(html.unescape(address), int(number.replace(",", ""))) for address, number in [*plain, *strip]]


def check_numbers(client, page, least):
    found = numbers(page)
    assert len(found) >= least, found
    for address, number in found:
        assert rows_of(client, address) == number, address


# ── overview ─────────────────────────────────────────────────────────────────


def test_explains_itself_before_the_first_night(eve, cast):
    cast.customer()
    page = text(eve.get(OVERVIEW))
    assert "Nobody has a score yet" in page
    assert "pn-strip" not in page


def test_is_one_of_the_main_links(eve, firm):
    page = text(eve.get(OVERVIEW))
    assert re.search(r'<a class="pn-link" href="/acme/health/" aria-current="page">', page)
    for tab in ("Overview", "Forecast", "Disagreement", "Data quality", "Back-test"):
        assert re.search(rf'class="nav-link[^"]*"[^>]*>{tab}</a>', page), tab


def test_opens_as_many_rows_as_each_number_says(eve, firm):
    for since in ("", "?since=month", "?from=2026-10-12&to=2026-11-02"):
        check_numbers(eve, text(eve.get(OVERVIEW + since)), least=20)


def test_opens_as_many_rows_for_who_sees_a_part(cast, sign_in, firm):
    ann = sign_in(cast.ann)
    page = text(ann.get(OVERVIEW))
    assert "4 customers<" in page
    # The trend goes by A owner and by night: of those weeks there is only the count.
    check_numbers(ann, page[: page.index('id="trend-title"')] + page[page.index('id="moves-title"') :], least=15)


def test_says_who_moved_most_since_which_monday(eve, firm):
    page = text(eve.get(OVERVIEW))
    assert "points since Mon 9 Nov" in page
    fell = page[page.index('id="down-title"') : page.index('id="up-title"')]
    assert re.findall(r">(Fell|Slipped|Rose)</a>", fell) == ["Fell", "Slipped"]
    assert '<td class="num strong">−17</td>' in fell
    assert '<td class="num">−2</td>' in fell
    rose = page[page.index('id="up-title"') :]
    assert "+30" in rose
    month = text(eve.get(f"{OVERVIEW}?since=month"))
    assert "points since Mon 19 Oct" in month
    assert "−45" in month
    assert "Nobody has won points." in month


def test_says_how_the_colours_went(eve, firm):
    page = text(eve.get(OVERVIEW))
    trend = page[page.index('id="trend-title"') : page.index('id="moves-title"')]
    assert re.search(
        r'data-band="red".*?href="/acme/customers/\?health=red">1</a> <span class="mute">\+1</span>', trend
    )
    assert '"values": [0, 0, 1]' in trend
    figures = trend[trend.index("<tbody>") :]
    assert re.findall(r"(\d+ Nov)</th>", figures) == ["20 Nov", "13 Nov", "6 Nov"]


def test_leads_to_the_list_sorted_by_what_it_is_about(eve, firm):
    page = text(eve.get("/acme/customers/?week_to=-1&sort=week_change"))
    assert "Health, a week" in page
    assert page.index(">Fell<") < page.index(">Slipped<")
    assert ">Rose<" not in page


def test_shows_the_owners_with_most_money_in_red_and_the_others_behind_a_link(eve, firm, monkeypatch):
    by_owner = lambda page: re.findall(r'owner_a=(?:\d+|none)&amp;closed=no">([^<]+)<', page)  # noqa: E731
    everybody = by_owner(text(eve.get(OVERVIEW)))
    assert len(everybody) == 2
    assert "owners=all" not in text(eve.get(OVERVIEW))
    monkeypatch.setattr("dashboards.views.health.OWNERS", 1)
    short = text(eve.get(f"{OVERVIEW}?since=month"))
    assert by_owner(short) == everybody[:1]
    link = re.search(r'href="(\?[^"]*owners=all[^"]*)#owners">All 2<', short)
    assert by_owner(text(eve.get(OVERVIEW + html.unescape(link[1])))) == everybody


def test_says_when_facts_have_scored_customers_since(cast, eve, firm):
    assert "scored again since" not in text(eve.get(OVERVIEW))
    with tenant_scope(cast.tenant):
        HealthScore.objects.filter(customer=firm.Fell).update(rescored_at=dt.datetime(2026, 11, 20, 10, tzinfo=dt.UTC))
    assert "1 scored again since, after a fact came in" in text(eve.get(OVERVIEW))


@pytest.mark.parametrize(
    ("sheet", "lines", "first"),
    [
        ("distribution", 4, ["Green", "2", "0.4", "190", str(190 / 615)]),
        ("trend", 12, ["2026-11-06", "Green", "1", "0"]),
        ("down", 2, ["Fell", "35", "Red", "−17", "2026-11-09", "400", "Ann"]),
        ("up", 1, ["Rose", "90", "Green", "30", "2026-11-09", "100", "Ann"]),
        ("owners", 2, ["Ann", "2", "0", "1", "1", "2", "595", "400"]),
    ],
)
def test_gives_each_part_as_a_file(eve, firm, sheet, lines, first):
    rows = table(eve.get(f"{OVERVIEW}?export={sheet}"))
    assert len(rows) == 1 + lines
    plain = [cell.replace("−", "-") for cell in rows[1]]
    assert [cell.rstrip("0").rstrip(".") if "." in cell else cell for cell in plain] == [
        each.replace("−", "-") for each in first
    ]


def test_gives_the_moves_between_two_days_as_a_file(eve, firm):
    rows = table(eve.get(f"{OVERVIEW}?export=moves&from=2026-10-12&to=2026-11-20"))
    assert rows[0] == ["Day", "From", "Day", "To", "Customers", "Net money"]
    assert ["2026-10-12", "Green", "2026-11-20", "Red", "1", "400"] in rows
    assert sum(int(row[4]) for row in rows[1:]) == 5


@pytest.mark.parametrize(
    "address",
    [
        f"{OVERVIEW}?since=year", f"{OVERVIEW}?page=2", f"{OVERVIEW}?export=csv", f"{OVERVIEW}?from=x",
        f"{OVERVIEW}?owners=some", f"{OVERVIEW}?from=2026-11-20&to=2026-11-02", f"{QUALITY}?since=week", f"{QUALITY}?export=xlsx",
        f"{DISAGREEMENT}?colour=red", f"{DISAGREEMENT}?sort=mood",
    ],
)  # fmt: skip
def test_refuses_what_the_page_does_not_have(eve, firm, address):
    assert eve.get(address).status_code == 400


@pytest.mark.parametrize(
    "address", [f"{OVERVIEW}?export=owners", f"{DISAGREEMENT}?export=csv", f"{QUALITY}?export=csv"]
)
def test_exports_for_whom_it_is_allowed_only(cast, sign_in, firm, address):
    assert sign_in(cast.ian).get(address).status_code == 403
    assert sign_in(cast.ann).get(address).status_code == 200


@pytest.mark.parametrize("address", [OVERVIEW, DISAGREEMENT, QUALITY])
def test_costs_as_much_for_many_as_for_few(cast, eve, firm, address):
    def cost():
        with CaptureQueriesContext(connection) as queries:
            eve.get(address)
        return len(queries)

    eve.get(address)  # what only the first page of a session asks
    few = cost()
    with tenant_scope(cast.tenant):
        for number in range(8):
            customer = cast.customer(f"More {number}")
            score_of(customer, 30, week_score=60, month_score=70)
            pulses.give_pulse(customer=customer, member=cast.ann, band="green", reason="price")
    assert cost() == few


# ── machine and person ───────────────────────────────────────────────────────


def test_lists_whom_people_see_otherwise(eve, firm):
    page = text(eve.get(DISAGREEMENT))
    assert "2 customers" in page
    assert page.index(">Fell<") < page.index(">Rose<")  # more money first
    assert "“Moves house”" in page
    assert ">Quiet<" not in page  # they agree
    assert "Season or stock" in page
    assert re.search(r'href="/acme/health/disagreement/">.*?<b>2</b>', text(eve.get(OVERVIEW)))


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        ("differs=worse", ["Rose"]), ("differs=better", ["Fell"]), ("differs=two", ["Fell"]), ("machine=red", ["Fell"]),
        ("view=yellow", ["Rose"]), ("reason=price", ["Rose"]), ("q=ros", ["Rose"]), ("owner=none", []),
        ("sort=view", ["Rose", "Fell"]), ("sort=machine", ["Fell", "Rose"]), ("sort=name", ["Fell", "Rose"]),
        ("sort=at&owner={ann}", ["Fell", "Rose"]),
    ],
)  # fmt: skip
def test_narrows_and_sorts_the_list(cast, eve, firm, asked, names):
    rows = table(eve.get(f"{DISAGREEMENT}?export=csv&{asked.format(ann=cast.ann.pk)}"))
    assert [row[0] for row in rows[1:]] == names


def test_gives_the_list_as_a_file(eve, firm):
    head, first, *_rest = table(eve.get(f"{DISAGREEMENT}?export=csv"))
    assert head == ["Customer", "Score", "Own view", "Reason", "By", "Given", "Net money, 12 months", "A owner"]
    assert first[:6] == ["Fell", "Red 35", "Green", "Season or stock", "Ann", "2026-11-20"]


def test_says_when_all_agree(cast, sign_in, firm):
    with tenant_scope(cast.tenant):
        type(firm.Fell).objects.update(owner_a=cast.ada, owner_b=None)
    page = text(sign_in(cast.ann).get(DISAGREEMENT))
    assert "Score and people agree" in page


# ── data quality ─────────────────────────────────────────────────────────────


def test_explains_the_quality_before_the_first_night(eve, cast):
    assert "Nothing to measure yet" in text(eve.get(QUALITY))


def test_shows_each_kind_of_fact_with_its_rows(cast, eve, firm):
    with tenant_scope(cast.tenant):
        old = FRIDAY - dt.timedelta(days=400)
        HealthScore.objects.filter(customer=firm.Fell).update(csat_count=1, csat_sum=4, asked=5, last_asked_on=old)
        HealthScore.objects.filter(customer=firm.Rose).update(order_days_count=9, last_order_on=FRIDAY)
    page = text(eve.get(QUALITY))
    assert "The goal is 98%." in page
    assert "1 score (25%)" in page
    check_numbers(eve, page, least=16)
    rows = {row[0]: row for row in table(eve.get(f"{QUALITY}?export=csv"))[1:]}
    assert rows["Satisfaction (CSAT)"][2:6] == ["5", "1", "0", "4"]
    assert rows["Replies to our contacts"][2:6] == ["5", "0", "1", "4"]


# ── the customers list ───────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        ("view=green", {"Fell"}), ("differs=any", {"Fell", "Rose"}), ("week_to=-5", {"Fell"}), ("week_from=1", {"Rose"}),
        ("month_to=-1", {"Fell"}), ("week_from=-2&week_to=-1", {"Slipped"}), ("owner_a=none", {"Quiet"}),
        ("owner_a={ann}&health=red", {"Fell"}), ("health_after=green&health_to=2026-10-20", {"Fell", "Slipped"}),
        ("health_from=2026-10-12&health_before=none", {"Rose", "Unknown"}),
        ("health_from=2026-10-12&health_to=2026-11-02&health_before=green&health_after=yellow", {"Fell"}),
        ("health_from=2026-11-02", {"Fell", "Rose"}),
        ("health_from=2026-10-01&health_before=not_scored&health_after=red", {"Fell"}),
        ("fact=satisfaction&fact_is=missing&health=red", {"Fell"}),
    ],
)  # fmt: skip
def test_finds_customers_by_health(cast, eve, firm, asked, names):
    rows = table(eve.get(f"/acme/customers/?export=csv&{asked.format(ann=cast.ann.pk)}"))
    assert {row[0] for row in rows[1:]} == names


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ("health_before=red", "Say the day on which the colour was that one."),
        ("health_to=2026-11-02", "Say the day on which the colour was that one."),
        ("fact=orders", "Say whether it is to be there, fresh, stale or missing."),
        ("fact_is=stale", "Say which kind of fact."),
        ("week_from=5&week_to=1", "This lies below the beginning of the range."),
        ("health_from=2026-11-02&health_to=2026-10-02", "This lies below the beginning of the range."),
    ],
)
def test_says_what_filters_lack(eve, firm, asked, words):
    assert words in text(eve.get(f"/acme/customers/?{asked}"))
