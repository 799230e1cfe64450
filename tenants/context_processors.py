"""What every page's shell shows."""

from typing import Any

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from tenants.heartbeat import silent_parts
from tenants.models import Member
from tenants.querysets import last_night, memberships_of


def shell(request: HttpRequest) -> dict[str, Any]:
    """Tenant, member, who views (and as whom), the tenants to switch to, the last night, and which of worker and beat is silent.

    Lazy: a fragment that shows none of these asks for none of them.
    """
    member: Member | None = getattr(request, "member", None)
    if member is None:
        return {}
    viewer: Member = getattr(request, "viewer", None) or member
    return {
        "tenant": member.tenant,
        "member": member,
        "viewer": viewer,
        "views_as": getattr(request, "views_as", None),
        "today": member.tenant.today(),
        "night": SimpleLazyObject(last_night),
        "silent_parts": SimpleLazyObject(silent_parts),
        "memberships": SimpleLazyObject(lambda: memberships_of(viewer.user)),
    }
