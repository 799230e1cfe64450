"""manage.py create_tenant acme --name "Acme Ltd" --pack callback --timezone Europe/London --currency GBP --country GB"""

from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from tenants.management.base import sentences
from tenants.rules.sections import PACKS
from tenants.services import create_tenant


class Command(BaseCommand):
    help = "Make a firm with the policy of a shipped pack."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug")
        parser.add_argument("--name", required=True)
        parser.add_argument("--pack", required=True, choices=PACKS)
        parser.add_argument("--timezone", required=True, help="like Europe/London")
        parser.add_argument("--currency", required=True, help="like GBP")
        parser.add_argument("--country", default="", help="like GB")
        parser.add_argument("--language", default="en", choices=["en", "zh-hans"])

    def handle(self, *args: Any, **options: Any) -> None:
        fields = {
            name: options[name] for name in ("slug", "name", "pack", "timezone", "currency", "country", "language")
        }
        try:
            tenant = create_tenant(**fields)
        except ValidationError as error:
            raise CommandError("; ".join(sentences(error))) from error
        self.stdout.write(f"{tenant.slug}: {tenant.name}")
