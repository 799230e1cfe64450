"""The draft of a policy: kept in the member's session, so that no table of the firm knows of it before it is saved.

What was typed stays in it as it was typed, also when it fits nothing; tenants.policies.check_document says so in words.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any, Final

from django.http import QueryDict

from dashboards.policy_fields import (
    Change,
    Document,
    Leaf,
    cards,
    changes,
    custom_interval,
    leaves,
    number_of,
    put,
    starting_parts,
    value_of,
)
from tenants.http import TenantRequest
from tenants.policies import Policy, active_policy, complete_document, policy_numbered, switch_pack
from tenants.policy_words import registered
from tenants.rules.documents import at
from tenants.rules.sections import PACKS

SCHEME: Final = ("tiers", "scheme")
OTHER: Final = "other"
"""In a touch's select: write the interval out."""

_CLOCK = re.compile(r"^([01]?\d|2[0-3]):([0-5]\d)$")


@dataclass(frozen=True)
class Draft:
    """A document on its way to the next version; `based_on` is the number of the version it was begun on."""

    based_on: int
    pack: str
    document: Document
    note: str = ""

    @cached_property
    def base(self) -> Policy:
        return policy_numbered(self.based_on)

    @cached_property
    def before(self) -> Document:
        """The version that it was begun on, with every section."""
        return complete_document(self.base)

    @cached_property
    def changes(self) -> list[Change]:
        """What is different from the version it was begun on."""
        return changes(self.before, self.document)

    @property
    def is_changed(self) -> bool:
        return bool(self.changes) or self.pack != self.base.pack


def begin(policy: Policy) -> Draft:
    """A draft that changes nothing yet."""
    return Draft(policy.number, policy.pack, complete_document(policy))


def draft_of(request: TenantRequest) -> Draft:
    """The member's draft; without one, or with one that changes nothing, the version in force."""
    kept = request.session.get(_key(request))
    if kept is None:
        return begin(active_policy())
    draft = Draft(**kept)
    active = active_policy()
    if draft.based_on != active.number and not draft.is_changed:
        return replace(begin(active), note=draft.note)
    return draft


def keep(request: TenantRequest, draft: Draft) -> None:
    """Write the draft into the session; one that changes nothing needs no place."""
    if not draft.is_changed and not draft.note:
        return discard(request)
    request.session[_key(request)] = asdict(draft)
    return _write(request)


def discard(request: TenantRequest) -> None:
    """Forget the draft."""
    request.session.pop(_key(request), None)
    _write(request)


def _write(request: TenantRequest) -> None:
    # At once, not after the dry run: of two changes in a row the first could end last, and would win.
    request.session.save()
    request.session.modified = False


def _key(request: TenantRequest) -> str:
    return f"policy:{request.tenant.pk}"


def with_pack(draft: Draft, pack: str) -> Draft:
    """The draft with all that belongs to a pack as that pack ships it; the rest stays.

    Raises ValueError for a pack that does not exist.
    """
    return replace(draft, pack=pack, document=switch_pack(draft.document, pack))


def with_values(draft: Draft, values: Mapping[str, Any]) -> Draft:
    """The draft with these values, by the names of their fields; names that it does not have change nothing."""
    document, known = draft.document, {leaf.name: leaf for leaf in leaves(draft.document, draft.before).values()}
    for name, value in values.items():
        if name in known:
            document = put(document, known[name], value)
    return replace(draft, document=document)


def onto_newest(draft: Draft) -> tuple[Draft, list[Change]]:
    """The draft's changes on top of the version in force, and those of them that this version had changed, too."""
    newest = begin(active_policy())
    theirs = {change.leaf.path for change in changes(draft.before, newest.document)}
    document = newest.document
    for change in draft.changes:
        document = put(document, change.leaf, change.after)
    pack = draft.pack if draft.pack != draft.base.pack else newest.pack
    moved = replace(newest, pack=pack, document=document, note=draft.note)
    return moved, [change for change in draft.changes if change.leaf.path in theirs]


