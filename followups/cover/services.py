"""Cover: who is away, whose hands their follow-ups are in meanwhile, and how they come back (docs/rules/cover.md).

Absences are rows. `settle` looks at them and at nothing else, so it may come at any time and as often as it likes:
what falls due while somebody is away goes to whoever covers, and what is still open when they are back goes back.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from customers.models import Customer
from followups.models import Absence, CoverMove, FollowUp
from followups.services import MANY, Refused, change_owner
from tenants.context import current_tenant, tenant_scope
from tenants.events import acting, changes_of, events_last, record
from tenants.models import Event, Member, Tenant
from tenants.templatetags.perennial import day as day_words

MOST_DAYS: Final = 366
NOTE_LENGTH: Final = 200


@dataclass(frozen=True)
class Settled:
    """What `settle` did: follow-ups that went to whoever covers, that came back, and that nobody can take."""

    moved: int = 0
    returned: int = 0
    stays: int = 0

    def __add__(self, other: Settled) -> Settled:
        return Settled(self.moved + other.moved, self.returned + other.returned, self.stays + other.stays)


# ── planning ────────────────────────────────────────────────────────────────


def may_plan(member: Member, away: Member) -> bool:
    """Whether a member may say that somebody is away: themselves, or who assigns work anybody."""
    return member.can("follow-ups:assign") or (member.pk == away.pk and member.can("absences:write"))


def plan_absence(
    *,
    member: Member,
    away: Member,
    first: dt.date,
    last: dt.date,
    covered_by: Member | None = None,
    note: str = "",
) -> Absence:
    """Say that `away` is not there from one day to another; what is due then moves at once if that is today.

    Raises ValidationError by field: days the wrong way round, past or too many, days on which they are away already,
    somebody who covers for themselves, who does not work on follow-ups, or is away then. Refused for whom it is none of
    the member's business.
    """
    with acting(member):
        _check_may(member, away)
        _lock_person(away)
        absence = Absence(member=away, first=first, last=last, covered_by=covered_by, note=note.strip())
        _check(absence)
        absence.save(force_insert=True)
        record("planned", absence, {"member": away.pk, "first": str(first), "last": str(last)})
        _settle_one(absence, current_tenant().today())
        return absence


def change_absence(
    *, absence: Absence, member: Member, first: dt.date, last: dt.date, covered_by: Member | None, note: str = ""
) -> Absence:
    """Other days, or somebody else who covers; follow-ups move at once as the new ones say. Raises as `plan_absence`."""
    with acting(member):
        _check_may(member, absence.member)
        _lock_person(absence.member)
        row = Absence.objects.select_for_update(of=("self",)).get(pk=absence.pk)
        if row.settled_at is not None:
            raise Refused(_("This absence is over."), code="over")
        values = {"first": first, "last": last, "covered_by": covered_by, "note": note.strip()}
        if changes := changes_of(row, values):
            for name, value in values.items():
                setattr(row, name, value)
            _check(row)
            row.save()
            record("updated", row, changes)
            if changes.keys() & {"first", "last", "covered_by"}:
                _give_back(row)
                _settle_one(row, current_tenant().today())
        return row


def end_absence(*, absence: Absence, member: Member) -> Settled:
    """They are back, or do not go: what had moved and is still open goes back now. Ending twice changes nothing."""
    with acting(member):
        _check_may(member, absence.member)
        row = Absence.objects.select_for_update(of=("self",)).get(pk=absence.pk)
        if row.settled_at is not None:
            return Settled()
        today = current_tenant().today()
        if row.first > today:
            record("called_off", row, {"member": row.member_id, "first": str(row.first), "last": str(row.last)})
            row.delete()
            return Settled()
        yesterday, before = today - dt.timedelta(days=1), row.last
        row.last = max(row.first, min(row.last, yesterday))
        row.settled_at = timezone.now()
        row.save(update_fields=["last", "settled_at", "updated_at"])
        record("ended", row, {"last": [str(before), str(row.last)]})
        return Settled(returned=_give_back(row))


def _check_may(member: Member, away: Member) -> None:
    if not may_plan(member, away):
        raise Refused(_("You can plan your own absence; your lead plans those of others."), code="not_yours")


def _lock_person(away: Member) -> None:
    """Two absences of one person are written one after the other, so that each sees the other's days."""
    Member.objects.select_for_update(no_key=True, of=("self",)).get(pk=away.pk)


