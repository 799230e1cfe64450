"""Data quality: of how many customers each kind of fact is there and fresh, and which scores rest on it.

A kind is *there* when somebody has ever written one down, *fresh* when it still says something: of facts that a
window looks at, one lies in it; of facts of which the last few count (answers, payments), the latest is no older
than the policy's `stale_days`. Orders do not grow stale: that none came is what the score measures.
docs/rules/health.md has the rules in words.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import reduce
from operator import add, or_
from typing import Any, Final, Literal, TypeVar, get_args

import polars as pl
from django.db import connection
from django.db.models import (
    BigIntegerField,
    BooleanField,
    Case,
    Count,
    Exists,
    Max,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
    When,
)
from django.db.models.lookups import IsNull
from django.utils import timezone

from customers.models import Complaint, Customer, Interaction, SurveyResponse
from customers.tallies import OWNERS, by_audience, tallied
from health.models import HealthScore, HealthTally
from health.rules.policy import HealthPolicy
from tenants.context import current_tenant
from tenants.models import Member
from tenants.policies import Policy, policy_of
from tenants.querysets import last_night

Kind = Literal[
    "orders", "order_lines", "contacts", "replies", "complaints", "solutions", "satisfaction", "recommendation",
    "competitor", "payments",
]  # fmt: skip
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
"""The kinds of facts that scores rest on."""

State = Literal["there", "fresh", "stale", "missing", "used", "used_stale"]
STATES: Final[tuple[State, ...]] = get_args(State)
"""there = fresh or stale; used: the score rests on it; used_stale: it rests on it although it is stale."""

INDICATORS: Final[Mapping[Kind, tuple[str, ...]]] = {
    "orders": ("order_frequency", "order_stability", "spend_trend"),
    "order_lines": ("category_breadth",),
    "contacts": ("interaction_frequency",),
    "replies": ("responsiveness",),
    "complaints": ("complaint_rate",),
    "solutions": ("first_time_resolution",),
    "satisfaction": ("satisfaction",),
    "recommendation": ("advocacy",),
    "competitor": ("competitor_interest",),
    "payments": ("payment_behaviour",),
}
"""Which indicators are made of a kind."""


@dataclass(frozen=True)
class KindQuality:
    """One kind: `base` customers of whom it could be known; the states, in customers; `weight` of its indicators."""

    kind: Kind
    weight: int
    base: int
    there: int
    fresh: int
    stale: int
    missing: int
    used: int
    used_stale: int
    short: int
    """How many more fresh ones the goal takes."""

    @property
    def share(self) -> float | None:
        """Fresh, of those of whom it could be known (0 to 1); None when there is nobody."""
        return self.fresh / self.base if self.base else None


@dataclass(frozen=True)
class Quality:
    """The meter: of `customers` with health `scored` have a score, `on_stale` of these rest on a stale fact."""

    goal: int
    customers: int
    scored: int
    on_stale: int
    latest_order_on: dt.date | None
    """Of all of them: long ago, it is not the customers who fell silent but the feed."""
    kinds: Sequence[KindQuality]

    @property
    def share(self) -> float | None:
        """What part of all that scores could rest on is there and fresh (0 to 1), each kind by its weight."""
        counted = [(each.weight, each.share) for each in self.kinds if each.weight and each.share is not None]
        weight = sum(weight for weight, _share in counted)
        return sum(weight * share for weight, share in counted) / weight if weight else None

    @property
    def stale_share(self) -> float | None:
        """What part of the scores rests on a stale fact (0 to 1)."""
        return self.on_stale / self.scored if self.scored else None

    @property
    def is_met(self) -> bool:
        """Whether the goal is met."""
        return self.share is not None and self.share * 100 >= self.goal


def quality(member: Member) -> Quality:
    """The data quality of the customers whom a member sees, as of the last night; one query beside those of the policy,
    two where the night has not counted it.

    Closed customers, and those whom no night has seen, are left out.
    """
    rules, as_of = rules_in_force()
    cells = tallied(HealthTally, member, "quality", as_of)
    if cells is None:
        counted = _counted(HealthScore.objects.visible_to(member), rules, as_of)
        found = counted.select(_numbers()).row(0, named=True)
    else:
        found = dict(cells[0])
        latest = found["latest_order_on"]
        found["latest_order_on"] = dt.date.fromisoformat(latest) if latest else None
    weights = rules.weights_of("", "")

    def one(kind: Kind) -> KindQuality:
        states = {state: found[f"{kind} {state}"] for state in STATES}
        base = states["there"] + states["missing"]
        return KindQuality(
            kind=kind,
            weight=sum(weights[key] for key in INDICATORS[kind]),
            base=base,
            short=max(0, math.ceil(base * rules.quality_goal / 100) - states["fresh"]),
            **states,
        )

    return Quality(
        goal=rules.quality_goal,
        customers=found["customers"],
        scored=found["scored"],
        on_stale=found["on_stale"],
        latest_order_on=found["latest_order_on"],
        kinds=[one(kind) for kind in KINDS],
    )


def count(as_of: dt.date, policy: Policy) -> pl.DataFrame:
    """The numbers of the meter for everybody who looks at it: one row for each audience, for the night to keep."""
    with _room():
        counted = _counted(
            HealthScore.objects.all(), policy.section(HealthPolicy), as_of, has=_has_of_many, by_owners=True
        )
    return by_audience(counted, [], _numbers()).with_columns(pl.col("latest_order_on").dt.to_string("iso"))


def _numbers() -> list[pl.Expr]:
    """What the meter adds up of `_counted`: a number for each kind and state, and those of all customers."""
    customers = pl.col("customers")
    by_kind = {kind: _states(*(pl.col(f"{kind}_{flag}") for flag in _FLAGS)) for kind in KINDS}
    wanted = {f"{kind} {state}": condition for kind, states in by_kind.items() for state, condition in states.items()}
    wanted["scored"] = pl.col("is_scored")
    wanted["on_stale"] = pl.any_horizontal(states["used_stale"] for states in by_kind.values())
    sums = [customers.filter(condition).sum().alias(name) for name, condition in wanted.items()]
    return [customers.sum(), pl.col("latest_order_on").max(), *sums]


@contextmanager
def _room() -> Iterator[None]:
    """Memory for the ids of all customers with a kind of fact: read once and kept, not looked up for each customer."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('work_mem'), set_config('work_mem', '256MB', true)")
        (before, _now) = cursor.fetchone()
    yield
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('work_mem', %s, true)", [before])


