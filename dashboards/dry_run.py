"""What a draft of the policy would do: who changes tier or colour, and how much work that makes. Nothing is written.

The draft is worked out by the very functions of the night, `tiers.assign` and `tiers.settle`, on the same facts:
what is saved then does what was shown (docs/rules/policy.md).
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Final, cast

import polars as pl
from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from dashboards.dry_run_health import Colours, LapseWarnings, colours, lapse_warnings
from dashboards.matrix import Cell, cells_of
from followups.reasons import touches_words
from followups.rules.policy import AUTOMATIC, PERIOD_DAYS, CadencePolicy, Period
from health.rules.policy import HealthPolicy
from segmentation.facts import tier_facts
from segmentation.models import Stage, Tier
from segmentation.rules import rfm, tiers
from segmentation.rules.policy import CrossSellPolicy, TierPolicy
from segmentation.rules.tiers import BY_SCHEME, NO_TIER, SEGMENT_TIERS, TIER_ORDER
from tenants.context import current_tenant, only_reading
from tenants.frames import read_frame
from tenants.models import Member
from tenants.permissions import Role
from tenants.policies import (
    Policy,
    active_policy,
    check_document,
    complete_document,
    differences,
    parsed_document,
)
from tenants.policy_words import title_of, value_words
from tenants.querysets import last_night
from tenants.rules.documents import at, put
from tenants.rules.sections import PolicySection
from tenants.templatetags.perennial import long_day, whole

ALTERNATIVES: Final = 5
"""At most so many ways out are offered."""

WEEK: Final = 7
FULL: Final = 100

_BOOK: Final = {
    "customer_id": pl.Int64,
    "owner_id": pl.Int64,
    "tier": pl.String,
    "below_since": pl.Date,
    "money": pl.Int64,
    "segment": pl.String,
    "by_wholesale": pl.String,
    "by_callback": pl.String,
    "by_sales_team": pl.String,
}


@dataclass(frozen=True)
class Load:
    """Touches a week that one person's customers ask for, and how many the person has room for.

    `member` is None for the customers of nobody, who have no capacity.
    """

    member: Member | None
    before: int
    after: int
    capacity: int

    @property
    def over(self) -> int:
        """Touches beyond the capacity, under the draft."""
        return max(0, self.after - self.capacity)


@dataclass(frozen=True)
class DryRun:
    """What a draft would do, as of a day.

    `before` is the number of the version in force. `cells` are keyed by (tier in force, tier that the draft gives
    in the end); "" is no tier. `tiers_before` and `tiers_after` are the rows and columns of the matrix, best first.
    Money is net money of the window of the policy in force, so that rows and columns add up to the same.

    `moved` change tier in the end: `at_once` of them tonight, the rest after the days of grace, the first on
    `falls_on`. `anyway` of them move under the policy in force too: to the same tier, or to their first. `rises` and `falls` are moves
    between tiers of the draft's scheme; first tiers, lost ones and a change of scheme are neither.

    Touches are a week's, by people, not automatic; the rows of `load` add up to them.

    `colours` and `forecast` are None where the draft has nothing else about health and its warnings than what is in
    force.
    """

    as_of: dt.date
    before: int
    customers: int
    tiers_before: tuple[str, ...]
    tiers_after: tuple[str, ...]
    cells: Mapping[tuple[str, str], Cell]
    moved: int
    rises: int
    falls: int
    falls_on: dt.date | None
    at_once: int
    anyway: int
    load: tuple[Load, ...]
    touches_before: int
    touches_after: int
    capacity: int
    people: int
    people_needed: int
    empty_tiers: tuple[str, ...]
    warnings: tuple[str, ...]
    colours: Colours | None
    forecast: LapseWarnings | None
    sections: Mapping[str, PolicySection] = field(repr=False, compare=False)
    outcome: pl.DataFrame = field(repr=False, compare=False)
    """customer_id, owner_id, money (points), before, tonight, after, move."""
    scored: pl.DataFrame = field(repr=False, compare=False)
    """The facts with their scores, as `tiers.assign` takes them."""

    @property
    def document(self) -> dict[str, Any]:
        """The draft as it would be saved: whole, in plain JSON."""
        return _plain(self.sections)

    @property
    def fits(self) -> bool:
        """Whether the touches of the draft fit into what people have room for."""
        return self.touches_after <= self.capacity

    def row(self, before: str) -> Cell:
        """All who are in a tier now."""
        return _total(cell for (left, _right), cell in self.cells.items() if left == before)

    def column(self, after: str) -> Cell:
        """All who are in a tier in the end."""
        return _total(cell for (_left, right), cell in self.cells.items() if right == after)

    @property
    def total(self) -> Cell:
        """Everybody."""
        return _total(self.cells.values())


def _plain(sections: Mapping[str, PolicySection]) -> dict[str, Any]:
    return {name: section.model_dump(mode="json") for name, section in sections.items()}


def _total(cells: Iterable[Cell]) -> Cell:
    return sum(cells, Cell())


def dry_run(document: Mapping[str, Any], *, as_of: dt.date | None = None) -> DryRun:
    """Try a draft out on all living customers, as of a day (default: of the last night, today before the first).

    The draft is a whole document; sections and settings that it does not have take their defaults. What people
    see of single customers is limited by whoever shows them; these sums are of the whole firm, as the policy is.

    Raises InvalidPolicy with everything that is wrong with the draft.
    """
    sections = parsed_document(document)
    with only_reading():
        night = last_night()
        day = as_of or (night.for_date if night else current_tenant().today())
        policy = active_policy()
        rules = cast(TierPolicy, sections[TierPolicy.section])
        scored = rfm.score(tier_facts(day, rules), day)
        book = _book()
        outcome = _outcome(scored, book, policy.section(TierPolicy), rules, day)
        return _drawn(outcome, scored, policy, sections, day)


def moved_customers(
    document: Mapping[str, Any], before: str | None = None, after: str | None = None, *, as_of: dt.date | None = None
) -> list[int]:
    """Ids of the customers behind a cell of the dry run, ascending.

    None is any tier; where both are None, all who change tier. Raises InvalidPolicy.
    """
    found = dry_run(document, as_of=as_of).outcome
    if before is None and after is None:
        found = found.filter(pl.col("before") != pl.col("after"))
    if before is not None:
        found = found.filter(pl.col("before") == before)
    if after is not None:
        found = found.filter(pl.col("after") == after)
    return found.get_column("customer_id").sort().to_list()


# ── who moves ───────────────────────────────────────────────────────────────


def _book() -> pl.DataFrame:
    """Every living customer with its owner and where it stands; who has not been through a night stands nowhere."""
    return read_frame(
        """
        SELECT c.id, c.owner_a_id, COALESCE(s.tier, ''), s.below_since, s.monetary, COALESCE(s.segment, ''),
               COALESCE(s.by_wholesale, ''), COALESCE(s.by_callback, ''), COALESCE(s.by_sales_team, '')
        FROM customers_customer c
        LEFT JOIN segmentation_standing s ON s.tenant_id = %s AND s.customer_id = c.id
        WHERE c.tenant_id = %s AND c.closed_on IS NULL
        """,
        [current_tenant().pk, current_tenant().pk],
        schema=_BOOK,
    )


def _outcome(
    scored: pl.DataFrame, book: pl.DataFrame, in_force: TierPolicy, rules: TierPolicy, as_of: dt.date
) -> pl.DataFrame:
    """Each customer's tier now, tonight and in the end, and how it comes there."""
    targets = tiers.assign(scored, rules, as_of).select("customer_id", "target", "pin", "monetary")
    standing = targets.join(book, on="customer_id", how="inner")
    tonight = tiers.settle(standing, rules, as_of)
    # The end is what a night makes of it when nobody has to wait.
    end = tiers.settle(standing, rules.model_copy(update={"grace_days": 0}), as_of)
    return tonight.select(
        "customer_id",
        "owner_id",
        # Who has not been through a night has no money of the window in force yet.
        money=pl.coalesce("money", "monetary"),
        before="tier_before",
        tonight="tier",
        after=end.get_column("tier"),
        move=end.get_column("move"),
        falls_on=pl.coalesce("below_since", pl.lit(as_of)) + pl.duration(days=rules.grace_days),
        pin="pin",
        in_force=_end_in_force(in_force),
    )


