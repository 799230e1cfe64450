"""It: the night's step that says what customers are worth, the command that fits, and the explanation of one."""

from __future__ import annotations

import datetime as dt
import importlib.metadata
import json
from collections.abc import Callable
from decimal import Decimal
from io import StringIO
from typing import Any

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from customers.activity import refresh_activity
from customers.models import Customer, Evidence, Order
from segmentation import nightly, valuing
from segmentation.models import LifetimeFit, Tier, Worth
from segmentation.rules import lifetime
from segmentation.words import LINES, PARTS, WHY_NO_MODEL, WHY_NO_POINTS, WHY_NO_VALUE
from tenants.models import PolicyVersion
from tenants.policies import active_policy, pack_document, save_policy
from tests.conftest import Cast
from tests.segmentation.conftest import TODAY

Ordered = Callable[..., Customer]
Value = Callable[..., dict[str, int]]

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("scope")]

# A day on which the model of TODAY's month is still in force.
LATER = dt.date(2026, 11, 27)


def place(orders: list[tuple[Customer, dt.date, float]], **fields: Any) -> None:
    """Orders of so much money, in few statements."""
    Order.objects.bulk_create(
        Order(
            customer=customer, external_id=f"{customer.pk}-{n}-{fields}", placed_on=day, currency="GBP",
            placed_at=dt.datetime.combine(day, dt.time(12), dt.UTC), net=Decimal(str(money)), digest="", **fields,
        )
        for n, (customer, day, money) in enumerate(orders)
    )  # fmt: skip
    refresh_activity({(customer.pk, day.replace(day=1)) for customer, day, _money in orders})


@pytest.fixture
def crowd(cast: Cast) -> list[Customer]:
    """140 customers of two and a half years: each at a rate and with a mean of its own, one in ten orders the last."""
    random = np.random.default_rng(20)
    customers = Customer.objects.bulk_create(
        Customer(name=f"C{n}", search_name=f"c{n}", owner_a=cast.ann) for n in range(140)
    )
    orders = []
    for customer in customers:
        every, mean = 7 / random.gamma(1.2, 1 / 6), 900 / random.gamma(3.5, 1.0)
        day = float(random.integers(3, 900))
        while day >= 1:
            orders.append((customer, TODAY - dt.timedelta(int(day)), round(float(mean * random.gamma(4, 1 / 4)), 2)))
            if random.random() < 0.1:
                break
            day -= 1 + random.exponential(every)
    place(orders)
    return customers


@pytest.fixture
def value() -> Value:
    """The nights of segmentation and value, of TODAY or another day."""

    def run(as_of: dt.date = TODAY) -> dict[str, int]:
        nightly.run(as_of)
        return valuing.run(as_of)

    return run


def state() -> list[list[Any]]:
    kept = [field.attname for field in LifetimeFit._meta.local_fields if field.attname not in {"id", "created_at"}]
    valued = [field.attname for field in Worth._meta.local_fields if field.attname != "fit_id"]
    return [
        sorted(map(str, LifetimeFit.objects.values_list(*kept))),
        sorted(map(str, Worth.objects.values_list(*valued))),
    ]


def rules(**changes: Any) -> None:
    """The policy with other settings of the section "value"."""
    document = active_policy().document
    save_policy({**document, "value": {**document["value"], **changes}}, pack="callback")


# ── facts ───────────────────────────────────────────────────────────────────


def test_counts_order_days_and_the_money_after_the_first(cast: Cast, ordered: Ordered, value: Value) -> None:
    customer = ordered(400, 100, 40, money=120)
    place([(customer, TODAY - dt.timedelta(100), 80.5)], source="second of that day")
    place([(customer, TODAY - dt.timedelta(30), -20.25)], kind="credit_note")
    place([(customer, TODAY - dt.timedelta(20), 999)], status="cancelled")
    place([(customer, TODAY, 777)], source="too late")
    value()
    row = Worth.objects.get(customer=customer)
    assert (row.repeats, row.first_order_on, row.last_order_on) == (
        2, TODAY - dt.timedelta(400), TODAY - dt.timedelta(40),
    )  # fmt: skip
    # 120 + 120 + 80.50 + 120 − 20.25, of which the first day's 120 belong to no repeat.
    assert (row.net, row.mean_order) == (Decimal("420.25"), Decimal("150.125"))
    assert row.window_net == Decimal("300.25")
    assert row.valued_on == TODAY


