"""The kinds of facts behind a score, and their states, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy, pgettext_lazy

from health.quality import Kind, State

FACT_KINDS: Final[Mapping[Kind, Promise]] = {
    "orders": gettext_lazy("Orders"),
    "order_lines": gettext_lazy("Order lines"),
    "contacts": gettext_lazy("Two-way contacts"),
    "replies": gettext_lazy("Replies to our contacts"),
    "complaints": gettext_lazy("Complaints"),
    "solutions": gettext_lazy("Solved questions"),
    "satisfaction": gettext_lazy("Satisfaction (CSAT)"),
    "recommendation": gettext_lazy("Recommendation (NPS)"),
    "competitor": gettext_lazy("Competitor questions"),
    "payments": gettext_lazy("Payments"),
}

FACT_STATES: Final[Mapping[State, Promise]] = {
    "there": pgettext_lazy("fact", "there"),
    "fresh": pgettext_lazy("fact", "fresh"),
    "stale": pgettext_lazy("fact", "stale"),
    "missing": pgettext_lazy("fact", "missing"),
    "used": pgettext_lazy("fact", "in the score"),
    "used_stale": pgettext_lazy("fact", "in the score although stale"),
}

HOW_TO_FILL: Final[Mapping[Kind, Promise]] = {
    "orders": gettext_lazy("Import the orders, or send them by the API."),
    "order_lines": gettext_lazy("Send the orders with their lines: article, quantity, price."),
    "contacts": gettext_lazy("Log what customers ask and answer, in Today or on the customer page."),
    "replies": gettext_lazy("When you log a contact, say whether it was answered."),
    "complaints": gettext_lazy("Note complaints on the customer page, or import them."),
    "solutions": gettext_lazy("When you solve a complaint, say whether the first try was enough."),
    "satisfaction": gettext_lazy("Note CSAT answers on the customer page, or import them."),
    "recommendation": gettext_lazy("Ask contacts how likely they recommend you; note or import the answers."),
    "competitor": gettext_lazy("When you log a contact, tick that it asked about a competitor."),
    "payments": gettext_lazy("Send the orders with the days on which they are due and paid."),
}
"""What to do about facts that are missing."""
