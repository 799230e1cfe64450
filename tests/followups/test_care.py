"""It: raises the days that come round, for a person or as a message, as each contact likes it, and each once."""

from __future__ import annotations

import datetime as dt

import pytest
from django.core.exceptions import ValidationError

from customers.models import Contact
from followups.care import services as care
from followups.models import CareDay, CareWishes, FollowUp, Message
from followups.reasons import phrase
from followups.rules.care import CarePolicy
from followups.services import complete
from segmentation.models import Standing
from tenants.policies import active_policy, complete_document, save_policy
from tests.followups.conftest import TODAY

DAY = dt.timedelta(days=1)
MONDAY = TODAY + 3 * DAY

pytestmark = pytest.mark.usefixtures("scope")


@pytest.fixture
def person(cast):
    """A contact of a customer of its own, born on 23 November 1988; the customer is of a tier."""

    def make(name="Ms Zhang", tier="gold", customer=None, **fields):
        customer = customer or cast.customer(f"Customer of {name}")
        if not Standing.objects.filter(customer=customer).exists():
            Standing.objects.create(customer=customer, frequency=1, monetary=1, policy_version=1, tier=tier)
        usual = {"birthday": dt.date(1988, 11, 23), "email": "zhang@huaxin.example", "phone": "0571", "is_main": True}
        return Contact.objects.create(customer=customer, name=name, **(usual | fields))

    return make


def wishes(contact, **fields):
    usual = {"birthday_by": "solar", "birthdays": True, "anniversaries": True, "festivals": True, "how": ""}
    return care.save_wishes(contact=contact, **(usual | fields))


def ruled(**fields):
    policy = active_policy()
    document = complete_document(policy)
    save_policy(document | {"care": document["care"] | fields}, pack=policy.pack)
    return active_policy()


def night(as_of=TODAY):
    return care.raise_care(as_of, active_policy())


def test_raises_a_follow_up_for_a_birthday_on_the_day_and_only_once(person, cast):
    contact = person()
    assert night(TODAY - DAY) == {"care_raised": 0, "care_sent": 0}
    assert night() == {"care_raised": 1, "care_sent": 0}
    row = FollowUp.objects.get()
    assert (row.rule, row.contact, row.assignee, row.due_on) == ("care:birthday", contact, cast.ann, MONDAY)
    assert phrase(row, TODAY) == "23 Nov: Birthday"
    assert night() == {"care_raised": 0, "care_sent": 0}
    assert night(TODAY + DAY) == {"care_raised": 0, "care_sent": 0}


def test_congratulates_on_the_working_day_before_a_day_off(person):
    person(birthday=dt.date(1990, 11, 22))  # a Sunday this year
    night()
    assert FollowUp.objects.get().due_on == TODAY


def test_keeps_a_birthday_of_29_february(person, time_machine):
    person(birthday=dt.date(1988, 2, 29))
    time_machine.move_to(dt.datetime(2027, 2, 26, 12, tzinfo=dt.UTC), tick=False)
    assert night(dt.date(2027, 2, 26))["care_raised"] == 1
    row = FollowUp.objects.get()
    assert row.facts["on"] == "2027-02-28"
    assert row.due_on == dt.date(2027, 2, 26)  # the 28th is a Sunday


def test_keeps_a_birthday_by_the_moon_where_the_contact_likes_it(person):
    # 农历1988年十月十五 is 23 November 1988, and 23 November 2026 as well.
    wishes(person(birthday=dt.date(1988, 11, 23)), birthday_by="lunar")
    night()
    assert phrase(FollowUp.objects.get(), TODAY) == "23 Nov: Birthday by the lunar calendar"
    sunny, moony = person("Sun", birthday=dt.date(1990, 12, 1)), person("Moon", birthday=dt.date(1990, 12, 1))
    wishes(moony, birthday_by="lunar")
    rules = active_policy().section(CarePolicy)
    days = {each.contact_id: each.on for each in care.coming(rules, TODAY, TODAY + 40 * DAY)}
    assert days[sunny.pk] == dt.date(2026, 12, 1)
    assert days[moony.pk] == dt.date(2026, 11, 23)  # 农历1990年十月十五


@pytest.mark.parametrize(
    "change",
    [
        lambda contact: wishes(contact, birthdays=False),
        lambda contact: Contact.objects.filter(pk=contact.pk).update(left_on=TODAY),
        lambda contact: Contact.objects.filter(pk=contact.pk).update(consent="withdrawn"),
        lambda contact: type(contact.customer).objects.filter(pk=contact.customer_id).update(closed_on=TODAY),
        lambda contact: ruled(birthdays="no"),
    ],
    ids=["wishes", "left", "consent", "closed", "policy"],
)
def test_leaves_out_who_does_not_want_it_or_is_gone(person, change):
    change(person())
    assert night() == {"care_raised": 0, "care_sent": 0}


def test_asks_for_both_birthdays_of_one_customer(person):
    first = person("One")
    person("Two", customer=first.customer, is_main=False)
    assert night()["care_raised"] == 2


