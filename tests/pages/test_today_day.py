"""It: what came in since the member last closed the day, and the check with which they close it."""
# ruff: noqa: F811  # the fixtures below come from the tests of follow-ups

import datetime as dt
import html
import re

import pytest

from customers.models import Contact, Interaction, Order, SurveyResponse
from followups.models import Bulk, Desk, FollowUp
from followups.services import complete, log_contact
from health.models import HealthHistory, HealthScore
from risk.models import Alert
from tenants.context import tenant_scope
from tenants.models import Event
from tests.followups.conftest import NOON, TODAY, friday_noon, raised  # noqa: F401  # fixtures

DAY = dt.timedelta(days=1)
HX = {"HX-Request": "true"}
URL = "/acme/today/"
SINCE = f"{URL}since/"
CLOSE = f"{URL}close/"


@pytest.fixture
def ann(cast, sign_in):
    return sign_in(cast.ann)


def text(response):
    if response.streaming:
        return b"".join(response.streaming_content).decode()
    return html.unescape(response.content.decode())


def arrived(cast, customer, at):
    """One of each kind of news about a customer, at a moment."""
    with tenant_scope(cast.tenant):
        rows = [
            Alert.objects.create(
                customer=customer, signal="order_silence", risk_class="demand", level="severe", period=str(at),
                opened_on=TODAY, due_at=NOON, policy_version=1,
            ),
            Order.objects.create(
                customer=customer, external_id=f"SO-{customer.pk}", placed_at=at, placed_on=at.date(), currency="GBP",
                net=1200, digest="",
            ),
            SurveyResponse.objects.create(customer=customer, kind="nps", score=3, text="Too slow"),
            Interaction.objects.create(customer=customer, channel="email", direction="inbound", note="Where is it?"),
        ]  # fmt: skip
        for row in rows:
            fields = {"created_at": at} | ({"updated_at": at} if hasattr(row, "updated_at") else {})
            type(row).objects.filter(pk=row.pk).update(**fields)
        HealthScore.objects.create(
            customer=customer, score=30, band="red", known=4, order_days_count=3, spend_recent=1, spend_before=1,
            categories_recent=1, categories_before=1, policy_version=1, band_since=at.date(),
        )  # fmt: skip
        HealthHistory.objects.create(customer=customer, on=at.date() - 30 * DAY, score=80, band="green")
        HealthHistory.objects.create(customer=customer, on=at.date(), score=30, band="red")


def numbers(page):
    return re.findall(r"<b>([^<]+)</b> ([^<]+)</a>", page)


EACH_ONCE = [
    ("1", "New alerts"),
    ("1", "New orders"),
    ("1", "Survey answers"),
    ("1", "Messages from customers"),
    ("1", "Changes of colour"),
]


# ── since yesterday ──────────────────────────────────────────────────────────


def test_counts_what_came_in_since_yesterday_of_the_members_customers(ann, cast):
    arrived(cast, cast.customer("Huaxin"), NOON - DAY)
    arrived(cast, cast.customer("Old"), NOON - 3 * DAY)
    arrived(cast, cast.customer("Bo's", owner_a=cast.bo, owner_b=None), NOON - DAY)
    page = text(ann.get(SINCE, headers=HX))
    assert "Since yesterday:" in page
    assert numbers(page) == EACH_ONCE
    assert "<html" not in page
    assert "New alerts" in text(ann.get(SINCE))


def test_counts_from_when_the_day_was_closed(ann, cast, time_machine):
    arrived(cast, cast.customer("Seen"), NOON - DAY)
    ann.post(CLOSE, {"verb": "close"})
    assert "nothing new" in text(ann.get(SINCE, headers=HX))
    time_machine.move_to(NOON + DAY, tick=False)
    arrived(cast, cast.customer("New"), NOON + 20 * dt.timedelta(hours=1))
    page = text(ann.get(SINCE, headers=HX))
    assert "Since you closed the day, 20 Nov 12:00:" in page
    assert numbers(page) == EACH_ONCE


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("alerts", ["No order", "Severe"]),
        ("orders", ["SO-", "£1,200"]),
        ("answers", ["NPS", "3", "Too slow"]),
        ("messages", ["E-mail", "Where is it?"]),
        ("health", ["Green", "Red", "30"]),
    ],
)
def test_opens_the_rows_behind_each_number_and_exports_them(ann, cast, kind, words):
    arrived(cast, cast.customer("Huaxin"), NOON - DAY)
    arrived(cast, cast.customer("Old"), NOON - 9 * DAY)
    page = text(ann.get(f"{SINCE}{kind}/"))
    assert "1 row" in page
    for each in ["Huaxin", *words]:
        assert each in page
    assert "Old" not in page
    lines = text(ann.get(f"{SINCE}{kind}/?export=csv")).strip().splitlines()
    assert len(lines) == 2
    assert lines[1].startswith("Huaxin,")


