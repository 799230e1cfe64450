"""Who may approve what a customer is offered for the damage (docs/rules/crisis.md)."""

from __future__ import annotations

from decimal import Decimal
from typing import Final, Literal

from risk.rules.crisis_policy import CrisisPolicy, Level

Approver = Literal["account_manager", "team_lead", "executive"]

APPROVERS: Final[tuple[Approver, ...]] = ("account_manager", "team_lead", "executive")
"""From who may least to who may all."""

_RANK: Final[dict[str, int]] = {"account_manager": 0, "team_lead": 1, "executive": 2, "admin": 2}


def share(amount: Decimal, value: Decimal | None) -> Decimal | None:
    """The percentage that an amount is of the money affected; None where nobody has said how much that is."""
    return amount * 100 / value if value else None


def approver(*, amount: Decimal, value: Decimal | None, level: Level, policy: CrisisPolicy) -> Approver:
    """The least role that may approve an amount; both moneys are in the tenant's currency.

    A major crisis is the executive's. Else the strictest line that applies: the share of the money affected, and the
    amount itself. Without the money affected no share is known, so nobody below a team lead grants anything.
    """
    if amount == 0:
        return "account_manager"
    if level == "major" or amount > policy.lead_money:
        return "executive"
    of_value = share(amount, value)
    if of_value is None:
        return "team_lead"
    if of_value > policy.lead_percent:
        return "executive"
    return "team_lead" if of_value > policy.alone_percent else "account_manager"


def may_approve(role: str, needs: str) -> bool:
    """Whether a role stands at least as high as the one that is needed; an integration approves nothing."""
    return role in _RANK and _RANK[role] >= _RANK[needs]
