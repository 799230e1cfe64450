"""The base of every list's filters: one FilterSet serves the page, the API and the export.

A parameter that a list does not have is refused, never ignored: who mistypes a filter would otherwise get,
or change, everything. ListPage and StrictFilterBackend look at the names; the values are checked here.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, ClassVar

import django_filters as filters
from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import EMPTY_VALUES
from django.db.models import QuerySet
from django.forms import BoundField
from django.utils.translation import gettext_lazy as _

from tenants.models import Member


class StrictFilterSet(filters.FilterSet):
    """Filters of one list. Declare each; labels are what the page shows beside the field.

    A page draws the filters `more` only when somebody asks for them, or when they are set; those `on_demand` only when
    they are set: a link leads there. Of those that belong `together` one that is set brings the others along.
    """

    more: ClassVar[frozenset[str]] = frozenset()
    on_demand: ClassVar[frozenset[str]] = frozenset()
    together: ClassVar[tuple[frozenset[str], ...]] = ()

    def __init__(self, *args: Any, asked_only: bool = False, **kwargs: Any) -> None:
        """With `asked_only` what is folded away and not set is left out: it narrows nothing, and nobody sees it."""
        if asked_only:
            data = args[0] if args else kwargs["data"]
            said = {name for name in self.base_filters if data.get(name) not in EMPTY_VALUES}
            drawn = {name: each for name, each in self.base_filters.items() if self._is_drawn(name, said)}
            self.__dict__["base_filters"] = drawn  # of this one alone; the class keeps all
        super().__init__(*args, **kwargs)

    def _is_drawn(self, name: str, said: Collection[str]) -> bool:
        """Whether a page shows a field without being asked for more; `said` are those that are set."""
        if name in said or name not in self.more | self.on_demand:
            return True
        return any(name in each and not each.isdisjoint(said) for each in self.together)

    @property
    def _said(self) -> set[str]:
        return {field.name for field in self.form if field.value() not in EMPTY_VALUES}

    @property
    def usual_fields(self) -> list[BoundField]:
        """The fields that the page always shows, what is set of the others, and what belongs to it."""
        said = self._said
        return [field for field in self.form if self._is_drawn(field.name, said)]

    @property
    def more_fields(self) -> list[BoundField]:
        """The fields that the page shows beside them when it is asked for more."""
        said = self._said
        return [
            field for field in self.form if field.name not in self.on_demand and not self._is_drawn(field.name, said)
        ]

    @classmethod
    def names(cls) -> frozenset[str]:
        """The parameters that the list knows."""
        return frozenset(cls.base_filters)


class IdField(forms.CharField):
    """An opaque id as the API gives it out; to Python a number."""

    default_error_messages = {"invalid": _("This is not an id.")}

    def clean(self, value: Any) -> int | None:
        text: str = super().clean(value)
        if not text:
            return None
        number = id_number(text)
        if number is None:
            raise ValidationError(self.error_messages["invalid"], code="invalid")
        return number


def id_number(text: str) -> int | None:
    """The number behind an opaque id, or None for what cannot be one."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 18 else None


class IdFilter(filters.Filter):
    """By the id of a related row; one that is not there finds nothing."""

    field_class = IdField


class _YesNoWidget(forms.NullBooleanSelect):
    """Hands on what is neither yes nor no: Django's takes it for nothing said, and the list would not be narrowed."""

    def __init__(self, attrs: dict[str, Any] | None = None) -> None:
        super().__init__(attrs)
        # Nothing is asked, which is another thing than what Django calls it: "unknown".
        self.choices = [("unknown", _("All")), *list(self.choices)[1:]]

    def value_from_datadict(self, data: Any, files: Any, name: str) -> Any:
        value = data.get(name)
        return None if value in {"", "unknown"} else value


class _YesNoField(forms.NullBooleanField):
    widget = _YesNoWidget

    def to_python(self, value: Any) -> Any:
        """True, False, or None where nothing is said."""
        found = super().to_python(value)
        if found is None and value is not None:
            raise ValidationError(_("Must be true or false."), code="invalid")
        return found


class BooleanFilter(filters.BooleanFilter):
    """By yes or no: true or false, 1 or 0."""

    field_class = _YesNoField


def updated_since() -> filters.IsoDateTimeFilter:
    """Rows written at or after a moment: for those who keep a copy. Not shown on pages."""
    return filters.IsoDateTimeFilter(
        field_name="updated_at", lookup_expr="gte", label=_("written since"), widget=forms.HiddenInput
    )


def members(_request: Any) -> QuerySet[Member]:
    """Whom a filter by person offers: the active members, by name."""
    rows: QuerySet[Member] = Member.objects.filter(is_active=True).select_related("user").order_by("user__name", "pk")
    return rows
