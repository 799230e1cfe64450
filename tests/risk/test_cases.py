"""It: keeps what was closed with cause and outcome, finds it in two languages, and offers it while the like is open."""

import datetime as dt
from decimal import Decimal

import pytest

from risk.cases import services as cases
from risk.cases.words import said
from risk.models import Alert, Case, Incident
from tenants.context import tenant_scope
from tenants.models import Event

DAY = dt.date(2026, 11, 20)
NOON = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)


def alert(customer, signal="order_silence", outcome="", number=0, **fields):
    closed = {"closed_on": DAY, "closed_at": NOON} if outcome else {}
    usual = {
        "risk_class": "demand", "level": "moderate", "period": f"p{number}-{outcome}", "opened_on": DAY,
        "due_at": NOON, "money": Decimal(1200), "policy_version": 1, "outcome": outcome,
    }  # fmt: skip
    return Alert.objects.create(customer=customer, signal=signal, **(usual | closed | fields))


def kept(customer, **fields):
    found = cases.keep(alert=alert(customer, **({"outcome": "saved"} | fields)))
    assert found is not None
    return found


def incident(cast, customer, **fields):
    usual = {
        "number": Incident.objects.count() + 1, "title": "Wrong glaze", "what": "Two pallets", "level": "serious",
        "opened_at": NOON - dt.timedelta(days=2), "opened_by": cast.ann, "policy_version": 1, "calendar_version": 1,
        "closed_at": NOON, "outcome": "lost", "cause": "quality", "tried": ["rework"], "note": "Too late",
    }  # fmt: skip
    return Incident.objects.create(customer=customer, **(usual | fields))


def test_keeps_an_alert_once_with_the_class_of_its_cause(cast, scope):
    row = alert(cast.customer(industry="Tiles"), outcome="saved", cause="price", tried=["added_service"], note="Kept")
    found = cases.keep(alert=row)
    assert found is not None
    assert (found.cause, found.risk_class, found.outcome, found.tried) == (
        "price", "relationship", "saved", ["added_service"],
    )  # fmt: skip
    assert (found.money, found.industry, found.signal, found.text) == (Decimal(1200), "Tiles", "order_silence", "Kept")
    row.cause, row.outcome = "competitor", "lost"
    again = cases.keep(alert=row)
    assert again is not None
    assert (again.pk, again.cause, again.risk_class, again.outcome) == (found.pk, "competitor", "external", "lost")
    assert Case.objects.count() == 1
    assert Event.objects.filter(object_type="case", verb="kept").count() == 1


def test_keeps_nothing_that_is_open_passed_by_itself_or_was_a_drill(cast, scope):
    customer = cast.customer()
    assert cases.keep(alert=alert(customer)) is None
    assert cases.keep(alert=alert(customer, outcome="passed", number=1)) is None
    assert cases.keep(incident=incident(cast, customer, is_drill=True)) is None
    with pytest.raises(ValueError, match="one thing"):
        cases.keep()


def test_a_crisis_that_grew_out_of_an_alert_shares_its_case(cast, scope):
    customer = cast.customer()
    row = alert(customer, outcome="saved", cause="price")
    first = cases.keep(alert=row)
    crisis = cases.keep(incident=incident(cast, customer, alert=row))
    assert first is not None
    assert crisis is not None
    assert first.pk == crisis.pk
    assert (crisis.cause, crisis.outcome, crisis.incident_id is not None) == ("quality", "lost", True)
    alone = cases.keep(incident=incident(cast, customer))
    assert alone is not None
    assert (alone.level, alone.text) == ("moderate", "Wrong glaze\nTwo pallets\nToo late")


def test_takes_the_case_out_when_it_is_opened_again(cast, scope):
    found = kept(cast.customer())
    assert cases.withdraw(alert=found.alert) == 1
    assert not Case.objects.exists()
    assert cases.withdraw(alert=alert(cast.customer("Two"))) == 0


def test_finds_cases_by_any_part_of_a_chinese_text_and_the_beginning_of_other_words(cast, scope):
    hua = kept(cast.customer("恒通贸易"), cause="price", tried=["added_service"])
    ash = kept(cast.customer("Ash & Co", industry="Tiles"), cause="quality", outcome="lost", number=2)
    cases.learn(case=hua, lessons="报价前先问清楚竞争对手的账期", cause="price", tried=["added_service"], text="")

    def found(text):
        return {row.pk for row in cases.found_by(Case.objects.all(), text)}

    assert found("通贸") == found("竞争对手") == found("PRICE") == found("added serv") == {hua.pk}
    assert found("价格") == {hua.pk}  # the cause in the other language
    assert found("tile") == found("流失") == {ash.pk}
    assert found("ash price") == found("!?") == set()
    assert found("") == {hua.pk, ash.pk}
    cases.learn(case=hua, lessons="", cause="price", tried=[], text="")
    assert found("竞争对手") == set()


def test_offers_what_is_most_alike_and_only_of_customers_that_one_sees(cast, scope):
    customer = cast.customer(industry="Tiles")
    mine = alert(customer, number=9)
    same = kept(cast.customer("Same", industry="Tiles"), cause="price", number=1)
    also = kept(cast.customer("Also"), number=2, level="mild")
    kept(cast.customer("Other"), signal="spec_drift", number=3)
    hidden = kept(cast.customer("Hidden", owner_a=cast.bo, owner_b=None), number=4)
    kept(cast.customer("False"), outcome="false_alarm", number=5)
    assert [row.pk for row in cases.similar(mine, member=cast.ann)] == [same.pk, also.pk]
    assert hidden.pk in [row.pk for row in cases.similar(mine, member=cast.eve)]
    assert cases.similar(mine) == []  # nobody is at work: nobody is shown anything
    own = kept(customer, signal="contact_silence", number=6)
    assert cases.similar(mine, member=cast.ann)[0].pk == own.pk


def test_says_its_statements_from_the_rows_and_counts_who_came_back_as_won(cast, scope):
    for number in range(8):
        kept(cast.customer(f"S{number}"), cause="price", tried=["added_service"], number=number)
    lost = [
        kept(cast.customer(f"L{number}"), cause="price", tried=["added_service"], outcome="lost", number=number)
        for number in range(3)
    ]
    kept(cast.customer("Q"), cause="quality", number=20)
    kept(cast.customer("F"), cause="price", outcome="false_alarm", number=21)
    back = {lost[0].customer_id: DAY + dt.timedelta(days=3), lost[1].customer_id: DAY - dt.timedelta(days=1)}
    assert cases.note_won_back(back) == 1  # an order before it was closed has won nobody back
    assert cases.note_won_back(back) == 0
    line = said(cases.statements(Case.objects.all()))[0]
    assert (line.statement.share.hits, line.statement.share.of) == (11, 12)
    assert line.statement.helped[0].good.hits == 9
    assert line.sentence == (
        "Price: 92% of the cases (11 of 12, 65% to 99%); "
        "with added service 82% of them were saved or won back (9 of 11, 52% to 95%)"
    )


def test_another_firms_cases_are_none_of_ours(cast):
    with tenant_scope(cast.tenant):
        kept(cast.customer())
    with tenant_scope(cast.other_tenant):
        assert Case.objects.count() == 0
        assert cases.statements(Case.objects.all()) == []
