"""The policy: one versioned document per tenant; each app owns, types and validates its section."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar, cast

from django.db.models import Max

from tenants.context import current_tenant
from tenants.events import acting_member, record
from tenants.models import PolicyVersion, Run, Tenant
from tenants.rules.sections import PACKS, PolicySection

S = TypeVar("S", bound=PolicySection)
_sections: dict[str, type[PolicySection]] = {}


def register(section: type[PolicySection]) -> None:
    """Make a section part of every tenant's policy; apps call it when they are ready."""
    _sections[section.section] = section


def registered() -> dict[str, type[PolicySection]]:
    return dict(_sections)


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
    if pack not in PACKS:
        raise ValueError(f"There is no pack {pack!r}; there are: {', '.join(PACKS)}")
    return {name: kind.pack(pack).model_dump(mode="json") for name, kind in sorted(_sections.items())}


def save_policy(document: dict[str, Any], *, pack: str, note: str = "") -> PolicyVersion:
    """Validate every section and put the document into force as the next version."""
    for name, kind in _sections.items():
        kind.model_validate(document.get(name, {}))
    Tenant.objects.select_for_update().get(pk=current_tenant().pk)  # two savers get two numbers
    last = PolicyVersion.objects.aggregate(last=Max("number"))["last"] or 0
    version = PolicyVersion.objects.create(
        number=last + 1, pack=pack, document=document, note=note, created_by=acting_member.get()
    )
    record("saved", version, {"number": version.number, "pack": pack})
    return version


def active_policy() -> Policy:
    """The version in force in the open scope.

    Raises PolicyVersion.DoesNotExist for a tenant that was made without one.
    """
    row = PolicyVersion.objects.order_by("-number")[:1].get()
    return Policy(number=row.number, pack=row.pack, document=row.document)


def policy_of(night: Run | None) -> Policy:
    """The version by which a night worked, so that its numbers can be followed; without a night the version now."""
    if night is None or night.policy_version is None:
        return active_policy()
    row = PolicyVersion.objects.get(number=night.policy_version)
    return Policy(number=row.number, pack=row.pack, document=row.document)
