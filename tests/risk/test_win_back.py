"""It: ranks who has lapsed, writes offers down, and sees in the night who has come back and by which offer."""

import datetime as dt
from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError

from config.night import run_night
from customers.activity import refresh_activity
from customers.models import Order, month_of
from customers.services import arrived, patch_order
from risk.models import Case, PlaybookRun, ReturnHistory, WinBack, WinBackTry
from risk.win_back import services as win_backs
from risk.win_back.nightly import count_history, history
from tenants.context import tenant_scope
from tenants.models import Event

FRIDAY = dt.date(2026, 11, 20)
NOON = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)


@pytest.fixture(autouse=True)
def noon(time_machine):
    time_machine.move_to(NOON, tick=False)
    return time_machine


def buys(tenant, customer, *days, net="100"):
    """Orders so many days before FRIDAY (after it where below 0), as the services would leave them."""
    with tenant_scope(tenant):
        for before in days:
            day = FRIDAY - before * DAY
            Order.objects.create(
                customer=customer, external_id=f"{customer.pk}-{before}", placed_at=tenant.start_of(day),
                placed_on=day, currency="GBP", net=Decimal(net), digest="",
            )  # fmt: skip
            refresh_activity([(customer.pk, month_of(day))])
        arrived([customer.pk])


@pytest.fixture
def firm(cast):
    """Big left 400 days ago, Small too, Long ago six years; Back had fallen silent and came back; Living buys."""
    big, small, long_ago, back, living, shut = (
        cast.customer(name, **fields)
        for name, fields in {
            "Big": {}, "Small": {}, "Long ago": {}, "Back": {}, "Living": {}, "Shut": {"closed_on": FRIDAY - DAY},
        }.items()
    )  # fmt: skip
    buys(cast.tenant, big, 400, 430, 460, 900, net="1000")
    buys(cast.tenant, small, 400, 430, 460, net="10")
    buys(cast.tenant, long_ago, 2300)
    buys(cast.tenant, back, 1000, 1030, 100)
    buys(cast.tenant, living, 5, 40, 80)
    buys(cast.tenant, shut, 500)
    return {"big": big, "small": small, "back": back, "living": living}


def night(cast, day=FRIDAY, **how):
    run = run_night(cast.tenant, day, **how)
    assert run.status == "done", run.error
    return run


def rows(cast):
    with tenant_scope(cast.tenant):
        return {row.customer.name: row for row in WinBack.objects.select_related("customer")}


def test_ranks_by_expected_money_and_is_the_same_twice(cast, firm):
    night(cast, everybody=True)
    found = rows(cast)
    assert set(found) == {"Big", "Small"}
    big, small = found["Big"], found["Small"]
    assert (big.yearly, big.orders, big.status) == (Decimal(3000), 4, "open")  # the fourth order is older than a year
    assert big.last_order_on == FRIDAY - 400 * DAY
    assert big.lapsed_on == big.last_order_on + 366 * DAY
    assert 0 < small.chance <= 1
    assert big.chance == small.chance
    assert big.expected == pytest.approx(big.yearly * Decimal(big.chance), abs=Decimal("0.0001"))
    assert big.expected > small.expected
    before = {name: row.updated_at for name, row in found.items()}
    night(cast, everybody=True)
    assert {name: row.updated_at for name, row in rows(cast).items()} == before


def test_counts_the_firms_own_silences(cast, firm):
    with tenant_scope(cast.tenant):
        counted = {(m.group, m.month): (m.reached, m.ended) for m in count_history(FRIDAY.replace(day=1), 365)}
        # Big, Small and Back had each bought some times before; nobody of them came back in the thirteenth month.
        assert counted["few", 12] == (3, 0)
        # Back came back, and so did Big, once, after its first order.
        assert sum(ended for _reached, ended in counted.values()) == 2
        assert counted["once", 74] == (1, 0)  # Long ago's, which goes on
        night_counts = history()
        assert night_counts.silences == 0
    night(cast, everybody=True)
    with tenant_scope(cast.tenant):
        assert ReturnHistory.objects.get().as_of == FRIDAY.replace(day=1)
        assert history().returns == 2


def test_a_quiet_night_sees_who_lapses_and_who_came_back(cast, firm, noon):
    night(cast, everybody=True)
    buys(cast.tenant, firm["living"], -0)
    late = cast.customer("Late")
    buys(cast.tenant, late, 365)
    night(cast)
    assert "Late" not in rows(cast)
    with tenant_scope(cast.tenant):
        tried = win_backs.offer(win_back=rows(cast)["Big"], member=cast.ann, offer="trial", terms="30 days")
        Case.objects.create(
            customer=firm["big"], risk_class="demand", outcome="lost", opened_on=FRIDAY - 9 * DAY,
            closed_on=FRIDAY - 5 * DAY,
        )  # fmt: skip
    buys(cast.tenant, firm["big"], -1)
    noon.move_to(NOON + 2 * DAY, tick=False)
    night(cast, FRIDAY + 2 * DAY)
    found = rows(cast)
    assert "Late" in found
    assert (found["Big"].status, found["Big"].returned_on) == ("returned", FRIDAY + DAY)
    with tenant_scope(cast.tenant):
        tried = WinBackTry.objects.get(pk=tried.pk)
        assert (tried.returned_on, tried.result) == (FRIDAY + DAY, "accepted")
        assert Case.objects.get().won_back_on == FRIDAY + DAY
        assert Event.objects.filter(object_type="winback", verb="returned").count() == 1
    night(cast, FRIDAY + 2 * DAY, everybody=True)
    with tenant_scope(cast.tenant):
        assert Event.objects.filter(object_type="winback", verb="returned").count() == 1


