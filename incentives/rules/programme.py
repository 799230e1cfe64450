"""What the programme of keeping customers costs and brings (docs/rules/programme.md). Pure: no clock, no database."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, ClassVar, Final

from pydantic import Field

from tenants.rules.sections import PolicySection, gettext_noop

_COSTS: Final = gettext_noop("What it costs")
_VALUE: Final = gettext_noop("What it is held against")


def _cost(title: str) -> Any:
    return Field(0, ge=0, le=10**12, title=title, json_schema_extra={"unit": "money", "group": _COSTS})


class ProgrammePolicy(PolicySection):
    """What the firm says about its programme; 0 is "not entered", and what rests on it is then not shown."""

    section: ClassVar[str] = "programme"
    title: ClassVar[str] = gettext_noop("Programme")

    once: int = _cost(gettext_noop("Spent once, to begin with"))
    people: int = _cost(gettext_noop("People, a year"))
    technology: int = _cost(gettext_noop("Technology, a year"))
    marketing: int = _cost(gettext_noop("Marketing and care, a year"))
    margin: int = Field(
        0, ge=0, le=100, title=gettext_noop("Contribution margin"),
        json_schema_extra={"unit": "percent", "group": _VALUE},
    )  # fmt: skip
    baseline: int = Field(
        0, ge=0, le=100, title=gettext_noop("Money retained before the programme"),
        json_schema_extra={"unit": "percent", "group": _VALUE},
    )  # fmt: skip
    years: int = Field(
        5, ge=1, le=20, title=gettext_noop("Years looked ahead"), json_schema_extra={"unit": "years", "group": _VALUE}
    )
    discount: float = Field(
        12, ge=0, le=100, title=gettext_noop("Discount rate"), json_schema_extra={"unit": "percent", "group": _VALUE}
    )

    @property
    def yearly(self) -> int:
        """What it costs a year."""
        return self.people + self.technology + self.marketing


@dataclass(frozen=True)
class Return:
    """The programme over its years; money in whole units of the firm's currency.

    `gain` is a year's contribution that would not be there without it, `flows` what is left of each year from year 0 on
    (`once` is spent in year 0, all else at each year's end), `value` their sum at the discount rate. `ratio` is the present value of the gains for each unit
    of the present value of the costs, None without costs; `payback` the years until the discounted flows have brought in
    what was spent, None when they never do.
    """

    gain: Decimal
    flows: tuple[Decimal, ...]
    value: Decimal
    ratio: Decimal | None
    payback: Decimal | None


def yearly_gain(
    *, before: Decimal, kept: Decimal, referred: Decimal, baseline: Decimal | int, margin: Decimal | int
) -> Decimal:
    """A year's contribution that the programme accounts for.

    Of what customers bought in the year before (`before`), `kept` is what they bought again, at most as much each; what of
    it lies above `baseline` percent counts, below it counts against the programme. `referred` is what customers bought
    who came by referral. Both times `margin` percent.
    """
    above = kept - before * Decimal(baseline) / 100
    return (above + referred) * Decimal(margin) / 100


def programme_return(
    *, gain: Decimal, once: Decimal | int, yearly: Decimal | int, years: int, discount: Decimal | float
) -> Return:
    """The return of a programme that gains and costs the same every year. Raises ValueError without a year, or a rate below 0.

    >>> found = programme_return(gain=Decimal(1000), once=0, yearly=400, years=5, discount=12)
    >>> found.ratio, found.payback
    (Decimal('2.5'), Decimal('0'))
    """
    rate = Decimal(str(discount)) / 100
    if years < 1 or rate < 0:
        raise ValueError("A programme is looked at for a year or more, at a rate of 0 or more")
    start, cost = Decimal(once), Decimal(yearly)
    factors = [1 / (1 + rate) ** year for year in range(1, years + 1)]
    annuity = sum(factors, Decimal(0))
    costs = start + cost * annuity
    ratio = None if costs == 0 else gain * annuity / costs
    flows = (-start, *([gain - cost] * years))
    return Return(gain, flows, (gain - cost) * annuity - start, ratio, _payback(start, gain - cost, factors))


def _payback(start: Decimal, flow: Decimal, factors: list[Decimal]) -> Decimal | None:
    """Years until `start` is back; within a year as if its flow came evenly."""
    if flow < 0 or (flow == 0 and start > 0):
        return None
    left = start
    if left == 0:
        return Decimal(0)
    for year, factor in enumerate(factors):
        back = flow * factor
        if back >= left:
            return year + left / back
        left -= back
    return None


def cost_per_contact(*, yearly: Decimal | int, contacts: int) -> Decimal | None:
    """What a contact costs: the yearly costs by the contacts of a year; None without costs or contacts."""
    return Decimal(yearly) / contacts if yearly and contacts else None
