"""Nights that have passed, and people at work between them: follow-ups done, put off and left for today."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from random import Random
from typing import Any, Final

from django.db import models

from config.demo.facts import CustomerFact, History
from config.demo.firm import Firm, dice
from config.demo.orders import moment
from config.demo.shapes import SHAPES
from config.night import run_night
from customers.models import Customer, ExternalId, Interaction, TouchKind
from followups.models import FollowUp
from followups.reasons import PROMISE, SIGNAL, SnoozeReason
from health.models import Band, HealthScore, Pulse
from risk.models import Alert
from segmentation.rules.policy import TierPolicy
from segmentation.rules.tiers import TIER_ORDER
from segmentation.services import pin_tier
from tenants.context import current_tenant
from tenants.models import Event, Member, Run
from tenants.permissions import Role
from tenants.policies import active_policy

NIGHTS_AGO: Final = (84, 70, 56, 42, 28, 21, 14, 7, 2, 0)
"""Days before today as of which a night has passed: weeks first, then days, so that today's queue is fresh."""

_DONE_SHARE: Final = 0.8  # of the follow-ups that were due between two nights
_DONE_SHARE_OF_SILENT: Final = 0.6  # of those whose customer is silent: nobody likes to call there
_SNOOZED_SHARE: Final = 0.08
_LAST_DAYS: Final = 3  # in these the work is not finished yet
_DONE_SHARE_AT_LAST: Final = 0.5
_JUDGED_SHARE: Final = 0.15  # of alerts that a person closes in a week
_PROMISED_IN_DAYS: Final = (-1, 0, 0, 1)  # per account manager, from today
_PROMISED_DAYS_AGO: Final = 4
_PINNED_DAYS: Final = 180
_VIEWED_SHARE: Final = 0.12  # of scored customers, on whom somebody has a view
_OTHERWISE_SHARE: Final = 0.5  # of these, not the score's
_VIEWED_DAYS: Final = 24
_IN_TOUCH: Final = frozenset({"steady", "seasonal", "growing", "complaining", "returning"})

_ANSWERS: Final = {shape.name: shape.answers for shape in SHAPES}


class NightFailedError(RuntimeError):
    """A night of the demo did not end well; the firm is not made."""


@dataclass(frozen=True)
class _Place:
    """What the past needs to know to go on."""

    firm: Firm
    members: Mapping[str, Member]
    customers: Mapping[int, CustomerFact]


def let_weeks_pass(firm: Firm, history: History, members: Mapping[str, Member]) -> None:
    """Run the last weeks' nights up to today's, with people working between them, in the open scope.

    Raises NightFailedError when a night does not end well.
    """
    by_key = {fact.key: fact for fact in history.customers}
    ids = ExternalId.objects.filter(source="erp").values_list("customer_id", "value")
    place = _Place(firm, members, {pk: by_key[key] for pk, key in ids})
    days = [history.today - dt.timedelta(days=ago) for ago in NIGHTS_AGO]
    for night, following in pairwise(days):
        _run(night)
        _work(place, night, following, history.today)
        _judge_alerts(place, night)
    _promise(place, history.today)
    _pin_a_tier(place, history.today)
    _run(history.today)
    _view(place, history.today)


def _run(as_of: dt.date) -> None:
    run = run_night(current_tenant(), as_of)
    if run.status != Run.Status.DONE:
        errors = [step.error.strip().splitlines()[-1] for step in run.steps.all() if step.error]
        raise NightFailedError(f"The demo's night of {as_of} failed: {'; '.join(errors) or 'it did not end'}")


# ── what people did ─────────────────────────────────────────────────────────


