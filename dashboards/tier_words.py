"""Why a customer has its tier, in words: the facts that decided, each beside the line it met or missed."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.utils import formats
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from customers.models import Growth
from segmentation.models import Tier, TierChange
from segmentation.rules.policy import Scheme, TierPolicy
from segmentation.rules.tiers import TIER_ORDER
from tenants.base import POINTS
from tenants.templatetags.perennial import day, money

Facts = Mapping[str, Any]
"""What `tiers.assign` gives as `why`, as TierChange.facts keeps it; a fact may be missing in an old row."""


@dataclass(frozen=True)
class Because:
    """What the facts say about a tier: the lines that were met, and those of better tiers that were missed."""

    held: tuple[str, ...] = ()
    missed: tuple[str, ...] = ()


def scheme_of(tier: str) -> Scheme | None:
    """The scheme that has this tier; None for no tier."""
    return next((scheme for scheme, tiers in TIER_ORDER.items() if tier in tiers), None)


def because(tier: str, facts: Facts, rules: TierPolicy) -> Because:
    """The facts behind a tier, by the rules of the policy version that gave it.

    Shares are cut, not rounded, to one decimal: one that is printed as the line has reached it.
    """
    scheme = scheme_of(tier)
    if scheme is None or not facts:
        return Because()
    lines = {"wholesale": _wholesale, "callback": _callback, "sales-team": _sales_team, "starter": _starter}[scheme]
    said = list(lines(tier, facts, rules))
    return Because(tuple(words for met, words in said if met), tuple(words for met, words in said if not met))


def moved(change: TierChange, rules: TierPolicy) -> str:
    """What made the tier move, in a sentence; "" for a row that does not say."""
    move = change.facts.get("move", "")
    if move == "pin" and "reason" in change.facts:
        until = dt.date.fromisoformat(change.facts["until"])
        return _("Pinned until %(day)s: %(reason)s") % {"day": day(until), "reason": change.facts["reason"]}
    if move == "fall":
        days = rules.grace_days
        return ngettext("Below its line for %(days)s day.", "Below its line for %(days)s days.", days) % {"days": days}
    words = {
        "start": _("The first tier, by the first night with an order."),
        "rise": _("A rise counts at once."),
        "end": _("No order is left."),
        "scheme": _("The firm chose other tiers."),
        "pin": _("Pinned by a person; the facts did not decide."),
    }
    return words.get(move, "")


def explained(change: TierChange, rules: TierPolicy) -> str:
    """The whole reason for a change of tier in one line: what moved it, then the facts."""
    parts = [moved(change, rules)]
    if change.facts.get("move") != "pin":
        why = because(change.after, change.facts, rules)
        parts.append(_sentence((*why.held, *why.missed)))
    return pgettext("between sentences on one line", " ").join(filter(None, parts))


def _sentence(clauses: tuple[str, ...]) -> str:
    joined = pgettext("between reasons", "; ").join(clauses)
    return _("%(reasons)s.") % {"reasons": joined} if joined else ""


# ── the lines of each scheme: (met, words) ───────────────────────────────────

_Lines = Iterator[tuple[bool, str]]


def _wholesale(tier: str, facts: Facts, rules: TierPolicy) -> _Lines:
    years, points, growth = facts.get("relation_years"), facts.get("monetary"), facts.get("growth_potential")
    if tier == Tier.STRATEGIC:
        yield from _relation(years, rules.strategic_years, Tier.STRATEGIC)
        yield from _net(points, rules.strategic_money, Tier.STRATEGIC, rules)
    elif tier == Tier.KEY:
        by_money = points is not None and points >= rules.key_money * POINTS
        if by_money:
            yield from _net(points, rules.key_money, Tier.KEY, rules)
        else:
            yield from _growth(growth)
            yield from _relation(years, rules.key_years, Tier.KEY)
        yield from _only_missed(
            _relation(years, rules.strategic_years, Tier.STRATEGIC),
            _net(points, rules.strategic_money, Tier.STRATEGIC, rules),
        )
    else:
        yield from _net(points, rules.key_money, Tier.KEY, rules)
        yield from _growth(growth)
        if growth == Growth.HIGH:
            yield from _relation(years, rules.key_years, Tier.KEY)


def _callback(tier: str, facts: Facts, rules: TierPolicy) -> _Lines:
    gold = (
        *_share(
            facts.get("better_recency"),
            rules.gold_recency_best,
            Tier.GOLD,
            _("%(share)s ordered more recently (%(tier)s: under %(line)s)"),
        ),
        *_share(
            facts.get("better_money"),
            rules.gold_money_best,
            Tier.GOLD,
            _("%(share)s brought more net money (%(tier)s: under %(line)s)"),
        ),
    )
    silver = _share(
        facts.get("better_score"),
        rules.silver_best,
        Tier.SILVER,
        _("%(share)s have a higher R + F + M (%(tier)s: under %(line)s)"),
    )
    if tier == Tier.GOLD:
        yield from gold
    elif tier == Tier.SILVER:
        yield from silver
        yield from _only_missed(gold)
    else:
        yield from silver


def _sales_team(tier: str, facts: Facts, rules: TierPolicy) -> _Lines:
    points, share = facts.get("monetary"), facts.get("better_share")
    if points is not None and points <= 0:
        yield False, _("no net money in the window")
    else:
        yield from _share(
            share,
            rules.core_share,
            Tier.CORE,
            _("customers who brought more bring %(share)s of the money (%(tier)s: under %(line)s)"),
        )
    if tier == Tier.CORE:
        return
    potential = facts.get("potential")
    if potential is None:
        yield False, _("potential not known: neither industry position nor growth")
        return
    words = _("potential %(potential)s of 5 (%(tier)s: at least %(line)s)") % {
        "potential": _number(potential),
        "tier": Tier.POTENTIAL.label,
        "line": _number(rules.potential_from),
    }
    yield potential >= rules.potential_from, words


def _starter(tier: str, facts: Facts, rules: TierPolicy) -> _Lines:
    if facts.get("r") is not None:
        yield (
            True,
            _("scores R %(r)s, F %(f)s, M %(m)s (4 and 5 are high): segment %(segment)s")
            % {name: facts.get(name) for name in ("r", "f", "m", "segment")},
        )


def _only_missed(*lines: Any) -> _Lines:
    return ((met, words) for each in lines for met, words in each if not met)


def _share(share: float | None, line: int, tier: Tier, words: str) -> _Lines:
    if share is not None:
        cut = math.floor(round(share * 100) / 10) / 10
        written = f"{formats.number_format(cut, 1)}%"
        yield share < line, words % {"share": written, "tier": tier.label, "line": f"{line}%"}


def _net(points: int | None, line: int, tier: Tier, rules: TierPolicy) -> _Lines:
    if points is not None:
        words = ngettext(
            "net money %(money)s in %(months)s month (%(tier)s: at least %(line)s)",
            "net money %(money)s in %(months)s months (%(tier)s: at least %(line)s)",
            rules.window_months,
        )
        values = {"money": money(Decimal(points) / POINTS), "months": rules.window_months, "line": money(line)}
        yield points >= line * POINTS, words % {**values, "tier": tier.label}


def _relation(years: int | None, line: int, tier: Tier) -> _Lines:
    if years is not None:
        words = ngettext(
            "relation of %(years)s year (%(tier)s: at least %(line)s)",
            "relation of %(years)s years (%(tier)s: at least %(line)s)",
            years,
        )
        yield years >= line, words % {"years": years, "tier": tier.label, "line": line}


def _growth(growth: str | None) -> _Lines:
    if growth is not None:
        words = _("growth potential %(growth)s (%(tier)s: high)")
        yield growth == Growth.HIGH, words % {"growth": Growth(growth).label, "tier": Tier.KEY.label}


def _number(value: float) -> str:
    return str(formats.number_format(value, None if value != int(value) else 0))
