"""What every page's shell shows."""

from typing import Any

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from tenants.heartbeat import silent_parts
from tenants.querysets import memberships_of


def shell(request: HttpRequest) -> dict[str, Any]:
    """Tenant, member, the tenants to switch to, and which of worker and beat is silent."""
    member = getattr(request, "member", None)
    if member is None:
        return {}
    return {
        "tenant": request.tenant,
        "member": member,
        "silent_parts": silent_parts(),
        "memberships": SimpleLazyObject(lambda: memberships_of(member.user)),
    }
