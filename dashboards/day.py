"""Reading for the day's two ends: what came in since the member last closed the day, and what is left when they close it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

from django.db.models import F, OuterRef, Q, QuerySet, Subquery
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from customers.models import Interaction, Order, SurveyResponse
from followups.models import FollowUp
from followups.querysets import FollowUpQuerySet
from followups.reasons import PROMISE, phrase
from followups.rules.policy import CadencePolicy
from health.models import Band, HealthHistory, HealthScore
from risk.models import Alert
from tenants.calendars import firm_calendar
from tenants.context import current_tenant
from tenants.models import Member
from tenants.policies import active_policy
from tenants.templatetags.perennial import day as short_day
from tenants.templatetags.perennial import moment, money

Kind = Literal["alerts", "orders", "answers", "messages", "health"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)

MOST_COUNTED: Final = 1_000
"""So many news are counted; "1,000+" stands for any number above."""
SHOWN: Final = 200
"""Rows of a page of news; the CSV has them all."""

TITLES: Final[Mapping[Kind, str | Promise]] = {
    "alerts": _("New alerts"),
    "orders": _("New orders"),
    "answers": _("Survey answers"),
    "messages": _("Messages from customers"),
    "health": _("Changes of colour"),
}
EMPTY: Final[Mapping[Kind, str | Promise]] = {
    "alerts": _("No alert has opened since then."),
    "orders": _("No order has come in since then."),
    "answers": _("Nobody has answered a survey since then."),
    "messages": _("No customer has been in touch since then."),
    "health": _("No customer has changed colour since then."),
}
COLUMNS: Final[Mapping[Kind, tuple[str | Promise, ...]]] = {
    "alerts": (_("Signal"), _("Level"), _("Opened")),
    "orders": (_("Number"), _("Placed"), _("Net money")),
    "answers": (_("Survey"), _("Score"), _("Own words"), _("When")),
    "messages": (_("Channel"), _("What was said"), _("When")),
    "health": (_("Before"), _("Now"), _("Health"), _("Since")),
}


def news(member: Member, kind: Kind, since: dt.datetime) -> QuerySet[Any]:
    """What has come in about the member's customers after a moment, the newest first."""
    return _NEWS[kind](member, since)


def _alerts(member: Member, since: dt.datetime) -> QuerySet[Any]:
    rows: QuerySet[Any] = Alert.objects.visible_to(member).filter(created_at__gt=since)
    return rows.order_by("-created_at", "-pk")


def _orders(member: Member, since: dt.datetime) -> QuerySet[Any]:
    # What came in is among what was written since; that has an index.
    rows: QuerySet[Any] = Order.objects.visible_to(member).filter(updated_at__gt=since, created_at__gt=since)
    return rows.filter(kind=Order.Kind.ORDER, status=Order.Status.PLACED).order_by("-updated_at", "-pk")


def _answers(member: Member, since: dt.datetime) -> QuerySet[Any]:
    rows: QuerySet[Any] = SurveyResponse.objects.visible_to(member).filter(updated_at__gt=since, created_at__gt=since)
    return rows.order_by("-updated_at", "-pk")


def _messages(member: Member, since: dt.datetime) -> QuerySet[Any]:
    rows: QuerySet[Any] = Interaction.objects.visible_to(member).filter(updated_at__gt=since, created_at__gt=since)
    return rows.filter(direction=Interaction.Direction.INBOUND).order_by("-updated_at", "-pk")


def _colours(member: Member, since: dt.datetime) -> QuerySet[Any]:
    """Health whose colour began in a night after that moment, and was another one before."""
    tenant = current_tenant()
    last_seen = tenant.local_date(since - dt.timedelta(microseconds=1))
    earlier = HealthHistory.objects.filter(
        tenant_id=tenant.pk, customer=OuterRef("customer"), on__lt=OuterRef("band_since")
    )
    rows: QuerySet[Any] = HealthScore.objects.visible_to(member).filter(band_since__gt=last_seen)
    rows = rows.annotate(before=Subquery(earlier.order_by("-on").values("band")[:1]))
    return rows.filter(Q(before__isnull=False) & ~Q(before=F("band"))).order_by("-band_since", "score", "customer")


_NEWS: Final[Mapping[Kind, Callable[[Member, dt.datetime], QuerySet[Any]]]] = {
    "alerts": _alerts,
    "orders": _orders,
    "answers": _answers,
    "messages": _messages,
    "health": _colours,
}


def counts(member: Member, since: dt.datetime) -> dict[Kind, int]:
    """How much of each kind has come in, counted up to one more than MOST_COUNTED."""
    return {kind: news(member, kind, since).order_by()[: MOST_COUNTED + 1].count() for kind in KINDS}


@dataclass(frozen=True)
class Line:
    """One piece of news: about whom, in words for the page, and as values for a spreadsheet."""

    customer_id: int
    customer: str
    words: Sequence[str]
    values: Sequence[Any]
    band: str = ""


def lines(kind: Kind, rows: QuerySet[Any], *, most: int | None = None) -> Iterator[Line]:
    """The news as lines; COLUMNS are their heads."""
    write = _LINES[kind]
    found = rows.select_related("customer")
    for row in found[:most] if most else found.iterator(chunk_size=2_000):
        words, values = write(row)
        yield Line(row.customer_id, row.customer.name, words, values, row.band if kind == "health" else "")


