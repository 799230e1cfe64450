"""What is done with the rows of each kind of file, in which order, and what must come together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import polars as pl

from customers.imports import merge_facts, merge_orders
from customers.imports.rows import Merged, Work
from customers.imports.spool import bucket_of
from customers.models import Import


@dataclass(frozen=True)
class Stage:
    """A pass over the spooled rows: which rows, what keeps them together, and how a piece is merged.

    A preparing stage makes what the counted one refers to. It counts nothing, and is left out when the import
    only tries: the counted stage then makes what it needs for itself.
    """

    name: str
    merge: Callable[[pl.DataFrame, Work], Merged]
    keys: tuple[str, ...]
    pick: Callable[[pl.DataFrame], pl.DataFrame] = lambda rows: rows
    prepares: bool = False

    def split(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The stage's part of checked rows, with their buckets."""
        return self.pick(rows).with_columns(bucket=bucket_of(*self.keys))


STAGES: Final[dict[str, tuple[Stage, ...]]] = {
    Import.Kind.ORDERS: (
        Stage("customers", merge_orders.merge_customers, ("customer",), merge_orders.customers_named, prepares=True),
        Stage("products", merge_orders.merge_products, ("product",), merge_orders.products_named, prepares=True),
        Stage("orders", merge_orders.merge_orders, ("order",)),
    ),
    Import.Kind.CUSTOMERS: (Stage("customers", merge_facts.merge_customers, ("customer",)),),
    Import.Kind.PRODUCTS: (Stage("products", merge_facts.merge_products, ("product",)),),
    # Of these, rows of one record may lack its number: the customer keeps them together in any case.
    Import.Kind.CONTACTS: (Stage("contacts", merge_facts.merge_contacts, ("customer",)),),
    Import.Kind.INTERACTIONS: (Stage("interactions", merge_facts.merge_interactions, ("customer",)),),
    Import.Kind.COMPLAINTS: (Stage("complaints", merge_facts.merge_complaints, ("customer",)),),
    Import.Kind.SURVEY_RESPONSES: (Stage("responses", merge_facts.merge_responses, ("customer",)),),
}
