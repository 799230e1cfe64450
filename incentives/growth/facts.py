"""The facts of a certification: what is written down about somebody's work in a quarter, by dimension.

Facts of days before today count, so that a page shows on the same day what the reviewer's score rests on. What the KPIs
count is taken from them, and is frozen with its quarter.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

from django.db.models import Count, F, Q

from followups.models import Problem, QualityReview
from incentives.kpis.figures import Who, values
from incentives.models import Training
from incentives.rules.growth import Dimension, Part
from incentives.rules.kpis import Period
from risk.models import Case, IncidentStep, PlaybookStep
from tenants.context import current_tenant
from tenants.models import Member

KNOWLEDGE_PROBLEMS: Final = (Problem.NEED, Problem.WRONG, Problem.LOG)
TALK_PROBLEMS: Final = (Problem.TONE, Problem.SLOW, Problem.PESTER, Problem.PROMISE)
"""What a reviewer of a contact found wrong: of what somebody knows, and of how they talked."""

Facts = Mapping[Dimension, Sequence[Part]]


def facts_of(person: Member, quarter: Period) -> Facts:
    """By dimension the facts about a person in a quarter; only kinds of which there are any."""
    until = quarter.until(current_tenant().today())
    reviewed, knowing, talking = _reviews(person, quarter)
    content, solved = values(["csat", "first_time"], period=quarter, of=Who.person(person))
    saved, cases = _cases(person, quarter, until)
    trained, trainings = _trainings(person, quarter, until)
    found: dict[Dimension, list[Part]] = {
        "knowledge": [_part("reviews_known", knowing, reviewed), _part("trainings", trained, trainings)],
        "communication": [
            _part("reviews_talk", talking, reviewed),
            Part("csat", content.numerator, content.denominator),
        ],
        "problems": [Part("first_time", solved.numerator, solved.denominator), _part("cases", saved, cases)],
        "coordination": [
            _part("playbook_steps", *_playbook_steps(person, quarter, until)),
            _part("crisis_steps", *_crisis_steps(person, quarter, until)),
        ],
    }
    return {dimension: [part for part in parts if part.count > 0] for dimension, parts in found.items()}


def _part(code: str, good: int, count: int) -> Part:
    return Part(code, Decimal(good), Decimal(count))


def _reviews(person: Member, quarter: Period) -> tuple[int, int, int]:
    """Reviewed contacts of the quarter's months, those without a problem of knowledge, and those without one of talk."""
    rows = QualityReview.objects.filter(
        member=person, month__gte=quarter.start, month__lt=quarter.end, reviewed_at__isnull=False
    )
    found = rows.aggregate(
        reviewed=Count("pk"),
        unknown=Count("pk", filter=Q(problem_kind__in=KNOWLEDGE_PROBLEMS)),
        badly=Count("pk", filter=Q(problem_kind__in=TALK_PROBLEMS)),
    )
    return found["reviewed"], found["reviewed"] - found["unknown"], found["reviewed"] - found["badly"]


def _trainings(person: Member, quarter: Period, until: dt.date) -> tuple[int, int]:
    """Trainings that were to be done in the quarter: those done by their day and approved, and all."""
    rows = Training.objects.filter(member=person, due_on__gte=quarter.start, due_on__lt=until)
    found = rows.exclude(state=Training.State.ENDED).aggregate(
        count=Count("pk"), good=Count("pk", filter=Q(state=Training.State.APPROVED, ready_on__lte=F("due_on")))
    )
    return found["good"], found["count"]


def _cases(person: Member, quarter: Period, until: dt.date) -> tuple[int, int]:
    """What the person ended of alerts, crises and playbooks: customers saved, and those saved or lost."""
    rows = Case.objects.filter(closed_by=person, closed_on__gte=quarter.start, closed_on__lt=until)
    found = rows.exclude(outcome=Case.Outcome.FALSE_ALARM).aggregate(
        count=Count("pk"), good=Count("pk", filter=Q(outcome=Case.Outcome.SAVED))
    )
    return found["good"], found["count"]


def _playbook_steps(person: Member, quarter: Period, until: dt.date) -> tuple[int, int]:
    """Steps of playbooks in the person's hands: those done by their moment, and those that were due."""
    tenant = current_tenant()
    nobodys = (PlaybookStep.Outcome.SKIPPED, PlaybookStep.Outcome.LEFT_OUT, PlaybookStep.Outcome.WITHDRAWN)
    rows = PlaybookStep.objects.filter(
        follow_up__assignee=person, due_at__gte=tenant.start_of(quarter.start), due_at__lt=tenant.start_of(until)
    )
    found = rows.exclude(outcome__in=nobodys).aggregate(
        count=Count("pk"), good=Count("pk", filter=Q(done_at__lte=F("due_at")))
    )
    return found["good"], found["count"]


def _crisis_steps(person: Member, quarter: Period, until: dt.date) -> tuple[int, int]:
    """Steps of real crises in the person's hands: those done by their moment, and those that were due."""
    tenant = current_tenant()
    rows = IncidentStep.objects.filter(
        owner=person, incident__is_drill=False,
        due_at__gte=tenant.start_of(quarter.start), due_at__lt=tenant.start_of(until),
    )  # fmt: skip
    found = rows.exclude(status=IncidentStep.Status.LEFT_OUT).aggregate(
        count=Count("pk"), good=Count("pk", filter=Q(done_at__lte=F("due_at")))
    )
    return found["good"], found["count"]
