"""The crisis room: an incident with its clocks, team, steps, timeline, compensation, report and the customer's links."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from django.core.validators import MinValueValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from customers.models import Complaint, Contact, Customer, Order
from customers.querysets import visible_customers
from risk.models.alerts import Alert
from tenants.base import MoneyField, TenantForeignKey, TenantModel, TenantQuerySet, manager
from tenants.models import Member
from tenants.permissions import SEES_ALL


class IncidentQuerySet(TenantQuerySet):
    """Incidents: as visible as their customer, and to whoever is named in the team."""

    def visible_to(self, member: Member) -> Self:
        if member.role in SEES_ALL:
            return self
        seated = IncidentSeat.objects.filter(member=member).values("incident")
        return self.filter(visible_customers(member, "customer__") | models.Q(pk__in=seated))


class OfIncidentQuerySet(TenantQuerySet):
    """What belongs to an incident: as visible as it is."""

    def visible_to(self, member: Member) -> Self:
        return self.filter(incident__in=Incident.objects.visible_to(member).values("pk"))


class Incident(TenantModel):
    """A crisis of one customer, or a drill of one: a level, clocks in business time, and what is done about it.

    `revision` grows with every write to the incident or to anything of it: a browser that has it has all.
    """

    class Level(models.TextChoices):
        GENERAL = "general", pgettext_lazy("crisis", "General")
        SERIOUS = "serious", pgettext_lazy("crisis", "Serious")
        MAJOR = "major", pgettext_lazy("crisis", "Major")

    class Kind(models.TextChoices):
        WRONG_PRODUCT = "wrong_product", _("Wrong or faulty product")
        LATE = "late", _("Late or lost delivery")
        SERVICE = "service", _("Service failed")
        TRUST = "trust", _("Trust: broken promise, data, public criticism")
        OTHER = "other", pgettext_lazy("crisis", "Other")

    class Outcome(models.TextChoices):
        SAVED = "saved", _("saved")
        LOST = "lost", _("lost")
        FALSE_ALARM = "false_alarm", _("false alarm")

    number = models.PositiveIntegerField(_("number"))
    customer = TenantForeignKey(Customer, models.CASCADE, related_name="incidents", verbose_name=_("customer"))
    title = models.CharField(_("what went wrong"), max_length=160)
    what = models.TextField(_("what happened"), blank=True, default="")
    level = models.CharField(_("level"), max_length=10, choices=Level.choices)
    kind = models.CharField(_("kind"), max_length=16, choices=Kind.choices, default=Kind.OTHER)
    order = TenantForeignKey(Order, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("order"))
    alert = TenantForeignKey(Alert, models.SET_NULL, null=True, blank=True, related_name="incidents")
    complaint = TenantForeignKey(Complaint, models.SET_NULL, null=True, blank=True, related_name="incidents")
    needed_by = models.DateField(_("needed by"), null=True, blank=True)
    # Of what compensation is a percentage; empty where nobody has said.
    value = MoneyField(_("money affected"), null=True, blank=True, validators=[MinValueValidator(0)])

    opened_at = models.DateTimeField(_("opened"), default=timezone.now)
    opened_by = TenantForeignKey(Member, models.PROTECT, null=True, related_name="+", verbose_name=_("opened by"))
    closed_at = models.DateTimeField(_("closed"), null=True, blank=True)
    closed_by = TenantForeignKey(Member, models.PROTECT, null=True, blank=True, related_name="+")
    outcome = models.CharField(
        _("outcome"), max_length=12, blank=True, default="",
        choices=[("", pgettext_lazy("crisis", "open")), *Outcome.choices],
    )  # fmt: skip
    cause = models.CharField(_("cause"), max_length=30, blank=True, default="")
    tried = models.JSONField(default=list)
    note = models.TextField(_("note"), blank=True, default="")

    # A drill runs on a marked copy: the customer hears nothing of it, and no figure counts it.
    is_drill = models.BooleanField(_("drill"), default=False)
    drill_of = TenantForeignKey("self", models.SET_NULL, null=True, blank=True, related_name="drills")

    # Grows when the team is named: who saw another team is told before theirs takes its place.
    team_revision = models.PositiveIntegerField(default=0)
    revision = models.PositiveIntegerField(default=1)
    # The policy whose hours the clocks are held to, and that whose working days they were last reckoned by.
    policy_version = models.IntegerField()
    calendar_version = models.IntegerField()
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects: ClassVar[Any] = manager(IncidentQuerySet)

    class Meta(TenantModel.Meta):
        ordering: ClassVar[list[str]] = ["-opened_at", "-id"]
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint("tenant", "number", name="incident_number_uniq"),
            # Pressing twice, or two people on one alert or complaint, opens one crisis.
            models.UniqueConstraint(
                "tenant", "alert", name="incident_one_of_alert",
                condition=models.Q(alert__isnull=False, is_drill=False),
            ),
            models.UniqueConstraint(
                "tenant", "complaint", name="incident_one_of_complaint",
                condition=models.Q(complaint__isnull=False, is_drill=False),
            ),
        ]  # fmt: skip
        indexes: ClassVar[list[Any]] = [
            models.Index(fields=["tenant", "customer", "-opened_at"], name="incident_of_customer"),
            models.Index(fields=["tenant", "-opened_at", "id"], name="incident_by_opening"),
            models.Index(fields=["tenant", "updated_at", "id"], name="incident_by_update"),
            models.Index(
                fields=["tenant", "opened_at"], name="incident_open", condition=models.Q(closed_at__isnull=True)
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        """What people call it: CR-118."""
        return f"CR-{self.number}"

    @property
    def is_open(self) -> bool:
        return self.closed_at is None

    @property
    def bars(self) -> str:
        """The level as components/level.html draws it."""
        return {"general": "mild", "serious": "moderate", "major": "severe"}[self.level]


class IncidentClock(TenantModel):
    """One clock of an incident: business minutes that may pass, and when they are over.

    `deadline_at` is empty while it is stopped, and where the firm has no business hours at all.
    """

    class Kind(models.TextChoices):
        ACKNOWLEDGE = "acknowledge", pgettext_lazy("clock", "Acknowledge")
        TEAM = "team", pgettext_lazy("clock", "Team named")
        SOLUTION = "solution", pgettext_lazy("clock", "First solution")
        SOLVED = "solved", pgettext_lazy("clock", "Solved, called back")
        VISIT = "visit", pgettext_lazy("clock", "Visit")

    incident = TenantForeignKey(Incident, models.CASCADE, related_name="clocks")
    kind = models.CharField(max_length=12, choices=Kind.choices)
    target_minutes = models.PositiveIntegerField()
    deadline_at = models.DateTimeField(null=True, blank=True)
    met_at = models.DateTimeField(null=True, blank=True)
    met_by = TenantForeignKey(Member, models.PROTECT, null=True, blank=True, related_name="+")
    # When the sweep saw that it had run out: said once.
    breached_at = models.DateTimeField(null=True, blank=True)
    # A level that does not ask for this clock any more.
    dropped_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar[Any] = manager(OfIncidentQuerySet)

    class Meta(TenantModel.Meta):
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint("tenant", "incident", "kind", name="incident_clock_uniq")
        ]
        indexes: ClassVar[list[Any]] = [
            models.Index(
                fields=["tenant", "deadline_at"],
                name="incident_clock_due",
                condition=models.Q(met_at__isnull=True, dropped_at__isnull=True, breached_at__isnull=True),
            )
        ]


class IncidentPause(TenantModel):
    """From when to when an incident's clocks stood still, and why; at most one is open."""

    incident = TenantForeignKey(Incident, models.CASCADE, related_name="pauses")
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    reason = models.CharField(_("reason"), max_length=200)
    member = TenantForeignKey(Member, models.PROTECT, null=True, related_name="+")
    ended_by = TenantForeignKey(Member, models.PROTECT, null=True, blank=True, related_name="+")

    objects: ClassVar[Any] = manager(OfIncidentQuerySet)

    class Meta(TenantModel.Meta):
        ordering: ClassVar[list[str]] = ["started_at", "id"]
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(
                "tenant", "incident", name="incident_pause_one_open", condition=models.Q(ended_at__isnull=True)
            )
        ]


