"""What is done with the rows of each kind of file, in which order, and what must come together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import polars as pl

from customers.imports import merge_facts, merge_orders, merge_referrals
from customers.imports.checks import Firm
from customers.imports.rows import Merged, Work
from customers.imports.spool import bucket_of
from customers.models import Import


@dataclass(frozen=True)
class Gathering:
    """What is looked at before the pieces are made: rows that must agree with each other, wherever they stand.

    `agree` gets all rows of some records in the order of the file, and gives those that agree and the refused ones.
    """

    keys: tuple[str, ...]
    agree: Callable[[pl.DataFrame, Firm], tuple[pl.DataFrame, pl.DataFrame]]


@dataclass(frozen=True)
class Stage:
    """A pass over the spooled rows: which rows, what keeps them together, and how a piece is merged.

    A preparing stage makes what the counted one refers to. It counts nothing, and is left out when the import
    only tries: the counted stage then makes what it needs for itself. Rows of two pieces have no key in common (but
    of those that had to be divided), so that several pieces of a stage may be merged at a time.
    """

    name: str
    merge: Callable[[pl.DataFrame, Work], Merged]
    keys: tuple[str, ...]
    pick: Callable[[pl.DataFrame], pl.DataFrame] = lambda rows: rows
    prepares: bool = False
    # What must stay together at least, where the rows of one key would be too many for a piece.
    within: tuple[str, ...] = ()
    gathered: Gathering | None = None

    @property
    def first_stop(self) -> str:
        """Where rows of the file are put down: with the pieces, or to be gathered first."""
        return f"apart_{self.name}" if self.gathered else self.name

    def split(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The stage's part of checked rows, with the buckets of where they stop first."""
        keys = self.gathered.keys if self.gathered else self.keys
        return self.pick(rows).with_columns(bucket=bucket_of(*keys))

    def place(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Gathered rows with the buckets of their pieces."""
        return rows.with_columns(bucket=bucket_of(*self.keys), within=bucket_of(*self.within))


STAGES: Final[dict[str, tuple[Stage, ...]]] = {
    Import.Kind.ORDERS: (
        Stage("products", merge_orders.merge_products, ("product",), merge_orders.products_named, prepares=True),
        # By customer, not by order: what a piece writes lies close together in the tables, its customers are locked
        # once, and no other piece waits for them, unless one of them has ordered more than a piece holds. Before that each
        # order's lines have to agree on the customer.
        Stage(
            "orders",
            merge_orders.merge_orders,
            ("customer",),
            within=("order",),
            gathered=Gathering(("order",), merge_orders.of_one_mind),
        ),
    ),
    Import.Kind.CUSTOMERS: (Stage("customers", merge_facts.merge_customers, ("customer",)),),
    Import.Kind.PRODUCTS: (Stage("products", merge_facts.merge_products, ("product",)),),
    # Of these, rows of one record may lack its number: the customer keeps them together in any case.
    Import.Kind.CONTACTS: (Stage("contacts", merge_facts.merge_contacts, ("customer",)),),
    Import.Kind.INTERACTIONS: (Stage("interactions", merge_facts.merge_interactions, ("customer",)),),
    Import.Kind.COMPLAINTS: (Stage("complaints", merge_facts.merge_complaints, ("customer",)),),
    Import.Kind.SURVEY_RESPONSES: (Stage("responses", merge_facts.merge_responses, ("customer",)),),
    Import.Kind.REFERRALS: (Stage("referrals", merge_referrals.merge_referrals, ("customer",)),),
}
