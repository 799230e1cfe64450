"""Referrals and service upgrades, and what was approved, paid and disputed since: around the nights of the demo."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Final

from django.db.models import Count, Min

from config.demo.firm import Firm, dice
from customers.models import Customer, Evidence, Order, Referral
from customers.services import record_referral
from incentives.ledger.services import approve, open_dispute, pay_out, record_upgrade, reply
from incentives.models import Reward
from incentives.rules.rewards import months_after
from tenants.events import acting
from tenants.models import Member
from tenants.permissions import Role

_BY_SURVEY_SHARE: Final = 0.2
_UPGRADES: Final = 4
_UPGRADE_MONTHS: Final = (4, 9)

_WORDS: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    "en": {
        "upgrades": ("Same-day delivery", "Display service", "Own contact for returns", "Stock kept for them"),
        "dispute": ("The second delivery is missing here.", "It was invoiced in the month after; look there."),
    },
    "zh-hans": {
        "upgrades": ("当日送达", "陈列服务", "专属售后联系人", "代管库存"),
        "dispute": ("这里少算了第二批货。", "第二批开票在次月，请在次月核对。"),
    },
}


def record_earnings(firm: Firm, today: dt.date) -> None:
    """Before the nights: whoever came by a recommendation is claimed, and some customers got a better service."""
    rng = dice(firm.slug, "referrals")
    came = Evidence.objects.filter(kind=Evidence.Kind.REFERRAL, referred__isnull=False)
    for row in came.select_related("customer__owner_a", "referred__owner_a").order_by("pk"):
        by_survey = rng.random() < _BY_SURVEY_SHARE
        owner = row.referred.owner_a or row.customer.owner_a
        if owner is None:
            continue
        with acting(owner):
            record_referral(
                referrer=row.customer, customer=row.referred, on=row.on, member=owner, note=row.note,
                origin=Referral.Origin.SURVEY if by_survey else Referral.Origin.BY_HAND,
            )  # fmt: skip
    old = Order.objects.filter(kind=Order.Kind.ORDER, status=Order.Status.PLACED).values("customer")
    known = old.annotate(first=Min("placed_on"), orders=Count("pk")).filter(first__lt=today - dt.timedelta(days=600))
    best = list(known.order_by("-orders", "customer").values_list("customer", flat=True)[: _UPGRADES * 3])
    chosen = rng.sample(best, min(_UPGRADES, len(best)))
    words = _WORDS[firm.language]["upgrades"]
    for number, customer in enumerate(Customer.objects.filter(pk__in=chosen).select_related("owner_a").order_by("pk")):
        on = months_after(today, -rng.randint(*_UPGRADE_MONTHS))
        if customer.owner_a is None:
            continue
        with acting(customer.owner_a):
            record_upgrade(customer=customer, on=on, what=words[number % len(words)], member=customer.owner_a)


def settle_earnings(firm: Firm, members: Mapping[str, Member], today: dt.date) -> None:
    """After the nights: what is older is approved and paid, some is disputed, the rest waits for the lead."""
    executive = members[firm.staff(Role.EXECUTIVE)[0].email]
    rows = Reward.objects.order_by("earned_on", "pk")
    before = today.replace(day=1)
    with acting(executive):
        approve(rewards=list(rows.filter(earned_on__lt=before).values_list("pk", flat=True)), member=executive)
        pay_out(member=executive)
    mine = rows.filter(kind=Reward.Kind.STAFF, pending__gt=0).select_related("member").first()
    if mine is None or mine.member is None:
        return
    said, answer = _WORDS[firm.language]["dispute"]
    with acting(mine.member):
        dispute = open_dispute(reward=mine, member=mine.member, text=said, key="demo")
    with acting(executive):
        reply(dispute=dispute, member=executive, text=answer, key="demo-answer")
