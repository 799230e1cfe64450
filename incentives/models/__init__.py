"""What people earn and what they are measured by: the tables of incentives, one module per idea."""

from incentives.models.awards import AwardRound, AwardStanding, AwardUsual, Medal
from incentives.models.goals import Goal
from incentives.models.growth import (
    Certification,
    CertificationScore,
    Dimension,
    PromotionNote,
    Training,
    TrainingCustomer,
)
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
from incentives.models.reports import Report

__all__ = [
    "Account",
    "AwardRound",
    "AwardStanding",
    "AwardUsual",
    "Certification",
    "CertificationScore",
    "ClvMark",
    "Dimension",
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
    "Medal",
    "MemberJob",
    "OwnerChange",
    "Payout",
    "PayoutItem",
    "PromotionNote",
    "Report",
    "Reward",
    "Span",
    "TeamChange",
    "Training",
    "TrainingCustomer",
    "Upgrade",
]