def _counted(
    rows: QuerySet[Any], rules: HealthPolicy, as_of: dt.date, *, has: Has | None = None, by_owners: bool = False
) -> pl.DataFrame:
    """How many `customers` have the same flags; with `is_scored`, and the latest order of all of them.

    Grouped, each flag is looked up once a customer; counted state by state, the look-ups of facts were repeated for
    each of them. The flags are the bits of one number: sorting by 41 columns took most of the time. `by_owners`: and
    have the same owners.
    """
    flags = _flags(rules, as_of, KINDS, has or _has) | {"is_scored": _SCORED}
    bits = [
        Case(When(condition, then=Value(1 << place)), default=Value(0), output_field=BigIntegerField())
        for place, condition in enumerate(flags.values())
    ]
    owners = OWNERS if by_owners else {}
    groups = (
        rows.annotate(flags=reduce(add, bits))
        .order_by()
        .values_list(*(f"customer__{name}" for name in owners), "flags")
        .annotate(Count("customer"), Max("last_order_on"))
    )
    schema = dict(owners) | {"flags": pl.Int64, "customers": pl.Int64, "latest_order_on": pl.Date}
    found = pl.DataFrame(list(groups), schema=schema, orient="row")
    return found.with_columns(
        (pl.col("flags") & (1 << place) != 0).alias(name) for place, name in enumerate(flags)
    ).drop("flags")


def with_fact(rows: QuerySet[Customer], kind: Kind | Literal["any"], state: State) -> QuerySet[Customer]:
    """Those of the customers of whom a kind of fact ("any": at least one of them) is in a state."""
    scores: Any = HealthScore.objects.filter(tenant_id=current_tenant().pk, customer=OuterRef("pk"))
    kinds = KINDS if kind == "any" else (kind,)
    flagged = scores.annotate(
        **{name: _flag(condition) for name, condition in _flags(*rules_in_force(), kinds, _has).items()}
    )
    stated = (_states(*(Q(**{f"{each}_{flag}": True}) for flag in _FLAGS))[state] for each in kinds)
    return rows.filter(Exists(flagged.filter(reduce(or_, stated))))


