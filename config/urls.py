"""Every address of the house. Pages of a firm live under its slug, so reserved words come first."""

from django.urls import include, path

from tenants import views

urlpatterns = [
    path("", views.start, name="start"),
    path("language/", views.language, name="language"),
    path("healthz", views.healthz, name="healthz"),
    path("readyz", views.readyz, name="readyz"),
    path("api/", include("config.api")),
    path("accounts/", include("allauth.urls")),
    path(
        "<slug:tenant>/",
        include(
            [
                path("", include("dashboards.urls")),
                path("", include("customers.urls")),
                path("", include("tenants.urls")),
            ]
        ),
    ),
]

handler400 = "tenants.pages.bad_request"
handler403 = "tenants.pages.permission_denied"
handler404 = "tenants.pages.not_found"
handler500 = "tenants.pages.server_error"
