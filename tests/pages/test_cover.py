"""It: the pages of cover, and the hand-over pack as a page and as PDF."""

from __future__ import annotations

import datetime as dt
import sys

import pytest

from customers.models import Complaint, Contact, Customer, Interaction
from followups.cover import services as cover
from followups.models import Absence, FollowUp
from tenants.context import tenant_scope
from tests.pages.conftest import FRIDAY, text

URL = "/acme/cover/"
DAY = dt.timedelta(days=1)

pytestmark = pytest.mark.usefixtures("noon")


@pytest.fixture
def raised(cast):
    def make(customer=None, **fields):
        usual = {"assignee": cast.ann, "kind": "light_touch", "rule": "manual", "period": "one", "due_on": FRIDAY}
        with tenant_scope(cast.tenant):
            return FollowUp.objects.create(customer=customer or cast.customer(), **(usual | fields))

    return make


def test_explains_cover_while_nobody_is_away(cast, sign_in):
    page = text(sign_in(cast.ann).get(URL))
    assert "Nobody is away" in page
    assert f"{URL}absences/add/" in page
    assert f"{URL}absences/add/" not in text(sign_in(cast.eve).get(URL))


def test_plans_an_absence_and_shows_it_to_who_covers(cast, sign_in, raised):
    row = raised()
    ann, bo = sign_in(cast.ann), sign_in(cast.bo)
    answer = ann.post(
        f"{URL}absences/add/", {"first": "2026-11-20", "last": "2026-11-27", "covered_by": "", "note": "Skiing"}
    )
    assert answer.status_code == 302
    page = text(bo.get(URL))
    assert "You cover for Ann until 27 Nov." in page
    assert "Skiing" in page
    with tenant_scope(cast.tenant):
        assert FollowUp.objects.get(pk=row.pk).assignee == cast.bo
        absence = Absence.objects.get()
    assert ann.post(f"{URL}absences/{absence.pk}/end/").status_code == 302
    assert "Not long ago" in text(ann.get(URL))
    with tenant_scope(cast.tenant):
        assert FollowUp.objects.get(pk=row.pk).assignee == cast.ann


def test_says_at_the_field_what_is_wrong_and_keeps_what_was_typed(cast, sign_in):
    page = text(
        sign_in(cast.ann).post(f"{URL}absences/add/", {"first": "2026-11-27", "last": "2026-11-23", "note": "Sea"})
    )
    assert "The last day is before the first." in page
    assert 'value="Sea"' in page


def test_lets_an_account_manager_plan_only_their_own(cast, sign_in):
    ann = sign_in(cast.ann)
    assert 'name="member"' not in text(ann.get(f"{URL}absences/add/"))
    sent = {"member": cast.bo.pk, "first": "2026-11-23", "last": "2026-11-24"}
    ann.post(f"{URL}absences/add/", sent)
    with tenant_scope(cast.tenant):
        absence = Absence.objects.get()
        assert absence.member == cast.ann
    assert sign_in(cast.bo).get(f"{URL}absences/{absence.pk}/").status_code == 403
    lea = sign_in(cast.lea)
    lea.post(f"{URL}absences/add/", sent)
    with tenant_scope(cast.tenant):
        assert Absence.objects.filter(member=cast.bo).exists()
    edited = lea.post(
        f"{URL}absences/{absence.pk}/", {"first": "2026-11-25", "last": "2026-11-26", "covered_by": cast.lea.pk}
    )
    assert edited.status_code == 302
    with tenant_scope(cast.tenant):
        assert Absence.objects.get(pk=absence.pk).covered_by == cast.lea


def test_counts_what_nobody_can_take_and_who_has_no_cover(cast, sign_in, raised):
    raised(cast.customer("Alone", owner_b=None))
    with tenant_scope(cast.tenant):
        cover.plan_absence(member=cast.ann, away=cast.ann, first=FRIDAY, last=FRIDAY)
    page = text(sign_in(cast.lea).get(URL))
    assert "1 customer has no B owner" in page
    assert '<span class="late">1</span>' in page


