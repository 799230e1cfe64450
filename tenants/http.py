"""The request as views and the API see it, after the middleware."""

from django.http import HttpRequest
from django_htmx.middleware import HtmxDetails

from tenants.models import ApiToken, Member, Tenant


class TenantRequest(HttpRequest):
    """A request inside a tenant, by one of its members."""

    tenant: Tenant
    member: Member
    token: ApiToken | None  # the API's callers; None for a browser's session
    htmx: HtmxDetails
