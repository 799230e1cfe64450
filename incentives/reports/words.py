"""What people read of reports: what each is called, and of whom it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from django.utils.translation import gettext as _

from incentives.kpis.words import period_words
from incentives.models import Report
from incentives.reports.services import period_of
from incentives.rules.kpis import Period


def kind_words(kind: str) -> str:
    return str(Report.Kind(kind).label)


def whose_words(report: Report) -> str:
    """Of whom a report is."""
    return str(report.member or report.team or _("The whole firm"))


def title_words(kind: str, period: Period, name: str) -> str:
    """Monthly report: Oct 2026, South. `name` is "" for the firm."""
    words = _("%(kind)s: %(period)s, %(name)s")
    return words % {"kind": kind_words(kind), "period": period_words(period), "name": name or _("The whole firm")}


def report_words(report: Report) -> str:
    """What a report is called."""
    return title_words(report.kind, period_of(report), str(report.member or report.team or ""))


def notice_words(params: Mapping[str, Any]) -> str:
    """The sentence of a report's notice."""
    return title_words(cast(str, params["kind"]), Period.read(params["period"]), cast(str, params["name"]))
