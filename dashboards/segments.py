"""Saved segments: what their filters find, for the whole firm, and what a member sees of them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from django import forms
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Count, Exists, OuterRef, Q, Sum
from django.http import QueryDict
from django.utils.dateparse import parse_date
from django.utils.translation import gettext as _

from customers.models import Customer
from customers.services.rows import Outcome, error_of, for_update
from dashboards.filters import CustomerPageFilter
from dashboards.querysets import with_last_night
from segmentation import saved
from segmentation.figures import item_labels
from segmentation.models import CrossSellRule, SavedSegment, SegmentMember
from segmentation.saved import Filters, Moved
from tenants.context import current_tenant
from tenants.filters import id_number
from tenants.models import Member
from tenants.querysets import last_night
from tenants.templatetags.perennial import day

SEGMENT_FILTERS: Final = frozenset({"saved", "saved_joined_from", "saved_left_from"})
"""Filters by saved segments: one that rests on another would depend on which is looked at first."""

WEEK, MONTH = dt.timedelta(days=7), dt.timedelta(days=30)


def save_segment(*, name: str, filters: Filters, is_shared: bool, member: Member) -> SavedSegment:
    """A new saved segment, with who is in it now.

    Raises ValidationError by field: as `segmentation.saved.save_segment`, and filters that do not work.
    """
    check_filters(filters)
    segment = saved.save_segment(name=name, filters=filters, is_shared=is_shared, member=member)
    evaluate(segment)
    return segment


def change_segment(*, segment: SavedSegment, member: Member, **fields: Any) -> Outcome:
    """Change a saved segment; with other filters it is evaluated at once.

    Raises as `segmentation.saved.change_segment`, and for filters that do not work.
    """
    saved.refuse_others(segment, member)
    if "filters" in fields:
        check_filters(fields["filters"])
    before = segment.filters
    outcome = saved.change_segment(segment=segment, member=member, **fields)
    if segment.filters != before:
        evaluate(segment)
    return outcome


def check_filters(filters: Filters) -> None:
    """Raises ValidationError for `filters` that the customers list does not have or cannot follow."""
    words = problem_of(filters, as_of(), is_new=True)
    if words:
        raise ValidationError({"filters": error_of(words, "invalid")})


def problem_of(filters: Filters, on: dt.date, *, is_new: bool = False) -> str:
    """Why the filters do not work, in words; "" when they do.

    A country that no customer is in any more is no problem, unless the filters are new: the segment is empty then.
    """
    if not all(isinstance(values, list | tuple) for values in filters.values()):
        return _("Each filter has a list of values.")
    if own := sorted(SEGMENT_FILTERS & filters.keys()):
        return _("A saved segment cannot rest on another one (%(names)s).") % {"names": ", ".join(own)}
    if unknown := sorted(filters.keys() - CustomerPageFilter.names()):
        return _("There is no such filter any more: %(names)s.") % {"names": ", ".join(unknown)}
    chosen = _chosen(filters, on, is_new=is_new)
    if chosen.is_valid():
        return ""
    return " ".join(f"{field.label}: {' '.join(field.errors)}" for field in chosen.form if field.errors)


def _chosen(filters: Filters, on: dt.date, *, is_new: bool = False) -> CustomerPageFilter:
    asked = QueryDict(mutable=True)
    for name, values in filters.items():
        asked.setlist(name, list(values))
    living = with_last_night(Customer.objects.filter(closed_on__isnull=True), on)
    chosen = CustomerPageFilter(asked, queryset=living, day=on)
    if not is_new:
        chosen.form.fields["country"].choices = [(name, name) for name in asked.getlist("country")]
    return chosen


def as_of() -> dt.date:
    """The day for which an evaluation outside the night counts: that of the last night, whose facts it reads."""
    night = last_night()
    return night.for_date if night else current_tenant().today()


def evaluate(segment: SavedSegment, on: dt.date | None = None) -> Moved | None:
    """Find who is in the segment on a day (without one: `as_of`), of all living customers of the firm.

    Filters that no longer work keep their reason with the segment: then None.
    """
    on = on or as_of()
    with transaction.atomic():
        row: SavedSegment | None = for_update(SavedSegment.objects.filter(pk=segment.pk))
        if row is None:  # deleted meanwhile
            return Moved(0, 0)
        if words := problem_of(row.filters, on):
            saved.note_problem(row, words)
            return None
        matched = _chosen(row.filters, on).qs.order_by().values_list("pk", flat=True)
        return saved.note_members(row, matched, on)


def run(on: dt.date) -> dict[str, int]:
    """The night's step: evaluate every saved segment as of a day. One whose filters fail does not stop the others.

    Returns segments, joined and left (customers, over all of them), and problems.
    """
    found = [evaluate(segment, on) for segment in SavedSegment.objects.order_by("pk")]
    moved = [each for each in found if each is not None]
    return {
        "segments": len(found),
        "joined": sum(each.joined for each in moved),
        "left": sum(each.left for each in moved),
        "problems": len(found) - len(moved),
    }


def in_words(segments: Iterable[SavedSegment]) -> dict[int, list[tuple[str, str]]]:
    """The filters of segments by id, as the list's form says them: label and value of each.

    What no longer exists goes by its name. The number of queries does not grow with the segments.
    """
    rows = list(segments)
    fields = CustomerPageFilter({}, queryset=Customer.objects.none()).form.fields
    choices: dict[str, dict[str, str]] = {"rule": _rule_words(rows)}

    def words(name: str, value: str) -> str:
        if name not in choices:
            known = getattr(fields.get(name), "choices", ())
            choices[name] = {str(code): str(label) for code, label in known}
        if isinstance(fields.get(name), forms.DateField):
            return _day_words(value)
        return choices[name].get(value, value)

    def said(name: str, values: Sequence[str]) -> tuple[str, str]:
        return str(fields[name].label) if name in fields else name, ", ".join(words(name, value) for value in values)

    order = {name: place for place, name in enumerate(fields)}
    return {
        row.pk: [said(name, row.filters[name]) for name in sorted(row.filters, key=lambda name: order.get(name, 99))]
        for row in rows
    }


def _rule_words(segments: Iterable[SavedSegment]) -> dict[str, str]:
    ids = {id_number(value) for row in segments for value in row.filters.get("rule", ())}
    rules = list(CrossSellRule.objects.filter(pk__in=ids - {None})) if ids else []
    labels = item_labels({item for rule in rules for item in (rule.antecedent, rule.consequent)}) if rules else {}
    return {str(rule.pk): f"{labels[rule.antecedent]} → {labels[rule.consequent]}" for rule in rules}


def _day_words(value: str) -> str:
    try:
        found = parse_date(value)
    except ValueError:  # a day that is none: the segment says so as its problem
        return value
    return day(found) if found else value


# ── what a member sees of them ───────────────────────────────────────────────


@dataclass(frozen=True)
class Numbers:
    """Of a saved segment, as far as the member sees its customers; money is the net money of the tiers' window."""

    members: int = 0
    money: Decimal = Decimal(0)
    joined_week: int = 0
    joined_month: int = 0
    left_week: int = 0
    left_month: int = 0


