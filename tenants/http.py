"""The request as views and the API see it, after the middleware."""

from django.http import HttpRequest
from django_htmx.middleware import HtmxDetails

from tenants.models import ApiToken, Member, Tenant


class TenantRequest(HttpRequest):
    """A request inside a tenant, by one of its members."""

    tenant: Tenant
    member: Member
    viewer: Member  # who sits there: the member, but for who views as a colleague (tenants/view_as.py)
    views_as: Member | None  # the colleague, who then is the member
    token: ApiToken | None  # the API's callers; None for a browser's session
    htmx: HtmxDetails
