"""It: lists crises, shows one with all that is done about it, and lets a customer read what is theirs, and nothing else."""

import datetime as dt
import re
from decimal import Decimal

import pytest
from django.test import Client

from customers.models import Contact, Customer
from followups.models import Message
from risk.incidents import compensation, reports, services, steps, talk
from risk.models import Incident, IncidentEntry, IncidentLink, IncidentReport, IncidentStep
from tenants.context import tenant_scope
from tests.pages.conftest import HX, NOON, text

URL = "/acme/crises/"
pytestmark = pytest.mark.usefixtures("noon")


@pytest.fixture
def ann(cast, sign_in):
    return sign_in(cast.ann)


@pytest.fixture
def customer(cast):
    found = cast.customer("Golden Sail Gifts")
    with tenant_scope(cast.tenant):
        Contact.objects.create(
            customer=found, name="Chen Yao", title="buyer", email="chen@golden.example", language="zh", is_main=True
        )
    return found


@pytest.fixture
def incident(cast, customer):
    with tenant_scope(cast.tenant):
        return services.open_incident(
            customer=customer, title="4,800 boxes in the wrong blue", level="serious", kind="wrong_product",
            what="INTERNAL-WHAT", member=cast.ann, value=Decimal(1000),
        )  # fmt: skip


@pytest.fixture
def here(incident):
    return f"{URL}{incident.pk}/"


def live(page):
    return re.search(r'hx-get="([^"]*live/[^"]*)"', page).group(1).replace("&amp;", "&")


def test_explains_an_empty_list_and_opens_a_crisis_from_it(ann, cast, customer):
    assert "No crisis yet" in text(ann.get(URL))
    form = {"customer": "golden sail gifts", "title": "Late", "level": "major", "kind": "late", "what": "x"}
    wrong = text(ann.post(f"{URL}open/", form | {"customer": "Nobody"}))
    assert "There is no customer of this name that you see." in wrong
    answer = ann.post(f"{URL}open/", form)
    with tenant_scope(cast.tenant):
        made = Incident.objects.get()
    assert answer["Location"] == f"{URL}{made.pk}/"
    assert "CR-1 Late" in text(ann.get(URL))
    lines = text(ann.get(f"{URL}?export=csv")).splitlines()
    assert lines[1].startswith("CR-1 Late,Major,Golden Sail Gifts")
    assert ann.get(f"{URL}?colour=red").status_code == 400
    assert "CR-1" not in text(ann.get(f"{URL}?is_open=false"))


def test_refuses_a_closed_customer_in_words_and_keeps_what_was_typed(ann, cast, customer):
    with tenant_scope(cast.tenant):
        Customer.objects.filter(pk=customer.pk).update(closed_on=dt.date(2026, 11, 2))
    page = text(ann.post(f"{URL}open/?customer={customer.pk}", {"title": "Late", "level": "general", "kind": "late"}))
    assert "Golden Sail Gifts is closed since 2 Nov" in page
    assert 'value="Late"' in page


def test_shows_clocks_steps_timeline_report_and_team(ann, here):
    page = text(ann.get(here))
    for words in (
        "1 Acknowledge", "30 min", "left of 30 min", "due today 12:30", "3 First solution", "due Mon 23 Nov 15:00",
        "Not counted: Sat 21 Nov, Sun 22 Nov", "Acknowledge with a name and a time", "0 of 10 done", "INTERNAL-WHAT",
        "to be led by the after-sales director", "Improvement report", "all three parts are written",
        "Nobody can read along yet",
    ):  # fmt: skip
        assert words in page, words
    assert page.count('data-key="e"') == page.count('data-key="m"') == 1
    assert ann.get(f"{here}?colour=red").status_code == 400


def test_nobody_else_sees_it(cast, sign_in, here, incident):
    with tenant_scope(cast.tenant):
        Customer.objects.update(owner_b=None)
        step = IncidentStep.objects.filter(incident=incident).first()
    bo = sign_in(cast.bo)
    for path in (here, f"{here}live/", f"{here}customer/", f"{here}report/en/", f"{URL}steps/{step.pk}/"):
        assert bo.get(path).status_code == 404, path
    assert bo.post(f"{URL}steps/{step.pk}/done/").status_code == 404
    assert bo.post(f"{here}update/", {"text": "x", "see": "internal"}).status_code == 404


