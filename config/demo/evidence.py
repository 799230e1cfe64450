"""What shows that some customers are worth more than their money, and what people think they could become."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from config.demo.facts import CustomerFact, EvidenceFact, OrderFact
from config.demo.firm import Firm, dice

_WITNESSES: Final = frozenset({"steady", "seasonal", "growing", "returning"})
_GROWTH: Final = {
    "growing": ("high", "high", "medium"),
    "steady": ("medium", "medium", "low", "high"),
    "seasonal": ("medium", "low"),
    "new": ("high", "medium", "", ""),
    "fading": ("low", "medium"),
    "irregular": ("low", "medium", ""),
}
_REFERRED_SHARE: Final = 0.45  # of new customers, by another one
_HOW_MANY: Final = {"endorsement": 12, "benchmark": 5, "co_development": 4, "cluster": 9}
_LONGEST_AGO_DAYS: Final = 500


def with_potential(firm: Firm, customer: CustomerFact) -> CustomerFact:
    """The same customer with its place in the industry and its growth, as far as somebody has said them."""
    rng = dice(firm.slug, customer.key, "potential")
    position = rng.choices((None, 1, 2, 3, 4, 5), (20, 8, 20, 28, 16, 8))[0]
    return replace(
        customer,
        industry_position=position,
        growth_potential=rng.choice(_GROWTH.get(customer.shape, ("", "low"))),
    )


def evidence(
    firm: Firm, customers: Sequence[CustomerFact], orders: Sequence[OrderFact], today: dt.date
) -> Iterator[EvidenceFact]:
    """Referrals of new customers, and who speaks for the firm, builds with it or draws others after it."""
    rng = dice(firm.slug, "evidence")
    first: dict[str, dt.date] = {}
    for order in orders:
        first.setdefault(order.customer, order.placed_at.date())
    witnesses = [fact for fact in customers if fact.shape in _WITNESSES and fact.owner_a and fact.closed_on is None]
    for fact in customers:
        if fact.shape == "new" and fact.key in first and rng.random() < _REFERRED_SHARE:
            on = first[fact.key] - dt.timedelta(days=rng.randint(3, 30))
            note = rng.choice(firm.words.evidence["referral"])
            yield EvidenceFact(rng.choice(witnesses).key, "referral", on, note, fact.key)
    for kind, number in _HOW_MANY.items():
        for witness in rng.sample(witnesses, min(number, len(witnesses))):
            on = today - dt.timedelta(days=rng.randint(5, _LONGEST_AGO_DAYS))
            yield EvidenceFact(witness.key, kind, on, rng.choice(firm.words.evidence[kind]))
