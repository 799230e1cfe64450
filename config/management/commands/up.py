"""`manage.py up`: everything of a whole installation in one foreground process."""

import os
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from config.supervisor import Supervisor


class Command(BaseCommand):
    help = "Start the embedded servers, migrate, load the demo once, run web, worker and beat until Ctrl-C."
    requires_system_checks = ()  # `migrate`, which it runs first, makes them

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default=os.environ.get("HOST") or "127.0.0.1", help="default: HOST or 127.0.0.1")
        parser.add_argument("--port", default=os.environ.get("PORT") or "8000", help="default: PORT or 8000")

    def handle(self, *args: Any, **options: Any) -> None:
        if not options["port"].isdigit() or not 0 < int(options["port"]) < 2**16:
            raise CommandError(f"PORT={options['port']} is not a port: use a number from 1 to 65535")
        code = Supervisor(options["host"], int(options["port"]), say=self._say).run()
        raise SystemExit(code)

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()
