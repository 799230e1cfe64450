"""Disputes about rewards, with their thread: while one is open nothing is approved or paid of the reward."""

from __future__ import annotations

from decimal import Decimal

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from customers.services.rows import error_of
from incentives.ledger.posting import Move, keep_rewards, move, place_of, to_points
from incentives.models import Dispute, DisputeMessage, Entry, Reward
from incentives.rules.rewards import moved
from tenants.events import record
from tenants.models import Member


@transaction.atomic
def open_dispute(*, reward: Reward, member: Member, text: str, key: str) -> Dispute:
    """Say that a reward is wrong, and why. One that is open already gets the text as its next message.

    Raises ValidationError without a text.
    """
    _check_text(text)
    row = _locked(reward)
    dispute: Dispute | None = Dispute.objects.filter(reward=row, status=Dispute.Status.OPEN).first()
    if dispute is None:
        dispute = Dispute(reward=row, opened_by=member)
        dispute.save(force_insert=True)
        row.is_disputed = True
        row.save(update_fields=["is_disputed", "updated_at"])
        record("disputed", row, {"dispute": dispute.pk})
    _say(dispute, member, text, key)
    return dispute


@transaction.atomic
def reply(*, dispute: Dispute, member: Member, text: str, key: str) -> DisputeMessage:
    """Add to the thread of a dispute. Raises ValidationError without a text, or when it is closed."""
    _check_text(text)
    row = _locked_dispute(dispute)
    return _say(row, member, text, key)


@transaction.atomic
def resolve(*, dispute: Dispute, member: Member, amount: Decimal | None, text: str, key: str) -> Dispute:
    """Close a dispute: with a corrected amount, or (None) as it stands. What is added waits for somebody else's approval.

    Raises ValidationError by field: without a text, when it is closed, one's own reward, and an amount on the other
    side of nothing than what was earned.
    """
    _check_text(text)
    row = _locked_dispute(dispute)
    reward = _locked(row.reward)
    if member.pk in {reward.member_id, row.opened_by_id}:
        raise ValidationError(error_of(_("Nobody decides about a dispute of their own."), "own"))
    if amount is not None and not min(Decimal(), reward.entitled) <= amount <= Decimal(10) ** 9:
        raise ValidationError({"amount": error_of(_("This amount is not possible here."), "amount")})
    _say(row, member, text, key)
    row.status = Dispute.Status.REJECTED if amount is None else Dispute.Status.ACCEPTED
    _close(row, reward, member)
    if amount is not None:
        before, reward.correction = reward.amount, amount - reward.entitled
        said = {"before": str(before), "after": str(amount), "text": text.strip()[:500]}
        move(
            [Move(reward, moved(place_of(reward), to_points(amount)), Entry.Kind.CORRECTION, said)], member=member
        )  # fmt: skip
        record("corrected", reward, {"amount": [str(before), str(amount)]})
    return row


@transaction.atomic
def withdraw(*, dispute: Dispute, member: Member) -> Dispute:
    """Take a dispute back; only who opened it can. Raises ValidationError for others, and when it is closed."""
    row = _locked_dispute(dispute)
    if row.opened_by_id != member.pk:
        raise ValidationError(error_of(_("Only who opened a dispute takes it back."), "other_member"))
    row.status = Dispute.Status.WITHDRAWN
    _close(row, _locked(row.reward), member)
    return row


def _close(row: Dispute, reward: Reward, member: Member) -> None:
    row.closed_by, row.closed_at = member, timezone.now()
    row.save(update_fields=["status", "closed_by", "closed_at", "updated_at"])
    reward.is_disputed = False
    keep_rewards([reward])
    record("settled", reward, {"dispute": row.pk, "status": row.status})


def _check_text(text: str) -> None:
    if not text.strip():
        raise ValidationError({"text": error_of(_("This is needed."), "required")})


def _locked(reward: Reward) -> Reward:
    found: Reward = Reward.objects.select_for_update(no_key=True).get(pk=reward.pk)
    return found


def _locked_dispute(dispute: Dispute) -> Dispute:
    found: Dispute = (
        Dispute.objects.select_for_update(of=("self",), no_key=True).select_related("reward").get(pk=dispute.pk)
    )
    if found.status != Dispute.Status.OPEN:
        raise ValidationError(error_of(_("This dispute is closed."), "closed"))
    return found


def _say(dispute: Dispute, member: Member, text: str, key: str) -> DisputeMessage:
    known: DisputeMessage | None = DisputeMessage.objects.filter(dispute=dispute, key=key).first()
    if known is not None:
        return known
    said = DisputeMessage(dispute=dispute, member=member, text=text.strip()[:4000], key=key)
    said.save(force_insert=True)
    return said
