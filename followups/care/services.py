"""The care calendar of a firm: whose days come round, by whom and how they are congratulated, and who asked not to be.

The night raises what comes within the policy's days (`raise_care`); the page shows the weeks ahead (`coming`). Both ask
the same question.
"""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, cast

import polars as pl
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F, FilteredRelation, Q, QuerySet
from django.utils.translation import gettext as _

from customers.models import Channel, Contact, Customer, TouchKind
from customers.querysets import visible_customers
from customers.services.rows import Outcome, change, clean, lock
from followups.care.words import occasion_words
from followups.messages.outbox import queue_message
from followups.models import By, CareDay, CareWishes, FollowUp, Message
from followups.models.scripts import Script
from followups.raising import raise_follow_ups
from followups.rules.care import By as Calendar_
from followups.rules.care import CarePolicy, Festival, How, festival_days, keeps, occurrences
from followups.scripts.services import NothingToSay, ensure_library, language_of, render
from tenants.calendars import firm_calendar
from tenants.context import current_tenant
from tenants.events import changes_of, record
from tenants.models import Member
from tenants.parts import EVERYBODY, Part
from tenants.policies import Policy

_SCRIPTS: Final = {"birthday": "birthday", "festival": "festival"}
_ANNIVERSARY: Final = "anniversary"


@dataclass(frozen=True)
class Occasion:
    """A day of a customer that comes round: what it is, for which time, and how somebody is congratulated.

    `what` is the festival's code or the day's own name; `times` 0 for a festival. `why_person` says why nothing goes out
    by itself although it could: "" where that was never meant.
    """

    kind: str
    customer_id: int
    contact_id: int | None
    on: dt.date
    times: int = 0
    what: str = ""
    by: Calendar_ = "solar"
    how: How = "person"
    why_person: str = ""
    source: int = 0  # the row that it comes from, so that two of one kind in a year stay two

    @property
    def rule(self) -> str:
        return f"care:{self.kind}"

    @property
    def period(self) -> str:
        """What makes it this one: the year, and whose or which day."""
        return f"{self.on.isoformat()}:{self.what if self.kind == 'festival' else self.source}"

    @property
    def script(self) -> str:
        """The code of the script that suits it."""
        return _SCRIPTS.get(self.kind, _ANNIVERSARY)

    @property
    def facts(self) -> dict[str, Any]:
        """What its follow-up keeps for the phrase."""
        said = {"on": self.on.isoformat(), "times": self.times, "what": self.what, "by": self.by, "script": self.script}
        return {name: value for name, value in said.items() if value}


# ── which days come round ───────────────────────────────────────────────────


def coming(
    rules: CarePolicy, first: dt.date, last: dt.date, *, member: Member | None = None, part: Part = EVERYBODY
) -> list[Occasion]:
    """Birthdays and anniversaries from `first` to `last`, both included, by day; of the customers the member sees.

    Without those whom contacts have asked us to leave out, of people who have left, and of closed customers.
    """
    found = [*_birthdays(rules, first, last, member, part), *_anniversaries(rules, first, last, member, part)]
    return sorted(found, key=lambda each: (each.on, each.kind, each.customer_id, each.source))


def coming_for(customer: Customer, rules: CarePolicy, first: dt.date, last: dt.date) -> list[Occasion]:
    """The same of one customer."""
    return coming(rules, first, last, part=Part(customer.pk, customer.pk))


def festivals(
    rules: CarePolicy, first: dt.date, last: dt.date, *, member: Member | None = None, part: Part = EVERYBODY
) -> list[Occasion]:
    """The same of festivals: one for the first contact to ask of each customer of the policy's tiers."""
    days = list(festival_days(rules.festivals, first, last))
    if not days or not rules.festival_tiers:
        return []
    customers = _customers(member, part).filter(standing__tier__in=rules.festival_tiers)
    people = _people(customers)
    greeted = list(customers.order_by("pk").values_list("pk", "standing__tier"))
    return [
        _decided(Occasion("festival", pk, None, on, what=name), people.get(pk), tier, rules)
        for name, on in days
        for pk, tier in greeted
        if (person := people.get(pk)) is None or person.festivals
    ]


def festival_counts(
    rules: CarePolicy, first: dt.date, last: dt.date, member: Member
) -> list[tuple[Festival, dt.date, int]]:
    """The festivals of a stretch, and how many of the customers that a member sees get greetings."""
    days = list(festival_days(rules.festivals, first, last))
    counts = Counter(each.what for each in festivals(rules, first, last, member=member))
    return [(name, on, counts[name]) for name, on in days]


@dataclass(frozen=True)
class _Person:
    """A contact: where messages reach them, and what they like."""

    pk: int
    email: str
    phone: str
    how: str
    anniversaries: bool
    festivals: bool


