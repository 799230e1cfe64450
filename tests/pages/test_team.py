"""It: the desk of a team, the rows behind its numbers, and handing work on with a way back."""

from __future__ import annotations

import datetime as dt
import html
import re

import pytest
from django.utils import timezone

from config import night as night_of_the_house
from customers.models import Interaction
from dashboards.team import figures
from dashboards.team.crew import SPANS
from followups.models import Absence, FollowUp
from health.counting import count_now
from health.models import BandCount, HealthScore, HealthTally
from risk.models import Case, Incident, IncidentClock
from segmentation.models import Standing, TierChange
from tenants.context import tenant_scope
from tenants.models import Event, Member, Team
from tests.pages.conftest import FRIDAY, HX, text

DESK, WORK, CLOCKS, CASES = "/acme/team/", "/acme/team/work/", "/acme/team/clocks/", "/acme/team/cases/"


@pytest.fixture
def story(cast, placed, night):
    """Ann: red Tiles without action, red Paint with a plan, green Glass. Bo: Glue, lapsed. Otto's Far in another team; Lost is nobody's."""
    with tenant_scope(cast.tenant):
        north = Team.objects.create(name="North")
        Member.objects.filter(pk=cast.ada.pk).update(team=north)
    rows = {
        name: cast.customer(name, owner_a=owner, owner_b=None)
        for name, owner in {
            "Tiles": cast.ann, "Paint": cast.ann, "Glass": cast.ann, "Glue": cast.bo, "Far": cast.ada, "Lost": None,
        }.items()
    }  # fmt: skip
    for name, days in {
        "Tiles": (30, 200),
        "Paint": (20, 400),
        "Glass": (10, 40),
        "Glue": (120, 300),
        "Far": (5, 130),
    }.items():
        placed(rows[name], *days, net="1000")
    night()
    with tenant_scope(cast.tenant):
        for name, band, score in (
            ("Tiles", "red", 30),
            ("Paint", "red", 20),
            ("Glass", "green", 90),
            ("Far", "red", 10),
        ):
            HealthScore.objects.filter(customer=rows[name]).update(band=band, score=score)
        FollowUp.objects.filter(rule__startswith="cadence:").delete()
        count_now()
        for name, assignee, days in (
            ("Paint", cast.ann, 3),
            ("Glass", cast.ann, -4),
            ("Glue", cast.bo, 6),
            ("Far", cast.ada, 30),
        ):
            FollowUp.objects.create(
                customer=rows[name], assignee=assignee, kind="light_touch", rule="manual", period=name,
                due_on=FRIDAY + dt.timedelta(days=days), facts={"text": name},
            )  # fmt: skip
    return rows


@pytest.fixture
def lea(cast, sign_in):
    return sign_in(cast.lea)


def strip(page):
    """The numbers of the strip by their words: (number, address)."""
    found = re.findall(
        r'<a class="pn-stat" href="([^"]*)"><span class="k">(.*?)</span><span class="v"><b>(.*?)</b>', page
    )
    return {words: (number, html.unescape(address)) for address, words, number in found}


def counted(client, address):
    """How many rows a list says that it has."""
    answer = client.get(address, headers=HX)
    assert answer.status_code == 200, (address, text(answer)[:400])
    return int(re.search(r'role="status">(?:more than )?([\d,]+) ', text(answer))[1].replace(",", ""))


def links(page):
    """Every number that opens rows: (address, number)."""
    found = re.findall(r'<a class="n" href="(/acme/[^"]*\?[^"]*)">([\d,]+)</a>', page)
    return [(html.unescape(address), int(number.replace(",", ""))) for address, number in found]


