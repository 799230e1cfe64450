"""How people grow: certifications of a quarter with their scores, trainings with a mentor, notes of promotion."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from customers.models import Customer
from customers.querysets import OfCustomerQuerySet
from incentives.models.kpis import Job
from tenants.base import FixedPointField, TenantForeignKey, TenantModel, TenantQuerySet, manager
from tenants.models import Member
from tenants.permissions import SEES_ALL


class Dimension(models.TextChoices):
    """What a certification looks at."""

    KNOWLEDGE = "knowledge", pgettext_lazy("dimension", "Knowledge")
    COMMUNICATION = "communication", pgettext_lazy("dimension", "Communication")
    PROBLEMS = "problems", pgettext_lazy("dimension", "Problem solving")
    COORDINATION = "coordination", pgettext_lazy("dimension", "Coordination")


def _score(words: Any, **more: Any) -> Any:
    return FixedPointField(words, places=1, validators=[MinValueValidator(0), MaxValueValidator(100)], **more)


def _not(name: str) -> Q:
    """Nobody, or somebody else than the person whose row it is."""
    return Q(**{f"{name}__isnull": True}) | ~Q(**{name: F("member")})


class CertificationQuerySet(TenantQuerySet):
    """Certifications."""

    def visible_to(self, member: Member) -> Self:
        """One's own and those one reviews; a lead's team's; all for who sees all."""
        if member.role in SEES_ALL:
            return self
        return self.filter(Q(member_id__in=member.people) | Q(reviewer=member))


class Certification(TenantModel):
    """One person in one quarter: made when the quarter begins, scored when it is over, confirmed by somebody else."""

    class State(models.TextChoices):
        OPEN = "open", pgettext_lazy("certification", "open")
        SCORED = "scored", pgettext_lazy("certification", "scored")
        CONFIRMED = "confirmed", pgettext_lazy("certification", "confirmed")

    member = TenantForeignKey(Member, models.PROTECT, related_name="certifications", verbose_name=_("who"))
    quarter = models.DateField(_("quarter"))  # its first day
    reviewer = TenantForeignKey(
        Member, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("reviewer")
    )
    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.OPEN)
    scored_by = TenantForeignKey(
        Member, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("scored by")
    )
    scored_at = models.DateTimeField(_("scored"), null=True, blank=True)
    mean = _score(_("mean"), null=True, blank=True)
    passed = models.BooleanField(_("passed"), null=True, blank=True)
    note = models.TextField(_("note"), blank=True, default="")
    # The policy whose lines it was held against.
    policy_version = models.IntegerField(null=True, blank=True)
    confirmed_by = TenantForeignKey(
        Member, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("confirmed by")
    )
    confirmed_at = models.DateTimeField(_("confirmed"), null=True, blank=True)
    # Why it was sent back last, until it is scored again.
    sent_back_why = models.CharField(_("why sent back"), max_length=300, blank=True, default="")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects: ClassVar[Any] = manager(CertificationQuerySet)

    class Meta(TenantModel.Meta):
        ordering: ClassVar[list[str]] = ["-quarter", "-id"]
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint("tenant", "member", "quarter", name="certification_once"),
            # Nobody reviews or confirms their own, and who scores does not confirm.
            models.CheckConstraint(
                condition=_not("reviewer") & _not("scored_by") & _not("confirmed_by"),
                name="certification_not_by_oneself",
            ),
            models.CheckConstraint(
                condition=Q(confirmed_by__isnull=True) | ~Q(confirmed_by=F("scored_by")),
                name="certification_by_four_eyes",
            ),
            models.CheckConstraint(
                condition=Q(state="open")
                | Q(scored_by__isnull=False, scored_at__isnull=False, mean__isnull=False, passed__isnull=False),
                name="certification_scored_whole",
            ),
            models.CheckConstraint(
                condition=~Q(state="confirmed") | Q(confirmed_by__isnull=False, confirmed_at__isnull=False),
                name="certification_confirmed_by_one",
            ),
        ]
        indexes: ClassVar[list[Any]] = [
            models.Index(fields=["tenant", "-quarter", "-id"], name="certification_by_quarter"),
            # What waits for a reviewer: the number beside the link.
            models.Index(fields=["tenant", "state", "reviewer"], name="certification_waiting"),
            models.Index(fields=["tenant", "updated_at", "id"], name="certification_by_update"),
        ]

    def __str__(self) -> str:
        return f"{self.member_id} {self.quarter}"

    @property
    def standing_scores(self) -> list[CertificationScore]:
        """The scores that count: none while it is open, also where it was sent back."""
        return [] if self.state == self.State.OPEN else list(self.scores.all())


