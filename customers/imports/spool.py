"""Checked rows on the disk between reading and writing, so that memory does not grow with the file.

All rows of a record lie in one bucket, however scattered they stand in the file; a piece of work is a range
of buckets. Neighbouring buckets share a file to which rows are appended: a piece is read from a few files, and not from
as many as there are rows. The pieces are fixed when reading ends: a killed import goes on with the next one.

A bucket may hold far more than a piece should: what is sold for cash often stands under one customer. Rows that say by a
second key what must stay together at least (`within`) are then divided by that.
"""

from __future__ import annotations

import io
import json
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

BUCKETS: Final = 1024
_WIDTH: Final = 4  # buckets that share a file
# Rows put down at once that are not worth a file each: they go to one that every piece looks into.
_FEW: Final = 4_096
PIECE: Final = 50_000  # rows that are merged in one transaction, about
_TOO_MANY: Final = 2 * PIECE  # rows of one bucket that are not merged in one transaction
# Batches that are held before they are written: fewer, larger appendices are read faster. Not rows, because the few
# rows of a small stage keep the text of their whole batch in memory.
_HELD: Final = 6
_PLAN: Final = "plan.json"
_DIVIDED: Final = "~"  # between a stage and the bucket whose rows are pieces of their own
_LENGTH: Final = 8  # bytes before each appendix that say how long it is
_COLUMNS: Final = "columns"  # before a stage's name: which columns its rows have
_LEFT: Final = "left"  # before a file's name, while some of its rows are taken out
_BITS: Final = (BUCKETS - 1).bit_length()
# Where the numbers of records are divided among files: each is read as a whole.
_SHELVES: Final = np.arange(1, 64, dtype=np.uint64) << np.uint64(58)


class Damaged(Exception):
    """Rows that were put down are not there: the disk has lost them."""


@dataclass(frozen=True)
class Piece:
    """The rows of one stage in the buckets `first` to `last`, and how many they are."""

    stage: str
    first: int
    last: int
    rows: int

    @property
    def of_stage(self) -> str:
        """The stage whose rows they are, also when one of its buckets had to be divided."""
        return self.stage.partition(_DIVIDED)[0]


def record_of(*keys: str) -> pl.Expr:
    """A record by its key columns, as a number of 64 bits: two may have the same, one always has the same."""
    return pl.concat_str([pl.col(key).fill_null("") for key in keys], separator="\x1f").hash(seed=0)


def bucket_of(*keys: str) -> pl.Expr:
    """The bucket of a record by its key columns."""
    return (record_of(*keys) % BUCKETS).cast(pl.Int16)


