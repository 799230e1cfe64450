"""The customers behind a cell of a dry run, by tier or by colour: the lists, their filters and their columns."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import django_filters as filters
import polars as pl
from django import forms
from django.db.models import QuerySet
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext, pgettext_lazy

from customers.models import Customer
from customers.search import named_like
from dashboards.dry_run import dry_run, tier_label
from dashboards.matrix import NONE
from dashboards.policy_draft import Draft, draft_of
from dashboards.tier_words import because
from health.models import Band
from segmentation.models import Tier
from segmentation.rules import tiers
from segmentation.rules.policy import TierPolicy
from segmentation.rules.tiers import TIER_ORDER
from tenants.filters import StrictFilterSet, members
from tenants.http import TenantRequest
from tenants.pages import ChoiceColumn, PageTable, PlainColumn, WordsColumn
from tenants.templatetags.perennial import day, health_mark, money


@dataclass(frozen=True)
class Move:
    """What the draft would make of one customer; `on` is the day, None for tonight."""

    after: str
    on: dt.date | None


@dataclass(frozen=True)
class Recolouring:
    """One customer's colour and score (None: not enough data) in force and under the draft."""

    before: str
    score_before: int | None
    after: str
    score_after: int | None


class Moves:
    """The dry run of a draft, customer by customer."""

    def __init__(self, draft: Draft) -> None:
        """Raises InvalidPolicy for a draft with faults."""
        self.run = dry_run(draft.document)
        self.rules = cast(TierPolicy, self.run.sections[TierPolicy.section])

    def ids(self, before: str, after: str, *, everybody: bool) -> list[int]:
        """The customers of a cell, a row or a column of tiers; without either those who move, or everybody."""
        return self._behind(self.run.outcome, before, after, everybody=everybody)

    def recoloured(self, before: str, after: str, *, everybody: bool) -> list[int]:
        """The same of colours; nobody where the draft says nothing else about them."""
        colours = self.run.colours
        return self._behind(colours.outcome, before, after, everybody=everybody) if colours else []

    @staticmethod
    def _behind(found: pl.DataFrame, before: str, after: str, *, everybody: bool) -> list[int]:
        for column, asked in (("before", before), ("after", after)):
            if asked:
                found = found.filter(pl.col(column) == ("" if asked == NONE else asked))
        if not before and not after and not everybody:
            found = found.filter(pl.col("before") != pl.col("after"))
        return found.get_column("customer_id").to_list()

    @cached_property
    def by_id(self) -> dict[int, Move]:
        waits = (pl.col("tonight") != pl.col("after")) & (pl.col("move") == "fall")
        rows = self.run.outcome.select(
            "customer_id", "after", pl.when(waits).then(pl.col("falls_on")).otherwise(pl.lit(None, dtype=pl.Date))
        )
        return {customer: Move(after, on) for customer, after, on in rows.iter_rows()}

    @cached_property
    def colours(self) -> dict[int, Recolouring]:
        """By customer; empty where the draft says nothing else about colours."""
        if self.run.colours is None:
            return {}
        rows = self.run.colours.outcome.select("customer_id", "before", "score_before", "after", "score_after")
        return {customer: Recolouring(*told) for customer, *told in rows.iter_rows()}

    @cached_property
    def _facts(self) -> dict[int, tuple[dict[str, Any] | None, str | None]]:
        found = tiers.assign(self.run.scored, self.rules, self.run.as_of).select("customer_id", "why", "pin")
        return {customer: (why, pin) for customer, why, pin in found.iter_rows()}

    def why(self, customer: int) -> str:
        """The facts that would decide the customer's tier, in words."""
        facts, pin = self._facts.get(customer, (None, None))
        if pin in TIER_ORDER[self.rules.scheme]:
            return _("pinned by a person")
        if facts is None:
            return _("never ordered")
        found = because(self.by_id[customer].after, _json(facts), self.rules)
        return pgettext("between reasons", "; ").join((*found.held, *found.missed))


def _json(facts: dict[str, Any]) -> dict[str, Any]:
    return {name: value.isoformat() if isinstance(value, dt.date) else value for name, value in facts.items()}


def moves_of(request: TenantRequest) -> Moves:
    """The dry run of the member's draft, made once for a request: filter, columns and heading ask for it.

    Raises InvalidPolicy for a draft with faults.
    """
    kept: dict[str, Any] = vars(request)
    if "policy_moves" not in kept:
        kept["policy_moves"] = Moves(draft_of(request))
    found: Moves = kept["policy_moves"]
    return found


# ── the list ─────────────────────────────────────────────────────────────────


def _tiers(_request: Any = None) -> list[tuple[str, Any]]:
    named = [(value, label) for value, label in Tier.choices if value]
    return [*named, (NONE, pgettext_lazy("tier", "No tier"))]


def _owners() -> list[tuple[str, Any]]:
    return [*((str(member.pk), str(member)) for member in members(None)), (NONE, _("nobody"))]


