"""Writing orders and credit notes, with their lines; the monthly rollup follows in the same transaction."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, TypedDict, Unpack

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from customers.activity import lock_customers, refresh_activity
from customers.models import DEFAULT_SOURCE, Customer, Order, OrderLine, Product
from customers.rules.orders import (
    MAX_PRICE,
    MAX_QUANTITY,
    MAX_RATE,
    PRICE_PLACES,
    QUANTITY_PLACES,
    RATE_PLACES,
    kind_of,
    line_money,
    net_money,
    order_digest,
)
from customers.services.arrivals import arrivals_last, arrived
from customers.services.products import upsert_product
from customers.services.rows import Name, Outcome, all_of, below, clean, error_of, lock, refuse_taken, upsert
from tenants.context import current_tenant
from tenants.events import changes_of, record


@dataclass(frozen=True, slots=True, kw_only=True)
class Article:
    """An article by what a system calls it; one that is not known yet is made, with this name and category."""

    source: str
    external_id: str
    name: str = ""
    category: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line of an order. `product`: an article, or the id of a known one. Price in the order's currency."""

    product: Article | int
    quantity: Decimal
    unit_price: Decimal


class OrderFields(TypedDict, total=False):
    """What can be said about an order.

    `lines` are all of them. Without `kind` an order whose net money is negative is a credit note. `rate` is
    the tenant's currency per unit of `currency`; it is needed when that is another one.
    """

    customer: Customer
    kind: str
    status: str
    placed_at: dt.datetime
    currency: str
    rate: Decimal
    due_on: dt.date | None
    paid_on: dt.date | None
    lines: Sequence[Line]


@transaction.atomic
def create_order(*, source: str = DEFAULT_SOURCE, external_id: str, **fields: Unpack[OrderFields]) -> Order:
    """A new order. Needs customer, placed_at and at least one line.

    Raises ValidationError by field; with the code "taken" when the source has an order of that number.
    """
    order = Order(source=source, external_id=external_id)
    refuse_taken(order)
    return _new_order(order, fields)


def _new_order(order: Order, fields: OrderFields) -> Order:
    _write_order(order, fields)
    return order


@transaction.atomic
def patch_order(*, order: Order, **fields: Unpack[OrderFields]) -> Outcome:
    """Change the given fields of an order; lines, if given, take the place of all its lines."""
    _lock_order(order, fields)
    return _write_order(order, fields)


def upsert_order(*, source: str, external_id: str, **fields: Unpack[OrderFields]) -> tuple[Order, Outcome]:
    """The order that `source` calls `external_id`, with these fields; made if there is none.

    Delivered again with the same content, it is unchanged. Raises ValidationError by field.
    """

    def find() -> Order | None:
        order: Order | None = Order.objects.filter(source=source, external_id=external_id).first()
        if order is not None:
            _lock_order(order, fields)
        return order

    return upsert(
        find=find,
        make=lambda: _new_order(Order(source=source, external_id=external_id), fields),
        change=lambda order: _write_order(order, fields),
    )


def _lock_order(order: Order, fields: OrderFields) -> None:
    # Customers first, as everybody who writes orders does: nobody then waits in a circle.
    customer = fields.get("customer")
    _lock_once({order.customer_id, customer.pk if customer else order.customer_id})
    lock(order)


_ORDER_COLUMNS: Final = (
    "customer", "kind", "status", "placed_at", "placed_on", "currency", "rate", "net", "due_on", "paid_on", "digest",
)  # fmt: skip


# What the event of a changed order tells of it.
_TOLD: Final = ("customer_id", "kind", "status", "placed_at", "net", "due_on", "paid_on")


