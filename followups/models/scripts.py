"""Scripts: what to say in which scene, in which variants, and which of them was used when."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from customers.models import Channel, Contact, Customer, Interaction
from customers.querysets import OfCustomerQuerySet
from followups.models.follow_ups import FollowUp
from followups.rules.scripts import PARTS
from followups.shipped_names import SCRIPTS
from tenants.base import TenantForeignKey, TenantModel, manager
from tenants.models import Member


class Scene(models.TextChoices):
    """When a script is said (PLAYBOOK section 6)."""

    FIRST_ORDER = "first_order", _("First-order thanks")
    REGULAR = "regular", _("Regular call-back")
    COMPLAINT = "complaint", _("Complaint call-back")
    DORMANT = "dormant", _("Dormant wake-up")
    NEW_PRODUCT = "new_product", _("New product")
    RENEWAL = "renewal", _("Renewal or price talk")
    FESTIVAL = "festival", _("Festival care")
    REFERRAL = "referral", _("Referral request")


class Outline(models.TextChoices):
    """How a script is built."""

    PLAIN = "plain", pgettext_lazy("outline", "Free text")
    AIDA = "aida", _("AIDA")
    EFI = "efi", _("Emotion, benefit, action")


class Script(TenantModel):
    """What to say in a scene: one or more variants, each in one or more languages."""

    code = models.SlugField(_("code"), max_length=18)
    scene = models.CharField(_("scene"), max_length=12, choices=Scene.choices)
    # Empty for one that ships and was not renamed: it is then called so in the reader's language.
    name = models.CharField(_("name"), max_length=80, blank=True)
    channel = models.CharField(_("channel"), max_length=10, choices=Channel.choices, blank=True)
    outline = models.CharField(_("outline"), max_length=5, choices=Outline.choices, default=Outline.PLAIN)
    is_on = models.BooleanField(_("in use"), default=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta(TenantModel.Meta):
        constraints: ClassVar[list[Any]] = [models.UniqueConstraint("tenant", "code", name="script_code_uniq")]
        indexes: ClassVar[list[Any]] = [models.Index(fields=["tenant", "updated_at", "id"], name="script_by_update")]

    def __str__(self) -> str:
        return self.title

    @property
    def title(self) -> str:
        """What people call it, in the reader's language."""
        return self.name or str(SCRIPTS.get(self.code, self.code))

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts of its outline, in the order in which they are said."""
        for outline, parts in PARTS.items():
            if outline == self.outline:
                return parts
        return PARTS["plain"]


class ScriptVariant(TenantModel):
    """One wording of a script. `texts` holds per language the subject and the parts of the outline.

    {"en": {"subject": "…", "parts": ["…", …]}, "zh-hans": {…}}. A wording that somebody has used is not rewritten
    but retired, so that its rates stay those of what was said.
    """

    script = TenantForeignKey(Script, models.CASCADE, related_name="variants", verbose_name=_("script"))
    letter = models.CharField(_("variant"), max_length=2)
    texts = models.JSONField(default=dict)
    retired_at = models.DateTimeField(_("retired"), null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta(TenantModel.Meta):
        ordering: ClassVar[list[str]] = ["letter"]
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint("tenant", "script", "letter", name="script_variant_uniq")
        ]

    def __str__(self) -> str:
        return f"{self.script} {self.letter}"

    def text(self, language: str) -> Mapping[str, Any] | None:
        """Subject and parts in a language; None where it is not written in it."""
        found: Mapping[str, Any] | None = self.texts.get(language)
        return found


class ScriptUse(TenantModel):
    """A wording that was said to a customer, with the contact that somebody logged; messages know theirs themselves.

    Whether it was answered and what was bought afterwards are facts of their own: results ask for them.
    """

    variant = TenantForeignKey(ScriptVariant, models.CASCADE, related_name="uses", verbose_name=_("variant"))
    customer = TenantForeignKey(Customer, models.CASCADE, related_name="+", verbose_name=_("customer"))
    contact = TenantForeignKey(Contact, models.SET_NULL, null=True, related_name="+", verbose_name=_("contact"))
    member = TenantForeignKey(Member, models.PROTECT, null=True, related_name="+", verbose_name=_("by"))
    follow_up = TenantForeignKey(FollowUp, models.SET_NULL, null=True, related_name="+")
    interaction = TenantForeignKey(Interaction, models.CASCADE, related_name="+", verbose_name=_("logged contact"))
    channel = models.CharField(_("channel"), max_length=10, choices=Channel.choices)
    at = models.DateTimeField(_("when"))

    objects: ClassVar[Any] = manager(OfCustomerQuerySet)

    class Meta(TenantModel.Meta):
        constraints: ClassVar[list[Any]] = [models.UniqueConstraint("tenant", "interaction", name="script_use_once")]
        # The results of a script.
        indexes: ClassVar[list[Any]] = [models.Index(fields=["tenant", "variant", "at"], name="script_use_by_variant")]
