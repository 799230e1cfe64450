"""What a month or a week came to, for the firm, a team or a person, as JSON values that a report keeps.

No words: a report is read in more than one language. Money is kept as text, days as ISO dates. Customers count for their
A owner, as on the desks (docs/rules/team.md, docs/rules/reports.md).
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any, Final

from django.db.models import Count, F, FilteredRelation, Q, QuerySet, Sum
from django.utils import timezone

from customers.models import Customer
from dashboards.querysets import red_without_action
from dashboards.team import figures
from dashboards.team.crew import Crew, crew, crew_of_one
from dashboards.team.lapses import lapsed_between
from followups.cover import coverage
from followups.models import FollowUp
from health.figures import BANDS, trend_of
from health.models import BandCount
from incentives.kpis.figures import Stands, Value, Who, jobs_on, score_cards
from incentives.models import Medal, Reward
from incentives.rules.kpis import CODES, Period
from incentives.rules.reports import Kind
from risk.alerts.filters import answered_in_time
from risk.models import Alert, Case, Incident
from risk.overview.figures import clocks_of
from segmentation.figures import tier_moves
from segmentation.rules.policy import TierPolicy
from segmentation.rules.rfm import window_start
from tenants.context import current_tenant
from tenants.models import Member, Run, Team
from tenants.policies import Policy, active_policy
from tenants.querysets import last_night, nights_done

Facts = dict[str, Any]

DAY: Final = dt.timedelta(days=1)
REDS_NAMED: Final = 5
"""Customers whom a digest names; the others are counted."""


@dataclass
class Sources:
    """The figures of a period, of the whole firm: read once, however many reports are made of them."""

    period: Period
    today: dt.date

    @cached_property
    def until(self) -> dt.date:
        """Facts of days before it count."""
        return self.period.until(self.today)

    @property
    def last(self) -> dt.date:
        """The last day whose facts count; the day before the period where none has passed."""
        return self.until - DAY

    @cached_property
    def night(self) -> Run | None:
        return last_night()

    @cached_property
    def policy(self) -> Policy:
        return active_policy()

    @cached_property
    def stands(self) -> Stands:
        return Stands([self.period])

    @cached_property
    def moved(self) -> tuple[dt.date, dt.date] | None:
        """The days between which moves of tiers are looked at; None before the first night, or within a single one."""
        if self.night is None:
            return None
        first = nights_done().order_by("for_date").values_list("for_date", flat=True).first()
        start, end = max(self.period.start, first or self.period.start), min(self.until, self.night.for_date)
        return (start, end) if start < end else None

    @cached_property
    def moves(self) -> list[Facts]:
        """owner, before, after, customers and money (points) between the days of `moved`."""
        if self.moved is None:
            return []
        start, end = self.moved
        window = window_start(end, self.policy.section(TierPolicy).window_months)
        rows = tier_moves(start, end, window, by_owners=True).rename({"owner_a_id": "owner"})
        return rows.to_dicts()

    @cached_property
    def lapses(self) -> list[Facts]:
        """owner, why, customers and money of who lapsed in the period."""
        joined = Customer.objects.annotate(
            standing=FilteredRelation("standings", condition=Q(standings__tenant_id=current_tenant().pk))
        )
        days = self.policy.section(TierPolicy).lapsed_days
        rows: Any = lapsed_between(joined, self.period.start, self.last, days).order_by()
        found: defaultdict[tuple[int | None, str], list[Any]] = defaultdict(lambda: [0, Decimal(0)])
        for owner, why, money in rows.values_list("owner_a", "lapse_class", "lapse_money").iterator():
            found[owner, why][0] += 1
            found[owner, why][1] += money
        return [
            {"owner": owner, "why": why, "customers": count, "money": money}
            for (owner, why), (count, money) in found.items()
        ]

    @cached_property
    def covered(self) -> list[Facts]:
        """owner, tier, in_time and due of the planned touches of the period."""
        lines = coverage.coverage(None, self.period.start, self.last)
        return [
            {"owner": line.person, "tier": line.tier, "in_time": line.in_time, "due": line.due}
            for line in lines
            if line.due
        ]


def crew_for(who: Who) -> Crew:
    """Whose customers a report counts."""
    if who.kind == "person":
        return crew_of_one(Member.objects.select_related("user", "team").get(pk=who.pk))
    return crew(Team.objects.get(pk=who.pk) if who.kind == "team" else None)


def gather(kind: Kind, who: Who, sources: Sources) -> Facts:
    """All that a report says; `sources` are of its period."""
    of, found = crew_for(who), sources
    facts: Facts = {
        "kind": kind,
        "period": found.period.code,
        "who": who.code,
        "name": str(of.team or of.person or ""),
        "start": str(found.period.start),
        "last": str(max(found.last, found.period.start)),
        "as_of": str(found.until),
        "is_over": found.until == found.period.end,
        "made_at": timezone.now().isoformat(),
        "night": str(found.night.for_date) if found.night else None,
        "policy": found.policy.number,
        "scope": {"team": who.pk} if who.kind == "team" else {"owner_a": who.pk} if who.kind == "person" else {},
    }
    facts["kpis"] = _kpis(who, found)
    if kind == "weekly":
        facts["now"] = _now(of, found)
    else:
        facts["people"] = _people(of, who, found)
    facts |= {
        "lapses": _lapses(of, found),
        "health": _health(of, found),
        "coverage": _coverage(of, found),
        "alerts": _alerts(of, found),
        "crises": _crises(of, found),
    }
    if kind == "monthly":
        facts |= {
            "causes": _causes(of, found),
            "moves": _moves(of, found),
            "cases": _cases(of, found),
            "rewards": _rewards(of, who, found),
            "medals": _medals(who, found),
        }
    return facts | {"missing": _missing(facts, found)}


# ── what is measured ────────────────────────────────────────────────────────


def _kpis(who: Who, found: Sources) -> Facts:
    values = [found.stands.value(code, found.period, who) for code in CODES]
    return {
        "as_of": str(found.stands.as_of(found.period)),
        "is_closed": found.stands.closing(found.period) is not None,
        "values": [_value(each) for each in values],
    }


def _value(value: Value) -> Facts:
    return {
        "kpi": value.code,
        "value": _text(value.value),
        "target": _text(value.target),
        "achieved": _text(value.achieved),
        "numerator": _text(value.numerator),
        "denominator": _text(value.denominator),
        "corrected": _text(value.corrected.value) if value.corrected else None,
        "is_corrected": value.corrected is not None,
    }


def _people(of: Crew, who: Who, found: Sources) -> list[Facts]:
    """The score cards of who was measured, or credited with anything: who needs help first."""
    credited = found.stands.people(found.period, who.pk if who.kind == "team" else None)
    others = Member.objects.select_related("user", "team").filter(pk__in=credited - set(of.ids))
    people = [*(member for member in of.members if member.is_active or member.pk in credited), *others]
    jobs = jobs_on(found.period.last, people)
    cards = score_cards([each for each in people if jobs[each.pk]], found.period, found.stands)
    theirs = set(of.ids)
    known = [card for card in cards if card.score is not None or card.member.is_active]
    known.sort(key=lambda card: (card.score is None, card.score or 0, str(card.member), card.member.pk))
    return [
        {
            "member": card.member.pk,
            "name": str(card.member),
            "job": card.job,
            "score": _text(card.score),
            "is_theirs": card.member.pk in theirs,
        }
        for card in known
    ]


# ── customers: lost, moved, well ────────────────────────────────────────────


def _lapses(of: Crew, found: Sources) -> list[Facts]:
    return [
        {"why": why, "customers": count, "money": str(money)}
        for why, (count, money) in _summed(of.of(found.lapses), "why").items()
    ]


def _summed(cells: Iterable[Facts], key: str) -> dict[Any, tuple[int, Decimal]]:
    sums: defaultdict[Any, list[Any]] = defaultdict(lambda: [0, Decimal(0)])
    for cell in cells:
        sums[cell[key]][0] += cell["customers"]
        sums[cell[key]][1] += cell["money"]
    return {each: (count, money) for each, (count, money) in sorted(sums.items())}


def _moves(of: Crew, found: Sources) -> Facts | None:
    if found.moved is None:
        return None
    cells = figures.moves_of(found.moves, of)
    scheme = found.policy.section(TierPolicy).scheme
    return {
        "from": str(found.moved[0]),
        "to": str(found.moved[1]),
        "scheme": scheme,
        "months": found.policy.section(TierPolicy).window_months,
        "cells": [
            {"before": before, "after": after, "customers": count, "money": str(money)}
            for (before, after), (count, money) in sorted(cells.items())
            if before or after
        ],
    }


def _health(of: Crew, found: Sources) -> Facts | None:
    """How many had which colour on the last night of the period, and on the last before it."""
    then = trend_of(of.owned("owner"), found.period.start, 1)
    now = trend_of(of.owned("owner"), found.until, 1)
    if not now:
        return None
    first, last = then[-1] if then else None, now[-1]
    return {
        "from": str(first.on) if first else None,
        "to": str(last.on),
        "bands": [
            {
                "band": band,
                "before": first.customers.get(band, 0) if first else None,
                "after": last.customers.get(band, 0),
                "money": str(last.money.get(band, Decimal(0))),
            }
            for band in BANDS
        ],
    }


# ── work: touches, alerts, crises, cases, rewards ───────────────────────────


def _coverage(of: Crew, found: Sources) -> list[Facts]:
    sums: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0])
    for cell in of.of(found.covered):
        sums[cell["tier"]][0] += cell["in_time"]
        sums[cell["tier"]][1] += cell["due"]
    return [{"tier": tier, "in_time": made, "due": due} for tier, (made, due) in sorted(sums.items())]


def _alerts(of: Crew, found: Sources) -> list[Facts]:
    opened = Alert.objects.filter(
        of.owned("customer__owner_a"), opened_on__gte=found.period.start, opened_on__lte=found.last
    )
    clocks, total = clocks_of(opened)
    return [
        {
            "level": clock.level,
            "in_time": clock.in_time,
            "late": clock.late,
            "running": clock.running,
            "needless": clock.needless,
            "half": _seconds(clock.p50),
            "most": _seconds(clock.p90),
        }
        for clock in (*clocks, total)
        if clock.judged + clock.running + clock.needless
    ]


def _crises(of: Crew, found: Sources) -> Facts:
    opened = Incident.objects.filter(
        of.owned("customer__owner_a"),
        is_drill=False,
        opened_at__gte=current_tenant().start_of(found.period.start),
        opened_at__lt=current_tenant().start_of(found.until),
    )
    by_level = dict(opened.order_by().values_list("level").annotate(Count("pk")))
    clocks = figures.clocks(of, found.period.start, timezone.now(), found.until)
    return {
        "levels": [{"level": level, "opened": by_level[level]} for level in Incident.Level.values if level in by_level],
        "met": sum(cell.met for cell in clocks.values()),
        "ended": sum(cell.ended for cell in clocks.values()),
    }


def _closed_cases(of: Crew, found: Sources) -> QuerySet[Case]:
    rows: QuerySet[Case] = Case.objects.filter(
        of.owned("customer__owner_a"), closed_on__gte=found.period.start, closed_on__lte=found.last
    )
    return rows


def _causes(of: Crew, found: Sources) -> list[Facts]:
    """By cause, the cases that closed: how many, how many were kept or won back, and the money lost for good."""
    lost = Q(outcome=Case.Outcome.LOST)
    rows = (
        _closed_cases(of, found)
        .exclude(outcome=Case.Outcome.FALSE_ALARM)
        .order_by()
        .values_list("cause")
        .annotate(
            cases=Count("pk"),
            good=Count("pk", filter=Q(outcome=Case.Outcome.SAVED) | (lost & Q(won_back_on__isnull=False))),
            money=Sum("money", filter=lost & Q(won_back_on__isnull=True)),
        )
    )
    found_ = [
        {"cause": cause, "cases": cases, "good": good, "lost": str(money or 0)} for cause, cases, good, money in rows
    ]
    return sorted(found_, key=lambda each: (each["cause"] == "", -each["cases"], each["cause"]))


def _cases(of: Crew, found: Sources) -> list[Facts]:
    """By how they ended, the cases that closed, and the yearly money of their customers."""
    lost = Q(outcome=Case.Outcome.LOST)
    ends = {
        "saved": Q(outcome=Case.Outcome.SAVED),
        "won_back": lost & Q(won_back_on__isnull=False),
        "lost": lost & Q(won_back_on__isnull=True),
        "false_alarm": Q(outcome=Case.Outcome.FALSE_ALARM),
    }
    rows = _closed_cases(of, found)
    counts = rows.aggregate(**{end: Count("pk", filter=which) for end, which in ends.items()})
    money = rows.aggregate(**{end: Sum("money", filter=which) for end, which in ends.items()})
    return [{"end": end, "cases": counts[end], "money": str(money[end] or 0)} for end in ends if counts[end]]


def _rewards(of: Crew, who: Who, found: Sources) -> list[Facts]:
    """What was earned in the period: of a team by person, of the firm by kind; money and points apart."""
    rows = Reward.objects.filter(earned_on__gte=found.period.start, earned_on__lte=found.last).order_by()
    sums = {
        "rewards": Count("pk"),
        "entitled_": Sum("entitled"),
        "correction_": Sum("correction"),
        "pending_": Sum("pending"),
        "paid_": Sum("paid"),
    }
    if who.kind == "tenant":
        groups = [({"kind": row.pop("kind")}, row) for row in rows.values("kind").annotate(**sums)]
        groups.sort(key=lambda each: Reward.Kind.values.index(each[0]["kind"]))
    else:
        staff = rows.filter(kind=Reward.Kind.STAFF, member__in=of.ids)
        names = {member.pk: str(member) for member in of.members}
        groups = [
            ({"kind": Reward.Kind.STAFF.value, "member": row["member"], "name": names[row.pop("member")]}, row)
            for row in staff.values("member").annotate(**sums)
        ]
        groups.sort(key=lambda each: each[0]["name"])
    return [
        {
            **of_what,
            "rewards": row["rewards"],
            "amount": str(row["entitled_"] + row["correction_"]),
            "pending": str(row["pending_"]),
            "paid": str(row["paid_"]),
        }
        for of_what, row in groups
    ]


def _medals(who: Who, found: Sources) -> list[Facts]:
    """The medals of the month that are held: of the firm, a team, or a person."""
    rows = Medal.objects.held().filter(month=found.period.start).select_related("member__user").order_by("pk")
    if who.kind != "tenant":
        rows = rows.filter(**({"team": who.pk} if who.kind == "team" else {"member": who.pk}))
    order = Medal.Kind.values
    held = sorted(rows, key=lambda medal: order.index(medal.kind))
    return [{"medal": row.kind, "name": str(row.member), "reason": row.reason} for row in held]


# ── what waits now ──────────────────────────────────────────────────────────


def _now(of: Crew, found: Sources) -> Facts:
    """What needs somebody on the day the digest is made."""
    joined = Customer.objects.filter(of.owned()).annotate(
        standing=FilteredRelation("standings", condition=Q(standings__tenant_id=current_tenant().pk))
    )
    idle: QuerySet[Any] = red_without_action(joined.annotate(worth=F("standing__monetary")), found.today)
    sums = idle.aggregate(customers=Count("pk"), money=Sum("worth"))
    first = idle.order_by(F("worth").desc(nulls_last=True), "pk").values_list("pk", "name", "worth")[:REDS_NAMED]
    late = FollowUp.objects.filter(status=FollowUp.Status.OPEN, day__lt=found.today)
    alerts = Alert.objects.filter(of.owned("customer__owner_a"), answered_in_time(in_time=False), closed_on=None)
    reds = BandCount.objects.filter(of.owned(), band="red").aggregate(customers=Sum("customers"))
    return {
        "day": str(found.today),
        "idle": sums["customers"],
        "idle_money": str(sums["money"] or 0),
        "reds": reds["customers"] or 0,
        "named": [{"customer": pk, "name": name, "money": _text(money)} for pk, name, money in first],
        "overdue": late.filter(assignee__in=[person.pk for person in of.people]).count(),
        "late_alerts": alerts.count(),
        "crises": Incident.objects.filter(
            of.owned("customer__owner_a"), closed_at__isnull=True, is_drill=False
        ).count(),
    }


# ── what is missing ─────────────────────────────────────────────────────────


def _missing(facts: Facts, found: Sources) -> list[Facts]:
    """What a reader must know to read the numbers right, as codes with what their sentences need."""
    missing: list[Facts] = []
    if not facts["is_over"]:
        missing.append({"code": "running", "until": facts["as_of"]})
    elif not facts["kpis"]["is_closed"]:
        missing.append({"code": "not_closed"})
    if found.night is None:
        missing.append({"code": "no_night"})
    elif found.moved is None or found.moved[0] > found.period.start:
        missing.append({"code": "first_night", "day": str(found.moved[0] if found.moved else found.night.for_date)})
    elif found.night.for_date < found.until:
        missing.append({"code": "old_night", "day": str(found.night.for_date)})
    if facts["health"] is None or facts["health"]["from"] is None:
        missing.append({"code": "no_health_before"})
    unmeasured = [each["kpi"] for each in facts["kpis"]["values"] if each["value"] is None]
    if unmeasured:
        missing.append({"code": "unmeasured", "kpis": unmeasured})
    if any(each["is_corrected"] for each in facts["kpis"]["values"]):
        missing.append({"code": "corrected"})
    return missing


def _text(value: Decimal | None) -> str | None:
    return None if value is None else str(value)


def _seconds(time: dt.timedelta | None) -> int | None:
    return None if time is None else int(time.total_seconds())
