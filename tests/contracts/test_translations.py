"""The Chinese catalogue: it says everything that the source says, and nothing else."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from babel.messages import Catalog, Message
from babel.messages.pofile import read_po
from django.conf import settings

ROOT = Path(settings.ROOT)
CATALOGUE = ROOT / "locale" / "zh_Hans" / "LC_MESSAGES" / "django.po"

NOT_OURS = (".*", "__pycache__", "bench", "docs", "locale", "media", "node_modules", "static*", "tests", "var")
"""Folders without words for the screen, or with somebody else's."""

THE_SAME_IN_CHINESE = {"App", "KPI", "CSV", "NPS", "NPS %(value)s", "CSAT", "CSAT %(value)s"}

WORD = re.compile(r"[A-Za-z]{2}")
HOLES = re.compile(r"%(?:\(\w+\))?[a-z]|\{\w*\}|<[^>]*>|%%")
"""What a translation takes over as it stands: places for values, and HTML tags."""

# One Han character beside one Latin letter or digit, or an ASCII mark after Han.
TYPED_SPACE = re.compile(r"[\u4e00-\u9fff] (?=[A-Za-z0-9%])|[A-Za-z0-9)] (?=[\u4e00-\u9fff])")
ASCII_MARK = re.compile(r"[\u4e00-\u9fff][,:;?!()]|[,:;?!][\u4e00-\u9fff]")


def test_translates_every_message():
    assert [_name(each) for each in _messages() if not each.string or not all(_texts(each.string))] == []


def test_has_no_guesses_and_nothing_outlived():
    catalogue = _read(CATALOGUE)
    assert [_name(each) for each in catalogue if each.id and each.fuzzy] == []
    assert list(catalogue.obsolete) == []


def test_has_one_form_for_all_numbers():
    assert _read(CATALOGUE).num_plurals == 1
    assert [_name(each) for each in _messages() if each.pluralizable and len(_texts(each.string)) != 1] == []


def test_keeps_places_for_values_and_tags():
    wrong = {}
    for each in _messages():
        # The plural is the richer form: a singular may say "one" in words.
        source = _texts(each.id)[-1]
        for text in _texts(each.string):
            if sorted(HOLES.findall(source)) != sorted(HOLES.findall(text)):
                wrong[_name(each)] = text
    assert wrong == {}


def test_passes_the_compiler_of_make_setup():
    catalogue = _read(CATALOGUE)
    assert [(message.id, [str(error) for error in errors]) for message, errors in catalogue.check()] == []


def test_leaves_no_english():
    same = {each.id for each in _messages() if each.string in _texts(each.id)}
    # "v3" and "a × b" have nothing to translate.
    assert {words for words in same if WORD.search(HOLES.sub("", words))} == THE_SAME_IN_CHINESE


def test_is_set_as_chinese_is():
    """Full-width marks beside Han; no typed space between Han and Latin, which the stylesheet spaces itself."""
    texts = [text for each in _messages() for text in _texts(each.string)]
    assert [text for text in texts if TYPED_SPACE.search(text) or ASCII_MARK.search(text)] == []


def test_ends_a_sentence_where_the_source_does():
    wrong = [
        _name(each)
        for each in _messages()
        if {text.strip().endswith(".") for text in _texts(each.id)}
        != {text.endswith("。") for text in _texts(each.string)}
    ]
    assert wrong == []


def test_names_no_person_or_machine_in_its_header():
    header = CATALOGUE.read_text("utf-8").partition("\n\n")[0]
    assert "Project-Id-Version: Perennial" in header
    assert "@" not in header


@pytest.mark.skipif(not shutil.which("xgettext"), reason="xgettext is not installed (Debian: apt install gettext)")
def test_has_the_strings_of_the_source_and_no_others(tmp_path):
    house = tmp_path / "house"
    shutil.copytree(ROOT, house, ignore=shutil.ignore_patterns(*NOT_OURS))
    (house / "locale").mkdir()
    subprocess.run(
        [sys.executable, "manage.py", "makemessages", "--locale", "zh_Hans", "--keep-pot", "--no-location"],
        cwd=house, check=True, capture_output=True, text=True,
    )  # fmt: skip
    source = {_name(each) for each in _template(house / "locale" / "django.pot") if each.id}
    catalogue = {_name(each) for each in _messages()}
    missing, outlived = source - catalogue, catalogue - source
    assert not missing, f"run makemessages and translate: {missing}"
    assert not outlived, f"no longer in the source: {outlived}"


def _read(path: Path) -> Catalog:
    with path.open("rb") as file:
        return read_po(file, locale="zh_Hans")


def _template(path: Path) -> Catalog:
    # xgettext leaves the number of plurals open, which Babel does not read.
    text = path.read_text("utf-8").replace("nplurals=INTEGER; plural=EXPRESSION;", "nplurals=2; plural=n != 1;")
    return read_po(BytesIO(text.encode()))


def _messages() -> Iterator[Message]:
    return (each for each in _read(CATALOGUE) if each.id)


def _texts(words: str | tuple[str, ...] | list[str]) -> tuple[str, ...]:
    """The forms of a message: one, or singular and plural."""
    return (words,) if isinstance(words, str) else tuple(words)


def _name(message: Message) -> tuple[str | None, tuple[str, ...]]:
    return message.context, _texts(message.id)
