"""The rules' codes in words: why there is no model, no value, no points."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy, pgettext_lazy

WHY_NO_MODEL: Final[Mapping[str, Promise]] = {
    "no_customers": gettext_lazy("Nobody has ordered yet."),
    "one_customer": gettext_lazy("Only one customer has ordered."),
    "one_day": gettext_lazy("All orders lie on one day."),
    "no_repeat": gettext_lazy("Nobody has ordered a second time."),
    "short_history": gettext_lazy("The history is shorter than the policy asks."),
    "few_repeaters": gettext_lazy("Fewer customers have ordered again than the policy asks."),
    "all_equal": gettext_lazy("All customers have ordered exactly alike."),
    "boundary": gettext_lazy(
        "The orders fit no model of this kind: its best parameters lie at the limit of all sense."
    ),
    "not_converged": gettext_lazy("The fit did not converge."),
    "money_none": gettext_lazy("No repeat order has brought money."),
    "money_few": gettext_lazy("Fewer customers have repeat orders that brought money than the policy asks."),
    "money_all_equal": gettext_lazy("All customers spend exactly the same on an order."),
    "money_boundary": gettext_lazy(
        "The money of orders fits no model of this kind: its best parameters lie at the limit of all sense."
    ),
    "money_not_converged": gettext_lazy("The fit of the money did not converge."),
    "money_no_mean": gettext_lazy("The money of orders differs so much that it has no expected value."),
}
"""By lifetime.Reason."""

WHY_NO_VALUE: Final[Mapping[str, Promise]] = {
    "never_ordered": gettext_lazy("The customer has not ordered yet."),
    "negative_money": gettext_lazy("Credit notes leave nothing of the repeat orders."),
    "no_money": gettext_lazy("All orders together brought no money."),
    "no_retention": gettext_lazy("Too few customers ordered more than a year ago to know how many stay."),
    "no_fit": gettext_lazy("There is no lifetime model."),
    "too_much": gettext_lazy("The amount is too large to be right; an order may have a wrong price."),
}
"""By clv.Why."""

WHY_NO_RULES: Final[Mapping[str, Promise]] = {
    "no_orders": gettext_lazy("Nobody has ordered yet."),
    "short_history": gettext_lazy("The orders reach back less far than B may take to follow A."),
    "few_customers": gettext_lazy("Fewer customers have ordered than a rule needs."),
    "few_items": gettext_lazy("No two things have been bought by as many customers as a rule needs."),
    "no_rules": gettext_lazy("Nothing follows anything else often enough for the policy's lines."),
}
"""By cross_sell.Reason."""

PARTS: Final[Mapping[str, Promise]] = {
    "direct": pgettext_lazy("value", "Direct"),
    "indirect": pgettext_lazy("value", "Indirect"),
    "strategic": pgettext_lazy("value", "Strategic"),
}
"""By scorecard.PartKey."""

LINES: Final[Mapping[str, Promise]] = {
    "money": gettext_lazy("Net money"),
    "margin": gettext_lazy("Margin"),
    "payment": gettext_lazy("Payment"),
    "referral": gettext_lazy("Referral"),
    "referred_money": gettext_lazy("What referred customers bought"),
    "endorsement": gettext_lazy("Endorsement"),
    "benchmark": gettext_lazy("Benchmark customer"),
    "co_development": gettext_lazy("Co-development"),
    "cluster": gettext_lazy("Industry cluster"),
}
"""By the key of a scorecard's line."""

WHY_NO_POINTS: Final[Mapping[str, Promise]] = {
    "never_ordered": gettext_lazy("has not ordered yet"),
    "alone": gettext_lazy("no other customer to compare with"),
    "no_payments": gettext_lazy("no paid order with a due day"),
    "no_margins": gettext_lazy("margins of single customers are not kept"),
    "not_kept": gettext_lazy("nothing of this kind has been noted about any customer"),
}
"""By scorecard.Unknown."""
