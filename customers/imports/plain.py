"""CSV text as columns, many rows at once, where every line of it is a row; what it is else, the csv module says.

Two readers of one format must never tell two stories. Polars reads ten times as fast as the csv module, and is kinder: it
guesses where a quotation mark is out of place, and fills rows that are too short. So the text is measured first, byte by
byte, in whole arrays: only where nothing is left to guess is it given to Polars. A property test holds the two together.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from typing import Final

import numpy as np
import polars as pl

_NEWLINE: Final = 0x0A
_QUOTE: Final = 0x22
_MARK: Final = b"\xef\xbb\xbf"  # of the order of bytes: Polars would take it away where it begins a cell


def plain_rows(text: str, width: int, delimiter: str, columns: Sequence[int]) -> pl.DataFrame | None:
    """The cells in these columns, by position, of each line of the text; one row per line, nothing null.

    The text consists of whole lines; only the last may lack its end. Returns None where some line is no row: where it has
    not `width` cells, a break or a misplaced quotation mark in one, nothing at all in those columns, or more than the csv
    module takes for a cell.
    """
    block = text.encode()
    if b"\r" in block:
        block = block.replace(b"\r\n", b"\n")
    if b"\r" in block or b"\0" in block or block.startswith(_MARK):
        return None
    if width < 2 or len(set(columns)) < len(columns):
        return None  # in a table of one column an empty line and an empty cell look the same
    if not block.endswith(b"\n"):
        block += b"\n"
    rows = _rows(np.frombuffer(block, np.uint8), width, ord(delimiter))
    if rows is None:
        return None
    frame = pl.read_csv(
        block,
        has_header=False,
        separator=delimiter,
        schema={str(place): pl.String for place in range(width)},
        columns=sorted(columns),
        empty_string_is_null=False,
    ).select(str(place) for place in columns)
    if frame.height != rows or _says_nothing(frame):
        return None
    return frame


def _rows(block: np.ndarray, width: int, delimiter: int) -> int | None:
    """How many rows of `width` cells the bytes are; None when they are something else."""
    ends = block == _NEWLINE
    between = ends | (block == delimiter)
    quotes = np.flatnonzero(block == _QUOTE)
    if quotes.size:
        if not _well_quoted(block, quotes, between):
            return None
        # A quotation mark changes between inside and outside; a doubled one does so twice.
        between &= ~np.logical_xor.accumulate(block == _QUOTE)
    places = np.flatnonzero(between)
    if places.size % width:
        return None
    last = ends[places].reshape(-1, width)
    # All breaks of lines are counted: one within quotation marks is missing among those that end rows.
    if not last[:, -1].all() or last[:, :-1].any() or np.count_nonzero(ends) != len(last):
        return None
    longest = np.diff(places[width - 1 :: width], prepend=-1).max()
    return None if longest > csv.field_size_limit() else len(last)


def _well_quoted(block: np.ndarray, quotes: np.ndarray, between: np.ndarray) -> bool:
    """Whether quotation marks stand around whole cells, or doubled within them, and all are closed."""
    if quotes.size % 2:
        return False
    opening, closing = quotes[::2], quotes[1::2]
    doubled = closing[:-1] + 1 == opening[1:]  # the end of one and the beginning of the next are one mark of the cell
    begins = (opening == 0) | between[opening - 1]
    begins[1:] |= doubled
    ends = between[closing + 1]
    ends[:-1] |= doubled
    return bool(begins.all() and ends.all())


def _says_nothing(frame: pl.DataFrame) -> bool:
    """Whether a row has nothing in any of the columns: it may be one that says nothing at all."""
    first = frame.to_series(0) == ""
    return bool(first.any()) and bool(frame.select(pl.all_horizontal(pl.all() == "").any()).item())
