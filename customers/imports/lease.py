"""Who works on an import right now: a lock that lives exactly as long as the worker that holds it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from django.db import connection
from django.db.backends.utils import CursorWrapper

# First half of the advisory locks' keys; the second is the import's, or the tenant's, id.
_OF_IMPORT: Final = 7_301
_OF_TENANT: Final = 7_302
_HALF: Final = 2**31
_LOOK_AGAIN: Final = 0.5  # seconds


@contextmanager
def held(import_id: int, *, wait: bool = False) -> Iterator[bool]:
    """Hold the import, on a connection of its own; yields False when somebody else does and `wait` is not set.

    The lock belongs to an open transaction of that connection: it goes when the worker is killed, and it
    survives a connection pooler. Correctness does not hang on it: pieces are counted by rows. It only keeps
    two workers from doing the same work.
    """
    own = connection.copy()
    try:
        own.set_autocommit(False)
        with own.cursor() as cursor:
            # This transaction only waits; the house's limit for forgotten ones does not mean it.
            cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
            while not (mine := _try(cursor, import_id)) and wait:
                time.sleep(_LOOK_AGAIN)
        yield mine
        # Said aloud: closing alone lets the server find out in its own time, and the next one would be turned away.
        own.rollback()
    except BaseException:
        if own.is_usable():
            own.rollback()
        raise
    finally:
        own.close()


def _try(cursor: CursorWrapper, import_id: int) -> bool:
    cursor.execute("SELECT pg_try_advisory_xact_lock(%s, %s)", [_OF_IMPORT, import_id % _HALF])
    return bool(cursor.fetchone()[0])


def is_held(import_id: int) -> bool:
    """Whether somebody works on the import."""
    own = connection.copy()
    try:
        own.set_autocommit(True)
        with own.cursor() as cursor:
            return not _try(cursor, import_id)
    finally:
        own.close()


def one_at_a_time(tenant_id: int) -> None:
    """Let pieces of a tenant's imports be written one after the other; lasts until the transaction ends.

    Two pieces at a time could wait for each other's customers and products.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [_OF_TENANT, tenant_id % _HALF])
