"""It: writes a script out for one customer, keeps the library, and says which wording does better."""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError

from customers.models import Complaint, Contact, Interaction, Order, OrderLine, Product
from followups import services
from followups.models import FollowUp, Message, Script, ScriptUse, ScriptVariant
from followups.rules.scripts import FIELDS
from followups.scripts import services as scripts
from health.models import HealthScore
from segmentation.models import Standing
from tests.followups.conftest import NOON, TODAY

DAY = dt.timedelta(days=1)

pytestmark = pytest.mark.usefixtures("scope")


@pytest.fixture
def library(scope):
    scripts.ensure_library()
    return {row.code: row for row in Script.objects.prefetch_related("variants")}


@pytest.fixture
def customer(cast):
    return cast.customer(since=dt.date(2023, 5, 1))


@pytest.fixture
def contact(customer):
    return Contact.objects.create(customer=customer, name="Li Wei", title="Buyer", is_main=True)


@pytest.fixture
def bought(customer):
    """What the customer bought a month ago."""
    at = NOON - 30 * DAY
    order = Order.objects.create(
        customer=customer,
        external_id="SO-7",
        placed_at=at,
        placed_on=at.date(),
        currency="GBP",
        net=Decimal(90),
        digest="",
    )
    for position, (name, money) in enumerate((("Grout", 10), ("Glazed tile", 50), ("Trim", 20), ("Bag", 5)), start=1):
        product = Product.objects.create(external_id=name, name=name, category="Tiles" if money == 50 else "Other")
        OrderLine.objects.create(
            order=order, position=position, product=product, quantity=1, unit_price=money, money=Decimal(money)
        )
    Standing.objects.create(customer=customer, frequency=1, monetary=90, tier="gold", policy_version=1)
    HealthScore.objects.create(
        customer=customer, band="none", known=0, order_days_count=0, spend_recent=0, spend_before=0,
        categories_recent=0, categories_before=0, policy_version=1, last_order_on=at.date(), median_gap=45,
    )  # fmt: skip
    return order


def written(body, customer, contact=None, member=None, language="en", **more):
    """A script of one free text, written out."""
    script = Script.objects.create(code="x", scene="regular", name="X")
    ScriptVariant.objects.create(script=script, letter="A", texts={"en": {"subject": "", "parts": [body]}})
    return scripts.render(script, customer=customer, contact=contact, member=member, language=language, **more)


# ── what it says ────────────────────────────────────────────────────────────


def test_says_what_is_known(cast, customer, contact, bought):
    Complaint.objects.create(customer=customer, topic="Late delivery")
    Interaction.objects.create(customer=customer, channel="phone", topic="Spring range")
    fields = sorted(FIELDS - {"suggestion", "product"})
    body = "\n".join(f"{name}={{{name}|?}}" for name in fields)
    found = dict(line.split("=") for line in written(body, customer, contact, cast.ann).body.splitlines())
    assert found == {
        "category": "Tiles",
        "complaint": "Late delivery",
        "contact": "Li Wei",
        "customer": "Huaxin Building Materials",
        "days_silent": "30 days",
        "firm": "Acme Trading",
        "last_order": "21 October 2026",
        "last_words": "Spring range",
        "member": "Ann",
        "next_order": "5 December 2026",
        "order_number": "SO-7",
        "position": "Buyer",
        "products": "Glazed tile, Trim, Grout",
        "since": "1 May 2023",
        "tier": "Gold",
        "today": "20 November 2026",
        "years": "3 years",
    }


def test_never_leaves_a_hole_where_nothing_is_known(cast, library):
    stranger = cast.customer("Stranger", since=None)
    for script in library.values():
        for language in scripts.LANGUAGES:
            text = scripts.render(script, customer=stranger, contact=None, member=None, language=language)
            assert not re.search(r"[{}\[\]|]", text.subject + text.body)
            assert "None" not in text.body
            assert text.body


