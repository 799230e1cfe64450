"""Which column of a file holds which field: said, remembered from the last time, or guessed from the headers."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from customers.imports.fields import Field, fields_of, plain
from customers.imports.problems import ImportProblem
from customers.models import ColumnMapping

Mapped = dict[str, str]
"""From our field to the file's column."""


def guess(kind: str, headers: Sequence[str]) -> Mapped:
    """What the headers suggest: a field's own name, its label, or one of its known other names; each column once."""
    free = {plain(header): header for header in reversed(headers) if header}
    found: Mapped = {}
    # Own names first: a column `customer` is the customer's number before it may be anything else.
    for names_of in (_own_names, _other_names):
        for field in fields_of(kind):
            if field.name in found:
                continue
            name = next((n for n in map(plain, names_of(field)) if n in free), None)
            if name is not None:
                found[field.name] = free.pop(name)
    return found


def _own_names(field: Field) -> tuple[str, ...]:
    return (field.name, str(field.label))


def _other_names(field: Field) -> tuple[str, ...]:
    return field.headers


def check(kind: str, headers: Sequence[str], said: Any) -> Mapped:
    """The mapping that `said` means for a file with these headers.

    A header that bears a field's very name needs no entry; an entry that is empty or null leaves the field
    out. Raises ImportProblem for what is no mapping, an unknown field or column, a column that stands there
    twice, and required fields without a column.
    """
    if not isinstance(said, Mapping) or not all(isinstance(column, str | None) for column in said.values()):
        raise ImportProblem("mapping_shape")
    fields = fields_of(kind)
    names = [field.name for field in fields]
    if unknown := [str(name) for name in said if name not in names]:
        raise ImportProblem("unknown_field", fields=_listed(unknown), known=_listed(names))
    mapped = {name: name for name in names if name in headers} | dict(said)
    mapped = {name: mapped[name] for name in names if mapped.get(name)}
    if unknown := [column for column in mapped.values() if column not in headers]:
        raise ImportProblem("unknown_column", columns=_listed(unknown), headers=_listed(headers))
    if doubled := [column for column in mapped.values() if headers.count(column) > 1]:
        raise ImportProblem("column_twice", columns=_listed(doubled))
    if missing := [field.name for field in fields if field.required and field.name not in mapped]:
        raise ImportProblem("missing_fields", fields=_listed(missing), headers=_listed(headers))
    return mapped


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(name for name in names[:40] if name)
    return f"{shown}, …" if len(names) > 40 else shown


def propose(kind: str, headers: Sequence[str]) -> Mapped:
    """What was last said for these very headers, else what they suggest. Needs an open tenant scope."""
    known = ColumnMapping.objects.filter(kind=kind, headers=digest(headers)).first()
    remembered = known.mapping if known else None
    # A field that was there when it was remembered may be gone since.
    names = {field.name for field in fields_of(kind)}
    if remembered is not None and names.issuperset(remembered):
        return dict(remembered)
    return guess(kind, headers)


def remember(kind: str, headers: Sequence[str], mapped: Mapped) -> None:
    """Keep a checked mapping for the next file with these headers. Needs an open tenant scope."""
    # That a column is left out though it bears a field's name has to be said again the next time.
    left_out = {field.name: "" for field in fields_of(kind) if field.name in headers and field.name not in mapped}
    ColumnMapping.objects.update_or_create(kind=kind, headers=digest(headers), defaults={"mapping": mapped | left_out})


def digest(headers: Sequence[str]) -> str:
    """What tells files with other headers apart."""
    return hashlib.blake2b("\x1f".join(headers).encode(), digest_size=16).hexdigest()
