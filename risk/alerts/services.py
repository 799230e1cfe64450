"""Writing: alerts open and repeat, are answered, put off, handed on, closed, and go up the line when a clock runs out.

What the night and arriving facts do is set-based (`open_or_repeat`, `pass_over`, `note_actions`); what people do is one
verb each: one transaction, one event, undone by `undo` with the event's id.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any, Final

import polars as pl
from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from customers.models import Customer
from followups.models import FollowUp
from followups.notices.services import Told, notify, notify_each
from followups.rules.policy import CadencePolicy
from followups.services import Refused
from risk.alerts.people import People
from risk.alerts.telling import ASSIGNED, ESCALATED, NEW, SEVERE
from risk.models import Alert, AlertEscalation, AnswerRole
from risk.rules import alerts as rules
from risk.rules.causes import CAUSES, TRIED, tried_codes
from risk.rules.policy import RiskPolicy
from segmentation.rules.policy import TierPolicy
from tenants.base import Among
from tenants.calendars import firm_calendar
from tenants.context import current_tenant, tenant_scope
from tenants.events import acting, changes_of, record
from tenants.frames import copy_frame, insert_frame, without_loops
from tenants.models import Event, Member, Tenant
from tenants.parts import Customers, among, are_few
from tenants.policies import active_policy
from tenants.rules.columns import Schema, conform

MANY: Final = 500
"""The most alerts that one call of a person changes."""

BATCH: Final = 500
"""Alerts that go up the line in one transaction."""

REASON_LENGTH: Final = 120
NOTE_LENGTH: Final = 500

FIRED: Final[Schema] = {
    "customer_id": pl.Int64,
    "signal": pl.String,
    "risk_class": pl.String,
    "level": pl.String,
    "role": pl.String,
    "answer_hours": pl.Int32,
    "period": pl.String,
    "facts": pl.String,
}
"""Signals that fired: at most one row per customer and signal; `facts` is JSON text, `answer_hours` the clock."""

BY_PEOPLE: Final = (Alert.Outcome.SAVED, Alert.Outcome.LOST, Alert.Outcome.FALSE_ALARM)
"""Outcomes that a person can give; that a signal passed by itself only the house says."""

_MOMENTS: Final = frozenset({"closed_at", "snoozed_until", "first_action_at", "escalates_at", "due_at"})
_DAYS: Final = frozenset({"closed_on"})
_PEOPLE: Final = frozenset({"assignee", "closed_by", "first_action_by"})


class AlreadyClosed(Refused):
    """Somebody was faster, or the night found that the signal has passed."""


@dataclass(frozen=True)
class OpenedCounts:
    """What `open_or_repeat` did: alerts that are new, that fired again, and whose level rose; and whose they are."""

    opened: int = 0
    repeated: int = 0
    raised: int = 0
    customers: tuple[int, ...] = ()
    """Customers of new alerts, in order: for whoever starts something with them."""


@dataclass(frozen=True)
class Change:
    """What a verb did: the alerts that it changed, those that stay with the reason in words, the events that undo it."""

    alerts: list[Alert] = field(default_factory=list)
    stays: list[tuple[Alert, str]] = field(default_factory=list)
    events: list[int] = field(default_factory=list)


# ── signals fire ────────────────────────────────────────────────────────────


def open_or_repeat(
    fired: pl.DataFrame,
    *,
    as_of: dt.date,
    now: dt.datetime,
    policy_version: int,
    customers: Customers = None,
) -> OpenedCounts:
    """Open an alert for each signal that fired; one that is open already is added to. Safe to repeat.

    `fired`: the columns of FIRED. `now` is when the clocks start, `customers` whom the rows may name (what is asked is
    kept to them). A period that the customer's alerts of the signal have had, open or closed, fires no more; a new
    period while one is open counts as a repeat and renews the facts. A level rises and never falls: then the clock
    is the shorter one, the role the higher one, and what was put off is seen again. Closed customers have no alerts.

    Raises ValueError when a customer and signal come twice.
    """
    rows = conform(fired, FIRED)
    if rows.is_empty():
        return OpenedCounts()
    if rows.select("customer_id", "signal").is_duplicated().any():
        raise ValueError("The frame names a customer's signal twice")
    calendar, tenant = firm_calendar(), current_tenant()
    day = _day_of(as_of, now)
    ends = {hours: rules.answer_by(calendar, now, hours) for hours in rows.get_column("answer_hours").unique()}
    due = pl.col("answer_hours").replace_strict(ends, return_dtype=pl.Datetime("us", "UTC"))
    months = active_policy().section(TierPolicy).window_months
    values: dict[str, Any] = {
        "tenant": tenant.pk, "as_of": day, "now": now, "stamp": timezone.now(), "months": months,
        "version": policy_version, "severe": Alert.Level.SEVERE.value,
    }  # fmt: skip
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS fired_now")
        copy_frame(cursor, "fired_now", rows.with_columns(due_at=due).drop("answer_hours"), analyze=["customer_id"])
        among_asked = among(customers, "a.customer_id")
        with nullcontext() if are_few(customers) else without_loops(cursor):
            cursor.execute(_AGAIN.format(among=among_asked), values)
            again = [_Touched(*row) for row in cursor.fetchall()]
            cursor.execute(_OPEN.format(among=among(customers, "f.customer_id")), values)
            opened = [_Touched(*row) for row in cursor.fetchall()]
        _record_fired(opened, again, policy_version)
        _tell(opened, [each for each in again if each.rose], day)
    return OpenedCounts(
        opened=len(opened),
        repeated=sum(each.is_repeat for each in again),
        raised=sum(each.rose for each in again),
        customers=tuple(sorted({each.customer_id for each in opened})),
    )


def _day_of(as_of: dt.date, now: dt.datetime) -> dt.date:
    """The day on which it happens: who looks between two nights goes by the facts of a day that is not over."""
    return min(as_of, current_tenant().local_date(now))


@dataclass(frozen=True)
class _Touched:
    """An alert that was opened or added to, as the database returns it."""

    alert_id: int
    customer_id: int
    signal: str
    level: str
    role: str
    assignee_id: int | None
    owner_a_id: int | None
    owner_b_id: int | None
    is_repeat: bool = False
    rose: bool = False


_RISES: Final = "array_position(ARRAY['mild', 'moderate', 'severe'], f.level::text) > array_position(ARRAY['mild', 'moderate', 'severe'], a.level::text)"
_HIGHER: Final = "array_position(ARRAY['account_manager', 'lead', 'executive'], f.role::text) > array_position(ARRAY['account_manager', 'lead', 'executive'], a.role::text)"

_AGAIN: Final = f"""
WITH again AS (
    INSERT INTO risk_alertrepeat
        (tenant_id, alert_id, customer_id, signal, period, fired_on, level, facts, created_at)
    SELECT %(tenant)s, a.id, a.customer_id, a.signal, f.period, %(as_of)s, f.level, f.facts::jsonb, %(stamp)s
    FROM fired_now f
    JOIN risk_alert a ON a.tenant_id = %(tenant)s AND a.customer_id = f.customer_id AND a.signal = f.signal
    WHERE a.closed_on IS NULL AND {{among}} AND NOT EXISTS (
        SELECT 1 FROM risk_alert p WHERE p.tenant_id = %(tenant)s AND p.customer_id = f.customer_id
        AND p.signal = f.signal AND p.period = f.period)
    ON CONFLICT DO NOTHING RETURNING alert_id
), found AS (
    SELECT a.id, f.level, f.role, f.facts, f.due_at, g.alert_id IS NOT NULL AS is_repeat, {_RISES} AS rises,
           CASE WHEN {_RISES} AND {_HIGHER} THEN f.role ELSE a.role END AS new_role
    FROM fired_now f
    JOIN risk_alert a ON a.tenant_id = %(tenant)s AND a.customer_id = f.customer_id AND a.signal = f.signal
    LEFT JOIN again g ON g.alert_id = a.id
    WHERE a.closed_on IS NULL AND {{among}} AND (g.alert_id IS NOT NULL OR {_RISES})
)
UPDATE risk_alert a SET
    repeats = a.repeats + w.is_repeat::integer,
    last_fired_on = CASE WHEN w.is_repeat THEN %(as_of)s ELSE a.last_fired_on END,
    facts = w.facts::jsonb,
    level = CASE WHEN w.rises THEN w.level ELSE a.level END,
    role = w.new_role,
    due_at = CASE WHEN w.rises AND a.first_action_at IS NULL THEN LEAST(a.due_at, w.due_at) ELSE a.due_at END,
    escalates_at = CASE WHEN NOT w.rises THEN a.escalates_at
                        WHEN w.new_role = 'executive' THEN NULL
                        ELSE LEAST(COALESCE(a.escalates_at, w.due_at), w.due_at) END,
    snoozed_until = CASE WHEN w.rises THEN NULL ELSE a.snoozed_until END,
    snooze_reason = CASE WHEN w.rises THEN '' ELSE a.snooze_reason END,
    updated_at = %(stamp)s
