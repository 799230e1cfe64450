"""Why a customer went or nearly went, in which class, and what can be tried against it (docs/rules/cases.md)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

from tenants.rules.sections import gettext_noop

CauseClass = Literal["demand", "relationship", "external"]


@dataclass(frozen=True)
class Cause:
    """A cause: its class (PLAYBOOK section 7) and what it is called in English, to be translated when shown."""

    risk_class: CauseClass
    title: str


CAUSES: Final[dict[str, Cause]] = {
    # The customer needs something else, or less.
    "budget_cut": Cause("demand", gettext_noop("Budget cut")),
    "plan_changed": Cause("demand", gettext_noop("Plan changed")),
    "need_ended": Cause("demand", gettext_noop("Need ended")),
    # Between the customer and us.
    "price": Cause("relationship", gettext_noop("Price")),
    "quality": Cause("relationship", gettext_noop("Quality")),
    "late_delivery": Cause("relationship", gettext_noop("Late delivery")),
    "slow_service": Cause("relationship", gettext_noop("Service too slow")),
    "unsolved": Cause("relationship", gettext_noop("Problem unsolved")),
    "contact_left": Cause("relationship", gettext_noop("Contact left")),
    "payment_terms": Cause("relationship", gettext_noop("Payment terms")),
    # From outside.
    "competitor": Cause("external", gettext_noop("Competitor offer")),
    "policy_market": Cause("external", gettext_noop("Policy or market change")),
    "business_closed": Cause("external", gettext_noop("Customer closed its business")),
    "other": Cause("external", gettext_noop("Other cause")),
}
"""Code → cause. A code is kept in rows: it is never taken away."""

TRIED: Final[dict[str, str]] = {
    "discount": gettext_noop("discount"),
    "added_service": gettext_noop("added service"),
    "joint_visit": gettext_noop("joint visit"),
    "faster_delivery": gettext_noop("faster delivery"),
    "payment_terms": gettext_noop("better payment terms"),
    "rework": gettext_noop("replacement or rework"),
    "executive_visit": gettext_noop("executive visit"),
    "new_contact": gettext_noop("new contact"),
    "training": gettext_noop("training"),
    "nothing": gettext_noop("nothing"),
}
"""Code → what was tried, in English, to be translated when shown."""


def class_of(cause: str, otherwise: str = "") -> str:
    """The class of a cause's code; `otherwise` for a code that is not known (old rows may hold words)."""
    found = CAUSES.get(cause)
    return found.risk_class if found else otherwise


def tried_codes(tried: str | Iterable[str]) -> list[str]:
    """What was tried, as known codes in the table's order, each once.

    `tried`: codes, or one text of codes between commas. "nothing" beside something else says nothing and falls away.
    """
    said = tried.split(",") if isinstance(tried, str) else tried
    given = {code.strip() for code in said}
    found = [code for code in TRIED if code in given]
    return [code for code in found if code != "nothing"] if len(found) > 1 else found
