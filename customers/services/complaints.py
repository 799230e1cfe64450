"""Writing down what went wrong for customers, and how it was solved."""

from __future__ import annotations

import datetime as dt
from typing import Any, TypedDict, Unpack

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from customers.models import Complaint, Customer, Order
from customers.services.arrivals import add_fact, change_fact
from customers.services.rows import Outcome, error_of, for_update, lock, upsert


class ComplaintContent(TypedDict, total=False):
    """What can be said about a complaint; `solved_at` given and not empty means that it is solved."""

    customer: Customer
    order: Order | None
    opened_at: dt.datetime
    topic: str
    kind: str
    severity: str
    text: str
    solved_at: dt.datetime | None
    first_time: bool | None


class ComplaintFields(ComplaintContent, total=False):
    """The same, with what another system calls it."""

    source: str
    external_id: str


@transaction.atomic
def open_complaint(**fields: Unpack[ComplaintFields]) -> Complaint:
    """Write down that something went wrong: needs customer and topic; opened now unless said otherwise."""
    return _open(fields)


def _open(fields: ComplaintFields, *, is_free: bool = False) -> Complaint:
    return add_fact(Complaint, fields, check=_check_complaint, verb="opened", is_free=is_free)


@transaction.atomic
def solve_complaint(*, complaint: Complaint, first_time: bool | None = None, at: dt.datetime | None = None) -> Outcome:
    """Note that a complaint is solved, now unless said otherwise, and whether that took one try."""
    return patch_complaint(complaint=complaint, solved_at=at or timezone.now(), first_time=first_time)


@transaction.atomic
def patch_complaint(*, complaint: Complaint, **fields: Unpack[ComplaintFields]) -> Outcome:
    """Change the given fields of a complaint; the event says "solved" when this solved it."""
    lock(complaint)
    return _change_complaint(complaint, fields)


def upsert_complaint(*, source: str, external_id: str, **fields: Unpack[ComplaintContent]) -> tuple[Complaint, Outcome]:
    """The complaint that `source` calls `external_id`, with these fields; made if there is none."""
    return upsert(
        find=lambda: for_update(Complaint.objects.filter(source=source, external_id=external_id)),
        make=lambda: _open({"source": source, "external_id": external_id, **fields}, is_free=True),
        change=lambda complaint: _change_complaint(complaint, fields),
    )


def _change_complaint(complaint: Complaint, fields: ComplaintContent) -> Outcome:
    solved = complaint.solved_at is None and fields.get("solved_at") is not None
    return change_fact(complaint, fields, check=_check_complaint, verb="solved" if solved else "updated")


def _check_complaint(complaint: Complaint) -> dict[str, Any]:
    wrong: dict[str, Any] = {}
    if complaint.order is not None and complaint.order.customer_id != complaint.customer_id:
        wrong["order"] = error_of(_("This order belongs to another customer."), "other_customer")
    if complaint.solved_at is not None and complaint.solved_at < complaint.opened_at:
        wrong["solved_at"] = error_of(_("It cannot be solved before it was opened."), "before_opened")
    return wrong