def _of_part(part: Part, path: str = "") -> Q:
    return Q() if part.is_everybody else Q(**{f"{path}pk__gte": part.first, f"{path}pk__lte": part.last})


def _customers(member: Member | None, part: Part) -> QuerySet[Any]:
    """Living customers with their tier as standing__tier."""
    rows: QuerySet[Any] = Customer.objects.all() if member is None else Customer.objects.visible_to(member)
    own = Q(standings__tenant_id=current_tenant().pk)
    return rows.filter(_of_part(part), closed_on__isnull=True).annotate(
        standing=FilteredRelation("standings", condition=own)
    )


def _people(customers: QuerySet[Any]) -> dict[int, _Person]:
    """The contact to ask first of each customer: the main one, else the first; none who has left or withdrew consent."""
    rows = _reachable(customer__in=customers.values("pk")).order_by("customer", "-is_main", "pk").distinct("customer")
    return dict(_persons(rows))


def _reachable(**which: Any) -> QuerySet[Any]:
    rows: QuerySet[Any] = Contact.objects.filter(left_on__isnull=True, **which)
    return rows.exclude(consent=Contact.Consent.WITHDRAWN).annotate(likes=_own_wishes())


def _persons(rows: QuerySet[Any]) -> Iterator[tuple[int, _Person]]:
    """Each contact with the number of its customer."""
    likes = ("likes__how", "likes__anniversaries", "likes__festivals")
    for customer, pk, email, phone, how, kept, feasts in rows.values_list("customer", "pk", "email", "phone", *likes):
        yield customer, _Person(pk, email, phone, how or "", kept is not False, feasts is not False)


def _own_wishes() -> FilteredRelation:
    return FilteredRelation("care_wishes", condition=Q(care_wishes__tenant_id=current_tenant().pk))


def _birthdays(
    rules: CarePolicy, first: dt.date, last: dt.date, member: Member | None, part: Part
) -> Iterator[Occasion]:
    if rules.birthdays == "no":
        return
    tenant = current_tenant().pk
    rows = Contact.objects.filter(
        _of_part(part, "customer__"), birthday__isnull=False, left_on__isnull=True, customer__closed_on__isnull=True
    ).exclude(consent=Contact.Consent.WITHDRAWN)
    if member is not None:
        rows = rows.filter(visible_customers(member, "customer__"))
    rows = rows.annotate(
        likes=_own_wishes(),
        standing=FilteredRelation("customer__standings", condition=Q(customer__standings__tenant_id=tenant)),
    ).filter(Q(likes__birthdays__isnull=True) | Q(likes__birthdays=True))
    by_moon = Q(likes__birthday_by=By.LUNAR)
    if (last - first).days < 300:
        by_sun = Q()
        for month, day in _month_days(first, last):
            by_sun |= Q(birthday__month=month, birthday__day=day)
        rows = rows.filter(by_moon | by_sun)
    columns = ("pk", "customer", "birthday", "email", "phone", "likes__how", "likes__birthday_by", "standing__tier")
    for pk, customer, birthday, email, phone, how, by, tier in rows.values_list(*columns):
        person = _Person(pk, email, phone, how or "", anniversaries=True, festivals=True)
        calendar: Calendar_ = "lunar" if by == By.LUNAR else "solar"
        for on, times in occurrences(birthday, calendar, first, last):
            yield _decided(Occasion("birthday", customer, pk, on, times, "", calendar, source=pk), person, tier, rules)


def _month_days(first: dt.date, last: dt.date) -> set[tuple[int, int]]:
    days = {first + dt.timedelta(days=number) for number in range((last - first).days + 1)}
    found = {(day.month, day.day) for day in days}
    return found | ({(2, 29)} if (2, 28) in found else set())


def _anniversaries(
    rules: CarePolicy, first: dt.date, last: dt.date, member: Member | None, part: Part
) -> Iterator[Occasion]:
    if rules.anniversaries == "no":
        return
    customers = _customers(member, part)
    told = CareDay.objects.filter(customer__in=customers.values("pk"))
    own = list(told.values_list("pk", "customer", "contact", "kind", "name", "on", "by"))
    since = customers.filter(since__isnull=False)
    if (last - first).days < 300:
        on_a_day = Q()
        for month, day in _month_days(first, last):
            on_a_day |= Q(since__month=month, since__day=day)
        since = since.filter(on_a_day)
    began = list(since.values_list("pk", "since", "standing__tier"))
    asked = customers.filter(pk__in={row[1] for row in own} | {row[0] for row in began})
    people, tiers = _people(asked), dict(asked.values_list("pk", "standing__tier"))
    named = {person.pk: person for _customer, person in _persons(_reachable(pk__in={row[2] for row in own if row[2]}))}
    for pk, day, tier in began:
        occasion = Occasion("cooperation", pk, None, day, source=pk)
        yield from _kept(occasion, day, "solar", (first, last), people.get(pk), tier, rules)
    for pk, customer, contact, kind, name, day, by in own:
        # Whom it was noted for, unless they are gone.
        person = named.get(contact) or people.get(customer)
        occasion = Occasion(kind, customer, None, day, what=name, source=pk)
        yield from _kept(occasion, day, by, (first, last), person, tiers.get(customer), rules)


