"""Words of the desks."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, Final

from django.utils.translation import gettext, ngettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from dashboards.receipts import NAMES
from health.models import HealthScore

SPAN_WORDS: Final[Mapping[str, Any]] = {
    "4-weeks": pgettext_lazy("span", "4 weeks"),
    "quarter": pgettext_lazy("period", "Quarter"),
    "year": pgettext_lazy("period", "Year"),
}

LAPSE_CLASSES: Final[Mapping[str, Any]] = {
    "relationship": _("Relationship"),
    "demand": _("Demand"),
    "external": _("External"),
    "unknown": pgettext_lazy("cause", "Not known"),
}

CLOCK_STATES: Final[Mapping[str, Any]] = {
    "met": pgettext_lazy("clock", "met"),
    "late": pgettext_lazy("clock", "late"),
    "running": pgettext_lazy("clock", "running"),
}

_IN_GENERAL: Final[Mapping[str, Any]] = {
    "order_stability": _("orders come irregularly"),
    "interaction_frequency": _("hardly any contact"),
    "responsiveness": _("does not answer"),
    "complaint_rate": _("many complaints for its orders"),
    "first_time_resolution": _("problems not solved at once"),
    "satisfaction": _("not satisfied"),
    "competitor_interest": _("asks about competitors"),
}


def why_red(indicator: str, score: HealthScore, as_of: dt.date) -> str:
    """What an indicator that costs a score most has seen, in one short phrase."""
    if indicator == "order_frequency" and score.median_gap and score.last_order_on:
        times = (as_of - score.last_order_on).days / score.median_gap
        return gettext("silent %(times).1f × own gap") % {"times": times}
    if indicator == "spend_trend" and score.spend_before:
        fall = round((1 - score.spend_recent / score.spend_before) * 100)
        return gettext("spend down %(percent)d%%") % {"percent": fall} if fall > 0 else str(NAMES[indicator])
    if indicator == "category_breadth" and score.categories_before:
        words = gettext("%(now)d of %(before)d categories left")
        return words % {"now": score.categories_recent, "before": score.categories_before}
    if indicator == "payment_behaviour" and score.days_late is not None and score.days_late > 0:
        days = round(score.days_late)
        return ngettext("pays %(days)d day late", "pays %(days)d days late", days) % {"days": days}
    if indicator == "advocacy":
        return gettext("NPS under 0: would not recommend us")
    return str(_IN_GENERAL.get(indicator, NAMES.get(indicator, indicator)))
