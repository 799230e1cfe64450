"""Awarded: the months that are over but the last one, which waits for somebody; and the best cases of these months."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Final

from config.demo.firm import Firm
from config.demo.goals import MONTHS
from incentives.awards.services import award, choose_case, proposed
from incentives.rules.kpis import Period
from tenants.models import Member
from tenants.permissions import Role

_REASONS: Final[Mapping[str, str]] = {
    "en": "Read the lessons of this one before you offer a discount.",
    "zh-hans": "报折扣之前，先看看这个案例的经验。",
}


def award_months(firm: Firm, members: Mapping[str, Member], today: dt.date) -> None:
    """Award the closed months but the last, and choose the best case of each where one is proposed."""
    executive = members[firm.staff(Role.EXECUTIVE)[0].email]
    for month in Period.of("month", today).back(MONTHS + 1)[:-2]:
        award(month=month, by=executive)
    for month in Period.of("month", today).back(MONTHS + 1)[:-1]:
        if found := proposed(month, executive):
            choose_case(month=month, case=found[0].case.pk, reason=_REASONS[firm.language], by=executive)
