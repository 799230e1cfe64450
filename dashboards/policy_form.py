"""The policy's fields as a form draws them: what stands in each, what it was, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from django.utils.formats import number_format
from django.utils.translation import gettext as _

from dashboards.policy_draft import Draft
from dashboards.policy_fields import (
    STANDARD_INTERVALS,
    Card,
    Change,
    Document,
    Leaf,
    Path,
    cards,
    period_choices,
    plain_number,
    standard_intervals,
    unit_signs,
    value_of,
    words,
)
from tenants.policy_words import PolicyFault, registered, section_title


@dataclass(frozen=True)
class Box:
    """One small input of a field that has several."""

    name: str
    label: str
    text: str


@dataclass(frozen=True)
class Field:
    """One field of the form. `was` is the value of before in words, empty where nothing has changed."""

    leaf: Leaf
    text: str
    value: Any
    words: str
    was: str
    problems: tuple[str, ...]
    is_new: bool = False
    sign: str = ""
    unit: str = ""
    boxes: tuple[Box, ...] = ()
    rows: tuple[tuple[Box, Box], ...] = ()
    choices: tuple[tuple[str, str], ...] = ()
    is_custom: bool = False  # an interval written out: count and per
    count: str = ""
    per: str = ""

    @property
    def is_there(self) -> bool:
        return self.value is not None

    @property
    def limits(self) -> str:
        """What a number may be: "1 to 60"."""
        low, high = self.leaf.minimum, self.leaf.maximum
        if low is None or high is None:
            return ""
        said = {"low": number_format(low, force_grouping=True), "high": number_format(high, force_grouping=True)}
        return _("%(low)s to %(high)s") % said

    @property
    def is_short(self) -> bool:
        return self.leaf.kind in {"whole", "decimal", "time"} and not self.leaf.empty


@dataclass(frozen=True)
class Group:
    """Fields under one heading, and what is wrong with them together."""

    heading: str
    id: str
    fields: tuple[Field, ...]
    problems: tuple[str, ...]


@dataclass(frozen=True)
class DrawnCard:
    """A card with its fields, heading by heading."""

    card: Card
    groups: tuple[Group, ...]


@dataclass(frozen=True)
class Tab:
    """A section in the row of tabs: how many of its fields the draft changes, and how many do not fit."""

    section: str
    title: str
    changed: int
    faults: int
    is_current: bool


def tabs(draft: Draft, faults: Sequence[PolicyFault], current: str) -> list[Tab]:
    """The sections, each with how much of it the draft changes."""
    changed = [change.section for change in draft.changes]
    wrong = [fault.path[0] for fault in faults if fault.path]
    return [
        Tab(name, section_title(name), changed.count(name), wrong.count(name), name == current) for name in registered()
    ]


def draw(section: str, draft: Draft, faults: Sequence[PolicyFault], currency: str) -> list[DrawnCard]:
    """The cards of a section, with what the draft has in them."""
    was = {change.leaf.path: change for change in draft.changes}
    drawn = []
    for card in cards(section, draft.document, draft.before):
        if card.is_beside and not any(value_of(draft.document, leaf) is not None for leaf in card.leaves):
            continue  # only the version before had touches for the tiers of another scheme
        groups = []
        for (heading, path), leaves in groupby(card.leaves, key=lambda leaf: (leaf.group, leaf.group_path)):
            fields = tuple(
                _field(leaf, draft, was.get(leaf.path), _problems_of(leaf, draft.document, faults), currency)
                for leaf in leaves
            )
            place = path or (section,)
            groups.append(Group(heading, "g-" + "-".join(place), fields, _problems_at(path, faults)))
        drawn.append(DrawnCard(card, tuple(groups)))
    return drawn


def loose_problems(section: str, draft: Draft, faults: Sequence[PolicyFault]) -> list[str]:
    """What is wrong with a section and stands at none of its fields or headings."""
    leaves = [leaf for card in cards(section, draft.document, draft.before) for leaf in card.leaves]
    headings = {leaf.group_path for leaf in leaves if leaf.group_path}
    return [
        fault.words
        for fault in faults
        if (fault.path[:1] or (section,)) == (section,)
        and fault.path not in headings
        and not any(_is_at(fault.path, leaf, draft.document) for leaf in leaves)
    ]


def shape(section: str, draft: Draft) -> list[tuple[Any, ...]]:
    """Which inputs the form of a section has: where it differs, the form is drawn anew."""
    return [
        (field.leaf.name, field.leaf.beside, field.leaf.choices, field.is_custom, len(field.rows), field.is_there)
        for drawn in draw(section, draft, (), "")
        for group in drawn.groups
        for field in group.fields
    ]


def _problems_at(path: Path, faults: Iterable[PolicyFault]) -> tuple[str, ...]:
    return tuple(fault.problem for fault in faults if path and fault.path == path)


def _problems_of(leaf: Leaf, document: Document, faults: Iterable[PolicyFault]) -> tuple[str, ...]:
    return tuple(fault.problem for fault in faults if _is_at(fault.path, leaf, document))


def _is_at(path: Path, leaf: Leaf, document: Document) -> bool:
    """Whether a fault at this path belongs to the field; touches are named by their place in the tier's list."""
    if leaf.kind == "touch":
        *tier, kind = leaf.path
        if path[: len(tier)] != tuple(tier) or len(path) == len(tier) or not path[len(tier)].isdecimal():
            return False
        inside: Any = document
        for key in tier:
            inside = inside.get(key, {}) if isinstance(inside, dict) else {}
        place = int(path[len(tier)])
        return place < len(inside) and isinstance(inside[place], dict) and inside[place].get("kind") == kind
    return path[: len(leaf.path)] == leaf.path


