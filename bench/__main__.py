"""Every measure that needs no firm in a database, one after the other: python -m bench [name ...]

Each prints what it saw, as JSON or as a table; nothing here passes or fails, as machines differ. Figures of one run
can be compared with each other.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from typing import Final

MEASURES: Final[dict[str, tuple[tuple[str, ...], ...]]] = {
    "forecast": (("real",), ("speed",)),
    "lifetime": ((),),
    "cross_sell": (("real",),),
}
"""What is run, by module: its arguments, once each."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="name", help=", ".join(MEASURES))
    names = parser.parse_args().names or list(MEASURES)
    if unknown := set(names) - set(MEASURES):
        parser.error(f"there is no {', '.join(sorted(unknown))}; there are: {', '.join(MEASURES)}")
    for name in names:
        for arguments in MEASURES[name]:
            print(f"\n── bench.{name} {' '.join(arguments)}", flush=True)
            subprocess.run([sys.executable, "-m", f"bench.{name}", *arguments], check=True)  # noqa: S603  # our own modules


if __name__ == "__main__":
    main()
