"""What a run has measured: rows, kept as JSON after each of them, shown as Markdown tables."""

from __future__ import annotations

import json
import platform
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import psutil

Figure = str | int | float | None
Row = dict[str, Figure]

GROUP: Final = "group"
WHAT: Final = "what"
MB: Final = 2**20


@dataclass
class Results:
    """The rows of a run in the file `path`, and what it ran on; what a killed run had measured is read back.

    A row has a group (a table of its own), what was measured, and figures, whose names say their units.
    """

    path: Path
    about: dict[str, Any] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)
    done: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, path: Path) -> Results:
        found = cls(path)
        if path.exists():
            kept = json.loads(path.read_text(encoding="utf-8"))
            found.about, found.rows, found.done = kept["about"], kept["rows"], kept["done"]
        return found

    def add(self, group: str, what: str, **figures: Figure) -> None:
        """Add a row; `_` in a figure's name is shown as a space."""
        self.put({GROUP: group, WHAT: what} | {name.replace("_", " "): value for name, value in figures.items()})

    def put(self, row: Row) -> None:
        """Add a row as it stands, in the place of one of that group and name."""
        self.rows = [each for each in self.rows if (each[GROUP], each[WHAT]) != (row[GROUP], row[WHAT])]
        self.rows.append(row)
        self.save()

    def drop(self, *groups: str) -> None:
        """Forget the rows of groups that are measured anew."""
        self.rows = [row for row in self.rows if row[GROUP] not in groups]

    def finished(self, stage: str, note: Any) -> None:
        """Note that a stage need not be done again, and what later ones must know of it."""
        self.done[stage] = note
        self.save()

    def get(self, group: str, what: str, figure: str) -> Figure:
        """A figure of a row; None when it was not measured."""
        found = [row.get(figure) for row in self.rows if (row[GROUP], row[WHAT]) == (group, what)]
        return found[0] if found else None

    def save(self) -> None:
        """Write the file, whole or not at all."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self.path.with_suffix(".new")
        text = json.dumps({"about": self.about, "done": self.done, "rows": self.rows}, ensure_ascii=False, indent=1)
        fresh.write_text(text + "\n", encoding="utf-8")
        fresh.replace(self.path)

    def markdown(self) -> str:
        """Everything, one table per group."""
        parts = [f"- **{name}**: {value}" for name, value in self.about.items()]
        parts += [
            f"\n### {group}\n\n{markdown([row for row in self.rows if row[GROUP] == group])}"
            for group in dict.fromkeys(row[GROUP] for row in self.rows)
        ]
        return "\n".join(parts) + "\n"


def markdown(rows: list[Row]) -> str:
    """A Markdown table of rows: a column for every figure that one of them has, numbers to the right."""
    columns = [name for name in dict.fromkeys(name for row in rows for name in row) if name != GROUP]
    columns = [name for name in columns if any(row.get(name) is not None for row in rows)]
    numeric = {name for name in columns if not any(isinstance(row.get(name), str) for row in rows)}
    lines = [f"| {' | '.join('' if name == WHAT else name for name in columns)} |"]
    lines.append(f"|{'|'.join('---:' if name in numeric else '---' for name in columns)}|")
    lines += [f"| {' | '.join(shown(row.get(name)) for name in columns)} |" for row in rows]
    return "\n".join(lines)


def shown(figure: Figure) -> str:
    """A figure as people read it: thousands apart, as many decimals as say something."""
    if figure is None:
        return ""
    if isinstance(figure, str):
        return figure.replace("|", "\\|")
    if isinstance(figure, int):
        return f"{figure:,}"
    digits = 0 if abs(figure) >= 100 else 1 if abs(figure) >= 10 else 2
    return f"{figure:,.{digits}f}"


def machine() -> dict[str, str]:
    """What a run ran on."""
    cpu, info = platform.processor(), Path("/proc/cpuinfo")
    if info.exists():
        names = [
            line.partition(":")[2].strip() for line in info.read_text().splitlines() if line.startswith("model name")
        ]
        cpu = names[0] if names else cpu
    found = {
        "machine": f"{psutil.cpu_count()} processors ({cpu}), {psutil.virtual_memory().total / 2**30:.0f} GB of memory",
        "system": f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
    }
    command = ["git", "describe", "--always", "--dirty"]
    version = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parent)  # noqa: S603
    if version.returncode == 0:
        found["version"] = version.stdout.strip()
    return found
