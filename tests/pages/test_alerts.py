"""It: the alerts board, one alert, the risk overview, and the notices behind the bell."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import re
from typing import Any

import pytest
from django.test import Client

from followups.models import Notice, NoticeDelivery, NoticeWish
from risk.alerts import services
from risk.models import Alert
from tenants.context import tenant_scope
from tests.conftest import Cast
from tests.pages.conftest import HX
from tests.risk.test_alerts import fired

NOW = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)


@pytest.fixture
def alerts(cast: Cast, noon: None) -> dict[str, Alert]:
    """A mild alert of Ann's Huaxin, opened three days ago and late; a severe one of Ivory, opened an hour ago."""
    huaxin, ivory = cast.customer(), cast.customer("Ivory Hotel", owner_b=None)
    facts = json.dumps({"since": "2026-09-01", "days": 76, "threshold": 60})
    with tenant_scope(cast.tenant):
        services.open_or_repeat(
            fired({"customer_id": huaxin.pk, "facts": facts}),
            as_of=dt.date(2026, 11, 17), now=NOW - dt.timedelta(days=3), policy_version=1,
        )  # fmt: skip
        services.open_or_repeat(
            fired({"customer_id": ivory.pk, "signal": "unanswered", "risk_class": "relationship", "level": "severe",
                   "facts": json.dumps({"contacts": 3, "last": "2026-11-18"})}),
            as_of=dt.date(2026, 11, 20), now=NOW - dt.timedelta(hours=1), policy_version=1,
        )  # fmt: skip
        return {alert.customer.name.split()[0]: alert for alert in Alert.objects.select_related("customer")}


@pytest.fixture
def ann(cast: Cast, client: Client) -> Client:
    client.force_login(cast.ann.user)
    return client


def client_of(member: Any) -> Client:
    client = Client()
    client.force_login(member.user)
    return client


def text(response: Any) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", response.content.decode()).split())


def names(response: Any) -> list[str]:
    return [name for name in ("Huaxin Building Materials", "Ivory Hotel") if name in response.content.decode()]


def test_it_lists_what_is_open_nearest_clock_first_with_the_facts_in_words(alerts: Any, ann: Client) -> None:
    page = ann.get("/acme/alerts/")
    words = text(page)
    assert names(page) == ["Huaxin Building Materials", "Ivory Hotel"]
    assert "2 alerts" in words
    assert "Severe Ivory Hotel" in words
    assert "&lt;" not in page.content.decode()
    assert "No order for 76 days" in words
    assert "3 contacts in a row unanswered" in words
    assert words.index("No order for 76 days") < words.index("3 contacts in a row unanswered")
    for address, found in (
        ("?level=severe", ["Ivory Hotel"]),
        ("?risk_class=demand", ["Huaxin Building Materials"]),
        ("?in_time=false", ["Huaxin Building Materials"]),
        ("?state=snoozed", []),
        ("?state=closed", []),
        ("?q=ivory", ["Ivory Hotel"]),
        ("?signal=unanswered&view=all", ["Ivory Hotel"]),
        (f"?customer={alerts['Huaxin'].customer_id}", ["Huaxin Building Materials"]),
        ("?opened=2026-11-20", ["Ivory Hotel"]),
        ("?assignee=0", None),
        ("?level=awful", None),
    ):
        page = ann.get(f"/acme/alerts/{address}")
        assert names(page) == (found or []), address
    assert ann.get("/acme/alerts/?colour=red").status_code == 400
    assert ann.get("/acme/alerts/", headers=HX).content.decode().lstrip().startswith('<div class="card" id="list"')


