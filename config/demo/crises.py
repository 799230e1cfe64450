"""Crises of the demo firms: one that runs since the last working day, one that was solved weeks ago, and a drill of it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from config.demo.firm import Firm
from customers.models import Contact, Customer, Order
from risk.cases import services as cases
from risk.incidents import reports
from risk.incidents.room import log, reckon
from risk.incidents.services import lay_out_steps
from risk.models import (
    Incident,
    IncidentClock,
    IncidentCompensation,
    IncidentEntry,
    IncidentLink,
    IncidentReport,
    IncidentSeat,
    IncidentStep,
)
from risk.rules.crisis_policy import CrisisPolicy
from segmentation.models import Standing
from tenants.calendars import firm_calendar
from tenants.models import Member
from tenants.policies import active_policy

MINUTE: Final = dt.timedelta(minutes=1)
SOLVED_AGO: Final = 40
DRILLED_AGO: Final = 12
"""Days since the crisis that is over, and since the drill of it."""


@dataclass(frozen=True)
class Words:
    """What is said in a firm's language. Lines: minutes of the clock on the wall, who, whether the customer sees it."""

    running: str
    happened: str
    lines: tuple[tuple[int, str, bool, str, str], ...]
    over: str
    why: str
    avoided: str
    offer: str
    lesson: str


WORDS: Final[dict[str, Words]] = {
    "zh": Words(
        running="4,800个礼盒印错蓝色",
        happened="采购来电：第一托盘所有礼盒的标志颜色偏深，要求按 Pantone 2945 C 重做。",
        lines=(
            (13, "contact", True, "", "已收到您的投诉和照片，确实是我们印错了颜色，上午给您第一次答复。"),
            (118, "contact", False, "", "客户的活动在本月28日，最晚25日必须收到礼盒。"),
            (158, "expert", True, "", "印刷已停止：2,600个已印，2,200个未印。"),
            (268, "expert", False, "cause", "印刷机用了旧的任务文件，更正后的蓝色在新文件里；换班时漏了放行检查。"),
            (323, "lead", True, "", "已在原纸板上打出新样，今天16:00前把照片和色值发给您。"),
            (340, "lead", True, "avoided", "今后新任务文件批准后，旧文件立即锁定；每批首件与您的样品比对。"),
        ),
        over="整车瓷砖晚到三天",
        why="承运商换车时漏装两托，我们没有在发车当天核对装车单。",
        avoided="自本月起发车当天核对装车单并拍照；晚于承诺一天自动通知客户。",
        offer="缺少的两托已由专车补送；本单减免运费。",
        lesson="发车当天核对装车单，比事后追车便宜得多。",
    ),
    "en": Words(
        running="4,800 gift boxes printed in the wrong blue",
        happened="Call from the buyer: the logo is too dark on all boxes of the first pallet. Wants Pantone 2945 C.",
        lines=(
            (13, "contact", True, "", "We have your complaint and your photo. The blue is wrong, you are right. You hear from us this morning."),
            (118, "contact", False, "", "Their event is on the 28th. They need the boxes on the 25th at the latest."),
            (158, "expert", True, "", "Printing is stopped. 2,600 boxes are printed, 2,200 are not."),
            (268, "expert", False, "cause", "The printer used the old job file; the corrected blue is in the new one. The release check was skipped at the shift change."),
            (323, "lead", True, "", "A new proof was printed on the original board. You get photo and colour values by 16:00."),
            (340, "lead", True, "avoided", "Old job files are locked when a new one is approved, and the first box of each job is compared with your sample."),
        ),
        over="A full load of tiles three days late",
        why="The haulier changed lorries and left two pallets behind; we had not checked the loading list on the day it left.",
        avoided="From this month the loading list is checked and photographed on the day; you hear of every delay over a day at once.",
        offer="The two missing pallets came by a lorry of their own. No freight is charged for this order.",
        lesson="Checking the loading list on the day is far cheaper than chasing a lorry.",
    ),
}  # fmt: skip


