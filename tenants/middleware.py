"""One request, one tenant, one transaction: resolved once, before any view runs."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.urls import Resolver404, resolve
from django.utils import timezone, translation

from tenants.context import current_tenant, tenant_scope
from tenants.events import acting_member
from tenants.models import Member, Tenant
from tenants.services import check_token, tenant_of_token

Handler = Callable[[HttpRequest], HttpResponse]
API = "/api/"


class TenantMiddleware:
    """Opens the tenant's scope around the view, for pages by the path and for the API by the token.

    Sets `request.tenant`, `request.member` and, for the API, `request.token`. A stranger to the tenant
    and a tenant that does not exist get the same 404. A response of 500 and above writes nothing.
    """

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.tenant, request.member, request.token = None, None, None
        tenant = self._of_api(request) if request.path_info.startswith(API) else self._of_page(request)
        if tenant is None:
            return self.get_response(request)
        with tenant_scope(tenant):
            request.tenant = tenant
            if request.path_info.startswith(API):
                self._admit_to_api(request)
            else:
                request.member = _member(request)
                if request.member is None:
                    # Leave the resolution of the path to Django, so that the page is the ordinary 404.
                    request.urlconf = "tenants.nowhere"
                    return self.get_response(request)
                if request.session.get("tenant") != tenant.slug:
                    request.session["tenant"] = tenant.slug  # where "/" and the browsable API lead next time
            acting = acting_member.set(request.member)
            try:
                with _manners(request):
                    response = self.get_response(request)
            finally:
                acting_member.reset(acting)
            if response.status_code >= 500:
                transaction.set_rollback(True)
            return response

    @staticmethod
    def _of_page(request: HttpRequest) -> Tenant | None:
        try:
            slug = resolve(request.path_info).kwargs.get("tenant")
        except Resolver404:
            return None
        if slug is None or not request.user.is_authenticated:
            return None
        return Tenant.objects.filter(slug=slug, is_active=True).first() or _nobody(request)

    @staticmethod
    def _of_api(request: HttpRequest) -> Tenant | None:
        kind, _sep, text = request.headers.get("Authorization", "").partition(" ")
        if kind.lower() == "bearer":
            return tenant_of_token(text)
        slug = request.session.get("tenant") if request.user.is_authenticated else None
        return Tenant.objects.filter(slug=slug, is_active=True).first() if slug else None

    @staticmethod
    def _admit_to_api(request: HttpRequest) -> None:
        kind, _sep, text = request.headers.get("Authorization", "").partition(" ")
        if kind.lower() == "bearer":
            request.token = check_token(text)
            request.member = request.token.member if request.token else None
        else:
            request.member = _member(request)


def _nobody(request: HttpRequest) -> None:
    request.urlconf = "tenants.nowhere"


def _member(request: HttpRequest) -> Member | None:
    return Member.objects.select_related("user", "team").filter(user=request.user, is_active=True).first()


class _manners:
    """The language and the clock of whoever asks: the person's language, else what the tenant speaks."""

    def __init__(self, request: HttpRequest) -> None:
        self.request = request

    def __enter__(self) -> None:
        tenant, member = current_tenant(), self.request.member
        self.before = translation.get_language()
        if not self.request.path_info.startswith(API):
            language = (member and member.user.language) or tenant.language
            if language in dict(settings.LANGUAGES):
                translation.activate(language)
                self.request.LANGUAGE_CODE = language
        timezone.activate(tenant.zone)

    def __exit__(self, *exc: object) -> None:
        translation.activate(self.before or settings.LANGUAGE_CODE)
        timezone.deactivate()

