"""Playbooks: the ones that ship, writing one, beginning a run by hand or by a signal, and what people do with a run.

Each verb is one transaction, leaves one event, may be sent twice, and can be undone by `undo` with the event's id while
nothing has happened to the run since. What time and facts do with runs is walking.py's.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import connection, transaction
from django.db.models import OuterRef, QuerySet, Subquery
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _

from customers.models import Customer
from customers.services.rows import Outcome, clean, error_of, lock
from followups import services as follow_up_services
from followups.journeys.team import withdraw
from followups.models import FollowUp, Script
from followups.notices.services import notify
from followups.scripts import services as scripts
from followups.services import Refused
from followups.shipped_names import PLAYBOOKS
from risk.alerts import services as alerts
from risk.cases import services as cases
from risk.models import Alert, Incident, Playbook, PlaybookRun, PlaybookStep, PlaybookVersion
from risk.playbooks import walking
from risk.playbooks.kinds import HANDED
from risk.playbooks.shipped import shipped
from risk.rules.playbooks import (
    ALERT_LEVELS,
    PLAYBOOK_CODE,
    Definition,
    Ending,
    Step,
    faults_of,
    is_held_out,
    may_be_held_out,
)
from segmentation.rules.policy import TierPolicy
from segmentation.rules.tiers import TIER_ORDER
from tenants.context import current_tenant, tenant_scope
from tenants.events import acting, events_last, record
from tenants.models import Event, Member, Tenant
from tenants.parts import Customers, among
from tenants.policies import active_policy
from tenants.runs import Counts, Piece
from tenants.runs import Step as NightStep

log = logging.getLogger("perennial.playbooks")

MANY: Final = 500
"""The most customers for whom one call begins a playbook."""

WALKED_AT_ONCE: Final = 1_000
"""Customers in one transaction between two nights."""

ROUNDS: Final = 20
"""Of one tenant in a row, so that a big one does not keep the others waiting; the next ring goes on."""

ALL: Final = 2**31 - 1

S: Final = PlaybookRun.Status
W: Final = PlaybookRun.Why
T: Final = PlaybookStep.Status


# ── the ones that ship ──────────────────────────────────────────────────────


def ensure_playbooks(since: dt.datetime | None = None) -> int:
    """Put what ships and is not there yet among the playbooks, with the scripts that they say; returns how many.

    They are switched on; those that begin by themselves count alerts from `since` on, which is now unless said otherwise:
    the backlog of a firm's first night begins nothing. Two at once add it once.
    """
    there = set(Playbook.objects.values_list("code", flat=True))
    wanted = {
        code: each for code, each in shipped(active_policy().section(TierPolicy).scheme).items() if code not in there
    }
    if not wanted:
        return 0
    scripts.ensure_library()
    moment = since or timezone.now()
    with transaction.atomic():
        Playbook.objects.bulk_create(
            (Playbook(code=code, is_on=True, since=moment) for code in wanted), ignore_conflicts=True
        )
        rows = {row.code: row for row in Playbook.objects.filter(code__in=wanted)}
        PlaybookVersion.objects.bulk_create(
            (
                PlaybookVersion(
                    playbook=rows[code],
                    number=1,
                    definition=Definition.model_validate(each).model_dump(mode="json"),
                    created_at=moment,
                )
                for code, each in wanted.items()
            ),
            ignore_conflicts=True,
        )
    return len(wanted)


def with_definition(rows: QuerySet[Any]) -> QuerySet[Any]:
    """Playbooks annotated with the definition in force."""
    versions = PlaybookVersion.objects.filter(playbook=OuterRef("pk"), number=OuterRef("version"))
    return rows.annotate(definition=Subquery(versions.values("definition")[:1]))


def versions_of(playbooks: Collection[Playbook]) -> dict[int, PlaybookVersion]:
    """Playbook id → the version in force."""
    numbers = {row.pk: row.version for row in playbooks}
    found = PlaybookVersion.objects.filter(playbook__in=list(numbers))
    return {row.playbook_id: row for row in found if row.number == numbers[row.playbook_id]}


def version_of(playbook: Playbook) -> PlaybookVersion:
    """The version of a playbook that is in force."""
    found: PlaybookVersion = playbook.versions.get(number=playbook.version)
    return found


# ── writing ─────────────────────────────────────────────────────────────────


def save_playbook(
    *, member: Member, definition: Mapping[str, Any], playbook: Playbook | None = None, code: str = "", name: str = ""
) -> tuple[Playbook, Outcome]:
    """A new playbook, switched off, or a new version of one; runs under way keep the version that they began with.

    Raises ValidationError: by field for code and name, and as messages for what is wrong with the definition.
    """
    with acting(member):
        rules = checked(definition)
        document = rules.model_dump(mode="json")
        if playbook is None:
            playbook = Playbook(code=code, name=name.strip(), is_on=False)
            _check(playbook)
            playbook.save(force_insert=True)
            PlaybookVersion.objects.create(playbook=playbook, number=1, definition=document, member=member)
            record("created", playbook, {"definition": [None, document]})
            return playbook, "created"
        lock(playbook)
        before = version_of(playbook)
        changes: dict[str, Any] = {}
        if before.definition != document:
            changes["definition"] = [before.definition, document]
        if playbook.name != name.strip():
            changes["name"] = [playbook.name, name.strip()]
        if not changes:
            return playbook, "unchanged"
        playbook.name = name.strip()
        _check(playbook)
        if "definition" in changes:
            playbook.version += 1
            PlaybookVersion.objects.create(
                playbook=playbook, number=playbook.version, definition=document, member=member
            )
        playbook.save(update_fields=["name", "version", "updated_at"])
        record("updated", playbook, changes)
        return playbook, "updated"


def _check(playbook: Playbook) -> None:
    def wrong(row: Playbook) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if not PLAYBOOK_CODE.fullmatch(row.code):
            found["code"] = error_of(_("Up to 16 small letters, digits and hyphens, a letter first."), "code")
        elif Playbook.objects.filter(code=row.code).exclude(pk=row.pk).exists():
            found["code"] = error_of(_("There is a playbook of this code already."), "taken")
        if not row.name and row.code not in PLAYBOOKS:
            found["name"] = error_of(_("This is needed."), "required")
        return found

    clean(playbook, skip=["code"], check=wrong)


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
    for tier in rules.tiers:
        if tier not in TIER_ORDER[scheme]:
            words = _("The tiers in force have no %(tier)s; there are: %(tiers)s.")
            problems.append(words % {"tier": tier, "tiers": ", ".join(TIER_ORDER[scheme])})
    unheard = [signal for signal in rules.signals if signal not in Alert.Signal.values]
    problems += [_("There is no signal %(signal)s.") % {"signal": signal} for signal in unheard]
    named = {step.script for step in rules.steps if step.script}
    known = set(Script.objects.filter(code__in=named).values_list("code", flat=True))
    problems += [_("There is no script %(code)s.") % {"code": code} for code in sorted(named - known)]
    if problems:
        raise ValidationError({"definition": [error_of(words, "unknown") for words in problems]})
    return rules


def switch(*, playbook: Playbook, member: Member, on: bool) -> Outcome:
    """Switch a playbook on, from now on, or off: nobody begins it any more, and runs under way go to their end."""
    with acting(member):
        lock(playbook)
        if playbook.is_on == on:
            return "unchanged"
        playbook.is_on = on
        if on:
            playbook.since = timezone.now()
        playbook.save(update_fields=["is_on", "since", "updated_at"])
        record("switched_on" if on else "switched_off", playbook, {"is_on": [not on, on]})
        return "updated"


# ── beginning ───────────────────────────────────────────────────────────────


def start(
    *,
    playbook: Playbook,
    customer: Customer,
    member: Member | None = None,
    alert: Alert | None = None,
    incident: Incident | None = None,
) -> PlaybookRun:
    """Begin a playbook for a customer; while one of it is open, that one comes back and nothing changes.

    Where another playbook or a journey speaks to the customer, it waits for it, or goes first (by priority). An alert
    that it is begun for counts as answered by the member; without one, the customer's open alert that the playbook is
    for is taken. Raises Refused in words for a playbook that is switched off and a closed customer.
    """
    with transaction.atomic():
        if member is None:
            return _start(playbook, customer, None, alert, incident)[0]
        with acting(member):
            return _start(playbook, customer, member, alert, incident)[0]


@dataclass(frozen=True)
class Started:
    """What beginning for many did: runs that are new, customers who had one already, and who stays, with the reason.

    `events` undo those that are new.
    """

    runs: list[PlaybookRun] = field(default_factory=list)
    events: list[int] = field(default_factory=list)
    there: list[PlaybookRun] = field(default_factory=list)
    stays: list[tuple[Customer, str]] = field(default_factory=list)


def start_many(*, playbook: Playbook, customers: Collection[int], member: Member) -> Started:
    """Begin a playbook by hand for the customers whom the member sees; whoever cannot stays, with the reason.

    Raises Refused for none, for more than MANY, and for a playbook that is switched off.
    """
    wanted = sorted(set(customers))
    if not wanted:
        raise Refused(_("Nothing is selected."), code="empty")
    if len(wanted) > MANY:
        raise Refused(_("At most %(count)d at once.") % {"count": MANY}, code="too_many")
    _check_on(playbook)
    done = Started()
    with acting(member):
        for customer in Customer.objects.visible_to(member).filter(pk__in=wanted).order_by("pk"):
            try:
                run, event = _start(playbook, customer, member, None, None)
            except Refused as refusal:
                done.stays.append((customer, " ".join(refusal.messages)))
                continue
            if event is None:
                done.there.append(run)
            else:
                done.runs.append(run)
                done.events.append(event)
    return done


def _start(
    playbook: Playbook, customer: Customer, member: Member | None, alert: Alert | None, incident: Incident | None
) -> tuple[PlaybookRun, int | None]:
    """The run, and the event of its start; None for one that was open already."""
    locked: Customer = Customer.objects.select_for_update(no_key=True).get(pk=customer.pk)
    rows = PlaybookRun.objects.filter(playbook=playbook, customer=locked)
    known: PlaybookRun | None = rows.filter(ended_at__isnull=True).first()
    if known is not None:
        return known, None
    _check_on(playbook)
    if locked.closed_on is not None:
        raise Refused(_("%(customer)s is closed.") % {"customer": locked.name}, code="closed")
    if member is not None and not member.can("follow-ups:write"):
        raise PermissionDenied(_("Your role does not work on follow-ups."))
    version, now = version_of(playbook), timezone.now()
    rules = version.rules
    if alert is not None and alert.customer_id != locked.pk:
        raise Refused(_("That alert is of another customer."), code="other_customer")
    alert = alert or _alert_for(locked, rules)
    run = PlaybookRun(
        playbook=playbook, version=version, customer=locked, alert=alert, member=member, started_at=now, base_at=now,
        incident_id=incident.pk if incident else None, stage=rules.steps[0].code, stage_at=now, next_at=now,
        looked_at=now, level=alert.level if alert else Alert.Level.MILD,
    )  # fmt: skip
    run.save(force_insert=True)
    # Whoever was held out is no longer one who went without.
    rows.filter(status=S.HELD, why="").update(why=W.STARTED, updated_at=now)
    answered: list[int] = []
    if member is not None and alert is not None and alert.closed_on is None:
        answered = alerts.act(alert=alert, member=member).events
    walking.walk([locked.pk], now, wait=True)
    run.refresh_from_db()
    # Last, so that whatever comes after it in the log has happened since (`undo`).
    said = {"status": [None, run.status], "alert": alert.pk if alert else None, "alert_events": answered}
    return run, record("started", run, said).pk


def _check_on(playbook: Playbook) -> None:
    if not playbook.is_on:
        raise Refused(_("“%(playbook)s” is switched off.") % {"playbook": playbook}, code="off")


def _alert_for(customer: Customer, rules: Definition) -> Alert | None:
    """The customer's open alert that a playbook is for, the heaviest first."""
    rows = Alert.objects.filter(customer=customer, signal__in=rules.signals, closed_on__isnull=True)
    return min(rows, key=lambda row: (-ALERT_LEVELS.index(row.level), row.pk), default=None)


