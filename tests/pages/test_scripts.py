"""It: shows the library with what came of each wording, edits and tries wordings, and hands a text to Today."""

import re

import pytest

from customers.models import Contact, Interaction
from followups.models import FollowUp, Script, ScriptUse, ScriptVariant
from followups.scripts import services as scripts
from tenants.context import tenant_scope
from tests.pages.conftest import FRIDAY, HX, text

URL = "/acme/scripts/"

pytestmark = pytest.mark.usefixtures("noon")


@pytest.fixture
def lea(cast, sign_in):
    return sign_in(cast.lea)


@pytest.fixture
def ann(cast, sign_in):
    return sign_in(cast.ann)


@pytest.fixture
def library(cast):
    with tenant_scope(cast.tenant):
        scripts.ensure_library()
        return {row.code: row.pk for row in Script.objects.all()}


@pytest.fixture
def follow_up(cast):
    customer = cast.customer("Brook & Sons")
    with tenant_scope(cast.tenant):
        contact = Contact.objects.create(customer=customer, name="Li <Wei>", is_main=True)
        return FollowUp.objects.create(
            customer=customer, contact=contact, assignee=cast.ann, kind="light_touch", channel="phone",
            rule="signal:order_silence", period="1", due_on=FRIDAY,
        )  # fmt: skip


def test_puts_the_library_there_for_whoever_comes_first(ann):
    page = text(ann.get(URL))
    assert "Complaint call-back" in page
    assert "After a complaint" in page
    assert "not decided yet" in page
    assert text(ann.get(URL)).count("<tr>") == page.count("<tr>")


def test_narrows_to_a_scene_and_refuses_what_it_does_not_know(ann, library):
    page = text(ann.get(f"{URL}?scene=dormant"))
    assert "We miss you" in page
    assert "Festival greeting" not in page
    assert ann.get(f"{URL}?scene=nowhere").status_code == 400
    assert ann.get(f"{URL}?colour=red").status_code == 400
    assert ann.get(f"{URL}?export=xlsx").status_code == 400


def test_exports_every_wording_with_its_rates(ann, library):
    lines = text(ann.get(f"{URL}?export=csv")).splitlines()
    assert lines[0].startswith("\ufeffScene,Script,Variant,In use,Uses")
    assert "Dormant wake-up,We miss you,B,yes,0,0,0,,,0,0,," in lines


def test_shows_a_script_as_it_goes_to_a_customer(cast, ann, library, follow_up):
    page = text(ann.get(f"{URL}{library['dormant']}/?q=brook&language=en"))
    assert "For Brook &amp; Sons" in page
    assert "Good day Li &lt;Wei&gt;, Ann of Acme Trading." in page
    assert (
        "Not known, so left out or said otherwise: how long we have worked together, like 3 years; from one year on; the date of the last order"
        in page
    )
    chinese = text(ann.get(f"{URL}{library['dormant']}/?language=zh-hans"))
    assert "我是Acme Trading的Ann" in chinese
    assert ann.get(f"{URL}{library['dormant']}/?language=fr").status_code == 400


def test_shows_it_for_no_customer_of_others(cast, ann, library):
    cast.customer("Hidden", owner_a=cast.bo, owner_b=None)
    page = text(ann.get(f"{URL}{library['dormant']}/?q=hidden"))
    assert "No such customer is yours to see." in page
    assert "For Hidden" not in page


def test_makes_a_script_and_its_first_wording(cast, lea):
    answer = lea.post(f"{URL}add/", {"code": "own", "name": "Own", "scene": "regular", "outline": "efi", "is_on": "on"})
    with tenant_scope(cast.tenant):
        script = Script.objects.get(code="own")
    assert answer["Location"] == f"{URL}{script.pk}/wordings/add/"
    parts = {"en_part_1": "Hello {customer}.", "en_part_2": "You gain.", "en_part_3": "Shall we?"}
    lea.post(f"{URL}{script.pk}/wordings/add/", parts)
    with tenant_scope(cast.tenant):
        variant = ScriptVariant.objects.get(script=script)
        assert variant.texts == {
            "en": {"subject": "", "parts": ["Hello {customer}.", "You gain.", "Shall we?"]},
        }


