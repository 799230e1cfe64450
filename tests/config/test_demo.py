"""The demo: the same day gives the same history, every shape and role is there, and people can sign in."""

from __future__ import annotations

import datetime as dt
import io
from collections import Counter, defaultdict
from decimal import Decimal

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.db import transaction
from django.db.models import F
from django.urls import reverse

from config.demo.history import write_history
from config.demo.logins import PASSWORD
from config.demo.seed import FIRMS
from config.demo.shapes import HISTORY_DAYS, SHAPES
from config.night import run_night
from customers.models import Activity, Customer, Evidence, Interaction, Order, Referral
from customers.services import Line, upsert_order
from followups.models import FollowUp, Message, MysteryVisit, QualityReview, Survey, SurveyLoop, SurveyReason
from health.models import HealthHistory, HealthScore
from incentives.models import Payout, Reward, Upgrade
from risk.models import Alert
from segmentation.models import LifetimeFit, SavedSegment, Standing, TierPin, Worth
from tenants.context import tenant_scope
from tenants.models import Member, PolicyVersion, Tenant, User
from tenants.permissions import Role
from tenants.querysets import memberships_of
from tests.config.smaller_demo import smaller_demo

TODAY = dt.date(2026, 11, 20)
NOW = dt.datetime(2026, 11, 20, 9, 30, tzinfo=dt.UTC)  # the same day in both firms' zones, and far from its end

pytestmark = pytest.mark.xdist_group("demo")  # histories and firms are made once


@pytest.fixture(scope="module")
def histories():
    return [(firm, write_history(firm, TODAY)) for firm in FIRMS]


@pytest.fixture(scope="module", autouse=True)
def _that_day():
    """So few customers: whether somebody is red is a matter of the day."""
    with time_machine.travel(NOW):
        yield


@pytest.fixture(scope="module")
def made(_that_day, django_db_setup, django_db_blocker):
    """Both firms, small, made once for all tests of this file; what the command printed."""
    out = io.StringIO()
    with django_db_blocker.unblock(), transaction.atomic():
        with smaller_demo():
            call_command("seed_demo", stdout=out)
        yield out.getvalue()
        transaction.set_rollback(True)


@pytest.fixture
def demo(made, db):
    """The same; what a test writes is rolled back."""
    return made


# ── the history, without a database ─────────────────────────────────────────


def test_writes_the_same_history_twice(histories):
    for firm, history in histories:
        assert write_history(firm, TODAY).digest() == history.digest()


def test_writes_another_history_on_another_day(histories):
    for firm, history in histories:
        assert write_history(firm, TODAY + dt.timedelta(days=1)).digest() != history.digest()


def test_has_three_hundred_customers_of_every_shape(histories):
    for _firm, history in histories:
        shapes = Counter(customer.shape for customer in history.customers)
        assert shapes == {shape.name: shape.customers for shape in SHAPES}
        assert len(history.customers) == 300


def test_covers_two_years_up_to_yesterday(histories):
    for _firm, history in histories:
        days = {order.placed_at.date() for order in history.orders}
        assert TODAY - dt.timedelta(days=HISTORY_DAYS) <= min(days) <= TODAY - dt.timedelta(days=HISTORY_DAYS - 5)
        assert TODAY - dt.timedelta(days=3) <= max(days) < TODAY
        moments = [said.at for said in history.talks] + [wrong.opened_at for wrong in history.complaints]
        moments += [wrong.solved_at for wrong in history.complaints if wrong.solved_at]
        assert max(moment.date() for moment in moments) < TODAY
        assert all(order.paid_on is None or order.paid_on < TODAY for order in history.orders)


