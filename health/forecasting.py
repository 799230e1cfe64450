"""The lapse forecast in the house: the model of the month, everybody's probability, and the explanation of one.

The night's step "forecast" fits the model on the first night of a month (and when the policy's section "forecast" has
changed since, and every night while there is none), and asks it about everybody who ever ordered. Only answers that
differ from last night's are written.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import polars as pl
from django.db.models import QuerySet

from customers.frames import Window, relations, window_sums
from health import backtests
from health.frames import read_history
from health.models import LapseFit, LapseForecast
from health.rules.forecast import (
    FEATURES,
    Explanation,
    Fit,
    History,
    features,
    fit,
    months_before,
    predict,
    silence_rule,
    whole_percents,
)
from health.rules.forecast import explain as explain_row
from health.rules.policy import ForecastPolicy
from segmentation.facts import expected_money
from tenants.context import current_tenant
from tenants.frames import merge_frame, read_frame
from tenants.models import Run, RunStep
from tenants.policies import Policy, active_policy, policy_numbered

STEP: Final = "forecast"
"""The night's step, by its name."""

MONEY_MONTHS: Final = 12
"""What a customer is expected to bring without a lifetime value: net money of so many months."""

# Of who has no number these say enough; the others move with time alone, and would be written each night.
_FEW: Final = ("order_days", "first_order_on", "last_order_on", "median_gap", "orders")
_FACTS: Final = tuple(name for name in FEATURES if name != "customer_id")
_DATES: Final = tuple(name for name, dtype in FEATURES.items() if dtype == pl.Date)


def run(as_of: dt.date) -> dict[str, int]:
    """Fit when it is time, and forecast; returns customers, forecast (with a number), warned, models and changed."""
    policy = active_policy()
    rules = policy.section(ForecastPolicy)
    history = read_history(as_of)
    row, model, is_new = _fit_in_force(history, policy, as_of)
    told = _told(history, row, model, rules, as_of)
    merged = merge_frame(LapseForecast, told, keys=["customer_id"], constants={"policy_version": policy.number})
    _forget_others(told)
    if is_new and not model.reason:
        backtests.queue_usual(_span(history))
    return {
        "customers": told.height,
        "forecast": told.height - told.get_column("percent").null_count(),
        "warned": int(told.get_column("is_warned").sum()),
        "models": int(is_new and not model.reason),
        "changed": merged.written,
    }


def _span(history: History) -> Window | None:
    first, last = history.days.select(pl.col("day").min(), last=pl.col("day").max()).row(0)
    return None if first is None else (first, last + dt.timedelta(days=1))


# ── everybody's ─────────────────────────────────────────────────────────────


def _told(history: History, row: LapseFit, model: Fit, rules: ForecastPolicy, as_of: dt.date) -> pl.DataFrame:
    """What the table is to say: a row for each living customer who ever ordered, in the table's columns."""
    known = features(history, as_of, rules).join(relations(), on="customer_id", how="semi", maintain_order="left")
    percent, has_number = pl.col("percent"), pl.col("code") == ""
    by_silence = pl.col("code") == "no_model"
    answers = predict(known, model, rules, as_of)
    numbered = known.join(answers.filter(has_number), on="customer_id", how="semi")
    others = known.join(answers.filter(~has_number), on="customer_id", how="semi")
    facts = pl.concat(
        rows.select("customer_id", facts=pl.struct(names).struct.json_encode())
        for rows, names in ((numbered, _FACTS), (others, _FEW))
    )
    return (
        answers.join(facts, on="customer_id", how="left", maintain_order="left")
        .join(silence_rule(known, rules, as_of), on="customer_id", how="left", maintain_order="left")
        .join(_expected(as_of), on="customer_id", how="left", maintain_order="left")
        .join(_standing(), on="customer_id", how="left", maintain_order="left")
        .with_columns(
            percent=whole_percents(pl.col("probability")).cast(pl.Int16),
            expected=pl.when(has_number | by_silence).then("expected"),
        )
        .with_columns(
            is_warned=pl.when(has_number).then(percent >= rules.warn_percent).otherwise(by_silence & pl.col("warned"))
        )
        .select(
            "customer_id",
            fit_id=pl.when(has_number | by_silence).then(pl.lit(row.pk, dtype=pl.Int64)),
            percent="percent",
            code="code",
            horizon_days="horizon_days",
            facts="facts",
            is_warned="is_warned",
            # A night that is made up for an earlier day warned before the later one.
            warned_on=pl.when("is_warned").then(pl.min_horizontal("warned_on", pl.lit(as_of))),
            expected_money="expected",
            money_at_risk=(pl.col("expected") * percent / 100).round(0, mode="half_to_even").cast(pl.Int64),
        )
    )


def _expected(as_of: dt.date) -> pl.DataFrame:
    """customer_id and expected (points) of the next 12 months; null where credit notes leave nothing to go by."""
    last = window_sums({"last": (months_before(as_of, MONEY_MONTHS), as_of)})
    return (
        expected_money()
        .join(last, on="customer_id", how="full", coalesce=True)
        .select(
            "customer_id",
            expected=pl.coalesce("expected", pl.when(pl.col("last_net") >= 0).then("last_net")),
        )
    )


