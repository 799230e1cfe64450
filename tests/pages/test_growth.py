"""It: shows whose certification stands where and why, trainings with their customers, and years on target; to whom it may."""

from __future__ import annotations

import datetime as dt

import pytest
import time_machine

from customers.models import Customer, Interaction
from incentives.growth.services import open_quarter
from incentives.models import Certification, PromotionNote, Training
from incentives.rules.growth import DIMENSIONS
from tenants.context import tenant_scope
from tenants.models import Member

URL = "/acme/growth/"
SAID = dict.fromkeys(DIMENSIONS, "80") | {f"{each}_reason": "Seen on visits" for each in DIMENSIONS}


def on(*day):
    return time_machine.travel(dt.datetime(*day, 12, tzinfo=dt.UTC), tick=False)


@pytest.fixture
def row(cast):
    """Ann's certification of the third quarter."""
    with tenant_scope(cast.tenant), on(2026, 9, 1):
        Member.objects.update(created_at=dt.datetime(2020, 1, 1, tzinfo=dt.UTC))
        open_quarter(cast.tenant.today())
        return Certification.objects.get(member=cast.ann)


def text(answer):
    return answer.content.decode()


def test_a_lead_scores_what_facts_do_not_say_and_an_executive_confirms(cast, sign_in, row):
    page, lea = f"{URL}certifications/{row.pk}/", sign_in(cast.lea)
    with on(2026, 9, 2):
        shown = text(lea.get(page))
        assert "The quarter runs; it can be scored when it is over, until 14 Oct." in shown
        assert f"{page}score/" not in shown
        assert "runs until" in text(lea.post(f"{page}score/", SAID))
    with on(2026, 10, 2):
        assert "2 certifications wait for you." in text(lea.get(URL))
        assert f"{page}score/" in text(lea.get(page))
        refused = text(lea.post(f"{page}score/", SAID | {"knowledge_reason": ""}))
        assert "This field is required" in refused
        assert "Seen on visits" in refused, "what was typed survives"
        assert lea.post(f"{page}score/", SAID | {"note": "Well done"}).status_code == 302
        shown = text(lea.get(page))
        for words in ("Reviewer: Seen on visits", "Well done", "passed", "by Lea"):
            assert words in shown
        assert f"{page}confirm/" not in shown, "who scores does not confirm"
        eve = sign_in(cast.eve)
        assert "1 certification waits for you." in text(eve.get(URL))
        assert eve.post(f"{page}back/", {"why": "Which visits?"}).status_code == 302
        assert "Sent back: Which visits?" in text(lea.get(page))
        assert 'value="80"' in text(lea.get(f"{page}score/")), "what was said before is there again"
        assert lea.post(f"{page}score/", SAID).status_code == 302
        assert eve.post(f"{page}confirm/").status_code == 302
        assert "stays as it is" in text(eve.post(f"{page}back/", {"why": "Late"}))
        assert lea.post(f"{page}reviewer/", {"reviewer": cast.eve.pk}).status_code == 200
        exported = b"".join(lea.get(URL, {"export": "csv", "passed": "true"}).streaming_content).decode()
        assert "Ann,2026-07-01,80,80,80,80,80,passed,confirmed,Lea" in exported
        assert "Ann" in exported
        assert "Bo" not in exported
    with on(2026, 11, 1):
        with tenant_scope(cast.tenant):
            bos = Certification.objects.get(member=cast.bo)
        listed = text(lea.get(f"{URL}?state=open&quarter=2026-09-30"))
        assert f"{URL}certifications/{bos.pk}/" in listed
        assert page not in listed
        assert "It was to be scored by 14 Oct." in text(lea.get(f"{URL}certifications/{bos.pk}/"))


def test_people_see_their_own_growth_and_leads_that_of_the_team(cast, sign_in, row):
    page, person = f"{URL}certifications/{row.pk}/", f"{URL}people/{cast.ann.pk}/"
    with on(2026, 10, 2):
        ann, bo = sign_in(cast.ann), sign_in(cast.bo)
        assert ann.get(page).status_code == 200
        assert ann.get(person).status_code == 200
        assert bo.get(page).status_code == 404
        assert bo.get(person).status_code == 403
        assert sign_in(cast.eve).get(person).status_code == 200
        with tenant_scope(cast.tenant):
            bos = Certification.objects.get(member=cast.bo)
            assert list(Certification.objects.visible_to(cast.ann)) == [row]
            Certification.objects.filter(pk=bos.pk).update(reviewer=cast.eve)
        assert ann.get(f"{URL}certifications/{bos.pk}/").status_code == 404
        assert ann.post(f"{page}score/", SAID).status_code == 403
        assert ann.get(URL, {"colour": "red"}).status_code == 400
        assert ann.get(person, {"colour": "red"}).status_code == 400


