"""Reading: whose tenant is it, and who is in it."""

from django.db.models import QuerySet

from tenants.context import across_tenants, tenant_scope
from tenants.models import Member, Run, Tenant, User


def memberships_of(user: User) -> list[Member]:
    """A person's active memberships in all active tenants, by the tenant's name: the tenant switcher."""
    with across_tenants("memberships of the signed-in person", user=user):
        return list(
            Member.objects.filter(user=user, is_active=True, tenant__is_active=True)
            .select_related("tenant")
            .order_by("tenant__name")
        )


def member_in(tenant: Tenant, user: User) -> Member | None:
    """The person's active membership in a tenant, or None: stranger and unknown look the same."""
    with tenant_scope(tenant):
        return Member.objects.select_related("user", "team").filter(user=user, is_active=True).first()


def last_night() -> Run | None:
    """The night that derived rows rest on: the one that finished last. None before the first."""
    return nights_done().first()


def nights_done() -> QuerySet[Run]:
    """The nights that finished, the last one first."""
    rows: QuerySet[Run] = Run.objects.filter(job="nightly", status=Run.Status.DONE).order_by("-finished_at")
    return rows
