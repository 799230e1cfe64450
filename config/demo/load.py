"""Writing a firm and its history into the database, in the open transaction."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Final

import polars as pl
from django.contrib.auth.hashers import make_password
from django.utils import timezone

from config.demo.facts import History
from config.demo.firm import Firm
from config.demo.orders import SOURCE
from config.demo.shapes import HISTORY_DAYS
from customers.activity import refresh_activity
from customers.models import (
    Complaint,
    Contact,
    Customer,
    CustomerTag,
    Evidence,
    ExternalId,
    Interaction,
    Order,
    OrderLine,
    Product,
    SurveyResponse,
    Tag,
)
from customers.rules.orders import (
    PRICE_PLACES,
    QUANTITY_PLACES,
    RATE_PLACES,
    line_money_points,
    net_money_points,
    order_digests,
)
from tenants.context import current_tenant
from tenants.frames import insert_frame, read_frame
from tenants.models import Member, Team
from tenants.services import create_member

CRM: Final = "crm"
_CENTS: Final = 2

_ORDERS: Final = {
    "row": pl.Int64,
    "customer_id": pl.Int64,
    "source": pl.String,
    "external_id": pl.String,
    "kind": pl.String,
    "status": pl.String,
    "placed_at": pl.Datetime("us", "UTC"),
    "placed_on": pl.Date,
    "currency": pl.String,
    "rate": pl.Int64,
    "due_on": pl.Date,
    "paid_on": pl.Date,
}
_LINES: Final = {
    "row": pl.Int64,
    "position": pl.Int64,
    "product_id": pl.Int64,
    "quantity": pl.Int64,
    "unit_price": pl.Int64,
}
_TALKS: Final = {
    "customer_id": pl.Int64,
    "contact_id": pl.Int64,
    "member_id": pl.Int64,
    "external_id": pl.String,
    "at": pl.Datetime("us", "UTC"),
    "channel": pl.String,
    "direction": pl.String,
    "kind": pl.String,
    "topic": pl.String,
    "answered": pl.Boolean,
    "solved": pl.Boolean,
    "about_competitor": pl.Boolean,
    "note": pl.String,
}


def load_people(firm: Firm, password: str) -> dict[str, Member]:
    """Teams and members of the firm, by e-mail address; a person known already keeps name and password."""
    teams = {name: Team.objects.create(name=name) for name in dict.fromkeys(p.team for p in firm.people) if name}
    hashed = make_password(password)  # once: hashing is slow on purpose, and everybody has the same one
    # They have worked here since the history began: nobody is new on the day of the demo.
    tenant = current_tenant()
    began = tenant.start_of(tenant.today() - dt.timedelta(days=HISTORY_DAYS))
    members = {}
    for person in firm.people:
        member = create_member(
            email=person.email,
            role=person.role,
            name=person.name,
            team=teams.get(person.team),
            language=person.language,
        )
        member.weekly_capacity, member.created_at = person.weekly_capacity, began
        member.save(update_fields=["weekly_capacity", "created_at"])
        if not member.user.has_usable_password():
            member.user.password = hashed
            member.user.save(update_fields=["password"])
        members[person.email] = member
    return members


def load_history(firm: Firm, history: History, members: Mapping[str, Member]) -> None:
    """Write everything that happened, into the open scope's tenant; the rollup as well."""
    customers = _load_customers(history, members)
    contacts = _load_contacts(history, customers)
    _load_orders(firm, history, customers)
    _load_complaints(history, customers)
    _load_talks(history, customers, contacts, members)
    _load_answers(history, customers, contacts)
    _load_evidence(history, customers, members)


def _load_customers(history: History, members: Mapping[str, Member]) -> dict[str, int]:
    rows = Customer.objects.bulk_create(
        Customer(
            name=fact.name,
            search_name=fact.name.lower(),
            country=fact.country,
            city=fact.city,
            industry=fact.industry,
            owner_a=members[fact.owner_a] if fact.owner_a else None,
            owner_b=members[fact.owner_b] if fact.owner_b else None,
            industry_position=fact.industry_position,
            growth_potential=fact.growth_potential,
            since=fact.since,
            closed_on=fact.closed_on,
            note=fact.note,
        )
        for fact in history.customers
    )
    ids = {fact.key: row.pk for fact, row in zip(history.customers, rows, strict=True)}
    ExternalId.objects.bulk_create(
        ExternalId(customer_id=ids[fact.key], source=source, value=value)
        for fact in history.customers
        for source, value in fact.external_ids
    )
    names = sorted({name for fact in history.customers for name in fact.tags})
    tags = {tag.name: tag.pk for tag in Tag.objects.bulk_create(Tag(name=name) for name in names)}
    CustomerTag.objects.bulk_create(
        CustomerTag(customer_id=ids[fact.key], tag_id=tags[name]) for fact in history.customers for name in fact.tags
    )
    return ids


def _load_contacts(history: History, customers: Mapping[str, int]) -> dict[str, int]:
    facts = [
        (customer.key, place, fact) for customer in history.customers for place, fact in enumerate(customer.contacts)
    ]
    rows = Contact.objects.bulk_create(
        Contact(
            customer_id=customers[key],
            source=CRM,
            external_id=fact.number,
            name=fact.name,
            title=fact.title,
            email=fact.email,
            phone=fact.phone,
            wechat=fact.wechat,
            birthday=fact.birthday,
            channel=fact.channel,
            language=fact.language,
            consent=fact.consent,
            consent_on=fact.consent_on,
            is_main=place == 0,
        )
        for key, place, fact in facts
    )
    return {fact.number: row.pk for (_key, _place, fact), row in zip(facts, rows, strict=True)}


