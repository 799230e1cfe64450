"""Reading for Today: the rows of the queue in words, the strip's numbers, and one customer's preview."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Any, Final

from django.db.models import Count, F, FilteredRelation, Q, QuerySet, Sum
from django.utils.translation import get_language, ngettext, pgettext
from django.utils.translation import gettext as _

from customers.asked import OfCustomer
from customers.models import Channel, Contact, Customer, Interaction, TouchKind
from customers.querysets import sees_by
from customers.tallies import tallied
from dashboards.lapse_words import SHORT_WHY
from dashboards.querysets import customers_at_risk
from dashboards.receipts import Drawn, draw
from followups.messages.whys import task_why
from followups.models import FollowUp
from followups.querysets import FollowUpQuerySet, QueueCounts, View, in_view, next_after, touched
from followups.reasons import phrase, snooze_words
from followups.rules.policy import CadencePolicy
from followups.rules.ranking import Reasoning, explain
from health.history import week_before
from health.models import Band, HealthScore, HealthTally, LapseForecast
from health.replay import current
from risk.models import Alert
from segmentation.models import Standing, Tier
from tenants.base import POINTS
from tenants.calendars import firm_calendar
from tenants.context import current_tenant
from tenants.kept import Kept
from tenants.models import Member, Run
from tenants.policies import Policy
from tenants.prepared import ANY_ROW, QUERIES_KEPT, Prepared
from tenants.templatetags.perennial import channel_icon, clock, weekday_day
from tenants.templatetags.perennial import day as short_day

LAST_CONTACTS: Final = 4

# Outcomes as people say them, and whether the customer answered.
OUTCOMES: Final[Mapping[str, bool | None]] = {"sent": None, "talked": True, "none": False}
_SPOKEN: Final = frozenset({Channel.PHONE, Channel.VISIT, Channel.STORE})


@dataclass(frozen=True)
class Row:
    """One line of the queue, ready to print. `state` of the due day: late, today or later."""

    number: int
    pk: int
    customer_id: int
    name: str
    tier: str
    band: str
    score: int | None
    change: int | None
    why: str
    due: str
    state: str
    channel: str
    icon: str
    is_severe: bool


def queue_rows(member: Member, view: View, today: dt.date, order: Sequence[int]) -> list[Row]:
    """The follow-ups `order` that still wait in the view, in that order and with their place in it.

    One query, however many rows there are.
    """
    if not order:
        return []
    place = {pk: number for number, pk in enumerate(order, start=1)}
    anybody = range(-len(order), 0)  # no row has these numbers: they hold the places of the rows
    key = (current_tenant().pk, member.pk, sees_by(member), view, today, len(order))
    asked = _waiting.get(key, lambda: Prepared(_waiting_among(member, view, today, anybody), *anybody))
    waiting = sorted(asked.rows(*order), key=lambda row: place[row.pk])
    # Said once for all rows that have the same.
    tier, channel = cache(tier_name), cache(_channel_name)
    return [_row(row, place[row.pk], today, tier=tier(row.tier), channel=channel(row.channel)) for row in waiting]


_waiting: Final[Kept[tuple[Any, ...], Prepared[Any]]] = Kept(QUERIES_KEPT)


def _waiting_among(member: Member, view: View, today: dt.date, among: Sequence[int]) -> FollowUpQuerySet:
    rows = FollowUp.objects.visible_to(member).filter(in_view(member, view), pk__in=among)
    return _with_standing(rows).waiting(today).order_by()


def _with_standing(rows: FollowUpQuerySet) -> FollowUpQuerySet:
    """With tier, score (and that of last week) and band of last night, and the name of the customer."""
    tenant = current_tenant().pk
    # The tenant is said in each join: the wall's own condition then costs nothing.
    return rows.annotate(
        standing=FilteredRelation("customer__standings", condition=Q(customer__standings__tenant_id=tenant)),
        health=FilteredRelation("customer__health_scores", condition=Q(customer__health_scores__tenant_id=tenant)),
    ).annotate(
        name=F("customer__name"),
        tier=F("standing__tier"),
        score=F("health__score"),
        week_score=F("health__week_score"),
        band=F("health__band"),
    )


def _row(row: Any, number: int, today: dt.date, *, tier: str, channel: str) -> Row:
    words, state = due_words(row, row.day, today)
    return Row(
        number=number,
        pk=row.pk,
        customer_id=row.customer_id,
        name=row.name,
        tier=tier,
        band=row.band or Band.NONE.value,
        score=row.score,
        change=None if row.week_score is None or row.score is None else row.score - row.week_score,
        why=phrase(row, today),
        due=words,
        state=state,
        channel=channel,
        icon=channel_icon(row.channel),
        is_severe=row.level == FollowUp.Level.SEVERE,
    )


def tier_name(tier: str | None) -> str:
    """A tier as people call it; empty for a customer without one."""
    return str(Tier(tier).label) if tier else ""


def _channel_name(channel: str) -> str:
    return str(Channel(channel).label)


def due_words(follow_up: FollowUp, day: dt.date, today: dt.date) -> tuple[str, str]:
    """When it is due (Today 18:00, 1 day late, Mon 23 Nov), and whether that is late, today or later."""
    late = (today - day).days
    if late > 0:
        return ngettext("%(days)d day late", "%(days)d days late", late) % {"days": late}, "late"
    if late == 0:
        # Put off to today: the hour of the day it was due first no longer counts.
        hour = clock(follow_up.due_at) if follow_up.due_at and follow_up.due_on == today else ""
        return f"{pgettext('due', 'Today')} {hour}".strip(), "today"
    # The day of the week does not fit the Chinese row beside the month.
    return short_day(day) if (get_language() or "").startswith("zh") else weekday_day(day), "later"


# ── the strip ────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class AtRisk:
    """Customers with a red health or an open alert, and their net money of 12 months."""

    money: Decimal
    customers: int


@dataclass(frozen=True)
class Alerts:
    """Open alerts, how many are severe, and of how many customers they are."""

    open: int
    severe: int
    customers: int


@dataclass(frozen=True)
class Strip:
    """The four numbers over the queue."""

    counts: QueueCounts
    done: int
    at_risk: AtRisk
    alerts: Alerts


def risk(member: Member) -> tuple[AtRisk, Alerts]:
    """The member's customers at risk, and their open alerts: what the last night has counted, else by their rows."""
    if cells := tallied(HealthTally, member, "risk"):
        (cell,) = cells
        return (
            AtRisk(money=Decimal(cell["money"]) / POINTS, customers=cell["customers"]),
            Alerts(open=cell["alerts"], severe=cell["severe"], customers=cell["alarmed"]),
        )
    return _at_risk(member), _alerts(member)


