"""Policy documents as plain JSON: what differs between two, what a merge patch makes of one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Difference:
    """One place where two documents differ. None stands for null and for what is not there."""

    path: tuple[str, ...]
    before: Any
    after: Any


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Difference]:
    """Every place where two documents differ, in the order of the first, then what only the second has.

    Objects are compared key by key, however deep; lists as a whole, for their places mean nothing by themselves.
    An object that one of the two does not have is one difference.
    """
    return list(_differences(before, after, ()))


def _differences(before: Mapping[str, Any], after: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[Difference]:
    for key in [*before, *(key for key in after if key not in before)]:
        left, right = before.get(key), after.get(key)
        if isinstance(left, Mapping) and isinstance(right, Mapping):
            yield from _differences(left, right, (*path, key))
        elif left != right:
            yield Difference((*path, key), left, right)


def merge_patch(document: Any, patch: Any) -> Any:
    """What a JSON merge patch makes of a document (RFC 7396); neither of them is changed.

    Objects are merged, null takes a member away, everything else replaces what was there.
    """
    if not isinstance(patch, Mapping):
        return patch
    merged = dict(document) if isinstance(document, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge_patch(merged.get(key), value)
    return merged


def at(document: Any, path: tuple[str, ...]) -> Any:
    """What stands at a place of a document; None when nothing does."""
    for step in path:
        if not isinstance(document, Mapping):
            return None
        document = document.get(step)
    return document


def put(document: Mapping[str, Any], path: tuple[str, ...], value: Any) -> dict[str, Any]:
    """The document with a value at a place; None takes away what is there. The document is not changed.

    Raises ValueError for an empty path.
    """
    if not path:
        raise ValueError("A path names at least one key")
    head, *rest = path
    changed = dict(document)
    if rest:
        inner = document.get(head)
        changed[head] = put(inner if isinstance(inner, Mapping) else {}, tuple(rest), value)
    elif value is None:
        changed.pop(head, None)
    else:
        changed[head] = value
    return changed


def absent(whole: Any, given: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The keys of `whole` that `given` does not have, as paths; what is in lists does not count."""
    if isinstance(whole, Mapping) and isinstance(given, Mapping):
        for key, inner in whole.items():
            if key not in given:
                yield (*path, key)
            else:
                yield from absent(inner, given[key], (*path, key))