def rules_in_force() -> tuple[HealthPolicy, dt.date]:
    """The rules by which the last night worked and its day; before the first night those of now, and today."""
    night = last_night()
    rules = policy_of(night).section(HealthPolicy)
    return rules, night.for_date if night else current_tenant().today()


_FLAGS: Final = ("fresh", "there", "could", "used")
"""What is looked up of a kind: it is fresh; it is there; it could be; the score rests on it."""

Condition = TypeVar("Condition", Q, pl.Expr)


def _flags(rules: HealthPolicy, as_of: dt.date, kinds: Sequence[Kind], has: Has) -> dict[str, Q]:
    """`<kind>_<flag>` for each kind and each of _FLAGS as a condition on scores; `has` looks up facts."""
    stale_day = as_of - dt.timedelta(days=rules.stale_days)
    flags: dict[str, Q] = {}
    for kind in kinds:
        used = reduce(or_, (known(key, rules) & _weighs(key, rules) for key in INDICATORS[kind]))
        fresh = _FRESH[kind](rules, stale_day)
        # What the score itself knows first: facts are looked up of the others alone.
        conditions = (fresh, fresh | _EVER[kind](has), fresh | _COULD_BE[kind](has, rules, as_of), _SCORED & used)
        flags |= {f"{kind}_{flag}": condition for flag, condition in zip(_FLAGS, conditions, strict=True)}
    return flags


def _states(fresh: Condition, there: Condition, could: Condition, used: Condition) -> dict[State, Condition]:
    """The states by the flags: for the database, which finds customers, and for frames, which count them."""
    stale = there & ~fresh
    return {
        "there": there,
        "fresh": fresh,
        "stale": stale,
        "missing": could & ~there,
        "used": used,
        "used_stale": stale & used,
    }


def known(key: str, rules: HealthPolicy) -> Q:
    """That an indicator has a value: rules.indicators.raw_values for the columns of HealthScore."""
    return {
        "order_frequency": Q(order_days_count__gte=rules.frequency_orders, median_gap__gt=0),
        "order_stability": Q(order_days_count__gte=rules.stability_orders, gap_cv__isnull=False),
        "spend_trend": Q(spend_before__gt=0),
        "category_breadth": Q(categories_before__gt=0),
        "interaction_frequency": Q(contacts_before__gt=0),
        "responsiveness": Q(asked__gt=0),
        "complaint_rate": Q(complaints_recent__isnull=False) & (Q(orders_recent__gt=0) | Q(orders_before__gt=0)),
        "first_time_resolution": Q(repeated_open__gte=rules.repeated_questions) | Q(solved__gt=0),
        "satisfaction": Q(csat_count__gt=0),
        "advocacy": Q(nps_count__gt=0),
        "competitor_interest": Q(competitor_recent__isnull=False),
        "payment_behaviour": Q(invoices__gt=0, days_late__isnull=False),
    }[key]


_SCORED: Final = Q(score__isnull=False)
_ALWAYS: Final = Q(customer__isnull=False)
_NEVER: Final = Q(customer__isnull=True)


def _weighs(key: str, rules: HealthPolicy) -> Q:
    """That an indicator counts for a customer: by the weights of its stage, else its tier, else the usual ones."""

    def weighing(own: Mapping[Any, Any]) -> list[str]:
        return [code for code, weights in own.items() if getattr(weights, key)]

    by_stage, by_tier = rules.stage_weights, rules.tier_weights
    usual = _ALWAYS if rules.indicators[key].weight else _NEVER
    tier = Q(tier__in=weighing(by_tier)) | (~Q(tier__in=list(by_tier)) & usual) if by_tier else usual
    return Q(stage__in=weighing(by_stage)) | (~Q(stage__in=list(by_stage)) & tier) if by_stage else tier