class IncidentSeat(TenantModel):
    """Who does what in the team of an incident."""

    class Seat(models.TextChoices):
        LEAD = "lead", pgettext_lazy("seat", "leads")
        CONTACT = "contact", pgettext_lazy("seat", "is your contact")
        EXPERT = "expert", pgettext_lazy("seat", "finds the cause")
        EXECUTIVE = "executive", pgettext_lazy("seat", "answers for it")

    incident = TenantForeignKey(Incident, models.CASCADE, related_name="seats")
    seat = models.CharField(max_length=10, choices=Seat.choices)
    member = TenantForeignKey(Member, models.PROTECT, related_name="incident_seats", verbose_name=_("who"))
    named_by = TenantForeignKey(Member, models.PROTECT, null=True, related_name="+")
    named_at = models.DateTimeField(default=timezone.now)

    objects: ClassVar[Any] = manager(OfIncidentQuerySet)

    class Meta(TenantModel.Meta):
        ordering: ClassVar[list[str]] = ["id"]
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint("tenant", "incident", "seat", name="incident_seat_uniq")
        ]


class IncidentStep(TenantModel):
    """Something to be done in an incident; one of the shipped list has a code, one's own has a title."""

    class Status(models.TextChoices):
        OPEN = "open", pgettext_lazy("step", "to do")
        DONE = "done", pgettext_lazy("step", "done")
        LEFT_OUT = "left_out", pgettext_lazy("step", "left out")

    incident = TenantForeignKey(Incident, models.CASCADE, related_name="steps")
    position = models.PositiveSmallIntegerField()
    code = models.CharField(max_length=20, blank=True, default="")
    title = models.CharField(_("step"), max_length=160, blank=True, default="")
    # Whose it is once the team is named.
    seat = models.CharField(max_length=10, choices=IncidentSeat.Seat.choices, blank=True, default="")
    # The clock that is met when it is done.
    meets = models.CharField(max_length=12, choices=IncidentClock.Kind.choices, blank=True, default="")
    owner = TenantForeignKey(
        Member, models.PROTECT, null=True, blank=True, related_name="incident_steps", verbose_name=_("who")
    )
    due_at = models.DateTimeField(_("due"), null=True, blank=True)
    # Somebody chose the moment: a change of level or of working hours leaves it.
    is_moved = models.BooleanField(default=False)
    status = models.CharField(_("status"), max_length=8, choices=Status.choices, default=Status.OPEN)
    done_at = models.DateTimeField(_("done"), null=True, blank=True)
    done_by = TenantForeignKey(Member, models.PROTECT, null=True, blank=True, related_name="+")

    objects: ClassVar[Any] = manager(OfIncidentQuerySet)

    class Meta(TenantModel.Meta):
        ordering: ClassVar[list[str]] = ["position", "id"]
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(
                "tenant", "incident", "code", name="incident_step_once", condition=~models.Q(code="")
            )
        ]
        indexes: ClassVar[list[Any]] = [
            models.Index(fields=["tenant", "owner", "due_at"], name="incident_step_of_owner")
        ]

    @property
    def customer(self) -> Customer:
        """Whose crisis it belongs to."""
        return self.incident.customer


