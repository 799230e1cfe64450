"""Bulks: one verb on thousands of follow-ups, done by a worker piece by piece, and taken back the same way.

`start` writes the bulk with one row for each follow-up that the member saw, and rings the worker's bell. `work` takes a
piece of what waits, in a transaction that holds the bulk's lock: killed anywhere, the piece is open again and the others
stay. `undo` turns the bulk round: what it has changed is taken back event by event, what somebody has changed since is
kept and says so. The rows are the truth; a bell too many or too few does no harm.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from django.db import transaction
from django.db.models import Count
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from followups import services
from followups.models import Bulk, BulkItem, FollowUp
from followups.scripts import bulk as script_bulk
from followups.services import Change, Refused
from tenants.context import tenant_scope
from tenants.events import record
from tenants.models import Event, Member, Tenant

log = logging.getLogger("perennial.bulks")

MOST: Final = 20_000
"""Follow-ups of one bulk."""
PIECE: Final = 200
"""Follow-ups of one transaction."""
MAX_ATTEMPTS: Final = 5
"""Starts without a piece done in between: something breaks whoever tries."""
WHY_LENGTH: Final = 300
_AT_WORK: Final = (Bulk.Status.OPEN, Bulk.Status.UNDOING)


def start(*, verb: str, ids: Collection[int], seen: int, member: Member, said: Mapping[str, Any] | None = None) -> Bulk:
    """Let a worker do `verb` with the follow-ups `ids`, of which the member saw `seen`.

    `said` as Bulk has it. Raises Refused for an empty or too large selection, one that is not what was seen, and for what
    could be done with no follow-up at all.
    """
    wanted, said = sorted(set(ids)), dict(said or {})
    if not wanted:
        raise Refused(_("Nothing is selected."), code="empty")
    if len(wanted) > MOST:
        raise Refused(_("At most %(count)d at once.") % {"count": MOST}, code="too_many")
    if len(wanted) != seen:
        words = ngettext(
            "Nothing was changed: it is %(count)d follow-up now.",
            "Nothing was changed: there are %(count)d follow-ups now.",
            len(wanted),
        )
        raise Refused(words % {"count": len(wanted)}, code="changed")
    services.check_verb(verb=verb, said=said)
    with transaction.atomic():
        bulk: Bulk = Bulk.objects.create(member=member, verb=verb, said=said, total=len(wanted))
        BulkItem.objects.bulk_create((BulkItem(bulk=bulk, follow_up_id=pk) for pk in wanted), batch_size=2_000)
        record("started", bulk, {"verb": verb, "total": bulk.total} | said)
        _ring_on_commit(bulk)
    return bulk


def undo(*, bulk: Bulk, member: Member) -> Bulk:
    """Take back what a bulk has changed; what it has not begun stays as it is. Twice is once.

    Raises Refused when somebody else did it and the member may not assign, and for one that has failed or been undone.
    """
    with transaction.atomic():
        row: Bulk = Bulk.objects.select_for_update().get(pk=bulk.pk)
        if row.member_id != member.pk and not member.can("follow-ups:assign"):
            raise Refused(_("Only who did it can undo it."), code="not_yours")
        if row.status in {Bulk.Status.UNDOING, Bulk.Status.UNDONE}:
            return row
        waiting = row.items.filter(state=BulkItem.State.WAITING)
        waiting.update(state=BulkItem.State.STAYS, why=_("stopped before its turn"))
        row.status, row.said, row.attempts, row.finished_at = (
            Bulk.Status.UNDOING, row.said | {"undone_by": member.pk}, 0, None,
        )  # fmt: skip
        row.save(update_fields=["status", "said", "attempts", "finished_at"])
        record("undone", row)
        _ring_on_commit(row)
    return row


def counts(bulk: Bulk) -> dict[str, int]:
    """How many of its follow-ups are in which state; every state is named."""
    found = dict(bulk.items.values_list("state").annotate(count=Count("pk")).order_by())
    return {state: found.get(state, 0) for state in BulkItem.State.values}


def unattended(tenant: Tenant) -> list[int]:
    """The bulks that are not finished: a worker died, or a bell was lost."""
    with tenant_scope(tenant):
        return list(Bulk.objects.filter(status__in=_AT_WORK).order_by("pk").values_list("pk", flat=True))


def work(tenant: Tenant, bulk_id: int) -> None:
    """Do, or take back, what a bulk still has to do. Call it outside a tenant scope: every piece is a transaction.

    Stops where somebody else holds the bulk: they go on with it. What raises leaves its piece open for the sweep, up to
    MAX_ATTEMPTS times.
    """
    if not _begin(tenant, bulk_id):
        return
    while _piece(tenant, bulk_id):
        pass


def _ring_on_commit(bulk: Bulk) -> None:
    from followups.tasks import run_bulk  # tasks call services; only the bell goes the other way

    tenant_id, bulk_id = bulk.tenant_id, bulk.pk
    # A bell that cannot be rung is no reason to fail: the sweep rings it.
    transaction.on_commit(lambda: run_bulk.delay(tenant_id, bulk_id), robust=True)


def _held(bulk_id: int) -> Bulk | None:
    """The bulk, locked, if it has something to do and nobody else holds it."""
    rows = Bulk.objects.select_for_update(skip_locked=True, of=("self",)).select_related("member__user")
    found: Bulk | None = rows.filter(pk=bulk_id, status__in=_AT_WORK).first()
    return found


def _begin(tenant: Tenant, bulk_id: int) -> bool:
    with tenant_scope(tenant):
        bulk = _held(bulk_id)
        if bulk is None:
            return False
        bulk.attempts += 1
        if bulk.attempts > MAX_ATTEMPTS:
            log.error("bulk %s of %s gives up after %s attempts", bulk.pk, tenant.slug, MAX_ATTEMPTS)
            with _as_the_member_reads(tenant, bulk.member):
                _finish(bulk, Bulk.Status.FAILED, _("It broke off several times; whatever was done until then stays."))
            return False
        bulk.save(update_fields=["attempts"])
        return True


def _piece(tenant: Tenant, bulk_id: int) -> bool:
    """Do one piece; says whether there may be another one."""
    with tenant_scope(tenant):
        bulk = _held(bulk_id)
        if bulk is None:
            return False
        with _as_the_member_reads(tenant, bulk.member):
            return _undo_piece(bulk) if bulk.status == Bulk.Status.UNDOING else _do_piece(bulk)


@contextmanager
def _as_the_member_reads(tenant: Tenant, member: Member) -> Iterator[None]:
    with translation.override(member.user.language or tenant.language), timezone.override(tenant.zone):
        yield


def _do_piece(bulk: Bulk) -> bool:
    if not bulk.member.is_active or not bulk.member.can("follow-ups:write"):
        _finish(bulk, Bulk.Status.FAILED, _("%(who)s does not work on follow-ups.") % {"who": bulk.member})
        return False
    items = list(bulk.items.filter(state=BulkItem.State.WAITING).order_by("pk")[:PIECE])
    if not items:
        _finish(bulk, Bulk.Status.DONE)
        return False
    by_row = {item.follow_up_id: item for item in items}
    try:
        change = _do(bulk, list(by_row))
    except Refused as refusal:  # nothing of this piece can be done
        change = Change()
        for item in items:
            _stay(item, " ".join(refusal.messages))
    for row, why in change.stays:
        _stay(by_row[row.pk], why)
    for row in change.follow_ups:
        by_row[row.pk].state = BulkItem.State.CHANGED
    _note_events(by_row, change)
    for item in items:
        if item.state == BulkItem.State.WAITING:
            _stay(item, _("it is no longer there, or no longer yours to see"))
    BulkItem.objects.bulk_update(items, ["state", "why", "events"])
    _went_well(bulk)
    return True


def _do(bulk: Bulk, ids: Sequence[int]) -> Change:
    if bulk.verb == Bulk.Verb.SCRIPT:
        return script_bulk.send_many(ids=ids, said=bulk.said, member=bulk.member, origin=_origin(bulk))
    return services.do_many(ids=ids, verb=bulk.verb, said=bulk.said, member=bulk.member)


def _stay(item: BulkItem, why: str) -> None:
    item.state, item.why = BulkItem.State.STAYS, why[:WHY_LENGTH]


def _note_events(by_row: Mapping[int, BulkItem], change: Change) -> None:
    """Write down at each item what undoes it; what a contact has answered besides goes with one of that customer."""
    customers = {row.customer_id: row.pk for row in change.follow_ups}
    for event in Event.objects.filter(pk__in=change.events):
        item = by_row.get(event.object_id) or by_row[customers[event.customer_id]]
        item.events.append(event.pk)


def _undo_piece(bulk: Bulk) -> bool:
    # The last first: what was done later may rest on what was done before.
    items = list(bulk.items.filter(state=BulkItem.State.CHANGED).order_by("-pk")[:PIECE])
    if not items:
        _finish(bulk, Bulk.Status.UNDONE)
        return False
    member = Member.objects.select_related("user").get(pk=bulk.said["undone_by"])
    gone = _gone(bulk, items)
    back = [item for item in items if item.follow_up_id not in gone]
    outcomes = services.undo_each(groups=[item.events for item in back], member=member)
    for item, outcome in zip(back, outcomes, strict=True):
        if isinstance(outcome, Refused):
            item.state, item.why = BulkItem.State.KEPT, " ".join(outcome.messages)[:WHY_LENGTH]
        else:
            item.state = BulkItem.State.UNDONE
    BulkItem.objects.bulk_update(items, ["state", "why"])
    _went_well(bulk)
    return True


def _gone(bulk: Bulk, items: Sequence[BulkItem]) -> set[int]:
    """The follow-ups of which the message cannot be taken back any more; they say so."""
    if bulk.verb != Bulk.Verb.SCRIPT:
        return set()
    gone = script_bulk.withdraw(origin=_origin(bulk), follow_ups=[item.follow_up_id for item in items])
    for item in items:
        if item.follow_up_id in gone:
            item.state, item.why = BulkItem.State.KEPT, _("the message has gone already")
    return gone


def _origin(bulk: Bulk) -> str:
    return f"bulk:{bulk.pk}"


def _went_well(bulk: Bulk) -> None:
    bulk.attempts = 0
    bulk.save(update_fields=["attempts"])


def _finish(bulk: Bulk, status: str, error: str = "") -> None:
    bulk.status, bulk.error, bulk.finished_at = status, error, timezone.now()
    bulk.save(update_fields=["status", "error", "finished_at"])
    record("finished", bulk, {"status": status} | counts(bulk))


def reasons(bulk: Bulk, most: int) -> list[tuple[str, list[FollowUp]]]:
    """Why follow-ups stay or could not be taken back, each reason with its follow-ups; at most `most` follow-ups."""
    left = bulk.items.filter(state__in=[BulkItem.State.STAYS, BulkItem.State.KEPT])
    found: dict[str, list[FollowUp]] = defaultdict(list)
    for item in left.select_related("follow_up__customer").order_by("pk")[:most]:
        found[item.why].append(item.follow_up)
    return list(found.items())
