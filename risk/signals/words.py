"""What fired a signal, and what answers it, in sentences of the reader's language."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext, pgettext_lazy

from risk.models import Alert
from risk.rules.policy import Signal
from risk.rules.signals import SIGNALS
from tenants.base import POINTS
from tenants.templatetags.perennial import day, short_money

ANSWERS: Final[Mapping[str, str | Promise]] = {
    "contact": pgettext_lazy("answer", "Contact the customer"),
    "light_touch": pgettext_lazy("answer", "Light touch"),
    "ask": pgettext_lazy("answer", "Ask why"),
    "diagnosis": pgettext_lazy("answer", "Diagnosis"),
    "joint_visit": pgettext_lazy("answer", "Joint visit: sales, after-sales, technical"),
    "retention_plan": pgettext_lazy("answer", "Retention plan"),
    "three_plus_one": pgettext_lazy("answer", "3+1 plan: phone, WeChat, mail, then one special benefit"),
    "task": pgettext_lazy("answer", "Find out what is wrong and settle it"),
    "retention_team": pgettext_lazy("answer", "Retention team, led by an executive"),
    "call_back": pgettext_lazy("answer", "Call back with a solution"),
    "early_warning": pgettext_lazy("answer", "Early-warning talk"),
}
"""The default answer of a signal, by its code."""

WHAT: Final[Mapping[Signal, str | Promise]] = {
    "order_silence": gettext_lazy("No order for long, by days or by the own cycle"),
    "contact_silence": gettext_lazy("A customer of the top tiers that nobody has contacted for long"),
    "frequency_falling": gettext_lazy("The last gaps between orders are longer than those before"),
    "spec_drift": gettext_lazy("The same articles, fewer of each at a time"),
    "activity_drop": gettext_lazy("Far fewer orders than in as many days before"),
    "category_drop": gettext_lazy("Buys from fewer categories than before"),
    "complaint_rise": gettext_lazy("More complaints per order than before"),
    "competitor_pull": gettext_lazy("Spend falls month by month, and contacts ask about competitors more often"),
    "unanswered": gettext_lazy("Several contacts in a row that the customer did not answer"),
    "nps_silence": gettext_lazy("More detractors than promoters, and no order for long"),
    "leaving": gettext_lazy("Said that it considers another supplier, or has broken off"),
    "repeated_question": gettext_lazy("The same question came up several times and is not solved"),
    "lapse_forecast": gettext_lazy("The forecast's probability of a lapse is over the policy's line"),
}
"""What a signal is about, in one line."""

NO_DATA: Final[Mapping[Signal, str | Promise]] = {
    "order_silence": gettext_lazy("No customer has ordered yet."),
    "contact_silence": gettext_lazy("No contact with a customer of the top tiers is written down."),
    "frequency_falling": gettext_lazy("No customer has ordered often enough to have a rhythm."),
    "spec_drift": gettext_lazy("Order sizes of past days are not kept: this signal cannot be replayed."),
    "activity_drop": gettext_lazy("No customer has ordered often enough to be compared with before."),
    "category_drop": gettext_lazy("No customer buys enough categories; orders may have no lines."),
    "complaint_rise": gettext_lazy("No complaint is written down."),
    "competitor_pull": gettext_lazy("No contact about a competitor is written down."),
    "unanswered": gettext_lazy("Of no contact it is written down whether it was answered."),
    "nps_silence": gettext_lazy("No NPS answer is written down."),
    "leaving": gettext_lazy("Nobody has noted that a customer thinks of leaving."),
    "repeated_question": gettext_lazy("No complaint is written down."),
    "lapse_forecast": gettext_lazy("Forecasts of past days are not kept: see the back-test of the forecast."),
}
"""Why a signal cannot fire where the firm has no such facts."""


def answer_words(signal: str) -> str:
    """The default answer of a signal; empty for one that is not known."""
    rule = SIGNALS.get(signal)  # type: ignore[call-overload]  # a row's text
    return str(ANSWERS[rule.answer]) if rule else ""


def sentence(alert: Alert) -> str:
    """What fired the alert, with its numbers: "No order for 74 days; its usual gap is 19 days."

    The days are those of when it fired last. A fact that is missing leaves the signal's name.
    """
    write = _SENTENCES.get(alert.signal)
    try:
        return write(alert.facts) if write else str(alert.get_signal_display())
    except (KeyError, TypeError, ValueError):
        # Facts of a release that kept others: the name still says what it is.
        return str(alert.get_signal_display())


def _whole(value: Any) -> int:
    return round(float(value))


def _on(value: str) -> str:
    return day(dt.date.fromisoformat(value))


def _both(*sentences: str) -> str:
    return pgettext("between sentences on one line", " ").join(sentences)


def _order_silence(facts: Mapping[str, Any]) -> str:
    days = _whole(facts["days"])
    said = ngettext(
        "No order for %(days)s day, since %(since)s.", "No order for %(days)s days, since %(since)s.", days
    ) % {"days": days, "since": _on(facts["since"])}
    if not (gap := facts.get("own_gap")):
        return said
    gap = max(1, _whole(gap))
    usual = ngettext("Its usual gap is %(gap)s day.", "Its usual gap is %(gap)s days.", gap) % {"gap": gap}
    return _both(said, usual)


def _contact_silence(facts: Mapping[str, Any]) -> str:
    days = _whole(facts["days"])
    return ngettext(
        "Nobody has contacted it for %(days)s day, since %(since)s.",
        "Nobody has contacted it for %(days)s days, since %(since)s.",
        days,
    ) % {"days": days, "since": _on(facts["since"])}


def _spec_drift(facts: Mapping[str, Any]) -> str:
    products = _whole(facts["products"])
    return ngettext(
        "Orders of %(products)s article are at %(percent)s %% of the usual size.",
        "Orders of %(products)s articles are at %(percent)s %% of the usual size.",
        products,
    ) % {"products": products, "percent": _whole(facts["ratio"] * 100)}


def _frequency_falling(facts: Mapping[str, Any]) -> str:
    said = {"recent": _whole(facts["gap_recent"]), "before": _whole(facts["gap_before"])}
    return _("Orders every %(recent)s days now, every %(before)s days before.") % said


def _activity_drop(facts: Mapping[str, Any]) -> str:
    orders = _whole(facts["orders"])
    said = {"orders": orders, "days": _whole(facts["days"]), "before": _whole(facts["before"])}
    return (
        ngettext(
            "%(orders)s order in the last %(days)s days, %(before)s in as many days before.",
            "%(orders)s orders in the last %(days)s days, %(before)s in as many days before.",
            orders,
        )
        % said
    )


def _category_drop(facts: Mapping[str, Any]) -> str:
    number = _whole(facts["categories"])
    return ngettext(
        "Buys from %(number)s category now, from %(before)s before.",
        "Buys from %(number)s categories now, from %(before)s before.",
        number,
    ) % {"number": number, "before": _whole(facts["before"])}


def _complaint_rise(facts: Mapping[str, Any]) -> str:
    number = _whole(facts["complaints"])
    said = {
        "number": number, "orders": _whole(facts["orders"]), "before": _whole(facts["before"]),
        "orders_before": _whole(facts["orders_before"]),
    }  # fmt: skip
    return (
        ngettext(
            "%(number)s complaint in %(orders)s orders now, %(before)s in %(orders_before)s orders before.",
            "%(number)s complaints in %(orders)s orders now, %(before)s in %(orders_before)s orders before.",
            number,
        )
        % said
    )


def _competitor_pull(facts: Mapping[str, Any]) -> str:
    months = _whole(facts["months"])
    falls = ngettext(
        "Spend fell %(months)s month running, from %(from)s to %(to)s.",
        "Spend fell %(months)s months running, from %(from)s to %(to)s.",
        months,
    ) % {"months": months, "from": _money(facts["from"]), "to": _money(facts["to"])}
    asked = _whole(facts["asked"])
    words = ngettext(
        "%(asked)s contact was about competitors, %(before)s before.",
        "%(asked)s contacts were about competitors, %(before)s before.",
        asked,
    ) % {"asked": asked, "before": _whole(facts["before"])}
    return _both(falls, words)


def _money(points: Any) -> str:
    return short_money(Decimal(points) / POINTS)


def _unanswered(facts: Mapping[str, Any]) -> str:
    number = _whole(facts["contacts"])
    return ngettext(
        "%(number)s contact unanswered, the last on %(last)s.",
        "%(number)s contacts in a row unanswered, the last on %(last)s.",
        number,
    ) % {"number": number, "last": _on(facts["last"])}


def _nps_silence(facts: Mapping[str, Any]) -> str:
    days = _whole(facts["days"])
    return ngettext(
        "NPS %(nps)s from %(answers)s answers, and no order for %(days)s day.",
        "NPS %(nps)s from %(answers)s answers, and no order for %(days)s days.",
        days,
    ) % {"nps": _whole(facts["nps"]), "answers": _whole(facts["answers"]), "days": days}


def _leaving(facts: Mapping[str, Any]) -> str:
    if facts["said"] == "broke_off":
        return _("Said on %(day)s that it has broken off after a failure.") % {"day": _on(facts["on"])}
    return _("Said on %(day)s that it considers another supplier.") % {"day": _on(facts["on"])}


def _repeated_question(facts: Mapping[str, Any]) -> str:
    times = _whole(facts["times"])
    return ngettext(
        "“%(topic)s” came up %(times)s time and is not solved, the last on %(last)s.",
        "“%(topic)s” came up %(times)s times and is not solved, the last on %(last)s.",
        times,
    ) % {"topic": facts["topic"], "times": times, "last": _on(facts["last"])}


def _lapse_forecast(facts: Mapping[str, Any]) -> str:
    said = {"percent": _whole(facts["percent"]), "since": _on(facts["since"])}
    return _("The forecast says %(percent)s %% that it lapses; warned of since %(since)s.") % said


_SENTENCES: Final[Mapping[str, Callable[[Mapping[str, Any]], str]]] = {
    "order_silence": _order_silence,
    "contact_silence": _contact_silence,
    "spec_drift": _spec_drift,
    "frequency_falling": _frequency_falling,
    "activity_drop": _activity_drop,
    "category_drop": _category_drop,
    "complaint_rise": _complaint_rise,
    "competitor_pull": _competitor_pull,
    "unanswered": _unanswered,
    "nps_silence": _nps_silence,
    "leaving": _leaving,
    "repeated_question": _repeated_question,
    "lapse_forecast": _lapse_forecast,
}