def _end_in_force(rules: TierPolicy) -> pl.Expr:
    """Where the policy in force leads in the end, by the targets of the last night."""
    column = BY_SCHEME[rules.scheme]
    by_facts = (
        pl.col(column)
        if column in _BOOK
        else pl.col("segment").replace_strict(SEGMENT_TIERS, default=NO_TIER, return_dtype=pl.String)
    )
    return pl.coalesce(pl.when(pl.col("pin").is_in(TIER_ORDER[rules.scheme])).then(pl.col("pin")), by_facts)


def _drawn(
    outcome: pl.DataFrame, scored: pl.DataFrame, policy: Policy, sections: Mapping[str, PolicySection], as_of: dt.date
) -> DryRun:
    rules, cadence = _rules(sections)
    draft = Policy(policy.number, policy.pack, _plain(sections))
    before_order = TIER_ORDER[policy.section(TierPolicy).scheme]
    moved = outcome.filter(pl.col("before") != pl.col("after"))
    waiting = moved.filter((pl.col("move") == "fall") & (pl.col("tonight") != pl.col("after")))
    falls_on = waiting.get_column("falls_on").min() if waiting.height else as_of
    count = dict(moved.group_by("move").len().iter_rows())
    load, touches = _load(outcome, policy.section(CadencePolicy), cadence)
    people = [row for row in load if row.capacity]
    capacity = sum(row.capacity for row in people)
    mean = Fraction(capacity, len(people)) if people else Fraction(cadence.weekly_capacity)
    empty = tuple(tier for tier in TIER_ORDER[rules.scheme] if not outcome.get_column("after").is_in([tier]).any())
    return DryRun(
        as_of=as_of,
        before=policy.number,
        customers=outcome.height,
        tiers_before=_ordered(before_order, outcome.get_column("before")),
        tiers_after=_ordered(TIER_ORDER[rules.scheme], outcome.get_column("after")),
        cells=cells_of(outcome),
        moved=moved.height,
        rises=count.get("rise", 0),
        falls=count.get("fall", 0),
        falls_on=cast(dt.date, falls_on) if count.get("fall") else None,
        at_once=moved.filter(pl.col("tonight") == pl.col("after")).height,
        anyway=moved.filter((pl.col("in_force") == pl.col("after")) | (pl.col("move") == "start")).height,
        load=load,
        touches_before=sum(row.before for row in load),
        touches_after=sum(row.after for row in load),
        capacity=capacity,
        people=len(people),
        people_needed=math.ceil(touches / mean),
        empty_tiers=empty,
        warnings=tuple(_warnings(outcome, scored, sections, empty, as_of)),
        colours=colours(policy, draft, outcome, as_of),
        forecast=lapse_warnings(policy, draft, as_of),
        sections=sections,
        outcome=outcome,
        scored=scored,
    )