def _flag(condition: Q) -> Case:
    return Case(When(condition, then=Value(True)), default=Value(False), output_field=BooleanField())


Has = Callable[..., Any]
"""Makes the condition that the score's customer has a row of a model, narrowed by columns."""


def _has(model: Any, **narrow: Any) -> IsNull:
    """Looked up for each customer: for a page, which asks about those whom a member sees."""
    # Not EXISTS: the planner, who does not know how few are asked about, reads the whole table to have it hashed.
    return IsNull(Subquery(_facts(model, narrow).order_by().values("tenant_id")[:1]), False)


def _has_of_many(model: Any, **narrow: Any) -> Exists:
    """Looked up among all that have one: for the night, which asks about everybody."""
    return Exists(_facts(model, narrow))


def _facts(model: Any, narrow: Mapping[str, Any]) -> QuerySet[Any]:
    """What the score's customer has of a model; what lies in the future is nothing yet."""
    tenant = current_tenant()
    tomorrow = tenant.start_of(tenant.today() + dt.timedelta(days=1))
    moment = "opened_at" if model is Complaint else "at"
    rows: QuerySet[Any] = model.objects.filter(
        tenant_id=tenant.pk, customer=OuterRef("customer_id"), **{f"{moment}__lt": tomorrow}, **narrow
    )
    return rows


# Of whom a kind could be known, beside those of whom it is: nobody can say how a question was solved that was not asked.
_COULD_BE: Final[Mapping[Kind, Callable[[Has, HealthPolicy, dt.date], Q]]] = dict.fromkeys(
    KINDS, lambda _has, _rules, _as_of: _ALWAYS
) | {
    "order_lines": lambda _has, rules, as_of: Q(last_order_on__gte=as_of - dt.timedelta(days=2 * rules.category_days)),
    "solutions": lambda has, _rules, _as_of: Q(has(Complaint)),
    "payments": lambda _has, rules, as_of: Q(last_order_on__gte=as_of - dt.timedelta(days=rules.stale_days)),
}

# Whether a kind has ever been written down, beside what the score itself knows. Facts of the last few it knows all.
_EVER: Final[Mapping[Kind, Callable[[Has], Q]]] = {
    "orders": lambda _has: _NEVER,
    "order_lines": lambda _has: _NEVER,
    "contacts": lambda has: (
        Q(has(Interaction, answered=True)) | Q(has(Interaction, direction="inbound", answered__isnull=True))
    ),
    "replies": lambda _has: Q(asked__gt=0),
    "complaints": lambda _has: _NEVER,
    "solutions": lambda has: (
        Q(has(Complaint, solved_at__lte=timezone.now(), first_time__isnull=False))
        | Q(has(Interaction, solved__isnull=False))
    ),
    "satisfaction": lambda has: Q(has(SurveyResponse, kind="csat")),
    "recommendation": lambda has: Q(has(SurveyResponse, kind="nps")),
    # Who asked before the days looked at is of no use to the score, and no fault of the books.
    "competitor": lambda _has: _NEVER,
    "payments": lambda _has: Q(invoices__gt=0),
}

_FRESH: Final[Mapping[Kind, Callable[[HealthPolicy, dt.date], Q]]] = {
    "orders": lambda _rules, _stale: Q(order_days_count__gt=0),
    "order_lines": lambda _rules, _stale: Q(categories_recent__gt=0) | Q(categories_before__gt=0),
    "contacts": lambda _rules, _stale: Q(contacts_recent__gt=0) | Q(contacts_before__gt=0),
    "replies": lambda _rules, stale: Q(asked__gt=0, last_asked_on__gte=stale),
    # Where the firm keeps complaints, none noted is a fact as well; the same of questions about competitors.
    "complaints": lambda _rules, _stale: Q(complaints_recent__isnull=False),
    "solutions": lambda rules, _stale: known("first_time_resolution", rules),
    "satisfaction": lambda _rules, _stale: Q(csat_count__gt=0),
    "recommendation": lambda _rules, _stale: Q(nps_count__gt=0),
    "competitor": lambda _rules, _stale: Q(competitor_recent__isnull=False),
    "payments": lambda _rules, stale: Q(invoices__gt=0, last_paid_on__gte=stale),
}
