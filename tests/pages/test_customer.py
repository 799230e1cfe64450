"""It: one customer's page: who it is, how it is, what it bought, what is to be done."""

import datetime as dt
import json
import re
from decimal import Decimal

import pytest
from django.db import connection
from django.db.models import Sum
from django.test.utils import CaptureQueriesContext

from customers.activity import refresh_activity
from customers.models import Complaint, Contact, CustomerTag, Evidence, ExternalId, Interaction, Order, Tag
from dashboards.views.customer import net_between
from followups.models import FollowUp
from health.models import HealthHistory, HealthScore
from segmentation.models import TierChange
from segmentation.rules.rfm import window_start
from tenants.context import tenant_scope
from tenants.models import User
from tests.pages.conftest import FRIDAY, text

REGULAR = tuple(range(4, 500, 20))


@pytest.fixture
def ann(cast, sign_in):
    return sign_in(cast.ann)


@pytest.fixture
def customer(cast):
    return cast.customer(city="Foshan", country="China", since=dt.date(2017, 3, 14))


def page(client, customer):
    """The whole page, with the parts that scripts fetch later."""
    answer = client.get(f"/acme/customers/{customer.pk}/?all=yes")
    assert answer.status_code == 200
    return text(answer)


def words(content):
    """The text that a reader sees, with single spaces."""
    body = re.sub(r"<script.*?</script>", "", content, flags=re.S)
    return " ".join(re.sub(r"<[^>]+>", " ", body).split())


def section(content, ident):
    """The card with this id, in words."""
    start = content.index(f'id="{ident}"')
    return words("<" + content[start : content.index("</section>", start)])


def test_says_who_the_customer_is(cast, ann, customer):
    with tenant_scope(cast.tenant):
        ExternalId.objects.create(customer=customer, source="erp", value="C-20417")
        CustomerTag.objects.create(customer=customer, tag=Tag.objects.create(name="benchmark"))
    seen = words(page(ann, customer))
    for part in ("Huaxin Building Materials", "customer since 14 March 2017", "Foshan, China", "C-20417", "benchmark"):
        assert part in seen
    assert "A Ann" in seen
    assert "B Bo" in seen


def test_is_not_there_for_who_does_not_see_the_customer(cast, sign_in):
    customer = cast.customer(owner_a=cast.bo, owner_b=None)
    assert sign_in(cast.ann).get(f"/acme/customers/{customer.pk}/").status_code == 404
    assert sign_in(cast.bo).get(f"/acme/customers/{customer.pk}/").status_code == 200


@pytest.mark.parametrize("who", ["ann", "bo", "lea", "eve", "ada", "ian"])
def test_opens_for_every_role(cast, sign_in, customer, who):
    assert page(sign_in(getattr(cast, who)), customer)


def test_offers_only_what_the_member_may_do(cast, sign_in, customer):
    for_ann, for_eve = page(sign_in(cast.ann), customer), page(sign_in(cast.eve), customer)
    for address in ("/edit/", "/log/", "/complaints/add/", "/contacts/add/"):
        assert address in for_ann
        assert address not in for_eve


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_works_without_any_facts(cast, ann, customer, language):
    User.objects.filter(pk=cast.ann.user_id).update(language=language)
    assert "None" not in words(page(ann, customer)).replace("None.", "")


def test_is_a_prospect_before_the_first_order(ann, customer):
    assert "Prospect" in page(ann, customer)


def test_prints_a_receipt_that_adds_up(ann, customer, placed, night):
    placed(customer, *(day + 30 for day in REGULAR), net="200")
    night()
    content = page(ann, customer)
    score = re.search(r'class="v"><span class="pn-health" data-band="(\w+)">.*?<b>(\d+)</b>', content)
    table = content[content.index('<table class="pn-receipt">') : content.index("<tfoot>")]
    parts = [Decimal(part.replace("−", "-")) for part in re.findall(r'<td class="num">([+−]?\d+\.\d)', table)]
    assert len(parts) >= 4
    assert sum(parts) == int(score[2])
    weights = [Decimal(w) for w in re.findall(r"/ (\d+(?:\.\d)?)</span>", table)]
    assert sum(weights) == 100


