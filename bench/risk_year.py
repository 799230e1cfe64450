"""A year of the demo firm's risk, day by day: `python -m bench.risk_year [--days 365] [--firm heng-tai]`.

The firm's own facts of the last year are taken as they come: each night looks at those dated before it, each day those
dated on it arrive, people answer, put off and close alerts, and every minute at which a clock runs out is rung. Checked all
the way (`Watcher`): no alert twice, no severe one hidden, every escalation on time to the minute. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any, Final

import time_machine

from bench import house

if TYPE_CHECKING:
    from tenants.models import Member, Tenant

_MINUTE: Final = dt.timedelta(minutes=1)
_NIGHT: Final = dt.time(2, 5)
_WORK: Final = dt.time(10, 30)
_ARRIVALS: Final = dt.time(16, 0)
_ACTED: Final = 0.25
_PUT_OFF: Final = 0.15
_CLOSED: Final = 0.2
"""Shares of the open alerts that somebody answers, puts off and closes on a working day."""


class WrongError(AssertionError):
    """Something that may never be."""


@dataclass
class Watcher:
    """What was seen, and what may never be."""

    nights: int = 0
    arrivals: int = 0
    escalations: int = 0
    severe: int = 0
    refused: int = 0
    put_off: int = 0
    by_signal: dict[str, int] = field(default_factory=dict)

    def look(self, now: dt.datetime) -> None:
        """What must hold at any moment: nothing twice, nothing severe out of sight beyond its clock, no clock missed."""
        from django.db.models import Count, F

        from risk.models import Alert

        open_ones = Alert.objects.filter(closed_on__isnull=True)
        twice = open_ones.values("customer", "signal").annotate(number=Count("pk")).filter(number__gt=1)
        periods = Alert.objects.values("customer", "signal", "period").annotate(number=Count("pk")).filter(number__gt=1)
        if twice.exists() or periods.exists():
            raise WrongError(f"An alert twice at {now}")
        hidden = open_ones.filter(level=Alert.Level.SEVERE, snoozed_until__gt=F("due_at"))
        if hidden.exists():
            raise WrongError(f"A severe alert is hidden beyond its clock at {now}")
        if open_ones.filter(escalates_at__lte=now - _MINUTE).exists():
            raise WrongError(f"A clock has run out unseen at {now}")

    def look_at_night(self, as_of: dt.date) -> None:
        """Every severe signal that the facts of a night say is an alert, open or closed."""
        import polars as pl

        from risk.models import Alert, AlertRepeat
        from risk.rules.policy import RiskPolicy
        from risk.rules.signals import fired
        from risk.signals.facts import night_facts
        from tenants.policies import active_policy

        policy = active_policy()
        found = fired(night_facts(as_of, policy, None), policy.section(RiskPolicy), as_of)
        severe = found.filter(pl.col("level") == "severe").select("customer_id", "signal", "period")
        there = {*Alert.objects.values_list("customer_id", "signal", "period")}
        there |= {*AlertRepeat.objects.values_list("customer_id", "signal", "period")}
        if missing := [row for row in severe.iter_rows() if row not in there]:
            raise WrongError(f"Severe and no alert as of {as_of}: {missing[:3]}")
        self.severe = max(self.severe, severe.height)
        self.nights += 1

    def look_back(self) -> None:
        """Every step up the line was taken in the minute at which its clock ran out, once and in order."""
        from django.db.models import Count

        from risk.models import Alert, AlertEscalation
        from risk.rules.alerts import answer_by
        from risk.rules.policy import RiskPolicy
        from tenants.calendars import firm_calendar
        from tenants.models import Event
        from tenants.policies import active_policy

        hours, calendar = active_policy().section(RiskPolicy).escalation_hours, firm_calendar()
        before: dict[int, AlertEscalation] = {}
        for step in AlertEscalation.objects.order_by("alert", "step").select_related("alert"):
            if not dt.timedelta() <= step.at - step.due_at < _MINUTE:
                raise WrongError(f"Step {step.step} of {step.alert} at {step.at}, due {step.due_at}")
            if (last := before.get(step.alert_id)) is None:
                if step.step != 1 or (step.due_at < step.alert.due_at and not _was_raised(step.alert)):
                    raise WrongError(f"{step.alert} went up before its clock ran out")
            elif step.step != last.step + 1 or step.due_at < answer_by(calendar, last.at, hours):
                raise WrongError(f"Step {step.step} of {step.alert} came too early")
            before[step.alert_id] = step
            self.escalations += 1
        opened = Event.objects.filter(object_type="alert", verb="opened").values("object_id")
        if opened.annotate(number=Count("pk")).filter(number__gt=1).exists():
            raise WrongError("An alert was opened twice")
        self.by_signal = dict(Alert.objects.values_list("signal").annotate(number=Count("pk")).order_by("signal"))


def _was_raised(alert: Any) -> bool:
    """Whether it became heavier while it was open: then the shorter clock counts."""
    return bool(alert.fired_again.exists())


def live(tenant: Tenant, first: dt.date, days: int, member: Member, seed: int = 7) -> Watcher:
    """Live so many days from `first` on; `member` sees everybody and works on alerts.

    Raises WrongError for what may never be.
    """
    seen, chance = Watcher(), Random(seed)  # noqa: S311  # the same each time
    for number in range(days):
        day = first + dt.timedelta(days=number)
        _night(tenant, day, seen)
        at = _moment(tenant, day, _NIGHT)
        for time, work in ((_WORK, _work), (_ARRIVALS, _arrive), (dt.time(23, 59), None)):
            until = _moment(tenant, day, time)
            _ring(tenant, at, until, seen)
            if work is not None:
                work(tenant, until, seen, member, chance)
            at = until
        _ring(tenant, at, _moment(tenant, day + dt.timedelta(days=1), _NIGHT), seen)
    with _scope(tenant):
        seen.look_back()
    return seen


@contextmanager
def _scope(tenant: Tenant, now: dt.datetime | None = None) -> Iterator[None]:
    from tenants.context import tenant_scope

    with time_machine.travel(now, tick=False) if now else _here(), tenant_scope(tenant):
        yield


@contextmanager
def _here() -> Iterator[None]:
    yield


def _moment(tenant: Tenant, day: dt.date, time: dt.time) -> dt.datetime:
    return dt.datetime.combine(day, time, tzinfo=tenant.zone).astimezone(dt.UTC)


def _night(tenant: Tenant, day: dt.date, seen: Watcher) -> None:
    from config.night import run_night

    with time_machine.travel(_moment(tenant, day, _NIGHT), tick=False):
        run = run_night(tenant, day)
        with _scope(tenant):
            if run.status != run.Status.DONE:
                raise WrongError(f"The night of {day}: {[step.error for step in run.steps.all() if step.error]}")
            seen.look_at_night(day)


def _ring(tenant: Tenant, after: dt.datetime, until: dt.datetime, seen: Watcher) -> None:
    """Ring each minute in which a clock runs out, as beat does each minute; the others have nothing to do."""
    from django.db.models import Min

    from risk.alerts.services import escalate_due
    from risk.models import Alert

    now = after
    while True:
        with _scope(tenant):
            due = Alert.objects.filter(closed_on__isnull=True).aggregate(due=Min("escalates_at"))["due"]
        if due is None or due > until:
            break
        # The first full minute from when it is due.
        minute = due.replace(second=0, microsecond=0)
        now = max(now, minute if minute == due else minute + _MINUTE)
        with _scope(tenant, now):
            escalate_due(now)
            seen.look(now)
    with _scope(tenant, until):
        seen.look(until)


def _arrive(tenant: Tenant, now: dt.datetime, seen: Watcher, member: Member, chance: Random) -> None:
    """The facts that are dated on this day come in, and whoever looks between two nights finds them."""
    from config.arrivals import look_at_arrivals
    from customers.models import Interaction, Order
    from customers.services import arrived

    with _scope(tenant, now):
        day = tenant.local_date(now)
        start = tenant.start_of(day)
        talked = Interaction.objects.filter(at__gte=start, at__lte=now).values_list("customer_id", flat=True)
        ordered = Order.objects.filter(placed_on=day).values_list("customer_id", flat=True)
        arrived({*talked, *ordered})
    with time_machine.travel(now, tick=False):
        seen.arrivals += look_at_arrivals()


def _work(tenant: Tenant, now: dt.datetime, seen: Watcher, member: Member, chance: Random) -> None:
    """On working days some alerts are answered, put off or closed, as the rules let them."""
    from followups.services import Refused
    from risk.alerts import services
    from risk.models import Alert
    from tenants.calendars import firm_calendar

    with _scope(tenant, now):
        if not firm_calendar().is_open(now):
            return
        for alert in list(Alert.objects.filter(closed_on__isnull=True).order_by("pk").select_related("customer")):
            dice = chance.random()
            try:
                if dice < _ACTED:
                    services.act(alert=alert, member=member)
                elif dice < _ACTED + _PUT_OFF:
                    until = now + dt.timedelta(days=chance.choice((1, 3, 9)))
                    services.snooze(alert=alert, until=until, reason="Waiting", member=member)
                    seen.put_off += 1
                elif dice < _ACTED + _PUT_OFF + _CLOSED:
                    services.close(alert=alert, outcome="false_alarm", member=member)
            except Refused:
                seen.refused += 1


def made(slug: str, today: dt.date) -> tuple[Tenant, Member]:
    """A demo firm with its people and its facts up to yesterday, without a night; and its executive or administrator."""
    from config.demo.history import write_history
    from config.demo.load import load_history, load_people
    from config.demo.logins import PASSWORD
    from config.demo.risks import say_who_leaves
    from config.demo.seed import FIRMS
    from tenants.context import tenant_scope
    from tenants.permissions import Role
    from tenants.services import create_tenant

    firm = next(each for each in FIRMS if each.slug == slug)
    tenant = create_tenant(
        slug=firm.slug, name=firm.name, pack=firm.pack, timezone=firm.timezone, currency=firm.currency,
        country=firm.country, language=firm.language,
    )  # fmt: skip
    history = write_history(firm, today)
    with tenant_scope(tenant):
        members = load_people(firm, PASSWORD)
        load_history(firm, history, members)
        say_who_leaves(today)
        return tenant, members[firm.staff(Role.ADMIN)[0].email]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--firm", default="hengtai")
    asked = parser.parse_args()
    with house.house(None):
        house.manage("migrate", "-v0")
        import django

        django.setup()
        from django.utils import timezone

        today = timezone.localdate()
        tenant, member = made(asked.firm, today)
        seen = live(tenant, today - dt.timedelta(days=asked.days - 1), asked.days, member)
        json.dump({"firm": asked.firm, "days": asked.days, **vars(seen)}, sys.stdout, indent=1, ensure_ascii=False)
        sys.stdout.write("\n")


if __name__ == "__main__":
    main()
