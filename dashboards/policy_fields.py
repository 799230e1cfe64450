"""The policy's fields as people read them: what each is called, what it may be, and its value in words.

Everything is drawn from the sections themselves: title, unit, limits and choices stand with a field, so that a new
one needs nothing here. A field of a shape that nobody here can draw raises TypeError.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import Any, Final, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from django.utils.functional import Promise
from django.utils.translation import gettext, gettext_lazy, pgettext
from django.utils.translation import gettext as _
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from customers.models import TouchKind
from dashboards.receipts import NAMES
from followups.rules.policy import KINDS, Touch
from health.rules.policy import HealthPolicy
from segmentation.models import Tier
from segmentation.rules.policy import SCHEMES, Scheme
from segmentation.rules.tiers import TIER_ORDER
from tenants.policy_words import registered, section_title, value_words
from tenants.rules import documents
from tenants.rules.documents import at
from tenants.templatetags.perennial import symbol

Path = tuple[str, ...]
Document = dict[str, Any]
Kind = Literal["whole", "decimal", "money", "time", "text", "choice", "choices", "points", "parts", "touch", "dates"]

PACK_USES: Final[Mapping[str, Promise]] = {
    "wholesale": gettext_lazy("Strategic, key, regular: long relations, by money and years"),
    "callback": gettext_lazy("Gold, silver, bronze: many customers, by percentiles"),
    "sales-team": gettext_lazy("A core, B potential, C basic: four fifths of the money, and potential"),
    "starter": gettext_lazy("The RFM segments themselves: no set-up"),
}

STANDARD_INTERVALS: Final = (
    "week/1", "days/14", "month/3", "month/2", "month/1", "quarter/2", "quarter/1", "half_year/1", "year/1",
)  # fmt: skip
"""What a touch's select offers; anything else is written as a number and a period."""


@dataclass(frozen=True)
class Leaf:
    """One value of the policy that a person reads and changes as one.

    `path` leads to it in the document; of a touch its last word is the kind, of parts the key of the mapping.
    `group` is the heading above it; `beside` says that nothing of it counts while the scheme in force is this one.
    """

    path: Path
    title: str
    kind: Kind
    unit: str = ""
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[tuple[str, str], ...] = ()
    parts: tuple[Leaf, ...] = ()
    group: str = ""
    group_path: Path = ()
    beside: bool = False
    optional: bool = False
    empty: str = ""  # what it means that nothing is there

    @property
    def name(self) -> str:
        """Its name in a form."""
        return ".".join(self.path)

    @property
    def id(self) -> str:
        return "f-" + "-".join(self.path)


@dataclass(frozen=True)
class Adding:
    """What can be added to a card: a touch of a tier, or weights for a tier or a stage."""

    path: Path
    kind: Literal["touch", "parts"]
    title: str
    choices: tuple[tuple[str, str], ...]

    @property
    def name(self) -> str:
        return ".".join(("add", *self.path))

    @property
    def id(self) -> str:
        return "f-add-" + "-".join(self.path)


@dataclass(frozen=True)
class Card:
    """Fields that stand together; `is_beside`: closed, because the scheme in force does not look at them."""

    id: str
    title: str
    note: str = ""
    leaves: tuple[Leaf, ...] = ()
    adding: Adding | None = None
    is_beside: bool = False
    is_keyed: bool = False  # each heading is the name of its fields


# ── which fields there are ───────────────────────────────────────────────────


def section_names() -> list[str]:
    """The sections in the order of the tabs: that in which config/policy.py registers them."""
    return list(registered())


def scheme_of(document: Document) -> Scheme:
    """The scheme in force; what somebody typed that is none counts as the first."""
    typed = document.get("tiers", {}).get("scheme")
    return next((scheme for scheme in SCHEMES if scheme == typed), SCHEMES[0])


def tiers_of(document: Document) -> tuple[str, ...]:
    """The tiers of the scheme in force, best first."""
    return TIER_ORDER[scheme_of(document)]


def tier_words(code: str) -> str:
    return str(Tier(code).label) if code in Tier.values else code


def leaves(document: Document, *others: Document) -> dict[Path, Leaf]:
    """Every field of the document by its path; `others` add what only they have: touches, weights of a tier."""
    return {
        leaf.path: leaf
        for section in section_names()
        for card in cards(section, document, *others)
        for leaf in card.leaves
    }


