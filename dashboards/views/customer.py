"""The page of one customer, its story, and its health on any past day.

The page itself says who the customer is, how it is, and what is to be done. Its other parts come as they are scrolled
to; without scripts a link gives the whole page.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from string import ascii_uppercase
from typing import Any, Final, get_args
from urllib.parse import urlencode

from django.core.exceptions import BadRequest
from django.db.models import F, QuerySet, Subquery, Sum
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.dateparse import parse_date
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from customers.asked import OfCustomer
from customers.models import Activity, Complaint, Contact, Customer, Interaction, Order, SurveyResponse
from dashboards import charts, timeline
from dashboards.at_hand import AtHand, at_hand, with_history, with_names
from dashboards.healths import SINCE, Health, Since, day_again, health_of, moved_of
from dashboards.lapses import lapse_at_once, lapse_of
from dashboards.offers import offers_of
from dashboards.standings import stage_of, tiering_of
from dashboards.worth import WorthCards, worth_of
from followups.journeys.services import places_of
from followups.models import FollowUp
from followups.reasons import phrase
from health.history import rows_of
from health.replay import last_day
from incentives.referrals.reading import referrals_of
from risk.alerts.words import open_alerts
from risk.models import Incident, WinBack
from segmentation import figures
from segmentation.models import Standing, Worth
from segmentation.rules.policy import TierPolicy
from segmentation.rules.rfm import window_start
from segmentation.rules.sales import add_months
from tenants.api.fields import FIRST_YEAR, LAST_YEAR
from tenants.models import Run
from tenants.pages import TenantView
from tenants.policies import Policy, active_policy, last_night_and_policy
from tenants.querysets import last_night

ORDERS_SHOWN = 10
COMPLAINTS_SHOWN = 10
HISTORY_SHOWN = 60
RESPONSES_SHOWN = 5
TALKS_SHOWN = 3


class CustomerView(TenantView):
    """Something of one customer; one that the member does not see is not there."""

    permission = "customers:read"
    nav = "customers"

    @cached_property
    def at_hand(self) -> AtHand:
        found = at_hand(self.kwargs["pk"], self.member, timezone.now())
        if found is None:
            raise Http404
        return found

    @cached_property
    def customer(self) -> Customer:
        customer = self.at_hand.customer
        with_history(customer)
        return customer


class PartView(CustomerView):
    """What the customer's page and its parts are made of; each is worked out when a part asks for it."""

    @cached_property
    def today(self) -> dt.date:
        return self.request.tenant.today()

    @cached_property
    def known(self) -> tuple[Run | None, Policy]:
        return last_night_and_policy() or (None, active_policy())

    @cached_property
    def as_of(self) -> dt.date:
        night, _policy = self.known
        return night.for_date if night else self.today

    @cached_property
    def health(self) -> Health:
        return health_of(self.customer, self.member, *self.known, has_pulses=self.at_hand.has_pulses)

    @cached_property
    def counts(self) -> dict[timeline.Tab, int]:
        return timeline.count(self.customer)

    @cached_property
    def worth(self) -> WorthCards:
        return worth_of(self.customer, self.known[1], self.member)

    @property
    def since(self) -> Since:
        asked = self.request.GET.get("since", "week")
        for each in SINCE:
            if each == asked:
                return each
        raise BadRequest(_("since is one of: %(known)s.") % {"known": ", ".join(SINCE)})

    # ── the parts that come later: what each template shows ─────────────────

    def part_moved(self) -> dict[str, Any]:
        return {"moved": moved_of(self.customer, self.health, self.since), "since": SINCE}

    def part_lapse(self) -> dict[str, Any]:
        return {"lapse": lapse_of(self.customer, self.known[1])}

    def part_spend(self) -> dict[str, Any]:
        return {"spend": spend_of(self.customer, self.today, self.as_of, self.request.tenant.currency)}

    def part_timeline(self) -> dict[str, Any]:
        story = timeline.read(self.customer, "all", None, self.member)
        return {"story": story, "tab": "all", "tabs": _tabs(self.counts), "counts": self.counts}

    def part_worth(self) -> dict[str, Any]:
        return {"worth": self.worth, "offers": offers_of(self.customer)}

    def part_dealings(self) -> dict[str, Any]:
        customer = self.customer
        complaints = Complaint.objects.filter(customer=customer).select_related("order")
        return {
            "orders": _orders(customer),
            "counts": self.counts,
            "complaints": complaints.order_by(F("solved_at").desc(nulls_first=True), "-opened_at", "-pk")[
                :COMPLAINTS_SHOWN
            ],
            "responses": _responses(customer),
            "win_back": WinBack.objects.filter(customer=customer).order_by("-last_order_on").first(),
            **referrals_of(customer),
        }


