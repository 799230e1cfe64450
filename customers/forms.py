"""Forms for the facts: what people type about customers, contacts, talks and complaints."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from customers.models import (
    Channel,
    Complaint,
    Contact,
    Customer,
    Evidence,
    ExternalId,
    Growth,
    Import,
    Interaction,
    Order,
    SurveyResponse,
    Tag,
    TouchKind,
)
from customers.search import best
from tenants.forms import SuggestInput, offer, suggest
from tenants.models import Member


class _Date(forms.DateInput):
    input_type = "date"

    def __init__(self) -> None:
        super().__init__(format="%Y-%m-%d")


class CustomerForm(forms.Form):
    """Who a customer is, whose it is, and words about it. Without `customer` it is a new one."""

    name = forms.CharField(label=_("Name"), max_length=200)
    city = forms.CharField(label=_("City"), max_length=80, required=False)
    country = forms.CharField(label=_("Country"), max_length=60, required=False)
    industry = forms.CharField(label=_("Industry"), max_length=80, required=False)
    industry_position = forms.TypedChoiceField(
        label=_("Industry position"),
        choices=[
            ("", _("not known")),
            (5, _("5, leads its industry")),
            (4, "4"),
            (3, _("3, in the middle")),
            (2, "2"),
            (1, _("1, at the edge")),
        ],
        coerce=int,
        empty_value=None,
        required=False,
    )
    growth_potential = forms.ChoiceField(
        label=_("Growth potential"),
        choices=Growth.choices,
        required=False,
        help_text=_("How much more it could buy. Position and growth decide tiers by potential."),
    )
    since = forms.DateField(label=_("Customer since"), required=False, widget=_Date())
    closed_on = forms.DateField(
        label=_("Closed on"), required=False, widget=_Date(), help_text=_("A closed customer has no score any more.")
    )
    owner_a: forms.ModelChoiceField[Member] = forms.ModelChoiceField(
        label=_("A owner"), queryset=None, required=False, empty_label=_("nobody")
    )
    owner_b: forms.ModelChoiceField[Member] = forms.ModelChoiceField(
        label=_("B owner"),
        queryset=None,
        required=False,
        empty_label=_("nobody"),
        help_text=_("Covers for the A owner."),
    )
    tags = forms.CharField(
        label=_("Tags"),
        required=False,
        widget=SuggestInput(attrs={"data-wide": True}),
        help_text=_("With commas between."),
    )
    note = forms.CharField(label=_("Note"), required=False, widget=forms.Textarea(attrs={"rows": 3}))

    def __init__(self, *args: Any, customer: Customer | None = None, may_change_owners: bool, **kwargs: Any) -> None:
        if customer is not None:
            plain = (
                "name",
                "city",
                "country",
                "industry",
                "industry_position",
                "growth_potential",
                "since",
                "closed_on",
                "note",
            )
            kwargs["initial"] = {field: getattr(customer, field) for field in plain} | {
                "owner_a": customer.owner_a_id,
                "owner_b": customer.owner_b_id,
                "tags": ", ".join(tag.name for tag in customer.tags.order_by("name")),
            }
        super().__init__(*args, **kwargs)
        if customer is None:
            del self.fields["closed_on"]
        if may_change_owners:
            people = Member.objects.filter(is_active=True).select_related("user").order_by("user__name", "pk")
            offer(self, "owner_a", people)
            offer(self, "owner_b", people)
        else:
            del self.fields["owner_a"], self.fields["owner_b"]
        suggest(self, "tags", Tag.objects.values_list("name", flat=True))

    def clean_tags(self) -> list[str]:
        words = self.cleaned_data["tags"].replace("，", ",").split(",")
        return [word.strip() for word in words if word.strip()]


class ContactForm(forms.Form):
    """A person at a customer."""

    name = forms.CharField(label=_("Name"), max_length=120)
    title = forms.CharField(label=_("Position"), max_length=80, required=False)
    phone = forms.CharField(label=_("Phone"), max_length=40, required=False, widget=forms.TextInput({"type": "tel"}))
    email = forms.EmailField(label=_("E-mail address"), required=False)
    wechat = forms.CharField(label=_("WeChat"), max_length=60, required=False)
    channel = forms.ChoiceField(
        label=_("Preferred channel"), choices=[("", _("no preference")), *Channel.choices], required=False
    )
    birthday = forms.DateField(label=_("Birthday"), required=False, widget=_Date())
    consent = forms.ChoiceField(label=_("Consent to messages"), choices=Contact.Consent.choices)
    left_on = forms.DateField(label=_("Left on"), required=False, widget=_Date())
    is_main = forms.BooleanField(label=_("First to ask"), required=False)

    def __init__(self, *args: Any, contact: Contact | None = None, **kwargs: Any) -> None:
        if contact is not None:
            kwargs["initial"] = {name: getattr(contact, name) for name in self.base_fields}
        super().__init__(*args, **kwargs)
        if contact is None:
            del self.fields["left_on"]


class LogForm(forms.Form):
    """A contact with a customer that has happened."""

    channel = forms.ChoiceField(label=_("Channel"), choices=Channel.choices)
    kind = forms.ChoiceField(label=_("Kind"), choices=TouchKind.choices, initial=TouchKind.LIGHT_TOUCH)
    contact: forms.ModelChoiceField[Contact] = forms.ModelChoiceField(
        label=_("With"), queryset=None, required=False, empty_label=_("nobody named")
    )
    direction = forms.ChoiceField(label=_("Direction"), choices=Interaction.Direction.choices)
    at = forms.DateTimeField(label=_("When"), widget=forms.DateTimeInput({"type": "datetime-local"}, "%Y-%m-%dT%H:%M"))
    answered = forms.TypedChoiceField(
        label=_("Answered"),
        choices=[("yes", _("Yes, we talked")), ("no", _("No answer")), ("", _("Not known yet"))],
        coerce=lambda value: {"yes": True, "no": False}.get(value),
        empty_value=None,
        required=False,
    )
    topic = forms.CharField(
        label=_("Topic"), max_length=60, required=False, widget=forms.TextInput({"data-wide": True})
    )
    note = forms.CharField(label=_("Note"), max_length=4000, required=False, widget=forms.Textarea({"rows": 3}))
    about_competitor = forms.BooleanField(label=_("Asked about a competitor"), required=False)
    leaving = forms.ChoiceField(
        label=_("Thinks of leaving"), choices=[("", _("nothing of it")), *Interaction.Leaving.choices], required=False
    )

    def __init__(self, *args: Any, customer: Customer, **kwargs: Any) -> None:
        kwargs["initial"] = {"at": timezone.localtime(), "answered": "yes"} | kwargs.get("initial", {})
        super().__init__(*args, **kwargs)
        offer(self, "contact", customer.contacts.filter(left_on__isnull=True).order_by("-is_main", "name"))


class ComplaintForm(forms.Form):
    """Something went wrong for a customer."""

    topic = forms.CharField(label=_("Topic"), max_length=60)
    kind = forms.ChoiceField(
        label=_("Kind"), choices=[("", _("by the words of the topic")), *Complaint.Kind.choices], required=False
    )
    severity = forms.ChoiceField(
        label=_("Severity"), choices=Complaint.Severity.choices, initial=Complaint.Severity.NORMAL
    )
    opened_at = forms.DateTimeField(
        label=_("When"), widget=forms.DateTimeInput({"type": "datetime-local"}, "%Y-%m-%dT%H:%M")
    )
    order: forms.ModelChoiceField[Order] = forms.ModelChoiceField(
        label=_("Order"), queryset=None, required=False, empty_label=_("no order")
    )
    text = forms.CharField(label=_("What happened"), required=False, widget=forms.Textarea({"rows": 4}))

    ORDERS = 50  # the newest ones: a complaint comes soon after the order

    def __init__(self, *args: Any, customer: Customer, **kwargs: Any) -> None:
        kwargs["initial"] = {"opened_at": timezone.localtime()} | kwargs.get("initial", {})
        super().__init__(*args, **kwargs)
        newest = customer.orders.order_by("-placed_on", "-pk").values("pk")[: self.ORDERS]
        offer(self, "order", customer.orders.filter(pk__in=newest).order_by("-placed_on", "-pk"))


class SolveForm(forms.Form):
    """A complaint is solved."""

    first_time = forms.TypedChoiceField(
        label=_("Solved the first time?"),
        choices=[("yes", _("Yes, at once")), ("no", _("No, it took several tries")), ("", _("Not known"))],
        coerce=lambda value: {"yes": True, "no": False}.get(value),
        empty_value=None,
        required=False,
    )


class SurveyResponseForm(forms.Form):
    """What a customer answered to a survey. Without `response` it is a new answer."""

    kind = forms.ChoiceField(
        label=_("Asked about"),
        choices=[
            (SurveyResponse.Kind.NPS, _("Recommending us (NPS, 0 to 10)")),
            (SurveyResponse.Kind.CSAT, _("Satisfaction (CSAT, 1 to 5)")),
        ],
    )
    score = forms.IntegerField(label=_("Score"), min_value=0, max_value=10)
    contact: forms.ModelChoiceField[Contact] = forms.ModelChoiceField(
        label=_("Answered by"), queryset=None, required=False, empty_label=_("nobody named")
    )
    at = forms.DateTimeField(label=_("When"), widget=forms.DateTimeInput({"type": "datetime-local"}, "%Y-%m-%dT%H:%M"))
    complaint: forms.ModelChoiceField[Complaint] = forms.ModelChoiceField(
        label=_("About the complaint"), queryset=None, required=False, empty_label=_("no complaint")
    )
    text = forms.CharField(label=_("Own words"), max_length=4000, required=False, widget=forms.Textarea({"rows": 3}))

    COMPLAINTS = 50  # the newest ones

    def __init__(self, *args: Any, customer: Customer, response: SurveyResponse | None = None, **kwargs: Any) -> None:
        if response is None:
            kwargs["initial"] = {"at": timezone.localtime()}
        else:
            kwargs["initial"] = {
                "kind": response.kind,
                "score": response.score,
                "contact": response.contact_id,
                "at": timezone.localtime(response.at),
                "complaint": response.complaint_id,
                "text": response.text,
            }
        super().__init__(*args, **kwargs)
        people, complaints = Q(left_on__isnull=True), customer.complaints.order_by("-opened_at", "-pk")
        newest = Q(pk__in=complaints.values("pk")[: self.COMPLAINTS])
        if response is not None:  # who has left, and what is long past, may still be what it says
            people |= Q(pk=response.contact_id)
            newest |= Q(pk=response.complaint_id)
        offer(self, "contact", customer.contacts.filter(people).order_by("-is_main", "name"))
        offer(self, "complaint", complaints.filter(newest))


class EvidenceForm(forms.Form):
    """What shows that a customer is worth more than its money. Without `evidence` it is a new piece."""

    kind = forms.ChoiceField(label=_("Kind"), choices=Evidence.Kind.choices)
    on = forms.DateField(label=_("Day"), widget=_Date())
    referred = forms.CharField(
        label=_("Who came"),
        max_length=200,
        required=False,
        widget=SuggestInput(attrs={"data-wide": True}),
        help_text=_("Of a referral: the new customer’s name or number. What it buys counts for who sent it."),
    )
    note = forms.CharField(
        label=_("What happened"), max_length=300, required=False, widget=forms.Textarea(attrs={"rows": 3})
    )

    NEWEST = 50  # who came is most often new
    ALIKE = 10

    def __init__(
        self, *args: Any, customer: Customer, member: Member, evidence: Evidence | None = None, **kwargs: Any
    ) -> None:
        self.others = Customer.objects.visible_to(member).exclude(pk=customer.pk)
        self.evidence = evidence
        known = evidence.referred if evidence else None
        if evidence is not None:
            kwargs["initial"] = {
                "kind": evidence.kind,
                "on": evidence.on,
                "note": evidence.note,
                "referred": known.name if known else "",
            }
        else:
            kwargs["initial"] = {"on": timezone.localdate()}
        super().__init__(*args, **kwargs)
        if known and not self.others.filter(pk=known.pk).exists():
            del self.fields["referred"]  # a colleague's customer: it stays as it is
        else:
            newest = self.others.order_by("-created_at", "-pk").values_list("name", flat=True)
            suggest(self, "referred", newest[: self.NEWEST])

    def clean_referred(self) -> Customer | None:
        """The customer who is meant: by its whole name, or by its number in another system."""
        text: str = self.cleaned_data["referred"].strip()
        if not text:
            return None
        if self.evidence and self.evidence.referred and text == self.evidence.referred.name:
            return self.evidence.referred
        numbered = ExternalId.objects.filter(customer_id=OuterRef("pk"), lookup=text.lower())
        found = list(self.others.filter(Q(search_name=text.lower()) | Exists(numbered))[:2])
        if len(found) == 1:
            meant: Customer = found[0]
            return meant
        if found:
            raise ValidationError(_("Several customers are called so: write the number of the one you mean."))
        alike = [row.name for row in best(self.others, text, self.ALIKE)]
        suggest(self, "referred", alike)
        raise ValidationError(_("None of the customers you see has this name or number. Similar names are offered."))


class UploadForm(forms.Form):
    """A file to import."""

    kind = forms.ChoiceField(label=_("What is in it?"), choices=Import.Kind.choices)
    source = forms.CharField(
        label=_("Where does it come from?"),
        max_length=30,
        initial="import",
        help_text=_("A short name of the system, like erp. Its numbers are kept apart from those of other systems."),
    )
    file = forms.FileField(
        label=_("File"), help_text=_("CSV (also .gz), XLSX or NDJSON; UTF-8 or GB18030."), allow_empty_file=True
    )
