"""It: policies checked, saved, compared and restored."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connections
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from followups.rules.policy import CadencePolicy
from segmentation.rules.policy import TierPolicy
from tenants.context import tenant_scope
from tenants.events import acting_member
from tenants.models import Event, PolicyVersion
from tenants.policies import (
    InvalidPolicy,
    StalePolicy,
    active_policy,
    check_document,
    complete_document,
    pack_document,
    policy_numbered,
    registered,
    restore,
    save_policy,
    switch_pack,
    versions,
)
from tenants.policy_words import _PROBLEMS, field_at, title_of, unit_of, value_words
from tenants.rules.documents import absent, at, differences, merge_patch, put
from tenants.rules.sections import PACKS

UNITS = {"", "money", "percent", "minutes", "days", "hours", "months", "years", "times", "of 5", "touches"}
# What our own validators and checks say, beside pydantic's types of error.
OURS = {
    "strategic_not_above_key", "weights_do_not_add_up", "line_not_rising", "line_turns", "unknown_indicators",
    "missing_indicators", "no_order_indicator", "green_not_above_yellow", "more_than_daily", "no_one_interval",
    "kind_twice", "time_with_zone", "unknown_country", "region_without_country", "unknown_region", "closes_before",
    "off_and_on", "all_kept", "silence_never_seen", "tier_not_of_scheme", "solved_first", "solution_first",
    "weights_not_a_whole", "steps_not_rising", "promise_first", "solve_first",
    "each_over_mean",
}  # fmt: skip


def draft(*changes: tuple[str, Any], pack: str = "callback") -> dict[str, Any]:
    """A pack's document with some settings changed: ("tiers.silver_best", 35)."""
    document = pack_document(pack)
    for path, value in changes:
        document = put(document, tuple(path.split(".")), value)
    return document


def faults(document: Any) -> dict[str, str]:
    return {".".join(each.path): each.code for each in check_document(document)}


@contextmanager
def by(member: Any) -> Iterator[None]:
    token = acting_member.set(member)
    try:
        yield
    finally:
        acting_member.reset(token)


# ── documents ───────────────────────────────────────────────────────────────

