"""Days that customers celebrate, what their people like, and who is away just now."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Final

from config.demo.firm import Firm, dice
from customers.models import Contact, Customer
from followups.care.services import save_care_day, save_wishes
from followups.cover.services import plan_absence
from tenants.events import acting
from tenants.models import Member
from tenants.permissions import Role

_FOUNDED_SHARE: Final = 0.15  # of customers, of whom the founding day is known
_LIKES_SHARE: Final = 0.2  # of contacts, who said what they like
_AWAY_DAYS: Final = 5
_NEXT_IN_DAYS: Final = 17


def note_days(firm: Firm, lead: Member, today: dt.date) -> None:
    """Founding days of some customers, one of them this week, and what some contacts like."""
    chinese = firm.language.startswith("zh")
    with acting(lead):
        for place, customer in enumerate(Customer.objects.filter(closed_on__isnull=True).order_by("pk")):
            rng = dice(firm.slug, place, "founded")
            if rng.random() < _FOUNDED_SHARE:
                age = rng.randint(6, 40)
                on = today + dt.timedelta(days=rng.randint(0, 364)) - dt.timedelta(days=round(365.2425 * age))
                by = "lunar" if chinese and rng.random() < 0.3 else "solar"
                save_care_day(customer=customer, kind="founded", on=on, by=by)
        for place, contact in enumerate(Contact.objects.filter(left_on__isnull=True).order_by("pk")):
            rng = dice(firm.slug, place, "likes")
            if rng.random() >= _LIKES_SHARE:
                continue
            save_wishes(
                contact=contact,
                birthday_by="lunar" if chinese and rng.random() < 0.6 else "solar",
                birthdays=rng.random() < 0.9,
                anniversaries=rng.random() < 0.8,
                festivals=rng.random() < 0.8,
                how="email" if contact.email and rng.random() < 0.3 else "",
            )


def go_away(firm: Firm, members: Mapping[str, Member], today: dt.date) -> None:
    """The last of the account managers is away since yesterday; the one before goes in some weeks."""
    people = firm.staff(Role.ACCOUNT_MANAGER)
    if len(people) < 3:
        return
    away, goes = members[people[-1].email], members[people[-2].email]
    first = today - dt.timedelta(days=1)
    plan_absence(member=away, away=away, first=first, last=first + dt.timedelta(days=_AWAY_DAYS))
    later = today + dt.timedelta(days=_NEXT_IN_DAYS)
    plan_absence(member=goes, away=goes, first=later, last=later + dt.timedelta(days=_AWAY_DAYS))
