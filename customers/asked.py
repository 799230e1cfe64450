"""What is asked of one customer after the other: queries put into SQL once for each tenant."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Generic, TypeVar

from django.db.models import Model, QuerySet

from customers.models import Customer
from tenants.context import current_tenant
from tenants.kept import Kept
from tenants.prepared import ANY_ROW, QUERIES_KEPT, Prepared

M = TypeVar("M", bound=Model)


class OfCustomer(Generic[M]):
    """The rows of one kind that belong to a customer.

    `make` puts the query together, of the customer's number and of all else that goes into it: whoever asks says that
    as well (`by`).
    """

    def __init__(self, make: Callable[..., QuerySet[M]]) -> None:
        self._make = make
        self._kept: Kept[tuple[Hashable, ...], Prepared[M]] = Kept(QUERIES_KEPT)

    def rows(self, pk: int, *by: Hashable) -> list[M]:
        """Those of a customer, as they are now."""
        key = (current_tenant().pk, *by)
        return self._kept.get(key, lambda: Prepared(self._make(ANY_ROW, *by), ANY_ROW)).rows(pk)

    def first(self, pk: int, *by: Hashable) -> M | None:
        """The first of a customer's; None where there is none."""
        return next(iter(self.rows(pk, *by)), None)


def attach(customer: Customer, name: str, rows: Sequence[Model]) -> None:
    """Have a customer's related rows at hand, as if they had been prefetched."""
    asked = getattr(customer, name).all()
    asked._result_cache = list(rows)
    vars(customer).setdefault("_prefetched_objects_cache", {})[name] = asked
