"""The lapse forecast's codes in words: reasons, why there is no number, why there is no model or back-test."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final

from django.utils import formats
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext

from health.rules.forecast import Explanation, Part, PartKey
from segmentation.words import WHY_NO_MODEL
from tenants.base import POINTS
from tenants.templatetags.perennial import short_money, whole

ORDINARY: Final = 5
"""A season that differs from the year's mean by no more percent than this is none to speak of."""

WHY_NO_NUMBER: Final[Mapping[str, Promise]] = {
    "one_order": gettext_lazy("Only one order: nothing says yet when the next one is due."),
    "one_day": gettext_lazy("All orders lie on one day: nothing says yet when the next one is due."),
    "lapsed": gettext_lazy("Has lapsed already: silent for longer than the forecast looks ahead."),
    "future_facts": gettext_lazy("Has orders dated in the future, which do not count yet."),
    "no_model": gettext_lazy("There is no model yet."),
}
"""By forecast.Code."""

SHORT_WHY: Final[Mapping[str, Promise]] = {
    "one_order": gettext_lazy("one order"),
    "one_day": gettext_lazy("all on one day"),
    "lapsed": gettext_lazy("lapsed"),
    "future_facts": gettext_lazy("future orders"),
    "no_model": gettext_lazy("no model"),
}
"""The same for a column and a choice."""

WHY_NO_FORECAST: Final[Mapping[str, Promise]] = {
    "no_orders": gettext_lazy("Nobody has ordered yet."),
    "short_history": gettext_lazy("The history is shorter than the policy asks."),
    "few_customers": gettext_lazy("Fewer customers have ordered again, long enough ago to know how it went on, than the policy asks."),
    "one_outcome": gettext_lazy("So far all customers have gone on ordering, or none: nothing tells them apart."),
    "no_lifetime_model": gettext_lazy("The lifetime model that it builds on finds nothing."),
    "not_converged": gettext_lazy("The fit did not converge."),
}  # fmt: skip
"""By forecast.Reason."""


WHY_NO_CUT_OFF: Final[Mapping[str, Promise]] = {
    "not_closed": gettext_lazy("The days looked ahead are not over yet."),
    "no_active": gettext_lazy("Nobody was an active customer with orders on two days."),
    "one_outcome": gettext_lazy("All active customers lapsed, or none: nothing to tell apart."),
}
"""By backtest.Refusal, where it is not a forecast.Reason."""


def why_no_forecast(reason: str, lifetime_reason: str = "") -> str:
    """Why the firm has no model, and where the lifetime model is to blame, why that one is missing."""
    words = WHY_NO_FORECAST.get(reason, "")
    more = WHY_NO_MODEL.get(lifetime_reason, "") if reason == "no_lifetime_model" else ""
    return pgettext("between sentences on one line", " ").join(str(each) for each in (words, more) if each)


def reasons(explanation: Explanation) -> list[tuple[str, int]]:
    """The strongest reasons in words, each with the percentage points that it adds."""
    return [(part_words(part), part.points) for part in explanation.parts]


def reasons_short(explanation: Explanation) -> list[tuple[str, int]]:
    """The same in two or three words each, for a strip."""
    return [(short_words(part), part.points) for part in explanation.parts]


def part_words(part: Part) -> str:
    """What a part of the forecast rests on, in words."""
    return _PARTS[part.key](part.inputs, part.points)


def short_words(part: Part) -> str:
    """The same in two or three words."""
    return _SHORT[part.key](part.inputs)


def _silence(inputs: Mapping[str, Any], points: int) -> str:
    days, gap = inputs["days"], inputs["median_gap"]
    words = (
        ngettext("Silent for %(days)s day", "Silent for %(days)s days", days)
        if points > 0
        else ngettext("Last order %(days)s day ago", "Last order %(days)s days ago", days)
    ) % {"days": whole(days)}
    if not gap:
        return words
    return _("%(silent)s, %(times)s × own gap") % {"silent": words, "times": _number(days / gap)}


