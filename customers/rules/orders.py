"""What an order is worth, whether it is a credit note, and whether it says the same as before.

Money is exact: in frames everything is whole points (quantity 1/10,000, price 1/1,000,000, money 1/10,000,
exchange rate 1/100,000,000). Each rule exists once for a single order and once for a frame of orders; a
property test holds the two together. PLAYBOOK section 2, docs/rules/orders.md.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final, Literal

import polars as pl

QUANTITY_PLACES: Final = 4
PRICE_PLACES: Final = 6
MONEY_PLACES: Final = 4
RATE_PLACES: Final = 8

# Exclusive bounds. Products of what lies within still fit a bigint, and every number below survives a
# float on its way through a frame (15 digits).
MAX_QUANTITY: Final = Decimal(10) ** 10
MAX_PRICE: Final = Decimal(10) ** 9
MAX_RATE: Final = Decimal(10) ** 6
MAX_MONEY: Final = Decimal(10) ** 12

OrderKind = Literal["order", "credit_note"]

_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND: Final = dt.timedelta(microseconds=1)


def line_money(quantity: Decimal, unit_price: Decimal) -> Decimal:
    """Quantity × unit price in the order's currency, half even to four places.

    Raises ValueError when it reaches MAX_MONEY.
    """
    return _money(quantity * unit_price)


def net_money(lines: Iterable[Decimal], rate: Decimal = Decimal(1)) -> Decimal:
    """The sum of the lines' money × exchange rate, in the tenant's currency, half even to four places.

    Raises ValueError when it reaches MAX_MONEY.
    """
    return _money(sum(lines, Decimal(0)) * rate)


def _money(value: Decimal) -> Decimal:
    money = value.quantize(Decimal(1).scaleb(-MONEY_PLACES), rounding=ROUND_HALF_EVEN)
    if abs(money) >= MAX_MONEY:
        raise ValueError(f"{money} is more money than an order can hold")
    return money


def kind_of(net: Decimal, said: str = "") -> OrderKind:
    """What an order is: what was said, else a credit note when its net money is negative.

    Raises ValueError when something else than "order" or "credit_note" was said.
    """
    if said == "order":
        return "order"
    if said == "credit_note":
        return "credit_note"
    if said:
        raise ValueError(f"{said!r} is neither an order nor a credit note")
    return "credit_note" if net < 0 else "order"


def order_digest(
    *,
    customer_id: int,
    placed_at: dt.datetime,
    kind: str,
    status: str,
    currency: str,
    rate: Decimal,
    due_on: dt.date | None,
    paid_on: dt.date | None,
    lines: Iterable[tuple[int, Decimal, Decimal]],
) -> str:
    """32 hexadecimal characters that are the same exactly when two deliveries of an order say the same.

    `lines` are (product id, quantity, unit price); their order does not matter, how often each stands there
    does. Ids are the database's, so that it does not matter either what a system calls customer or product.

    Raises ValueError for a naive time and for more decimals than the columns hold.
    """
    if placed_at.tzinfo is None:
        raise ValueError("The time of an order needs its zone")
    header = _HEADER.format(
        customer_id, (placed_at - _EPOCH) // _MICROSECOND, kind, status, currency, _points(rate, RATE_PLACES),
        due_on or "", paid_on or "",
    )  # fmt: skip
    numbers = sorted((p, _points(q, QUANTITY_PLACES), _points(u, PRICE_PLACES)) for p, q, u in lines)
    return _digest(f"{header}\n{','.join(f'{p}:{q}:{u}' for p, q, u in numbers)}".encode())


_HEADER: Final = "1|{}|{}|{}|{}|{}|{}|{}|{}"
_HEADER_COLUMNS: Final = ("customer_id", "placed_at", "kind", "status", "currency", "rate", "due_on", "paid_on")


def _digest(text: bytes) -> str:
    return hashlib.blake2b(text, digest_size=16).hexdigest()


def _points(value: Decimal, places: int) -> int:
    scaled = value.scaleb(places)
    if scaled != scaled.to_integral_value():
        raise ValueError(f"{value} has more than {places} decimals")
    return int(scaled)


# ── the same, for frames ────────────────────────────────────────────────────


def _half_even(value: pl.Expr, divisor: int) -> pl.Expr:
    whole, rest = value // divisor, value % divisor
    up = (rest * 2 > divisor) | ((rest * 2 == divisor) & (whole % 2 == 1))
    return whole + up.cast(pl.Int128)


def line_money_points(quantity: str = "quantity", unit_price: str = "unit_price") -> pl.Expr:
    """`line_money` of columns in points. An Int128: compare with MAX_MONEY_POINTS before narrowing it."""
    product = pl.col(quantity).cast(pl.Int128) * pl.col(unit_price).cast(pl.Int128)
    return _half_even(product, 10 ** (QUANTITY_PLACES + PRICE_PLACES - MONEY_PLACES))


def net_money_points(money: str = "money", rate: str = "rate") -> pl.Expr:
    """`net_money` of a column that holds the sum of an order's lines, in points. An Int128, as above."""
    return _half_even(pl.col(money).cast(pl.Int128) * pl.col(rate).cast(pl.Int128), 10**RATE_PLACES)


MAX_MONEY_POINTS: Final = int(MAX_MONEY.scaleb(MONEY_PLACES))


def kinds_of(net: str = "net", said: str = "kind") -> pl.Expr:
    """`kind_of` of columns; nothing said is null or empty."""
    derived = pl.when(pl.col(net) < 0).then(pl.lit("credit_note")).otherwise(pl.lit("order"))
    return pl.when(pl.col(said).fill_null("") == "").then(derived).otherwise(pl.col(said))


def order_digests(orders: pl.DataFrame, lines: pl.DataFrame, *, key: str) -> pl.Series:
    """`order_digest` of each row of `orders`, in its order.

    `orders` has `key`, customer_id, placed_at (with zone), kind, status, currency, rate (points), due_on,
    paid_on; `lines` has `key`, product_id, quantity and unit_price (points).
    """
    sums = (
        lines.select(key, "product_id", "quantity", "unit_price")
        .sort(key, "product_id", "quantity", "unit_price")
        .group_by(key, maintain_order=True)
        .agg(pl.concat_str("product_id", "quantity", "unit_price", separator=":").str.join(",").alias("lines"))
    )
    texts = orders.join(sums, on=key, how="left", maintain_order="left").select(
        pl.format(
            _HEADER + "\n{}",
            *(
                pl.col(c).dt.timestamp("us") if c == "placed_at" else pl.col(c).cast(pl.String).fill_null("")
                for c in _HEADER_COLUMNS
            ),
            pl.col("lines").fill_null(""),
        ).cast(pl.Binary)
    )
    return pl.Series("digest", list(map(_digest, texts.to_series().to_list())), dtype=pl.String)