def test_it_shows_each_member_what_is_theirs(alerts: Any, cast: Cast) -> None:
    assert names(client_of(cast.bo).get("/acme/alerts/?view=all")) == ["Huaxin Building Materials"]
    assert names(client_of(cast.bo).get("/acme/alerts/")) == []
    assert len(names(client_of(cast.lea).get("/acme/alerts/?view=team"))) == 2
    assert names(client_of(cast.eve).get("/acme/alerts/")) == []
    assert len(names(client_of(cast.ada).get("/acme/alerts/"))) == 2
    assert client_of(cast.bo).get(f"/acme/alerts/{alerts['Ivory'].pk}/").status_code == 404
    assert client_of(cast.otto).get(f"/globex/alerts/{alerts['Huaxin'].pk}/").status_code == 404


def test_it_exports_what_is_shown(alerts: Any, ann: Client) -> None:
    response = ann.get("/acme/alerts/?level=severe&export=csv")
    rows = list(csv.DictReader(io.StringIO(b"".join(response.streaming_content).decode("utf-8-sig"))))
    assert [(row["Customer"], row["Level"], row["Who answers"]) for row in rows] == [("Ivory Hotel", "Severe", "Ann")]


def test_it_does_the_verbs_with_those_that_are_ticked_and_takes_them_back(alerts: Any, ann: Client, cast: Cast) -> None:
    both = {"pick": [alert.pk for alert in alerts.values()], "back": "/acme/alerts/?view=all"}
    page = ann.post("/acme/alerts/act/", both, follow=True)
    assert page.redirect_chain == [("/acme/alerts/?view=all", 302)]
    assert "2 alerts in hand" in text(page)
    events = re.search(r'name="events" value="([\d,]+)"', page.content.decode())
    assert events
    assert "Taken back" in text(ann.post("/acme/alerts/undo/", {"events": events[1]}, follow=True))
    with tenant_scope(cast.tenant):
        assert not Alert.objects.filter(first_action_at__isnull=False).exists()

    asked = "".join(f"&pick={pk}" for pk in both["pick"])
    form = ann.get(f"/acme/alerts/snooze/?back=/acme/alerts/{asked}")
    assert "Snooze: 2 alerts" in text(form)
    said = {"until": "2026-11-27T09:00", "reason": "absent", **both}
    page = ann.post(f"/acme/alerts/snooze/?{asked}", said, follow=True)
    assert "1 alert put off" in text(page)
    assert "cannot be put off beyond its clock" in text(page)
    assert names(ann.get("/acme/alerts/?state=snoozed")) == ["Huaxin Building Materials"]
    refused = ann.post("/acme/alerts/snooze/", said | {"pick": [alerts["Ivory"].pk]})
    assert "cannot be put off beyond its clock" in text(refused)

    page = ann.get(f"/acme/alerts/close/?pick={alerts['Huaxin'].pk}")
    assert "Close the alert: Huaxin" in text(page)
    said = {"pick": [alerts["Huaxin"].pk], "outcome": "lost", "cause": "", "tried": ["discount"]}
    assert "Say why" in text(ann.post("/acme/alerts/close/", said))
    page = ann.post("/acme/alerts/close/", said | {"cause": "price"}, follow=True)
    assert page.redirect_chain == [(f"/acme/alerts/{alerts['Huaxin'].pk}/", 302)]
    assert "1 alert closed" in text(page)
    assert "Price" in text(page)
    assert names(ann.get("/acme/alerts/?state=closed&outcome=lost")) == ["Huaxin Building Materials"]
    page = ann.post(f"/acme/alerts/{alerts['Huaxin'].pk}/reopen/", follow=True)
    assert "Opened again" in text(page)


def test_it_gives_an_alert_and_refuses_addresses_outside_the_firm(alerts: Any, ann: Client, cast: Cast) -> None:
    huaxin = alerts["Huaxin"].pk
    form = ann.get(f"/acme/alerts/assign/?pick={huaxin}")
    assert re.findall(r'<option value="(\d*)"', form.content.decode()) == ["", str(cast.ann.pk), str(cast.bo.pk)]
    page = ann.post(
        "/acme/alerts/assign/", {"pick": [huaxin], "assignee": cast.bo.pk, "back": "https://evil.example/"}, follow=True
    )
    assert page.redirect_chain == [(f"/acme/alerts/{huaxin}/", 302)]
    assert names(client_of(cast.bo).get("/acme/alerts/")) == ["Huaxin Building Materials"]
    assert "Ann gave you an alert" in text(client_of(cast.bo).get("/acme/notices/"))