def test_says_the_announced_product_and_the_complaint_it_is_about(cast, customer):
    product = Product.objects.create(external_id="P", name="Glazed tile XL")
    about = Complaint.objects.create(customer=customer, topic="Colour", opened_at=NOON - 9 * DAY)
    Complaint.objects.create(customer=customer, topic="Late")
    text = written("{product|?} {complaint|?}", customer, product=product, complaint=about)
    assert text.body == "Glazed tile XL Colour"


@pytest.mark.parametrize(
    ("contact_language", "asked"), [("zh", "zh-hans"), ("zh-CN", "zh-hans"), ("en", "en"), ("", "en"), ("fr", "en")]
)
def test_speaks_the_contacts_language(cast, customer, library, contact_language, asked):
    contact = Contact.objects.create(customer=customer, name="Li Wei", language=contact_language)
    language = scripts.language_of(contact)
    assert language == asked
    text = scripts.render(library["festival"], customer=customer, contact=contact, member=cast.ann, language=language)
    assert text.language == asked
    assert ("节日" in text.body) == (asked == "zh-hans")


def test_speaks_another_language_where_it_is_not_written_in_that(customer):
    text = written("Hello {customer}", customer, language="zh-hans")
    assert (text.language, text.body) == ("en", "Hello Huaxin Building Materials")


def test_gives_a_contact_always_the_same_wording(cast, customer, library):
    letters = set()
    for number in range(12):
        contact = Contact.objects.create(customer=customer, name=f"C{number}")
        texts = {
            scripts.render(
                library["regular"], customer=customer, contact=contact, member=cast.ann, language=language
            ).variant.letter
            for language in scripts.LANGUAGES
            for _again in range(2)
        }
        assert len(texts) == 1
        letters |= texts
    assert letters == {"A", "B"}


def test_says_that_there_is_nothing_to_say(customer):
    script = Script.objects.create(code="x", scene="regular", name="Empty")
    with pytest.raises(scripts.NothingToSay, match="“Empty” has no wording in use"):
        scripts.render(script, customer=customer, contact=None, member=None, language="en")


# ── which one ───────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("rule", "facts", "scene"),
    [
        ("cadence:light_touch", {}, "regular"),
        ("signal:order_silence", {}, "dormant"),
        ("care:birthday", {}, "festival"),
        ("survey:nps", {}, "complaint"),
        ("journey:first-order:call", {"script": "first-call"}, "first_order"),
    ],
)
def test_chooses_the_scene_by_the_rule(raised, library, rule, facts, scene):
    row = raised(rule=rule, facts=facts)
    found = scripts.scripts_for(row)
    assert found[0].scene == scene
    if facts:
        assert found[0].code == facts["script"]
    assert len(found) == len(library)


def test_offers_only_what_is_in_use(raised, library):
    Script.objects.filter(code="regular").update(is_on=False)
    ScriptVariant.objects.filter(script__code="referral").update(retired_at=NOON)
    codes = {script.code for script in scripts.scripts_for(raised())}
    assert codes == set(library) - {"regular", "referral"}


# ── the library ─────────────────────────────────────────────────────────────


def test_puts_what_ships_there_once(library):
    assert scripts.ensure_library() == 0
    assert {script.scene for script in library.values()} == set(scripts.Scene.values)
    Script.objects.filter(code="regular").update(is_on=False)
    assert scripts.ensure_library() == 0
    Script.objects.get(code="festival").delete()
    assert scripts.ensure_library() == 1


TEXT = {"en": {"subject": "", "parts": ["Hello {customer}."]}}


@pytest.fixture
def script(cast):
    made = scripts.save_script(member=cast.lea, code="own", name="Own", scene="regular", outline="plain")
    scripts.save_wording(script=made, member=cast.lea, texts=TEXT)
    return made


