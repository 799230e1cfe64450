"""manage.py import_file orders.csv.gz --tenant acme --kind orders --mapping mapping.json"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from django.utils import translation

from customers.imports import service
from customers.models import DEFAULT_SOURCE, Import
from tenants.context import tenant_scope
from tenants.management.base import TenantCommand, tell
from tenants.models import Tenant


class Command(TenantCommand):
    help = (
        "Import a CSV (.gz), XLSX or NDJSON (.gz) file and print one JSON object: rows and failed count lines of the "
        "file; created, updated and unchanged count records. A command that was killed goes on when started again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("file", type=Path)
        parser.add_argument("--kind", required=True, choices=Import.Kind.values)
        parser.add_argument("--mapping", type=Path, help="JSON: from our field to the file's column; else guessed")
        parser.add_argument("--dry-run", action="store_true", help="check and count everything, write nothing")
        parser.add_argument("--source", default=DEFAULT_SOURCE, help="the system whose ids the file uses")
        parser.add_argument(
            "--language", choices=[code for code, _name in settings.LANGUAGES], help="of the reasons; else the tenant's"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        tenant = self.tenant(options)
        language = options["language"] or tenant.language
        with translation.override(language):
            try:
                import_ = self._prepare(tenant, options)
            except service.ImportProblem as problem:
                raise CommandError(str(problem)) from problem
            import_ = service.run_import(tenant, import_.pk, wait=True, tell=_Progress(), language=language)
            self.stdout.write(json.dumps(_result(import_), ensure_ascii=False))
            if import_.status != Import.Status.DONE:
                raise CommandError(import_.error or str(import_.get_status_display()))

    @staticmethod
    def _prepare(tenant: Tenant, options: dict[str, Any]) -> Import:
        """The import to run: a new one, or the one that broke off over the very same file."""
        path, mapping = options["file"], _mapping(options["mapping"])
        if not path.is_file():
            raise CommandError(f"There is no file {path}.")
        with tenant_scope(tenant):
            import_ = service.start_import(
                kind=options["kind"],
                file=path,
                filename=path.name,
                source=options["source"],
                dry_run=options["dry_run"],
            )
            try:
                service.queue_import(import_, mapping, ring=False)
            except service.ImportProblem:
                service.discard(import_)
                raise
            if twin := service.unfinished_twin(import_):
                service.discard(import_)
                tell(f"Going on with import {twin.pk} of the same file, which broke off.")
                return twin
        return import_


def _mapping(path: Path | None) -> Any:
    if path is None:
        return None
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise CommandError(f"The mapping cannot be read: {error}.") from error
    except ValueError as error:
        raise CommandError(f"{path} is no JSON: {error}.") from error


def _result(import_: Import) -> dict[str, Any]:
    path = service.outcome_file(import_)
    result: dict[str, Any] = {
        name: getattr(import_, name) for name in ("rows", "failed", "created", "updated", "unchanged")
    }
    result |= {
        "seconds": None if import_.seconds is None else round(import_.seconds, 1),
        "outcome_file": str(path) if path else None,
        "import": import_.pk,
        "dry_run": import_.dry_run,
        "status": import_.status,
    }
    return result | ({"error": import_.error} if import_.error else {})


class _Progress:
    """Says how far the import is, when that changes."""

    def __init__(self) -> None:
        self.last = ""

    def __call__(self, import_: Import) -> None:
        line = f"{import_.percent:3d} %  {import_.get_status_display()}"
        if line != self.last:
            tell(f"{line}  ({import_.rows:,} lines)")
            self.last = line
