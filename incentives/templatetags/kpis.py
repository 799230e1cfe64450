"""What the pages of KPIs and goals write."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from django import template
from django.utils.translation import pgettext_lazy

from incentives.kpis.words import amount

register = template.Library()

_VERBS: Final = {
    "created": pgettext_lazy("goal", "set"),
    "updated": pgettext_lazy("goal", "changed"),
    "started": pgettext_lazy("goal", "started"),
    "checked": pgettext_lazy("goal", "checked"),
    "acted": pgettext_lazy("goal", "what was learned written down"),
    "closed": pgettext_lazy("goal", "closed"),
}


@register.filter
def kpi_amount(value: Decimal) -> str:
    """A numerator or denominator: whole where it is, else with two decimals."""
    return amount(value)


@register.filter
def goal_verb(verb: str) -> str:
    """What happened to a goal, in words."""
    return str(_VERBS.get(verb, verb))