def _field(leaf: Leaf, draft: Draft, change: Change | None, problems: tuple[str, ...], currency: str) -> Field:
    value = value_of(draft.document, leaf)
    sign, unit = unit_signs(leaf.unit, currency) if leaf.kind in {"whole", "decimal", "money"} else ("", "")
    common = {
        "leaf": leaf,
        "value": value,
        "words": words(leaf, value),
        "was": "" if change is None else change.before_words,
        "problems": problems,
        "is_new": change is not None and change.before is None and not leaf.empty,
        "sign": sign,
        "unit": unit,
    }
    if leaf.kind == "points":
        return Field(text="", rows=_rows(leaf, value), **common)
    if leaf.kind == "parts":
        held = value if isinstance(value, dict) else {}
        boxes = tuple(Box(part.name, part.title, plain_number(held.get(part.path[-1]))) for part in leaf.parts)
        return Field(text="", boxes=boxes if value is not None else (), **common)
    if leaf.kind == "touch":
        return _touch(leaf, value, common)
    if leaf.kind == "choices":
        return Field(text="", choices=leaf.choices, **common)
    if leaf.kind == "dates":
        return Field(text=", ".join(map(str, value or ())), **common)
    text = str(value or "")[:5] if leaf.kind == "time" else plain_number(value)
    if leaf.kind == "money" and isinstance(value, int):
        text = number_format(value, use_l10n=True, force_grouping=True)
    return Field(text=text, choices=leaf.choices, **common)


def _rows(leaf: Leaf, value: Any) -> tuple[tuple[Box, Box], ...]:
    """The pairs of a line, and an empty one to add another."""
    pairs = [list(each) for each in value if isinstance(each, list | tuple)] if isinstance(value, list) else []
    sides = (_("value"), _("points"))
    return tuple(
        (
            Box(f"{leaf.name}.{at}.0", f"{at + 1}, {sides[0]}", plain_number(pair[0] if pair else "")),
            Box(f"{leaf.name}.{at}.1", f"{at + 1}, {sides[1]}", plain_number(pair[1] if len(pair) > 1 else "")),
        )
        for at, pair in enumerate([*pairs, []])
    )


def _touch(leaf: Leaf, value: str | None, common: dict[str, Any]) -> Field:
    if value is None or value in STANDARD_INTERVALS:
        return Field(text=value or "", choices=tuple(standard_intervals()), **common)
    per, _sep, count = value.partition("/")
    return Field(text=value, is_custom=True, count=count, per=per, choices=tuple(period_choices()), **common)


# ── the document of a version, to read ───────────────────────────────────────


@dataclass(frozen=True)
class WordsCard:
    """A card of a version: (heading, [(label, value in words)])."""

    card: Card
    groups: list[tuple[str, list[tuple[str, str]]]]


Section = tuple[str, str, list[WordsCard]]
"""A section of a version: (key, title, cards)."""


def in_words(document: Document) -> tuple[list[Section], list[Section]]:
    """The whole document to read, in two columns of about the same length."""
    columns: tuple[list[Section], list[Section]] = ([], [])
    lengths = [0, 0]
    for section in registered():
        read = []
        for card in cards(section, document):
            groups = [
                (heading, [(leaf.title, words(leaf, value_of(document, leaf))) for leaf in leaves])
                for heading, leaves in groupby(card.leaves, key=lambda leaf: leaf.group)
            ]
            if groups:
                read.append(WordsCard(card, groups))
        shorter = lengths.index(min(lengths))
        columns[shorter].append((section, section_title(section), read))
        lengths[shorter] += 2 + sum(
            1 + len(lines) for each in read if not each.card.is_beside for _heading, lines in each.groups
        )
    return columns
