"""Writing the facts: verbs for pages and API. Each is one transaction and leaves one event.

Verbs that bring what another system knows ("upsert") say what came of it: created, updated or unchanged;
unchanged writes nothing. Fields that are not given stay as they are. Refusals are ValidationErrors by
field; the field of a line is written as a path, like "lines/3/quantity".
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, Literal, TypedDict, TypeVar, Unpack

from django.core.exceptions import ValidationError
from django.db import IntegrityError, models, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from customers.activity import lock_customers, refresh_activity
from customers.models import (
    DEFAULT_SOURCE,
    Complaint,
    Contact,
    Customer,
    CustomerTag,
    ExternalId,
    Interaction,
    Order,
    OrderLine,
    Product,
    Tag,
)
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
from tenants.context import current_tenant
from tenants.events import changes_of, record
from tenants.models import Member

Outcome = Literal["created", "updated", "unchanged"]
Row = TypeVar("Row", bound=models.Model)
Name = tuple[str, str]
"""What another system calls something: (source, external id)."""

# A contact that somebody logs may lie a little ahead of our clock, or of our zone.
CLOCK_SKEW: Final = dt.timedelta(days=1)


# ── customers ───────────────────────────────────────────────────────────────


class OwnerFields(TypedDict, total=False):
    """Who looks after a customer, and who covers."""

    owner_a: Member | None
    owner_b: Member | None


class CustomerFields(OwnerFields, total=False):
    """What can be said about a customer. `tags` are all of them, by name; new ones are made."""

    name: str
    country: str
    city: str
    industry: str
    since: dt.date | None
    closed_on: dt.date | None
    note: str
    tags: Sequence[str]


@transaction.atomic
def create_customer(*, external_ids: Iterable[Name] = (), **fields: Unpack[CustomerFields]) -> Customer:
    """A new customer.

    Raises ValidationError by field; with the code "taken" when an external id belongs to another one.
    """
    return _create_customer(external_ids, fields)


def _create_customer(external_ids: Iterable[Name], fields: CustomerFields, *, free: Name | None = None) -> Customer:
    """`free` is a name that was looked for a moment ago and belongs to nobody."""
    plain, tags, owners = _split_customer(fields)
    customer = Customer(**plain, **owners)
    names = list(dict.fromkeys(external_ids))
    _all_of(
        lambda: _check_owners(customer),
        lambda: _refuse_taken_ids(names, None, free=free),
        lambda: _clean(customer),
    )
    customer.save(force_insert=True)
    ExternalId.objects.bulk_create([ExternalId(customer=customer, source=s, value=v) for s, v in names])
    if tags:
        _set_tags(customer, tags)
    record("created", customer)
    return customer


@transaction.atomic
def patch_customer(
    *, customer: Customer, external_ids: Iterable[Name] = (), **fields: Unpack[CustomerFields]
) -> Outcome:
    """Change the given fields and add the given external ids.

    An owner is changed as by `set_owners`, with an event of its own. Raises ValidationError by field.
    """
    _lock(customer)
    return _change_customer(customer, external_ids, fields)


def upsert_customer(
    *, source: str, external_id: str, external_ids: Iterable[Name] = (), **fields: Unpack[CustomerFields]
) -> tuple[Customer, Outcome]:
    """The customer that `source` calls `external_id`, with these fields; made if there is none.

    Raises ValidationError by field; a new customer needs a name.
    """
    name = (source, external_id)
    called = ExternalId.objects.filter(any_of([name])).values("customer_id")
    return _upsert(
        find=lambda: _for_update(Customer.objects.filter(pk__in=called)),
        make=lambda: _create_customer([name, *external_ids], fields, free=name),
        change=lambda customer: _change_customer(customer, external_ids, fields),
    )


def any_of(names: Iterable[Name]) -> models.Q:
    """The condition that an external id is one of these; there must be at least one."""
    wanted = models.Q()
    for source, value in names:
        wanted |= models.Q(source=source, value=value)
    return wanted


def _change_customer(customer: Customer, external_ids: Iterable[Name], fields: CustomerFields) -> Outcome:
    plain, tags, owners = _split_customer(fields)
    changes: dict[str, Any] = {}
    if tags is not None and (tag_change := _set_tags(customer, tags)):
        changes["tags"] = tag_change
    if added := _add_external_ids(customer, list(dict.fromkeys(external_ids))):
        changes["external_ids"] = added
    outcome = _change(customer, plain, beside=changes)
    if owners and set_owners(customer=customer, **owners) == "updated":
        return "updated"
    return outcome


def _split_customer(fields: CustomerFields) -> tuple[dict[str, Any], Sequence[str] | None, OwnerFields]:
    plain: dict[str, Any] = {k: v for k, v in fields.items() if k not in {"tags", "owner_a", "owner_b"}}
    owners: Any = {k: v for k, v in fields.items() if k in {"owner_a", "owner_b"}}
    return plain, fields.get("tags"), owners


@transaction.atomic
def set_owners(*, customer: Customer, **owners: Unpack[OwnerFields]) -> Outcome:
    """Change who looks after the customer; an owner that is not given stays.

    Open follow-ups stay with whom they are: followups.services.change_owner moves them too. Raises
    ValidationError when both owners are the same person.
    """
    before = (customer.owner_a_id, customer.owner_b_id)
    for name, owner in owners.items():
        setattr(customer, name, owner)
    after = (customer.owner_a_id, customer.owner_b_id)
    if after == before:
        return "unchanged"
    _check_owners(customer)
    customer.save(update_fields=["owner_a", "owner_b", "updated_at"])
    pairs = zip(("owner_a", "owner_b"), before, after, strict=True)
    record("owners_changed", customer, {name: [old, new] for name, old, new in pairs if old != new})
    return "updated"


def _check_owners(customer: Customer) -> None:
    if customer.owner_a_id is not None and customer.owner_a_id == customer.owner_b_id:
        raise ValidationError(
            {"owner_b": _error(_("The B owner covers for the A owner: somebody else."), "same_owner")}
        )


@transaction.atomic
def add_external_id(*, customer: Customer, source: str, external_id: str) -> Outcome:
    """Remember what another system calls the customer.

    Raises ValidationError with the code "taken" when it calls another customer so.
    """
    return _change(
        customer,
        {},
        beside={"external_ids": added} if (added := _add_external_ids(customer, [(source, external_id)])) else {},
    )


def _add_external_ids(customer: Customer, names: Sequence[Name]) -> list[str]:
    if not names:
        return []
    _refuse_taken_ids(names, customer)
    known = set(customer.external_ids.values_list("source", "value"))
    new = [ExternalId(customer=customer, source=s, value=v) for s, v in names if (s, v) not in known]
    ExternalId.objects.bulk_create(new)
    return [str(row) for row in new]


def _refuse_taken_ids(names: Sequence[Name], customer: Customer | None, *, free: Name | None = None) -> None:
    for place, (source, value) in enumerate(names):
        row = ExternalId(source=source, value=value)
        try:
            row.clean_fields(exclude={"customer", "tenant"})
        except ValidationError as error:
            raise ValidationError(_below(f"external_ids/{place}", error)) from error
    asked = [name for name in names if name != free]
    if not asked:
        return
    theirs = ExternalId.objects.filter(any_of(asked))
    if customer is not None:
        theirs = theirs.exclude(customer=customer)
    if taken := theirs.first():
        words = _("Another customer is called %(name)s already.") % {"name": taken}
        raise ValidationError({f"external_ids/{names.index((taken.source, taken.value))}": _error(words, "taken")})


def _set_tags(customer: Customer, names: Iterable[str]) -> list[list[str]]:
    """Give the customer exactly these tags; returns [before, after] by name, empty when nothing changed."""
    wanted = sorted({name.strip() for name in names} - {""})
    links = {link.tag.name: link for link in CustomerTag.objects.filter(customer=customer).select_related("tag")}
    if wanted == sorted(links):
        return []
    new = [name for name in wanted if name not in links]
    rows = {tag.name: tag for tag in Tag.objects.filter(name__in=new)}
    for name in new:
        if name not in rows:
            rows[name] = Tag(name=name)
            try:
                rows[name].clean_fields(exclude={"tenant"})
            except ValidationError as error:
                raise ValidationError({"tags": error.error_dict["name"]}) from error
            rows[name].save(force_insert=True)
    CustomerTag.objects.bulk_create([CustomerTag(customer=customer, tag=rows[name]) for name in new])
    gone = [link.pk for name, link in links.items() if name not in wanted]
    CustomerTag.objects.filter(pk__in=gone).delete()
    return [sorted(links), wanted]


# ── contacts ────────────────────────────────────────────────────────────────


class ContactContent(TypedDict, total=False):
    """What can be said about a person at a customer."""

    customer: Customer
    name: str
    title: str
    email: str
    phone: str
    wechat: str
    birthday: dt.date | None
    channel: str
    language: str
    consent: str
    consent_on: dt.date | None
    is_main: bool
    left_on: dt.date | None


class ContactFields(ContactContent, total=False):
    """The same, with what another system calls it."""

    source: str
    external_id: str


@transaction.atomic
def save_contact(*, contact: Contact | None = None, **fields: Unpack[ContactFields]) -> tuple[Contact, Outcome]:
    """Change the given contact, or make one.

    A new one needs customer and name. Whoever becomes the first to ask takes that from the others of the
    customer. Raises ValidationError by field.
    """
    if contact is None:
        return _create_contact(fields), "created"
    _lock(contact)
    return contact, _change_contact(contact, fields)


def upsert_contact(*, source: str, external_id: str, **fields: Unpack[ContactContent]) -> tuple[Contact, Outcome]:
    """The contact that `source` calls `external_id`, with these fields; made if there is none."""
    return _upsert(
        find=lambda: _for_update(Contact.objects.filter(source=source, external_id=external_id)),
        make=lambda: _create_contact({"source": source, "external_id": external_id, **fields}, is_free=True),
        change=lambda contact: _change_contact(contact, fields),
    )


def _create_contact(fields: ContactFields, *, is_free: bool = False) -> Contact:
    contact = _create(Contact, fields, required=("customer",), is_free=is_free)
    _only_one_main(contact)
    return contact


def _change_contact(contact: Contact, fields: ContactContent) -> Outcome:
    outcome = _change(contact, fields)
    if outcome == "updated":
        _only_one_main(contact)
    return outcome


def _only_one_main(contact: Contact) -> None:
    if contact.is_main:
        others = Contact.objects.filter(customer_id=contact.customer_id, is_main=True).exclude(pk=contact.pk)
        others.update(is_main=False, updated_at=timezone.now())


# ── products ────────────────────────────────────────────────────────────────


class ProductFields(TypedDict, total=False):
    """What can be said about an article."""

    name: str
    category: str


def upsert_product(*, source: str, external_id: str, **fields: Unpack[ProductFields]) -> tuple[Product, Outcome]:
    """The article that `source` calls `external_id`, with these fields; made if there is none."""
    return _upsert(
        find=lambda: _for_update(Product.objects.filter(source=source, external_id=external_id)),
        make=lambda: _create(Product, {"source": source, "external_id": external_id, **fields}, is_free=True),
        change=lambda product: _change(product, fields),
    )


@transaction.atomic
def create_product(*, source: str = DEFAULT_SOURCE, external_id: str, **fields: Unpack[ProductFields]) -> Product:
    """A new article.

    Raises ValidationError by field; with the code "taken" when the source has one of that id.
    """
    return _create(Product, {"source": source, "external_id": external_id, **fields})


@transaction.atomic
def patch_product(*, product: Product, **fields: Unpack[ProductFields]) -> Outcome:
    """Change the given fields of an article."""
    _lock(product)
    return _change(product, fields)


# ── orders ──────────────────────────────────────────────────────────────────


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
    _refuse_taken(order)
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

    return _upsert(
        find=find,
        make=lambda: _new_order(Order(source=source, external_id=external_id), fields),
        change=lambda order: _write_order(order, fields),
    )


def _lock_order(order: Order, fields: OrderFields) -> None:
    # Customers first, as everybody who writes orders does: nobody then waits in a circle.
    customer = fields.get("customer")
    _lock_once({order.customer_id, customer.pk if customer else order.customer_id})
    _lock(order)


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
    _all_of(lambda: _check_order(order, fields, new=new), lambda: lines.extend(_order_lines(given or ())))
    try:
        order.net = net_money((line.money for line in lines), order.rate)
    except ValueError as error:
        raise ValidationError({"lines": _error(_("The order holds more money than fits."), "too_much")}) from error
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
    _roll_up(pairs | {(order.customer_id, order.placed_on)})
    if new:
        record("recorded", order)
        return "created"
    now_says = changes_of(order, said)  # [now, before]: the row has changed already
    record("updated", order, {name: [before, now] for name, (now, before) in now_says.items()})
    return "updated"


@dataclass(slots=True)
class _Many:
    """What the orders written inside `many_orders` share."""

    locked: set[int]
    months: set[tuple[int, dt.date]]


_many: ContextVar[_Many | None] = ContextVar("many_orders", default=None)


@contextmanager
def many_orders(customer_ids: Iterable[int]) -> Iterator[None]:
    """For many orders in one transaction: locks their customers first, all at once, and rolls up once at the end.

    Two that write orders of several customers then cannot wait for each other in a circle. When it ends with
    an exception nothing is rolled up: the transaction must not be committed then.
    """
    many = _Many(locked=set(customer_ids), months=set())
    lock_customers(many.locked)
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
        wrong |= {name: _error(_("An order needs this."), "required") for name in missing}
        if not order.currency:
            order.currency = own
    if fields.get("lines") == []:
        wrong["lines"] = _error(_("An order has at least one line."), "required")
    if "kind" in fields and fields["kind"] not in {"", *Order.Kind.values}:
        wrong["kind"] = _error(_("An order is an “order” or a “credit_note”."), "invalid_choice")
    if len(order.currency) != 3 or not (
        order.currency.isascii() and order.currency.isalpha() and order.currency.isupper()
    ):
        wrong["currency"] = _error(_("Three capital letters, like GBP."), "invalid")
    elif order.currency == own:
        if fields.get("rate", Decimal(1)) != 1:
            wrong["rate"] = _error(
                _("%(currency)s is the firm's own currency: its rate is 1.") % {"currency": own}, "invalid"
            )
        order.rate = Decimal(1)
    elif "rate" not in fields and (new or "currency" in fields):
        words = _("An order in %(currency)s needs the rate to %(own)s.") % {"currency": order.currency, "own": own}
        wrong["rate"] = _error(words, "required")
    elif not 0 < order.rate < MAX_RATE:
        wrong["rate"] = _error(_("A rate is above 0 and below %(most)s.") % {"most": MAX_RATE}, "out_of_range")
    elif _decimals(order.rate) > RATE_PLACES:
        wrong["rate"] = _error(_("At most %(places)s decimals.") % {"places": RATE_PLACES}, "max_decimal_places")
    try:
        _clean(order, skip={"net", "rate", "currency", "kind", *(name for name in ("placed_at",) if name in wrong)})
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
            wrong[f"{path}/product"] = _error(_("There is no such product."), "not_found")
        for name, value, most, places in (
            ("quantity", line.quantity, MAX_QUANTITY, QUANTITY_PLACES),
            ("unit_price", line.unit_price, MAX_PRICE, PRICE_PLACES),
        ):
            if not value.is_finite() or abs(value) >= most:
                wrong[f"{path}/{name}"] = _error(_("Less than %(most)s.") % {"most": most}, "out_of_range")
            elif _decimals(value) > places:
                wrong[f"{path}/{name}"] = _error(
                    _("At most %(places)s decimals.") % {"places": places}, "max_decimal_places"
                )
        if wrong or product is None:
            continue
        try:
            money = line_money(line.quantity, line.unit_price)
        except ValueError:
            wrong[path] = _error(_("The line holds more money than fits."), "too_much")
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
                raise ValidationError(_below(f"lines/{place}/product", error)) from error
            found[_name_of(article)] = product
    return found


def _name_of(article: Article) -> Name:
    return article.source, article.external_id


def _decimals(value: Decimal) -> int:
    exponent = value.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


# ── interactions ────────────────────────────────────────────────────────────


class InteractionContent(TypedDict, total=False):
    """What can be said about a contact with a customer."""

    customer: Customer
    contact: Contact | None
    member: Member | None
    at: dt.datetime
    channel: str
    direction: str
    kind: str
    topic: str
    answered: bool | None
    solved: bool | None
    note: str


class InteractionFields(InteractionContent, total=False):
    """The same, with what another system calls it."""

    source: str
    external_id: str


@transaction.atomic
def log_interaction(**fields: Unpack[InteractionFields]) -> Interaction:
    """Write down a contact with a customer: needs customer and channel; `at` is now unless said otherwise.

    Raises ValidationError by field.
    """
    return _log(fields)


def _log(fields: InteractionFields, *, is_free: bool = False) -> Interaction:
    return _create(
        Interaction, fields, required=("customer",), check=_check_interaction, verb="logged", is_free=is_free
    )


@transaction.atomic
def patch_interaction(*, interaction: Interaction, **fields: Unpack[InteractionFields]) -> Outcome:
    """Change the given fields of a logged contact."""
    _lock(interaction)
    return _change(interaction, fields, check=_check_interaction)


def upsert_interaction(
    *, source: str, external_id: str, **fields: Unpack[InteractionContent]
) -> tuple[Interaction, Outcome]:
    """The logged contact that `source` calls `external_id`, with these fields; made if there is none."""
    return _upsert(
        find=lambda: _for_update(Interaction.objects.filter(source=source, external_id=external_id)),
        make=lambda: _log({"source": source, "external_id": external_id, **fields}, is_free=True),
        change=lambda interaction: _change(interaction, fields, check=_check_interaction),
    )


def _check_interaction(interaction: Interaction) -> dict[str, Any]:
    wrong: dict[str, Any] = {}
    if interaction.at > timezone.now() + CLOCK_SKEW:
        wrong["at"] = _error(_("A contact cannot be logged before it happened."), "in_the_future")
    if interaction.contact is not None and interaction.contact.customer_id != interaction.customer_id:
        wrong["contact"] = _error(_("This contact belongs to another customer."), "other_customer")
    return wrong


# ── complaints ──────────────────────────────────────────────────────────────


class ComplaintContent(TypedDict, total=False):
    """What can be said about a complaint; `solved_at` given and not empty means that it is solved."""

    customer: Customer
    order: Order | None
    opened_at: dt.datetime
    topic: str
    severity: str
    text: str
    solved_at: dt.datetime | None
    first_time: bool | None


class ComplaintFields(ComplaintContent, total=False):
    """The same, with what another system calls it."""

    source: str
    external_id: str


@transaction.atomic
def open_complaint(**fields: Unpack[ComplaintFields]) -> Complaint:
    """Write down that something went wrong: needs customer and topic; opened now unless said otherwise."""
    return _open(fields)


def _open(fields: ComplaintFields, *, is_free: bool = False) -> Complaint:
    return _create(Complaint, fields, required=("customer",), check=_check_complaint, verb="opened", is_free=is_free)


@transaction.atomic
def solve_complaint(*, complaint: Complaint, first_time: bool | None = None, at: dt.datetime | None = None) -> Outcome:
    """Note that a complaint is solved, now unless said otherwise, and whether that took one try."""
    return patch_complaint(complaint=complaint, solved_at=at or timezone.now(), first_time=first_time)


@transaction.atomic
def patch_complaint(*, complaint: Complaint, **fields: Unpack[ComplaintFields]) -> Outcome:
    """Change the given fields of a complaint; the event says "solved" when this solved it."""
    _lock(complaint)
    return _change_complaint(complaint, fields)


def upsert_complaint(*, source: str, external_id: str, **fields: Unpack[ComplaintContent]) -> tuple[Complaint, Outcome]:
    """The complaint that `source` calls `external_id`, with these fields; made if there is none."""
    return _upsert(
        find=lambda: _for_update(Complaint.objects.filter(source=source, external_id=external_id)),
        make=lambda: _open({"source": source, "external_id": external_id, **fields}, is_free=True),
        change=lambda complaint: _change_complaint(complaint, fields),
    )


def _change_complaint(complaint: Complaint, fields: ComplaintContent) -> Outcome:
    solved = complaint.solved_at is None and fields.get("solved_at") is not None
    return _change(complaint, fields, check=_check_complaint, verb="solved" if solved else "updated")


def _check_complaint(complaint: Complaint) -> dict[str, Any]:
    wrong: dict[str, Any] = {}
    if complaint.order is not None and complaint.order.customer_id != complaint.customer_id:
        wrong["order"] = _error(_("This order belongs to another customer."), "other_customer")
    if complaint.solved_at is not None and complaint.solved_at < complaint.opened_at:
        wrong["solved_at"] = _error(_("It cannot be solved before it was opened."), "before_opened")
    return wrong


# ── what the verbs share ────────────────────────────────────────────────────

Check = Callable[[Any], dict[str, Any]]


def _no_check(_obj: Any) -> dict[str, Any]:
    return {}


def _all_of(*checks: Callable[[], object]) -> None:
    """Raises one ValidationError with everything that the checks refuse."""
    wrong: dict[str, Any] = {}
    for check in checks:
        try:
            check()
        except ValidationError as error:
            wrong |= error.error_dict
    if wrong:
        raise ValidationError(wrong)


def _error(words: str, code: str) -> ValidationError:
    return ValidationError(words, code=code)


def _below(path: str, error: ValidationError) -> dict[str, Any]:
    """The error's fields, as fields below a path."""
    return {f"{path}/{'external_id' if name == 'value' else name}": found for name, found in error.error_dict.items()}


