"""Everything that a page, a command or the API does with imports, from the upload to the outcome.

upload → `start_import` → `look_at` (headers, first rows, proposed mapping) → `queue_import` (the mapping is
checked, remembered, and the worker's bell rung) → `run_import` in a worker → `outcome_page`, `outcome_csv`.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

from django.conf import settings
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.db import transaction
from django.template.defaultfilters import filesizeformat
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from customers.imports import columns, readers, stores
from customers.imports.fields import Field, fields_of
from customers.imports.files import File
from customers.imports.lease import is_held
from customers.imports.outcome import HEADERS, Line
from customers.imports.problems import ImportProblem
from customers.imports.run import Tell, run_import
from customers.models import DEFAULT_SOURCE, Import
from tenants.context import current_tenant, tenant_scope
from tenants.events import record
from tenants.models import Member, Tenant

__all__ = [
    "HEADERS",
    "KEPT",
    "Field",
    "ImportProblem",
    "Line",
    "Look",
    "Tell",
    "cancel_import",
    "discard",
    "fields_of",
    "forget_old_files",
    "look_at",
    "outcome_csv",
    "outcome_file",
    "outcome_page",
    "queue_import",
    "repeat_import",
    "run_import",
    "start_import",
    "unattended",
    "unfinished_twin",
]

KEPT: Final = dt.timedelta(days=30)  # delivered files and outcomes are kept so long after an import has ended
_RING_AGAIN: Final = 300  # seconds; a bell that lies in a long queue is not rung every minute
_OPEN: Final = (Import.Status.QUEUED, Import.Status.READING, Import.Status.WRITING)
_COPY: Final = 2**20  # bytes


@dataclass(frozen=True)
class Look:
    """What a mapping form shows: the file's headers, its first rows (by header), and the mapping to begin with."""

    headers: list[str]
    rows: list[dict[str, str]]
    proposed: dict[str, str]
    encoding: str


def start_import(
    *,
    kind: str,
    file: BinaryIO | Path,
    filename: str,
    source: str = DEFAULT_SOURCE,
    member: Member | None = None,
    dry_run: bool = False,
) -> Import:
    """Take a file in: it is copied into the import's own folder and waits there for its columns.

    `file` is an open file (an upload) or a path; `source` names the system whose ids the file uses. Needs an
    open tenant scope. Raises ImportProblem for a name that cannot be read, an empty file, or one that is
    larger than IMPORT_MAX_BYTES, and ValidationError for a kind that does not exist.
    """
    if kind not in Import.Kind.values:
        raise ValidationError(_("“%(kind)s” is no kind of file.") % {"kind": kind})
    name = Path(filename).name[-200:]
    File.at(Path(name))  # the name must say what the file is
    row = Import.objects.create(kind=kind, source=source, filename=name, member=member, dry_run=dry_run)
    store = stores.of(current_tenant().pk, row.pk)
    store.folder.mkdir(parents=True, exist_ok=True)
    path = store.folder / f"file{''.join(Path(name).suffixes[-2:]).lower()}"
    try:
        if isinstance(file, Path):
            with file.open("rb") as opened:
                row.digest = _copy(opened, path)
        else:
            row.digest = _copy(file, path)
        row.path = str(path)
        row.save(update_fields=["path", "digest"])
    except BaseException:
        store.remove()  # the row goes with the transaction, the file would stay
        raise
    return row


def _copy(source: BinaryIO, target: Path) -> str:
    """Copy and return the SHA-256. Raises ImportProblem for nothing, and for too much."""
    digest, total = hashlib.sha256(), 0
    with target.open("wb") as file:
        while block := source.read(_COPY):
            total += len(block)
            if total > settings.IMPORT_MAX_BYTES:
                raise ImportProblem("too_large", limit=filesizeformat(settings.IMPORT_MAX_BYTES))
            digest.update(block)
            file.write(block)
    if not total:
        raise ImportProblem("empty")
    return digest.hexdigest()


def look_at(import_: Import) -> Look:
    """Headers, first five rows and the proposed mapping of an import whose file is there.

    Reads the beginning of the file alone. The mapping is what was last said for these headers, else guessed.
    Needs an open tenant scope. Raises ImportProblem for a file that cannot be read.
    """
    table, rows = readers.look(_file_of(import_))
    shown = [{header: cell or "" for header, cell in zip(table.headers, cells, strict=True)} for _line, cells in rows]
    return Look(table.headers, shown, columns.propose(import_.kind, table.headers), table.encoding)


def _file_of(import_: Import) -> File:
    if not import_.path or not Path(import_.path).exists():
        raise ImportProblem("file_gone")
    return File.at(Path(import_.path))