@pytest.mark.parametrize(
    ("texts", "wrong"),
    [
        ({"en": {"subject": "", "parts": ["Hello {name}"]}}, {"en_part_1": "unknown_field"}),
        ({"en": {"subject": "", "parts": ["Hello {contact}"]}}, {"en_part_1": "may_be_missing"}),
        ({"en": {"subject": "{contact}", "parts": ["Hello"]}}, {"en_subject": "may_be_missing"}),
        ({"en": {"subject": "Only a subject", "parts": [""]}}, {"en_part_1": "required"}),
        ({"en": {"subject": "", "parts": []}}, {"en_part_1": "required"}),
        ({}, {"en_part_1": "required"}),
        ({"en": {"subject": "", "parts": ["a", "b"]}}, {"en_part_1": "parts"}),
        ({"fr": TEXT["en"]}, {"fr": "language"}),
        ({"en": {"subject": "", "parts": ["x" * 3001]}}, {"en_part_1": "too_long"}),
        (
            {**TEXT, "zh-hans": {"subject": "", "parts": ["{您好"]}},
            {"zh-hans_part_1": "unpaired"},
        ),
    ],
)
def test_refuses_a_wording_that_could_not_be_said(cast, script, texts, wrong):
    with pytest.raises(ValidationError) as refusal:
        scripts.save_wording(script=script, member=cast.lea, texts=texts)
    assert {name: errors[0].code for name, errors in refusal.value.error_dict.items()} == wrong
    assert script.variants.count() == 1


def test_says_in_words_which_fields_there_are(cast, script):
    with pytest.raises(ValidationError) as refusal:
        scripts.save_wording(script=script, member=cast.lea, texts={"en": {"parts": ["Hello {name}"]}})
    assert refusal.value.messages[0].startswith("There is no field “name”; there are: category, complaint, contact,")


def test_rewrites_a_wording_that_nobody_has_said(cast, script):
    variant = script.variants.get()
    other = {"en": {"subject": "", "parts": ["Good day {customer}."]}}
    made, outcome = scripts.save_wording(script=script, member=cast.lea, texts=other, variant=variant)
    assert (outcome, made.pk, made.texts) == ("updated", variant.pk, other)
    assert scripts.save_wording(script=script, member=cast.lea, texts=other, variant=made)[1] == "unchanged"


def test_retires_a_wording_that_was_said_and_makes_another(cast, script, raised):
    variant = script.variants.get()
    change = services.log_contact(follow_up=raised(), member=cast.ann, channel="phone", answered=True)
    scripts.note_use(variant=variant, interaction=change.interaction)
    other = {"en": {"subject": "", "parts": ["Good day {customer}."]}}
    made, outcome = scripts.save_wording(script=script, member=cast.lea, texts=other, variant=variant)
    variant.refresh_from_db()
    assert (outcome, made.letter) == ("created", "B")
    assert variant.retired_at is not None
    assert variant.texts == TEXT


def test_keeps_the_last_wording_in_use(cast, script):
    variant = script.variants.get()
    with pytest.raises(ValidationError, match="last wording"):
        scripts.retire(variant=variant, member=cast.lea)
    scripts.save_wording(script=script, member=cast.lea, texts={"en": {"parts": ["Other"]}})
    assert scripts.retire(variant=variant, member=cast.lea) == "updated"
    assert scripts.retire(variant=variant, member=cast.lea) == "unchanged"


@pytest.mark.parametrize(
    ("fields", "field"),
    [({"code": "own"}, "code"), ({"name": " "}, "name"), ({"scene": "none"}, "scene"), ({"outline": "x"}, "outline")],
)
def test_refuses_a_script_that_cannot_be(cast, script, fields, field):
    usual = {"code": "new", "name": "New", "scene": "regular", "outline": "plain"}
    with pytest.raises(ValidationError) as refusal:
        scripts.save_script(member=cast.lea, **(usual | fields))
    assert set(refusal.value.error_dict) == {field}


def test_keeps_the_code_and_the_outline_of_what_is_written(cast, script):
    for fields in ({"code": "other"}, {"outline": "aida"}):
        with pytest.raises(ValidationError):
            scripts.save_script(member=cast.lea, script=script, **fields)
        script.refresh_from_db()


# ── what came of it ─────────────────────────────────────────────────────────


