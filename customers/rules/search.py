"""By which words a name is found, and what a person means by what they type. Pure.

A name is cut into runs: letters and digits of scripts that put spaces between words, and characters of those that do
not (Chinese, Japanese, Korean). A run of the first kind is a term as it stands: "Alder Trading" is found by "ald" and by
"trad". Of a run of the second kind every ending is a term, so that any part of it is the beginning of one: 恒通贸易 is
found by 通贸. Case, width (ＡＢＣ) and accents make no difference.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Final

LONGEST: Final = 24
"""Characters of a term; what is longer is cut."""

LONGEST_ENDING: Final = 6
"""The same of a run without spaces. Who types more of one is asked for each part of that length."""

FEWEST_DIGITS: Final = 6
"""From so many digits on a word may be a phone number."""

MOST_DIGITS: Final = 10
"""So many last digits tell phone numbers apart, whether the country is said with them or not."""

MOST_WORDS: Final = 8

_UNSPACED: Final = "\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U000323af"
_RUNS: Final = re.compile(rf"[{_UNSPACED}]+|[^\W_{_UNSPACED}]+")
_IS_UNSPACED: Final = re.compile(rf"[{_UNSPACED}]")
_ACCENTS: Final = re.compile("[\u0300-\u036f]+")
_PHONE: Final = re.compile(r"\+?[\d\s()./-]+")


def folded(text: str) -> str:
    """The text without differences of case, width and accents."""
    if text.isascii():
        return text.lower()
    bare = _ACCENTS.sub("", unicodedata.normalize("NFKD", text).casefold())
    return unicodedata.normalize("NFC", bare)


def terms(name: str) -> frozenset[str]:
    """The terms by whose beginnings a name is found."""
    found: set[str] = set()
    for run in _RUNS.findall(folded(name)):
        if _IS_UNSPACED.match(run):
            last = max(1, len(run) - 1)  # the last character alone is no part that anybody looks for
            found.update(run[place : place + LONGEST_ENDING] for place in range(last))
        else:
            found.add(run[:LONGEST])
    return frozenset(found)


@dataclass(frozen=True)
class Word:
    """A word that somebody looks for.

    `beginnings`: each must begin a term of the name; none: it cannot be in a name. `number`: what a number in another
    system must begin with. `email`: what an e-mail address must begin with, "" if it is none. `digits`: what a phone
    number must end with, last digit first, "" if it is none.
    """

    beginnings: tuple[str, ...]
    number: str
    email: str
    digits: str


def words(text: str) -> list[Word]:
    """What is looked for: all of it must be found. A phone number may be written with spaces."""
    text = folded(text.replace("\0", " ")).strip()
    digits = "".join(filter(str.isdecimal, text))
    if _PHONE.fullmatch(text) and len(digits) >= FEWEST_DIGITS:
        return [_word("".join(text.split()))]
    return [_word(each) for each in dict.fromkeys(text.split()[:MOST_WORDS])]


def _word(text: str) -> Word:
    digits = "".join(filter(str.isdecimal, text)) if _PHONE.fullmatch(text) else ""
    return Word(
        beginnings=tuple(dict.fromkeys(part for run in _RUNS.findall(text) for part in _parts(run))),
        number=text,
        email=text if "@" in text else "",
        digits=digits[::-1][:MOST_DIGITS] if len(digits) >= FEWEST_DIGITS else "",
    )


def _parts(run: str) -> list[str]:
    """The run as terms know it: a long one without spaces in parts of LONGEST_ENDING, of which the last overlaps."""
    if not _IS_UNSPACED.match(run):
        return [run[:LONGEST]]
    if len(run) <= LONGEST_ENDING:
        return [run]
    places = [*range(0, len(run) - LONGEST_ENDING, LONGEST_ENDING), len(run) - LONGEST_ENDING]
    return [run[place : place + LONGEST_ENDING] for place in places]
