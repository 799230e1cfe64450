"""Writing and reading: the month's sample of logged contacts, what reviewers found, mystery visits, results per person."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, TypedDict, Unpack

import polars as pl
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Avg, Count, F, Q
from django.utils import timezone
from django.utils.translation import gettext as _

from customers.models import Interaction, TouchKind
from customers.services.rows import Outcome, clean, error_of, lock
from followups.models import MysteryVisit, Problem, QualityReview, QualitySample, Survey
from followups.rules.quality import draw
from followups.rules.survey_policy import SurveyPolicy
from tenants.context import current_tenant
from tenants.events import acting, changes_of, record
from tenants.frames import insert_frame, read_frame
from tenants.models import Member
from tenants.permissions import SEES_ALL, Role
from tenants.policies import active_policy

TEXT_LENGTH: Final = 2000


class Findings(TypedDict, total=False):
    """What a reviewer found: with a problem its kind, cause and measure are said as well."""

    score: int | None
    problem_kind: str
    problem: str
    cause: str
    measure: str
    measure_due_on: dt.date | None
    measure_done_on: dt.date | None


class VisitFields(Findings, total=False):
    """A mystery visit: when and where, whom they met, what was asked for, what was found."""

    on: dt.date
    channel: str
    place: str
    member: Member | None
    visitor: Member
    scene: str


# ── the sample ──────────────────────────────────────────────────────────────


def draw_month(as_of: dt.date) -> int:
    """Draw the sample of the month before `as_of`, unless it has been drawn; returns how many contacts are in it.

    The policy's `quality_percent` of what each person has logged in that month, automatic messages apart. Once drawn a
    month stays as it is, whatever is logged late.
    """
    tenant = current_tenant()
    end = as_of.replace(day=1)
    start = (end - dt.timedelta(days=1)).replace(day=1)
    if QualitySample.objects.filter(month=start).exists():
        return 0
    logged = read_frame(
        """
        SELECT id, member_id, customer_id FROM customers_interaction
        WHERE tenant_id = %s AND at >= %s AND at < %s AND member_id IS NOT NULL AND kind <> %s
        """,
        [tenant.pk, tenant.start_of(start), tenant.start_of(end), TouchKind.MESSAGE.value],
        schema={"interaction_id": pl.Int64, "member_id": pl.Int64, "customer_id": pl.Int64},
    )
    if logged.is_empty():
        return 0
    policy = active_policy()
    percent = policy.section(SurveyPolicy).quality_percent
    drawn = draw(logged, percent, start.year * 12 + start.month).join(
        logged.select("interaction_id", "customer_id"), on="interaction_id"
    )
    try:
        with transaction.atomic():
            sample = QualitySample.objects.create(
                month=start, percent=percent, contacts=logged.height, drawn=drawn.height, policy_version=policy.number
            )
    except IntegrityError:
        return 0  # another worker draws the same contacts at this moment
    now = timezone.now()
    blank = {"problem_kind": "", "problem": "", "cause": "", "measure": ""}
    insert_frame(QualityReview, drawn, constants={"month": start, **blank, "created_at": now, "updated_at": now})
    record("drawn", sample, {"contacts": logged.height, "drawn": drawn.height}, policy_version=policy.number)
    return drawn.height


# ── what was found ──────────────────────────────────────────────────────────


def may_review(review: QualityReview, member: Member) -> bool:
    """Whether the member may say what they found: a lead for others of the team, an administrator; nobody for
    themselves.
    """
    if not member.can("quality-reviews:write") or review.member_id == member.pk:
        return False
    return member.role in SEES_ALL or member.role == Role.TEAM_LEAD


def review(*, review: QualityReview, member: Member, **found: Unpack[Findings]) -> Outcome:
    """Write down what a reviewer found in a contact: problem, cause, measure. The same again changes nothing.

    Raises PermissionDenied, in words, for who looks at their own contact; ValidationError by field: without a score,
    for a problem without kind, cause or measure, and for any of these without a problem.
    """
    with acting(member):
        lock(review)
        if not may_review(review, member):
            raise PermissionDenied(_("Nobody reviews their own contacts."))
        values = _stripped(found)
        _check(values | {"score": values.get("score", review.score)}, review)
        changes = changes_of(review, values)
        if not changes and review.reviewed_at is not None:
            return "unchanged"
        for name, value in values.items():
            setattr(review, name, value)
        clean(review)
        is_new = review.reviewed_at is None
        if is_new:
            review.reviewed_at, review.reviewer = timezone.now(), member
        review.save(update_fields=[*values, "reviewed_at", "reviewer", "updated_at"])
        record("reviewed" if is_new else "updated", review, changes)
        return "created" if is_new else "updated"


def add_visit(*, by: Member, **fields: Unpack[VisitFields]) -> MysteryVisit:
    """Write down a mystery visit; `visitor` is whoever writes it down unless said otherwise, `member` whom they met.

    Raises ValidationError by field: without day, channel, score or what was asked for, for a day to come, who visits
    themselves, and what `review` refuses.
    """
    with acting(by):
        values = _stripped(fields)
        visit = MysteryVisit(**({"visitor": by} | values))
        _check_visit(visit)
        visit.save(force_insert=True)
        record("visited", visit, {"score": [None, visit.score]})
        return visit


def change_visit(*, visit: MysteryVisit, by: Member, **fields: Unpack[VisitFields]) -> Outcome:
    """Change what was written down of a visit. Raises ValidationError as `add_visit` does."""
    with acting(by):
        lock(visit)
        values = _stripped(fields)
        changes = changes_of(visit, values)
        if not changes:
            return "unchanged"
        for name, value in values.items():
            setattr(visit, name, value)
        _check_visit(visit)
        visit.save(update_fields=[*values, "updated_at"])
        record("updated", visit, changes)
        return "updated"


def _stripped(fields: Any) -> dict[str, Any]:
    return {name: value.strip() if isinstance(value, str) else value for name, value in fields.items()}


def _check_visit(visit: MysteryVisit) -> None:
    wrong: dict[str, Any] = {}
    if visit.on is None:
        wrong["on"] = error_of(_("This is needed."), "required")
    elif visit.on > current_tenant().today():
        wrong["on"] = error_of(_("A visit cannot be written down before it happened."), "in_the_future")
    if visit.member_id is not None and visit.member_id == visit.visitor_id:
        wrong["member"] = error_of(_("Nobody visits themselves."), "same_person")
    if wrong:
        raise ValidationError(wrong)
    if visit.score is None:
        raise ValidationError({"score": error_of(_("Give a score from 1 to 5."), "required")})
    clean(visit)
    _check({name: getattr(visit, name) for name in (*Findings.__annotations__,)}, visit)


def _check(values: dict[str, Any], row: QualityReview | MysteryVisit) -> None:
    """Problem, cause and measure go together."""
    wrong: dict[str, Any] = {}
    said = {name: values.get(name, getattr(row, name)) for name in ("problem_kind", "problem", "cause", "measure")}
    if values.get("score") is None:
        wrong["score"] = error_of(_("Give a score from 1 to 5."), "required")
    if any(said.values()):
        needed = {
            "problem_kind": _("Say what kind of problem it was."),
            "problem": _("Say what went wrong."),
            "cause": _("Say why it happened."),
            "measure": _("Say what will be done about it."),
        }
        wrong |= {name: error_of(words, "required") for name, words in needed.items() if not said[name]}
    elif values.get("measure_due_on", row.measure_due_on) or values.get("measure_done_on", row.measure_done_on):
        wrong["measure"] = error_of(_("Say what will be done about it."), "required")
    for name in ("problem", "cause", "measure"):
        if len(said[name] or "") > TEXT_LENGTH:
            wrong[name] = error_of(_("At most %(count)d characters.") % {"count": TEXT_LENGTH}, "too_long")
    done = values.get("measure_done_on", row.measure_done_on)
    if done is not None and done > current_tenant().today():
        wrong["measure_done_on"] = error_of(_("Must not lie in the future."), "in_the_future")
    if wrong:
        raise ValidationError(wrong)


# ── results per person ──────────────────────────────────────────────────────


@dataclass(frozen=True)
class Result:
    """What the reviews of a time say of one person; scores are 1 to 5, shares 0 to 1, None of nothing."""

    member: Member
    contacts: int
    drawn: int
    reviewed: int
    good: int
    score: float | None
    kinds: tuple[tuple[str, int], ...]
    measures: int
    measures_done: int
    visits: int
    visit_score: float | None
    asked: int
    csat: float | None

    @property
    def waiting(self) -> int:
        """Drawn and not reviewed yet."""
        return self.drawn - self.reviewed

    @property
    def good_share(self) -> float | None:
        """The share of the reviewed contacts without a problem."""
        return self.good / self.reviewed if self.reviewed else None

    @property
    def kind_words(self) -> str:
        """The kinds of problems, most frequent first: "Tone 2, Slow 1"."""
        return _(", ").join(f"{Problem(code).label} {count}" for code, count in self.kinds)


def results(viewer: Member, start: dt.date, end: dt.date) -> list[Result]:
    """Per person what the reviews of contacts of the months from `start` until before `end` say, by name.

    An account manager sees the own line, a lead those of the team, the others all. `contacts` are those logged in the
    time; `csat` is the mean answer after the person's talks.
    """
    tenant = current_tenant()
    first, last = tenant.start_of(start), tenant.start_of(end)
    logged = _by_member(
        Interaction.objects.filter(at__gte=first, at__lt=last, member__isnull=False)
        .exclude(kind=TouchKind.MESSAGE)
        .values("member_id")
        .annotate(contacts=Count("pk"))
    )
    problem = ~Q(problem_kind="")
    reviewed = Q(reviewed_at__isnull=False)
    reviews = QualityReview.objects.filter(month__gte=start, month__lt=end)
    found = _by_member(
        reviews.values("member_id").annotate(
            drawn=Count("pk"),
            reviewed=Count("pk", filter=reviewed),
            good=Count("pk", filter=reviewed & ~problem),
            mean=Avg("score"),
            measures=Count("pk", filter=problem),
            measures_done=Count("pk", filter=problem & Q(measure_done_on__isnull=False)),
        )
    )
    kinds: dict[int, list[tuple[str, int]]] = {}
    for row in reviews.filter(problem).values("member_id", "problem_kind").annotate(n=Count("pk")).order_by("-n", "problem_kind"):  # fmt: skip
        kinds.setdefault(row["member_id"], []).append((row["problem_kind"], row["n"]))
    visits = _by_member(
        MysteryVisit.objects.filter(on__gte=start, on__lt=end, member__isnull=False)
        .values("member_id")
        .annotate(visits=Count("pk"), mean=Avg("score"))
    )
    answers = _by_member(
        Survey.objects.filter(
            kind="csat", answered_at__gte=first, answered_at__lt=last, interaction__member__isnull=False
        )
        .values(member_id=F("interaction__member_id"))
        .annotate(asked=Count("pk"), mean=Avg("response__score"))
    )
    ids = {*logged, *found, *visits, *answers}
    people = Member.objects.filter(pk__in=ids).select_related("user").order_by("user__name", "pk")
    return [
        Result(
            member=member,
            contacts=logged.get(member.pk, {}).get("contacts", 0),
            drawn=found.get(member.pk, {}).get("drawn", 0),
            reviewed=found.get(member.pk, {}).get("reviewed", 0),
            good=found.get(member.pk, {}).get("good", 0),
            score=found.get(member.pk, {}).get("mean"),
            kinds=tuple(kinds.get(member.pk, ())),
            measures=found.get(member.pk, {}).get("measures", 0),
            measures_done=found.get(member.pk, {}).get("measures_done", 0),
            visits=visits.get(member.pk, {}).get("visits", 0),
            visit_score=visits.get(member.pk, {}).get("mean"),
            asked=answers.get(member.pk, {}).get("asked", 0),
            csat=answers.get(member.pk, {}).get("mean"),
        )
        for member in people
        if _is_shown(viewer, member)
    ]


def _by_member(rows: Iterable[dict[str, Any]]) -> dict[int, dict[str, Any]]:
    return {row["member_id"]: row for row in rows}


def _is_shown(viewer: Member, person: Member) -> bool:
    if viewer.role in SEES_ALL:
        return True
    if viewer.role == Role.TEAM_LEAD:
        return person.pk in {viewer.pk, *viewer.team_members}
    return person.pk == viewer.pk