def cards(section: str, document: Document, *others: Document) -> list[Card]:
    """The fields of a section as they stand on the page."""
    every = [each.get(section, {}) for each in (document, *others)]
    kind = registered()[section]
    main: list[Leaf] = []
    more: list[Card] = []
    for name, info in kind.model_fields.items():
        path, values = (section, name), [_mapping(each).get(name) for each in every]
        mapped = _mapped(info.annotation)
        if mapped is None:
            main.extend(_leaves(path, info, values, document))
        elif get_origin(mapped) is tuple:
            more.extend(_touch_cards(path, values, document))
        elif _is_flat(mapped):
            more.append(_parts_card(path, info, values, document))
        else:
            more.append(_keyed_card(path, _title(name, info), mapped, values))
    shown = [leaf for leaf in main if not leaf.beside]
    beside = [leaf for leaf in main if leaf.beside]
    found = [Card(f"c-{section}", section_title(section), _notes().get(section, ""), tuple(shown)), *more]
    if beside:
        title, note = _("Beside it"), _("lines of the schemes that are not in force")
        found.append(Card(f"c-{section}-beside", title, note, tuple(beside), is_beside=True))
    return sorted(found, key=lambda card: card.is_beside)


def _notes() -> dict[str, str]:
    return {"tiers": _("the first rule that fits")}


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _mapped(annotation: Any) -> Any:
    """What a mapping's values are; None for what is no mapping."""
    origin = get_origin(annotation)
    return get_args(annotation)[1] if isinstance(origin, type) and issubclass(origin, Mapping) else None


def _is_flat(model: type[BaseModel]) -> bool:
    """All of its values are whole numbers: they are written in one row."""
    return all(info.annotation is int for info in model.model_fields.values())


def _title(name: str, info: FieldInfo) -> str:
    words = info.title or info.description or name.replace("_", " ").capitalize()
    return gettext(words)


def _extra(info: FieldInfo) -> Mapping[str, Any]:
    return info.json_schema_extra if isinstance(info.json_schema_extra, Mapping) else {}


def _limits(info: FieldInfo) -> tuple[float | None, float | None]:
    low = high = None
    for limit in info.metadata:
        if isinstance(limit, Ge | Gt):
            low = limit.ge if isinstance(limit, Ge) else limit.gt
        elif isinstance(limit, Le | Lt):
            high = limit.le if isinstance(limit, Le) else limit.lt
    return low, high  # type: ignore[return-value]  # pydantic types limits by protocol; numbers is what ours are


def _leaves(path: Path, info: FieldInfo, values: Sequence[Any], document: Document) -> Iterator[Leaf]:
    """A plain field, or the fields of a nested model under its title."""
    title, extra = _title(path[-1], info), _extra(info)
    annotation = info.annotation
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        for name, inner in annotation.model_fields.items():
            for leaf in _leaves((*path, name), inner, [_mapping(each).get(name) for each in values], document):
                yield _under(leaf, title, path)
        return
    low, high = _limits(info)
    kind, optional = _kind(path, annotation, extra)
    scheme = extra.get("scheme", "")
    yield Leaf(
        path,
        title,
        kind,
        unit=str(extra.get("unit", "")),
        minimum=low,
        maximum=high,
        choices=_choices(path, annotation, values, document),
        group=gettext(str(extra["group"])) if extra.get("group") else "",
        beside=bool(scheme) and scheme != scheme_of(document),
        optional=optional,
        empty=gettext(str(extra["empty"])) if extra.get("empty") else "",
    )


def _under(leaf: Leaf, group: str, path: Path) -> Leaf:
    return replace(leaf, group=leaf.group or group, group_path=leaf.group_path or path)