def _check(absence: Absence) -> None:
    """Raises ValidationError by field."""
    wrong: dict[str, ValidationError] = {}
    if absence.last < absence.first:
        wrong["last"] = ValidationError(_("The last day is before the first."), code="wrong_way_round")
    elif absence.last < current_tenant().today():
        wrong["last"] = ValidationError(_("These days are over."), code="past")
    elif (absence.last - absence.first).days >= MOST_DAYS:
        wrong["last"] = ValidationError(_("At most %(days)d days."), params={"days": MOST_DAYS}, code="too_long")
    if len(absence.note) > NOTE_LENGTH:
        words = _("At most %(count)d characters.") % {"count": NOTE_LENGTH}
        wrong["note"] = ValidationError(words, code="too_long")
    if not wrong and (other := _overlapping(absence.member_id, absence)):
        words = _("%(who)s is away from %(first)s to %(last)s already.") % _days_of(other, absence.member)
        wrong["first"] = ValidationError(words, code="overlaps")
    if absence.covered_by is not None and (words := _why_not(absence.covered_by, absence)):
        wrong["covered_by"] = ValidationError(words, code="cannot_cover")
    if wrong:
        raise ValidationError(wrong)


def _why_not(person: Member, absence: Absence) -> str:
    """Why somebody cannot cover, in words; "" when they can."""
    if person.pk == absence.member_id:
        return _("Somebody else has to cover.")
    if not _works(person):
        return _("%(who)s does not work on follow-ups.") % {"who": person}
    if other := _overlapping(person.pk, absence):
        return _("%(who)s is away from %(first)s to %(last)s.") % _days_of(other, person)
    return ""


def _overlapping(member_id: int, absence: Absence) -> Absence | None:
    open_ones = Absence.objects.filter(member=member_id, settled_at__isnull=True).exclude(pk=absence.pk)
    found: Absence | None = open_ones.filter(first__lte=absence.last, last__gte=absence.first).first()
    return found


def _days_of(absence: Absence, who: Member) -> dict[str, Any]:
    return {"who": who, "first": day_words(absence.first), "last": day_words(absence.last)}


def _works(person: Member) -> bool:
    return person.is_active and person.can("follow-ups:write")


# ── settling ────────────────────────────────────────────────────────────────


def settle_all() -> Settled:
    """Settle every firm; one after another, each in a scope of its own."""
    done = Settled()
    for tenant in Tenant.objects.filter(is_active=True):
        with tenant_scope(tenant):
            done += settle(tenant.today())
    return done


def settle(today: dt.date) -> Settled:
    """Bring everybody's follow-ups into the hands in which they belong on a day."""
    waiting = Absence.objects.filter(settled_at__isnull=True, first__lte=today).order_by("first", "pk")
    done = Settled()
    for pk in list(waiting.values_list("pk", flat=True)):
        with transaction.atomic():
            # One that somebody settles or changes at this moment is theirs.
            row = Absence.objects.select_for_update(of=("self",), skip_locked=True).filter(pk=pk).first()
            if row is not None and row.settled_at is None:
                done += _settle_one(row, today)
    return done


def _settle_one(absence: Absence, today: dt.date) -> Settled:
    if today < absence.first:
        return Settled()
    if today > absence.last:
        absence.settled_at = timezone.now()
        absence.save(update_fields=["settled_at", "updated_at"])
        record("ended", absence)
        return Settled(returned=_give_back(absence))
    return _hand_on(absence, today)