def test_says_at_its_field_what_is_wrong_and_keeps_what_was_typed(lea, library):
    address = f"{URL}{library['festival']}/wordings/add/"
    page = text(lea.post(address, {"en_part_1": "Dear {nobody}, best wishes."}))
    assert "There is no field “nobody”" in page
    assert "Dear {nobody}, best wishes." in page
    page = text(lea.post(address, {"zh-hans_part_1": "您好{contact}"}))
    assert "is not known of everybody" in page


def test_tries_a_wording_on_a_customer_without_saving_it(cast, lea, library, follow_up):
    address = f"{URL}{library['festival']}/wordings/add/"
    page = text(lea.post(address, {"en_part_1": "Dear {contact|you} of {customer}.", "try": "1"}))
    assert "Dear Li &lt;Wei&gt; of Brook &amp; Sons." in page
    with tenant_scope(cast.tenant):
        assert ScriptVariant.objects.filter(script=library["festival"]).count() == 1


def test_says_that_a_used_wording_is_retired(cast, lea, library, follow_up):
    with tenant_scope(cast.tenant):
        variant = ScriptVariant.objects.get(script=library["festival"])
        talk = Interaction.objects.create(customer=follow_up.customer, channel="phone")
        scripts.note_use(variant=variant, interaction=talk)
    address = f"{URL}wordings/{variant.pk}/edit/"
    assert "It was used already" in text(lea.get(address))
    page = text(lea.post(address, {"en_part_1": "Happy days, {customer}."}, follow=True))
    assert "B takes its place" in page
    assert lea.get(address).status_code == 404


def test_retires_a_wording_but_not_the_last(cast, lea, library):
    with tenant_scope(cast.tenant):
        a, b = ScriptVariant.objects.filter(script=library["dormant"])
    assert "Wording A is retired." in text(lea.post(f"{URL}wordings/{a.pk}/retire/", follow=True))
    assert "was retired already" in text(lea.post(f"{URL}wordings/{a.pk}/retire/", follow=True))
    assert "last wording in use" in text(lea.post(f"{URL}wordings/{b.pk}/retire/", follow=True))


def test_renames_it_and_takes_it_out_of_use(cast, lea, library):
    address = f"{URL}{library['dormant']}/edit/"
    assert "<html" not in text(lea.get(address, headers=HX))
    lea.post(address, {"name": "Come back", "scene": "dormant", "channel": "phone"})
    with tenant_scope(cast.tenant):
        row = Script.objects.get(pk=library["dormant"])
    assert (row.title, row.channel, row.is_on) == ("Come back", "phone", False)


# ── Today ───────────────────────────────────────────────────────────────────


def test_hands_the_text_that_fits_best_to_today(ann, library, follow_up):
    address = f"/acme/today/{follow_up.pk}/script/"
    preview = text(ann.get(f"/acme/today/{follow_up.pk}/", headers=HX))
    assert f'hx-get="{address}"' in preview
    part = text(ann.get(address, headers=HX))
    assert "<html" not in part
    assert re.search(r"<option value=\"\d+\" selected>We miss you</option>", part)
    assert "Good day Li &lt;Wei&gt;" in part
    chosen = text(ann.get(f"{address}?script={library['referral']}", headers=HX))
    assert "selected>Whom could we help as well</option>" in chosen
    assert ann.get(f"{address}?colour=red").status_code == 400


def test_logs_the_text_without_scripts_and_counts_its_use(cast, ann, library, follow_up):
    page = text(ann.get(f"/acme/today/{follow_up.pk}/script/"))
    variant = re.search(r'name="script" value="(\d+)"', page).group(1)
    assert "Ann of Acme Trading" in page
    data = {"channel": "wechat", "outcome": "sent", "note": "Good day", "script": variant, "own_page": "1"}
    assert ann.post(f"/acme/today/{follow_up.pk}/log/", data).status_code == 302
    with tenant_scope(cast.tenant):
        use = ScriptUse.objects.get()
        assert (use.variant_id, use.follow_up_id, use.channel) == (int(variant), follow_up.pk, "wechat")
        assert use.interaction.note == "Good day"


def test_says_so_where_there_is_no_script(cast, ann, follow_up):
    assert "No script is in use." in text(ann.get(f"/acme/today/{follow_up.pk}/script/", headers=HX))