def test_takes_a_first_day_for_what_its_credit_note_left(ordered: Ordered, value: Value) -> None:
    customer = ordered(50, 20, money=100)
    place([(customer, TODAY - dt.timedelta(50), -40)], kind="credit_note")
    value()
    row = Worth.objects.get(customer=customer)
    assert (row.net, row.mean_order) == (Decimal(160), Decimal(100))


def test_has_a_row_for_everybody_living_and_none_for_who_is_closed(cast: Cast, ordered: Ordered, value: Value) -> None:
    never, closed = cast.customer("Never"), ordered(90, 20, name="Closed")
    value()
    assert Worth.objects.count() == 2
    Customer.objects.filter(pk=closed.pk).update(closed_on=TODAY)
    value()
    [row] = Worth.objects.all()
    assert row.customer_id == never.pk
    assert (row.clv, row.clv_simple, row.score, row.direct, row.alive) == (None,) * 5


def test_fits_closed_customers_too(cast: Cast, crowd: list[Customer], value: Value) -> None:
    Customer.objects.filter(pk__in=[each.pk for each in crowd[:40]]).update(closed_on=TODAY)
    assert value()["customers"] == 100
    assert LifetimeFit.objects.get().customers == 140


# ── nights ──────────────────────────────────────────────────────────────────


def test_values_everybody_by_the_model_of_the_month(crowd: list[Customer], value: Value) -> None:
    assert value() == {"customers": 140, "fitted": 1, "changed": 140}
    fit = LifetimeFit.objects.get()
    assert (fit.as_of, fit.converged, fit.reason, fit.customers) == (TODAY, True, "", 140)
    rows = list(Worth.objects.all())
    assert all(row.clv is not None and row.clv >= 0 and row.expected_orders is not None for row in rows)
    assert {row.fit_id for row in rows} == {fit.pk}
    best, worst = max(rows, key=lambda row: row.net), min(rows, key=lambda row: row.net)
    assert best.score > worst.score
    # Who is gone with high probability is worth little beside what it was.
    assert all((row.alive is None) == (row.repeats == 0) for row in rows)


def test_the_second_night_changes_nothing(crowd: list[Customer], value: Value) -> None:
    value()
    before, fit = state(), LifetimeFit.objects.get().pk
    assert value() == {"customers": 140, "fitted": 0, "changed": 0}
    assert (state(), LifetimeFit.objects.get().pk) == (before, fit)


def test_values_only_who_did_something_until_the_next_month(
    cast: Cast, crowd: list[Customer], ordered: Ordered, value: Value
) -> None:
    value()
    ordered(-3, customer=crowd[7], money=50)
    note = Evidence.objects.create(customer=crowd[9], kind="referral", on=TODAY, referred=crowd[11])
    nightly.run(LATER)
    # The first evidence of its part counts for everybody: the book is kept from now on.
    assert valuing.run(LATER) == {"customers": 140, "fitted": 0, "changed": 140}
    assert Worth.objects.filter(indirect__isnull=True).count() == 0
    assert Worth.objects.get(customer=crowd[9]).evidence[0] == [note.pk, "referral", 20]
    ordered(-8, customer=crowd[3], money=50)
    nightly.run(LATER + dt.timedelta(2))
    changed = valuing.run(LATER + dt.timedelta(2))
    fresh = set(Worth.objects.filter(valued_on=LATER + dt.timedelta(2)).values_list("customer_id", flat=True))
    assert crowd[3].pk in fresh
    assert changed["changed"] == len(fresh)
    assert len(fresh) < 20  # and who changed tier
    december = dt.date(2026, 12, 1)
    assert value(december) == {"customers": 140, "fitted": 1, "changed": 140}
    assert set(Worth.objects.values_list("valued_on", flat=True)) == {december}


def test_a_night_before_goes_by_the_model_of_then(crowd: list[Customer], value: Value) -> None:
    value(TODAY - dt.timedelta(40))
    # Tiers do not go back with the night (they fall after days of grace), so neither does what hangs on them.
    told = ("customer_id", "valued_on", "fit_id", "net", "window_net", "expected_orders", "clv")
    early = set(Worth.objects.values_list(*told))
    value()
    assert LifetimeFit.objects.count() == 2
    assert not early & set(Worth.objects.values_list(*told))
    again = value(TODAY - dt.timedelta(40))
    assert (again["fitted"], again["changed"]) == (0, 140)
    assert set(Worth.objects.values_list(*told)) == early


