"""Goals of a quarter, in the four steps of plan, do, check, act (PDCA): what may follow what, and how a goal ended."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final, Literal

from incentives.rules.kpis import Kpi

State = Literal["plan", "do", "check", "act", "closed"]
Verb = Literal["start", "check", "act", "close"]
Verdict = Literal["reached", "better", "missed", "unknown"]

STEPS: Final[Mapping[Verb, tuple[State, State]]] = {
    "start": ("plan", "do"),
    "check": ("do", "check"),
    "act": ("check", "act"),
    "close": ("act", "closed"),
}
"""Each step leads from one state to the next; no other way leads anywhere."""


def next_verb(state: State) -> Verb | None:
    """What can be done next; None when it is closed."""
    return next((verb for verb, (before, _after) in STEPS.items() if before == state), None)


def is_better(kpi: Kpi, value: Decimal, than: Decimal) -> bool:
    """Whether a value of a KPI is better than another one."""
    return value > than if kpi.better == "up" else value < than


def verdict(kpi: Kpi, baseline: Decimal, target: Decimal, result: Decimal | None) -> Verdict:
    """How a goal ended: reached (at the target or beyond), better than the baseline, not better, or not measured."""
    if result is None:
        return "unknown"
    if result == target or is_better(kpi, result, target):
        return "reached"
    return "better" if is_better(kpi, result, baseline) else "missed"


def way(baseline: Decimal, target: Decimal, value: Decimal | None) -> int | None:
    """How much of the way from the baseline to the target is done, in whole percent, 0 to 100; None without a value."""
    if value is None or target == baseline:
        return None
    return int(max(Decimal(0), min(Decimal(100), (value - baseline) * 100 / (target - baseline))))
