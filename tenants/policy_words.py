"""The policy in words: what people call its settings, how values read, and what is wrong with a document.

Rules speak plainly in English and mark what they say (`gettext_noop`); here it is put into the reader's language.
"""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, get_args, get_origin

from django.utils import formats
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext_lazy
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from tenants.rules.sections import PolicySection, gettext_noop
from tenants.templatetags.perennial import money

Labels = Mapping[str, Mapping[str, str | Promise]]
"""By the name of a field, what its codes are called: the keys of a mapping, a choice, the entries of a list."""

PACK_LABELS: Final[Mapping[str, str | Promise]] = {
    "wholesale": gettext_lazy("Wholesale"),
    "callback": gettext_lazy("Call-backs"),
    "sales-team": gettext_lazy("Sales team"),
    "starter": pgettext_lazy("pack", "Starter"),
}
"""What the shipped packs, and the tier schemes of the same names, are called."""

Writers = Mapping[str, Callable[[Any], str]]
"""By the name of a field, how its values read, where they are more than numbers and codes."""

_sections: dict[str, type[PolicySection]] = {}
_labels: dict[str, Labels] = {}
_writers: dict[str, Writers] = {}


def register(section: type[PolicySection], labels: Labels | None = None, writers: Writers | None = None) -> None:
    """Make a section part of every tenant's policy; `labels` are what its codes are called."""
    _sections[section.section] = section
    _labels[section.section] = labels or {}
    _writers[section.section] = writers or {}


def registered() -> dict[str, type[PolicySection]]:
    """The sections of the policy by their keys, in the order in which people read them."""
    return dict(_sections)


# ── settings ────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class _Place:
    """A step of a path: what it is called, and the field that it belongs to."""

    title: str
    name: str
    field: FieldInfo | None


def _places(path: Sequence[str]) -> Iterator[_Place]:
    """The steps of a path below the section; what the policy does not have is called by its own name."""
    kind: Any = _sections.get(path[0]) if path else None
    labels = _labels.get(path[0], {}) if path else {}
    name, field = "", None
    for step in path[1:]:
        kind = _plain(kind)
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            field, name = kind.model_fields.get(step), step
            kind = field.annotation if field else None
            yield _Place(_(field.title) if field and field.title else step, name, field)
        elif get_origin(kind) is not None and _is_list(kind):
            kind = _entry(kind, step)
            yield _Place(_("no. %(number)s") % {"number": int(step) + 1} if step.isdecimal() else step, name, field)
        else:
            kind = get_args(kind)[1] if len(get_args(kind)) == 2 else None
            yield _Place(str(labels.get(name, {}).get(step, step)), name, field)


def _plain(kind: Any) -> Any:
    """The type without its limits and without null."""
    while get_origin(kind) is typing.Annotated:
        kind = get_args(kind)[0]
    if get_origin(kind) in (types.UnionType, typing.Union):
        kinds = [each for each in get_args(kind) if each is not types.NoneType]
        return _plain(kinds[0]) if len(kinds) == 1 else kind
    return kind


def _is_list(kind: Any) -> bool:
    return get_origin(kind) in (tuple, list)


def _entry(kind: Any, step: str) -> Any:
    kinds = get_args(kind)
    if len(kinds) == 2 and kinds[1] is Ellipsis:
        return kinds[0]
    return kinds[int(step)] if step.isdecimal() and int(step) < len(kinds) else None


def section_title(section: str) -> str:
    """What people call a section; one that is not known keeps its name."""
    return _(_sections[section].title) if section in _sections else section


def title_of(path: Sequence[str]) -> str:
    """What people call a place of the policy: "Weights of the scorecard · Direct"; of a section, its title.

    What the policy does not have is called by its own name.
    """
    return " · ".join(place.title for place in _places(path)) or (section_title(path[0]) if path else _("Policy"))


def field_at(path: Sequence[str]) -> FieldInfo | None:
    """The field that a place of the policy is, or lies in; None for a section and for what there is not."""
    places = list(_places(path))
    return places[-1].field if places else None


def unit_of(path: Sequence[str]) -> str:
    """Of what the number at a place is: money, percent, days, hours, minutes, months, years, times, "of 5", or ""."""
    field = field_at(path)
    extra = field.json_schema_extra if field else None
    return str(extra.get("unit", "")) if isinstance(extra, dict) else ""


_UNITS: Final[Mapping[str, Callable[[int], str]]] = {
    "days": lambda n: ngettext("%(number)s day", "%(number)s days", n),
    "minutes": lambda n: ngettext("%(number)s minute", "%(number)s minutes", n),
    "hours": lambda n: ngettext("%(number)s hour", "%(number)s hours", n),
    "months": lambda n: ngettext("%(number)s month", "%(number)s months", n),
    "years": lambda n: ngettext("%(number)s year", "%(number)s years", n),
    "touches": lambda n: ngettext("%(number)s touch", "%(number)s touches", n),
}


