"""The facts that a forecast learns from, as frames."""

from __future__ import annotations

import datetime as dt

from customers.frames import monthly_activity, order_days
from customers.models import month_of
from health.rules.forecast import History


def read_history(before: dt.date) -> History:
    """All order days and whole months before a day, of everybody: closed customers say as much about the model."""
    return History(order_days(before), monthly_activity(month_of(before)))
