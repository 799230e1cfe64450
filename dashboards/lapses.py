"""The lapse forecast ready to print: one customer's card, the reasons of a list's rows, what the list adds up to."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from django.db.models import Count, Q, Sum
from django.utils.translation import pgettext

from customers.asked import OfCustomer
from customers.models import Customer
from customers.tallies import tallied
from dashboards.back_tests import Record, newest_record
from dashboards.lapse_words import SHORT_WHY, WHY_NO_NUMBER, reasons, reasons_short, why_no_forecast
from health import forecasting
from health.models import HealthTally, LapseFit, LapseForecast
from health.rules.forecast import Explanation
from health.rules.policy import ForecastPolicy
from tenants.base import POINTS
from tenants.models import Member
from tenants.policies import Policy

# ── one customer ─────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Lapse:
    """A customer's forecast as of a night; `row` is None before the first, without orders, and for a closed customer.

    usual + the reasons' points + `other` == percent; without an explanation `why_none` says why there is no number.
    """

    row: LapseForecast | None
    rules: ForecastPolicy
    as_of: dt.date | None = None
    fit: LapseFit | None = None
    explanation: Explanation | None = None
    reasons: Sequence[tuple[str, int]] = ()
    short_reasons: Sequence[tuple[str, int]] = ()
    why_none: str = ""
    record: Record | None = None
    is_complete: bool = True

    @property
    def is_forecast(self) -> bool:
        """A night has made forecasts: this customer is none of those that it could look at."""
        return self.as_of is not None

    @property
    def right_of_100(self) -> int | None:
        """Of 100 warnings of this kind so many were right, by the newest back-test."""
        if self.record is None:
            return None
        return self.record.rule_right_of_100 if self.is_by_silence else self.record.right_of_100

    @property
    def short_why(self) -> str:
        """Why there is no number, for a place that has room for a few words."""
        return str(SHORT_WHY.get(self.row.code, "")) if self.row else ""

    @property
    def is_by_silence(self) -> bool:
        """The warning is the plain rule's: there is no model that could give a number."""
        return self.row is not None and self.row.is_warned and self.row.percent is None

    @property
    def is_replaced(self) -> bool:
        """The number stands, but facts have come in since, or the model that gave it is gone: no reasons until the next night."""
        return self.row is not None and self.row.percent is not None and self.explanation is None


def lapse_at_once(customer: Customer, policy: Policy) -> Lapse:
    """The number alone: its reasons and its record, which take longer, are left to `lapse_of`."""
    row = _forecasts.first(customer.pk)
    as_of = None if row else forecasting.told_on()
    return Lapse(row, policy.section(ForecastPolicy), as_of, is_complete=False)


_forecasts: Final = OfCustomer[LapseForecast](lambda pk: LapseForecast.objects.filter(customer_id=pk))


def lapse_of(customer: Customer, policy: Policy) -> Lapse:
    """How likely the customer lapses, as of the last night, with the reasons and the forecast's own record."""
    rules = policy.section(ForecastPolicy)
    row = LapseForecast.objects.filter(customer=customer).select_related("fit").first()
    as_of = forecasting.told_on()
    if row is None or as_of is None:
        return Lapse(None, rules, as_of)
    told = forecasting.explain(row, policy, as_of=as_of)
    return Lapse(
        row=row,
        rules=rules,
        as_of=told.as_of,
        fit=row.fit,
        explanation=told.explanation,
        reasons=reasons(told.explanation) if told.explanation else (),
        short_reasons=reasons_short(told.explanation) if told.explanation else (),
        why_none=why_none(row.code, row.fit) if row.percent is None else "",
        record=newest_record(),
    )


def why_none(code: str, fit: LapseFit | None) -> str:
    """Why a customer has no number; where the firm has no model, why that is so."""
    words = [str(WHY_NO_NUMBER.get(code, ""))]
    if code == "no_model" and fit is not None:
        words.append(why_no_model(fit))
    return pgettext("between sentences on one line", " ").join(word for word in words if word)


def why_no_model(fit: LapseFit) -> str:
    """Why a fit found no model, in words; "" when it found one."""
    return why_no_forecast(fit.reason, fit.parameters.get("lifetime_reason", ""))


# ── a list ───────────────────────────────────────────────────────────────────


def with_reasons(rows: Sequence[Any]) -> None:
    """Say for each customer of `rows` its `reasons` (words, points), or in `no_reasons` why there are none.

    Customers without a number need no query; the others a few, however many they are.
    """
    numbered = [row.pk for row in rows if row.lapse_percent is not None]
    found = forecasting.explain_many(list(LapseForecast.objects.filter(customer__in=numbered))) if numbered else {}
    for row in rows:
        explanation = found.get(row.pk)
        row.reasons = reasons(explanation) if explanation else ()
        row.no_reasons = str(WHY_NO_NUMBER.get(row.no_forecast or "", "")) if row.lapse_percent is None else ""


@dataclass(frozen=True)
class Totals:
    """What the forecasts of the customers that a member sees add up to."""

    warned: int
    at_risk: Decimal
    forecast: int
    expected: Decimal
    unknown: int
    lapsed: int


def totals(member: Member) -> Totals:
    """What the last night has counted, else what its rows say; one query each."""
    if cells := tallied(HealthTally, member, "forecasts"):
        money = {name: Decimal(cells[0][name]) / POINTS for name in ("at_risk", "expected")}
        return Totals(**cells[0] | money)
    has_number = Q(percent__isnull=False)
    sums = LapseForecast.objects.visible_to(member).aggregate(
        warned=Count("customer", filter=Q(is_warned=True)),
        at_risk=Sum("money_at_risk", filter=Q(is_warned=True)),
        forecast=Count("customer", filter=has_number),
        expected=Sum("money_at_risk", filter=has_number),
        lapsed=Count("customer", filter=Q(code="lapsed")),
        unknown=Count("customer", filter=Q(percent__isnull=True) & ~Q(code="lapsed")),
    )
    return Totals(**sums | {name: sums[name] or Decimal(0) for name in ("at_risk", "expected")})
