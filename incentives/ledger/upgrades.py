"""Writing down that a customer got a better service: what it spends more from then on earns the product team its share."""

from __future__ import annotations

import datetime as dt

from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.db.models import Min, Q
from django.utils import timezone
from django.utils.translation import gettext as _

from customers.models import Customer, Order
from customers.services import arrived
from customers.services.rows import Outcome, error_of, lock
from incentives.models import Upgrade
from incentives.rules.rewards import LEAST_BASELINE_DAYS, YEAR_MONTHS, months_after
from tenants.context import current_tenant
from tenants.events import record
from tenants.models import Member

_LOCK = "SELECT pg_advisory_xact_lock(hashtext('incentives.upgrades'), %s)"


@transaction.atomic
def record_upgrade(*, customer: Customer, on: dt.date, what: str, member: Member | None = None) -> Upgrade:
    """Note a service upgrade of a day. Its rewards come month by month, with the night after each is over.

    Raises ValidationError by field: a day that is still to come, no words, too little history for a baseline, and
    another upgrade within 12 months, which would count the same spend twice.
    """
    with connection.cursor() as cursor:
        cursor.execute(_LOCK, [current_tenant().pk % 2**31])
    wrong: dict[str, ValidationError] = {}
    if on > current_tenant().today():
        wrong["on"] = error_of(_("This day is still to come."), "in_the_future")
    if not what.strip():
        wrong["what"] = error_of(_("This is needed."), "required")
    near = Q(on__gt=months_after(on, -YEAR_MONTHS), on__lt=months_after(on, YEAR_MONTHS))
    other = Upgrade.objects.filter(near, customer=customer, withdrawn_at__isnull=True).first()
    if other is not None:
        words = _("“%(what)s” of %(day)s is less than 12 months away: the same spend would count twice.")
        wrong["on"] = error_of(words % {"what": other.what, "day": other.on}, "overlaps")
    placed = Order.objects.filter(customer=customer, kind=Order.Kind.ORDER, status=Order.Status.PLACED)
    first = placed.aggregate(first=Min("placed_on"))["first"]
    if "on" not in wrong and (first is None or (on - first).days < LEAST_BASELINE_DAYS):
        words = _("There are not %(days)s days of orders before it: nobody can say what it spent until then.")
        wrong["on"] = error_of(words % {"days": LEAST_BASELINE_DAYS}, "no_baseline")
    if wrong:
        raise ValidationError(dict(wrong))
    row = Upgrade(customer=customer, on=on, what=what.strip()[:200], noted_by=member)
    row.save(force_insert=True)
    record("recorded", row, {"on": str(on), "what": row.what})
    arrived([customer.pk])
    return row


@transaction.atomic
def withdraw_upgrade(*, upgrade: Upgrade, why: str) -> Outcome:
    """Take an upgrade back that was wrong: what was earned by it is reversed in the coming night, in the open.

    Raises ValidationError without a reason.
    """
    if not why.strip():
        raise ValidationError({"why": error_of(_("This is needed."), "required")})
    lock(upgrade)
    if upgrade.withdrawn_at is not None:
        return "unchanged"
    upgrade.withdrawn_at, upgrade.withdrawn_why = timezone.now(), why.strip()[:200]
    upgrade.save(update_fields=["withdrawn_at", "withdrawn_why", "updated_at"])
    record("withdrawn", upgrade, {"why": upgrade.withdrawn_why})
    arrived([upgrade.customer_id])
    return "updated"