def _for_update(rows: Any) -> Any:
    # Not FOR UPDATE: rows that point to this one can still be added.
    return rows.select_for_update(of=("self",), no_key=True).first()


def _lock(obj: models.Model) -> None:
    """Read the row again and let nobody else change it until the transaction ends."""
    manager: Any = type(obj)._default_manager
    obj.refresh_from_db(from_queryset=manager.select_for_update(of=("self",), no_key=True))


def _clean(obj: models.Model, *, skip: Iterable[str] = (), check: Check = _no_check) -> None:
    """Raises ValidationError with all that is wrong: each field by itself, then what `check` finds."""
    fields = obj._meta.local_fields
    # Related rows come out of the tenant's own querysets; asking for them again would be a query each.
    unasked = {f.name for f in fields if f.is_relation or f.primary_key or not f.editable} | set(skip)
    wrong: dict[str, Any] = {}
    try:
        obj.clean_fields(exclude=unasked)
    except ValidationError as error:
        wrong = error.error_dict
    wrong |= {name: found for name, found in check(obj).items() if name not in wrong}
    if wrong:
        raise ValidationError(wrong)


def _create(
    model: type[Row],
    fields: Mapping[str, Any],
    *,
    required: Iterable[str] = (),
    check: Check = _no_check,
    verb: str = "created",
    is_free: bool = False,
) -> Row:
    """A new row; `is_free` says that its name was looked for a moment ago and belongs to nobody."""
    missing = {name: _error(_("This is needed."), "required") for name in required if fields.get(name) is None}
    obj = model(**fields)
    _clean(obj, check=lambda row: missing or check(row))
    if not is_free:
        _refuse_taken(obj)
    obj.save(force_insert=True)
    record(verb, obj)
    return obj