def test_writes_lines_once_and_keeps_what_was_refused(ann, cast, here):
    line = {"text": "Printing is stopped", "see": "customer", "about": "", "key": "one"}
    assert ann.post(f"{here}update/", line)["Location"] == here
    ann.post(f"{here}update/", line)
    page = text(ann.get(here))
    assert page.count("Printing is stopped") == 1
    refused = ann.post(f"{here}update/", line | {"key": "two", "text": "y" * 4001})
    assert refused.status_code == 422
    assert "y" * 4001 in text(refused)
    assert 'value="customer" id="see-c" checked' in text(refused)


def test_asks_cheaply_whether_something_is_new_and_leaves_the_fields_alone(
    ann, cast, here, incident, django_assert_max_num_queries, time_machine
):
    address = live(text(ann.get(here)))
    with django_assert_max_num_queries(8):
        assert ann.get(address, headers=HX).status_code == 204
    with tenant_scope(cast.tenant):
        talk.write_update(incident=incident, text="Something new", member=cast.bo)
    answer = ann.get(address, headers=HX)
    part = text(answer)
    assert "Something new" in part
    assert 'id="upd"' not in part
    assert 'id="r-why"' not in part
    assert 'name="seen"' not in part
    again = live(part)
    assert ann.get(again, headers=HX).status_code == 204
    time_machine.move_to(NOON + dt.timedelta(minutes=1), tick=False)
    clocks = text(ann.get(again, headers=HX))
    assert "29 min" in clocks
    assert "Something new" not in clocks  # with the minute only the clocks move


def test_does_steps_by_plain_forms(ann, cast, here, incident):
    with tenant_scope(cast.tenant):
        first, team = IncidentStep.objects.filter(incident=incident)[:2]
    ann.post(f"{URL}steps/{first.pk}/done/")
    page = text(ann.get(here))
    assert "0 min" in page
    assert "1 of 10 done" in page
    refused = ann.post(f"{URL}steps/{team.pk}/done/", follow=True)
    assert "Name the team: that does this step." in text(refused)
    moved = {"due_at": "2026-11-20T16:30", "owner": cast.bo.pk}
    ann.post(f"{URL}steps/{team.pk}/", moved)
    assert "today 16:30" in text(ann.get(here))


def test_two_who_name_the_team_the_second_sees_who_was_first(ann, cast, sign_in, here):
    bo = sign_in(cast.bo)
    assert 'name="seen" value="0"' in text(bo.get(f"{here}team/"))
    said = {"lead": cast.lea.pk, "contact": cast.ann.pk, "expert": "", "executive": "", "seen": "0"}
    assert ann.post(f"{here}team/", said)["Location"] == here
    refused = text(bo.post(f"{here}team/", said | {"lead": cast.eve.pk}))
    assert "Ann has named the team meanwhile: Lea (leads), Ann (is your contact)" in refused
    assert 'name="seen" value="1"' in refused
    assert bo.post(f"{here}team/", said | {"lead": cast.eve.pk, "seen": "1"})["Location"] == here
    assert "led by Eve" in text(ann.get(here))


def test_changes_level_pauses_and_resumes(ann, here):
    assert ann.post(f"{here}level/", {"level": "major", "reason": "Press"})["Location"] == here
    assert "5 Visit" in text(ann.get(here))
    ann.post(f"{here}pause/", {"reason": "Their sample"})
    page = text(ann.get(here))
    assert "The clocks stand still since 12:00: Their sample" in page
    ann.post(f"{here}resume/")
    assert "stand still" not in text(ann.get(here))


def test_compensation_waits_for_whoever_may(ann, cast, sign_in, here):
    ann.post(f"{here}compensation/", {"kind": "discount", "amount": "80", "text": ""})
    page = text(ann.get(here))
    assert "£80 off this order" in page
    assert "waits for approval" in page
    assert "Approve" not in page
    with tenant_scope(cast.tenant):
        row = Incident.objects.get().compensations.get()
    assert "does not approve this" in text(ann.post(f"{URL}compensation/{row.pk}/approve/", follow=True))
    lea = sign_in(cast.lea)
    assert "Approve" in text(lea.get(here))
    lea.post(f"{URL}compensation/{row.pk}/approve/")
    assert "approved" in text(ann.get(here))


