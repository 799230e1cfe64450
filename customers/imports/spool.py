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


def bucket_of(*keys: str) -> pl.Expr:
    """The bucket of a record by its key columns."""
    return (pl.concat_str([pl.col(key).fill_null("") for key in keys], separator="\x1f").hash(seed=0) % BUCKETS).cast(
        pl.Int16
    )


class Spool:
    """The rows of an import, by stage, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
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
        if len(held) >= _HELD:
            self._flush(stage)

    def _flush(self, stage: str) -> None:
        held = self._held.pop(stage, [])
        if not held:
            return
        rows = pl.concat(held).sort("bucket")
        if rows.height < _FEW:
            _append(self._path(stage), rows)
            return
        firsts = range(0, BUCKETS, _WIDTH)
        cuts = [*rows["bucket"].search_sorted(pl.Series(firsts, dtype=pl.Int16)), rows.height]
        for first, start, end in zip(firsts, cuts, cuts[1:], strict=False):
            if end > start:
                _append(self._path(stage, first), rows.slice(start, end - start))

    def _path(self, stage: str, first: int | None = None) -> Path:
        return self.folder / f"{stage}-{'all' if first is None else first}"

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
        wanted = pl.col("bucket").is_between(piece.first, piece.last)
        for path in self._paths(piece):
            if path.exists():
                yield from (block.filter(wanted) for block in _blocks(path))

    def _paths(self, piece: Piece) -> list[Path]:
        firsts = range(piece.first // _WIDTH * _WIDTH, piece.last + 1, _WIDTH)
        return [self._path(piece.stage), *(self._path(piece.stage, first) for first in firsts)]

    def forget(self, stage: str) -> None:
        """Give the stage's room on the disk back."""
        for path in self.folder.glob(f"{stage}-*"):
            path.unlink()


def _append(path: Path, rows: pl.DataFrame) -> None:
    block = io.BytesIO()
    # The oldest form writes the texts of these rows; newer ones those of the frame that they are cut from.
    rows.write_ipc_stream(block, compression="lz4", compat_level=pl.CompatLevel.oldest())
    with path.open("ab") as file:
        file.write(block.tell().to_bytes(_LENGTH, "big"))
        file.write(block.getbuffer())


def _blocks(path: Path) -> Iterator[pl.DataFrame]:
    with path.open("rb") as file:
        while length := file.read(_LENGTH):
            yield pl.read_ipc_stream(io.BytesIO(file.read(int.from_bytes(length, "big"))))


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
