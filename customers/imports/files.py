"""Delivered files: what they are, whether they are whole, how their bytes become text."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, Literal, cast

from django.template.defaultfilters import filesizeformat

from customers.imports.problems import ImportProblem

Format = Literal["csv", "ndjson", "xlsx"]

SUFFIXES: Final[dict[str, Format]] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".xlsx": "xlsx",
}
DELIMITERS: Final = ",;\t"
BLOCK: Final = 2**20  # bytes
HEAD: Final = 2**18  # bytes that are looked at to show a file before it is read
MAX_LINE: Final = 8 * 2**20  # bytes; a longer line would have to be held in memory


@dataclass(frozen=True)
class File:
    """A file of a known format on the disk; `packed` by gzip."""

    path: Path
    format: Format
    packed: bool

    @classmethod
    def at(cls, path: Path) -> File:
        """Raises ImportProblem for a name that says nothing we can read."""
        suffixes = [suffix.lower() for suffix in path.suffixes]
        packed = suffixes[-1:] == [".gz"]
        suffix = (suffixes[:-1] if packed else suffixes)[-1:]
        if suffix == [".xls"]:
            raise ImportProblem("old_excel", name=path.name)
        form = SUFFIXES.get(suffix[0]) if suffix else None
        if form is None or (packed and form == "xlsx"):
            raise ImportProblem("suffix", name=path.name, known=".csv, .csv.gz, .ndjson, .ndjson.gz, .xlsx")
        return cls(path, form, packed)

    @property
    def size(self) -> int:
        """Bytes on the disk, the unit of `Handle.position`."""
        return self.path.stat().st_size


@dataclass(frozen=True)
class Handle:
    """An open file: its unpacked bytes, and how far the packed ones are read."""

    unpacked: BinaryIO
    raw: BinaryIO

    @property
    def position(self) -> int:
        return self.raw.tell()


@contextmanager
def opened(file: File) -> Iterator[Handle]:
    """The file's bytes, unpacked. Raises ImportProblem where the compressed data is damaged or breaks off."""
    with file.path.open("rb") as raw:
        try:
            if file.packed:
                with gzip.GzipFile(fileobj=raw) as unpacked:
                    yield Handle(cast(BinaryIO, unpacked), raw)
            else:
                yield Handle(raw, raw)
        except EOFError as error:
            raise ImportProblem("truncated") from error
        except (gzip.BadGzipFile, zlib.error) as error:
            raise ImportProblem("not_gzip") from error


def head_of(file: File) -> bytes:
    """The first bytes, unpacked, up to the end of a line where there is one.

    Raises ImportProblem for what is not gzip though it says so, for an empty file, and for one without lines.
    """
    with opened(file) as handle:
        head = handle.unpacked.read(HEAD)
    if not head.strip():
        raise ImportProblem("empty")
    if len(head) < HEAD:
        return head
    if not (end := _end_of_line(head)):
        raise ImportProblem("long_line", line=1, limit=filesizeformat(HEAD))
    return head[:end]


def _end_of_line(block: bytes) -> int:
    """Up to where the block consists of whole lines."""
    return max(block.rfind(b"\n"), block.rfind(b"\r")) + 1


def scan(file: File, limit: int) -> str:
    """Read the whole file once and return its encoding; nothing of it is kept.

    That the file is whole, of one encoding and has lines of a sane length is known before the first row is
    read, so no file fails half-way for such a reason. Costs some 5 % of an import. `limit`: bytes, unpacked.
    Raises ImportProblem.
    """
    return encoding_of(lambda: _measured(_blocks(file), limit))


def _blocks(file: File) -> Iterator[bytes]:
    with opened(file) as handle:
        while block := handle.unpacked.read(BLOCK):
            yield block


def _measured(blocks: Iterator[bytes], limit: int) -> Iterator[bytes]:
    total = newlines = since_newline = 0
    for block in blocks:
        total += len(block)
        if total > limit:
            raise ImportProblem("too_large", limit=filesizeformat(limit))
        end = _end_of_line(block)
        newlines += block.count(b"\n")
        since_newline = len(block) - end if end else since_newline + len(block)
        if since_newline > MAX_LINE:
            raise ImportProblem("long_line", line=newlines + 1, limit=filesizeformat(MAX_LINE))
        yield block
    if not total:
        raise ImportProblem("empty")


