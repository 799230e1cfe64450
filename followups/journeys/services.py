"""Journeys: the ones that ship, writing one, announcing a product, taking a customer out, and who would enter."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import Count, Max, Q
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from customers.models import Customer, Product
from customers.services.rows import Outcome, clean, error_of, lock
from followups.journeys import events as journey_events
from followups.journeys import voices, walking
from followups.journeys.events import Entry
from followups.journeys.shipped import shipped
from followups.journeys.team import withdraw
from followups.models import Announcement, DutyHolder, Enrolment, Journey, JourneyStep, Script
from followups.models.journeys import step_title
from followups.rules.journeys import JOURNEY_CODE, Definition, Step, begins_at, faults_of
from followups.scripts import services as scripts
from followups.shipped_names import JOURNEYS
from segmentation.rules.policy import TierPolicy
from segmentation.rules.tiers import TIER_ORDER
from tenants.context import current_tenant
from tenants.events import acting, changes_of, record
from tenants.models import Member
from tenants.policies import active_policy
from tenants.runs import Counts, Piece
from tenants.runs import Step as NightStep

LOOK_BACK_DAYS: Final = 30
"""The dry run asks who would have entered in so many days."""

SHOWN: Final = 50
"""How many of those a page names."""


# ── the ones that ship ──────────────────────────────────────────────────────


def ensure_journeys(since: dt.datetime | None = None) -> int:
    """Put what ships and is not there yet among the journeys, with the scripts that they say; returns how many.

    They are switched on and count events from `since` on, which is now unless said otherwise: whoever ordered for the
    first time last year is not greeted. What ships is switched off, never deleted. Two at once add it once.
    """
    scripts.ensure_library()
    there = set(Journey.objects.values_list("code", flat=True))
    wanted = {
        code: each for code, each in shipped(active_policy().section(TierPolicy).scheme).items() if code not in there
    }
    if wanted:
        moment = since or timezone.now()
        Journey.objects.bulk_create(
            (
                Journey(
                    code=code,
                    trigger=each["trigger"],
                    priority=each["priority"],
                    definition=Definition.model_validate(each).model_dump(mode="json"),
                    is_on=True,
                    since=moment,
                    looked_at=moment,
                )
                for code, each in wanted.items()
            ),
            ignore_conflicts=True,
        )
    return len(wanted)


# ── every night ─────────────────────────────────────────────────────────────


def work(piece: Piece) -> Counts:
    """Enrol for the events of the last days up to the night, and walk everybody of the part who is under way."""
    ensure_journeys()
    at = current_tenant().start_of(piece.as_of)
    entered = walking.enter(walking.journeys_on(), at, piece.part)
    under_way = Enrolment.objects.filter(ended_at__isnull=True)
    if not piece.part.is_everybody:
        under_way = under_way.filter(customer__gte=piece.part.first, customer__lte=piece.part.last)
    ids = sorted(set(under_way.order_by().values_list("customer_id", flat=True)))
    walked = walking.walk(ids, at)
    return {"entered": len(entered), "walked": walked}


NIGHT: Final = NightStep(work)


# ── writing ─────────────────────────────────────────────────────────────────


def save_journey(
    *, member: Member, definition: Mapping[str, Any], journey: Journey | None = None, code: str = "", name: str = ""
) -> tuple[Journey, Outcome]:
    """A new journey, switched off, or another definition of one; those under way go on by the new one.

    Raises ValidationError: by field for code and name, and as messages for what is wrong with the definition.
    """
    with acting(member):
        rules = checked(definition)
        document = rules.model_dump(mode="json")
        values: dict[str, Any] = {
            "name": name.strip(), "trigger": rules.trigger, "priority": rules.priority, "definition": document,
        }  # fmt: skip
        if journey is None:
            journey = Journey(code=code, is_on=False, **values)
            _check(journey)
            journey.save(force_insert=True)
            record("created", journey, {"definition": [None, document]})
            return journey, "created"
        lock(journey)
        changes = changes_of(journey, values)
        if not changes:
            return journey, "unchanged"
        for field in changes:
            setattr(journey, field, values[field])
        _check(journey)
        journey.version += 1
        journey.save(update_fields=[*changes, "version", "updated_at"])
        record("updated", journey, changes)
        return journey, "updated"


def _check(journey: Journey) -> None:
    def wrong(row: Journey) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if not JOURNEY_CODE.fullmatch(row.code):
            found["code"] = error_of(_("Up to 18 small letters, digits and hyphens, a letter first."), "code")
        elif Journey.objects.filter(code=row.code).exclude(pk=row.pk).exists():
            found["code"] = error_of(_("There is a journey of this code already."), "taken")
        if not row.name and row.code not in JOURNEYS:
            found["name"] = error_of(_("This is needed."), "required")
        return found

    clean(journey, skip=["definition"], check=wrong)


def checked(definition: Mapping[str, Any]) -> Definition:
    """The definition, typed. Raises ValidationError with all that is wrong with it, each in words with its place."""
    if wrong := faults_of(definition):
        said = [
            ValidationError(f"{place}: {_(message)}" if place else _(message), code=code)
            for place, message, code in wrong
        ]
        raise ValidationError({"definition": said})
    rules = Definition.model_validate(definition)
    problems = []
    scheme = active_policy().section(TierPolicy).scheme
    for tier in rules.conditions.tiers:
        if tier not in TIER_ORDER[scheme]:
            words = _("The tiers in force have no %(tier)s; there are: %(tiers)s.")
            problems.append(words % {"tier": tier, "tiers": ", ".join(TIER_ORDER[scheme])})
    named = {step.script for step in rules.steps if step.script}
    known = set(Script.objects.filter(code__in=named).values_list("code", flat=True))
    problems += [_("There is no script %(code)s.") % {"code": code} for code in sorted(named - known)]
    if problems:
        raise ValidationError({"definition": [error_of(words, "unknown") for words in problems]})
    return rules


def switch(*, journey: Journey, member: Member, on: bool) -> Outcome:
    """Switch a journey on, from now on, or off: whoever is under way is then taken out. Again changes nothing."""
    with acting(member):
        lock(journey)
        if journey.is_on == on:
            return "unchanged"
        now = timezone.now()
        journey.is_on = on
        if on:
            journey.since = journey.looked_at = now
        journey.save(update_fields=["is_on", "since", "looked_at", "updated_at"])
        record("switched_on" if on else "switched_off", journey, {"is_on": [not on, on]})
        # Whoever waits for the next step is looked at by the next ring, which takes them out.
        Enrolment.objects.filter(journey=journey, ended_at__isnull=True).update(next_at=now)
        return "updated"


def announce(*, product: Product, member: Member) -> tuple[Announcement, Outcome]:
    """Announce a product: the journeys of that kind begin with the next ring. A product is announced once.

    Raises ValidationError when no journey listens.
    """
    with acting(member):
        if not Journey.objects.filter(trigger=Journey.Trigger.ANNOUNCED, is_on=True).exists():
            raise ValidationError(_("No journey that begins with an announcement is switched on."), code="nobody")
        found, is_new = Announcement.objects.get_or_create(
            product=product, defaults={"member": member, "at": timezone.now()}
        )
        if is_new:
            record("announced", found, {"product": [None, str(product)]})
        return found, "created" if is_new else "unchanged"


def take_out(*, enrolment: Enrolment, member: Member) -> Outcome:
    """Take a customer out of a journey; what it has raised and nobody has done is withdrawn. Again changes nothing.

    Raises PermissionDenied for who may not work on follow-ups.
    """
    if not member.can("follow-ups:write"):
        raise PermissionDenied(_("Your role does not work on follow-ups."))
    with acting(member):
        Customer.objects.select_for_update(no_key=True).get(pk=enrolment.customer_id)
        lock(enrolment)
        if enrolment.ended_at is not None:
            return "unchanged"
        before = enrolment.status
        enrolment.status, enrolment.why = Enrolment.Status.STOPPED, Enrolment.Why.BY_HAND
        enrolment.ended_at, enrolment.next_at, enrolment.waits_since = timezone.now(), None, None
        enrolment.save(update_fields=["status", "why", "ended_at", "next_at", "waits_since", "updated_at"])
        withdraw(list(enrolment.steps.select_related("follow_up")))
        record("stopped", enrolment, {"status": [before, enrolment.status]})
        # Whoever waited for it may go on at once.
        others = Enrolment.objects.filter(customer=enrolment.customer_id, ended_at__isnull=True)
        others.update(next_at=timezone.now())
        walking.walk([enrolment.customer_id], timezone.now())
        return "updated"


def name_duty(*, duty: str, holder: Member | None, member: Member) -> Outcome:
    """Say who does what journeys ask of the product manager, of after-sales or of the executive; None: the A owner."""
    with acting(member):
        known = DutyHolder.objects.filter(duty=duty).first()
        before = known.member_id if known else None
        if before == (holder.pk if holder else None):
            return "unchanged"
        if holder is None:
            assert known is not None  # noqa: S101  # else nothing would have changed
            record("unnamed", known, {"member": [before, None]})
            known.delete()
            return "updated"
        row, _new = DutyHolder.objects.update_or_create(duty=duty, defaults={"member": holder})
        record("named", row, {"member": [before, holder.pk]})
        return "updated"


# ── who would enter ─────────────────────────────────────────────────────────


@dataclass(frozen=True)
class DryRun:
    """Who would have entered since a day: how many events of how many customers, and the latest with their customers.

    `hidden` are customers whom the member does not see; they are counted and not named.
    """

    since: dt.date
    events: int
    customers: int
    latest: Sequence[tuple[Customer, Entry]]
    hidden: int


def dry_run(rules: Definition, member: Member, *, days: int = LOOK_BACK_DAYS) -> DryRun:
    """Who would have entered a journey in the last `days`; nothing is written.

    With an announcement nobody knows when one comes: whoever would hear of one made now.
    """
    now, tenant = timezone.now(), current_tenant()
    since = tenant.start_of(tenant.today() - dt.timedelta(days=days))
    entries = _would_hear(rules, now) if rules.trigger == "announced" else journey_events.who_enters(rules, since, now)
    ids = {entry.customer_id for entry in entries}
    seen = {row.pk: row for row in Customer.objects.visible_to(member).filter(pk__in=ids)}
    latest = [(seen[entry.customer_id], entry) for entry in reversed(entries) if entry.customer_id in seen]
    return DryRun(tenant.local_date(since), len(entries), len(ids), latest[:SHOWN], len(ids) - len(seen))


def _would_hear(rules: Definition, now: dt.datetime) -> list[Entry]:
    """Whoever meets the conditions, as if a product were announced now: in a savepoint that is taken back."""
    product = Product.objects.order_by("-pk").first()
    if product is None:
        return []
    with transaction.atomic():
        point = transaction.savepoint()
        try:
            Announcement.objects.filter(product=product).delete()
            Announcement.objects.create(product=product, at=now)
            return journey_events.who_enters(rules, now, now + dt.timedelta(microseconds=1))
        finally:
            transaction.savepoint_rollback(point)


# ── reading ─────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class StepLine:
    """A step of a journey for one customer: what it is, and what became of it. `state`: done, next, later, left out."""

    title: str
    state: str
    at: dt.datetime | None
    words: str
    row: JourneyStep | None


@dataclass(frozen=True)
class PlaceLine:
    """A customer's place in a journey."""

    row: Enrolment
    done: int
    steps: Sequence[StepLine]
    why: str

    @property
    def is_open(self) -> bool:
        return self.row.ended_at is None


