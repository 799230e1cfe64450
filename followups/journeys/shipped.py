"""The journeys that ship (PLAYBOOK section 6), as each pack has them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from segmentation.rules.policy import Scheme
from segmentation.rules.tiers import TIER_ORDER

BEST_TIERS: Final[Mapping[Scheme, int]] = {"wholesale": 2, "callback": 1, "sales-team": 1, "starter": 1}
"""How many of a scheme's tiers hear of a new product first."""

LOGISTICS: Final = (
    "logistics", "delivery", "shipping", "freight", "transport", "courier", "late", "物流", "送货", "运输", "快递", "发货",
    "配送", "交期", "到货",
)  # fmt: skip
NEW_PRODUCTS: Final = (
    "new product", "new model", "new range", "sample", "catalogue", "新品", "新产品", "新款", "样品", "产品目录",
)  # fmt: skip


def shipped(scheme: Scheme) -> dict[str, dict[str, Any]]:
    """Code → definition of each journey, for firms with the tiers of a scheme."""
    best = list(TIER_ORDER[scheme][: BEST_TIERS[scheme]])
    return {
        "first-order": {
            "trigger": "first_order",
            "priority": 3,
            "stops": ["complaint"],
            "steps": [
                {
                    "code": "letter", "how": "message", "channel": "email", "kind": "message",
                    "script": "first-thanks", "within_hours": 24, "level": "mild",
                },
                {
                    "code": "call", "channel": "phone", "kind": "light_touch", "script": "first-call",
                    "after_hours": 24, "within_hours": 72, "level": "mild",
                },
                {
                    "code": "report", "channel": "email", "kind": "report", "script": "value-report",
                    "after_hours": 96, "within_hours": 168,
                },
            ],
        },
        "complaint": {
            "trigger": "complaint_solved",
            "priority": 1,
            "wait_days": 3,
            "steps": [
                {
                    "code": "call-back", "channel": "phone", "kind": "light_touch", "script": "complaint",
                    "within_hours": 24, "level": "moderate", "unless": ["answer"],
                }
            ],
        },
        "logistics": {
            "trigger": "complaint_opened",
            "words": list(LOGISTICS),
            "priority": 1,
            "wait_days": 3,
            "steps": [
                {
                    "code": "solve", "channel": "phone", "kind": "light_touch", "script": "complaint",
                    "within_hours": 24, "level": "moderate", "duty": "after_sales",
                }
            ],
        },
        "product-asked": {
            "trigger": "asked",
            "words": list(NEW_PRODUCTS),
            "priority": 4,
            "steps": [
                {
                    "code": "product", "channel": "phone", "kind": "light_touch", "script": "new-product-chat",
                    "within_hours": 24, "level": "mild", "duty": "product",
                }
            ],
        },
        "new-product": {
            "trigger": "announced",
            "priority": 6,
            "conditions": {"tiers": best},
            "stops": ["complaint"],
            "steps": [
                {
                    "code": "sms", "how": "message", "channel": "sms", "kind": "message", "script": "new-product",
                    "within_hours": 4,
                },
                {
                    "code": "chat", "channel": "wechat", "kind": "light_touch", "script": "new-product-chat",
                    "after_hours": 4, "within_hours": 24,
                },
            ],
        },
        "silent": {
            "trigger": "silence",
            "days": 90,
            "priority": 5,
            "stops": ["order"],
            "steps": [
                {
                    "code": "ask", "channel": "phone", "kind": "deep_talk", "script": "dormant",
                    "within_hours": 48, "level": "mild",
                }
            ],
        },
    }  # fmt: skip
