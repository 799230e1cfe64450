"""The filters of the list of follow-ups."""

from __future__ import annotations

import django_filters as filters
from django.utils.translation import gettext_lazy as _

from customers.models import TouchKind
from followups.models import FollowUp
from tenants.filters import IdFilter, StrictFilterSet, members, updated_since


class FollowUpFilter(StrictFilterSet):
    status = filters.ChoiceFilter(choices=FollowUp.Status.choices, label=_("Status"))
    assignee = filters.ModelChoiceFilter(queryset=members, null_label=_("nobody"), label=_("Assigned to"))
    customer = IdFilter(field_name="customer_id", label=_("Customer"))
    kind = filters.ChoiceFilter(choices=TouchKind.choices, label=_("Kind"))
    level = filters.ChoiceFilter(choices=FollowUp.Level.choices, label=_("Level"))
    rule = filters.CharFilter(label=_("Rule"))
    due_before = filters.DateFilter(field_name="due_on", lookup_expr="lt", label=_("Due before"))
    updated_since = updated_since()

    class Meta:
        model = FollowUp
        fields: list[str] = []
