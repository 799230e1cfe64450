"""The filters of the send log: the same for page, API and export."""

from __future__ import annotations

import datetime as dt
from typing import Any

import django_filters as filters
from django import forms
from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from customers.models import Channel
from followups.messages.whys import TITLES
from followups.models import Message
from tenants.context import current_tenant
from tenants.filters import BooleanFilter, IdFilter, StrictFilterSet, updated_since


class MessageFilter(StrictFilterSet):
    """Messages by what became of them, by channel, by what asked for them, by day."""

    status = filters.MultipleChoiceFilter(choices=Message.Status.choices, label=_("Status"))
    channel = filters.ChoiceFilter(choices=Channel.choices, label=_("Channel"))
    purpose = filters.ChoiceFilter(choices=Message.Purpose.choices, label=_("Purpose"))
    why = filters.ChoiceFilter(choices=[*TITLES.items()], label=_("Why"))
    since = filters.DateFilter(method="from_day", label=_("From"), widget=forms.DateInput({"type": "date"}))
    until = filters.DateFilter(method="until_day", label=_("Until"), widget=forms.DateInput({"type": "date"}))
    replied = BooleanFilter(method="answered", label=_("Answered"))
    origin = filters.CharFilter(method="asked_by", label=_("Origin"))
    customer = IdFilter(field_name="customer_id", label=_("Customer"))
    contact = IdFilter(field_name="contact_id", label=_("Contact"))
    updated_since = updated_since()

    more = frozenset({"origin", "replied", "purpose"})
    on_demand = frozenset({"customer", "contact"})

    class Meta:
        model = Message
        fields: list[str] = []

    def from_day(self, rows: QuerySet[Message], _name: str, day: dt.date) -> QuerySet[Message]:
        return rows.filter(created_at__gte=current_tenant().start_of(day))

    def until_day(self, rows: QuerySet[Message], _name: str, day: dt.date) -> QuerySet[Message]:
        return rows.filter(created_at__lt=current_tenant().start_of(day + dt.timedelta(days=1)))

    def asked_by(self, rows: QuerySet[Message], _name: str, text: str) -> QuerySet[Message]:
        # What asked for it, or all of its kind: "journey" finds "journey:first_order:2".
        return rows.filter(Q(origin=text) | Q(origin__startswith=f"{text.rstrip(':')}:"))

    def answered(self, rows: QuerySet[Message], _name: str, said: Any) -> QuerySet[Message]:
        return rows.filter(replied_at__isnull=not said)