FROM found w, customers_customer c
WHERE a.tenant_id = %(tenant)s AND a.id = w.id AND a.closed_on IS NULL AND c.tenant_id = %(tenant)s
  AND c.id = a.customer_id
RETURNING a.id, a.customer_id, a.signal, a.level, a.role, a.assignee_id, c.owner_a_id, c.owner_b_id, w.is_repeat, w.rises
"""
"""A new period while the alert is open is a repeat, once; a heavier level counts also within the same period."""

_OPEN: Final = """
WITH opened AS (
    INSERT INTO risk_alert
        (tenant_id, customer_id, signal, risk_class, level, facts, period, opened_on, opened_at, money, repeats, due_at,
         role, escalates_at, escalations, snooze_reason, outcome, cause, tried, note, policy_version, created_at,
         updated_at)
    SELECT %(tenant)s, f.customer_id, f.signal, f.risk_class, f.level, f.facts::jsonb, f.period, %(as_of)s, %(now)s,
           COALESCE(s.monetary, 0) * 12 / %(months)s, 0, f.due_at, f.role,
           CASE WHEN f.role = 'executive' THEN NULL ELSE f.due_at END, 0, '', '', '', '[]'::jsonb, '', %(version)s,
           %(stamp)s, %(stamp)s
    FROM fired_now f
    JOIN customers_customer c ON c.tenant_id = %(tenant)s AND c.id = f.customer_id AND c.closed_on IS NULL
    LEFT JOIN segmentation_standing s ON s.tenant_id = %(tenant)s AND s.customer_id = f.customer_id
    WHERE {among}
      AND NOT EXISTS (SELECT 1 FROM risk_alert a WHERE a.tenant_id = %(tenant)s AND a.customer_id = f.customer_id
                      AND a.signal = f.signal AND (a.closed_on IS NULL OR a.period = f.period))
      AND NOT EXISTS (SELECT 1 FROM risk_alertrepeat r WHERE r.tenant_id = %(tenant)s AND r.customer_id = f.customer_id
                      AND r.signal = f.signal AND r.period = f.period)
    ORDER BY f.customer_id, f.signal
    ON CONFLICT DO NOTHING
    RETURNING id, customer_id, signal, level, role, assignee_id
)
SELECT o.*, c.owner_a_id, c.owner_b_id FROM opened o
JOIN customers_customer c ON c.tenant_id = %(tenant)s AND c.id = o.customer_id ORDER BY o.id
"""


def _record_fired(opened: Sequence[_Touched], again: Sequence[_Touched], policy_version: int) -> None:
    told = [("opened", each) for each in opened]
    told += [("fired_again" if each.is_repeat else "rose", each) for each in again]
    rows = pl.DataFrame(
        [(verb, each.alert_id, each.customer_id, each.signal, each.level) for verb, each in told],
        schema={
            "verb": pl.String, "object_id": pl.Int64, "customer_id": pl.Int64, "signal": pl.String, "level": pl.String,
        },
        orient="row",
    )  # fmt: skip
    insert_frame(
        Event,
        rows.select("verb", "object_id", "customer_id", changes=pl.struct("signal", "level").struct.json_encode()),
        constants={"at": timezone.now(), "object_type": "alert", "policy_version": policy_version},
    )


def _tell(opened: Sequence[_Touched], rose: Sequence[_Touched], on: dt.date) -> None:
    """Severe ones one by one, and at once; of the others each member hears once a day that there are new ones."""
    if not opened and not rose:
        return
    people = People()
    known: dict[tuple[str, int | None, int | None, int | None], list[Member]] = {}

    def whose(each: _Touched) -> list[Member]:
        place = (each.role, each.owner_a_id, each.owner_b_id, each.assignee_id)
        if place not in known:
            role, owner_a, owner_b, assignee = place
            known[place] = people.whose(role=role, owner_a=owner_a, owner_b=owner_b, assignee=assignee)
        return known[place]

    touched = [*opened, *rose]
    severe = [each for each in touched if each.level == Alert.Level.SEVERE]
    names = dict(Customer.objects.filter(pk__in={each.customer_id for each in severe}).values_list("pk", "name"))
    notify_each(
        kind=SEVERE.code,
        told=[
            Told(
                member,
                f"alert:{each.alert_id}:severe",
                {"customer": names[each.customer_id], "signal": each.signal},
                f"alerts/{each.alert_id}/",
            )
            for each in severe
            for member in whose(each)
        ],
    )
    others = {member for each in opened if each.level != Alert.Level.SEVERE for member in whose(each)}
    day = on.isoformat()
    notify(
        members=others, kind=NEW.code, key=f"alerts:{day}", params={"day": day}, url=f"alerts/?opened={day}&view=mine"
    )


def pass_over(*, ids: Sequence[int], outcome: str, as_of: dt.date, now: dt.datetime) -> int:
    """Close open alerts whose signal no longer fires, as PASSED or LOST, by nobody; returns how many were open.

    Follow-ups that the signal raised are the caller's to withdraw.
    """
    if not ids:
        return 0
    with transaction.atomic():
        rows = Alert.objects.filter(Among(F("id"), list(ids)), closed_on__isnull=True)
        touched = list(rows.select_for_update().order_by("pk").values_list("pk", "customer_id", "signal", "level"))
        Alert.objects.filter(Among(F("id"), [pk for pk, *_rest in touched])).update(
            closed_on=_day_of(as_of, now),
            closed_at=now,
            outcome=outcome,
            escalates_at=None,
            snoozed_until=None,
            snooze_reason="",
            updated_at=timezone.now(),
        )
        schema = {"object_id": pl.Int64, "customer_id": pl.Int64, "signal": pl.String, "level": pl.String}
        told = pl.DataFrame(touched, schema=schema, orient="row").with_columns(outcome=pl.lit(str(outcome)))
        changes = pl.struct("signal", "level", "outcome").struct.json_encode()
        insert_frame(
            Event,
            told.select("object_id", "customer_id", changes=changes),
            constants={"at": timezone.now(), "verb": "passed", "object_type": "alert"},
        )
    return len(touched)


def note_actions(customers: Customers, *, now: dt.datetime) -> int:
    """Take a member's contact with the customer since an alert opened as its first action; returns how many.

    Contacts that nobody of the firm made (automatic messages, what customers wrote) are none.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            f"""
            UPDATE risk_alert a SET first_action_at = i.at, first_action_by_id = i.member_id, escalates_at = NULL,
                   updated_at = %(stamp)s
            FROM (
                SELECT DISTINCT ON (o.id) o.id, n.at, n.member_id FROM risk_alert o
                JOIN customers_interaction n ON n.tenant_id = %(tenant)s AND n.customer_id = o.customer_id
                 AND n.at >= o.opened_at AND n.at <= %(now)s AND n.member_id IS NOT NULL AND n.direction = 'outbound'
                WHERE o.tenant_id = %(tenant)s AND o.closed_on IS NULL AND o.first_action_at IS NULL
                  AND {among(customers, "o.customer_id")}
                ORDER BY o.id, n.at, n.id
            ) i
            WHERE a.tenant_id = %(tenant)s AND a.id = i.id AND a.closed_on IS NULL AND a.first_action_at IS NULL
            RETURNING a.id, a.customer_id, a.first_action_at, a.first_action_by_id
            """,
            {"tenant": current_tenant().pk, "now": now, "stamp": timezone.now()},
        )
        found = cursor.fetchall()
        Event.objects.bulk_create(
            [
                _event(
                    "answered", pk, customer_id, {"first_action_at": [None, at.isoformat()]}, actor_id=member_id
                )
                for pk, customer_id, at, member_id in found
            ],
            batch_size=5_000,
        )  # fmt: skip
    return len(found)


