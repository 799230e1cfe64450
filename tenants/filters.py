"""The base of every list's filters: one FilterSet serves the page, the API and the export.

A parameter that a list does not have is refused, never ignored: who mistypes a filter would otherwise get,
or change, everything. ListPage and StrictFilterBackend look at the names; the values are checked here.
"""

from __future__ import annotations

from collections.abc import Collection
from copy import copy
from typing import Any, ClassVar, Final, NamedTuple

import django_filters as filters
from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import EMPTY_VALUES
from django.db.models import QuerySet
from django.forms import BoundField
from django.utils import translation
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from tenants.kept import Kept
from tenants.models import Member

FIELDS_KEPT: Final = 1024
"""Fields of filters kept as they are written; a list draws eight, most of them with nothing chosen."""

_written: Final[Kept[Any, SafeString]] = Kept(FIELDS_KEPT)


class Drawn(NamedTuple):
    """A field of a list's filters as the page prints it, with its label."""

    name: str
    is_hidden: bool
    html: SafeString


class _Filters(dict[str, filters.Filter]):
    """The filters that a class declares, by name; one filter set's own are copies of them.

    The library copies them to the depth, with every word of every choice. What a filter set changes of a filter is what
    the filter holds, and which arguments its field is made with, never an argument itself.
    """

    def __deepcopy__(self, memo: dict[int, Any]) -> dict[str, filters.Filter]:
        return {name: self._copy(each) for name, each in self.items()}

    @staticmethod
    def _copy(each: filters.Filter) -> filters.Filter:
        copied = copy(each)
        copied.extra = dict(each.extra)
        copied.method = each.method  # bound to the filter set that the filter is of, so bound anew
        return copied


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
        drawn = self.base_filters
        if asked_only:
            data = args[0] if args else kwargs["data"]
            said = {name for name in self.base_filters if data.get(name) not in EMPTY_VALUES}
            drawn = {name: each for name, each in self.base_filters.items() if self._is_drawn(name, said)}
        self.__dict__["base_filters"] = _Filters(drawn)  # of this one alone; the class keeps all
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
    def usual_fields(self) -> list[Drawn]:
        """The fields that the page always shows, what is set of the others, and what belongs to it."""
        said = self._said
        return [self._drawn(field) for field in self.form if self._is_drawn(field.name, said)]

    @property
    def more_fields(self) -> list[Drawn]:
        """The fields that the page shows beside them when it is asked for more."""
        said = self._said
        return [
            self._drawn(field)
            for field in self.form
            if field.name not in self.on_demand and not self._is_drawn(field.name, said)
        ]

    def _drawn(self, field: BoundField) -> Drawn:
        """Writing a field takes longer than all else about it: it is written once for what it offers and what is chosen.

        What a class offers everybody is said by the filter itself; what depends on who asks (people, tags) is looked up,
        and a part of the key. Of what is typed only the empty field is kept, and nothing that says what is wrong with it.
        """
        if field.is_hidden:
            return Drawn(field.name, True, SafeString(field))
        value = field.value()
        offered = self._offered(field)
        if field.errors or (offered is None and value not in EMPTY_VALUES):
            return Drawn(field.name, False, field.as_field_group())
        key = (self.base_filters[field.name], field.html_name, translation.get_language(), str(value or ""), offered)
        return Drawn(field.name, False, _written.get(key, field.as_field_group))

    def _offered(self, field: BoundField) -> tuple[tuple[str, Any], ...] | None:
        """What can be chosen, as far as it depends on who asks; None where nothing is chosen, but typed."""
        if not isinstance(field.field, forms.ChoiceField):
            return None
        extra = self.base_filters[field.name].extra
        if callable(choices := extra.get("choices")):
            # As they are said: to go through hundreds of people by way of the widget takes longer than to read them.
            return tuple(choices())
        if "queryset" not in extra:
            return ()
        return tuple((str(choice), str(label)) for choice, label in field.field.widget.choices)

    @classmethod
    def names(cls) -> frozenset[str]:
        """The parameters that the list knows."""
        return frozenset(cls.base_filters)


class LongSelect(forms.Select):
    """A list to choose from that may be long, such as everybody in the house.

    Django tells a template of each choice what it is called, what its id would be, and by which template it is written.
    Ours writes all of them at once (`options`), and asks for no more than is here.
    """

    def optgroups(self, name: str, value: list[str], attrs: dict[str, Any] | None = None) -> list[Any]:
        choices = list(self.choices)
        if any(isinstance(label, list | tuple) for _choice, label in choices):
            return super().optgroups(name, value, attrs)
        options: list[dict[str, Any]] = []
        is_found = False
        for choice, label in choices:
            written = "" if choice is None else choice
            selected = not is_found and str(written) in value
            is_found = is_found or selected
            options.append({"value": written, "label": label, "selected": selected, "attrs": {}})
        return [(None, options, 0)]


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
