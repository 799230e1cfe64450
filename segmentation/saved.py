"""Writing saved segments: a filter of the customers list under a name, and who is in it from when to when.

What a filter means, the customers list knows: `dashboards.segments` checks filters and finds who matches.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.core.exceptions import PermissionDenied
from django.db import connection
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from customers.services.rows import Outcome, clean, error_of, lock
from segmentation.models import SavedSegment
from tenants.context import current_tenant
from tenants.events import acting, changes_of, record
from tenants.models import Member
from tenants.permissions import Role

Filters = Mapping[str, Sequence[str]]
"""Parameter → values, as the address of the customers list has them."""


def save_segment(*, name: str, filters: Filters, is_shared: bool, member: Member) -> SavedSegment:
    """A new saved segment of the member, with nobody in it until it is evaluated.

    Raises ValidationError by field: no name or one that the member has given already, and no filter.
    """
    with acting(member):
        segment = SavedSegment(name=name.strip(), filters=plain(filters), is_shared=is_shared, member=member)
        _check(segment)
        segment.save(force_insert=True)
        record("created", segment, {"filters": [None, segment.filters]})
        return segment


def change_segment(*, segment: SavedSegment, member: Member, **fields: Any) -> Outcome:
    """Change name, filters or is_shared: what is not said stays. Who is in it, the next evaluation says.

    Raises PermissionDenied for who may not (`may_change`), and ValidationError by field as `save_segment` does.
    """
    with acting(member):
        lock(segment)
        refuse_others(segment, member)
        if "name" in fields:
            fields["name"] = fields["name"].strip()
        if "filters" in fields:
            fields["filters"] = plain(fields["filters"])
        changes = changes_of(segment, fields)
        if not changes:
            return "unchanged"
        for name in changes:
            setattr(segment, name, fields[name])
        _check(segment)
        segment.save(update_fields=[*changes, "updated_at"])
        record("updated", segment, changes)
        return "updated"


def delete_segment(*, segment: SavedSegment, member: Member) -> None:
    """Take a saved segment away, and with it who was in it when.

    Raises PermissionDenied for who may not.
    """
    with acting(member):
        lock(segment)
        refuse_others(segment, member)
        record("deleted", segment, {"name": [segment.name, None], "filters": [segment.filters, None]})
        segment.delete()


def may_change(segment: SavedSegment, member: Member) -> bool:
    """Only who made a saved segment and an administrator change it."""
    is_own = segment.member_id == member.pk or member.role == Role.ADMIN
    return is_own and member.can("segments:write")


def refuse_others(segment: SavedSegment, member: Member) -> None:
    """Raises PermissionDenied, in words, unless the member may change the segment."""
    if not may_change(segment, member):
        raise PermissionDenied(_("Only who made this segment and an administrator may change it."))


def plain(filters: Filters) -> dict[str, list[str]]:
    """The filters as they are kept: without empty values, by name."""
    found = {name: [value for value in filters[name] if value] for name in sorted(filters)}
    return {name: values for name, values in found.items() if values}


def _check(segment: SavedSegment) -> None:
    clean(segment, skip=["filters", "evaluated_at"], check=_wrong)


def _wrong(segment: SavedSegment) -> dict[str, Any]:
    wrong: dict[str, Any] = {}
    same = SavedSegment.objects.filter(member=segment.member_id, name=segment.name).exclude(pk=segment.pk)
    if same.exists():
        wrong["name"] = error_of(_("There is a segment of this name already."), "taken")
    if not segment.filters:
        wrong["filters"] = error_of(_("Without a filter this would be all customers."), "required")
    return wrong


# ── who is in it ─────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Moved:
    """What an evaluation found: how many joined and how many left."""

    joined: int
    left: int


def note_members(segment: SavedSegment, matched: QuerySet[Any, int], on: dt.date) -> Moved:
    """Make the segment's members those whose ids a query finds on a day: who is new joined on it, who is gone left on it.

    The same day again changes nothing. Who leaves on the day of joining was never in it; who comes back on the
    day of leaving never left. All of it happens inside the database: a segment may have millions of members.
    """
    sql, params = matched.query.sql_with_params()
    ours = [current_tenant().pk, segment.pk]
    with connection.cursor() as cursor:

        def write(statement: str, *values: Any) -> int:
            cursor.execute(statement, values)
            return int(cursor.rowcount)

        write(f"CREATE TEMPORARY TABLE matched (customer_id) ON COMMIT DROP AS {sql}", *params)
        write("ANALYZE matched")
        left = sum(write(statement, *values, *ours, on) for statement, values in ((_NEVER_IN, []), (_GONE, [on])))
        joined = write(_BACK, *ours, *ours, on) + write(_NEW, *ours, on, *ours)
        write("DROP TABLE matched")
    SavedSegment.objects.filter(pk=segment.pk).update(evaluated_at=timezone.now(), problem="")
    return Moved(joined=joined, left=left)


_OUTSIDE: Final = """
tenant_id = %s AND segment_id = %s AND left_on IS NULL
AND NOT EXISTS (SELECT 1 FROM matched WHERE matched.customer_id = m.customer_id)"""
_NEVER_IN: Final = f"DELETE FROM segmentation_segmentmember m WHERE {_OUTSIDE} AND joined_on >= %s"
_GONE: Final = f"UPDATE segmentation_segmentmember m SET left_on = %s WHERE {_OUTSIDE} AND joined_on < %s"
_BACK: Final = """
UPDATE segmentation_segmentmember SET left_on = NULL
WHERE tenant_id = %s AND segment_id = %s AND id IN (
    SELECT max(id) FROM segmentation_segmentmember m JOIN matched USING (customer_id)
    WHERE tenant_id = %s AND segment_id = %s AND left_on >= %s AND NOT EXISTS (
        SELECT 1 FROM segmentation_segmentmember n
        WHERE n.tenant_id = m.tenant_id AND n.segment_id = m.segment_id AND n.customer_id = m.customer_id
        AND n.left_on IS NULL)
    GROUP BY customer_id)"""
_NEW: Final = """
INSERT INTO segmentation_segmentmember (tenant_id, segment_id, customer_id, joined_on)
SELECT %s, %s, customer_id, %s FROM matched WHERE NOT EXISTS (
    SELECT 1 FROM segmentation_segmentmember m
    WHERE m.tenant_id = %s AND m.segment_id = %s AND m.customer_id = matched.customer_id AND m.left_on IS NULL)
ORDER BY customer_id"""


def note_problem(segment: SavedSegment, words: str) -> None:
    """Keep why the segment's filters do not work; its members stay those of the last time."""
    room = SavedSegment._meta.get_field("problem").max_length
    SavedSegment.objects.filter(pk=segment.pk).update(problem=words[:room])