_BEGINS: Final = """
SELECT a.id, a.customer_id, a.level, EXISTS (
    SELECT 1 FROM risk_playbookrun r WHERE r.tenant_id = %(tenant)s AND r.playbook_id = %(playbook)s
    AND r.customer_id = a.customer_id AND r.status = 'held' AND r.ended_at > %(recent)s AND r.why = '')
FROM risk_alert a
JOIN customers_customer c ON c.tenant_id = %(tenant)s AND c.id = a.customer_id AND c.closed_on IS NULL
LEFT JOIN segmentation_standing s ON s.tenant_id = %(tenant)s AND s.customer_id = a.customer_id
WHERE a.tenant_id = %(tenant)s AND a.closed_on IS NULL AND a.signal = ANY(%(signals)s) AND a.level = ANY(%(levels)s)
  AND a.opened_at >= %(since)s AND {among} AND (%(all_tiers)s OR s.tier = ANY(%(tiers)s))
  AND NOT EXISTS (SELECT 1 FROM risk_playbookrun r WHERE r.tenant_id = %(tenant)s AND r.playbook_id = %(playbook)s
                  AND r.customer_id = a.customer_id AND (r.ended_at IS NULL OR r.alert_id = a.id))
ORDER BY a.customer_id, a.opened_at, a.id
"""
"""Open alerts that a playbook is to begin with by itself, and has not; whether the customer was held out lately."""


