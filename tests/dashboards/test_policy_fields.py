"""It: the fields of the policy: every value of a document is one, and changes lead from one document to another."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from dashboards.policy_fields import (
    STANDARD_INTERVALS,
    cards,
    changes,
    custom_interval,
    interval,
    interval_words,
    leaves,
    number_of,
    put,
    starting_parts,
    touch_of,
    value_of,
    words,
)
from followups.rules.policy import PERIOD_DAYS, Touch
from tenants.policies import check_document, pack_document
from tenants.policy_words import register, registered
from tenants.rules import documents
from tenants.rules.documents import differences
from tenants.rules.sections import PACKS, PolicySection

COUNTS = st.integers(1, 1095)


def values(document: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Paths to everything in a document that is no mapping."""
    if isinstance(document, dict):
        return [each for key, inner in document.items() for each in values(inner, (*path, key))]
    return [path]


@pytest.mark.parametrize("pack", PACKS)
def test_every_value_of_a_document_is_a_field(pack):
    document = pack_document(pack)
    known = leaves(document)
    shown = {leaf.path[:-1] if leaf.kind == "touch" else leaf.path for leaf in known.values()}
    assert [path for path in values(document) if path not in shown] == []


@pytest.mark.parametrize("pack", PACKS)
def test_every_field_has_a_title_and_its_value_in_words(pack):
    document = pack_document(pack)
    for leaf in leaves(document).values():
        assert leaf.title, leaf.path
        assert leaf.path[-1] != leaf.title, leaf.path
        assert words(leaf, value_of(document, leaf)) not in {"", "None"}, leaf.path


@pytest.mark.parametrize("pack", PACKS)
def test_putting_a_value_where_it_is_changes_nothing(pack):
    document = pack_document(pack)
    for leaf in leaves(document).values():
        assert put(document, leaf, value_of(document, leaf)) == document, leaf.path


@pytest.mark.parametrize(("before", "after"), list(permutations(PACKS, 2)))
def test_changes_lead_from_one_document_to_the_other(before, after):
    start, end = pack_document(before), pack_document(after)
    document = start
    for change in changes(start, end):
        document = put(document, change.leaf, change.after)
    for side in (document, end):  # the order of a tier's touches says nothing
        for touches in side["cadence"]["tiers"].values():
            touches.sort(key=lambda touch: touch["kind"])
    assert differences(document, end) == []
    assert check_document(document) == []


def test_equal_documents_have_no_changes():
    for pack in PACKS:
        assert changes(pack_document(pack), pack_document(pack)) == []


def test_lines_of_other_schemes_stand_beside_and_everything_else_does_not():
    for pack in PACKS:
        beside = [card for card in cards("tiers", pack_document(pack)) if card.is_beside]
        assert len(beside) == 1
        named = {leaf.path[-1].split("_")[0] for leaf in beside[0].leaves}
        own = {"wholesale": {"strategic", "key"}, "callback": {"gold", "silver"}, "sales-team": {"core", "potential"}}
        assert named == set().union(*own.values()) - own.get(pack, set())


def test_draws_a_new_field_of_a_known_shape_and_refuses_one_of_an_unknown():
    class Known(PolicySection):
        section = "known"
        title = "Known"
        often: int = 3

    class Inner(BaseModel):
        names: set[str] = set()

    class Unknown(PolicySection):
        section = "unknown"
        title = "Unknown"
        inner: Inner = Inner()

    kept = registered()
    try:
        register(Known)
        (card,) = cards("known", {"known": {"often": 3}, **pack_document("starter")})
        assert [(leaf.name, leaf.kind) for leaf in card.leaves] == [("known.often", "whole")]
        register(Unknown)
        with pytest.raises(TypeError, match=r"unknown\.inner\.names"):
            cards("unknown", pack_document("starter"))
    finally:
        from tenants import policy_words

        for name in set(registered()) - set(kept):
            del policy_words._sections[name], policy_words._labels[name]


# ── intervals and numbers ────────────────────────────────────────────────────


@given(per=st.sampled_from(sorted(PERIOD_DAYS)), times=st.integers(1, 30))
def test_an_interval_of_times_survives_being_written(per, times):
    touch = touch_of("report", f"{per}/{times}")
    assert interval(touch) == f"{per}/{times}"
    assert (touch["per"], touch["times"], touch["every_days"]) == (per, times, None)


@given(days=COUNTS)
def test_an_interval_of_days_survives_being_written(days):
    assert interval(touch_of("report", f"days/{days}")) == f"days/{days}"


@pytest.mark.parametrize("each", STANDARD_INTERVALS)
def test_every_offered_interval_is_a_touch_and_reads_as_words(each):
    Touch.model_validate(touch_of("deep_talk", each))
    assert "/" not in interval_words(each)
    written = custom_interval(each)
    assert Touch.model_validate(touch_of("deep_talk", written)).interval_days == (
        Touch.model_validate(touch_of("deep_talk", each)).interval_days
    )


@given(number=st.integers(-(10**15), 10**15))
def test_reads_every_whole_number_with_and_without_separators(number):
    assert number_of(str(number)) == number
    assert number_of(f" {number:,} ") == number
    assert isinstance(number_of(f"{number}.0"), int)


@given(text=st.text(max_size=60))
def test_reads_any_text_as_a_number_or_leaves_it_as_it_is(text):
    found = number_of(text)
    assert found == text or isinstance(found, int | float)
    assert found in {0, float("inf")} or found == found  # never NaN


# ── weights for single tiers and stages, points while unknown ────────────────


def card(document, name):
    return next(each for each in cards("health", document) if each.id == f"c-health-{name}")


def test_offers_the_tiers_of_the_scheme_and_the_stages_in_the_order_of_a_customers_life():
    document = pack_document("callback")
    assert [code for code, _words in card(document, "tier_weights").adding.choices] == ["gold", "silver", "bronze"]
    assert card(document, "stage_weights").adding.choices == (
        ("new", "New"), ("active", "Active"), ("lapsed", "Lapsed"), ("won_back", "Won back"),
    )  # fmt: skip


@pytest.mark.parametrize(("name", "code"), [("tier_weights", "gold"), ("stage_weights", "lapsed")])
def test_weights_of_their_own_begin_with_those_of_everybody_and_can_go_again(name, code):
    document = pack_document("callback")
    path = ("health", name)
    own = starting_parts(document, path)
    assert list(own) == list(document["health"]["indicators"])
    changed = documents.put(document, (*path, code), own)
    assert check_document(changed) == []
    (leaf,) = card(changed, name).leaves
    assert [part.path[-1] for part in leaf.parts] == list(own)
    assert words(leaf, value_of(changed, leaf)).startswith("Order frequency 15, Order stability 6, ")
    assert code not in dict(card(changed, name).adding.choices)
    assert differences(put(changed, leaf, None), document) == []


def test_says_what_empty_points_mean():
    document = pack_document("callback")
    leaf = leaves(document)[("health", "indicators", "advocacy", "unknown_points")]
    assert (leaf.kind, leaf.optional, words(leaf, None), words(leaf, 40)) == ("whole", True, "left out", "40")
    changed = put(document, leaf, 40)
    assert check_document(changed) == []
    assert differences(put(changed, leaf, None), document) == []
