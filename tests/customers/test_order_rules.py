import datetime as dt
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from customers.rules import orders as rules

quantities = st.decimals(-100_000, 100_000, places=4)
prices = st.decimals(0, 100_000, places=6)
rates = st.decimals("0.00000001", 10_000, places=8)


def points(value: Decimal, places: int) -> int:
    return int(value.scaleb(places))


def test_rounds_a_half_to_the_even_neighbour():
    assert rules.line_money(Decimal("0.5"), Decimal("0.0001")) == Decimal("0.0000")
    assert rules.line_money(Decimal("1.5"), Decimal("0.0001")) == Decimal("0.0002")
    assert rules.line_money(Decimal("-1.5"), Decimal("0.0001")) == Decimal("-0.0002")


@given(quantities, prices)
def test_reckons_a_frame_of_lines_as_it_reckons_one_line(quantity, price):
    frame = pl.DataFrame({"quantity": [points(quantity, 4)], "unit_price": [points(price, 6)]})
    money = frame.select(rules.line_money_points()).item()
    assert Decimal(money).scaleb(-4) == rules.line_money(quantity, price)


@given(st.lists(st.decimals(-100_000, 100_000, places=4), min_size=1, max_size=5), rates)
def test_reckons_the_net_money_of_a_frame_as_that_of_one_order(lines, rate):
    frame = pl.DataFrame({"money": [points(sum(lines), 4)], "rate": [points(rate, 8)]})
    assert Decimal(frame.select(rules.net_money_points()).item()).scaleb(-4) == rules.net_money(lines, rate)


def test_refuses_more_money_than_an_order_can_hold():
    with pytest.raises(ValueError, match="more money"):
        rules.line_money(Decimal(10) ** 6, Decimal(10) ** 6)


@pytest.mark.parametrize(
    ("net", "said", "kind"),
    [("-0.0001", "", "credit_note"), ("0", "", "order"), ("1", "", "order"), ("-5", "order", "order"),
     ("5", "credit_note", "credit_note")],
)  # fmt: skip
def test_takes_negative_money_for_a_credit_note_unless_told_otherwise(net, said, kind):
    assert rules.kind_of(Decimal(net), said) == kind
    frame = pl.DataFrame(
        {"net": [points(Decimal(net), 4)], "kind": [said or None]}, schema_overrides={"kind": pl.String}
    )
    assert frame.select(rules.kinds_of()).item() == kind


def test_refuses_a_kind_that_does_not_exist():
    with pytest.raises(ValueError, match="offer"):
        rules.kind_of(Decimal(1), "offer")


header = st.fixed_dictionaries(
    {
        "customer_id": st.integers(1, 2**40),
        "placed_at": st.datetimes(dt.datetime(1990, 1, 1), dt.datetime(2100, 1, 1), timezones=st.just(dt.UTC)),  # noqa: DTZ001
        "kind": st.sampled_from(["order", "credit_note"]),
        "status": st.sampled_from(["placed", "cancelled"]),
        "currency": st.sampled_from(["GBP", "EUR"]),
        "rate": rates,
        "due_on": st.none() | st.dates(dt.date(1990, 1, 1)),
        "paid_on": st.none() | st.dates(dt.date(1990, 1, 1)),
    }
)
lines_of = st.lists(st.tuples(st.integers(1, 20), quantities, prices), max_size=4)


@given(st.lists(st.tuples(header, lines_of), min_size=1, max_size=4))
def test_gives_a_frame_of_orders_the_digests_of_its_orders(orders):
    heads = pl.DataFrame(
        [{**head, "rate": points(head["rate"], 8), "n": n} for n, (head, _lines) in enumerate(orders)],
        schema_overrides={"due_on": pl.Date, "paid_on": pl.Date, "placed_at": pl.Datetime("us", "UTC")},
    )
    rows = [(n, p, points(q, 4), points(u, 6)) for n, (_head, lines) in enumerate(orders) for p, q, u in lines]
    lines = pl.DataFrame(
        rows, schema=dict.fromkeys(("n", "product_id", "quantity", "unit_price"), pl.Int64), orient="row"
    )
    expected = [rules.order_digest(**head, lines=lines) for head, lines in orders]
    assert rules.order_digests(heads, lines, key="n").to_list() == expected


def digest(**changes: object) -> str:
    said = {
        "customer_id": 1, "placed_at": dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC), "kind": "order", "status": "placed",
        "currency": "GBP", "rate": Decimal(1), "due_on": None, "paid_on": None,
        "lines": [(1, Decimal(2), Decimal("2.50")), (2, Decimal(1), Decimal(3))],
    }  # fmt: skip
    return rules.order_digest(**(said | changes))


def test_sees_the_same_order_in_other_words():
    tokyo = dt.timezone(dt.timedelta(hours=9))
    assert digest(placed_at=dt.datetime(2026, 3, 1, 21, tzinfo=tokyo)) == digest()
    assert digest(lines=[(2, Decimal("1.000"), Decimal("3.0")), (1, Decimal(2), Decimal("2.5"))]) == digest()


def test_sees_a_line_that_stands_there_twice():
    line = (1, Decimal(2), Decimal("2.50"))
    assert digest(lines=[line]) != digest(lines=[line, line])


def test_refuses_a_naive_time():
    with pytest.raises(ValueError, match="zone"):
        digest(placed_at=dt.datetime(2026, 3, 1))  # noqa: DTZ001