def start_for_alerts(customers: Customers = None, *, now: dt.datetime | None = None) -> list[int]:
    """Begin every playbook that begins by itself for the open alerts that it is for; returns the customers of new runs.

    Safe to repeat: an alert begins a playbook once, and of a playbook a customer has one open run. Whoever is held out
    (rules.playbooks.is_held_out) gets a row that says so and nothing else; the alert's own answer stays. Call it in a
    tenant's scope; the runs are walked by `advance_due`.
    """
    ensure_playbooks()
    at = now or timezone.now()
    begun: set[int] = set()
    with events_last() as waiting:
        for playbook in Playbook.objects.filter(is_on=True).order_by("code"):
            version = version_of(playbook)
            if version.rules.automatic:
                begun.update(_begin_by_itself(playbook, version, customers, at, waiting))
    return sorted(begun)


def _begin_by_itself(
    playbook: Playbook, version: PlaybookVersion, customers: Customers, at: dt.datetime, waiting: list[Event]
) -> list[int]:
    rules, tenant = version.rules, current_tenant()
    levels = ALERT_LEVELS[ALERT_LEVELS.index(rules.least_level) :]
    with connection.cursor() as cursor:
        cursor.execute(
            _BEGINS.format(among=among(customers, "a.customer_id")),
            {
                "tenant": tenant.pk, "playbook": playbook.pk, "signals": list(rules.signals), "levels": list(levels),
                "since": playbook.since, "tiers": list(rules.tiers), "all_tiers": not rules.tiers,
                "recent": at - dt.timedelta(days=rules.measure_days),
            },
        )  # fmt: skip
        found = cursor.fetchall()
    rows: dict[int, PlaybookRun] = {}
    for alert, customer, level, held_lately in found:
        if customer in rows:  # two of its signals at once begin it once
            continue
        held = may_be_held_out(rules, level) and (
            held_lately or is_held_out(tenant.pk, playbook.code, customer, rules.holdout_percent)
        )
        rows[customer] = PlaybookRun(
            playbook=playbook, version=version, customer_id=customer, alert_id=alert, level=level, started_at=at,
            base_at=at, stage=rules.steps[0].code, stage_at=at, looked_at=at,
            status=S.HELD if held else S.WAITING, next_at=None if held else at, ended_at=at if held else None,
        )  # fmt: skip
    there = set(rows)
    PlaybookRun.objects.bulk_create(rows.values(), ignore_conflicts=True, batch_size=2_000)
    made = PlaybookRun.objects.filter(playbook=playbook, alert__in=[row.alert_id for row in rows.values()])
    begun = []
    for run in made.filter(customer__in=there, started_at=at, member__isnull=True).order_by("customer_id"):
        waiting.append(
            Event(
                verb="held_out" if run.status == S.HELD else "started", object_type="playbookrun", object_id=run.pk,
                customer_id=run.customer_id, changes={"status": [None, run.status], "alert": run.alert_id},
            )
        )  # fmt: skip
        if run.status != S.HELD:
            begun.append(run.customer_id)
    return begun