def test_goes_by_the_policy_when_it_changes(crowd: list[Customer], value: Value) -> None:
    value()
    whole = Worth.objects.get(customer=crowd[0]).clv
    rules(margin_percent=50)
    assert value() == {"customers": 140, "fitted": 1, "changed": 140}
    row = Worth.objects.get(customer=crowd[0])
    assert row.clv == pytest.approx(whole / 2, abs=Decimal("0.001"))
    assert row.policy_version == active_policy().number
    assert value()["changed"] == 0


def test_fits_anew_when_the_policy_of_then_is_of_another_release(crowd: list[Customer], value: Value) -> None:
    value()
    PolicyVersion.objects.create(number=2, pack="callback", document={"value": {"what_was_once": 1}})
    LifetimeFit.objects.update(policy_version=2)
    save_policy(pack_document("callback"), pack="callback")
    assert value() == {"customers": 140, "fitted": 1, "changed": 140}


def test_does_not_refit_for_a_policy_that_says_the_same_of_value(crowd: list[Customer], value: Value) -> None:
    value()
    save_policy(active_policy().document, pack="callback", note="again")
    assert value() == {"customers": 140, "fitted": 0, "changed": 0}


def test_a_firm_that_brings_its_history_in_the_middle_of_a_month_does_not_wait(
    cast: Cast, value: Value, request: pytest.FixtureRequest
) -> None:
    assert value(TODAY - dt.timedelta(3))["fitted"] == 1
    assert value(TODAY - dt.timedelta(2))["fitted"] == 0
    assert LifetimeFit.objects.get().reason == "no_customers"
    request.getfixturevalue("crowd")
    assert value(TODAY)["fitted"] == 1
    assert LifetimeFit.objects.latest("as_of").converged


def test_says_why_there_is_no_model_and_still_gives_the_simple_value(ordered: Ordered, value: Value) -> None:
    customers = [ordered(500, 100, 20, name=f"C{n}", money=100 + n) for n in range(12)]
    assert value() == {"customers": 12, "fitted": 1, "changed": 12}
    fit = LifetimeFit.objects.get()
    assert (fit.reason, fit.r, fit.converged) == ("few_repeaters", None, False)
    row = Worth.objects.get(customer=customers[0])
    assert (row.clv, row.expected_orders) == (None, None)
    told = valuing.explain(row)
    assert told.discounted.why == "no_fit"
    # All twelve ordered in both years: all stay, for the five years of the horizon.
    assert (told.simple.share, told.simple.capped) == (1, True)
    assert row.clv_simple == told.simple.clv == 5 * told.simple.yearly


# ── retention ───────────────────────────────────────────────────────────────


def test_retention_goes_by_the_tier_of_a_year_ago_and_counts_who_was_closed(
    cast: Cast, ordered: Ordered, value: Value
) -> None:
    for n in range(20):
        ordered(400, *([30] if n >= 5 else []), name=f"C{n}", money=100 + n)
    lost = ordered(450, 400, name="Lost", money=5_000)
    Customer.objects.filter(pk=lost.pk).update(closed_on=TODAY - dt.timedelta(100))
    ordered(30, name="New")
    value()
    kept = LifetimeFit.objects.get().inputs["retention"]
    assert kept[""] == {"customers": 21, "again": 15}
    by_tier = {tier: counts for tier, counts in kept.items() if tier}
    assert sum(counts["customers"] for counts in by_tier.values()) == 21
    assert by_tier["gold"]["again"] == by_tier["gold"]["customers"] - 1  # the one who was lost stood highest


# ── evidence and payment ────────────────────────────────────────────────────


