"""Every measure, one after the other: python -m bench [--full] [name ...]

Each prints what it saw, as JSON or as a table; nothing here passes or fails, as machines differ. Figures of one run
can be compared with each other. `--full` takes hours and some fifty gigabytes of disk: docs/scale.md.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from typing import Final

Measures = dict[str, tuple[tuple[str, ...], ...]]

MEASURES: Final[Measures] = {
    "forecast": (("real",), ("speed",)),
    "lifetime": ((),),
    "cross_sell": (("real",),),
    "today": ((),),
    "team": ((),),
    "kpis": ((),),
    "scale": (("--customers", "20000", "--small", "50"),),
}
"""What is run, by module: its arguments, once each."""

FULL: Final[Measures] = {"growth": (("--small", "1000", "--side-by-side"),)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="name", help=", ".join(MEASURES | FULL))
    parser.add_argument("--full", action="store_true", help="20,000, 200,000 and 2,000,000 customers")
    asked = parser.parse_args()
    measures = FULL if asked.full else MEASURES
    names = asked.names or list(measures)
    if unknown := set(names) - set(measures):
        parser.error(f"there is no {', '.join(sorted(unknown))}; there are: {', '.join(measures)}")
    failed = []
    for name in names:
        for arguments in measures[name]:
            print(f"\n── bench.{name} {' '.join(arguments)}", flush=True)
            command = [sys.executable, "-m", f"bench.{name}", *arguments]
            if subprocess.run(command, check=False).returncode:  # noqa: S603  # our own modules
                failed.append(name)
    if failed:
        sys.exit(f"Not all could be measured: {', '.join(failed)}.")


if __name__ == "__main__":
    main()
