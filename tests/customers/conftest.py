"""Files in: `deliver` hands a file over as a person would and lets it run."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest

from customers.imports import service
from customers.models import Import
from tenants.context import tenant_scope

ORDERS = "order,customer,placed_at,product,quantity,unit_price\n"


@pytest.fixture
def deliver(cast: Any, settings: Any, tmp_path: Any) -> Callable[..., Import]:
    """Import a file's content for acme (orders unless said otherwise) and return the import as it ended."""
    settings.MEDIA_ROOT = tmp_path / "media"

    def delivered(
        content: str | bytes,
        kind: str = "orders",
        filename: str = "delivery.csv",
        mapping: dict[str, str] | None = None,
        **options: Any,
    ) -> Import:
        data = content.encode() if isinstance(content, str) else content
        tenant = options.pop("tenant", cast.tenant)
        with tenant_scope(tenant):
            row = service.start_import(kind=kind, file=io.BytesIO(data), filename=filename, **options)
            service.queue_import(row, mapping)
        return service.run_import(tenant, row.pk)

    return delivered


@pytest.fixture
def why(cast: Any) -> Callable[[Import], list[tuple[int, str, str]]]:
    """The refused lines of an import: line, column, reason."""

    def refused(row: Import) -> list[tuple[int, str, str]]:
        return [(found.line, found.column, found.reason) for found in service.outcome_page(row, outcome="failed")]

    return refused


def counts(row: Import) -> tuple[int, int, int, int, int]:
    """rows, failed, created, updated, unchanged."""
    return row.rows, row.failed, row.created, row.updated, row.unchanged
