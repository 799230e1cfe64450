"""It: lists playbooks with whether each helped, edits one, begins one from a customer and from Today, and shows each run."""

import datetime as dt
import html
import re
from decimal import Decimal

import pytest

from customers.models import Order
from followups.models import FollowUp
from risk.models import Alert, Playbook, PlaybookRun, PlaybookVersion
from risk.playbooks import services as playbooks
from tenants.context import tenant_scope
from tenants.models import Event
from tests.pages.conftest import FRIDAY, HX, NOON

URL = "/acme/playbooks/"
DAY = dt.timedelta(days=1)

pytestmark = pytest.mark.usefixtures("noon")


def text(response):
    """The words of a page as people read them."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", "", response.content.decode())).split())


@pytest.fixture
def lea(cast, sign_in):
    return sign_in(cast.lea)


@pytest.fixture
def ann(cast, sign_in):
    return sign_in(cast.ann)


@pytest.fixture
def shipped(cast):
    """The id of each playbook that ships, by code."""
    with tenant_scope(cast.tenant):
        playbooks.ensure_playbooks(NOON - 60 * DAY)
        return {row.code: row.pk for row in Playbook.objects.all()}


@pytest.fixture
def customer(cast):
    return cast.customer("Brook & Sons")


@pytest.fixture
def run(cast, shipped, customer):
    with tenant_scope(cast.tenant):
        return playbooks.start(
            playbook=Playbook.objects.get(pk=shipped["silent"]), customer=customer, member=cast.ann
        )  # fmt: skip


def fresh(cast, run):
    with tenant_scope(cast.tenant):
        return PlaybookRun.objects.get(pk=run.pk)


def ended(cast, book, name, *, helped=False, held=False, hand=False, ago=120):
    """A run that began so many days ago, of a customer who has ordered since, or not."""
    with tenant_scope(cast.tenant):
        who, at = cast.customer(name), NOON - ago * DAY
        if helped:
            Order.objects.create(
                customer=who, external_id=name, placed_at=at + 10 * DAY, placed_on=(at + 10 * DAY).date(),
                currency="GBP", net=Decimal(10), digest="",
            )  # fmt: skip
        PlaybookRun.objects.create(
            playbook_id=book, version=PlaybookVersion.objects.get(playbook_id=book, number=1), customer=who,
            member=cast.ann if hand else None, status="held" if held else "finished", outcome="" if held else "saved",
            started_at=at, base_at=at, stage="call", stage_at=at, ended_at=at if held else at + 20 * DAY,
        )  # fmt: skip


def test_lists_them_with_what_begins_each_and_exports(lea, ann, shipped, run):
    page = text(lea.get(URL))
    for words in (
        "Two months silent", "Deep diagnosis with a joint visit", "Retention team", "3+1 plan", "Competitor retention",
        "Win-back", "by itself with: Does not answer (Severe or worse)", "begun by hand",
    ):  # fmt: skip
        assert words in page
    assert "New playbook" in page
    assert "New playbook" not in text(ann.get(URL))
    rows = b"".join(lea.get(URL + "?export=csv").streaming_content).decode()
    assert "Two months silent" in rows
    assert "Not enough" not in rows  # codes, as programs read them
    assert "not_enough" in rows
    assert lea.get(URL + "?nonsense=1").status_code == 400


def test_says_whether_it_helped_only_with_enough_cases_and_each_number_opens_its_rows(cast, lea, shipped):
    book = shipped["silent"]
    for number in range(3):
        ended(cast, book, f"Hand {number}", hand=True, helped=number == 0)
    page = text(lea.get(f"{URL}{book}/"))
    assert "1 of 3 = 33% (6% to 79%)" in page
    assert "Not enough cases: it takes 30 on each side." in page
    for number in range(32):
        ended(cast, book, f"Signal {number}", helped=number < 24)
    page = text(lea.get(f"{URL}{book}/"))
    assert "24 of 32 = 75% (58% to 87%)" in page
    assert "Nobody knows what would have happened without it" in page
    for number in range(32):
        ended(cast, book, f"Held {number}", held=True, helped=number < 8)
    ended(cast, book, "Early", ago=10)
    page = text(lea.get(f"{URL}{book}/"))
    assert "8 of 32 = 25% (13% to 42%)" in page
    assert "It helps" in page
    assert "Too early to say1" in page.replace("say 1", "say1")
    listed = text(lea.get(f"{URL}runs/?playbook={book}&cases=signal&helped=true"))
    assert "24 runs" in listed
    assert "Signal 1" in listed
    assert "Hand" not in listed
    assert "32 runs" in text(lea.get(f"{URL}runs/?playbook={book}&cases=held"))
    assert "Say which playbook" in text(lea.get(f"{URL}runs/?cases=held"))
    assert "36 runs" in text(lea.get(f"{URL}runs/?status=finished"))
    assert "0 runs" in text(lea.get(f"{URL}runs/?status=open", headers=HX))
    assert b" multiple" not in lea.get(f"{URL}runs/").content


def test_measures_spend_against_what_was_bought_before(cast, lea, shipped):
    book = shipped["competitor"]
    with tenant_scope(cast.tenant):
        for name, before, after in (("More", 100, 120), ("Less", 100, 80), ("Nothing", 0, 0)):
            who, at = cast.customer(name), NOON - 120 * DAY
            for net, day in ((before, at - 5 * DAY), (after, at + 5 * DAY)):
                if net:
                    Order.objects.create(
                        customer=who, external_id=f"{name} {day:%m%d}", placed_at=day, placed_on=day.date(),
                        currency="GBP", net=Decimal(net), digest="",
                    )  # fmt: skip
            PlaybookRun.objects.create(
                playbook_id=book, version=PlaybookVersion.objects.get(playbook_id=book), customer=who, status="finished",
                started_at=at, base_at=at, stage="learn", stage_at=at, ended_at=at,
            )  # fmt: skip
    assert "1 of 3 = 33%" in text(lea.get(f"{URL}{book}/"))
    listed = text(lea.get(f"{URL}runs/?playbook={book}&helped=true"))
    assert "More" in listed
    assert "Less" not in listed


STEP = {
    "steps": "2", "step-0-code": "call", "step-0-how": "follow_up", "step-0-kind": "deep_talk",
    "step-0-channel": "phone", "step-0-duty": "owner", "step-0-level": "mild", "step-0-counts_from": "previous",
    "step-0-after": "0", "step-0-within": "2", "step-0-unit": "days", "step-0-then_not_reached": "end-no-answer",
    "step-1-how": "follow_up", "step-1-kind": "deep_talk", "step-1-channel": "phone", "step-1-duty": "owner",
    "step-1-level": "mild", "step-1-counts_from": "previous", "step-1-unit": "days",
}  # fmt: skip
HEAD = {
    "name": "Quiet ones", "least_level": "mild", "priority": "4", "wait_days": "14", "measure": "order",
    "measure_days": "90", "holdout_percent": "10",
}  # fmt: skip


def test_makes_and_changes_one_and_keeps_what_was_typed_when_it_is_refused(cast, lea, ann, shipped):
    assert lea.get(URL + "add/").status_code == 200
    wrong = {**HEAD, **STEP, "code": "quiet", "step-0-then_reached": "nowhere"}
    page = text(lea.post(URL + "add/", wrong))
    assert "“call” goes on to “nowhere”, which is no step of its own" in page
    assert 'value="Quiet ones"' in lea.post(URL + "add/", wrong).content.decode()
    made = lea.post(URL + "add/", {**HEAD, **STEP, "code": "quiet"})
    assert made.status_code == 302
    with tenant_scope(cast.tenant):
        book = Playbook.objects.get(code="quiet")
        assert not book.is_on
        (step,) = book.versions.get().rules.steps
    assert (step.code, step.within, dict(step.then)) == ("call", 2, {"not_reached": "end-no-answer"})
    page = text(lea.get(f"{URL}{book.pk}/"))
    assert "not reached → end: no answer" in page
    assert "within 2 working days" in page
    edit = f"{URL}{book.pk}/edit/"
    assert 'value="end-no-answer" selected' in lea.get(edit).content.decode()
    lea.post(edit, {**HEAD, **STEP, "step-0-within": "3"})
    lea.post(f"{URL}{book.pk}/switch/", {"on": "1"})
    with tenant_scope(cast.tenant):
        book.refresh_from_db()
    assert (book.version, book.is_on) == (2, True)
    assert ann.get(edit).status_code == 403


def test_begins_one_from_a_customer_with_those_that_fit_first_and_takes_it_back(cast, ann, shipped, customer):
    with tenant_scope(cast.tenant):
        Alert.objects.create(
            customer=customer, signal="order_silence", risk_class="demand", level="mild", period="1", opened_on=FRIDAY,
            due_at=NOON, policy_version=1,
        )  # fmt: skip
    address = f"/acme/customers/{customer.pk}/playbook/"
    asked = ann.get(address, headers=HX).content.decode()
    assert asked.index("Fits the alerts") < asked.index("Two months silent") < asked.index("Others")
    made = ann.post(address, {"playbook": shipped["silent"]})
    with tenant_scope(cast.tenant):
        run = PlaybookRun.objects.get()
    assert made.url == f"{URL}runs/{run.pk}/"
    page = text(ann.get(made.url))
    assert "“Two months silent” has begun for Brook & Sons." in page
    assert "Ask what has changed" in page
    with tenant_scope(cast.tenant):
        asked_for = FollowUp.objects.get(rule="playbook:silent:call")
    preview = text(ann.get(f"/acme/today/{asked_for.pk}/"))
    assert "Two months silent: Call" in preview
    assert "Ask what has changed" in preview
    shown = text(ann.get(f"/acme/customers/{customer.pk}/"))
    assert "Two months silent" in shown
    assert "Not reached" in shown
    again = ann.post(address, {"playbook": shipped["silent"]}, follow=True)
    assert "is in “Two months silent” already" in text(again)
    with tenant_scope(cast.tenant):
        started = Event.objects.get(object_type="playbookrun", verb="started").pk
    ann.post(f"{made.url}undo/", {"event": started})
    assert fresh(cast, run).why == "undone"
    assert ann.get(address + "?alert=x").status_code == 400


def test_says_skips_stops_and_hands_over_on_the_page_of_a_run(cast, ann, run):
    address = f"{URL}runs/{run.pk}/"
    here = f"/acme/customers/{run.customer_id}/"
    said = ann.post(f"{address}call/say/", {"outcome": "not_reached", "next": here})
    assert said.url == here
    assert "not reached" in text(ann.get(address))
    assert ann.post(f"{address}chat/skip/", {"next": "https://elsewhere.example/"}).url == address
    with tenant_scope(cast.tenant):
        assert [row.outcome for row in run.steps.order_by("pk")] == ["not_reached", "skipped", ""]
    assert ann.post(f"{address}again/say/", {"outcome": "nonsense"}).status_code == 400
    refused = ann.post(f"{address}next-order/say/", {"outcome": "done"}, follow=True)
    assert "This step is not under way." in text(refused)
    assert "Hand over" in text(ann.get(f"{address}hand-over/"))
    assert ann.post(f"{address}hand-over/", {"to": cast.bo.pk}).status_code == 302
    ann.post(f"{address}stop/", {"outcome": "lost"})
    assert (fresh(cast, run).status, fresh(cast, run).outcome, fresh(cast, run).owner_id) == (
        "finished", "lost", cast.bo.pk,
    )  # fmt: skip
    page = ann.get(address).content.decode()
    event = page.split('name="event" value="')[1].split('"')[0]
    ann.post(f"{address}undo/", {"event": event})
    assert fresh(cast, run).status == "active"
    assert ann.post(f"{address}undo/", {"event": event}, follow=True).status_code == 200


def test_hides_runs_of_customers_whom_the_member_does_not_see(cast, sign_in, shipped):
    other = cast.customer("Not Ann's", owner_a=cast.lea, owner_b=None)
    with tenant_scope(cast.tenant):
        hidden = playbooks.start(playbook=Playbook.objects.get(code="silent"), customer=other, member=cast.lea)
    ann = sign_in(cast.ann)
    assert ann.get(f"{URL}runs/{hidden.pk}/").status_code == 404
    assert ann.post(f"{URL}runs/{hidden.pk}/stop/").status_code == 404
    assert "No playbook is under way yet" in text(ann.get(f"{URL}runs/"))
    assert "Not Ann" not in text(ann.get(f"{URL}{shipped['silent']}/"))
    assert ann.get(f"/acme/customers/{other.pk}/playbook/").status_code == 404


def test_begins_one_for_many_from_today_and_takes_all_of_it_back(cast, ann, shipped):
    with tenant_scope(cast.tenant):
        rows = [
            FollowUp.objects.create(
                customer=cast.customer(f"Customer {number}"), assignee=cast.ann, kind="light_touch",
                rule="cadence:light_touch", period="1", due_on=FRIDAY,
            )
            for number in range(3)
        ]  # fmt: skip
        playbooks.start(playbook=Playbook.objects.get(code="win-back"), customer=rows[2].customer, member=cast.ann)
    picks = {"pick": [row.pk for row in rows], "seen": 3}
    asked = ann.post("/acme/today/playbook/", {**picks, "open": 1}, headers=HX).content.decode()
    assert "Begin a playbook for 3" in asked
    page = ann.post("/acme/today/playbook/", {**picks, "playbook": shipped["win-back"]}, follow=True)
    assert "“Win-back” begun for 2" in text(page)
    assert "Customer 2 is in “Win-back” already." in text(page)
    with tenant_scope(cast.tenant):
        assert PlaybookRun.objects.filter(status="active").count() == 3
        events = list(Event.objects.filter(verb="started", object_type="playbookrun").values_list("pk", flat=True))[-2:]
    back = ann.post("/acme/today/undo/", {"events": ",".join(map(str, events))}, follow=True)
    assert "2 playbooks taken back" in text(back)
    with tenant_scope(cast.tenant):
        assert PlaybookRun.objects.filter(status="active").count() == 1
    assert 'data-act="p"' in ann.get("/acme/today/").content.decode()