def _rules(sections: Mapping[str, PolicySection]) -> tuple[TierPolicy, CadencePolicy]:
    return cast(TierPolicy, sections[TierPolicy.section]), cast(CadencePolicy, sections[CadencePolicy.section])


def _ordered(order: Sequence[str], found: pl.Series) -> tuple[str, ...]:
    """The scheme's tiers, then what else there is (left over from another scheme), then "" where somebody has none."""
    others = set(found.unique()) - set(order)
    return (*order, *sorted(others - {NO_TIER}), *sorted(others & {NO_TIER}))


# ── how much work ───────────────────────────────────────────────────────────


def weekly_touches(cadence: CadencePolicy) -> dict[str, Fraction]:
    """By tier, the touches a week that one customer asks of a person: 7 ÷ days for each kind, automatic ones left out."""
    return {
        tier: sum(
            (Fraction(WEEK, touch.interval_days) for touch in touches if touch.kind not in AUTOMATIC), Fraction(0)
        )
        for tier, touches in cadence.tiers.items()
    }


def _load(outcome: pl.DataFrame, in_force: CadencePolicy, draft: CadencePolicy) -> tuple[tuple[Load, ...], Fraction]:
    """A row for each person, by name, then one for nobody where customers have no owner; and the touches in the end."""
    asked: dict[int | None, list[Fraction]] = {}
    for place, (column, cadence) in enumerate((("before", in_force), ("after", draft))):
        rates = weekly_touches(cadence)
        for owner, tier, customers in outcome.group_by("owner_id", column).len().iter_rows():
            asked.setdefault(owner, [Fraction(0), Fraction(0)])[place] += rates.get(tier, 0) * customers
    people = Member.objects.filter(
        Q(pk__in=[owner for owner in asked if owner is not None]) | Q(is_active=True, role=Role.ACCOUNT_MANAGER)
    ).select_related("user")
    members: list[Member | None] = [*sorted(people, key=lambda member: (str(member).casefold(), member.pk))]
    if None in asked:
        members.append(None)
    exact = [asked.get(member.pk if member else None, [Fraction(0), Fraction(0)]) for member in members]
    before, after = (apportioned([pair[place] for pair in exact]) for place in (0, 1))
    rows = tuple(
        Load(member, before[place], after[place], _capacity(member, draft)) for place, member in enumerate(members)
    )
    return rows, sum((pair[1] for pair in exact), Fraction(0))


