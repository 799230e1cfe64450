"""Approving rewards: by role, never one's own, and each once however many press the button at the same moment."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from incentives.ledger.posting import Move, move, place_of
from incentives.models import Dispute, Entry, Reward
from incentives.rules.approval import Asked, Refusal, refusal_of
from incentives.rules.rewards import Place
from incentives.rules.rewards_policy import RewardPolicy
from tenants.events import record
from tenants.models import Member
from tenants.permissions import Role
from tenants.policies import active_policy


@dataclass(frozen=True)
class Approved:
    """What became of an approval: the rewards that are approved now, and why each of the others is not."""

    rewards: tuple[Reward, ...]
    refused: tuple[tuple[Reward, Refusal], ...]


@transaction.atomic
def approve(*, rewards: Iterable[int], member: Member) -> Approved:
    """Approve what waits of these rewards (ids) that the member sees and may approve; the others stay as they are.

    Money is owed from then on; points are the customer's. Each reward is one entry in the ledger and one event.
    """
    rows = list(
        Reward.objects.visible_to(member)
        .filter(pk__in=list(rewards))
        .order_by("pk")
        .select_for_update(of=("self",), no_key=True)
        .select_related("referral", "upgrade")
    )
    policy = active_policy().section(RewardPolicy)
    corrected = correctors(rows)
    moves: list[Move] = []
    refused: list[tuple[Reward, Refusal]] = []
    now = timezone.now()
    for row in rows:
        why = refusal_of(
            asked_of(row, corrected.get(row.pk, frozenset())),
            member=member.pk,
            is_lead=member.role == Role.TEAM_LEAD,
            lead_limit=policy.lead_limit_money,
        )
        if why is not None:
            refused.append((row, why))
            continue
        place = place_of(row)
        row.approved_by, row.approved_at = member, now
        moves.append(Move(row, Place(0, place.payable + place.pending, place.paid), Entry.Kind.APPROVAL))
        record("approved", row, {"amount": str(row.pending)})
    move(moves, member=member)
    return Approved(tuple(each.reward for each in moves), tuple(refused))


def asked_of(row: Reward, corrected_by: frozenset[int]) -> Asked:
    """What the rule needs to know of a reward; its referral and upgrade are read with it."""
    noted = row.referral or row.upgrade
    # A medal rests on the word of whoever gave it.
    by = row.facts.get("given_by") if row.kind == Reward.Kind.AWARD else None
    return Asked(
        pending=row.pending,
        is_points=row.is_points,
        is_disputed=row.is_disputed,
        for_member=row.member_id,
        noted_by=noted.noted_by_id if noted is not None else by,
        corrected_by=corrected_by,
    )


def correctors(rows: Sequence[Reward]) -> dict[int, frozenset[int]]:
    """By reward: who has corrected it after a dispute."""
    found: dict[int, set[int]] = defaultdict(set)
    accepted = Dispute.objects.filter(reward__in=rows, status=Dispute.Status.ACCEPTED, closed_by__isnull=False)
    for reward, by in accepted.values_list("reward_id", "closed_by_id"):
        found[reward].add(by)
    return {pk: frozenset(people) for pk, people in found.items()}


def refusal_for(row: Reward, member: Member) -> Refusal | None:
    """Why the member may not approve a reward, or None; for the page that offers the button."""
    return refusal_of(
        asked_of(row, correctors([row]).get(row.pk, frozenset())),
        member=member.pk,
        is_lead=member.role == Role.TEAM_LEAD,
        lead_limit=active_policy().section(RewardPolicy).lead_limit_money,
    )


def waiting_for(member: Member) -> QuerySet[Reward]:
    """The rewards that wait for approval, that the member sees and is not paid themselves; none for who approves none."""
    if not member.can("rewards:approve"):
        return Reward.objects.none()
    rows: QuerySet[Reward] = Reward.objects.visible_to(member).filter(pending__gt=0, is_disputed=False)
    return rows.exclude(member=member)
