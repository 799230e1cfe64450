import datetime as dt

import pytest

from customers.models import Complaint, Contact, Customer, Interaction, Product, SurveyResponse, Tag
from tenants.context import tenant_scope
from tests.customers.conftest import counts

CUSTOMERS = (
    "customer,name,country,city,owner_a,owner_b,tags,since,note\n"
    '4711,Huaxin,CN,Wuhan,ann@acme.example,BO@acme.example,"vip; hardware",2019-05-01,likes tea\n'
    "4712,Nord,DE,,,,,,\n"
)


def test_imports_customers_with_owners_and_tags(cast, deliver):
    assert counts(deliver(CUSTOMERS, kind="customers")) == (2, 0, 2, 0, 0)
    with tenant_scope(cast.tenant):
        customer = Customer.objects.get(external_ids__value="4711")
        assert (customer.name, customer.search_name, customer.city) == ("Huaxin", "huaxin", "Wuhan")
        assert (customer.owner_a, customer.owner_b) == (cast.ann, cast.bo)
        assert (customer.since, customer.note) == (dt.date(2019, 5, 1), "likes tea")
        assert {tag.name for tag in customer.tags.all()} == {"vip", "hardware"}


def test_changes_only_what_a_customers_file_says(cast, deliver):
    deliver(CUSTOMERS, kind="customers")
    assert counts(deliver(CUSTOMERS, kind="customers")) == (2, 0, 0, 0, 2)
    with tenant_scope(cast.tenant):
        Tag.objects.create(name="by hand").customer_set.add(Customer.objects.get(name="Huaxin"))
    row = deliver(
        "customer,name,city,owner_a,tags\n4711,,Shanghai,,vip\n4712,Nord AG,,,\n4712,,Kiel,,new\n4713,,,,\n",
        kind="customers",
    )
    assert counts(row) == (4, 0, 1, 2, 0)
    with tenant_scope(cast.tenant):
        huaxin = Customer.objects.get(name="Huaxin")
        assert (huaxin.city, huaxin.owner_a) == ("Shanghai", cast.ann)
        assert {tag.name for tag in huaxin.tags.all()} == {"vip", "hardware", "by hand"}
        nord = Customer.objects.get(external_ids__value="4712")
        assert (nord.name, nord.search_name, nord.city) == ("Nord AG", "nord ag", "Kiel")
        assert Customer.objects.filter(name="4713").exists()


def test_refuses_owners_who_are_no_members_and_endless_tags(deliver, why):
    row = deliver(f"customer,owner_a,tags\n1,otto@globex.example,\n2,,{'x' * 41}\n3,,ok\n", kind="customers")
    assert counts(row)[:3] == (3, 2, 1)
    assert why(row) == [
        (2, "owner_a", "“otto@globex.example” is no active member of this firm."),
        (3, "tags", f"“{'x' * 41}” has a word of more than 40 characters."),
    ]


def test_counts_new_customers_once_when_it_only_tries(cast, deliver):
    row = deliver(CUSTOMERS + "4711,Huaxin,CN,Wuhan,,,new,,\n", kind="customers", dry_run=True)
    assert counts(row) == (3, 0, 2, 0, 0)
    with tenant_scope(cast.tenant):
        assert not Customer.objects.exists()
        assert not Tag.objects.exists()


def test_imports_products(cast, deliver):
    text = "product,name,category\nh,Hammer,Tools\nn,Nail,\n"
    assert counts(deliver(text, kind="products")) == (2, 0, 2, 0, 0)
    assert counts(deliver(text, kind="products")) == (2, 0, 0, 0, 2)
    assert counts(deliver("product,name,category\nh,,\nn,,Fixings\n", kind="products")) == (2, 0, 0, 1, 1)
    with tenant_scope(cast.tenant):
        assert Product.objects.get(external_id="n").category == "Fixings"


CONTACTS = (
    "customer,name,external_id,email,birthday,channel,consent\n"
    "4711,Li Wei,P1,li@huaxin.example,1980-02-29,微信,given\n"
    "4711,Wang Fang,,,,Phone,\n"
)


@pytest.fixture
def huaxin(deliver):
    deliver(CUSTOMERS, kind="customers")


