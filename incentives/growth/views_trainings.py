"""Pages of trainings: the list, planning one, its customers, and the mentor's decision."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, ClassVar

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Count
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from customers.models import Customer, Interaction, TouchKind
from incentives.growth import training as trainings
from incentives.growth.forms import ApproveForm, CustomerForm, DoneForm, EndForm, TrainingForm
from incentives.growth.lists import TrainingFilter, TrainingTable, training_rows, with_customers
from incentives.growth.people import colleagues, may_look
from incentives.growth.views import events_of
from incentives.growth.words import training_words
from incentives.models import Training, TrainingCustomer
from tenants.filters import id_number
from tenants.models import Member
from tenants.pages import FormPage, ListPage, TenantView


class TrainingList(ListPage):
    """Trainings: whose, with which mentor, until when, how far."""

    permission = "trainings:read"
    nav = "growth"
    queryset = staticmethod(training_rows)
    filterset = TrainingFilter
    table = TrainingTable
    template = "incentives/trainings.html"
    empty = "incentives/trainings_empty.html"
    sort = "-due_on"
    export_permission = "customers:export"
    export_name = "trainings"

    def counted(self, count: int, shown: str) -> str:
        return ngettext("%(count)s training", "%(count)s trainings", count) % {"count": shown}

    def context(self, rows: Sequence[Any]) -> dict[str, Any]:
        return {"section": "trainings", "may_add": self.member.can("trainings:write")}


class TrainingPage(TenantView):
    """One training: its customers, what came of each, and what the mentor says."""

    permission = "trainings:read"
    nav = "growth"

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        self.refuse_unknown()
        rows = with_customers(training_rows(self.member), self.member)
        row: Any = get_object_or_404(rows, pk=self.kwargs["pk"])
        items = list(row.customers.all())
        talks = contacts_since(row, items)
        may_work = trainings.may_change(self.member, row)
        return self.render(
            "incentives/training.html",
            row=row,
            words=training_words(row, self.request.tenant.today()),
            items=[(item, talks.get(item.customer_id, 0)) for item in items],
            more=max(0, row.wanted - len(items)),
            bar=min(100, row.done * 100 // row.wanted),
            may_work=may_work,
            may_approve=row.state == Training.State.OPEN and trainings.may_approve(self.member, row),
            is_ready=row.ready_on is not None,
            may_take_back=trainings.may_take_back(self.member, row),
            may_look=may_look(self.member, row.member),
            events=events_of("training", row.pk),
        )


def contacts_since(row: Training, items: Sequence[TrainingCustomer]) -> dict[int, int]:
    """By customer how many contacts the trainee has logged since the training began, messages apart."""
    tenant = row.tenant
    rows = Interaction.objects.filter(
        member_id=row.member_id, customer__in=[each.customer_id for each in items], at__gte=tenant.start_of(row.starts_on)
    ).exclude(kind=TouchKind.MESSAGE)  # fmt: skip
    return dict(rows.order_by().values("customer_id").annotate(number=Count("pk")).values_list("customer_id", "number"))


class _TrainingForm(FormPage):
    permission = "trainings:write"
    nav = "growth"

    @cached_property
    def row(self) -> Training:
        found: Training = get_object_or_404(training_rows(self.member), pk=self.kwargs["pk"])
        return found

    def back(self) -> str:
        return self.address("training", pk=self.row.pk)

    def went(self, words: str) -> HttpResponse:
        messages.success(self.request, words)
        return self.done("training", pk=self.row.pk)


class TrainingAdd(FormPage):
    """Plan a training."""

    permission = "trainings:write"
    nav = "growth"
    heading: ClassVar[str | Promise] = gettext_lazy("Plan a training")
    submit = gettext_lazy("Plan")

    def form(self, data: Any = None, files: Any = None) -> TrainingForm:
        self.refuse_unknown("person")
        everybody = colleagues()
        people = [each for each in everybody if trainings.may_plan(self.member, each)]
        return TrainingForm(
            data, people=people, mentors=everybody, today=self.request.tenant.today(),
            wanted=trainings.usual_wanted(), person=self._person(people),
        )  # fmt: skip

    def _person(self, people: Sequence[Member]) -> Member | None:
        """Whom the page is opened for; else the only one there is."""
        number = id_number(self.request.GET.get("person", ""))
        if number is not None:
            return next((each for each in people if each.pk == number), None)
        return people[0] if len(people) == 1 else None

    def save(self, form: TrainingForm) -> HttpResponse:
        row = trainings.plan_training(by=self.member, **form.cleaned_data)
        messages.success(self.request, _("The training is planned; name its customers now."))
        return self.done("training", pk=row.pk)

    def back(self) -> str:
        return self.address("trainings")


class TrainingEdit(_TrainingForm):
    """Change what was planned."""

    heading: ClassVar[str | Promise] = gettext_lazy("Change the training")

    def form(self, data: Any = None, files: Any = None) -> TrainingForm:
        row, everybody = self.row, colleagues()
        if not trainings.may_plan(self.member, row.member):
            raise PermissionDenied(_("You plan your own trainings, a lead those of the team."))
        return TrainingForm(
            data, people=(), mentors=everybody, today=self.request.tenant.today(), wanted=row.wanted, row=row
        )

    def save(self, form: TrainingForm) -> HttpResponse:
        trainings.change_training(training=self.row, by=self.member, **form.cleaned_data)
        return self.went(_("The training is saved."))


class TrainingEnd(_TrainingForm):
    """End a training that is not gone on with."""

    heading: ClassVar[str | Promise] = gettext_lazy("End the training")
    submit = gettext_lazy("End it")

    def form(self, data: Any = None, files: Any = None) -> EndForm:
        return EndForm(data)

    def save(self, form: EndForm) -> HttpResponse:
        trainings.end(training=self.row, by=self.member, why=form.cleaned_data["why"])
        return self.went(_("The training is ended."))


class TrainingApprove(_TrainingForm):
    """The mentor approves."""

    heading: ClassVar[str | Promise] = gettext_lazy("Approve the training")
    submit = gettext_lazy("Approve")

    def form(self, data: Any = None, files: Any = None) -> ApproveForm:
        return ApproveForm(data)

    def save(self, form: ApproveForm) -> HttpResponse:
        trainings.approve(training=self.row, by=self.member, said=form.cleaned_data["said"])
        return self.went(_("The training is approved."))


class TrainingTakeBack(_TrainingForm):
    """The mentor takes an approval back."""

    heading: ClassVar[str | Promise] = gettext_lazy("Take the approval back?")
    submit = gettext_lazy("Take back")

    def form(self, data: Any = None, files: Any = None) -> forms.Form:
        return forms.Form(data)

    def save(self, form: forms.Form) -> HttpResponse:
        trainings.take_back(training=self.row, by=self.member)
        return self.went(_("The approval is taken back."))


# ── its customers ───────────────────────────────────────────────────────────


class TrainingCustomerAdd(_TrainingForm):
    """Name a customer with whom it is tried."""

    heading: ClassVar[str | Promise] = gettext_lazy("Name a customer")
    submit = gettext_lazy("Add")

    def form(self, data: Any = None, files: Any = None) -> CustomerForm:
        return CustomerForm(data, training=self.row, seen=Customer.objects.visible_to(self.member))

    def save(self, form: CustomerForm) -> HttpResponse:
        customer = form.cleaned_data["customer"]
        trainings.add_customer(training=self.row, by=self.member, customer=customer)
        return self.went(_("%(customer)s is one of its customers.") % {"customer": customer})


class TrainingCustomerDone(FormPage):
    """Say that a customer is done, and what came of it."""

    permission = "trainings:write"
    nav = "growth"
    submit = gettext_lazy("Done")

    @cached_property
    def item(self) -> TrainingCustomer:
        rows = TrainingCustomer.objects.select_related("customer", "training__member__user")
        found: TrainingCustomer = get_object_or_404(rows, pk=self.kwargs["pk"])
        seen = Training.objects.visible_to(self.member).filter(pk=found.training_id).exists()
        if not (seen and Customer.objects.visible_to(self.member).filter(pk=found.customer_id).exists()):
            raise Http404
        return found

    def title(self) -> str:
        return _("%(customer)s is done") % {"customer": self.item.customer}

    def form(self, data: Any = None, files: Any = None) -> DoneForm:
        known = {"on": self.item.done_on, "note": self.item.note} if self.item.done_on else None
        return DoneForm(data, training=self.item.training, today=self.request.tenant.today(), initial=known)

    def save(self, form: DoneForm) -> HttpResponse:
        trainings.customer_done(item=self.item, by=self.member, **form.cleaned_data)
        messages.success(self.request, _("%(customer)s is done.") % {"customer": self.item.customer})
        return self.done("training", pk=self.item.training_id)

    def back(self) -> str:
        return self.address("training", pk=self.item.training_id)


class TrainingCustomerVerb(TrainingCustomerDone):
    """Take back that a customer is done, or take the customer off: a button, without a form to fill in."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        if self.kwargs["verb"] not in ("undo", "remove"):
            raise Http404
        try:
            if self.kwargs["verb"] == "undo":
                trainings.customer_undone(item=self.item, by=self.member)
                messages.success(
                    request, _("That %(customer)s is done is taken back.") % {"customer": self.item.customer}
                )
            else:
                trainings.remove_customer(item=self.item, by=self.member)
                messages.success(request, _("%(customer)s is taken off.") % {"customer": self.item.customer})
        except ValidationError as refusal:
            for words in refusal.messages:
                messages.error(request, words)
        return self.done("training", pk=self.item.training_id)
