"""manage.py backtest --tenant acme --from 2025-12 --to 2026-08: the forecast's record; prints one JSON object."""

import argparse
import contextlib
import datetime as dt
import json
from dataclasses import asdict
from typing import Any, Final

from django.core.management.base import CommandParser

from health.backtests import evaluate
from tenants.context import tenant_scope
from tenants.management.base import TenantCommand, tell

MEASURES: Final = (
    "customers", "base_rate", "auc", "average_precision", "accuracy", "majority_accuracy", "rule_accuracy",
    "precision_top_decile", "brier", "ece", "lead_time_days",
)  # fmt: skip


def month(text: str) -> dt.date:
    """2010-12, or any day of that month."""
    for day in (f"{text}-01", text):
        with contextlib.suppress(ValueError):
            return dt.date.fromisoformat(day).replace(day=1)
    raise argparse.ArgumentTypeError(f"{text!r} is no month; write it like 2010-12")


class Command(TenantCommand):
    help = (
        "Measure the lapse forecast on past months: on the first day of each the model is fitted to what was known "
        "then, and compared with the orders since. Prints the means over the months that could be measured "
        "(cut_offs: how many); null without any. Why a month could not be is said on stderr."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--from", dest="first", required=True, type=month, metavar="YYYY-MM", help="first cut-off")
        parser.add_argument("--to", dest="last", required=True, type=month, metavar="YYYY-MM", help="last cut-off")
        parser.add_argument("--horizon", type=int, metavar="DAYS", help="default: what the policy says")

    def handle(self, *args: Any, **options: Any) -> None:
        with tenant_scope(self.tenant(options)):
            told = evaluate(options["first"], options["last"], options["horizon"])
        for cut_off in told.cut_offs:
            if cut_off.reason:
                reason = " ".join(each for each in (cut_off.reason, cut_off.lifetime_reason) if each)
                tell(f"{cut_off.day}: not measured: {reason} (docs/rules/forecast.md)")
        means = {} if told.means is None else asdict(told.means)
        numbers = {name: None if means.get(name) is None else round(means[name], 4) for name in MEASURES}
        measured = sum(cut_off.measures is not None for cut_off in told.cut_offs)
        self.stdout.write(json.dumps({"cut_offs": measured, **numbers}))
