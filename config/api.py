"""Every address of the API. A closing slash is allowed everywhere and shown nowhere."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import include, path, re_path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView
from rest_framework.routers import SimpleRouter

from customers.api import (
    ComplaintViewSet,
    ContactViewSet,
    InteractionViewSet,
    OrderViewSet,
    ProductViewSet,
)
from followups.api import FollowUpViewSet, OwnedCustomerViewSet
from health.api import HealthViewSet
from segmentation.api import StandingViewSet
from tenants.api.members import Me, MemberViewSet
from tenants.problems import docs_page

router = SimpleRouter()
router.trailing_slash = "/?"
for viewset in (
    OwnedCustomerViewSet,
    ContactViewSet,
    ProductViewSet,
    OrderViewSet,
    InteractionViewSet,
    ComplaintViewSet,
    StandingViewSet,
    HealthViewSet,
    FollowUpViewSet,
    MemberViewSet,
):
    router.register(viewset.resource, viewset, basename=f"api-{viewset.resource}")


def nowhere(_request: HttpRequest) -> HttpResponse:
    """What is not an address of the API; without it the paths below would be taken for a firm's pages."""
    raise Http404


v1 = [
    re_path(r"^me/?$", Me.as_view(), name="api-me"),
    re_path(r"^schema/?$", SpectacularAPIView.as_view(), name="api-schema"),
    re_path(r"^docs/problems/?$", docs_page, name="api-problems"),
    re_path(r"^docs/?$", SpectacularSwaggerView.as_view(url_name="api-schema"), name="api-docs"),
    *router.urls,
]
urlpatterns = [path("v1/", include(v1)), re_path(r"", nowhere)]
