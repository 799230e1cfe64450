"""The event log: one row for every write, in its transaction."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from decimal import Decimal
from typing import Any

from django.db import models, transaction

from tenants.models import Event, Member

# Who is at work: the middleware and the API set it, jobs leave it empty.
acting_member: ContextVar[Member | None] = ContextVar("acting_member", default=None)


@contextmanager
def acting(member: Member) -> Iterator[None]:
    """One transaction whose events name the member, also when no request has said who is at work."""
    token = acting_member.set(member)
    try:
        with transaction.atomic():
            yield
    finally:
        acting_member.reset(token)


_waiting: ContextVar[list[Event] | None] = ContextVar("events", default=None)


@contextmanager
def events_last() -> Iterator[list[Event]]:
    """One transaction whose events are written at its end, all at once, in their order.

    Gives the list of those that wait: who takes back what a part of it has done takes its events out of the list. When
    it ends with an exception none is written.
    """
    waiting: list[Event] = []
    token = _waiting.set(waiting)
    try:
        yield waiting
    finally:
        _waiting.reset(token)
    Event.objects.bulk_create(waiting)


def _plain(value: Any) -> Any:
    if isinstance(value, models.Model):
        return value.pk
    if isinstance(value, Decimal | dt.date):
        return str(value)
    return value


def changes_of(obj: models.Model, values: dict[str, Any]) -> dict[str, list[Any]]:
    """`{field: [before, after]}` for the values that differ from the row's own."""
    found = {}
    for name, after in values.items():
        before = getattr(obj, name)
        if before != after:
            found[name] = [_plain(before), _plain(after)]
    return found


def record(
    verb: str, obj: models.Model, changes: dict[str, Any] | None = None, *, policy_version: int | None = None
) -> Event:
    """Write down that `verb` happened to `obj`; call it inside the transaction that did it.

    `changes` holds JSON values; the customer is found on the object itself.
    """
    name = obj._meta.model_name or ""
    customer_id = obj.pk if name == "customer" else getattr(obj, "customer_id", None)
    event = Event(
        actor=acting_member.get(),
        verb=verb,
        object_type=name,
        object_id=obj.pk,
        customer_id=customer_id,
        changes=changes or {},
        policy_version=policy_version,
    )
    waiting = _waiting.get()
    if waiting is None:
        event.save(force_insert=True)
    else:
        waiting.append(event)
    return event
