"""What one customer is worth, ready to print: lifetime value in both forms, and the scorecard with its evidence."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from django.db.models import Exists, OuterRef
from django.utils import formats
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext_lazy

from customers.models import Customer, Evidence
from segmentation.models import LifetimeFit, Tier, Worth
from segmentation.rules import clv
from segmentation.rules.policy import ValuePolicy
from segmentation.rules.rfm import window_start
from segmentation.rules.scorecard import REFERRED_MONEY, Line, Part, Scorecard
from segmentation.valuing import explain
from segmentation.words import LINES, PARTS, WHY_NO_MODEL, WHY_NO_POINTS, WHY_NO_VALUE
from tenants.models import Member
from tenants.policies import Policy
from tenants.templatetags.perennial import money

EVIDENCE_SHOWN: Final = 8
_BAR: Final = 96.0

_ALIVE: Final[Sequence[tuple[float, Promise]]] = (
    (0.9, pgettext_lazy("still a customer", "almost certainly")),
    (0.7, pgettext_lazy("still a customer", "probably")),
    (0.4, pgettext_lazy("still a customer", "perhaps")),
    (0.1, pgettext_lazy("still a customer", "probably not")),
    (0.0, pgettext_lazy("still a customer", "hardly")),
)

# ── lifetime value ──────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Value:
    """A customer's lifetime value; `worth` is None before the first night. Reasons are "" where there is a number."""

    worth: Worth | None
    fit: LifetimeFit | None = None
    discounted: clv.Discounted | None = None
    simple: clv.Simple | None = None
    no_discounted: str = ""
    no_simple: str = ""
    alive: str = ""
    days_to_last: int | None = None
    days_known: int | None = None
    next_orders: float | None = None
    next_money: Decimal | None = None
    """Expected orders × expected money of an order in the next 12 months, before margin and discount."""
    retained: str = ""

    @property
    def is_replaced(self) -> bool:
        """The model has been fitted anew since: the number stands, the way to it is gone until the next night."""
        return self.fit is None and self.worth is not None and self.worth.clv is not None


@dataclass(frozen=True)
class ScorePart:
    """A part of the scorecard: what it rests on, and what it adds. Widths are in units of a bar of 96."""

    name: str
    lines: Sequence[str]
    left_out: Sequence[str]
    part: Part
    track: str
    fill: str


@dataclass(frozen=True)
class Score:
    """The value scorecard; its parts' contributions and the rounding add up to the score."""

    card: Scorecard
    parts: Sequence[ScorePart]
    weights: str


@dataclass(frozen=True)
class Noted:
    """A piece of evidence, and what it counts, in words; who came is named to who sees them."""

    row: Evidence
    counts: str
    is_seen: bool


@dataclass(frozen=True)
class WorthCards:
    """Both cards of the page."""

    value: Value
    score: Score | None
    evidence: Sequence[Noted]
    has_older_evidence: bool


def worth_of(customer: Customer, policy: Policy, member: Member) -> WorthCards:
    """What the customer is worth as of the day on which the night last found out, with all that it rests on."""
    worth: Worth | None = Worth.objects.filter(customer=customer).select_related("fit").first()
    evidence, has_older = _evidence(customer, worth, policy.section(ValuePolicy), member)
    if worth is None:
        return WorthCards(Value(None), None, evidence, has_older)
    explained = explain(worth, policy)
    return WorthCards(
        value=_value(worth, explained.discounted, explained.simple),
        score=_score(worth, explained.scorecard),
        evidence=evidence,
        has_older_evidence=has_older,
    )


def _value(worth: Worth, discounted: clv.Discounted, simple: clv.Simple) -> Value:
    fit: LifetimeFit | None = worth.fit
    no_discounted = ""
    if discounted.why:
        reason = fit.reason if fit and discounted.why == "no_fit" else ""
        no_discounted = " ".join(
            str(words) for words in (WHY_NO_VALUE[discounted.why], WHY_NO_MODEL.get(reason)) if words
        )
    first, last = worth.first_order_on, worth.last_order_on
    orders = worth.expected_orders
    return Value(
        worth=worth,
        fit=fit,
        discounted=discounted,
        simple=simple,
        no_discounted=no_discounted,
        no_simple=str(WHY_NO_VALUE[simple.why]) if simple.why else "",
        alive=_alive(worth.alive),
        days_to_last=(last - first).days if first and last else None,
        days_known=(worth.valued_on - first).days - 1 if first else None,
        next_orders=orders,
        next_money=None
        if orders is None or worth.expected_order_money is None
        else (Decimal(str(orders)) * worth.expected_order_money).quantize(Decimal("0.01")),
        retained=_retained(simple),
    )


def _alive(share: float | None) -> str:
    return "" if share is None else str(next(words for line, words in _ALIVE if share >= line))