def _kept(
    occasion: Occasion,
    day: dt.date,
    by: Calendar_,
    days: tuple[dt.date, dt.date],
    person: _Person | None,
    tier: str | None,
    rules: CarePolicy,
) -> Iterator[Occasion]:
    if person is not None and not person.anniversaries:
        return
    for on, times in occurrences(day, by, *days):
        if keeps(rules.anniversaries, times):
            yield _decided(replace(occasion, on=on, times=times, by=by), person, tier, rules)


def _decided(occasion: Occasion, person: _Person | None, tier: str | None, rules: CarePolicy) -> Occasion:
    """How somebody is congratulated: as they wish, else as the policy says for their tier; a person where it cannot go."""
    if person is None:
        return occasion
    occasion = replace(occasion, contact_id=occasion.contact_id or person.pk)
    how = cast(How, person.how or ("email" if tier in rules.automatic_tiers else "person"))
    if how == "email" and not person.email:
        return replace(occasion, why_person=_("no e-mail address"))
    if how == "sms" and not person.phone:
        return replace(occasion, why_person=_("no phone number"))
    return replace(occasion, how=how)


# ── the night ───────────────────────────────────────────────────────────────


def raise_care(as_of: dt.date, policy: Policy, part: Part = EVERYBODY) -> dict[str, int]:
    """Raise what comes within the policy's days: a follow-up for a person, a message that goes out on the day.

    As often as one likes: each day of each customer is asked for once. What was dropped because a night did not run is
    made up for while the day is not over.
    """
    rules = policy.section(CarePolicy)
    last = as_of + dt.timedelta(days=rules.ahead_days)
    as_of = max(as_of, current_tenant().today())  # a night that is made up for congratulates nobody on yesterday
    if last < as_of:
        return {"care_raised": 0, "care_sent": 0}
    days = [*coming(rules, as_of, last, part=part), *festivals(rules, as_of, last, part=part)]
    by_person = [each for each in days if each.how == "person"]
    sent, unsent = _queue([each for each in days if each.how != "person"], policy)
    return {"care_raised": _raise([*by_person, *unsent], policy, as_of), "care_sent": sent}


def _raise(days: Sequence[Occasion], policy: Policy, as_of: dt.date) -> int:
    if not days:
        return 0
    calendar = firm_calendar(policy)
    rows = [
        (
            each.customer_id,
            each.contact_id,
            TouchKind.LIGHT_TOUCH.value,
            each.rule,
            each.period,
            # On the day itself, or the last working day before: a wish comes too early rather than too late.
            max(calendar.on_or_before(each.on), as_of),
            json.dumps(each.facts, ensure_ascii=False),
        )
        for each in days
    ]
    names = ("customer_id", "with_contact", "kind", "rule", "period", "due_on", "facts")
    types = (pl.Int64, pl.Int64, pl.String, pl.String, pl.String, pl.Date, pl.String)
    frame = pl.DataFrame(rows, schema=dict(zip(names, types, strict=True)), orient="row")
    wanted = frame.with_columns(level=pl.lit(FollowUp.Level.ROUTINE.value))
    return raise_follow_ups(wanted, policy_version=policy.number, customers=sorted({each.customer_id for each in days}))


def _queue(days: Sequence[Occasion], policy: Policy) -> tuple[int, list[Occasion]]:
    """Put messages into the outbox, to go at the opening hour of their day; returns how many, and what a person does.

    A person does what no script says anything for.
    """
    if not days:
        return 0, []
    ensure_library()
    scripts = {each.code: each for each in Script.objects.filter(is_on=True).prefetch_related("variants")}
    known = set(_asked_before(days))
    people = Contact.objects.select_related("customer__owner_a__user")
    contacts = {row.pk: row for row in people.filter(pk__in=[each.contact_id for each in days])}
    opens, zone = firm_calendar(policy).opens, current_tenant().zone
    sent, unsent = 0, []
    for each in days:
        if (each.rule, each.period, each.contact_id) in known:
            continue
        contact, script = contacts[each.contact_id or 0], scripts.get(each.script)
        try:
            text = _text(script, contact)
        except NothingToSay:
            unsent.append(replace(each, how="person"))
            continue
        queue_message(
            customer=contact.customer,
            contact=contact,
            channel=Channel.EMAIL if each.how == "email" else Channel.SMS,
            purpose="care",
            subject=text.subject,
            body=text.body,
            origin=each.rule,
            period=each.period,
            script=text.variant,
            not_before=dt.datetime.combine(each.on, opens, tzinfo=zone),
            language=text.language,
            member=contact.customer.owner_a,
        )
        sent += 1
    return sent, unsent


