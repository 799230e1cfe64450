"""Checked rows on the disk between reading and writing, so that memory does not grow with the file.

All rows of a record lie in one bucket, however scattered they stand in the file; a piece of work is a range
of buckets. The pieces are fixed when reading ends: a killed import goes on with the next one.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import polars as pl

BUCKETS: Final = 1024
PIECE: Final = 50_000  # rows that are merged in one transaction, about
# Batches that are held before they are written: fewer, larger files are read faster. Not rows, because the few
# rows of a small stage keep the text of their whole batch in memory.
_HELD: Final = 5
_PLAN: Final = "plan.json"


@dataclass(frozen=True)
class Piece:
    """The rows of one stage in the buckets `first` to `last`."""

    stage: str
    first: int
    last: int


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
        self._files = 0

    def clear(self) -> None:
        """Begin anew."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)

    def add(self, stage: str, rows: pl.DataFrame) -> None:
        """Put rows down; they have a column `bucket`."""
        held = self._held.setdefault(stage, [])
        held.append(rows)
        self._counts.setdefault(stage, Counter()).update(dict(rows["bucket"].value_counts().iter_rows()))
        if len(held) >= _HELD:
            self._flush(stage)

    def _flush(self, stage: str) -> None:
        rows = pl.concat(self._held.pop(stage, []))
        if rows.is_empty():
            return
        # Sorted and in small groups, so that a piece reads its own rows and skips the others.
        path = self.folder / f"{stage}-{self._files:05}.parquet"
        rows.sort("bucket").write_parquet(path, compression="lz4", row_group_size=8_192, statistics=True)
        self._files += 1

    def finish(self, stages: Sequence[str]) -> list[Piece]:
        """Write what is held, and the pieces of work in the order of the stages."""
        for stage in list(self._held):
            self._flush(stage)
        pieces = [piece for stage in stages if stage in self._counts for piece in _divide(stage, self._counts[stage])]
        (self.folder / _PLAN).write_text(json.dumps([asdict(piece) for piece in pieces]), encoding="utf-8")
        return pieces

    def pieces(self) -> list[Piece]:
        """The pieces that `finish` fixed."""
        return [Piece(**piece) for piece in json.loads((self.folder / _PLAN).read_text(encoding="utf-8"))]

    def read(self, piece: Piece) -> pl.DataFrame:
        """The rows of a piece."""
        files = sorted(self.folder.glob(f"{piece.stage}-*.parquet"))
        rows = pl.scan_parquet(files).filter(pl.col("bucket").is_between(piece.first, piece.last))
        return rows.drop("bucket").collect()


def _divide(stage: str, counts: Mapping[int, int]) -> list[Piece]:
    pieces: list[Piece] = []
    first = rows = 0
    for bucket, count in sorted(counts.items()):
        if rows and rows + count > PIECE:
            pieces.append(Piece(stage, first, bucket - 1))
            first, rows = bucket, 0
        rows += count
    if rows:
        pieces.append(Piece(stage, first, BUCKETS - 1))
    return pieces
