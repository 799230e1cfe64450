"""Scripts: texts with merge fields that never print a hole (docs/rules/scripts.md).

A template is plain text. `{field}` is replaced by what is known; `{field|words}` says what stands there otherwise;
`[words with {field}]` is left out whole when a field in it is not known. `{{`, `}}`, `[[` and `]]` are the marks
themselves. A field that may be unknown must have words or stand inside brackets: `faults_of` refuses it otherwise, so
that `fill` cannot leave a hole, whatever is known of a customer.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from tenants.rules.sections import gettext_noop

Outline = Literal["plain", "aida", "efi"]

PARTS: Final[Mapping[Outline, tuple[str, ...]]] = {
    "plain": ("text",),
    "aida": ("attention", "interest", "desire", "action"),
    "efi": ("emotion", "benefit", "action"),
}
"""The parts of an outline, in the order in which they are said: AIDA, and 情感-利益-行动."""

ALWAYS: Final = frozenset({"customer", "firm", "member", "today"})
"""Fields that every customer has."""

SOMETIMES: Final = frozenset(
    {
        "contact", "position", "tier", "since", "years", "last_order", "days_silent", "order_number", "products",
        "category", "next_order", "suggestion", "complaint", "product", "last_words",
    }
)  # fmt: skip
"""Fields that may be unknown of a customer, of the contact, or of what began a journey."""

FIELDS: Final = ALWAYS | SOMETIMES

_TOKEN: Final = re.compile(r"\{\{|\}\}|\[\[|\]\]|\{([^{}\[\]]*)\}|[{}\[\]]|[^{}\[\]]+")
_NAME: Final = re.compile(r"[a-z_]+")


@dataclass(frozen=True)
class Field:
    """A place for a value; `otherwise` is None where nothing is said for the case that it is unknown."""

    name: str
    otherwise: str | None


@dataclass(frozen=True)
class Optional:
    """Words that stand or fall with their fields."""

    pieces: tuple[str | Field, ...]


Piece = str | Field | Optional


@dataclass(frozen=True)
class Fault:
    """What is wrong with a template: `words` is marked with gettext_noop, its places "{…}" take `values`."""

    code: str
    words: str
    values: Mapping[str, str]


def parse(template: str) -> tuple[list[Piece], list[Fault]]:
    """The pieces of a template and all that is wrong with its form; with faults the pieces are not to be used."""
    pieces: list[Piece] = []
    inside: list[str | Field] | None = None
    faults: list[Fault] = []
    for found in _TOKEN.finditer(template):
        mark = found.group()
        here: list[str | Field] | list[Piece] = pieces if inside is None else inside
        if found.group(1) is not None:
            field = _field(found.group(1))
            if field is None:
                words = gettext_noop("“{text}” is not a field: write its name, or its name, a bar and other words")
                faults.append(Fault("not_a_field", words, {"text": mark}))
            else:
                here.append(field)
        elif mark in {"{{", "}}", "[[", "]]"}:
            here.append(mark[0])
        elif mark == "[":
            if inside is not None:
                faults.append(Fault("nested", gettext_noop("brackets cannot stand inside brackets"), {}))
            inside = []
        elif mark == "]":
            if inside is None:
                faults.append(_unpaired("]"))
            else:
                if not any(isinstance(piece, Field) for piece in inside):
                    words = gettext_noop("there is no field between the brackets; to write brackets, double them")
                    faults.append(Fault("no_field", words, {}))
                pieces.append(Optional(tuple(inside)))
                inside = None
        elif mark in "{}":
            faults.append(_unpaired(mark))
        else:
            here.append(mark)
    if inside is not None:
        faults.append(_unpaired("["))
    return pieces, faults


def _field(text: str) -> Field | None:
    name, bar, otherwise = text.partition("|")
    name, otherwise = name.strip(), otherwise.strip()
    if not _NAME.fullmatch(name) or (bar and not otherwise):
        return None
    return Field(name, otherwise if bar else None)


def _unpaired(mark: str) -> Fault:
    words = gettext_noop("“{mark}” has no partner; to write it as it is, double it")
    return Fault("unpaired", words, {"mark": mark})


def faults_of(template: str, known: Collection[str] = FIELDS, always: Collection[str] = ALWAYS) -> list[Fault]:
    """All that is wrong with a template: its form, fields that there are not, fields that could leave a hole."""
    pieces, faults = parse(template)
    for piece in pieces:
        for each in piece.pieces if isinstance(piece, Optional) else (piece,):
            if not isinstance(each, Field):
                continue
            if each.name not in known:
                words = gettext_noop("there is no field “{field}”; there are: {known}")
                faults.append(Fault("unknown_field", words, {"field": each.name, "known": ", ".join(sorted(known))}))
            elif each.name not in always and each.otherwise is None and not isinstance(piece, Optional):
                words = gettext_noop(
                    "“{field}” is not known of everybody: say what stands there otherwise, {{{field}|…}}, "
                    "or put the sentence in brackets"
                )
                faults.append(Fault("may_be_missing", words, {"field": each.name}))
    return [fault for place, fault in enumerate(faults) if fault not in faults[:place]]


@dataclass(frozen=True)
class Filled:
    """A text without places, and the fields that were not known."""

    text: str
    missing: tuple[str, ...]


def fill(template: str, values: Mapping[str, str]) -> Filled:
    """The template with the values in it; empty or absent ones are not known.

    Raises ValueError for a template that `faults_of` refuses: a hole is never printed.
    """
    pieces, faults = parse(template)
    if faults:
        raise ValueError(f"Not a template: {faults[0].code}")
    missing: list[str] = []
    written: list[str] = []
    for piece in pieces:
        if isinstance(piece, str):
            written.append(piece)
        elif isinstance(piece, Field):
            written.append(_said(piece, values, missing))
        else:
            unknown = [each.name for each in piece.pieces if isinstance(each, Field) and _open(each, values)]
            missing += unknown
            if not unknown:
                written += [each if isinstance(each, str) else _said(each, values, missing) for each in piece.pieces]
    return Filled(_tidy("".join(written)), tuple(dict.fromkeys(missing)))


def _open(field: Field, values: Mapping[str, str]) -> bool:
    return not values.get(field.name, "").strip() and field.otherwise is None


def _said(field: Field, values: Mapping[str, str], missing: list[str]) -> str:
    value = values.get(field.name, "").strip()
    if value:
        return value
    if field.otherwise is None:
        raise ValueError(f"Nothing is known of {field.name}, and nothing stands in for it")
    missing.append(field.name)
    return field.otherwise


def _tidy(text: str) -> str:
    """Without the spaces and empty lines that a left out sentence leaves behind."""
    lines = [re.sub(r"[ \t]{2,}", " ", line).strip() for line in text.splitlines()]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def fields_in(template: str) -> list[str]:
    """The names of the fields in a template, in their order, each once."""
    pieces, _faults = parse(template)
    found = [
        each.name
        for piece in pieces
        for each in (piece.pieces if isinstance(piece, Optional) else (piece,))
        if isinstance(each, Field)
    ]
    return list(dict.fromkeys(found))
