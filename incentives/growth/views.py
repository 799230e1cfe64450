"""Pages of growth: certifications and what they rest on, a person's growth, the talk about promotion."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any, ClassVar, Final

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from incentives.growth import certifying, promotion, training
from incentives.growth.facts import Facts, facts_of
from incentives.growth.forms import ReviewerForm, ScoreForm, SendBackForm, SettleForm
from incentives.growth.lists import (
    CertificationFilter,
    CertificationTable,
    certification_rows,
    note_rows,
    quarter_words,
    result_words,
    training_rows,
)
from incentives.growth.people import leads, may_look
from incentives.growth.words import (
    dimension_title,
    kept_words,
    note_quarters,
    parts_words,
    quarters_shown,
    score_words,
    streak_words,
    team_words,
    training_words,
)
from incentives.models import Certification, CertificationScore, PromotionNote
from incentives.rules.growth import DIMENSIONS, Dimension
from incentives.rules.growth_policy import GrowthPolicy
from incentives.rules.kpis import Period
from tenants.models import Event, Member
from tenants.pages import FormPage, ListPage, TenantView
from tenants.policies import active_policy
from tenants.templatetags.perennial import day as day_words

EVENTS: Final = 20
TRAININGS: Final = 50


class CertificationList(ListPage):
    """Certifications by quarter."""

    permission = "certifications:read"
    nav = "growth"
    queryset = staticmethod(certification_rows)
    filterset = CertificationFilter
    table = CertificationTable
    template = "incentives/certifications.html"
    empty = "incentives/certifications_empty.html"
    sort = "-quarter"
    export_permission = "customers:export"
    export_name = "certifications"

    def counted(self, count: int, shown: str) -> str:
        return ngettext("%(count)s certification", "%(count)s certifications", count) % {"count": shown}

    def context(self, rows: Sequence[Any]) -> dict[str, Any]:
        rules = active_policy().section(GrowthPolicy)
        return {
            "section": "certifications",
            "rules": rules,
            "waiting": certifying.waiting_for(self.member).count(),
        }


class _CertificationPage(TenantView):
    permission = "certifications:read"
    nav = "growth"

    @cached_property
    def row(self) -> Certification:
        found: Certification = get_object_or_404(certification_rows(self.member), pk=self.kwargs["pk"])
        return found


@dataclass(frozen=True)
class DimensionShown:
    """One dimension of a certification: its score, where it is from, and the facts."""

    title: str
    score: str
    bar: int
    source: str
    reason: str
    facts: Sequence[str]
    is_below: bool
    is_missing: bool


def kept_dimensions(row: Certification, pass_each: int) -> list[DimensionShown]:
    """The four as they were scored."""
    by_code = {each.dimension: each for each in row.scores.all()}
    return [_kept(by_code[each], pass_each) for each in DIMENSIONS if each in by_code]


def _kept(row: CertificationScore, pass_each: int) -> DimensionShown:
    return DimensionShown(
        row.get_dimension_display(), score_words(row.score), int(row.score), row.get_source_display(), row.reason,
        kept_words(row.facts), row.score < pass_each, False,
    )  # fmt: skip


def dimensions_so_far(facts: Facts, rules: GrowthPolicy) -> list[DimensionShown]:
    """The four as the facts so far give them."""
    scores = certifying.scores_from(facts, rules.least_facts)
    return [_so_far(each, scores[each], parts_words(facts[each]), rules.pass_each) for each in DIMENSIONS]


def _so_far(code: Dimension, score: Decimal | None, facts: Sequence[str], pass_each: int) -> DimensionShown:
    is_below = score is not None and score < pass_each
    source = "" if score is None else str(CertificationScore.Source.FACTS.label)
    bar = 0 if score is None else int(score)
    return DimensionShown(dimension_title(code), score_words(score), bar, source, "", facts, is_below, score is None)


class CertificationPage(_CertificationPage):
    """One certification: the four dimensions with their facts, result, who scored and who confirmed."""

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        self.refuse_unknown()
        row, rules = self.row, active_policy().section(GrowthPolicy)
        is_open = row.state == Certification.State.OPEN
        today = self.request.tenant.today()
        dimensions = (
            dimensions_so_far(facts_of(row.member, certifying.quarter_of(row)), rules)
            if is_open
            else kept_dimensions(row, rules.pass_each)
        )
        return self.render(
            "incentives/certification.html",
            row=row,
            quarter=quarter_words(row.quarter),
            dimensions=dimensions,
            mean=score_words(row.mean),
            result=result_words(row),
            rules=rules,
            is_over=certifying.is_over(row),
            score_by=certifying.score_by(row),
            is_late=is_open and certifying.score_by(row) < today,
            may_score=is_open and certifying.is_over(row) and certifying.may_score(self.member, row),
            may_confirm=row.state == Certification.State.SCORED and certifying.may_confirm(self.member, row),
            may_send_back=row.state == Certification.State.SCORED and certifying.may_send_back(self.member, row),
            may_name=row.state != Certification.State.CONFIRMED and leads(self.member, row.member)
            and self.member.can("certifications:write"),
            may_look=may_look(self.member, row.member),
            events=events_of("certification", row.pk),
        )  # fmt: skip


def events_of(kind: str, pk: int) -> list[Event]:
    """What happened to a row, the newest first."""
    rows = Event.objects.filter(object_type=kind, object_id=pk).select_related("actor__user")
    return list(rows.order_by("-at", "-pk")[:EVENTS])


class _CertificationForm(FormPage):
    permission = "certifications:write"
    nav = "growth"

    @cached_property
    def row(self) -> Certification:
        found: Certification = get_object_or_404(certification_rows(self.member), pk=self.kwargs["pk"])
        return found

    def back(self) -> str:
        return self.address("certification", pk=self.row.pk)

    def went(self, words: str) -> HttpResponse:
        messages.success(self.request, words)
        return self.done("certification", pk=self.row.pk)


class CertificationScoring(_CertificationForm):
    """Score it: what the facts do not say the reviewer does."""

    submit = gettext_lazy("Score")

    def title(self) -> str:
        return _("%(who)s, %(quarter)s: scores") % {
            "who": self.row.member, "quarter": quarter_words(self.row.quarter),
        }  # fmt: skip

    def form(self, data: Any = None, files: Any = None) -> ScoreForm:
        if not certifying.may_score(self.member, self.row):
            raise PermissionDenied(_("The reviewer or who leads the person scores it; nobody for themselves."))
        facts = facts_of(self.row.member, certifying.quarter_of(self.row))
        by_facts = certifying.scores_from(facts, active_policy().section(GrowthPolicy).least_facts)
        return ScoreForm(data, row=self.row, by_facts=by_facts, facts=facts)

    def save(self, form: ScoreForm) -> HttpResponse:
        row = certifying.score(
            certification=self.row, by=self.member, given=form.given(), note=form.cleaned_data["note"]
        )
        return self.went(
            _("Scored: %(mean)s. Somebody else confirms it now.") % {"mean": score_words(row.mean)}
        )  # fmt: skip


class CertificationConfirm(_CertificationForm):
    """Confirm it: from then on it stays."""

    submit = gettext_lazy("Confirm")

    def title(self) -> str:
        return _("Confirm %(mean)s for %(who)s?") % {"mean": score_words(self.row.mean), "who": self.row.member}

    def form(self, data: Any = None, files: Any = None) -> Any:
        return forms.Form(data)

    def save(self, form: Any) -> HttpResponse:
        certifying.confirm(certification=self.row, by=self.member)
        return self.went(_("The certification is confirmed and stays as it is."))


class CertificationSendBack(_CertificationForm):
    """Send a score back to be looked at again."""

    heading: ClassVar[str | Promise] = gettext_lazy("Send the score back")
    submit = gettext_lazy("Send back")

    def form(self, data: Any = None, files: Any = None) -> SendBackForm:
        return SendBackForm(data)

    def save(self, form: SendBackForm) -> HttpResponse:
        certifying.send_back(certification=self.row, by=self.member, why=form.cleaned_data["why"])
        return self.went(_("The score is sent back."))


class CertificationReviewer(_CertificationForm):
    """Name who reviews."""

    heading: ClassVar[str | Promise] = gettext_lazy("Who reviews")

    def form(self, data: Any = None, files: Any = None) -> ReviewerForm:
        return ReviewerForm(data, row=self.row, people=certifying.reviewers_for(self.row))

    def save(self, form: ReviewerForm) -> HttpResponse:
        row = certifying.name_reviewer(
            certification=self.row, reviewer=form.cleaned_data["reviewer"], by=self.member
        )  # fmt: skip
        return self.went(_("%(who)s reviews it.") % {"who": row.reviewer})


# ── a person ────────────────────────────────────────────────────────────────


class GrowthPerson(TenantView):
    """A person's growth: this quarter so far, certifications, trainings, years on target."""

    permission = "certifications:read"
    nav = "growth"

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        self.refuse_unknown()
        person = person_seen(self.member, self.kwargs["pk"])
        today, rules = self.request.tenant.today(), active_policy().section(GrowthPolicy)
        quarter = Period.of("quarter", today)
        rows = list(certification_rows(self.member).filter(member=person).prefetch_related("scores"))
        current = next((each for each in rows if each.quarter == quarter.start), None)
        facts = facts_of(person, quarter) if current is not None else None
        standing = promotion.standings([person])[person.pk]
        note = note_rows(self.member).filter(member=person).first()
        trainings = training_rows(self.member).filter(member=person).order_by("-due_on", "-pk")[:TRAININGS]
        return self.render(
            "incentives/growth_person.html",
            person=person,
            quarter=quarter_words(today),
            current=current,
            so_far=dimensions_so_far(facts, rules) if facts is not None else (),
            history=[
                (row, quarter_words(row.quarter), kept_dimensions(row, rules.pass_each), score_words(row.mean),
                 result_words(row))
                for row in rows if row.quarter < quarter.start
            ],
            titles=[dimension_title(each) for each in DIMENSIONS],
            passed=sum(row.passed is True and row.state == Certification.State.CONFIRMED for row in rows),
            certified=sum(row.state == Certification.State.CONFIRMED for row in rows),
            trainings=[(row, training_words(row, today)) for row in trainings],
            standing=standing,
            sentences=streak_words(standing),
            quarters=quarters_shown(standing),
            note=note,
            note_quarters=note_quarters(note) if note else (),
            note_from=quarter_words(note.first_quarter) if note else "",
            note_to=quarter_words(note.last_quarter) if note else "",
            note_teams=_note_teams(note),
            may_settle=note is not None and promotion.may_settle(self.member, note),
            may_plan=training.may_plan(self.member, person),
            rules=rules,
        )  # fmt: skip