def test_gives_each_shape_the_behaviour_of_its_name(histories):
    for firm, history in histories:
        shape_of = {customer.key: customer.shape for customer in history.customers}
        bought, money, complained = defaultdict(list), defaultdict(Counter), Counter()
        for order in history.orders:
            if order.kind == "order" and order.status == "placed":
                bought[order.customer].append(order.placed_at.date())
                net = sum(line.quantity * line.unit_price for line in order.lines)
                money[shape_of[order.customer]][(TODAY - order.placed_at.date()).days // 182] += net
        for wrong in history.complaints:
            complained[shape_of[wrong.customer]] += 1

        def silent_days(shape):
            return [(TODAY - max(bought[key])).days for key, name in shape_of.items() if name == shape]  # noqa: B023

        def counts(shape):
            return [len(bought[key]) for key, name in shape_of.items() if name == shape]  # noqa: B023

        assert max(counts("never")) == 0
        assert set(counts("one_off")) == {1}
        assert min(counts("new")) >= 1
        assert max(counts("new")) <= 4
        assert min(counts("steady")) >= 10
        assert min(silent_days("silent")) > 30
        assert max(silent_days("new")) <= 90
        assert money["growing"][0] > 1.5 * money["growing"][3]
        assert money["fading"][0] < 0.75 * money["fading"][2]
        assert complained["complaining"] > sum(complained.values()) / 4
        credited = Counter(shape_of[order.customer] for order in history.orders if order.kind == "credit_note")
        assert credited["returning"] > sum(credited.values()) / 4
        closed = [customer for customer in history.customers if customer.closed_on]
        assert {customer.shape for customer in closed} == {"closed"}
        team = {person.email: person.team for person in firm.people}
        for customer in history.customers:
            if customer.owner_a and customer.owner_b:
                assert (team[customer.owner_a] != team[customer.owner_b]) == (customer.shape == "covered")
        assert any(customer.owner_a is None for customer in history.customers)


def test_has_a_season_in_both_trades(histories):
    by_month = [Counter(order.placed_at.strftime("%Y-%m") for order in history.orders) for _firm, history in histories]
    hengtai, oakfield = by_month
    assert hengtai["2026-02"] < 0.6 * hengtai["2026-01"]  # the Spring Festival was on 17 February
    assert oakfield["2026-10"] > 1.7 * oakfield["2026-01"]


def test_fills_orders_and_catalogue_as_a_wholesaler_does(histories):
    for firm, history in histories:
        assert len(firm.articles) == len({article.number for article in firm.articles}) == 80
        assert len({article.category for article in firm.articles}) == 10
        assert {len(order.lines) for order in history.orders} == set(range(1, 9))
        assert len({(order.source, order.number) for order in history.orders}) == len(history.orders)
        for order in history.orders:
            credit = order.kind == "credit_note"
            assert all((line.quantity < 0) == credit and line.unit_price > 0 for line in order.lines)
        assert {source for customer in history.customers for source, _value in customer.external_ids} == {"erp", "shop"}
        assert {len(customer.contacts) for customer in history.customers} == {1, 2, 3}


def test_gives_everybody_an_address_that_nobody_has(histories):
    for firm, history in histories:
        addresses = [person.email for person in firm.people]
        addresses += [contact.email for customer in history.customers for contact in customer.contacts]
        assert all(address.endswith(".example") for address in addresses)


# ── the firms in the database ─────────────────────────────────────────────


def test_makes_both_firms_with_somebody_in_every_role(demo):
    for firm in FIRMS:
        tenant = Tenant.objects.get(slug=firm.slug)
        with tenant_scope(tenant):
            assert set(Member.objects.values_list("role", flat=True)) == set(Role.values)
        assert reverse("today", args=[firm.slug]) in demo
        assert all(person.email in demo for person in firm.people)
    mei = User.objects.get(email="mei.lawson@oakfield.example")
    assert {member.tenant.slug for member in memberships_of(mei)} == {"hengtai", "oakfield"}


def test_lets_everybody_sign_in(demo, client):
    people = {user.email: user for user in User.objects.all()}
    assert set(people) == {person.email for firm in FIRMS for person in firm.people}
    assert len({user.password for user in people.values()}) <= len(FIRMS)  # each firm's people share one hash
    for email in ("lin.yue@hengtai.example", "mei.lawson@oakfield.example", "webshop@oakfield.example"):
        answer = client.post(reverse("account_login"), {"login": email, "password": PASSWORD})
        assert answer.status_code == 302, email
        assert client.session["_auth_user_id"] == str(people[email].pk)
        client.logout()


def test_leaves_every_firm_with_work_for_today(demo):
    snoozed = 0
    for firm in FIRMS:
        tenant = Tenant.objects.get(slug=firm.slug)
        with tenant_scope(tenant):
            today = tenant.today()
            waiting = FollowUp.objects.waiting(today)
            assert waiting.filter(day=today).exists()
            assert waiting.filter(day__lt=today).exists()
            done = FollowUp.objects.filter(status="done")
            assert done.exists()
            assert all(row.interaction and row.interaction.customer_id == row.customer_id for row in done)
            snoozed += FollowUp.objects.exclude(snooze_reason="").count()
            assert Alert.objects.filter(closed_on__isnull=True).exists()
            assert HealthHistory.objects.values("on").distinct().count() >= 2
            assert set(HealthScore.objects.values_list("band", flat=True)) >= {"green", "red", "none"}
            assert Standing.objects.exclude(tier="").exists()
            assert not Interaction.objects.filter(at__gte=tenant.start_of(today)).exists()
    assert snoozed


def test_shows_policy_value_and_segments_at_work(demo):
    for firm in FIRMS:
        tenant = Tenant.objects.get(slug=firm.slug)
        with tenant_scope(tenant):
            assert PolicyVersion.objects.count() == 1 + len(firm.policy)
            assert set(Evidence.objects.values_list("kind", flat=True)) >= {"benchmark", "cluster"}
            pin = TierPin.objects.get()
            assert Standing.objects.get(customer=pin.customer).tier == pin.tier
            assert SavedSegment.objects.filter(evaluated_at__isnull=False, is_shared=True).count() == len(firm.segments)
            assert LifetimeFit.objects.count() >= 1
            assert Worth.objects.filter(score__isnull=False).exists()


def test_shows_what_was_sent_and_what_was_not_and_why(demo):
    for firm in FIRMS:
        with tenant_scope(Tenant.objects.get(slug=firm.slug)):
            found = Counter(Message.objects.filter(origin__in=("manual", "care:demo")).values_list("status", "why"))
        assert found["sent", ""] > 5
        assert found["blocked", "opted_out"] == found["bounced", "dead_address"] == found["uncertain", "unclear"] == 1
        assert found["held", "quiet"] == 1


def test_hides_in_the_orders_what_is_bought_after_what(histories):
    for firm, history in histories:
        by_name = {article.name: article.number for article in firm.articles}
        first = {}
        for order in history.orders:
            if order.kind == "order" and order.status == "placed":
                for line in order.lines:
                    first.setdefault((order.customer, line.article), order.placed_at.date())
        for bought, then in firm.companions:
            one, other = by_name[bought], by_name[then]
            starts = {customer: day for (customer, article), day in first.items() if article == one}
            open_ones = {who: day for who, day in starts.items() if first.get((who, other), day) >= day}
            followed = [who for who, day in open_ones.items() if 0 < (first.get((who, other), day) - day).days <= 90]
            assert len(followed) >= 12
            assert len(followed) > len(open_ones) / 3


def test_shows_surveys_and_reviews_at_work(demo):
    for firm in FIRMS:
        with tenant_scope(Tenant.objects.get(slug=firm.slug)):
            asked = Survey.objects.all()
            assert asked.filter(answered_at__isnull=False).count() > 5
            assert asked.filter(answered_at__isnull=True).count() > 5
            assert SurveyReason.objects.exists()
            loops = SurveyLoop.objects.all()
            assert loops.filter(follow_up__status="done").exists()
            assert loops.filter(analysed_at__isnull=False).exists()
            assert MysteryVisit.objects.count() == 5
            reviews = QualityReview.objects.all()
            assert reviews.filter(reviewed_at__isnull=False).exists()
            assert not reviews.filter(reviewer=F("member")).exists()


def test_shows_referrals_and_rewards_at_work(demo):
    for firm in FIRMS:
        with tenant_scope(Tenant.objects.get(slug=firm.slug)):
            assert Referral.objects.exists()
            assert Upgrade.objects.exists()
            assert Reward.objects.filter(status="paid").exists()
            assert Payout.objects.get().total > 0


def test_leaves_nothing_for_the_night_to_change(demo):
    for firm in FIRMS:
        tenant = Tenant.objects.get(slug=firm.slug)
        run = run_night(tenant, tenant.today())
        with tenant_scope(tenant):
            steps = {step.name: step.counts for step in run.steps.all()}
        assert steps["segmentation"]["changed"] == steps["segmentation"]["moved"] == steps["health"]["changed"] == 0
        assert set(steps["follow-ups"].values()) == {0}
        assert steps["rewards"]["posted"] == 0
        assert steps["risk"] == {"alerts": 0, "repeated": 0, "raised": 0, "closed": 0}
        assert steps["surveys"] == {"asked": 0, "asked_again": 0, "reminded": 0, "drawn": 0}


def test_writes_orders_as_the_services_would(demo):
    for firm in FIRMS:
        with tenant_scope(Tenant.objects.get(slug=firm.slug)):
            foreign = Order.objects.exclude(currency=firm.currency)[:3]
            for order in [*Order.objects.order_by("pk")[:10], *Order.objects.filter(kind="credit_note")[:5], *foreign]:
                lines = [
                    Line(product=line.product_id, quantity=line.quantity, unit_price=line.unit_price)
                    for line in order.lines.all()
                ]
                _order, outcome = upsert_order(
                    source=order.source, external_id=order.external_id, customer=order.customer, lines=lines
                )
                assert outcome == "unchanged"
            for customer in Customer.objects.all()[:10]:
                placed = Order.objects.filter(customer=customer, status="placed")
                rolled = sum((row.net for row in Activity.objects.filter(customer=customer)), Decimal())
                assert sum((order.net for order in placed), Decimal()) == rolled


def test_refuses_to_make_the_firms_again(demo, capsys):
    before = Tenant.objects.get(slug="hengtai").created_at
    with pytest.raises(CommandError, match="hengtai and oakfield: in this database already"):
        call_command("seed_demo")
    assert Tenant.objects.get(slug="hengtai").created_at == before
    assert "lin.yue@hengtai.example" in capsys.readouterr().out


def test_prints_the_log_ins_alone(demo, capsys):
    call_command("seed_demo", "--logins")
    assert capsys.readouterr().out == demo
