"""Writing articles."""

from __future__ import annotations

from typing import TypedDict, Unpack

from django.db import transaction

from customers.models import DEFAULT_SOURCE, Product
from customers.services.rows import Outcome, change, create, for_update, lock, upsert


class ProductFields(TypedDict, total=False):
    """What can be said about an article."""

    name: str
    category: str


def upsert_product(*, source: str, external_id: str, **fields: Unpack[ProductFields]) -> tuple[Product, Outcome]:
    """The article that `source` calls `external_id`, with these fields; made if there is none."""
    return upsert(
        find=lambda: for_update(Product.objects.filter(source=source, external_id=external_id)),
        make=lambda: create(Product, {"source": source, "external_id": external_id, **fields}, is_free=True),
        change=lambda product: change(product, fields),
    )


@transaction.atomic
def create_product(*, source: str = DEFAULT_SOURCE, external_id: str, **fields: Unpack[ProductFields]) -> Product:
    """A new article.

    Raises ValidationError by field; with the code "taken" when the source has one of that id.
    """
    return create(Product, {"source": source, "external_id": external_id, **fields})


@transaction.atomic
def patch_product(*, product: Product, **fields: Unpack[ProductFields]) -> Outcome:
    """Change the given fields of an article."""
    lock(product)
    return change(product, fields)