def test_saves_the_report_and_refuses_to_overwrite_another(ann, cast, sign_in, here):
    parts = {"why": "Old file", "avoided": "Locked", "offer": "New boxes", "seen": "0"}
    ann.post(f"{here}report/en/save/", parts)
    assert "Old file" in text(ann.get(f"{here}?report=en"))
    stale = sign_in(cast.bo).post(f"{here}report/en/save/", parts | {"why": "MINE"})
    assert stale.status_code == 409
    assert "Ann has saved the report meanwhile" in text(stale)
    assert "MINE" in text(stale)
    quick = text(ann.post(f"{here}report/en/save/", parts | {"why": "Newer", "seen": "1"}, headers=HX))
    assert "Saved" in quick
    assert 'value="2"' in quick
    ann.post(f"{here}report/en/confirm/")
    assert "cause confirmed, Ann" in text(ann.get(f"{here}?report=en"))
    assert "Newer" in text(ann.get(f"{here}report/en/"))


# ── the customer's page ─────────────────────────────────────────────────────


@pytest.fixture
def link(cast, incident):
    with tenant_scope(cast.tenant):
        contact = Contact.objects.get()
        made, _outcome = talk.make_link(incident=incident, contact=contact, member=cast.ann)
        return talk.address_of(made).partition("://")[2].partition("/")[2]


def test_the_customer_reads_what_is_visible_and_nothing_internal(ann, cast, sign_in, incident, link, here):
    """Every kind of line that the house writes, with a mark in each internal one: none of the marks gets out."""
    with tenant_scope(cast.tenant):
        talk.write_update(incident=incident, text="SEEN-LINE", member=cast.ann, is_visible=True, about="offer")
        talk.write_update(incident=incident, text="INTERNAL-LINE", member=cast.ann, about="cause")
        seats = {"lead": cast.lea, "contact": cast.ann, "executive": cast.eve}
        services.change_level(incident=incident, level="major", reason="INTERNAL-REASON", member=cast.ann)
        services.name_team(incident=incident, seats=seats, seen=0, member=cast.lea)
        steps.add(incident=incident, title="INTERNAL-STEP", member=cast.ann)
        asked = compensation.ask(
            incident=incident, kind="credit", amount=Decimal(4321), text="INTERNAL-OFFER", member=cast.ann
        )
        compensation.decide(compensation=asked, approve=False, why="INTERNAL-NO", member=cast.eve)
        services.pause(incident=incident, reason="INTERNAL-PAUSE", member=cast.ann)
        reports.save(
            incident=incident, language="zh-hans", parts={"why": "INTERNAL-DRAFT"}, seen=0, member=cast.ann
        )  # fmt: skip
    for language in ("en", "zh-hans"):
        answer = Client().get(f"/{link}?lang={language}")
        page = text(answer)
        assert "INTERNAL" not in page
        assert "4,321" not in page
        assert "4321" not in page
        assert cast.tenant.slug not in page.replace(cast.tenant.name, "")
        assert "SEEN-LINE" in page
        assert "4,800 boxes in the wrong blue" in page
        assert "Lea" in page
    assert answer["Referrer-Policy"] == "no-referrer"
    assert "noindex" in answer["X-Robots-Tag"]
    assert "no-store" in answer["Cache-Control"]
    assert 'lang="zh-hans"' in text(Client().get(f"/{link}"))  # the contact's own
    assert "SEEN-LINE" in text(ann.get(f"{here}customer/"))
    assert "read 12:00" in text(ann.get(here))


def test_the_customers_open_page_hears_of_what_is_visible_and_of_nothing_else(cast, incident, link):
    def asked(page):
        return re.search(r'hx-get="([^"]*seen=[^"]*)"', page).group(1).replace("&amp;", "&")

    nobody = Client()
    address = asked(text(nobody.get(f"/{link}?lang=en")))
    assert nobody.get(address, headers=HX).status_code == 204
    with tenant_scope(cast.tenant):
        talk.write_update(incident=incident, text="INTERNAL-LINE", member=cast.ann)
    assert nobody.get(address, headers=HX).status_code == 204  # not even that something was written
    with tenant_scope(cast.tenant):
        talk.write_update(incident=incident, text="SEEN-LINE", member=cast.ann, is_visible=True)
    part = text(nobody.get(address, headers=HX))
    assert "SEEN-LINE" in part
    assert "<html" not in part
    assert nobody.get(asked(part), headers=HX).status_code == 204
    with tenant_scope(cast.tenant):
        made = IncidentLink.objects.get()
        assert made.reads == 1  # asking is no reading
        talk.revoke_link(link=made, member=cast.ann)
    ended = nobody.get(asked(part), headers=HX)
    assert (ended["HX-Refresh"], ended.content) == ("true", b"")
    assert nobody.get(asked(part)).status_code == 410


