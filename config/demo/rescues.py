"""Complaints on their way, what closed alerts taught, and offers to customers that went: after the nights of the demo."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from config.demo.firm import Firm, dice
from config.demo.orders import moment
from customers.models import Complaint
from risk.cases import services as cases
from risk.complaints import services as complaints
from risk.complaints.people import Desk
from risk.models import Alert, Case, ComplaintNote, WinBack, WinBackTry
from risk.rules import complaints as rules
from risk.rules.causes import CAUSES
from risk.rules.complaint_policy import ComplaintPolicy
from risk.win_back.nightly import history as returns
from tenants.calendars import firm_calendar
from tenants.context import current_tenant
from tenants.policies import active_policy
from tenants.rules.calendar import Calendar

_WALKED_DAYS: Final = 150
"""Complaints of so many days have their steps written down; older ones were solved before anybody noted steps."""

_ON_TIME_SHARE: Final = 0.86
_OFFERED: Final = 14

# How often a cause is behind it, and what was then tried how often: of those that ended well, of the others.
_CAUSES: Final[Mapping[str, int]] = {
    "price": 6, "late_delivery": 5, "quality": 4, "competitor": 4, "slow_service": 3, "budget_cut": 3,
    "plan_changed": 2, "contact_left": 2, "need_ended": 1, "payment_terms": 1,
}  # fmt: skip
_TRIED: Final[Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "price": (("added_service", "added_service", "discount"), ("discount", "discount", "nothing")),
    "late_delivery": (("faster_delivery", "joint_visit"), ("nothing", "discount")),
    "quality": (("rework", "joint_visit"), ("rework", "nothing")),
    "competitor": (("executive_visit", "added_service"), ("discount", "nothing")),
}
_USUAL_TRIED: Final = (("joint_visit", "new_contact", "payment_terms"), ("nothing", "new_contact"))


@dataclass(frozen=True)
class _Words:
    """What people write, in the firm's language."""

    sorry: Sequence[str]
    under_way: Sequence[str]
    solutions: Sequence[str]
    lessons: Mapping[str, str]
    terms: Mapping[str, str]


_WORDS: Final[Mapping[str, _Words]] = {
    "en": _Words(
        sorry=("Called at once, said sorry and took it down", "Wrote back within the hour, no excuses"),
        under_way=("The carrier has found the pallet", "Replacement is packed, leaves tonight"),
        solutions=("Replacement sent by courier, carriage on us", "Credit note issued, order sent again", "Went there with a colleague and put it right"),
        lessons={
            "price": "Ask what the other offer includes before talking of a discount: it was the display service that decided.",
            "late_delivery": "Tell the customer the evening before, not the morning after.",
            "quality": "Go and look with somebody from the workshop; a photo was not enough.",
        },
        terms={"payment_terms": "60 days", "storage": "Three months free", "first_order": "5% off the first order", "trial": "Two cartons to try"},
    ),
    "zh-hans": _Words(
        sorry=("马上打电话道歉并做了记录", "一小时内回了微信，先道歉"),
        under_way=("物流已经找到那一车货", "补货已打包，今晚发出"),
        solutions=("补发并承担运费", "开了红字发票，重新发货", "和售后一起上门处理好了"),
        lessons={
            "price": "先问清楚对方报价里包含什么，再谈折扣：真正起作用的是增值服务。",
            "late_delivery": "头天晚上就告诉客户，不要等到第二天早上。",
            "quality": "带技术同事上门看，光看照片不够。",
        },
        terms={"payment_terms": "账期60天", "storage": "免仓储三个月", "first_order": "首单优惠5%", "trial": "免费试用两件"},
    ),
}  # fmt: skip


def walk_complaints(firm: Firm, today: dt.date) -> None:
    """Give the last months' complaints their holders, clocks and steps; the newest are still on their way."""
    tenant, policy = current_tenant(), active_policy()
    ours, calendar = policy.section(ComplaintPolicy), firm_calendar(policy)
    desk, words = Desk(ours), _WORDS[firm.language]
    end = tenant.start_of(today) + dt.timedelta(hours=10)
    rows = list(
        Complaint.objects.filter(opened_at__gte=end - dt.timedelta(days=_WALKED_DAYS), customer__closed_on__isnull=True)
        .select_related("customer")
        .order_by("pk")
    )
    notes: list[ComplaintNote] = []
    for row in rows:
        _walk(firm, row, ours, calendar, desk, end)
        rng = dice(firm.slug, "noted", row.external_id)
        if row.apologised_at is not None:
            notes.append(_note(row, row.apologised_at, rng.choice(words.sorry)))
        if row.promised_at is not None and rng.random() < 0.5:
            notes.append(_note(row, row.promised_at + dt.timedelta(minutes=30), rng.choice(words.under_way)))
        if row.solved_at is not None:
            row.solution = rng.choice(words.solutions)
    Complaint.objects.bulk_update(
        rows,
        [
            "kind", "assignee", "routed_at", "apologise_by", "promise_by", "solve_by", "call_back_by", "apologised_at",
            "promised_at", "promised_until",  "called_back_at", "is_content", "solution",
        ],
    )  # fmt: skip
    ComplaintNote.objects.bulk_create(notes)
    complaints.escalate_due(end)


