"""How long a dry run of a policy takes on a firm that is there: `python -m bench.dry_run --tenant SLUG`.

Prints one JSON object: customers, and for the dry run, and for the dry run with its alternatives, the median and the
longest of some runs (seconds). Nothing is written.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tenant", required=True)
    parser.add_argument("--runs", type=int, default=9)
    asked = parser.parse_args()

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    import django

    django.setup()
    from dashboards.dry_run import alternatives, dry_run
    from tenants.context import tenant_scope
    from tenants.models import Tenant
    from tenants.policies import active_policy, complete_document
    from tenants.rules.documents import put

    alone, whole, customers = [], [], 0
    with tenant_scope(Tenant.objects.get(slug=asked.tenant)):
        document = complete_document(active_policy())
        silver = document["tiers"]["silver_best"]
        for number in range(asked.runs):
            draft = put(document, ("tiers", "silver_best"), 1 + (silver + number) % 99)
            begun = time.perf_counter()
            run = dry_run(draft)
            alone.append(time.perf_counter() - begun)
            alternatives(draft, run)
            whole.append(time.perf_counter() - begun)
            customers = run.customers
    seen = {"dry_run": alone, "with_alternatives": whole}
    figures = {
        name: {"median": round(statistics.median(each), 3), "longest": round(max(each), 3)}
        for name, each in seen.items()
    }
    json.dump({"tenant": asked.tenant, "customers": customers, "runs": asked.runs, **figures}, sys.stdout)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