def test_imports_contacts_by_number_or_by_name(cast, deliver, huaxin):
    assert counts(deliver(CONTACTS, kind="contacts")) == (2, 0, 2, 0, 0)
    assert counts(deliver(CONTACTS, kind="contacts")) == (2, 0, 0, 0, 2)
    row = deliver(
        "customer,name,external_id,phone\n4711,Li Weiwei,P1,1\n4711,Wang Fang,,2\n4712,Wang Fang,,3\n", kind="contacts"
    )
    assert counts(row) == (3, 0, 1, 2, 0)
    with tenant_scope(cast.tenant):
        li = Contact.objects.get(external_id="P1")
        assert (li.name, li.channel, li.consent, li.birthday) == ("Li Weiwei", "wechat", "given", dt.date(1980, 2, 29))
        assert set(Contact.objects.filter(name="Wang Fang").values_list("phone", flat=True)) == {"2", "3"}


def test_refuses_contacts_of_strangers(deliver, why, huaxin):
    row = deliver(CONTACTS + "9999,Nobody,,,,,\n4711,X,,no-address,,,\n4711,Y,,,,Pigeon,\n", kind="contacts")
    assert counts(row) == (5, 3, 2, 0, 0)
    assert why(row) == [
        (4, "customer", "There is no customer 9999."),
        (5, "email", "“no-address” is no e-mail address."),
        (6, "channel", "“Pigeon” is none of: phone, visit, wechat, sms, email, app, store."),
    ]


INTERACTIONS = (
    "customer,at,channel,direction,kind,topic,answered,solved,member,note,external_id\n"
    "4711,2026-03-02 10:00,phone,,,prices,yes,,ann@acme.example,wants a discount,\n"
    "4711,2026-03-02 10:00,phone,inbound,deep talk,prices,否,是,,,T1\n"
)


def test_imports_interactions_by_number_or_by_what_they_are(cast, deliver, huaxin):
    assert counts(deliver(INTERACTIONS, kind="interactions")) == (2, 0, 2, 0, 0)
    assert counts(deliver(INTERACTIONS, kind="interactions")) == (2, 0, 0, 0, 2)
    row = deliver(
        "customer,at,channel,topic,note,external_id\n4711,2026-03-02 10:00,phone,prices,called back,\n"
        "4711,2026-03-02 11:00,phone,,,T1\n",
        kind="interactions",
    )
    assert counts(row) == (2, 0, 0, 2, 0)
    with tenant_scope(cast.tenant):
        first, second = Interaction.objects.order_by("external_id")
        assert (first.direction, first.kind, first.answered, first.solved) == ("outbound", "light_touch", True, None)
        assert (first.member, first.note) == (cast.ann, "called back")
        assert (second.direction, second.kind, second.answered, second.solved) == ("inbound", "deep_talk", False, True)
        assert second.at == dt.datetime(2026, 3, 2, 11, tzinfo=dt.UTC)


def test_imports_the_potential_by_number_or_in_words_of_either_language(cast, deliver, why):
    text = (
        "客户编号,名称,行业地位,增长潜力\n1,Huaxin,5,高\n2,Nord,龙头,medium\n3,Sud,Average,\n4,Ost,,LOW\n5,West,6,\n"
        "6,Best,0,great\n"
    )
    row = deliver(text, kind="customers")
    assert counts(row) == (6, 2, 4, 0, 0)
    assert why(row) == [
        (6, "行业地位", "“6” is none of: 1, 2, 3, 4, 5."),
        (7, "行业地位", "“0” is none of: 1, 2, 3, 4, 5."),
    ]
    with tenant_scope(cast.tenant):
        known = Customer.objects.order_by("name").values_list("name", "industry_position", "growth_potential")
        assert list(known) == [("Huaxin", 5, "high"), ("Nord", 5, "medium"), ("Ost", None, "low"), ("Sud", 3, "")]
    assert counts(deliver("customer,growth\n1,\n2,high\n", kind="customers")) == (2, 0, 0, 1, 1)
    with tenant_scope(cast.tenant):
        assert Customer.objects.get(name="Huaxin").growth_potential == "high"


def test_imports_whether_a_contact_was_about_a_competitor(cast, deliver, huaxin):
    text = "客户编号,时间,渠道,竞品,external_id\n4711,2026-03-02 10:00,电话,是,T1\n4711,2026-03-03 10:00,电话,,T2\n"
    assert counts(deliver(text, kind="interactions")) == (2, 0, 2, 0, 0)
    assert counts(deliver(text.replace("是", ""), kind="interactions")) == (2, 0, 0, 0, 2)
    with tenant_scope(cast.tenant):
        said = Interaction.objects.order_by("external_id").values_list("about_competitor", flat=True)
        assert list(said) == [True, False]