def encoding_of(blocks: Callable[[], Iterator[bytes]], *, whole: bool = True) -> str:
    """utf-8, utf-8-sig or gb18030. `blocks` gives the bytes, each time anew; not `whole`: the end may be cut.

    Raises ImportProblem naming the first byte that is not UTF-8 when it is not GB18030 either.
    """
    first = next(blocks(), b"")
    if first.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise ImportProblem("utf16")
    marked = first.startswith(codecs.BOM_UTF8)
    wrong = _first_wrong_byte(blocks(), whole=whole)
    if wrong is None:
        return "utf-8-sig" if marked else "utf-8"
    if not marked and _is_chinese(blocks(), whole=whole):
        return "gb18030"
    line, byte, position = wrong
    raise ImportProblem("encoding", line=line, byte=f"0x{byte:02X}", position=position)


def _first_wrong_byte(blocks: Iterator[bytes], *, whole: bool) -> tuple[int, int, int] | None:
    """Line (from 1), byte and position (from 1) of the first byte that is not UTF-8."""
    decoder = codecs.getincrementaldecoder("utf-8")("strict")
    position, line = 0, 1
    for block in blocks:
        pending = len(decoder.getstate()[0])
        try:
            decoder.decode(block)
        except UnicodeDecodeError as error:
            at = error.start - pending  # may lie in the end of the block before
            newlines = block[: max(at, 0)].count(b"\n")
            return line + newlines, error.object[error.start], position + at + 1
        position += len(block)
        line += block.count(b"\n")
    if whole and (pending_bytes := decoder.getstate()[0]):
        return line, pending_bytes[0], position - len(pending_bytes) + 1
    return None


_ASCII = bytes(range(128))
# First bytes of GB 2312's signs and of its 3,755 everyday characters, of which Chinese text consists.
_EVERYDAY = bytes([*range(0xA1, 0xAA), *range(0xB0, 0xD8)])


def _is_chinese(blocks: Iterator[bytes], *, whole: bool) -> bool:
    """Whether the bytes are GB18030 and read like it.

    Nearly any bytes can be decoded as GB18030: Müller in Latin-1 becomes a rare character. Text that is
    really Chinese consists of everyday ones; at least half is asked for.
    """
    decoder = codecs.getincrementaldecoder("gb18030")("strict")
    foreign = everyday = 0
    try:
        for block in blocks:
            text = decoder.decode(block)
            foreign += len(text) - len(text.encode("ascii", "ignore"))
            pairs = text.encode("gb2312", "ignore").translate(None, _ASCII)[::2]
            everyday += len(pairs) - len(pairs.translate(None, _EVERYDAY))
        if whole:
            decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return 2 * everyday >= foreign


def delimiter_of(text: str) -> str:
    """The delimiter under which the first lines have the most cells in common."""
    best, best_cells = ",", 1
    for delimiter in DELIMITERS:
        rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
        widths: Counter[int] = Counter()
        try:
            for row, _n in zip((r for r in rows if r), range(20), strict=False):
                widths[len(row)] += 1
        except csv.Error:
            continue
        cells = widths.most_common(1)[0][0] if widths else 1
        if cells > best_cells:
            best, best_cells = delimiter, cells
    return best


def check_workbook(file: File, limit: int) -> None:
    """Raises ImportProblem for what is no workbook, or would be too large unpacked."""
    try:
        with zipfile.ZipFile(file.path) as archive:
            if "[Content_Types].xml" not in archive.namelist():
                raise ImportProblem("not_excel")
            if sum(member.file_size for member in archive.infolist()) > limit:
                raise ImportProblem("too_large", limit=filesizeformat(limit))
    except zipfile.BadZipFile as error:
        raise ImportProblem("not_excel") from error
