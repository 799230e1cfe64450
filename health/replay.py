"""The score of any day, drawn again; and what moved a score since a day, with the facts that did it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, Literal

from django.db import models

from customers.models import Complaint, Customer, Interaction, Order, SurveyResponse
from health.facts import facts_of
from health.models import HealthHistory, HealthScore
from health.rules.policy import HealthPolicy
from health.rules.receipt import HealthFacts, Receipt, ReceiptLine, moves, receipt
from tenants.context import current_tenant
from tenants.models import Run
from tenants.policies import Policy, policy_numbered, policy_of, policy_on
from tenants.querysets import nights_done

Kind = Literal["order", "contact", "complaint", "solution", "answer", "payment"]
"""An order or credit note; a contact; a complaint opened, or solved; a survey answer; an invoice paid."""

MOST: Final = 200
"""So many facts of a kind, the newest, are read; a page shows fewer."""


# ── a day again ─────────────────────────────────────────────────────────────


@dataclass(frozen=True, kw_only=True)
class Replay:
    """What the night of a day says by the facts dated before it that are known today, and what it said then.

    `receipt` is None for who was closed by then. `policy` is the version by which that night worked (`night`; None:
    there was none, and the version is the one in force then). `kept` is the last row of the history up to that day.
    `differs`: the night said something else than the receipt does; `changed_since` then counts the facts dated before
    the day that were entered or changed after that night. Facts that were taken away since leave no trace in it.
    """

    on: dt.date
    receipt: Receipt | None
    policy: Policy
    night: Run | None
    kept: HealthHistory | None
    differs: bool
    changed_since: Mapping[Kind, int]


def last_day() -> dt.date:
    """The last day that can be replayed: tomorrow, which is what the coming night says by the facts there are."""
    return current_tenant().today() + dt.timedelta(days=1)


def replay(customer: Customer, on: dt.date) -> Replay:
    """The receipt of a customer's score on a day, with the policy of that night, beside what the history kept.

    The tier is that of the day, from the history of tiers. Raises ValueError for a day after `last_day`.
    """
    if on > last_day():
        raise ValueError(f"{on} has not come: the last day to replay is {last_day()}")
    night = nights_done().filter(for_date=on).first()
    policy = policy_of(night) if night and night.policy_version else policy_on(on)
    kept = HealthHistory.objects.filter(customer=customer, on__lte=on).order_by("-on").first()
    if customer.closed_on is not None and customer.closed_on < on:
        return Replay(
            on=on, receipt=None, policy=policy, night=night, kept=kept, differs=False, changed_since={}
        )  # fmt: skip
    facts = facts_of(on, policy, [customer.pk], of_that_day=True).row(0, named=True)
    drawn = receipt(HealthFacts.from_row(facts), policy.section(HealthPolicy), on)
    differs = night is not None and kept is not None and _differs(drawn, kept)
    return Replay(
        on=on,
        receipt=drawn,
        policy=policy,
        night=night,
        kept=kept,
        differs=differs,
        changed_since=_changed_since(customer, on, night) if night and differs else {},
    )


def _differs(drawn: Receipt, kept: HealthHistory) -> bool:
    if drawn.band != kept.band:
        return True
    # Between two Mondays a score may move unwritten; on the day of a row, and on Mondays, the history has it exactly.
    is_exact = kept.on == drawn.as_of or drawn.as_of.weekday() == 0
    return is_exact and drawn.score != kept.score


def _changed_since(customer: Customer, on: dt.date, night: Run) -> dict[Kind, int]:
    start = current_tenant().start_of(on)
    late: dict[str, Any] = {"customer": customer, "updated_at__gt": night.finished_at}
    found: dict[Kind, int] = {
        "order": Order.objects.filter(placed_on__lt=on, **late).count(),
        "contact": Interaction.objects.filter(at__lt=start, **late).count(),
        "complaint": Complaint.objects.filter(opened_at__lt=start, **late).count(),
        "answer": SurveyResponse.objects.filter(at__lt=start, **late).count(),
    }
    return {kind: number for kind, number in found.items() if number}


# ── what moved it ───────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Fact:
    """One fact that came in between two days: an Order, Interaction, Complaint or SurveyResponse, and its day."""

    kind: Kind
    on: dt.date
    row: models.Model


@dataclass(frozen=True, kw_only=True)
class IndicatorMove:
    """What one indicator did to the score: its line on both days, and the facts dated in between, newest first.

    `change` is 0 for one that has become known, or unknown, at 0 points: then it moved the weights of the others. The
    key "rounding" is the part of the rounding to whole scores, which has no lines.
    """

    key: str
    change: Decimal
    before: ReceiptLine | None
    after: ReceiptLine | None
    facts: Sequence[Fact]

    @property
    def by(self) -> Literal["facts", "time", "weights", "rounding"]:
        """What did it: facts that came in; without any, time alone (days since the last order, or what has left a
        window); weights, when the value is as before and other indicators have become known or unknown."""
        if self.before is None or self.after is None:
            return "rounding"
        if self.before.value == self.after.value:
            return "weights"
        return "facts" if self.facts else "time"


@dataclass(frozen=True, kw_only=True)
class Moved:
    """What moved a score from one day to a later one; the changes add up to the difference of the two scores.

    `moves` is empty when a side has no score, or nothing moved. `then` and `now` are the receipts; `policies` the
    versions by which they are drawn: where they differ, the policy moved it too.
    """

    since: dt.date
    until: dt.date
    then: Replay
    now: Receipt
    policies: tuple[int, int]
    moves: Sequence[IndicatorMove]

    @property
    def score_then(self) -> int | None:
        """The score of that day, by the facts that are known today; None when there is none."""
        return self.then.receipt.score if self.then.receipt else None

    @property
    def change(self) -> int | None:
        """The difference of the two scores; None when a side has none."""
        before = self.score_then
        return None if before is None or self.now.score is None else self.now.score - before


def current(score: HealthScore, night: Run, policy: Policy | None = None) -> tuple[Receipt, Policy]:
    """The receipt of a score as it stands, by the policy that made it: the night's, or that of the re-score since.

    `policy` is the night's, where it is at hand.
    """
    if score.rescored_at:
        policy = policy_numbered(score.policy_version)
    elif policy is None:
        policy = policy_of(night)
    return score.receipt(policy.section(HealthPolicy), score.as_of(night.for_date)), policy


def moved(customer: Customer, since: dt.date, score: HealthScore, night: Run) -> Moved:
    """What moved today's score since a day, by indicator, with the facts that came in between."""
    now, policy = current(score, night)
    return between(customer, since, now, policy)


