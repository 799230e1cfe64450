"""manage.py fit_lifetime --tenant acme [--as-of 2011-12-10]: the lifetime model of a day; prints one JSON object."""

import datetime as dt
import json
from typing import Any

from django.core.management.base import CommandParser

from segmentation.valuing import fit_lifetime
from segmentation.words import WHY_NO_MODEL
from tenants.context import tenant_scope
from tenants.management.base import TenantCommand


class Command(TenantCommand):
    help = (
        "Fit the lifetime model (BG/NBD with time in weeks, and Gamma-Gamma) to the orders before a day, and keep it as "
        "that day's. Without a model the parameters are null and `why` says why; that is an answer, not an error."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--as-of", type=dt.date.fromisoformat, metavar="YYYY-MM-DD", help="default: today")

    def handle(self, *args: Any, **options: Any) -> None:
        tenant = self.tenant(options)
        with tenant_scope(tenant):
            fit = fit_lifetime(options["as_of"] or tenant.today())
        self.stdout.write(
            json.dumps(
                {
                    "as_of": str(fit.as_of),
                    "r": fit.r,
                    "alpha": fit.alpha,
                    "a": fit.a,
                    "b": fit.b,
                    "log_likelihood": fit.log_likelihood,
                    "p": fit.p,
                    "q": fit.q,
                    "v": fit.v,
                    "customers": fit.customers,
                    "repeaters": fit.repeaters,
                    "converged": fit.converged,
                    "reason": fit.reason or None,
                    "why": str(WHY_NO_MODEL[fit.reason]) if fit.reason else None,
                },
                ensure_ascii=False,
            )
        )
