"""What members are told about awards: the kinds of notices, and their sentences."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from followups.notices.kinds import register
from incentives.models import Medal
from tenants.templatetags.perennial import month_year


def _said(params: Mapping[str, Any]) -> dict[str, str]:
    return {
        "medal": str(Medal.Kind(params["medal"]).label),
        "month": month_year(dt.date.fromisoformat(params["month"])),
        "why": params.get("why", ""),
    }


def _given(params: Mapping[str, Any]) -> str:
    return _("You are honoured for %(month)s: %(medal)s") % _said(params)


def _taken(params: Mapping[str, Any]) -> str:
    return _("The ranking of %(month)s was corrected, “%(medal)s” is taken back: %(why)s") % _said(params)


def _due(params: Mapping[str, Any]) -> str:
    return _("%(month)s is closed: its ranking can be awarded") % {
        "month": month_year(dt.date.fromisoformat(params["month"]))
    }


GIVEN = register("medal_given", gettext_lazy("I am honoured with a medal"), _given, mail="at_once")
TAKEN = register("medal_taken", gettext_lazy("A medal of mine is taken back"), _taken, mail="at_once")
DUE = register("awards_due", gettext_lazy("A month’s ranking can be awarded"), _due)
