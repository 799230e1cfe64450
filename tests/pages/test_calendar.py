"""It: the calendar of follow-ups by month and week, moving in it, and the address that programmes read."""
# ruff: noqa: F811  # the fixtures below come from the tests of follow-ups

import datetime as dt
import html
import re

import icalendar
import pytest
from django.test import Client

from followups.models import CalendarFeed, FollowUp
from tenants.context import tenant_scope
from tenants.models import User
from tests.followups.conftest import NOON, TODAY, friday_noon, raised  # noqa: F401  # fixtures

DAY = dt.timedelta(days=1)
URL = "/acme/today/calendar/"
HX = {"HX-Request": "true"}


@pytest.fixture
def ann(cast, sign_in):
    return sign_in(cast.ann)


def text(response):
    return html.unescape(response.content.decode())


def cells(page):
    """The names in each day of the calendar that has any."""
    found = {}
    for cell in re.findall(r"<td(.*?)</td>", page, re.S):
        names = re.findall(r"</svg>(?:<b>[^<]*</b> )?([^<]+)", cell.split("<ul>")[1]) if "<ul>" in cell else []
        names = [name.strip() for name in names if name.strip()]
        if names:
            found[re.search(r"day=([\d-]+)", cell).group(1)] = names
    return found


def test_shows_each_follow_up_on_its_day(ann, cast, raised):
    raised(cast.customer("Huaxin"))
    raised(cast.customer("Put off"), snoozed_until=TODAY + 4 * DAY)
    raised(cast.customer("Next month"), due_on=dt.date(2026, 12, 9))
    raised(cast.customer("Bo's"), assignee=cast.bo)
    raised(cast.customer("Done"), status="done", closed_at=NOON)
    page = text(ann.get(URL))
    assert cells(page) == {"2026-11-20": ["Huaxin"], "2026-11-24": ["Put off"]}
    assert "November 2026" in page
    assert "2 open follow-ups" in page
    assert cells(text(ann.get(URL, {"day": "2026-12-01"}))) == {"2026-12-09": ["Next month"]}
    assert cells(text(ann.get(URL, {"span": "week"})))["2026-11-20"][0] == "Huaxin"


def test_shows_a_few_of_a_full_day_and_how_many_more(ann, raised):
    for place in range(6):
        raised(priority=1000 - place)
    page = text(ann.get(URL))
    assert len(cells(page)["2026-11-20"]) == 4
    assert "2 more" in page


def test_shows_whose_it_is_as_far_as_one_may_ask(cast, sign_in, raised):
    raised(cast.customer("Ann's"))
    raised(cast.customer("Bo's"), assignee=cast.bo)
    lea, ann = sign_in(cast.lea), sign_in(cast.ann)
    assert cells(text(lea.get(URL, {"who": cast.bo.pk}))) == {"2026-11-20": ["Bo's"]}
    assert sorted(cells(text(lea.get(URL, {"who": "all"})))["2026-11-20"]) == ["Ann's", "Bo's"]
    assert ann.get(URL, {"who": cast.bo.pk}).status_code == 404
    assert sorted(cells(text(ann.get(URL, {"who": "all"})))["2026-11-20"]) == ["Ann's", "Bo's"]
    assert cells(text(sign_in(cast.eve).get(URL)))["2026-11-20"]


@pytest.mark.parametrize("query", ["?span=year", "?day=soon", "?day=1700-01-01", "?colour=red"])
def test_refuses_what_makes_no_sense(ann, query):
    assert ann.get(URL + query).status_code == 400


def test_marks_days_off_with_the_holidays_name(ann):
    page = text(ann.get(URL, {"day": "2026-12-25"}))
    assert "Christmas Day" in page


@pytest.mark.parametrize("rows", [3, 60])
def test_asks_the_database_as_often_for_60_as_for_3(ann, raised, rows, django_assert_num_queries):
    for place in range(rows):
        raised(due_on=TODAY + (place % 9) * DAY)
    ann.get(URL)
    with django_assert_num_queries(14):
        ann.get(URL)


def test_moves_by_the_form_and_takes_it_back(ann, cast, raised):
    row = raised(cast.customer("Huaxin"))
    asked = text(ann.get(f"{URL}{row.pk}/move/", headers=HX))
    assert "Move Huaxin" in asked
    page = ann.post(f"{URL}{row.pk}/move/?span=week", {"to": "2026-11-25"}, follow=True)
    assert "Huaxin moved to Wed 25 Nov" in text(page)
    assert cells(text(ann.get(URL))) == {"2026-11-25": ["Huaxin"]}
    events = re.search(r'name="events" value="([\d,]+)"', text(page)).group(1)
    assert "It is back on its day." in text(ann.post(f"{URL}undo/", {"events": events}, follow=True))
    assert cells(text(ann.get(URL))) == {"2026-11-20": ["Huaxin"]}


