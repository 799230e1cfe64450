"""Runs of playbooks, for the pages of what they are about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import template
from django.utils import timezone

from customers.models import Customer
from risk.models import Alert
from risk.playbooks.reading import RunLine, run_lines
from risk.playbooks.words import WHATS

register = template.Library()


@register.filter
def playbook_asks(facts: Mapping[str, Any]) -> str:
    """What a follow-up of a playbook's step asks, by its facts: as it was written, else as the step that ships."""
    return str(facts.get("what") or WHATS.get(str(facts.get("step")), ""))


@register.simple_tag
def playbook_runs(
    *, customer: Customer | None = None, alert: Alert | None = None, incident: int | None = None
) -> list[RunLine]:
    """The runs of a customer, an alert or a crisis, ready for risk/_playbook_runs.html."""
    return run_lines(customer=customer, alert=alert, incident=incident, now=timezone.now())
