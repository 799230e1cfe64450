"""May this contact be reached by this channel, for this purpose, now? If not: when, or why never.

One budget per contact counts whatever reaches them: messages, surveys, logged contacts and the contacts that are
planned (docs/rules/contact.md). Pure: facts in, a verdict out.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, TypeVar, get_args
from zoneinfo import ZoneInfo

from followups.rules.contact_policy import ContactPolicy

Purpose = Literal["service", "personal", "journey", "care", "cadence", "survey", "news"]

PURPOSES: Final[tuple[Purpose, ...]] = ("service", "personal", "journey", "care", "cadence", "survey", "news")
"""What a contact is for. "service" answers something that the contact asked for or complained about."""

_FIRST: Final[frozenset[Purpose]] = frozenset({"service", "personal"})
_URGENT: Final[frozenset[Purpose]] = frozenset({"service"})
_AUTOMATIC: Final[frozenset[Purpose]] = frozenset({"journey", "care", "cadence", "survey", "news"})

DAY: Final = dt.timedelta(days=1)

Why = Literal[
    "",
    # never, as things are
    "left", "closed", "no_address", "dead_address", "opted_out", "withdrawn", "no_consent", "not_preferred",
    "by_hand", "channel_off", "channel_closed",
    # not now
    "quiet", "weekend", "day_limit", "budget", "kept", "channel_limit", "survey",
]  # fmt: skip

WHYS: Final[tuple[Why, ...]] = get_args(Why)
"""All that can be said; "" is nothing: it may happen at once."""


@dataclass(frozen=True)
class Use:
    """One touch that counts: when it reached the contact or will, by which channel, and whether it was a survey.

    `is_planned` is a person's task that is still to be done: room is kept for it in the budget, on no certain day.
    """

    at: dt.datetime
    channel: str
    is_survey: bool = False
    is_planned: bool = False


@dataclass(frozen=True)
class Person:
    """What is known of a contact: facts, wishes, and what has used their budget.

    `zone` is the contact's, or the firm's. `opted_out` are channels; "" stands for all. `quiet` are the contact's own
    quiet hours and `most` the own budget, where they have wished for them. `can_send`: whether the firm has set the
    channel up; None where nothing is sent, because a person does it (phone, visit).
    """

    zone: ZoneInfo
    address: str = ""
    needs_address: bool = True
    can_send: bool | None = True
    is_dead: bool = False
    has_left: bool = False
    is_closed: bool = False
    consent: str = "unknown"
    preferred: str = ""
    opted_out: frozenset[str] = frozenset()
    quiet: tuple[dt.time, dt.time] | None = None
    most: int | None = None
    uses: Sequence[Use] = field(default_factory=tuple)


@dataclass(frozen=True)
class Verdict:
    """What the governor says: `at` when it may happen (None: it may not), and why it is not at once."""

    at: dt.datetime | None
    why: Why = ""
    limit: int = 0
    """The limit that stood in the way, where it is a number."""

    @property
    def is_allowed(self) -> bool:
        """It may happen at the moment that was asked for."""
        return self.at is not None and not self.why

    @property
    def is_blocked(self) -> bool:
        return self.at is None


@dataclass(frozen=True)
class _Limit:
    """At most `most` touches in any stretch of `span`, of those that count."""

    why: Why
    most: int
    span: dt.timedelta
    times: tuple[dt.datetime, ...]

    def free_from(self, at: dt.datetime) -> dt.datetime | None:
        """The first moment from `at` at which one more touch breaks nothing; None: there is none."""
        return first_free(at, self.times, most=self.most, span=self.span)


_Time = TypeVar("_Time", dt.date, dt.datetime)


def first_free(at: _Time, times: Sequence[_Time], *, most: int, span: dt.timedelta) -> _Time | None:
    """The first day or moment from `at` at which one more touch makes no stretch of `span` hold more than `most`.

    `times` are those of the others, in order. None where `most` is none at all.

    One more at t would be too many where `most` touches lie within less than a span of each other and t within less
    than a span of all of them: between the last minus a span and the first plus a span.
    """
    if most < 1:
        return None
    last = most - 1
    moved = True
    while moved:
        moved = False
        for first in range(len(times) - last):
            begin, end = times[first], times[first + last]
            if end - begin < span and end - span < at < begin + span:
                at, moved = begin + span, True
    return at


def judge(*, at: dt.datetime, channel: str, purpose: Purpose, person: Person, policy: ContactPolicy) -> Verdict:
    """Whether the contact may be reached at `at` (aware), and otherwise from when, or why not at all.

    Never: who has left, has no address or one that bounced, opted out of the channel, withdrew consent or has not
    given it where it is needed. A service message passes opt-out and consent: it answers what the contact asked.
    Not now: quiet hours (not for service), the limits in 24 hours and in the window over everything, by channel, and
    between surveys. The latest moment that any of them names counts; they are asked again there, until none moves it.
    Blocked when that is more than `wait_days` away.
    """
    never = _never(channel, purpose, person, policy)
    if never:
        return Verdict(None, never)
    limits = tuple(_limits(channel, purpose, person, policy))
    moment, why, limit = at, Verdict(at).why, 0
    longest = (policy.wait_days + 1) * DAY  # a night always passes, also where nothing may wait for days
    moved = True
    while moved:
        moved = False
        if purpose not in _URGENT:
            awake, reason = _awake(moment, person, policy)
            if awake > moment:
                moment, moved, why = awake, True, why or reason
        for each in limits:
            free = each.free_from(moment)
            if free is None:
                return Verdict(None, each.why, each.most)
            if free > moment:
                moment, moved = free, True
                # What holds it longest is what people want to hear.
                why, limit = each.why, each.most
        if moment - at > longest:
            return Verdict(None, why, limit)
    if moment == at:
        return Verdict(at)
    return Verdict(moment, why, limit)


def _never(channel: str, purpose: Purpose, person: Person, policy: ContactPolicy) -> Why:
    if person.is_closed:
        return "closed"
    if person.has_left:
        return "left"
    if person.can_send is None:
        return "by_hand"
    if not person.can_send:
        return "channel_off"
    if person.needs_address and not person.address:
        return "no_address"
    if person.is_dead:
        return "dead_address"
    if purpose == "service":
        return ""
    if person.opted_out & {channel, ""}:
        return "opted_out"
    if person.consent == "withdrawn":
        return "withdrawn"
    if channel in policy.consent_needed and person.consent != "given":
        return "no_consent"
    if policy.channel_choice == "preferred" and purpose in _AUTOMATIC and person.preferred not in ("", channel):
        return "not_preferred"
    return ""


def _limits(channel: str, purpose: Purpose, person: Person, policy: ContactPolicy) -> Iterator[_Limit]:
    uses = sorted(person.uses, key=lambda use: use.at)
    every = tuple(use.at for use in uses)
    done = tuple(use.at for use in uses if not use.is_planned)
    window = policy.window_days * DAY
    whole = min(policy.budget, person.most) if person.most is not None else policy.budget
    yield _Limit("day_limit", policy.day_limit, DAY, done)
    if purpose in _FIRST:
        yield _Limit("budget", whole, window, every)
    else:
        # A contact who wants to hear little still hears something.
        open_to_all = max(whole - policy.kept, min(whole, 1))
        yield _Limit("budget" if open_to_all == whole else "kept", open_to_all, window, every)
    most = policy.channels.of(channel)
    if most is not None:
        ways = tuple(use.at for use in uses if use.channel == channel and not use.is_planned)
        yield _Limit("channel_closed" if most == 0 else "channel_limit", most, window, ways)
    if purpose == "survey" and policy.survey_days:
        yield _Limit("survey", 1, policy.survey_days * DAY, tuple(use.at for use in uses if use.is_survey))


def _awake(at: dt.datetime, person: Person, policy: ContactPolicy) -> tuple[dt.datetime, Why]:
    """The first moment from `at` outside quiet hours and quiet days of the contact, and what it waits for."""
    hours = person.quiet
    if hours is None and policy.quiet_from is not None and policy.quiet_until is not None:
        hours = (policy.quiet_from, policy.quiet_until)
    why: Why = ""
    for _step in range(6):  # a night, a weekend, the night after it
        local = at.astimezone(person.zone)
        later = _after_quiet(local, hours) if hours else local
        if later.astimezone(dt.UTC) > at:
            why = why or "quiet"
        elif policy.quiet_days == "weekends" and local.isoweekday() > 5:
            monday = local.date() + dt.timedelta(days=8 - local.isoweekday())
            later, why = dt.datetime.combine(monday, dt.time(), tzinfo=person.zone), why or "weekend"
        else:
            break
        at = later.astimezone(at.tzinfo)
    return at, why


def _after_quiet(local: dt.datetime, hours: tuple[dt.time, dt.time]) -> dt.datetime:
    begin, end = hours
    now = local.timetz().replace(tzinfo=None)
    if begin == end:
        return local
    overnight = begin > end
    is_quiet = now >= begin or now < end if overnight else begin <= now < end
    if not is_quiet:
        return local
    day = local.date() + dt.timedelta(days=1 if overnight and now >= begin else 0)
    # In the hour that clocks show twice, the second one stays the second one.
    return dt.datetime.combine(day, end, tzinfo=local.tzinfo).replace(fold=local.fold)
