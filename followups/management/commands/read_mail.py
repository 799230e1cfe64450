"""manage.py read_mail Maildir/: answers and bounces that a mail server has delivered."""

from __future__ import annotations

import json
import mailbox
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from followups.messages.inbound import Came, receive_bytes
from tenants.management.base import tell


class Command(BaseCommand):
    help = (
        "Read mail that came in: .eml files, mbox files and Maildir folders, or one mail from standard input (-), as "
        "mail servers hand it to a programme. Prints one JSON object of how many there were of each sort. What belongs "
        "to no message of ours (stray) is left where it is; the rest of a Maildir's new/ goes to cur/. Reading the same "
        "mail again changes nothing."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("places", nargs="+", metavar="PLACE", help="a file, a Maildir folder, or -")
        parser.add_argument(
            "--recipient", action="append", default=[], help="whom the mail was delivered to, where the server says it"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        counts: Counter[Came] = Counter()
        for place in options["places"]:
            for came in _read(place, options["recipient"]):
                counts[came] += 1
        self.stdout.write(json.dumps(dict(sorted(counts.items()))))


def _read(place: str, recipients: list[str]) -> Iterator[Came]:
    if place == "-":
        yield receive_bytes(sys.stdin.buffer.read(), recipients=recipients)
        return
    path = Path(place)
    if (path / "new").is_dir() and (path / "cur").is_dir():
        yield from _read_maildir(path, recipients)
    elif path.is_file():
        head = path.read_bytes()[:5]
        if head == b"From ":
            for number, mail in enumerate(mailbox.mbox(path, create=False)):
                yield _one(mail.as_bytes(), recipients, f"{place}, no. {number + 1}")
        else:
            yield _one(path.read_bytes(), recipients, place)
    else:
        raise CommandError(f"There is no mail in {place}: give an .eml or mbox file, a Maildir folder, or -.")


def _read_maildir(path: Path, recipients: list[str]) -> Iterator[Came]:
    for file in sorted((path / "new").iterdir()):
        came = _one(file.read_bytes(), recipients, str(file))
        if came != "stray":
            # Done before it is moved: killed in between, it is read again, which changes nothing.
            file.rename(path / "cur" / f"{file.name}:2,S")
        yield came


def _one(raw: bytes, recipients: list[str], where: str) -> Came:
    came = receive_bytes(raw, recipients=recipients)
    if came == "stray":
        tell(f"{where}: belongs to no message of ours")
    return came
