"""It: one verb on everything that a view holds: how many, done at once or in the background, its progress, its undo."""
# ruff: noqa: F811  # the fixtures below come from the tests of follow-ups

import datetime as dt
import html
import re

import pytest

from customers.models import Contact
from dashboards.views import today_bulk
from followups import bulk
from followups.models import Bulk, FollowUp, Message, Script, ScriptVariant
from tenants.context import tenant_scope
from tests.followups.conftest import NOON, TODAY, friday_noon, raised  # noqa: F401  # fixtures

DAY = dt.timedelta(days=1)
URL = "/acme/today/all/"
HX = {"HX-Request": "true"}


@pytest.fixture
def ann(cast, sign_in):
    return sign_in(cast.ann)


def text(response):
    return html.unescape(response.content.decode())


def one(cast):
    with tenant_scope(cast.tenant):
        return Bulk.objects.get()


def statuses(cast):
    with tenant_scope(cast.tenant):
        return list(FollowUp.objects.order_by("pk").values_list("status", flat=True))


@pytest.fixture
def background(monkeypatch):
    """Two are many: more are left to a worker."""
    monkeypatch.setattr(today_bulk, "MANY", 2)


def test_says_how_many_the_view_holds_now(ann, cast, raised):
    for fields in ({}, {"due_on": TODAY - DAY}, {"due_on": TODAY + 9 * DAY}, {"assignee": cast.bo}):
        raised(**fields)
    assert "All 2 follow-ups of this view" in text(ann.get(URL))
    assert "All 1 follow-up of this view" in text(ann.get(URL, {"due": "late"}))
    assert "All 3 follow-ups of this view" in text(ann.get(URL, {"view": "all"}))


def test_offers_it_on_today_when_more_wait_than_are_shown(ann, raised):
    for _ in range(51):
        raised()
    page = text(ann.get("/acme/today/"))
    assert "Do something with all 51" in page
    assert "/acme/today/all/?view=mine" in page


def test_does_few_at_once_and_takes_them_back_from_today(ann, cast, raised):
    rows = [raised(), raised()]
    page = ann.post(URL, {"verb": "complete", "seen": 2}, follow=True)
    assert "2 done" in text(page)
    assert statuses(cast) == ["done"] * 2
    events = re.search(r'name="events" value="([\d,]+)"', text(page)).group(1)
    ann.post("/acme/today/undo/", {"events": events})
    assert statuses(cast) == ["open"] * len(rows)


@pytest.mark.parametrize(
    ("said", "check"),
    [
        ({"verb": "snooze", "reason": "closed", "until": "2026-11-25"}, {"snoozed_until": dt.date(2026, 11, 25)}),
        ({"verb": "reassign", "assignee": "bo"}, {"assignee": "bo"}),
    ],
)
def test_snoozes_and_assigns_everything(ann, cast, raised, said, check):
    raised(), raised()
    said = {name: getattr(cast, value).pk if value == "bo" else value for name, value in said.items()}
    ann.post(URL, said | {"seen": 2})
    with tenant_scope(cast.tenant):
        for name, value in check.items():
            wanted = cast.bo if value == "bo" else value
            assert FollowUp.objects.filter(**{name: wanted}).count() == 2


def test_changes_nothing_when_the_view_holds_another_number_now(ann, cast, raised):
    raised(), raised()
    page = ann.post(URL, {"verb": "complete", "seen": 3})
    assert page.status_code == 409
    assert "the selection is not what you saw" in text(page)
    assert statuses(cast) == ["open"] * 2


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({}, "Choose what to do."),
        ({"verb": "snooze", "reason": "closed", "until": ""}, "Say until when."),
        ({"verb": "reassign", "assignee": "999999"}, "valid choice"),
        ({"verb": "script", "script": ""}, "required"),
    ],
)
def test_says_at_the_field_what_is_missing(ann, cast, raised, said, words):
    raised()
    page = ann.post(URL, said | {"seen": 1})
    assert page.status_code == 400
    assert words in text(page)
    assert statuses(cast) == ["open"]


def test_leaves_many_to_a_worker_and_shows_how_far_it_is(ann, cast, raised, background):
    for _ in range(3):
        raised()
    answer = ann.post(URL, {"verb": "complete", "seen": 3})
    row = one(cast)
    address = f"/acme/today/bulks/{row.pk}/"
    assert answer["Location"] == address
    page = text(ann.get(address))
    assert 'hx-trigger="every 1s"' in page
    assert "Stop and take back" in page
    assert statuses(cast) == ["open"] * 3


@pytest.fixture
def by_hand(cast):
    """The worker, inside the test's transaction."""
    return lambda: bulk.work(cast.tenant, one(cast).pk)


