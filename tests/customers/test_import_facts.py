import datetime as dt

import pytest

from customers.models import Contact, Customer, Interaction, Product, Tag
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