# ── up the line ─────────────────────────────────────────────────────────────


def escalate_all(now: dt.datetime) -> int:
    """`escalate_due` for every firm; returns how many steps were taken."""
    done = 0
    for tenant in Tenant.objects.filter(is_active=True):
        while True:
            with tenant_scope(tenant):
                taken = _escalate_some(now)
            done += taken
            if taken < BATCH:
                break
    return done


def escalate_due(now: dt.datetime) -> int:
    """Hand alerts whose clock has run out by `now` one step up the line, in the open scope; returns how many.

    A contact since it opened is found first, and stops the clock. Each step is taken once, however often this runs: the
    next one has the policy's hours of business time from now on. Alerts that somebody else looks at are left to the
    next ring.
    """
    done = 0
    while taken := _escalate_some(now):
        done += taken
    return done


def _escalate_some(now: dt.datetime) -> int:
    due = Alert.objects.filter(closed_on__isnull=True, escalates_at__lte=now).order_by("escalates_at", "pk")
    ids = list(due.select_for_update(skip_locked=True, of=("self",)).values_list("pk", flat=True)[:BATCH])
    if not ids:
        return 0
    asked = list(Alert.objects.filter(pk__in=ids).order_by().values_list("customer_id", flat=True).distinct())
    note_actions(asked, now=now)
    rows = list(Alert.objects.filter(pk__in=ids, escalates_at__lte=now).select_related("customer").order_by("pk"))
    policy, calendar, people = active_policy(), firm_calendar(), People()
    next_clock = rules.answer_by(calendar, now, policy.section(RiskPolicy).escalation_hours)
    steps, events, told = [], [], []
    for row in rows:
        assert row.escalates_at is not None  # noqa: S101  # asked for above
        role = rules.next_role(row.role) or AnswerRole.EXECUTIVE
        changes: dict[str, Any] = {"role": [row.role, str(role)], "step": row.escalations + 1}
        if row.assignee_id is not None:
            changes["assignee"] = [row.assignee_id, None]
        steps.append(AlertEscalation(alert=row, step=row.escalations + 1, role=role, due_at=row.escalates_at, at=now))
        params = {"customer": row.customer.name, "signal": row.signal, "due_at": row.escalates_at.isoformat()}
        row.role, row.assignee = role, None
        row.escalations, row.escalated_at = row.escalations + 1, now
        row.escalates_at = None if rules.next_role(role) is None else next_clock
        row.updated_at = timezone.now()
        events.append(_event("escalated", row.pk, row.customer_id, changes))
        told += [
            Told(member, f"alert:{row.pk}:step:{row.escalations}", params, f"alerts/{row.pk}/")
            for member in people.whose(role=row.role, owner_a=row.customer.owner_a_id, owner_b=row.customer.owner_b_id)
        ]
    AlertEscalation.objects.bulk_create(steps)
    fields = ["role", "assignee", "escalations", "escalated_at", "escalates_at", "updated_at"]
    Alert.objects.bulk_update(rows, fields)
    Event.objects.bulk_create(events)
    notify_each(kind=ESCALATED.code, told=told)
    return len(ids)