def _work(place: _Place, since: dt.date, until: dt.date, today: dt.date) -> None:
    """What was due before `until` is done, put off or left, each by its own dice."""
    rows = FollowUp.objects.filter(status=FollowUp.Status.OPEN, due_on__lt=until).select_related("assignee")
    at_last = (today - since).days <= _LAST_DAYS
    done: list[tuple[FollowUp, Interaction]] = []
    snoozed: list[FollowUp] = []
    moments: dict[int, dt.datetime] = {}
    for row in rows.order_by("pk"):
        customer = place.customers[row.customer_id]
        rng = dice(place.firm.slug, customer.key, row.rule, row.due_on, until)
        days = _days(place.firm, max(since, row.due_on, row.snoozed_until or since), until)
        if not days or row.assignee is None:
            continue
        chance, done_share = rng.random(), _DONE_SHARE_AT_LAST if at_last else _DONE_SHARE
        if row.rule.startswith(SIGNAL):
            done_share = min(done_share, _DONE_SHARE_OF_SILENT)
        moments[row.pk] = at = moment(place.firm, rng.choice(days), rng)
        if chance < done_share:
            done.append((row, _contact(place, row, customer, at, rng)))
        elif chance < done_share + _SNOOZED_SHARE and row.snoozed_until is None:
            row.snoozed_until = until + dt.timedelta(days=rng.randint(0, 9))
            row.snooze_reason = rng.choice(SnoozeReason.values)
            snoozed.append(row)
    _write_done(done, moments)
    _write_snoozed(snoozed, moments)


def _days(firm: Firm, first: dt.date, until: dt.date) -> list[dt.date]:
    days = (first + dt.timedelta(days=n) for n in range((until - first).days))
    return [day for day in days if day.weekday() in firm.working_days]


def _contact(place: _Place, row: FollowUp, customer: CustomerFact, at: dt.datetime, rng: Random) -> Interaction:
    words = place.firm.words
    silent = row.rule.startswith(SIGNAL)
    answered = rng.random() < _ANSWERS[customer.shape]
    notes = words.no_answer if not answered else words.silence_notes if silent else words.follow_up_notes
    return Interaction(
        customer_id=row.customer_id,
        contact_id=row.contact_id,
        member=row.assignee,
        at=at,
        channel=row.channel,
        kind=row.kind,
        topic=words.silence if silent else words.follow_up,
        answered=answered,
        note=rng.choice(notes),
    )


def _write_done(done: list[tuple[FollowUp, Interaction]], moments: Mapping[int, dt.datetime]) -> None:
    contacts = Interaction.objects.bulk_create(contact for _row, contact in done)
    events = [_event("logged", contact, contact.member, contact.at, {}) for contact in contacts]
    for (row, _), contact in zip(done, contacts, strict=True):
        row.status, row.closed_at, row.closed_by, row.interaction = "done", moments[row.pk], row.assignee, contact
        changes = {
            "status": ["open", "done"],
            "closed_at": [None, str(row.closed_at)],
            "closed_by": [None, contact.member_id],
            "interaction": [None, contact.pk],
        }
        events.append(_event("completed", row, row.assignee, moments[row.pk], changes))
    FollowUp.objects.bulk_update([row for row, _ in done], ["status", "closed_at", "closed_by", "interaction"])
    Event.objects.bulk_create(events)


def _write_snoozed(snoozed: list[FollowUp], moments: Mapping[int, dt.datetime]) -> None:
    FollowUp.objects.bulk_update(snoozed, ["snoozed_until", "snooze_reason"])
    Event.objects.bulk_create(
        _event(
            "snoozed",
            row,
            row.assignee,
            moments[row.pk],
            {"snoozed_until": [None, str(row.snoozed_until)], "snooze_reason": ["", row.snooze_reason]},
        )
        for row in snoozed
    )


def _judge_alerts(place: _Place, night: dt.date) -> None:
    """Some alerts that were answered are closed by the A owner, with what came of it and why."""
    outcomes = {Alert.Outcome.SAVED: 3, Alert.Outcome.FALSE_ALARM: 4, Alert.Outcome.LOST: 3}
    judged = []
    for alert in Alert.objects.filter(closed_on__isnull=True, opened_on__lt=night).order_by("pk"):
        customer = place.customers[alert.customer_id]
        rng = dice(place.firm.slug, customer.key, alert.signal, alert.opened_on, night)
        if customer.owner_a is None or rng.random() >= _JUDGED_SHARE:
            continue
        alert.closed_on = night
        alert.outcome = rng.choices(list(outcomes), list(outcomes.values()))[0]
        alert.cause = rng.choice(place.firm.words.causes)
        alert.closed_by = place.members[customer.owner_a]
        judged.append(alert)
    Alert.objects.bulk_update(judged, ["closed_on", "outcome", "cause", "closed_by"])