def test_says_what_was_seen_and_where_it_lies(ann, customer, placed, night):
    placed(customer, *REGULAR, net="200")
    night()
    seen = section(page(ann, customer), "receipt")
    assert "4 ÷ 20 d = 0.20" in seen
    assert "variation 0.00" in seen
    assert "≤1→100, 1.5→60, 2→30, ≥3→0" in seen
    assert "4 of 12 known" in seen
    assert "Responsiveness no contact noted as answered or not" in seen


def test_says_what_would_lift_the_score(ann, customer, placed, night):
    placed(customer, *(day + 60 for day in REGULAR), net="200")
    night()
    assert "An order today makes it" in section(page(ann, customer), "receipt")


def test_says_why_there_is_no_score(ann, customer, placed, night):
    placed(customer, 5)
    night()
    seen = section(page(ann, customer), "receipt")
    assert "0 of 12 indicators are known; 3 are needed" in seen
    assert "Order frequency: needs orders on 3 days, has 1" in seen


def test_says_that_the_night_is_still_to_come(ann, customer, placed, noon):
    placed(customer, *REGULAR)
    assert "The next night works out the first score" in page(ann, customer)


def test_compares_with_the_mondays_a_week_and_a_month_before(cast, ann, customer, placed, night):
    placed(customer, *REGULAR, net="200")
    night()
    with tenant_scope(cast.tenant):
        now = HealthScore.objects.get(customer=customer).score
        # Days after those Mondays do not count; what is not written has not changed.
        for on, score in (
            (dt.date(2026, 10, 12), now + 21),
            (dt.date(2026, 11, 9), now + 9),
            (dt.date(2026, 11, 12), 1),
        ):
            HealthHistory.objects.create(customer=customer, on=on, score=score, band="green")
    night()
    assert "−9 since 9 Nov, −21 since 19 Oct" in words(page(ann, customer))


def test_prints_money_of_twelve_months_beside_the_year_before(ann, customer, placed, night):
    placed(customer, 10, 40, 70, net="3000")
    placed(customer, 400, net="12000")
    night()
    seen = words(page(ann, customer))
    assert "£9k −25%, 3 orders of £3k" in seen


@pytest.mark.parametrize("end", [dt.date(2026, 11, 1), dt.date(2026, 11, 20), dt.date(2024, 2, 29)])
def test_adds_up_the_year_before_to_the_day(cast, scope, end):
    customer, first = cast.customer(), window_start(end, 12)
    days = [first + dt.timedelta(days=number) for number in range(-2, (end - first).days + 2)]
    Order.objects.bulk_create(
        Order(
            tenant=cast.tenant, customer=customer, external_id=f"SO-{number}", digest="", currency="GBP", net=2**number % 9973,
            status=Order.Status.CANCELLED if number % 7 == 3 else Order.Status.PLACED, placed_on=day,
            placed_at=cast.tenant.start_of(day),
        )
        for number, day in enumerate(days)
    )  # fmt: skip
    refresh_activity([(customer.pk, day) for day in days])
    placed = Order.objects.filter(customer=customer, status=Order.Status.PLACED)
    inside = placed.filter(placed_on__gte=first, placed_on__lt=end).aggregate(net=Sum("net"))["net"]
    with CaptureQueriesContext(connection) as asked:
        assert net_between(customer, first, end) == inside
    assert len(asked) == 1
    # Whole months are those of the rollup: their orders are not read.
    Order.objects.filter(customer=customer, placed_on=first + dt.timedelta(days=100)).update(net=0)
    assert net_between(customer, first, end) == inside


def test_expects_the_next_order_after_the_usual_gap(ann, customer, placed, night):
    placed(customer, 42, 61, 80, 99)
    night()
    seen = words(page(ann, customer))
    assert "28 Oct 23 days late, usual gap 19" in seen
    assert "own gap of 19 days" in section(page(ann, customer), "next")


def test_expects_the_next_order_after_those_that_have_happened(ann, customer, placed, night):
    placed(customer, -10, 42, 61, 80, 99)
    night()
    assert "28 Oct 23 days late, usual gap 19" in words(page(ann, customer))


def test_draws_two_years_of_spend_with_the_figures_below(ann, customer, placed, noon):
    placed(customer, 3, net="6480.25")
    placed(customer, 40, net="-80", kind="credit_note")
    content = page(ann, customer)
    data = json.loads(re.search(r'id="spend-data" type="application/json">(.*?)</script>', content)[1])
    assert len(data["values"]) == 24
    assert data["values"][-1] == 6.48
    assert data["unit"] == "thousand £"
    figures = section(content, "spend")
    assert "Nov 2026 £6,480.25 1 0" in figures
    assert "Oct 2026 −£80 0 1" in figures
    assert "Dec 2024 £0 0 0" in figures


