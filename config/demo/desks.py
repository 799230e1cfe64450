"""How people left their desks: who closed yesterday in the evening, and which view they work in."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Final

from config.demo.firm import Firm, dice
from followups.models import Desk
from tenants.context import current_tenant
from tenants.models import Member
from tenants.permissions import Role

_CLOSES_AT: Final = dt.time(17, 20)
_LATER_MINUTES: Final = 45


def leave_desks(firm: Firm, members: Mapping[str, Member], today: dt.date) -> None:
    """Every account manager closed the day before `today` at the end of it; so "since yesterday" has a beginning."""
    tenant = current_tenant()
    desks = []
    for person in firm.staff(Role.ACCOUNT_MANAGER):
        rng = dice(firm.slug, person.email, "desk")
        evening = dt.datetime.combine(today - dt.timedelta(days=1), _CLOSES_AT, tzinfo=tenant.zone)
        closed_at = evening + dt.timedelta(minutes=rng.randrange(_LATER_MINUTES))
        desks.append(Desk(member=members[person.email], view="mine", closed_at=closed_at))
    Desk.objects.bulk_create(desks)
