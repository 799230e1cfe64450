"""It: a customer's health on its page: what moved it and by which facts, any day again, a person's view, the lapse."""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal
from typing import get_args

import pytest

from config.night import run_night
from customers.models import Complaint, Customer, Interaction, Order, SurveyResponse
from dashboards import healths
from health import pulses
from health.models import HealthHistory, HealthScore, LapseForecast
from health.replay import Fact, Kind
from tenants.context import tenant_scope
from tenants.models import User
from tests.health.crowds import crowd
from tests.pages.conftest import FRIDAY, HX, NOON, text
from tests.pages.test_back_test import made
from tests.pages.test_customer import page, section, words

__all__ = ["crowd"]

MONDAY = dt.date(2026, 11, 9)
"""With which "last week" compares on FRIDAY."""


@pytest.fixture
def ann(cast, sign_in):
    return sign_in(cast.ann)


@pytest.fixture
def customer(cast):
    return cast.customer()


@pytest.fixture
def nights(cast, noon, time_machine):
    """The nights of a day and of FRIDAY, each at its own noon; it is FRIDAY afterwards."""

    def run(first):
        time_machine.move_to(dt.datetime.combine(first, dt.time(12), dt.UTC), tick=False)
        run_night(cast.tenant, first)
        time_machine.move_to(NOON, tick=False)
        run_night(cast.tenant, FRIDAY)

    return run


@pytest.fixture
def risen(customer, placed, nights, time_machine):
    """Silent for 39 days on that Monday, an order on 17 Nov; nights of both days."""
    time_machine.move_to(dt.datetime.combine(MONDAY, dt.time(1), dt.UTC), tick=False)
    placed(customer, 3, *range(50, 500, 20), net="200")
    nights(MONDAY)
    return customer


def moved(client, customer, since="week"):
    return section(text(client.get(f"/acme/customers/{customer.pk}/?since={since}")), "moved")


def again(client, customer, on):
    answer = client.get(f"/acme/customers/{customer.pk}/health/?on={on}")
    assert answer.status_code == 200
    return words(text(answer))


# ── what moved it ────────────────────────────────────────────────────────────


def test_says_what_moved_the_score_and_which_fact_did_it(cast, ann, risen):
    seen = moved(ann, risen)
    with tenant_scope(cast.tenant):
        score = HealthScore.objects.get(customer=risen)
    assert f"since Mon 9 Nov, +{score.score - score.week_score}" in seen
    frequency = f"Order frequency 39 ÷ 20 d = 1.95 → 3 ÷ 20 d = 0.15 Order SO-{risen.pk}-3, £200 17 Nov"
    assert frequency in seen


def test_the_parts_of_the_move_add_up_to_it(cast, ann, risen):
    content = text(ann.get(f"/acme/customers/{risen.pk}/?all=yes"))
    part = content[content.index('id="moved"') : content.index("</section>", content.index('id="moved"'))]
    changes = [Decimal(each.replace("−", "-")) for each in re.findall(r'<b class="num">([+−]?[\d.]+)</b>', part)]
    with tenant_scope(cast.tenant):
        score = HealthScore.objects.get(customer=risen)
    assert len(changes) >= 3
    assert sum(changes) == score.score - score.week_score


def test_says_that_time_alone_moved_it(ann, customer, placed, nights):
    placed(customer, *range(41, 500, 20), net="200")
    nights(MONDAY)
    assert "Order frequency 30 ÷ 20 d = 1.50 → 41 ÷ 20 d = 2.05 no new fact: time alone" in moved(ann, customer)


def test_compares_with_last_month_too(ann, risen):
    assert "since Mon 19 Oct" in moved(ann, risen, "month")


def test_gives_the_other_comparison_alone_to_a_script(ann, risen):
    fragment = text(ann.get(f"/acme/customers/{risen.pk}/parts/moved/?since=month", headers=HX))
    assert "since Mon 19 Oct" in fragment
    assert fragment.count("<section") == 1


def test_refuses_another_comparison(ann, customer):
    assert ann.get(f"/acme/customers/{customer.pk}/?since=year").status_code == 400


def test_says_when_the_night_of_that_day_knew_less(cast, ann, risen, placed, time_machine):
    time_machine.move_to(NOON + dt.timedelta(hours=1))
    placed(risen, 15, net="900")
    night = run_night(cast.tenant, FRIDAY)
    assert night.for_date == FRIDAY
    with tenant_scope(cast.tenant):
        kept = HealthHistory.objects.get(customer=risen, on=MONDAY).score
    seen = moved(ann, risen)
    assert f"The night of 9 Nov said {kept}: facts have been entered or changed since." in seen


