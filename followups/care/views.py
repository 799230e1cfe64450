"""The care calendar: the days of the coming weeks, one customer's days, and what its people like."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from customers.models import Contact, Customer
from customers.views.facts import OfCustomer
from followups.care import services as care
from followups.care.forms import CareDayForm, WishesForm
from followups.care.services import Occasion
from followups.care.words import FESTIVALS, KINDS
from followups.models import CareDay, CareWishes, FollowUp, Message
from followups.rules.care import CarePolicy
from tenants.calendars import firm_calendar
from tenants.export import write_csv
from tenants.pages import TenantView
from tenants.policies import active_policy
from tenants.templatetags.perennial import day as day_words

MOST_WEEKS: Final = 13
USUAL_WEEKS: Final = 4
IN_CELL: Final = 3
YEAR: Final = dt.timedelta(days=365)

HOWS: Final[Mapping[str, Any]] = {
    "person": gettext_lazy("a person"),
    "email": gettext_lazy("e-mail"),
    "sms": gettext_lazy("SMS"),
}


@dataclass(frozen=True)
class Line:
    """A day of a customer in the list, in words. `address` opens what was raised for it."""

    on: dt.date
    what: str
    customer_id: int
    customer: str
    contact: str
    how: str
    state: str


@dataclass(frozen=True)
class Festivity:
    """A festival, and how many customers get greetings."""

    on: dt.date
    name: str
    customers: int


@dataclass(frozen=True)
class Cell:
    """A day of the calendar."""

    day: dt.date
    is_off: bool
    is_today: bool
    holiday: str
    festivals: tuple[str, ...]
    lines: tuple[Line, ...]
    more: int


class CareWeeksForm(forms.Form):
    """What the address of the page asks for."""

    weeks = forms.IntegerField(min_value=1, max_value=MOST_WEEKS, required=False)
    kind = forms.ChoiceField(choices=[(kind, kind) for kind in KINDS if kind != "festival"], required=False)
    export = forms.ChoiceField(choices=[("csv", "csv")], required=False)


class CarePage(TenantView):
    """Whose days come round in the coming weeks, as a calendar and as a list."""

    permission = "follow-ups:read"
    nav = "care"

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        asked = self.parameters(CareWeeksForm)
        today = self.request.tenant.today()
        weeks = asked["weeks"] or USUAL_WEEKS
        last = today + dt.timedelta(days=7 * weeks - 1)
        rules = active_policy().section(CarePolicy)
        days = [
            each
            for each in care.coming(rules, today, last, member=self.member)
            if asked["kind"] in ("", each.kind)
        ]  # fmt: skip
        lines = _lines(days)
        if asked["export"]:
            self.check_export("customers:export")
            return self.csv_file("care", _csv(lines))
        festivities = [
            Festivity(on, str(FESTIVALS[name]), number)
            for name, on, number in care.festival_counts(rules, today, last, self.member)
        ]
        return self.render(
            "followups/care.html",
            weeks=weeks,
            choices=[1, 2, 4, 8, MOST_WEEKS],
            kind=asked["kind"],
            kinds=[(kind, words) for kind, words in KINDS.items() if kind != "festival"],
            first=today,
            last=last,
            lines=lines,
            festivities=festivities,
            rows=_calendar(today, last, lines, festivities),
            may_export=self.member.can("customers:export"),
            ahead=rules.ahead_days,
        )


def _lines(days: Sequence[Occasion]) -> list[Line]:
    customers = dict(Customer.objects.filter(pk__in={each.customer_id for each in days}).values_list("pk", "name"))
    people = dict(Contact.objects.filter(pk__in={each.contact_id for each in days}).values_list("pk", "name"))
    standing = care.standing_of(days)
    return [
        Line(
            each.on,
            care.words_of(each),
            each.customer_id,
            customers[each.customer_id],
            people.get(each.contact_id, ""),
            str(HOWS[each.how]) + (f" ({each.why_person})" if each.why_person else ""),
            _state(standing.get((each.rule, each.period, each.customer_id))),
        )
        for each in days
    ]


def _state(found: FollowUp | Message | None) -> str:
    if found is None:
        return _("planned")
    if isinstance(found, Message):
        return str(found.get_status_display())
    return _("follow-up %(state)s") % {"state": found.get_status_display()}


def _csv(lines: Sequence[Line]) -> Iterator[str]:
    heads = [_("Day"), _("What"), _("Customer"), _("Contact"), _("How"), _("State")]
    return write_csv(heads, ([each.on, each.what, each.customer, each.contact, each.how, each.state] for each in lines))


def _calendar(
    first: dt.date, last: dt.date, lines: Sequence[Line], festivities: Sequence[Festivity]
) -> list[list[Cell | None]]:
    """The weeks from Monday to Sunday; None for days before the first and after the last."""
    calendar = firm_calendar()
    by_day: dict[dt.date, list[Line]] = defaultdict(list)
    for line in lines:
        by_day[line.on].append(line)
    feasts: dict[dt.date, list[str]] = defaultdict(list)
    for each in festivities:
        feasts[each.on].append(each.name)
    begin = first - dt.timedelta(days=first.weekday())
    weeks: list[list[Cell | None]] = []
    while begin <= last:
        week = [begin + dt.timedelta(days=number) for number in range(7)]
        weeks.append(
            [
                Cell(
                    each,
                    not calendar.is_working(each),
                    each == first,
                    calendar.holiday(each),
                    tuple(feasts[each]),
                    tuple(by_day[each][:IN_CELL]),
                    max(0, len(by_day[each]) - IN_CELL),
                )
                if first <= each <= last
                else None
                for each in week
            ]
        )
        begin += dt.timedelta(days=7)
    return weeks


# ── one customer ────────────────────────────────────────────────────────────


class CustomerCare(TenantView):
    """A customer's own days, what its people like, and what comes within a year."""

    permission = "follow-ups:read"
    nav = "customers"

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        self.refuse_unknown()
        customer = get_object_or_404(Customer.objects.visible_to(self.member), pk=self.kwargs["customer"])
        today = self.request.tenant.today()
        contacts = list(customer.contacts.filter(left_on__isnull=True).order_by("-is_main", "name"))
        wishes = {each.contact_id: each for each in CareWishes.objects.filter(contact__in=contacts)}
        coming = care.coming_for(customer, active_policy().section(CarePolicy), today, today + YEAR)
        return self.render(
            "followups/customer_care.html",
            customer=customer,
            days=list(care.care_days_of(customer)),
            people=[(each, wishes.get(each.pk) or CareWishes(contact=each)) for each in contacts],
            lines=_lines(coming),
            may_change=self.member.can("care-days:write"),
            may_wish=self.member.can("contacts:write"),
        )