def _load_orders(firm: Firm, history: History, customers: Mapping[str, int]) -> None:
    made = Product.objects.bulk_create(
        Product(source=SOURCE, external_id=article.number, name=article.name, category=article.category)
        for article in firm.articles
    )
    products = {product.external_id: product.pk for product in made}
    tenant = current_tenant()
    orders = _frame(
        _ORDERS,
        (
            (
                row,
                customers[fact.customer],
                fact.source,
                fact.number,
                fact.kind,
                fact.status,
                fact.placed_at,
                tenant.local_date(fact.placed_at),
                fact.currency,
                _points(Decimal(fact.rate), RATE_PLACES),
                fact.due_on,
                fact.paid_on,
            )
            for row, fact in enumerate(history.orders)
        ),
    )
    lines = _frame(
        _LINES,
        (
            (
                row,
                position,
                products[line.article],
                line.quantity * 10**QUANTITY_PLACES,
                line.unit_price * 10 ** (PRICE_PLACES - _CENTS),
            )
            for row, fact in enumerate(history.orders)
            for position, line in enumerate(fact.lines, start=1)
        ),
    ).with_columns(money=line_money_points().cast(pl.Int64))
    sums = lines.group_by("row").agg(pl.col("money").sum())
    orders = orders.join(sums, on="row", maintain_order="left").with_columns(net=net_money_points().cast(pl.Int64))
    orders = orders.with_columns(order_digests(orders, lines, key="row"))
    insert_frame(Order, orders.drop("row", "money"), constants=_now())
    ids = read_frame(
        "SELECT id, source, external_id FROM customers_order WHERE tenant_id = %s",
        [tenant.pk],
        schema={"order_id": pl.Int64, "source": pl.String, "external_id": pl.String},
    )
    keys = orders.select("row", "source", "external_id").join(ids, on=["source", "external_id"])
    insert_frame(
        OrderLine,
        lines.join(keys, on="row", maintain_order="left").select(
            "order_id", "position", "product_id", "quantity", "unit_price", "money"
        ),
    )
    refresh_activity(orders.select("customer_id", "placed_on").unique().rows())


def _load_complaints(history: History, customers: Mapping[str, int]) -> None:
    blamed = [fact.order_at for fact in history.complaints]
    rows = Order.objects.filter(kind=Order.Kind.ORDER, placed_at__in=blamed)
    orders = {(customer, at): pk for pk, customer, at in rows.values_list("pk", "customer_id", "placed_at")}
    Complaint.objects.bulk_create(
        Complaint(
            customer_id=customers[fact.customer],
            order_id=orders[customers[fact.customer], fact.order_at] if fact.order_at else None,
            source=CRM,
            external_id=fact.number,
            opened_at=fact.opened_at,
            topic=fact.topic,
            severity=fact.severity,
            text=fact.text,
            solved_at=fact.solved_at,
            first_time=fact.first_time,
        )
        for fact in history.complaints
    )


def _load_talks(
    history: History, customers: Mapping[str, int], contacts: Mapping[str, int], members: Mapping[str, Member]
) -> None:
    talks = _frame(
        _TALKS,
        (
            (
                customers[fact.customer],
                contacts[fact.contact] if fact.contact else None,
                members[fact.member].pk,
                fact.number,
                fact.at,
                fact.channel,
                fact.direction,
                fact.kind,
                fact.topic,
                fact.answered,
                fact.solved,
                fact.about_competitor,
                fact.note,
            )
            for fact in history.talks
        ),
    )
    insert_frame(Interaction, talks, constants={"source": CRM} | _now())


def _load_answers(history: History, customers: Mapping[str, int], contacts: Mapping[str, int]) -> None:
    complaints = dict(Complaint.objects.filter(source=CRM).values_list("external_id", "pk"))
    SurveyResponse.objects.bulk_create(
        SurveyResponse(
            customer_id=customers[fact.customer],
            contact_id=contacts[fact.contact] if fact.contact else None,
            complaint_id=complaints[fact.complaint] if fact.complaint else None,
            source=CRM,
            external_id=fact.number,
            kind=fact.kind,
            score=fact.score,
            at=fact.at,
            text=fact.text,
        )
        for fact in history.answers
    )


def _load_evidence(history: History, customers: Mapping[str, int], members: Mapping[str, Member]) -> None:
    owners = {fact.key: fact.owner_a for fact in history.customers}
    Evidence.objects.bulk_create(
        Evidence(
            customer_id=customers[fact.customer],
            kind=fact.kind,
            on=fact.on,
            note=fact.note,
            referred_id=customers[fact.referred] if fact.referred else None,
            member=members[owner] if (owner := owners[fact.customer]) else None,
        )
        for fact in history.evidence
    )


def _frame(schema: Mapping[str, Any], rows: Iterable[tuple[Any, ...]]) -> pl.DataFrame:
    """The rows as columns. Times are handed over as UTC: frames hold one zone."""
    columns = list(zip(*rows, strict=True))
    return pl.DataFrame(
        {
            name: [value.astimezone(dt.UTC) for value in column] if isinstance(kind, pl.Datetime) else list(column)
            for (name, kind), column in zip(schema.items(), columns, strict=True)
        },
        schema=dict(schema),
    )


def _points(value: Decimal, places: int) -> int:
    return int(value.scaleb(places))


def _now() -> dict[str, dt.datetime]:
    now = timezone.now()
    return {"created_at": now, "updated_at": now}