def _change(
    obj: models.Model,
    fields: Mapping[str, Any],
    *,
    check: Check = _no_check,
    verb: str = "updated",
    beside: dict[str, Any] | None = None,
) -> Outcome:
    """Write what differs, with one event; `beside` are changes of rows around this one, already written."""
    columns = {obj._meta.get_field(name).attname: name for name in fields}  # type: ignore[union-attr]  # no generic keys
    values = {
        column: fields[name].pk if isinstance(fields[name], models.Model) else fields[name]
        for column, name in columns.items()
    }
    changes = {columns[column]: pair for column, pair in changes_of(obj, values).items()}
    if not changes and not beside:
        return "unchanged"
    for name in changes:
        setattr(obj, name, fields[name])
    _clean(obj, check=check)
    if changes.keys() & {"source", "external_id"}:
        _refuse_taken(obj)
    obj.save(update_fields=[*changes, "updated_at"])
    record(verb, obj, changes | (beside or {}))
    return "updated"


def _refuse_taken(obj: Any) -> None:
    """Raises ValidationError with the code "taken" when another row of its kind has the same name."""
    if not obj.external_id:
        return
    others = type(obj).objects.filter(source=obj.source, external_id=obj.external_id).exclude(pk=obj.pk)
    if others.exists():
        words = _("%(source)s has one called %(id)s already.") % {"source": obj.source, "id": obj.external_id}
        raise ValidationError({"external_id": _error(words, "taken")})


def _upsert(
    *, find: Callable[[], Row | None], make: Callable[[], Row], change: Callable[[Row], Outcome]
) -> tuple[Row, Outcome]:
    """Change the row that is there, else make one; who loses the race to make it changes the winner's."""
    row = find()
    if row is None:
        try:
            with transaction.atomic():
                return make(), "created"
        except IntegrityError:
            row = find()
            if row is None:
                raise
    with transaction.atomic():
        return row, change(row)
