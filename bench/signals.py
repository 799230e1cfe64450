"""How long the signals of a whole firm take: `python -m bench.signals [--customers 6000] [--runs 5]`.

A made-up wholesaler (bench.trade) on a database of its own is scored by a night; then the step "risk" looks at everybody:
the first time, when everything that fires opens its alert, again, when nothing is new, and once more on a quiet night.
Then a dry run replays the signals of a quarter. Prints one JSON object: rows and seconds. Fails when a look at
everybody takes longer than LIMIT.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from bench import house, load, trade

LIMIT: Final = 5.0
SLUG: Final = "signals"


def _seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    begun = time.perf_counter()
    found = work()
    return round(time.perf_counter() - begun, 3), found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=6_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--keep", type=Path, help="a folder in which the database stays")
    asked = parser.parse_args()
    with house.house(asked.keep), tempfile.TemporaryDirectory() as folder:
        house.manage("migrate", "-v0")
        trade.make(Path(folder), asked.customers)
        load.load(Path(folder), SLUG)
        json.dump(_measured(asked.customers, asked.runs), sys.stdout, indent=1)
        sys.stdout.write("\n")


def _measured(customers: int, runs: int) -> dict[str, Any]:
    import django

    django.setup()
    from config.night import STEPS
    from dashboards.dry_run_signals import replay_signals
    from risk.models import Alert
    from risk.nightly import STEP
    from tenants.context import tenant_scope
    from tenants.models import Tenant
    from tenants.policies import active_policy, complete_document

    tenant = Tenant.objects.get(slug=SLUG)
    night = trade.LAST_DAY + dt.timedelta(days=1)
    with tenant_scope(tenant):
        # What the step rests on: the night's steps before it.
        for name, step in STEPS.items():
            if name == "risk":
                break
            step.at_once(night)
        first, counts = _seconds(lambda: STEP.at_once(night))
        again = [_seconds(lambda: STEP.at_once(night)) for _run in range(runs)]
        quiet, _found = _seconds(lambda: STEP.at_once(night + dt.timedelta(days=1), since=night))
        by_signal = dict(sorted((code, Alert.objects.filter(signal=code).count()) for code in Alert.Signal.values))
        document = complete_document(active_policy())
        dry_run, replayed = _seconds(lambda: replay_signals(document, as_of=night))
    longest = max(first, *(seconds for seconds, _counts in again))
    if longest > LIMIT:
        raise SystemExit(f"{longest} s for {customers} customers, not under {LIMIT}")
    if any(found["alerts"] for _seconds, found in again):
        raise SystemExit("It fired twice.")
    return {
        "customers": customers,
        "first_seconds": first,
        "first": counts,
        "again_seconds": [seconds for seconds, _counts in again],
        "quiet_seconds": quiet,
        "alerts_by_signal": by_signal,
        "dry_run_seconds": dry_run,
        "dry_run": {row.signal: [row.after, row.after_lapsed] for row in replayed.rows if row.is_replayed},
        "limit": LIMIT,
    }


if __name__ == "__main__":
    main()