def _event(verb: str, alert_id: int, customer_id: int, changes: dict[str, Any], **fields: Any) -> Event:
    """An event of the house's own, to be written with others."""
    return Event(verb=verb, object_type="alert", object_id=alert_id, customer_id=customer_id, changes=changes, **fields)


# ── what people do ──────────────────────────────────────────────────────────


def act(*, alert: Alert, member: Member, note: str = "") -> Change:
    """Say that one takes care of it: the clock stops. The second one who says so changes nothing.

    Raises AlreadyClosed.
    """
    with acting(member):
        row = _lock_open(alert, member)
        return _act([row], member, _short(note, NOTE_LENGTH))


def act_many(*, ids: Collection[int], member: Member) -> Change:
    """`act` for those of the alerts that the member sees and that are open."""
    with acting(member):
        return _act(_lock_seen(ids, member), member, "")


def snooze(*, alert: Alert, until: dt.datetime, reason: str, member: Member) -> Change:
    """Put an alert off to a moment, with a reason; a severe one not beyond its clock.

    Up the line it goes when the snooze is over at the earliest. Raises Refused in words for a moment that is past or
    too far, and without a reason; AlreadyClosed.
    """
    with acting(member):
        return _unless_all_stay(_snooze([_lock_open(alert, member)], until, reason))


