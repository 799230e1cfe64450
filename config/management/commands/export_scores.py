"""manage.py export_scores --tenant acme: where every customer stands, as CSV."""

from typing import Any

from health.querysets import export_rows
from tenants.context import tenant_scope
from tenants.export import write_csv
from tenants.management.base import TenantCommand

COLUMNS = (
    "external_id", "last_order_on", "recency_days", "frequency", "monetary", "r", "f", "m",
    "segment", "tier", "health", "colour",
)  # fmt: skip


class Command(TenantCommand):
    help = "Print every customer's scores as CSV."

    def handle(self, *args: Any, **options: Any) -> None:
        with tenant_scope(self.tenant(options)):
            for line in write_csv(COLUMNS, export_rows()):
                self.stdout.write(line, ending="")
