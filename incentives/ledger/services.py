"""The verbs of the ledger: post, balance and statement; approve, pay out, dispute, redeem; service upgrades."""

from incentives.ledger.approving import Approved, approve
from incentives.ledger.disputes import open_dispute, reply, resolve, withdraw
from incentives.ledger.paying import pay_out, payable_sums, points_of, redeem
from incentives.ledger.posting import Line, account, balance, post
from incentives.ledger.statements import Days, Statement, StatementLine, Stretch, statement
from incentives.ledger.upgrades import record_upgrade, withdraw_upgrade

__all__ = [
    "Approved",
    "Days",
    "Line",
    "Statement",
    "StatementLine",
    "Stretch",
    "account",
    "approve",
    "balance",
    "open_dispute",
    "pay_out",
    "payable_sums",
    "points_of",
    "post",
    "record_upgrade",
    "redeem",
    "reply",
    "resolve",
    "statement",
    "withdraw",
    "withdraw_upgrade",
]
