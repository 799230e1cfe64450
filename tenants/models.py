"""Firms, people, teams, tokens, the event log, the policy's versions and the runs of jobs."""

from __future__ import annotations

import datetime as dt
from typing import Any, ClassVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.contrib.auth.models import AbstractUser
from django.contrib.auth.models import UserManager as DjangoUserManager
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from tenants.base import TenantForeignKey, TenantModel
from tenants.permissions import Role, check_known, permissions_of

# First segments of paths that belong to the house; no tenant may be called so.
RESERVED_SLUGS = frozenset(
    {
        "accounts",
        "api",
        "healthz",
        "readyz",
        "metrics",
        "static",
        "media",
        "language",
        "jsi18n",
        "admin",
        "docs",
        "start",
        "feeds",
        "hooks",
        "unsubscribe",
        "survey",
        "crisis",
    }
)


class UserManager(DjangoUserManager["User"]):
    """People sign in with their e-mail address; its case does not matter."""

    def get_by_natural_key(self, username: str | None) -> User:
        return self.get(email__iexact=username)

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:  # type: ignore[override]
        """Make a person.

        Raises ValueError without an address, IntegrityError when it is taken.
        """
        if not email:
            raise ValueError("A person needs an e-mail address")
        user = self.model(email=email.strip().lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user


class User(AbstractUser):
    """A person who signs in; may be a member of several tenants."""

    username = None  # type: ignore[assignment]
    first_name = last_name = None  # type: ignore[assignment]
    email = models.EmailField(_("e-mail address"))
    name = models.CharField(_("name"), max_length=150)
    language = models.CharField(_("language"), max_length=10, blank=True, help_text=_("Empty: the tenant's."))
    letter_keys = models.BooleanField(_("single-letter keys"), default=True)

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = ["name"]
    objects: ClassVar[UserManager] = UserManager()

    class Meta:
        constraints: ClassVar[list[Any]] = [models.UniqueConstraint(Lower("email"), name="user_email_any_case_uniq")]

    def __str__(self) -> str:
        return self.name or self.email

    def get_full_name(self) -> str:
        return str(self)

    def get_short_name(self) -> str:
        return str(self)

    @property
    def initials(self) -> str:
        """Two letters of a Latin name, the last two characters of a Han name."""
        name = str(self)
        if not name.isascii() and " " not in name:
            return name[-2:]
        first, *others = name.split()
        return (first[:1] + others[-1][:1] if others else first[:2]).upper()


def known_timezone(value: str) -> None:
    """Raises ValidationError for a name that the time-zone database does not know."""
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValidationError(
            _("%(value)s is not a time zone; write it like Europe/London."), params={"value": value}
        ) from error


class Tenant(models.Model):
    """A firm. The one table beside people that has no wall: every wall refers to it."""

    slug = models.SlugField(_("address"), max_length=40, unique=True)
    name = models.CharField(_("name"), max_length=120)
    timezone = models.CharField(_("time zone"), max_length=40, default="UTC", validators=[known_timezone])
    currency = models.CharField(
        _("currency"), max_length=3, validators=[RegexValidator("^[A-Z]{3}$", _("Three capital letters, like GBP."))]
    )
    country = models.CharField(
        _("country"),
        max_length=2,
        blank=True,
        validators=[RegexValidator("^[A-Z]{2}$", _("Two capital letters, like GB."))],
    )
    language = models.CharField(_("language"), max_length=10, default="en")
    is_active = models.BooleanField(_("active"), default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["name"]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        if self.slug in RESERVED_SLUGS:
            raise ValidationError({"slug": _("“%(slug)s” is an address of the house itself.") % {"slug": self.slug}})

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)

    def local_date(self, moment: dt.datetime) -> dt.date:
        """The tenant's calendar day at `moment`."""
        return moment.astimezone(self.zone).date()

    def today(self) -> dt.date:
        """The tenant's calendar day now."""
        return self.local_date(timezone.now())

    def start_of(self, day: dt.date) -> dt.datetime:
        """The first instant of `day` in the tenant's zone."""
        return dt.datetime.combine(day, dt.time(), tzinfo=self.zone)


class Team(TenantModel):
    """People who work under one lead."""

    name = models.CharField(_("name"), max_length=80)

    class Meta(TenantModel.Meta):
        ordering: ClassVar[list[str]] = ["name"]
        constraints: ClassVar[list[Any]] = [models.UniqueConstraint("tenant", "name", name="team_name_uniq")]

    def __str__(self) -> str:
        return self.name


class Member(TenantModel):
    """A person's place in a tenant: the role says what they may do, the team whose customers a lead sees."""

    user = models.ForeignKey(User, models.PROTECT, related_name="memberships")
    role = models.CharField(_("role"), max_length=20, choices=Role.choices)
    team = TenantForeignKey(Team, models.SET_NULL, null=True, blank=True, related_name="members")
    weekly_capacity = models.PositiveSmallIntegerField(
        _("touches a week"), null=True, blank=True, help_text=_("Empty: as many as the policy says.")
    )
    is_active = models.BooleanField(_("active"), default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta(TenantModel.Meta):
        constraints: ClassVar[list[Any]] = [models.UniqueConstraint("tenant", "user", name="member_user_uniq")]

    def __str__(self) -> str:
        return str(self.user)

    def can(self, permission: str) -> bool:
        """Whether the role allows it.

        Raises LookupError for a permission that does not exist.
        """
        return check_known(permission) in permissions_of(self.role)

    @cached_property
    def team_members(self) -> list[int]:
        """The ids of who is in the member's team, the member too; asked for once while the row is at hand."""
        if self.team_id is None:
            return []
        return list(Member.objects.filter(team_id=self.team_id).order_by("pk").values_list("pk", flat=True))

    @property
    def people(self) -> list[int]:
        """The ids of those whose customers, work and pay one sees who does not see all: oneself, and a lead the team."""
        team = self.team_members if self.role == Role.TEAM_LEAD else []
        return [self.pk, *(pk for pk in team if pk != self.pk)]


class ApiToken(TenantModel):
    """Lets a programme act as a member, within its scopes, until it expires. Only a hash is kept."""

    member = TenantForeignKey(Member, models.CASCADE, related_name="tokens")
    name = models.CharField(_("name"), max_length=80, blank=True)
    prefix = models.CharField(max_length=24, unique=True)
    secret_hash = models.CharField(max_length=64)
    scopes = models.JSONField(default=list)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(_("expires"))
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)

    class Meta(TenantModel.Meta):
        # The list of a member's tokens.
        indexes: ClassVar[list[Any]] = [models.Index(fields=["tenant", "member"], name="token_of_member")]

    def __str__(self) -> str:
        return self.name or self.prefix

    def is_usable(self, now: dt.datetime) -> bool:
        return self.revoked_at is None and now < self.expires_at


class Event(TenantModel):
    """One row per write, in its transaction: timeline, feed, webhooks and audit read it. Never changed."""

    append_only = True
    partitioned_by = "at"

    at = models.DateTimeField(default=timezone.now)
    actor = TenantForeignKey(Member, models.PROTECT, null=True, related_name="+")
    verb = models.CharField(max_length=40)
    object_type = models.CharField(max_length=40)
    object_id = models.BigIntegerField()
    customer_id = models.BigIntegerField(null=True)  # no foreign key: what happened outlives the customer
    changes = models.JSONField(default=dict)
    policy_version = models.IntegerField(null=True)

    class Meta(TenantModel.Meta):
        indexes: ClassVar[list[Any]] = [
            # Timeline of one customer, newest first.
            models.Index(
                fields=["tenant", "customer_id", "-id"],
                name="event_of_customer",
                condition=models.Q(customer_id__isnull=False),
            ),
            # The change feed, everything after an id, goes by the table's own key: tenant, id, at.
        ]

    def __str__(self) -> str:
        return f"{self.object_type}.{self.verb}"


class PolicyVersion(TenantModel):
    """One saved version of the tenant's rules; the highest number is in force."""

    append_only = True

    number = models.PositiveIntegerField()
    pack = models.CharField(max_length=20)
    document = models.JSONField()
    note = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = TenantForeignKey(Member, models.PROTECT, null=True, related_name="+")

    class Meta(TenantModel.Meta):
        constraints: ClassVar[list[Any]] = [models.UniqueConstraint("tenant", "number", name="policy_number_uniq")]

    def __str__(self) -> str:
        return f"v{self.number}"


class Run(TenantModel):
    """One run of a job for one day. Unique: however often it is asked for, it exists once."""

    class Status(models.TextChoices):
        OPEN = "open", _("running")
        DONE = "done", _("done")
        FAILED = "failed", _("failed")

    job = models.CharField(max_length=30)
    for_date = models.DateField()
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.OPEN)
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    policy_version = models.IntegerField(null=True)
    # What it takes as given: the results of the run for this day; null: it works everybody out anew.
    since = models.DateField(null=True)
    # Customers' numbers at which its steps are cut into parts.
    cuts = models.JSONField(default=list)
    # Which transactions its first step could see (pg_current_snapshot).
    snapshot = models.TextField(blank=True, default="")
    release = models.CharField(max_length=20, blank=True, default="")

    class Meta(TenantModel.Meta):
        ordering: ClassVar[list[str]] = ["-for_date", "job"]
        constraints: ClassVar[list[Any]] = [models.UniqueConstraint("tenant", "job", "for_date", name="run_uniq")]
        # The minute's sweep looks for runs that nobody works on.
        indexes: ClassVar[list[Any]] = [
            models.Index(fields=["tenant", "status"], name="run_open", condition=models.Q(status="open"))
        ]

    def __str__(self) -> str:
        return f"{self.job} {self.for_date}"


