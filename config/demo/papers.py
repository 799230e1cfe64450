"""The reports of the month and the week that are over, as they would have been made, and kept."""

from __future__ import annotations

import datetime as dt

from dashboards.reports.facts import Sources, gather
from incentives.reports import services as reports
from incentives.rules.kpis import Period
from incentives.rules.reports import KINDS, SPANS


def make_reports(today: dt.date) -> None:
    """Make the last month's report and the last week's digest for everybody who would have got them."""
    for kind in KINDS:
        period = Period.of(SPANS[kind], today).before
        sources = Sources(period, today)
        for who, told in reports.readers(kind).items():
            reports.keep(kind=kind, period=period, who=who, facts=gather(kind, who, sources), told=told)
