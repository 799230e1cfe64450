"""Writing customers: who they are, what other systems call them, their tags and owners."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Any, TypedDict, Unpack

from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.utils.translation import gettext as _

from customers.models import Customer, CustomerTag, ExternalId, Tag
from customers.services.arrivals import arrived
from customers.services.rows import Name, Outcome, all_of, below, change, clean, error_of, for_update, lock, upsert
from tenants.events import record
from tenants.models import Member


class OwnerFields(TypedDict, total=False):
    """Who looks after a customer, and who covers."""

    owner_a: Member | None
    owner_b: Member | None


class CustomerFields(OwnerFields, total=False):
    """What can be said about a customer. `tags` are all of them, by name; new ones are made."""

    name: str
    country: str
    city: str
    industry: str
    industry_position: int | None
    growth_potential: str
    since: dt.date | None
    closed_on: dt.date | None
    note: str
    tags: Sequence[str]


@transaction.atomic
def create_customer(*, external_ids: Iterable[Name] = (), **fields: Unpack[CustomerFields]) -> Customer:
    """A new customer.

    Raises ValidationError by field; with the code "taken" when an external id belongs to another one.
    """
    return _create_customer(external_ids, fields)


def _create_customer(external_ids: Iterable[Name], fields: CustomerFields, *, free: Name | None = None) -> Customer:
    """`free` is a name that was looked for a moment ago and belongs to nobody."""
    plain, tags, owners = _split_customer(fields)
    customer = Customer(**plain, **owners)
    names = list(dict.fromkeys(external_ids))
    all_of(
        lambda: _check_owners(customer),
        lambda: _refuse_taken_ids(names, None, free=free),
        lambda: clean(customer),
    )
    customer.save(force_insert=True)
    ExternalId.objects.bulk_create([ExternalId(customer=customer, source=s, value=v) for s, v in names])
    if tags:
        _set_tags(customer, tags)
    record("created", customer)
    arrived([customer.pk])
    return customer


@transaction.atomic
def patch_customer(
    *, customer: Customer, external_ids: Iterable[Name] = (), **fields: Unpack[CustomerFields]
) -> Outcome:
    """Change the given fields and add the given external ids.

    An owner is changed as by `set_owners`, with an event of its own. Raises ValidationError by field.
    """
    lock(customer)
    return _change_customer(customer, external_ids, fields)


def upsert_customer(
    *, source: str, external_id: str, external_ids: Iterable[Name] = (), **fields: Unpack[CustomerFields]
) -> tuple[Customer, Outcome]:
    """The customer that `source` calls `external_id`, with these fields; made if there is none.

    Raises ValidationError by field; a new customer needs a name.
    """
    name = (source, external_id)
    called = ExternalId.objects.filter(any_of([name])).values("customer_id")
    return upsert(
        find=lambda: for_update(Customer.objects.filter(pk__in=called)),
        make=lambda: _create_customer([name, *external_ids], fields, free=name),
        change=lambda customer: _change_customer(customer, external_ids, fields),
    )


def any_of(names: Iterable[Name]) -> models.Q:
    """The condition that an external id is one of these; there must be at least one."""
    wanted = models.Q()
    for source, value in names:
        wanted |= models.Q(source=source, value=value)
    return wanted


def _change_customer(customer: Customer, external_ids: Iterable[Name], fields: CustomerFields) -> Outcome:
    plain, tags, owners = _split_customer(fields)
    changes: dict[str, Any] = {}
    if tags is not None and (tag_change := _set_tags(customer, tags)):
        changes["tags"] = tag_change
    if added := _add_external_ids(customer, list(dict.fromkeys(external_ids))):
        changes["external_ids"] = added
    outcome = change(customer, plain, beside=changes)
    if outcome != "unchanged":
        arrived([customer.pk])
    if owners and set_owners(customer=customer, **owners) == "updated":
        return "updated"
    return outcome


def _split_customer(fields: CustomerFields) -> tuple[dict[str, Any], Sequence[str] | None, OwnerFields]:
    plain: dict[str, Any] = {k: v for k, v in fields.items() if k not in {"tags", "owner_a", "owner_b"}}
    owners: Any = {k: v for k, v in fields.items() if k in {"owner_a", "owner_b"}}
    return plain, fields.get("tags"), owners


@transaction.atomic
def set_owners(*, customer: Customer, **owners: Unpack[OwnerFields]) -> Outcome:
    """Change who looks after the customer; an owner that is not given stays.

    Open follow-ups stay with whom they are: followups.services.change_owner moves them too. Raises
    ValidationError when both owners are the same person.
    """
    before = (customer.owner_a_id, customer.owner_b_id)
    for name, owner in owners.items():
        setattr(customer, name, owner)
    after = (customer.owner_a_id, customer.owner_b_id)
    if after == before:
        return "unchanged"
    _check_owners(customer)
    customer.save(update_fields=["owner_a", "owner_b", "updated_at"])
    pairs = zip(("owner_a", "owner_b"), before, after, strict=True)
    record("owners_changed", customer, {name: [old, new] for name, old, new in pairs if old != new})
    return "updated"


def _check_owners(customer: Customer) -> None:
    if customer.owner_a_id is not None and customer.owner_a_id == customer.owner_b_id:
        raise ValidationError(
            {"owner_b": error_of(_("The B owner covers for the A owner: somebody else."), "same_owner")}
        )


@transaction.atomic
def add_external_id(*, customer: Customer, source: str, external_id: str) -> Outcome:
    """Remember what another system calls the customer.

    Raises ValidationError with the code "taken" when it calls another customer so.
    """
    return change(
        customer,
        {},
        beside={"external_ids": added} if (added := _add_external_ids(customer, [(source, external_id)])) else {},
    )


def _add_external_ids(customer: Customer, names: Sequence[Name]) -> list[str]:
    if not names:
        return []
    _refuse_taken_ids(names, customer)
    known = set(customer.external_ids.values_list("source", "value"))
    new = [ExternalId(customer=customer, source=s, value=v) for s, v in names if (s, v) not in known]
    ExternalId.objects.bulk_create(new)
    return [str(row) for row in new]


def _refuse_taken_ids(names: Sequence[Name], customer: Customer | None, *, free: Name | None = None) -> None:
    for place, (source, value) in enumerate(names):
        row = ExternalId(source=source, value=value)
        try:
            row.clean_fields(exclude={"customer", "tenant"})
        except ValidationError as error:
            raise ValidationError(below(f"external_ids/{place}", error)) from error
    asked = [name for name in names if name != free]
    if not asked:
        return
    theirs = ExternalId.objects.filter(any_of(asked))
    if customer is not None:
        theirs = theirs.exclude(customer=customer)
    if taken := theirs.first():
        words = _("Another customer is called %(name)s already.") % {"name": taken}
        raise ValidationError({f"external_ids/{names.index((taken.source, taken.value))}": error_of(words, "taken")})


def _set_tags(customer: Customer, names: Iterable[str]) -> list[list[str]]:
    """Give the customer exactly these tags; returns [before, after] by name, empty when nothing changed."""
    wanted = sorted({name.strip() for name in names} - {""})
    links = {link.tag.name: link for link in CustomerTag.objects.filter(customer=customer).select_related("tag")}
    if wanted == sorted(links):
        return []
    new = [name for name in wanted if name not in links]
    rows = {tag.name: tag for tag in Tag.objects.filter(name__in=new)}
    for name in new:
        if name not in rows:
            rows[name] = Tag(name=name)
            try:
                rows[name].clean_fields(exclude={"tenant"})
            except ValidationError as error:
                raise ValidationError({"tags": error.error_dict["name"]}) from error
            rows[name].save(force_insert=True)
    CustomerTag.objects.bulk_create([CustomerTag(customer=customer, tag=rows[name]) for name in new])
    gone = [link.pk for name, link in links.items() if name not in wanted]
    CustomerTag.objects.filter(pk__in=gone).delete()
    return [sorted(links), wanted]
