"""Writing down who recommended us to whom: one claim for a new customer, never of oneself, never in a circle."""

from __future__ import annotations

import datetime as dt
from typing import Any, Final, TypedDict, Unpack

from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from customers.models import Customer, Evidence, Order, Referral, SurveyResponse
from customers.services.arrivals import arrived
from customers.services.rows import Outcome, change, create, error_of, for_update, lock, upsert
from tenants.context import current_tenant
from tenants.events import acting_member, record
from tenants.models import Member

EVIDENCE_SOURCE: Final = "referral"
"""What evidence is called that a referral leaves for the value of who recommended us; its number is the referral's."""

_LOCK: Final = "SELECT pg_advisory_xact_lock(hashtext('customers.referrals'), %s)"

_CHAIN: Final = """
WITH RECURSIVE above AS (
    SELECT referrer_id FROM customers_referral
    WHERE tenant_id = %(tenant)s AND customer_id = %(referrer)s AND withdrawn_at IS NULL
    UNION
    SELECT r.referrer_id FROM above a JOIN customers_referral r
    ON r.tenant_id = %(tenant)s AND r.customer_id = a.referrer_id AND r.withdrawn_at IS NULL)
SELECT EXISTS (SELECT 1 FROM above WHERE referrer_id = %(customer)s)
"""


class ReferralContent(TypedDict, total=False):
    """What can be said about a referral; without `member` it is brought by the A owner of the referrer."""

    referrer: Customer
    customer: Customer
    member: Member | None
    on: dt.date
    origin: str
    response: SurveyResponse | None
    note: str


class ReferralFields(ReferralContent, total=False):
    """The same, with what another system calls it."""

    source: str
    external_id: str


@transaction.atomic
def record_referral(**fields: Unpack[ReferralFields]) -> Referral:
    """Write down a referral: needs referrer, customer and day. Its rewards follow with the coming night.

    Raises ValidationError by field: a day that is still to come, a customer who recommends itself, who closes a circle,
    who had ordered before that day, or whose recommendation somebody else holds (who that is is said).
    """
    return _record(fields)


def _record(fields: ReferralFields, *, is_free: bool = False) -> Referral:
    _lock_claims()
    referrer = fields.get("referrer")
    if fields.get("member") is None and referrer is not None:
        fields = {**fields, "member": referrer.owner_a}
    given: Any = {**fields, "noted_by": acting_member.get()}
    row = create(
        Referral,
        given,
        required=("referrer", "customer", "on"),
        check=_check_referral,
        verb="recorded",
        is_free=is_free,
    )
    _show_in_evidence(row)
    arrived([row.referrer_id, row.customer_id])
    return row


@transaction.atomic
def patch_referral(*, referral: Referral, **fields: Unpack[ReferralFields]) -> Outcome:
    """Change the given fields of a referral; what is earned by it follows with the coming night."""
    _lock_claims()
    lock(referral)
    return _change(referral, fields)


def upsert_referral(*, source: str, external_id: str, **fields: Unpack[ReferralContent]) -> tuple[Referral, Outcome]:
    """The referral that `source` calls `external_id`, with these fields; made if there is none."""
    with transaction.atomic():
        _lock_claims()
        return upsert(
            find=lambda: for_update(Referral.objects.filter(source=source, external_id=external_id)),
            make=lambda: _record({"source": source, "external_id": external_id, **fields}, is_free=True),
            change=lambda referral: _change(referral, _without_origin(fields)),
        )


def _without_origin(fields: ReferralContent) -> ReferralContent:
    """How a referral was first recorded stays, whoever sends it again."""
    kept = fields.copy()
    kept.pop("origin", None)
    return kept


def _change(referral: Referral, fields: ReferralContent) -> Outcome:
    if referral.withdrawn_at is not None:
        raise ValidationError(error_of(_("This referral is withdrawn; record it anew."), "withdrawn"))
    before = {referral.referrer_id, referral.customer_id}
    outcome = change(referral, fields, check=_check_referral)
    if outcome != "unchanged":
        _show_in_evidence(referral)
        arrived(before | {referral.referrer_id, referral.customer_id})
    return outcome