# ── every night, and between two nights ─────────────────────────────────────


def work(piece: Piece) -> Counts:
    """Begin playbooks for the alerts of the part, and bring runs up to the night; safe to repeat."""
    at = current_tenant().start_of(piece.as_of)
    part = None if piece.part.is_everybody else piece.part
    begun = start_for_alerts(part, now=at)
    return {"begun": len(begun), "walked": walking.walk(walking.due(at, ALL, part), at)}


NIGHT: Final = NightStep(work)


def advance_due(now: dt.datetime, most: int = WALKED_AT_ONCE) -> int:
    """Begin what alerts begin and bring the runs that are due up to `now`, in the open scope; returns how many customers."""
    begun = start_for_alerts(now=now)
    waiting = [*begun, *(each for each in walking.due(now, most) if each not in set(begun))]
    return walking.walk(waiting[:most], now)


def look_at(tenant: Tenant) -> int:
    """Look at a firm's runs until nothing is due; returns how many customers were walked. One that fails is logged."""
    walked = 0
    try:
        for _round in range(ROUNDS):
            with tenant_scope(tenant):
                found = advance_due(timezone.now())
            walked += found
            if found < WALKED_AT_ONCE:
                break
    except Exception:
        log.exception("playbooks of %s failed", tenant.slug)
    return walked


