"""It: what a draft's signals would have fired in a past quarter, and the customers behind each number."""

from __future__ import annotations

import csv
import html
import io
import json
import re

import pytest

from customers.models import Customer
from dashboards.dry_run_signals import replay_signals
from tenants.context import tenant_scope
from tenants.models import Member
from tenants.policies import active_policy, complete_document
from tenants.rules.documents import put
from tests.api.conftest import Caller, faults
from tests.pages.conftest import text

pytestmark = pytest.mark.django_db

URL = "/acme/policy/signals/"
HX = {"HX-Request": "true"}


@pytest.fixture
def firm(cast, placed, night):
    """As of the night 90 days ahead of them all: some who fell silent in the quarter before, and came back or did not."""
    for name, days in {
        "Came back": (20, *range(190, 700, 30)),
        "Came back in time": (130, *range(220, 700, 30)),
        "Lost": tuple(range(200, 700, 30)),
        "Steady": tuple(range(3, 700, 20)),
        "Long gone": tuple(range(600, 900, 30)),
    }.items():
        placed(cast.customer(name), *days, net="100")
    night()


@pytest.fixture
def lea(cast, sign_in):
    return sign_in(cast.lea)


def words(answer):
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", answer.content.decode())).split())


def names(answer):
    return sorted(re.findall(r'class="row-link"[^>]*>([^<]+)<', answer.content.decode()))


def test_replays_a_quarter_of_which_the_end_is_known(cast, firm):
    with tenant_scope(cast.tenant):
        document = complete_document(active_policy())
        replay = replay_signals(document)
        narrow = replay_signals(put(document, ("risk", "silence_days"), 120))
        blind = replay_signals(put(document, ("risk", "watched"), []))
    assert (replay.last - replay.first).days == 90
    assert (replay.customers, replay.everybody, replay.is_sample) == (5, 5, False)
    found = {row.signal: row for row in replay.rows}
    silence = found["order_silence"]
    assert (silence.after, silence.after_lapsed) == (3, 2), "of the three one ordered within 90 days of it"
    assert (silence.before, silence.before_lapsed) == (3, 2), "the draft is what is in force"
    assert not found["unanswered"].known
    assert not found["lapse_forecast"].is_replayed
    hits = dict(replay.hits.filter(signal="order_silence").select("customer_id", "lapsed").iter_rows())
    assert len(hits) == 3
    stricter = {row.signal: row for row in narrow.rows}["order_silence"]
    assert stricter.before == 3
    assert all(row.after == 0 and not row.is_watched for row in blind.rows)


def test_says_what_would_have_fired_what_then_came_and_what_there_is_no_data_for(cast, firm, lea):
    page = lea.get(URL, headers=HX)
    assert page.status_code == 200
    assert "No NPS answer is written down." in words(page)
    assert "Lapsed: no order in the 90 days from when it fired." in words(page)
    assert "<html" not in page.content.decode()
    whole = lea.get(URL)
    assert "What would have fired" in words(whole)
    link = re.search(r'href="([^"]*signal=order_silence)">(\d+)<', whole.content.decode())
    behind = lea.get(html.unescape(link[1]))
    assert names(behind) == ["Came back", "Came back in time", "Lost"]
    assert len(names(behind)) == int(link[2])
    lapsed = lea.get(f"{URL}customers/", {"signal": "order_silence", "lapsed": "yes"})
    assert names(lapsed) == ["Came back", "Lost"]
    assert lea.get(f"{URL}customers/", {"signal": "order_silence", "sort": "name"}).status_code == 200
    assert lea.get(f"{URL}customers/", {"nothing": "known"}).status_code == 400
    columns = ["name", "signals", "fired", "then"]
    asked = {"signal": "order_silence", "export": "csv", "columns": columns}
    head, *told = csv.reader(io.StringIO(text(lea.get(f"{URL}customers/", asked)).removeprefix("\ufeff")))
    assert head == ["Customer", "Signals", "Would have fired", "Then"]
    assert {row[0]: row[3] for row in told} == {"Came back": "lapsed", "Came back in time": "ordered", "Lost": "lapsed"}


