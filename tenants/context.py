"""The tenant scope: one transaction in which the database and the managers know whose rows may be touched.

Outside a scope tenant tables show no rows and take none. A request is one scope, a chunk of a job is one
scope. What runs after the transaction (a streaming response, on_commit) has no tenant: open it again.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from django.db import connection, transaction

if TYPE_CHECKING:
    from tenants.models import Tenant, User

log = logging.getLogger("perennial.tenants")

_tenant: ContextVar[Tenant | None] = ContextVar("tenant", default=None)
_across: ContextVar[str | None] = ContextVar("across_tenants", default=None)


class NoTenant(RuntimeError):
    """A tenant table was touched outside a tenant scope."""


class OtherTenant(RuntimeError):
    """A row of one tenant was about to be written, or a scope opened, inside another tenant's scope."""


def current_tenant() -> Tenant:
    """The tenant of the scope that is open.

    Raises NoTenant when none is.
    """
    tenant = _tenant.get()
    if tenant is None:
        raise NoTenant("No tenant scope is open: wrap the work in `with tenant_scope(tenant):`")
    return tenant


def active_tenant() -> Tenant | None:
    """The tenant of the scope that is open, or None: for code that serves both sides of the wall."""
    return _tenant.get()


def scope_is_lifted() -> bool:
    """Whether `across_tenants` is open."""
    return _across.get() is not None


def _setting(name: str, value: object) -> None:
    # Transaction-local: it survives transaction pooling and cannot leak into the next request.
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config(%s, %s, true)", [name, str(value)])


@contextmanager
def tenant_scope(tenant: Tenant) -> Iterator[Tenant]:
    """Open a transaction that sees and writes the rows of `tenant` alone.

    The same tenant may be entered again inside (a savepoint); another one is refused with OtherTenant.
    """
    outer = _tenant.get()
    if outer is not None and outer.pk != tenant.pk:
        raise OtherTenant(f"The scope of {outer.slug} is open; {tenant.slug} has to wait until it closes")
    nested = connection.in_atomic_block
    with transaction.atomic():
        if outer is None:
            _setting("app.tenant_id", tenant.pk)
        token = _tenant.set(tenant)
        try:
            yield tenant
        finally:
            _tenant.reset(token)
        if outer is None and nested and not connection.needs_rollback:
            # A released savepoint keeps the setting until the outer transaction ends; COMMIT would drop it.
            _setting("app.tenant_id", "")


@contextmanager
def only_reading() -> Iterator[None]:
    """A stretch of the scope in which the database itself refuses every write; afterwards it takes them again.

    What tries to write raises django.db.InternalError. Raises NoTenant when no scope is open.
    """
    current_tenant()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION READ ONLY")  # ends with the savepoint
        yield


@contextmanager
def across_tenants(reason: str, *, user: User) -> Iterator[None]:
    """The one way out of a tenant: a person's own memberships, wherever they are. Reads only.

    The database shows through its own policy just the membership rows of `user`; `reason` goes to the log.
    """
    log.info("across tenants: %s (user %s)", reason, user.pk)
    with transaction.atomic(savepoint=False):  # nothing is written that could be taken back
        _setting("app.user_id", user.pk)
        token = _across.set(reason)
        try:
            yield
        finally:
            _across.reset(token)
        _setting("app.user_id", "")