def snooze_many(*, ids: Collection[int], until: dt.datetime, reason: str, member: Member) -> Change:
    """`snooze` for those of the alerts that the member sees and that are open; what must not be put off stays."""
    with acting(member):
        return _unless_all_stay(_snooze(_lock_seen(ids, member), until, reason))


def wake(*, alert: Alert, member: Member) -> Change:
    """End a snooze now. Raises AlreadyClosed."""
    with acting(member):
        change = Change()
        _write(_lock_open(alert, member), "woken", {"snoozed_until": None, "snooze_reason": ""}, change)
        return change


def assign(*, alert: Alert, assignee: Member | None, member: Member) -> Change:
    """Give an alert to somebody who sees the customer; None: to whoever has the role.

    Who may assign, to anybody; others to the customer's A or B owner. Raises Refused in words; AlreadyClosed.
    """
    with acting(member):
        return _unless_all_stay(_assign([_lock_open(alert, member)], assignee, member))


def assign_many(*, ids: Collection[int], assignee: Member | None, member: Member) -> Change:
    """`assign` for those of the alerts that the member sees and that are open; those that cannot be given stay."""
    with acting(member):
        return _unless_all_stay(_assign(_lock_seen(ids, member), assignee, member))


def close(
    *, alert: Alert, outcome: str, member: Member, cause: str = "", tried: str | Iterable[str] = (), note: str = ""
) -> Change:
    """Close an alert with what came of it: saved, lost or a false alarm; the first two with a cause.

    `cause` and `tried` are codes of rules/causes.py. It becomes a case of the library, and the follow-ups that the
    signal raised are withdrawn. Closing it again the same way changes nothing. Raises ValidationError by field;
    AlreadyClosed.
    """
    with acting(member):
        row = _lock(Alert.objects.filter(pk=alert.pk))[0]
        values = _checked(outcome=outcome, cause=cause, tried=tried, note=note)
        if row.closed_on is not None:
            if row.closed_by_id == member.pk and not changes_of(row, values):
                return Change()
            raise _too_late(row, member)
        return _close([row], values, member)


def close_many(
    *,
    ids: Collection[int],
    outcome: str,
    member: Member,
    cause: str = "",
    tried: str | Iterable[str] = (),
    note: str = "",
) -> Change:
    """`close` for those of the alerts that the member sees and that are open."""
    with acting(member):
        values = _checked(outcome=outcome, cause=cause, tried=tried, note=note)
        return _close(_lock_seen(ids, member), values, member)


