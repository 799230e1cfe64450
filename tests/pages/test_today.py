"""It: Today, its queue, its verbs, what each role sees."""
# ruff: noqa: F811  # the fixtures below come from the tests of follow-ups

import datetime as dt
import html
import re

import pytest
from django.db import connection
from django.db.models.sql.compiler import SQLCompiler
from django.test.utils import CaptureQueriesContext

from customers.models import Contact, Customer, Interaction
from followups.models import FollowUp
from health.models import HealthScore, LapseForecast
from risk.models import Alert
from segmentation.models import Standing
from tenants.context import tenant_scope
from tenants.models import Member, Run, User
from tests.followups.conftest import NOON, TODAY, friday_noon, raised  # noqa: F401  # fixtures

DAY = dt.timedelta(days=1)
URL = "/acme/today/"
HX = {"HX-Request": "true"}


@pytest.fixture
def ann(cast, sign_in):
    return sign_in(cast.ann)


def names(response):
    return re.findall(r'class="pn-item-name clip">([^<]+)', html.unescape(response.content.decode()))


def text(response):
    return response.content.decode()


def reload(row):
    with tenant_scope(row.tenant):
        return FollowUp.objects.select_related("interaction").get(pk=row.pk)


@pytest.fixture
def night(cast):
    """Last night of acme, at 02:10."""
    with tenant_scope(cast.tenant):
        return Run.objects.create(
            job="nightly",
            for_date=TODAY,
            status="done",
            finished_at=dt.datetime(2026, 11, 20, 2, 10, tzinfo=dt.UTC),
            policy_version=1,
        )


def stand(cast, customer, *, money=12_400_000, score=37, band="red", tier="gold"):
    """Where the customer stands since last night."""
    with tenant_scope(cast.tenant):
        Standing.objects.create(
            customer=customer, last_order_on=TODAY - 41 * DAY, frequency=9, monetary=money, r=3, f=4, m=5,
            segment="011", tier=tier, policy_version=1,
        )  # fmt: skip
        HealthScore.objects.create(
            customer=customer, score=score, band=band, known=4, order_days_count=30, last_order_on=TODAY - 41 * DAY,
            median_gap=19, gap_cv=0.9, spend_recent=1000, spend_before=8000, categories_recent=5,
            categories_before=8, policy_version=1,
        )  # fmt: skip


# ── what is shown ────────────────────────────────────────────────────────────


def test_shows_the_ranked_queue_with_reason_due_and_channel(ann, raised, cast):
    late = cast.customer("Rongda Ceramics")
    raised(late, due_on=TODAY - DAY, channel="visit", facts={"every_days": 30})
    first = cast.customer("Huaxin")
    raised(
        first,
        priority=9_000_000,
        due_at=NOON + dt.timedelta(hours=6),
        channel="wechat",
        rule="signal:order_silence",
        facts={"since": "2026-09-18", "own_gap": 24},
        level="severe",
    )
    raised(cast.customer("Wanjia"), due_on=TODAY + 3 * DAY)
    page = ann.get(URL)
    assert names(page) == ["Huaxin", "Rongda Ceramics", "Wanjia"]
    for words in (
        "No order for 63 days, usual gap 24",
        "Today 18:00",
        "1 day late",
        "Mon 23 Nov",
        "Monthly light touch",
    ):
        assert words in text(page)
    for icon in ("i-brand-wechat", "i-walk", "i-phone"):
        assert f"#{icon}" in text(page)


def test_shows_where_the_customer_stands_and_how_far_it_has_moved(ann, raised, cast, night):
    row = raised(cast.customer("Huaxin"))
    stand(cast, row.customer)
    with tenant_scope(cast.tenant):
        HealthScore.objects.filter(customer=row.customer).update(week_score=46)
        LapseForecast.objects.create(
            customer=row.customer,
            percent=62,
            horizon_days=90,
            is_warned=True,
            warned_on=TODAY - 3 * DAY,
            policy_version=1,
        )
    page = text(ann.get(URL))
    assert "Gold" in page
    assert re.search(r"Lapse in 90 days</dt><dd>62%<small>warned since 17 Nov", page)
    assert '<b>37</b> <span class="d drop"' in page
    assert "−9</span>" in page
    assert "£12.4M" in page
    assert "29 Oct" in page  # next order expected: the last one and the own gap
    assert "22 days late" in page


