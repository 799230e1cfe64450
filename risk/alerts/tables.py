"""The columns of the alerts board."""

from __future__ import annotations

from typing import Any, ClassVar

from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from risk.alerts.people import People
from risk.alerts.words import cause_words, state_words, tried_words
from risk.models import Alert, AnswerRole
from risk.signals.words import sentence
from tenants.pages import ChoiceColumn, PageTable, PlainColumn, WordsColumn
from tenants.templatetags.perennial import day, moment, short_money, whole


class AlertTable(PageTable):
    """Alerts: how heavy, whose, what fired, what is at risk, by when, and how it stands."""

    pick = PlainColumn(verbose_name=_("Select"), orderable=False, empty_values=(), accessor="pk")
    level = PlainColumn(verbose_name=_("Level"), accessor="level", order_by=("level", "due_at"))
    customer = PlainColumn(verbose_name=_("Customer"), orderable=False)
    signal = PlainColumn(verbose_name=_("What fired"), orderable=False, empty_values=(), accessor="signal")
    money = WordsColumn(short_money, verbose_name=_("Money at risk"))
    due_at = WordsColumn(moment, verbose_name=_("Answer due"))
    state = PlainColumn(verbose_name=_("State"), orderable=False, empty_values=(), accessor="pk")
    who = PlainColumn(verbose_name=_("Who answers"), orderable=False, empty_values=(), accessor="pk")
    risk_class = ChoiceColumn(Alert.RiskClass.choices, verbose_name=_("Class"))
    role = ChoiceColumn(AnswerRole.choices, verbose_name=_("Role"))
    repeats = WordsColumn(whole, verbose_name=_("Fired again"))
    escalations = WordsColumn(whole, verbose_name=_("Steps up the line"))
    opened_on = WordsColumn(day, verbose_name=_("Opened"))
    first_action_at = WordsColumn(moment, verbose_name=_("First action"))
    closed_on = WordsColumn(day, verbose_name=_("Closed"))
    outcome = ChoiceColumn(Alert.Outcome.choices, verbose_name=_("Outcome"))
    cause = PlainColumn(verbose_name=_("Cause"), orderable=False)
    tried = PlainColumn(verbose_name=_("What was tried"), orderable=False)
    policy_version = WordsColumn(whole, verbose_name=_("Policy"), orderable=False)

    fixed = ("pick", "level", "customer", "signal")
    extra: ClassVar[tuple[str, ...]] = (
        "risk_class", "role", "repeats", "escalations", "first_action_at", "closed_on", "outcome", "cause", "tried",
        "policy_version",
    )  # fmt: skip
    indexed: ClassVar[dict[str, str]] = {"due_at": "pk", "opened_on": "pk", "closed_on": "pk"}

    class Meta(PageTable.Meta):
        pass

    @cached_property
    def people(self) -> People:
        """Asked for once, for all rows."""
        return People()

    @cached_property
    def now(self) -> Any:
        return timezone.now()

    def render_pick(self, record: Alert) -> str:
        if record.closed_on is not None:
            return ""
        label = _("Select %(name)s") % {"name": record.customer}
        return format_html(
            '<input class="form-check-input m-0" type="checkbox" name="pick" value="{}" form="picked" aria-label="{}">',
            record.pk,
            label,
        )

    def value_pick(self, record: Alert) -> str:
        return str(record.pk)

    def render_level(self, record: Alert) -> str:
        return render_to_string("components/level.html", {"level": record.level, "words": record.get_level_display()})

    def value_level(self, record: Alert) -> str:
        return str(record.get_level_display())

    def render_customer(self, record: Alert) -> str:
        address = reverse("customer", kwargs={"tenant": self.request.tenant.slug, "pk": record.customer_id})
        return format_html('<a href="{}">{}</a>', address, record.customer)

    def value_customer(self, record: Alert) -> str:
        return str(record.customer)

    def render_signal(self, record: Alert) -> str:
        address = reverse("alert", kwargs={"tenant": self.request.tenant.slug, "pk": record.pk})
        return format_html('<a class="row-link" href="{}">{}</a>', address, sentence(record))

    def value_signal(self, record: Alert) -> str:
        return sentence(record)

    def render_due_at(self, record: Alert) -> str:
        late = " late" if record.closed_on is None and record.is_late(self.now) else ""
        return format_html('<span class="when{}">{}</span>', late, moment(record.due_at))

    def value_due_at(self, record: Alert) -> Any:
        return record.due_at

    def render_state(self, record: Alert) -> str:
        return state_words(record, self.now)

    def value_state(self, record: Alert) -> str:
        return state_words(record, self.now)

    def render_who(self, record: Alert) -> str:
        if record.closed_on is not None:
            return str(record.closed_by or "–")
        customer = record.customer
        found = self.people.whose(
            role=record.role, owner_a=customer.owner_a_id, owner_b=customer.owner_b_id, assignee=record.assignee_id
        )
        return ", ".join(map(str, found)) or "–"

    def value_who(self, record: Alert) -> str:
        return self.render_who(record)

    def render_cause(self, value: str) -> str:
        return cause_words(value)

    def value_cause(self, value: str) -> str:
        return cause_words(value)

    def render_tried(self, value: Any) -> str:
        return tried_words(value)

    def value_tried(self, value: Any) -> str:
        return tried_words(value)
