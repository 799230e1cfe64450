"""Measured and closed: what people are measured as, the months and quarters that are over, and two goals."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from config.demo.firm import Firm
from incentives.goals.services import add_goal, start
from incentives.kpis.figures import Who, values
from incentives.kpis.services import Period, close_period, set_job
from tenants.models import Member
from tenants.permissions import Role

MONTHS: Final = 4
QUARTERS: Final = 2
"""Of the time before today so many are closed: a demo is about what runs, with something to look back on."""


def measure(firm: Firm, members: Mapping[str, Member], today: dt.date) -> None:
    """Close the months and quarters that are over, say who is measured as what, and set a goal or two."""
    lead = members[firm.staff(Role.TEAM_LEAD)[0].email]
    admin = members[firm.staff(Role.ADMIN)[0].email]
    people = [members[person.email] for person in firm.staff(Role.ACCOUNT_MANAGER)]
    month, quarter = Period.of("month", today), Period.of("quarter", today)
    over = [*quarter.back(QUARTERS + 1)[:-1], *month.back(MONTHS + 1)[:-1]]
    if len(people) > 1:
        set_job(member=people[-1], job="success", from_on=over[0].start, by=admin)
    if len(people) > 2:
        set_job(member=people[-2], job="service", from_on=over[0].start, by=admin)
    for period in over:
        close_period(period)
    _set_goals(lead, quarter)


def _set_goals(lead: Member, quarter: Period) -> None:
    words = {
        "csat": ("客户满意度提高", "满意度调查里多次提到回复慢。", "投诉当天回电；每周五一起看低分答卷。"),
        "coverage": (
            "More planned touches in time",
            "A third of the touches come late.",
            "Monday morning: look at the week together.",
        ),
    }
    who = Who.team(lead.team_id) if lead.team_id is not None else Who.tenant()
    is_chinese = lead.tenant.language.startswith("zh")
    code = "csat" if is_chinese else "coverage"
    title, why, plan = words[code]
    before = values([code], period=quarter.before, of=who)[0]  # type: ignore[list-item]  # one of the codes
    baseline = before.value if before.value is not None else Decimal(60)
    target = min(Decimal(99), max(before.target, baseline + 5))
    if target <= baseline:
        return
    goal = add_goal(
        by=lead, quarter=quarter.start, title=title, kpi=code, target=target, baseline=baseline, team=lead.team,
        why=why, plan=plan,
    )  # fmt: skip
    start(goal=goal, by=lead, plan=plan)
