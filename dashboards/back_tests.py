"""A back-test ready to print: its summary in plain words, its measures beside the two simple rules, its curves."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.utils import formats
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from dashboards.lapse_words import WHY_NO_CUT_OFF, why_no_forecast
from health import backtests
from health.models import BackTest
from tenants.templatetags.perennial import percent, whole

Measures = Mapping[str, Any]
"""rules.backtest.Measures as JSON: shares from 0 to 1, days, counts; None where there is nothing to divide by."""

TOP: Final = 10
"""Percent of the active customers that the summary looks at: those at the highest risk."""
FEW: Final = 20
"""A share of fewer forecasts than this is no share: the curve leaves it out, the figures keep it."""


@dataclass(frozen=True)
class Line:
    """A measure of the forecast beside the majority guess and the rule of silence; "–" where a rule has none."""

    name: str
    what: str
    forecast: str
    majority: str
    rule: str
    best: bool
    """The forecast is better than both."""


@dataclass(frozen=True)
class CutOff:
    """A past day's row: its measures, or why there are none."""

    day: dt.date
    measures: Measures | None
    why: str


@dataclass(frozen=True)
class Record:
    """What a back-test found. Without measured days `means` is None and `cut_offs` say why."""

    test: BackTest
    horizon: int
    warn_percent: int
    silence_days: int
    means: Measures | None
    cut_offs: Sequence[CutOff]
    calibration: Sequence[Measures]
    gain: Sequence[Measures]

    @property
    def measured(self) -> int:
        return sum(each.measures is not None for each in self.cut_offs)

    @property
    def right_of_100(self) -> int | None:
        """Of 100 warnings so many were right; None when it never warned."""
        precision = self.means["precision"] if self.means else None
        return None if precision is None else round(100 * precision)

    @property
    def rule_right_of_100(self) -> int | None:
        """The same of the rule of silence."""
        precision = self.means["rule_precision"] if self.means else None
        return None if precision is None else round(100 * precision)

    @property
    def forecasts(self) -> int:
        """How many forecasts were held against what came."""
        return sum(each["n"] for each in self.calibration)


def record_of(test: BackTest) -> Record:
    """The result of a finished back-test."""
    said = test.result
    return Record(
        test=test,
        horizon=said["horizon_days"],
        warn_percent=said["warn_percent"],
        silence_days=said["silence_days"],
        means=said["means"],
        cut_offs=[
            CutOff(
                dt.date.fromisoformat(each["day"]),
                each["measures"],
                why_no_cut_off(each["reason"], each.get("lifetime_reason", "")),
            )
            for each in said["cut_offs"]
        ],
        calibration=said["calibration"],
        gain=said["gain"],
    )


def newest_record() -> Record | None:
    """The newest back-test with numbers; None before the first."""
    test = backtests.latest_record()
    return record_of(test) if test else None


def why_failed(test: BackTest) -> str:
    """Why a back-test came to nothing, in words; "" when it has numbers, or is not done yet."""
    if test.reason == backtests.GAVE_UP:
        return _("Nobody could finish it; the log of the workers says why.")
    return why_no_cut_off(test.reason) if test.reason else ""


def why_no_cut_off(reason: str, lifetime_reason: str = "") -> str:
    """Why a past day was not measured, in words; "" when it was."""
    return str(WHY_NO_CUT_OFF.get(reason, "")) or why_no_forecast(reason, lifetime_reason)


# ── in plain words ───────────────────────────────────────────────────────────