def test_imports_whether_a_contact_thinks_of_leaving(cast, deliver, huaxin):
    text = "客户编号,时间,渠道,流失意向,external_id\n4711,2026-03-02 10:00,电话,终止合作,T1\n4711,2026-03-03 10:00,电话,,T2\n"
    assert counts(deliver(text, kind="interactions")) == (2, 0, 2, 0, 0)
    refused = counts(deliver(text.replace("终止合作", "也许"), kind="interactions"))
    assert refused == (2, 1, 0, 0, 1), "a word that nobody knows is refused, the other row is as it was"
    with tenant_scope(cast.tenant):
        said = Interaction.objects.order_by("external_id").values_list("leaving", flat=True)
        assert list(said) == ["broke_off", ""]


ORDER = "order,customer,placed_at,product,quantity,unit_price\nR1,4711,2026-02-20 10:00,h,1,9\nR2,4712,2026-02-20 10:00,h,1,9\n"
COMPLAINTS = (
    "customer,opened_at,topic,severity,text,order,solved_at,first_time,external_id\n"
    "4711,2026-03-02 10:00,Late,严重,Two weeks,R1,2026-03-04 09:30,yes,B1\n"
    "4711,2026-03-02 10:00,Chipped,,,,,,\n"
)


def test_imports_complaints_by_number_or_by_what_they_are(cast, deliver, huaxin):
    deliver(ORDER)
    assert counts(deliver(COMPLAINTS, kind="complaints")) == (2, 0, 2, 0, 0)
    assert counts(deliver(COMPLAINTS, kind="complaints")) == (2, 0, 0, 0, 2)
    with tenant_scope(cast.tenant):
        chipped, late = Complaint.objects.order_by("topic")
        assert (late.severity, late.text, late.order.external_id, late.first_time) == (
            "serious",
            "Two weeks",
            "R1",
            True,
        )
        assert late.opened_at == dt.datetime(2026, 3, 2, 10, tzinfo=dt.UTC)
        assert late.solved_at == dt.datetime(2026, 3, 4, 9, 30, tzinfo=dt.UTC)
        assert (chipped.severity, chipped.order, chipped.solved_at, chipped.first_time) == ("normal", None, None, None)
    row = deliver(
        "customer,opened_at,topic,solved_at,first_time,external_id\n"
        "4711,2026-03-02 10:00,Chipped,2026-03-05 10:00,no,\n"
        "4711,2026-03-02 10:00,Late,,,B1\n",
        kind="complaints",
    )
    assert counts(row) == (2, 0, 0, 1, 1)
    with tenant_scope(cast.tenant):
        chipped.refresh_from_db()
        assert (chipped.solved_at, chipped.first_time) == (dt.datetime(2026, 3, 5, 10, tzinfo=dt.UTC), False)


def test_refuses_complaints_that_cannot_be(deliver, why, huaxin):
    deliver(ORDER)
    row = deliver(
        "customer,opened_at,topic,order,solved_at,external_id\n"
        "9999,2026-03-02 10:00,Late,,,\n"
        "4711,2026-03-02 10:00,Late,R2,,\n"
        "4711,2026-03-02 10:00,Late,,2026-03-01 10:00,B1\n"
        "4711,2026-03-02 10:00,,,,\n"
        "4711,2026-03-02 10:00,Late,R1,2026-03-02 10:00,B2\n",
        kind="complaints",
    )
    assert counts(row) == (5, 4, 1, 0, 0)
    assert why(row) == [
        (2, "customer", "There is no customer 9999."),
        (3, "order", "The customer has no order R2."),
        (4, "solved_at", "It cannot be solved (2026-03-01 10:00) before it was opened."),
        (5, "topic", "Topic is missing."),
    ]


def test_refuses_a_solution_before_what_is_known_of_the_complaint(cast, deliver, why, huaxin):
    deliver(COMPLAINTS.replace(",R1,", ",,"), kind="complaints")
    row = deliver("customer,opened_at,topic,solved_at,external_id\n4711,2026-03-06 10:00,Late,,B1\n", kind="complaints")
    assert counts(row) == (1, 1, 0, 0, 0)
    assert why(row) == [(2, "solved_at", "It cannot be solved (2026-03-04 09:30) before it was opened.")]
    with tenant_scope(cast.tenant):
        assert Complaint.objects.get(external_id="B1").opened_at == dt.datetime(2026, 3, 2, 10, tzinfo=dt.UTC)


