"""One customer's health ready to print: the receipt, 26 weeks, what moved it and by which facts, a day again, a pulse."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, Literal

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, ngettext_lazy, pgettext, pgettext_lazy

from customers.asked import OfCustomer
from customers.models import Customer, Order
from dashboards import charts
from dashboards.receipts import NAMES, Drawn, draw, value_words
from health import history, pulses
from health.models import HealthHistory, HealthScore, Pulse
from health.replay import Fact, IndicatorMove, Kind, Replay, between, current, replay
from health.rules.policy import HealthPolicy
from tenants.models import Member, Run
from tenants.policies import Policy
from tenants.templatetags.perennial import money

Since = Literal["week", "month"]
SINCE: Final[Mapping[Since, Promise]] = {
    "week": pgettext_lazy("since", "Last week"),
    "month": pgettext_lazy("since", "Last month"),
}
MOVES_SHOWN: Final = 3
FACTS_SHOWN: Final = 3

# ── today ────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Health:
    """The score with its receipt as it stands, where it came from, and a person's own view of it.

    `week` and `month` are the changes since the Mondays `week_on` and `month_on`, as the history has them; None
    where either side has no score. `as_of` is the day that the receipt stands for; `chart` and `past` are empty
    before the first night.
    """

    score: HealthScore | None
    drawn: Drawn | None = None
    as_of: dt.date | None = None
    week: int | None = None
    week_on: dt.date | None = None
    month: int | None = None
    month_on: dt.date | None = None
    chart: Mapping[str, Any] | None = None
    past: Sequence[HealthHistory] = ()
    pulse: Pulse | None = None
    may_withdraw: bool = False
    policy: Policy | None = None
    """The version by which the score was worked out."""

    @property
    def differs(self) -> bool:
        """The person sees another colour than the score has."""
        return bool(self.pulse and self.score and self.score.score is not None and self.pulse.band != self.score.band)


def health_of(
    customer: Customer, member: Member, night: Run | None, policy: Policy, *, has_pulses: bool = True
) -> Health:
    """Today's score: of the last night, which worked by `policy`, or of a fact that has come in since.

    `has_pulses` is False where it is known that nobody has given a view of the customer.
    """
    score = _scores.first(customer.pk)
    pulse = pulses.latest_pulse(customer) if has_pulses else None
    may_withdraw = pulse is not None and pulses.may_withdraw(pulse, member)
    if score is None or night is None:
        return Health(score, pulse=pulse, may_withdraw=may_withdraw)
    receipt, policy = current(score, night, policy)
    rules, as_of = policy.section(HealthPolicy), receipt.as_of
    past = _past(customer, score, as_of)
    return Health(
        score=score,
        drawn=draw(receipt),
        as_of=as_of,
        week=score.week_change,
        week_on=history.week_before(as_of),
        month=score.month_change,
        month_on=history.month_before(as_of),
        chart=charts.health(past, yellow=rules.yellow, green=rules.green),
        past=past,
        pulse=pulse,
        may_withdraw=may_withdraw,
        policy=policy,
    )


_scores: Final = OfCustomer[HealthScore](lambda pk: HealthScore.objects.filter(customer_id=pk))


def _past(customer: Customer, score: HealthScore, as_of: dt.date) -> list[HealthHistory]:
    """The rows of the last 26 weeks, from the score that these began with up to today's."""
    start = as_of - dt.timedelta(weeks=charts.WEEKS)
    rows = [row for row in history.rows_of(customer) if row.on < as_of]
    past = [row for row in rows if row.on > start]
    if before := next((row for row in reversed(rows) if row.on <= start), None):
        # What is not written has not changed: the last row before has been the score at the beginning.
        past.insert(0, HealthHistory(customer=customer, on=start, score=before.score, band=before.band))
    return [*past, HealthHistory(customer=customer, on=as_of, score=score.score, band=score.band)]


# ── what moved it ────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class FactWords:
    """A fact that came in: when, and what it was in a few words."""

    on: dt.date
    words: str


@dataclass(frozen=True)
class MoveWords:
    """What one indicator did to the score: its value before and now, and the facts that did it.

    `why` says what did it where no fact did: time, the weights, or the rounding.
    """

    name: str
    change: Decimal
    before: str
    after: str
    facts: Sequence[FactWords]
    more: int
    why: str


@dataclass(frozen=True)
class MovedWords:
    """What moved the score since a day; shown and `others` add up to `change`. None: a side has no score."""

    since: Since
    on: dt.date
    change: int | None
    shown: Sequence[MoveWords]
    others: Sequence[MoveWords]
    kept: HealthHistory | None
    """What the history has for that day, where it says something else than the facts known today."""
    by_night: bool
    """A night ran for that day."""
    policies: tuple[int, int] | None
    """The versions of the policy then and now, where they differ about health: that moved it as well."""