def reopen(*, alert: Alert, member: Member) -> Change:
    """Open a closed alert again: it was not over. Its clock is the one it had.

    Raises Refused where another alert of the signal is open for the customer by now, or the customer is closed.
    """
    with acting(member):
        row = _lock(Alert.objects.filter(pk=alert.pk))[0]
        change = Change()
        if row.closed_on is None:
            return change
        _check_can_open(row)
        values: dict[str, Any] = {
            "closed_on": None, "closed_at": None, "closed_by": None, "outcome": "", "cause": "", "tried": [],
        }  # fmt: skip
        _write(row, "reopened", values, change)
        _cases_of(row)
        return change


def undo(*, events: Sequence[int], member: Member) -> Change:
    """Take back what the member (or, for who may assign, anybody) did with alerts: the ids of its events.

    Undoing twice changes nothing. Raises Refused when somebody has changed an alert since: then nothing is taken back.
    """
    with acting(member):
        found = list(Event.objects.filter(pk__in=events, object_type="alert", verb__in=_UNDOABLE).order_by("-pk"))
        if not found or len(found) != len(set(events)):
            raise Refused(_("There is nothing to undo."), code="unknown")
        if any(event.actor_id != member.pk for event in found) and not member.can("alerts:assign"):
            raise Refused(_("Only who did it can undo it."), code="not_yours")
        wanted = {event.object_id for event in found}
        rows = {row.pk: row for row in _lock(Alert.objects.visible_to(member).filter(pk__in=wanted))}
        if len(rows) != len(wanted):
            raise Refused(_("There is nothing to undo."), code="unknown")
        again = Event.objects.filter(
            verb="undone", object_type="alert", customer_id__in={row.customer_id for row in rows.values()},
            pk__gt=found[-1].pk,
        )  # fmt: skip
        done = {event.changes.get("event") for event in again if event.object_id in wanted}
        change = Change()
        for event in found:
            if event.pk not in done:
                _take_back(rows[event.object_id], event, change)
        return change


_UNDOABLE: Final = ("acted", "snoozed", "woken", "assigned", "closed", "reopened")


# ── what the verbs share ────────────────────────────────────────────────────


def _lock(rows: QuerySet[Any]) -> list[Alert]:
    """The rows, locked until the transaction ends, always in the same order, so that two calls never wait crosswise."""
    ids = list(rows.select_for_update(of=("self",)).order_by("pk").values_list("pk", flat=True))
    # Read after the lock is held: what joined rows said while waiting may be old.
    related = Alert.objects.select_related(
        "customer__owner_a__user",
        "customer__owner_b__user",
        "assignee__user",
        "closed_by__user",
        "first_action_by__user",
    )
    return list(related.filter(pk__in=ids).order_by("pk"))


def _lock_open(alert: Alert, member: Member) -> Alert:
    """Raises AlreadyClosed; Alert.DoesNotExist when it has gone with its customer."""
    for row in _lock(Alert.objects.filter(pk=alert.pk)):
        if row.closed_on is not None:
            raise _too_late(row, member)
        return row
    raise Alert.DoesNotExist


def _lock_seen(ids: Collection[int], member: Member) -> list[Alert]:
    """Those of the alerts that the member sees and that are open, locked. Raises Refused for none, or too many."""
    wanted = set(ids)
    if not wanted:
        raise Refused(_("Nothing is selected."), code="empty")
    if len(wanted) > MANY:
        raise Refused(_("At most %(count)d at once.") % {"count": MANY}, code="too_many")
    rows = _lock(Alert.objects.visible_to(member).filter(pk__in=wanted, closed_on__isnull=True))
    if not rows:
        raise Refused(_("Nothing was changed: the selected alerts have been closed meanwhile."), code="changed")
    return rows


def _too_late(row: Alert, member: Member) -> AlreadyClosed:
    values = {"customer": row.customer.name, "who": row.closed_by, "day": _day_words(row.closed_on)}
    if row.closed_by is None:
        return AlreadyClosed(_("%(customer)s: the signal has passed, the alert is closed.") % values, code="closed")
    if row.closed_by == member:
        return AlreadyClosed(_("You closed %(customer)s on %(day)s already.") % values, code="closed")
    return AlreadyClosed(_("%(who)s closed %(customer)s on %(day)s.") % values, code="closed")


def _day_words(day: dt.date | None) -> str:
    return date_format(day, "SHORT_DATE_FORMAT") if day else ""


def _short(text: str, most: int) -> str:
    """Raises Refused for a text that is too long."""
    text = " ".join(text.split())
    if len(text) > most:
        raise Refused(_("At most %(count)d characters.") % {"count": most}, code="too_long")
    return text


