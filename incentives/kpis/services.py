"""KPIs: what other rooms ask, and what people set: what somebody is measured as, targets, periods closed."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Final

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from incentives.kpis.counting import Refused, close_period, recount
from incentives.kpis.figures import (
    Row,
    ScoreCard,
    Value,
    Who,
    may_see,
    rows,
    score_card,
    score_cards,
    series,
    values,
    values_of_many,
)
from incentives.kpis.words import period_words
from incentives.models import Job, KpiClosing, KpiTarget, MemberJob, Span
from incentives.rules.kpis import KPIS, Code, Period
from tenants.context import current_tenant
from tenants.events import acting, record
from tenants.models import Member
from tenants.permissions import Role
from tenants.templatetags.perennial import day as day_words

LATEST: Final = 8
"""A quarter ends with its last month: among so many closings is the one that ends last."""

__all__ = [
    "Period",
    "Refused",
    "Row",
    "ScoreCard",
    "Value",
    "Who",
    "close_period",
    "may_see",
    "recount",
    "rows",
    "score_card",
    "score_cards",
    "series",
    "set_job",
    "set_target",
    "values",
    "values_of_many",
]


def set_job(*, member: Member, job: str, from_on: dt.date, by: Member) -> MemberJob:
    """Say what a member is measured as from a day on; the periods that end on it or later go by it.

    Raises Refused for a day in or before a period that is closed, and for who is not in the team of whoever says it;
    ValidationError by field for a job that there is not.
    """
    with acting(by):
        if job not in Job.values:
            raise ValidationError({"job": ValidationError(_("There is no such job."), code="unknown")})
        _refuse_strangers(by, Who.person(member))
        _refuse_frozen(from_on)
        last = MemberJob.objects.filter(member=member).order_by("-from_on", "-pk").first()
        if last is not None and (last.job, last.from_on) == (job, from_on):
            return last  # said twice
        row = MemberJob.objects.create(member=member, job=job, from_on=from_on, created_by=by)
        record("measured_as", member, {"job": [last.job if last else None, job], "from_on": str(from_on)})
        return row


def set_target(*, kpi: Code, who: Who, target: Decimal, from_on: dt.date, by: Member) -> KpiTarget:
    """Give a person or a team a target of their own, for periods that begin on a day or later.

    A count's is for a month, as the policy's is; a team's for all of it. Raises ValidationError by field for a target of nothing or less and for a KPI
    that there is not; Refused for a day before a period that is closed, the firm (the policy has its targets), and who
    is not theirs to set targets for.
    """
    with acting(by):
        wrong = {}
        if kpi not in KPIS:
            wrong["kpi"] = ValidationError(_("There is no such KPI."), code="unknown")
        if target <= 0:
            words = _("A target of nothing is always reached and nothing can be measured by it; say more than 0.")
            wrong["target"] = ValidationError(words, code="target_of_nothing")
        if wrong:
            raise ValidationError(wrong)
        if who.kind == "tenant":
            raise Refused(_("The firm's targets are in the policy, section KPIs."), code="in_policy")
        _refuse_strangers(by, who)
        _refuse_frozen(from_on)
        row = KpiTarget.objects.create(
            kpi=kpi,
            member_id=who.pk if who.kind == "person" else None,
            team_id=who.pk if who.kind == "team" else None,
            target=target,
            from_on=from_on,
            created_by=by,
        )
        record("set", row, {"kpi": kpi, "who": who.code, "target": str(target), "from_on": str(from_on)})
        return row


def _refuse_strangers(by: Member, who: Who) -> None:
    """Raises Refused unless `by` leads whom this is about; nobody sets their own."""
    if by.role == Role.ADMIN and who != Who.person(by):
        return
    if by.role != Role.TEAM_LEAD or who == Who.person(by) or not may_see(by, who):
        raise Refused(_("Their lead or an administrator says that; nobody for themselves."), code="not_yours")


def _refuse_frozen(from_on: dt.date) -> None:
    """Raises Refused for a day of a closed month or quarter.

    A closed week of a month that runs does not keep its month from being changed: it goes on by what had been said when
    it was closed.
    """
    last = last_closed()
    if last is not None and from_on < last.end:
        raise Refused(
            _("%(period)s is closed and stays as it is; say a day from %(day)s on.")
            % {"period": period_words(last), "day": day_words(last.end)},
            code="closed",
        )


def last_closed() -> Period | None:
    """The closed month or quarter that ends last."""
    rows = KpiClosing.objects.exclude(span=Span.WEEK).order_by("-start")[:LATEST]
    return max((Period(row.span, row.start) for row in rows), key=lambda each: each.end, default=None)


def first_open_day() -> dt.date:
    """From which day on what people are measured as, and their targets, can be changed at the earliest."""
    last = last_closed()
    return last.end if last is not None else current_tenant().today().replace(day=1)