def test_a_desk_shows_the_team_and_every_number_opens_its_rows(cast, story, lea, sign_in):
    with tenant_scope(cast.tenant):
        case = {"opened_on": FRIDAY - dt.timedelta(days=40), "closed_on": FRIDAY - dt.timedelta(days=9)}
        Case.objects.create(
            customer=story["Glue"], risk_class="external", cause="competitor", outcome="lost", money=500, **case
        )
        Case.objects.create(customer=story["Tiles"], risk_class="relationship", cause="price", outcome="saved", **case)
        Case.objects.create(customer=story["Far"], risk_class="relationship", cause="price", outcome="saved", **case)
        Absence.objects.create(member=cast.bo, first=FRIDAY, last=FRIDAY + dt.timedelta(days=3), covered_by=cast.ann)
        crisis = {"title": "Wrong glaze", "level": "serious", "policy_version": 1, "calendar_version": 1}
        now = timezone.now()
        incident = Incident.objects.create(
            number=1,
            customer=story["Tiles"],
            opened_at=now - dt.timedelta(days=2),
            closed_at=now,
            outcome="saved",
            **crisis,
        )
        drill = Incident.objects.create(number=2, customer=story["Tiles"], opened_at=now, is_drill=True, **crisis)
        for of, kind, late in ((incident, "acknowledge", -1), (incident, "solution", 1), (drill, "acknowledge", 1)):
            due = now - dt.timedelta(hours=10)
            IncidentClock.objects.create(
                incident=of, kind=kind, target_minutes=60, deadline_at=due, met_at=due + dt.timedelta(hours=late)
            )
    page = text(lea.get(DESK + "?span=year"))
    numbers = strip(page)
    # Paint has a plan, Far is another team's, nobody's belongs to none.
    assert numbers["Reds without action"][0] == "1"
    assert "Tiles" in page
    assert numbers["Overdue follow-ups"][0] == "1"
    assert numbers["Clocks met"][0] == "1 of 2"
    assert re.search(r"1 customer has no A owner", page)
    assert "away to" in page
    for words in ("Reds without action", "Overdue follow-ups"):
        assert str(counted(lea, numbers[words][1])) == numbers[words][0]
    assert counted(lea, numbers["Clocks met"][1]) == 2
    # The weeks of health are those that the nights have left, not what this story has made of today.
    found = links(page[: page.index('id="trend"')] + page[page.index('id="load"') :])
    assert {address.split("?")[0] for address, _n in found} >= {"/acme/customers/", WORK, CASES}
    for address, number in found:
        assert counted(lea, address) == number, address
    # Tiles, Paint and Glass are Ann's, Glue is Bo's.
    matrix = page[page.index('id="moves"') : page.index('id="trend"')]
    assert sum(number for address, number in links(matrix) if "tier_" in address and address.count("tier_") == 2) == 4
    # The case of another team stays out; one that is lost says why Glue lapsed.
    assert re.search(r"Competitor offer.*?Price", page, re.S)
    rows = text(lea.get(f"/acme/customers/?team={cast.lea.team_id}&lapsed_from=2026-01-01&lapsed_why=external"))
    assert "Glue" in rows
    assert "Tiles" not in rows
    # Who sees all may look at each team and at the firm; a lead at no other team.
    ada = sign_in(cast.ada)
    assert strip(text(ada.get(DESK)))["Reds without action"][0] == "2"
    with tenant_scope(cast.tenant):
        north = Team.objects.get(name="North").pk
    assert strip(text(ada.get(f"{DESK}?team={north}")))["Reds without action"][0] == "1"
    assert lea.get(f"{DESK}?team={north}").status_code == 404
    assert lea.get(f"{DESK}?span=decade").status_code == 400
    for address in (WORK, CLOCKS, CASES):
        assert "Far" not in text(lea.get(address))
        export = lea.get(f"{address}?export=csv")
        assert export.status_code == 200
        assert len(text(export).strip().splitlines()) >= 2


