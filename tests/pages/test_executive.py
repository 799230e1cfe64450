"""It: retention over teams, tiers and cohorts, the share of referrals, and the return with the firm's own inputs."""

from __future__ import annotations

import datetime as dt
import html
import re

import pytest

from customers.models import Interaction, Referral
from segmentation.models import Standing
from tenants.context import tenant_scope
from tenants.models import Member, Team
from tenants.policies import active_policy, save_policy
from tests.pages.conftest import FRIDAY, HX, text

PAGE = "/acme/executive/"
# The year that is looked at is 1 November 2025 to 31 October 2026; FRIDAY is 20 November 2026.
NOW, BEFORE = 200, 500


@pytest.fixture
def eve(cast, sign_in):
    return sign_in(cast.eve)


@pytest.fixture
def firm(cast, placed, night):
    """Kept bought 1,000 and 600; Grown 100 and 400; Gone 900 and nothing; Fresh and Friend are new, Friend by referral."""
    with tenant_scope(cast.tenant):
        north = Team.objects.create(name="North")
        Member.objects.filter(pk=cast.ada.pk).update(team=north)
    rows = {
        name: cast.customer(name, owner_a=owner, owner_b=None)
        for name, owner in {
            "Kept": cast.ann, "Grown": cast.ann, "Gone": cast.ada, "Fresh": cast.ann, "Friend": cast.ada,
        }.items()
    }  # fmt: skip
    for name, before, now in (
        ("Kept", 1000, 600),
        ("Grown", 100, 400),
        ("Gone", 900, 0),
        ("Fresh", 0, 50),
        ("Friend", 0, 80),
    ):
        if before:
            placed(rows[name], BEFORE, net=str(before))
        if now:
            placed(rows[name], NOW, net=str(now))
    with tenant_scope(cast.tenant):
        Referral.objects.create(referrer=rows["Kept"], customer=rows["Friend"], on=FRIDAY - dt.timedelta(days=300))
        Referral.objects.create(
            referrer=rows["Kept"], customer=rows["Fresh"], on=FRIDAY, withdrawn_at=cast.tenant.start_of(FRIDAY)
        )
        for days in (190, 195, 10):  # the last one lies in the month that is not over
            Interaction.objects.create(
                customer=rows["Kept"], member=cast.ann, channel="phone", direction="outbound",
                at=cast.tenant.start_of(FRIDAY - dt.timedelta(days=days)),
            )  # fmt: skip
    night()
    return rows


def strip(page):
    found = re.findall(
        r'<a class="pn-stat" href="([^"]*)"><span class="k">(.*?)</span><span class="v"><b>(.*?)</b>', page
    )
    return {words: (number, html.unescape(address)) for address, words, number in found}


def counted(client, address):
    answer = client.get(address, headers=HX)
    return int(re.search(r'role="status">(?:more than )?([\d,]+) ', text(answer))[1].replace(",", ""))


def test_it_keeps_customers_and_money_apart_and_opens_the_rows(cast, firm, eve):
    page = text(eve.get(PAGE))
    numbers = strip(page)
    assert numbers["Customers kept"][0] == "66.7%"  # two of three
    assert numbers["Money kept, gross"][0] == "35%"  # 600 + 100 of 2,000
    assert numbers["Money kept, net"][0] == "50%"  # 600 + 400
    assert numbers["New by referral"][0] == "50%"  # a claim that was withdrawn is none
    assert counted(eve, numbers["Customers kept"][1]) == 2
    assert counted(eve, numbers["Money kept, gross"][1]) == 3
    assert counted(eve, numbers["New by referral"][1]) == 1
    links = re.findall(r'<a class="n" href="(/acme/[^"]*\?[^"]*)">([\d,]+)</a>', page)
    assert len(links) >= 12
    for address, number in links:
        assert counted(eve, html.unescape(address)) == int(number.replace(",", "")), address
    # By team: South kept both of its own, North lost Gone.
    rows = dict(re.findall(r'<th scope="row"><a class="n" href="[^"]*">(South|North)</a></th>(.*?)</tr>', page, re.S))
    assert "100%" in rows["South"]
    assert "0%" in rows["North"]
    with tenant_scope(cast.tenant):
        north = Team.objects.get(name="North").pk
        assert Standing.objects.filter(customer=firm["Kept"]).exists()
    assert strip(text(eve.get(f"{PAGE}?team={north}")))["Customers kept"][0] == "0%"
    sheet = text(eve.get(PAGE + "?export=csv"))
    assert re.search(r"South,\d+,2,2,1100", sheet)


def test_cohorts_lose_who_stops_ordering(cast, firm, eve):
    page = text(eve.get(PAGE))
    triangle = page[page.index("pn-triangle") :]
    line = re.search(r"2025 Q3</th>.*?</tr>", triangle, re.S)  # 500 days before: 8 July 2025
    assert line is not None
    boxes = [
        (html.unescape(address), share)
        for address, share in re.findall(r'<a class="n" href="([^"]*ordered_from[^"]*)">(\d+%)', line[0])
    ]
    # All three in their first quarter, two of them three quarters later, nobody in between.
    assert [share for _address, share in boxes] == ["100%", "0%", "0%", "67%", "0%", "0%"]
    assert [counted(eve, boxes[place][0]) for place in (0, 3)] == [3, 2]


def test_the_return_waits_for_what_only_the_firm_knows(cast, firm, eve):
    page = text(eve.get(PAGE))
    assert "Not enough is known" in page
    assert "contribution margin" in page
    with tenant_scope(cast.tenant):
        document = dict(active_policy().document)
        document["programme"] = {"people": 10, "marketing": 10, "margin": 50, "baseline": 20, "once": 5}
        save_policy(document, pack="callback", note="")
    page = text(eve.get(PAGE))
    # (700 − 20 % of 2,000 + 80) × 50 % = 190 a year; 20 a year for two contacts.
    assert ">£190<" in page
    assert strip(page)["Cost per contact"][0] == "£10"
    # 190 × 3.6048 / (5 + 20 × 3.6048)
    assert strip(page)["Return on the programme"][0] == "8.9"
