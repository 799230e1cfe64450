"""Writing what shows that customers are worth more than their money: referrals, endorsements, and the like."""

from __future__ import annotations

import datetime as dt
from typing import Any, TypedDict, Unpack

from django.db import transaction
from django.utils.translation import gettext as _

from customers.models import Customer, Evidence
from customers.services.rows import Outcome, change, create, error_of, for_update, lock, upsert
from tenants.context import current_tenant
from tenants.events import record
from tenants.models import Member


class EvidenceContent(TypedDict, total=False):
    """What can be said about a piece of evidence; `referred` is who came, and only a referral has one."""

    customer: Customer
    kind: str
    on: dt.date
    note: str
    referred: Customer | None
    member: Member | None


class EvidenceFields(EvidenceContent, total=False):
    """The same, with what another system calls it."""

    source: str
    external_id: str


@transaction.atomic
def add_evidence(**fields: Unpack[EvidenceFields]) -> Evidence:
    """Write down a piece of evidence: needs customer, kind and day. It counts from the next night on.

    Raises ValidationError by field: a day that is still to come, a customer who refers itself, a customer
    whom somebody has referred already, and a customer who came with what is no referral.
    """
    return _add(fields)


def _add(fields: EvidenceFields, *, is_free: bool = False) -> Evidence:
    required = ("customer", "on")
    return create(Evidence, fields, required=required, check=_check_evidence, verb="added", is_free=is_free)


@transaction.atomic
def change_evidence(*, evidence: Evidence, **fields: Unpack[EvidenceFields]) -> Outcome:
    """Change the given fields of a piece of evidence."""
    lock(evidence)
    return change(evidence, fields, check=_check_evidence)


def upsert_evidence(*, source: str, external_id: str, **fields: Unpack[EvidenceContent]) -> tuple[Evidence, Outcome]:
    """The evidence that `source` calls `external_id`, with these fields; made if there is none."""
    return upsert(
        find=lambda: for_update(Evidence.objects.filter(source=source, external_id=external_id)),
        make=lambda: _add({"source": source, "external_id": external_id, **fields}, is_free=True),
        change=lambda evidence: change(evidence, fields, check=_check_evidence),
    )


@transaction.atomic
def delete_evidence(*, evidence: Evidence) -> None:
    """Take back what turned out to be wrong; the event keeps what it said."""
    lock(evidence)
    said = {
        "kind": evidence.kind,
        "on": str(evidence.on),
        "note": evidence.note,
        "referred": evidence.referred_id,
        "member": evidence.member_id,
        "source": evidence.source,
        "external_id": evidence.external_id,
    }
    record("deleted", evidence, {name: [value, None] for name, value in said.items() if value not in ("", None)})
    evidence.delete()


def _check_evidence(evidence: Evidence) -> dict[str, Any]:
    wrong: dict[str, Any] = {}
    if evidence.on > current_tenant().today():
        wrong["on"] = error_of(_("This day is still to come."), "in_the_future")
    if evidence.referred_id is None:
        return wrong
    # What who came buys counts for who sent them: once, and for somebody else.
    others = Evidence.objects.filter(referred=evidence.referred_id).exclude(pk=evidence.pk)
    if evidence.kind != Evidence.Kind.REFERRAL:
        wrong["referred"] = error_of(_("Only a referral names who came."), "not_a_referral")
    elif evidence.referred_id == evidence.customer_id:
        wrong["referred"] = error_of(_("A customer cannot refer itself."), "itself")
    elif others.exists():
        wrong["referred"] = error_of(_("It is written down already who referred this customer."), "referred_already")
    return wrong
