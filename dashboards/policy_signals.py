"""The customers for whom a draft's signals would have fired: the list, its filter and its columns."""

from __future__ import annotations

import datetime as dt
from functools import cached_property
from typing import Any, cast

import django_filters as filters
import polars as pl
from django import forms
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from customers.models import Customer
from customers.search import named_like
from dashboards.dry_run_signals import SignalReplay, replay_signals
from dashboards.policy_draft import draft_of
from dashboards.policy_moves import CellTable
from risk.models import Alert
from segmentation.models import Tier
from tenants.filters import StrictFilterSet
from tenants.http import TenantRequest
from tenants.pages import ChoiceColumn, PageTable, PlainColumn
from tenants.templatetags.perennial import day


def replay_of(request: TenantRequest) -> SignalReplay:
    """The replay of the member's draft, made once for a request.

    Raises InvalidPolicy for a draft with faults.
    """
    kept: dict[str, Any] = vars(request)
    if "signal_replay" not in kept:
        kept["signal_replay"] = replay_signals(draft_of(request).document)
    found: SignalReplay = kept["signal_replay"]
    return found


class SignalFilter(StrictFilterSet):
    """For which signal, and whether they then lapsed."""

    q = filters.CharFilter(
        method="by_text",
        label=_("Search"),
        widget=forms.TextInput(attrs={"type": "search", "placeholder": _("Name or number"), "autocomplete": "off"}),
    )
    signal = filters.ChoiceFilter(
        method="keep", choices=Alert.Signal.choices, label=_("Signal"), empty_label=_("All")
    )  # fmt: skip
    lapsed = filters.ChoiceFilter(
        method="keep", choices=[("yes", _("lapsed")), ("no", _("ordered"))], label=_("What then came"),
        empty_label=_("All"),
    )  # fmt: skip

    class Meta:
        model = Customer
        fields: list[str] = []

    def by_text(self, rows: Any, _name: str, text: str) -> QuerySet[Customer]:
        return named_like(rows, text)

    def keep(self, rows: QuerySet[Customer], _name: str, _value: str) -> QuerySet[Customer]:
        """What the replay answers, `filter_queryset` asks once for all."""
        return rows

    def filter_queryset(self, queryset: QuerySet[Customer]) -> QuerySet[Customer]:
        rows: QuerySet[Customer] = super().filter_queryset(queryset)
        asked = self.form.cleaned_data
        found = asked_hits(cast(TenantRequest, self.request), asked["signal"], asked["lapsed"])
        return rows.filter(pk__in=found.get_column("customer_id").unique().to_list())


def asked_hits(request: TenantRequest, signal: str, lapsed: str) -> pl.DataFrame:
    """customer_id, signal, on and lapsed of the replay: of one signal or all, lapsed or not."""
    found = replay_of(request).hits
    if signal:
        found = found.filter(pl.col("signal") == signal)
    if lapsed:
        found = found.filter(pl.col("lapsed") == (lapsed == "yes"))
    return found


class SignalTable(CellTable):
    """Customers of the replay: which signals, when the first of them fired, and what then came."""

    signals = PlainColumn(
        verbose_name=gettext_lazy("Signals"), orderable=False, empty_values=(), attrs={"td": {"class": "wrap"}}
    )
    fired = PlainColumn(verbose_name=gettext_lazy("Would have fired"), orderable=False, empty_values=())
    then = PlainColumn(verbose_name=gettext_lazy("Then"), orderable=False, empty_values=())
    tier = ChoiceColumn(Tier.choices, verbose_name=gettext_lazy("Tier"))

    class Meta(PageTable.Meta):
        sequence = ("name", "signals", "fired", "then", "money_12m", "owner_a", "tier")

    @cached_property
    def _found(self) -> dict[int, list[tuple[str, dt.date, bool]]]:
        asked = self.request.GET
        found: dict[int, list[tuple[str, dt.date, bool]]] = {}
        hits = asked_hits(self.request, asked.get("signal", ""), asked.get("lapsed", ""))
        for customer, *told in hits.select("customer_id", "signal", "on", "lapsed").iter_rows():
            found.setdefault(customer, []).append((told[0], told[1], told[2]))
        return found

    def render_signals(self, record: Any) -> str:
        return _(", ").join(str(Alert.Signal(code).label) for code, _on, _lapsed in self._found[record.pk])

    def value_signals(self, record: Any) -> str:
        return self.render_signals(record)

    def _first(self, record: Any) -> dt.date:
        return min(on for _signal, on, _lapsed in self._found[record.pk])

    def render_fired(self, record: Any) -> str:
        return day(self._first(record))

    def value_fired(self, record: Any) -> Any:
        return self._first(record)

    def render_then(self, record: Any) -> str:
        _signal, _on, lapsed = min(self._found[record.pk], key=lambda told: told[1])
        return _("lapsed") if lapsed else _("ordered")

    def value_then(self, record: Any) -> str:
        return self.render_then(record)
