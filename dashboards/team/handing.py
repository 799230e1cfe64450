"""Handing customers on: from one A owner to another with their open follow-ups, and back again."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Final

from django.db.models import QuerySet
from django.utils.translation import gettext as _

import customers.services
import followups.services
from customers.models import Customer
from customers.services.rows import Outcome
from dashboards.team.crew import WORKERS
from followups.services import Refused
from health.counting import recounted
from tenants.events import acting
from tenants.models import Event, Member

MANY: Final = 200
"""The most customers that one call hands on."""


@dataclass(frozen=True)
class Given:
    """What was handed on: the customers, how many open follow-ups went along, and the events that take it back."""

    customers: list[Customer] = field(default_factory=list)
    follow_ups: int = 0
    events: list[int] = field(default_factory=list)


def give(*, ids: Collection[int], seen: int, to: Member, member: Member) -> Given:
    """Make `to` the A owner of the customers `ids`, of which the member saw `seen`; open follow-ups of the giver go along.

    Who was their B owner leaves that place: nobody covers for themselves. What is theirs already stays. One transaction.
    Raises Refused, in words: nothing or too much chosen, not all of it there any more, somebody who does not work on
    customers, and a member who may not give work to others.
    """
    wanted = set(ids)
    with acting(member):
        if not member.can("follow-ups:assign"):
            raise Refused(_("Your lead can give customers to others."), code="not_yours")
        if not to.is_active or to.role not in WORKERS:
            raise Refused(_("%(who)s does not work on follow-ups.") % {"who": to}, code="not_a_worker")
        if not wanted:
            raise Refused(_("Nothing is selected."), code="empty")
        if len(wanted) > MANY:
            raise Refused(_("At most %(count)d at once.") % {"count": MANY}, code="too_many")
        rows = _locked(Customer.objects.visible_to(member).filter(pk__in=wanted, closed_on__isnull=True))
        if len(rows) != len(wanted) or seen != len(wanted):
            raise Refused(_("Nothing was changed: the selection is not what you saw."), code="changed")
        done: list[Customer] = []
        events: list[int] = []
        before = Event.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
        moved = 0
        for customer in rows:
            if customer.owner_a_id == to.pk:
                continue
            owner_b = None if customer.owner_b_id == to.pk else customer.owner_b
            change = followups.services.change_owner(customer=customer, owner_a=to, owner_b=owner_b, member=member)
            moved += len(change.follow_ups)
            done.append(customer)
            events.extend(change.events)
        owners = Event.objects.filter(
            pk__gt=before, actor=member, object_type="customer", verb="owners_changed",
            object_id__in=[customer.pk for customer in done],
        )  # fmt: skip
        events.extend(owners.order_by("pk").values_list("pk", flat=True))
        return Given(done, moved, events)


def take_back(*, events: Sequence[int], member: Member) -> Given:
    """Bring back what `give` or an assigned action did, by its events: owners and follow-ups as they were before.

    Undoing twice changes nothing. Raises Refused when somebody has changed any of it since: then nothing is taken back.
    """
    with acting(member):
        found = list(Event.objects.filter(pk__in=events, object_type__in=["customer", "followup"]).order_by("-pk"))
        if not found or len(found) != len(set(events)):
            raise Refused(_("There is nothing to undo."), code="unknown")
        if not member.can("follow-ups:assign"):
            raise Refused(_("Only who did it can undo it."), code="not_yours")
        owners = [event for event in found if event.object_type == "customer" and event.verb == "owners_changed"]
        rows = {
            row.pk: row
            for row in _locked(Customer.objects.visible_to(member).filter(pk__in=[each.object_id for each in owners]))
        }
        if len(rows) != len({event.object_id for event in owners}):
            raise Refused(_("There is nothing to undo."), code="unknown")
        back: list[Customer] = []
        for event in owners:
            customer = rows[event.object_id]
            if _take_back(customer, event, member) == "updated":
                back.append(customer)
        moved = [event.pk for event in found if event.object_type == "followup"]
        again = followups.services.undo(events=moved, member=member) if moved else None
        return Given(back, len(again.follow_ups) if again else 0, [])


def _take_back(customer: Customer, event: Event, member: Member) -> Outcome:
    now = {"owner_a": customer.owner_a_id, "owner_b": customer.owner_b_id}
    before = now | {name: pair[0] for name, pair in event.changes.items()}
    if now == before:
        return "unchanged"  # taken back already
    if any(now[name] != pair[1] for name, pair in event.changes.items()):
        words = _("%(customer)s has been given to somebody else since: nothing was taken back.")
        raise Refused(words % {"customer": customer.name}, code="changed")
    people = Member.objects.in_bulk([pk for pk in before.values() if pk is not None])
    owners = {name: people.get(pk) if pk is not None else None for name, pk in before.items()}
    with recounted([customer.pk]):
        return customers.services.set_owners(customer=customer, owner_a=owners["owner_a"], owner_b=owners["owner_b"])


def _locked(rows: QuerySet[Customer]) -> list[Customer]:
    """The rows with their owners, locked until the transaction ends, always in the same order."""
    ids = list(rows.select_for_update(no_key=True, of=("self",)).order_by("pk").values_list("pk", flat=True))
    return list(Customer.objects.filter(pk__in=ids).select_related("owner_a__user", "owner_b__user").order_by("pk"))