def _capacity(member: Member | None, draft: CadencePolicy) -> int:
    """A person's own number, else the draft's; who has left, and nobody, has room for nothing."""
    if member is None or not member.is_active:
        return 0
    return draft.weekly_capacity if member.weekly_capacity is None else member.weekly_capacity


def apportioned(shares: Sequence[Fraction]) -> list[int]:
    """Whole numbers for shares that are none, each less than one away, that add up to the rounded sum.

    What is left after cutting goes to the largest remainders, earlier ones first.
    """
    cut = [math.floor(share) for share in shares]
    left = math.floor(sum(shares, Fraction(1, 2))) - sum(cut)
    by_rest = sorted(range(len(shares)), key=lambda place: (cut[place] - shares[place], place))
    for place in by_rest[:left]:
        cut[place] += 1
    return cut


# ── what to know before saving ──────────────────────────────────────────────


def tier_label(tier: str) -> str:
    """What people call a tier."""
    return str(Tier(tier).label)


def _warnings(
    outcome: pl.DataFrame,
    scored: pl.DataFrame,
    sections: Mapping[str, PolicySection],
    empty: Sequence[str],
    as_of: dt.date,
) -> Iterator[str]:
    rules, cadence = _rules(sections)
    ranked = scored.filter(pl.col("last_order_on").is_not_null())
    if not outcome.height:
        yield _("There are no customers yet: nobody can move.")
    elif not ranked.height:
        yield _("No customer has ordered yet: nobody has a tier.")
    elif ranked.height == 1:
        yield _("Only one customer has ordered yet: scores and percentages, which compare customers, say nothing.")
    elif ranked.select(pl.struct("recency_days", "frequency", "monetary").n_unique()).item() == 1:
        yield _("All customers are equal in recency, orders and money: no score can tell them apart.")
    if ranked.height:
        yield from _windows_longer_than_the_history(ranked, rules, cast(CrossSellPolicy, sections["cross_sell"]), as_of)
        for tier in empty:
            yield _("Nobody would be %(tier)s.") % {"tier": tier_label(tier)}
    yield from _tiers_without_touches(outcome, cadence)
    lost = outcome.filter(pl.col("pin").is_not_null() & ~pl.col("pin").is_in(TIER_ORDER[rules.scheme])).height
    if lost:
        words = ngettext(
            "%(number)s pinned tier is none of the draft's and would no longer hold.",
            "%(number)s pinned tiers are none of the draft's and would no longer hold.",
            lost,
        )
        yield words % {"number": whole(lost)}
    health = cast(HealthPolicy, sections[HealthPolicy.section])
    weights = sum(health.weights_of("", "").values())
    if weights != FULL:
        words = _("The weights of the health indicators add up to %(total)s, not to 100: they count in proportion.")
        yield words % {"total": weights}
    own = [(tier_label(tier), health.weights_of(tier, "")) for tier in health.tier_weights]
    own += [(str(Stage(stage).label), health.weights_of("", stage)) for stage in health.stage_weights]
    for name, weighed in own:
        if sum(weighed.values()) != FULL:
            words = _("The weights of health for %(name)s add up to %(total)s, not to 100: they count in proportion.")
            yield words % {"name": name, "total": sum(weighed.values())}


def _windows_longer_than_the_history(
    ranked: pl.DataFrame, rules: TierPolicy, cross_sell: CrossSellPolicy, as_of: dt.date
) -> Iterator[str]:
    first = cast(dt.date, ranked.get_column("first_order_on").min())
    windows = ((TierPolicy, rules.window_months), (CrossSellPolicy, cross_sell.window_months))
    for kind, months in windows:
        if rfm.window_start(as_of, months) < first:
            words = _("“%(setting)s” is longer than the history: the first order is of %(day)s.")
            yield words % {"setting": title_of((kind.section, "window_months")), "day": long_day(first)}


def _tiers_without_touches(outcome: pl.DataFrame, cadence: CadencePolicy) -> Iterator[str]:
    for tier, customers in outcome.group_by("after").len().sort("after").iter_rows():
        if tier != NO_TIER and not cadence.tiers.get(tier):
            words = ngettext(
                "%(tier)s has no touches: %(number)s customer would hear from nobody.",
                "%(tier)s has no touches: %(number)s customers would hear from nobody.",
                customers,
            )
            yield words % {"tier": tier_label(tier), "number": whole(customers)}


# ── what would fit ──────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Alternative:
    """A draft with one thing changed that makes less work: in words, its touches a week, and whether they fit."""

    words: str
    touches: int
    fits: bool
    document: dict[str, Any] = field(repr=False)


