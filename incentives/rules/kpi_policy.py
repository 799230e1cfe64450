"""The policy's section "kpis": targets, what each job weighs, and when a period is closed (docs/rules/kpis.md)."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import ClassVar, Final, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from incentives.rules.kpis import CODES, Code, Job
from tenants.rules.sections import PolicySection, gettext_noop, refusal

WHOLE: Final = 100


class Targets(BaseModel):
    """What is aimed at. A target of nothing could not be missed and would divide by nothing: it is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    coverage: float = Field(95, gt=0, le=100, title=gettext_noop("Coverage"), json_schema_extra={"unit": "percent"})
    csat: float = Field(
        90, gt=0, le=100, title=gettext_noop("Satisfaction (CSAT)"), json_schema_extra={"unit": "percent"}
    )
    repurchase: float = Field(
        25, gt=0, le=100, title=gettext_noop("Repurchase conversion"), json_schema_extra={"unit": "percent"}
    )
    nps: float = Field(50, gt=0, le=100, title=gettext_noop("NPS"))
    value_growth: float = Field(
        18, gt=0, le=1000, title=gettext_noop("Value growth"), json_schema_extra={"unit": "percent"}
    )
    strategic_retention: float = Field(
        98, gt=0, le=100, title=gettext_noop("Strategic retention"), json_schema_extra={"unit": "percent"}
    )
    strategic_growth: float = Field(
        18, gt=0, le=1000, title=gettext_noop("Strategic growth"), json_schema_extra={"unit": "percent"}
    )
    response_time: float = Field(
        9,
        gt=0,
        le=1000,
        title=gettext_noop("Response time in working hours, at most"),
        json_schema_extra={"unit": "hours"},
    )
    first_time: float = Field(
        80, gt=0, le=100, title=gettext_noop("First-time resolution"), json_schema_extra={"unit": "percent"}
    )
    clv_uplift: float = Field(
        5, gt=0, le=1000, title=gettext_noop("Lifetime value uplift"), json_schema_extra={"unit": "percent"}
    )
    referrals: float = Field(
        1, gt=0, le=1000, title=gettext_noop("Referrals of a person a month"), json_schema_extra={"unit": "times"}
    )
    referral_conversion: float = Field(
        25, gt=0, le=100, title=gettext_noop("Referral conversion"), json_schema_extra={"unit": "percent"}
    )

    def of(self, code: Code) -> Decimal:
        return Decimal(str(getattr(self, code)))


class Weights(BaseModel):
    """What each KPI weighs in the score card of a job, in percent; together they are 100."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    coverage: int = Field(0, ge=0, le=100, title=gettext_noop("Coverage"))
    csat: int = Field(0, ge=0, le=100, title=gettext_noop("Satisfaction (CSAT)"))
    repurchase: int = Field(0, ge=0, le=100, title=gettext_noop("Repurchase conversion"))
    nps: int = Field(0, ge=0, le=100, title=gettext_noop("NPS"))
    value_growth: int = Field(0, ge=0, le=100, title=gettext_noop("Value growth"))
    strategic_retention: int = Field(0, ge=0, le=100, title=gettext_noop("Strategic retention"))
    strategic_growth: int = Field(0, ge=0, le=100, title=gettext_noop("Strategic growth"))
    response_time: int = Field(0, ge=0, le=100, title=gettext_noop("Response time"))
    first_time: int = Field(0, ge=0, le=100, title=gettext_noop("First-time resolution"))
    clv_uplift: int = Field(0, ge=0, le=100, title=gettext_noop("Lifetime value uplift"))
    referrals: int = Field(0, ge=0, le=100, title=gettext_noop("Referrals"))
    referral_conversion: int = Field(0, ge=0, le=100, title=gettext_noop("Referral conversion"))

    @model_validator(mode="after")
    def _a_whole(self) -> Self:
        total = sum(getattr(self, code) for code in CODES)
        if total != WHOLE:
            raise refusal("weights_not_a_whole", gettext_noop("the weights together are {total}, not 100"), total=total)
        return self

    def by_code(self) -> dict[Code, int]:
        return {code: getattr(self, code) for code in CODES}


# PLAYBOOK section 8: sales 30 % on repurchase and referrals; service on CSAT, response and first-time resolution; the
# success manager on strategic growth and the uplift of lifetime value.
_SALES: Final = Weights(
    coverage=20, csat=10, repurchase=20, nps=10, value_growth=30, referrals=5, referral_conversion=5
)
_SERVICE: Final = Weights(csat=40, response_time=30, first_time=30)
_SUCCESS: Final = Weights(
    coverage=10, nps=10, strategic_retention=20, strategic_growth=30, clv_uplift=30
)  # fmt: skip


class KpiPolicy(PolicySection):
    """Targets and weights of the KPIs, their windows, and when a period is closed by itself."""

    section: ClassVar[str] = "kpis"
    title: ClassVar[str] = gettext_noop("KPIs")

    targets: Targets = Field(default_factory=Targets, title=gettext_noop("Targets"))
    sales: Weights = Field(_SALES, title=gettext_noop("Weights: sales"))
    service: Weights = Field(_SERVICE, title=gettext_noop("Weights: service"))
    success: Weights = Field(_SUCCESS, title=gettext_noop("Weights: success manager"))
    cap_percent: int = Field(
        120, ge=100, le=300, title=gettext_noop("A KPI counts at most"), json_schema_extra={"unit": "percent"}
    )  # fmt: skip
    conversion_days: int = Field(
        30, ge=1, le=180, title=gettext_noop("Repurchase: an order counts for a contact within"),
        json_schema_extra={"unit": "days"},
    )  # fmt: skip
    referral_days: int = Field(
        90, ge=1, le=365, title=gettext_noop("Referral: a first order counts within"),
        json_schema_extra={"unit": "days"},
    )  # fmt: skip
    close_days: int = Field(
        7, ge=1, le=60, title=gettext_noop("A period is closed by itself after"), json_schema_extra={"unit": "days"}
    )  # fmt: skip
    recount_days: int = Field(
        92, ge=0, le=400, title=gettext_noop("A closed period is counted again for"),
        json_schema_extra={"unit": "days"},
    )  # fmt: skip

    def weights_of(self, job: Job) -> Mapping[Code, int]:
        found: Weights = getattr(self, job)
        return found.by_code()
