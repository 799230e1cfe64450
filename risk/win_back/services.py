"""Verbs of win-back: make an offer, note what came of it, give up; and who came back."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Count, F, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from customers.services.rows import Outcome, change, error_of, lock
from followups.services import Refused
from risk.models import Playbook, PlaybookRun, WinBack, WinBackTry
from risk.playbooks import services as playbooks
from risk.rules import win_back as rules
from risk.rules.win_back_policy import WinBackPolicy
from tenants.context import current_tenant
from tenants.events import record
from tenants.models import Member
from tenants.policies import active_policy

PLAYBOOK = "win-back"


@transaction.atomic
def offer(
    *,
    win_back: WinBack,
    member: Member,
    offer: str,
    terms: str = "",
    channel: str = "",
    note: str = "",
    with_playbook: bool = False,
) -> WinBackTry:
    """Write down an offer to a customer that went; it waits for an answer. Offering again answers nothing before it.

    `with_playbook` begins the win-back playbook as well (risk.playbooks), which asks people for its steps. Raises
    ValidationError for a customer that came back or is closed, and for what does not fit; LookupError for an unknown
    offer. What the playbook refuses is said at "with_playbook".
    """
    if offer not in WinBackTry.Offer.values:
        raise LookupError(offer)
    lock(win_back)
    customer = win_back.customer
    if win_back.status == WinBack.Status.RETURNED:
        raise ValidationError(error_of(_("This customer has come back."), "returned"))
    if customer.closed_on is not None:
        raise ValidationError(error_of(_("This customer is closed."), "closed"))
    run = _begin(customer, member) if with_playbook else None
    made = WinBackTry(
        win_back=win_back,
        customer=customer,
        member=member,
        offer=offer,
        terms=terms.strip(),
        channel=channel,
        note=note.strip(),
        playbook_run=run,
    )
    made.adopt()
    made.full_clean(exclude=["tenant", "win_back", "customer", "member", "playbook_run"])
    made.save(force_insert=True)
    record("offered", made, {"offer": ["", offer], "terms": ["", made.terms]})
    change(win_back, {"status": WinBack.Status.TRIED, "tries": win_back.tries + 1, "reason": ""}, verb="tried")
    return made


def _begin(customer: Any, member: Member) -> PlaybookRun:
    playbooks.ensure_playbooks()
    found = Playbook.objects.filter(code=PLAYBOOK).first()
    if found is None:
        raise ValidationError({"with_playbook": error_of(_("There is no win-back playbook."), "no_playbook")})
    try:
        return playbooks.start(playbook=found, customer=customer, member=member)
    except Refused as refusal:
        raise ValidationError({"with_playbook": error_of(str(refusal), "refused")}) from refusal


@transaction.atomic
def answer(*, attempt: WinBackTry, member: Member, result: str, note: str = "") -> Outcome:
    """Note what a customer said to an offer: accepted, declined, no answer, or (by mistake) waiting again."""
    if result not in WinBackTry.Result.values:
        raise LookupError(result)
    lock(attempt)
    is_open = result == WinBackTry.Result.WAITING
    same = attempt.result == result
    fields = {
        "result": result,
        "result_at": None if is_open else attempt.result_at if same else timezone.now(),
        "note": note.strip() or attempt.note,
    }
    return change(attempt, fields, verb="answered")


@transaction.atomic
def give_up(*, win_back: WinBack, member: Member, reason: str) -> Outcome:
    """Nobody tries any more, and why; the customer is still recognised when it comes back."""
    lock(win_back)
    if win_back.status == WinBack.Status.RETURNED:
        raise ValidationError(error_of(_("This customer has come back."), "returned"))
    if not reason.strip():
        raise ValidationError({"reason": error_of(_("Say why."), "required")})
    return change(win_back, {"status": WinBack.Status.GIVEN_UP, "reason": reason.strip()}, verb="given_up")


@transaction.atomic
def take_up(*, win_back: WinBack, member: Member) -> Outcome:
    """It is tried again after all."""
    lock(win_back)
    if win_back.status != WinBack.Status.GIVEN_UP:
        return "unchanged"
    status = WinBack.Status.TRIED if win_back.tries else WinBack.Status.OPEN
    return change(win_back, {"status": status, "reason": ""}, verb="taken_up")


def credit(returned: Mapping[int, dt.date], *, within: dt.timedelta) -> int:
    """These lapses (id → first day with an order again) have ended; the last try before it, if within, won them back.

    Returns how many were marked. Run twice it finds nothing to do.
    """
    tenant = current_tenant()
    rows = list(
        WinBack.objects.select_for_update(of=("self",), no_key=True)
        .filter(pk__in=list(returned), returned_on__isnull=True)
        .order_by("pk")
    )
    for row in rows:
        on = returned[row.pk]
        change(row, {"status": WinBack.Status.RETURNED, "returned_on": on}, verb="returned")
        end = tenant.start_of(on + dt.timedelta(days=1))
        last = WinBackTry.objects.filter(win_back=row, at__lt=end, at__gte=end - within - dt.timedelta(days=1)).first()
        if last is not None:
            fields: dict[str, Any] = {"returned_on": on}
            if last.result in {WinBackTry.Result.WAITING, WinBackTry.Result.NO_ANSWER}:
                fields |= {"result": WinBackTry.Result.ACCEPTED, "result_at": tenant.start_of(on)}
            change(last, fields, verb="won_back")
    return len(rows)


def take_credit_back(ids: Sequence[int]) -> None:
    """These lapses have not ended after all: the order was cancelled. Their tries wait for an answer again."""
    for row in WinBack.objects.filter(pk__in=ids, status=WinBack.Status.RETURNED).order_by("pk"):
        status = WinBack.Status.TRIED if row.tries else WinBack.Status.OPEN
        change(row, {"status": status, "returned_on": None}, verb="taken_up")
        for attempt in WinBackTry.objects.filter(win_back=row, returned_on__isnull=False):
            fields = {"returned_on": None, "result": WinBackTry.Result.WAITING, "result_at": None}
            change(attempt, fields, verb="updated")


def offer_rates(tries: QuerySet[WinBackTry], lapses: QuerySet[WinBack], as_of: dt.date) -> list[rules.OfferRate]:
    """How often each offer brought a customer back, over these tries, against these lapses that nobody tried.

    A try counts once its customer has ordered, or the policy's `credit_days` have passed. Two queries.
    """
    days = active_policy().section(WinBackPolicy).credit_days
    over = as_of - dt.timedelta(days=days)
    counted = (
        tries.filter(decided(over))
        .order_by()
        .values("offer")
        .annotate(number=Count("pk"), back=Count("pk", filter=Q(returned_on__isnull=False)))
    )
    counts = [rules.OfferCount(row["offer"], row["number"], row["back"]) for row in counted]
    alone = lapses.filter(tries=0, lapsed_on__lte=over).aggregate(
        number=Count("pk"),
        back=Count(
            "pk", filter=Q(returned_on__isnull=False, returned_on__lte=F("lapsed_on") + dt.timedelta(days=days))
        ),
    )
    return rules.offer_rates(counts, (alone["back"], alone["number"]))


def decided(over: dt.date) -> Q:
    """Tries of which it is known how they ended: made on or before a day, or followed by an order."""
    return Q(at__lt=current_tenant().start_of(over + dt.timedelta(days=1))) | Q(returned_on__isnull=False)