def test_counts_what_the_strip_says_and_opens_the_rows_behind(ann, raised, cast, night):
    for fields in ({}, {"due_on": TODAY - 2 * DAY}, {"due_on": TODAY + DAY}, {"assignee": cast.bo}):
        raised(**fields)
    raised(status="done", closed_at=NOON, closed_by=cast.ann)
    red, green, alarmed = cast.customer("Red"), cast.customer("Green"), cast.customer("Alarmed")
    stand(cast, red, money=2_000_000)
    stand(cast, green, score=90, band="green")
    stand(cast, alarmed, money=500_000, score=90, band="green")
    with tenant_scope(cast.tenant):
        Alert.objects.create(
            customer=alarmed, signal="order_silence", risk_class="demand", level="severe", period="x",
            opened_on=TODAY, due_at=NOON, policy_version=1,
        )  # fmt: skip
    page = text(ann.get(URL))
    stats = re.findall(r'class="k">([^<]+)</span><span class="v"><b>([^<]+)</b>(?:<small[^>]*>([^<]*)</small>)?', page)
    assert stats == [
        ("Due today", "1", "1 done"),
        ("Overdue", "1", "oldest 2 days"),
        ("At risk", "£2.5M", "2 customers"),
        ("Alerts", "1", "1 severe"),
    ]
    assert 'Mine <span class="mute">3</span>' in page
    assert names(ann.get("/acme/today/?due=late")) == [row.customer.name for row in late_rows(cast)]
    assert "Red" in text(ann.get("/acme/customers/?risk=any"))
    only_alarmed = text(ann.get("/acme/customers/?risk=alert"))
    assert "Alarmed" in only_alarmed
    assert ">Red</a>" not in only_alarmed


def late_rows(cast):
    with tenant_scope(cast.tenant):
        return list(FollowUp.objects.filter(due_on__lt=TODAY, status="open").select_related("customer"))


def test_says_as_of_when_the_numbers_are(ann, raised, cast, night):
    raised()
    page = text(ann.get(URL))
    assert "as of 02:10" in page
    assert "policy v1" in page
    assert 'class="late">as of' not in page


def test_says_in_red_that_the_numbers_are_old(ann, cast, night):
    with tenant_scope(cast.tenant):
        Run.objects.update(for_date=TODAY - DAY)
    assert '<span class="late">as of' in text(ann.get(URL))


def test_says_that_no_night_has_been(ann, cast):
    assert "no night yet" in text(ann.get(URL))


@pytest.mark.parametrize(
    ("who", "view", "seen"),
    [
        ("ann", "", ["Ann's"]),
        ("ann", "covering", []),
        ("ann", "all", ["Ann's", "Nobody's"]),
        ("bo", "covering", ["Ann's", "Nobody's"]),
        ("lea", "", ["Ann's", "Nobody's", "Other team"]),
        ("eve", "", ["Ann's", "Nobody's", "Other team"]),
        ("eve", "mine", []),
    ],
)
def test_shows_each_role_what_it_sees(cast, sign_in, raised, who, view, seen):
    raised(cast.customer("Ann's"))
    raised(cast.customer("Nobody's"), assignee=None)
    raised(cast.customer("Other team", owner_a=None, owner_b=None), assignee=None)
    assert sorted(names(sign_in(getattr(cast, who)).get(URL, {"view": view} if view else {}))) == seen


def test_writes_what_a_name_says_and_nothing_else(ann, raised, cast):
    row = raised(cast.customer("<i>A & B's</i>"), rule="manual", facts={"text": "<b>why</b>"})
    page = text(ann.get(URL))
    assert '<span class="pn-item-name clip">&lt;i&gt;A &amp; B&#x27;s&lt;/i&gt;</span>' in page
    assert 'aria-label="Select &lt;i&gt;A &amp; B&#x27;s&lt;/i&gt;"' in page
    assert '<span class="pn-item-why clip">&lt;b&gt;why&lt;/b&gt;</span>' in page
    assert f'href="{URL}{row.pk}/?view=mine"' in page
    assert f'hx-replace-url="{URL}?view=mine&amp;at={row.pk}"' in page