@pytest.mark.parametrize(
    ("fields", "to", "words"),
    [
        ({}, "2026-11-19", "That day has passed."),
        ({}, "2027-03-01", "At most 30 days"),
        ({"level": "severe"}, "2026-11-25", "severe alerts cannot be snoozed"),
        ({}, "soon", "valid date"),
    ],
)
def test_says_in_the_dialog_why_it_cannot_move(ann, cast, raised, fields, to, words):
    row = raised(**fields)
    page = ann.post(f"{URL}{row.pk}/move/", {"to": to}, headers=HX)
    assert words in text(page)
    assert "HX-Redirect" not in page
    with tenant_scope(cast.tenant):
        assert FollowUp.objects.get(pk=row.pk).day == TODAY


def test_goes_back_to_the_calendar_after_a_drop(ann, raised):
    row = raised()
    page = ann.post(f"{URL}{row.pk}/move/?span=week&day=2026-11-20", {"to": "2026-11-25"}, headers=HX)
    assert page["HX-Redirect"].startswith(f"{URL}?span=week&day=2026-11-20")


# ── the feed ─────────────────────────────────────────────────────────────────


def make(client):
    page = client.post(f"{URL}feed/")
    assert page["Cache-Control"] == "no-store"
    return re.search(r'id="feed-address">http://testserver(/feeds/[^<]+\.ics)<', text(page)).group(1)


def events(answer):
    return list(icalendar.Calendar.from_ical(answer.content).walk("VEVENT"))


def test_gives_a_secret_address_that_a_programme_reads_without_signing_in(ann, cast, raised):
    raised(cast.customer("Huaxin, Ltd; Co"), due_on=TODAY + DAY, facts={"every_days": 30})
    timed = raised(cast.customer("Alarm"), due_at=NOON + dt.timedelta(hours=6), level="mild")
    raised(cast.customer("Bo's"), assignee=cast.bo)
    address = make(ann)
    answer = Client().get(address)
    assert answer["Content-Type"].startswith("text/calendar")
    found = {str(each["summary"]): each for each in events(answer)}
    assert sorted(found) == ["Alarm: Light touch", "Huaxin, Ltd; Co: Monthly light touch"]
    all_day = found["Huaxin, Ltd; Co: Monthly light touch"]
    assert (all_day.decoded("dtstart"), all_day.decoded("dtend")) == (TODAY + DAY, TODAY + 2 * DAY)
    assert found["Alarm: Light touch"].decoded("dtstart") == NOON + dt.timedelta(hours=6)
    assert str(found["Alarm: Light touch"]["url"]) == f"http://testserver/acme/today/{timed.pk}/"
    with tenant_scope(cast.tenant):
        row = CalendarFeed.objects.get()
        assert row.last_used_at == NOON
        assert address.split("_")[2].removesuffix(".ics") not in row.secret_hash


def test_shows_the_address_once_and_ends_it(ann, raised):
    address = make(ann)
    page = text(ann.get(f"{URL}feed/"))
    assert address not in page
    assert "You have an address since 20 November 2026." in page
    newer = make(ann)
    assert Client().get(address).status_code == 404
    assert Client().get(newer).status_code == 200
    assert "no longer opens anything" in text(ann.post(f"{URL}feed/", {"end": "1"}, follow=True))
    assert Client().get(newer).status_code == 404


def test_opens_nothing_to_who_guesses_and_for_who_has_left(ann, cast):
    address = make(ann)
    for wrong in (address[:-5] + "x.ics", address.replace("cal_", "pn_"), "/feeds/x.ics", "/feeds/cal_zzzzzx1_x.ics"):
        assert Client().get(wrong).status_code == 404
    with tenant_scope(cast.tenant):
        cast.ann.is_active = False
        cast.ann.save()
    assert Client().get(address).status_code == 404


def test_an_api_token_is_no_calendar_and_the_other_way_round(ann, cast):
    token = cast.token(cast.ann)
    assert Client().get(f"/feeds/{token}.ics").status_code == 404
    secret = make(ann).removeprefix("/feeds/").removesuffix(".ics")
    assert Client().get("/api/v1/me", headers={"Authorization": f"Bearer {secret}"}).status_code == 401


def test_speaks_the_members_language_and_shows_only_what_they_still_see(ann, cast, raised):
    User.objects.filter(pk=cast.ann.user_id).update(language="zh-hans")
    row = raised(facts={"every_days": 30})
    address = make(ann)
    assert "月度" in str(events(Client().get(address))[0]["summary"])
    with tenant_scope(cast.tenant):
        customer = row.customer
        customer.owner_a, customer.owner_b = cast.bo, None
        customer.save()
    assert events(Client().get(address)) == []