def _write_order(order: Order, fields: OrderFields) -> Outcome:
    """Work out what the order then says, and write it if that differs from what it said.

    1. Put the given fields over the order's own and check them together.
    2. Find the articles of the lines; reckon money, net money and kind.
    3. The digest is the same: nothing to do. Else write the order, its lines, and the rollup of the months
       before and after.
    """
    new = order.pk is None
    pairs = set() if new else {(order.customer_id, order.placed_on)}
    said = {name: getattr(order, name) for name in _TOLD}
    for name, value in fields.items():
        if name not in {"lines", "kind"}:
            setattr(order, name, value)
    given = fields.get("lines")
    lines: list[OrderLine] = []
    if given is None and not new:
        lines += order.lines.all()
    all_of(lambda: _check_order(order, fields, new=new), lambda: lines.extend(_order_lines(given or ())))
    try:
        order.net = net_money((line.money for line in lines), order.rate)
    except ValueError as error:
        raise ValidationError({"lines": error_of(_("The order holds more money than fits."), "too_much")}) from error
    if "kind" in fields or given is not None or new:
        order.kind = kind_of(order.net, fields.get("kind", ""))
    order.placed_on = current_tenant().local_date(order.placed_at)
    digest = order_digest(
        customer_id=order.customer_id,
        placed_at=order.placed_at,
        kind=order.kind,
        status=order.status,
        currency=order.currency,
        rate=order.rate,
        due_on=order.due_on,
        paid_on=order.paid_on,
        lines=[(line.product_id, line.quantity, line.unit_price) for line in lines],
    )
    if not new and digest == order.digest:
        return "unchanged"
    order.digest = digest
    if new:
        _lock_once({order.customer_id})
        order.save(force_insert=True)
    else:
        order.save(update_fields=[*_ORDER_COLUMNS, "updated_at"])
    if given is not None:
        if not new:
            order.lines.all().delete()
        for line in lines:
            line.order = order
        OrderLine.objects.bulk_create(lines)
    pairs.add((order.customer_id, order.placed_on))
    _roll_up(pairs)
    if new:
        record("recorded", order)
    else:
        now_says = changes_of(order, said)  # [now, before]: the row has changed already
        record("updated", order, {name: [before, now] for name, (now, before) in now_says.items()})
    arrived(customer_id for customer_id, _day in pairs)
    return "created" if new else "updated"


@dataclass(slots=True)
class _Many:
    """What the orders written inside `many_orders` share."""

    locked: set[int]
    months: set[tuple[int, dt.date]]


_many: ContextVar[_Many | None] = ContextVar("many_orders", default=None)


@contextmanager
def many_orders(customer_ids: Iterable[int]) -> Iterator[None]:
    """For many orders in one transaction: locks their customers first, rolls up and notes arrivals once at the end.

    Two that write orders of several customers then cannot wait for each other in a circle. When it ends with
    an exception nothing is rolled up: the transaction must not be committed then.
    """
    many = _Many(locked=set(customer_ids), months=set())
    lock_customers(many.locked)
    with arrivals_last():
        token = _many.set(many)
        try:
            yield
        finally:
            _many.reset(token)
        refresh_activity(many.months)


def _lock_once(customer_ids: set[int]) -> None:
    many = _many.get()
    if missing := customer_ids - (many.locked if many else set()):
        lock_customers(missing)


def _roll_up(months: set[tuple[int, dt.date]]) -> None:
    many = _many.get()
    if many is None:
        refresh_activity(months)
    else:
        many.months |= months


