"""It: never prints a hole, refuses what could leave one, gives each person the same wording, and decides only when it can."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from followups.rules.scripts import ALWAYS, FIELDS, PARTS, SOMETIMES, faults_of, fields_in, fill
from followups.rules.variants import LEAST, assign, best, decide, difference, rate
from followups.scripts.shipped import SHIPPED

KNOWN = {"customer": "Huaxin", "firm": "Acme", "member": "Ann", "today": "20 November 2026"}
words = st.text(alphabet=st.characters(exclude_characters="{}[]|\n\r", exclude_categories=("Cs", "Cc")), max_size=12)
always = st.sampled_from(sorted(ALWAYS))
sometimes = st.sampled_from(sorted(SOMETIMES))
said = words.filter(lambda text: text.strip() != "")
bare = always.map(lambda name: f"{{{name}}}")
with_words = st.builds(lambda name, text: f"{{{name}|{text.strip()}}}", sometimes, said)
optional = st.builds(lambda a, name, b: f"[{a}{{{name}}}{b}]", words, sometimes, words)
templates = st.lists(st.one_of(words, bare, with_words, optional), max_size=8).map("".join)


@given(templates, st.sets(sometimes))
def test_never_prints_a_hole_whatever_is_known(template, known):
    assert faults_of(template) == []
    values = KNOWN | {name: f"<{name}>" for name in known}
    filled = fill(template, values)
    assert not re.search(r"[{}\[\]|]", filled.text)
    assert set(filled.missing) == set(fields_in(template)) - set(values)
    for name in known - set(fields_in(template)):
        assert f"<{name}>" not in filled.text


@given(templates, st.sets(sometimes))
def test_says_every_field_that_is_known_and_no_other(template, known):
    values = KNOWN | {name: f"<{name}>" for name in known}
    text = fill(template, values).text
    inside = [set(fields_in(part)) for part in re.findall(r"\[[^\]]*\]", template)]
    dropped = set().union(*(names for names in inside if not names <= set(values)), set())
    plain = set(fields_in(re.sub(r"\[[^\]]*\]", "", template)))
    for name in known & plain:
        assert f"<{name}>" in text
    for name in dropped - plain - set().union(*(names for names in inside if names <= set(values)), set()):
        assert f"<{name}>" not in text


@given(st.text(max_size=40))
def test_says_what_is_wrong_or_fills_it(text):
    if faults_of(text):
        return
    fill(text, KNOWN)


@given(st.text(max_size=40))
def test_refuses_to_fill_what_has_a_wrong_form(text):
    wrong = {fault.code for fault in faults_of(text)} - {"unknown_field", "may_be_missing"}
    if wrong:
        with pytest.raises(ValueError, match="Not a template"):
            fill(text, dict.fromkeys(FIELDS, "x"))


@pytest.mark.parametrize(
    ("template", "codes"),
    [
        ("Hello {contact}", ["may_be_missing"]),
        ("Hello {contact|}", ["not_a_field"]),
        ("Hello {Contact Name}", ["not_a_field"]),
        ("Hello {colour|red}", ["unknown_field"]),
        ("Hello {contact|you", ["unpaired"]),
        ("Hello ] {customer}", ["unpaired"]),
        ("Hello [you {contact}", ["unpaired"]),
        ("Hello [you]", ["no_field"]),
        ("Hello [you [{contact}]]", ["nested", "unpaired"]),
        ("[a [b {contact}] ]", ["nested", "unpaired"]),
        ("{}", ["not_a_field"]),
    ],
)
def test_says_what_is_wrong_with_a_template(template, codes):
    assert [fault.code for fault in faults_of(template)] == codes


def test_writes_braces_and_brackets_that_are_doubled():
    assert fill("{{x}} [[y]] {customer}", KNOWN).text == "{x} [y] Huaxin"


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("Dear {contact|customer}, thank you.", "Dear customer, thank you."),
        ("Good day[ {contact}], {member} here.", "Good day, Ann here."),
        ("One. [Your order of {last_order}. ]Two.", "One. Two."),
        ("One.\n\n[{products} and {category}]\n\nTwo.", "One.\n\nTwo."),
        ("One. [By {last_order}, {contact|you}. ]Two.", "One. Two."),
    ],
)
def test_leaves_out_or_says_otherwise_what_is_not_known(template, text):
    assert fill(template, KNOWN).text == text


@pytest.mark.parametrize("script", SHIPPED, ids=lambda each: each.code)
def test_ships_scripts_that_stand_the_check_in_both_languages(script):
    for texts in script.variants.values():
        assert set(texts) == {"en", "zh-hans"}
        for subject, parts in texts.values():
            assert len(parts) == len(PARTS[script.outline])
            for each in (subject, *parts):
                assert faults_of(each) == []
                assert not re.search(r"[{}\[\]|]", fill(each, KNOWN).text)
        assert set(fields_in("".join(texts["en"][1]))) == set(fields_in("".join(texts["zh-hans"][1])))


def test_ships_the_eight_scenes():
    assert {each.scene for each in SHIPPED} == {
        "first_order", "regular", "complaint", "dormant", "new_product", "renewal", "festival", "referral",
    }  # fmt: skip


# ── who gets which ──────────────────────────────────────────────────────────


@given(st.integers(1, 10**9), st.permutations(["A", "B", "C"]))
def test_gives_a_person_the_same_wording_in_whatever_order_they_are_named(person, letters):
    assert assign("regular", f"contact:{person}", letters) == assign("regular", f"contact:{person}", sorted(letters))


def test_spreads_people_evenly():
    given_ = [assign("regular", f"contact:{n}", ["A", "B"]) for n in range(4000)]
    assert 1850 < given_.count("A") < 2150


@given(st.integers(1, 10**6))
def test_moves_only_those_whose_wording_is_retired(person):
    before = assign("regular", f"contact:{person}", ["A", "B", "C"])
    after = assign("regular", f"contact:{person}", ["A", "B"])
    assert after == before or before == "C"


def test_refuses_to_choose_among_none():
    with pytest.raises(ValueError, match="no variant"):
        assign("regular", "contact:1", [])


# ── which is better ─────────────────────────────────────────────────────────


def test_knows_newcombes_own_example():
    """Newcombe 1998, table II, contrast (a): 56/70 − 48/80, method 10: 0.0524 to 0.3339."""
    found = difference(rate(56, 70), rate(48, 80))
    assert found is not None
    assert (round(found.share, 4), round(found.low, 4), round(found.high, 4)) == (0.2, 0.0524, 0.3339)


def test_knows_newcombes_example_of_none_against_some():
    """Newcombe 1998, table II, contrast (e): 0/10 … here 10/10 − 0/20: 0.6791 to 1.0000."""
    found = difference(rate(10, 10), rate(0, 20))
    assert found is not None
    assert (round(found.low, 4), round(found.high, 4)) == (0.6791, 1.0)


def test_knows_wilsons_interval():
    """81 of 263, Newcombe 1998 (single proportion), method 3: 0.2553 to 0.3662."""
    found = rate(81, 263)
    assert (round(found.low or 0, 4), round(found.high or 0, 4)) == (0.2553, 0.3662)
    none = rate(0, 20)
    assert (none.low, round(none.high or 0, 4)) == (0.0, 0.1611)


@given(st.integers(0, 300), st.integers(0, 300), st.integers(0, 300), st.integers(0, 300))
def test_keeps_intervals_around_their_share_and_turns_with_the_sides(a, b, c, d):
    one, two = rate(min(a, b), max(a, b)), rate(min(c, d), max(c, d))
    there, back = difference(one, two), difference(two, one)
    if there is None or back is None:
        assert one.of == 0 or two.of == 0
        return
    assert -1 <= there.low <= there.share + 1e-12
    assert there.share <= there.high + 1e-12 <= 1 + 1e-9
    assert math.isclose(there.low, -back.high, abs_tol=1e-12)
    mirrored = {"first": "second", "second": "first", "not_yet": "not_yet"}
    assert decide(two, one) == mirrored[decide(one, two)]


def test_decides_nothing_before_each_was_used_often_enough():
    assert decide(rate(LEAST - 1, LEAST - 1), rate(0, 500)) == "not_yet"
    assert decide(rate(LEAST, LEAST), rate(0, 500)) == "first"
    assert decide(rate(20, 60), rate(22, 60)) == "not_yet"


def test_names_a_winner_only_where_it_beats_each_other_one():
    strong, middle, weak = rate(90, 100), rate(60, 100), rate(20, 100)
    assert best({"A": strong, "B": weak}) == ("first", "A")
    assert best({"A": weak, "B": middle, "C": strong}) == ("first", "C")
    assert best({"A": strong, "B": rate(88, 100), "C": weak}) == ("not_yet", "")
    assert best({"A": strong}) == ("no_rival", "")


def test_refuses_more_hits_than_tries():
    with pytest.raises(ValueError, match="3 of 2"):
        rate(3, 2)
