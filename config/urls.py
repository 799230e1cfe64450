"""Every address of the house. Pages of a firm live under its slug, so reserved words come first."""

from django.conf import settings
from django.urls import include, path

from followups.calendar.views import PublicFeed
from followups.messages.views_unsubscribe import Unsubscribe
from followups.notices.views_unsubscribe import NoticeUnsubscribe
from followups.surveys.views_answer import SurveyPage
from risk.incidents.views.public import IncidentPage
from tenants import views

urlpatterns = [
    path("", views.start, name="start"),
    path("language/", views.language, name="language"),
    path("healthz", views.healthz, name="healthz"),
    path("readyz", views.readyz, name="readyz"),
    path("api/", include("config.api")),
    path("accounts/", include("allauth.urls")),
    path("feeds/<str:secret>.ics", PublicFeed.as_view(), name="feed"),
    path("survey/<str:token>/", SurveyPage.as_view(), name="survey-answer"),
    path("crisis/<str:token>/", IncidentPage.as_view(), name="incident-page"),
    path("unsubscribe/<str:token>/", Unsubscribe.as_view(), name="unsubscribe"),
    path("unsubscribe/<slug:kind>/<str:token>/", NoticeUnsubscribe.as_view(), name="notice-unsubscribe"),
    # What mail providers tell, only where they must know a secret.
    *([path("hooks/", include("anymail.urls"))] if settings.ANYMAIL.get("WEBHOOK_SECRET") else []),
    path(
        "<slug:tenant>/",
        include(
            [
                path("", include("dashboards.urls")),
                path("", include("followups.urls")),
                path("", include("risk.urls")),
                path("", include("incentives.urls")),
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