class CertificationScore(TenantModel):
    """The score of one dimension: from facts, with what they were, or by the reviewer, with the reason."""

    class Source(models.TextChoices):
        FACTS = "facts", pgettext_lazy("score", "from facts")
        REVIEWER = "reviewer", pgettext_lazy("score", "by the reviewer")

    certification = TenantForeignKey(Certification, models.CASCADE, related_name="scores")
    dimension = models.CharField(_("dimension"), max_length=15, choices=Dimension.choices)
    source = models.CharField(_("source"), max_length=10, choices=Source.choices)
    score = _score(_("score"))
    # What there was when it was scored: [{"code", "good", "count"}], also where it was too little.
    facts = models.JSONField(default=list, blank=True)
    reason = models.TextField(_("reason"), blank=True, default="")

    class Meta(TenantModel.Meta):
        ordering: ClassVar[list[str]] = ["certification", "id"]
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint("tenant", "certification", "dimension", name="certification_score_once"),
            models.CheckConstraint(condition=Q(score__gte=0, score__lte=100), name="certification_score_of_100"),
            models.CheckConstraint(
                condition=Q(source="facts") | ~Q(reason=""), name="certification_score_has_reason"
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.certification_id} {self.dimension}"


class TrainingQuerySet(TenantQuerySet):
    """Trainings."""

    def visible_to(self, member: Member) -> Self:
        """One's own and those one is mentor of; a lead's team's; all for who sees all."""
        if member.role in SEES_ALL:
            return self
        return self.filter(Q(member_id__in=member.people) | Q(mentor=member))


class Training(TenantModel):
    """What was learned is tried with so many customers until a day; then the mentor, and nobody else, approves."""

    class State(models.TextChoices):
        OPEN = "open", pgettext_lazy("training", "under way")
        APPROVED = "approved", pgettext_lazy("training", "approved")
        ENDED = "ended", pgettext_lazy("training", "ended")

    member = TenantForeignKey(Member, models.PROTECT, related_name="trainings", verbose_name=_("who"))
    mentor = TenantForeignKey(Member, models.PROTECT, related_name="+", verbose_name=_("mentor"))
    title = models.CharField(_("what is learned"), max_length=160)
    plan = models.TextField(_("plan"), blank=True, default="")
    starts_on = models.DateField(_("begins"))
    due_on = models.DateField(_("to be done by"))
    wanted = models.PositiveSmallIntegerField(_("customers"), validators=[MinValueValidator(1)])
    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.OPEN)
    # The day on which the last customer that was wanted was done.
    ready_on = models.DateField(_("all done"), null=True, blank=True)
    approved_by = TenantForeignKey(
        Member, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("approved by")
    )
    approved_on = models.DateField(_("approved"), null=True, blank=True)
    said = models.TextField(_("what the mentor says"), blank=True, default="")
    ended_why = models.CharField(_("why it was ended"), max_length=300, blank=True, default="")
    created_by = TenantForeignKey(Member, models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    objects: ClassVar[Any] = manager(TrainingQuerySet)

    class Meta(TenantModel.Meta):
        ordering: ClassVar[list[str]] = ["-due_on", "-id"]
        constraints: ClassVar[list[Any]] = [
            models.CheckConstraint(condition=~Q(mentor=F("member")), name="training_mentor_is_another"),
            models.CheckConstraint(condition=Q(wanted__gte=1), name="training_of_a_customer"),
            models.CheckConstraint(condition=Q(due_on__gte=F("starts_on")), name="training_due_after_start"),
            # Only the mentor approves, and only when all is done.
            models.CheckConstraint(
                condition=~Q(state="approved")
                | Q(approved_by=F("mentor"), approved_on__isnull=False, ready_on__isnull=False),
                name="training_approved_by_mentor",
            ),
        ]
        indexes: ClassVar[list[Any]] = [
            models.Index(fields=["tenant", "-due_on", "-id"], name="training_by_day"),
            models.Index(fields=["tenant", "member", "due_on"], name="training_of_member"),
            models.Index(fields=["tenant", "updated_at", "id"], name="training_by_update"),
        ]

    def __str__(self) -> str:
        return self.title


class TrainingCustomer(TenantModel):
    """A customer with whom what was learned is tried; done when the trainee says so."""

    training = TenantForeignKey(Training, models.CASCADE, related_name="customers")
    customer = TenantForeignKey(Customer, models.CASCADE, related_name="+", verbose_name=_("customer"))
    done_on = models.DateField(_("done"), null=True, blank=True)
    note = models.TextField(_("what came of it"), blank=True, default="")

    objects: ClassVar[Any] = manager(OfCustomerQuerySet)

    class Meta(TenantModel.Meta):
        ordering: ClassVar[list[str]] = ["training", "id"]
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint("tenant", "training", "customer", name="training_customer_once")
        ]

    def __str__(self) -> str:
        return f"{self.training_id} {self.customer_id}"