class Spool:
    """The rows of an import, by stage, in a folder of its own; `held`: so many batches are written at a time."""

    def __init__(self, folder: Path, held: int | None = None) -> None:
        self.folder = folder
        self._most = held or _HELD
        self._held: dict[str, list[pl.DataFrame]] = {}
        self._counts: dict[str, Counter[int]] = {}

    def clear(self) -> None:
        """Begin anew."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)

    def add(self, stage: str, rows: pl.DataFrame) -> None:
        """Put rows down; they have a column `bucket`, and may have one `within`: the bucket by a finer key."""
        held = self._held.setdefault(stage, [])
        held.append(rows)
        self._counts.setdefault(stage, Counter()).update(dict(rows["bucket"].value_counts().iter_rows()))
        if len(held) >= self._most:
            self._flush(stage)

    def _flush(self, stage: str) -> None:
        held = self._held.pop(stage, [])
        if not held:
            return
        if not self._schema_path(stage).exists():
            held[0].clear().write_ipc_stream(self._schema_path(stage))
        rows = pl.concat(held)
        if rows.is_empty():
            return
        rows = _said(rows).sort("bucket")
        if rows.height < _FEW:
            _append(self._path(stage), rows)
            return
        self._put_apart(stage, rows)

    def _put_apart(self, stage: str, rows: pl.DataFrame) -> None:
        """Rows that are sorted by their bucket to the files of their buckets."""
        firsts = range(0, BUCKETS, _WIDTH)
        cuts = [*rows["bucket"].search_sorted(pl.Series(firsts, dtype=pl.Int16)), rows.height]
        for first, start, end in zip(firsts, cuts, cuts[1:], strict=False):
            if end > start:
                _append(self._path(stage, first), rows.slice(start, end - start))

    def _path(self, stage: str, first: int | None = None) -> Path:
        return self.folder / f"{stage}-{'all' if first is None else first}"

    def _schema_path(self, stage: str) -> Path:
        return self.folder / f"{_COLUMNS}-{stage}"

    def divide(self, stage: str) -> list[Piece]:
        """The stage's rows as pieces of work; nothing is added to it from now on."""
        self._flush(stage)
        pieces = []
        for piece in _divide(stage, self._counts.get(stage, Counter())):
            pieces += self._divide_bucket(piece) if piece.first == piece.last and piece.rows > _TOO_MANY else [piece]
        return pieces

    def _divide_bucket(self, piece: Piece) -> list[Piece]:
        finer = f"{piece.stage}{_DIVIDED}{piece.first}"
        for rows in self._blocks(piece):
            if "within" not in rows.columns:
                return [piece]
            self.add(finer, rows.with_columns(bucket="within").drop("within"))
        return self.divide(finer)

    def finish(self, stages: Sequence[str]) -> list[Piece]:
        """Write what is held, and the pieces of work in the order of the stages."""
        pieces = [piece for stage in stages for piece in self.divide(stage)]
        (self.folder / _PLAN).write_text(json.dumps([asdict(piece) for piece in pieces]), encoding="utf-8")
        return pieces

    def pieces(self) -> list[Piece]:
        """The pieces that `finish` fixed."""
        return [Piece(**piece) for piece in json.loads((self.folder / _PLAN).read_text(encoding="utf-8"))]

    def read(self, piece: Piece) -> pl.DataFrame:
        """The rows of a piece. Raises Damaged when some of them are not there."""
        blocks = list(self._blocks(piece))
        if sum(block.height for block in blocks) != piece.rows:
            raise Damaged(f"rows of {piece} are missing")
        return pl.concat(blocks).drop("bucket", "within", strict=False)

    def _blocks(self, piece: Piece) -> Iterator[pl.DataFrame]:
        """The rows of a piece, not too many at a time, with all columns of their stage."""
        wanted = pl.col("bucket").is_between(piece.first, piece.last)
        columns = self._columns(piece.stage)
        for first, path in self._paths(piece):
            whole = first is not None and piece.first <= first and first + _WIDTH - 1 <= piece.last
            for rows in _together(path, columns):
                yield rows if whole else rows.filter(wanted)

    def _columns(self, stage: str) -> pl.DataFrame:
        """No row, with the columns that the stage's rows have."""
        path = self._schema_path(stage)
        if not path.exists():
            raise Damaged(f"columns of {stage} are missing")
        return pl.read_ipc_stream(path)

    def _paths(self, piece: Piece) -> list[tuple[int | None, Path]]:
        firsts = range(piece.first // _WIDTH * _WIDTH, piece.last + 1, _WIDTH)
        return [(first, self._path(piece.stage, first)) for first in (None, *firsts)]

    def take_out(self, stage: str, marks: str, record: pl.Expr) -> Iterator[pl.DataFrame]:
        """Take the rows of some records out of a stage, for good; gives them, not too many at a time.

        `marks` is another stage, whose rows say in which `bucket` which `record` (a number, as `record` finds it of the
        stage's rows) is to be taken. Nothing is added to either meanwhile.
        """
        for name in (stage, marks):
            self._flush(name)
            self._spread(name)
        for first in range(0, BUCKETS, _WIDTH):
            marked, path = self._path(marks, first), self._path(stage, first)
            if not marked.exists():
                continue
            wanted = pl.concat(_together(marked, self._columns(marks)))
            left = path.with_name(f"{_LEFT}-{path.name}")
            for rows in _together(path, self._columns(stage)):
                found = rows.with_columns(record=record)
                taken = found.join(wanted, on=["bucket", "record"], how="semi")
                self._counts[stage].subtract(dict(taken["bucket"].value_counts().iter_rows()))
                rest = found.join(wanted, on=["bucket", "record"], how="anti", maintain_order="left").drop("record")
                if not rest.is_empty():
                    _append(left, rest)
                if not taken.is_empty():
                    yield taken.drop("record")
            path.unlink(missing_ok=True)
            if left.exists():
                left.replace(path)

    def _spread(self, stage: str) -> None:
        """Rows that lie in the file into which every piece looks, to the files of their buckets."""
        path = self._path(stage)
        for rows in _together(path, self._columns(stage)):
            self._put_apart(stage, rows.sort("bucket"))
        path.unlink(missing_ok=True)

    def forget(self, stage: str) -> None:
        """Give the stage's room on the disk back."""
        for path in self.folder.glob(f"{stage}-*"):
            path.unlink()
        self._schema_path(stage).unlink(missing_ok=True)
        self._counts.pop(stage, None)


def _said(rows: pl.DataFrame) -> pl.DataFrame:
    """Without columns that are empty throughout: a file maps some of those that its kind may have."""
    return rows.select(name for name in rows.columns if rows[name].null_count() < rows.height)


def _append(path: Path, rows: pl.DataFrame) -> None:
    block = io.BytesIO()
    # The oldest form writes the texts of these rows; newer ones those of the frame that they are cut from.
    _said(rows).write_ipc_stream(block, compression="lz4", compat_level=pl.CompatLevel.oldest())
    with path.open("ab") as file:
        file.write(block.tell().to_bytes(_LENGTH, "big"))
        file.write(block.getbuffer())


def _together(path: Path, columns: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """The rows of a file, some appendices at a time, with all `columns`."""
    held, height = [columns], 0
    for block in _blocks(path):
        held.append(block)
        height += block.height
        if height >= PIECE:
            yield pl.concat(held, how="diagonal")
            held, height = [columns], 0
    if height:
        yield pl.concat(held, how="diagonal")


def _blocks(path: Path) -> Iterator[pl.DataFrame]:
    if not path.exists():
        return
    with path.open("rb") as file:
        while length := file.read(_LENGTH):
            yield pl.read_ipc_stream(io.BytesIO(file.read(int.from_bytes(length, "big"))))


class Homes:
    """In which buckets the rows of each record lie, by the disk, so that memory does not grow with the file.

    Rows of a record that stands in one bucket alone are together there; to look for the others is what this is for. Of
    a record's number the last bits make room for the bucket's: two records that differ in nothing else are taken for
    one. Who looks at them closely finds two; no record in several buckets is overlooked.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def clear(self) -> None:
        """Begin anew."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)

    def note(self, records: pl.Series, buckets: pl.Series) -> None:
        """Rows of these records (`record_of`) lie in these buckets."""
        number = (records.to_numpy() & ~np.uint64(BUCKETS - 1)) | buckets.to_numpy().astype(np.uint64)
        pairs = np.unique(number)
        cuts = np.searchsorted(pairs, _SHELVES)
        for shelf, part in enumerate(np.split(pairs, cuts)):
            if part.size:
                with (self.folder / str(shelf)).open("ab") as file:
                    part.tofile(file)

    def several(self) -> Iterator[pl.DataFrame]:
        """The buckets of those in several: `bucket`, `record` as `home` gives it; some at a time."""
        for path in sorted(self.folder.iterdir()):
            pairs = np.unique(np.fromfile(path, np.uint64))
            record = pairs >> np.uint64(_BITS)
            same = record[1:] == record[:-1]
            several = np.append(same, False) | np.insert(same, 0, False)
            if several.any():
                bucket = (pairs[several] & np.uint64(BUCKETS - 1)).astype(np.int16)
                yield pl.DataFrame({"bucket": bucket, "record": record[several]})


def home(*keys: str) -> pl.Expr:
    """A record's number as Homes keeps it."""
    return record_of(*keys) // BUCKETS


def _divide(stage: str, counts: Mapping[int, int]) -> list[Piece]:
    """Ranges of buckets with about so many rows as a piece has; a bucket with more of them stands alone."""
    pieces: list[Piece] = []
    first = last = rows = 0
    for bucket, count in sorted(counts.items()):
        if rows and rows + count > PIECE:
            pieces.append(Piece(stage, first, last, rows))
            rows = 0
        first, last = first if rows else bucket, bucket
        rows += count
    if rows:
        pieces.append(Piece(stage, first, last, rows))
    return pieces