@pytest.mark.parametrize(("how", "channel"), [("email", "email"), ("sms", "sms")])
def test_sends_a_message_on_the_day_where_that_is_preferred(person, cast, how, channel):
    contact = person(consent="given")
    wishes(contact, how=how)
    assert night() == {"care_raised": 0, "care_sent": 1}
    message = Message.objects.get()
    assert (message.channel, message.purpose, message.contact, message.member) == (channel, "care", contact, cast.ann)
    assert message.due_at >= dt.datetime(2026, 11, 23, 9, tzinfo=dt.UTC)
    assert "Ms Zhang" in message.body
    assert "{" not in message.body + message.subject
    assert night() == {"care_raised": 0, "care_sent": 0}
    assert not FollowUp.objects.exists()


def test_sends_by_itself_to_the_tiers_of_the_policy_and_asks_a_person_where_it_cannot(person):
    person("Bronze", tier="bronze", consent="given")
    person("No address", tier="bronze", email="", consent="given")
    person("Gold", tier="gold", consent="given")
    assert night() == {"care_raised": 2, "care_sent": 1}
    days = {
        each.how: each for each in care.coming(active_policy().section(CarePolicy), TODAY, MONDAY) if each.why_person
    }
    assert days["person"].why_person == "no e-mail address"


def test_refuses_a_way_for_which_there_is_no_address(person):
    contact = person(email="", phone="")
    for how in ("email", "sms"):
        with pytest.raises(ValidationError) as refused:
            wishes(contact, how=how)
        assert list(refused.value.error_dict) == ["how"]
    assert not CareWishes.objects.exists()


def test_keeps_anniversaries_of_the_company_and_of_working_together(cast, person):
    contact = person(birthday=None)
    customer = contact.customer
    customer.since = dt.date(2021, 11, 21)
    customer.save()
    care.save_care_day(customer=customer, on=dt.date(1998, 11, 22), kind="founded")
    care.save_care_day(customer=customer, on=dt.date(2020, 11, 23), kind="other", name="New hall")
    assert night()["care_raised"] == 3
    words = {phrase(row, TODAY) for row in FollowUp.objects.all()}
    assert words == {"21 Nov: 5 years of working together", "22 Nov: Company anniversary: 28", "23 Nov: New hall: 6"}
    assert set(FollowUp.objects.values_list("contact", flat=True)) == {contact.pk}
    FollowUp.objects.all().delete()
    ruled(anniversaries="round")
    assert night()["care_raised"] == 1
    wishes(contact, anniversaries=False)
    FollowUp.objects.all().delete()
    assert night()["care_raised"] == 0


def test_refuses_a_day_without_a_name_and_a_contact_of_another_customer(cast, person):
    stranger, customer = person(), cast.customer("Other")
    for fields, field in [({"kind": "other"}, "name"), ({"contact": stranger}, "contact")]:
        with pytest.raises(ValidationError) as refused:
            care.save_care_day(customer=customer, on=TODAY, **fields)
        assert list(refused.value.error_dict) == [field]
    assert not CareDay.objects.exists()


def test_greets_the_tiers_of_the_policy_at_festivals_and_one_contact_of_each(person, time_machine):
    time_machine.move_to(dt.datetime(2026, 12, 30, 12, tzinfo=dt.UTC), tick=False)
    silver = person("Silver", tier="silver", birthday=None)
    person("Second", customer=silver.customer, is_main=False, birthday=None)
    person("Gold", tier="gold", birthday=None)
    wishes(person("Quiet", tier="silver", birthday=None), festivals=False)
    wishes(silver, how="person")
    assert night(dt.date(2026, 12, 30)) == {"care_raised": 1, "care_sent": 0}
    row = FollowUp.objects.get()
    assert row.contact == silver
    assert phrase(row, dt.date(2026, 12, 30)) == "1 Jan 2027: New Year"
    assert row.due_on == dt.date(2026, 12, 31)  # New Year itself is a day off
    rules = active_policy().section(CarePolicy)
    assert care.festivals(rules, dt.date(2027, 2, 1), dt.date(2027, 2, 10))[0].what == "spring_festival"


def test_does_not_congratulate_on_days_that_are_over(person):
    person(birthday=dt.date(1990, 11, 18))
    assert night(TODAY - 3 * DAY) == {"care_raised": 0, "care_sent": 0}
    person("Today", birthday=dt.date(1990, 11, 20))
    assert night(TODAY - 3 * DAY)["care_raised"] == 1


def test_counts_as_a_contact_when_it_is_done(person, cast):
    person()
    night()
    change = complete(follow_up=FollowUp.objects.get(), member=cast.ann)
    assert change.interaction.kind == "light_touch"


def test_congratulates_whom_a_day_was_noted_for_unless_they_are_gone(person, cast):
    main = person("Main", birthday=None)
    second = person("Second", customer=main.customer, is_main=False, birthday=None, consent="given")
    care.save_care_day(customer=main.customer, on=dt.date(1998, 11, 23), contact=second)
    rules = active_policy().section(CarePolicy)
    wishes(second, how="sms")
    assert [(each.contact_id, each.how) for each in care.coming(rules, TODAY, MONDAY)] == [(second.pk, "sms")]
    Contact.objects.filter(pk=second.pk).update(left_on=TODAY)
    assert [(each.contact_id, each.how) for each in care.coming(rules, TODAY, MONDAY)] == [(main.pk, "person")]
