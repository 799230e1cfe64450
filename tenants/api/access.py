"""Who is asking, and what they may do."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from django.utils.translation import gettext as _
from rest_framework import authentication, exceptions, permissions

from tenants.http import TenantRequest
from tenants.models import ApiToken, User
from tenants.permissions import check_known

if TYPE_CHECKING:
    from rest_framework.request import Request
    from rest_framework.views import APIView


def tenant_request(request: Request) -> TenantRequest:
    """The request as the middleware has prepared it: with tenant, member and token."""
    return cast(TenantRequest, request._request)


class TokenAuthentication(authentication.BaseAuthentication):
    """`Authorization: Bearer pn_…`; the middleware has looked the token up inside its tenant's scope."""

    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        if request.headers.get("Authorization", "").partition(" ")[0].lower() != "bearer":
            return None
        token = tenant_request(request).token
        if token is None:
            raise exceptions.AuthenticationFailed(_("This token is unknown, expired or revoked."))
        return token.member.user, token

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="api"'


class SessionAuthentication(authentication.SessionAuthentication):
    """The browser of a signed-in member, in the tenant whose pages it saw last; CSRF is enforced."""

    def authenticate(self, request: Request) -> tuple[User, None] | None:
        if request.headers.get("Authorization") or tenant_request(request).member is None:
            return None
        return super().authenticate(request)


class ScopePermission(permissions.BasePermission):
    """Reading needs "<resource>:read", everything else "<resource>:write".

    A token needs the permission in its scopes and in its member's role. A view without `resource` is open
    to every member. `permissions` of a view names other permissions for some of its actions.
    """

    def has_permission(self, request: Request, view: APIView) -> bool:
        member = tenant_request(request).member
        if member is None:
            return False
        needed = self.needed(request, view)
        if needed is None:
            return True
        if not member.can(needed):
            self.message = _("The role %(role)s lacks %(permission)s.") % {"role": member.role, "permission": needed}
            return False
        if isinstance(request.auth, ApiToken) and needed not in request.auth.scopes:
            self.message = _("The token's scopes lack %(permission)s.") % {"permission": needed}
            return False
        return True

    @staticmethod
    def needed(request: Request, view: APIView) -> str | None:
        """The permission that the request takes; None when it takes none, or cannot be done at all (405)."""
        resource: str = getattr(view, "resource", "")
        name: str | None = getattr(view, "action", None)
        if not resource or name is None:
            return None
        if name in (other := getattr(view, "permissions", {})):
            return check_known(other[name])
        return check_known(f"{resource}:{'read' if request.method in permissions.SAFE_METHODS else 'write'}")
