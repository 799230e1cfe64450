"""Two years of one firm: three hundred customers of every shape, up to the day before `today`."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from random import Random
from typing import Final, TypeVar

from config.demo.answers import answers
from config.demo.evidence import evidence, with_potential
from config.demo.facts import AnswerFact, ComplaintFact, ContactFact, CustomerFact, History, OrderFact, TalkFact
from config.demo.firm import Company, Firm, Person, dice
from config.demo.orders import SHOP, SOURCE, Buyer, buy
from config.demo.shapes import HISTORY_DAYS, SHAPES, Shape
from config.demo.talks import Party, talk
from tenants.permissions import Role

Said = TypeVar("Said", TalkFact, AnswerFact)

_FIRST_CUSTOMER: Final = 20_101
_FIRST_ORDER: Final = 61_001
_SHOP_ACCOUNTS: Final = 0.55  # share of customers who also have one
_NOBODYS: Final = 4  # new customers whom nobody owns yet
_DECIDING_TITLES: Final = 5  # the first of the firm's words; the main contact has one of these
_LONGEST_RELATION_YEARS: Final = 11


def write_history(firm: Firm, today: dt.date) -> History:
    """Everything that happened at the firm before `today`; the same firm and day give the same, word for word."""
    last = today - dt.timedelta(days=1)
    season = [firm.season(today - dt.timedelta(days=ago)) for ago in range(HISTORY_DAYS, 0, -1)]
    customers: list[CustomerFact] = []
    orders: list[OrderFact] = []
    talks: list[TalkFact] = []
    complaints: list[ComplaintFact] = []
    for customer, buyer, gap in _customers(firm, today):
        bought = buy(firm, buyer, season, last, dice(firm.slug, customer.key, "orders"))
        customer = _with_dates(firm, customer, buyer.shape, bought, last)
        party = Party(
            key=customer.key,
            shape=buyer.shape,
            contacts=tuple(contact.number for contact in customer.contacts),
            channel=customer.contacts[0].channel,
            ours=tuple(owner for owner in (customer.owner_a, customer.owner_b) if owner) or _anybody(firm),
            gap=gap,
        )
        said, wrong = talk(firm, party, bought, last, dice(firm.slug, customer.key, "talks"))
        customers.append(with_potential(firm, customer))
        orders += bought
        talks += said
        complaints += wrong
    numbered_talks, numbered_complaints = _numbered(talks, "T"), _numbered_complaints(complaints)
    return History(
        firm=firm.slug,
        today=today,
        customers=tuple(customers),
        orders=_numbered_orders(firm, orders),
        talks=numbered_talks,
        complaints=numbered_complaints,
        answers=_numbered(list(answers(firm, customers, numbered_talks, numbered_complaints, today)), "S"),
        evidence=tuple(evidence(firm, customers, sorted(orders, key=lambda order: order.placed_at), today)),
    )


def _anybody(firm: Firm) -> tuple[str, ...]:
    return (firm.staff(Role.TEAM_LEAD)[0].email,)


def _customers(firm: Firm, today: dt.date) -> Iterator[tuple[CustomerFact, Buyer, float]]:
    """Each customer, itself as a buyer, and the days between two contacts with it."""
    rng = dice(firm.slug, "customers")
    shapes = [shape for shape in SHAPES for _ in range(shape.customers)]
    rng.shuffle(shapes)
    seen: set[str] = set()
    nobodys = _NOBODYS
    for number, shape in enumerate(shapes, start=_FIRST_CUSTOMER):
        company = _new_name(firm, seen, rng)
        key = f"{firm.prefixes['customer']}{number}"
        owner_a, owner_b = _owners(firm, shape, rng)
        if shape.name in {"new", "never"} and nobodys and rng.random() < 0.4:
            nobodys -= 1
            owner_a = owner_b = None
        scale = min(9.0, max(0.12, rng.lognormvariate(0, 0.85)))
        uses_shop = rng.random() < _SHOP_ACCOUNTS
        ids = [(SOURCE, key)]
        if uses_shop:
            ids.append((SHOP, f"{firm.prefixes['shop_customer']}{rng.randrange(10**5, 10**6)}{number % 1000:03}"))
        notes = firm.words.notes.get(shape.name, ("",))
        customer = CustomerFact(
            key=key,
            shape=shape.name,
            name=company.name,
            country=company.country,
            city=company.city,
            industry=rng.choice(firm.words.industries),
            owner_a=owner_a.email if owner_a else None,
            owner_b=owner_b.email if owner_b else None,
            since=None,
            closed_on=None,
            note=rng.choice(notes),
            tags=tuple(sorted(rng.sample(firm.words.tags, rng.choices((0, 1, 2, 3), (4, 4, 2, 1))[0]))),
            external_ids=tuple(ids),
            contacts=tuple(_contacts(firm, key, company, today, rng)),
        )
        foreign = firm.foreign if firm.foreign and firm.foreign.country == company.country else None
        buyer = Buyer(
            key=key,
            shape=shape,
            scale=scale,
            uses_shop=uses_shop,
            currency=foreign.currency if foreign else firm.currency,
            rate=foreign.rate if foreign else "1",
        )
        yield customer, buyer, _contact_gap(shape, scale, rng)


def _new_name(firm: Firm, seen: set[str], rng: Random) -> Company:
    """A company nobody else is called like; its address is its own as well."""
    while True:
        company = firm.company(rng)
        if company.name not in seen and company.latin not in seen:
            seen.update((company.name, company.latin))
            return company


def _owners(firm: Firm, shape: Shape, rng: Random) -> tuple[Person | None, Person | None]:
    """An account manager and a colleague of the same team; of another team for customers covered from there."""
    managers = firm.staff(Role.ACCOUNT_MANAGER)
    owner = rng.choice(managers)
    covered_from_elsewhere = shape.name == "covered"
    others = [m for m in managers if m != owner and (m.team != owner.team) == covered_from_elsewhere]
    return owner, rng.choice(others)


def _contact_gap(shape: Shape, scale: float, rng: Random) -> float:
    if shape.most_orders == 0 or shape.name == "one_off":
        return rng.uniform(50, 110)
    if scale > 2:
        return rng.uniform(14, 30)
    return rng.uniform(28, 55) if scale > 0.8 else rng.uniform(45, 90)


def _contacts(firm: Firm, key: str, company: Company, today: dt.date, rng: Random) -> Iterator[ContactFact]:
    main = rng.choice(firm.words.titles[:_DECIDING_TITLES])
    titles = [main, *rng.sample([title for title in firm.words.titles if title != main], 2)]
    names: set[str] = set()
    for place in range(rng.choices((1, 2, 3), (5, 3, 2))[0]):
        name = firm.contact(rng)
        while name.latin in names:
            name = firm.contact(rng)
        names.add(name.latin)
        channel = rng.choices(list(firm.channels), list(firm.channels.values()))[0]
        consent = rng.choices(("given", "unknown", "withdrawn"), (72, 24, 4 if place else 0))[0]
        asked_on = today - dt.timedelta(days=rng.randint(20, 900))
        yield ContactFact(
            number=f"{key}-{place + 1}",
            name=name.shown,
            title=titles[place],
            email=f"{name.latin}@{company.latin}.example",
            phone=firm.phone(rng),
            wechat=f"{name.latin.replace('.', '_')}_{rng.randrange(100):02}" if "wechat" in firm.channels else "",
            birthday=_birthday(today, rng) if rng.random() < 0.7 else None,
            channel=channel,
            language=firm.language,
            consent=consent,
            consent_on=None if consent == "unknown" else asked_on,
        )


def _birthday(today: dt.date, rng: Random) -> dt.date:
    """Of somebody of 24 to 62 years."""
    return today - dt.timedelta(days=rng.randint(24 * 366, 62 * 365))


def _with_dates(
    firm: Firm, customer: CustomerFact, shape: Shape, orders: list[OrderFact], last: dt.date
) -> CustomerFact:
    """Since when, and until when, in agreement with the orders."""
    rng = dice(firm.slug, customer.key, "since")
    if not orders:
        return customer
    first = orders[0].placed_at.date()
    since = first
    if shape.began is None:
        since = first - dt.timedelta(days=rng.randint(30, _LONGEST_RELATION_YEARS * 365))
    closed_on = None
    if shape.name == "closed":
        closed_on = min(last, orders[-1].placed_at.date() + dt.timedelta(days=rng.randint(10, 90)))
    return replace(customer, since=since, closed_on=closed_on)


def _numbered_orders(firm: Firm, orders: list[OrderFact]) -> tuple[OrderFact, ...]:
    """Numbers run by time within ERP and shop; a credit note bears the ERP's number with its own prefix."""
    orders.sort(key=lambda order: (order.placed_at, order.customer))
    counters: Counter[str] = Counter()
    numbered = []
    for order in orders:
        counters[order.source] += 1
        kind = "credit" if order.kind == "credit_note" else "shop" if order.source == SHOP else "order"
        number = f"{firm.prefixes[kind]}{_FIRST_ORDER + counters[order.source]}"
        numbered.append(replace(order, number=number))
    return tuple(numbered)


def _numbered(said: list[Said], prefix: str) -> tuple[Said, ...]:
    said.sort(key=lambda fact: (fact.at, fact.customer))
    return tuple(replace(fact, number=f"{prefix}{number:06}") for number, fact in enumerate(said, start=1))


def _numbered_complaints(complaints: list[ComplaintFact]) -> tuple[ComplaintFact, ...]:
    complaints.sort(key=lambda wrong: (wrong.opened_at, wrong.customer))
    return tuple(replace(wrong, number=f"R{number:05}") for number, wrong in enumerate(complaints, start=1))
