"""manage.py partitions [--from-year 2023 | --drop-before 2024-01-01 [--yes]]: the history tables' partitions."""

import datetime as dt
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import OperationalError, connections
from django.template.defaultfilters import filesizeformat

from tenants import partitions
from tenants.database import OWNER
from tenants.partitions import Partition

MEANING = """
They are gone for good; back up first. Events of those years no longer show in timelines, feeds and audits. Of health and
tiers the last row of each customer stays, so that every day from {day} on has its answer; days before have none, or
only that last row. The counts of each night, scores, orders and contacts are not touched."""


class Command(BaseCommand):
    help = "List the history tables' partitions, give earlier years their own, or drop old years."

    def add_arguments(self, parser: CommandParser) -> None:
        what = parser.add_mutually_exclusive_group()
        what.add_argument("--drop-before", type=dt.date.fromisoformat, metavar="YYYY-MM-DD", help="whole years only")
        what.add_argument("--from-year", type=int, metavar="YYYY", help="before history of earlier years is brought in")
        parser.add_argument("--yes", action="store_true", help="drop without asking")

    def handle(self, *args: Any, **options: Any) -> None:
        if OWNER not in connections:
            raise CommandError("Partitions belong to the owner: set DATABASE_URL.")
        try:
            if options["from_year"]:
                for name in partitions.begin_with(options["from_year"]):
                    self.stdout.write(f"made {name}")
            elif options["drop_before"]:
                self._drop(options["drop_before"], sure=options["yes"])
            else:
                self._list([p for model in partitions.history_models() for p in partitions.partitions_of(model)])
        except OperationalError as error:
            raise CommandError(f"A table is in use: try again when no night and no import runs. ({error})") from error

    def _drop(self, day: dt.date, *, sure: bool) -> None:
        try:
            found = partitions.droppable(day)
        except ValueError as error:
            raise CommandError(str(error)) from error
        if not found:
            self.stdout.write(f"No partition lies wholly before {day}.")
            return
        self._list(found)
        self.stdout.write(MEANING.format(day=f"{day.year}-01-01"))
        if not sure and input(f"Drop {len(found)} partitions? Type yes: ") != "yes":
            raise CommandError("Nothing was dropped.")
        for partition in partitions.drop_before(day):
            self.stdout.write(f"dropped {partition.name}")

    def _list(self, found: list[Partition]) -> None:
        self.stdout.write(f"{'partition':40} {'years':>8} {'rows, about':>14} {'size':>10}")
        for partition in found:
            size = filesizeformat(partition.bytes).replace("\xa0", " ")
            self.stdout.write(f"{partition.name:40} {partition.years:>8} {partition.rows:>14,} {size:>10}")