PARTS: Final = ("moved", "lapse", "spend", "timeline", "worth", "dealings")


class CustomerPage(PartView):
    """Everything about one customer: where it stands, why, what happened, what is to be done.

    With `all` the parts that come later are there at once.
    """

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        self.refuse_unknown("all", "since")
        at_hand, customer, (night, policy) = self.at_hand, self.customer, self.known
        with_names(customer)
        is_whole = "all" in request.GET or "since" in request.GET
        parts: dict[str, Any] = {}
        for name in PARTS if is_whole else ():
            parts |= getattr(self, f"part_{name}")()
        standing = _standings.first(customer.pk)
        rhythm = rhythm_of(at_hand, self.health.score.median_gap if self.health.score else None, self.today)
        return self.render(
            "dashboards/customer.html",
            **{"lapse": lapse_at_once(customer, policy)} | parts,
            is_whole=is_whole,
            customer=customer,
            night=night,
            policy_number=policy.number,
            stage=stage_of(customer, standing, rhythm.first, rhythm.last, policy, self.as_of),
            tiering=tiering_of(customer, standing, policy, night, has_pins=at_hand.has_pins),
            money=money_of(customer, standing, policy, night),
            health=self.health,
            alerts=open_alerts(customer) if at_hand.has_alerts else (),
            rhythm=rhythm,
            value=_worths.first(customer.pk),
            follow_ups=_follow_ups(customer, self.today),
            places=places_of(customer) if at_hand.has_places else (),
            contacts=_people(at_hand),
            crises=_crises(customer) if at_hand.has_crises else (),
            has_runs=at_hand.has_runs,
        )


class CustomerPart(PartView):
    """A part of the customer's page; without scripts the whole page, at that part."""

    def get(self, request: HttpRequest, part: str, **kwargs: Any) -> HttpResponse:
        if part not in PARTS:
            raise Http404
        if not self.request.htmx:
            query = urlencode({"all": "yes"} | ({"since": self.since} if "since" in request.GET else {}))
            return redirect(f"{self.address('customer', pk=self.customer.pk)}?{query}#{part}")
        return self.render(
            f"dashboards/_customer_{part}.html",
            customer=self.customer,
            is_swapped=True,
            **getattr(self, f"part_{part}")(),
        )


class CustomerHealth(CustomerView):
    """The score of any past day again, by that night's policy and the facts dated before it."""

    permission = "scores:read"

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        night, tenant = last_night(), self.request.tenant
        on = self.on(night.for_date if night else tenant.today())
        if on > last_day():
            raise BadRequest(
                _("%(day)s has not come; the last day that can be replayed is %(last)s.")
                % {"day": on, "last": last_day()}
            )
        rows = rows_of(self.customer)[::-1]
        return self.render(
            "dashboards/customer_health.html",
            customer=self.customer,
            on=on,
            again=day_again(self.customer, on),
            history=rows[:HISTORY_SHOWN],
            has_older=len(rows) > HISTORY_SHOWN,
            last_day=last_day(),
            week_before=on - dt.timedelta(days=7),
            week_after=min(on + dt.timedelta(days=7), last_day()),
        )

    def on(self, usual: dt.date) -> dt.date:
        text = self.request.GET.get("on")
        if not text:
            return usual
        try:
            found = parse_date(text)
        except ValueError:
            found = None
        if found is None or not FIRST_YEAR <= found.year <= LAST_YEAR:
            raise BadRequest(_("%(name)s is a day, like 2026-10-01, not %(text)s.") % {"name": "on", "text": text})
        return found


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


_standings: Final = OfCustomer[Standing](lambda pk: Standing.objects.filter(customer_id=pk))
_worths: Final = OfCustomer[Worth](lambda pk: Worth.objects.filter(customer_id=pk).only("clv", "expected_orders"))