def test_leaves_the_order_behind_when_a_complaint_goes_to_another_customer(cast, deliver, huaxin):
    deliver(ORDER)
    deliver(COMPLAINTS, kind="complaints")
    moved = "customer,opened_at,topic,external_id\n4712,2026-03-02 10:00,Late,B1\n"
    assert counts(deliver(moved, kind="complaints")) == (1, 0, 0, 1, 0)
    with tenant_scope(cast.tenant):
        late = Complaint.objects.get(external_id="B1")
        assert (late.customer.name, late.order, late.text) == ("Nord", None, "Two weeks")


RESPONSES = (
    "customer,at,kind,score,contact,complaint,text,external_id\n"
    "4711,2026-03-02 10:00,NPS,9,P1,,Always on time,A1\n"
    "4711,2026-03-02 10:00,推荐意愿,6,wang fang,,,\n"
    "4711,2026-03-05 10:00,satisfaction,4,LI@huaxin.example,B1,,\n"
    "4712,2026-03-05 10:00,csat,1,,,,\n"
)


@pytest.fixture
def people(deliver, huaxin):
    deliver(CONTACTS, kind="contacts")
    deliver(COMPLAINTS.replace(",R1,", ",,"), kind="complaints")


def test_imports_survey_responses_by_number_or_by_what_they_are(cast, deliver, people):
    assert counts(deliver(RESPONSES, kind="survey_responses")) == (4, 0, 4, 0, 0)
    assert counts(deliver(RESPONSES, kind="survey_responses")) == (4, 0, 0, 0, 4)
    with tenant_scope(cast.tenant):
        said = SurveyResponse.objects.order_by("-score").values_list(
            "customer__name", "kind", "score", "contact__name", "complaint__topic", "text"
        )
        assert list(said) == [
            ("Huaxin", "nps", 9, "Li Wei", None, "Always on time"),
            ("Huaxin", "nps", 6, "Wang Fang", None, ""),
            ("Huaxin", "csat", 4, "Li Wei", "Late", ""),
            ("Nord", "csat", 1, None, None, ""),
        ]
    row = deliver(
        "customer,at,kind,score,contact,text,external_id\n"
        "4711,2026-03-02 10:00,nps,7,Wang Fang,,\n"
        "4711,2026-03-02 10:00,nps,9,,Mostly on time,A1\n"
        "4711,2026-03-02 10:00,nps,5,,,\n",
        kind="survey_responses",
    )
    assert counts(row) == (3, 0, 1, 2, 0)
    with tenant_scope(cast.tenant):
        assert SurveyResponse.objects.get(contact__name="Wang Fang").score == 7
        first = SurveyResponse.objects.get(external_id="A1")
        assert (first.contact.name, first.text) == ("Li Wei", "Mostly on time")


def test_refuses_survey_responses_that_cannot_be(deliver, why, people):
    row = deliver(
        "customer,at,kind,score,contact,complaint\n"
        "9999,2026-03-02 10:00,nps,9,,\n"
        "4711,2026-03-02 10:00,nps,11,,\n"
        "4711,2026-03-02 10:00,csat,0,,\n"
        "4711,2026-03-02 10:00,csat,-1,,\n"
        "4711,2026-03-02 10:00,csat,4.5,,\n"
        "4711,2026-03-02 10:00,ces,4,,\n"
        "4711,2026-03-02 10:00,csat,,,\n"
        "4712,2026-03-02 10:00,nps,9,Li Wei,\n"
        "4712,2026-03-02 10:00,csat,4,,B1\n"
        "4711,2026-03-02 10:00,csat,5,P1,B1\n",
        kind="survey_responses",
    )
    assert counts(row) == (10, 9, 1, 0, 0)
    assert why(row) == [
        (2, "customer", "There is no customer 9999."),
        (3, "score", "11 is beside the scale: NPS 0–10."),
        (4, "score", "0 is beside the scale: CSAT 1–5."),
        (5, "score", "-1 is beside the scale: CSAT 1–5."),
        (6, "score", "4.5 has more than 0 decimals."),
        (7, "kind", "“ces” is none of: nps, csat."),
        (8, "score", "Score is missing."),
        (9, "contact", "The customer has no contact Li Wei."),
        (10, "complaint", "The customer has no complaint B1."),
    ]


def test_counts_survey_responses_once_when_it_only_tries(cast, deliver, people):
    assert counts(deliver(RESPONSES, kind="survey_responses", dry_run=True)) == (4, 0, 4, 0, 0)
    with tenant_scope(cast.tenant):
        assert not SurveyResponse.objects.exists()
