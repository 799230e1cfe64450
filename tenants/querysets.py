"""Reading: whose tenant is it, and who is in it."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from django.db.models import OuterRef, QuerySet, Subquery

from tenants.context import across_tenants, current_tenant, tenant_scope
from tenants.kept import Kept
from tenants.models import Member, PolicyVersion, Run, Tenant, User
from tenants.prepared import QUERIES_KEPT, Prepared

_memberships: Final[Kept[int, Prepared[Member]]] = Kept(QUERIES_KEPT)
_nights_of: Final[Kept[int, Prepared[Run]]] = Kept(QUERIES_KEPT)
_nights: ContextVar[dict[int, Run | None] | None] = ContextVar("nights", default=None)


def memberships_of(user: User) -> list[Member]:
    """A person's active memberships in all active tenants, by the tenant's name: the tenant switcher."""
    with across_tenants("memberships of the signed-in person", user=user):
        return _memberships.get(user.pk, lambda: _memberships_of(user)).rows()


def _memberships_of(user: User) -> Prepared[Member]:
    rows = Member.objects.filter(user=user, is_active=True, tenant__is_active=True)
    return Prepared(rows.select_related("tenant").order_by("tenant__name"))


def member_in(tenant: Tenant, user: User) -> Member | None:
    """The person's active membership in a tenant, or None: stranger and unknown look the same."""
    with tenant_scope(tenant):
        return Member.objects.select_related("user", "team").filter(user=user, is_active=True).first()


def last_night() -> Run | None:
    """The night that derived rows rest on: the one that finished last. None before the first."""
    nights, tenant = _nights.get(), current_tenant().pk
    if nights is None:
        return _last_night()
    if tenant not in nights:
        nights[tenant] = _last_night()
    return nights[tenant]


@contextmanager
def by_one_night() -> Iterator[None]:
    """A stretch that only reads, and rests on the same night from its beginning to its end: it is looked up once."""
    token = _nights.set({})
    try:
        yield
    finally:
        _nights.reset(token)


def _last_night() -> Run | None:
    return next(iter(_nights_of.get(current_tenant().pk, _nights_by_policy).rows()), None)


def _nights_by_policy() -> Prepared[Run]:
    # With the row of the policy that it worked by (tenants.policies.policy_of).
    version = PolicyVersion.objects.filter(number=OuterRef("policy_version"))
    return Prepared(nights_done().annotate(policy_id=Subquery(version.values("pk")))[:1])


def nights_done() -> QuerySet[Run]:
    """The nights that finished, the last one first."""
    rows: QuerySet[Run] = Run.objects.filter(job="nightly", status=Run.Status.DONE).order_by("-finished_at")
    return rows