def between(customer: Customer, since: dt.date, now: Receipt, policy: Policy) -> Moved:
    """What moved a score from a day to that of a receipt, which is drawn by a policy."""
    then = replay(customer, since)
    found: list[IndicatorMove] = []
    if then.receipt is not None and (steps := moves(now, then.receipt)):
        before = {line.key: line for line in then.receipt.lines}
        after = {line.key: line for line in now.lines}
        changes = {step.key: step.change for step in steps}
        # Known at 0 points adds nothing by itself, but it takes weight from the others: it is why they moved.
        counts = {key: line.score is not None for key, line in after.items()}
        changed = [key for key, line in before.items() if (line.score is not None) != counts[key]]
        changes |= {key: Decimal("0.0") for key in changed if key not in changes}
        facts = facts_between(customer, since, now.as_of)
        found = [
            IndicatorMove(
                key=key,
                change=change,
                before=before.get(key),
                after=after.get(key),
                facts=[fact for fact in facts if _bears_on(key, fact)],
            )
            for key, change in changes.items()
        ]
    return Moved(
        since=since,
        until=now.as_of,
        then=then,
        now=now,
        policies=(then.policy.number, policy.number),
        moves=found,
    )


def facts_between(customer: Customer, since: dt.date, until: dt.date) -> list[Fact]:
    """The facts of a customer dated from `since` up to but not including `until`, newest first."""
    tenant = current_tenant()
    moments = [tenant.start_of(since), tenant.start_of(until)]

    def rows(model: Any, column: str, span: Sequence[Any], **where: Any) -> list[Any]:
        dated = {f"{column}__gte": span[0], f"{column}__lt": span[1]}
        return list(model.objects.filter(customer=customer, **dated, **where).order_by(f"-{column}", "-pk")[:MOST])

    placed = {"status": Order.Status.PLACED}
    paid = placed | {"kind": Order.Kind.ORDER, "due_on__isnull": False}
    days = [since, until]
    found = [Fact("order", row.placed_on, row) for row in rows(Order, "placed_on", days, **placed)]
    found += [Fact("payment", row.paid_on, row) for row in rows(Order, "paid_on", days, **paid)]
    sources: tuple[tuple[Kind, Any, str], ...] = (
        ("contact", Interaction, "at"),
        ("complaint", Complaint, "opened_at"),
        ("solution", Complaint, "solved_at"),
        ("answer", SurveyResponse, "at"),
    )
    for kind, model, column in sources:
        found += [Fact(kind, tenant.local_date(getattr(row, column)), row) for row in rows(model, column, moments)]
    return sorted(found, key=lambda fact: fact.on, reverse=True)


def _bears_on(key: str, fact: Fact) -> bool:
    """Whether a fact of this kind can have moved an indicator."""
    row: Any = fact.row
    match key:
        case "order_frequency" | "order_stability" | "category_breadth":
            return fact.kind == "order" and row.kind == Order.Kind.ORDER
        case "spend_trend":
            return fact.kind == "order"
        case "interaction_frequency":
            return fact.kind == "contact" and (
                bool(row.answered) or (row.direction == Interaction.Direction.INBOUND and row.answered is None)
            )
        case "responsiveness":
            return (
                fact.kind == "contact" and row.direction == Interaction.Direction.OUTBOUND and row.answered is not None
            )
        case "complaint_rate":
            return fact.kind == "complaint" or (fact.kind == "order" and row.kind == Order.Kind.ORDER)
        case "first_time_resolution":
            return fact.kind in {"complaint", "solution"} or (fact.kind == "contact" and row.solved is not None)
        case "satisfaction" | "advocacy":
            wanted = SurveyResponse.Kind.CSAT if key == "satisfaction" else SurveyResponse.Kind.NPS
            return fact.kind == "answer" and row.kind == wanted
        case "competitor_interest":
            return fact.kind == "contact"
        case "payment_behaviour":
            return fact.kind == "payment"
    return False
