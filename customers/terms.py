"""Keeps the terms by which names are found, in the transaction that writes the names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from django.db import connection

from customers.rules.search import terms
from tenants.context import current_tenant

_FORGET: Final = """
DELETE FROM customers_searchterm s
WHERE s.tenant_id = %s AND s.customer_id = ANY(%s::bigint[]) AND (s.term COLLATE "C", s.customer_id) NOT IN (
    SELECT n.term COLLATE "C", n.customer_id FROM unnest(%s::text[], %s::bigint[]) AS n(term, customer_id))
"""

# In the order of the key: one page of the index after the other.
_NOTE: Final = """
INSERT INTO customers_searchterm (tenant_id, term, customer_id)
SELECT %s, n.term, n.customer_id FROM unnest(%s::text[], %s::bigint[]) AS n(term, customer_id)
ORDER BY n.term COLLATE "C", n.customer_id
"""


def note_names(names: Mapping[int, str], *, new: bool) -> None:
    """Let these customers (id → name) be found by these names, and by no others; `new` have no terms yet."""
    if not names:
        return
    found = [(term, customer) for customer, name in names.items() for term in terms(name)]
    # Terms are letters and digits: nothing in them means anything inside of an array's text, which is parsed at once.
    texts = "{" + ",".join(f'"{term}"' for term, _customer in found) + "}"
    ids = "{" + ",".join(str(customer) for _term, customer in found) + "}"
    tenant_id = current_tenant().pk
    with connection.cursor() as cursor:
        if not new:
            cursor.execute(_FORGET, [tenant_id, list(names), texts, ids])
        cursor.execute(_NOTE if new else f"{_NOTE} ON CONFLICT DO NOTHING", [tenant_id, texts, ids])