def _alert_line(row: Alert) -> tuple[list[str], list[Any]]:
    signal, level = str(row.get_signal_display()), str(row.get_level_display())
    return [signal, level, moment(row.created_at)], [signal, level, row.created_at]


def _order_line(row: Order) -> tuple[list[str], list[Any]]:
    return [row.external_id, short_day(row.placed_on), money(row.net)], [row.external_id, row.placed_on, row.net]


def _answer_line(row: SurveyResponse) -> tuple[list[str], list[Any]]:
    kind = str(row.get_kind_display())
    return [kind, str(row.score), row.text, moment(row.created_at)], [kind, row.score, row.text, row.created_at]


def _message_line(row: Interaction) -> tuple[list[str], list[Any]]:
    channel, words = str(row.get_channel_display()), row.topic or " ".join(row.note.split())
    return [channel, words, moment(row.created_at)], [channel, words, row.created_at]


def _colour_line(row: Any) -> tuple[list[str], list[Any]]:
    before, now = str(Band(row.before).label), str(Band(row.band).label)
    score = "–" if row.score is None else str(row.score)
    return [before, now, score, short_day(row.band_since)], [before, now, row.score, row.band_since]


_LINES: Final[Mapping[Kind, Callable[[Any], tuple[list[str], list[Any]]]]] = {
    "alerts": _alert_line,
    "orders": _order_line,
    "answers": _answer_line,
    "messages": _message_line,
    "health": _colour_line,
}


# ── closing the day ──────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Item:
    """A follow-up in the check, ready to print."""

    pk: int
    customer_id: int
    name: str
    why: str
    due: dt.date
    is_severe: bool

    @property
    def key(self) -> str:
        """The id as addresses write it: templates would group its digits."""
        return str(self.pk)


@dataclass(frozen=True)
class Close:
    """What is left when a member closes the day.

    `left` is due and not done, `promised` what of it (or due by the next working day) was promised to a customer,
    `unlogged` what was done today without a word about it, `coming` what begins the next working day. The ids of
    `left` that can be carried over are `carried`; severe alerts cannot.
    """

    left: list[Item]
    left_count: int
    promised: list[Item]
    unlogged: list[Item]
    coming: list[Item]
    carried: list[int]
    severe: int
    next_day: dt.date
    done: int

    @property
    def is_clear(self) -> bool:
        return not self.left_count and not self.unlogged


LISTED: Final = 50
"""Follow-ups that the check names of each sort."""
FIRST_OF_TOMORROW: Final = 5


def left_of(member: Member, today: dt.date) -> FollowUpQuerySet:
    """The member's own follow-ups that are due by today and still wait, in the order of work."""
    mine = FollowUp.objects.visible_to(member).filter(assignee=member, day__lte=today)
    return mine.waiting(today).ranked(today)


def unlogged_of(member: Member, today: dt.date) -> FollowUpQuerySet:
    """What the member did today without a word: closed as done, and no contact that says what came of it."""
    done = FollowUp.objects.visible_to(member).filter(
        closed_by=member, status=FollowUp.Status.DONE, closed_at__gte=current_tenant().start_of(today)
    )
    silent = Q(interaction__note="", interaction__answered__isnull=True, interaction__topic="")
    rows: FollowUpQuerySet = done.filter(Q(interaction__isnull=True) | silent).order_by("closed_at", "pk")
    return rows


def next_working_day(today: dt.date) -> dt.date:
    """The firm's first working day after today, not later than a follow-up may be put off."""
    latest = today + dt.timedelta(days=active_policy().section(CadencePolicy).snooze_max_days)
    return min(firm_calendar().next_working_day(today), latest)


def closing(member: Member, today: dt.date) -> Close:
    """The check at the end of the day; the same few queries however much is left."""
    tomorrow = next_working_day(today)
    left = left_of(member, today)
    ids = list(left.values_list("pk", "level"))
    promises = FollowUp.objects.visible_to(member).filter(
        assignee=member, status=FollowUp.Status.OPEN, rule=PROMISE, day__lte=tomorrow
    )
    coming = FollowUp.objects.visible_to(member).filter(assignee=member, day__gt=today, day__lte=tomorrow)
    done = FollowUp.objects.filter(
        closed_by=member, status=FollowUp.Status.DONE, closed_at__gte=current_tenant().start_of(today)
    )
    return Close(
        left=_items(left[:LISTED], today),
        left_count=len(ids),
        promised=_items(promises.order_by("day", "pk")[:LISTED], today),
        unlogged=_items(unlogged_of(member, today)[:LISTED], today),
        coming=_items(coming.waiting(tomorrow).ranked(tomorrow)[:FIRST_OF_TOMORROW], today),
        carried=[pk for pk, level in ids if level != FollowUp.Level.SEVERE],
        severe=sum(level == FollowUp.Level.SEVERE for _pk, level in ids),
        next_day=tomorrow,
        done=done.count(),
    )


def _items(rows: FollowUpQuerySet, today: dt.date) -> list[Item]:
    return [
        Item(
            row.pk, row.customer_id, row.customer.name, phrase(row, today), row.day, row.level == FollowUp.Level.SEVERE
        )
        for row in rows.select_related("customer")
    ]
