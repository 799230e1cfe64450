"""Certified and trained: the quarters that are over, one score that waits, and trainings in each state."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from config.demo.firm import Firm, dice
from config.demo.goals import QUARTERS
from customers.models import Customer
from incentives.growth.certifying import quarter_of, scores_from
from incentives.growth.facts import facts_of
from incentives.growth.services import (
    Given,
    add_customer,
    approve,
    confirm,
    customer_done,
    open_quarter,
    plan_training,
    score,
)
from incentives.models import Certification, Training
from incentives.rules.growth import DIMENSIONS
from incentives.rules.growth_policy import GrowthPolicy
from incentives.rules.kpis import Period
from tenants.context import current_tenant
from tenants.models import Member
from tenants.permissions import Role
from tenants.policies import active_policy

_SCORED_AFTER_DAYS: Final = 6
_CONFIRMED_AFTER_DAYS: Final = 9


@dataclass(frozen=True)
class _Words:
    """What reviewers, trainees and mentors write."""

    reasons: Sequence[str]
    note: str
    titles: Sequence[str]
    plan: str
    results: Sequence[str]
    said: str


_WORDS: Final[Mapping[str, _Words]] = {
    "en": _Words(
        reasons=(
            "Seen on two joint visits: knows the range and the terms by heart.",
            "Listened in on four calls: clear, friendly, a little fast at the end.",
            "Solved the mix-up of the March delivery without help.",
            "Got the warehouse and the driver to one table.",
        ),
        note="Keep the notes of calls as short and exact as they are now.",
        titles=("Offers in three steps", "Talking about a price rise", "The new range of paper bags"),
        plan="Read the script, listen in once, then try it with customers you know well.",
        results=("They asked for samples.", "They will think about it until Friday.", "Ordered on the phone."),
        said="Well prepared. You can do this on your own now.",
    ),
    "zh-hans": _Words(
        reasons=(
            "两次共同拜访：产品和付款条件都很熟。",
            "旁听四次电话：清楚、亲切，结尾说得快了一点。",
            "独立处理好三月的错发货。",
            "把仓库和司机叫到一起当面谈妥。",
        ),
        note="通话记录继续保持这样简短准确。",
        titles=("三步报价法", "怎样谈涨价", "新品纸袋知识"),
        plan="先读话术，旁听一次，再和熟悉的客户试。",
        results=("客户要样品。", "客户周五前答复。", "电话里就下单了。"),
        said="准备充分，可以独立上岗。",
    ),
}


def grow(firm: Firm, members: Mapping[str, Member], today: dt.date) -> None:
    """Certify the quarters that are over, leave one to be scored and one to be confirmed, and train three people."""
    executive = members[firm.staff(Role.EXECUTIVE)[0].email]
    words = _WORDS[firm.language]
    running = Period.of("quarter", today)
    past = running.back(QUARTERS + 1)[:-1]
    for quarter in past:
        open_quarter(quarter.last)
    open_quarter(today)
    rows = Certification.objects.filter(quarter__in=[each.start for each in past]).order_by("quarter", "member")
    for number, row in enumerate(rows.select_related("member__user", "reviewer__user").reverse()):
        if number and row.reviewer is not None:  # the last one waits to be scored
            _certify(firm, row, words, None if number == 1 else executive)
    _train(firm, [members[each.email] for each in firm.staff(Role.ACCOUNT_MANAGER)], words, today)


def _certify(firm: Firm, row: Certification, words: _Words, confirmer: Member | None) -> None:
    rng = dice(firm.slug, "certified", row.member.user.email, row.quarter)
    reviewer, quarter = row.reviewer, quarter_of(row)
    if reviewer is None:
        raise ValueError("Nobody reviews this one")
    by_facts = scores_from(facts_of(row.member, quarter), active_policy().section(GrowthPolicy).least_facts)
    said = {
        each: Given(rng.choice((55, 68, 74, 80, 85, 92)), words.reasons[place])
        for place, each in enumerate(DIMENSIONS)
        if by_facts[each] is None
    }
    score(certification=row, by=reviewer, given=said, note=words.note)
    tenant = current_tenant()
    when = {"scored_at": tenant.start_of(quarter.end + dt.timedelta(days=_SCORED_AFTER_DAYS)) + dt.timedelta(hours=16)}
    if confirmer is not None and confirmer.pk != reviewer.pk:
        confirm(certification=row, by=confirmer)
        when["confirmed_at"] = tenant.start_of(quarter.end + dt.timedelta(days=_CONFIRMED_AFTER_DAYS)) + dt.timedelta(
            hours=10
        )
    Certification.objects.filter(pk=row.pk).update(**when)


def _train(firm: Firm, people: Sequence[Member], words: _Words, today: dt.date) -> None:
    """One training that is approved, one of which the day is over, one that has just begun; mentors are colleagues."""
    for number, (days, done) in enumerate(((40, 3), (20, 2), (4, 1))):
        if len(people) < 2:
            return
        person, mentor = people[number % len(people)], people[(number + 1) % len(people)]
        starts_on = today - dt.timedelta(days=days)
        row = plan_training(
            by=person, member=person, mentor=mentor, title=words.titles[number], plan=words.plan, starts_on=starts_on
        )
        customers = Customer.objects.visible_to(person).filter(closed_on__isnull=True).order_by("pk")[:3]
        for place, customer in enumerate(customers):
            item = add_customer(training=row, by=person, customer=customer)
            if place < done:
                on = min(today, starts_on + dt.timedelta(days=3 + 4 * place))
                customer_done(item=item, by=person, on=on, note=words.results[place])
        row.refresh_from_db()
        if row.ready_on is not None:
            approve(training=row, by=mentor, said=words.said)
            Training.objects.filter(pk=row.pk).update(approved_on=row.ready_on + dt.timedelta(days=1))
