"""The list of crises: what went wrong for whom, how bad it is, and how it stands."""

from __future__ import annotations

from typing import ClassVar

from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from risk.incidents.filters import IncidentFilter
from risk.incidents.views.crisis import READ
from risk.incidents.words import STATES, clock_name, level_name, when_words
from risk.models import Incident
from risk.rules.crisis_policy import CLOCKS
from tenants.pages import ChoiceColumn, ListPage, PageTable, PlainColumn, WordsColumn
from tenants.templatetags.perennial import moment


class IncidentTable(PageTable):
    """Crises: what went wrong for whom, how bad it is, and how it stands."""

    title = PlainColumn(verbose_name=gettext_lazy("Crisis"), orderable=False)
    level = ChoiceColumn(Incident.Level.choices, verbose_name=gettext_lazy("Level"), orderable=False)
    customer = PlainColumn(verbose_name=gettext_lazy("Customer"), orderable=False)
    kind = ChoiceColumn(Incident.Kind.choices, verbose_name=gettext_lazy("Kind"), orderable=False)
    opened_at = WordsColumn(moment, verbose_name=gettext_lazy("Opened"))
    state = PlainColumn(verbose_name=gettext_lazy("Now"), orderable=False, empty_values=(), accessor="pk")
    closed_at = WordsColumn(moment, verbose_name=gettext_lazy("Closed"))
    outcome = PlainColumn(verbose_name=gettext_lazy("Outcome"), orderable=False)

    fixed = ("title",)
    extra: ClassVar[tuple[str, ...]] = ("kind", "closed_at")
    indexed: ClassVar[dict[str, str]] = {"opened_at": "pk"}
    needs: ClassVar[dict[str, str]] = {"state": "clocks"}

    class Meta(PageTable.Meta):
        pass

    def render_title(self, record: Incident) -> str:
        address = reverse("crisis", kwargs={"tenant": self.request.tenant.slug, "pk": record.pk})
        drill = format_html(' <span class="badge">{}</span>', _("drill")) if record.is_drill else ""
        return format_html('<a class="row-link" href="{}">{} {}</a>{}', address, record.name, record.title, drill)

    def value_title(self, record: Incident) -> str:
        drill = _("drill")
        return f"{record.name} {record.title} ({drill})" if record.is_drill else f"{record.name} {record.title}"

    def render_level(self, record: Incident) -> str:
        return render_to_string("components/level.html", {"level": record.bars, "words": level_name(record.level)})

    def value_level(self, record: Incident) -> str:
        return level_name(record.level)

    def render_state(self, record: Incident) -> str:
        return state_words(record)

    def value_state(self, record: Incident) -> str:
        return state_words(record)


def state_words(incident: Incident) -> str:
    """How a crisis stands in a few words: its outcome, or its next clock."""
    if not incident.is_open:
        return str(incident.get_outcome_display())
    rows = {clock.kind: clock for clock in incident.clocks.all() if clock.dropped_at is None}
    clock = next((rows[kind] for kind in CLOCKS if kind in rows and rows[kind].met_at is None), None)
    if clock is None:
        return _("all clocks met")
    if clock.deadline_at is None:
        state = STATES["paused"]
    elif clock.deadline_at <= timezone.now():
        state = STATES["breached"]
    else:
        state = _("due %(at)s") % {"at": when_words(clock.deadline_at)}
    return f"{clock_name(clock.kind)}: {state}"


class IncidentList(ListPage):
    """The crises that the member sees, the newest first."""

    permission = READ
    export_permission = "customers:export"
    export_name = "crises"
    nav = "crises"
    queryset = staticmethod(lambda member: Incident.objects.visible_to(member).select_related("customer"))
    filterset = IncidentFilter
    table = IncidentTable
    template = "risk/crises.html"
    empty = "risk/crises_empty.html"
    sort = "-opened_at"