def _act(rows: Sequence[Alert], member: Member, note: str) -> Change:
    change, now = Change(), timezone.now()
    for row in rows:
        values: dict[str, Any] = {"escalates_at": None}
        if row.first_action_at is None:
            values |= {"first_action_at": now, "first_action_by": member}
        if note:
            values["note"] = note
        _write(row, "acted", values, change)
    return change


def _snooze(rows: Sequence[Alert], until: dt.datetime, reason: str) -> Change:
    now = timezone.now()
    reason = _short(reason, REASON_LENGTH)
    most = active_policy().section(CadencePolicy).snooze_max_days
    if until <= now:
        raise Refused(_("Snooze to a time to come."), code="past")
    if until > now + dt.timedelta(days=most):
        raise Refused(_("At most %(days)d days.") % {"days": most}, code="too_far")
    if not reason:
        raise Refused(_("Say why it can wait."), code="no_reason")
    change = Change()
    for row in rows:
        if until > rules.latest_snooze(row.level, now=now, due_at=row.due_at, most_days=most):
            words = _("%(customer)s stays: a severe alert cannot be put off beyond its clock.")
            change.stays.append((row, words % {"customer": row.customer.name}))
            continue
        values = {
            "snoozed_until": until, "snooze_reason": reason,
            "escalates_at": rules.runs_out_at(row.escalates_at, until),
        }  # fmt: skip
        _write(row, "snoozed", values, change)
    return change


def _assign(rows: Sequence[Alert], assignee: Member | None, member: Member) -> Change:
    if assignee is not None and not (assignee.is_active and assignee.can("alerts:write")):
        raise Refused(_("%(who)s does not work on alerts.") % {"who": assignee}, code="not_a_worker")
    anybody = member.can("alerts:assign")
    asked = {row.customer_id for row in rows}
    seen = asked
    if assignee is not None:
        seen = set(Customer.objects.visible_to(assignee).filter(pk__in=asked).values_list("pk", flat=True))
    change = Change()
    for row in rows:
        said = {"who": assignee, "customer": row.customer.name}
        owners = (None, row.customer.owner_a_id, row.customer.owner_b_id)
        if not anybody and (assignee.pk if assignee else None) not in owners:
            words = _("%(customer)s stays: you can give it to its A or B owner; your lead can give it to others.")
            change.stays.append((row, words % said))
        elif row.customer_id not in seen:
            words = _("%(customer)s stays: %(who)s is neither its owner nor covers it.")
            change.stays.append((row, words % said))
        elif _write(row, "assigned", {"assignee": assignee}, change) and assignee not in (None, member):
            tell_assigned(row, assignee, member)
    return change


def tell_assigned(row: Alert, assignee: Member | None, member: Member) -> None:
    """Tell somebody that an alert is theirs now."""
    if assignee is not None:
        params = {"customer": row.customer.name, "signal": row.signal, "who": str(member)}
        key = f"alert:{row.pk}:to:{assignee.pk}:{timezone.now():%Y%m%d%H%M%S%f}"
        notify(members=[assignee], kind=ASSIGNED.code, key=key, params=params, url=f"alerts/{row.pk}/")


def _checked(*, outcome: str, cause: str, tried: str | Iterable[str], note: str) -> dict[str, Any]:
    """The values with which alerts are closed. Raises ValidationError by field."""
    wrong: dict[str, ValidationError] = {}
    if outcome not in BY_PEOPLE:
        wrong["outcome"] = ValidationError(_("Say what came of it: saved, lost or a false alarm."), code="required")
    if cause and cause not in CAUSES:
        wrong["cause"] = ValidationError(_("There is no such cause."), code="invalid_choice")
    if not cause and outcome in (Alert.Outcome.SAVED, Alert.Outcome.LOST):
        wrong["cause"] = ValidationError(_("Say why: it is what the next one learns from."), code="required")
    said = [tried] if isinstance(tried, str) else list(tried)
    codes = [code.strip() for text in said for code in text.split(",") if code.strip()]
    if unknown := [code for code in codes if code not in TRIED]:
        words = _("There is no such thing tried: %(code)s.")
        wrong["tried"] = ValidationError(words, params={"code": unknown[0]}, code="invalid_choice")
    note = note.strip()
    if len(note) > NOTE_LENGTH:
        words = _("At most %(count)d characters.")
        wrong["note"] = ValidationError(words, params={"count": NOTE_LENGTH}, code="too_long")
    if wrong:
        raise ValidationError(wrong)
    return {"outcome": outcome, "cause": cause, "tried": tried_codes(codes), "note": note}


