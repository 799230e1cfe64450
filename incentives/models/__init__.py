"""What people earn and what they are measured by: the tables of incentives, one module per idea."""

from incentives.models.goals import Goal
from incentives.models.kpis import (
    ClvMark,
    Job,
    KpiClosing,
    KpiCorrection,
    KpiCount,
    KpiCounted,
    KpiFrozen,
    KpiTarget,
    MemberJob,
    OwnerChange,
    Span,
    TeamChange,
)
from incentives.models.ledger import (
    Account,
    Dispute,
    DisputeMessage,
    Entry,
    EntryLine,
    Payout,
    PayoutItem,
    Reward,
    Upgrade,
)

__all__ = [
    "Account",
    "ClvMark",
    "Dispute",
    "DisputeMessage",
    "Entry",
    "EntryLine",
    "Goal",
    "Job",
    "KpiClosing",
    "KpiCorrection",
    "KpiCount",
    "KpiCounted",
    "KpiFrozen",
    "KpiTarget",
    "MemberJob",
    "OwnerChange",
    "Payout",
    "PayoutItem",
    "Reward",
    "Span",
    "TeamChange",
    "Upgrade",
]