# ── what people do with a run ───────────────────────────────────────────────


@dataclass(frozen=True)
class Change:
    """What a verb did: the run as it stands, and the event that undoes it; None where nothing was written."""

    run: PlaybookRun
    event: int | None = None


def say(*, run: PlaybookRun, code: str, outcome: str, member: Member, note: str = "") -> Change:
    """Say what came of a step: reached, not_reached, done, saved or lost. Its follow-up is closed with it.

    Of a step that has been done already, and that asks for an answer, saved or lost is the answer and the others leave it
    open no longer. Saying the same again changes nothing. Raises Refused for a step that is not under way, for a run
    that has ended, and for an outcome that a step inside the firm cannot have.
    """
    if outcome not in {"reached", "not_reached", "done", "saved", "lost"}:
        raise ValueError(f"no outcome {outcome!r}")
    with acting(member):
        row, step, rule = _lock_step(run, code, member)
        if step.status == T.DONE and step.outcome == outcome:
            return Change(row)
        if step.status not in {T.RAISED, T.ASKS}:
            raise Refused(_("This step is not under way."), code="not_under_way")
        if rule.inside and outcome in {"reached", "not_reached"}:
            raise Refused(_("This step is done inside the firm; nobody is reached by it."), code="inside")
        before = _snapshot(row)
        closed = _close_follow_up(step, rule, outcome, note, member)
        now = timezone.now()
        step.outcome, step.why, step.status = outcome, "", T.DONE
        step.done_at, step.said_by = step.done_at or now, member
        step.save(update_fields=["outcome", "why", "status", "done_at", "said_by"])
        return _go_on(row, "said", before, now, step=code, outcome=outcome, follow_up_events=closed)


def skip(*, run: PlaybookRun, code: str, member: Member) -> Change:
    """Leave a step out: its follow-up is withdrawn, and the run goes on. Raises Refused as `say` does."""
    with acting(member):
        row, step, _rule = _lock_step(run, code, member)
        if step.status == T.DONE and step.outcome == PlaybookStep.Outcome.SKIPPED:
            return Change(row)
        if step.status == T.DONE:
            raise Refused(_("This step is done already."), code="not_under_way")
        before, now = _snapshot(row), timezone.now()
        withdraw([step])
        step.status, step.outcome, step.why = T.DONE, PlaybookStep.Outcome.SKIPPED, ""
        step.done_at, step.said_by = now, member
        step.save(update_fields=["status", "outcome", "why", "done_at", "said_by"])
        return _go_on(row, "skipped", before, now, step=code)


def stop(*, run: PlaybookRun, member: Member, outcome: str = "") -> Change:
    """End a run by hand: with an outcome (saved, lost, no_answer) it is finished, without one stopped.

    What nobody has done is withdrawn; stopped, the signal's own follow-up comes back while its alert is open. Again
    changes nothing.
    """
    if outcome not in PlaybookRun.Outcome.values:
        raise ValueError(f"no outcome {outcome!r}")
    with acting(member):
        row = _lock_run(run, member)
        if row.ended_at is not None:
            return Change(row)
        before = _snapshot(row)
        steps = list(row.steps.select_related("follow_up"))
        status = S.FINISHED if outcome else S.STOPPED
        walking.end(row, steps, status, W.BY_HAND, cast(Ending, outcome), timezone.now())
        event = record(
            "stopped", row, {"status": [before["run"]["status"], row.status], "outcome": ["", outcome], "back": before}
        )
        _let_others_go_on(row.customer_id)
        return Change(row, event.pk)