def numbers_of(segments: Iterable[SavedSegment], member: Member, on: dt.date) -> dict[int, Numbers]:
    """The numbers of saved segments by id, joined and left since 7 and 30 days before a day; three queries."""
    ids = [segment.pk for segment in segments]
    times = SegmentMember.objects.visible_to(member).filter(segment__in=ids).order_by()
    week, month = on - WEEK, on - MONTH
    inside = (
        times.filter(left_on__isnull=True)
        .values("segment_id")
        .annotate(
            members=Count("customer_id"),
            money=Sum("customer__standings__monetary", filter=Q(customer__standings__tenant_id=current_tenant().pk)),
        )
    )
    joined = (
        times.filter(left_on__isnull=True)
        .joined_since(month)
        .values("segment_id")
        .annotate(joined_week=Count("customer_id", filter=Q(joined_on__gte=week)), joined_month=Count("customer_id"))
    )
    now = SegmentMember.objects.filter(segment=OuterRef("segment"), customer=OuterRef("customer"), left_on__isnull=True)
    outside = (
        times.filter(~Exists(now), left_on__gte=month)
        .values("segment_id")
        .annotate(
            left_week=Count("customer_id", filter=Q(left_on__gte=week), distinct=True),
            left_month=Count("customer_id", distinct=True),
        )
    )
    found: dict[int, dict[str, Any]] = {pk: {} for pk in ids}
    for row in [*inside, *joined, *outside]:
        found[row.pop("segment_id")] |= {name: value for name, value in row.items() if value is not None}
    return {pk: Numbers(**values) for pk, values in found.items()}
