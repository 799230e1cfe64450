"""What members are told about alerts: the kinds of notices, and their sentences."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from followups.notices.kinds import register
from risk.models import Alert
from tenants.context import current_tenant
from tenants.templatetags.perennial import day as day_words


def _signal(params: Mapping[str, Any]) -> str:
    return str(dict(Alert.Signal.choices).get(params["signal"], params["signal"]))


def _severe(params: Mapping[str, Any]) -> str:
    return _("Severe alert: %(customer)s, %(signal)s") % {"customer": params["customer"], "signal": _signal(params)}


def _new(params: Mapping[str, Any]) -> str:
    return _("New alerts of %(day)s wait for you") % {"day": day_words(dt.date.fromisoformat(params["day"]))}


def _escalated(params: Mapping[str, Any]) -> str:
    due_at = parse_datetime(params["due_at"])
    assert due_at is not None  # noqa: S101  # written by isoformat()
    words = _("Nobody has answered in time, it is with you now: %(customer)s, %(signal)s (due %(day)s)")
    day = day_words(current_tenant().local_date(due_at))
    return words % {"customer": params["customer"], "signal": _signal(params), "day": day}


def _assigned(params: Mapping[str, Any]) -> str:
    words = _("%(who)s gave you an alert: %(customer)s, %(signal)s")
    return words % {"who": params["who"], "customer": params["customer"], "signal": _signal(params)}


SEVERE = register("alert_severe", gettext_lazy("A severe alert opens"), _severe, mail="at_once", chat=True)
ESCALATED = register(
    "alert_escalated", gettext_lazy("An alert comes up the line to me"), _escalated, mail="at_once", chat=True
)
ASSIGNED = register("alert_assigned", gettext_lazy("Somebody gives me an alert"), _assigned)
NEW = register("alerts_new", gettext_lazy("New alerts of the day"), _new)