def summary(record: Record) -> list[str]:
    """What the record says, in whole sentences: the top tenth first, then warnings, then the percentages themselves."""
    means = record.means
    if means is None:
        return []
    said = [
        ngettext(
            "Of the %(top)s%% of active customers at highest risk, %(seen)s did not order in the next %(days)s day, against %(base)s of all.",
            "Of the %(top)s%% of active customers at highest risk, %(seen)s did not order in the next %(days)s days, against %(base)s of all.",
            record.horizon,
        )
        % {"top": TOP, "seen": percent(means["precision_top_decile"]), "days": record.horizon, "base": percent(means["base_rate"])}
    ]  # fmt: skip
    said.append(
        _("It was right about %(ours)s of 100 customers; saying the same of everybody about %(majority)s, the rule “silent for %(days)s days” about %(rule)s.")
        % {
            "ours": round(100 * means["accuracy"]), "majority": round(100 * means["majority_accuracy"]),
            "days": record.silence_days, "rule": round(100 * means["rule_accuracy"]),
        }
    )  # fmt: skip
    if means["precision"] is None:
        said.append(_("It warned of nobody: no forecast reached %(warn)s%%.") % {"warn": record.warn_percent})
    else:
        said.append(
            _("Of 100 warnings (forecasts of %(warn)s%% and more) %(right)s were right; they named %(found)s of 100 lapses.")
            % {"warn": record.warn_percent, "right": record.right_of_100, "found": round(100 * means["recall"])}
        )  # fmt: skip
    if means["lead_time_days"] is not None:
        days = round(means["lead_time_days"])
        said.append(
            ngettext(
                "A right warning came %(days)s day before the lapse was complete, on average.",
                "A right warning came %(days)s days before the lapse was complete, on average.",
                days,
            )
            % {"days": days}
        )
    points = formats.number_format(round(100 * means["ece"], 1), 1)
    said.append(
        _("Its percentages differed from what came by %(points)s percentage points, on average.") % {"points": points}
    )
    return said


def beside(record: Record) -> list[Line]:
    """What all three can be measured by: right answers, right warnings, lapses found, days ahead."""
    means = record.means
    if means is None:
        return []
    majority_warns = means["base_rate"] > 0.5
    return [
        _line(
            _("Right answers"),
            _("of all customers: lapse or not"),
            means["accuracy"], means["majority_accuracy"], means["rule_accuracy"],
        ),
        _line(
            _("Right warnings"),
            _("share of those warned of that lapsed (precision)"),
            means["precision"], means["base_rate"] if majority_warns else None, means["rule_precision"],
        ),
        _line(
            _("Lapses found"),
            _("share of the lapses that were warned of (recall)"),
            means["recall"], 1.0 if majority_warns else 0.0, means["rule_recall"],
        ),
        Line(
            _("Warned of"),
            _("customers on one day, on average"),
            whole(round(means["warned"])),
            whole(round(means["customers"])) if majority_warns else whole(0),
            whole(round(means["rule_warned"])),
            best=False,
        ),
        Line(
            _("Lead time"),
            _("days from the first warning until the lapse is complete"),
            _days(means["lead_time_days"]),
            "–",
            _days(means["rule_lead_time_days"]),
            best=_more(means["lead_time_days"], means["rule_lead_time_days"]),
        ),
    ]  # fmt: skip


def _line(name: str, what: str, forecast: float | None, majority: float | None, rule: float | None) -> Line:
    better = _more(forecast, majority) and _more(forecast, rule)
    return Line(name, what, percent(forecast), percent(majority), percent(rule), better)


def _more(ours: float | None, theirs: float | None) -> bool:
    return ours is not None and (theirs is None or ours > theirs)


def _days(days: float | None) -> str:
    return "–" if days is None else whole(round(days))


def further(record: Record) -> list[tuple[str, str, str]]:
    """Measures of probabilities, which the two rules do not give: name, value, what it means."""
    means = record.means
    if means is None:
        return []
    return [
        ("AUC", _three(means["auc"]), _("how often a customer who lapsed had the higher forecast of two; 0.5 is a coin")),
        (_("Average precision"), _three(means["average_precision"]), _("precision over all lines of warning; the base rate is a coin's")),
        (_("Brier score"), _three(means["brier"]), _("mean squared error of the probabilities; less is better")),
        (_("Calibration error (ECE)"), _three(means["ece"]), _("mean distance of forecast and outcome; less is better")),
        (_("Base rate"), percent(means["base_rate"]), _("share of the active customers that lapsed")),
    ]  # fmt: skip


def _three(value: float | None) -> str:
    return "–" if value is None else str(formats.number_format(round(value, 3), 3))


# ── as files ─────────────────────────────────────────────────────────────────

COLUMNS: Final = (
    "customers", "base_rate", "auc", "average_precision", "accuracy", "majority_accuracy", "rule_accuracy", "warned",
    "precision", "recall", "rule_warned", "rule_precision", "rule_recall", "precision_top_decile", "brier", "ece",
    "lead_time_days", "rule_lead_time_days",
)  # fmt: skip
"""The measures by the names that the API gives them: who reckons on with the file finds them there too."""


def cut_off_rows(record: Record) -> list[list[Any]]:
    """A row per past day: the day, its measures, and why there are none."""
    return [[each.day, *((each.measures or {}).get(name) for name in COLUMNS), each.why] for each in record.cut_offs]