class IncidentEntry(TenantModel):
    """A line of the timeline: what somebody wrote, or what the house noted (`code` with `facts`). Never changed."""

    append_only: ClassVar[bool] = True

    class About(models.TextChoices):
        NONE = "", pgettext_lazy("timeline", "just news")
        CAUSE = "cause", pgettext_lazy("timeline", "why it happened")
        AVOIDED = "avoided", pgettext_lazy("timeline", "how it is avoided")
        OFFER = "offer", pgettext_lazy("timeline", "what the customer gets")

    incident = TenantForeignKey(Incident, models.CASCADE, related_name="entries")
    at = models.DateTimeField(default=timezone.now)
    member = TenantForeignKey(Member, models.PROTECT, null=True, related_name="+")
    is_visible = models.BooleanField(_("customer sees"), default=False)
    about = models.CharField(max_length=8, choices=About.choices, blank=True, default="")
    text = models.TextField(_("text"), blank=True, default="")
    code = models.CharField(max_length=16, blank=True, default="")
    facts = models.JSONField(default=dict)
    # The form it came from: sent twice, it is one line.
    key = models.CharField(max_length=40)

    objects: ClassVar[Any] = manager(OfIncidentQuerySet)

    class Meta(TenantModel.Meta):
        ordering: ClassVar[list[str]] = ["-at", "-id"]
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint("tenant", "incident", "key", name="incident_entry_once")
        ]


