"""Compensation: asked for, approved or refused by whoever may (rules/compensation.py), withdrawn."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, cast

from django.core.exceptions import PermissionDenied, ValidationError
from django.utils import timezone
from django.utils.translation import gettext as _

from customers.services.rows import Outcome, clean, error_of
from risk.incidents.people import approvers
from risk.incidents.room import Refused, crisis_policy, lock, log, tell, touch
from risk.models import Incident, IncidentCompensation
from risk.rules.compensation import approver, may_approve
from risk.rules.crisis_policy import Level
from tenants.events import acting, record
from tenants.models import Member
from tenants.policies import active_policy

S = IncidentCompensation.Status


def _facts(row: IncidentCompensation, did: str) -> dict[str, Any]:
    return {"did": did, "kind": row.kind, "amount": str(row.amount), "needs": row.needs}


def ask(*, incident: Incident, kind: str, amount: Decimal, member: Member, text: str = "") -> IncidentCompensation:
    """Ask for a compensation. Who may approve it has approved it with that; else whoever may is told.

    `amount` is what it costs the firm, in its currency. Raises ValidationError by field; Refused while another one
    waits.
    """
    with acting(member):
        row = lock(incident)
        if IncidentCompensation.objects.filter(incident=row, status=S.ASKED).exists():
            raise Refused(_("One waits for approval already."), code="waits")
        policy = active_policy()
        # What was promised before counts too: two halves are not smaller than the whole.
        before = IncidentCompensation.objects.filter(incident=row, status=S.APPROVED).values_list("amount", flat=True)
        total = sum(before, amount)
        needs = approver(
            amount=total, value=row.value, level=cast(Level, row.level), policy=crisis_policy(policy)
        )  # fmt: skip
        asked = IncidentCompensation(
            incident=row, kind=kind, amount=amount, text=text.strip(), needs=needs, asked_by=member,
            policy_version=policy.number,
        )  # fmt: skip
        wrong = {}
        if amount < 0:
            wrong["amount"] = error_of(_("This cannot be under 0."), "min_value")
        if kind not in IncidentCompensation.Kind.values:
            wrong["kind"] = error_of(_("Choose one of the list."), "invalid")
        if wrong:
            raise ValidationError(wrong)
        is_granted = may_approve(member.role, needs)
        if is_granted:
            asked.status, asked.decided_by, asked.decided_at = S.APPROVED, member, timezone.now()
        clean(asked)
        asked.save(force_insert=True)
        log(row, member=member, code="compensation", facts=_facts(asked, "approved" if is_granted else "asked"))
        touch(row)
        record("compensation_approved" if is_granted else "compensation_asked", row, {"amount": str(amount)})
        if not is_granted:
            params = {"kind": kind, "amount": str(amount)}
            key = f"compensation:{asked.pk}"
            tell(row, "incident.approval", key=key, members=approvers(needs), params=params, but=member)
        return asked


def decide(*, compensation: IncidentCompensation, approve: bool, member: Member, why: str = "") -> Outcome:
    """Approve or refuse what waits; a refusal says why. Decided already it stays as it is.

    Raises PermissionDenied for a role that stands below the one that is needed.
    """
    if not may_approve(member.role, compensation.needs):
        raise PermissionDenied(_("Your role, %(role)s, does not approve this.") % {"role": member.get_role_display()})
    if not approve and not why.strip():
        raise ValidationError({"why": error_of(_("Say why."), "required")})
    with acting(member):
        incident = lock(compensation.incident)
        row = IncidentCompensation.objects.select_related("asked_by__user").get(pk=compensation.pk)
        if row.status != S.ASKED:
            return "unchanged"
        row.status = S.APPROVED if approve else S.REFUSED
        row.decided_by, row.decided_at, row.why = member, timezone.now(), why.strip()
        row.save(update_fields=["status", "decided_by", "decided_at", "why"])
        did = "approved" if approve else "refused"
        log(incident, member=member, code="compensation", text=row.why, facts=_facts(row, did))
        touch(incident)
        record(f"compensation_{did}", incident, {"amount": str(row.amount), "why": row.why})
        if row.asked_by is not None:
            params = {"kind": row.kind, "amount": str(row.amount), "status": str(row.status)}
            key = f"compensation:{row.pk}:{did}"
            tell(incident, "incident.decided", key=key, members=[row.asked_by], params=params, but=member)
        return "updated"


def withdraw(*, compensation: IncidentCompensation, member: Member) -> Outcome:
    """Take back what waits for approval; again changes nothing. Raises Refused for what is decided."""
    with acting(member):
        incident = lock(compensation.incident)
        row = IncidentCompensation.objects.get(pk=compensation.pk)
        if row.status == S.WITHDRAWN:
            return "unchanged"
        if row.status != S.ASKED:
            raise Refused(_("It is decided already."), code="decided")
        row.status, row.decided_by, row.decided_at = S.WITHDRAWN, member, timezone.now()
        row.save(update_fields=["status", "decided_by", "decided_at"])
        log(incident, member=member, code="compensation", facts=_facts(row, "withdrawn"))
        touch(incident)
        record("compensation_withdrawn", incident, {"amount": str(row.amount)})
        return "updated"