def places_of(customer: Customer, *, most: int = 5) -> list[PlaceLine]:
    """The customer's places in journeys: those under way and waiting first, then the last that ended."""
    rows = Enrolment.objects.filter(customer=customer).select_related("journey", "complaint", "product")
    found = sorted(rows.order_by("-entered_at", "-pk")[: most * 2], key=lambda row: row.ended_at is not None)[:most]
    if not found:  # as on most customers' pages
        return []
    steps: dict[int, dict[str, JourneyStep]] = {row.pk: {} for row in found}
    for step in JourneyStep.objects.filter(enrolment__in=found).select_related("follow_up", "message"):
        steps[step.enrolment_id][step.code] = step
    speaks = next((row.journey.title for row in found if row.status == Enrolment.Status.ACTIVE), "")
    speaks = speaks or voices.speaking(customer.pk)
    return [place_line(row, steps[row.pk], speaks) for row in found]


def place_line(row: Enrolment, done: Mapping[str, JourneyStep], speaks: str = "") -> PlaceLine:
    """One place, ready to print; `speaks` is the journey that goes first."""
    lines = [_step_line(row, step, done.get(step.code)) for step in row.journey.rules.steps]
    why = str(row.get_why_display())
    if row.why == Enrolment.Why.OTHER and speaks:
        why = _("“%(journey)s” goes first") % {"journey": speaks}
    return PlaceLine(row, sum(line.row is not None for line in lines), lines, why)


