"""The customers list and the page of one customer."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from string import ascii_uppercase
from typing import Any, get_args
from urllib.parse import urlencode

from django.contrib import messages
from django.core.exceptions import BadRequest
from django.db.models import F, Max, Min, Sum
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext

import customers.services
import followups.services
from customers.forms import CustomerForm
from customers.models import Activity, Complaint, Contact, Customer, Interaction, Order
from dashboards import charts, timeline
from dashboards.filters import CustomerPageFilter
from dashboards.offers import offers_of
from dashboards.querysets import customer_rows
from dashboards.receipts import Drawn, draw
from dashboards.segments import SEGMENT_FILTERS
from dashboards.standings import stage_of, tiering_of
from dashboards.tables import CustomerTable
from dashboards.worth import worth_of
from followups.models import FollowUp
from followups.reasons import phrase
from health.models import HealthHistory, HealthScore
from health.rules.policy import HealthPolicy
from risk.models import Alert
from segmentation import figures
from segmentation.models import Standing
from segmentation.rules.policy import TierPolicy
from segmentation.rules.rfm import window_start
from tenants.models import Run
from tenants.pages import FormPage, ListPage, TenantView
from tenants.permissions import SEES_ALL
from tenants.policies import Policy, policy_of
from tenants.querysets import last_night
from tenants.templatetags.perennial import whole

ORDERS_SHOWN = 10
COMPLAINTS_SHOWN = 10
TALKS_SHOWN = 3


class CustomerList(ListPage):
    """All customers that the member sees."""

    permission = "customers:read"
    nav = "customers"
    queryset = staticmethod(customer_rows)
    filterset = CustomerPageFilter
    table = CustomerTable
    template = "dashboards/customers.html"
    empty = "dashboards/customers_empty.html"
    sort = "name"
    export_permission = "customers:export"
    export_name = "customers"

    def counted(self, count: int) -> str:
        return ngettext("%(count)s customer", "%(count)s customers", count) % {"count": whole(count)}

    def context(self, rows: Sequence[Any]) -> dict[str, Any]:
        """Filters can be saved as a segment, those by a saved segment cannot."""
        asked = {name: values for name, values in self._filter_values().lists() if any(values)}
        may_save = self.member.can("segments:write") and asked and not SEGMENT_FILTERS & asked.keys()
        if not may_save:
            return {}
        address = f"{self.address('segment-save')}?{urlencode(asked, doseq=True)}"
        return {"list_action": "dashboards/_segment_save.html", "save_address": address}


class CustomerView(TenantView):
    """Something of one customer; one that the member does not see is not there."""

    permission = "customers:read"
    nav = "customers"

    @cached_property
    def customer(self) -> Customer:
        rows = customer_rows(self.member).prefetch_related("tags", "external_ids")
        found: Customer = get_object_or_404(rows, pk=self.kwargs["pk"])
        return found


class CustomerPage(CustomerView):
    """Everything about one customer: where it stands, why, what happened, what is to be done."""

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        customer, night, today = self.customer, last_night(), self.request.tenant.today()
        policy = policy_of(night)
        as_of = night.for_date if night else today
        standing = Standing.objects.filter(customer=customer).first()
        rhythm = rhythm_of(customer, today)
        counts = timeline.count(customer)
        return self.render(
            "dashboards/customer.html",
            customer=customer,
            policy_number=policy.number,
            stage=stage_of(customer, standing, rhythm.first, rhythm.last, policy, as_of),
            tiering=tiering_of(customer, standing, policy, night),
            money=money_of(customer, standing, policy, night),
            health=health_of(customer, policy, night),
            rhythm=rhythm,
            worth=worth_of(customer, policy, self.member),
            offers=offers_of(customer),
            spend=spend_of(customer, today, as_of, self.request.tenant.currency),
            follow_ups=_follow_ups(customer, today),
            alerts=Alert.objects.filter(customer=customer, closed_on__isnull=True),
            contacts=Contact.objects.filter(customer=customer).order_by(
                F("left_on").asc(nulls_first=True), "-is_main", "name", "pk"
            ),
            complaints=Complaint.objects.filter(customer=customer)
            .select_related("order")
            .order_by(F("solved_at").desc(nulls_first=True), "-opened_at", "-pk")[:COMPLAINTS_SHOWN],
            orders=_orders(customer),
            story=timeline.read(customer, "all", None, self.member),
            tab="all",
            tabs=_tabs(counts),
            counts=counts,
        )


class CustomerTimeline(CustomerView):
    """A page of the customer's story: a fragment, or without scripts a page of its own."""

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        tab = request.GET.get("tab", "all")
        if tab not in get_args(timeline.Tab):
            raise BadRequest(_("This timeline has no tab %(name)s.") % {"name": tab})
        before = request.GET.get("before")
        mark = timeline.Mark.parse(before) if before else None
        story = timeline.read(self.customer, tab, mark, self.member)  # type: ignore[arg-type]  # just checked
        context: dict[str, Any] = {"customer": self.customer, "story": story, "tab": tab}
        if self.request.htmx and mark:
            return self.render("dashboards/_timeline_months.html", **context)
        template = "dashboards/_timeline.html" if self.request.htmx else "dashboards/customer_timeline.html"
        counts = timeline.count(self.customer)
        return self.render(template, **context, counts=counts, tabs=_tabs(counts))


