"""Forms over the customer page: contacts, talks, complaints, answers, evidence."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from customers import services
from customers.forms import ComplaintForm, ContactForm, EvidenceForm, LogForm, SolveForm, SurveyResponseForm
from customers.models import Complaint, Contact, Customer, Evidence, SurveyResponse
from tenants.pages import FormPage
from tenants.templatetags.perennial import day


class OfCustomer(FormPage):
    """A form about the customer in the address, or the one that the row in the address belongs to."""

    nav = "customers"

    @cached_property
    def customer(self) -> Customer:
        found: Customer = get_object_or_404(Customer.objects.visible_to(self.member), pk=self.kwargs["customer"])
        return found

    def back(self) -> str:
        return self.address("customer", pk=self.customer.pk)

    def saved(self, words: str) -> HttpResponse:
        messages.success(self.request, words)
        return self.done("customer", pk=self.customer.pk)


class LogContact(OfCustomer):
    """Write down a contact that has happened; it counts for the cadence of its kind."""

    permission = "interactions:write"
    submit = gettext_lazy("Log")

    def title(self) -> str:
        return _("Log a contact with %(name)s") % {"name": self.customer}

    def form(self, data: Any = None, files: Any = None) -> LogForm:
        return LogForm(data, customer=self.customer, initial={"topic": self.request.GET.get("topic", "")})

    def save(self, form: LogForm) -> HttpResponse:
        services.log_interaction(customer=self.customer, member=self.member, **form.cleaned_data)
        return self.saved(_("The contact is logged."))


class ContactAdd(OfCustomer):
    """A new person at the customer."""

    permission = "contacts:write"
    submit = gettext_lazy("Add")

    def title(self) -> str:
        return _("Add a contact at %(name)s") % {"name": self.customer}

    def form(self, data: Any = None, files: Any = None) -> ContactForm:
        return ContactForm(data)

    def save(self, form: ContactForm) -> HttpResponse:
        contact, _outcome = services.save_contact(customer=self.customer, **form.cleaned_data)
        return self.saved(_("%(name)s is added.") % {"name": contact})


class ContactEdit(OfCustomer):
    """Change what is known about a person."""

    permission = "contacts:write"

    @cached_property
    def contact(self) -> Contact:
        rows = Contact.objects.visible_to(self.member).select_related("customer")
        found: Contact = get_object_or_404(rows, pk=self.kwargs["pk"])
        return found

    @cached_property
    def customer(self) -> Customer:
        return self.contact.customer

    def title(self) -> str:
        return self.contact.name

    def form(self, data: Any = None, files: Any = None) -> ContactForm:
        return ContactForm(data, contact=self.contact)

    def save(self, form: ContactForm) -> HttpResponse:
        services.save_contact(contact=self.contact, **form.cleaned_data)
        return self.saved(_("%(name)s is saved.") % {"name": self.contact})


class ComplaintAdd(OfCustomer):
    """Something went wrong for the customer."""

    permission = "complaints:write"
    submit = gettext_lazy("Add")

    def title(self) -> str:
        return _("Complaint of %(name)s") % {"name": self.customer}

    def form(self, data: Any = None, files: Any = None) -> ComplaintForm:
        return ComplaintForm(data, customer=self.customer)

    def save(self, form: ComplaintForm) -> HttpResponse:
        services.open_complaint(customer=self.customer, **form.cleaned_data)
        return self.saved(_("The complaint is written down."))


class ComplaintSolve(OfCustomer):
    """A complaint is solved."""

    permission = "complaints:write"
    submit = gettext_lazy("Solved")

    @cached_property
    def complaint(self) -> Complaint:
        rows = Complaint.objects.visible_to(self.member).filter(solved_at__isnull=True).select_related("customer")
        found: Complaint = get_object_or_404(rows, pk=self.kwargs["pk"])
        return found

    @cached_property
    def customer(self) -> Customer:
        return self.complaint.customer

    def title(self) -> str:
        return _("Solved: %(topic)s") % {"topic": self.complaint}

    def form(self, data: Any = None, files: Any = None) -> SolveForm:
        return SolveForm(data)

    def save(self, form: SolveForm) -> HttpResponse:
        services.solve_complaint(complaint=self.complaint, **form.cleaned_data)
        return self.saved(_("The complaint is solved."))


class SurveyResponseAdd(OfCustomer):
    """What the customer answered to a survey."""

    permission = "survey-responses:write"
    submit = gettext_lazy("Add")

    def title(self) -> str:
        return _("Survey response of %(name)s") % {"name": self.customer}

    def form(self, data: Any = None, files: Any = None) -> SurveyResponseForm:
        return SurveyResponseForm(data, customer=self.customer)

    def save(self, form: SurveyResponseForm) -> HttpResponse:
        services.add_survey_response(customer=self.customer, **form.cleaned_data)
        return self.saved(_("The survey response is written down."))


class SurveyResponseEdit(OfCustomer):
    """Change what was written down of an answer."""

    permission = "survey-responses:write"

    @cached_property
    def response(self) -> SurveyResponse:
        rows = SurveyResponse.objects.visible_to(self.member).select_related("customer")
        found: SurveyResponse = get_object_or_404(rows, pk=self.kwargs["pk"])
        return found

    @cached_property
    def customer(self) -> Customer:
        return self.response.customer

    def title(self) -> str:
        return _("%(kind)s of %(day)s") % {
            "kind": self.response, "day": day(self.request.tenant.local_date(self.response.at)),
        }  # fmt: skip

    def form(self, data: Any = None, files: Any = None) -> SurveyResponseForm:
        return SurveyResponseForm(data, customer=self.customer, response=self.response)

    def save(self, form: SurveyResponseForm) -> HttpResponse:
        services.patch_survey_response(response=self.response, **form.cleaned_data)
        return self.saved(_("The survey response is saved."))


class EvidenceAdd(OfCustomer):
    """Something that shows what the customer is worth beside its money."""

    permission = "evidence:write"
    submit = gettext_lazy("Add")

    def title(self) -> str:
        return _("Evidence of the value of %(name)s") % {"name": self.customer}

    def form(self, data: Any = None, files: Any = None) -> EvidenceForm:
        return EvidenceForm(data, customer=self.customer, member=self.member)

    def save(self, form: EvidenceForm) -> HttpResponse:
        services.add_evidence(customer=self.customer, member=self.member, **form.cleaned_data)
        return self.saved(_("The evidence is written down. The next night counts it."))


class _OfEvidence(OfCustomer):
    permission = "evidence:write"

    @cached_property
    def evidence(self) -> Evidence:
        rows = Evidence.objects.visible_to(self.member).select_related("customer", "referred")
        found: Evidence = get_object_or_404(rows, pk=self.kwargs["pk"])
        return found

    @cached_property
    def customer(self) -> Customer:
        return self.evidence.customer

    def words(self) -> str:
        return _("%(kind)s of %(day)s") % {"kind": self.evidence.get_kind_display(), "day": day(self.evidence.on)}


class EvidenceEdit(_OfEvidence):
    """Change what was written down."""

    def title(self) -> str:
        return self.words()

    def form(self, data: Any = None, files: Any = None) -> EvidenceForm:
        return EvidenceForm(data, customer=self.customer, member=self.member, evidence=self.evidence)

    def save(self, form: EvidenceForm) -> HttpResponse:
        services.change_evidence(evidence=self.evidence, **form.cleaned_data)
        return self.saved(_("%(what)s is saved.") % {"what": self.words()})


class EvidenceDelete(_OfEvidence):
    """Take evidence back that turned out to be wrong, once that is confirmed."""

    submit = gettext_lazy("Delete")

    def title(self) -> str:
        return _("Delete “%(what)s”?") % {"what": self.words()}

    def form(self, data: Any = None, files: Any = None) -> forms.Form:
        return forms.Form(data)

    def save(self, form: forms.Form) -> HttpResponse:
        words = self.words()
        services.delete_evidence(evidence=self.evidence)
        return self.saved(_("%(what)s is deleted.") % {"what": words})