def money_of(customer: Customer, standing: Standing | None, policy: Policy, night: Run | None) -> Money:
    """Net money of the window, as the night wrote it, beside the same window a year earlier."""
    months = policy.section(TierPolicy).window_months
    if standing is None or night is None:
        return Money(standing, months, None)
    start = window_start(night.for_date, months)
    before = net_between(customer, window_start(start, months), start)
    change = float(standing.monetary / before - 1) if before > 0 else None
    return Money(standing, months, change)


def net_between(customer: Customer, first: dt.date, end: dt.date) -> Decimal:
    """Net money of what was placed from `first` until before `end`, a month later or more; one query.

    Whole months are taken from the rollup, and only what is left at both ends from the orders: they lie where they
    came in, all over the table, and a customer can have a thousand of them in a year.
    """
    found: Any = _sums.first(customer.pk, first, end)  # the values of a row
    return sum((part for part in found if part is not None), Decimal(0))


def _sums_between(pk: int, first: dt.date, end: dt.date) -> QuerySet[Any]:
    whole = first if first.day == 1 else add_months(first, 1)
    rest = add_months(end, 0)
    placed = Order.objects.filter(customer_id=pk, status=Order.Status.PLACED)
    parts = (
        Activity.objects.filter(customer_id=pk, month__gte=whole, month__lt=rest),
        placed.filter(placed_on__gte=first, placed_on__lt=whole),
        placed.filter(placed_on__gte=rest, placed_on__lt=end),
    )
    sums = [Subquery(rows.order_by().values("customer_id").annotate(sum=Sum("net")).values("sum")) for rows in parts]
    rows: QuerySet[Any] = Customer.objects.filter(pk=pk).values_list(*sums)
    return rows


_sums: Final = OfCustomer[Any](_sums_between)


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


def rhythm_of(found: AtHand, gap: float | None, today: dt.date) -> Rhythm:
    """`gap` is the own one, the median that the night found; the next order is expected one gap after the last."""
    first, last = found.first_order_on, found.last_order_on
    whole = max(1, round(gap)) if gap else None
    expected = last + dt.timedelta(days=whole) if whole and last else None
    late = max(0, (today - expected).days) if expected else 0
    silent = (today - last).days if last else 0
    return Rhythm(first, last, whole, expected, late, silent, found.last_contact_at)


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
    return [(row, phrase(row, today)) for row in _open_follow_ups.rows(customer.pk)]


_open_follow_ups: Final = OfCustomer[FollowUp](
    lambda pk: (
        FollowUp.objects.filter(customer_id=pk, status=FollowUp.Status.OPEN)
        .select_related("assignee__user", "contact")
        .order_by("due_on", "pk")
    )
)


def _people(found: AtHand) -> list[tuple[Contact, SurveyResponse | None]]:
    """Who to ask there, those who left last, each with their latest NPS answer."""
    pk = found.customer.pk
    answers = {row.contact_id: row for row in _latest_answers.rows(pk)} if found.has_answers else {}
    return [(each, answers.get(each.pk)) for each in _contacts.rows(pk)]


_contacts: Final = OfCustomer[Contact](
    lambda pk: Contact.objects.filter(customer_id=pk).order_by(
        F("left_on").asc(nulls_first=True), "-is_main", "name", "pk"
    )
)
_latest_answers: Final = OfCustomer[SurveyResponse](
    lambda pk: (
        SurveyResponse.objects.filter(customer_id=pk, kind=SurveyResponse.Kind.NPS, contact__isnull=False)
        .order_by("contact_id", "-at", "-pk")
        .distinct("contact_id")
    )
)


def _crises(customer: Customer) -> QuerySet[Incident]:
    rows: QuerySet[Incident] = Incident.objects.filter(customer=customer, closed_at__isnull=True)
    return rows.order_by("-opened_at")


def _responses(customer: Customer) -> QuerySet[SurveyResponse]:
    rows: QuerySet[SurveyResponse] = SurveyResponse.objects.filter(customer=customer)
    return rows.select_related("contact", "complaint").order_by("-at", "-pk")[:RESPONSES_SHOWN]


def _orders(customer: Customer) -> list[tuple[Order, dict[str, Any]]]:
    rows = list(Order.objects.filter(customer=customer).order_by("-placed_on", "-pk")[:ORDERS_SHOWN])
    baskets = timeline.baskets_of([row.pk for row in rows])
    return [(row, baskets.get(row.pk, {})) for row in rows]