def hand_over(*, run: PlaybookRun, to: Member, member: Member) -> Change:
    """Give a run to somebody who sees the customer: the A owner's steps, open and to come, are theirs.

    Who may assign, to anybody; others to the customer's A or B owner. Raises Refused otherwise, and for a run that has
    ended.
    """
    with acting(member):
        row = _lock_run(run, member)
        _check_open(row)
        customer = row.customer
        values = {"who": to, "customer": customer.name}
        if not to.is_active or not to.can("follow-ups:write"):
            raise Refused(_("%(who)s does not work on follow-ups.") % values, code="not_a_worker")
        if not member.can("follow-ups:assign") and to.pk not in {customer.owner_a_id, customer.owner_b_id}:
            words = _("You can give it to the customer's A or B owner; your lead can give it to others.")
            raise Refused(words, code="not_an_owner")
        if not Customer.objects.visible_to(to).filter(pk=customer.pk).exists():
            raise Refused(_("%(who)s is neither owner of %(customer)s nor covers it.") % values, code="unseen")
        if row.owner_id == to.pk:
            return Change(row)
        before = _snapshot(row)
        row.owner = to
        row.save(update_fields=["owner", "updated_at"])
        owners = {step.code for step in row.version.rules.steps if step.duty == "owner"}
        moved: list[int] = []
        for step in row.steps.filter(status=T.RAISED, code__in=owners).select_related("follow_up"):
            known = step.follow_up
            if known is not None and known.status == FollowUp.Status.OPEN and known.assignee_id != to.pk:
                moved += follow_up_services.reassign(follow_up=known, member=member, assignee=to).events
        event = record(
            "handed_over", row,
            {"owner": [before["run"]["owner_id"], to.pk], "back": before, "follow_up_events": moved},
        )  # fmt: skip
        if to.pk != member.pk:
            notify(
                members=[to], kind=HANDED.code, key=f"playbook:{row.pk}:handed:{event.pk}",
                params={"who": str(member), "customer": customer.name, "code": row.playbook.code,
                        "name": row.playbook.name},
                url=f"playbooks/runs/{row.pk}/",
            )  # fmt: skip
        return Change(row, event.pk)


def undo(*, event: int, member: Member) -> Change:
    """Take back what a person did with a run: its start, a word about a step, a skip, an end, a hand-over.

    Only who did it, or who may assign. Twice changes nothing. Raises Refused where something has happened to the run
    since: then nothing is taken back.
    """
    with acting(member):
        found: Event | None = Event.objects.filter(pk=event, object_type="playbookrun").first()
        if found is None or found.verb not in UNDOABLE:
            raise Refused(_("There is nothing to undo."), code="unknown")
        row = _lock_run(PlaybookRun.objects.get(pk=found.object_id), member)
        if found.actor_id != member.pk and not member.can("follow-ups:assign"):
            raise Refused(_("Only who did it can undo it."), code="not_yours")
        later = Event.objects.filter(object_type="playbookrun", object_id=row.pk, pk__gt=found.pk)
        if later.filter(verb="undone", changes__event=found.pk).exists():
            return Change(row)
        taken_back = set(later.filter(verb="undone").values_list("changes__event", flat=True))
        since = [each for each in later.exclude(verb="undone") if each.pk not in taken_back]
        others = PlaybookRun.objects.filter(playbook=row.playbook_id, customer=row.customer_id, ended_at__isnull=True)
        if since or _somebody_worked(row, found) or others.exclude(pk=row.pk).exists():
            raise Refused(_("The run has gone on since; it cannot be undone."), code="changed")
        if found.verb == "started":
            _undo_start(row, found, member)
        else:
            cases.withdraw(playbook_run=row)
            _restore(row, found.changes["back"])
            if moved := found.changes.get("follow_up_events"):
                follow_up_services.undo(events=moved, member=member)
            walking.walk([row.customer_id], timezone.now(), wait=True)
        done = record("undone", row, {"event": found.pk})
        row.refresh_from_db()
        return Change(row, done.pk)