def test_a_training_goes_from_its_plan_to_the_mentors_approval(cast, sign_in):
    customers = [cast.customer(f"Customer {number}") for number in range(2)]
    form = {
        "title": "AIDA on the phone", "member": cast.ann.pk, "mentor": cast.bo.pk, "starts_on": "2026-11-02",
        "due_on": "", "wanted": "2", "plan": "Attention first",
    }  # fmt: skip
    ann, bo = sign_in(cast.ann), sign_in(cast.bo)
    with on(2026, 11, 2):
        assert "No trainings yet" in text(ann.get(f"{URL}trainings/"))
        assert "Nobody is their own mentor" in text(ann.post(f"{URL}trainings/add/", form | {"mentor": cast.ann.pk}))
        assert ann.post(f"{URL}trainings/add/", form).status_code == 302
        with tenant_scope(cast.tenant):
            row = Training.objects.get()
        page = f"{URL}trainings/{row.pk}/"
        assert "2 more customers are to be named." in text(ann.get(page))
        assert "None of the customers you see" in text(ann.post(f"{page}customers/add/", {"customer": "Nobody"}))
        for customer in customers:
            assert ann.post(f"{page}customers/add/", {"customer": customer.name}).status_code == 302
        with tenant_scope(cast.tenant):
            Interaction.objects.create(
                customer=customers[0], channel="phone", member=cast.ann, at=cast.tenant.start_of(dt.date(2026, 11, 2))
            )
            items = list(row.customers.order_by("pk"))
        assert "when all customers are done" in text(bo.get(page))
        assert "2 customers are missing." in text(bo.post(f"{page}approve/", {"said": ""}))
    with on(2026, 11, 20):
        assert "4 days late" in text(ann.get(page))
        for item in items:
            done = f"{URL}trainings/customers/{item.pk}/done/"
            assert ann.post(done, {"on": "2026-11-18", "note": "They listened"}).status_code == 302
        assert bo.post(f"{URL}trainings/customers/{items[0].pk}/undo/").status_code == 302
        shown = text(ann.get(page))
        assert "waits for the mentor, 2 days late" in shown, "only who is trained takes it back"
        assert "They listened" in shown
        assert ann.post(f"{URL}trainings/customers/{items[0].pk}/undo/").status_code == 302
        assert "1 of 2" in text(ann.get(page))
        assert ann.post(
            f"{URL}trainings/customers/{items[0].pk}/done/", {"on": "2026-11-18", "note": ""}
        ).status_code == 302  # fmt: skip
        assert "Bo, the mentor, approves it." in text(sign_in(cast.lea).post(f"{page}approve/", {"said": ""}))
        assert bo.post(f"{page}approve/", {"said": "Good ear"}).status_code == 302
        shown = text(ann.get(page))
        assert "approved, 2 days late" in shown
        assert "Good ear" in shown
        assert bo.post(f"{page}take-back/").status_code == 302
        assert bo.post(f"{page}approve/", {"said": "Good ear"}).status_code == 302
        lea = sign_in(cast.lea)
        assert "AIDA on the phone" in text(lea.get(f"{URL}trainings/?stand=approved_late"))
        assert "AIDA on the phone" not in text(lea.get(f"{URL}trainings/?stand=late"))
        exported = b"".join(lea.get(f"{URL}trainings/", {"export": "csv"}).streaming_content).decode()
        assert "AIDA on the phone" in exported
        assert "approved, 2 days late" in text(lea.get(f"{URL}people/{cast.ann.pk}/"))
        assert ann.post(f"{URL}trainings/customers/{items[0].pk}/burn/").status_code == 404


def test_a_mentor_sees_the_training_but_not_the_name_of_a_customer_who_is_not_theirs(cast, sign_in):
    hidden = cast.customer("Hidden Ltd", owner_b=None)
    with tenant_scope(cast.tenant), on(2026, 11, 2):
        row = Training.objects.create(
            member=cast.ann, mentor=cast.bo, title="AIDA", starts_on="2026-11-02", due_on="2026-11-16", wanted=1
        )
        item = row.customers.create(customer=Customer.objects.get(pk=hidden.pk), note="A secret", tenant=cast.tenant)
    page = f"{URL}trainings/{row.pk}/"
    shown = text(sign_in(cast.bo).get(page))
    assert "a customer that you do not see" in shown
    assert "Hidden Ltd" not in shown
    assert "A secret" not in shown
    assert "Hidden Ltd" in text(sign_in(cast.ann).get(page))
    assert sign_in(cast.bo).get(f"{URL}trainings/customers/{item.pk}/done/").status_code == 404
    with tenant_scope(cast.tenant):
        Training.objects.filter(pk=row.pk).update(mentor=cast.eve)
    assert sign_in(cast.bo).get(page).status_code == 404


def test_the_note_of_promotion_stands_on_the_persons_page_and_the_lead_answers_it(cast, sign_in, row):
    with tenant_scope(cast.tenant):
        note = PromotionNote.objects.create(
            member=cast.ann, first_quarter="2023-07-01", last_quarter="2026-07-01", job="service", policy_version=1,
            raised_on="2026-10-08", team_changes=["2025-02-03"],
            quarters=[{"quarter": "2026-Q3", "score": "104.2000", "job": "service"}],
            gaps=[{"quarter": "2026-Q2", "score": None, "job": "service"}],
        )  # fmt: skip
    page, answer = f"{URL}people/{cast.ann.pk}/", f"{URL}promotion/{note.pk}/"
    lea = sign_in(cast.lea)
    with on(2026, 11, 22):
        shown = text(lea.get(page))
        for words in (
            "Note of promotion", "from Quarter 3 of 2023 to Quarter 3 of 2026", "104.2", "without a score",
            "Changed teams on 3 Feb 2025", "Nobody has talked about it yet.", "0 quarters in a row on target",
        ):  # fmt: skip
            assert words in shown, words
        assert "Note of promotion" in text(sign_in(cast.ann).get(page))
        assert sign_in(cast.ann).post(answer, {"outcome": "promoted", "said": "Me"}).status_code == 403
        assert lea.post(answer, {"outcome": "later", "said": "After the course"}).status_code == 302
        assert "After the course" in text(lea.get(page))