def _hand_on(absence: Absence, today: dt.date) -> Settled:
    """Give what is due until the absence ends to whoever covers; what nobody can take stays."""
    theirs = FollowUp.objects.filter(assignee=absence.member_id, status=FollowUp.Status.OPEN, day__lte=absence.last)
    rows = _locked(theirs)
    if not rows:
        return Settled()
    hands = _Hands(absence, today, [row.customer for row in rows])
    moved: dict[int, list[FollowUp]] = defaultdict(list)
    stays = 0
    for row in rows:
        to = hands.of(row.customer)
        if to is None:
            stays += 1
        else:
            moved[to.pk].append(row)
    for to_id, those in moved.items():
        _write(those, to_id, "covered")
        known = {move.follow_up_id: move for move in CoverMove.objects.filter(absence=absence, follow_up__in=those)}
        CoverMove.objects.bulk_create(
            CoverMove(absence=absence, follow_up=row, to_id=to_id) for row in those if row.pk not in known
        )
        again = CoverMove.objects.filter(pk__in=[move.pk for move in known.values()])
        again.update(to=to_id, moved_at=timezone.now(), returned_at=None)
    return Settled(moved=sum(map(len, moved.values())), stays=stays)


class _Hands:
    """Who takes what is somebody's who is away: who was named, else the customer's other owner; nobody who is away."""

    def __init__(self, absence: Absence, today: dt.date, customers: Sequence[Customer]) -> None:
        self.absence = absence
        away = Absence.objects.filter(settled_at__isnull=True, first__lte=today, last__gte=today)
        self._away = set(away.values_list("member", flat=True)) | {absence.member_id}
        owners = {pk for customer in customers for pk in (customer.owner_a_id, customer.owner_b_id) if pk is not None}
        found = Member.objects.filter(pk__in=owners).select_related("user")
        self._people = {person.pk: person for person in found if _works(person)}
        self._named = absence.covered_by
        self._seen: set[int] = set()
        if self._named is not None and _works(self._named) and self._named.pk not in self._away:
            asked = [customer.pk for customer in customers]
            visible = Customer.objects.visible_to(self._named).filter(pk__in=asked)
            self._seen = set(visible.values_list("pk", flat=True))

    def of(self, customer: Customer) -> Member | None:
        if customer.pk in self._seen:
            return self._named
        for pk in (customer.owner_b_id, customer.owner_a_id):
            if pk is not None and pk not in self._away and pk in self._people:
                return self._people[pk]
        return None


def _give_back(absence: Absence) -> int:
    """Bring back what had moved and is still open; returns how many. What was given to others since stays with them."""
    moves = {move.follow_up_id: move for move in CoverMove.objects.filter(absence=absence, returned_at__isnull=True)}
    if not moves:
        return 0
    rows = _locked(FollowUp.objects.filter(pk__in=list(moves), status=FollowUp.Status.OPEN))
    # Whoever covered may have been away, too: it is then in the hands of those who covered for them.
    hands: dict[int, set[int]] = defaultdict(set)
    covered = CoverMove.objects.filter(follow_up__in=[row.pk for row in rows], returned_at__isnull=True)
    for follow_up, to in covered.values_list("follow_up", "to"):
        hands[follow_up].add(to)
    asked = [row.customer_id for row in rows]
    theirs: Any = Customer.objects.visible_to(absence.member).filter(pk__in=asked)
    sees = set(theirs.values_list("pk", flat=True)) if _works(absence.member) else set()
    back: dict[int, list[FollowUp]] = defaultdict(list)
    for row in rows:
        if row.assignee_id not in hands[row.pk]:
            continue
        to = absence.member_id if row.customer_id in sees else row.customer.owner_a_id
        if to is not None:
            back[to].append(row)
    for to_id, those in back.items():
        _write(those, to_id, "returned")
    ids = [row.pk for those in back.values() for row in those]
    now = timezone.now()
    CoverMove.objects.filter(follow_up__in=ids, returned_at__isnull=True).update(returned_at=now)
    CoverMove.objects.filter(absence=absence, returned_at__isnull=True).update(returned_at=now)
    return len(ids)


