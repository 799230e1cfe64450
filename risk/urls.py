"""Addresses of risk, below a firm's own."""

from django.urls import path, re_path

from risk.alerts import views as alerts
from risk.cases import views as cases
from risk.complaints import views as complaints
from risk.incidents.views import course, crisis, listing, offers, sharing, team
from risk.overview import views as overview
from risk.playbooks import views as playbooks
from risk.win_back import views as win_backs

urlpatterns = [
    path("risk/", overview.RiskOverview.as_view(), name="risk"),
    path("alerts/", alerts.Board.as_view(), name="alerts"),
    path("alerts/act/", alerts.Act.as_view(), name="alerts-act"),
    path("alerts/snooze/", alerts.Snooze.as_view(), name="alerts-snooze"),
    path("alerts/assign/", alerts.Assign.as_view(), name="alerts-assign"),
    path("alerts/close/", alerts.Close.as_view(), name="alerts-close"),
    path("alerts/undo/", alerts.Undo.as_view(), name="alerts-undo"),
    path("alerts/<int:pk>/", alerts.AlertPage.as_view(), name="alert"),
    path("alerts/<int:pk>/wake/", alerts.Wake.as_view(), name="alert-wake"),
    path("alerts/<int:pk>/reopen/", alerts.Reopen.as_view(), name="alert-reopen"),
    path("playbooks/", playbooks.PlaybookList.as_view(), name="playbooks"),
    path("playbooks/add/", playbooks.PlaybookAdd.as_view(), name="playbook-add"),
    path("playbooks/runs/", playbooks.RunList.as_view(), name="playbook-runs"),
    path("playbooks/runs/<int:pk>/", playbooks.RunPage.as_view(), name="playbook-run"),
    path("playbooks/runs/<int:pk>/stop/", playbooks.RunStop.as_view(), name="playbook-run-stop"),
    path("playbooks/runs/<int:pk>/undo/", playbooks.RunUndo.as_view(), name="playbook-run-undo"),
    path("playbooks/runs/<int:pk>/hand-over/", playbooks.RunHandOver.as_view(), name="playbook-run-hand-over"),
    path("playbooks/runs/<int:pk>/<slug:step>/say/", playbooks.RunSay.as_view(), name="playbook-run-say"),
    path("playbooks/runs/<int:pk>/<slug:step>/skip/", playbooks.RunSkip.as_view(), name="playbook-run-skip"),
    path("playbooks/<int:pk>/", playbooks.PlaybookPage.as_view(), name="playbook"),
    path("playbooks/<int:pk>/edit/", playbooks.PlaybookEdit.as_view(), name="playbook-edit"),
    path("playbooks/<int:pk>/switch/", playbooks.PlaybookSwitch.as_view(), name="playbook-switch"),
    path("customers/<int:customer>/playbook/", playbooks.StartPlaybook.as_view(), name="playbook-start"),
    path("complaints/", complaints.Board.as_view(), name="complaints"),
    path("complaints/figures/", complaints.Figures.as_view(), name="complaint-figures"),
    path("complaints/people/", complaints.TopicHolders.as_view(), name="complaint-people"),
    path("complaints/<int:pk>/", complaints.ComplaintPage.as_view(), name="complaint"),
    *(
        path(f"complaints/<int:pk>/do/{word}/", view.as_view(), name=f"complaint-{word}")
        for word, view in complaints.VERBS.items()
        if word != "solve"
    ),
    path("complaints/<int:pk>/do/solve/", complaints.Solve.as_view(), name="complaint-solution"),
    path("cases/", cases.Statements.as_view(), name="cases"),
    path("cases/list/", cases.Library.as_view(), name="case-list"),
    path("cases/<int:pk>/", cases.CasePage.as_view(), name="case"),
    path("cases/<int:pk>/learn/", cases.Learn.as_view(), name="case-learn"),
    path("win-back/", win_backs.WinBacks.as_view(), name="win-backs"),
    path("win-back/rates/", win_backs.Rates.as_view(), name="win-back-rates"),
    path("win-back/<int:pk>/", win_backs.WinBackPage.as_view(), name="win-back"),
    path("win-back/<int:pk>/offer/", win_backs.Offer.as_view(), name="win-back-offer"),
    path("win-back/<int:pk>/give-up/", win_backs.GiveUp.as_view(), name="win-back-give-up"),
    path("win-back/<int:pk>/take-up/", win_backs.TakeUp.as_view(), name="win-back-take-up"),
    path("win-back/offers/<int:pk>/", win_backs.Answer.as_view(), name="win-back-answer"),
    path("crises/", listing.IncidentList.as_view(), name="crises"),
    path("crises/open/", course.CrisisOpen.as_view(), name="crisis-open"),
    path("crises/<int:pk>/", crisis.Crisis.as_view(), name="crisis"),
    path("crises/<int:pk>/live/", crisis.CrisisLive.as_view(), name="crisis-live"),
    path("crises/<int:pk>/update/", crisis.UpdateAdd.as_view(), name="crisis-update"),
    path("crises/<int:pk>/level/", course.LevelChange.as_view(), name="crisis-level"),
    path("crises/<int:pk>/pause/", course.Pause.as_view(), name="crisis-pause"),
    path("crises/<int:pk>/resume/", course.Resume.as_view(), name="crisis-resume"),
    path("crises/<int:pk>/team/", team.Team.as_view(), name="crisis-team"),
    path("crises/<int:pk>/drill/", course.Drill.as_view(), name="crisis-drill"),
    path("crises/<int:pk>/close/", course.Close.as_view(), name="crisis-close"),
    path("crises/<int:pk>/reopen/", course.Reopen.as_view(), name="crisis-reopen"),
    path("crises/<int:pk>/steps/add/", team.StepAdd.as_view(), name="crisis-step-add"),
    path("crises/steps/<int:pk>/", team.StepChange.as_view(), name="crisis-step"),
    re_path(r"^crises/steps/(?P<pk>[0-9]+)/(?P<verb>done|undo|skip)/$", team.StepDo.as_view(), name="crisis-step-do"),
    path("crises/<int:pk>/compensation/", offers.CompensationAsk.as_view(), name="crisis-compensation"),
    re_path(
        r"^crises/compensation/(?P<pk>[0-9]+)/(?P<verb>approve|refuse|withdraw)/$",
        offers.CompensationDo.as_view(),
        name="crisis-compensation-do",
    ),
    path("crises/<int:pk>/link/", sharing.LinkAdd.as_view(), name="crisis-link"),
    path("crises/links/<int:pk>/end/", sharing.LinkRevoke.as_view(), name="crisis-link-revoke"),
    path("crises/<int:pk>/customer/", sharing.CustomerView.as_view(), name="crisis-customer"),
    path("crises/<int:pk>/report/<str:language>/", sharing.ReportPage.as_view(), name="crisis-report"),
    path("crises/<int:pk>/report/<str:language>/save/", sharing.ReportSave.as_view(), name="crisis-report-save"),
    re_path(
        r"^crises/(?P<pk>[0-9]+)/report/(?P<language>[^/]+)/(?P<verb>draft|confirm)/$",
        sharing.ReportDo.as_view(),
        name="crisis-report-do",
    ),
]
