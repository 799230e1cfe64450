"""The playbooks that ship (PLAYBOOK section 7), as each pack has them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from segmentation.rules.policy import Scheme

VISITED: Final[Mapping[Scheme, bool]] = {"wholesale": True, "callback": False, "sales-team": True, "starter": False}
"""Whether a firm of a scheme goes and sees its customers; who has very many talks to them by video."""

FIRST_CALL_DAYS: Final[Mapping[Scheme, int]] = {"wholesale": 1, "callback": 2, "sales-team": 1, "starter": 2}
"""Working days to the first call after two silent months: few big customers at once, many small ones a day later."""


def shipped(scheme: Scheme) -> dict[str, dict[str, Any]]:
    """Code → definition of each playbook, for firms with the tiers of a scheme."""
    at_theirs = "visit" if VISITED[scheme] else "wechat"
    first = FIRST_CALL_DAYS[scheme]
    return {
        "silent": {
            "signals": ["order_silence", "frequency_falling"],
            "priority": 4,
            "stops": ["order"],
            "steps": [
                {
                    "code": "call", "script": "dormant", "within": first,
                    "then": {"reached": "next-order", "done": "next-order"},
                },
                {
                    "code": "chat", "kind": "light_touch", "channel": "wechat", "script": "dormant", "within": 2,
                    "then": {"reached": "next-order"},
                },
                {
                    "code": "again", "script": "dormant", "after": 3, "within": 5,
                    "then": {"not_reached": "end-no-answer"},
                },
                {"code": "next-order", "after": 5, "within": 10, "asks": True},
            ],
        },
        "diagnosis": {
            "signals": ["category_drop", "complaint_rise", "activity_drop"],
            "least_level": "moderate",
            "automatic": True,
            "priority": 3,
            "measure": "spend",
            "steps": [
                {"code": "facts", "inside": True, "kind": "report", "level": "moderate"},
                {
                    "code": "quality", "alongside": True, "inside": True, "kind": "report", "duty": "after_sales",
                    "level": "moderate",
                },
                {
                    "code": "technical", "alongside": True, "inside": True, "kind": "report", "duty": "product",
                    "level": "moderate",
                },
                {"code": "date", "script": "visit-together", "within": 2, "level": "moderate"},
                {"code": "visit", "channel": at_theirs, "within": 10, "level": "moderate"},
                {"code": "measures", "kind": "report", "channel": "email", "within": 3, "level": "moderate"},
                {"code": "check", "after": 20, "within": 25, "asks": True},
            ],
        },
        "retention-team": {
            "signals": ["leaving"],
            "least_level": "severe",
            "automatic": True,
            "priority": 1,
            "steps": [
                {
                    "code": "team", "inside": True, "kind": "report", "duty": "lead", "within": 4, "unit": "hours",
                    "level": "severe",
                },
                {"code": "hear", "script": "retention", "duty": "executive", "level": "severe"},
                {"code": "remedy", "inside": True, "kind": "report", "duty": "lead", "within": 2, "level": "severe"},
                {"code": "present", "channel": at_theirs, "duty": "executive", "within": 3, "level": "severe"},
                {
                    "code": "deliver", "inside": True, "kind": "report", "duty": "after_sales", "within": 10,
                    "level": "severe",
                },
                {"code": "check", "duty": "lead", "after": 5, "within": 10, "level": "severe", "asks": True},
            ],
        },
        "three-plus-one": {
            "signals": ["unanswered"],
            "least_level": "severe",
            "automatic": True,
            "priority": 2,
            "stops": ["order", "answer"],
            "steps": [
                {
                    "code": "phone", "kind": "light_touch", "script": "dormant", "level": "severe",
                    "then": {"reached": "end-saved"},
                },
                {
                    "code": "wechat", "kind": "light_touch", "channel": "wechat", "script": "dormant", "after": 1,
                    "within": 2, "level": "severe", "then": {"reached": "end-saved"},
                },
                {
                    "code": "mail", "how": "message", "kind": "message", "channel": "email", "script": "still-there",
                    "after": 1, "within": 2, "level": "severe",
                },
                {
                    "code": "benefit", "channel": "wechat", "script": "special", "after": 3, "within": 5,
                    "level": "severe", "asks": True, "then": {"not_reached": "end-no-answer"},
                },
            ],
        },
        "competitor": {
            "signals": ["competitor_pull"],
            "least_level": "moderate",
            "automatic": True,
            "priority": 2,
            "measure": "spend",
            "steps": [
                {"code": "learn", "script": "rival-offer", "level": "moderate"},
                {
                    "code": "own-offer", "inside": True, "kind": "report", "duty": "lead", "counts_from": "start",
                    "within": 2, "level": "moderate",
                },
                {"code": "talk", "channel": at_theirs, "script": "rival-offer", "within": 2, "level": "moderate"},
                {"code": "check", "after": 10, "within": 15, "asks": True},
            ],
        },
        "win-back": {
            "priority": 6,
            "wait_days": 60,
            "stops": ["order"],
            "measure_days": 180,
            "steps": [
                {"code": "ask-why", "script": "win-back", "within": 2},
                {"code": "terms", "inside": True, "kind": "report", "within": 3},
                {"code": "make-offer", "script": "win-back", "within": 3, "then": {"reached": "check"}},
                {"code": "letter", "kind": "light_touch", "channel": "email", "script": "win-back", "within": 2},
                {"code": "check", "after": 20, "within": 30, "asks": True},
            ],
        },
    }  # fmt: skip