class IncidentCompensation(TenantModel):
    """What a customer is offered for the damage: asked for, and approved or refused by whoever may."""

    class Kind(models.TextChoices):
        DISCOUNT = "discount", _("money off this order")
        CREDIT = "credit", _("credit for the next order")
        REPLACEMENT = "replacement", _("replacement at our cost")
        SERVICE = "service", _("added service")

    class Status(models.TextChoices):
        ASKED = "asked", pgettext_lazy("compensation", "waits for approval")
        APPROVED = "approved", pgettext_lazy("compensation", "approved")
        REFUSED = "refused", pgettext_lazy("compensation", "refused")
        WITHDRAWN = "withdrawn", pgettext_lazy("compensation", "withdrawn")

    incident = TenantForeignKey(Incident, models.CASCADE, related_name="compensations")
    kind = models.CharField(_("kind"), max_length=12, choices=Kind.choices)
    amount = MoneyField(_("what it costs us"), validators=[MinValueValidator(0)])
    text = models.CharField(_("in words"), max_length=200, blank=True, default="")
    # The least role that may approve it, by the policy of that moment.
    needs = models.CharField(max_length=20)
    status = models.CharField(_("status"), max_length=10, choices=Status.choices, default=Status.ASKED)
    asked_by = TenantForeignKey(Member, models.PROTECT, null=True, related_name="+")
    asked_at = models.DateTimeField(default=timezone.now)
    decided_by = TenantForeignKey(Member, models.PROTECT, null=True, blank=True, related_name="+")
    decided_at = models.DateTimeField(null=True, blank=True)
    why = models.CharField(_("why"), max_length=200, blank=True, default="")
    policy_version = models.IntegerField()

    objects: ClassVar[Any] = manager(OfIncidentQuerySet)

    class Meta(TenantModel.Meta):
        ordering: ClassVar[list[str]] = ["id"]
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(
                "tenant", "incident", name="incident_one_compensation_asked", condition=models.Q(status="asked")
            )
        ]

    @property
    def customer(self) -> Customer:
        """Whose crisis it belongs to."""
        return self.incident.customer


class IncidentReport(TenantModel):
    """The improvement report (改进报告) in one language: why it happened, how it is avoided, what the customer gets."""

    incident = TenantForeignKey(Incident, models.CASCADE, related_name="reports")
    language = models.CharField(max_length=10)
    why = models.TextField(_("why it happened"), blank=True, default="")
    avoided = models.TextField(_("how it is avoided"), blank=True, default="")
    offer = models.TextField(_("what you get"), blank=True, default="")
    # Where the draft's parts came from: {"why": [entry ids], …}.
    sources = models.JSONField(default=dict)
    version = models.PositiveIntegerField(default=1)
    cause_confirmed_at = models.DateTimeField(null=True, blank=True)
    cause_confirmed_by = TenantForeignKey(Member, models.PROTECT, null=True, blank=True, related_name="+")
    updated_by = TenantForeignKey(Member, models.PROTECT, null=True, blank=True, related_name="+")
    updated_at = models.DateTimeField(auto_now=True)
    sent_at = models.DateTimeField(null=True, blank=True)
    sent_by = TenantForeignKey(Member, models.PROTECT, null=True, blank=True, related_name="+")

    objects: ClassVar[Any] = manager(OfIncidentQuerySet)

    class Meta(TenantModel.Meta):
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint("tenant", "incident", "language", name="incident_report_uniq")
        ]


class IncidentLink(TenantModel):
    """A private address by which one contact looks at the visible part of an incident; it ends, and can be ended."""

    incident = TenantForeignKey(Incident, models.CASCADE, related_name="links")
    contact = TenantForeignKey(Contact, models.CASCADE, related_name="+", verbose_name=_("contact"))
    created_at = models.DateTimeField(default=timezone.now)
    created_by = TenantForeignKey(Member, models.PROTECT, null=True, related_name="+")
    expires_at = models.DateTimeField(_("good until"))
    revoked_at = models.DateTimeField(null=True, blank=True)
    first_read_at = models.DateTimeField(null=True, blank=True)
    last_read_at = models.DateTimeField(null=True, blank=True)
    reads = models.PositiveIntegerField(default=0)

    objects: ClassVar[Any] = manager(OfIncidentQuerySet)

    class Meta(TenantModel.Meta):
        ordering: ClassVar[list[str]] = ["id"]
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(
                "tenant", "incident", "contact", name="incident_link_one", condition=models.Q(revoked_at__isnull=True)
            )
        ]

    @property
    def customer(self) -> Customer:
        """Whose crisis it belongs to."""
        return self.incident.customer