class PromotionNoteQuerySet(TenantQuerySet):
    """Notes of promotion."""

    def visible_to(self, member: Member) -> Self:
        """One's own; a lead's team's; all for who sees all."""
        if member.role in SEES_ALL:
            return self
        return self.filter(member_id__in=member.people)


class PromotionNote(TenantModel):
    """Somebody has been on target for so many years in a row: a talk is due. Written once for each person."""

    class Outcome(models.TextChoices):
        NONE = "", pgettext_lazy("promotion", "not talked about yet")
        PROMOTED = "promoted", pgettext_lazy("promotion", "promoted")
        LATER = "later", pgettext_lazy("promotion", "later")
        DECLINED = "declined", pgettext_lazy("promotion", "does not want it")

    member = TenantForeignKey(Member, models.PROTECT, related_name="promotion_notes", verbose_name=_("who"))
    first_quarter = models.DateField(_("from"))
    last_quarter = models.DateField(_("to"))
    job = models.CharField(_("measured as"), max_length=10, choices=Job.choices)
    # The quarters as they stood: [{"quarter", "score", "job"}]; those without a score; and changes of team.
    quarters = models.JSONField(default=list)
    gaps = models.JSONField(default=list, blank=True)
    team_changes = models.JSONField(default=list, blank=True)
    policy_version = models.IntegerField()
    raised_on = models.DateField(_("written"))
    outcome = models.CharField(
        _("what came of it"), max_length=10, choices=Outcome.choices, blank=True, default=Outcome.NONE
    )
    said = models.TextField(_("what was said"), blank=True, default="")
    settled_by = TenantForeignKey(
        Member, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("talked about by")
    )
    settled_on = models.DateField(_("talked about"), null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects: ClassVar[Any] = manager(PromotionNoteQuerySet)

    class Meta(TenantModel.Meta):
        ordering: ClassVar[list[str]] = ["-raised_on", "-id"]
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint("tenant", "member", name="promotion_note_once"),
            models.CheckConstraint(condition=_not("settled_by"), name="promotion_note_not_by_oneself"),
            models.CheckConstraint(
                condition=Q(outcome="") | Q(settled_by__isnull=False, settled_on__isnull=False),
                name="promotion_note_settled_by_one",
            ),
        ]
        indexes: ClassVar[list[Any]] = [
            models.Index(fields=["tenant", "updated_at", "id"], name="promotion_note_by_update")
        ]

    def __str__(self) -> str:
        return f"{self.member_id} {self.last_quarter}"
