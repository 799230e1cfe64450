"""The verbs of referrals. The referral is a fact and is written where facts are (customers.services.referrals)."""

from customers.services.referrals import (
    claim_words,
    ordered_before,
    patch_referral,
    record_referral,
    upsert_referral,
    withdraw_referral,
)

__all__ = [
    "claim_words",
    "ordered_before",
    "patch_referral",
    "record_referral",
    "upsert_referral",
    "withdraw_referral",
]
