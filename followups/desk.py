"""A member's desk: the view of Today they last chose, and when they last closed the day."""

from __future__ import annotations

import datetime as dt
from typing import Final

from django.db import transaction
from django.utils import timezone

from followups.models import Desk
from followups.querysets import VIEWS, View, default_view
from tenants.context import current_tenant
from tenants.events import acting, record
from tenants.kept import Kept
from tenants.models import Member
from tenants.prepared import ANY_ROW, QUERIES_KEPT, Prepared

_desks: Final[Kept[int, Prepared[Desk]]] = Kept(QUERIES_KEPT)


def desk_of(member: Member) -> Desk | None:
    """The member's desk, or None for who has never chosen a view nor closed a day."""
    asked = _desks.get(
        current_tenant().pk, lambda: Prepared(Desk.objects.filter(member_id=ANY_ROW).order_by(), ANY_ROW)
    )
    return next(iter(asked.rows(member.pk)), None)


def view_of(member: Member, desk: Desk | None) -> View:
    """The view that Today opens with: the one chosen last, else the role's usual one."""
    return desk.view if desk and desk.view in VIEWS else default_view(member)


def choose_view(*, member: Member, view: View) -> None:
    """Keep the view for the next time; the same again writes nothing."""
    with transaction.atomic():
        Desk.objects.bulk_create(
            [Desk(member=member, view=view)],
            update_conflicts=True,
            unique_fields=["tenant", "member"],
            update_fields=["view", "updated_at"],
        )


def close_day(*, member: Member) -> Desk:
    """Close the member's day now: "since yesterday" counts from here. Twice moves the moment."""
    now = timezone.now()
    with acting(member):
        Desk.objects.bulk_create(
            [Desk(member=member, closed_at=now)],
            update_conflicts=True,
            unique_fields=["tenant", "member"],
            update_fields=["closed_at", "updated_at"],
        )
        desk: Desk = Desk.objects.get(member=member)
        record("closed", desk)
    return desk


def since(desk: Desk | None) -> dt.datetime:
    """From when on things are news to the member: the last close of a day, without one the first instant of yesterday."""
    if desk is not None and desk.closed_at is not None:
        return desk.closed_at
    tenant = current_tenant()
    return tenant.start_of(tenant.today() - dt.timedelta(days=1))