def _retained(simple: clv.Simple) -> str:
    """Whose retention counts: "298 of 305 Gold customers of a year ago ordered again"."""
    counted = simple.retention
    if counted is None:
        return ""
    values: dict[str, Any] = {"again": counted.again, "customers": counted.customers}
    if counted.tier == clv.EVERYBODY:
        return _("%(again)s of %(customers)s customers of a year ago ordered again since") % values
    values["tier"] = Tier(counted.tier).label
    return _("%(again)s of %(customers)s customers with tier %(tier)s a year ago ordered again since") % values


# ── scorecard ───────────────────────────────────────────────────────────────


def _score(worth: Worth, card: Scorecard) -> Score:
    heaviest = max((part.effective_weight or Decimal(part.weight) for part in card.parts), default=Decimal(1))
    tier = Tier(worth.tier).label if worth.tier else ""
    return Score(
        card=card,
        parts=[_part(part, worth, heaviest or Decimal(1)) for part in card.parts],
        weights=_("weights of %(tier)s") % {"tier": tier} if tier else _("usual weights"),
    )


def _part(part: Part, worth: Worth, heaviest: Decimal) -> ScorePart:
    weight = part.effective_weight if part.effective_weight is not None else Decimal(0)
    track = float(weight / heaviest) * _BAR
    lines = list(_lines(part, worth))
    if part.capped:
        lines.append(_("Together at most 100"))
    elif not lines and not part.unknown:
        lines.append(_("Nothing noted about this customer"))
    left_out = [str(WHY_NO_POINTS[part.unknown])] if part.unknown else []
    if part.unknown not in {"never_ordered", "not_kept"}:
        left_out += [
            _("%(line)s: %(why)s") % {"line": LINES[line.key], "why": WHY_NO_POINTS[line.unknown]}
            for line in part.lines
            if line.unknown and line.unknown != part.unknown
        ]
    return ScorePart(
        name=str(PARTS[part.key]),
        lines=lines,
        left_out=left_out,
        part=part,
        track=f"{track:.1f}",
        fill=f"{track * (part.score or 0) / 100:.1f}",
    )


def _lines(part: Part, worth: Worth) -> Iterator[str]:
    """What the part's points rest on: one line for each fact, evidence of one kind together."""
    by_kind: dict[str, list[Line]] = {}
    for line in part.lines:
        if line.points is None:
            continue
        if line.key == "money":
            share = math.floor((line.value or 0) * 10) / 10
            words = _("Net money %(money)s, more than %(share)s of the other customers: %(points)s") % {
                "money": money(worth.window_net), "share": f"{formats.number_format(share, 1)}%", "points": line.points,
            }  # fmt: skip
            yield _("%(line)s (counts twice)") % {"line": words} if worth.days_late is not None else words
        elif line.key == "payment":
            yield _pays(line.value or 0.0) % {"points": line.points}
        elif line.key == REFERRED_MONEY:
            yield _("Customers it referred brought %(money)s: %(points)s") % {
                "money": money(worth.referred_net), "points": line.points,
            }  # fmt: skip
        else:
            by_kind.setdefault(line.key, []).append(line)
    for kind, found in by_kind.items():
        yield _("%(kind)s × %(number)s: %(points)s") % {
            "kind": LINES[kind], "number": len(found), "points": sum(line.points or 0 for line in found),
        }  # fmt: skip


def _pays(days: float) -> str:
    """How it pays, with a place for the points."""
    count = formats.number_format(abs(days), None if days % 1 else 0)
    if days == 0:
        return _("Pays on the due day: %(points)s")
    number = math.ceil(abs(days))
    words = (
        ngettext("Pays %(days)s day late: %(points)s", "Pays %(days)s days late: %(points)s", number)
        if days > 0
        else ngettext("Pays %(days)s day early: %(points)s", "Pays %(days)s days early: %(points)s", number)
    )
    return words.replace("%(days)s", str(count))


# ── evidence ────────────────────────────────────────────────────────────────


def _evidence(customer: Customer, worth: Worth | None, rules: ValuePolicy, member: Member) -> tuple[list[Noted], bool]:
    named = Customer.objects.visible_to(member).filter(pk=OuterRef("referred_id"))
    rows = list(
        Evidence.objects.filter(customer=customer)
        .annotate(is_seen=Exists(named))
        .select_related("referred", "member__user")
        .order_by("-on", "-pk")[: EVIDENCE_SHOWN + 1]
    )
    counted = {number: points for number, _kind, points in worth.evidence} if worth else {}
    valued_on = worth.valued_on if worth else None
    shown = [Noted(row, _counts(row, counted, valued_on, rules), row.is_seen) for row in rows[:EVIDENCE_SHOWN]]
    return shown, len(rows) > EVIDENCE_SHOWN


def _counts(row: Evidence, counted: Mapping[Any, int], valued_on: dt.date | None, rules: ValuePolicy) -> str:
    if row.pk in counted:
        points = counted[row.pk]
        return ngettext("%(points)s point", "%(points)s points", points) % {"points": points}
    if valued_on is not None and row.on < window_start(valued_on, rules.evidence_months):
        months = rules.evidence_months
        return ngettext(
            "older than %(months)s month, counts no more", "older than %(months)s months, counts no more", months
        ) % {"months": months}
    return _("counts from the next night on")