def _note_teams(note: PromotionNote | None) -> str:
    if note is None or not note.team_changes:
        return ""
    return team_words(dt.date.fromisoformat(each) for each in note.team_changes)


def person_seen(member: Member, pk: int) -> Member:
    """The person whose growth a member looks at. Raises Http404 for nobody, PermissionDenied for who is none of theirs."""
    person: Member = get_object_or_404(Member.objects.select_related("user", "team"), pk=pk)
    if not may_look(member, person):
        raise PermissionDenied(_("You see your own growth, a lead that of the team."))
    return person


class PromotionSettle(FormPage):
    """Say what came of the talk about promotion."""

    permission = "promotion-notes:write"
    nav = "growth"
    heading: ClassVar[str | Promise] = gettext_lazy("What came of the talk")

    @cached_property
    def note(self) -> PromotionNote:
        found: PromotionNote = get_object_or_404(note_rows(self.member), pk=self.kwargs["pk"])
        return found

    def form(self, data: Any = None, files: Any = None) -> SettleForm:
        return SettleForm(data, initial={"outcome": self.note.outcome or None, "said": self.note.said})

    def save(self, form: SettleForm) -> HttpResponse:
        promotion.settle(note=self.note, by=self.member, **form.cleaned_data)
        messages.success(
            self.request, _("Written down on %(day)s.") % {"day": day_words(self.request.tenant.today())}
        )  # fmt: skip
        return self.done("growth-person", pk=self.note.member_id)

    def back(self) -> str:
        return self.address("growth-person", pk=self.note.member_id)
