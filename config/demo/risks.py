"""Who thinks of leaving: the latest calls about somebody else's offer say so outright, for some."""

from __future__ import annotations

import datetime as dt
from typing import Final

from customers.models import Interaction
from tenants.context import current_tenant

_DAYS: Final = 40
_CONSIDER: Final = 3
"""So many customers consider another supplier; one more has broken off."""


def say_who_leaves(today: dt.date) -> None:
    """Mark the last call about a competitor of a few living customers, the newest ones, in the open scope.

    Before the nights pass, so that these find it. The same customers each time: by when they called.
    """
    since = current_tenant().start_of(today - dt.timedelta(days=_DAYS))
    calls = Interaction.objects.filter(about_competitor=True, at__gte=since, customer__closed_on__isnull=True)
    newest: dict[int, int] = {}
    for pk, customer in calls.order_by("-at", "external_id").values_list("pk", "customer_id"):
        newest.setdefault(customer, pk)
    marked = list(newest.values())[: _CONSIDER + 1]
    Interaction.objects.filter(pk__in=marked[:_CONSIDER]).update(leaving=Interaction.Leaving.CONSIDERS)
    Interaction.objects.filter(pk__in=marked[_CONSIDER:]).update(leaving=Interaction.Leaving.BROKE_OFF)