json_values = st.recursive(
    st.none() | st.integers(-3, 3) | st.sampled_from(["", "a", "b"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)
documents = st.dictionaries(st.sampled_from("abc"), json_values, max_size=3)


def without_nulls(value: Any) -> Any:
    """The value without members that are null, for which a missing member and a null one are the same."""
    if isinstance(value, dict):
        return {key: without_nulls(inner) for key, inner in value.items() if inner is not None}
    return value


@given(documents, documents)
def test_the_differences_lead_from_one_document_to_the_other(before: dict[str, Any], after: dict[str, Any]) -> None:
    made = before
    for each in differences(before, after):
        assert at(before, each.path) == each.before != each.after == at(after, each.path)
        made = put(made, each.path, each.after)
    assert without_nulls(made) == without_nulls(after)


@given(documents)
def test_a_document_does_not_differ_from_itself(document: dict[str, Any]) -> None:
    assert differences(document, document) == []


def test_differences_take_a_list_as_a_whole_and_name_what_one_does_not_have() -> None:
    before = {"tiers": {"silver": 40}, "line": [1, 2], "old": {"x": 1}}
    after = {"tiers": {"silver": 35}, "line": [1, 3], "new": 0}
    assert [(each.path, each.before, each.after) for each in differences(before, after)] == [
        (("tiers", "silver"), 40, 35), (("line",), [1, 2], [1, 3]), (("old",), {"x": 1}, None), (("new",), None, 0),
    ]  # fmt: skip


# RFC 7396, appendix A.
@pytest.mark.parametrize(
    ("original", "patch", "result"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"a": "foo"}, None, None),
        ({"a": "foo"}, "bar", "bar"),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_merges_a_patch_as_the_standard_says(original: Any, patch: Any, result: Any) -> None:
    assert merge_patch(original, patch) == result


def test_says_which_keys_are_absent_but_not_inside_lists() -> None:
    assert list(absent({"a": {"b": 1, "c": 2}, "d": [{"e": 1}]}, {"a": {"b": 0}, "d": [{}]})) == [("a", "c")]


# ── checking ────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("pack", PACKS)
def test_finds_nothing_wrong_with_a_shipped_pack(pack: str) -> None:
    assert check_document(pack_document(pack)) == []


def test_lists_everything_that_is_wrong_at_once() -> None:
    wrong = draft(
        ("tiers.silver_best", 350), ("tiers.colour", "blue"), ("tiers.window_months", "x"), ("value.weights.direct", 35),
        ("health.green", 40), ("cadence.tiers.gold", [{"kind": "dinner", "every_days": 7}]), ("risk.silence_days", 400),
        ("weather", {}),
    )  # fmt: skip
    assert faults(wrong) == {
        "weather": "unknown_section",
        "tiers.silver_best": "less_than_equal",
        "tiers.colour": "extra_forbidden",
        "tiers.window_months": "int_parsing",
        "value.weights": "weights_do_not_add_up",
        "health.green": "green_not_above_yellow",
        "cadence.tiers.gold.0.kind": "literal_error",
        "risk.ignore_after_days": "silence_never_seen",
    }


def test_names_the_setting_and_the_limit_in_words() -> None:
    (fault,) = check_document(draft(("tiers.silver_best", 350)))
    assert fault.words == "“Silver: R + F + M among the best”: must be at most 100."
    assert fault.problem == "must be at most 100"
    (fault,) = check_document(draft(("tiers.strategic_money", 900_000)))
    assert fault.path == ("tiers", "strategic_money")
    assert "must be more than what Key takes (1,000,000)" in fault.words


def test_says_that_percentages_do_not_add_up_and_to_what() -> None:
    (fault,) = check_document(draft(("value.weights.direct", 35)))
    assert fault.words == (
        "“Weights of the scorecard”: direct, indirect and strategic must add up to 100 percent, not 95."
    )
    (fault,) = check_document(draft(("value.tier_weights", {"gold": {"direct": 1, "indirect": 1, "strategic": 1}})))
    assert fault.words.startswith("“Other weights for single tiers · Gold”: ")


def test_refuses_tiers_that_the_scheme_does_not_have_wherever_they_are_named() -> None:
    weights = {"direct": 40, "indirect": 30, "strategic": 30}
    wrong = draft(
        ("cadence.tiers.core", []), ("risk.top_tiers", ["gold", "key"]), ("value.tier_weights", {"basic": weights})
    )
    assert faults(wrong) == dict.fromkeys(
        ("cadence.tiers.core", "risk.top_tiers", "value.tier_weights.basic"), "tier_not_of_scheme"
    )


@pytest.mark.parametrize("document", [None, [], "x", 5, {"tiers": []}, {"tiers": None}, {"tiers": {"scheme": {}}}])
def test_survives_what_is_no_policy(document: Any) -> None:
    assert check_document(document)


def fields(kind: type[BaseModel], path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for name, field in kind.model_fields.items():
        yield (*path, name)
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from fields(field.annotation, (*path, name))


FIELDS = [
    *(path for name, kind in registered().items() for path in fields(kind, (name,))),
    ("health", "indicators", "advocacy", "weight"), ("health", "indicators", "advocacy", "line"),
    ("cadence", "tiers", "gold", "0", "kind"), ("cadence", "tiers", "gold", "0", "times"),
    ("cadence", "tiers", "gold", "0", "per"), ("cadence", "tiers", "gold", "0", "every_days"),
    ("value", "tier_weights", "gold", "direct"),
]  # fmt: skip


@pytest.mark.parametrize("path", FIELDS, ids=".".join)
def test_every_setting_has_a_title_and_a_unit_that_is_one(path: tuple[str, ...]) -> None:
    field = field_at(path)
    assert field is not None
    assert field.title
    assert title_of(path).endswith(field.title)
    assert unit_of(path) in UNITS


@pytest.mark.parametrize("path", [path for path in FIELDS if "0" not in path], ids=".".join)
def test_has_words_of_its_own_for_everything_that_can_be_wrong(path: tuple[str, ...]) -> None:
    found = 0
    for value in (None, "x", -(10**18), 10**18, 10**400, 0.5, 1e308, [], {}, [[]], {"x": None}, True):
        for fault in check_document(put(pack_document("callback"), path, value)):
            found += 1
            assert fault.code in _PROBLEMS.keys() | OURS
            assert "{" not in fault.words
    assert found > 3


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("tiers.strategic_money", 10_000_000, "¥10,000,000"),
        ("tiers.silver_best", 40, "40%"),
        ("tiers.window_months", 12, "12 months"),
        ("tiers.grace_days", 1, "1 day"),
        ("tiers.potential_from", 4.0, "4 of 5"),
        ("tiers.scheme", "sales-team", "Sales team"),
        ("risk.own_cycle_factor", 2.5, "2.5×"),
        ("risk.top_tiers", ["gold", "silver"], "Gold, Silver"),
        ("value.weights", {"direct": 40, "indirect": 60}, "Direct 40%, Indirect 60%"),
        ("cadence.tiers.gold", [{"kind": "light_touch", "times": 1, "per": "month"}], "Monthly light touch"),
        ("cadence.tiers.gold", None, "–"),
        ("health.indicators.advocacy.line", [[-50, 0], [50, 100]], "-50 → 0, 50 → 100"),
    ],
)
def test_writes_values_as_people_read_them(cast: Any, path: str, value: Any, words: str) -> None:
    with tenant_scope(cast.other_tenant), translation.override("en"):
        assert value_words(tuple(path.split(".")), value) == words


# ── switching ───────────────────────────────────────────────────────────────


@pytest.mark.parametrize("pack", PACKS)
def test_switching_brings_all_that_belongs_to_the_pack_and_keeps_the_rest(pack: str) -> None:
    own = draft(
        ("tiers.grace_days", 45), ("cadence.weekly_capacity", 20), ("risk.silence_days", 50),
        ("value.tier_weights", {"gold": {"direct": 50, "indirect": 25, "strategic": 25}}),
    )  # fmt: skip
    switched = switch_pack(own, pack)
    assert check_document(switched) == []
    assert {each.path: each.after for each in differences(pack_document(pack), switched)} == {
        ("tiers", "grace_days"): 45, ("cadence", "weekly_capacity"): 20, ("risk", "silence_days"): 50,
    }  # fmt: skip


def test_switching_alone_the_scheme_is_refused_for_the_cadence_would_do_nothing() -> None:
    assert set(faults(draft(("tiers.scheme", "starter"))).values()) == {"tier_not_of_scheme"}


# ── saving ──────────────────────────────────────────────────────────────────


def test_saves_a_change_as_the_next_version_with_its_reason(cast: Any, scope: Any) -> None:
    with by(cast.lea):
        version = save_policy(draft(("tiers.silver_best", 35)), pack="callback", note=" Fewer silver ", based_on=1)
    assert (version.number, version.note, version.created_by) == (2, "Fewer silver", cast.lea)
    assert active_policy().section(TierPolicy).silver_best == 35
    assert policy_numbered(1).section(TierPolicy).silver_best == 40
    event = Event.objects.filter(object_type="policyversion").order_by("-id").first()
    assert (event.verb, event.actor, event.changes) == ("saved", cast.lea, {"number": 2, "pack": "callback"})
    assert [row.number for row in versions()] == [2, 1]


def test_makes_no_version_of_what_changes_nothing(scope: Any) -> None:
    assert save_policy(pack_document("callback"), pack="callback", note="x").number == 1
    assert save_policy({**pack_document("callback"), "tiers": {"scheme": "callback"}}, pack="callback").number == 1
    assert PolicyVersion.objects.count() == 1


def test_wants_a_reason_of_a_person_and_none_of_a_command(cast: Any, scope: Any) -> None:
    with by(cast.lea), pytest.raises(InvalidPolicy) as refused:
        save_policy(draft(("tiers.silver_best", 350)), pack="callback", note="  ")
    assert [(each.path, each.code) for each in refused.value.faults] == [
        (("tiers", "silver_best"), "less_than_equal"), (("note",), "required"),
    ]  # fmt: skip
    with pytest.raises(InvalidPolicy, match="at most 200 characters"):
        save_policy(draft(("tiers.silver_best", 35)), pack="callback", note="x" * 201)
    assert save_policy(draft(("tiers.silver_best", 35)), pack="callback").number == 2


def test_refuses_to_save_over_what_the_writer_has_not_seen(scope: Any) -> None:
    save_policy(draft(("tiers.silver_best", 35)), pack="callback", based_on=1)
    with pytest.raises(StalePolicy) as stale:
        save_policy(draft(("tiers.silver_best", 30)), pack="callback", based_on=1)
    assert stale.value.number == 2
    assert active_policy().number == 2


def test_refuses_a_pack_that_there_is_not(scope: Any) -> None:
    with pytest.raises(ValueError, match="wholesale, callback, sales-team, starter"):
        save_policy(pack_document("callback"), pack="platinum")


def test_keeps_only_what_the_sections_know_in_their_own_form(scope: Any) -> None:
    version = save_policy(draft(("tiers.silver_best", "35"), ("tiers.potential_from", 4)), pack="callback")
    assert version.document["tiers"]["silver_best"] == 35
    assert list(version.document) == list(registered())


def test_fills_what_a_document_does_not_have_from_its_pack(scope: Any) -> None:
    assert save_policy({"tiers": {"scheme": "starter"}}, pack="starter").document == pack_document("starter")


def test_restores_an_old_version_as_a_new_one(scope: Any) -> None:
    save_policy(draft(("tiers.silver_best", 35)), pack="callback")
    save_policy(pack_document("wholesale"), pack="wholesale")
    again = restore(2, "As before", based_on=3)
    assert (again.number, again.pack, again.note) == (4, "callback", "As before")
    assert again.document == policy_numbered(2).document
    with pytest.raises(PolicyVersion.DoesNotExist):
        restore(99, "x")


def test_completes_an_old_version_with_the_sections_of_today(scope: Any) -> None:
    PolicyVersion.objects.create(number=2, pack="wholesale", document={"tiers": {"scheme": "wholesale"}, "gone": {}})
    whole = complete_document(policy_numbered(2))
    assert whole == pack_document("wholesale")
    assert list(whole) == list(registered())
    assert restore(2, "x").number == 2  # it is in force already
    save_policy(pack_document("callback"), pack="callback")
    assert restore(2, "x").document == whole


def test_shows_an_old_version_that_no_longer_fits_and_says_so_when_it_is_restored(scope: Any) -> None:
    PolicyVersion.objects.create(number=2, pack="callback", document=draft(("tiers.silver_best", 400)))
    save_policy(pack_document("callback"), pack="callback")
    assert complete_document(policy_numbered(2))["tiers"]["silver_best"] == 400
    with pytest.raises(InvalidPolicy, match="must be at most 100"):
        restore(2, "x")


def test_reads_the_cadence_best_tier_first_whatever_the_database_made_of_it(scope: Any) -> None:
    assert list(PolicyVersion.objects.get().document["cadence"]["tiers"]) == ["gold", "bronze", "silver"]
    assert list(active_policy().section(CadencePolicy).tiers) == ["gold", "silver", "bronze"]


@pytest.mark.django_db(transaction=True, databases=["default", "owner"])
@pytest.mark.xdist_group("transactions")
def test_lets_one_of_two_savers_through_and_tells_the_other(cast: Any) -> None:
    start, results = threading.Barrier(2), {}

    def save(best: int) -> None:
        try:
            with tenant_scope(cast.tenant):
                start.wait(5)
                results[best] = save_policy(draft(("tiers.silver_best", best)), pack="callback", based_on=1)
        except StalePolicy as stale:
            results[best] = stale
        finally:
            connections.close_all()

    threads = [threading.Thread(target=save, args=(best,)) for best in (30, 35)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(type(result).__name__ for result in results.values()) == ["PolicyVersion", "StalePolicy"]
    with tenant_scope(cast.tenant):
        assert sorted(PolicyVersion.objects.values_list("number", flat=True)) == [1, 2]
