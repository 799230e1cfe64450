"""What becomes of a low answer: somebody calls within hours, it is looked into, and later asked again.

`follow` does it for one answer in the transaction that wrote it; `sweep` for those that came another way (API, import,
a person), and for what has happened since.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Collection
from decimal import Decimal
from typing import Final

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone
from django.utils.translation import gettext as _

from customers.models import Channel, SurveyResponse, TouchKind
from customers.rules.surveys import DETRACTOR_TO
from customers.services import Outcome
from followups.models import FollowUp, Reason, SurveyLoop, SurveyReason
from followups.reasons import SURVEY
from followups.rules.ranking import priority_of
from followups.rules.survey_policy import SurveyPolicy
from followups.rules.surveys import is_better, is_low
from health.models import HealthScore
from segmentation.models import Standing
from tenants.base import POINTS
from tenants.context import current_tenant, tenant_scope
from tenants.events import acting, record
from tenants.models import Member, Tenant
from tenants.policies import active_policy

log = logging.getLogger("perennial.surveys")

FRESH: Final = dt.timedelta(days=7)
"""A low answer that comes to us later than this is history: nobody is sent to call about it."""

_WRITTEN: Final = dt.timedelta(days=2)
"""So far back the sweep looks for answers that were written; it runs every minute."""

_VERIFIED_WITHIN: Final = dt.timedelta(days=366)
"""An answer that comes later says nothing about the follow-up any more."""

BEHIND_LENGTH: Final = 2000


def follow(response: SurveyResponse, policy: SurveyPolicy | None = None) -> SurveyLoop | None:
    """Bring what follows an answer in line with it: raise, or withdraw where it is no longer low. Safe to repeat."""
    policy = policy or active_policy().section(SurveyPolicy)
    loop = SurveyLoop.objects.select_related("follow_up").filter(response=response).first()
    if not is_low(response.kind, response.score, policy):
        if loop is not None:
            _withdraw(loop)
        return None
    if loop is not None and loop.follow_up is not None:
        return loop
    if response.customer.closed_on is not None or timezone.now() - response.at > FRESH:
        return loop
    if loop is None:
        loop, _new = SurveyLoop.objects.get_or_create(
            response=response,
            defaults={"tenant": current_tenant(), "customer": response.customer, "opened_at": response.at},
        )
        if response.reasons.exists():
            loop.analysed_at = timezone.now()
    loop.follow_up = _raise(response, policy)
    loop.save(update_fields=["follow_up", "analysed_at", "updated_at"])
    return loop


def tag(response: SurveyResponse, reasons: Collection[str], *, member: Member | None) -> bool:
    """Let an answer have these reasons from a member, or from the customer (None), in place of those they gave before.

    Says whether anything changed. What the other side has noted stays. Of a low answer that is its analysis.
    """
    wanted = set(reasons)
    rows = SurveyReason.objects.filter(response=response)
    by_side = {row.code: row.member_id is None for row in rows}
    own = {code for code, is_customers in by_side.items() if is_customers == (member is None)}
    gone, new = own - wanted, wanted - set(by_side)
    if not gone and not new:
        return False
    rows.filter(code__in=gone, member__isnull=member is None).delete()
    SurveyReason.objects.bulk_create(
        [
            SurveyReason(customer_id=response.customer_id, response=response, code=code, member=member)
            for code in sorted(new)
        ],
        ignore_conflicts=True,
    )
    record("tagged", response, {"reasons": [sorted(by_side), sorted(set(by_side) - gone | new)]})
    if new:
        looked_into = SurveyLoop.objects.filter(response=response, analysed_at__isnull=True)
        looked_into.update(analysed_at=timezone.now(), analysed_by=member, updated_at=timezone.now())
    return True


def analyse(*, loop: SurveyLoop, member: Member, reasons: Collection[str], behind: str) -> Outcome:
    """Note what a low answer was about and what was behind it. The same again changes nothing.

    Raises ValidationError by field: without any reason, for an unknown one, and for a text that is too long.
    """
    behind = behind.strip()
    if not reasons:
        raise ValidationError({"reasons": ValidationError(_("Choose at least one reason."), code="required")})
    if set(reasons) - set(Reason.values):
        raise ValidationError({"reasons": ValidationError(_("There is no such reason."), code="invalid_choice")})
    if len(behind) > BEHIND_LENGTH:
        words = _("At most %(count)d characters.") % {"count": BEHIND_LENGTH}
        raise ValidationError({"behind": ValidationError(words, code="too_long")})
    with acting(member):
        row: SurveyLoop = SurveyLoop.objects.select_for_update(of=("self",), no_key=True).get(pk=loop.pk)
        changed = tag(row.response, reasons, member=member)
        row.refresh_from_db()
        before = row.behind
        if row.analysed_at is None or before != behind:
            row.analysed_at, row.analysed_by, row.behind = row.analysed_at or timezone.now(), member, behind
            row.save(update_fields=["analysed_at", "analysed_by", "behind", "updated_at"])
            record("analysed", row, {"behind": [before, behind], "reasons": [None, sorted(reasons)]})
            changed = True
        return "updated" if changed else "unchanged"


def sweep_of(tenant: Tenant) -> int:
    """`sweep` of one firm; one that fails is left for the next ring, and does not keep the others waiting."""
    try:
        with tenant_scope(tenant):
            return sweep()
    except Exception:
        log.exception("survey answers of %s could not be followed up", tenant.slug)
        return 0


def sweep() -> int:
    """Follow up what was answered elsewhere, withdraw what was corrected, and note who says that it is better now.

    In the open scope; returns how many loops changed. Looks in the database for what is due: a second run finds nothing.
    """
    policy, now = active_policy().section(SurveyPolicy), timezone.now()
    low = Q(kind="nps", score__lte=DETRACTOR_TO) | Q(kind="csat", score__lte=policy.low_csat)
    looked_at = SurveyLoop.objects.filter(response=OuterRef("pk"), follow_up__isnull=False)
    fresh = SurveyResponse.objects.filter(low, updated_at__gte=now - _WRITTEN, at__gte=now - FRESH)
    changed = 0
    living = fresh.filter(~Exists(looked_at), customer__closed_on__isnull=True).select_related("customer", "contact")
    for response in living.order_by("pk"):
        # One by one: what a colleague has written meanwhile stops nobody else's.
        with transaction.atomic():
            changed += follow(response, policy) is not None
    better_now = ~(Q(response__kind="nps", response__score__lte=DETRACTOR_TO)
                   | Q(response__kind="csat", response__score__lte=policy.low_csat))  # fmt: skip
    corrected = SurveyLoop.objects.filter(better_now, response__updated_at__gte=now - _WRITTEN)
    for loop in corrected.select_related("follow_up").order_by("pk"):
        with transaction.atomic():
            _withdraw(loop)
        changed += 1
    return changed + verify()


def verify() -> int:
    """Note the first answer of the same person and kind after the follow-up was done; returns how many were noted."""
    later = SurveyResponse.objects.filter(
        customer_id=OuterRef("customer_id"),
        kind=OuterRef("response__kind"),
        at__gt=OuterRef("follow_up__closed_at"),
    )
    # Answers that name no contact count as those of one person, as for the account's NPS.
    same = Exists(later.filter(contact_id=OuterRef("response__contact_id"))) | (
        Q(response__contact__isnull=True) & Exists(later.filter(contact__isnull=True))
    )
    waiting = (
        SurveyLoop.objects.filter(
            same,
            verified_by__isnull=True,
            follow_up__status=FollowUp.Status.DONE,
            follow_up__closed_at__gte=timezone.now() - _VERIFIED_WITHIN,
        )
        .select_related("response", "follow_up")
        .order_by("pk")
    )
    noted_now = 0
    for loop in waiting:
        answer = _later_answer(loop)
        with transaction.atomic():
            loop.verified_by = answer
            loop.improved = is_better(answer.kind, loop.response.score, answer.score)
            loop.save(update_fields=["verified_by", "improved", "updated_at"])
            record("verified", loop, {"improved": [None, loop.improved], "response": [None, answer.pk]})
        noted_now += 1
    return noted_now


def _later_answer(loop: SurveyLoop) -> SurveyResponse:
    """Call it on a loop that has one."""
    done_at = FollowUp.objects.values_list("closed_at", flat=True).get(pk=loop.follow_up_id)
    rows = SurveyResponse.objects.filter(
        customer_id=loop.customer_id,
        contact_id=loop.response.contact_id,
        kind=loop.response.kind,
        at__gt=done_at,
    )
    found: SurveyResponse = rows.order_by("at", "pk")[:1].get()
    return found


def _withdraw(loop: SurveyLoop) -> None:
    """The answer was changed and is not low any more: nobody needs to call because of it."""
    now = timezone.now()
    open_one = FollowUp.objects.filter(pk=loop.follow_up_id, status=FollowUp.Status.OPEN)
    open_one.update(status=FollowUp.Status.CANCELLED, closed_at=now, updated_at=now)
    record("withdrawn", loop, {"response": [loop.response_id, None]})
    loop.delete()


def _raise(response: SurveyResponse, policy: SurveyPolicy) -> FollowUp:
    """The follow-up of a low answer, due so many hours after it was given; made once per answer."""
    tenant, customer = current_tenant(), response.customer
    due_at = response.at + dt.timedelta(hours=policy.low_hours)
    money = Standing.objects.filter(customer=customer).values_list("monetary", flat=True).first() or Decimal(0)
    score = HealthScore.objects.filter(customer=customer).values_list("score", flat=True).first()
    row, is_new = FollowUp.objects.get_or_create(
        customer=customer,
        rule=f"{SURVEY}{response.kind}",
        period=f"response:{response.pk}",
        defaults={
            "tenant": tenant,
            "contact": response.contact,
            "assignee": customer.owner_a or customer.owner_b,
            "kind": TouchKind.LIGHT_TOUCH.value,
            "channel": (response.contact.channel if response.contact else "") or Channel.PHONE.value,
            "facts": {"score": response.score, "on": tenant.local_date(response.at).isoformat()},
            "level": FollowUp.Level.MODERATE.value,
            "due_on": tenant.local_date(due_at),
            "due_at": due_at,
            "priority": priority_of(int(money * POINTS), score, "moderate"),
            "policy_version": active_policy().number,
        },
    )
    if is_new:
        record("raised", row, {"rule": [None, row.rule]})
    elif row.status == FollowUp.Status.CANCELLED:
        # The answer was better for a while, and is low again.
        row.status, row.closed_at = FollowUp.Status.OPEN, None
        row.save(update_fields=["status", "closed_at", "updated_at"])
        record("raised", row, {"rule": [None, row.rule]})
    found: FollowUp = row
    return found
