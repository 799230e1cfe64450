"""The lapse forecast in the house: the model of the month, everybody's probability, and the explanation of one.

The night's step "forecast" fits the model on the first night of a month (and when the policy's section "forecast" has
changed since, and every night while there is none), and asks it about everybody who ever ordered; on other nights only
about those whose answer time or a new fact can have moved. Only answers that differ from last night's are written.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import polars as pl
from django.db.models import Count, Q, QuerySet

from customers.changes import due_by_facts
from customers.frames import order_span, relations, window_sums
from health import backtests
from health.frames import read_history, read_sample
from health.models import LapseFit, LapseForecast
from health.rules.forecast import (
    Explanation,
    Fit,
    History,
    explain_all,
    features,
    fit,
    months_before,
    predict,
    silence_rule,
    whole_percents,
)
from health.rules.policy import ForecastPolicy
from segmentation.facts import expected_money
from tenants.context import current_tenant
from tenants.frames import merge_frame, read_frame
from tenants.models import Run, RunStep
from tenants.parts import Customers, among, are_few
from tenants.policies import Policy, active_policy, policy_numbered
from tenants.runs import Counts, Piece, Prepared, Step

STEP: Final = "forecast"
"""The night's step, by its name."""

MONEY_MONTHS: Final = 12
"""What a customer is expected to bring without a lifetime value: net money of so many months."""


def run(as_of: dt.date) -> dict[str, int]:
    """The whole step at once: customers, forecast (with a number), warned, models (fitted) and changed."""
    return NIGHT.at_once(as_of)


def prepare(piece: Piece) -> Prepared:
    """Fit the model when it is time."""
    row, model, is_new = _fit_in_force(active_policy(), piece.as_of)
    if is_new and not model.reason:
        backtests.queue_usual(order_span(piece.as_of))
    return Prepared({"fit": row.pk}, counts={"models": int(is_new and not model.reason)})


def work(piece: Piece) -> Counts:
    """Forecast for everybody of the part, or for those whose answer can be another one than last night."""
    policy = active_policy()
    rules = policy.section(ForecastPolicy)
    row = LapseFit.objects.get(pk=piece.shared["fit"])
    model = Fit.from_json(row.parameters)
    if piece.since is None:
        asked: Customers = piece.part
        history = read_history(piece.as_of, asked)
    else:
        asked = _asked(piece)
        history = read_history(piece.as_of, piece.part, among(asked))
    told = _told(history, row, model, rules, piece.as_of, asked)
    merged = merge_frame(LapseForecast, told, keys=["customer_id"], constants={"policy_version": policy.number})
    _forget_others(told, asked)
    return {"changed": merged.written}


def finish(piece: Piece) -> Counts:
    """Count what stands."""
    counts: Counts = LapseForecast.objects.aggregate(
        customers=Count("customer"), forecast=Count("percent"), warned=Count("customer", filter=Q(is_warned=True))
    )
    return counts


NIGHT: Final = Step(work, prepare, finish)


def _asked(piece: Piece) -> list[int]:
    """Whose answer can differ from last night's: it moves with time, or a fact came in.

    What the next 12 months are expected to bring counts only for those that move anyway.
    """
    moving = read_frame(
        f"""
        SELECT customer_id FROM health_lapseforecast
        WHERE tenant_id = %s AND code IN ('', 'no_model') AND {piece.part.sql()}
        """,
        [current_tenant().pk],
        schema={"customer_id": pl.Int64},
    )
    return sorted({*moving.get_column("customer_id"), *due_by_facts(piece, orders=[])})


# ── everybody's ─────────────────────────────────────────────────────────────


def _told(
    history: History, row: LapseFit, model: Fit, rules: ForecastPolicy, as_of: dt.date, asked: Customers
) -> pl.DataFrame:
    """What the table is to say: a row for each living customer of those asked who ever ordered, in its columns."""
    found = features(history, as_of, rules)
    known = found.join(relations(customers=asked), on="customer_id", how="semi", maintain_order="left")
    percent, has_number = pl.col("percent"), pl.col("code") == ""
    by_silence = pl.col("code") == "no_model"
    return (
        predict(known, model, rules, as_of)
        .join(silence_rule(known, rules, as_of), on="customer_id", how="left", maintain_order="left")
        .join(_expected(known, as_of, asked), on="customer_id", how="left", maintain_order="left")
        .join(_standing(asked), on="customer_id", how="left", maintain_order="left")
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
            is_warned="is_warned",
            # A night that is made up for an earlier day warned before the later one.
            warned_on=pl.when("is_warned").then(pl.min_horizontal("warned_on", pl.lit(as_of))),
            expected_money="expected",
            money_at_risk=(pl.col("expected") * percent / 100).round(0, mode="half_to_even").cast(pl.Int64),
        )
    )


