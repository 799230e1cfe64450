"""Writing saved segments: a filter of the customers list under a name, and who is in it from when to when.

What a filter means, the customers list knows: `dashboards.segments` checks filters and finds who matches.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import polars as pl
from django.core.exceptions import PermissionDenied
from django.db.models import Max
from django.utils import timezone
from django.utils.translation import gettext as _

from customers.services.rows import Outcome, clean, error_of, lock
from segmentation.models import SavedSegment, SegmentMember
from tenants.events import acting, changes_of, record
from tenants.frames import insert_frame
from tenants.models import Member
from tenants.permissions import Role

Filters = Mapping[str, Sequence[str]]
"""Parameter → values, as the address of the customers list has them."""

CHUNK: Final = 10_000


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


def note_members(segment: SavedSegment, matched: set[int], on: dt.date) -> Moved:
    """Make the segment's members those who match on a day: who is new joined on it, who is gone left on it.

    The same day again changes nothing. Who leaves on the day of joining was never in it; who comes back on the
    day of leaving never left.
    """
    members = SegmentMember.objects.filter(segment=segment)
    inside = dict(members.filter(left_on__isnull=True).values_list("customer_id", "pk"))
    gone = [pk for customer, pk in inside.items() if customer not in matched]
    new = matched - inside.keys()
    for some in _chunks(gone):
        members.filter(pk__in=some, joined_on__gte=on).delete()
        members.filter(pk__in=some).update(left_on=on)
    left_today = members.filter(left_on__gte=on).order_by().values_list("customer_id").annotate(Max("pk"))
    back = {customer: pk for customer, pk in left_today if customer in new}
    for some in _chunks(list(back.values())):
        members.filter(pk__in=some).update(left_on=None)
    fresh = pl.DataFrame({"customer_id": sorted(new - back.keys())}, schema={"customer_id": pl.Int64})
    insert_frame(SegmentMember, fresh, constants={"segment_id": segment.pk, "joined_on": on}, strict=True)
    SavedSegment.objects.filter(pk=segment.pk).update(evaluated_at=timezone.now(), problem="")
    return Moved(joined=len(new), left=len(gone))


def note_problem(segment: SavedSegment, words: str) -> None:
    """Keep why the segment's filters do not work; its members stay those of the last time."""
    room = SavedSegment._meta.get_field("problem").max_length
    SavedSegment.objects.filter(pk=segment.pk).update(problem=words[:room])


def _chunks(pks: list[int]) -> list[list[int]]:
    return [pks[start : start + CHUNK] for start in range(0, len(pks), CHUNK)]