def undo_last(*, run: PlaybookRun, member: Member) -> Change:
    """Take back the last thing that somebody did with a run. Raises Refused as `undo` does, and where there is nothing."""
    last = Event.objects.filter(object_type="playbookrun", object_id=run.pk).order_by("-pk").first()
    if last is None or last.verb not in UNDOABLE:
        raise Refused(_("There is nothing to undo."), code="unknown")
    return undo(event=last.pk, member=member)


def are_starts(events: Collection[int]) -> bool:
    """Whether these events are of runs of playbooks."""
    kinds = set(Event.objects.filter(pk__in=events).values_list("object_type", flat=True))
    return kinds == {"playbookrun"}


def undo_starts(*, events: Collection[int], member: Member) -> list[Change | Refused]:
    """Take back the starts of several runs, each as `undo` does; one that is refused leaves the others as they come."""
    done: list[Change | Refused] = []
    with acting(member):
        for event in sorted(set(events)):
            try:
                with transaction.atomic():
                    done.append(undo(event=event, member=member))
            except Refused as refusal:
                done.append(refusal)
    return done


UNDOABLE: Final = frozenset({"started", "said", "skipped", "stopped", "handed_over"})


# ── what the verbs share ────────────────────────────────────────────────────

_RUN_FIELDS: Final = (
    "status", "why", "outcome", "stage", "stage_at", "base_at", "waits_since", "next_at", "ended_at", "owner_id",
)  # fmt: skip
_STEP_FIELDS: Final = (
    "status", "outcome", "why", "begins_at", "due_at", "raised_at", "done_at", "follow_up_id", "message_id",
    "said_by_id",
)  # fmt: skip


def _kept(value: Any) -> Any:
    return value.isoformat() if isinstance(value, dt.datetime) else value


def _back(name: str, value: Any) -> Any:
    return parse_datetime(value) if value is not None and name.endswith(("_at", "_since")) else value


def _snapshot(run: PlaybookRun) -> dict[str, Any]:
    """The run and its steps as they stand, as JSON: what `undo` goes back to."""
    return {
        "run": {name: _kept(getattr(run, name)) for name in _RUN_FIELDS},
        "steps": {
            row.code: {name: _kept(getattr(row, name)) for name in _STEP_FIELDS} for row in run.steps.order_by("pk")
        },
    }


def _restore(run: PlaybookRun, before: Mapping[str, Any]) -> None:
    """Put the run and its steps back; what was under way is taken up by the next walk, at once."""
    steps = list(run.steps.select_related("follow_up", "message"))
    gone = [row for row in steps if row.code not in before["steps"]]
    withdraw(gone)
    for row in gone:
        row.delete()
    for row in steps:
        if said := before["steps"].get(row.code):
            for name in _STEP_FIELDS:
                setattr(row, name, _back(name, said[name]))
            row.save()
    for name in _RUN_FIELDS:
        setattr(run, name, _back(name, before["run"][name]))
    if run.status == S.ACTIVE:  # the place may be taken meanwhile: it asks for it like any other
        run.status, run.why, run.next_at = S.WAITING, W.NONE, timezone.now()
    run.save()


def _undo_start(run: PlaybookRun, event: Event, member: Member) -> None:
    steps = list(run.steps.select_related("follow_up"))
    walking.end(run, steps, S.STOPPED, W.UNDONE, "", timezone.now())
    if answered := event.changes.get("alert_events"):
        alerts.undo(events=answered, member=member)
    _let_others_go_on(run.customer_id)


def _somebody_worked(run: PlaybookRun, event: Event) -> bool:
    """Whether a follow-up of the run was done since an event, or a message went out."""
    rules = {walking.rule_of(run.playbook.code, step.code) for step in run.version.rules.steps}
    done = FollowUp.objects.filter(customer=run.customer_id, rule__in=rules, period=walking.period_of(run))
    sent = run.steps.filter(message__sent_at__gt=event.at)
    return done.filter(status=FollowUp.Status.DONE, closed_at__gt=event.at).exists() or sent.exists()