def _close(rows: Sequence[Alert], values: dict[str, Any], member: Member) -> Change:
    change, now = Change(), timezone.now()
    closed = {
        "closed_on": current_tenant().today(), "closed_at": now, "closed_by": member, "snoozed_until": None,
        "snooze_reason": "", "escalates_at": None,
    }  # fmt: skip
    for row in rows:
        # Whoever closes it has looked at it.
        first = {} if row.first_action_at else {"first_action_at": now, "first_action_by": member}
        tasks = FollowUp.objects.filter(
            customer=row.customer_id, rule=f"signal:{row.signal}", status=FollowUp.Status.OPEN
        )
        ids = list(tasks.select_for_update(of=("self",)).order_by("pk").values_list("pk", flat=True))
        FollowUp.objects.filter(pk__in=ids).update(status=FollowUp.Status.CANCELLED, closed_at=now, updated_at=now)
        _write(row, "closed", values | closed | first, change, also={"follow_ups": ids} if ids else {})
        _cases_of(row)
    return change


def _cases_of(row: Alert) -> None:
    """The library keeps what a closed alert teaches, and forgets what was opened again."""
    from risk.cases import services as cases

    if row.closed_on is not None:
        cases.keep(alert=row)
    else:
        cases.withdraw(alert=row)


def _check_can_open(row: Alert) -> None:
    others = Alert.objects.filter(customer=row.customer_id, signal=row.signal, closed_on__isnull=True)
    if others.exclude(pk=row.pk).exists():
        words = _("%(customer)s has another open alert of this signal by now.")
        raise Refused(words % {"customer": row.customer.name}, code="another_open")
    if row.customer.closed_on is not None:
        raise Refused(_("%(customer)s is closed.") % {"customer": row.customer.name}, code="customer_closed")


def _write(
    row: Alert, verb: str, values: dict[str, Any], change: Change, *, also: dict[str, Any] | None = None
) -> bool:
    """Write the values that differ, with an event, and note both; says whether anything differed."""
    changes = changes_of(row, values)
    if not changes:
        return False
    for name, value in values.items():
        setattr(row, name, value)
    row.save(update_fields=[*values, "updated_at"])
    change.events.append(record(verb, row, changes | (also or {})).pk)
    change.alerts.append(row)
    return True


def _unless_all_stay(change: Change) -> Change:
    """The change itself. Raises Refused with every reason when it would leave all as it was."""
    if change.stays and not change.alerts:
        raise Refused([ValidationError(words, code="stays") for _row, words in change.stays])
    return change


def _take_back(row: Alert, event: Event, change: Change) -> None:
    pairs = {name: pair for name, pair in event.changes.items() if name != "follow_ups"}
    before = {_column(name): _value(name, pair[0]) for name, pair in pairs.items()}
    after = {_column(name): _value(name, pair[1]) for name, pair in pairs.items()}
    values = {"customer": row.customer.name}
    if any(getattr(row, name) != value for name, value in after.items()):
        raise Refused(_("%(customer)s has been changed since; it cannot be undone.") % values, code="changed")
    if before.get("closed_on", row.closed_on) is None and row.closed_on is not None:
        _check_can_open(row)
    if row.level == Alert.Level.SEVERE and (until := before.get("snoozed_until")) and until > row.due_at:
        # It has become severe since: what was put off then may not be hidden again.
        raise Refused(_("%(customer)s has been changed since; it cannot be undone.") % values, code="changed")
    for name, value in before.items():
        setattr(row, name, value)
    row.save(update_fields=[*before, "updated_at"])
    change.events.append(record("undone", row, {"event": event.pk}).pk)
    change.alerts.append(row)
    if event.verb in ("closed", "reopened"):
        ids = event.changes.get("follow_ups", [])
        tasks = FollowUp.objects.filter(pk__in=ids, status=FollowUp.Status.CANCELLED, customer__closed_on__isnull=True)
        tasks.update(status=FollowUp.Status.OPEN, closed_at=None, updated_at=timezone.now())
        _cases_of(row)


def _column(name: str) -> str:
    """Foreign keys are kept as ids in events, and compared as ids."""
    return f"{name}_id" if name in _PEOPLE else name


def _value(name: str, kept: Any) -> Any:
    """A value as events keep it (JSON) back in Python."""
    if kept is None:
        return None
    if name in _DAYS:
        return parse_date(kept)
    if name in _MOMENTS:
        return parse_datetime(kept)
    return kept


# ── asking ──────────────────────────────────────────────────────────────────


def open_of(customer: Customer) -> list[Alert]:
    """A customer's open alerts, the heaviest first."""
    return list(Alert.objects.filter(customer=customer, closed_on__isnull=True).order_by("-level", "due_at", "pk"))


def seen(now: dt.datetime) -> Q:
    """The condition that an alert is open and not put off at a moment."""
    return Q(closed_on__isnull=True) & (Q(snoozed_until__isnull=True) | Q(snoozed_until__lte=now))
