"""manage.py nightly --tenant acme [--as-of 2011-12-10]: the tenant's night at once; prints one JSON object."""

import datetime as dt
import json
from typing import Any

from django.core.management.base import CommandError, CommandParser

from config.night import run_night
from tenants.context import tenant_scope
from tenants.management.base import TenantCommand
from tenants.models import Run


class Command(TenantCommand):
    help = "Run a tenant's night at once: scores, tiers, health, follow-ups, alerts."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--as-of", type=dt.date.fromisoformat, metavar="YYYY-MM-DD", help="default: today")
        parser.add_argument(
            "--everybody", action="store_true", help="work all customers out anew, not only those who can have changed"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        tenant = self.tenant(options)
        run = run_night(tenant, options["as_of"] or tenant.today(), everybody=options["everybody"])
        with tenant_scope(tenant):
            steps = {step.name: step for step in run.steps.all()}
        failed = next((step for step in steps.values() if step.error), None)
        if failed or run.status != Run.Status.DONE:
            reason = failed.error.strip().splitlines()[-1] if failed else "another process works on it"
            raise CommandError(f"The night of {run.for_date} is not done: {reason}")
        counts = {name: step.counts for name, step in steps.items()}
        self.stdout.write(
            json.dumps(
                {
                    "as_of": str(run.for_date),
                    "customers": counts["segmentation"]["customers"],
                    "scored": counts["segmentation"]["scored"],
                    "tasks": counts["follow-ups"]["raised"] + counts["risk"]["raised"],
                    "alerts": counts["risk"]["alerts"],
                    "changed": sum(
                        count for of_step in counts.values() for name, count in of_step.items() if name in CHANGES
                    ),
                    "seconds": {name: round(step.seconds or 0, 3) for name, step in steps.items()},
                }
            )
        )


CHANGES = {"changed", "moved", "history", "raised", "cancelled", "ranked", "alerts", "closed"}