@pytest.fixture
def said(cast, script):
    """Says a wording to a customer of its own so many days ago, and what came of it so many days later."""

    def say(variant, ago=40, *, answered=None, inbound_after=None, order_after=None, contact=None, times=1):
        customer = contact.customer if contact else cast.customer()
        for time in range(times):
            at = NOON - (ago - time) * DAY
            talk = Interaction.objects.create(
                customer=customer, contact=contact, channel="phone", at=at, answered=answered, member=cast.ann
            )
            scripts.note_use(variant=variant, interaction=talk)
        at = NOON - ago * DAY
        if inbound_after is not None:
            Interaction.objects.create(
                customer=customer, channel="phone", direction="inbound", at=at + inbound_after * DAY
            )
        if order_after is not None:
            placed = at + order_after * DAY
            Order.objects.create(
                customer=customer, external_id=f"SO-{customer.pk}", placed_at=placed, placed_on=placed.date(),
                currency="GBP", net=1, digest="",
            )  # fmt: skip
        return customer

    return say


def result(script):
    row = Script.objects.prefetch_related("variants").get(pk=script.pk)
    return scripts.results_of([row], NOON)[row.pk]


def test_counts_answers_and_orders_in_their_time(script, said):
    variant = script.variants.get()
    said(variant, answered=True)
    said(variant, answered=False)
    said(variant, answered=False, inbound_after=13, order_after=29)
    said(variant, answered=False, inbound_after=15, order_after=31)
    said(variant, ago=20, answered=False)  # may still order
    said(variant, ago=10, answered=True, order_after=1)  # may still be judged either way
    (row,) = result(script).rows
    assert row.uses == 6
    assert (row.answered.hits, row.answered.of) == (2, 5)
    assert (row.converted.hits, row.converted.of) == (1, 4)


def test_counts_each_person_once_with_the_first_time(script, said, cast):
    customer = cast.customer()
    contact = Contact.objects.create(customer=customer, name="Li Wei")
    said(script.variants.get(), answered=False, contact=contact, times=3)
    (row,) = result(script).rows
    assert (row.uses, row.answered.of) == (3, 1)


def test_counts_a_message_that_was_sent_and_answered(cast, script):
    customer = cast.customer()
    contact = Contact.objects.create(customer=customer, name="Li Wei", email="li@example.org")
    usual = {"customer": customer, "contact": contact, "channel": "email", "purpose": "journey", "body": "x"}
    variant = script.variants.get()
    at = NOON - 40 * DAY
    Message.objects.create(
        origin="a", period="1", status="sent", sent_at=at, due_at=at, replied_at=at, script=variant, **usual
    )
    Message.objects.create(origin="b", period="1", status="blocked", due_at=at, script=variant, **usual)
    (row,) = result(script).rows
    assert (row.uses, row.answered.hits, row.answered.of) == (1, 1, 1)
    assert scripts.is_used(variant)


def test_decides_between_two_wordings_only_when_it_can(cast, script, said):
    first = script.variants.get()
    second, _made = scripts.save_wording(script=script, member=cast.lea, texts={"en": {"parts": ["Other"]}})
    for _n in range(29):
        said(first, answered=True)
        said(second, answered=False)
    assert result(script).by_answer == ("not_yet", "")
    said(first, answered=True)
    said(second, answered=False)
    assert result(script).by_answer == ("first", "A")
    assert result(script).by_order == ("not_yet", "")


def test_takes_a_use_back_with_the_contact(cast, script, raised):
    row = raised()
    change = services.log_contact(follow_up=row, member=cast.ann, channel="phone", answered=True)
    scripts.note_script(script.variants.get().pk, change.interaction, row)
    scripts.note_script(script.variants.get().pk, change.interaction, row)
    scripts.note_script(10**9, change.interaction, row)
    assert ScriptUse.objects.count() == 1
    services.undo(events=change.events, member=cast.ann)
    assert ScriptUse.objects.count() == 0
    assert FollowUp.objects.get(pk=row.pk).status == "open"


def test_asks_once_for_the_results_of_all(library, django_assert_num_queries):
    with django_assert_num_queries(1):
        scripts.results_of(list(library.values()), NOON)


def test_keeps_the_day(customer):
    assert written("{today}", customer).body == "20 November 2026"
    assert dt.date(2026, 11, 20) == TODAY