def _kind(path: Path, annotation: Any, extra: Mapping[str, Any]) -> tuple[Kind, bool]:
    """How a field is written, and whether it may be empty.

    Raises TypeError for a shape that no page can draw yet.
    """
    if get_origin(annotation) is Union or type(annotation).__name__ == "UnionType":
        inner = [each for each in get_args(annotation) if each is not type(None)]
        if len(inner) == 1:
            return _kind(path, inner[0], extra)[0], True
    if annotation is int:
        return ("money" if extra.get("unit") == "money" else "whole"), False
    plain: dict[Any, Kind] = {float: "decimal", Decimal: "decimal", dt.time: "time", str: "text"}
    if annotation in plain:
        return plain[annotation], False
    if get_origin(annotation) is Literal:
        return "choice", False
    if get_origin(annotation) is tuple:
        first = get_args(annotation)[0]
        if first is str or get_origin(first) is Literal:
            return "choices", False
        if get_origin(first) is tuple and len(get_args(first)) == 2:
            return "points", False
        if first is dt.date:
            return "dates", False
    raise TypeError(f"{'.'.join(path)}: no page can draw a {annotation} yet")


def _choices(path: Path, annotation: Any, values: Sequence[Any], document: Document) -> tuple[tuple[str, str], ...]:
    if get_origin(annotation) is Literal:
        return tuple((each, value_words(path, each)) for each in get_args(annotation))
    if get_origin(annotation) is tuple and get_origin(get_args(annotation)[0]) is Literal:
        return tuple((each, value_words(path, each)) for each in get_args(get_args(annotation)[0]))
    if get_origin(annotation) is tuple and get_args(annotation)[0] is str:
        # The only words that the policy lists are tiers; one that the scheme lost stays to be seen.
        held = [code for each in values if isinstance(each, list | tuple) for code in each]
        return tuple((code, tier_words(code)) for code in dict.fromkeys([*tiers_of(document), *held]))
    return ()


def _tier_keys(values: Sequence[Any], document: Document) -> tuple[list[str], list[str]]:
    """The tiers of the scheme in force, and the others that the values name, both best first."""
    named = {str(key) for each in values for key in _mapping(each)}
    now = list(tiers_of(document))
    every = [code for scheme in SCHEMES for code in TIER_ORDER[scheme]]
    rest = named - set(now)
    return now, [code for code in every if code in rest] + sorted(rest - set(every))


def _touch_cards(path: Path, values: Sequence[Any], document: Document) -> Iterator[Card]:
    now, beside = _tier_keys(values, document)
    note = _("counted from the last touch of that kind")
    for tier in (*now, *beside):
        own = (*path, tier)
        used = {_touch_kind(touch) for each in values for touch in _mapping(each).get(tier) or ()}
        found = tuple(
            Leaf((*own, kind), str(TouchKind(kind).label), "touch", beside=tier in beside, optional=True)
            for kind in KINDS
            if kind in used
        )
        rest = tuple((kind, str(TouchKind(kind).label)) for kind in KINDS if kind not in used)
        title = _("Cadence, %(tier)s") % {"tier": tier_words(tier)}
        adding = Adding(own, "touch", _("Another touch"), rest) if rest and tier in now else None
        if found or adding:
            yield Card("c-" + "-".join(own), title, note, found, adding, is_beside=tier in beside)


def _touch_kind(touch: Any) -> str:
    return str(_mapping(touch).get("kind", ""))


def _parts_card(path: Path, info: FieldInfo, values: Sequence[Any], document: Document) -> Card:
    """Weights of their own for single tiers or stages: a row for each that has some, and a choice of the others."""
    model, keys = _mapped(info.annotation), get_args(info.annotation)[0]
    beside: list[str]
    words_of: Callable[[str], str]
    if get_origin(keys) is Literal:
        now, beside, words_of, add = list(get_args(keys)), [], partial(value_words, path), _("For a stage")
    else:
        (now, beside), words_of, add = _tier_keys(values, document), tier_words, _("For a tier")
    used = {str(key) for each in values for key in _mapping(each)}
    found = []
    for key in (*now, *beside):
        if key in used:
            own = (*path, key)
            parts = tuple(_part(own, name, part) for name, part in model.model_fields.items())
            found.append(Leaf(own, words_of(key), "parts", parts=parts, beside=key in beside, optional=True))
    rest = tuple((key, words_of(key)) for key in now if key not in used)
    adding = Adding(path, "parts", add, rest) if rest else None
    note = gettext(info.description) if info.description else ""
    return Card("c-" + "-".join(path), _title(path[-1], info), note, tuple(found), adding)


