"""Forms over the customer page, and imports."""

from django.urls import path

from customers.views import facts, imports

urlpatterns = [
    path("customers/<int:customer>/log/", facts.LogContact.as_view(), name="log"),
    path("customers/<int:customer>/contacts/add/", facts.ContactAdd.as_view(), name="contact-add"),
    path("customers/<int:customer>/complaints/add/", facts.ComplaintAdd.as_view(), name="complaint-add"),
    path("customers/<int:customer>/evidence/add/", facts.EvidenceAdd.as_view(), name="evidence-add"),
    path(
        "customers/<int:customer>/survey-responses/add/", facts.SurveyResponseAdd.as_view(), name="survey-response-add"
    ),
    path("contacts/<int:pk>/", facts.ContactEdit.as_view(), name="contact"),
    path("complaints/<int:pk>/solve/", facts.ComplaintSolve.as_view(), name="complaint-solve"),
    path("survey-responses/<int:pk>/", facts.SurveyResponseEdit.as_view(), name="survey-response"),
    path("evidence/<int:pk>/", facts.EvidenceEdit.as_view(), name="evidence"),
    path("evidence/<int:pk>/delete/", facts.EvidenceDelete.as_view(), name="evidence-delete"),
    path("imports/", imports.ImportList.as_view(), name="imports"),
    path("imports/add/", imports.ImportAdd.as_view(), name="import-add"),
    path("imports/<int:pk>/", imports.ImportPage.as_view(), name="import"),
    path("imports/<int:pk>/columns/", imports.ImportColumns.as_view(), name="import-columns"),
    path("imports/<int:pk>/outcome.csv", imports.ImportOutcome.as_view(), name="import-outcome"),
    path("imports/<int:pk>/cancel/", imports.ImportCancel.as_view(), name="import-cancel"),
    path("imports/<int:pk>/repeat/", imports.ImportRepeat.as_view(), name="import-repeat"),
]