@transaction.atomic
def withdraw_referral(*, referral: Referral, why: str) -> Outcome:
    """Take a referral back that was wrong: what was earned by it is reversed in the coming night, in the open.

    Raises ValidationError without a reason.
    """
    if not why.strip():
        raise ValidationError({"why": error_of(_("This is needed."), "required")})
    _lock_claims()
    lock(referral)
    if referral.withdrawn_at is not None:
        return "unchanged"
    referral.withdrawn_at, referral.withdrawn_why = timezone.now(), why.strip()[:200]
    referral.save(update_fields=["withdrawn_at", "withdrawn_why", "updated_at"])
    record("withdrawn", referral, {"why": referral.withdrawn_why})
    for shown in Evidence.objects.filter(source=EVIDENCE_SOURCE, external_id=str(referral.pk)):
        record("deleted", shown, {"referred": [shown.referred_id, None]})
        shown.delete()
    arrived([referral.referrer_id, referral.customer_id])
    return "updated"


def _lock_claims() -> None:
    """One writer of claims at a time in a firm: a circle is only seen by who sees all of it."""
    with connection.cursor() as cursor:
        cursor.execute(_LOCK, [current_tenant().pk % 2**31])


def _show_in_evidence(referral: Referral) -> None:
    """What the referred customer buys counts for the value of who recommended us; that is kept as evidence."""
    said: dict[str, Any] = {
        "customer_id": referral.referrer_id,
        "kind": Evidence.Kind.REFERRAL,
        "on": referral.on,
        "referred_id": referral.customer_id,
        "member_id": referral.member_id,
    }
    shown = Evidence.objects.filter(source=EVIDENCE_SOURCE, external_id=str(referral.pk)).first()
    if shown is None:
        if Evidence.objects.filter(referred=referral.customer_id).exists():
            return  # somebody wrote it down as evidence before; it says the same
        shown = Evidence(source=EVIDENCE_SOURCE, external_id=str(referral.pk), **said)
        shown.save(force_insert=True)
        record("added", shown)
        return
    changed = {name: value for name, value in said.items() if getattr(shown, name) != value}
    if changed:
        for name, value in changed.items():
            setattr(shown, name, value)
        shown.save()
        record("updated", shown, {"referred": shown.referred_id})


def _check_referral(referral: Referral) -> dict[str, Any]:
    wrong: dict[str, Any] = {}
    if referral.on > current_tenant().today():
        wrong["on"] = error_of(_("This day is still to come."), "in_the_future")
    response = referral.response
    if response is not None and response.customer_id != referral.referrer_id:
        wrong["response"] = error_of(_("This answer is another customer’s."), "other_customer")
    if referral.referrer_id == referral.customer_id:
        wrong["customer"] = error_of(_("A customer cannot recommend us to itself."), "itself")
        return wrong
    held = (
        Referral.objects.filter(customer=referral.customer_id, withdrawn_at__isnull=True)
        .exclude(pk=referral.pk).select_related("referrer", "member__user").first()
    )  # fmt: skip
    if held is not None:
        wrong["customer"] = error_of(claim_words(held), "claimed_already")
        return wrong
    noted = Evidence.objects.filter(referred=referral.customer_id).exclude(customer=referral.referrer_id)
    other = noted.exclude(source=EVIDENCE_SOURCE, external_id=str(referral.pk)).select_related("customer").first()
    if other is not None:
        words = _("The evidence of %(name)s of %(day)s says that it brought this customer.")
        wrong["customer"] = error_of(words % {"name": other.customer, "day": other.on}, "claimed_already")
        return wrong
    if _closes_circle(referral):
        words = _("%(name)s came by way of this customer itself: that would be a circle.")
        wrong["referrer"] = error_of(words % {"name": referral.referrer}, "circle")
        return wrong
    before = ordered_before(referral)
    if before is not None:
        words = _("It had ordered before: order %(order)s of %(day)s. Recommended are new customers only.")
        wrong["customer"] = error_of(words % {"order": before.external_id, "day": before.placed_on}, "ordered_before")
    return wrong


def claim_words(held: Referral) -> str:
    """Who holds the claim for a new customer, in a sentence."""
    by = {"name": str(held.referrer), "day": str(held.on)}
    if held.member is None:
        return _("This customer is claimed already: recommended by %(name)s on %(day)s.") % by
    return _("%(holder)s holds the claim for this customer: recommended by %(name)s on %(day)s.") % {
        **by,
        "holder": held.member,
    }


def ordered_before(referral: Referral) -> Order | None:
    """The first order that the new customer placed before it was recommended; None when it is new indeed."""
    placed = Order.objects.filter(
        customer=referral.customer_id, kind=Order.Kind.ORDER, status=Order.Status.PLACED, placed_on__lt=referral.on
    )
    found: Order | None = placed.order_by("placed_on", "pk").first()
    return found


def _closes_circle(referral: Referral) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            _CHAIN,
            {"tenant": current_tenant().pk, "referrer": referral.referrer_id, "customer": referral.customer_id},
        )
        return bool(cursor.fetchone()[0])