def _at_risk(member: Member) -> AtRisk:
    rows = customers_at_risk(Customer.objects.visible_to(member))
    standing = FilteredRelation("standings", condition=Q(standings__tenant_id=current_tenant().pk))
    sums = rows.annotate(standing=standing).aggregate(customers=Count("pk"), money=Sum("standing__monetary"))
    return AtRisk(money=sums["money"] or Decimal(0), customers=sums["customers"])


def _alerts(member: Member) -> Alerts:
    rows = Alert.objects.visible_to(member).filter(closed_on__isnull=True)
    severe = Count("pk", filter=Q(level=Alert.Level.SEVERE))
    customers = Count("customer", distinct=True)
    return Alerts(**rows.order_by().aggregate(open=Count("pk"), severe=severe, customers=customers))


# ── the preview ──────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Coming:
    """The next touch by the cadence."""

    kind: str
    day: dt.date

    @property
    def words(self) -> str:
        return str(TouchKind(self.kind).label)


@dataclass(frozen=True)
class Preview:
    """One follow-up and its customer, beside the queue or on a page of its own."""

    follow_up: FollowUp
    customer: Customer
    contact: Contact | None
    tier: str
    why: str
    due: str
    state: str
    money: Decimal | None
    orders: int | None
    last_order_on: dt.date | None
    expected_on: dt.date | None
    expected_late: int
    band: str
    score: int | None
    change: int | None
    change_since: dt.date | None
    lapse: LapseForecast | None
    lapse_why: str
    drawn: Drawn | None
    contacts: list[Any]
    contacts_count: int
    next_touch: Coming | None
    snoozed: str
    reasoning: Reasoning

    @property
    def is_open(self) -> bool:
        return self.follow_up.status == FollowUp.Status.OPEN

    @property
    def waited(self) -> str:
        """Why the contact governor has moved it, in words; empty where it has not."""
        return task_why(self.follow_up.facts)

    @property
    def worth(self) -> Decimal:
        """The money that the rank counts with."""
        return Decimal(self.reasoning.worth) / POINTS

    @property
    def at_risk(self) -> Decimal:
        """As much of it as the risk says."""
        return self.worth * self.reasoning.risk / 100

    @property
    def rank_money(self) -> Decimal:
        """The rank, which is money: at risk, weighted by reason and urgency."""
        return Decimal(self.reasoning.rank) / POINTS

    @property
    def rank_coming(self) -> Decimal:
        """The rank by what is known now."""
        return Decimal(self.reasoning.coming) / POINTS

    @property
    def outcome(self) -> str:
        """What is chosen before anybody chooses: a call is a talk, a message was sent."""
        return "talked" if self.follow_up.channel in _SPOKEN else "sent"


