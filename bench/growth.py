"""How the night and the pages grow with the customers: `python -m bench.growth [--sizes 20000 200000 2000000]`.

Runs bench.scale for each size, one after the other (its options are passed on; comparing with other programmes and the
import only with the last), and sets the figures side by side. `--read` takes those of runs that have been made.
Prints Markdown and keeps it under var/bench/.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final

from bench.scale import AGAIN, ANEW, FIRST, NEXT, put_into
from bench.table import Figure, Results, Row, markdown
from config import env

SIZES: Final = (20_000, 200_000, 2_000_000)
NIGHTS: Final = (FIRST, AGAIN, ANEW, NEXT)


def table(found: dict[int, Results]) -> str:
    """The figures by size as Markdown: nights, their memory, pages, and how much more ten times the customers take."""
    sizes = sorted(found)
    parts = []
    for title, group, figure, names in (
        ("Nights, seconds", "nights", "seconds", NIGHTS),
        ("Nights, memory of the largest worker, MB", "nights", "largest worker MB", NIGHTS),
        ("Nights, write-ahead log, MB", "nights", "WAL MB", NIGHTS),
        ("Nights, rows written", "nights", "rows written", NIGHTS),
        ("Pages at the server, p95 ms", "pages", "p95 ms", _names(found, "pages")),
        ("Pages at the server, p50 ms", "pages", "p50 ms", _names(found, "pages")),
    ):
        rows = [_row(name, {size: found[size].get(group, name, figure) for size in sizes}) for name in names]
        rows = [row for row in rows if any(row[f"{size:,}"] is not None for size in sizes)]
        if rows:
            parts.append(f"**{title}**\n\n{markdown(rows)}\n")
    return "\n".join(parts)


def _names(found: dict[int, Results], group: str) -> list[str]:
    every = [str(row["what"]) for results in found.values() for row in results.rows if row["group"] == group]
    return list(dict.fromkeys(every))


def _row(name: str, figures: dict[int, Figure]) -> Row:
    """One line: a figure for each size, and from each size to the next how many times as much."""
    row: Row = {"what": name}
    row |= {f"{size:,}": figure for size, figure in figures.items()}
    pairs = list(figures.items())
    for (smaller, before), (larger, after) in pairwise(pairs):
        ratio = None
        if isinstance(before, int | float) and isinstance(after, int | float) and before:
            ratio = round(after / before, 2)
        row[f"{larger:,} ÷ {smaller:,}"] = ratio
    return row


def run(sizes: Sequence[int], keep: Path | None, options: Sequence[str], last: Sequence[str]) -> bool:
    """Measure each size, with `last` as further options of the largest; False when a stage of one has failed."""
    well = True
    for size in sizes:
        command = [sys.executable, "-m", "bench.scale", "--customers", str(size), *options]
        if keep is not None:
            command += ["--keep", str(keep / str(size))]
        command += last if size == max(sizes) else ["--import-lines", "0"]
        well &= subprocess.run(command, check=False).returncode == 0  # noqa: S603  # our own module
    return well


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="where the data stays, in a folder for each size")
    parser.add_argument("--read", action="store_true", help="only the figures that there are")
    parser.add_argument("--small", type=int, default=0, help="firms of a hundred customers beside the largest")
    parser.add_argument("--side-by-side", action="store_true")
    parser.add_argument(
        "--into", type=Path, metavar="FILE", help="a text between whose marks <!-- growth --> the tables go"
    )
    asked, options = parser.parse_known_args()
    well = True
    if not asked.read:
        last = ["--small", str(asked.small), *(["--side-by-side"] if asked.side_by_side else [])]
        well = run(sorted(asked.sizes), asked.keep, options, last)
    store = env.state_folder() / "bench"
    found = {size: Results.of(store / f"scale-{size}.json") for size in asked.sizes}
    text = table({size: results for size, results in found.items() if results.rows})
    store.mkdir(parents=True, exist_ok=True)
    (store / "growth.md").write_text(text, encoding="utf-8")
    print(text)
    if asked.into:
        put_into(asked.into, "growth", text)
    sys.exit(not well)


if __name__ == "__main__":
    main()