class RunStep(TenantModel):
    """A step of a run: prepared once, worked off in parts, ended once; a small tenant's is one transaction."""

    run = TenantForeignKey(Run, models.CASCADE, related_name="steps")
    ordinal = models.PositiveSmallIntegerField()
    name = models.CharField(max_length=30)
    status = models.CharField(max_length=10, choices=Run.Status.choices, default=Run.Status.OPEN)
    attempts = models.PositiveSmallIntegerField(default=0)
    is_prepared = models.BooleanField(default=False, db_default=False)
    shared = models.JSONField(default=dict)  # what its parts have in common
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    counts = models.JSONField(default=dict)
    error = models.TextField(blank=True)

    class Meta(TenantModel.Meta):
        ordering: ClassVar[list[str]] = ["ordinal"]
        constraints: ClassVar[list[Any]] = [models.UniqueConstraint("tenant", "run", "name", name="run_step_uniq")]

    def __str__(self) -> str:
        return self.name

    @property
    def seconds(self) -> float | None:
        """How long the last attempt took."""
        if self.started_at is None or self.finished_at is None:
            return None
        return (self.finished_at - self.started_at).total_seconds()


class RunPart(TenantModel):
    """Some customers of a step: one transaction that holds this row's lock, works, and marks it done."""

    step = TenantForeignKey(RunStep, models.CASCADE, related_name="parts")
    ordinal = models.PositiveSmallIntegerField()
    first = models.BigIntegerField()
    last = models.BigIntegerField()
    is_done = models.BooleanField(default=False)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    counts = models.JSONField(default=dict)

    class Meta(TenantModel.Meta):
        ordering: ClassVar[list[str]] = ["ordinal"]
        constraints: ClassVar[list[Any]] = [models.UniqueConstraint("tenant", "step", "ordinal", name="run_part_uniq")]

    def __str__(self) -> str:
        return f"{self.first} to {self.last}"
