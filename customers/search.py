"""Finding customers by what people type: part of a name, a number in another system, an e-mail address, a phone.

Every word must be found somewhere (rules/search.py). A word that few customers have is looked up at once, whole; one
that many have ("Trading", 有限公司) is asked of each customer, and a list needs to ask few until its page is full.
Both find the same customers. It is the operator `^@` that looks into the indexes: behind the tenant's wall LIKE may not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import and_, or_
from typing import Any, Final

from django.db import connection
from django.db.models import Exists, F, OuterRef, Q, QuerySet

from customers.models import Contact, Customer, ExternalId, SearchTerm
from customers.rules.search import MOST_WORDS, Word, folded, words
from tenants.base import Among
from tenants.context import current_tenant
from tenants.keyset import NOBODY

FEW: Final = 10_000
"""So many customers a word may have to be looked up whole."""

NEAREST: Final = 100
"""So many customers whose number begins with what is searched for come before all others."""


@dataclass(frozen=True)
class _Place:
    """A place where the beginning of a text is looked for: a table with customer_id, and a column of bytes in order."""

    model: Any
    column: str

    @property
    def sql(self) -> str:
        bare = "" if self.column in {"term", "lookup"} else f"AND {self.column} <> '' "
        return (
            f"SELECT customer_id FROM {self.model._meta.db_table} "
            f"WHERE tenant_id = %s {bare}AND {self.column} ^@ %s LIMIT {FEW + 1}"
        )

    def has(self, beginning: str, customer: str) -> Exists:
        """The condition that the customer, to whose id a path leads, has a text there that begins so."""
        return Exists(
            self.model.objects.filter(**{"customer_id": OuterRef(customer), f"{self.column}__begins": beginning})
        )


_NAME: Final = _Place(SearchTerm, "term")
_NUMBER: Final = _Place(ExternalId, "lookup")
_EMAIL: Final = _Place(Contact, "email_lookup")
_PHONE: Final = _Place(Contact, "phone_lookup")

_Probe = tuple[_Place, str]


def named_like(rows: QuerySet[Any], text: str, customer: str = "pk") -> QuerySet[Any]:
    """Those of the rows whose customer, to whose id a path leads ("customer_id"), is called so, or its contacts are.

    Nothing typed: all rows. What cannot be in any name or number: none. One query is asked at once.
    """
    return rows.filter(is_named(text, customer))


def is_named(text: str, customer: str = "pk") -> Q:
    """The condition of `named_like`."""
    if not text.strip():
        return Q()
    asked = words(text)
    ways = [_ways(word) for word in asked]
    if not all(ways) or not ways:
        return NOBODY
    few = _look_up([probe for word in ways for way in word for probe in way])
    known: set[int] | None = None
    conditions: list[Q] = []
    for word in ways:
        found, condition = _found(word, few, customer)
        if found is not None:
            known = found if known is None else known & found
        if condition is not None:
            conditions.append(condition)
    among = Q() if known is None else Q(Among(F(customer), sorted(known)))
    return reduce(and_, conditions, among)


def _ways(word: Word) -> list[list[_Probe]]:
    """In which ways a word can be meant; of each way all must be found."""
    ways = [[(_NAME, beginning) for beginning in word.beginnings]]
    ways += [[(_NUMBER, word.number)], [(_EMAIL, word.email)], [(_PHONE, word.digits)]]
    return [way for way in ways if way and all(beginning for _place, beginning in way)]


def _look_up(probes: Sequence[_Probe]) -> dict[_Probe, set[int]]:
    """The customers of each probe that has at most FEW; the others are left out. One query."""
    probes = list(dict.fromkeys(probes))
    sql = " UNION ALL ".join(
        f"SELECT {number}, CASE WHEN count(*) <= {FEW} THEN coalesce(array_agg(customer_id), '{{}}') END "
        f"FROM ({place.sql}) found"
        for number, (place, _text) in enumerate(probes)
    )
    tenant_id = current_tenant().pk
    with connection.cursor() as cursor:
        cursor.execute(sql, [value for _place, text in probes for value in (tenant_id, text)])
        return {probes[number]: set(ids) for number, ids in cursor.fetchall() if ids is not None}


def _found(ways: list[list[_Probe]], few: dict[_Probe, set[int]], customer: str) -> tuple[set[int] | None, Q | None]:
    """Among which customers those of a word are (None: many), and what must hold of each (None: nothing more)."""
    among: set[int] = set()
    is_bounded, is_exact = True, True
    conditions: list[Q] = []
    for way in ways:
        rare = [few[probe] for probe in way if probe in few]
        frequent = [Q(place.has(text, customer)) for place, text in way if (place, text) not in few]
        ids = reduce(and_, rare) if rare else None
        if ids is None:
            is_bounded = False
        else:
            among |= ids
        if frequent:
            is_exact = False
        if ids is None or ids:
            conditions.append(reduce(and_, [*([Q(Among(F(customer), sorted(ids)))] if ids else []), *frequent]))
    condition = None if is_bounded and is_exact else reduce(or_, conditions, Q())
    return among if is_bounded else None, condition


def contacts_like(rows: QuerySet[Contact], text: str) -> QuerySet[Contact]:
    """Those of the contacts whose name or e-mail address begins so, or whose phone number ends so."""
    text = text.strip().lower()
    digits = "".join(word.digits for word in words(text))
    found = Q(name_lookup__begins=text) | Q(email_lookup__begins=text) & ~Q(email_lookup="")
    return rows.filter(found | Q(phone_lookup__begins=digits) & ~Q(phone_lookup="") if digits else found)


def beginning(text: str) -> list[Q]:
    """The conditions that a customer's name begins with one of the words, the first word's first.

    An order by name has those first: whoever types the beginning of a name means it, and the index finds them at once.
    """
    return [Q(search_name__begins=word) for word in dict.fromkeys(text.lower().replace("\0", " ").split()[:MOST_WORDS])]


def numbered(text: str) -> list[Q]:
    """The conditions that a customer's number is what is searched for, and that it is one of the next that begin so.

    Whoever types a number means it. Customers with it lie all over an order by name: of thousands whose number begins so
    the first page would have to be looked for among all; the index of numbers has the nearest at once. Always both,
    NOBODY where there is none, that a place in the list keeps its part when a number is added. One query.
    """
    number = folded(text.replace("\0", " ").strip())
    if not number:
        return []
    found = ExternalId.objects.filter(lookup__begins=number).order_by("lookup", "customer_id")
    found = list(found.values_list("lookup", "customer_id")[:NEAREST])
    exact = {pk for lookup, pk in found if lookup == number}
    near = {pk for _lookup, pk in found} - exact
    return [Q(pk__in=sorted(ids)) if ids else NOBODY for ids in (exact, near)]


def best(rows: QuerySet[Customer], text: str, most: int) -> list[Customer]:
    """The first customers that are meant: whose number it is, whose name begins so, then the others; each by name."""
    text = text.strip()
    if not text:
        return []
    numbered = ExternalId.objects.filter(lookup=folded(text)).values_list("customer_id", flat=True)[:most]
    alike = named_like(rows, text)
    found: list[Customer] = []
    for narrowed in (rows.filter(pk__in=list(numbered)), *map(alike.filter, beginning(text)), alike):
        if len(found) == most:
            break
        more = narrowed.exclude(pk__in=[row.pk for row in found]).order_by("search_name", "pk")
        found += more[: most - len(found)]
    return found
