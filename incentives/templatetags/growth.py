"""What the pages of growth write."""

from __future__ import annotations

from typing import Final

from django import template
from django.utils.translation import pgettext_lazy

register = template.Library()

_VERBS: Final = {
    "opened": pgettext_lazy("growth", "made by the night"),
    "reviewer_named": pgettext_lazy("growth", "reviewer named"),
    "scored": pgettext_lazy("growth", "scored"),
    "sent_back": pgettext_lazy("growth", "sent back"),
    "confirmed": pgettext_lazy("growth", "confirmed"),
    "planned": pgettext_lazy("growth", "planned"),
    "updated": pgettext_lazy("growth", "changed"),
    "customer_added": pgettext_lazy("growth", "customer named"),
    "customer_removed": pgettext_lazy("growth", "customer taken off"),
    "customer_done": pgettext_lazy("growth", "customer done"),
    "customer_undone": pgettext_lazy("growth", "customer not done after all"),
    "approved": pgettext_lazy("growth", "approved"),
    "approval_taken_back": pgettext_lazy("growth", "approval taken back"),
    "ended": pgettext_lazy("growth", "ended"),
}


@register.filter
def growth_verb(verb: str) -> str:
    """What happened to a certification or a training, in words."""
    return str(_VERBS.get(verb, verb))
