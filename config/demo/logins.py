"""Who may sign in to the demo, as a table for the terminal."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Final

from django.urls import reverse

from config.demo.firm import Firm

PASSWORD: Final = "perennial-demo"  # noqa: S105  # printed for everybody: the firms are made up


def table(firms: Sequence[Firm]) -> str:
    """Role, e-mail address, password and path of every person of these firms, aligned."""
    head = ("Firm", "Role", "Name", "E-mail", "Password", "Path")
    rows = [
        (firm.name, str(person.role.label), person.name, person.email, PASSWORD, reverse("today", args=[firm.slug]))
        for firm in firms
        for person in firm.people
    ]
    widths = [max(_width(row[column]) for row in (head, *rows)) for column in range(len(head))]
    lines = [_line(head, widths), _line(["─" * width for width in widths], widths)]
    for before, row in zip([None, *rows], rows, strict=False):
        if before and before[0] != row[0]:
            lines.append("")
        lines.append(_line(row, widths))
    return "\n".join(lines)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(cell + " " * (width - _width(cell)) for cell, width in zip(cells, widths, strict=True)).rstrip()


def _width(text: str) -> int:
    """Columns on a terminal: a Han character takes two."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)
