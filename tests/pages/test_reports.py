"""It: a report's numbers open exactly the rows they count; page, file and spreadsheet say the same; each sees their own."""

from __future__ import annotations

import csv
import datetime as dt
import html
import io
import re

import pytest
from django.utils import timezone

from config.night import run_night
from customers.models import Complaint
from followups.models import FollowUp, NoticeDelivery
from incentives.models import Report, Reward
from risk.models import Alert, Case, Incident, IncidentClock
from tenants.context import tenant_scope
from tenants.models import Member, Team
from tests.pages.conftest import FRIDAY, HX, NOON, text

EARNED = {
    "order": "SO-1", "on": "2026-11-05", "customer": "Glass", "net": "1000", "referrer": "Tiles", "is_order": True,
    "recommended_on": "2026-10-01", "first_on": "2026-11-05", "months": 12,
}  # fmt: skip
MONTH, WEEK = "/acme/reports/now/monthly/?period=2026-11", "/acme/reports/now/weekly/?period=2026-W47"


@pytest.fixture
def story(cast, placed, night, time_machine):
    """Ann: Tiles lapses in the month, Glass is well; Bo: Glue moves by an order; Far is of another team."""
    with tenant_scope(cast.tenant):
        north = Team.objects.create(name="North")
        Member.objects.filter(pk=cast.ada.pk).update(team=north)
    rows = {
        name: cast.customer(name, owner_a=owner, owner_b=None)
        for name, owner in {"Tiles": cast.ann, "Glass": cast.ann, "Glue": cast.bo, "Far": cast.ada}.items()
    }
    for name, days in {"Tiles": (95, 200), "Glass": (10, 40, 90), "Glue": (3, 300), "Far": (92, 130)}.items():
        placed(rows[name], *days, net="1000")
    time_machine.move_to(NOON - dt.timedelta(days=18), tick=False)
    run_night(cast.tenant, dt.date(2026, 11, 2), everybody=True)
    time_machine.move_to(NOON, tick=False)
    night()
    now = timezone.now()
    with tenant_scope(cast.tenant):
        common = {"opened_on": dt.date(2026, 11, 3), "closed_on": dt.date(2026, 11, 12)}
        Case.objects.create(
            customer=rows["Tiles"], risk_class="external", cause="competitor", outcome="lost", money=500, **common
        )
        Case.objects.create(customer=rows["Glass"], risk_class="demand", cause="price", outcome="saved", **common)
        Case.objects.create(customer=rows["Far"], risk_class="demand", cause="price", outcome="saved", **common)
        opened = now - dt.timedelta(days=4)
        for name, late in (("Tiles", True), ("Glass", False), ("Far", False)):
            Alert.objects.create(
                customer=rows[name], signal="leaving", risk_class="external", level="severe", period=name,
                opened_on=opened.date(), opened_at=opened, due_at=opened + dt.timedelta(hours=4), policy_version=1,
                first_action_at=opened + dt.timedelta(hours=30 if late else 1),
            )  # fmt: skip
        crisis = Incident.objects.create(
            number=1, customer=rows["Glass"], title="Wrong glaze", level="serious", opened_at=opened, policy_version=1,
            calendar_version=1,
        )  # fmt: skip
        IncidentClock.objects.create(
            incident=crisis, kind="acknowledge", target_minutes=30, deadline_at=opened, met_at=opened
        )
        for number, member in enumerate((cast.ann, cast.ann, cast.ada)):
            Reward.objects.create(
                key=f"r{number}", kind="staff", member=member, customer=rows["Glass"], earned_on=dt.date(2026, 11, 5),
                entitled=50, pending=50, percent=5, policy_version=1, facts=EARNED,
            )  # fmt: skip
        for name, assignee, day in (("Tiles", cast.ann, 3), ("Glue", cast.bo, 8), ("Far", cast.ada, 8)):
            FollowUp.objects.create(
                customer=rows[name], assignee=assignee, kind="light_touch", rule="manual", period=name,
                due_on=FRIDAY - dt.timedelta(days=day), facts={"text": name},
            )  # fmt: skip
        Complaint.objects.create(
            customer=rows["Glass"], topic="Late", opened_at=opened, apologised_at=opened + dt.timedelta(hours=2)
        )
    return rows


def counted(client, address):
    """How many rows a list says that it has."""
    answer = client.get(address, headers=HX)
    assert answer.status_code == 200, (address, text(answer)[:300])
    return int(re.search(r'role="status">(?:more than )?([\d,]+) ', text(answer))[1].replace(",", ""))


def links(page):
    """Every whole number that opens a list: (address, number)."""
    found = re.findall(r'<a class="n" href="(/acme/(?!kpis)[^"]*\?[^"]*)">([\d,]+)</a>', page)
    return [(html.unescape(address), int(number.replace(",", ""))) for address, number in found]


def part(page, code):
    """The table of a part."""
    return page[page.index(f'id="{code}"') :].split("</section>")[0]


def test_it_opens_the_rows_behind_every_number(cast, story, sign_in):
    for member, who in ((cast.lea, ""), (cast.eve, ""), (cast.eve, f"&who=team-{cast.lea.team_id}")):
        client = sign_in(member)
        for address in (MONTH, WEEK):
            page = text(client.get(address + who))
            found = links(page)
            assert len(found) >= 8, page
            for place, number in found:
                assert counted(client, place) == number, (member, place)
            for place in re.findall(r'href="(/acme/kpis/[^"]*)"', page):
                assert client.get(html.unescape(place)).status_code == 200, place