def alternatives(document: Mapping[str, Any], run: DryRun | None = None) -> list[Alternative]:
    """Ways to make the draft fit: at most five, first those that fit, the one that cuts least before the others.

    Tried are: each changed threshold of tiers and each changed cadence as it is in force; each touch one step
    rarer; each tier automatic only. Empty when the draft fits, and when there is nobody to do any work. `run` is
    the dry run of the draft, if it is there already.

    Raises InvalidPolicy.
    """
    run = run or dry_run(document)
    if run.fits or not run.capacity:
        return []
    draft = run.document
    counts = dict(run.outcome.group_by("after").len().iter_rows())
    found: dict[str, Alternative] = {}
    with only_reading():
        for words, changed in _candidates(draft, complete_document(active_policy())):
            touches = _touches_of(changed, draft, counts, run)
            if touches is not None and touches < run.touches_after:
                found.setdefault(words, Alternative(words, touches, touches <= run.capacity, changed))
    fitting = sorted((each for each in found.values() if each.fits), key=lambda each: -each.touches)
    others = sorted((each for each in found.values() if not each.fits), key=lambda each: each.touches)
    return [*fitting, *others][:ALTERNATIVES]


def _touches_of(
    changed: Mapping[str, Any], draft: Mapping[str, Any], counts: Mapping[str, int], run: DryRun
) -> int | None:
    """Touches a week of an alternative, to a whole one; None when it is no valid policy."""
    if check_document(changed):
        return None
    rules, cadence = _rules(parsed_document(changed))
    if changed[TierPolicy.section] != draft[TierPolicy.section]:
        scored = run.scored
        if rules.window_months != _rules(run.sections)[0].window_months:
            scored = rfm.score(tier_facts(run.as_of, rules), run.as_of)
        targets = tiers.assign(scored, rules, run.as_of)
        pinned = pl.when(pl.col("pin").is_in(TIER_ORDER[rules.scheme])).then(pl.col("pin"))
        counts = dict(targets.group_by(pl.coalesce(pinned, "target")).len().iter_rows())
    rates = weekly_touches(cadence)
    asked = sum((rates[tier] * customers for tier, customers in counts.items() if tier in rates), Fraction(0))
    return math.floor(asked + Fraction(1, 2))


def _candidates(draft: Mapping[str, Any], in_force: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Drafts with one thing changed, and the change in words."""
    if at(draft, ("tiers", "scheme")) == at(in_force, ("tiers", "scheme")):
        for each in differences(in_force, draft):
            if each.path[0] == TierPolicy.section:
                words = _("“%(setting)s” stays at %(value)s")
                said = {"setting": title_of(each.path), "value": value_words(each.path, each.before)}
                yield words % said, put(draft, each.path, each.before)
            elif each.path[:2] == (CadencePolicy.section, "tiers"):
                words = _("%(tier)s stays: %(touches)s")
                said = {"tier": tier_label(each.path[2]), "touches": touches_words(each.before or [])}
                yield words % said, put(draft, each.path, each.before or [])
    for tier, touches in draft[CadencePolicy.section]["tiers"].items():
        path = (CadencePolicy.section, "tiers", tier)
        personal = [touch for touch in touches if touch["kind"] not in AUTOMATIC]
        for touch in personal:
            if rarer := _rarer(touch):
                changed = [rarer if each == touch else each for each in touches]
                words = _("%(tier)s: %(touches)s")
                yield words % {"tier": tier_label(tier), "touches": touches_words([rarer])}, put(draft, path, changed)
        if personal:
            automatic = [each for each in touches if each["kind"] in AUTOMATIC]
            monthly = {"kind": "message", "every_days": None, "times": 1, "per": "month"}
            words = _("%(tier)s becomes automatic: %(touches)s")
            said = {"tier": tier_label(tier), "touches": touches_words(automatic or [monthly])}
            yield words % said, put(draft, path, automatic or [monthly])


_STEPS: Final[tuple[Period, ...]] = tuple(PERIOD_DAYS)


def _rarer(touch: Mapping[str, Any]) -> dict[str, Any] | None:
    """One step rarer: one time less in the period, else once in the next longer one; None beyond a year."""
    if touch["times"] is not None and touch["times"] > 1:
        return {**touch, "times": touch["times"] - 1}
    days = touch["every_days"] or PERIOD_DAYS[touch["per"]]
    longer = next((period for period in _STEPS if PERIOD_DAYS[period] > days), None)
    return None if longer is None else {**touch, "every_days": None, "times": 1, "per": longer}