def test_asks_how_many_before_customers_change_hands_and_keeps_the_history(cast, sign_in, raised):
    raised(cast.customer("Huaxin"))
    lea = sign_in(cast.lea)
    people = {"giver": cast.ann.pk, "taker": cast.lea.pk}
    page = text(lea.post(f"{URL}hand-over/", people))
    assert "1 customer of Ann goes to Lea" in page
    with tenant_scope(cast.tenant):
        assert Customer.objects.get().owner_a == cast.ann
    assert lea.post(f"{URL}hand-over/", people | {"seen": 1}).status_code == 302
    history = text(lea.get(f"{URL}owners/"))
    assert "Ann → Lea" in history
    sheet = text(lea.get(f"{URL}owners/?export=csv")).lstrip("\ufeff").splitlines()
    assert sheet[1].split(",")[1:4] == ["Huaxin", "Ann", "Lea"]
    # A customer that one does not see has no history either.
    assert "Huaxin" not in text(sign_in(cast.ann).get(f"{URL}owners/"))
    assert "no longer" not in history
    stale = text(lea.post(f"{URL}hand-over/", {"giver": cast.lea.pk, "taker": cast.bo.pk, "seen": 7}))
    assert "there are 1 customers now" in stale


@pytest.mark.parametrize("path", ["?x=1", "owners/?x=1", "owners/?export=xls"])
def test_refuses_a_parameter_that_it_does_not_have(cast, sign_in, path):
    assert sign_in(cast.lea).get(f"{URL}{path}").status_code == 400


# ── the pack ────────────────────────────────────────────────────────────────


@pytest.fixture
def known(cast, raised):
    """A customer of Ann's about whom there is something to hand over."""
    customer = cast.customer("Huaxin 华新", note="Pays by bill of exchange")
    with tenant_scope(cast.tenant):
        person = Contact.objects.create(
            customer=customer, name="Ms Zhang", title="Buyer", phone="0571-88", channel="wechat"
        )
        Interaction.objects.create(
            customer=customer, contact=person, member=cast.ann, channel="phone", note="Wants <b>samples</b>"
        )
        Complaint.objects.create(customer=customer, topic="Broken pallets")
    raised(customer, rule="promise", period="p", facts={"text": "Send the samples"}, due_on=FRIDAY - DAY)
    raised(customer, rule="cadence:light_touch", period="start", facts={"every_days": 10})
    return customer


def test_lists_promises_risks_people_and_last_words(cast, sign_in, known):
    for path in (f"/acme/cover/pack/{cast.ann.pk}/", f"/acme/customers/{known.pk}/pack/"):
        page = text(sign_in(cast.bo).get(path))
        for words in (
            "Send the samples",
            "Broken pallets",
            "Ms Zhang",
            "prefers WeChat",
            "Pays by bill of exchange",
            "Wants &lt;b&gt;samples&lt;/b&gt;",
        ):
            assert words in page, (path, words)
    with tenant_scope(cast.tenant):
        Customer.objects.filter(pk=known.pk).update(owner_b=None)
    assert "Nothing to hand over" in text(sign_in(cast.bo).get(f"/acme/cover/pack/{cast.ann.pk}/"))


def test_asks_the_same_number_of_questions_however_many_customers(
    cast, sign_in, known, raised, django_assert_max_num_queries
):
    bo, path = sign_in(cast.bo), f"/acme/cover/pack/{cast.ann.pk}/"
    bo.get(path)
    for n in range(15):
        raised(cast.customer(f"Customer {n}"), period=str(n))
    with django_assert_max_num_queries(32):
        assert "16 customers" in text(bo.get(path))


def test_makes_a_pdf_of_it(cast, sign_in, known):
    weasyprint = pytest.importorskip("weasyprint", exc_type=OSError)
    assert weasyprint.__version__
    answer = sign_in(cast.bo).get(f"/acme/customers/{known.pk}/pack/?as=pdf")
    assert answer["Content-Type"] == "application/pdf"
    assert answer.content.startswith(b"%PDF-")
    assert len(answer.content) > 5_000


def test_says_in_words_when_no_pdf_can_be_made(cast, sign_in, known, monkeypatch):
    class Missing:
        def find_spec(self, name, path=None, target=None):
            if name == "weasyprint":
                raise OSError("cannot load library 'libpango-1.0-0'")

    for name in [name for name in sys.modules if name.split(".")[0] == "weasyprint"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [Missing(), *sys.meta_path])
    answer = sign_in(cast.bo).get(f"/acme/customers/{known.pk}/pack/?as=pdf")
    assert answer.status_code == 503
    assert "No PDF can be made here." in text(answer)
    assert "Send the samples" in text(answer)


def test_makes_no_pdf_for_who_may_not_take_data_out_and_knows_no_other_form(cast, sign_in, known):
    assert sign_in(cast.bo).get(f"/acme/customers/{known.pk}/pack/?as=docx").status_code == 400
    assert sign_in(cast.ian).get(f"/acme/customers/{known.pk}/pack/?as=pdf").status_code == 403
