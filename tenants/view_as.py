"""Viewing as a colleague: seeing the pages as they see them, without being able to change anything.

Who views is kept in their session, per firm. The middleware asks `viewed` for every request: what a page reads is then
the colleague's, everything that would write is refused, and what a page notes by itself (a view that is kept, a place
in a list) is rolled back. Beginning and end are events by whoever views.
"""

from __future__ import annotations

from typing import Final

from django.contrib.sessions.backends.base import SessionBase
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from tenants.events import record
from tenants.models import Member
from tenants.permissions import Role

KEY: Final = "view_as"

_BELOW: Final[dict[str, tuple[str, ...]]] = {
    Role.TEAM_LEAD: (Role.ACCOUNT_MANAGER, Role.TEAM_LEAD),
    Role.EXECUTIVE: (Role.ACCOUNT_MANAGER, Role.TEAM_LEAD, Role.EXECUTIVE),
    Role.ADMIN: (Role.ACCOUNT_MANAGER, Role.TEAM_LEAD, Role.EXECUTIVE, Role.ADMIN),
}
"""As whom a role may view: nobody sees more than their own role lists, and nobody is an integration."""


def viewable(viewer: Member) -> QuerySet[Member]:
    """The colleagues as whom a member may view, by name: of a lead the own team, else the whole firm; nobody is left.

    Nobody at all for who may not view the team.
    """
    rows: QuerySet[Member] = Member.objects.select_related("user", "team", "tenant").order_by("user__name", "pk")
    if not viewer.can("team:read"):
        return rows.none()
    allowed = Q(is_active=True, role__in=_BELOW.get(viewer.role, ()))
    if viewer.role == Role.TEAM_LEAD:
        if viewer.team_id is None:
            return rows.none()
        allowed &= Q(team=viewer.team_id)
    return rows.filter(allowed).exclude(pk=viewer.pk)


@transaction.atomic
def start(*, session: SessionBase, viewer: Member, other: int) -> Member:
    """View as a colleague from now on; returns them. Raises PermissionDenied for whom the viewer may not view as."""
    found = viewable(viewer).filter(pk=other).first()
    if found is None:
        raise PermissionDenied(_("You can view as members of your team, not as anybody else."))
    session[KEY] = {"tenant": viewer.tenant_id, "viewer": viewer.pk, "member": found.pk}
    record("viewed_as", found)
    return found


@transaction.atomic
def stop(*, session: SessionBase, viewer: Member) -> Member | None:
    """See the own pages again; returns as whom the member viewed until now, None for nobody."""
    found = viewed(session, viewer)
    session.pop(KEY, None)
    if found is not None:
        record("viewed_as_ended", found)
    return found


def viewed(session: SessionBase, viewer: Member) -> Member | None:
    """As whom the member views now; None for nobody, and as soon as they no longer may."""
    kept = session.get(KEY)
    if not isinstance(kept, dict) or (kept.get("tenant"), kept.get("viewer")) != (viewer.tenant_id, viewer.pk):
        return None
    found: Member | None = viewable(viewer).filter(pk=kept["member"]).first()
    return found
