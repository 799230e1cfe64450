"""Where one customer stands: tier, why and since when, grace, pin, what other schemes would say, and its stage."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from customers.asked import OfCustomer
from customers.models import Customer
from dashboards.tier_words import Because, because, explained, scheme_of
from segmentation.models import Stage, Standing, Tier, TierChange, TierPin
from segmentation.rules import stages
from segmentation.rules.policy import SCHEMES, Scheme, TierPolicy
from segmentation.rules.tiers import BY_SCHEME, SEGMENT_TIERS, TIER_ORDER
from tenants.context import current_tenant
from tenants.models import PolicyVersion, Run
from tenants.policies import Policy
from tenants.policy_words import PACK_LABELS

CHANGES_SHOWN: Final = 6


@dataclass(frozen=True)
class Falling:
    """Below the line of its tier since a day; on `on` it falls to `to`, unless it is back by then."""

    since: dt.date
    on: dt.date
    to: str


@dataclass(frozen=True)
class Change:
    """A change of tier with the reason in words; the first tier has no `before`."""

    row: TierChange
    before: str
    after: str
    why: str


@dataclass(frozen=True)
class Tiering:
    """All that the page says about a customer's tier; `standing` is None before the first night."""

    standing: Standing | None
    change: TierChange | None
    """What gave the tier in force; None when that is not kept."""
    because: Because
    by_facts: str
    """The tier that the facts alone give: beside a pin."""
    pin: TierPin | None
    pin_counts: bool
    was_pinned: bool
    """A pin that is over gave the tier in force, and the facts say otherwise: the next night decides."""
    falling: Falling | None
    beside: Sequence[tuple[str, str]]
    """(scheme, tier) of the schemes that are not in force."""
    changes: Sequence[Change]
    has_older_changes: bool


def tiering_of(
    customer: Customer, standing: Standing | None, policy: Policy, night: Run | None, *, has_pins: bool
) -> Tiering:
    """The customer's tier as of the last night, by the policy that this night worked with.

    A pin holds from the moment it is set: the one that holds today is shown. `has_pins` says whether there is any that
    nobody has ended.
    """
    rules = policy.section(TierPolicy)
    rows = _changes.rows(customer.pk)
    shown = rows[:CHANGES_SHOWN]
    last = next((row for row in shown if standing and row.after == standing.tier), None)
    by_version = rules_of({row.policy_version for row in shown}, policy)
    pin = _pin(customer) if has_pins else None
    pin_counts = pin is not None and pin.tier in TIER_ORDER[rules.scheme]
    known = by_version.get(last.policy_version) if last else None
    by_facts = _by_facts(standing, rules.scheme) if standing else ""
    return Tiering(
        standing=standing,
        change=last,
        because=because(last.after, last.facts, known) if last and known else Because(),
        by_facts=_label(by_facts),
        pin=pin,
        pin_counts=pin_counts,
        was_pinned=_was_pinned(last, pin, standing, by_facts),
        falling=_falling(standing, rules, by_facts) if standing and night and not pin_counts else None,
        beside=_beside(standing, rules.scheme) if standing else (),
        changes=[change_in_words(row, by_version) for row in shown],
        has_older_changes=len(rows) > CHANGES_SHOWN,
    )


_changes: Final = OfCustomer[TierChange](lambda pk: TierChange.objects.filter(customer_id=pk)[: CHANGES_SHOWN + 1])


def _pin(customer: Customer) -> TierPin | None:
    pins = TierPin.objects.in_force(current_tenant().today()).filter(customer=customer)
    found: TierPin | None = pins.select_related("created_by__user").first()
    return found


def change_in_words(row: TierChange, by_version: Mapping[int, TierPolicy]) -> Change:
    """A change with its labels and its reason, by the rules of the version that made it."""
    rules = by_version.get(row.policy_version)
    return Change(row, _label(row.before), _label(row.after), explained(row, rules) if rules else "")


def rules_of(numbers: Iterable[int], policy: Policy | None = None) -> dict[int, TierPolicy]:
    """The tiers of these policy versions; a version that no longer fits today's rules is left out.

    One query at most: none when `policy`, the version at hand, is all that is asked for.
    """
    found = {} if policy is None else {policy.number: policy.section(TierPolicy)}
    missing = set(numbers) - found.keys()
    for row in PolicyVersion.objects.filter(number__in=missing) if missing else ():
        try:
            found[row.number] = Policy(row.number, row.pack, row.document).section(TierPolicy)
        except ValidationError:
            continue  # its lines cannot be read any more, so its changes go without words
    return found


def stage_of(
    customer: Customer,
    standing: Standing | None,
    first: dt.date | None,
    last: dt.date | None,
    policy: Policy,
    as_of: dt.date,
) -> Stage:
    """The customer's stage of life as of the last night; `first` and `last` order days count before it has seen it."""
    days: tuple[Any, Any, Any] = (first, last, None)
    if standing is not None:
        days = (standing.first_order_on, standing.last_order_on, standing.returned_on)
    return Stage(stages.stage(*days, customer.closed_on, as_of, policy.section(TierPolicy)))


def _falling(standing: Standing, rules: TierPolicy, by_facts: str) -> Falling | None:
    if standing.below_since is None or scheme_of(standing.tier) != rules.scheme:
        return None
    falls_on = standing.below_since + dt.timedelta(days=rules.grace_days)
    return Falling(standing.below_since, falls_on, _label(by_facts))


def _was_pinned(last: TierChange | None, pin: TierPin | None, standing: Standing | None, by_facts: str) -> bool:
    if last is None or standing is None or pin is not None or standing.below_since is not None:
        return False
    return last.facts.get("move") == "pin" and standing.tier != by_facts


def _beside(standing: Standing, scheme: Scheme) -> list[tuple[str, str]]:
    others = [(each, _by_facts(standing, each)) for each in SCHEMES if each != scheme]
    return [(str(PACK_LABELS[each]), _label(tier)) for each, tier in others if tier]


def _by_facts(standing: Standing, scheme: Scheme) -> str:
    if scheme == "starter":
        return SEGMENT_TIERS.get(standing.segment, "")
    return str(getattr(standing, BY_SCHEME[scheme]))


def _label(tier: str) -> str:
    return str(Tier(tier).label)