def _asked_before(days: Sequence[Occasion]) -> Iterable[tuple[str, str, int]]:
    rows = Message.objects.filter(origin__in={each.rule for each in days}, period__in={each.period for each in days})
    found: Iterable[tuple[str, str, int]] = rows.values_list("origin", "period", "contact")
    return found


def _text(script: Script | None, contact: Contact) -> Any:
    if script is None:
        raise NothingToSay(_("There is no script for it."))
    owner = contact.customer.owner_a
    return render(script, customer=contact.customer, contact=contact, member=owner, language=language_of(contact))


# ── what became of it ───────────────────────────────────────────────────────


def standing_of(days: Sequence[Occasion]) -> dict[tuple[str, str, int], FollowUp | Message]:
    """The follow-up or message of each day that has one already, by rule, period and customer."""
    keys = {"customer__in": {each.customer_id for each in days}, "period__in": {each.period for each in days}}
    rows = FollowUp.objects.filter(rule__in={each.rule for each in days}, **keys)
    found: dict[tuple[str, str, int], FollowUp | Message] = {
        (row.rule, row.period, row.customer_id): row for row in rows
    }
    for message in Message.objects.filter(origin__in={each.rule for each in days}, **keys):
        found[message.origin, message.period, message.customer_id] = message
    return found


def words_of(occasion: Occasion) -> str:
    """What the day is: "Birthday", "5 years of working together", "Mid-Autumn Festival"."""
    return occasion_words(occasion.kind, occasion.times, occasion.what, occasion.by)


# ── writing ─────────────────────────────────────────────────────────────────


@transaction.atomic
def save_wishes(
    *, contact: Contact, birthday_by: str, birthdays: bool, anniversaries: bool, festivals: bool, how: str
) -> CareWishes:
    """What a contact likes to be congratulated on, and how. Raises ValidationError by field.

    What is waiting already goes as it was planned; the next night asks anew.
    """
    Contact.objects.select_for_update(no_key=True, of=("self",)).get(pk=contact.pk)
    row = CareWishes.objects.filter(contact=contact).first() or CareWishes(contact=contact)
    values = {
        "birthday_by": birthday_by, "birthdays": birthdays, "anniversaries": anniversaries, "festivals": festivals,
        "how": how,
    }  # fmt: skip
    if how == CareWishes.How.EMAIL and not contact.email:
        raise ValidationError({"how": _("There is no e-mail address of this contact.")})
    if how == CareWishes.How.SMS and not contact.phone:
        raise ValidationError({"how": _("There is no phone number of this contact.")})
    changes = changes_of(row, values)
    if changes or row.pk is None:
        for name, value in values.items():
            setattr(row, name, value)
        row.clean_fields(exclude={"tenant", "contact"})
        row.save()
        record("care_wishes", contact, changes)
    return row


@transaction.atomic
def save_care_day(*, care_day: CareDay | None = None, **fields: Any) -> tuple[CareDay, Outcome]:
    """A day of a customer that comes round every year, made or changed. Raises ValidationError by field."""
    if care_day is None:
        made = CareDay(**fields)
        clean(made, check=_check_day)
        made.save(force_insert=True)
        record("added", made, {"kind": made.kind, "on": str(made.on)})
        return made, "created"
    lock(care_day)
    return care_day, change(care_day, fields, check=_check_day)


@transaction.atomic
def delete_care_day(*, care_day: CareDay) -> None:
    """Take a day away; the event keeps what it was."""
    lock(care_day)
    said = {"kind": care_day.kind, "name": care_day.name, "on": str(care_day.on), "by": care_day.by}
    record("deleted", care_day, {name: [value, None] for name, value in said.items() if value})
    care_day.delete()


def _check_day(care_day: CareDay) -> dict[str, Any]:
    wrong: dict[str, Any] = {}
    if care_day.kind == CareDay.Kind.OTHER and not care_day.name.strip():
        wrong["name"] = ValidationError(_("Say what is celebrated."), code="required")
    if care_day.contact is not None and care_day.contact.customer_id != care_day.customer_id:
        wrong["contact"] = ValidationError(_("This contact belongs to another customer."), code="other_customer")
    return wrong


def care_days_of(customer: Customer) -> QuerySet[CareDay]:
    """A customer's own days, by month."""
    rows: QuerySet[CareDay] = CareDay.objects.filter(customer=customer).select_related("contact")
    return rows.order_by(F("on").asc(), "pk")
