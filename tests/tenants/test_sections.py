"""It: every policy section, as shipped and as stored."""

from __future__ import annotations

import json
from typing import Any

import polars as pl
import pytest
from pydantic import ValidationError

from followups.rules.policy import KINDS, CadencePolicy, Touch
from followups.rules.ranking import LEVEL_WEIGHTS
from health.rules.policy import KEYS, HealthPolicy
from risk.rules.crisis_policy import CrisisPolicy
from risk.rules.policy import RiskPolicy
from segmentation.rules.policy import CrossSellPolicy, TierPolicy, ValuePolicy
from segmentation.rules.tiers import TIER_ORDER
from tenants.rules.columns import conform
from tenants.rules.sections import PACKS, PolicySection

SECTIONS: list[type[PolicySection]] = [
    TierPolicy, ValuePolicy, CrossSellPolicy, HealthPolicy, CadencePolicy, RiskPolicy, CrisisPolicy,
]  # fmt: skip


@pytest.mark.parametrize("pack", PACKS)
@pytest.mark.parametrize("section", SECTIONS)
def test_survives_being_stored_as_json_whose_keys_are_sorted(section: type[PolicySection], pack: str) -> None:
    shipped = section.pack(pack)
    stored = json.dumps(shipped.model_dump(mode="json"), sort_keys=True)
    assert section.model_validate(json.loads(stored)) == shipped


@pytest.mark.parametrize("section", SECTIONS)
def test_names_the_packs_there_are_when_asked_for_another(section: type[PolicySection]) -> None:
    with pytest.raises(ValueError, match="wholesale, callback, sales-team, starter"):
        section.pack("platinum")


@pytest.mark.parametrize("section", SECTIONS)
def test_is_whole_without_any_setting_and_refuses_settings_it_does_not_know(
    section: type[PolicySection],
) -> None:
    assert section.model_validate({}) is not None
    with pytest.raises(ValidationError) as refused:
        section.model_validate({"colour": "blue"})
    assert refused.value.errors()[0]["loc"] == ("colour",)


@pytest.mark.parametrize(
    ("section", "document", "field"),
    [
        (TierPolicy, {"silver_best": 101}, "silver_best"),
        (TierPolicy, {"grace_days": -1}, "grace_days"),
        (TierPolicy, {"scheme": "platinum"}, "scheme"),
        (TierPolicy, {"core_share": 100}, "core_share"),
        (TierPolicy, {"potential_from": 5.5}, "potential_from"),
        (HealthPolicy, {"yellow": 80}, "green"),
        (HealthPolicy, {"indicators": {}}, "indicators"),
        (RiskPolicy, {"silence_days": 400}, "ignore_after_days"),
        (CadencePolicy, {"tiers": {"gold": [{"kind": "dinner", "every_days": 7}]}}, "tiers.gold.0.kind"),
        (CadencePolicy, {"tiers": {"gold": [{"kind": "review", "every_days": 7}] * 2}}, "tiers"),
        (CadencePolicy, {"done_by": "18:00+08:00"}, "done_by"),
    ],
)
def test_names_the_field_that_does_not_fit(section: type[PolicySection], document: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError) as refused:
        section.model_validate(document)
    assert [".".join(map(str, error["loc"])) for error in refused.value.errors()] == [field]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ([[1, 100]], "at least 2"),
        ([[1, 100], [1, 0]], "greater than the one before"),
        ([[0, 0], [1, 100], [2, 50]], "only rise or only fall"),
        ([[0, 0], [1, 101]], "less than or equal to 100"),
    ],
)
def test_refuses_a_line_on_which_better_could_be_worse(line: list[list[float]], reason: str) -> None:
    document = HealthPolicy().model_dump(mode="json")
    document["indicators"]["advocacy"]["line"] = line
    with pytest.raises(ValidationError, match=reason):
        HealthPolicy.model_validate(document)


def test_weighs_the_twelve_indicators_to_one_hundred() -> None:
    indicators = HealthPolicy().indicators
    assert tuple(indicators) == KEYS
    assert sum(rule.weight for rule in indicators.values()) == 100


@pytest.mark.parametrize(
    ("touch", "days"),
    [
        (Touch(kind="light_touch", times=3, per="month"), 10),
        (Touch(kind="light_touch", times=2, per="quarter"), 45),
        (Touch(kind="light_touch", times=1, per="year"), 365),
        (Touch(kind="review", times=4, per="month"), 7),
        (Touch(kind="review", every_days=11), 11),
    ],
)
def test_turns_times_per_period_into_days_that_are_never_too_many(touch: Touch, days: int) -> None:
    assert touch.interval_days == days


@pytest.mark.parametrize(
    "touch",
    [
        {"kind": "review"},
        {"kind": "review", "times": 2},
        {"kind": "review", "every_days": 5, "times": 2, "per": "month"},
        {"kind": "review", "times": 8, "per": "week"},
    ],
)
def test_refuses_a_touch_said_in_no_way_or_in_two(touch: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Touch.model_validate(touch)


@pytest.mark.parametrize("pack", PACKS)
def test_ships_packs_whose_sections_speak_of_the_same_tiers(pack: str) -> None:
    order = TIER_ORDER[TierPolicy.pack(pack).scheme]
    assert set(CadencePolicy.pack(pack).tiers) == set(order)
    assert RiskPolicy.pack(pack).top_tiers == order[:2]


def test_weighs_a_worse_level_more() -> None:
    weights = [LEVEL_WEIGHTS[level] for level in ("routine", "mild", "moderate", "severe")]
    assert weights == sorted(set(weights))
    assert len(KINDS) == len(set(KINDS))


def test_says_which_columns_a_frame_lacks() -> None:
    with pytest.raises(ValueError, match="has no tier; it has: customer_id"):
        conform(pl.DataFrame({"customer_id": [1]}), {"customer_id": pl.Int64, "tier": pl.String})
