"""`migrate` through the owner's connection: the app role owns nothing and could not."""

from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.core.management.commands.migrate import Command as Migrate
from django.db import connections

from tenants import partitions
from tenants.database import OWNER


class Command(Migrate):
    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.set_defaults(database=OWNER)

    def handle(self, *args: Any, **options: Any) -> None:
        if options["database"] == OWNER and OWNER not in connections:
            raise CommandError("Migrating needs the owner's address: set DATABASE_URL.")
        super().handle(*args, **options)
        if not options["plan"] and not options["check_unapplied"] and partitions.are_kept(options["database"]):
            partitions.upkeep(options["database"])

    def get_check_kwargs(self, options: dict[str, Any]) -> dict[Any, Any]:
        # The app role may not exist before the first migration: what asks the database is checked later.
        return super().get_check_kwargs(options) | {"databases": []}