def test_it_says_what_the_month_came_to(cast, story, sign_in):
    client = sign_in(cast.lea)
    page = text(client.get(MONTH))
    assert "Monthly report: Nov 2026, South" in page
    assert "This time is not over: facts of days before 20 Nov are in the numbers." in page
    assert "Tiers are known since the night of 2 Nov" in page
    # Tiles lapsed 90 days after its last order, because of a competitor; Far is another team's.
    assert re.search(r"External</th>.*?lapsed_why=external[^>]*>1</a>.*?£2k", part(page, "lapses"), re.S)
    assert "Relationship" not in part(page, "lapses")
    assert re.search(r"Price</th>.*?>1</a>.*?>1</a>", part(page, "causes"), re.S)
    assert re.search(r"Severe.*?50%.*?>1</a>.*?>1</a>", part(page, "alerts"), re.S)
    assert re.search(r"Serious.*?>1</a>", part(page, "crises"), re.S)
    assert "clocks met: 1 of 1" in part(page, "crises")
    assert re.search(r"saved</th>.*?>1</a>", part(page, "cases"), re.S)
    assert re.search(r"Ann</th>.*?>2</a>.*?£100.*?£100", part(page, "rewards"), re.S)
    assert "Ada" not in part(page, "rewards")
    assert "Response time" in part(page, "kpis")
    assert "£" in part(page, "moves") or "Nobody moved" in part(page, "moves")
    firm = text(sign_in(cast.eve).get(MONTH))
    assert "The whole firm" in firm
    assert re.search(r">2</a>", part(firm, "lapses"))
    week = text(client.get(WEEK))
    assert re.search(r"Overdue follow-ups</th>.*?>[2-9]</a>", part(week, "now"), re.S)
    assert 'id="rewards"' not in week


def test_it_is_saved_as_a_spreadsheet_and_a_file_and_sent_to_oneself(cast, story, sign_in):
    client = sign_in(cast.lea)
    rows = list(csv.reader(io.StringIO(text(client.get(MONTH + "&export=csv")))))
    assert ["Lapsed customers", "External", "Customers", "1"] in [row[:4] for row in rows]
    pdf = client.get(MONTH + "&export=pdf")
    assert pdf.status_code in {200, 503}  # where Pango is not installed it is said
    if pdf.status_code == 200:
        assert pdf.content.startswith(b"%PDF")
        assert pdf["Content-Disposition"] == f'attachment; filename="report-acme-2026-11-team-{cast.lea.team_id}.pdf"'
    else:
        assert "Pango" in text(pdf)
    page = text(client.get(MONTH))
    token = re.search(r'name="token" value="(\w+)"', page)[1]
    form = {"token": token, "period": "2026-11", "who": f"team-{cast.lea.team_id}"}
    for words in ("On its way to lea@acme.example.", "It was sent already."):
        answer = client.post("/acme/reports/now/monthly/send/", form, follow=True)
        assert words in text(answer)
    with tenant_scope(cast.tenant):
        assert NoticeDelivery.objects.filter(member=cast.lea, notice__kind="report_monthly").count() == 1
    assert client.post("/acme/reports/now/monthly/send/", form | {"token": "?"}).status_code == 400


def test_it_keeps_strangers_out_and_strange_questions(cast, story, sign_in):
    ann, lea = sign_in(cast.ann), sign_in(cast.lea)
    with tenant_scope(cast.tenant):
        north = Team.objects.get(name="North").pk
        facts = {"kind": "weekly", "period": "2026-W46", "name": "", "start": "2026-11-09", "last": "2026-11-15",
                 "as_of": "2026-11-16", "made_at": timezone.now().isoformat(), "scope": {}, "missing": [], "who": "tenant"}  # fmt: skip
        row = Report.objects.create(
            kind="weekly", start=dt.date(2026, 11, 9), as_of=FRIDAY, policy_version=1, facts=facts
        )
    assert ann.get("/acme/reports/now/monthly/").status_code == 404
    assert ann.get("/acme/reports/now/weekly/").status_code == 200
    assert ann.get(f"/acme/reports/now/weekly/?who=person-{cast.bo.pk}").status_code == 404
    assert lea.get(f"/acme/reports/now/weekly/?who=person-{cast.bo.pk}").status_code == 200
    for strange in (f"who=team-{north}", "who=tenant", "period=2027-W10"):
        assert lea.get(f"/acme/reports/now/weekly/?{strange}").status_code == 404, strange
    for strange in ("who=everybody", "period=2026-11", "period=x", "export=doc", "colour=red"):
        assert lea.get(f"/acme/reports/now/weekly/?{strange}").status_code == 400, strange
    assert lea.get(f"/acme/reports/{row.pk}/").status_code == 404
    assert lea.post(f"/acme/reports/{row.pk}/send/", {"token": "a" * 12}).status_code == 404
    eve = sign_in(cast.eve)
    assert "Weekly digest: Week 46 of 2026, The whole firm" in text(eve.get(f"/acme/reports/{row.pk}/"))
    assert counted(eve, "/acme/reports/?kind=weekly") == 1
    assert "No reports yet" in text(lea.get("/acme/reports/"))


def test_it_does_not_open_the_firm_to_a_lead_without_a_team(cast, story, sign_in):
    with tenant_scope(cast.tenant):
        Member.objects.filter(pk=cast.lea.pk).update(team=None)
    client = sign_in(cast.lea)
    assert client.get("/acme/reports/now/monthly/").status_code == 404
    page = text(client.get(WEEK))
    assert "Tiles" not in page
    assert "Far" not in text(client.get("/acme/team/"))