def put_back(draft: Draft, name: str) -> Draft:
    """The draft with one field as the version it was begun on has it; with the scheme goes all that came with it."""
    together = _of_packs() if name == ".".join(SCHEME) else set()
    document = draft.document
    for change in draft.changes:
        if change.leaf.name == name or change.leaf.path[:2] in together:
            document = put(document, change.leaf, change.before)
    return replace(draft, document=document, pack=draft.base.pack if together else draft.pack)


def _of_packs() -> set[tuple[str, str]]:
    """The settings that packs bring along: one may bring what another leaves as it is."""
    return {
        (section, key) for section, kind in registered().items() for pack in PACKS for key in kind.pack_values(pack)
    }


def take_away(draft: Draft, name: str) -> Draft:
    """The draft without something that is optional; a name that is none of these changes nothing."""
    leaf = leaves(draft.document).get(tuple(name.split(".")))
    return draft if leaf is None or not leaf.optional else replace(draft, document=put(draft.document, leaf, None))


# ── what a form says ─────────────────────────────────────────────────────────


def take(draft: Draft, section: str, posted: QueryDict) -> Draft:
    """The draft with what the form of one section says; fields that it does not have stay.

    With another scheme comes all that belongs to it: a cadence for tiers that nobody has would be refused.
    """
    document = draft.document
    for card in cards(section, draft.document, draft.before):
        for leaf in card.leaves:
            if _is_posted(leaf, posted):
                value = _typed(leaf, posted, value_of(draft.document, leaf))
                if value != value_of(document, leaf):
                    document = put(document, leaf, value)
        if card.adding and (chosen := posted.get(card.adding.name)) in dict(card.adding.choices):
            added = Leaf((*card.adding.path, str(chosen)), "", card.adding.kind, optional=True)
            usual = "month/1" if added.kind == "touch" else starting_parts(document, added.path)
            document = put(document, added, usual)
    taken = replace(draft, document=document, note=str(posted.get("note", draft.note)).strip())
    scheme = at(document, SCHEME)
    return with_pack(taken, scheme) if scheme != at(draft.document, SCHEME) and scheme in PACKS else taken


def _is_posted(leaf: Leaf, posted: QueryDict) -> bool:
    suffixes = {"points": (".0.0",), "choices": (".shown",), "touch": ("", ".count"), "parts": ()}.get(leaf.kind, ("",))
    return any(f"{leaf.name}{suffix}" in posted for suffix in suffixes) or any(
        part.name in posted for part in leaf.parts
    )


def _typed(leaf: Leaf, posted: QueryDict, now: Any) -> Any:
    """What the form says of a field, as JSON; what fits nothing as it was typed."""
    text = posted.get(leaf.name, "").strip()
    if leaf.kind in {"whole", "decimal", "money"}:
        return None if leaf.optional and not text else number_of(text)
    if leaf.kind == "time":
        clock = _CLOCK.match(text)
        return f"{int(clock[1]):02}:{clock[2]}:00" if clock else text
    if leaf.kind == "choices":
        chosen = set(posted.getlist(leaf.name))
        return [code for code, _words in leaf.choices if code in chosen]
    if leaf.kind == "dates":
        return text.replace("，", ",").replace(",", " ").split()
    if leaf.kind == "points":
        return _points(leaf, posted)
    if leaf.kind == "parts":
        held = now if isinstance(now, Mapping) else {}
        typed = {part.path[-1]: number_of(str(posted[part.name])) for part in leaf.parts if part.name in posted}
        return {**held, **typed}
    if leaf.kind == "touch":
        return _touch(leaf, posted, now)
    return text


def _points(leaf: Leaf, posted: QueryDict) -> list[list[Any]]:
    points, at_row = [], 0
    while f"{leaf.name}.{at_row}.0" in posted:
        pair = [posted.get(f"{leaf.name}.{at_row}.{side}", "").strip() for side in (0, 1)]
        if any(pair):
            points.append([number_of(each) for each in pair])
        at_row += 1
    return points


def _touch(leaf: Leaf, posted: QueryDict, now: str | None) -> str | None:
    if f"{leaf.name}.count" in posted:
        per = posted.get(f"{leaf.name}.per", "")
        count = str(posted[f"{leaf.name}.count"]).strip()
        return f"{per}/{count}" if per else None
    chosen = posted.get(leaf.name, "")
    return custom_interval(now) if chosen == OTHER else chosen or None