def test_a_red_is_without_action_until_somebody_does_something(cast, story, lea):
    def idle():
        return int(strip(text(lea.get(DESK)))["Reds without action"][0])

    assert idle() == 1
    with tenant_scope(cast.tenant):
        talk = Interaction.objects.create(
            customer=story["Tiles"],
            member=cast.ann,
            channel="phone",
            at=timezone.now() - dt.timedelta(days=6),
            direction="outbound",
        )
    assert idle() == 0
    with tenant_scope(cast.tenant):
        Interaction.objects.filter(pk=talk.pk).update(at=timezone.now() - dt.timedelta(days=9))
        FollowUp.objects.filter(customer=story["Paint"]).update(due_on=FRIDAY - dt.timedelta(days=9))
    assert idle() == 2  # a plan that is nine days late is none


def numbers_of(page):
    """The numbers of each card of a desk, by its id."""
    parts = re.split(r'<section class="card" id="(\w+)"', page[page.index('id="desk"') :])
    number = re.compile(r">([\d,.]+%?|£[\d,.]+[kM]?)<")
    return {"strip": strip(page)} | {
        name: number.findall(card) for name, card in zip(parts[1::2], parts[2::2], strict=True)
    }


def test_the_night_counts_for_a_big_firm_what_a_small_one_counts_from_its_rows(cast, story, lea, monkeypatch):
    live = {span: numbers_of(text(lea.get(f"{DESK}?span={span}"))) for span in SPANS}
    monkeypatch.setattr(night_of_the_house, "FIGURES_FROM", 2)
    run = night_of_the_house.due_figures(cast.tenant)
    assert night_of_the_house.work_off_night(run).status == "done"
    with tenant_scope(cast.tenant):
        kept = set(HealthTally.objects.filter(member=None, team=None).values_list("figure", flat=True))
    assert kept >= set(figures.known_figures())
    monkeypatch.setattr(figures, "known_figures", dict)  # nothing is counted from rows any more
    for span, cards in live.items():
        again = numbers_of(text(lea.get(f"{DESK}?span={span}")))
        for name, found in cards.items():
            assert again[name] == found, (span, name)


def test_an_action_is_assigned_and_taken_back(cast, story, lea):
    address = f"/acme/team/assign/{story['Tiles'].pk}/"
    assert "Ann" in text(lea.get(address))
    form = {"assignee": cast.ann.pk, "kind": "deep_talk", "channel": "phone", "due_on": FRIDAY, "text": "Ask why"}
    assert "Select a valid choice" in html.unescape(text(lea.post(address, form | {"assignee": cast.bo.pk})))
    assert lea.post(address, form).status_code == 302
    with tenant_scope(cast.tenant):
        row = FollowUp.objects.get(customer=story["Tiles"])
    assert (row.assignee_id, row.due_on, row.status) == (cast.ann.pk, FRIDAY, "open")
    page = text(lea.get(DESK))
    assert strip(page)["Reds without action"][0] == "0"
    events = re.search(r'name="events" value="([\d,]+)"', page)[1]
    assert "Ann gets in touch with Tiles." in page
    assert 'name="events"' not in text(lea.get(DESK))  # said once
    assert lea.post("/acme/team/undo/", {"events": events}).status_code == 302
    assert strip(text(lea.get(DESK)))["Reds without action"][0] == "1"
    assert lea.post(f"/acme/team/assign/{story['Far'].pk}/", form).status_code == 404