def _tabs(counts: dict[timeline.Tab, int]) -> list[tuple[timeline.Tab, str, int]]:
    words = {
        "all": _("All"),
        "orders": _("Orders"),
        "contacts": pgettext("talks", "Contacts"),
        "alerts": _("Alerts"),
        "changes": _("Changes"),
    }
    return [(tab, words[tab], counts[tab]) for tab in timeline.TABS]


# ── the parts of the page ────────────────────────────────────────────────────


@dataclass(frozen=True)
class Money:
    """What the customer was worth in the policy's window up to the last night, and in the one before."""

    standing: Standing | None
    months: int
    change: float | None

    @property
    def average(self) -> Decimal | None:
        if self.standing is None or not self.standing.frequency:
            return None
        return Decimal(self.standing.monetary) / self.standing.frequency


def money_of(customer: Customer, standing: Standing | None, policy: Policy, night: Run | None) -> Money:
    """Net money of the window, as the night wrote it, beside the same window a year earlier."""
    months = policy.section(TierPolicy).window_months
    if standing is None or night is None:
        return Money(standing, months, None)
    start = window_start(night.for_date, months)
    before = Order.objects.filter(
        customer=customer, status=Order.Status.PLACED, placed_on__gte=window_start(start, months), placed_on__lt=start
    ).aggregate(net=Sum("net"))["net"]
    change = float(standing.monetary / before - 1) if before and before > 0 else None
    return Money(standing, months, change)


@dataclass(frozen=True)
class Health:
    """The score with its receipt as of the last night, and where it came from."""

    score: HealthScore | None
    drawn: Drawn | None
    week: int | None
    month: int | None
    chart: dict[str, Any]
    history: list[HealthHistory]


def health_of(customer: Customer, policy: Policy, night: Run | None) -> Health:
    """Today's score, its receipt, and its changes since a week and a month before the last night."""
    rules = policy.section(HealthPolicy)
    score = HealthScore.objects.filter(customer=customer).first()
    if score is None or night is None:
        return Health(score, None, None, None, {}, [])
    since = night.for_date - dt.timedelta(weeks=charts.WEEKS)
    history = list(HealthHistory.objects.filter(customer=customer, on__gt=since).order_by("on"))
    today = HealthHistory(customer=customer, on=night.for_date, score=score.score, band=score.band)
    if not history or history[-1].on < night.for_date:
        history.append(today)
    return Health(
        score=score,
        drawn=draw(score.receipt(rules, night.for_date)),
        week=_change(history, score.score, night.for_date - dt.timedelta(days=7)),
        month=_change(history, score.score, night.for_date - dt.timedelta(days=30)),
        chart=charts.health(history, yellow=rules.yellow, green=rules.green),
        history=history,
    )


def _change(history: Sequence[HealthHistory], score: int | None, day: dt.date) -> int | None:
    """How far the score has come since the last one known on that day."""
    before = next((row.score for row in reversed(history) if row.on <= day), None)
    return None if score is None or before is None else score - before


@dataclass(frozen=True)
class Rhythm:
    """When the customer orders: first and last order, own gap in days, when the next one is expected.

    `late` are the days since then, `silent` those since the last order.
    """

    first: dt.date | None
    last: dt.date | None
    gap: int | None
    expected: dt.date | None
    late: int
    silent: int
    last_contact: dt.datetime | None


def rhythm_of(customer: Customer, today: dt.date) -> Rhythm:
    """Own gap = the median that the night found; the next order is expected one gap after the last."""
    orders = Order.objects.filter(customer=customer, status=Order.Status.PLACED, kind=Order.Kind.ORDER)
    days = orders.aggregate(first=Min("placed_on"), last=Max("placed_on"))
    gap = HealthScore.objects.filter(customer=customer).values_list("median_gap", flat=True).first()
    whole = max(1, round(gap)) if gap else None
    expected = days["last"] + dt.timedelta(days=whole) if whole and days["last"] else None
    contact = Interaction.objects.filter(customer=customer).aggregate(last=Max("at"))["last"]
    late = max(0, (today - expected).days) if expected else 0
    silent = (today - days["last"]).days if days["last"] else 0
    return Rhythm(days["first"], days["last"], whole, expected, late, silent, contact)