def test_says_that_no_night_ran_for_that_day(cast, ann, customer, placed, nights):
    placed(customer, *range(41, 500, 20), net="200")
    nights(MONDAY - dt.timedelta(days=10))
    with tenant_scope(cast.tenant):
        kept = HealthHistory.objects.get(customer=customer, on=MONDAY - dt.timedelta(days=10)).score
    assert f"No night ran for 9 Nov; the last one until then said {kept}, on 30 Oct." in moved(ann, customer)


def test_has_nothing_to_move_without_a_score(ann, customer, night):
    night()
    assert 'id="moved"' not in page(ann, customer)


WHEN = dt.datetime(2026, 11, 17, 9, tzinfo=dt.UTC)
ORDER = {"external_id": "SO-7", "currency": "GBP", "net": Decimal(620), "kind": "order"}


@pytest.mark.parametrize(
    ("kind", "row", "said"),
    [
        ("order", Order(**ORDER), "Order SO-7, £620"),
        ("order", Order(**ORDER | {"kind": "credit_note", "net": Decimal(-20)}), "Credit note SO-7, −£20"),
        ("contact", Interaction(channel="wechat", topic="December price list", answered=False), "WeChat, December price list, no answer"),
        ("contact", Interaction(channel="phone", answered=True, about_competitor=True), "Phone, answered, about a competitor"),
        ("complaint", Complaint(topic="Chipped corners"), "Complaint: Chipped corners"),
        ("solution", Complaint(topic="Chipped corners"), "Solved: Chipped corners"),
        ("solution", Complaint(topic="Chipped corners", first_time=True), "Solved the first time: Chipped corners"),
        ("answer", SurveyResponse(kind="nps", score=6), "NPS 6"),
        ("payment", Order(**ORDER, due_on=dt.date(2026, 11, 1), paid_on=dt.date(2026, 11, 12)), "SO-7 paid 11 days late"),
        ("payment", Order(**ORDER, due_on=dt.date(2026, 11, 1), paid_on=dt.date(2026, 10, 31)), "SO-7 paid 1 day early"),
        ("payment", Order(**ORDER, due_on=dt.date(2026, 11, 1), paid_on=dt.date(2026, 11, 1)), "SO-7 paid on the due day"),
    ],
)  # fmt: skip
def test_says_a_fact_in_a_few_words(kind, row, said):
    assert healths.fact_words(Fact(kind, WHEN.date(), row)) == said


def test_every_kind_of_fact_has_words():
    assert set(get_args(Kind)) == healths.FACT_WORDS.keys()


# ── any day again ────────────────────────────────────────────────────────────


def test_replays_the_score_of_a_past_day(cast, ann, risen):
    with tenant_scope(cast.tenant):
        kept = HealthHistory.objects.get(customer=risen, on=MONDAY)
    seen = again(ann, risen, MONDAY)
    assert "9 November 2026" in seen
    assert "39 ÷ 20 d = 1.95" in seen
    assert f"Sum {kept.score}.0 / 100" in seen
    assert "written that night The receipt agrees with it." in seen
    assert "policy v1" in seen


def test_says_how_the_replay_differs_from_what_the_night_said(ann, risen, placed, time_machine):
    time_machine.move_to(NOON + dt.timedelta(hours=1))
    placed(risen, 15, 16, net="900")
    seen = again(ann, risen, MONDAY)
    assert "The night said something else than the receipt does now." in seen
    assert "Dated before that day, and entered or changed since: 2 orders" in seen


def test_replays_a_day_without_a_night_and_the_coming_one(ann, risen):
    assert "no night ran for this day; worked out by the facts known today" in again(ann, risen, "2026-11-11")
    assert "as the coming night will say it" in again(ann, risen, "2026-11-21")
    assert "Nothing: no night had scored this customer by then." in again(ann, risen, "2025-11-11")


def test_has_no_score_for_who_was_closed_by_then(cast, sign_in, risen):
    with tenant_scope(cast.tenant):
        Customer.objects.filter(pk=risen.pk).update(closed_on=dt.date(2026, 11, 12))
    assert "a closed customer has no score" in again(sign_in(cast.ada), risen, "2026-11-15")


@pytest.mark.parametrize("on", ["2026-11-22", "yesterday", "1066-10-14", "2026-02-30"])
def test_refuses_days_that_have_not_come_or_are_none(ann, risen, on):
    assert ann.get(f"/acme/customers/{risen.pk}/health/?on={on}").status_code == 400


def test_opens_the_days_of_the_history(ann, risen):
    content = text(ann.get(f"/acme/customers/{risen.pk}/health/"))
    assert f'href="/acme/customers/{risen.pk}/health/?on={MONDAY}"' in content
    assert "20 November 2026" in content


def test_a_colleagues_customer_is_not_there(cast, sign_in, risen):
    stranger = cast.customer(owner_a=cast.bo, owner_b=None)
    assert sign_in(cast.ann).get(f"/acme/customers/{stranger.pk}/health/").status_code == 404


