"""Risk at a glance: by class and level, how soon it is answered, who was lost and why. Every number opens its rows."""

from __future__ import annotations

import datetime as dt
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.http import HttpRequest, HttpResponseBase
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from risk.alerts.words import cause_words
from risk.models import Alert
from risk.overview.figures import DAYS, Clock, Month, Overview, overview
from risk.rules.alerts import LEVELS
from tenants.export import write_csv
from tenants.pages import TenantView

USUAL_DAYS = 90


class OverviewForm(forms.Form):
    """Over which days answers are measured."""

    days = forms.TypedChoiceField(choices=[(days, days) for days in DAYS], coerce=int, required=False, empty_value=None)
    export = forms.ChoiceField(choices=[("csv", "csv")], required=False)


class RiskOverview(TenantView):
    """The page."""

    permission = "alerts:read"
    nav = "risk"

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        asked = self.parameters(OverviewForm)
        days = asked["days"] or USUAL_DAYS
        found = overview(self.member, days=days)
        if asked["export"]:
            self.check_export("customers:export")
            return self.csv_file("risk", write_csv(*_lines(found)))
        return self.render(
            "risk/overview.html",
            found=found,
            days=days,
            spans=DAYS,
            classes=[
                (label, [(found.cells[code, level], self._open(risk_class=code, level=level)) for level in _HEAVIEST],
                 found.of_class(code), self._open(risk_class=code))
                for code, label in Alert.RiskClass.choices
            ],
            levels=[(level, dict(Alert.Level.choices)[level]) for level in _HEAVIEST],
            open_link=self._open(),
            late_link=self._open(in_time="false"),
            snoozed_link=self._rows(state="snoozed"),
            clocks=[self._clock(clock, found) for clock in (*found.clocks, found.total)],
            causes=[cause_words(cause) or _("no cause said") for cause in found.causes],
            months=[self._month(month, found) for month in reversed(found.months)],
            lost=sum(month.customers for month in found.months),
            may_export=self.member.can("customers:export"),
        )  # fmt: skip

    def _rows(self, **said: str) -> str:
        return f"{self.address('alerts')}?{urlencode({'view': 'all'} | said)}"

    def _open(self, **said: str) -> str:
        """Open alerts, also those that are put off: they are at risk all the same."""
        return self._rows(state="unclosed", **said)

    def _clock(self, clock: Clock, found: Overview) -> dict[str, Any]:
        span = {"opened_from": found.opened_from.isoformat(), "opened_to": found.opened_to.isoformat(), "state": "any"}
        said = span | ({"level": clock.level} if clock.level else {})
        return {
            "clock": clock,
            "words": dict(Alert.Level.choices).get(clock.level, _("All")),
            "in_time": self._rows(in_time="true", **said),
            "late": self._rows(in_time="false", **said),
            "running": self._rows(**said | {"clocked": "false", "state": "unclosed"}),
            "needless": self._rows(**said | {"clocked": "false", "state": "closed"}),
            "p50": time_words(clock.p50),
            "p90": time_words(clock.p90),
        }

    def _month(self, month: Month, found: Overview) -> dict[str, Any]:
        said = {
            "state": "closed", "outcome": "lost", "closed_from": month.first.isoformat(),
            "closed_to": month.last.isoformat(),
        }  # fmt: skip
        cells = []
        for cause in found.causes:
            number = month.causes.get(cause, 0)
            cells.append((number, self._rows(**said, **({"cause": cause} if cause else {"has_cause": "false"}))))
        return {"month": month, "cells": cells, "link": self._rows(**said)}


_HEAVIEST = tuple(reversed(LEVELS))


def time_words(time: dt.timedelta | None) -> str:
    """A stretch of business time as people read it: 40 min, 3 h 20 min, 31 h."""
    if time is None:
        return "–"
    minutes = round(time.total_seconds() / 60)
    hours, rest = divmod(minutes, 60)
    if not hours:
        return ngettext("%(minutes)d min", "%(minutes)d min", rest) % {"minutes": rest}
    if hours >= 10 or not rest:
        return ngettext("%(hours)d h", "%(hours)d h", hours) % {"hours": hours + (rest >= 30)}
    return _("%(hours)d h %(minutes)d min") % {"hours": hours, "minutes": rest}


def _lines(found: Overview) -> tuple[list[str], list[list[Any]]]:
    """The figures as rows of a spreadsheet: part, of what, number. Made at once: a file is sent when the language is gone."""
    classes, levels = dict(Alert.RiskClass.choices), dict(Alert.Level.choices)
    rows: list[list[Any]] = []
    for (risk_class, level), cell in found.cells.items():
        of = f"{classes[risk_class]}, {levels[level]}"
        rows += [[_("Open alerts"), of, cell.alerts], [_("Money at risk"), of, cell.money]]
    for clock in (*found.clocks, found.total):
        of = str(levels.get(clock.level, _("All")))
        rows += [
            [_("Answered in time"), of, clock.in_time],
            [_("Answered late, or not at all"), of, clock.late],
            [_("Still running"), of, clock.running],
            [_("Needed no answer"), of, clock.needless],
            [_("Half answered within, hours"), of, _hours(clock.p50)],
            [_("Nine of ten within, hours"), of, _hours(clock.p90)],
        ]
    for month in found.months:
        for cause, number in month.causes.items():
            rows.append([_("Lost"), f"{month.first:%Y-%m}, {cause_words(cause) or _('no cause said')}", number])
        rows.append([_("Lost, customers"), f"{month.first:%Y-%m}", month.customers])
        rows.append([_("Lost, yearly money"), f"{month.first:%Y-%m}", month.money])
    return [_("Figure"), _("Of what"), _("Number")], rows


def _hours(time: dt.timedelta | None) -> float | None:
    return None if time is None else round(time.total_seconds() / 3600, 2)
