"""The night's step of health: the score of every living customer, its history, and the counts of the day."""

from __future__ import annotations

import datetime as dt

from customers.models import Customer
from customers.services import arrived
from health import history
from health.models import HealthScore
from health.scoring import lock_scores, scored, write
from tenants.context import current_tenant
from tenants.policies import active_policy


def run(as_of: dt.date) -> dict[str, int]:
    """Score everybody as of a day; returns customers, scored (enough is known), changed and history (rows).

    Whoever has been scored on that day or later already, after a fact of it came in, is left to be scored so again.
    """
    policy = active_policy()
    lock_scores()
    ahead = HealthScore.objects.filter(rescored_at__gte=current_tenant().start_of(as_of))
    ahead_ids = list(ahead.values_list("customer_id", flat=True))
    scores = scored(as_of, policy)
    merged = write(scores, policy, at=None)
    HealthScore.objects.filter(customer__in=Customer.objects.filter(closed_on__isnull=False)).delete()
    kept = history.keep(scores, as_of, policy.number)
    history.count(as_of)
    arrived(ahead_ids)
    known = scores.get_column("score").is_not_null().sum()
    return {"customers": scores.height, "scored": int(known), "changed": merged.written, "history": kept}