def test_marks_the_row_that_is_shown_and_no_other(ann, raised):
    rows = [raised(priority=priority) for priority in (900, 500, 100)]
    page = text(ann.get(URL, {"at": rows[1].pk}))
    assert re.findall(r'<li class="pn-item is-current" id="f-(\d+)"', page) == [str(rows[1].pk)]
    assert re.findall(r'data-id="(\d+)">\s*<label', page) == [str(row.pk) for row in rows]
    assert re.findall(r'<span aria-hidden="true">(\d+)</span></label>', page) == ["1", "2", "3"]


def test_offers_no_verb_to_who_only_looks_on(cast, sign_in, raised):
    raised()
    page = text(sign_in(cast.eve).get(URL))
    assert "Log &amp; next" not in page
    assert 'name="pick"' not in page
    assert "Your role looks on" in page


def test_is_written_in_chinese_for_who_reads_chinese(ann, raised, cast):
    User.objects.filter(pk=cast.ann.user_id).update(language="zh-hans")
    raised(due_on=TODAY + 3 * DAY)
    raised(
        due_at=NOON + dt.timedelta(hours=6), rule="signal:order_silence", facts={"since": "2026-09-18", "own_gap": 24}
    )
    page = text(ann.get(URL))
    assert "63天未下单，平时间隔24天" in page
    assert "今天 18:00" in page or "今天18:00" in page
    assert 'lang="zh-hans"' in page
    assert "11月20日 星期五" in page
    assert "11月23日" in page


def test_speaks_the_tenants_language_to_who_has_none(cast, sign_in):
    assert 'lang="zh-hans"' in text(sign_in(cast.otto).get("/globex/today/"))


@pytest.mark.parametrize("rows", [5, 100])
def test_asks_the_database_as_often_for_100_rows_as_for_5(ann, raised, cast, night, rows, django_assert_num_queries):
    for _ in range(rows):
        stand(cast, raised().customer)
    ann.get(URL)
    with django_assert_num_queries(27):
        page = ann.get(URL)
    assert len(names(page)) == min(rows, 50)


def test_shows_more_when_asked(ann, raised):
    for _ in range(60):
        raised()
    assert "Show 10 more" in text(ann.get(URL))
    assert len(names(ann.get(URL, {"show": 150}))) == 60


@pytest.mark.parametrize("query", ["?view=theirs", "?due=soon", "?show=9000", "?at=x", "?colour=red", "?rank=old"])
def test_refuses_a_parameter_that_makes_no_sense(ann, query):
    assert ann.get(URL + query).status_code == 400


def test_finds_in_the_list_by_name(ann, raised, cast):
    raised(cast.customer("Huaxin Building"))
    raised(cast.customer("Wanjia"))
    assert names(ann.get(URL, {"q": "HUAX"})) == ["Huaxin Building"]
    assert "No customer matches “nothing”" in text(ann.get(URL, {"q": "nothing"}))


def test_explains_an_empty_queue_and_offers_the_next_step(cast, sign_in, raised):
    assert "You do not own or cover a customer yet" in text(sign_in(cast.ann).get(URL))
    assert "Import orders" in text(sign_in(cast.ada).get(URL))
    raised(assignee=cast.bo, customer=cast.customer("Huaxin"))
    page = text(sign_in(cast.ann).get(URL))
    assert "Nothing due" in page
    assert "Show all 1" in page


# ── the order ────────────────────────────────────────────────────────────────