def test_lists_the_newest_orders(ann, customer, placed, noon):
    placed(customer, *range(1, 14))
    seen = section(page(ann, customer), "orders")
    assert "the newest 10 of 13" in seen
    assert f"SO-{customer.pk}-1 19 Nov 1 £100" in seen


def test_shows_unpaid_orders_that_are_late(ann, customer, placed, noon):
    placed(customer, 40, due_on=FRIDAY - dt.timedelta(days=10))
    assert '<span class="small late">due 10 Nov' in page(ann, customer)


def test_lists_contacts_with_how_they_want_to_be_reached(cast, ann, customer):
    with tenant_scope(cast.tenant):
        Contact.objects.create(
            customer=customer,
            name="Liu Fang",
            title="purchasing manager",
            channel="wechat",
            birthday=dt.date(1980, 12, 3),
            consent="given",
            is_main=True,
        )
    content = page(ann, customer)
    for part in ("Liu Fang", "purchasing manager", "birthday 3 Dec", "consent given", "first to ask"):
        assert part in words(content)
    assert "1980" not in content
    assert 'aria-label="WeChat"' in content


def test_lists_open_follow_ups_with_their_reason(cast, ann, customer, noon):
    with tenant_scope(cast.tenant):
        for number, (status, due) in enumerate([("open", 2), ("open", -3), ("done", 1)]):
            FollowUp.objects.create(
                customer=customer,
                assignee=cast.ann,
                kind="light_touch",
                rule="manual",
                period=str(number),
                facts={"text": f"Send sample {number}"},
                due_on=FRIDAY - dt.timedelta(days=due),
                status=status,
            )
    seen = words(page(ann, customer))
    assert "Send sample 0 Ann 2 days late" in seen
    assert "Send sample 1 Ann Mon 23 Nov" in seen
    assert "Send sample 2" not in seen


def test_lists_complaints_with_the_open_ones_first(cast, ann, customer, noon):
    with tenant_scope(cast.tenant):
        solved = dt.datetime(2026, 11, 10, 9, tzinfo=dt.UTC)
        Complaint.objects.create(
            customer=customer, topic="Late", opened_at=solved - dt.timedelta(days=3), solved_at=solved, first_time=True
        )
        Complaint.objects.create(customer=customer, topic="Chipped", severity="serious", opened_at=solved)
    seen = words(page(ann, customer))
    assert "Chipped serious, open since 10 Nov" in seen
    assert "Late minor" not in seen
    assert "solved 10 Nov, the first time" in seen
    assert seen.index("Chipped serious") < seen.index("solved 10 Nov, the first time")


def test_turns_the_stamp_red_when_the_night_is_old(ann, customer, placed, night, time_machine):
    night()
    assert 'class="late">as of' not in page(ann, customer)
    time_machine.move_to(dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC))
    assert 'class="late">as of' in page(ann, customer)


def test_escapes_what_people_wrote(cast, ann):
    customer = cast.customer("<script>alert(1)</script>", note="<b>bold</b>")
    content = page(ann, customer)
    assert "<script>alert" not in content
    assert "<b>bold" not in content


def test_asks_the_database_as_often_for_many_facts_as_for_few(cast, ann, customer, placed, night):
    def fill(number):
        placed(customer, *range(number * 20 + 1, number * 20 + 20, 2))
        with tenant_scope(cast.tenant):
            for n in range(5):
                Contact.objects.create(customer=customer, name=f"Contact {number} {n}")
                Complaint.objects.create(customer=customer, topic=f"Topic {n}")
                Interaction.objects.create(customer=customer, channel="phone", member=cast.ann)
                came = cast.customer(f"Newcomer {number} {n}")
                Evidence.objects.create(customer=customer, kind="referral", on=FRIDAY, referred=came, member=cast.bo)
                TierChange.objects.create(
                    customer=customer, on=FRIDAY - dt.timedelta(days=n), before="silver", after="gold", policy_version=1
                )

    def count():
        page(ann, customer)
        with CaptureQueriesContext(connection) as queries:
            page(ann, customer)
        return len(queries)

    fill(0)
    night()
    few = count()
    assert few <= 72
    for number in (1, 2, 3):
        fill(number)
    assert count() <= few