def test_evidence_counts_within_its_months_and_referred_money_with_it(
    cast: Cast, ordered: Ordered, value: Value
) -> None:
    friend, quiet = ordered(60, money=900, name="Friend"), ordered(60, money=300, name="Quiet")
    giver = ordered(60, 50, money=100, name="Giver")
    days = {"old": 800, "referral": 30, "again": 20, "none": 0}
    made = {
        name: Evidence.objects.create(customer=giver, kind="referral", on=TODAY - dt.timedelta(ago), referred=friend)
        for name, ago in days.items()
    }
    own = Evidence.objects.create(customer=giver, kind="referral", on=TODAY - dt.timedelta(9), referred=giver)
    stone = Evidence.objects.create(customer=giver, kind="benchmark", on=TODAY - dt.timedelta(9))
    value()
    row = Worth.objects.get(customer=giver)
    # The friend's money counts once: 900 are three typical customers (300 is the median) of 20 points each.
    assert row.evidence == [
        [made["referral"].pk, "referral", 20], [made["again"].pk, "referral", 20], [own.pk, "referral", 20],
        [stone.pk, "benchmark", 50], [None, "referred_money", 60],
    ]  # fmt: skip
    assert row.referred_net == Decimal(900)
    assert (row.indirect, row.strategic) == (100, 50)
    other = Worth.objects.get(customer=quiet)
    assert (other.indirect, other.strategic, other.evidence) == (0, 0, [])
    card = valuing.explain(row).scorecard
    assert [part.capped for part in card.parts] == [False, True, False]
    assert card.total + card.rounding == row.score
    made["referral"].delete()
    assert value()["changed"] == 1
    assert Worth.objects.get(customer=giver).evidence[0][0] == made["again"].pk


def test_knows_nothing_of_a_book_that_nobody_keeps(ordered: Ordered, value: Value) -> None:
    ordered(60, money=100)
    customer = ordered(60, money=200, name="Better")
    value()
    row = Worth.objects.get(customer=customer)
    assert (row.direct, row.indirect, row.strategic, row.score) == (100, None, None, 100)


def test_pays_by_the_median_of_the_last_five_paid_orders(ordered: Ordered, value: Value) -> None:
    customer = ordered(300, 200, 150, 100, 90, 80, 70, 60)
    ordered(300, name="Other")
    late = {300: 90, 200: 0, 150: 10, 100: 15, 90: 20, 80: 45, 70: None, 60: 3}
    for ago, days in late.items():
        due = TODAY - dt.timedelta(ago - 10)
        paid = None if days is None else due + dt.timedelta(days)
        Order.objects.filter(customer=customer, external_id=f"{customer.pk}-{ago}").update(due_on=due, paid_on=paid)
    value()
    # Paid last: 3, 45, 20, 15, 10 days late.
    assert Worth.objects.get(customer=customer).days_late == 15
    assert Worth.objects.exclude(customer=customer).get().days_late is None


# ── the explanation ─────────────────────────────────────────────────────────


def test_explains_every_number_it_wrote(cast: Cast, crowd: list[Customer], value: Value) -> None:
    for n, kind in enumerate(("referral", "endorsement", "benchmark", "co_development", "cluster")):
        Evidence.objects.create(customer=crowd[n], kind=kind, on=TODAY - dt.timedelta(5), referred=crowd[20])
    rules(
        margin_percent=35, acquisition_cost=50, tier_weights={"gold": {"direct": 20, "indirect": 30, "strategic": 50}}
    )
    value()
    assert Worth.objects.filter(tier="gold").exists()
    for row in Worth.objects.select_related("fit"):
        told = valuing.explain(row)
        assert told.discounted.clv == row.clv
        assert told.simple.clv == row.clv_simple
        assert told.discounted.order_money == row.expected_order_money
        assert told.scorecard.score == row.score
        assert told.scorecard.total + told.scorecard.rounding == row.score
        assert {part.key: part.score for part in told.scorecard.parts} == {
            "direct": row.direct, "indirect": row.indirect, "strategic": row.strategic,
        }  # fmt: skip


def test_has_words_for_every_code() -> None:
    said = {
        lifetime.Reason: WHY_NO_MODEL,
        valuing.clv.Why: WHY_NO_VALUE,
        valuing.scorecard.Unknown: WHY_NO_POINTS,
        valuing.scorecard.PartKey: PARTS,
    }
    for codes, words in said.items():
        assert set(codes.__args__) - {""} == set(words)
        assert all(str(each) for each in words.values())
    assert {"money", "margin", "payment", *valuing.scorecard.KINDS} == set(LINES)
    assert {kind for kind, _label in Evidence.Kind.choices} < set(LINES)
    assert all(tier in Tier.values for tier in valuing.tiers.TIER_ORDER["callback"])


# ── the command ─────────────────────────────────────────────────────────────