def what(cast):
    """All that the night says of each lapse."""
    said = ("last_order_on", "lapsed_on", "orders", "yearly", "chance", "expected", "status", "returned_on")
    return {name: tuple(getattr(row, field) for field in said) for name, row in rows(cast).items()}


def test_quiet_nights_say_what_one_of_everybody_says(cast, firm, noon):
    night(cast, everybody=True)
    late = cast.customer("Late")
    buys(cast.tenant, late, 364, 500, net="70")
    buys(cast.tenant, firm["small"], 410, net="55")
    buys(cast.tenant, firm["big"], -2)
    for days in range(1, 6):
        noon.move_to(NOON + days * DAY, tick=False)
        night(cast, FRIDAY + days * DAY)
        quiet = what(cast)
        night(cast, FRIDAY + days * DAY, everybody=True)
        assert what(cast) == quiet
    assert quiet["Big"][6] == "returned"
    assert quiet["Late"][2] == 2
    with tenant_scope(cast.tenant):
        order = Order.objects.get(customer=firm["big"], placed_on=FRIDAY + 2 * DAY)
        patch_order(order=order, status="cancelled")
    noon.move_to(NOON + 6 * DAY, tick=False)
    night(cast, FRIDAY + 6 * DAY)
    assert what(cast)["Big"][6:] == ("open", None)


def test_forgets_what_nobody_tried_and_keeps_what_somebody_did(cast, firm):
    night(cast, everybody=True)
    with tenant_scope(cast.tenant):
        win_backs.offer(win_back=rows(cast)["Small"], member=cast.ann, offer="storage")
        for customer in (firm["big"], firm["small"]):
            customer.closed_on = FRIDAY
            customer.save()
    night(cast, everybody=True)
    assert set(rows(cast)) == {"Small"}


def test_goes_its_way_from_offer_to_answer_and_back(cast, firm):
    night(cast, everybody=True)
    with tenant_scope(cast.tenant):
        row = rows(cast)["Big"]
        tried = win_backs.offer(win_back=row, member=cast.ann, offer="payment_terms", terms="60 days", channel="phone")
        assert (row.status, row.tries) == ("tried", 1)
        assert win_backs.answer(attempt=tried, member=cast.ann, result="declined", note="Too little") == "updated"
        assert (tried.result, tried.note, tried.result_at) == ("declined", "Too little", NOON)
        with pytest.raises(ValidationError):
            win_backs.give_up(win_back=row, member=cast.ann, reason=" ")
        win_backs.give_up(win_back=row, member=cast.ann, reason="Moved away")
        assert row.status == "given_up"
        assert win_backs.take_up(win_back=row, member=cast.ann) == "updated"
        assert (row.status, row.reason) == ("tried", "")
        row.status = "returned"
        row.save()
        with pytest.raises(ValidationError, match="has come back"):
            win_backs.offer(win_back=row, member=cast.ann, offer="trial")


def test_begins_the_playbook_with_the_offer(cast, firm):
    night(cast, everybody=True)
    with tenant_scope(cast.tenant):
        tried = win_backs.offer(win_back=rows(cast)["Big"], member=cast.ann, offer="trial", with_playbook=True)
        run = PlaybookRun.objects.get(customer=firm["big"])
        assert tried.playbook_run == run
        assert run.playbook.code == "win-back"


def test_counts_an_offer_once_it_is_decided(cast, firm):
    night(cast, everybody=True)
    with tenant_scope(cast.tenant):
        big, small = rows(cast)["Big"], rows(cast)["Small"]
        fresh = win_backs.offer(win_back=big, member=cast.ann, offer="trial")
        old = win_backs.offer(win_back=small, member=cast.ann, offer="trial")
        tries, lapses = WinBackTry.objects.all(), WinBack.objects.all()
        assert win_backs.offer_rates(tries, lapses, FRIDAY) == []
        WinBackTry.objects.filter(pk=old.pk).update(at=NOON - 90 * DAY)
        one = win_backs.offer_rates(tries, lapses, FRIDAY)[0]
        assert (one.offer, one.rate.hits, one.rate.of, one.enough) == ("trial", 0, 1, False)
        win_backs.credit({big.pk: FRIDAY + DAY}, within=90 * DAY)
        assert WinBackTry.objects.get(pk=fresh.pk).returned_on == FRIDAY + DAY
        one = win_backs.offer_rates(tries, lapses, FRIDAY)[0]
        assert (one.rate.hits, one.rate.of) == (1, 2)
