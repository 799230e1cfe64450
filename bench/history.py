"""How much space the history of health takes: `python -m bench.history --tenant SLUG --until 2011-12-10`.

Runs the health step of every night of a year over the facts of a firm that is there, in a transaction that is rolled
back at the end, and prints one JSON object: customers, nights, rows of the history, rows per customer and year, and
bytes per customer and year (the table with its index, freshly packed), beside the same for customers who had a score
on at least one night; and the longest night (seconds).
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import sys
import time

YEAR = 365


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tenant", required=True)
    parser.add_argument("--until", type=dt.date.fromisoformat, required=True, help="the last night")
    parser.add_argument("--nights", type=int, default=YEAR)
    asked = parser.parse_args()

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    import django

    django.setup()
    from django.db import transaction

    from health.models import HealthHistory
    from health.nightly import run
    from tenants.context import tenant_scope
    from tenants.models import Tenant

    tenant = Tenant.objects.get(slug=asked.tenant)
    longest, customers = 0.0, 0
    with transaction.atomic():
        with tenant_scope(tenant):
            HealthHistory.objects.all().delete()
            for ago in range(asked.nights - 1, -1, -1):
                begun = time.perf_counter()
                customers = run(asked.until - dt.timedelta(days=ago))["customers"]
                longest = max(longest, time.perf_counter() - begun)
            scored = HealthHistory.objects.filter(score__isnull=False).values("customer").distinct()
            of_scored = HealthHistory.objects.filter(customer__in=scored)
            rows, scored_rows, scored_customers = HealthHistory.objects.count(), of_scored.count(), scored.count()
            each = _bytes_of_a_row(tenant.pk)
        transaction.set_rollback(True)
    years = asked.nights / YEAR
    figures = {
        "tenant": asked.tenant,
        "nights": asked.nights,
        "customers": customers,
        "rows": rows,
        "bytes_per_row": round(each, 1),
        "rows_per_customer_year": round(rows / customers / years, 2),
        "bytes_per_customer_year": round(each * rows / customers / years),
        "scored": {
            "customers": scored_customers,
            "rows_per_customer_year": round(scored_rows / max(1, scored_customers) / years, 2),
            "bytes_per_customer_year": round(each * scored_rows / max(1, scored_customers) / years),
        },
        "longest_night": round(longest, 2),
    }
    json.dump(figures, sys.stdout)
    sys.stdout.write("\n")


def _bytes_of_a_row(tenant_id: int) -> float:
    """Table and index of the tenant's rows, copied into a table of their own, by row."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE packed (LIKE health_healthhistory INCLUDING INDEXES) ON COMMIT DROP")
        cursor.execute("INSERT INTO packed SELECT * FROM health_healthhistory WHERE tenant_id = %s", [tenant_id])
        cursor.execute("SELECT pg_total_relation_size('packed')::float / count(*) FROM packed")
        (size,) = cursor.fetchone()
    return float(size)


if __name__ == "__main__":
    main()