def test_keeps_the_order_while_ranks_change_and_says_what_is_new(ann, raised, cast, time_machine):
    first, second = raised(priority=200), raised(priority=100)
    shown = [first.customer.name, second.customer.name]
    assert names(ann.get(URL)) == shown
    time_machine.move_to(NOON + dt.timedelta(minutes=10), tick=False)
    with tenant_scope(cast.tenant):
        FollowUp.objects.filter(pk=second.pk).update(priority=1_000_000_000)
    third = raised(priority=500_000_000)
    page = ann.get(URL)
    assert names(page) == shown
    assert "1 new" in text(page)
    assert names(ann.get(URL, {"rank": "new"}, follow=True)) == [
        second.customer.name,
        third.customer.name,
        first.customer.name,
    ]


def test_ranks_afresh_on_another_day(ann, raised, cast, time_machine):
    first, second = raised(priority=200), raised(priority=100)
    ann.get(URL)
    with tenant_scope(cast.tenant):
        FollowUp.objects.filter(pk=second.pk).update(priority=300)
    time_machine.move_to(NOON + DAY, tick=False)
    assert names(ann.get(URL)) == [second.customer.name, first.customer.name]


def test_goes_on_to_others_when_all_that_were_ranked_are_done(ann, raised, cast):
    row = raised()
    ann.get(URL)
    later = raised()
    page = ann.post("/acme/today/done/", {"pick": row.pk, "seen": 1, "at": row.pk}, headers=HX)
    assert names(page) == [later.customer.name]


# ── the preview ──────────────────────────────────────────────────────────────


def test_shows_what_somebody_needs_before_a_call(ann, raised, cast, night):
    customer = cast.customer("Huaxin", since=dt.date(2017, 3, 1))
    stand(cast, customer)
    with tenant_scope(cast.tenant):
        liu = Contact.objects.create(
            customer=customer, name="Liu Fang", title="Purchasing", phone="+44 1", channel="wechat", is_main=True
        )
        for n in range(6):
            Interaction.objects.create(
                customer=customer, channel="phone", topic=f"Topic {n}", answered=n != 5, at=NOON - n * DAY - 2 * DAY
            )
    row = raised(customer, contact=liu, channel="wechat")
    page = text(ann.get(f"/acme/today/{row.pk}/", headers=HX))
    for words in ("Liu Fang", "Purchasing", "+44 1", "Topic 0", "all 6", "Health receipt", "/ 100", "A Ann, B Bo"):
        assert words in page
    assert "Topic 5" not in page
    assert "<html" not in page
    assert "Next: Light touch" in page
    assert re.search(r'name="next_on"[^>]* value="2026-11-30"', page)
    assert re.search(r'<option value="wechat" selected', page)
    assert re.search(r'value="sent" checked', page)


def test_is_a_page_of_its_own_on_a_small_screen(ann, raised):
    row = raised()
    page = text(ann.get(f"/acme/today/{row.pk}/"))
    assert "<html" in page
    assert 'name="own_page"' in page
    assert 'formaction="/acme/today/snooze/' in page


def test_says_that_a_follow_up_is_closed(ann, raised, cast):
    row = raised(status="done", closed_by=cast.bo, closed_at=NOON)
    page = text(ann.get(f"/acme/today/{row.pk}/"))
    assert "done, Bo, 12:00" in page
    assert "Log &amp; next" not in page


def test_does_not_know_what_the_member_does_not_see(cast, sign_in, raised):
    row = raised(cast.customer("Bo's", owner_a=cast.bo, owner_b=None), assignee=cast.bo)
    for path in ("", "log/"):
        client = sign_in(cast.ann)
        answer = client.post(f"/acme/today/{row.pk}/{path}") if path else client.get(f"/acme/today/{row.pk}/")
        assert answer.status_code == 404


# ── the verbs ────────────────────────────────────────────────────────────────


def test_logs_and_shows_the_next_customer_in_one_answer(ann, raised, cast):
    first, second = raised(priority=900), raised(priority=100)
    ann.get(URL)
    said = {"channel": "phone", "outcome": "talked", "note": "They want samples."}
    page = ann.post(f"/acme/today/{first.pk}/log/", said, headers=HX)
    assert names(page) == [second.customer.name]
    assert f'<h2 id="preview-title">{second.customer.name}</h2>' in text(page)
    assert f"{first.customer.name} logged" in text(page)
    assert page["HX-Replace-Url"].endswith(f"at={second.pk}")
    closed = reload(first)
    assert (closed.status, closed.interaction.note, closed.interaction.answered) == ("done", "They want samples.", True)