def test_says_that_a_fact_came_in_since_the_night(cast, ann, risen):
    with tenant_scope(cast.tenant):
        HealthScore.objects.filter(customer=risen).update(rescored_at=NOON - dt.timedelta(minutes=88))
    assert "as of 10:32, after a fact came in" in section(page(ann, risen), "receipt")


# ── a person's own view ──────────────────────────────────────────────────────


def test_shows_a_persons_view_beside_the_score(cast, sign_in, risen):
    assert "Nobody has said how they see this customer." in section(page(sign_in(cast.ann), risen), "pulse")
    with tenant_scope(cast.tenant):
        pulses.give_pulse(
            customer=risen, member=cast.ann, band="red", reason="quality", note="hurt by the open credit note"
        )
    seen = {name: section(page(sign_in(getattr(cast, name)), risen), "pulse") for name in ("ann", "bo", "lea", "eve")}
    said = "Red is the own view of Ann, 20 Nov, Product quality, “hurt by the open credit note”"
    assert all(said in each and "It differs from the score by a colour" in each for each in seen.values())
    assert {name for name, each in seen.items() if "Take it back" in each} == {"ann", "lea"}
    assert {name for name, each in seen.items() if "Give another view" in each} == {"ann", "bo", "lea"}


# ── the lapse forecast ───────────────────────────────────────────────────────


@pytest.fixture
def told(cast, crowd, night):
    """The forecasts of a crowd with a past, by whether they warn."""
    night()
    with tenant_scope(cast.tenant):
        rows = list(LapseForecast.objects.filter(percent__isnull=False).select_related("customer"))
    return {each.is_warned: each for each in rows}


def card(client, customer):
    return section(page(client, customer), "lapse")


@pytest.mark.parametrize("is_warned", [True, False])
def test_the_usual_and_the_reasons_add_up_to_the_forecast(ann, told, is_warned):
    row = told[is_warned]
    content = page(ann, row.customer)
    table = content[content.index('<table class="pn-lapse">') : content.index("</table>", content.index('pn-lapse">'))]
    *parts, total = (
        int(each.replace("−", "-")) for each in re.findall(r'<td class="num[^"]*">([+−]?\d+)%?</td>', table)
    )
    assert len(parts) >= 3
    assert sum(parts) == total == row.percent
    strip = words(content[content.index("pn-lapse-stat") : content.index("</a>", content.index("pn-lapse-stat"))])
    assert f"Lapse in 90 days {row.percent}%" in strip


def test_shows_the_money_at_risk_and_the_warning_with_its_record(cast, ann, told):
    assert "It has no record yet. Back-test" in card(ann, told[True].customer)
    made(cast)
    warned, quiet = card(ann, told[True].customer), card(ann, told[False].customer)
    assert re.search(rf"Money at risk {told[True].percent}% × £[\d,.]+ expected in 12 months £[\d,.]+", warned)
    assert "Warned since 20 Nov: 50% and more." in warned
    assert "Model of 20 Nov. Of 100 such warnings 66 were right. Back-test" in warned
    assert "Warned since" not in quiet
    assert "No warning below 50%; of 100 warnings 66 were right." in quiet


def test_says_why_there_is_no_number(cast, ann, customer, placed, night):
    assert "The next night makes the first forecast." in card(ann, customer)
    night()
    assert "A forecast starts with the first order." in card(ann, customer)
    placed(customer, 40)
    night()
    assert "Only one order: nothing says yet when the next one is due." in card(ann, customer)


def test_warns_by_the_plain_rule_where_there_is_no_model(cast, ann, customer, placed, night):
    placed(customer, *range(75, 400, 20))
    night()
    made(cast)
    seen = card(ann, customer)
    assert "There is no model yet. Fewer customers have ordered again" in seen
    assert "Warned since 20 Nov by the plain rule: silent for more than 60 days." in seen
    assert "Of 100 such warnings 52 were right." in seen
    assert "warned by the rule of silence" in words(page(ann, customer))


def test_does_not_forecast_who_is_closed(cast, sign_in, customer, placed, night):
    placed(customer, *range(5, 400, 20))
    with tenant_scope(cast.tenant):
        Customer.objects.filter(pk=customer.pk).update(closed_on=FRIDAY)
    night()
    assert "A closed customer is not forecast." in card(sign_in(cast.ada), customer)
    assert "comes with the next night" not in words(page(sign_in(cast.ada), customer))


def test_reads_in_chinese(cast, ann, told):
    User.objects.filter(pk=cast.ann.user_id).update(language="zh-hans")
    for address in ("", "?all=yes", "health/"):
        assert '<html lang="zh-hans">' in text(ann.get(f"/acme/customers/{told[True].customer_id}/{address}"))