def test_customers_change_hands_and_come_back(cast, story, lea):
    with tenant_scope(cast.tenant):
        story["Glass"].owner_b = cast.bo
        story["Glass"].save(update_fields=["owner_b"])
    picks = {"pick": [story["Paint"].pk, story["Glass"].pk], "to": cast.bo.pk, "back": "/acme/team/customers/"}
    page = text(lea.get(f"/acme/team/customers/?person={cast.ann.pk}"))
    assert all(name in page for name in ("Tiles", "Paint", "Glass"))
    assert "Glue" not in page
    answer = lea.post("/acme/team/hand-on/", picks)
    assert answer["Location"] == "/acme/team/customers/"

    def owners():
        with tenant_scope(cast.tenant):
            return {
                name: type(row).objects.values_list("owner_a", "owner_b").get(pk=row.pk) for name, row in story.items()
            } | {"work": list(FollowUp.objects.order_by("period").values_list("period", "assignee"))}

    given = owners()
    assert given["Paint"] == (cast.bo.pk, None)
    assert given["Glass"] == (cast.bo.pk, None)
    assert dict(given["work"])["Paint"] == cast.bo.pk
    with tenant_scope(cast.tenant):
        assert BandCount.objects.filter(owner_a=cast.bo, band="red").values_list("customers", flat=True).get() == 1
    page = text(lea.get("/acme/team/customers/"))
    assert "2 customers given to Bo, with open follow-ups: 2" in page
    events = re.search(r'name="events" value="([\d,]+)"', page)[1]
    lea.post("/acme/team/undo/", {"events": events})
    back = owners()
    assert back["Paint"] == (cast.ann.pk, None)
    assert back["Glass"] == (cast.ann.pk, cast.bo.pk)
    assert dict(back["work"])["Paint"] == cast.ann.pk
    # Twice changes nothing; what somebody has changed since stays.
    lea.post("/acme/team/undo/", {"events": events})
    assert owners() == back
    lea.post("/acme/team/hand-on/", picks)
    events = re.search(r'name="events" value="([\d,]+)"', text(lea.get(DESK)))[1]
    lea.post("/acme/team/hand-on/", picks | {"pick": [story["Paint"].pk], "to": cast.lea.pk})
    before = owners()
    lea.post("/acme/team/undo/", {"events": events})
    assert owners() == before
    assert "somebody else since" in text(lea.get(DESK))


def test_what_cannot_be_given_says_why_and_changes_nothing(cast, story, lea):
    send = {"pick": [story["Tiles"].pk], "to": cast.bo.pk}
    for wrong, words in (
        ({"pick": []}, "Nothing is selected."),
        ({"to": ""}, "Choose to whom."),
        ({"to": cast.eve.pk}, "does not work on follow-ups"),
        ({"pick": [story["Far"].pk]}, "not what you saw"),
        ({"seen": "7"}, "not what you saw"),
    ):
        with tenant_scope(cast.tenant):
            events = Event.objects.count()
        lea.post("/acme/team/hand-on/", send | wrong)
        assert words in html.unescape(text(lea.get(DESK))), wrong
        with tenant_scope(cast.tenant):
            assert Event.objects.count() == events
    elsewhere = lea.post("/acme/team/hand-on/", send | {"back": "https://elsewhere.example/team/"})
    assert elsewhere["Location"] == DESK


def test_a_lead_without_a_team_and_a_firm_without_a_night_are_told_what_comes_next(cast, lea, sign_in):
    assert "The desk fills with the first night" in text(lea.get(DESK))
    assert "The desk fills with the first night" in text(sign_in(cast.eve).get("/acme/executive/"))


def test_lapses_count_once_by_their_latest_day(cast, placed, night, lea):
    """It: one that fell silent, one that came back after it, one that was closed; and not who still buys."""
    silent, back, closed, buys = (cast.customer(name, owner_b=None) for name in ("Silent", "Back", "Closed", "Buys"))
    placed(silent, 100, 150)
    placed(back, 5, 150, 160)
    placed(closed, 60, 70)
    placed(buys, 10, 60, 110)
    with tenant_scope(cast.tenant):
        type(closed).objects.filter(pk=closed.pk).update(closed_on=FRIDAY - dt.timedelta(days=20))
    night()
    with tenant_scope(cast.tenant):
        assert Standing.objects.get(customer=back).returned_on == FRIDAY - dt.timedelta(days=5)
        assert not TierChange.objects.filter(customer=buys, after="").exists()
    page = text(lea.get("/acme/customers/?lapsed_from=2026-01-01&lapsed_to=2026-11-20"))
    # Silent: 100 - 90 days ago; Back: 150 - 90; Closed: the day it was closed.
    assert [name in page for name in ("Silent", "Back", "Closed", "Buys")] == [True, True, False, False]