def starting_parts(document: Document, path: Path) -> Any:
    """What weights of their own begin with: those of everybody."""
    if path[0] == HealthPolicy.section:
        indicators = _mapping(at(document, (HealthPolicy.section, "indicators")))
        return {key: at(indicators, (key, "weight")) for key in NAMES}
    return at(document, ("value", "weights"))


def _part(path: Path, name: str, info: FieldInfo) -> Leaf:
    low, high = _limits(info)
    unit = str(_extra(info).get("unit", ""))
    return Leaf((*path, name), _title(name, info), "whole", unit=unit, minimum=low, maximum=high)


def _keyed_card(path: Path, title: str, model: type[BaseModel], values: Sequence[Any]) -> Card:
    """Models by key, like the indicators: each under its name."""
    keys = list(dict.fromkeys(str(key) for each in values for key in _mapping(each)))
    order = [key for key in NAMES if key in keys]  # what people know the order of, the database does not keep
    found: list[Leaf] = []
    for key in (*order, *(key for key in keys if key not in order)):
        own, group = (*path, key), str(NAMES.get(key, key))
        for name, info in model.model_fields.items():
            found.extend(_under(leaf, group, own) for leaf in _leaves((*own, name), info, [], {}))
    return Card("c-" + "-".join(path), title, "", tuple(found), is_keyed=True)


# ── values ───────────────────────────────────────────────────────────────────


def value_of(document: Document, leaf: Leaf) -> Any:
    """The value of a field, as JSON has it; a touch as "month/1" or "days/14"; None when it is not there."""
    if leaf.kind == "touch":
        touches = at(document, leaf.path[:-1]) or ()
        return next((interval(touch) for touch in touches if _touch_kind(touch) == leaf.path[-1]), None)
    value = at(document, leaf.path)
    return [list(each) if isinstance(each, tuple) else each for each in value] if isinstance(value, tuple) else value


def put(document: Document, leaf: Leaf, value: Any) -> Document:
    """A copy of the document in which the field has this value; None takes what is optional away."""
    if value == value_of(document, leaf):
        return document
    if leaf.kind != "touch":
        return documents.put(document, leaf.path, value)
    *tier, kind = leaf.path
    touches = list(at(document, tuple(tier)) or ())
    kinds = [_touch_kind(touch) for touch in touches]
    if value is None:
        touches = [touch for touch in touches if _touch_kind(touch) != kind]
    elif kind in kinds:
        touches[kinds.index(kind)] = touch_of(kind, value)
    else:
        touches.append(touch_of(kind, value))
    return documents.put(document, tuple(tier), touches or None)


def interval(touch: Any) -> str:
    """A touch's interval as one word: "month/3" is three times a month, "days/14" every 14 days."""
    fields = _mapping(touch)
    if fields.get("every_days") is not None:
        return f"days/{fields['every_days']}"
    return f"{fields.get('per')}/{fields.get('times')}"


def touch_of(kind: str, value: str) -> dict[str, Any]:
    """The touch of such an interval; a count that is no number stays as it was typed, for the check to name."""
    per, _sep, count = value.partition("/")
    number = number_of(count)
    if per == "days":
        return {"kind": kind, "every_days": number, "times": None, "per": None}
    return {"kind": kind, "every_days": None, "times": number, "per": per}


def number_of(text: str) -> int | float | str:
    """The number that was typed, with or without separators between thousands; else the text as it is."""
    plain = text.strip().replace("\u2212", "-")
    grouped = plain.replace(",", "").replace("\uff0c", "").replace("\u00a0", "").replace(" ", "")
    if len(plain) > 40:  # nobody means it; reading it could take long
        return text
    try:
        number = Decimal(grouped)
    except InvalidOperation:
        return text
    if not number.is_finite():
        return text
    return int(number) if number == number.to_integral_value() else float(number)


# ── differences ──────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Change:
    """A field that has another value than before; None: it was not, or is no longer, there."""

    leaf: Leaf
    before: Any
    after: Any

    @property
    def section(self) -> str:
        return self.leaf.path[0]

    @property
    def label(self) -> str:
        return label(self.leaf)

    @property
    def before_words(self) -> str:
        return words(self.leaf, self.before)

    @property
    def after_words(self) -> str:
        return words(self.leaf, self.after)


