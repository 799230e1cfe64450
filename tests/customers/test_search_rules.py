"""It: finds a name by the beginning of any of its words, and Chinese by any part."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from customers.rules.search import LONGEST_ENDING, MOST_WORDS, terms, words

LATIN = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=1, max_size=12)
HAN = st.text("恒通贸易有限公司新华金桥海天", min_size=2, max_size=9)


def is_found(name: str, typed: str) -> bool:
    """As the database looks: each beginning of each word must begin a term."""
    known = terms(name)
    asked = words(typed)
    return bool(asked) and all(
        word.beginnings and all(any(term.startswith(each) for term in known) for each in word.beginnings)
        for word in asked
    )


@given(st.lists(LATIN, min_size=1, max_size=5), st.data())
def test_finds_a_name_by_the_beginnings_of_its_words_in_any_order(parts, data):
    typed = data.draw(st.permutations(parts[:MOST_WORDS]))
    cut = [word[: data.draw(st.integers(1, len(word)))] for word in typed]
    assert is_found(" ".join(parts), " ".join(cut))


@given(HAN, st.data())
def test_finds_chinese_by_any_part_of_two_or_more(name, data):
    start = data.draw(st.integers(0, len(name) - 2))
    end = data.draw(st.integers(start + 2, len(name)))
    assert is_found(name, name[start:end])


@given(st.text(max_size=30))
def test_takes_any_text(text):
    assert all(len(term) >= 1 for term in terms(text))
    words(text)


@pytest.mark.parametrize(
    ("name", "typed"),
    [
        ("Café Müller", "cafe mull"),
        ("Alder Trading", "TRAD ald"),
        ("ＡＢＣ贸易", "abc贸易"),
        ("恒通贸易有限公司上海分公司", "通贸易有限公司上海分"),
        ("O'Hara & Sons", "hara"),
        ("3M中国", "3m中国"),
    ],
)
def test_sees_no_difference_of_case_width_accents_or_signs(name, typed):
    assert is_found(name, typed)


@pytest.mark.parametrize(
    ("name", "typed"),
    [("Alder Trading", "rading"), ("恒通贸易", "贸通"), ("Alder Trading", "alder vessel"), ("Alder", "&")],
)
def test_does_not_find_what_is_not_there(name, typed):
    assert not is_found(name, typed)


@pytest.mark.parametrize(
    ("typed", "digits"),
    [("+86 138 0013 8000", "0008310083"), ("138-0013", "3100831"), ("020 7946 0018", "8100649702"), ("12345", "")],
)
def test_knows_a_phone_number_by_its_last_digits(typed, digits):
    asked = words(typed)
    assert [word.digits for word in asked if word.digits] == ([digits] if digits else [])


def test_cuts_a_long_run_into_parts_that_a_term_begins_with():
    (word,) = words("通贸易有限公司上海")
    assert all(len(part) == LONGEST_ENDING for part in word.beginnings)
    assert len(word.beginnings) == 2