class MoveFilter(StrictFilterSet):
    """Which cell, row or column of the matrix, and whose customers."""

    q = filters.CharFilter(
        method="by_text",
        label=_("Search"),
        widget=forms.TextInput(attrs={"type": "search", "placeholder": _("Name or number"), "autocomplete": "off"}),
    )
    before = filters.ChoiceFilter(method="keep", choices=_tiers, label=_("Tier now"), empty_label=_("All"))
    after = filters.ChoiceFilter(method="keep", choices=_tiers, label=_("Tier then"), empty_label=_("All"))
    owner = filters.ChoiceFilter(method="by_owner", choices=_owners, label=_("A owner"), empty_label=_("All"))
    who = filters.ChoiceFilter(
        method="keep", choices=[("all", _("Everybody"))], label=_("Who"), empty_label=_("Who moves")
    )

    class Meta:
        model = Customer
        fields: list[str] = []

    def by_text(self, rows: Any, _name: str, text: str) -> QuerySet[Customer]:
        return named_like(rows, text)

    def by_owner(self, rows: QuerySet[Customer], _name: str, owner: str) -> QuerySet[Customer]:
        return rows.filter(owner_a__isnull=True) if owner == NONE else rows.filter(owner_a=int(owner))

    def keep(self, rows: QuerySet[Customer], _name: str, _value: str) -> QuerySet[Customer]:
        """What the dry run answers, `filter_queryset` asks once for all."""
        return rows

    def filter_queryset(self, queryset: QuerySet[Customer]) -> QuerySet[Customer]:
        rows: QuerySet[Customer] = super().filter_queryset(queryset)
        asked = self.form.cleaned_data
        return rows.filter(pk__in=self.behind(asked["before"], asked["after"], everybody=asked["who"] == "all"))

    def behind(self, before: str, after: str, *, everybody: bool) -> list[int]:
        """Ids of the customers of a cell, a row or a column."""
        return moves_of(cast(TenantRequest, self.request)).ids(before, after, everybody=everybody)


class ColourFilter(MoveFilter):
    """The same of the matrix of colours."""

    before = filters.ChoiceFilter(method="keep", choices=Band.choices, label=_("Health now"), empty_label=_("All"))
    after = filters.ChoiceFilter(method="keep", choices=Band.choices, label=_("Health then"), empty_label=_("All"))
    who = filters.ChoiceFilter(
        method="keep", choices=[("all", _("Everybody"))], label=_("Who"), empty_label=_("Who changes colour")
    )

    class Meta(MoveFilter.Meta):
        pass

    def behind(self, before: str, after: str, *, everybody: bool) -> list[int]:
        return moves_of(cast(TenantRequest, self.request)).recoloured(before, after, everybody=everybody)


class CellTable(PageTable):
    """Customers behind a cell: who, with what money, and whose."""

    name = PlainColumn(verbose_name=gettext_lazy("Customer"), order_by=("search_name",))
    money_12m = WordsColumn(money, verbose_name=gettext_lazy("Net money"))
    owner_a = PlainColumn(verbose_name=gettext_lazy("A owner"), order_by=("owner_a.user.name",))

    fixed = ("name",)

    class Meta(PageTable.Meta):
        pass

    def render_name(self, record: Any) -> str:
        address = reverse("customer", kwargs={"tenant": self.request.tenant.slug, "pk": record.pk})
        return format_html('<a class="row-link" href="{}">{}</a>', address, record.name)

    def value_name(self, record: Any) -> str:
        return str(record.name)


class MoveTable(CellTable):
    """Customers of a dry run: their tier now and then, from when, their money, whose they are, and why."""

    tier = ChoiceColumn(Tier.choices, verbose_name=gettext_lazy("Tier now"))
    after = PlainColumn(verbose_name=gettext_lazy("Tier then"), orderable=False, empty_values=())
    on = PlainColumn(verbose_name=gettext_lazy("When"), orderable=False, empty_values=())
    why = PlainColumn(
        verbose_name=gettext_lazy("Why"), orderable=False, empty_values=(), attrs={"td": {"class": "wrap why"}}
    )

    class Meta(PageTable.Meta):
        sequence = ("name", "tier", "after", "on", "money_12m", "owner_a", "why")

    def _move(self, record: Any) -> Move:
        return moves_of(self.request).by_id[record.pk]

    def render_after(self, record: Any) -> str:
        after = self._move(record).after
        return tier_label(after) if after else "–"

    def value_after(self, record: Any) -> str:
        after = self._move(record).after
        return tier_label(after) if after else ""

    def render_on(self, record: Any) -> str:
        move = self._move(record)
        if move.after == (record.tier or ""):
            return "–"
        return day(move.on) if move.on else pgettext("when", "next night")

    def value_on(self, record: Any) -> Any:
        move = self._move(record)
        return move.on or ("" if move.after == (record.tier or "") else pgettext("when", "next night"))

    def render_why(self, record: Any) -> str:
        return moves_of(self.request).why(record.pk)

    def value_why(self, record: Any) -> str:
        return self.render_why(record)


class ColourTable(CellTable):
    """Customers of a dry run: colour and score now and then, their money, whose they are, and their tier."""

    before = PlainColumn(verbose_name=gettext_lazy("Health now"), orderable=False, empty_values=())
    after = PlainColumn(verbose_name=gettext_lazy("Health then"), orderable=False, empty_values=())
    tier = ChoiceColumn(Tier.choices, verbose_name=gettext_lazy("Tier"))

    class Meta(PageTable.Meta):
        sequence = ("name", "before", "after", "money_12m", "owner_a", "tier")

    def _told(self, record: Any) -> Recolouring:
        return moves_of(self.request).colours[record.pk]

    def render_before(self, record: Any) -> str:
        told = self._told(record)
        return health_mark(told.before, told.score_before)

    def value_before(self, record: Any) -> str:
        told = self._told(record)
        return _health_words(told.before, told.score_before)

    def render_after(self, record: Any) -> str:
        told = self._told(record)
        return health_mark(told.after, told.score_after)

    def value_after(self, record: Any) -> str:
        told = self._told(record)
        return _health_words(told.after, told.score_after)


def _health_words(band: str, score: int | None) -> str:
    return str(Band(band).label) if score is None else f"{Band(band).label} {score}"
