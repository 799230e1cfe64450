"""Who works on an import right now, and whose turn it is to write: locks that live as long as the worker that holds them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from django.db import connection
from django.db.backends.utils import CursorWrapper

# First half of the advisory locks' keys; the second is the import's, or the tenant's, id.
_OF_IMPORT: Final = 7_301
_OF_TENANT: Final = 7_302
_HALF: Final = 2**31
_LOOK_AGAIN: Final = 0.5  # seconds

_WAITING: Final = """
SELECT EXISTS (
    SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND classid = %s AND objid = %s
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))
"""


@dataclass(frozen=True)
class Lease:
    """A connection of its own with an open transaction; `mine`: the import is held by it."""

    mine: bool
    _own: Any

    @contextmanager
    def turn(self, tenant_id: int) -> Iterator[None]:
        """Write for a tenant while no other import of it does; waits until it is our turn.

        Two at a time could wait for each other's customers and products. Who waits is next, whoever has come first:
        give the turn back when `is_wanted`, so that a short file does not wait for the end of a long one.
        """
        with self._own.cursor() as cursor:
            cursor.execute("SAVEPOINT turn")
            cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [_OF_TENANT, tenant_id % _HALF])
            try:
                yield
            finally:
                cursor.execute("ROLLBACK TO SAVEPOINT turn")  # the lock goes with it

    def is_wanted(self, tenant_id: int) -> bool:
        """Whether another import of the tenant waits for its turn."""
        with self._own.cursor() as cursor:
            cursor.execute(_WAITING, [_OF_TENANT, tenant_id % _HALF])
            return bool(cursor.fetchone()[0])


@contextmanager
def held(import_id: int, *, wait: bool = False) -> Iterator[Lease]:
    """Hold the import, on a connection of its own; the lease is not `mine` when somebody else does and `wait` is not set.

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
        yield Lease(mine, own)
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
