"""Who may write where customers stand: the night's parts side by side, or one person."""

from __future__ import annotations

from typing import Final

from django.db import connection

from tenants.context import current_tenant

# First half of the advisory lock's key; the second is the tenant's id.
_STANDINGS: Final = 7_303
_HALF: Final = 2**31


def lock_standings(*, alone: bool) -> None:
    """Wait for whoever writes standings of the tenant otherwise; lasts until the transaction ends.

    The night reads tiers and pins, reckons, and writes: a pin that came in between would be lost until the next
    night. Its parts are about different customers and need not wait for each other, so they share the lock; whoever
    pins is `alone`, for a moment. Each takes it before any other lock, so nobody waits in a circle; and a part that
    asks while a person waits comes after that person, so that a long night keeps nobody waiting longer than its
    parts at work.
    """
    lock = "pg_advisory_xact_lock" if alone else "pg_advisory_xact_lock_shared"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {lock}(%s, %s)", [_STANDINGS, current_tenant().pk % _HALF])
