"""Verbs of the case library: what ends is kept, found again, and learned from.

A case is written in the transaction that closes an alert, a crisis or a playbook's run; it is found by any part of a
Chinese name or text and by the beginning of any other word (customers/rules/search.py), in every language of the house.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any, Final

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Case as Choose
from django.db.models import Count, Exists, IntegerField, OuterRef, Q, QuerySet, Value, When
from django.utils import timezone, translation
from django.utils.translation import gettext

from customers.models import Customer
from customers.rules.search import terms, words
from customers.services.rows import Outcome, change, lock
from risk.models import Alert, Case, CaseTerm, Incident
from risk.models.playbooks import PlaybookRun
from risk.rules import cases as rules
from risk.rules.causes import CAUSES, TRIED, class_of, tried_codes
from tenants.context import current_tenant
from tenants.events import acting_member, record
from tenants.models import Member

KEPT: Final = frozenset(Case.Outcome.values)
"""Outcomes that teach something; what passed by itself does not."""

MOST_TERMS: Final = 2_000
"""Terms of one case: who writes a book into a case is found by its beginning."""

SIMILAR: Final = 5


# ── keeping ──────────────────────────────────────────────────────────────────


@transaction.atomic
def keep(
    *, alert: Alert | None = None, incident: Incident | None = None, playbook_run: PlaybookRun | None = None
) -> Case | None:
    """The case of what has just been closed: made, or brought up to date when it is closed again.

    Exactly one must be given, closed and with its outcome; call it in the transaction that closes. None for what
    teaches nothing: a drill, what passed by itself, a run without an end that says saved or lost. A crisis that grew
    out of an alert, and a playbook that ran for one, share the alert's case. Raises ValueError for anything but one.
    """
    given: list[Any] = [each for each in (alert, incident, playbook_run) if each is not None]
    if len(given) != 1:
        raise ValueError("A case is of one thing that ended")
    if alert is not None:
        return _keep_alert(alert)
    if incident is not None:
        return _keep_incident(incident)
    return _keep_run(given[0])


@transaction.atomic
def withdraw(
    *, alert: Alert | None = None, incident: Incident | None = None, playbook_run: PlaybookRun | None = None
) -> int:
    """Take the case of what is opened again out of the library; how many there were. Its lessons go into the event.

    Of a run only a case of its own goes, not that of the alert or crisis that it ran for. Raises ValueError for
    anything but one.
    """
    if sum(each is not None for each in (alert, incident, playbook_run)) != 1:
        raise ValueError("A case is of one thing that ended")
    if playbook_run is not None:
        which = Q(playbook_run=playbook_run, alert__isnull=True, incident__isnull=True)
    else:
        which = Q(alert=alert) if alert is not None else Q(incident=incident)
    rows = list(Case.objects.filter(which))
    for row in rows:
        record("withdrawn", row, {"outcome": [row.outcome, ""], "lessons": [row.lessons, ""]})
        row.delete()
    return len(rows)


def _keep_alert(alert: Alert) -> Case | None:
    if alert.closed_on is None or alert.outcome not in KEPT:
        return None
    return _put(
        Q(alert=alert),
        customer=alert.customer,
        alert=alert,
        signal=alert.signal,
        level=alert.level,
        risk_class=class_of(alert.cause, alert.risk_class),
        cause=alert.cause,
        outcome=alert.outcome,
        tried=tried_codes(alert.tried or []),
        facts=alert.facts,
        text=alert.note,
        money=alert.money,
        opened_on=alert.opened_on,
        closed_on=alert.closed_on,
        closed_by=alert.closed_by,
    )


def _keep_incident(incident: Incident) -> Case | None:
    if incident.is_drill or incident.closed_at is None or incident.outcome not in KEPT:
        return None
    tenant, alert = current_tenant(), incident.alert
    fields: dict[str, Any] = {
        "customer": incident.customer,
        "incident": incident,
        "signal": alert.signal if alert else "",
        "level": incident.bars,
        "risk_class": class_of(incident.cause, alert.risk_class if alert else Alert.RiskClass.RELATIONSHIP),
        "cause": incident.cause,
        "outcome": incident.outcome,
        "tried": tried_codes(incident.tried or []),
        "facts": {"title": incident.title, "number": incident.number},
        "text": "\n".join(text for text in (incident.title, incident.what, incident.note) if text),
        "money": alert.money if alert else None,
        "opened_on": tenant.local_date(incident.opened_at),
        "closed_on": tenant.local_date(incident.closed_at),
        "closed_by": incident.closed_by,
    }
    if alert is not None and Case.objects.filter(alert=alert).exists():
        return _put(Q(alert=alert), **fields)
    return _put(Q(incident=incident), **fields)


def _keep_run(run: PlaybookRun) -> Case | None:
    # The alert or crisis that it ran for has, or will have, the case.
    if run.alert_id is not None:
        return Case.objects.filter(alert_id=run.alert_id).first()
    if run.incident_id is not None:
        return Case.objects.filter(incident_id=run.incident_id).first()
    if run.outcome not in {Case.Outcome.SAVED, Case.Outcome.LOST} or run.ended_at is None:
        return None
    tenant = current_tenant()
    return _put(
        Q(playbook_run=run),
        customer=run.customer,
        playbook_run=run,
        risk_class=Alert.RiskClass.RELATIONSHIP,
        cause="",
        outcome=run.outcome,
        tried=[],
        facts={"playbook": run.playbook_id},
        opened_on=tenant.local_date(run.started_at),
        closed_on=tenant.local_date(run.ended_at),
        closed_by=acting_member.get(),
    )


def _put(which: Q, **fields: Any) -> Case:
    """The case that `which` finds, with these fields; made where there is none."""
    found = Case.objects.select_for_update(of=("self",), no_key=True).filter(which).first()
    if found is None:
        try:
            with transaction.atomic():
                made: Case = Case.objects.create(industry=fields["customer"].industry, **fields)
        except IntegrityError:
            found = Case.objects.select_for_update(of=("self",), no_key=True).filter(which).first()
            if found is None:
                raise
        else:
            record("kept", made, {"outcome": ["", made.outcome], "cause": ["", made.cause]})
            _note_terms(made)
            return made
    if change(found, fields) != "unchanged":
        _note_terms(found)
    return found


@transaction.atomic
def learn(*, case: Case, lessons: str, cause: str, tried: Iterable[str], text: str) -> Outcome:
    """Write down what is learned, and put cause and what was tried right.

    Raises ValidationError by field for what is too long. What is unknown of `tried` falls away; an unknown cause
    raises LookupError, since forms and API offer the known ones.
    """
    if cause and cause not in CAUSES:
        raise LookupError(cause)
    lock(case)
    fields = {
        "lessons": lessons.strip(),
        "cause": cause,
        "risk_class": class_of(cause, case.risk_class),
        "tried": tried_codes(list(tried)),
        "text": text.strip(),
    }
    outcome = change(case, fields, verb="learned")
    if outcome != "unchanged":
        _note_terms(case)
    return outcome


def note_won_back(returned: dict[int, dt.date]) -> int:
    """Mark lost cases of customers that ordered again: customer → first day; how many cases were marked.

    A case counts as won back when the order came after it was closed.
    """
    rows = Case.objects.filter(customer_id__in=list(returned), outcome=Case.Outcome.LOST, won_back_on__isnull=True)
    back = [row for row in rows if returned[row.customer_id] >= row.closed_on]
    now = timezone.now()
    for row in back:
        row.won_back_on, row.updated_at = returned[row.customer_id], now
    Case.objects.bulk_update(back, ["won_back_on", "updated_at"])
    for row in back:
        record("won_back", row, {"won_back_on": [None, str(row.won_back_on)]})
    return len(back)


# ── finding ──────────────────────────────────────────────────────────────────


def found_by(rows: QuerySet[Case], text: str) -> QuerySet[Case]:
    """Those of the cases in whose customer, words, cause, signal or lessons every word of the text occurs.

    Nothing typed: all. What cannot be in any text: none.
    """
    if not text.strip():
        return rows
    asked = words(text)
    if not asked or not all(word.beginnings for word in asked):
        return rows.none()
    for word in asked:
        for beginning in word.beginnings:
            rows = rows.filter(Exists(CaseTerm.objects.filter(case_id=OuterRef("pk"), term__begins=beginning)))
    return rows


def similar(
    subject: Alert | Incident | Customer, *, member: Member | None = None, cause: str = "", limit: int = SIMILAR
) -> list[Case]:
    """Kept cases that are like what is open, the most alike first, then the newest; each with `likeness`, in points.

    `member` is who looks (whoever is at work, where it is not said): only cases of customers that they see. The
    subject's own case is left out.
    """
    member = member or acting_member.get()
    if member is None:
        return []
    customer = subject if isinstance(subject, Customer) else subject.customer
    points: list[Any] = [
        _points(Q(customer=customer), rules.SAME_CUSTOMER),
        _points(Q(industry=customer.industry), rules.SAME_INDUSTRY) if customer.industry else Value(0),
    ]
    own = Q()
    cause = cause or getattr(subject, "cause", "")
    if cause:
        points.append(_points(Q(cause=cause), rules.SAME_CAUSE))
    if isinstance(subject, Alert):
        own = Q(alert=subject)
        points += [
            _points(Q(signal=subject.signal), rules.SAME_SIGNAL),
            _points(Q(risk_class=subject.risk_class), rules.SAME_CLASS),
            _points(Q(level=subject.level), rules.SAME_LEVEL),
        ]
    elif isinstance(subject, Incident):
        own = Q(incident=subject) | (Q(alert=subject.alert_id) if subject.alert_id else Q())
        points += [
            _points(Q(incident__kind=subject.kind), rules.SAME_SIGNAL),
            _points(Q(level=subject.bars), rules.SAME_LEVEL),
        ]
    rows = Case.objects.visible_to(member).exclude(outcome=Case.Outcome.FALSE_ALARM)
    if own:
        rows = rows.exclude(pk__in=Case.objects.filter(own).values("pk"))
    likeness = points[0]
    for each in points[1:]:
        likeness = likeness + each
    ranked = rows.annotate(likeness=likeness).filter(likeness__gte=rules.LEAST_ALIKE)
    return list(ranked.select_related("customer").order_by("-likeness", "-closed_on", "-pk")[:limit])


def _points(condition: Q, points: int) -> Choose:
    return Choose(When(condition, then=Value(points)), default=Value(0), output_field=IntegerField())


def statements(rows: QuerySet[Case]) -> list[rules.Statement]:
    """What these cases say, cause by cause: counted by the database, one row for each kind of case."""
    counted = (
        rows.order_by()
        .exclude(outcome=Case.Outcome.FALSE_ALARM)
        .annotate(is_back=Choose(When(won_back_on__isnull=False, then=Value(1)), default=Value(0)))
        .values("cause", "risk_class", "outcome", "is_back", "tried")
        .annotate(number=Count("pk"))
    )
    return rules.statements(
        rules.Group(
            cause=row["cause"],
            risk_class=row["risk_class"],
            end="won_back" if row["outcome"] == Case.Outcome.LOST and row["is_back"] else row["outcome"],
            tried=tuple(row["tried"]),
            count=row["number"],
        )
        for row in counted
    )


# ── terms ────────────────────────────────────────────────────────────────────


def _note_terms(case: Case) -> None:
    """Let the case be found by its words, and by no others."""
    wanted = sorted(_terms_of(case))[:MOST_TERMS]
    known = set(CaseTerm.objects.filter(case=case).values_list("term", flat=True))
    CaseTerm.objects.filter(case=case, term__in=known - set(wanted)).delete()
    CaseTerm.objects.bulk_create(
        [CaseTerm(term=term, case=case) for term in wanted if term not in known], ignore_conflicts=True
    )


def _terms_of(case: Case) -> set[str]:
    said = [case.customer.name, case.industry, case.text, case.lessons]
    for language, _name in settings.LANGUAGES:
        with translation.override(language):
            said.append(cause_title(case.cause))
            said += [gettext(TRIED[code]) for code in case.tried if code in TRIED]
            said += [str(case.get_outcome_display()), str(case.get_risk_class_display())]
            said.append(signal_title(case.signal))
    return set().union(*(terms(text) for text in said if text))


def cause_title(cause: str) -> str:
    """A cause in the reader's language; a code that is not known as it stands, nothing for none."""
    found = CAUSES.get(cause)
    return gettext(found.title) if found else cause


def tried_title(code: str) -> str:
    """What was tried in the reader's language; a code that is not known as it stands."""
    return gettext(TRIED[code]) if code in TRIED else code


def signal_title(signal: str) -> str:
    """A signal in the reader's language; one that no longer exists as it stands, nothing for none."""
    return str(Alert.Signal(signal).label) if signal in Alert.Signal.values else signal