def _standing() -> pl.DataFrame:
    """customer_id and warned_on of those who are warned of."""
    return read_frame(
        "SELECT customer_id, warned_on FROM health_lapseforecast WHERE tenant_id = %s AND is_warned",
        [current_tenant().pk],
        schema={"customer_id": pl.Int64, "warned_on": pl.Date},
    )


def _forget_others(told: pl.DataFrame) -> None:
    """Remove the rows of customers who were closed, or whose only orders were taken back."""
    stored = read_frame(
        "SELECT customer_id FROM health_lapseforecast WHERE tenant_id = %s",
        [current_tenant().pk],
        schema={"customer_id": pl.Int64},
    )
    gone = stored.join(told, on="customer_id", how="anti").get_column("customer_id").to_list()
    LapseForecast.objects.filter(customer_id__in=gone).delete()


# ── the model of the month ──────────────────────────────────────────────────


def fit_in_force(as_of: dt.date) -> LapseFit | None:
    """The latest model of that day or before, or the note why there was none; None before the first night."""
    row: LapseFit | None = LapseFit.objects.filter(as_of__lte=as_of).order_by("-as_of").first()
    return row


def model_of(row: LapseFit) -> Fit | None:
    """The model as the rules know it; None when it is of another version of them."""
    try:
        return Fit.from_json(row.parameters)
    except (KeyError, TypeError, ValueError):
        return None


def _fit_in_force(history: History, policy: Policy, as_of: dt.date) -> tuple[LapseFit, Fit, bool]:
    """The model that counts on a night, fitted now if it is time; and whether it was."""
    last = fit_in_force(as_of)
    known = None if last is None or _is_outdated(last, policy, as_of) else model_of(last)
    if last is not None and known is not None and not known.reason:
        return last, known, False
    fresh = fit(history, as_of, policy.section(ForecastPolicy))
    # A firm that brings its history in the middle of a month does not wait for the next; while nothing comes of it,
    # the first night's note stays.
    if last is not None and known is not None and _why_not(fresh) == _why_not(known):
        return last, known, False
    return _kept(fresh, policy), fresh, True


def _why_not(model: Fit) -> tuple[str, str]:
    return model.reason, model.lifetime_reason


def _is_outdated(row: LapseFit, policy: Policy, as_of: dt.date) -> bool:
    if (row.as_of.year, row.as_of.month) != (as_of.year, as_of.month):
        return True
    return row.policy_version != policy.number and not backtests.says_the_same(
        policy_numbered(row.policy_version), policy
    )


def _kept(model: Fit, policy: Policy) -> LapseFit:
    values: dict[str, Any] = {
        "horizon_days": policy.section(ForecastPolicy).horizon_days,
        "parameters": model.to_json(),
        "customers": model.customers,
        "reason": model.reason,
        "policy_version": policy.number,
    }
    kept: LapseFit | None = LapseFit.objects.filter(as_of=model.as_of).first()
    if kept is not None:
        if all(getattr(kept, name) == value for name, value in values.items()):
            return kept
        # A new row, not a changed one: forecasts that rest on the old one then differ, and are written.
        kept.delete()
    row: LapseFit = LapseFit.objects.create(as_of=model.as_of, **values)
    return row


# ── one customer's ──────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Explained:
    """A customer's forecast as of the night that last looked at it, with what makes it differ from the usual.

    `model` is None without a fit; `explanation` is None where there is no number: the row's `code` says why.
    """

    forecast: LapseForecast
    as_of: dt.date
    model: Fit | None
    explanation: Explanation | None


def told_on() -> dt.date | None:
    """The day of the night that forecast last; None before the first.

    A night of which a later step has failed has forecast all the same.
    """
    return nights_told().first()


def nights_told() -> QuerySet[RunStep, dt.date]:
    """The days of the nights that have forecast, the last one first."""
    steps = RunStep.objects.filter(name=STEP, status=Run.Status.DONE, run__job="nightly")
    days: QuerySet[RunStep, dt.date] = steps.order_by("-finished_at").values_list("run__for_date", flat=True)
    return days


def explain(forecast: LapseForecast, policy: Policy | None = None, *, as_of: dt.date | None = None) -> Explained:
    """The reasons of a customer's forecast, worked out again from the facts and the model kept with it.

    `policy` is a version that is at hand, `as_of` what `told_on` said: they spare a query each.
    """
    day = as_of or told_on() or current_tenant().today()
    row: LapseFit | None = forecast.fit
    model = None if row is None else model_of(row)
    explanation = None
    if forecast.percent is not None and model is not None:
        if policy is None or policy.number != forecast.policy_version:
            policy = policy_numbered(forecast.policy_version)
        explanation = explain_row(facts_of(forecast), model, policy.section(ForecastPolicy), day)
    return Explained(forecast, day, model, explanation)


def facts_of(forecast: LapseForecast) -> Mapping[str, Any]:
    """The facts of a forecast as a row of rules.forecast.FEATURES; without a number only those that say why."""
    facts: dict[str, Any] = {"customer_id": forecast.customer_id, **forecast.facts}
    return facts | {
        name: dt.date.fromisoformat(facts[name]) for name in _DATES if isinstance(facts.get(name), str)
    }  # fmt: skip