def fit_lifetime(*arguments: str) -> dict[str, Any]:
    out = StringIO()
    call_command("fit_lifetime", "--tenant", "acme", *arguments, stdout=out)
    return json.loads(out.getvalue())


@pytest.fixture
def cdnow(scope: Any) -> None:
    """The papers' sample as orders: 2,357 customers of the year 1997."""
    [path] = [each for each in importlib.metadata.files("lifetimes") or [] if each.name == "CDNOW_sample.txt"]
    rows = [line.split() for line in path.read_text().splitlines() if line.strip()]
    names = sorted({row[0] for row in rows})
    made = Customer.objects.bulk_create(Customer(name=name, search_name=name) for name in names)
    customers = dict(zip(names, made, strict=True))
    place([(customers[row[0]], dt.datetime.strptime(row[2], "%Y%m%d").date(), float(row[4])) for row in rows])  # noqa: DTZ007  # a date


@pytest.mark.usefixtures("cdnow")
def test_the_command_finds_the_papers_parameters_from_the_papers_orders() -> None:
    # 39 weeks of 1997: orders up to the last of September, so as of the first of October.
    told = fit_lifetime("--as-of", "1997-10-01")
    assert (told["as_of"], told["customers"], told["repeaters"], told["converged"]) == ("1997-10-01", 2357, 946, True)
    assert [told[name] for name in ("r", "alpha", "a", "b")] == pytest.approx([0.243, 4.414, 0.793, 2.426], abs=1e-3)
    assert told["log_likelihood"] == pytest.approx(-9582.4, abs=0.1)
    assert [told[name] for name in ("p", "q", "v")] == pytest.approx([6.25, 3.74, 15.44], abs=0.02)
    assert (told["reason"], told["why"]) == (None, None)


def test_the_command_keeps_the_days_model_and_takes_its_place(crowd: list[Customer], value: Value) -> None:
    told = fit_lifetime("--as-of", str(TODAY))
    kept = LifetimeFit.objects.get()
    assert (kept.as_of, kept.r, kept.q) == (TODAY, told["r"], told["q"])
    assert fit_lifetime("--as-of", str(TODAY)) == told
    assert LifetimeFit.objects.get().pk == kept.pk
    assert value()["fitted"] == 0  # the night takes it over
    place([(crowd[5], TODAY - dt.timedelta(2), 70.0)], source="later")
    assert fit_lifetime("--as-of", str(TODAY))["r"] != told["r"]
    assert LifetimeFit.objects.count() == 1
    # Values know that the model they rest on is gone.
    assert set(Worth.objects.values_list("fit_id", flat=True)) == {None}
    assert value() == {"customers": 140, "fitted": 0, "changed": 140}


@pytest.mark.parametrize(
    ("days", "reason", "words"),
    [
        ([], "no_customers", "Nobody"),
        ([(300,)], "one_customer", "one customer"),
        ([(3,)] * 3, "one_day", "one day"),
        ([(300,), (200,)], "no_repeat", "second time"),
        ([(90, 20)] * 60, "short_history", "history"),
        ([(300, 20)] * 3, "few_repeaters", "Fewer"),
        ([(300, 20)] * 60, "all_equal", "alike"),
    ],
)
def test_the_command_says_in_words_why_there_is_no_model(
    cast: Cast, days: list[tuple[int, ...]], reason: str, words: str
) -> None:
    customers = Customer.objects.bulk_create(Customer(name=f"C{n}", search_name=f"c{n}") for n in range(len(days)))
    place([(who, TODAY - dt.timedelta(ago), 10.0) for who, each in zip(customers, days, strict=True) for ago in each])
    told = fit_lifetime("--as-of", str(TODAY))
    assert (told["converged"], told["r"], told["p"], told["reason"]) == (False, None, None, reason)
    assert words in told["why"]


def test_the_command_fits_the_orders_without_the_money_if_need_be(crowd: list[Customer]) -> None:
    Order.objects.update(net=0)
    refresh_activity(set(Order.objects.values_list("customer_id", "placed_on")))
    told = fit_lifetime("--as-of", str(TODAY))
    assert told["r"] > 0
    assert (told["p"], told["converged"], told["reason"]) == (None, False, "money_none")


def test_the_command_refuses_a_tenant_that_there_is_not() -> None:
    with pytest.raises(CommandError, match="nowhere"):
        call_command("fit_lifetime", "--tenant", "nowhere")