def _lock_run(run: PlaybookRun, member: Member) -> PlaybookRun:
    """The run, with its customer locked. Raises PermissionDenied for who may not work on follow-ups."""
    if not member.can("follow-ups:write"):
        raise PermissionDenied(_("Your role does not work on follow-ups."))
    Customer.objects.select_for_update(no_key=True).get(pk=run.customer_id)
    found: PlaybookRun = PlaybookRun.objects.select_related("playbook", "version", "customer", "alert").get(pk=run.pk)
    return found


def _check_open(run: PlaybookRun) -> None:
    if run.ended_at is not None:
        raise Refused(_("This run has ended."), code="ended")


def _lock_step(run: PlaybookRun, code: str, member: Member) -> tuple[PlaybookRun, PlaybookStep, Step]:
    row = _lock_run(run, member)
    _check_open(row)
    step = row.steps.select_related("follow_up__interaction", "message").filter(code=code).first()
    rule = next((each for each in row.version.rules.steps if each.code == code), None)
    if step is None or rule is None:
        raise Refused(_("This step is not under way."), code="not_under_way")
    if step.status == T.RAISED and row.status == S.ACTIVE:
        walking.read_follow_up(step, rule, timezone.now())  # somebody may have closed it a moment ago
    return row, step, rule


def _close_follow_up(step: PlaybookStep, rule: Step, outcome: str, note: str, member: Member) -> list[int]:
    """Close the step's open follow-up with what came of it; returns the events that undo it."""
    known = step.follow_up
    if known is None or known.status != FollowUp.Status.OPEN:
        return []
    if rule.inside:
        return follow_up_services.complete(follow_up=known, member=member).events
    answered = {"reached": True, "saved": True, "not_reached": False}.get(outcome)
    return follow_up_services.log_contact(
        follow_up=known, member=member, channel=known.channel, answered=answered, note=note
    ).events


def _go_on(run: PlaybookRun, verb: str, before: Mapping[str, Any], now: dt.datetime, **said: Any) -> Change:
    """Walk the run at once, and write down what was done with what undoes it."""
    walking.walk([run.customer_id], now, wait=True)
    run.refresh_from_db()
    # Last, so that whatever comes after it in the log has happened since (`undo`).
    return Change(run, record(verb, run, {**said, "back": before}).pk)


def _let_others_go_on(customer: int) -> None:
    walking.walk([customer], timezone.now(), wait=True)


# ── reading ─────────────────────────────────────────────────────────────────


def playbooks_to_start(customer: Customer | None = None, alert: Alert | None = None) -> list[tuple[Playbook, bool]]:
    """The playbooks that may be begun by hand, those that fit the customer's open alerts first; whether each fits."""
    ensure_playbooks()
    rows = list(Playbook.objects.filter(is_on=True))
    versions = versions_of(rows)
    signals: set[str] = set()
    if alert is not None:
        signals = {alert.signal}
    elif customer is not None:
        signals = set(Alert.objects.filter(customer=customer, closed_on__isnull=True).values_list("signal", flat=True))
    found = [(row, bool(signals & set(versions[row.pk].rules.signals))) for row in rows]
    return sorted(found, key=lambda pair: (not pair[1], versions[pair[0].pk].rules.priority, pair[0].code))


def runs_of(*, customer: Customer | None = None, alert: Alert | None = None, incident: int | None = None) -> Any:
    """The runs of a customer, an alert or a crisis, the open ones first; held-out ones are left out."""
    rows = PlaybookRun.objects.exclude(status=S.HELD)
    if customer is not None:
        rows = rows.filter(customer=customer)
    if alert is not None:
        rows = rows.filter(alert=alert)
    if incident is not None:
        rows = rows.filter(incident_id=incident)
    related = rows.select_related("playbook", "version", "customer", "alert", "owner__user", "member__user")
    return related.order_by("-ended_at", "-started_at", "-pk")


def open_steps(runs: Sequence[PlaybookRun]) -> dict[int, list[PlaybookStep]]:
    """Run id → its steps in the order in which they came."""
    found: dict[int, list[PlaybookStep]] = {run.pk: [] for run in runs}
    if not found:  # as on most customers' pages
        return found
    related = ("follow_up__assignee__user", "message", "said_by__user")
    for row in PlaybookStep.objects.filter(run__in=runs).select_related(*related).order_by("pk"):
        found[row.run_id].append(row)
    return found
