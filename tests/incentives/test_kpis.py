"""It: every KPI equals an independent calculation in plain SQL; facts count for who was responsible on their day."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from random import Random

import pytest

from config.demo import seed as demo_seed
from customers.activity import refresh_activity
from customers.models import Complaint, Contact, Customer, Interaction, Order, Referral, SurveyResponse
from followups.models import FollowUp
from incentives.kpis.counting import counts_of
from incentives.kpis.figures import Who, rows, values
from incentives.models import ClvMark, OwnerChange, TeamChange
from incentives.rules.kpis import CODES, SPANS, Period
from segmentation.models import Standing, TierChange, Worth
from segmentation.rules.policy import TierPolicy
from segmentation.rules.tiers import TIER_ORDER
from tenants.context import tenant_scope
from tenants.models import Event, Member, Team
from tenants.policies import active_policy
from tests.config.smaller_demo import smaller_demo
from tests.incentives.by_hand import by_hand

AS_OF = dt.date(2026, 11, 22)
DAY = dt.timedelta(days=1)
NEARLY = Decimal("0.001")


def agree(code, period, as_of):
    """What the application counts is what is counted by hand, for each person and team; returns how many there are."""
    policy = active_policy()
    best = TIER_ORDER[policy.section(TierPolicy).scheme][0]
    counted = {key[1:]: pair for key, pair in counts_of(period, as_of, policy, [code]).items()}
    expected = {key: pair for key, pair in by_hand(code, period, as_of, best).items() if any(map(bool, pair))}
    assert counted.keys() == expected.keys(), (code, period.code)
    for key, pair in expected.items():
        for found, wanted in zip(counted[key], pair, strict=True):
            assert abs(found - wanted) <= NEARLY, (code, period.code, key, found, wanted)
    return len(expected)


@pytest.fixture
def world(cast, scope):
    """A firm of sixty customers whose facts, holders and teams are drawn by dice that always fall the same."""
    rng, tenant = Random(11), scope  # noqa: S311  # dice, not secrets
    north = Team.objects.create(name="North")
    people = [cast.ann, cast.bo, cast.lea]
    customers = Customer.objects.bulk_create(
        Customer(
            name=f"Firm {n}",
            owner_a=rng.choice([*people, None]),
            closed_on=AS_OF - rng.randrange(60) * DAY if n % 15 == 0 else None,
        )
        for n in range(60)
    )

    def moment(first, last):
        day = first + rng.randrange((last - first).days + 1) * DAY
        return tenant.start_of(day) + dt.timedelta(hours=rng.randrange(24), minutes=rng.randrange(60))

    back = dt.date(2024, 3, 1)
    for customer in customers:
        _facts(rng, tenant, customer, people, moment, back)
        _history(rng, customer, people, back)
    for number in range(12):
        who, new = rng.sample(customers, 2)
        if not Referral.objects.filter(customer=new).exists():
            Referral.objects.create(
                referrer=who, customer=new, on=AS_OF - rng.randrange(200) * DAY, member=rng.choice([None, cast.bo]),
                withdrawn_at=tenant.start_of(AS_OF) if number % 6 == 5 else None,
            )  # fmt: skip
    # Bo came from the north in the middle of the month; Ann had been there for ten days of the quarter.
    TeamChange.objects.create(member=cast.bo, on=dt.date(2026, 11, 12), before=north, after=cast.bo.team)
    TeamChange.objects.create(member=cast.ann, on=dt.date(2026, 10, 10), before=cast.ann.team, after=north)
    TeamChange.objects.create(member=cast.ann, on=dt.date(2026, 10, 20), before=north, after=cast.ann.team)
    refresh_activity(list(Order.objects.values_list("customer_id", "placed_on")))
    return customers


def _facts(rng, tenant, customer, people, moment, back):
    contact = Contact.objects.create(customer=customer, name="Somebody")
    orders = [
        Order(
            customer=customer, external_id=f"{customer.pk}-{n}", placed_at=(at := moment(back, AS_OF + 3 * DAY)),
            placed_on=tenant.local_date(at), currency="GBP", net=Decimal(rng.randrange(1, 90_000)) / 100,
            kind=rng.choice(["order"] * 8 + ["credit_note"]), status=rng.choice(["placed"] * 9 + ["cancelled"]),
            digest="",
        )
        for n in range(rng.randrange(0, 40))
    ]  # fmt: skip
    for order in orders:
        order.net = -order.net / 10 if order.kind == "credit_note" else order.net
        order.net = order.net.quantize(Decimal("0.0001"))
    Order.objects.bulk_create(orders)
    Interaction.objects.bulk_create(
        Interaction(
            customer=customer, member=rng.choice([*people, None]), at=moment(dt.date(2026, 6, 1), AS_OF),
            channel="phone", kind=rng.choice(["light_touch", "deep_talk", "message"]),
            direction=rng.choice(["outbound", "outbound", "inbound"]), solved=rng.choice([None, None, True, False]),
        )
        for _n in range(8)
    )  # fmt: skip
    for _n in range(3):
        opened = moment(dt.date(2026, 7, 1), AS_OF)
        later = [None, opened + dt.timedelta(minutes=rng.randrange(9000))]
        complaint = Complaint.objects.create(
            customer=customer, topic="Late", opened_at=opened, assignee=rng.choice([*people, None]),
            apologised_at=rng.choice(later), promised_at=rng.choice(later), solved_at=rng.choice(later),
            first_time=rng.choice([None, True, False]),
        )  # fmt: skip
        if rng.random() < 0.5:
            SurveyResponse.objects.create(
                customer=customer, kind="csat", score=rng.randrange(1, 6), at=moment(dt.date(2026, 9, 1), AS_OF),
                complaint=rng.choice([None, complaint]),
            )  # fmt: skip
    SurveyResponse.objects.bulk_create(
        SurveyResponse(
            customer=customer, contact=rng.choice([None, contact]), kind="nps", score=rng.randrange(11),
            at=moment(dt.date(2026, 9, 1), AS_OF),
        )
        for _n in range(3)
    )  # fmt: skip
    FollowUp.objects.bulk_create(
        FollowUp(
            customer=customer, kind="light_touch", rule="cadence:light_touch",
            period="start" if number == 0 else str(AS_OF - (90 + 10 * number) * DAY), due_on=due,
            status=rng.choice(["open", "done", "cancelled"]),
        )
        for number, due in enumerate(AS_OF - rng.randrange(80) * DAY for _n in range(4))
    )  # fmt: skip


def _history(rng, customer, people, back):
    tiers = ["gold", "silver", "bronze", ""]
    days = sorted(rng.sample(range(120), 3))
    before = rng.choice(tiers)
    for ago in reversed(days):
        after = rng.choice([tier for tier in tiers if tier != before])
        TierChange.objects.create(customer=customer, on=AS_OF - ago * DAY, before=before, after=after, policy_version=1)
        before = after
    if customer.pk % 7:
        Standing.objects.create(customer=customer, frequency=1, monetary=1, tier=before, policy_version=1)
    if rng.random() < 0.5:
        holder = customer.owner_a
        for ago in sorted(rng.sample(range(70), 2)):
            earlier = rng.choice([*people, None])
            OwnerChange.objects.create(customer=customer, on=AS_OF - ago * DAY, before=earlier, after=holder)
            holder = earlier
    for span in SPANS:
        for period in Period.of(span, AS_OF - DAY).back(2):
            ClvMark.objects.bulk_create(
                [ClvMark(on=period.start, customer=customer, clv=Decimal(rng.randrange(1, 9000)))],
                ignore_conflicts=True,
            )
    if rng.random() < 0.9:
        Worth.objects.create(
            customer=customer, valued_on=AS_OF, repeats=1, clv=Decimal(rng.randrange(9000)), policy_version=1
        )


def test_every_kpi_of_every_span_is_what_plain_sql_comes_to(world):
    for code in CODES:
        found = 0
        for span in SPANS:
            for period in Period.of(span, AS_OF - DAY).back(2):
                found += agree(code, period, AS_OF)
        assert found >= 5, f"{code}: too little to tell right from wrong"


def test_every_kpi_of_the_demo_is_what_plain_sql_comes_to(db):
    with smaller_demo():
        tenant = demo_seed.seed(demo_seed.OAKFIELD)
    with tenant_scope(tenant):
        today = tenant.today()
        found = {
            code: sum(agree(code, period, today) for span in SPANS for period in Period.of(span, today - DAY).back(3))
            for code in CODES
        }
    assert all(found[code] for code in CODES if not code.startswith(("referral", "strategic", "clv"))), found


def test_the_rows_behind_a_value_add_up_to_it(world, cast):
    period = Period.of("month", AS_OF - DAY)
    policy = active_policy()
    for code in CODES:
        counts = counts_of(period, cast.tenant.today(), policy, [code])
        for who in (Who.tenant(), Who.person(cast.ann), Who.team(cast.lea.team)):
            wanted = [pair for key, pair in counts.items() if who.takes(key)]
            found = list(rows(code, period, who))
            for place in (0, 1):
                total = sum((pair[place] for pair in wanted), Decimal(0))
                part = sum(((row.numerator, row.denominator)[place] for row in found), Decimal(0))
                assert abs(Decimal(part) - total) <= NEARLY, (code, who)


def test_a_fact_counts_for_the_team_of_its_day_and_a_period_is_split_by_days(cast, scope):
    """Bo changes teams on the 12th of a month of 30 days, and gets Ann's customer on the 21st."""
    north, south = Team.objects.create(name="North"), cast.bo.team
    huaxin, own = Customer.objects.bulk_create(Customer(name=name, owner_a=cast.bo) for name in ("Huaxin", "Own"))
    period, as_of = Period("month", dt.date(2026, 9, 1)), dt.date(2026, 10, 1)
    TeamChange.objects.create(member=cast.bo, on=dt.date(2026, 9, 12), before=north, after=south)
    OwnerChange.objects.create(customer=huaxin, on=dt.date(2026, 9, 21), before=cast.ann, after=cast.bo)
    for customer, day, score in ((huaxin, 10, 5), (huaxin, 20, 1), (huaxin, 21, 4), (own, 11, 5), (own, 12, 1)):
        at = scope.start_of(dt.date(2026, 9, day))
        SurveyResponse.objects.create(customer=customer, kind="csat", score=score, at=at)
    for customer, money in ((huaxin, {2024: 1, 2025: 100, 2026: 130}), (own, {2024: 1, 2025: 300, 2026: 330})):
        for year, net in money.items():
            day = dt.date(year, 9, 5)
            Order.objects.create(
                customer=customer, external_id=f"{customer} {year}", placed_at=scope.start_of(day), placed_on=day,
                currency="GBP", net=net, digest="",
            )  # fmt: skip
    refresh_activity(list(Order.objects.values_list("customer_id", "placed_on")))

    counted = counts_of(period, as_of, active_policy(), ["csat", "value_growth"])
    assert {key: pair for key, pair in counted.items() if key[0] == "csat"} == {
        ("csat", cast.ann.pk, south.pk): (1, 2),
        ("csat", cast.bo.pk, north.pk): (1, 1),
        ("csat", cast.bo.pk, south.pk): (1, 2),
    }
    # Ann held Huaxin for 20 of 30 days, Bo for 10 in the south; his own he held for 11 in the north and 19 in the south.
    assert {key: pair for key, pair in counted.items() if key[0] == "value_growth"} == {
        ("value_growth", cast.ann.pk, south.pk): (20, Decimal("66.6667")),
        ("value_growth", cast.bo.pk, north.pk): (11, 110),
        ("value_growth", cast.bo.pk, south.pk): (29, Decimal("223.3333")),
    }
    # Of the whole firm they are two customers, whoever held them.
    whole = values(["value_growth"], period=period, of=Who.tenant())[0]
    assert (whole.value, whole.numerator, whole.denominator) == (15, 60, 400)


def test_the_database_notes_who_held_whom_whoever_writes_it(cast, scope):
    customer = cast.customer()
    Customer.objects.filter(pk=customer.pk).update(owner_a=cast.bo, owner_b=None)
    Member.objects.filter(pk=cast.bo.pk).update(team=None)
    changed = OwnerChange.objects.get(customer=customer)
    assert (changed.before, changed.after) == (cast.ann, cast.bo)
    assert abs(changed.on - scope.today()) <= DAY
    moved = TeamChange.objects.get(member=cast.bo)
    assert (moved.before, moved.after) == (cast.lea.team, None)
    assert not Event.objects.filter(object_id=customer.pk, verb="owners_changed").exists()
