"""It: orders by month and by customer, whole or in parts, as counted by hand."""

import datetime as dt

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from customers.rules import rollup as rules

ORDER = {"customer_id": pl.Int64, "day": pl.Date, "net": pl.Int64, "is_order": pl.Boolean}
days = st.dates(dt.date(2023, 12, 28), dt.date(2024, 3, 3))
orders = st.lists(st.tuples(st.integers(1, 4), days, st.integers(-(10**15), 10**15), st.booleans()), max_size=40)
YEAR = (dt.date(2024, 1, 1), dt.date(2024, 2, 29))


def frame(rows):
    return pl.DataFrame(rows, schema=ORDER, orient="row")


def as_rows(found, *keys):
    return found.sort(*keys).rows()


@given(orders)
def test_counts_months_as_one_would_by_hand(rows):
    wanted = {}
    for customer, day, net, is_order in rows:
        month = wanted.setdefault((customer, day.replace(day=1)), [0, 0, 0, 0])
        month[0] += is_order
        month[1] += not is_order
        month[2] += net
        month[3] |= is_order << (day.day - 1)
    assert as_rows(rules.by_month(frame(rows)), *rules.MONTH_KEY) == [(*k, *v) for k, v in sorted(wanted.items())]


@given(orders)
def test_counts_customers_as_one_would_by_hand(rows):
    wanted = []
    for customer in sorted({row[0] for row in rows}):
        own = [row for row in rows if row[0] == customer]
        placed = [day for _customer, day, _net, is_order in own if is_order]
        inside = [row for row in own if YEAR[0] <= row[1] < YEAR[1]]
        wanted.append((
            customer, min(placed, default=None), max(placed, default=None),
            sum(is_order for *_rest, is_order in inside), sum(net for _customer, _day, net, _is in inside),
        ))  # fmt: skip
    assert as_rows(rules.by_customer(frame(rows), YEAR), "customer_id") == wanted


@given(st.lists(orders, min_size=1, max_size=4))
def test_gives_of_parts_what_it_gives_of_the_whole(parts):
    whole = frame([row for part in parts for row in part])
    months = rules.same_months(pl.concat(rules.by_month(frame(part)) for part in parts))
    assert as_rows(months, *rules.MONTH_KEY) == as_rows(rules.by_month(whole), *rules.MONTH_KEY)
    people = rules.same_customers(pl.concat(rules.by_customer(frame(part), YEAR) for part in parts))
    assert as_rows(people, "customer_id") == as_rows(rules.by_customer(whole, YEAR), "customer_id")


@given(orders, st.data())
def test_names_exactly_the_months_that_were_spoiled(rows, data):
    wanted = rules.by_month(frame(rows))
    how = data.draw(st.lists(st.sampled_from(["", "missing", "extra", *rules.MONTH_VALUES]),
                             min_size=len(wanted), max_size=len(wanted)))  # fmt: skip
    found, expected = [], []
    for row, spoiled in zip(wanted.iter_rows(named=True), how, strict=True):
        if spoiled in rules.MONTH_VALUES:
            found.append(row | {spoiled: row[spoiled] + 1})
            expected.append((row["customer_id"], row["month"], "different"))
        elif spoiled == "extra":
            stray = row | {"customer_id": row["customer_id"] + 100}
            found += [row, stray]
            expected.append((stray["customer_id"], row["month"], "extra"))
        elif spoiled == "missing":
            expected.append((row["customer_id"], row["month"], "missing"))
        else:
            found.append(row)
    seen = rules.differing_months(wanted, pl.DataFrame(found, schema=wanted.schema))
    assert as_rows(seen, *rules.MONTH_KEY) == sorted(expected)
