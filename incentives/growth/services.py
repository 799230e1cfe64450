"""Growth: what other rooms, pages and the API ask of it and do with it."""

from __future__ import annotations

from incentives.growth.certifying import (
    Given,
    confirm,
    name_reviewer,
    open_quarter,
    score,
    send_back,
    tell_due,
    waiting_for,
)
from incentives.growth.people import Refused, leads
from incentives.growth.promotion import Standing, raise_notes, settle, standings
from incentives.growth.training import (
    add_customer,
    approve,
    change_training,
    customer_done,
    customer_undone,
    end,
    plan_training,
    remove_customer,
    take_back,
    tell_late,
)

__all__ = [
    "Given",
    "Refused",
    "Standing",
    "add_customer",
    "approve",
    "change_training",
    "confirm",
    "customer_done",
    "customer_undone",
    "end",
    "leads",
    "name_reviewer",
    "open_quarter",
    "plan_training",
    "raise_notes",
    "remove_customer",
    "score",
    "send_back",
    "settle",
    "standings",
    "take_back",
    "tell_due",
    "tell_late",
    "waiting_for",
]
