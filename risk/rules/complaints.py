"""A complaint's four steps, their clocks, and what a topic is about (docs/rules/complaints.md)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from customers.rules.search import folded
from risk.rules.complaint_policy import ComplaintPolicy, Kind, Step
from tenants.rules.calendar import Calendar

NEXT: Final[Mapping[str, Step]] = {
    "open": "apologise",
    "apologised": "promise",
    "promised": "solve",
    "solved": "call_back",
}
"""The step that is due at each status; none when it is closed."""

WORDS: Final[Mapping[Kind, tuple[str, ...]]] = {
    # More special ones first: "wrong invoice" is about the invoice, "wrong goods delivered" about the goods.
    "billing": ("invoice", "price", "billing", "charge", "payment", "credit note", "发票", "价格", "账单", "付款", "对账", "开票"),
    "goods": (
        "wrong", "missing", "short", "incomplete", "not as ordered", "发错", "错发", "漏发", "少发", "缺货", "短少", "短缺", "型号不符",
    ),
    "quality": (
        "quality", "broken", "damage", "defect", "faulty", "leak", "stain", "colour", "color", "returned goods", "质量",
        "破损", "损坏", "瑕疵", "次品", "色差", "不良", "渗漏",
    ),
    "logistics": (
        "deliver", "shipment", "shipping", "late", "logistic", "transport", "courier", "carrier", "freight", "lost",
        "物流", "发货", "送货", "延误", "迟到", "运输", "快递", "交期", "到货",
    ),
    "technical": (
        "technical", "install", "manual", "training", "how to", "setting", "software", "login", "技术", "安装", "调试",
        "使用方法", "培训", "系统",
    ),
    "service": (
        "service", "reply", "answer", "response", "rude", "attitude", "unreachable", "nobody", "服务", "态度", "回复",
        "没人", "不理", "响应",
    ),
}  # fmt: skip
"""By which words a topic is recognised, in both languages, in the order in which they are tried."""


def kind_of(topic: str, text: str = "") -> Kind:
    """What a complaint is about, by the words of its topic, then of its text; "other" where none of them is known."""
    for said in (folded(topic), folded(text)):
        for kind, words in WORDS.items():
            if said and any(word in said for word in words):
                return kind
    return "other"


@dataclass(frozen=True)
class Clocks:
    """Until when each step is to be done, all moments in the firm's zone."""

    apologise_by: dt.datetime
    promise_by: dt.datetime
    solve_by: dt.datetime


def clocks(
    opened_at: dt.datetime, kind: str, *, is_serious: bool, policy: ComplaintPolicy, calendar: Calendar
) -> Clocks:
    """The first three clocks of a complaint, from when it was opened, in business time.

    A complaint that came in off hours begins with the next opening. Raises NeverOpensError for a firm that never works.
    """
    rule = policy.topic(kind)

    def within(hours: int) -> dt.datetime:
        return deadline(opened_at, hours, is_serious=is_serious, policy=policy, calendar=calendar)

    return Clocks(within(rule.apologise_hours), within(rule.promise_hours), within(rule.solve_hours))


def call_back_by(
    solved_at: dt.datetime, kind: str, *, is_serious: bool, policy: ComplaintPolicy, calendar: Calendar
) -> dt.datetime:
    """Until when the customer is called back after the solution, in business time."""
    hours = policy.topic(kind).call_back_hours
    return deadline(solved_at, hours, is_serious=is_serious, policy=policy, calendar=calendar)


def solve_again_by(
    now: dt.datetime, kind: str, *, is_serious: bool, policy: ComplaintPolicy, calendar: Calendar
) -> dt.datetime:
    """Until when what was reopened is to be solved: the topic's hours once more, from now."""
    hours = policy.topic(kind).solve_hours
    return deadline(now, hours, is_serious=is_serious, policy=policy, calendar=calendar)


def deadline(
    start: dt.datetime, hours: int, *, is_serious: bool, policy: ComplaintPolicy, calendar: Calendar
) -> dt.datetime:
    """So many business hours after a moment; for a serious complaint the policy's share of them."""
    needed = dt.timedelta(hours=hours) * (policy.serious_percent / 100 if is_serious else 1.0)
    found = calendar.deadline(start, needed)
    if found is None:
        raise ValueError("A clock without a pause always ends")
    return found
