"""The ways in which customers behave, and the days on which such a customer orders."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

HISTORY_DAYS: Final = 730


@dataclass(frozen=True)
class Shape:
    """One way to behave. Ranges are (least, most); days ago count from the history's last day.

    `began`: days ago of the first order, None: long before the history. `ended`: days ago of the last one,
    None: still ordering. `speed` and `size`: what pace and basket have become, relative to what they were
    `changing` days ago. `season`: how strongly the trade's year is felt (an exponent).
    """

    name: str
    customers: int
    gap: tuple[int, int] = (12, 52)  # days between orders, on an ordinary day
    jitter: float = 0.22
    season: float = 0.5
    began: tuple[int, int] | None = None
    ended: tuple[int, int] | None = None
    most_orders: int | None = None
    speed: float = 1.0
    size: float = 1.0
    changing: int = 240
    narrowing: bool = False  # drops categories on the way
    widening: bool = False  # takes up new ones
    credit_share: float = 0.015
    complaints: tuple[int, int] = (0, 1)  # in two years
    unsolved: int = 0  # of these, the last so many are open
    answers: float = 0.88  # share of our calls that are answered
    deaf: int = 0  # the last so many were not
    late_days: tuple[int, int] = (-6, 8)  # of payments
    content: float = 8.4  # with us, 0 to 10
    rivals: float = 0.02  # share of its calls about somebody else's offer, in the last months


SHAPES: Final[tuple[Shape, ...]] = (
    Shape("steady", 38),
    Shape("irregular", 26, gap=(16, 46), jitter=0.8, size=0.7, changing=150, answers=0.8, content=7.6),
    Shape("seasonal", 26, gap=(12, 30), season=2.2),
    Shape("growing", 20, gap=(20, 48), speed=1.9, size=1.9, changing=420, widening=True, answers=0.95, content=9.1),
    Shape(
        "fading",
        26,
        gap=(10, 26),
        speed=0.3,
        size=0.35,
        changing=190,
        narrowing=True,
        answers=0.6,
        deaf=1,
        late_days=(2, 25),
        content=6.6,
        rivals=0.2,
    ),
    Shape(
        "silent", 26, gap=(12, 34), ended=(32, 170), answers=0.7, deaf=3, late_days=(0, 30), content=6.0, rivals=0.25
    ),
    Shape(
        "complaining",
        16,
        gap=(10, 26),
        speed=0.55,
        size=0.6,
        changing=130,
        complaints=(4, 8),
        unsolved=2,
        answers=0.8,
        content=5.2,
        rivals=0.12,
    ),
    Shape("rare", 34, gap=(70, 200), jitter=0.5, size=0.9, content=7.8),
    Shape("gone", 18, gap=(14, 40), ended=(171, 640), answers=0.3, deaf=3, late_days=(0, 30), content=5.8),
    Shape("new", 18, gap=(8, 24), began=(2, 75), most_orders=4, complaints=(0, 0), content=8.8),
    Shape("one_off", 12, began=(95, 700), most_orders=1, complaints=(0, 0), answers=0.4, deaf=2, content=6.8),
    Shape(
        "returning", 12, gap=(12, 28), credit_share=0.24, complaints=(1, 3), late_days=(0, 20), content=6.9, rivals=0.1
    ),
    Shape("covered", 10, gap=(14, 40), content=8.0),
    Shape("closed", 8, gap=(14, 40), ended=(150, 420), size=0.6, complaints=(0, 2), content=6.0),
    Shape("never", 10, most_orders=0, complaints=(0, 0), answers=0.5, content=7.0),
)


def order_days(shape: Shape, season: Sequence[float], last: dt.date, rng: Random) -> list[dt.date]:
    """The days, all within the history that ends on `last`, on which a customer of this shape orders.

    `season` has one number per day of the history. Days pass slowly in the low season and quickly in the high
    one, and an order is placed whenever the customer's own gap has passed on that clock.
    """
    if shape.most_orders == 0:
        return []
    gap = rng.uniform(*shape.gap)
    clock = rng.random() * gap
    first_ago = HISTORY_DAYS - 1
    if shape.began is not None:
        first_ago = rng.randint(*shape.began)
        clock = gap * 4  # the first order falls on the very first day
    last_ago = 0 if shape.ended is None else rng.randint(*shape.ended)
    wanted = max(1.0, rng.gauss(gap, gap * shape.jitter))
    days: list[dt.date] = []
    for ago in range(first_ago, last_ago - 1, -1):
        clock += season[HISTORY_DAYS - 1 - ago] ** shape.season * changed(shape.speed, shape.changing, ago - last_ago)
        if clock >= wanted:
            days.append(last - dt.timedelta(days=ago))
            clock = 0.0
            wanted = max(1.0, rng.gauss(gap, gap * shape.jitter))
            if len(days) == shape.most_orders:
                break
    return days


def changed(end: float, changing: int, ago: int) -> float:
    """A factor that goes from 1, `changing` days ago, straight to `end` today."""
    return 1.0 + (end - 1.0) * max(0.0, 1.0 - ago / changing)
