"""Writing the people at customers."""

from __future__ import annotations

import datetime as dt
from typing import TypedDict, Unpack

from django.db import transaction
from django.utils import timezone

from customers.models import Contact, Customer
from customers.services.rows import Outcome, change, create, for_update, lock, upsert


class ContactContent(TypedDict, total=False):
    """What can be said about a person at a customer."""

    customer: Customer
    name: str
    title: str
    email: str
    phone: str
    wechat: str
    birthday: dt.date | None
    channel: str
    language: str
    consent: str
    consent_on: dt.date | None
    is_main: bool
    left_on: dt.date | None


class ContactFields(ContactContent, total=False):
    """The same, with what another system calls it."""

    source: str
    external_id: str


@transaction.atomic
def save_contact(*, contact: Contact | None = None, **fields: Unpack[ContactFields]) -> tuple[Contact, Outcome]:
    """Change the given contact, or make one.

    A new one needs customer and name. Whoever becomes the first to ask takes that from the others of the
    customer. Raises ValidationError by field.
    """
    if contact is None:
        return _create_contact(fields), "created"
    lock(contact)
    return contact, _change_contact(contact, fields)


def upsert_contact(*, source: str, external_id: str, **fields: Unpack[ContactContent]) -> tuple[Contact, Outcome]:
    """The contact that `source` calls `external_id`, with these fields; made if there is none."""
    return upsert(
        find=lambda: for_update(Contact.objects.filter(source=source, external_id=external_id)),
        make=lambda: _create_contact({"source": source, "external_id": external_id, **fields}, is_free=True),
        change=lambda contact: _change_contact(contact, fields),
    )


def _create_contact(fields: ContactFields, *, is_free: bool = False) -> Contact:
    contact = create(Contact, fields, required=("customer",), is_free=is_free)
    _only_one_main(contact)
    return contact


def _change_contact(contact: Contact, fields: ContactContent) -> Outcome:
    outcome = change(contact, fields)
    if outcome == "updated":
        _only_one_main(contact)
    return outcome


def _only_one_main(contact: Contact) -> None:
    if contact.is_main:
        others = Contact.objects.filter(customer_id=contact.customer_id, is_main=True).exclude(pk=contact.pk)
        others.update(is_main=False, updated_at=timezone.now())