@pytest.mark.parametrize(("outcome", "answered"), [("sent", None), ("talked", True), ("none", False)])
def test_notes_whether_the_customer_answered(ann, raised, outcome, answered):
    row = raised()
    ann.post(f"/acme/today/{row.pk}/log/", {"channel": "phone", "outcome": outcome, "note": ""})
    assert reload(row).interaction.answered is answered


def test_notes_that_the_customer_asked_about_a_competitor(ann, raised):
    rows = raised(), raised()
    for row, said in zip(rows, ({"about_competitor": "on"}, {}), strict=True):
        ann.post(f"/acme/today/{row.pk}/log/", {"channel": "phone", "outcome": "talked", "note": ""} | said)
    assert [reload(row).interaction.about_competitor for row in rows] == [True, False]


def test_notes_that_the_customer_thinks_of_leaving(ann, raised):
    rows = raised(), raised()
    for row, said in zip(rows, ({"leaving": "broke_off"}, {}), strict=True):
        ann.post(f"/acme/today/{row.pk}/log/", {"channel": "phone", "outcome": "talked", "note": ""} | said)
    assert [reload(row).interaction.leaving for row in rows] == ["broke_off", ""]
    refused = ann.post(
        f"/acme/today/{raised().pk}/log/", {"channel": "phone", "outcome": "talked", "note": "", "leaving": "perhaps"}
    )
    assert refused.status_code == 400


def test_keeps_the_text_when_somebody_was_faster(ann, raised, cast, sign_in):
    row = raised()
    sign_in(cast.bo).post("/acme/today/done/", {"pick": row.pk})
    said = {"channel": "phone", "outcome": "talked", "note": "My own words"}
    page = ann.post(f"/acme/today/{row.pk}/log/", said, headers=HX)
    assert page["HX-Retarget"] == "#preview"
    assert "Bo logged a contact with" in text(page)
    assert ">My own words</textarea>" in text(page)
    plain = ann.post(f"/acme/today/{row.pk}/log/", said)
    assert plain.status_code == 409
    ann.post(f"/acme/today/{row.pk}/log/", said | {"anyway": "1"}, headers=HX)
    with tenant_scope(cast.tenant):
        assert Interaction.objects.filter(note="My own words").count() == 1


def test_keeps_the_text_when_it_is_too_long(ann, raised):
    row = raised()
    page = ann.post(f"/acme/today/{row.pk}/log/", {"channel": "phone", "outcome": "talked", "note": "x" * 4001})
    assert page.status_code == 400
    assert "x" * 4001 in text(page)
    assert reload(row).status == "open"


def test_works_without_scripts_from_row_to_undo(ann, raised):
    first, second = raised(priority=900), raised(priority=100)
    ann.get(URL)
    said = {"channel": "phone", "outcome": "talked", "note": "ok", "own_page": "1"}
    page = ann.post(f"/acme/today/{first.pk}/log/", said, follow=True)
    assert page.request["PATH_INFO"] == f"/acme/today/{second.pk}/"
    events = re.search(r'name="events" value="([\d,]+)"', text(page)).group(1)
    page = ann.post("/acme/today/undo/", {"events": events}, follow=True)
    assert "1 brought back" in text(page)
    assert reload(first).status == "open"
    page = ann.post("/acme/today/done/", {"pick": [first.pk, second.pk]}, follow=True)
    assert "2 done, next touch planned" in text(page)
    assert "Nothing due" in text(page)


def test_marks_many_done_and_takes_them_all_back(ann, raised):
    rows = [raised() for _ in range(3)]
    ann.get(URL)
    page = ann.post("/acme/today/done/", {"pick": [r.pk for r in rows], "seen": 3, "at": rows[0].pk}, headers=HX)
    assert "3 done" in text(page)
    events = re.search(r'name="events" value="([\d,]+)"', text(page)).group(1)
    page = ann.post("/acme/today/undo/", {"events": events}, headers=HX)
    assert names(page) == [row.customer.name for row in rows]


