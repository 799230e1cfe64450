"""Who may write where customers stand: the night alone, or people side by side."""

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
    night. So the night is `alone`; pins, which lock their customer, wait for nothing but the night.
    """
    lock = "pg_advisory_xact_lock" if alone else "pg_advisory_xact_lock_shared"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {lock}(%s, %s)", [_STANDINGS, current_tenant().pk % _HALF])
