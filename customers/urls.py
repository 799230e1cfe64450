"""Forms over the customer page, and imports."""

from django.urls import path

from customers.views import facts

urlpatterns = [
    path("customers/<int:customer>/log/", facts.LogContact.as_view(), name="log"),
    path("customers/<int:customer>/contacts/add/", facts.ContactAdd.as_view(), name="contact-add"),
    path("customers/<int:customer>/complaints/add/", facts.ComplaintAdd.as_view(), name="complaint-add"),
    path("contacts/<int:pk>/", facts.ContactEdit.as_view(), name="contact"),
    path("complaints/<int:pk>/solve/", facts.ComplaintSolve.as_view(), name="complaint-solve"),
]
