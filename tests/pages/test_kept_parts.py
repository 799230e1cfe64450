"""It: keeps parts of pages and the queries behind them, and shows each person what is theirs, and what is so now."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from customers.models import Customer, Tag
from followups.models import Notice
from risk.models import Alert
from tenants.context import tenant_scope
from tenants.models import Member
from tenants.permissions import Role
from tenants.policies import active_policy, save_policy
from tests.pages.conftest import FRIDAY, text

LIST = "/acme/customers/"


@pytest.fixture
def ann(cast: Any, sign_in: Any, noon: None) -> Any:
    return sign_in(cast.ann)


def options(page: str, name: str) -> list[str]:
    (drawn,) = re.findall(rf'<select name="{name}".*?</select>', page, re.DOTALL)
    return re.findall(r"<option[^>]*>([^<]*)<", drawn)


def chosen(page: str, name: str) -> list[str]:
    (drawn,) = re.findall(rf'<select name="{name}".*?</select>', page, re.DOTALL)
    return re.findall(r'<option value="([^"]*)" selected', drawn)


def waiting(page: str, words: str) -> str:
    """The number beside a link of the side bar."""
    found = re.search(rf'</svg>{words}(?:<span class="count num">([^<]*)</span>)?</a>', page)
    assert found, words
    return found[1] or ""


def alert(cast: Any, customer: Customer, **fields: Any) -> None:
    usual = {
        "signal": "order_silence", "risk_class": "demand", "level": "mild", "period": str(Alert.objects.count()),
        "opened_on": FRIDAY, "due_at": timezone.now(), "role": "account_manager", "policy_version": 1,
    }  # fmt: skip
    Alert.objects.create(customer=customer, **(usual | fields))


# ── filters ──────────────────────────────────────────────────────────────────


def test_offers_each_firm_its_own_people_and_tags(cast: Any, sign_in: Any, ann: Any) -> None:
    for tenant, name in ((cast.tenant, "Harbour"), (cast.other_tenant, "机场")):
        with tenant_scope(tenant):
            Tag.objects.create(name=name)
    ours, theirs = text(ann.get(LIST)), text(sign_in(cast.otto).get("/globex/customers/"))
    assert "Harbour" in options(ours, "tag")
    assert "Otto" not in options(ours, "owner")
    assert "机场" in options(theirs, "tag")
    assert "Harbour" not in options(theirs, "tag")
    assert "Ann" not in options(theirs, "owner")


def test_offers_what_has_come_since_the_page_before(cast: Any, ann: Any) -> None:
    assert "Harbour" not in options(text(ann.get(LIST)), "tag")
    with tenant_scope(cast.tenant):
        Tag.objects.create(name="Harbour")
    assert "Harbour" in options(text(ann.get(LIST)), "tag")


def test_speaks_the_language_of_whoever_looks(cast: Any, ann: Any) -> None:
    in_english = options(text(ann.get(LIST)), "health")
    cast.ann.user.language = "zh-hans"
    cast.ann.user.save()
    in_chinese = options(text(ann.get(LIST)), "health")
    assert "Green" in in_english
    assert len(in_chinese) == len(in_english)
    assert not set(in_chinese) & set(in_english)


def test_shows_what_is_chosen_and_nothing_once_it_is_not(ann: Any) -> None:
    for value in ("red", "", "green", ""):
        page = text(ann.get(LIST, {"health": value, "q": value}))
        assert chosen(page, "health") == [value]
        (typed,) = re.findall(r'<input type="search" name="q"([^>]*)>', page)
        assert re.findall(r' value="([^"]*)"', typed) == [value] * bool(value)


def test_says_what_is_wrong_each_time_and_not_afterwards(ann: Any) -> None:
    for value, is_wrong in (("purple", True), ("", False), ("purple", True)):
        assert ("is-invalid" in text(ann.get(LIST, {"health": value}))) == is_wrong


def test_keeps_filters_of_one_page_apart_from_the_next(ann: Any, cast: Any) -> None:
    cast.customer("Amber"), cast.customer("Basalt")
    assert "Basalt" not in text(ann.get(LIST, {"q": "amber"}))
    assert "Basalt" in text(ann.get(LIST))


# ── the side bar ─────────────────────────────────────────────────────────────


def test_counts_what_waits_now(cast: Any, ann: Any) -> None:
    assert waiting(text(ann.get(LIST)), "Alerts") == ""
    customer = cast.customer()
    with tenant_scope(cast.tenant):
        alert(cast, customer)
        Notice.objects.create(member=cast.ann, kind="alert", params={})
    page = text(ann.get(LIST))
    assert (waiting(page, "Alerts"), waiting(page, "Notices")) == ("1", "1")


def test_counts_a_snoozed_alert_from_its_hour_on(cast: Any, ann: Any, time_machine: Any) -> None:
    customer = cast.customer()
    with tenant_scope(cast.tenant):
        alert(cast, customer, snoozed_until=timezone.now() + dt.timedelta(hours=1), snooze_reason="They call back")
    assert waiting(text(ann.get(LIST)), "Alerts") == ""
    time_machine.shift(dt.timedelta(hours=2))
    assert waiting(text(ann.get(LIST)), "Alerts") == "1"


def test_counts_for_each_what_is_theirs(cast: Any, sign_in: Any, ann: Any) -> None:
    customer = cast.customer()
    with tenant_scope(cast.tenant):
        alert(cast, customer)
    bo = sign_in(cast.bo)
    assert [waiting(text(each.get(LIST)), "Alerts") for each in (ann, bo, ann)] == ["1", "", "1"]


def test_lists_what_a_new_role_may_open(cast: Any, ann: Any) -> None:
    assert "/acme/members/" not in text(ann.get(LIST))
    with tenant_scope(cast.tenant):
        Member.objects.filter(pk=cast.ann.pk).update(role=Role.ADMIN)
    assert "/acme/members/" in text(ann.get(LIST))


def test_follows_who_joins_a_lead_s_team(cast: Any, sign_in: Any, noon: None) -> None:
    lea = sign_in(cast.lea)
    with tenant_scope(cast.tenant):
        Member.objects.filter(pk=cast.ann.pk).update(team=None)
    cast.customer("Amber")
    with tenant_scope(cast.tenant):
        Customer.objects.update(owner_b=None)
    assert "Amber" not in text(lea.get(LIST))
    with tenant_scope(cast.tenant):
        Member.objects.filter(pk=cast.ann.pk).update(team=cast.lea.team)
    assert "Amber" in text(lea.get(LIST))


def test_marks_the_link_of_the_page_that_is_open(ann: Any) -> None:
    marked = r'<a class="pn-link" href="([^"]*)" aria-current="page">'
    for address in (LIST, "/acme/today/", LIST):
        assert re.findall(marked, text(ann.get(address))) == [address] * 2  # at the side and in the small menu


def test_says_links_and_keys_in_the_language_of_whoever_looks(cast: Any, ann: Any) -> None:
    for language, link, key in (("en", "Customers", "Select up to here"), ("zh-hans", "客户", "选到这里")):
        cast.ann.user.language = language
        cast.ann.user.save()
        page = text(ann.get(LIST))
        assert f"</svg>{link}</a>" in page
        assert f"<dd>{key}</dd>" in page


# ── the list ─────────────────────────────────────────────────────────────────


def test_shows_each_their_own_customers(cast: Any, sign_in: Any, ann: Any) -> None:
    cast.customer("Amber", owner_b=None)
    bo = sign_in(cast.bo)
    assert ["Amber" in text(each.get(LIST)) for each in (ann, bo, ann)] == [True, False, True]


def test_looks_the_night_up_once(cast: Any, ann: Any, night: Any) -> None:
    night()
    with CaptureQueriesContext(connection) as queries:
        assert "as of" in text(ann.get(LIST))
    assert sum('FROM "tenants_run"' in each["sql"] for each in queries.captured_queries) == 1


def test_reads_a_policy_once_however_many_pages_rest_on_it(cast: Any, ann: Any, night: Any) -> None:
    night()
    ann.get(LIST)
    with CaptureQueriesContext(connection) as queries:
        ann.get(LIST)
    assert not any('"document"' in each["sql"] for each in queries.captured_queries)


def test_shows_stages_by_the_policy_of_the_last_night(cast: Any, ann: Any, placed: Any, night: Any) -> None:
    placed(cast.customer("Amber"), 100)
    for days, stage in ((365, "Active"), (90, "Lapsed")):
        with tenant_scope(cast.tenant):
            policy = active_policy()
            document = {**policy.document, "tiers": {**policy.document["tiers"], "lapsed_days": days}}
            save_policy(document, pack=policy.pack)
        night()
        assert f"<td>{stage}</td>" in text(ann.get(LIST))


def test_asks_for_a_person_s_firms_without_a_savepoint(ann: Any) -> None:
    ann.get(LIST)
    with CaptureQueriesContext(connection) as queries:
        ann.get(LIST)
    # One for the request's own scope, which in a test lies within the test's.
    assert sum(each["sql"].startswith("SAVEPOINT") for each in queries.captured_queries) == 1