def _locked(rows: QuerySet[FollowUp]) -> list[FollowUp]:
    """The rows with their customers, locked, always in the same order."""
    ids = list(rows.select_for_update(of=("self",)).order_by("pk").values_list("pk", flat=True))
    return list(FollowUp.objects.filter(pk__in=ids).select_related("customer").order_by("pk"))


def _write(rows: Iterable[FollowUp], to_id: int, verb: str) -> None:
    """Give the rows to somebody, with an event for each."""
    rows = list(rows)
    FollowUp.objects.filter(pk__in=[row.pk for row in rows]).update(assignee=to_id, updated_at=timezone.now())
    with events_last():
        for row in rows:
            record(verb, row, {"assignee": [row.assignee_id, to_id]})


# ── reading ─────────────────────────────────────────────────────────────────


def absences(today: dt.date, *, past_days: int = 90) -> QuerySet[Absence]:
    """Absences that are on or coming, and those that ended not long ago. Who is away is no secret among colleagues."""
    rows: QuerySet[Absence] = Absence.objects.filter(last__gte=today - dt.timedelta(days=past_days))
    return rows.select_related("member__user", "covered_by__user")


def covers_for(member: Member, today: dt.date) -> list[Absence]:
    """The absences that are on and for which the member has follow-ups in hand now."""
    in_hand = CoverMove.objects.filter(
        to=member, returned_at__isnull=True, follow_up__status=FollowUp.Status.OPEN, follow_up__assignee=member
    )
    on = Absence.objects.filter(first__lte=today, last__gte=today, settled_at__isnull=True)
    return list(on.filter(pk__in=in_hand.values("absence")).select_related("member__user"))


# ── owners ──────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class HandedOver:
    """What a hand-over did: customers that changed hands, and how many are left to do."""

    customers: int
    left: int


def owned_by(giver: Member, member: Member) -> QuerySet[Customer]:
    """The living customers of which somebody is an owner, as far as the member sees them; in the order of their names."""
    mine = Q(owner_a=giver) | Q(owner_b=giver)
    rows: QuerySet[Customer] = Customer.objects.visible_to(member).filter(mine, closed_on__isnull=True)
    return rows.order_by("search_name", "pk")


def hand_over(*, giver: Member, taker: Member, seen: int, member: Member) -> HandedOver:
    """Give the customers of one person to another for good, at most MANY at once, with their open follow-ups.

    Where the taker is the other owner already, the giver's place stays empty: nobody covers for themselves. `seen` is
    how many there were; raises Refused when that has changed, for the same person twice, somebody who does not work on
    follow-ups, and a member who may not give work to others.
    """
    with acting(member):
        if not member.can("follow-ups:assign"):
            raise Refused(_("Your lead can give customers to others."), code="not_yours")
        if giver.pk == taker.pk:
            raise Refused(_("Choose two people."), code="same")
        if not _works(taker):
            raise Refused(_("%(who)s does not work on follow-ups.") % {"who": taker}, code="not_a_worker")
        rows = owned_by(giver, member)
        there = rows.count()
        if there != seen:
            raise Refused(
                _("Nothing was changed: there are %(count)d customers now.") % {"count": there}, code="changed"
            )
        some = list(rows.select_related("owner_a__user", "owner_b__user")[:MANY])
        for customer in some:
            owner_a, owner_b = customer.owner_a, customer.owner_b
            owner_a = taker if owner_a == giver else owner_a
            owner_b = taker if owner_b == giver else owner_b
            if owner_a == owner_b:
                owner_b = None
            change_owner(customer=customer, owner_a=owner_a, owner_b=owner_b, member=member)
        return HandedOver(len(some), there - len(some))


def owner_changes(member: Member) -> QuerySet[Event]:
    """Every change of owners of the customers that a member sees, newest first: `changes` has owner_a and owner_b."""
    rows: QuerySet[Event] = Event.objects.filter(
        object_type="customer", verb="owners_changed", customer_id__in=Customer.objects.visible_to(member).values("pk")
    )
    return rows.select_related("actor__user").order_by("-at", "-pk")