def moved_of(customer: Customer, health: Health, since: Since) -> MovedWords | None:
    """What moved the score since last week or last month, in words; None without a score to compare."""
    day = {"week": health.week_on, "month": health.month_on}[since]
    if day is None or health.drawn is None or health.policy is None or health.drawn.receipt.score is None:
        return None
    found = between(customer, day, health.drawn.receipt, health.policy)
    # The rounding says nothing about the customer: it comes last, however large.
    words = [_move(each) for each in sorted(found.moves, key=lambda each: each.by == "rounding")]
    rules = [policy.section(HealthPolicy) for policy in (found.then.policy, health.policy)]
    kept = found.then.kept
    return MovedWords(
        since=since,
        on=day,
        change=found.change,
        shown=words[:MOVES_SHOWN],
        others=words[MOVES_SHOWN:],
        kept=kept if kept and kept.score != found.score_then else None,
        by_night=found.then.night is not None,
        policies=found.policies if rules[0] != rules[1] else None,
    )


def _move(move: IndicatorMove) -> MoveWords:
    why = {
        "facts": "",
        "time": _("no new fact: time alone"),
        "weights": _("the same value; what else is known has changed its weight"),
        "rounding": _("the score is whole, its parts are not"),
    }[move.by]
    facts = move.facts if move.by == "facts" else ()
    return MoveWords(
        name=_("Rounding") if move.key == "rounding" else str(NAMES[move.key]),
        change=move.change,
        before=value_words(move.before) if move.before else "",
        after=value_words(move.after) if move.after else "",
        facts=[FactWords(fact.on, fact_words(fact)) for fact in facts[:FACTS_SHOWN]],
        more=max(0, len(facts) - FACTS_SHOWN),
        why=why,
    )


def fact_words(fact: Fact) -> str:
    """A fact in a few words: "Order SO-17, £620", "WeChat, no answer", "Complaint: late delivery"."""
    return FACT_WORDS[fact.kind](fact.row)


def _order(row: Any) -> str:
    words = {"number": row.external_id, "money": money(row.net, row.currency)}
    if row.kind == Order.Kind.CREDIT_NOTE:
        return _("Credit note %(number)s, %(money)s") % words
    return _("Order %(number)s, %(money)s") % words


def _contact(row: Any) -> str:
    parts = [str(row.get_channel_display())]
    if row.topic:
        parts.append(row.topic)
    if row.answered is not None:
        parts.append(pgettext("contact", "answered") if row.answered else _("no answer"))
    if row.about_competitor:
        parts.append(_("about a competitor"))
    if row.leaving:
        parts.append(str(row.get_leaving_display()))
    return pgettext("between clauses", ", ").join(parts)


def _complaint(row: Any) -> str:
    return _("Complaint: %(topic)s") % {"topic": row.topic}


def _solution(row: Any) -> str:
    words = _("Solved the first time: %(topic)s") if row.first_time else _("Solved: %(topic)s")
    return words % {"topic": row.topic}


def _answer(row: Any) -> str:
    return f"{row.get_kind_display()} {row.score}"


def _payment(row: Any) -> str:
    late = (row.paid_on - row.due_on).days
    words = {"number": row.external_id, "days": abs(late)}
    if late > 0:
        return ngettext("%(number)s paid %(days)s day late", "%(number)s paid %(days)s days late", late) % words
    if late < 0:
        return ngettext("%(number)s paid %(days)s day early", "%(number)s paid %(days)s days early", -late) % words
    return _("%(number)s paid on the due day") % words


FACT_WORDS: Final[Mapping[Kind, Callable[[Any], str]]] = {
    "order": _order,
    "contact": _contact,
    "complaint": _complaint,
    "solution": _solution,
    "answer": _answer,
    "payment": _payment,
}

# ── a day again ──────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class DayAgain:
    """The score of a past day by the facts known today, beside what the history kept.

    `changed` says in words what was entered or changed since that night, where the two differ.
    """

    replayed: Replay
    drawn: Drawn | None
    changed: Sequence[str]


def day_again(customer: Customer, on: dt.date) -> DayAgain:
    """Raises ValueError for a day that has not come."""
    found = replay(customer, on)
    return DayAgain(
        replayed=found,
        drawn=draw(found.receipt) if found.receipt else None,
        changed=[str(_CHANGED[kind] % {"number": number}) for kind, number in found.changed_since.items()],
    )


_CHANGED: Final[Mapping[Kind, Any]] = {
    "order": ngettext_lazy("%(number)s order", "%(number)s orders", "number"),
    "contact": ngettext_lazy("%(number)s contact", "%(number)s contacts", "number"),
    "complaint": ngettext_lazy("%(number)s complaint", "%(number)s complaints", "number"),
    "answer": ngettext_lazy("%(number)s survey answer", "%(number)s survey answers", "number"),
}
