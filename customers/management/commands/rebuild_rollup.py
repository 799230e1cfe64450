"""manage.py rebuild_rollup --tenant acme [--check]"""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandParser

from customers.rollup import rebuild_rollup
from tenants.management.base import TenantCommand


class Command(TenantCommand):
    help = (
        "Work out the monthly rollup anew from the raw orders and write what differs, e.g. after a restore or when the "
        "tenant's time zone was changed; print one JSON object. Others go on working meanwhile."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--check", action="store_true", help="only count what differs")
        parser.add_argument("--connections", type=int, metavar="N", help="else one for each processor, at most 8")

    def handle(self, *args: Any, **options: Any) -> None:
        begun = time.perf_counter()
        rebuilt = rebuild_rollup(self.tenant(options), check=options["check"], connections=options["connections"])
        self.stdout.write(json.dumps(asdict(rebuilt) | {"seconds": round(time.perf_counter() - begun, 1)}))
