"""Parts: a big tenant's work is cut by the customers' numbers, so that memory is bounded and workers share it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

LAST_NUMBER: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Part:
    """Customers by number, from `first` to `last`, both included."""

    first: int = 0
    last: int = LAST_NUMBER

    @property
    def is_everybody(self) -> bool:
        """Whether nobody is left out."""
        return self == EVERYBODY

    def sql(self, column: str = "customer_id") -> str:
        """The condition that a number in `column` lies in the part, with the numbers in it."""
        return "true" if self.is_everybody else f"{column} BETWEEN {self.first} AND {self.last}"


EVERYBODY: Final = Part()

Customers: TypeAlias = Sequence[int] | Part | None
"""Their ids, or a part of them; None: everybody."""


def among(customers: Customers, column: str = "customer_id") -> str:
    """The SQL condition that the number in `column` is one of the customers, with the numbers in it."""
    match customers:
        case None:
            return "true"
        case Part():
            return customers.sql(column)
        case _:
            return f"{column} = ANY ('{{{','.join(str(int(each)) for each in customers)}}}'::bigint[])"


def are_few(customers: Customers) -> bool:
    """Whether their rows are best found one by one in an index: they are named, not a stretch of numbers."""
    return not (customers is None or isinstance(customers, Part))


def parts_of(cuts: Sequence[int]) -> list[Part]:
    """The parts between the numbers at which to cut; each cut is the last number of its part.

    >>> parts_of([10, 20])
    [Part(first=0, last=10), Part(first=11, last=20), Part(first=21, last=9223372036854775807)]
    """
    firsts = [0, *(cut + 1 for cut in cuts)]
    return [Part(first, last) for first, last in zip(firsts, [*cuts, LAST_NUMBER], strict=True)]
