"""From a file to batches of cells as text, each row with the line of the file on which it begins."""

from __future__ import annotations

import codecs
import csv
import datetime as dt
import io
import itertools
import json
import zipfile
import zlib
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from operator import itemgetter
from typing import Any, Final, TextIO
from xml.etree.ElementTree import ParseError

import openpyxl
import polars as pl

from customers.imports.files import BLOCK, HEAD, File, check_workbook, delimiter_of, encoding_of, head_of, opened, scan
from customers.imports.plain import plain_rows
from customers.imports.problems import ImportProblem

BATCH: Final = 50_000  # rows, about
_HANDFUL: Final = 1_000  # rows that are turned into columns at once: few enough to stay in the processor's cache
SHOWN: Final = 80  # characters of a cell that are shown with the reason

Cells = Sequence[str | None]


@dataclass(frozen=True)
class Broken:
    """A line that is no row: why, and what is to be said with the reason."""

    code: str
    value: str = ""
    detail: str = ""


Records = Iterator[tuple[int, Cells | Broken]]
"""Line (the header stands on line 1, as a rule), and the cells of the wanted columns or why there are none."""


@dataclass(frozen=True)
class Handful:
    """Some records: lines of the file and cells of those that are rows, and the others."""

    lines: Sequence[int]
    rows: Sequence[Cells]
    broken: Sequence[tuple[int, Broken]] = ()

    @classmethod
    def of(cls, found: Sequence[tuple[int, Cells | Broken]]) -> Handful:
        good = [(line, cells) for line, cells in found if not isinstance(cells, Broken)]
        broken = [(line, cells) for line, cells in found if isinstance(cells, Broken)]
        return cls([line for line, _cells in good], [cells for _line, cells in good], broken)

    def series(self) -> list[pl.Series]:
        """The cells by column; there must be rows."""
        return [pl.Series(cells, dtype=pl.String) for cells in zip(*self.rows, strict=True)]


@dataclass(frozen=True)
class Plain:
    """Some records that came as columns: one of each line from `first` on, none of them broken."""

    first: int
    cells: pl.DataFrame
    broken: Sequence[tuple[int, Broken]] = ()

    @property
    def lines(self) -> Sequence[int]:
        return range(self.first, self.first + self.cells.height)

    @property
    def rows(self) -> Sequence[Cells]:
        return self.cells.rows()

    def series(self) -> list[pl.Series]:
        """The cells by column."""
        return self.cells.get_columns()


@dataclass(frozen=True)
class Table:
    """A file whose header is known."""

    file: File
    encoding: str
    delimiter: str
    headers: list[str]


@dataclass
class Batch:
    """Some rows of a file: their lines, their cells by column, and the lines that are no rows."""

    columns: dict[str, pl.Series]
    lines: pl.Series = field(default_factory=lambda: pl.Series([], dtype=pl.Int64))
    broken: list[tuple[int, Broken]] = field(default_factory=list)
    progress: float = 0.0  # share of the file that is read

    @classmethod
    def empty(cls, columns: Sequence[str]) -> Batch:
        return cls({column: pl.Series([], dtype=pl.String) for column in columns})

    def add(self, handful: Handful | Plain) -> None:
        self.broken += handful.broken
        if lines := handful.lines:
            self.lines.append(_series_of(lines))
            for column, cells in zip(self.columns.values(), handful.series(), strict=True):
                column.append(cells)


def _series_of(lines: Sequence[int]) -> pl.Series:
    if isinstance(lines, range):
        return pl.int_range(lines.start, lines.stop, eager=True)
    return pl.Series(lines, dtype=pl.Int64)