def _rhythm(inputs: Mapping[str, Any], _points: int) -> str:
    count, gap = inputs["order_days"], inputs["median_gap"]
    days = ngettext("%(count)s order day", "%(count)s order days", count) % {"count": whole(count)}
    if not gap:
        return str(days)
    return ngettext("Own gap of %(gap)s day, %(days)s", "Own gap of %(gap)s days, %(days)s", round(gap)) % {
        "gap": _number(gap), "days": days,
    }  # fmt: skip


def _recent(inputs: Mapping[str, Any], _points: int) -> str:
    count = inputs["order_days"]
    words = ngettext(
        "%(count)s order day in half a year, active in %(active)s of 6 months",
        "%(count)s order days in half a year, active in %(active)s of 6 months",
        count,
    )
    return words % {"count": whole(count), "active": inputs["active_months"]}


def _money(inputs: Mapping[str, Any], _points: int) -> str:
    return _("Brought %(quarter)s in 3 months, %(year)s in 12") % {
        "quarter": _points_money(inputs["net_quarter"]), "year": _points_money(inputs["net_year"]),
    }  # fmt: skip


def _credit_notes(inputs: Mapping[str, Any], _points: int) -> str:
    notes, orders = inputs["credit_notes"] or 0, inputs["orders"] or 0
    if not notes:
        return _("No credit notes")
    words = ngettext("%(notes)s credit note to %(orders)s orders", "%(notes)s credit notes to %(orders)s orders", notes)
    return words % {"notes": whole(notes), "orders": whole(orders)}


def _season(inputs: Mapping[str, Any], _points: int) -> str:
    busy, same = inputs["busy"], inputs["same_season"] or 0
    if busy < 100 - ORDINARY:
        words = _("Quiet season ahead, %(busy)s%% of usual") % {"busy": busy}
    elif busy > 100 + ORDINARY:
        words = _("Busy season ahead, %(busy)s%% of usual") % {"busy": busy}
    else:
        words = _("Usual season ahead")
    if not same:
        return str(words)
    days = ngettext("%(same)s order day in it a year ago", "%(same)s order days in it a year ago", same)
    return pgettext("between reasons", "; ").join((words, days % {"same": whole(same)}))


_PARTS: Final[Mapping[PartKey, Callable[[Mapping[str, Any], int], str]]] = {
    "silence": _silence,
    "rhythm": _rhythm,
    "recent": _recent,
    "money": _money,
    "credit_notes": _credit_notes,
    "season": _season,
}


def _short_silence(inputs: Mapping[str, Any]) -> str:
    if not inputs["median_gap"]:
        return _("silent %(days)s d") % {"days": whole(inputs["days"])}
    return _("silent %(times)s × own gap") % {"times": _number(inputs["days"] / inputs["median_gap"])}


def _short_rhythm(inputs: Mapping[str, Any]) -> str:
    return _("own gap %(gap)s d") % {"gap": _number(inputs["median_gap"] or 0)}


def _short_recent(inputs: Mapping[str, Any]) -> str:
    count = inputs["order_days"]
    words = ngettext("%(count)s order day in 6 months", "%(count)s order days in 6 months", count)
    return words % {"count": whole(count)}


def _short_money(inputs: Mapping[str, Any]) -> str:
    return _("%(quarter)s in 3 months") % {"quarter": _points_money(inputs["net_quarter"])}


def _short_credit_notes(inputs: Mapping[str, Any]) -> str:
    notes = inputs["credit_notes"] or 0
    return ngettext("%(notes)s credit note", "%(notes)s credit notes", notes) % {"notes": whole(notes)}


def _short_season(inputs: Mapping[str, Any]) -> str:
    return _("season ahead %(busy)s%%") % {"busy": inputs["busy"]}


_SHORT: Final[Mapping[PartKey, Callable[[Mapping[str, Any]], str]]] = {
    "silence": _short_silence,
    "rhythm": _short_rhythm,
    "recent": _short_recent,
    "money": _short_money,
    "credit_notes": _short_credit_notes,
    "season": _short_season,
}


def _points_money(points: int | None) -> str:
    return short_money(Decimal(points or 0) / POINTS)


def _number(value: float) -> str:
    rounded = round(value, 1) if value < 10 else round(value)
    return str(formats.number_format(rounded, 0 if rounded % 1 == 0 else 1))
