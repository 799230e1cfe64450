"""What became of every line of a file: kept as codes, shown and handed out in the language of whoever asks."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import polars as pl
from django.utils import translation
from django.utils.translation import gettext as _

from customers.imports.fields import Choice, Field, Number, Text, Words, YesNo, fields_of
from customers.imports.problems import reason
from customers.imports.rows import OUTCOME
from customers.imports.spool import BUCKETS, Piece, Spool
from customers.models import Import

_BLOCK: Final = 500_000  # lines that are handed out at once while they are not in order yet, or put in order
_AT_A_TIME: Final = 2  # pieces that are laid down in order
HEADERS: Final = ["line", "external_id", "outcome", "column", "reason"]
# A cell that begins so may be run as a formula by whoever opens the file.
_FORMULA: Final = r"^[=+\-@\t\r]"


@dataclass(frozen=True)
class Line:
    """One line of the file: number, its record, created/updated/unchanged/failed, and where and why it failed."""

    line: int
    external_id: str
    outcome: str
    column: str
    reason: str


class Outcome:
    """The outcome of one import, in a folder of its own: one part per piece of work, and at the end in order."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ordered = folder / "ordered"

    def write(self, part: str, lines: pl.DataFrame) -> None:
        """Keep the outcome of some lines. The same part written again replaces what it was."""
        self.folder.mkdir(parents=True, exist_ok=True)
        rows = lines.select(pl.col(name).cast(dtype) for name, dtype in OUTCOME.items()).sort("line")
        _write(rows, self.folder / f"{part}.parquet")

    def put_in_order(self) -> None:
        """Lay the lines down in the order of the file, once nothing is added any more; done again, it does nothing.

        A piece has lines from everywhere: who wanted some of them in order would look into each. Goes by the disk, so
        that memory does not grow with the file.
        """
        parts = sorted(self.folder.glob("*.parquet"))
        if parts and not self._ordered.exists():
            draft, spool = self.folder / "draft", Spool(self.folder / "spool", held=1)
            shutil.rmtree(draft, ignore_errors=True)
            draft.mkdir(parents=True)
            spool.clear()
            last = self._last()
            for rows in _together(parts):
                spool.add("lines", rows.with_columns(bucket=_bucket_of_line(last)))

            def lay_down(number: int, piece: Piece) -> None:
                _write(spool.read(piece).sort("line"), draft / f"{number:06}.parquet")

            pieces = spool.divide("lines")
            with ThreadPoolExecutor(_AT_A_TIME, "outcome") as pool:  # Polars lets the others run
                for _done in pool.map(lay_down, itertools.count(), pieces):
                    pass
            shutil.rmtree(spool.folder)
            draft.rename(self._ordered)
        for part in parts:
            part.unlink()

    def _last(self) -> int:
        return self._scan().select(pl.col("line").max()).collect().item() or 0

    def _scan(self) -> pl.LazyFrame:
        """All lines; in the order of the file when they have been put in it."""
        files = sorted((self._ordered if self._ordered.exists() else self.folder).glob("*.parquet"))
        return pl.scan_parquet(files) if files else pl.LazyFrame(schema=OUTCOME)

    def page(self, import_: Import, *, outcome: str = "", offset: int = 0, limit: int = 50) -> list[Line]:
        """Some lines in the order of the file, in the active language; `outcome` picks created, updated, …."""
        rows = self._scan().filter(pl.col("outcome") == outcome) if outcome else self._scan()
        if not self._ordered.exists():
            rows = rows.sort("line")
        return [Line(*row) for row in _worded(import_, rows.slice(offset, limit).collect()).fill_null("").iter_rows()]

    def csv(self, import_: Import, language: str, *, mark: bool = True) -> Iterator[bytes]:
        """The whole outcome as a CSV file, block by block: line, external_id, outcome, column, reason.

        `mark`: begin with the byte-order mark by which Excel knows UTF-8. Needs no tenant scope, so that it can
        be streamed.
        """
        yield ("\ufeff" if mark else "").encode() + ",".join(HEADERS).encode() + b"\n"
        for rows in self._blocks():
            if rows.is_empty():
                continue
            with translation.override(language):
                worded = _worded(import_, rows)
            yield worded.with_columns(_escaped(name) for name in HEADERS[1:]).write_csv(include_header=False).encode()

    def _blocks(self) -> Iterator[pl.DataFrame]:
        if self._ordered.exists():
            yield from map(pl.read_parquet, sorted(self._ordered.glob("*.parquet")))
            return
        for first in range(1, self._last() + 1, _BLOCK):
            wanted = pl.col("line").is_between(first, first + _BLOCK - 1)
            yield self._scan().filter(wanted).sort("line").collect()


def _together(parts: Sequence[Path]) -> Iterator[pl.DataFrame]:
    """The lines of the parts, about so many at a time as are put down at once."""
    held, height = [], 0
    for part in parts:
        held.append(pl.read_parquet(part))
        height += held[-1].height
        if height >= _BLOCK or part == parts[-1]:
            yield pl.concat(held)
            held, height = [], 0


def _write(rows: pl.DataFrame, path: Path) -> None:
    rows.write_parquet(path.with_suffix(".part"), compression="lz4", row_group_size=16_384, statistics=True)
    path.with_suffix(".part").replace(path)


def _bucket_of_line(last: int) -> pl.Expr:
    """Lines of the file in as many ranges as the spool has buckets."""
    return ((pl.col("line") - 1) * BUCKETS // max(1, last)).clip(0, BUCKETS - 1).cast(pl.Int16)


def _escaped(name: str) -> pl.Expr:
    return pl.when(pl.col(name).str.contains(_FORMULA)).then(pl.lit("'") + pl.col(name)).otherwise(name).alias(name)


_SAYING: Final = ["field", "code", "value", "detail"]


def _worded(import_: Import, rows: pl.DataFrame) -> pl.DataFrame:
    """The rows with column and reason in words. Many lines fail for the same reason: each is worded once."""
    fields = {field.name: field for field in fields_of(import_.kind)}
    whys = rows.drop_nulls("code").select(_SAYING).unique()
    words = [_words(fields, import_.mapping, *row) for row in whys.iter_rows()]
    worded = whys.with_columns(
        pl.Series("column", [column for column, _why in words], dtype=pl.String),
        pl.Series("reason", [why for _column, why in words], dtype=pl.String),
    )
    both = rows.join(worded, on=_SAYING, how="left", nulls_equal=True, maintain_order="left")
    return both.select(HEADERS)


def _words(
    fields: dict[str, Field],
    mapping: dict[str, str],
    name: str | None,
    code: str,
    value: str | None,
    detail: str | None,
) -> tuple[str, str]:
    field = fields.get(name or "")
    values: dict[str, Any] = {"value": value or "", "detail": detail or ""}
    if field is not None:
        values |= {"label": field.label, **_bounds(field)}
    return mapping.get(name or "", ""), reason(code, values)


def _bounds(field: Field) -> dict[str, Any]:
    match field.type:
        case Words():
            return {"max": field.type.max, "each": field.type.each}
        case Text():
            return {"max": field.type.max}
        case Number():
            return {"places": field.type.places}
        case Choice():
            return {"choices": ", ".join(map(str, field.type.names))}
        case YesNo():
            return {"choices": _("yes, no")}
    return {}


def write_file(outcome: Outcome, import_: Import, language: str, path: Path) -> None:
    """The outcome as a CSV file on the disk."""
    with path.open("wb") as file:
        file.writelines(outcome.csv(import_, language, mark=False))