def run_crises(firm: Firm, members: dict[str, Member], today: dt.date) -> None:
    """Put the crises there, as the rooms would have left them."""
    words = WORDS["zh" if firm.language.startswith("zh") else "en"]
    best = Standing.objects.filter(customer__closed_on__isnull=True, customer__owner_a__isnull=False)
    ids = list(best.order_by("-monetary", "customer").values_list("customer", flat=True)[:2])
    customers = {row.pk: row for row in Customer.objects.filter(pk__in=ids).select_related("owner_a")}
    if len(ids) < 2:
        return
    people = _people(members)
    _running(customers[ids[0]], words, people, today)
    over = _over(customers[ids[1]], words, people, today - dt.timedelta(days=SOLVED_AGO))
    _over(customers[ids[1]], words, people, today - dt.timedelta(days=DRILLED_AGO), drill_of=over)


def _people(members: dict[str, Member]) -> dict[str, Member]:
    found: dict[str, Member] = {}
    for member in members.values():
        found.setdefault(str(member.role), member)
    owner = found.get("account_manager") or next(iter(members.values()))
    return {"lead": found.get("team_lead", owner), "executive": found.get("executive", owner)}


def _begin(customer: Customer, title: str, kind: str, what: str, opened_at: dt.datetime, **more: Any) -> Incident:
    policy = active_policy()
    order = Order.objects.filter(customer=customer, kind="order").order_by("-placed_on", "-pk").first()
    number = Incident.objects.count() + 1
    incident = Incident.objects.create(
        number=number, customer=customer, title=title, what=what, level="serious", kind=kind, order=order,
        value=max(order.net, Decimal(0)) if order else None, opened_at=opened_at, opened_by=customer.owner_a,
        policy_version=policy.number, calendar_version=policy.number, **more,
    )  # fmt: skip
    for name, minutes in policy.section(CrisisPolicy).clocks("serious").items():
        IncidentClock.objects.create(incident=incident, kind=name, target_minutes=minutes)
    lay_out_steps(incident, firm_calendar(policy))
    reckon(incident)
    log(incident, member=customer.owner_a, code="opened", text=what, facts={"level": "serious"}, at=opened_at)
    return incident


def _team(incident: Incident, people: dict[str, Member], at: dt.datetime) -> dict[str, Member]:
    contact = incident.customer.owner_a or people["lead"]
    seats = {"lead": people["lead"], "contact": contact, "expert": people["executive"]}
    for seat, member in seats.items():
        IncidentSeat.objects.create(
            incident=incident, seat=seat, member=member, named_by=people["lead"], named_at=at
        )  # fmt: skip
        IncidentStep.objects.filter(incident=incident, seat=seat).update(owner=member)
    facts = {"seats": [[seat, str(member)] for seat, member in seats.items()]}
    log(incident, member=people["lead"], code="team", facts=facts, is_visible=True, at=at)
    Incident.objects.filter(pk=incident.pk).update(team_revision=1)
    return seats


def _met(incident: Incident, code: str, kind: str, member: Member, at: dt.datetime) -> None:
    IncidentStep.objects.filter(incident=incident, code=code).update(status="done", done_at=at, done_by=member)
    if kind:
        IncidentClock.objects.filter(incident=incident, kind=kind).update(met_at=at, met_by=member)


