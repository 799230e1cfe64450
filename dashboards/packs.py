"""Hand-over packs: what somebody must know who takes customers over, for a while or for good.

Of each customer: what was promised, what is open, what is going wrong, how its people like to be approached, and what
was said last. Everything is read for all customers at once.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from customers.models import Channel, Complaint, Contact, Customer, Interaction
from dashboards.today import tier_name
from followups.models import CareWishes, FollowUp
from followups.reasons import PLANNED, PROMISE, phrase
from health.models import Band, HealthScore
from risk.models import Alert
from segmentation.models import Standing
from tenants.models import Member

MOST: Final = 300
"""Customers in one pack, those with the most money first."""

WORDS: Final = 3
"""Last contacts of each customer, those with a note first to be kept."""


@dataclass(frozen=True)
class Due:
    """A follow-up that is open: when, why, and whether it was promised."""

    on: dt.date
    words: str
    is_late: bool


@dataclass(frozen=True)
class Said:
    """What was said: when, by whom, how, and the note."""

    at: dt.datetime
    by: str
    channel: str
    note: str


@dataclass(frozen=True)
class Person:
    """A contact: how to reach them, and what they like."""

    name: str
    title: str
    ways: str
    likes: str


@dataclass(frozen=True)
class Pack:
    """One customer's page of the pack."""

    pk: int
    name: str
    tier: str
    health: str
    band: str
    owners: str
    tags: str
    note: str
    promises: tuple[Due, ...]
    others: tuple[Due, ...]
    risks: tuple[str, ...]
    people: tuple[Person, ...]
    words: tuple[Said, ...]


def customers_of(person: Member, viewer: Member) -> QuerySet[Customer]:
    """Living customers of a person that the viewer sees: those they own, and those for whom they have work open."""
    work = FollowUp.objects.filter(assignee=person, status=FollowUp.Status.OPEN).values("customer")
    rows: QuerySet[Customer] = Customer.objects.visible_to(viewer).filter(closed_on__isnull=True)
    return rows.filter(Q(owner_a=person) | Q(pk__in=work))


def packs_of(customers: QuerySet[Customer], today: dt.date) -> list[Pack]:
    """The packs of these customers, those with the most money first, at most MOST."""
    standings = Standing.objects.filter(customer__in=customers)
    best = list(standings.order_by("-monetary", "customer").values_list("customer", flat=True)[:MOST])
    rest = customers.exclude(pk__in=best).order_by("search_name", "pk").values_list("pk", flat=True)
    ids = [*best, *rest[: MOST - len(best)]]
    found = Customer.objects.filter(pk__in=ids).select_related("owner_a__user", "owner_b__user")
    rows = {row.pk: row for row in found.prefetch_related("tags")}
    facts = _Facts(ids, today)
    return [facts.pack(rows[pk]) for pk in ids]


class _Facts:
    """What is known of these customers, by customer."""

    def __init__(self, ids: Sequence[int], today: dt.date) -> None:
        self.today = today
        mine: dict[str, Any] = {"customer__in": ids}
        self.tiers = dict(Standing.objects.filter(**mine).values_list("customer", "tier"))
        scores = HealthScore.objects.filter(**mine).values_list("customer", "band", "score")
        self.scores = {pk: (band, score) for pk, band, score in scores}
        open_ones = FollowUp.objects.filter(**mine, status=FollowUp.Status.OPEN).order_by("day", "pk")
        self.follow_ups = _by_customer(open_ones)
        self.alerts = _by_customer(Alert.objects.filter(**mine, closed_on__isnull=True))
        unsolved = Complaint.objects.filter(**mine, solved_at__isnull=True).order_by("opened_at")
        self.complaints = _by_customer(unsolved)
        here = Contact.objects.filter(**mine, left_on__isnull=True).order_by("-is_main", "name", "pk")
        self.contacts = _by_customer(here)
        people = [contact.pk for each in self.contacts.values() for contact in each]
        self.wishes = {each.contact_id: each for each in CareWishes.objects.filter(contact__in=people)}
        self.words = _last_words(ids)

    def pack(self, customer: Customer) -> Pack:
        band, score = self.scores.get(customer.pk, (Band.NONE.value, None))
        follow_ups = self.follow_ups.get(customer.pk, [])
        owners = [str(owner) for owner in (customer.owner_a, customer.owner_b) if owner]
        return Pack(
            pk=customer.pk,
            name=customer.name,
            tier=tier_name(self.tiers.get(customer.pk)),
            health=f"{Band(band).label} {'' if score is None else score}".strip(),
            band=band,
            owners=" / ".join(owners) or "–",
            tags=_(", ").join(sorted(tag.name for tag in customer.tags.all())),
            note=customer.note,
            promises=tuple(self._due(row) for row in follow_ups if row.rule in {PROMISE, PLANNED}),
            others=tuple(self._due(row) for row in follow_ups if row.rule not in {PROMISE, PLANNED}),
            risks=tuple(self._risks(customer.pk)),
            people=tuple(self._person(contact) for contact in self.contacts.get(customer.pk, [])),
            words=tuple(self.words.get(customer.pk, [])),
        )

    def _due(self, row: FollowUp) -> Due:
        words = phrase(row, self.today)
        if row.rule in {PROMISE, PLANNED} and (text := str(row.facts.get("text") or "").strip()):
            words = text
        return Due(row.day, words, row.day < self.today)

    def _risks(self, pk: int) -> Iterable[str]:
        for alert in self.alerts.get(pk, []):
            yield f"{alert.get_signal_display()} ({alert.get_level_display()})"
        for complaint in self.complaints.get(pk, []):
            yield _("Complaint not solved: %(topic)s") % {"topic": complaint.topic}

    def _person(self, contact: Contact) -> Person:
        ways = [way for way in (contact.phone, contact.email, contact.wechat) if way]
        likes = []
        if contact.channel:
            likes.append(_("prefers %(channel)s") % {"channel": Channel(contact.channel).label})
        if contact.consent == Contact.Consent.WITHDRAWN:
            likes.append(_("wants no messages"))
        wishes = self.wishes.get(contact.pk)
        if wishes is not None and not wishes.birthdays:
            likes.append(_("no birthday greetings"))
        if wishes is not None and not wishes.festivals:
            likes.append(_("no festival greetings"))
        return Person(contact.name, contact.title, " · ".join(ways), _(", ").join(likes))


def _by_customer(rows: Iterable[Any]) -> dict[int, list[Any]]:
    found: dict[int, list[Any]] = defaultdict(list)
    for row in rows:
        found[row.customer_id].append(row)
    return found


def _last_words(ids: Sequence[int]) -> Mapping[int, list[Said]]:
    """The last contacts with a note of each customer, newest first."""
    noted = Interaction.objects.filter(customer__in=ids).exclude(note="").order_by("-at", "-pk")
    found: dict[int, list[Said]] = defaultdict(list)
    for row in noted.select_related("member__user").iterator(chunk_size=2_000):
        if len(found[row.customer_id]) < WORDS:
            by = str(row.member) if row.member else str(row.get_direction_display())
            found[row.customer_id].append(Said(row.at, by, str(row.get_channel_display()), row.note))
    return found