def test_leaves_out_who_was_scored_for_the_first_time_and_who_kept_the_colour(ann, cast):
    arrived(cast, cast.customer("Huaxin"), NOON - DAY)
    with tenant_scope(cast.tenant):
        HealthHistory.objects.filter(band="green").update(band="red")
    assert ("1", "Changes of colour") not in numbers(text(ann.get(SINCE, headers=HX)))


@pytest.mark.parametrize("path", ["?export=xls", "?colour=red"])
def test_refuses_what_the_rows_do_not_have(ann, path):
    assert ann.get(f"{SINCE}alerts/{path}").status_code == 400
    assert ann.get(f"{SINCE}weather/").status_code == 404


def test_explains_an_empty_list(ann):
    assert "No alert has opened since then." in text(ann.get(f"{SINCE}alerts/"))


# ── closing the day ──────────────────────────────────────────────────────────


def test_says_what_is_left_promised_and_without_a_word_and_what_comes_next(ann, cast, raised):
    raised(cast.customer("Late"), due_on=TODAY - DAY)
    raised(cast.customer("Severe"), level="severe")
    raised(cast.customer("Promised"), rule="promise", facts={"on": "2026-11-18", "text": "price list"})
    raised(cast.customer("Monday"), due_on=TODAY + 3 * DAY)
    raised(cast.customer("Tuesday"), due_on=TODAY + 4 * DAY)
    raised(cast.customer("Bo's"), assignee=cast.bo)
    with tenant_scope(cast.tenant):
        complete(follow_up=raised(cast.customer("Silent")), member=cast.ann)
        log_contact(
            follow_up=raised(cast.customer("Said")), member=cast.ann, channel="phone", answered=True, note="All well"
        )
    page = text(ann.get(CLOSE))
    assert "3 left of today" in page
    assert "1 severe alert cannot be put off." in page
    assert "Promised on 18 Nov: price list" in page
    assert "Carry 2 over to Mon 23 Nov" in page
    parts = {
        title: page.split(f'id="{title}-title"')[1].split("</section>")[0]
        for title in ("left", "promised", "unlogged", "coming")
    }
    assert "Silent" in parts["unlogged"]
    assert "Said" not in parts["unlogged"]
    assert "Monday" in parts["coming"]
    assert "Tuesday" not in parts["coming"]
    assert "Bo's" not in page


def test_carries_over_with_one_verb_what_may_wait_and_takes_it_back(ann, cast, raised):
    rows = [raised(), raised(due_on=TODAY - DAY), raised(level="severe")]
    page = ann.post(CLOSE, {"verb": "carry"}, follow=True)
    assert "2 carried over to Mon 23 Nov" in text(page)
    with tenant_scope(cast.tenant):
        assert [FollowUp.objects.get(pk=row.pk).day for row in rows] == [TODAY + 3 * DAY] * 2 + [TODAY]
        assert FollowUp.objects.get(pk=rows[0].pk).snooze_reason == "carried"
    events = re.search(r'name="events" value="([\d,]+)"', text(page)).group(1)
    page = ann.post(CLOSE, {"verb": "undo", "events": events}, follow=True)
    assert "2 brought back" in text(page)
    with tenant_scope(cast.tenant):
        assert not FollowUp.objects.filter(snoozed_until__isnull=False).exists()


def test_carries_over_by_the_firms_own_calendar(ann, cast, raised, time_machine):
    """Christmas on a Friday: the next working day in England is Tuesday, after the substitute of Boxing Day."""
    time_machine.move_to(dt.datetime(2026, 12, 24, 17, tzinfo=dt.UTC), tick=False)
    raised(due_on=dt.date(2026, 12, 24))
    assert "Carry 1 over to Tue 29 Dec" in text(ann.get(CLOSE))


def test_carries_over_in_the_background_when_much_is_left(ann, cast, raised, monkeypatch):
    from dashboards.views import today_day

    monkeypatch.setattr(today_day, "MANY", 2)
    for _ in range(3):
        raised()
    page = ann.post(CLOSE, {"verb": "carry"})
    with tenant_scope(cast.tenant):
        row = Bulk.objects.get()
    assert page["Location"] == f"/acme/today/bulks/{row.pk}/"
    assert (row.verb, row.total, row.said["reason"]) == ("snooze", 3, "carried")


def test_closes_the_day_and_says_so_on_today(ann, cast):
    page = text(ann.post(CLOSE, {"verb": "close"}, follow=True))
    assert "The day is closed." in page
    assert "Closed 12:00" in page
    with tenant_scope(cast.tenant):
        assert Desk.objects.get(member=cast.ann).closed_at == NOON
        assert Event.objects.filter(verb="closed", object_type="desk").count() == 1
    ann.post(CLOSE, {"verb": "close"})
    with tenant_scope(cast.tenant):
        assert Desk.objects.count() == 1


