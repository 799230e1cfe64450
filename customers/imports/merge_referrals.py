"""Referrals out of files: one claim per row, by the rules of the form; a refused one says who holds the claim."""

from __future__ import annotations

from typing import Any, Final

import polars as pl
from django.core.exceptions import ValidationError
from django.db import transaction

from customers.imports.rows import OUTCOME, Merged, Work, customer_ids, refused
from customers.models import Customer, Referral
from customers.services.arrivals import arrivals_last
from customers.services.referrals import patch_referral, record_referral
from customers.services.rows import Outcome
from tenants.models import Member

# What the form calls a refusal, and what a line of the outcome calls it: the same word may mean something else there.
_CODES: Final = {
    "itself": "referral_itself",
    "circle": "referral_circle",
    "claimed_already": "referral_claimed",
    "ordered_before": "referral_not_new",
    "in_the_future": "referral_in_the_future",
    "withdrawn": "referral_withdrawn",
    "taken": "referral_claimed",
}


def merge_referrals(rows: pl.DataFrame, work: Work) -> Merged:
    """Upsert referrals by their external id; one without is known by the new customer and who recommended us.

    Row by row: each is judged by those before it, since two rows may claim the same customer or close a circle.
    """
    failed: list[pl.DataFrame] = []
    for name in ("customer", "referrer"):
        known = customer_ids(rows[name], work.source).rename({"customer": name, "customer_id": f"{name}_id"})
        rows = rows.join(known, on=name, how="left", maintain_order="left")
        strangers = rows.filter(pl.col(f"{name}_id").is_null())
        failed.append(refused(strangers, name, "unknown_customer", key="customer", value=pl.col(name)))
        rows = rows.drop_nulls(f"{name}_id")
    told: list[dict[str, Any]] = []
    ids = {*rows["customer_id"], *rows["referrer_id"]}
    customers = Customer.objects.select_related("owner_a").in_bulk(list(ids))
    members = Member.objects.in_bulk(rows["member"].drop_nulls().unique().to_list())
    with arrivals_last():
        for row in rows.sort("line").iter_rows(named=True):
            line = {"line": row["line"], "external_id": row["external_id"] or row["customer"]}
            try:
                with transaction.atomic():
                    told.append({**line, "outcome": _write(row, customers, members, work)})
            except ValidationError as error:
                told.append({**line, "outcome": "failed", **_why(error, row)})
    lines = pl.DataFrame(
        [{name: row.get(name) for name in OUTCOME} for row in told], schema=dict(OUTCOME), orient="row"
    )
    counts = dict(lines["outcome"].value_counts().iter_rows())
    return Merged(
        counts.get("created", 0), counts.get("updated", 0), counts.get("unchanged", 0), pl.concat([lines, *failed])
    )


def _write(row: dict[str, Any], customers: dict[int, Any], members: dict[int, Any], work: Work) -> Outcome:
    customer, referrer = customers[row["customer_id"]], customers[row["referrer_id"]]
    said: dict[str, Any] = {"customer": customer, "referrer": referrer, "on": row["on"]}
    said |= {"note": row["note"]} if row["note"] is not None else {}
    said |= {"member": members[row["member"]]} if row["member"] is not None else {}
    number = row["external_id"] or ""
    same = Referral.objects.filter(withdrawn_at__isnull=True, customer=customer, referrer=referrer)
    known = Referral.objects.filter(source=work.source, external_id=number) if number else same
    found = known.first()
    if found is not None:
        return patch_referral(referral=found, **said)
    record_referral(**said, source=work.source, external_id=number, origin=Referral.Origin.IMPORT)
    return "created"


def _why(error: ValidationError, row: dict[str, Any]) -> dict[str, Any]:
    errors = error.error_dict if hasattr(error, "error_dict") else {"customer": error.error_list}
    name, (first, *_others) = next(iter(errors.items()))
    field = name if name in row else "customer"
    value = row[field]
    return {
        "field": field,
        "code": _CODES.get(first.code or "", "referral_claimed"),
        "value": None if value is None else str(value),
        "detail": " ".join(first.messages),
    }