def queue_import(import_: Import, mapping: Mapping[str, Any] | None = None, *, ring: bool = True) -> Import:
    """Say the columns and let a worker run the import once the transaction has ended.

    `mapping` is from our field to the file's column; a header that bears a field's very name needs no entry;
    None takes the proposed one. It is remembered for the next file with these headers. `ring=False`: the caller
    runs it. Needs an open tenant scope. Raises ImportProblem for a mapping that does not fit the file.
    """
    table, _rows = readers.look(_file_of(import_))
    said = columns.propose(import_.kind, table.headers) if mapping is None else mapping
    import_.mapping = columns.check(import_.kind, table.headers, said)
    columns.remember(import_.kind, table.headers, import_.mapping)
    import_.status = Import.Status.QUEUED
    import_.save(update_fields=["mapping", "status"])
    if ring:
        _ring_on_commit(import_)
    return import_


def _ring_on_commit(import_: Import) -> None:
    from customers.tasks import run_import as task  # tasks call services; only the bell goes the other way

    tenant_id, import_id = import_.tenant_id, import_.pk
    transaction.on_commit(lambda: task.delay(tenant_id, import_id))


def cancel_import(import_: Import) -> bool:
    """Stop an import before its next piece; what was written stays. False when it had ended already.

    Needs an open tenant scope.
    """
    stopped = Import.objects.filter(pk=import_.pk, status__in=[Import.Status.UPLOADED, *_OPEN]).update(
        status=Import.Status.CANCELLED, finished_at=timezone.now()
    )
    import_.refresh_from_db()
    if stopped:
        record("cancelled", import_, {"status": import_.status})
    return bool(stopped)


def repeat_import(import_: Import, *, dry_run: bool = False, member: Member | None = None) -> Import:
    """Run the same file with the same columns again, for real after an import that only tried.

    Needs an open tenant scope. Raises ImportProblem when the file is no longer kept.
    """
    again = start_import(
        kind=import_.kind, file=_file_of(import_).path, filename=import_.filename, source=import_.source,
        member=member, dry_run=dry_run,
    )  # fmt: skip
    return queue_import(again, import_.mapping)


def unfinished_twin(import_: Import) -> Import | None:
    """An earlier import of the very same file, in the same way, that broke off: going on with it is enough.

    Needs an open tenant scope.
    """
    same = {name: getattr(import_, name) for name in ("kind", "source", "digest", "mapping", "dry_run")}
    return Import.objects.filter(**same, status__in=_OPEN, pk__lt=import_.pk).order_by("pk").last()


# ── what became of it ───────────────────────────────────────────────────────


def outcome_page(import_: Import, *, outcome: str = "", offset: int = 0, limit: int = 50) -> list[Line]:
    """What became of some lines, in the order of the file and in the active language.

    `outcome` is created, updated, unchanged or failed; empty: all lines.
    """
    return stores.of(import_.tenant_id, import_.pk).outcome.page(import_, outcome=outcome, offset=offset, limit=limit)


def outcome_csv(import_: Import, language: str | None = None) -> Iterator[bytes]:
    """What became of every line as a CSV file (HEADERS), to be streamed; formulas in cells are disarmed.

    Without `language` in the one that is active now. Needs no tenant scope while it is consumed.
    """
    store = stores.of(import_.tenant_id, import_.pk)
    return store.outcome.csv(import_, language or translation.get_language() or settings.LANGUAGE_CODE)


def outcome_file(import_: Import) -> Path | None:
    """The outcome as a CSV file on the disk, in the language of who started the import, once it has ended."""
    path = stores.of(import_.tenant_id, import_.pk).outcome_file
    return path if path.exists() else None


# ── the sweep ───────────────────────────────────────────────────────────────


def unattended(tenant: Tenant) -> list[int]:
    """Imports of the tenant that should run and that nobody works on: what the minute's sweep rings for.

    One that has lain in the queue for long is named every five minutes only.
    """
    with tenant_scope(tenant):
        waiting = list(Import.objects.filter(status__in=_OPEN).order_by("pk").values_list("pk", flat=True))
    free = [pk for pk in waiting if not is_held(pk)]
    return [pk for pk in free if cache.add(f"import-rung-{pk}", 1, timeout=_RING_AGAIN)]


def forget_old_files(tenant: Tenant) -> int:
    """Remove files and outcomes of imports that ended long ago (KEPT); their rows and counts stay."""
    ended = timezone.now() - KEPT
    with tenant_scope(tenant):
        old = list(Import.objects.filter(created_at__lt=ended).exclude(path="").exclude(status__in=_OPEN))
        for import_ in old:
            stores.of(tenant.pk, import_.pk).remove()
            import_.path = ""
            import_.save(update_fields=["path"])
    return len(old)


def discard(import_: Import) -> None:
    """Remove an import that has not begun, with its file. Needs an open tenant scope."""
    shutil.rmtree(stores.of(import_.tenant_id, import_.pk).folder, ignore_errors=True)
    import_.delete()