def _expected(known: pl.DataFrame, as_of: dt.date, asked: Customers) -> pl.DataFrame:
    """customer_id and expected (points) of the next 12 months; null where credit notes leave nothing to go by."""
    valued = expected_money(asked)
    others = known.join(valued, on="customer_id", how="anti").get_column("customer_id").to_list()
    last = window_sums({"last": (months_before(as_of, MONEY_MONTHS), as_of)}, others)
    past = last.select("customer_id", expected=pl.when(pl.col("last_net") >= 0).then("last_net"))
    return pl.concat([valued, past])


def _standing(asked: Customers) -> pl.DataFrame:
    """customer_id and warned_on of those who are warned of."""
    return read_frame(
        f"""
        SELECT customer_id, warned_on FROM health_lapseforecast WHERE tenant_id = %s AND is_warned AND {among(asked)}
        """,
        [current_tenant().pk],
        schema={"customer_id": pl.Int64, "warned_on": pl.Date},
        few=are_few(asked),
    )


def _forget_others(told: pl.DataFrame, asked: Customers) -> None:
    """Remove the rows of customers who were closed, or whose only orders were taken back."""
    stored = read_frame(
        f"SELECT customer_id FROM health_lapseforecast WHERE tenant_id = %s AND {among(asked)}",
        [current_tenant().pk],
        schema={"customer_id": pl.Int64},
        few=are_few(asked),
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


def _fit_in_force(policy: Policy, as_of: dt.date) -> tuple[LapseFit, Fit, bool]:
    """The model that counts on a night, fitted now if it is time; and whether it was."""
    last = fit_in_force(as_of)
    known = None if last is None or _is_outdated(last, policy, as_of) else model_of(last)
    if last is not None and known is not None and not known.reason:
        return last, known, False
    fresh = fit(read_sample(as_of), as_of, policy.section(ForecastPolicy))
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

    `model` is None without a fit; `facts` are those of that night as they are known now, None without orders.
    `explanation` is None where there is no number (the row's `code` says why), and when facts have come in since.
    """

    forecast: LapseForecast
    as_of: dt.date
    model: Fit | None
    facts: Mapping[str, Any] | None
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
    """The reasons of a customer's forecast, worked out from the facts and the model that it rests on.

    `policy` is a version that is at hand, `as_of` what `told_on` said: they spare a query each.
    """
    day = as_of or told_on() or current_tenant().today()
    facts = facts_of([forecast.customer_id], day).get(forecast.customer_id)
    known = {} if policy is None else {policy.number: policy}
    fits = {} if forecast.fit is None else {forecast.fit.pk: forecast.fit}
    return Explained(
        forecast=forecast,
        as_of=day,
        model=None if forecast.fit is None else model_of(forecast.fit),
        facts=facts,
        explanation=_explained(
            [forecast], fits, {} if facts is None else {forecast.customer_id: facts}, known, day
        ).get(forecast.customer_id),
    )


def explain_many(forecasts: Sequence[LapseForecast], *, as_of: dt.date | None = None) -> dict[int, Explanation]:
    """The reasons of many at once, by customer; who has none is left out. A few queries, however many they are."""
    day = as_of or told_on() or current_tenant().today()
    numbered = [each for each in forecasts if each.percent is not None and each.fit_id is not None]
    fits = LapseFit.objects.in_bulk({each.fit_id for each in numbered})
    return _explained(numbered, fits, facts_of([each.customer_id for each in numbered], day), {}, day)


def _explained(
    forecasts: Sequence[LapseForecast],
    fits: Mapping[int, LapseFit],
    facts: Mapping[int, Mapping[str, Any]],
    policies: dict[int, Policy],
    as_of: dt.date,
) -> dict[int, Explanation]:
    alike: dict[tuple[int, int], list[LapseForecast]] = defaultdict(list)
    for each in forecasts:
        fit_id = each.fit_id
        if each.percent is not None and fit_id is not None and fit_id in fits and each.customer_id in facts:
            alike[fit_id, each.policy_version].append(each)
    found: dict[int, Explanation] = {}
    for (fit_id, version), together in alike.items():
        model = model_of(fits[fit_id])
        if model is None:  # of another release: the next night brings one that can be read
            continue
        if version not in policies:
            policies[version] = policy_numbered(version)
        rules = policies[version].section(ForecastPolicy)
        told = explain_all([facts[each.customer_id] for each in together], model, rules, as_of)
        for each, how in zip(together, told, strict=True):
            # Facts that came in since the night would explain another number: the next night brings both.
            if how is not None and how.percent == each.percent:
                found[each.customer_id] = how
    return found


def facts_of(customers: Sequence[int], as_of: dt.date) -> dict[int, dict[str, Any]]:
    """By customer, the facts of a forecast as of a day, as the house has them now: a row of rules.forecast.FEATURES.

    Who had not ordered by then is left out.
    """
    if not customers:
        return {}
    rules = active_policy().section(ForecastPolicy)
    rows = features(read_history(as_of, customers), as_of, rules).rows(named=True)
    return {row["customer_id"]: row for row in rows}
