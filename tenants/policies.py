"""The policy: one versioned document per tenant; each app owns, types and validates its section."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, TypeVar, cast

from django.db.models import Q, QuerySet
from pydantic import ValidationError

from tenants.context import current_tenant
from tenants.events import acting_member, record
from tenants.kept import Kept
from tenants.models import PolicyVersion, Run, Tenant
from tenants.policy_words import PolicyFault, fault, faults_of, register, registered
from tenants.prepared import QUERIES_KEPT, Prepared
from tenants.querysets import last_night
from tenants.rules.documents import Difference, differences
from tenants.rules.sections import PACKS, Check, PolicySection

__all__ = [
    "Difference", "InvalidPolicy", "Policy", "PolicyFault", "StalePolicy", "active_policy", "check_document",
    "check_note", "complete_document", "differences", "last_night_and_policy", "pack_document", "parsed_document",
    "policy_numbered", "policy_of", "policy_on", "register", "register_check", "registered", "restore", "save_policy", "switch_pack", "versions",
]  # fmt: skip

S = TypeVar("S", bound=PolicySection)
_checks: list[Check] = []


def register_check(check: Check) -> None:
    """Have every document looked at as a whole before it is saved."""
    if check not in _checks:
        _checks.append(check)


@dataclass(frozen=True)
class Policy:
    """One version of a tenant's rules."""

    number: int
    pack: str
    document: dict[str, Any]

    @cached_property
    def _parsed(self) -> dict[str, PolicySection]:
        return {}

    def section(self, kind: type[S]) -> S:
        """The validated section of one app.

        Raises pydantic.ValidationError naming the field when the stored document does not fit.
        """
        if kind.section not in self._parsed:
            stored = self.document.get(kind.section)
            self._parsed[kind.section] = kind.pack(self.pack) if stored is None else kind.model_validate(stored)
        return cast(S, self._parsed[kind.section])


def pack_document(pack: str) -> dict[str, Any]:
    """The whole document of a shipped pack.

    Raises ValueError naming the packs there are.
    """
    _check_pack(pack)
    return {name: kind.pack(pack).model_dump(mode="json") for name, kind in registered().items()}


def switch_pack(document: Mapping[str, Any], pack: str) -> dict[str, Any]:
    """The document with all that belongs to a pack as that pack ships it: scheme, cadence, top tiers. The rest stays.

    Raises ValueError naming the packs there are.
    """
    _check_pack(pack)
    switched = dict(document)
    for name, kind in registered().items():
        shipped = kind.pack(pack).model_dump(mode="json")
        stored = document.get(name)
        kept = stored if isinstance(stored, Mapping) else shipped
        switched[name] = {**kept, **{key: shipped[key] for key in kind.pack_values(pack)}}
    return switched


def _check_pack(pack: str) -> None:
    if pack not in PACKS:
        raise ValueError(f"There is no pack {pack!r}; there are: {', '.join(PACKS)}")


# ── reading ─────────────────────────────────────────────────────────────────


def versions() -> QuerySet[PolicyVersion]:
    """All versions of the open scope, newest first, with who saved them; their documents are read when asked for."""
    rows: QuerySet[PolicyVersion] = PolicyVersion.objects.order_by("-number").select_related("created_by__user")
    return rows.defer("document")


def policy_numbered(number: int) -> Policy:
    """A version of the open scope.

    Raises PolicyVersion.DoesNotExist.
    """
    return _policy(PolicyVersion.objects.get(number=number))


def active_policy() -> Policy:
    """The version in force in the open scope.

    Raises PolicyVersion.DoesNotExist for a tenant that was made without one.
    """
    newest = next(iter(_newest.get(current_tenant().pk, _newest_of).rows()), None)
    if newest is None:
        raise PolicyVersion.DoesNotExist
    return _of_row(newest.pk)


_newest: Final[Kept[int, Prepared[PolicyVersion]]] = Kept(QUERIES_KEPT)


def _newest_of() -> Prepared[PolicyVersion]:
    return Prepared(PolicyVersion.objects.order_by("-number").only("pk")[:1])


def policy_of(night: Run | None) -> Policy:
    """The version by which a night worked, so that its numbers can be followed; without a night the version now."""
    if night is None or night.policy_version is None:
        return active_policy()
    row: int | None = vars(night).get("policy_id")  # `last_night` knows it
    return policy_numbered(night.policy_version) if row is None else _of_row(row)


POLICIES_KEPT: Final = 64
_policies: Final[Kept[int, Policy]] = Kept(POLICIES_KEPT)


def _of_row(pk: int) -> Policy:
    """The version of a row of the open scope, which never changes: read, and each section validated, once."""
    return _policies.get(pk, lambda: _policy(PolicyVersion.objects.get(pk=pk)))


def policy_on(day: dt.date) -> Policy:
    """The version in force when a day ended in the open scope's zone; for days before the first version, the first."""
    over = current_tenant().start_of(day + dt.timedelta(days=1))
    first = PolicyVersion.objects.order_by("number").values("pk")[:1]
    return _policy(PolicyVersion.objects.filter(Q(created_at__lt=over) | Q(pk=first)).order_by("-number")[:1].get())


