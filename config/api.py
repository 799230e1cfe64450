"""Every address of the API. A closing slash is allowed everywhere and shown nowhere."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import include, path, re_path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView
from rest_framework.routers import SimpleRouter

from customers.api import (
    ContactViewSet,
    EvidenceViewSet,
    InteractionViewSet,
    OrderViewSet,
    ProductViewSet,
    SurveyResponseViewSet,
)
from dashboards.api import PolicyViewSet
from dashboards.api_segments import SegmentMemberViewSet, SegmentViewSet
from followups.api import FollowUpViewSet, OwnedCustomerViewSet
from followups.cover.api import AbsenceViewSet, CareDayViewSet
from followups.journeys.api import EnrolmentViewSet, JourneyViewSet
from followups.messages.api import MessageViewSet, OptOutViewSet
from followups.notices.api import NoticeViewSet
from followups.scripts.api import ScriptViewSet
from followups.surveys.api import (
    MysteryVisitViewSet,
    QualityReviewViewSet,
    SurveyFiguresViewSet,
    SurveyLoopViewSet,
    SurveyViewSet,
)
from health.api import HealthViewSet
from health.api_figures import HealthFiguresViewSet
from health.api_forecasts import BackTestViewSet, ForecastViewSet
from health.api_pulses import PulseViewSet
from incentives.awards.api import AwardViewSet
from incentives.goals.api import GoalViewSet
from incentives.growth.api import CertificationViewSet, PromotionNoteViewSet, TrainingViewSet
from incentives.kpis.api import KpiViewSet
from incentives.ledger.api import RewardViewSet, UpgradeViewSet
from incentives.referrals.api import ReferralViewSet
from incentives.reports.api import ReportViewSet
from risk.alerts.api import AlertViewSet
from risk.cases.api import CaseViewSet
from risk.complaints.api import ComplaintWayViewSet
from risk.incidents.api import IncidentViewSet
from risk.playbooks.api import PlaybookRunViewSet, PlaybookViewSet
from risk.win_back.api import WinBackViewSet
from segmentation.api import StandingViewSet
from segmentation.api_cross_sell import CrossSellRuleViewSet
from segmentation.api_figures import FiguresViewSet
from segmentation.api_values import WorthViewSet
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
    ComplaintWayViewSet,
    SurveyResponseViewSet,
    EvidenceViewSet,
    ReferralViewSet,
    RewardViewSet,
    UpgradeViewSet,
    StandingViewSet,
    WorthViewSet,
    CrossSellRuleViewSet,
    SegmentViewSet,
    HealthViewSet,
    PulseViewSet,
    ForecastViewSet,
    BackTestViewSet,
    FollowUpViewSet,
    MessageViewSet,
    OptOutViewSet,
    ScriptViewSet,
    JourneyViewSet,
    EnrolmentViewSet,
    SurveyViewSet,
    SurveyLoopViewSet,
    QualityReviewViewSet,
    MysteryVisitViewSet,
    AbsenceViewSet,
    CareDayViewSet,
    IncidentViewSet,
    PlaybookViewSet,
    PlaybookRunViewSet,
    CaseViewSet,
    WinBackViewSet,
    GoalViewSet,
    AwardViewSet,
    CertificationViewSet,
    TrainingViewSet,
    PromotionNoteViewSet,
    ReportViewSet,
    AlertViewSet,
    NoticeViewSet,
    MemberViewSet,
):
    router.register(viewset.resource, viewset, basename=f"api-{viewset.resource}")


def nowhere(_request: HttpRequest) -> HttpResponse:
    """What is not an address of the API; without it the paths below would be taken for a firm's pages."""
    raise Http404


v1 = [
    re_path(r"^me/?$", Me.as_view(), name="api-me"),
    re_path(
        r"^policy/?$",
        PolicyViewSet.as_view({"get": "in_force", "put": "replace", "patch": "change"}),
        name="api-policy-in-force",
    ),
    re_path(r"^policy/versions/?$", PolicyViewSet.as_view({"get": "list"}), name="api-policy-list"),
    re_path(
        r"^policy/versions/(?P<number>[^/]+)/?$", PolicyViewSet.as_view({"get": "retrieve"}), name="api-policy-detail"
    ),
    re_path(r"^policy/compare/?$", PolicyViewSet.as_view({"get": "compare"}), name="api-policy-compare"),
    re_path(r"^policy/packs/?$", PolicyViewSet.as_view({"get": "packs"}), name="api-policy-packs"),
    re_path(r"^policy/restore/?$", PolicyViewSet.as_view({"post": "restore"}), name="api-policy-restore"),
    re_path(r"^policy/dry-run/?$", PolicyViewSet.as_view({"post": "dry_run"}), name="api-policy-dry-run"),
    re_path(
        r"^policy/dry-run/signals/?$",
        PolicyViewSet.as_view({"post": "dry_run_signals"}),
        name="api-policy-dry-run-signals",
    ),
    *(
        re_path(
            rf"^figures/{name.replace('_', '-')}/?$",
            FiguresViewSet.as_view({"get": name}),
            name=f"api-figures-{name.replace('_', '-')}",
        )
        for name in FiguresViewSet.actions
    ),
    *(
        re_path(rf"^health/{name}/?$", HealthFiguresViewSet.as_view({"get": name}), name=f"api-health-{name}")
        for name in HealthFiguresViewSet.actions
    ),
    *(
        re_path(rf"^figures/{name}/?$", SurveyFiguresViewSet.as_view({"get": name}), name=f"api-figures-{name}")
        for name in SurveyFiguresViewSet.permissions
    ),
    re_path(r"^kpis/?$", KpiViewSet.as_view({"get": "values"}), name="api-kpis"),
    re_path(r"^kpis/rows/?$", KpiViewSet.as_view({"get": "rows"}), name="api-kpis-rows"),
    re_path(r"^kpis/close/?$", KpiViewSet.as_view({"post": "close"}), name="api-kpis-close"),
    re_path(r"^score-cards/?$", KpiViewSet.as_view({"get": "score_cards"}), name="api-score-cards"),
    re_path(r"^data-quality/?$", HealthFiguresViewSet.as_view({"get": "data_quality"}), name="api-data-quality"),
    re_path(
        r"^segments/(?P<pk>[^/]+)/members/?$",
        SegmentMemberViewSet.as_view({"get": "list"}),
        name="api-segments-members",
    ),
    re_path(r"^schema/?$", SpectacularAPIView.as_view(), name="api-schema"),
    re_path(r"^docs/problems/?$", docs_page, name="api-problems"),
    re_path(r"^docs/?$", SpectacularSwaggerView.as_view(url_name="api-schema"), name="api-docs"),
    *router.urls,
]
urlpatterns = [path("v1/", include(v1)), re_path(r"", nowhere)]