def look(file: File) -> tuple[Table, list[tuple[int, Cells]]]:
    """The table and its first five rows, from the beginning of the file alone. Raises ImportProblem."""
    found: Handful | Plain
    if file.format == "xlsx":
        table = Table(file, "", "", _workbook_headers(file))
        with _sheet(file) as sheet:
            sheet.reset_dimensions()  # programmes that write workbooks often state them wrongly
            found = Handful.of(list(itertools.islice(_sheet_records(sheet, table.headers, table.headers), 5)))
    else:
        head = head_of(file)
        table = _table(file, head, encoding_of(lambda: iter([head]), whole=False))
        handfuls = _text_handfuls(table, _text_of(head, table.encoding), table.headers, 5)
        found = next((handful for handful in handfuls if handful.rows or handful.broken), Handful([], []))
    if not (found.rows or found.broken) and (file.format == "xlsx" or len(head) < HEAD // 2):
        raise ImportProblem("header_only")
    return table, list(zip(found.lines, found.rows, strict=True))


def inspect(file: File, limit: int) -> Table:
    """The table, after the whole file was looked at: it is whole, of one encoding, at most `limit` bytes unpacked.

    Raises ImportProblem.
    """
    if file.format == "xlsx":
        check_workbook(file, limit)
        return Table(file, "", "", _workbook_headers(file))
    encoding = scan(file, limit)
    return _table(file, head_of(file), encoding)


def batches(table: Table, columns: Sequence[str], size: int = BATCH) -> Generator[Batch]:
    """All rows of the file, `size` at a time, with the cells of `columns`; memory does not grow with the file.

    Raises ImportProblem where the file turns out to be none, and when it has a header only.
    """
    empty = True
    with _handfuls(table, columns) as (handfuls, progress):
        while True:
            batch = Batch.empty(columns)
            while len(batch.lines) < size and (handful := next(handfuls, None)):
                batch.add(handful)
                batch.progress = progress(batch.lines[-1] if len(batch.lines) else 0)
            if batch.lines.is_empty() and not batch.broken:
                break
            empty = False
            yield batch
    if empty:
        raise ImportProblem("header_only")


@contextmanager
def _handfuls(
    table: Table, columns: Sequence[str]
) -> Iterator[tuple[Iterator[Handful | Plain], Callable[[int], float]]]:
    """The file's records, and the share of the file that is read when a line is."""
    if table.file.format == "xlsx":
        with _sheet(table.file) as sheet:
            rows = sheet.max_row or 0
            sheet.reset_dimensions()
            records = _sheet_records(sheet, table.headers, columns)
            yield _by_handful(records, _HANDFUL), lambda line: min(1.0, line / rows) if rows else 0.0
        return
    size = table.file.size
    with opened(table.file) as handle:
        text = io.TextIOWrapper(handle.unpacked, encoding=table.encoding, newline="")
        yield _text_handfuls(table, text, columns, _HANDFUL), lambda _line: handle.position / size
        text.detach()


def _table(file: File, head: bytes, encoding: str) -> Table:
    text = _text_of(head, encoding)
    if file.format == "ndjson":
        return Table(file, encoding, "", _json_headers(text))
    delimiter = delimiter_of(text.read())
    text.seek(0)
    headers = next((row for row in csv.reader(text, delimiter=delimiter) if any(row)), [])
    return Table(file, encoding, delimiter, [header.strip() for header in headers])


def _text_of(head: bytes, encoding: str) -> io.StringIO:
    return io.StringIO(codecs.getincrementaldecoder(encoding)("strict").decode(head), newline="")


def _text_handfuls(table: Table, text: TextIO, columns: Sequence[str], size: int) -> Iterator[Handful | Plain]:
    if table.file.format == "ndjson":
        return _by_handful(_json_records(text, columns), size)
    return _csv_handfuls(text, table, columns, size, BLOCK)


def _by_handful(records: Records, size: int) -> Iterator[Handful]:
    while found := list(itertools.islice(records, size)):
        yield Handful.of(found)


def _picker(headers: Sequence[str], columns: Sequence[str]) -> Callable[[Sequence[Any]], Sequence[Any]]:
    places = [headers.index(column) for column in columns]
    if len(places) == 1:
        return lambda row: (row[places[0]],)
    return itemgetter(*places)


# ── CSV ─────────────────────────────────────────────────────────────────────


def _csv_handfuls(
    text: TextIO, table: Table, columns: Sequence[str], size: int, block: int
) -> Iterator[Handful | Plain]:
    """The records, `size` at a time, or as many as stand in a block of about so many characters that is plain."""
    blocks = _Blocks(text, block)
    reader = csv.reader(blocks.lines(), delimiter=table.delimiter, strict=True)
    width, pick = len(table.headers), _picker(table.headers, columns)
    places = [table.headers.index(column) for column in columns]
    try:
        next((row for row in reader if any(row)), None)  # the header
    except csv.Error as wrong:
        _refuse_open_quote(wrong, reader.line_num)
    plain = 0  # lines that the reader has not seen
    while True:
        left = blocks.given - reader.line_num
        if not left:  # it stands between two records, and between two blocks
            ahead = blocks.take()
            if not ahead:
                return
            cells = plain_rows(ahead, width, table.delimiter, places)
            if cells is not None:
                yield Plain(reader.line_num + plain + 1, cells)
                plain += cells.height
                continue
            left = blocks.give(ahead)
        first = reader.line_num + 1
        rows: list[list[str]] = []
        error: csv.Error | None = None
        try:
            rows.extend(itertools.islice(reader, min(size, left)))  # keeps what it has read before an error
        except csv.Error as wrong:
            error = wrong
        is_plain = error is None and reader.line_num - first + 1 == len(rows)
        if is_plain and set(map(len, rows)) == {width} and all(map(itemgetter(0), rows)):
            yield Handful(range(first + plain, first + plain + len(rows)), list(map(pick, rows)))
        else:
            last = reader.line_num + plain
            yield Handful.of(list(_csv_records(rows, first + plain, width, pick, error, last)))


class _Blocks:
    """A text in blocks of whole lines: each is either taken by who reads it at once, or given line by line."""

    def __init__(self, text: TextIO, size: int) -> None:
        self._text = text
        self._size = size
        self._rest = ""
        self._begun = ""
        self.given = 0
        """Lines of the blocks that are given line by line, up to the end of the last one."""

    def take(self) -> str:
        """The next block; empty when there is none."""
        parts = [self._rest]
        self._rest = ""
        while more := self._text.read(self._size):
            # A carriage return at the very end may be half of a break.
            end = max(more.rfind("\n"), more.rfind("\r", 0, -1)) + 1
            if end:
                self._rest = more[end:]
                parts.append(more[:end])
                break
            parts.append(more)
        return "".join(parts)

    def give(self, block: str) -> int:
        """Let the block be the next one that is given line by line; returns how many lines it has."""
        self._begun = block
        lines = _breaks(block) + (not block.endswith(("\n", "\r")))
        self.given += lines
        return lines

    def lines(self) -> Iterator[str]:
        """Line by line what `give` has put there; where more is asked for, the next block."""
        while True:
            if not self._begun:
                block = self.take()
                if not block:
                    return
                self.give(block)
            block, self._begun = self._begun, ""
            yield from io.StringIO(block, newline="")


def _csv_records(
    rows: Sequence[Sequence[str]],
    line: int,
    width: int,
    pick: Callable[[Sequence[Any]], Cells],
    error: csv.Error | None,
    last: int,
) -> Records:
    """What rows that begin on `line` are, one by one; after them an error may stand, up to the line `last`."""
    for row in rows:
        if len(row) == width and any(row):
            yield line, pick(row)
        elif any(row):  # an empty line says nothing
            yield line, Broken("cells", str(len(row)), str(width))
        line += 1 + sum(map(_breaks, row))
    if error is None:
        return
    _refuse_open_quote(error, line)
    yield line, Broken("quotes", f"{line}–{last}" if last > line else str(line))


def _refuse_open_quote(error: csv.Error, line: int) -> None:
    if str(error).startswith(("unexpected end", "field larger")):
        raise ImportProblem("open_quote", line=line) from error


def _breaks(cell: str) -> int:
    """Ends of lines inside a quoted cell, as the file's lines are counted."""
    return cell.count("\n") + cell.count("\r") - cell.count("\r\n")


# ── NDJSON ──────────────────────────────────────────────────────────────────


def _json_headers(text: TextIO) -> list[str]:
    """The names in the first lines, in the order in which they appear."""
    names: dict[str, None] = {}
    for line in text:
        if line.strip():
            found = _json_object(line)
            if found is None and not names:
                raise ImportProblem("json_header", value=line.strip()[:SHOWN])
            names |= dict.fromkeys(found or {})
    return list(names)


def _json_object(line: str) -> dict[str, Any] | None:
    try:
        # Numbers stay the text that they are: 0.10 must not become 0.1000000000000000055.
        found = json.loads(line, parse_float=str, parse_int=str)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _json_records(text: TextIO, columns: Sequence[str]) -> Records:
    for number, line in enumerate(text, 1):
        if not line.strip():
            continue
        found = _json_object(line)
        if found is None:
            yield number, Broken("json")
            continue
        cells = [found.get(column) for column in columns]
        nested = next((c for c, v in zip(columns, cells, strict=True) if isinstance(v, dict)), None)
        if nested is not None:
            yield number, Broken("nested", nested)
        else:
            yield number, tuple(map(_json_text, cells))


def _json_text(value: Any) -> str | None:
    if isinstance(value, list):
        return "; ".join(str(one) for one in value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return None if value is None else str(value)


# ── Excel ───────────────────────────────────────────────────────────────────


@contextmanager
def _sheet(file: File) -> Iterator[Any]:
    """The first sheet of the workbook. Raises ImportProblem when there is none to read."""
    try:
        book = openpyxl.load_workbook(file.path, read_only=True, data_only=True, keep_links=False)
        try:
            if not book.worksheets:
                raise ImportProblem("empty")
            yield book.worksheets[0]
        finally:
            book.close()
    except (zipfile.BadZipFile, KeyError, ParseError, zlib.error) as error:
        raise ImportProblem("not_excel") from error


def _workbook_headers(file: File) -> list[str]:
    with _sheet(file) as sheet:
        sheet.reset_dimensions()
        for row in sheet.iter_rows(values_only=True):
            if any(cell is not None for cell in row):
                return [(_cell_text(cell) or "").strip() for cell in row]
    raise ImportProblem("empty")


def _sheet_records(sheet: Any, headers: Sequence[str], columns: Sequence[str]) -> Records:
    width, pick, header = len(headers), _picker(headers, columns), True
    for line, row in enumerate(sheet.iter_rows(values_only=True), 1):
        if all(cell is None for cell in row):
            continue
        if header:
            header = False
        elif any(cell is not None for cell in row[width:]):
            yield line, Broken("cells", str(len(row)), str(width))
        else:
            # A row ends with its last cell that is filled.
            cells = [*row[:width], *[None] * (width - len(row))]
            yield line, tuple(map(_cell_text, pick(cells)))


def _cell_text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        # Excel keeps 15 digits; the rest is the binary fraction's.
        return f"{Decimal(format(value, '.15g')):f}"
    if isinstance(value, dt.datetime):
        return value.isoformat(" ")
    return str(value)
