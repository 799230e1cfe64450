"""Paying out what is approved, as a batch that goes to whoever pays; and customers' points when they are redeemed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from decimal import Decimal

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Sum
from django.utils import timezone
from django.utils.translation import gettext as _

from customers.models import Customer
from customers.services.rows import error_of
from incentives.ledger.posting import Line, account, balance, keep_rewards, lock_ledger, place_of, post, to_amount
from incentives.models import Account, Entry, Payout, PayoutItem, Reward
from incentives.rules.rewards import Place, status_of
from tenants.context import current_tenant
from tenants.events import record
from tenants.models import Member

PAID_KINDS = (Reward.Kind.STAFF, Reward.Kind.PRODUCT, Reward.Kind.AWARD)
"""Rewards of money; points are the customer's as soon as they are approved."""


@transaction.atomic
def pay_out(*, member: Member | None = None) -> Payout | None:
    """Put everything that is owed into a new batch; None when nobody is owed anything. `member` is who does it.

    Each person, and the product team, gets the sum of what is approved less claims; whose sum is not above nothing gets
    nothing, and the claim waits for the next time. What is disputed is left out. Each amount goes out once, whoever
    else pays out at the same moment.
    """
    lock_ledger()
    owed: dict[int | None, list[Reward]] = defaultdict(list)
    rows = Reward.objects.filter(kind__in=PAID_KINDS, is_disputed=False).exclude(payable=0)
    for row in rows.order_by("pk").select_for_update(no_key=True):
        owed[row.member_id].append(row)
    sums = {pk: sum((row.payable for row in group), Decimal()) for pk, group in owed.items()}
    due = {pk: total for pk, total in sums.items() if total > 0}
    if not due:
        return None
    last = Payout.objects.order_by("-number").first()
    payout = Payout(
        number=(last.number if last else 0) + 1, on=current_tenant().today(), made_by=member,
        total=sum(due.values(), Decimal()), people=len(due),
    )  # fmt: skip
    payout.save(force_insert=True)
    people = Member.objects.in_bulk([pk for pk in due if pk is not None])
    for pk, total in sorted(due.items(), key=lambda item: item[0] or 0):
        person = None if pk is None else people[pk]
        entry = _pay(payout, person, owed[pk], total, member)
        PayoutItem.objects.create(payout=payout, member=person, amount=total, entry=entry)
    record("paid_out", payout, {"number": payout.number, "total": str(payout.total), "people": payout.people})
    return payout


def _pay(payout: Payout, person: Member | None, rewards: list[Reward], total: Decimal, by: Member | None) -> Entry:
    """One entry for a person: every reward's account is emptied, and the sum goes out."""
    kind = Account.Kind.STAFF_PAYABLE if person is not None else Account.Kind.PRODUCT_PAYABLE
    owed = account(kind, member=person)
    out = account(Account.Kind.PAID_OUT)
    now = timezone.now()
    lines = [Line(owed, row.payable, row) for row in rewards]
    for row in rewards:
        place = place_of(row)
        row.paid, row.payable = to_amount(place.paid + place.payable), Decimal()
        row.status, row.updated_at = status_of(Place(place.pending, 0, place.paid + place.payable)), now
        row.revision += 1
    keep_rewards(rewards)
    return post(
        lines=[*lines, Line(out, -total)], kind=Entry.Kind.PAYOUT,
        key=f"payout:{payout.number}:{person.pk if person is not None else 'product'}",
        facts={"payout": payout.number, "rewards": len(rewards)}, member=by, on=payout.on,
    )  # fmt: skip


def payable_sums() -> Mapping[int | None, Decimal]:
    """What each person, and the product team (None), would get now, claims set off and disputes left out."""
    rows = Reward.objects.filter(kind__in=PAID_KINDS, is_disputed=False).exclude(payable=0)
    return {
        row["member_id"]: Decimal(row["total"]) for row in rows.order_by().values("member_id").annotate(total=Sum("payable"))
    }  # fmt: skip


# ── points ──────────────────────────────────────────────────────────────────


def points_of(customer: Customer) -> Decimal:
    """The points that a customer can redeem; below nothing when some were taken back after they were redeemed."""
    found = Account.objects.filter(kind=Account.Kind.POINTS, customer=customer).first()
    return -balance(found) if found is not None else Decimal()


@transaction.atomic
def redeem(*, customer: Customer, points: int, what: str, key: str, member: Member | None = None) -> Entry:
    """Note that a customer has redeemed points; `key` names the form it came from: sent twice, it is noted once.

    Raises ValidationError by field: not more than nothing, more than there are, or without saying what for.
    """
    if not what.strip():
        raise ValidationError({"what": error_of(_("This is needed."), "required")})
    if points <= 0:
        raise ValidationError({"points": error_of(_("Must be more than nothing."), "min_value")})
    lock_ledger()
    name = f"redeem:{customer.pk}:{key}"[:80]
    posted: Entry | None = Entry.objects.filter(key=name).first()
    if posted is not None:
        return posted
    there = points_of(customer)
    if points > there:
        words = _("There are %(points)s points.") % {"points": int(there)}
        raise ValidationError({"points": error_of(words, "max_value")})
    amount = Decimal(points)
    entry = post(
        lines=[
            Line(account(Account.Kind.POINTS, customer=customer), amount),
            Line(account(Account.Kind.POINTS_REDEEMED), -amount),
        ],
        kind=Entry.Kind.REDEMPTION, key=name, facts={"what": what.strip()[:200], "points": points}, member=member,
    )  # fmt: skip
    record("redeemed_points", customer, {"points": points, "what": what.strip()[:200]})
    return entry