class _OfCustomer(OfCustomer):
    """A form of the customer's care, to whose page it goes back."""

    def back(self) -> str:
        return self.address("customer-care", customer=self.customer.pk)

    def saved(self, words: str) -> HttpResponse:
        messages.success(self.request, words)
        return self.done("customer-care", customer=self.customer.pk)


class CareDayAdd(_OfCustomer):
    """A day that comes round."""

    permission = "care-days:write"

    def title(self) -> str:
        return _("A day of %(name)s") % {"name": self.customer}

    def form(self, data: Any = None, files: Any = None) -> CareDayForm:
        return CareDayForm(data, customer=self.customer)

    def save(self, form: CareDayForm) -> HttpResponse:
        care_day, _outcome = care.save_care_day(customer=self.customer, **form.cleaned_data)
        return self.saved(_("“%(what)s” is saved.") % {"what": care_day})


class _OfCareDay(_OfCustomer):
    permission = "care-days:write"

    @cached_property
    def care_day(self) -> CareDay:
        rows = CareDay.objects.visible_to(self.member).select_related("customer")
        found: CareDay = get_object_or_404(rows, pk=self.kwargs["pk"])
        return found

    @cached_property
    def customer(self) -> Customer:
        return self.care_day.customer


class CareDayEdit(_OfCareDay):
    """Change a day that comes round."""

    def title(self) -> str:
        return str(self.care_day)

    def form(self, data: Any = None, files: Any = None) -> CareDayForm:
        return CareDayForm(data, customer=self.customer, care_day=self.care_day)

    def save(self, form: CareDayForm) -> HttpResponse:
        care.save_care_day(care_day=self.care_day, **form.cleaned_data)
        return self.saved(_("“%(what)s” is saved.") % {"what": self.care_day})


class CareDayDelete(_OfCareDay):
    """Take a day away, once that is confirmed."""

    submit = gettext_lazy("Delete")

    def title(self) -> str:
        return _("Delete “%(what)s”?") % {"what": f"{self.care_day}, {day_words(self.care_day.on)}"}

    def form(self, data: Any = None, files: Any = None) -> forms.Form:
        return forms.Form(data)

    def save(self, form: forms.Form) -> HttpResponse:
        what = str(self.care_day)
        care.delete_care_day(care_day=self.care_day)
        return self.saved(_("“%(name)s” is deleted.") % {"name": what})


class WishesEdit(_OfCustomer):
    """What a contact likes to be congratulated on, and how."""

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
        return _("What %(name)s likes") % {"name": self.contact}

    def form(self, data: Any = None, files: Any = None) -> WishesForm:
        wishes = CareWishes.objects.filter(contact=self.contact).first() or CareWishes(contact=self.contact)
        return WishesForm(data, wishes=wishes)

    def save(self, form: WishesForm) -> HttpResponse:
        care.save_wishes(contact=self.contact, **form.cleaned_data)
        return self.saved(_("%(name)s is saved.") % {"name": self.contact})
