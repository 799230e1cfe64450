"""What a customer buys: its taste, its baskets, what it sends back and when it pays."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Final
from zoneinfo import ZoneInfo

from config.demo.facts import LineFact, OrderFact
from config.demo.firm import Article, Firm, dice
from config.demo.shapes import HISTORY_DAYS, Shape, changed, order_days

SOURCE: Final = "erp"
SHOP: Final = "shop"

_PRICE_RISE_A_YEAR: Final = 0.03
_SHOP_SHARE: Final = 0.45  # of the orders of those who have an account there
_CANCELLED_SHARE: Final = 0.012
_MOST_LINES: Final = 8
_COMPANION_SHARE: Final = 0.8
_COMPANION_DAYS: Final = (8, 75)  # after the first purchase of the other


@dataclass(frozen=True)
class Buyer:
    """A customer as one who buys: `scale` is the size of its orders beside the firm's median one."""

    key: str
    shape: Shape
    scale: float
    uses_shop: bool
    currency: str
    rate: str


@dataclass(frozen=True)
class Taste:
    """The categories a customer buys from, dearest first, its articles in each, and its discount."""

    articles: dict[str, tuple[Article, ...]]
    discount: float

    @classmethod
    def of(cls, firm: Firm, rng: Random) -> Taste:
        by_category: dict[str, list[Article]] = {}
        for article in firm.articles:
            by_category.setdefault(article.category, []).append(article)
        chosen = rng.sample(sorted(by_category), rng.randint(3, 8))
        articles = {name: tuple(rng.sample(by_category[name], rng.randint(2, 5))) for name in chosen}
        return cls(articles, rng.choice((0.0, 0.0, 0.03, 0.05, 0.08, 0.12)))

    def categories(self, shape: Shape, ago: int) -> list[str]:
        """What is bought so many days ago: those who turn away drop categories, those who grow add some."""
        names = list(self.articles)
        if shape.narrowing:
            share = changed(0.3, shape.changing // 2, ago)
        elif shape.widening:
            share = changed(2.0, shape.changing, ago) / 2
        else:
            share = 1.0
        return names[: max(1, math.ceil(len(names) * share))]


def buy(firm: Firm, buyer: Buyer, season: Sequence[float], last: dt.date, rng: Random) -> list[OrderFact]:
    """Everything the customer orders in the history that ends on `last`, and what it sends back."""
    taste = Taste.of(firm, rng)
    punctuality = rng.randint(*buyer.shape.late_days)
    facts: list[OrderFact] = []
    days = sorted({working_day(firm, day, last) for day in order_days(buyer.shape, season, last, rng)})
    for day in days:
        ago = ((days[-1] if buyer.shape.ended else last) - day).days
        order = _order(firm, buyer, taste, day, ago, punctuality, last, rng)
        facts.append(order)
        if order.status == "placed" and rng.random() < buyer.shape.credit_share:
            facts.extend(_sent_back(firm, order, last, rng))
    return _with_companions(firm, buyer, facts)


def _with_companions(firm: Firm, buyer: Buyer, facts: list[OrderFact]) -> list[OrderFact]:
    """The same orders, with what many put beside a first purchase within some weeks: what cross-sell rules find."""
    rng = dice(firm.slug, buyer.key, "companions")
    by_name = {article.name: article for article in firm.articles}
    for first, then in firm.companions:
        bought, wanted = by_name[first].number, by_name[then]
        follows = rng.random() < _COMPANION_SHARE
        days = {
            number: next((fact.placed_at for fact in facts if _has(fact, number)), None)
            for number in (bought, wanted.number)
        }
        since, known = days[bought], days[wanted.number]
        if not follows or since is None or (known is not None and known <= since):
            continue
        for place, fact in enumerate(facts):
            waited = (fact.placed_at - since).days
            if waited in range(*_COMPANION_DAYS) and _is_placed(fact) and len(fact.lines) < _MOST_LINES:
                price = max(1, round(wanted.price / float(buyer.rate)))
                line = LineFact(wanted.number, wanted.pack, price)
                facts[place] = replace(fact, lines=(*fact.lines, line))
                break
    return facts


def _is_placed(fact: OrderFact) -> bool:
    return fact.kind == "order" and fact.status == "placed"


def _has(fact: OrderFact, number: str) -> bool:
    return _is_placed(fact) and any(line.article == number for line in fact.lines)


def working_day(firm: Firm, day: dt.date, last: dt.date) -> dt.date:
    """The day itself or the next one on which the firm works; the one before it at the end of the history."""
    step = dt.timedelta(days=1)
    following = day
    while following.weekday() not in firm.working_days:
        following += step
    if following <= last:
        return following
    while day.weekday() not in firm.working_days:
        day -= step
    return day


def moment(firm: Firm, day: dt.date, rng: Random, hours: tuple[int, int] = (8, 18)) -> dt.datetime:
    """A minute of the firm's local day, within opening hours unless others are given."""
    minute = rng.randrange(hours[0] * 60 + 15, hours[1] * 60)
    return dt.datetime.combine(day, dt.time(minute // 60, minute % 60), ZoneInfo(firm.timezone))


def _order(
    firm: Firm, buyer: Buyer, taste: Taste, day: dt.date, ago: int, punctuality: int, last: dt.date, rng: Random
) -> OrderFact:
    shape = buyer.shape
    in_shop = buyer.uses_shop and rng.random() < _SHOP_SHARE
    money = firm.order_money * buyer.scale * changed(shape.size, shape.changing, ago) * rng.lognormvariate(0, 0.3)
    lines = _basket(firm, buyer, taste, day, ago, money, rng)
    terms = rng.choice(firm.terms_days)
    late = punctuality + rng.randint(-3, 6)
    due_on = day if in_shop else day + dt.timedelta(days=terms)
    paid_on = day if in_shop else max(day, due_on + dt.timedelta(days=late))
    cancelled = shape.most_orders is None and rng.random() < _CANCELLED_SHARE
    return OrderFact(
        customer=buyer.key,
        source=SHOP if in_shop else SOURCE,
        kind="order",
        status="cancelled" if cancelled else "placed",
        placed_at=moment(firm, day, rng, (7, 23) if in_shop else (8, 18)),
        currency=buyer.currency,
        rate=buyer.rate,
        due_on=None if cancelled else due_on,
        paid_on=None if cancelled or paid_on > last else paid_on,
        lines=lines,
    )


def _basket(
    firm: Firm, buyer: Buyer, taste: Taste, day: dt.date, ago: int, money: float, rng: Random
) -> tuple[LineFact, ...]:
    choice: list[Article] = []
    weights: list[float] = []
    for category in taste.categories(buyer.shape, ago):
        months = firm.season_of.get(category)
        weight = 1.0 if months is None else 2.5 if day.month in months else 0.15
        for place, article in enumerate(taste.articles[category]):
            choice.append(article)
            weights.append(weight / (1 + place))
    wanted = min(_MOST_LINES, 1 + int(rng.expovariate(1 / 3.2)))
    picked = dict.fromkeys(rng.choices(choice, weights, k=wanted))  # no article twice, in the order chosen
    level = (1 + _PRICE_RISE_A_YEAR) ** (-(HISTORY_DAYS - _year_part(day, ago)) / 365) * (1 - taste.discount)
    lines = []
    for article in picked:
        price = max(1, round(article.price * level / float(buyer.rate)))
        packs = money / len(picked) / (article.price * article.pack) * rng.uniform(0.6, 1.5)
        lines.append(LineFact(article.number, article.pack * max(1, round(packs)), price))
    return tuple(lines)


def _year_part(day: dt.date, ago: int) -> int:
    """Days into the history, counted in half years: price lists change twice a year."""
    into = HISTORY_DAYS - ago
    return into - into % 182


def _sent_back(firm: Firm, order: OrderFact, last: dt.date, rng: Random) -> list[OrderFact]:
    """The credit note for a part of an order, some days after it; none when that day has not come."""
    day = working_day(firm, order.placed_at.date() + dt.timedelta(days=rng.randint(4, 24)), dt.date.max)
    if day > last:
        return []
    lines = tuple(
        LineFact(line.article, -max(1, round(line.quantity * rng.uniform(0.05, 0.4))), line.unit_price)
        for line in rng.sample(order.lines, min(len(order.lines), rng.randint(1, 2)))
    )
    return [
        OrderFact(
            customer=order.customer,
            source=SOURCE,
            kind="credit_note",
            status="placed",
            placed_at=moment(firm, day, rng),
            currency=order.currency,
            rate=order.rate,
            due_on=None,
            paid_on=None,
            lines=lines,
        )
    ]