def value_words(path: Sequence[str], value: Any) -> str:
    """A value at a place of the policy as people read it: £1,000,000, 20%, 12 months, Gold; "–" for nothing.

    A list reads entry by entry, a pair with an arrow, an object setting by setting.
    """
    if value is None or value in ("", [], {}):
        return "–"
    places = list(_places(path))
    name = places[-1].name if places else ""
    if writer := _writers.get(path[0], {}).get(name):
        return writer(value)
    if isinstance(value, str):
        return str(_labels.get(path[0], {}).get(name, {}).get(value, value))
    if isinstance(value, Mapping):
        return ", ".join(
            f"{_last_title((*path, key))} {value_words((*path, key), inner)}" for key, inner in value.items()
        )
    if isinstance(value, list | tuple):
        between = " → " if all(isinstance(each, int | float) for each in value) else ", "
        return between.join(value_words(path, each) for each in value)
    return _with_unit(value, unit_of(path))


def _last_title(path: Sequence[str]) -> str:
    return list(_places(path))[-1].title


def _with_unit(value: Any, unit: str) -> str:
    number = _number(value)
    if unit in _UNITS:
        return _UNITS[unit](value) % {"number": number}
    if unit == "money":
        return money(Decimal(str(value)))
    if unit == "of 5":
        return _("%(number)s of 5") % {"number": number}
    return number + {"percent": "%", "times": "×"}.get(unit, "")


def _number(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return str(value)
    exact = Decimal(str(value))
    whole = exact == exact.to_integral_value()
    return str(formats.number_format(exact.quantize(Decimal(1)) if whole else exact.normalize(), force_grouping=True))


# ── faults ──────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class PolicyFault:
    """One thing that is wrong with a policy: where, what, and a sentence that names the setting.

    `problem` is the sentence without the name, to stand beside the setting itself.
    """

    path: tuple[str, ...]
    code: str
    words: str
    problem: str


_PROBLEMS: Final[Mapping[str, str]] = {
    "missing": gettext_noop("is missing"),
    "extra_forbidden": gettext_noop("there is no such setting"),
    "greater_than_equal": gettext_noop("must be at least {ge}"),
    "greater_than": gettext_noop("must be more than {gt}"),
    "less_than_equal": gettext_noop("must be at most {le}"),
    "less_than": gettext_noop("must be less than {lt}"),
    "int_type": gettext_noop("must be a whole number"),
    "int_parsing": gettext_noop("must be a whole number"),
    "int_parsing_size": gettext_noop("is too large a number"),
    "int_from_float": gettext_noop("must be a whole number"),
    "float_type": gettext_noop("must be a number"),
    "float_parsing": gettext_noop("must be a number"),
    "finite_number": gettext_noop("must be a number"),
    "bool_type": gettext_noop("must be true or false"),
    "bool_parsing": gettext_noop("must be true or false"),
    "literal_error": gettext_noop("must be one of: {expected}"),
    "string_type": gettext_noop("must be a text"),
    "string_too_short": gettext_noop("must have at least {min_length} characters"),
    "string_too_long": gettext_noop("must have at most {max_length} characters"),
    "too_short": gettext_noop("must have at least {min_length} entries"),
    "too_long": gettext_noop("must have at most {max_length} entries"),
    "tuple_type": gettext_noop("must be a list"),
    "list_type": gettext_noop("must be a list"),
    "dict_type": gettext_noop("must be an object"),
    "mapping_type": gettext_noop("must be an object"),
    "model_type": gettext_noop("must be an object"),
    "time_type": gettext_noop("must be a time, like 18:00"),
    "time_parsing": gettext_noop("must be a time, like 18:00"),
    "date_type": gettext_noop("must be a day, like 2026-12-24"),
    "date_parsing": gettext_noop("must be a day, like 2026-12-24"),
    "date_from_datetime_parsing": gettext_noop("must be a day, like 2026-12-24"),
    "date_from_datetime_inexact": gettext_noop("must be a day, like 2026-12-24"),
    "unknown_section": gettext_noop("there is no such section"),
    "required": gettext_noop("must be said"),
    "max_length": gettext_noop("must have at most {max_length} characters"),
}
"""What is wrong, by pydantic's type of error or by our own code; validators bring their own words."""


def fault(path: tuple[str, ...], code: str, template: str = "", values: Mapping[str, Any] | None = None) -> PolicyFault:
    """The fault in the reader's language; without a template the words are those of the code.

    Raises KeyError for a code that has no words.
    """
    written = {name: _number(value) for name, value in (values or {}).items()}
    problem = _(template or _PROBLEMS[code]).format(**written)
    words = _("“%(setting)s”: %(problem)s.") % {"setting": title_of(path), "problem": problem}
    return PolicyFault(path, code, words, problem)


def faults_of(section: str, error: ValidationError) -> Iterator[PolicyFault]:
    """Everything that is wrong with one section."""
    found = error.errors(include_url=False)
    for each in found:
        if each["type"] == "too_short" and any(_below(other["loc"], each["loc"]) for other in found):
            continue  # pydantic counts only the entries that are right
        values = dict(each.get("ctx", {}))
        template, setting = values.pop("template", ""), values.pop("setting", "")
        path = (section, *map(str, each["loc"]), *([setting] if setting else []))
        if each["type"] == "literal_error":
            values["expected"] = ", ".join(re.findall(r"'([^']*)'", values["expected"]))  # without pydantic's "or"
        if not template and each["type"] not in _PROBLEMS:
            template = each["msg"].replace("{", "{{").replace("}", "}}")  # in English rather than not at all
        yield fault(path, each["type"], template, values)


def _below(place: tuple[int | str, ...], above: tuple[int | str, ...]) -> bool:
    return len(place) > len(above) and place[: len(above)] == above
