"""What the pages of awards write."""

from __future__ import annotations

from decimal import Decimal

from django import template

from incentives.awards.words import points

register = template.Library()


@register.filter
def award_points(value: Decimal | None) -> str:
    """Points with one decimal and their sign; "–" for none."""
    return points(value)
