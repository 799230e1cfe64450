"""What is done with the rows of each kind of file, in which order, and what must come together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import polars as pl

from customers.imports import merge_facts, merge_orders, merge_referrals
from customers.imports.checks import Firm
from customers.imports.rows import Merged, Work
from customers.imports.spool import bucket_of, home, record_of
from customers.models import Import


@dataclass(frozen=True)
class Gathering:
    """What rows must agree with each other, wherever they stand in the file, before they are merged.

    `agree` gets all rows of some records (those with the same `keys`) in the order of the file, and gives those that agree
    and the refused ones. Most records have all their rows in one bucket: these are looked at with their piece. The others are
    brought together first.
    """

    keys: tuple[str, ...]
    agree: Callable[[pl.DataFrame, Firm], tuple[pl.DataFrame, pl.DataFrame]]

    @property
    def home(self) -> pl.Expr:
        """A record's number, as `Homes.several` gives it."""
        return home(*self.keys)


_AGREED: Final = "agreed"  # the column that says of a row whether its record was looked at before the pieces were made


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
    def apart(self) -> str:
        """Where the rows of records that lie in several buckets are brought together."""
        return f"apart_{self.name}"

    def split(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The stage's part of checked rows, with the buckets of their pieces."""
        return self.place(self.pick(rows), agreed=False)

    def place(self, rows: pl.DataFrame, *, agreed: bool) -> pl.DataFrame:
        """Rows of the stage with the buckets of their pieces; `agreed`: they are all there, and agree with each other."""
        placed = rows.with_columns(bucket=bucket_of(*self.keys))
        if self.within:
            placed = placed.with_columns(within=bucket_of(*self.within))
        return placed.with_columns(pl.lit(agreed).alias(_AGREED)) if self.gathered else placed

    def records(self, rows: pl.DataFrame) -> pl.Series:
        """The numbers of the records that must agree, for `Homes`."""
        keys = self.gathered.keys if self.gathered else self.keys
        return rows.select(record_of(*keys)).to_series()

    def bring_together(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Rows that lay in several buckets, with the bucket of their record."""
        keys = self.gathered.keys if self.gathered else self.keys
        return rows.drop("within", _AGREED, strict=False).with_columns(bucket=bucket_of(*keys))

    def merge_piece(self, rows: pl.DataFrame, work: Work, firm: Firm) -> Merged:
        """Merge the rows of a piece; those that do not agree with the others of their record are refused before."""
        if self.gathered is None:
            return self.merge(rows, work)
        fresh = rows.filter(~pl.col(_AGREED)).drop(_AGREED).sort("line")
        good, failed = self.gathered.agree(fresh, firm)
        good = pl.concat([good, rows.filter(_AGREED).drop(_AGREED)])
        if good.is_empty():
            return Merged(0, 0, 0, failed)
        merged = self.merge(good, work)
        return replace(merged, lines=pl.concat([merged.lines, failed]))


STAGES: Final[dict[str, tuple[Stage, ...]]] = {
    Import.Kind.ORDERS: (
        Stage("products", merge_orders.merge_products, ("product",), merge_orders.products_named, prepares=True),
        # By customer, not by order: what a piece writes lies close together in the tables, its customers are locked
        # once, and no other piece waits for them, unless one of them has ordered more than a piece holds. An order whose
        # lines name several customers lies in several buckets: these have to agree before.
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
