"""Pages of what people are measured by and what they earn."""

from django.urls import URLPattern, path

from incentives.awards import views as awards
from incentives.goals import views as goals
from incentives.growth import views as growth
from incentives.growth import views_trainings as trainings
from incentives.kpis import views as kpis
from incentives.ledger import views as ledger
from incentives.referrals import views as referrals

urlpatterns: list[URLPattern] = [
    path("kpis/", kpis.KpiBoard.as_view(), name="kpis"),
    path("kpis/rows/", kpis.KpiRows.as_view(), name="kpi-rows"),
    path("kpis/card/<int:pk>/", kpis.KpiCard.as_view(), name="kpi-card"),
    path("kpis/people/", kpis.KpiPeople.as_view(), name="kpi-people"),
    path("kpis/people/<int:pk>/job/", kpis.JobSet.as_view(), name="kpi-job"),
    path("kpis/targets/add/", kpis.TargetSet.as_view(), name="kpi-target"),
    path("kpis/<str:code>/close/", kpis.KpiClose.as_view(), name="kpi-close"),
    path("kpis/<str:code>/again/", kpis.KpiRecount.as_view(), name="kpi-recount"),
    path("goals/", goals.GoalList.as_view(), name="goals"),
    path("goals/add/", goals.GoalAdd.as_view(), name="goal-add"),
    path("goals/<int:pk>/", goals.GoalPage.as_view(), name="goal"),
    path("goals/<int:pk>/edit/", goals.GoalEdit.as_view(), name="goal-edit"),
    path("goals/<int:pk>/step/", goals.GoalStep.as_view(), name="goal-step"),
    path("growth/", growth.CertificationList.as_view(), name="certifications"),
    path("growth/certifications/<int:pk>/", growth.CertificationPage.as_view(), name="certification"),
    path("growth/certifications/<int:pk>/score/", growth.CertificationScoring.as_view(), name="certification-score"),
    path(
        "growth/certifications/<int:pk>/confirm/", growth.CertificationConfirm.as_view(), name="certification-confirm"
    ),
    path("growth/certifications/<int:pk>/back/", growth.CertificationSendBack.as_view(), name="certification-back"),
    path(
        "growth/certifications/<int:pk>/reviewer/",
        growth.CertificationReviewer.as_view(),
        name="certification-reviewer",
    ),
    path("growth/people/<int:pk>/", growth.GrowthPerson.as_view(), name="growth-person"),
    path("growth/promotion/<int:pk>/", growth.PromotionSettle.as_view(), name="promotion-settle"),
    path("growth/trainings/", trainings.TrainingList.as_view(), name="trainings"),
    path("growth/trainings/add/", trainings.TrainingAdd.as_view(), name="training-add"),
    path("growth/trainings/<int:pk>/", trainings.TrainingPage.as_view(), name="training"),
    path("growth/trainings/<int:pk>/edit/", trainings.TrainingEdit.as_view(), name="training-edit"),
    path("growth/trainings/<int:pk>/end/", trainings.TrainingEnd.as_view(), name="training-end"),
    path("growth/trainings/<int:pk>/approve/", trainings.TrainingApprove.as_view(), name="training-approve"),
    path("growth/trainings/<int:pk>/take-back/", trainings.TrainingTakeBack.as_view(), name="training-take-back"),
    path(
        "growth/trainings/<int:pk>/customers/add/",
        trainings.TrainingCustomerAdd.as_view(),
        name="training-customer-add",
    ),
    path(
        "growth/trainings/customers/<int:pk>/done/", trainings.TrainingCustomerDone.as_view(), name="training-customer"
    ),
    path(
        "growth/trainings/customers/<int:pk>/<str:verb>/",
        trainings.TrainingCustomerVerb.as_view(),
        name="training-customer-do",
    ),
    path("awards/", awards.MedalList.as_view(), name="awards"),
    path("awards/<str:code>/", awards.AwardMonth.as_view(), name="award-month"),
    path("awards/<str:code>/give/", awards.AwardGive.as_view(), name="award-give"),
    path("awards/<str:code>/correct/", awards.AwardCorrect.as_view(), name="award-correct"),
    path("awards/<str:code>/case/", awards.AwardCase.as_view(), name="award-case"),
    path("awards/<str:code>/<int:pk>/", awards.Standing.as_view(), name="award-standing"),
    path("referrals/", referrals.ReferralList.as_view(), name="referrals"),
    path("referrals/add/", referrals.ReferralAdd.as_view(), name="referral-add"),
    path("referrals/<int:pk>/", referrals.ReferralEdit.as_view(), name="referral-edit"),
    path("referrals/<int:pk>/withdraw/", referrals.ReferralWithdraw.as_view(), name="referral-withdraw"),
    path("rewards/", ledger.RewardList.as_view(), name="rewards"),
    path("rewards/approve/", ledger.Approval.as_view(), name="rewards-approve"),
    path("rewards/payouts/", ledger.PayoutList.as_view(), name="payouts"),
    path("rewards/payouts/<int:pk>/", ledger.PayoutPage.as_view(), name="payout"),
    path("rewards/statement/", ledger.MyStatement.as_view(), name="statement"),
    path("rewards/statement/product/", ledger.ProductStatement.as_view(), name="statement-product"),
    path("rewards/statement/<int:pk>/", ledger.MemberStatement.as_view(), name="statement-of"),
    path("rewards/upgrades/", ledger.UpgradeList.as_view(), name="upgrades"),
    path("rewards/upgrades/add/", ledger.UpgradeAdd.as_view(), name="upgrade-add"),
    path("rewards/upgrades/<int:pk>/withdraw/", ledger.UpgradeWithdraw.as_view(), name="upgrade-withdraw"),
    path("rewards/<int:pk>/", ledger.RewardPage.as_view(), name="reward"),
    path("rewards/<int:pk>/approve/", ledger.RewardApprove.as_view(), name="reward-approve"),
    path("rewards/<int:pk>/dispute/", ledger.RewardDispute.as_view(), name="reward-dispute"),
    path("rewards/<int:pk>/settle/", ledger.RewardSettle.as_view(), name="reward-settle"),
    path("customers/<int:pk>/points/", ledger.CustomerPoints.as_view(), name="customer-points"),
]