def _check_order(order: Order, fields: OrderFields, *, new: bool) -> None:
    """Raises ValidationError with everything that is wrong about the order beside its lines."""
    wrong: dict[str, Any] = {}
    own = current_tenant().currency
    if new:
        missing = [name for name in ("customer", "placed_at", "lines") if not fields.get(name)]
        wrong |= {name: error_of(_("An order needs this."), "required") for name in missing}
        if not order.currency:
            order.currency = own
    if fields.get("lines") == []:
        wrong["lines"] = error_of(_("An order has at least one line."), "required")
    if "kind" in fields and fields["kind"] not in {"", *Order.Kind.values}:
        wrong["kind"] = error_of(_("An order is an “order” or a “credit_note”."), "invalid_choice")
    if len(order.currency) != 3 or not (
        order.currency.isascii() and order.currency.isalpha() and order.currency.isupper()
    ):
        wrong["currency"] = error_of(_("Three capital letters, like GBP."), "invalid")
    elif order.currency == own:
        if fields.get("rate", Decimal(1)) != 1:
            wrong["rate"] = error_of(
                _("%(currency)s is the firm's own currency: its rate is 1.") % {"currency": own}, "invalid"
            )
        order.rate = Decimal(1)
    elif "rate" not in fields and (new or "currency" in fields):
        words = _("An order in %(currency)s needs the rate to %(own)s.") % {"currency": order.currency, "own": own}
        wrong["rate"] = error_of(words, "required")
    elif not 0 < order.rate < MAX_RATE:
        wrong["rate"] = error_of(_("A rate is above 0 and below %(most)s.") % {"most": MAX_RATE}, "out_of_range")
    elif _decimals(order.rate) > RATE_PLACES:
        wrong["rate"] = error_of(_("At most %(places)s decimals.") % {"places": RATE_PLACES}, "max_decimal_places")
    try:
        clean(order, skip={"net", "rate", "currency", "kind", *(name for name in ("placed_at",) if name in wrong)})
    except ValidationError as error:
        wrong |= error.error_dict
    if wrong:
        raise ValidationError(wrong)


def _order_lines(given: Sequence[Line]) -> list[OrderLine]:
    """The lines with their articles and money. Raises ValidationError with the path of every wrong one."""
    products = _products_of(given)
    wrong: dict[str, Any] = {}
    lines = []
    for position, line in enumerate(given, start=1):
        path = f"lines/{position - 1}"
        product = products.get(line.product if isinstance(line.product, int) else _name_of(line.product))
        if product is None:
            wrong[f"{path}/product"] = error_of(_("There is no such product."), "not_found")
        for name, value, most, places in (
            ("quantity", line.quantity, MAX_QUANTITY, QUANTITY_PLACES),
            ("unit_price", line.unit_price, MAX_PRICE, PRICE_PLACES),
        ):
            if not value.is_finite() or abs(value) >= most:
                wrong[f"{path}/{name}"] = error_of(_("Less than %(most)s.") % {"most": most}, "out_of_range")
            elif _decimals(value) > places:
                wrong[f"{path}/{name}"] = error_of(
                    _("At most %(places)s decimals.") % {"places": places}, "max_decimal_places"
                )
        if wrong or product is None:
            continue
        try:
            money = line_money(line.quantity, line.unit_price)
        except ValueError:
            wrong[path] = error_of(_("The line holds more money than fits."), "too_much")
            continue
        lines.append(
            OrderLine(
                position=position, product=product, quantity=line.quantity, unit_price=line.unit_price, money=money
            )
        )
    if wrong:
        raise ValidationError(wrong)
    return lines


def _products_of(given: Sequence[Line]) -> dict[Name | int, Product]:
    """The articles of the lines by id and by name, in one query each; unknown names are made."""
    articles = {_name_of(line.product): line.product for line in given if isinstance(line.product, Article)}
    found: dict[Name | int, Product] = {}
    if ids := {line.product for line in given if isinstance(line.product, int)}:
        found |= {product.pk: product for product in Product.objects.filter(pk__in=ids)}
    by_source: dict[str, list[str]] = {}
    for source, external_id in articles:
        by_source.setdefault(source, []).append(external_id)
    for source, external_ids in by_source.items():
        rows = Product.objects.filter(source=source, external_id__in=external_ids)
        found |= {(row.source, row.external_id): row for row in rows}
    for place, line in enumerate(given):
        article = line.product
        if isinstance(article, Article) and _name_of(article) not in found:
            try:
                product, _outcome = upsert_product(
                    source=article.source,
                    external_id=article.external_id,
                    name=article.name,
                    category=article.category,
                )
            except ValidationError as error:
                raise ValidationError(below(f"lines/{place}/product", error)) from error
            found[_name_of(article)] = product
    return found


def _name_of(article: Article) -> Name:
    return article.source, article.external_id


def _decimals(value: Decimal) -> int:
    exponent = value.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0