def changes(before: Document, after: Document) -> list[Change]:
    """The fields in which two documents differ, in the order of the page."""
    found = ((leaf, value_of(before, leaf), value_of(after, leaf)) for leaf in leaves(after, before).values())
    return [Change(leaf, old, new) for leaf, old, new in found if old != new]


# ── words ────────────────────────────────────────────────────────────────────


def label(leaf: Leaf) -> str:
    """What a field is called where its card does not say it: "Key, deep talk"."""
    if leaf.kind == "touch":
        return _("%(group)s: %(field)s") % {"group": tier_words(leaf.path[-2]), "field": leaf.title}
    if leaf.kind == "parts":
        return _("Weights, %(tier)s") % {"tier": leaf.title}
    return _("%(group)s: %(field)s") % {"group": leaf.group, "field": leaf.title} if leaf.group else leaf.title


def words(leaf: Leaf, value: Any) -> str:
    """A value as people say it: ¥10,000,000, 15%, every 2 weeks."""
    if value is None:
        return leaf.empty or "–"
    if leaf.kind == "touch":
        return interval_words(str(value))
    if leaf.kind == "parts":
        return _(", ").join(f"{part.title} {words(part, _mapping(value).get(part.path[-1]))}" for part in leaf.parts)
    if leaf.kind == "points":
        return _(", ").join(_(" → ").join(plain_number(each) for each in point) for point in _pairs(value))
    if leaf.kind == "choices":
        called = dict(leaf.choices)
        return _(", ").join(called.get(str(code)) or tier_words(str(code)) for code in value) or _("none")
    if leaf.kind == "dates":
        return _(", ").join(str(each) for each in value) or _("none")
    return str(value)[:5] if leaf.kind == "time" else value_words(leaf.path, value)


def _pairs(value: Any) -> Iterable[Sequence[Any]]:
    return [each for each in value if isinstance(each, list | tuple)] if isinstance(value, list | tuple) else []


def plain_number(value: Any) -> str:
    """A number without separators, as a field takes it: 15, 1.5; text as it is."""
    if isinstance(value, float):
        return format(Decimal(str(value)).normalize(), "f")
    return "" if value is None else str(value)


def unit_signs(unit: str, currency: str) -> tuple[str, str]:
    """What stands before and after the field of a number."""
    if unit == "money":
        return symbol(currency).strip(), ""
    known = {
        "": "",
        "percent": "%",
        "days": pgettext("unit", "days"),
        "months": pgettext("unit", "months"),
        "years": pgettext("unit", "years"),
        "hours": pgettext("unit", "hours"),
        "minutes": pgettext("unit", "minutes"),
        "touches": pgettext("unit", "touches"),
        "times": pgettext("unit", "times"),
        "of 5": pgettext("unit", "of 5"),
    }
    return "", known[unit] if unit in known else gettext(unit)


def interval_words(value: str) -> str:
    """ "month/1" is every month, "month/3" 3 times a month, "days/14" every 2 weeks."""
    per, _sep, count = value.partition("/")
    if per == "days":
        return _("every 2 weeks") if count == "14" else _("every %(days)s days") % {"days": count}
    once = {
        "week": _("every week"),
        "month": _("every month"),
        "quarter": _("every quarter"),
        "half_year": _("every half-year"),
        "year": _("every year"),
    }
    often = {
        "week": _("%(times)s times a week"),
        "month": _("%(times)s times a month"),
        "quarter": _("%(times)s times a quarter"),
        "half_year": _("%(times)s times a half-year"),
        "year": _("%(times)s times a year"),
    }
    if per not in once:
        return value
    return once[per] if count == "1" else often[per] % {"times": count}


def standard_intervals() -> list[tuple[str, str]]:
    return [(each, interval_words(each)) for each in STANDARD_INTERVALS]


def period_choices() -> list[tuple[str, str]]:
    """What follows the number of an interval that is written out."""
    return [
        ("days", _("days between two")),
        ("week", _("times a week")),
        ("month", _("times a month")),
        ("quarter", _("times a quarter")),
        ("half_year", _("times a half-year")),
        ("year", _("times a year")),
    ]


def custom_interval(value: str | None) -> str:
    """The same interval in a form that is written out: every month is every 30 days."""
    try:
        touch = Touch.model_validate(touch_of("deep_talk", value or "month/1"))
    except ValueError:
        return value or "days/30"
    return f"days/{touch.interval_days}"