def last_night_and_policy() -> tuple[Run, Policy] | None:
    """`last_night` and its `policy_of`; None before the first night."""
    night = last_night()
    return None if night is None else (night, policy_of(night))


def _policy(row: PolicyVersion) -> Policy:
    return Policy(number=row.number, pack=row.pack, document=row.document)


def complete_document(policy: Policy) -> dict[str, Any]:
    """The document with every section and every setting of today, in the order in which people read them.

    What the version does not say is as its pack ships it. Sections that are gone are left out; one that no
    longer fits today's rules is shown as it was saved.
    """
    return {name: _completed(kind, policy) for name, kind in registered().items()}


def _completed(kind: type[PolicySection], policy: Policy) -> Any:
    try:
        return policy.section(kind).model_dump(mode="json")
    except ValidationError:
        return policy.document[kind.section]


# ── checking ────────────────────────────────────────────────────────────────


class InvalidPolicy(ValueError):
    """A policy that cannot be saved; `faults` is everything that is wrong with it."""

    def __init__(self, faults: Sequence[PolicyFault]) -> None:
        super().__init__(" ".join(each.words for each in faults))
        self.faults = tuple(faults)


class StalePolicy(RuntimeError):
    """Somebody else has saved meanwhile; `number` is the version in force now."""

    def __init__(self, number: int) -> None:
        super().__init__(f"Version {number} is in force")
        self.number = number


def check_document(document: Any) -> list[PolicyFault]:
    """Everything that is wrong with a document, in the reader's language; nothing when it can be saved.

    A section or setting that it does not have takes its default and is no fault (saved, a section takes that of the
    pack). Sections are looked at together
    only when each is right in itself.
    """
    return _checked(document)[1]


def parsed_document(document: Any) -> dict[str, PolicySection]:
    """The document's sections by their keys, validated.

    Raises InvalidPolicy with everything that is wrong.
    """
    sections, faults = _checked(document)
    if faults:
        raise InvalidPolicy(faults)
    return sections


def _checked(document: Any, pack: str = "") -> tuple[dict[str, PolicySection], list[PolicyFault]]:
    if not isinstance(document, Mapping):
        return {}, [fault((), "model_type")]
    kinds = registered()
    faults = [fault((str(name),), "unknown_section") for name in document if name not in kinds]
    sections = {}
    for name, kind in kinds.items():
        try:
            shipped = kind.pack(pack) if pack else kind()
            sections[name] = kind.model_validate(document[name]) if name in document else shipped
        except ValidationError as error:
            faults += faults_of(name, error)
    if not faults:
        faults = [fault(m.path, m.code, m.template, m.values) for check in _checks for m in check(sections)]
    return sections, faults


# ── writing ─────────────────────────────────────────────────────────────────

NOTE_LENGTH: Final = 200


def check_note(note: str) -> list[PolicyFault]:
    """What is wrong with the reason of a change: a person says one, and it has at most 200 characters."""
    if len(note) > NOTE_LENGTH:
        return [fault(("note",), "max_length", values={"max_length": NOTE_LENGTH})]
    return [fault(("note",), "required")] if acting_member.get() is not None and not note.strip() else []


def save_policy(
    document: Mapping[str, Any], *, pack: str, note: str = "", based_on: int | None = None
) -> PolicyVersion:
    """Put a document into force as the next version; one that changes nothing makes none.

    `note` is why: it stays with the version, and a person (not a command) has to say it. `based_on` is the
    version that the writer has seen last. Returns the version that is then in force.

    Raises InvalidPolicy with everything that is wrong (the path of the note is ("note",)), StalePolicy when
    another version than `based_on` is in force, ValueError for an unknown pack.
    """
    _check_pack(pack)
    sections, faults = _checked(document, pack)
    if faults := [*faults, *check_note(note)]:
        raise InvalidPolicy(faults)
    Tenant.objects.select_for_update(no_key=True).get(pk=current_tenant().pk)  # two savers get two numbers
    last = PolicyVersion.objects.order_by("-number").first()
    if based_on is not None and based_on != (last.number if last else 0):
        raise StalePolicy(last.number if last else 0)
    clean = {name: section.model_dump(mode="json") for name, section in sections.items()}
    if last is not None and last.pack == pack and complete_document(_policy(last)) == clean:
        return last
    version = PolicyVersion.objects.create(
        number=(last.number if last else 0) + 1,
        pack=pack,
        document=clean,
        note=note.strip(),
        created_by=acting_member.get(),
    )
    record("saved", version, {"number": version.number, "pack": pack})
    return version


def restore(number: int, note: str, based_on: int | None = None) -> PolicyVersion:
    """Put an older version into force again, as a new one; sections that it does not know take its pack's defaults.

    Raises PolicyVersion.DoesNotExist, and what `save_policy` raises.
    """
    old = policy_numbered(number)
    return save_policy(complete_document(old), pack=old.pack, note=note, based_on=based_on)
