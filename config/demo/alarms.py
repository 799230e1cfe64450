"""What became of alerts between the nights: who acted when, what went up the line, what somebody put off and gave away."""

from __future__ import annotations

import datetime as dt
from typing import Final

from django.utils import timezone

from config.demo.firm import Firm, dice
from followups.models import Notice, NoticeDelivery
from followups.reasons import SnoozeReason
from risk.alerts import services
from risk.alerts.telling import ESCALATED, NEW, SEVERE
from risk.models import Alert
from tenants.calendars import firm_calendar
from tenants.context import current_tenant

_CLOSED_AT: Final = dt.time(15, 40)
_EVENING: Final = dt.time(18, 5)
_TAKEN_SHARE: Final = 0.5  # of what a person closed without a contact: taken in hand in time
_SNOOZED: Final = 3
_FRESH: Final = dt.timedelta(days=3)


def answer_alerts(firm: Firm, today: dt.date) -> None:
    """Give the alerts of the past their answers, let the clocks of the others run out, and leave a few put off.

    Safe to call once, after the nights. The same alerts each time: by who they are of.
    """
    _close_at_an_hour()
    services.note_actions(None, now=timezone.now())
    _take_in_hand(firm)
    _let_clocks_run(today)
    _put_off(firm)
    _clear_the_old(today)


def _close_at_an_hour() -> None:
    tenant = current_tenant()
    days = Alert.objects.filter(closed_at__isnull=True, closed_on__isnull=False).order_by()
    for day in days.values_list("closed_on", flat=True).distinct():
        at = dt.datetime.combine(day, _CLOSED_AT, tzinfo=tenant.zone)
        days.filter(closed_on=day).update(closed_at=at, escalates_at=None)


def _take_in_hand(firm: Firm) -> None:
    """Whoever closed an alert had looked at it: some in time, the others only then."""
    rows = Alert.objects.filter(closed_by__isnull=False, first_action_at__isnull=True)
    taken = []
    for alert in rows.select_related("customer").order_by("pk"):
        rng = dice(firm.slug, "taken", alert.customer.name, alert.signal, alert.opened_on)
        in_time = rng.random() < _TAKEN_SHARE
        ahead = dt.timedelta(minutes=rng.randint(10, 300))
        at = alert.due_at - ahead if in_time else alert.closed_at or alert.due_at
        alert.first_action_at, alert.first_action_by_id = max(at, alert.opened_at + ahead), alert.closed_by_id
        taken.append(alert)
    Alert.objects.bulk_update(taken, ["first_action_at", "first_action_by"])


def _let_clocks_run(today: dt.date) -> None:
    """The bell of each evening of the last working days: what nobody has answered goes up the line."""
    calendar, tenant = firm_calendar(), current_tenant()
    for day in calendar.working_days(today - dt.timedelta(days=12), today - dt.timedelta(days=1)):
        services.escalate_due(dt.datetime.combine(day, _EVENING, tzinfo=tenant.zone))


def _put_off(firm: Firm) -> None:
    waiting = Alert.objects.filter(closed_on__isnull=True, level=Alert.Level.MILD, first_action_at__isnull=True)
    for alert in waiting.select_related("customer__owner_a__user").order_by("-opened_at", "pk")[:_SNOOZED]:
        member = alert.customer.owner_a
        if member is not None:
            rng = dice(firm.slug, "off", alert.customer.name, alert.signal)
            until = timezone.now() + dt.timedelta(days=2 + rng.randint(0, 4))
            services.snooze(alert=alert, until=until, reason=SnoozeReason.ABSENT, member=member)


def _clear_the_old(today: dt.date) -> None:
    """What was told in the past nights has been seen to, and no mail about it leaves the demo."""
    NoticeDelivery.objects.filter(status=NoticeDelivery.Status.QUEUED).update(status=NoticeDelivery.Status.NEEDLESS)
    fresh = today - _FRESH
    kept = Alert.objects.filter(closed_on__isnull=True, opened_on__gte=fresh).values_list("pk", flat=True)
    addresses = {f"alerts/{pk}/" for pk in kept}
    days = {f"alerts:{(fresh + dt.timedelta(days=number)).isoformat()}" for number in range(_FRESH.days + 1)}
    told = Notice.objects.filter(kind__in=[kind.code for kind in (NEW, SEVERE, ESCALATED)])
    told.exclude(url__in=addresses).exclude(key__in=days).delete()