def test_says_at_the_end_what_came_of_it_and_takes_it_back(ann, cast, raised, background, by_hand):
    for fields in ({}, {}, {"level": "severe"}):
        raised(**fields)
    ann.post(URL, {"verb": "snooze", "reason": "closed", "until": "2026-11-25", "seen": 3})
    by_hand()
    address = f"/acme/today/bulks/{one(cast).pk}/"
    page = text(ann.get(address, headers=HX))
    assert "<html" not in page
    assert "every 1s" not in page
    assert re.findall(r'class="k">([^<]+)</span><span class="v"><b>(\d+)', page) == [
        ("Waiting", "0"),
        ("Changed", "2"),
        ("Stay as they were", "1"),
        ("Taken back", "0"),
        ("Could not be taken back", "0"),
    ]
    assert "severe alerts cannot be snoozed" in page
    ann.post(f"{address}undo/")
    by_hand()
    assert "Taken back" in text(ann.get(address))
    with tenant_scope(cast.tenant):
        assert not FollowUp.objects.filter(snoozed_until__isnull=False).exists()
    assert "Snooze" in text(ann.get("/acme/today/bulks/"))


def test_shows_nobody_elses_bulk_but_to_a_lead(cast, sign_in, raised, background, ann):
    for _ in range(3):
        raised()
    ann.post(URL, {"verb": "complete", "seen": 3})
    address = f"/acme/today/bulks/{one(cast).pk}/"
    assert sign_in(cast.bo).get(address).status_code == 403
    assert sign_in(cast.bo).post(f"{address}undo/").status_code == 403
    assert sign_in(cast.lea).get(address).status_code == 200
    assert address in text(sign_in(cast.lea).get("/acme/today/bulks/"))
    assert "No bulk actions yet" in text(sign_in(cast.bo).get("/acme/today/bulks/"))


def test_refuses_more_than_a_bulk_takes(ann, raised, monkeypatch):
    monkeypatch.setattr(bulk, "MOST", 1)
    raised(), raised()
    assert "Too many at once" in text(ann.get(URL))


def test_explains_an_empty_view(ann):
    assert "Nothing waits in this view." in text(ann.get(URL))


# ── scripts ──────────────────────────────────────────────────────────────────


@pytest.fixture
def script(cast):
    with tenant_scope(cast.tenant):
        row = Script.objects.create(code="hello", scene="regular", name="Hello", channel="email")
        words = {"subject": "A word to {contact}", "parts": ["Dear {contact}, how are things at {customer}?"]}
        ScriptVariant.objects.create(script=row, letter="A", texts={"en": words})
    return row


def reachable(cast, row, **fields):
    usual = {"name": "Liu Fang", "email": f"liu{row.pk}@example.org", "consent": "given"}
    with tenant_scope(cast.tenant):
        return Contact.objects.create(customer=row.customer, **(usual | fields))


def test_sends_a_script_to_each_in_their_own_words_and_says_who_gets_none(ann, cast, raised, script, by_hand):
    rows = [raised(cast.customer("Huaxin")), raised(cast.customer("Nobody there")), raised(cast.customer("Refused"))]
    reachable(cast, rows[0])
    reachable(cast, rows[2], consent="withdrawn")
    picks = {"pick": [row.pk for row in rows], "seen": 3}
    assert "A script to 3 customers" in text(ann.post("/acme/today/script/", picks | {"open": 1}, headers=HX))
    answer = ann.post("/acme/today/script/", picks | {"script": script.pk, "channel": ""})
    assert answer["Location"].startswith("/acme/today/bulks/")
    by_hand()
    with tenant_scope(cast.tenant):
        message = Message.objects.get()
        assert (message.customer, message.subject) == (rows[0].customer, "A word to Liu Fang")
        assert "how are things at Huaxin?" in message.body
        assert message.member_id == cast.ann.pk
    assert statuses(cast) == ["done", "open", "open"]
    page = text(ann.get(f"/acme/today/bulks/{one(cast).pk}/"))
    assert "Nobody there: no contact is known." in page


def test_takes_back_messages_that_have_not_gone_and_keeps_those_that_have(ann, cast, raised, script, by_hand):
    rows = [raised(), raised()]
    for row in rows:
        reachable(cast, row)
    ann.post("/acme/today/script/", {"pick": [row.pk for row in rows], "seen": 2, "script": script.pk})
    by_hand()
    with tenant_scope(cast.tenant):
        assert Message.objects.count() == 2
        Message.objects.filter(follow_up=rows[1]).update(status="sent", sent_at=NOON)
    ann.post(f"/acme/today/bulks/{one(cast).pk}/undo/")
    by_hand()
    assert statuses(cast) == ["open", "done"]
    with tenant_scope(cast.tenant):
        assert Message.objects.get(follow_up=rows[0]).status == "cancelled"
    assert "the message has gone already" in text(ann.get(f"/acme/today/bulks/{one(cast).pk}/"))