def _running(customer: Customer, words: Words, people: dict[str, Member], today: dt.date) -> None:
    calendar = firm_calendar()
    day = calendar.on_or_before(today - dt.timedelta(days=1))
    opened_at = dt.datetime.combine(day, calendar.opens, tzinfo=calendar.zone) + 42 * MINUTE
    incident = _begin(
        customer, words.running, "wrong_product", words.happened, opened_at,
        needed_by=calendar.add_working_days(today, 3),
    )  # fmt: skip
    seats = _team(incident, people, opened_at + 83 * MINUTE)
    _met(incident, "acknowledge", "acknowledge", seats["contact"], opened_at + 13 * MINUTE)
    _met(incident, "name_team", "team", seats["lead"], opened_at + 83 * MINUTE)
    _met(incident, "stop_batch", "", seats["expert"], opened_at + 158 * MINUTE)
    _met(incident, "find_cause", "", seats["expert"], opened_at + 268 * MINUTE)
    for minutes, who, is_visible, about, text in words.lines:
        log(
            incident, member=seats[who], text=text, is_visible=is_visible, about=about, at=opened_at + minutes * MINUTE
        )  # fmt: skip
    asked_at = opened_at + 330 * MINUTE
    amount = ((incident.value or Decimal(10_000)) * 12 / 100).quantize(Decimal(1))
    IncidentCompensation.objects.create(
        incident=incident, kind="discount", amount=amount, needs="executive", asked_by=seats["lead"],
        asked_at=asked_at, policy_version=incident.policy_version,
    )  # fmt: skip
    contact = Contact.objects.filter(customer=customer, left_on__isnull=True).order_by("-is_main", "pk").first()
    if contact is not None:
        made_at, read_at = opened_at + 90 * MINUTE, opened_at + 327 * MINUTE
        days = active_policy().section(CrisisPolicy).link_days
        IncidentLink.objects.create(
            incident=incident, contact=contact, created_at=made_at, created_by=seats["contact"],
            expires_at=made_at + dt.timedelta(days=days), first_read_at=read_at, last_read_at=read_at, reads=2,
        )  # fmt: skip
        facts = {"did": "made", "name": contact.name}
        log(incident, member=seats["contact"], code="link", facts=facts, at=made_at)


def _over(
    customer: Customer, words: Words, people: dict[str, Member], day: dt.date, drill_of: Incident | None = None
) -> Incident:
    calendar = firm_calendar()
    day = calendar.on_or_before(day)
    opened_at = dt.datetime.combine(day, calendar.opens, tzinfo=calendar.zone) + 60 * MINUTE
    incident = _begin(
        customer, words.over, "late", "", opened_at, is_drill=drill_of is not None, drill_of=drill_of
    )  # fmt: skip
    seats = _team(incident, people, opened_at + 70 * MINUTE)
    closed_at = dt.datetime.combine(calendar.add_working_days(day, 3), calendar.opens, tzinfo=calendar.zone)
    ends = {
        "acknowledge": 20 * MINUTE, "team": 70 * MINUTE, "solution": 300 * MINUTE, "solved": closed_at - opened_at,
    }  # fmt: skip
    for kind, after in ends.items():
        IncidentClock.objects.filter(incident=incident, kind=kind).update(
            met_at=opened_at + after, met_by=seats["contact"]
        )
    IncidentStep.objects.filter(incident=incident).update(status="done", done_at=closed_at, done_by=seats["contact"])
    for minutes, about, text in (
        (200, IncidentEntry.About.CAUSE, words.why),
        (260, IncidentEntry.About.AVOIDED, words.avoided),
        (280, IncidentEntry.About.OFFER, words.offer),
    ):
        at = opened_at + minutes * MINUTE
        log(incident, member=seats["lead"], text=text, is_visible=True, about=about, at=at)
    IncidentReport.objects.create(
        incident=incident, language=reports.language_for(incident), why=words.why, avoided=words.avoided,
        offer=words.offer, cause_confirmed_at=closed_at, cause_confirmed_by=seats["expert"],
        updated_by=seats["lead"], sent_at=closed_at, sent_by=seats["lead"],
    )  # fmt: skip
    incident.closed_at, incident.closed_by, incident.outcome = closed_at, seats["lead"], "saved"
    incident.cause, incident.tried, incident.note = "late_delivery", ["faster_delivery"], words.lesson
    incident.save()
    log(incident, member=None, code="report", is_visible=True, at=closed_at)
    facts = {"outcome": "saved", "cause": "late_delivery"}
    log(incident, member=seats["lead"], code="closed", text=words.lesson, facts=facts, at=closed_at)
    cases.keep(incident=incident)
    return incident