def _step_line(row: Enrolment, step: Step, done: JourneyStep | None) -> StepLine:
    title = step_title(step.code, step.name)
    if done is None:
        at = begins_at(step, row.base_at)
        is_next = row.status == Enrolment.Status.ACTIVE and row.next_at == at
        return StepLine(title, "next" if is_next else "later", at if row.ended_at is None else None, "", None)
    words = str(done.get_why_display() or done.get_status_display())
    if done.message is not None:
        words = str(done.message.get_status_display())
        if done.why:
            words = str(done.get_why_display())
    elif done.follow_up is not None:
        words = str(done.follow_up.get_status_display())
    return StepLine(title, "out" if done.status == JourneyStep.Status.SKIPPED else "done", done.at, words, done)


def event_words(row: Enrolment) -> str:
    """What a place began with, in words."""
    words: Mapping[str, str] = {
        "order": _("first order"),
        "complaint": _("complaint"),
        "talk": _("the customer's question"),
        "silence": _("silence"),
        "product": _("announcement"),
    }
    said = words.get(row.event.partition(":")[0], row.event)
    about = row.complaint.topic if row.complaint else str(row.product) if row.product else ""
    return _("%(what)s: %(about)s") % {"what": said, "about": about} if about else said


@dataclass(frozen=True)
class JourneyLine:
    """A journey in the list, with how many are in it."""

    row: Journey
    rules: Definition
    active: int
    waiting: int
    finished: int
    stopped: int


def journey_lines(since: dt.datetime) -> list[JourneyLine]:
    """All journeys, the first to speak first; finished and stopped are those of the time since `since`."""
    recent = Q(enrolments__ended_at__gte=since)
    rows = Journey.objects.annotate(
        active=Count("enrolments", filter=Q(enrolments__status=Enrolment.Status.ACTIVE)),
        waiting=Count("enrolments", filter=Q(enrolments__status=Enrolment.Status.WAITING)),
        finished=Count("enrolments", filter=recent & Q(enrolments__status=Enrolment.Status.FINISHED)),
        stopped=Count("enrolments", filter=recent & Q(enrolments__status=Enrolment.Status.STOPPED)),
        last=Max("enrolments__entered_at"),
    ).order_by("priority", "code")
    return [JourneyLine(row, row.rules, row.active, row.waiting, row.finished, row.stopped) for row in rows]


def hours_words(hours: int) -> str:
    """A span of hours as people say it: at once, 24 h, 3 days."""
    if hours == 0:
        return _("at once")
    if hours % 24 == 0 and hours >= 48:
        return ngettext("%(count)d day", "%(count)d days", hours // 24) % {"count": hours // 24}
    return ngettext("%(count)d hour", "%(count)d hours", hours) % {"count": hours}