def test_takes_words_for_what_was_done_without_one(ann, cast, raised):
    row = raised()
    with tenant_scope(cast.tenant):
        complete(follow_up=row, member=cast.ann)
    assert "Done without a word" in text(ann.get(CLOSE))
    page = text(ann.post(CLOSE, {"verb": "say", "follow_up": row.pk, "note": "They are well"}, follow=True))
    assert "Done without a word" not in page
    assert "Nothing is left of today" in page
    with tenant_scope(cast.tenant):
        assert Interaction.objects.get().note == "They are well"


@pytest.mark.parametrize("said", [{"verb": "sing"}, {}])
def test_refuses_a_verb_that_does_not_exist(ann, said):
    assert ann.post(CLOSE, said).status_code == 400


def test_takes_no_words_about_what_the_member_does_not_see(ann, cast, raised):
    row = raised(cast.customer("Bo's", owner_a=cast.bo, owner_b=None), assignee=cast.bo, status="done", closed_at=NOON)
    assert ann.post(CLOSE, {"verb": "say", "follow_up": row.pk, "note": "x"}).status_code == 404
    assert ann.post(CLOSE, {"verb": "say", "follow_up": "x" * 30, "note": "x"}).status_code == 404


# ── the view that is kept, the reason for the rank, the next touch ───────────


def test_opens_with_the_view_that_was_chosen_last(ann, cast, sign_in, raised):
    raised(cast.customer("Ann's"))
    raised(cast.customer("Bo's too"), assignee=cast.bo)
    assert "Bo's too" not in text(ann.get(URL))
    ann.get(URL, {"view": "all"})
    assert "Bo's too" in text(ann.get(URL))
    assert "Bo's too" in text(sign_in(cast.ann).get(URL))  # another browser
    ann.get(URL, {"view": "mine"})
    assert "Bo's too" not in text(ann.get(URL))
    with tenant_scope(cast.tenant):
        assert Desk.objects.get().view == "mine"


def test_keeps_the_view_and_the_last_close_apart(ann, cast):
    ann.get(URL, {"view": "covering"})
    ann.post(CLOSE, {"verb": "close"})
    ann.get(URL, {"view": "all"})
    with tenant_scope(cast.tenant):
        desk = Desk.objects.get()
    assert (desk.view, desk.closed_at) == ("all", NOON)


def test_says_why_a_follow_up_ranks_where_it_does(ann, raised):
    row = raised(priority=10_000 // 100 * 50 * 5, level="severe", due_on=TODAY - 2 * DAY)
    page = text(ann.get(f"{URL}{row.pk}/", headers=HX))
    assert "Why it ranks here" in page
    assert "50% at risk" in page
    assert "× 5<small>Severe" in page
    assert "× 150%<small>2 days late" in page
    assert "Money or health have moved" not in page
    moved = raised(priority=7)
    assert "Money or health have moved" in text(ann.get(f"{URL}{moved.pk}/", headers=HX))


SAID = {"channel": "phone", "outcome": "talked", "note": "They want samples."}


def test_plans_the_next_touch_on_the_day_that_the_member_wrote(ann, cast, raised):
    row = raised()
    page = text(ann.post(f"{URL}{row.pk}/log/", SAID | {"next_on": "2026-12-04", "promised": "on"}, headers=HX))
    assert "logged, next on Fri 4 Dec" in page
    with tenant_scope(cast.tenant):
        planned = FollowUp.objects.get(rule="promise")
    assert (planned.due_on, planned.assignee_id) == (dt.date(2026, 12, 4), cast.ann.pk)


@pytest.mark.parametrize(
    ("day", "words"), [("2026-11-20", "Plan it for a day after today."), ("2020-01-01", "Plan it for"), ("x", "valid")]
)
def test_says_at_the_field_why_the_next_day_cannot_be_and_keeps_the_text(ann, cast, raised, day, words):
    row = raised()
    page = ann.post(f"{URL}{row.pk}/log/", SAID | {"next_on": day}, headers=HX)
    assert page["HX-Retarget"] == "#preview"
    assert words in text(page)
    assert ">They want samples.</textarea>" in text(page)
    with tenant_scope(cast.tenant):
        assert FollowUp.objects.get().status == "open"


def test_leaves_the_day_of_the_cadence_to_the_cadence(ann, cast, raised):
    from segmentation.models import Standing

    row = raised()
    with tenant_scope(cast.tenant):
        Standing.objects.create(customer=row.customer, frequency=1, monetary=1, tier="gold", policy_version=1)
        Contact.objects.create(customer=row.customer, name="Liu Fang")
    page = text(ann.get(f"{URL}{row.pk}/", headers=HX))
    day = re.search(r'name="next_on"[^>]* value="([\d-]+)"', page).group(1)
    ann.post(f"{URL}{row.pk}/log/", SAID | {"next_on": day})
    with tenant_scope(cast.tenant):
        assert not FollowUp.objects.filter(rule__in=["planned", "promise"]).exists()