def preview(follow_up: FollowUp, policy: Policy, today: dt.date, night: Run | None) -> Preview:
    """Everything the preview shows; the same few queries for every customer.

    `follow_up` comes with its customer, contact and people (`preview_row`, `name_people`).
    """
    customer = follow_up.customer
    standing = _standings.first(customer.pk)
    health = _scores.first(customer.pk)
    drawn = _receipt(health, night, policy) if health and health.score is not None and night else None
    lapse = _forecasts.first(customer.pk)
    expected = _expected(health)
    words, state = due_words(follow_up, follow_up.day, today)
    contacts = touched(customer)
    cadence = policy.section(CadencePolicy)
    tier = standing.tier if standing else ""
    calendar = firm_calendar(policy)
    upcoming = next_after(customer, tier, cadence, kind=follow_up.kind, today=today, calendar=calendar, known=contacts)
    reasoning = explain(
        priority=follow_up.priority,
        money=int(standing.monetary * POINTS) if standing else None,
        score=health.score if health else None,
        level=follow_up.level,
        due_on=follow_up.day,
        as_of=today,
    )
    return Preview(
        follow_up=follow_up,
        customer=customer,
        contact=follow_up.contact or first_to_ask(customer),
        tier=tier_name(tier),
        why=phrase(follow_up, today),
        due=words,
        state=state,
        money=standing.monetary if standing else None,
        orders=standing.frequency if standing else None,
        last_order_on=standing.last_order_on if standing else None,
        expected_on=expected,
        expected_late=(today - expected).days if expected else 0,
        band=health.band if health else Band.NONE.value,
        score=health.score if health else None,
        change=health.week_change if health else None,
        change_since=week_before(health.as_of(night.for_date)) if health and night else None,
        lapse=lapse,
        lapse_why=str(SHORT_WHY.get(lapse.code, "")) if lapse else "",
        drawn=drawn,
        contacts=_last_contacts(customer) if contacts.count else [],
        contacts_count=contacts.count,
        next_touch=Coming(*upcoming) if upcoming else None,
        snoozed=snooze_words(follow_up.snooze_reason),
        reasoning=reasoning,
    )


_standings: Final = OfCustomer[Standing](lambda pk: Standing.objects.filter(customer_id=pk))
_scores: Final = OfCustomer[HealthScore](lambda pk: HealthScore.objects.filter(customer_id=pk))
_forecasts: Final = OfCustomer[LapseForecast](lambda pk: LapseForecast.objects.filter(customer_id=pk))
_latest: Final = OfCustomer[Interaction](
    lambda pk: Interaction.objects.filter(customer_id=pk).order_by("-at", "-pk")[:LAST_CONTACTS]
)


