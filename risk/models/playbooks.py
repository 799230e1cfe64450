"""Playbooks: what is done about a risk, in versions; each customer's run of one, and what its steps have done."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from customers.models import Customer
from customers.querysets import OfCustomerQuerySet
from followups.models import FollowUp, Message
from followups.shipped_names import PLAYBOOK_STEPS, PLAYBOOKS
from risk.models.alerts import Alert
from risk.rules.playbooks import Definition
from tenants.base import TenantForeignKey, TenantModel, manager
from tenants.models import Member


class Playbook(TenantModel):
    """Steps against a risk. What it says is in its versions; `version` is the number of the one in force."""

    code = models.SlugField(_("code"), max_length=16)
    name = models.CharField(_("name"), max_length=80, blank=True)
    is_on = models.BooleanField(_("switched on"), default=False)
    # Alerts from before begin nothing by themselves: who switches a playbook on does not start it for last year.
    since = models.DateTimeField(default=timezone.now)
    version = models.PositiveIntegerField(_("version"), default=1)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta(TenantModel.Meta):
        ordering: ClassVar[list[str]] = ["code"]
        constraints: ClassVar[list[Any]] = [models.UniqueConstraint("tenant", "code", name="playbook_code_uniq")]
        indexes: ClassVar[list[Any]] = [models.Index(fields=["tenant", "updated_at", "id"], name="playbook_by_update")]

    def __str__(self) -> str:
        return self.title

    @property
    def title(self) -> str:
        """What people call it, in the reader's language."""
        return self.name or str(PLAYBOOKS.get(self.code, self.code))


def playbook_step_title(code: str, name: str = "") -> str:
    """What a step is called: as it was named, else as the one that ships, in the reader's language."""
    return name or str(PLAYBOOK_STEPS.get(code, code))


class PlaybookVersion(TenantModel):
    """What a playbook said from a moment on; a run keeps the one it began with. `definition` is a Definition as JSON."""

    append_only: ClassVar[bool] = True

    playbook = TenantForeignKey(Playbook, models.PROTECT, related_name="versions", verbose_name=_("playbook"))
    number = models.PositiveIntegerField(_("version"))
    definition = models.JSONField(default=dict)
    member = TenantForeignKey(Member, models.PROTECT, null=True, related_name="+", verbose_name=_("by"))
    created_at = models.DateTimeField(default=timezone.now)

    class Meta(TenantModel.Meta):
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint("tenant", "playbook", "number", name="playbook_version_uniq")
        ]

    def __str__(self) -> str:
        return f"{self.playbook_id} v{self.number}"

    @property
    def rules(self) -> Definition:
        """The definition, typed. Raises pydantic's ValidationError for one that no longer fits."""
        return Definition.model_validate(self.definition)