@dataclass(frozen=True)
class Turn:
    """A turning point of the spending with its letter: in the list, and on the chart if that reaches back so far."""

    letter: str
    found: figures.Inflection
    talks: Sequence[Interaction]
    more: int


@dataclass(frozen=True)
class Spend:
    """Net money of the last 24 months: what the chart draws, the figures below it, and where the level changed."""

    chart: dict[str, Any]
    figures: Sequence[tuple[dt.date, Activity | None]]
    is_empty: bool
    turns: Sequence[Turn]


def spend_of(customer: Customer, today: dt.date, as_of: dt.date, currency: str) -> Spend:
    """Months up to today; turning points of the full months before `as_of`."""
    months = charts.months_until(today)
    rows = Activity.objects.filter(customer=customer, month__gte=months[0])
    by_month = {row.month: row for row in rows}
    series = [(month, by_month[month].net if month in by_month else Decimal(0)) for month in months]
    turns = [
        Turn(ascii_uppercase[number], found, found.talks[:TALKS_SHOWN], max(0, len(found.talks) - TALKS_SHOWN))
        for number, found in enumerate(figures.inflections(customer, as_of))
    ]
    return Spend(
        chart=charts.spend(series, currency, {turn.found.month: turn.letter for turn in turns}),
        figures=[(month, by_month.get(month)) for month in reversed(months)],
        is_empty=not by_month,
        turns=turns,
    )


def _follow_ups(customer: Customer, today: dt.date) -> list[tuple[FollowUp, str]]:
    rows = (
        FollowUp.objects.filter(customer=customer, status=FollowUp.Status.OPEN)
        .select_related("assignee__user", "contact")
        .order_by("due_on", "pk")
    )
    return [(row, phrase(row, today)) for row in rows]


def _orders(customer: Customer) -> list[tuple[Order, dict[str, Any]]]:
    rows = list(Order.objects.filter(customer=customer).order_by("-placed_on", "-pk")[:ORDERS_SHOWN])
    baskets = timeline.baskets_of([row.pk for row in rows])
    return [(row, baskets.get(row.pk, {})) for row in rows]


# ── changing a customer ──────────────────────────────────────────────────────


class CustomerAdd(FormPage):
    """A new customer; who adds one without a say over owners becomes its A owner."""

    permission = "customers:write"
    nav = "customers"
    heading = gettext_lazy("Add customer")
    submit = gettext_lazy("Add")

    def form(self, data: Any = None, files: Any = None) -> CustomerForm:
        return CustomerForm(data, may_change_owners=self.member.can("follow-ups:assign"))

    def save(self, form: CustomerForm) -> HttpResponse:
        fields = dict(form.cleaned_data)
        if "owner_a" not in fields and self.member.role not in SEES_ALL:
            fields["owner_a"] = self.member
        customer = customers.services.create_customer(**fields)
        messages.success(self.request, _("%(name)s is added.") % {"name": customer})
        return self.done("customer", pk=customer.pk)

    def back(self) -> str:
        return self.address("customers")


class CustomerEdit(FormPage):
    """Change what is known about a customer, and for a lead whose it is: open follow-ups move with it."""

    permission = "customers:write"
    nav = "customers"

    @cached_property
    def customer(self) -> Customer:
        rows = Customer.objects.visible_to(self.member).select_related("owner_a", "owner_b")
        found: Customer = get_object_or_404(rows, pk=self.kwargs["pk"])
        return found

    def title(self) -> str:
        return self.customer.name

    def form(self, data: Any = None, files: Any = None) -> CustomerForm:
        return CustomerForm(data, customer=self.customer, may_change_owners=self.member.can("follow-ups:assign"))

    def save(self, form: CustomerForm) -> HttpResponseBase:
        fields = dict(form.cleaned_data)
        if "owner_a" in fields:
            owners = {name: fields.pop(name) for name in ("owner_a", "owner_b")}
            followups.services.change_owner(customer=self.customer, member=self.member, **owners)
        customers.services.patch_customer(customer=self.customer, **fields)
        messages.success(self.request, _("%(name)s is saved.") % {"name": self.customer})
        return self.done("customer", pk=self.customer.pk)

    def back(self) -> str:
        return self.address("customer", pk=self.customer.pk)
