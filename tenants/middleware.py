"""One request, one tenant, one transaction: resolved once, before any view runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import cache
from typing import Final, cast

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.urls import Resolver404, resolve
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from tenants import view_as
from tenants.context import current_tenant, tenant_scope
from tenants.events import acting_member
from tenants.http import TenantRequest
from tenants.kept import Kept
from tenants.models import Member, Tenant, User
from tenants.prepared import Prepared
from tenants.querysets import by_one_night
from tenants.services import check_token, tenant_of_token

Handler = Callable[[HttpRequest], HttpResponse]
API = "/api/"
NOWHERE = "tenants.nowhere"
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
ANY_SLUG = "the address asked for"
"""In the prepared query it stands for the slug."""
VIEW_AS_STOP = "view-as-stop"
"""The one page that writes while somebody views as a colleague: it ends that."""


class TenantMiddleware:
    """Opens the tenant's scope around the view, for pages by the path and for the API by the token.

    Sets `request.tenant`, `request.member` and, for the API, `request.token` (tenants.http.TenantRequest).
    A stranger to the tenant and a tenant that does not exist get the same 404. What answers 500 or more has
    written nothing. Who views as a colleague (tenants/view_as.py) is `request.viewer`; `request.member` is then the
    colleague, what would write is refused, and what a page notes by itself is not kept.
    """

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, plain: HttpRequest) -> HttpResponse:
        request = cast(TenantRequest, plain)
        vars(request).update(tenant=None, member=None, token=None, viewer=None, views_as=None)
        if request.path_info.startswith(API):
            return self._api(request)
        return self._page(request)

    def process_view(self, plain: HttpRequest, *_view: object) -> None:
        """Raises PermissionDenied, inside the tenant's scope, for what would write while somebody views as a colleague."""
        other: Member | None = getattr(plain, "views_as", None)
        if other is not None and plain.method not in SAFE:
            raise PermissionDenied(
                _("You are viewing as %(who)s: nothing can be changed. Stop viewing to work yourself.") % {"who": other}
            )

    def _page(self, request: TenantRequest) -> HttpResponse:
        slug = _slug_of(request)
        if slug is None or not request.user.is_authenticated:
            return self.get_response(request)  # no tenant's page, or the view sends to sign in
        tenant = _tenant_at(slug)
        if tenant is None:
            return self._nowhere(request)
        with tenant_scope(tenant):
            member = _membership(request)
            if member is None:
                return self._nowhere(request)
            if request.session.get("tenant") != tenant.slug:
                request.session["tenant"] = tenant.slug  # where "/" and the API in a browser lead next time
            with _language(member.user.language or tenant.language):
                return self._within(request, tenant, member)

    def _api(self, request: TenantRequest) -> HttpResponse:
        kind, _sep, text = request.headers.get("Authorization", "").partition(" ")
        bearer = kind.lower() == "bearer"
        if bearer:
            tenant = tenant_of_token(text)
        else:
            slug = request.session.get("tenant") if request.user.is_authenticated else None
            tenant = _tenant_at(slug) if slug else None
        if tenant is None:
            return self.get_response(request)  # the API answers 401
        with tenant_scope(tenant):
            token = check_token(text) if bearer else None
            member = token.member if token else None if bearer else _membership(request)
            if member is None:
                return self.get_response(request)
            request.token = token
            return self._within(request, tenant, member)

    def _within(self, request: TenantRequest, tenant: Tenant, member: Member) -> HttpResponse:
        # A programme's token has no session; whoever stops viewing does so as themselves.
        other = None if request.token is not None else view_as.viewed(request.session, member)
        if other is not None and _ends_viewing(request):
            other = None
        request.tenant, request.member, request.viewer, request.views_as = tenant, other or member, member, other
        acting = acting_member.set(member)
        try:
            with timezone.override(tenant.zone), by_one_night() if request.method in SAFE else nullcontext():
                response = self.get_response(request)
        finally:
            acting_member.reset(acting)
        if response.status_code >= 500 or other is not None:
            transaction.set_rollback(True)
        return response

    def _nowhere(self, request: TenantRequest) -> HttpResponse:
        # Django itself then answers with the ordinary page for a path that does not exist.
        request.urlconf = NOWHERE
        return self.get_response(request)


def _slug_of(request: HttpRequest) -> str | None:
    try:
        return resolve(request.path_info).kwargs.get("tenant")
    except Resolver404:
        return None


@cache
def _tenants() -> Prepared[Tenant]:
    return Prepared(Tenant.objects.filter(slug=ANY_SLUG, is_active=True).order_by()[:1], ANY_SLUG)


def _tenant_at(slug: str) -> Tenant | None:
    return next(iter(_tenants().rows(slug)), None)


def _ends_viewing(request: HttpRequest) -> bool:
    try:
        return resolve(request.path_info).url_name == VIEW_AS_STOP
    except Resolver404:
        return False


MEMBERSHIPS_KEPT: Final = 512
_memberships: Final[Kept[tuple[int, int], Prepared[Member]]] = Kept(MEMBERSHIPS_KEPT)


def _membership(request: HttpRequest) -> Member | None:
    tenant, user = current_tenant().pk, cast(User, request.user).pk
    return next(iter(_memberships.get((tenant, user), lambda: _membership_of(user)).rows()), None)


def _membership_of(user: int) -> Prepared[Member]:
    rows = Member.objects.select_related("user", "team", "tenant")
    return Prepared(rows.filter(user=user, is_active=True)[:1])


@contextmanager
def _language(language: str) -> Iterator[None]:
    """The person's language, else what the tenant speaks; the browser's wish counts only before sign-in."""
    if language not in dict(settings.LANGUAGES):
        yield
        return
    with translation.override(language):
        yield