def test_changes_nothing_when_what_was_seen_has_changed(ann, raised, cast, sign_in):
    rows = [raised() for _ in range(2)]
    ann.get(URL)
    sign_in(cast.bo).post("/acme/today/done/", {"pick": rows[0].pk})
    page = ann.post("/acme/today/done/", {"pick": [r.pk for r in rows], "seen": 2}, headers=HX)
    assert "1 of the selected has been closed meanwhile" in text(page)
    assert reload(rows[1]).status == "open"
    assert re.search(rf'value="{rows[1].pk}"[^>]* checked', text(page))


def test_snoozes_with_a_reason_and_says_which_stay(ann, raised):
    mild, severe = raised(), raised(level="severe")
    picks = {"pick": [mild.pk, severe.pk], "seen": 2, "at": mild.pk}
    asked = text(ann.post("/acme/today/snooze/", picks | {"open": "1"}, headers=HX))
    assert "Snooze 2" in asked
    assert f"{severe.customer.name} stays: severe alerts cannot be snoozed." in asked
    assert 'value="2026-11-23"' in asked
    page = text(ann.post("/acme/today/snooze/", picks | {"reason": "closed", "until": "2026-11-23"}, headers=HX))
    assert "1 snoozed to Mon 23 Nov, 1 stays" in page
    assert re.search(rf'value="{severe.pk}"[^>]* checked', page)
    assert reload(mild).snoozed_until == dt.date(2026, 11, 23)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"reason": "closed", "until": "2026-11-20"}, "Snooze to a day after today."),
        ({"reason": "closed", "until": "2027-11-20"}, "At most 30 days"),
        ({"reason": "closed", "until": ""}, "Say until when."),
        ({"reason": "other", "words": " ", "until": "2026-11-23"}, "Say why it can wait."),
    ],
)
def test_says_at_the_field_why_it_cannot_be_snoozed(ann, raised, said, words):
    row = raised()
    page = ann.post("/acme/today/snooze/", said | {"pick": row.pk}, headers=HX)
    assert page["HX-Retarget"] == "#dialog-body"
    assert words in text(page)
    assert reload(row).snoozed_until is None


def test_snoozes_by_a_button_and_in_own_words(ann, raised):
    row = raised()
    said = {"reason": "other", "words": "Stocktaking", "until": "2026-11-30", "quick": "2026-11-21"}
    ann.post("/acme/today/snooze/", said | {"pick": row.pk})
    snoozed = reload(row)
    assert (snoozed.snoozed_until, snoozed.snooze_reason) == (dt.date(2026, 11, 21), "Stocktaking")


def test_assigns_to_the_other_owner_and_for_a_lead_to_anybody(cast, sign_in, raised):
    row = raised()
    offered = text(sign_in(cast.ann).post("/acme/today/assign/", {"pick": row.pk, "open": "1"}, headers=HX))
    assert re.findall(r"<option[^>]*>(\w+)</option>", offered) == ["Ann", "Bo"]
    offered = text(sign_in(cast.lea).post("/acme/today/assign/", {"pick": row.pk, "open": "1"}, headers=HX))
    assert re.findall(r"<option[^>]*>(\w+)</option>", offered) == ["Ada", "Ann", "Bo", "Ian", "Lea"]
    page = sign_in(cast.ann).post("/acme/today/assign/", {"pick": row.pk, "assignee": cast.bo.pk}, headers=HX)
    assert "1 given to Bo" in text(page)
    assert reload(row).assignee_id == cast.bo.pk


@pytest.mark.parametrize("path", ["done", "snooze", "assign"])
def test_refuses_picks_that_are_no_ids(ann, path):
    assert ann.post(f"/acme/today/{path}/", {"pick": "1; drop table"}).status_code == 400


def test_asks_for_what_is_new_without_moving_the_queue(ann, raised):
    raised()
    ann.get(URL)
    page = text(ann.get("/acme/today/fresh/", headers=HX))
    assert 'id="strip" hx-swap-oob="true"' in page
    assert "pn-item" not in page


# ── what is kept between pages ───────────────────────────────────────────────