def test_stands_beside_the_fields_of_risk_and_goes_along_with_the_draft(cast, firm, lea):
    page = lea.get("/acme/policy/", {"section": "risk", "run": "1"}).content.decode()
    assert f'hx-get="{URL}"' in page
    assert "Orders halved: fewer orders by" in html.unescape(page)
    lea.post("/acme/policy/", {"set": json.dumps({"risk.silence_days": 150})})
    again = lea.get(URL, headers=HX)
    assert re.search(r"<th[^>]*>v1</th><th[^>]*>v2</th>", again.content.decode())
    lea.post("/acme/policy/", {"set": json.dumps({"risk.unanswered_contacts": 9})})
    assert "health looks at no more of the last contacts" in words(lea.get("/acme/policy/", {"section": "risk"}))
    assert lea.get(URL).status_code == 302, "a draft with faults is not tried out"


def test_says_the_same_over_the_api_and_names_the_customers_of_one_signal(cast, firm):
    lea = Caller(cast.token(cast.lea))
    patch = {"patch": {"risk": {"silence_days": 70}}}
    answer = lea.post("policy/dry-run/signals", patch | {"hits_of": "order_silence"})
    assert answer.status_code == 200, answer.content
    found = answer.json()
    with tenant_scope(cast.tenant):
        document = put(complete_document(active_policy()), ("risk", "silence_days"), 70)
        replay = replay_signals(document)
    whole = (replay.customers, replay.everybody, replay.ordered, replay.lapsed, replay.found, replay.horizon_days)
    assert tuple(found[n] for n in ("customers", "everybody", "ordered", "lapsed", "found", "horizon_days")) == whole
    assert (found["version"], found["first"], found["last"]) == (1, str(replay.first), str(replay.last))
    told = {
        row["signal"]: (row["known"], row["before"], row["before_lapsed"], row["after"], row["after_lapsed"])
        for row in found["signals"]
    }
    assert told == {
        row.signal: (row.known, row.before, row.before_lapsed, row.after, row.after_lapsed) for row in replay.rows
    }
    assert told["order_silence"][1:3] == (3, 2), "under the version in force"
    silences = replay.hits.filter(signal="order_silence").select("customer_id", "on", "lapsed").rows()
    assert [tuple(hit.values()) for hit in found["hits"]] == [(str(pk), str(on), lapsed) for pk, on, lapsed in silences]
    with tenant_scope(cast.tenant):
        Member.objects.filter(pk=cast.eve.pk).update(team=None)
        hidden = str(silences[0][0])
        Customer.objects.filter(pk=hidden).update(owner_a=cast.eve, owner_b=None)
    less = lea.post("policy/dry-run/signals", patch | {"hits_of": "order_silence"}).json()
    assert less["signals"] == found["signals"], "the policy is the whole firm's"
    assert less["hits"] == [hit for hit in found["hits"] if hit["customer"] != hidden], "customers are as one sees them"
    forecast = next(row for row in found["signals"] if row["signal"] == "lapse_forecast")
    assert (forecast["is_replayed"], forecast["no_data"][:9]) == (False, "Forecasts")
    assert lea.post("policy/dry-run/signals", patch).json()["hits"] is None
    for body, wrong in (
        (patch | {"hits_of": "moon"}, "#/hits_of"), ({"patch": {"risk": {"silence_days": 0}}}, "#/patch/risk/silence_days"),
        ({"hits_of": "leaving"}, "#"),
    ):  # fmt: skip
        assert wrong in faults(lea.post("policy/dry-run/signals", body)), body
    assert Caller(cast.token(cast.ann)).post("policy/dry-run/signals", patch).status_code == 403
    with tenant_scope(cast.tenant):
        assert active_policy().number == 1
