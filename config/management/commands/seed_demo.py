"""manage.py seed_demo [--if-empty | --logins]: the two fictional firms of config/demo, with their log-ins."""

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from config.demo import logins
from config.demo.seed import FIRMS, seed, seeded
from config.demo.weeks import NightFailedError
from tenants.management.base import tell
from tenants.models import Tenant


class Command(BaseCommand):
    help = "Make the two demo firms (all made up) and print who may sign in."

    def add_arguments(self, parser: CommandParser) -> None:
        choice = parser.add_mutually_exclusive_group()
        choice.add_argument("--if-empty", action="store_true", help="make nothing when there is any firm already")
        choice.add_argument("--logins", action="store_true", help="make nothing, only print who may sign in")

    def handle(self, *args: Any, **options: Any) -> None:
        there = seeded()
        if options["logins"]:
            if not there:
                raise CommandError("There is no demo firm here. `manage.py seed_demo` makes both.")
        elif options["if_empty"]:
            if not Tenant.objects.exists():
                self._seed()
        elif there:
            self._print_logins()
            names = " and ".join(firm.slug for firm in there)
            raise CommandError(
                f"{names}: in this database already, and what people did there is kept. For a fresh demo, "
                "name an empty database in DATABASE_URL, or another folder in PERENNIAL_VAR."
            )
        else:
            self._seed()
        self._print_logins()

    def _seed(self) -> None:
        for firm in FIRMS:
            begin = time.monotonic()
            try:
                seed(firm)
            except NightFailedError as error:
                raise CommandError(f"{firm.name} was not made. {error}") from error
            tell(f"{firm.name}: made in {time.monotonic() - begin:.1f} s")

    def _print_logins(self) -> None:
        if there := seeded():
            self.stdout.write("Demo log-ins. Firms, people and customers are made up.\n\n" + logins.table(there))