def test_it_tells_the_story_of_one_alert(alerts: Any, ann: Client) -> None:
    page = text(ann.get(f"/acme/alerts/{alerts['Huaxin'].pk}/"))
    for words in (
        "No order for 76 days",
        "The signal fired",
        "Account manager: Ann",
        "Usual answer: Contact the customer",
        "late",
    ):
        assert words in page, words
    assert ann.get(f"/acme/alerts/{alerts['Huaxin'].pk}/?x=1").status_code == 400


def test_it_counts_risk_and_every_number_opens_its_rows(alerts: Any, cast: Cast, ann: Client) -> None:
    with tenant_scope(cast.tenant):
        services.close(alert=alerts["Huaxin"], outcome="lost", cause="price", member=cast.ann)
        services.act(alert=alerts["Ivory"], member=cast.ann)
    page = ann.get("/acme/risk/")
    words = text(page)
    assert "Relationship" in words
    assert "50%" in words
    links = re.findall(r'<a class="n" href="(/acme/alerts/\?[^"]+)">([\d,]+)</a>', page.content.decode())
    assert len(links) >= 6
    for address, number in links:
        found = re.search(r"([\d,]+) alerts?", text(ann.get(address.replace("&amp;", "&"))))
        assert found is not None, address
        assert found[1] == number, address
    lines = list(
        csv.reader(io.StringIO(b"".join(ann.get("/acme/risk/?export=csv").streaming_content).decode("utf-8-sig")))
    )
    assert ["Lost", "2026-11, Price", "1"] in lines
    assert ann.get("/acme/risk/?days=91").status_code == 400
    # The clock of Ivory ran for an hour of business time.
    assert ["Half answered within, hours", "Severe", "1.0"] in lines


def test_it_counts_on_the_bell_marks_read_and_keeps_how_one_wishes_to_hear(
    alerts: Any, cast: Cast, ann: Client
) -> None:
    page = ann.get("/acme/notices/")
    assert "2 not read" in text(page)
    assert "Severe alert: Ivory Hotel" in text(page)
    with tenant_scope(cast.tenant):
        severe = Notice.objects.get(kind="alert_severe")
        assert NoticeDelivery.objects.get(notice=severe).is_digest is False
    response = ann.post(f"/acme/notices/{severe.pk}/open/")
    assert response["Location"] == f"/acme/alerts/{alerts['Ivory'].pk}/"
    assert "Severe alert" not in text(ann.get("/acme/notices/?only=unread"))
    assert client_of(cast.bo).post(f"/acme/notices/{severe.pk}/open/").status_code == 404
    ann.post("/acme/notices/")
    assert "All read" in text(ann.get("/acme/notices/"))

    form = ann.get("/acme/notices/wishes/").content.decode()
    said = dict.fromkeys(re.findall(r'name="(mail_[^"]+)"', form), "at_once")
    ann.post("/acme/notices/wishes/", said | {"mail_alert_severe": "never"})
    with tenant_scope(cast.tenant):
        wishes = {wish.kind: (wish.mail, wish.chat) for wish in NoticeWish.objects.all()}
    assert wishes["alert_severe"] == ("never", False)
    assert ann.post("/acme/notices/wishes/", said | {"mail_alert_severe": "by_pigeon"}).status_code == 200
    assert "address of a gateway" in text(ann.post("/acme/notices/chat/", {"gateway": "nonsense"}))
    page = ann.post("/acme/notices/chat/", {"gateway": "wecombot://0123456789abcdef0123456789abcdef01"}, follow=True)
    assert "By wecombot." in text(page)
