"""Which customers a fact has come in about, so that somebody looks at them again, soon and in the coming night.

Whoever writes a fact that a score rests on notes its customer in the same transaction, once however many facts come.
Whoever scores between two nights marks the notes as seen in the transaction in which it looks (`take_arrivals`); the
night looks at all customers who have a note, seen or not (`customers.changes`), and takes away those whose facts it
has reckoned with. The note is locked until the writer's transaction ends: a taker passes over it until then, and sees
the fact when it takes it. A writer that meets a note which is just being taken waits, and leaves it unseen. So no fact
is missed.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final, TypeVar

from django.db import connection, models
from django.utils import timezone

from customers.services.rows import Check, Outcome, change, create, no_check
from tenants.context import current_tenant

_NOTE: Final = """
INSERT INTO customers_arrival AS a (tenant_id, customer_id, at, is_seen, transaction)
SELECT %s, w.customer_id, %s, false, pg_current_xact_id()::text::bigint
FROM unnest(%s::bigint[]) AS w(customer_id) ORDER BY w.customer_id
ON CONFLICT (tenant_id, customer_id)
DO UPDATE SET at = excluded.at, is_seen = false, transaction = excluded.transaction
"""

# Chosen once: a plan that asked a subquery again for each row would pass over those just taken, and take them all.
_TAKE: Final = """
WITH longest AS MATERIALIZED (
    SELECT customer_id FROM customers_arrival WHERE tenant_id = %s AND NOT is_seen
    ORDER BY at, customer_id LIMIT %s FOR UPDATE SKIP LOCKED)
UPDATE customers_arrival a SET is_seen = true FROM longest
WHERE a.tenant_id = %s AND a.customer_id = longest.customer_id
RETURNING a.customer_id
"""

# What came in on the day itself, and what the night's first step could not see, counts for the next night.
_FORGET: Final = """
DELETE FROM customers_arrival
WHERE tenant_id = %s AND is_seen AND at < %s
AND pg_visible_in_snapshot(transaction::text::xid8, %s::pg_snapshot)
"""

_waiting: ContextVar[set[int] | None] = ContextVar("arrivals", default=None)


def arrived(customer_ids: Iterable[int]) -> None:
    """Note that facts about these customers have come in; call it after the last of them is written.

    Two that note the same customers take their locks in the order of the ids, as the last ones of their
    transactions: they cannot wait for each other in a circle. What goes on writing afterwards wraps itself in
    `arrivals_last`.
    """
    waiting = _waiting.get()
    if waiting is not None:
        waiting.update(customer_ids)
        return
    if ids := sorted(set(customer_ids)):
        with connection.cursor() as cursor:
            cursor.execute(_NOTE, [current_tenant().pk, timezone.now(), ids])


@contextmanager
def arrivals_last() -> Iterator[None]:
    """Notes are written when this ends, all at once; inside another one, when that ends.

    When it ends with an exception nothing is noted: the transaction must not be committed then.
    """
    if _waiting.get() is not None:
        yield
        return
    waiting: set[int] = set()
    token = _waiting.set(waiting)
    try:
        yield
    finally:
        _waiting.reset(token)
    arrived(waiting)


def take_arrivals(limit: int) -> list[int]:
    """Mark up to `limit` notes as seen, those that wait longest first; returns their customers' ids, sorted.

    Their facts are committed: read them after this, in the same transaction. Notes of transactions that still
    run are left for the next time. If the transaction is rolled back, the notes wait again; while it runs,
    writers of facts about these customers wait for it.
    """
    tenant_id = current_tenant().pk
    with connection.cursor() as cursor:
        cursor.execute(_TAKE, [tenant_id, limit, tenant_id])
        return sorted(row[0] for row in cursor.fetchall())


def forget_arrivals(as_of: dt.date, snapshot: str) -> int:
    """Take away the notes with which a night has reckoned: seen, and older than its day; returns how many.

    `snapshot` says which transactions the night's first step could see: facts that came in while it worked wait for the
    next one.
    """
    tenant = current_tenant()
    with connection.cursor() as cursor:
        cursor.execute(_FORGET, [tenant.pk, tenant.start_of(as_of), snapshot])
        return int(cursor.rowcount)


# ── writing one fact ────────────────────────────────────────────────────────

Fact = TypeVar("Fact", bound=models.Model)


def add_fact(model: type[Fact], fields: Mapping[str, Any], *, check: Check, verb: str, is_free: bool) -> Fact:
    """A new row about a customer, which must be named; its arrival is noted."""
    row: Any = create(model, fields, required=("customer",), check=check, verb=verb, is_free=is_free)
    arrived([row.customer_id])
    found: Fact = row
    return found


def change_fact(row: Any, fields: Mapping[str, Any], *, check: Check = no_check, verb: str = "updated") -> Outcome:
    """Write what differs; the customers before and after are noted unless nothing did."""
    before = row.customer_id
    outcome = change(row, fields, check=check, verb=verb)
    if outcome != "unchanged":
        arrived({before, row.customer_id})
    return outcome