def test_a_link_is_good_for_its_row_alone_until_it_ends(cast, incident, link, time_machine):
    nobody = Client()
    assert nobody.get(f"/{link}").status_code == 200
    assert nobody.post(f"/{link}").status_code == 405
    token = link.rstrip("/").rpartition("/")[2]
    for other in (token[:-1] + ("a" if token[-1] != "a" else "b"), "x", f"1-1-{token[-24:]}", "1-1-%00"):
        assert nobody.get(f"/crisis/{other}/").status_code == 404
    with tenant_scope(cast.tenant):
        made = IncidentLink.objects.get()
        assert made.reads == 1
    time_machine.move_to(made.expires_at, tick=False)
    assert nobody.get(f"/{link}").status_code == 410
    time_machine.move_to(NOON, tick=False)
    with tenant_scope(cast.tenant):
        talk.revoke_link(link=made, member=cast.ann)
    assert nobody.get(f"/{link}").status_code == 410
    assert nobody.get(f"/{link}?as=pdf").status_code == 410


def test_sends_the_link_and_makes_none_for_a_drill(ann, cast, here, incident):
    with tenant_scope(cast.tenant):
        contact = Contact.objects.get()
        drill = services.start_drill(incident=incident, member=cast.ann)
    ann.post(f"{here}link/", {"contact": contact.pk, "send": "on"})
    with tenant_scope(cast.tenant):
        message = Message.objects.get()
        link = IncidentLink.objects.get()
    assert (message.purpose, message.contact_id) == ("service", contact.pk)
    assert talk.address_of(link) in message.body
    refused = text(ann.post(f"{URL}{drill.pk}/link/", {"contact": contact.pk}))
    assert "This is a drill: the customer hears nothing of it." in refused
    ann.post(f"{URL}links/{link.pk}/end/")
    assert "Chen Yao" in text(ann.get(here))  # in the log
    assert 'id="link-' not in text(ann.get(here))


def test_closes_and_gives_the_customer_the_report_as_page_and_pdf(ann, cast, incident, link, here):
    end = {"outcome": "saved", "cause": "quality", "tried": ["rework"], "note": "Lock old files"}
    assert "Not yet: Solved, called back" in text(ann.post(f"{here}close/", end))
    with tenant_scope(cast.tenant):
        steps.done(step=IncidentStep.objects.select_related("incident").get(code="call_back"), member=cast.ann)
        parts = {"why": "印刷用了旧文件。", "avoided": "旧文件锁定。", "offer": "重做4,800个礼盒。"}
        reports.save(incident=incident, language="zh-hans", parts=parts, seen=0, member=cast.ann)
        reports.confirm_cause(incident=incident, language="zh-hans", member=cast.bo)
    assert "印刷用了旧文件" not in text(Client().get(f"/{link}"))
    assert Client().get(f"/{link}?as=pdf").status_code == 404
    assert ann.post(f"{here}close/", end)["Location"] == here
    assert "closed 12:00: saved" in text(ann.get(here))
    page = text(Client().get(f"/{link}"))
    assert "印刷用了旧文件" in page
    pdf = Client().get(f"/{link}?as=pdf")
    with tenant_scope(cast.tenant):
        assert IncidentReport.objects.get().sent_at == NOON
        assert Message.objects.get().period.startswith("report:")
        assert IncidentEntry.objects.filter(code="report", is_visible=True).count() == 1
    if pdf.status_code == 503:
        pytest.skip("WeasyPrint finds no Pango here")
    assert pdf["Content-Type"] == "application/pdf"
    assert pdf.content.startswith(b"%PDF")
    assert ann.get(f"{here}report/zh-hans/?as=pdf").content.startswith(b"%PDF")


def test_opens_a_drill_with_a_copy(ann, cast, here):
    answer = ann.post(f"{here}drill/")
    page = text(ann.get(answer["Location"]))
    assert "Drill: the customer hears nothing of it" in page
    assert "4,800 boxes in the wrong blue" in page
    listed = text(ann.get(URL))
    assert '<span class="badge">drill</span>' in listed
    assert '<span class="count num">1</span>' in listed  # the drill is no crisis