def coming(follow_up: FollowUp, policy: Policy, today: dt.date) -> Coming | None:
    """What the cadence asks for next once a contact of the follow-up's kind is logged today."""
    standing = _standings.first(follow_up.customer_id)
    tier = standing.tier if standing else ""
    cadence, calendar = policy.section(CadencePolicy), firm_calendar(policy)
    found = next_after(follow_up.customer, tier, cadence, kind=follow_up.kind, today=today, calendar=calendar)
    return Coming(*found) if found else None


def preview_rows(member: Member) -> FollowUpQuerySet:
    """Follow-ups that the member sees, with their customer and contact."""
    return FollowUp.objects.visible_to(member).select_related("customer", "contact")


_previewed: Final[Kept[tuple[Any, ...], Prepared[FollowUp]]] = Kept(QUERIES_KEPT)


def preview_row(member: Member, pk: int) -> FollowUp | None:
    """One of `preview_rows`; None for one that the member does not see."""
    key = (current_tenant().pk, *sees_by(member))
    asked = _previewed.get(key, lambda: Prepared(preview_rows(member).filter(pk=ANY_ROW).order_by(), ANY_ROW))
    return next(iter(asked.rows(pk)), None)


def name_people(row: FollowUp, member: Member) -> FollowUp:
    """A row of `preview_rows` with the members that its preview names: most are the same one or two, asked for once.

    Of an account manager's own work it is most often only `member`, who looks at it.
    """
    places = [(row.customer, "owner_a"), (row.customer, "owner_b"), (row, "assignee"), (row, "closed_by")]
    named = [(of, name, pk) for of, name in places if (pk := getattr(of, f"{name}_id")) is not None]
    others = {pk for _of, _name, pk in named} - {member.pk}
    people = {member.pk: member} | (_named(others) if others else {})
    for of, name, pk in named:
        setattr(of, name, people[pk])
    return row


_people: Final[Kept[tuple[int, int], Prepared[Member]]] = Kept(QUERIES_KEPT)


def _named(people: Collection[int]) -> dict[int, Member]:
    anybody = range(-len(people), 0)  # as in queue_rows
    rows: QuerySet[Member] = Member.objects.select_related("user")
    key = (current_tenant().pk, len(people))
    asked = _people.get(key, lambda: Prepared(rows.filter(pk__in=anybody).order_by(), *anybody))
    return {each.pk: each for each in asked.rows(*people)}


def first_to_ask(customer: Customer) -> Contact | None:
    """The contact to ask first: the main one, else the first; nobody who has left or withdrew consent."""
    reachable = Contact.objects.filter(customer=customer, left_on__isnull=True)
    found: Contact | None = reachable.exclude(consent=Contact.Consent.WITHDRAWN).order_by("-is_main", "pk").first()
    return found


def _expected(health: HealthScore | None) -> dt.date | None:
    if health is None or health.last_order_on is None or not health.median_gap:
        return None
    expected: dt.date = health.last_order_on + dt.timedelta(days=round(health.median_gap))
    return expected


def _receipt(health: HealthScore, night: Run, policy: Policy) -> Drawn:
    """The receipt of a score; `policy`, which is in force now, is most days the one by which the night worked."""
    return draw(current(health, night, policy if policy.number == night.policy_version else None)[0])


def _last_contacts(customer: Customer) -> list[dict[str, Any]]:
    return [_contact(each) for each in _latest.rows(customer.pk)]


def _contact(row: Interaction) -> dict[str, Any]:
    """A contact in a few words: what it was about, else how it was made; and when nobody answered."""
    about = row.topic or " ".join(row.note.split()) or str(row.get_kind_display())
    silent = row.answered is False and row.direction == Interaction.Direction.OUTBOUND
    words = _("%(about)s, no answer") % {"about": about} if silent else about
    return {
        "icon": channel_icon(row.channel),
        "channel": str(row.get_channel_display()),
        "words": words,
        "on": current_tenant().local_date(row.at),
    }