def _walk(
    firm: Firm, row: Complaint, policy: ComplaintPolicy, calendar: Calendar, desk: Desk, end: dt.datetime
) -> None:
    rng = dice(firm.slug, "walked", row.external_id)
    row.kind = rules.kind_of(row.topic, row.text)
    row.assignee = desk.holder(row.kind, row.customer)
    row.routed_at = row.opened_at
    is_serious = row.severity == Complaint.Severity.SERIOUS
    due = rules.clocks(row.opened_at, row.kind, is_serious=is_serious, policy=policy, calendar=calendar)
    row.apologise_by, row.promise_by, row.solve_by = due.apologise_by, due.promise_by, due.solve_by

    def done(after: dt.datetime, by: dt.datetime) -> dt.datetime:
        """Somewhere between two moments, now and then too late."""
        part = rng.uniform(0.1, 0.9) if rng.random() < _ON_TIME_SHARE else rng.uniform(1.05, 1.6)
        return after + (by - after) * part

    row.apologised_at = done(row.opened_at, due.apologise_by)
    row.promised_at = max(row.apologised_at, done(row.opened_at, due.promise_by))
    row.promised_until = row.solve_by = max(due.solve_by, row.promised_at + dt.timedelta(hours=2))
    if row.solved_at is not None:
        row.apologised_at = min(row.apologised_at, row.solved_at)
        row.promised_at = min(row.promised_at, row.solved_at)
        row.call_back_by = rules.call_back_by(
            row.solved_at, row.kind, is_serious=is_serious, policy=policy, calendar=calendar
        )
        back = done(row.solved_at, row.call_back_by)
        if back < end:
            row.called_back_at, row.is_content = back, True
        return
    # Not solved: what lies ahead of the demo's morning is still to do.
    if row.promised_at > end:
        row.promised_at = row.promised_until = None
        row.solve_by = due.solve_by
    if row.apologised_at > end:
        row.apologised_at = None


def _note(row: Complaint, at: dt.datetime, text: str) -> ComplaintNote:
    return ComplaintNote(complaint=row, member=row.assignee, at=at, text=text, is_told=True)


def keep_cases(firm: Firm) -> None:
    """Every alert that somebody has closed is kept, with its cause and what was tried; some with a lesson."""
    words = _WORDS[firm.language]
    closed = Alert.objects.filter(outcome__in=cases.KEPT).select_related("customer", "closed_by").order_by("pk")
    for alert in closed:
        rng = dice(firm.slug, "kept", alert.customer.name, alert.signal, alert.opened_on)
        if alert.cause not in CAUSES:
            alert.cause = rng.choices(list(_CAUSES), list(_CAUSES.values()))[0]
        if not alert.tried and alert.outcome != Alert.Outcome.FALSE_ALARM:
            good, bad = _TRIED.get(alert.cause, _USUAL_TRIED)
            alert.tried = [rng.choice(good if alert.outcome == Alert.Outcome.SAVED else bad)]
        alert.save(update_fields=["cause", "tried"])
        case: Case | None = cases.keep(alert=alert)
        lesson = words.lessons.get(alert.cause)
        if case is not None and lesson and rng.random() < 0.25:
            cases.learn(case=case, lessons=lesson, cause=case.cause, tried=case.tried, text=case.text)


def offer_again(firm: Firm, today: dt.date) -> None:
    """The best of those who went were offered something in the last months; some said no, some do not answer."""
    if not returns().months:
        return
    words = _WORDS[firm.language]
    rows = WinBack.objects.filter(status=WinBack.Status.OPEN).select_related("customer__owner_a").order_by("-expected")
    for row in rows[:_OFFERED]:
        rng = dice(firm.slug, "offered", row.customer.name)
        offer = rng.choice(list(words.terms))
        at = moment(firm, today - dt.timedelta(days=rng.randint(3, 160)), rng)
        result = rng.choice(("waiting", "declined", "no_answer", "no_answer"))
        WinBackTry.objects.create(
            win_back=row, customer=row.customer, member=row.customer.owner_a, at=at, offer=offer,
            channel=rng.choice(("phone", "email", "visit")), terms=words.terms[offer], result=result,
            result_at=None if result == "waiting" else at + dt.timedelta(days=2),
        )  # fmt: skip
        row.status, row.tries = WinBack.Status.TRIED, 1
        row.save(update_fields=["status", "tries", "updated_at"])