def test_puts_its_queries_into_sql_once(ann, raised, cast, night, monkeypatch):
    row = raised()
    stand(cast, row.customer)
    ann.get(URL), ann.get(URL)
    compiled, as_sql = [], SQLCompiler.as_sql

    def noted(self, *args, **kwargs):
        compiled.append(self.query.model.__name__)
        return as_sql(self, *args, **kwargs)

    monkeypatch.setattr(SQLCompiler, "as_sql", noted)
    assert names(ann.get(URL)) == [row.customer.name]
    kept = {"Desk", "Standing", "LapseForecast", "Interaction", "HealthTally", "PolicyVersion"}
    assert not kept & set(compiled)
    assert compiled.count("FollowUp") == 1  # how many were done today


def test_names_the_member_who_looks_without_asking_for_them(ann, raised, cast):
    with tenant_scope(cast.tenant):
        raised(cast.customer("Huaxin", owner_b=None))
    ann.get(URL)
    with CaptureQueriesContext(connection) as queries:
        assert "Ann" in text(ann.get(URL))
    asked = [each["sql"] for each in queries.captured_queries if 'FROM "tenants_member"' in each["sql"]]
    assert len(asked) == 2  # who looks, and the firms to go to


def test_names_everybody_whom_the_follow_up_is_about(ann, raised, cast, sign_in):
    raised(cast.customer("Huaxin"), assignee=cast.bo)
    for name in ("Ann", "Bo"):
        assert name in text(ann.get(URL + "?view=all"))
        assert name in text(sign_in(cast.lea).get(URL))


def test_shows_each_their_own_queue_and_what_is_so_now(ann, raised, cast, sign_in):
    bo = sign_in(cast.bo)
    first, second = raised(cast.customer("Amber")), raised(cast.customer("Basalt"), assignee=cast.bo)
    for _time in range(2):
        assert (names(ann.get(URL)), names(bo.get(URL))) == (["Amber"], ["Basalt"])
    with tenant_scope(cast.tenant):
        FollowUp.objects.filter(pk=first.pk).update(assignee=cast.bo)
        Customer.objects.filter(pk=second.customer_id).update(name="Beryl")
    assert names(ann.get(URL)) == []
    assert names(bo.get(URL + "?rank=new", follow=True)) == ["Amber", "Beryl"]


def test_counts_what_has_come_since_each_ranking(ann, raised, cast, time_machine):
    def fresh():
        time_machine.shift(DAY / 24)
        raised()
        return text(ann.get("/acme/today/fresh/", headers=HX))

    raised()
    ann.get(URL)
    assert "1 new" in fresh()
    assert "2 new" in fresh()
    ann.get(URL + "?rank=new", follow=True)
    assert "1 new" in fresh()


# ── keys and palette ─────────────────────────────────────────────────────────


def test_remembers_whether_single_letters_are_keys(ann, cast):
    assert 'data-letters="on"' in text(ann.get(URL))
    assert ann.post("/acme/keys/", headers=HX).status_code == 204
    assert 'data-letters="off"' in text(ann.get(URL))
    ann.post("/acme/keys/", {"on": "on"})
    assert Member.user.field.related_model.objects.get(pk=cast.ann.user_id).letter_keys


def test_finds_customers_and_pages_that_the_member_may_open(ann, cast, sign_in):
    cast.customer("Huaxin Building Materials")
    cast.customer("Huarun", owner_a=cast.ada, owner_b=None)
    page = text(ann.get("/acme/find/", {"q": "hua"}))
    assert "Huaxin" in page
    assert "Huarun" not in page
    cast.customer("Great Huaxin")
    page = text(ann.get("/acme/find/", {"q": "huaxin"}))
    assert page.index("Huaxin Building") < page.index("Great Huaxin")
    assert "Customers" in text(ann.get("/acme/find/", {"q": "cust"}))
    assert "Run history" not in text(ann.get("/acme/find/"))
    assert "/acme/runs/" in text(sign_in(cast.ada).get("/acme/find/"))
    assert "No customer matches" in text(ann.get("/acme/find/", {"q": "zzz"}))