class PlaybookRun(TenantModel):
    """A customer's run of a playbook: at most one of each is open, and one of all is under way."""

    class Status(models.TextChoices):
        ACTIVE = "active", pgettext_lazy("playbook", "under way")
        WAITING = "waiting", pgettext_lazy("playbook", "waiting")
        FINISHED = "finished", pgettext_lazy("playbook", "finished")
        STOPPED = "stopped", pgettext_lazy("playbook", "stopped")
        HELD = "held", pgettext_lazy("playbook", "held out")

    class Why(models.TextChoices):
        NONE = "", ""
        OTHER = "other", _("something else goes first")
        ORDERED = "order", _("the customer has ordered")
        ANSWERED = "answer", _("the customer has answered")
        COMPLAINED = "complaint", _("the customer has complained")
        ALERT = "alert", _("the alert was closed")
        CLOSED = "closed", _("the customer is closed")
        OVER = "over", _("it waited too long")
        BY_HAND = "by_hand", _("somebody ended it")
        UNDONE = "undone", _("its start was taken back")
        STARTED = "started", _("somebody began it all the same")

    class Outcome(models.TextChoices):
        NONE = "", pgettext_lazy("playbook", "not said")
        SAVED = "saved", pgettext_lazy("playbook", "saved")
        LOST = "lost", pgettext_lazy("playbook", "lost")
        NO_ANSWER = "no_answer", pgettext_lazy("playbook", "no answer")

    playbook = TenantForeignKey(Playbook, models.PROTECT, related_name="runs", verbose_name=_("playbook"))
    version = TenantForeignKey(PlaybookVersion, models.PROTECT, related_name="runs", verbose_name=_("version"))
    customer = TenantForeignKey(Customer, models.CASCADE, related_name="playbook_runs", verbose_name=_("customer"))
    alert = TenantForeignKey(
        Alert, models.SET_NULL, null=True, blank=True, related_name="playbook_runs", verbose_name=_("alert")
    )
    # The crisis it was begun for; crises come after playbooks, so it is a number.
    incident_id = models.BigIntegerField(_("crisis"), null=True, blank=True)
    # Who began it by hand; empty: a signal did.
    member = TenantForeignKey(Member, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("by"))
    # Who does what it asks of the A owner, once it was handed over.
    owner = TenantForeignKey(
        Member, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("in charge")
    )
    level = models.CharField(_("level"), max_length=10, choices=Alert.Level.choices, default=Alert.Level.MILD)
    status = models.CharField(_("status"), max_length=8, choices=Status.choices, default=Status.WAITING)
    why = models.CharField(_("why"), max_length=10, choices=Why.choices, blank=True)
    outcome = models.CharField(_("outcome"), max_length=10, choices=Outcome.choices, blank=True)
    started_at = models.DateTimeField(_("began"), default=timezone.now)
    # What steps are counted from, later than the start by the time that it waited.
    base_at = models.DateTimeField()
    # The first step of the stage that it is in, and since when it is.
    stage = models.CharField(max_length=11)
    stage_at = models.DateTimeField()
    waits_since = models.DateTimeField(null=True, blank=True)
    next_at = models.DateTimeField(_("next look"), null=True, blank=True)
    # Up to here what has come in about the customer has been looked at.
    looked_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)
    # Follow-ups of the signal that its steps took the place of.
    replaced = models.JSONField(default=list)
    updated_at = models.DateTimeField(auto_now=True)

    objects: ClassVar[Any] = manager(OfCustomerQuerySet)

    class Meta(TenantModel.Meta):
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(
                "tenant", "playbook", "customer", name="playbook_run_one_open", condition=Q(ended_at__isnull=True)
            ),
            models.UniqueConstraint(
                "tenant", "customer", name="playbook_run_one_speaks", condition=Q(status="active")
            ),
            # An alert begins a playbook by itself once, however often the night looks.
            models.UniqueConstraint(
                "tenant", "playbook", "alert", name="playbook_run_alert_once", condition=Q(member__isnull=True)
            ),
        ]  # fmt: skip
        indexes: ClassVar[list[Any]] = [
            models.Index(fields=["tenant", "next_at"], name="playbook_run_due", condition=Q(ended_at__isnull=True)),
            models.Index(fields=["tenant", "customer", "-started_at"], name="playbook_run_of_customer"),
            models.Index(fields=["tenant", "playbook", "-started_at"], name="playbook_run_of_playbook"),
            models.Index(fields=["tenant", "updated_at", "id"], name="playbook_run_by_update"),
        ]

    def __str__(self) -> str:
        return f"{self.playbook_id} {self.customer_id}"

    @property
    def is_open(self) -> bool:
        return self.ended_at is None


class PlaybookStep(TenantModel):
    """What a step of a run has done: entered, raised a follow-up or sent a message, and what came of it."""

    class Status(models.TextChoices):
        AHEAD = "ahead", pgettext_lazy("step", "to come")
        RAISED = "raised", pgettext_lazy("step", "under way")
        ASKS = "asks", pgettext_lazy("step", "waits for an answer")
        DONE = "done", pgettext_lazy("step", "done")

    class Outcome(models.TextChoices):
        NONE = "", ""
        REACHED = "reached", _("reached")
        NOT_REACHED = "not_reached", _("not reached")
        DONE = "done", pgettext_lazy("step outcome", "done")
        SENT = "sent", _("sent")
        SAVED = "saved", pgettext_lazy("playbook", "saved")
        LOST = "lost", pgettext_lazy("playbook", "lost")
        SKIPPED = "skipped", _("skipped")
        LEFT_OUT = "left_out", _("left out")
        WITHDRAWN = "withdrawn", _("withdrawn")

    class Why(models.TextChoices):
        NONE = "", ""
        ORDERED = "order", _("the customer has ordered")
        ANSWERED = "answer", _("the customer has answered")
        COMPLAINED = "complaint", _("the customer has complained")
        NO_CONTACT = "no_contact", _("nobody to write to: a follow-up instead")
        NO_SCRIPT = "no_script", _("the script is switched off: a follow-up instead")
        NOT_SENT = "not_sent", _("the message could not go out: a follow-up instead")
        SILENT = "silent", _("nobody has said what came of it")

    run = TenantForeignKey(PlaybookRun, models.CASCADE, related_name="steps")
    code = models.CharField(max_length=11)
    status = models.CharField(max_length=8, choices=Status.choices)
    outcome = models.CharField(max_length=12, choices=Outcome.choices, blank=True)
    why = models.CharField(max_length=10, choices=Why.choices, blank=True)
    begins_at = models.DateTimeField()
    due_at = models.DateTimeField(null=True)
    raised_at = models.DateTimeField(null=True)
    done_at = models.DateTimeField(null=True)
    follow_up = TenantForeignKey(FollowUp, models.SET_NULL, null=True, related_name="+")
    message = TenantForeignKey(Message, models.SET_NULL, null=True, related_name="+")
    said_by = TenantForeignKey(Member, models.PROTECT, null=True, related_name="+")

    class Meta(TenantModel.Meta):
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint("tenant", "run", "code", name="playbook_step_once")
        ]  # fmt: skip
        indexes: ClassVar[list[Any]] = [
            # Those whose follow-up somebody may have closed.
            models.Index(fields=["tenant", "follow_up"], name="playbook_step_raised", condition=Q(status="raised"))
        ]