def _pin_a_tier(place: _Place, today: dt.date) -> None:
    """A growing customer below the best tier, whom the lead wants treated as one of the best for half a year."""
    best = TIER_ORDER[active_policy().section(TierPolicy).scheme][0]
    growing = [pk for pk, fact in place.customers.items() if fact.shape == "growing"]
    below = Customer.objects.filter(pk__in=growing).exclude(standings__tier=best)
    chosen = below.order_by("-standings__monetary", "pk").first()
    if chosen is not None:
        lead = place.members[place.firm.staff(Role.TEAM_LEAD)[0].email]
        until = today + dt.timedelta(days=_PINNED_DAYS)
        pin_tier(customer=chosen, tier=best, reason=place.firm.words.pin_reason, until=until, member=lead)


def _view(place: _Place, today: dt.date) -> None:
    """What account managers think of some of their customers themselves; now and then not what the score says."""
    pulses = []
    scores = HealthScore.objects.exclude(band=Band.NONE).values_list("customer_id", "band")
    for pk, band in scores.order_by("customer_id"):
        customer = place.customers[pk]
        rng = dice(place.firm.slug, customer.key, "view")
        if customer.owner_a is None or rng.random() >= _VIEWED_SHARE:
            continue
        others = [code for code, _words in Pulse.VIEWS if code != band]
        seen_as = rng.choice(others) if rng.random() < _OTHERWISE_SHARE else band
        reason, words = rng.choice(place.firm.words.views[seen_as])
        days = _days(place.firm, today - dt.timedelta(days=_VIEWED_DAYS), today)
        at = moment(place.firm, rng.choice(days), rng)
        member = place.members[customer.owner_a]
        pulses.append(Pulse(customer_id=pk, member=member, band=seen_as, reason=reason, note=words, at=at))
    Event.objects.bulk_create(
        _event(
            "given",
            row,
            row.member,
            row.at,
            {"band": [None, row.band], "reason": [None, row.reason], "note": [None, row.note]},
        )
        for row in Pulse.objects.bulk_create(pulses)
    )


def _promise(place: _Place, today: dt.date) -> None:
    """What account managers have promised for about today and noted themselves; the night will rank it."""
    rows = [
        row
        for person in place.firm.staff(Role.ACCOUNT_MANAGER)
        for row in _promises(place, place.members[person.email], today)
    ]
    FollowUp.objects.bulk_create(rows)
    evening = current_tenant().start_of(today) - dt.timedelta(hours=7)
    Event.objects.bulk_create(_event("created", row, row.assignee, evening, {}) for row in rows)


def _promises(place: _Place, member: Member, today: dt.date) -> Iterator[FollowUp]:
    email = member.user.email
    rng = dice(place.firm.slug, email, "promises", today)
    own = [pk for pk, fact in place.customers.items() if fact.owner_a == email and fact.shape in _IN_TOUCH]
    chosen = rng.sample(own, min(len(own), len(_PROMISED_IN_DAYS)))
    texts = rng.sample(place.firm.words.promises, len(chosen))
    for pk, text, days in zip(chosen, texts, _PROMISED_IN_DAYS, strict=False):
        yield FollowUp(
            customer_id=pk,
            assignee=member,
            kind=TouchKind.LIGHT_TOUCH,
            channel=place.customers[pk].contacts[0].channel,
            rule=PROMISE,
            period=today.isoformat(),
            facts={"on": (today - dt.timedelta(days=_PROMISED_DAYS_AGO)).isoformat(), "text": text},
            due_on=today + dt.timedelta(days=days),
        )


def _event(verb: str, row: models.Model, actor: Member | None, at: dt.datetime, changes: dict[str, Any]) -> Event:
    """The event that the service of this verb would have left at that time."""
    return Event(
        at=at,
        actor=actor,
        verb=verb,
        object_type=row._meta.model_name or "",
        object_id=row.pk,
        customer_id=getattr(row, "customer_id", None),
        changes=changes,
    )
