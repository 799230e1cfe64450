"""What was said between a firm and a customer, and what went wrong."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Final

from config.demo.facts import ComplaintFact, OrderFact, TalkFact
from config.demo.firm import Firm, Topic
from config.demo.orders import moment, working_day
from config.demo.shapes import HISTORY_DAYS, Shape

_KINDS: Final = {"light_touch": 70, "deep_talk": 16, "message": 8, "report": 4, "review": 2}
_INBOUND_SHARE: Final = 0.27
_NOTED_SHARE: Final = 0.75  # of talks; the others are logged without a word
_COVER_SHARE: Final = 0.15  # of talks, by the B owner
_RIVALS_DAYS: Final = 200  # before, nobody looked elsewhere
_PROSPECT_DAYS: Final = 300  # how long somebody who never ordered is remembered


@dataclass(frozen=True)
class Party:
    """Who talks: the customer's people, first to ask first, and ours, A owner first."""

    key: str
    shape: Shape
    contacts: tuple[str, ...]
    channel: str
    ours: tuple[str, ...]
    gap: float  # days between two contacts


def talk(
    firm: Firm, party: Party, orders: Sequence[OrderFact], last: dt.date, rng: Random
) -> tuple[list[TalkFact], list[ComplaintFact]]:
    """Contacts and complaints of one customer in the history that ends on `last`, in order of time."""
    complaints = _complaints(firm, party, orders, last, rng)
    talks = _routine(firm, party, orders, last, rng)
    talks += [said for complaint in complaints for said in _about(firm, party, complaint, last, rng)]
    if party.shape.name in {"new", "one_off"} and orders:
        talks += _thanks(firm, party, orders[0], last, rng)
    talks.sort(key=lambda said: said.at)
    return _deaf_at_last(firm, party, talks, rng), complaints


def _routine(firm: Firm, party: Party, orders: Sequence[OrderFact], last: dt.date, rng: Random) -> list[TalkFact]:
    first = last - dt.timedelta(days=HISTORY_DAYS - 1)
    shape = party.shape
    if shape.most_orders == 0:
        first = last - dt.timedelta(days=rng.randint(30, _PROSPECT_DAYS))
    elif shape.began is not None and orders:
        first = orders[0].placed_at.date() - dt.timedelta(days=rng.randint(2, 12))
    end = orders[-1].placed_at.date() if shape.name == "closed" and orders else last
    talks, day = [], first + dt.timedelta(days=rng.randrange(max(1, round(party.gap))))
    while day <= end:
        at = moment(firm, working_day(firm, day, last), rng)
        talks.append(_routine_talk(firm, party, at, last, rng))
        day += dt.timedelta(days=max(2, round(rng.gauss(party.gap, party.gap / 3))))
    return talks


def _routine_talk(firm: Firm, party: Party, at: dt.datetime, last: dt.date, rng: Random) -> TalkFact:
    topic: Topic = rng.choice(firm.words.topics)
    base = _by_somebody(firm, party, at, rng)
    if rng.random() < _INBOUND_SHARE:
        if (last - at.date()).days < _RIVALS_DAYS and rng.random() < party.shape.rivals:
            note = rng.choice(firm.words.rivals)
            return replace(base, direction="inbound", topic=topic.name, note=note, about_competitor=True)
        note = rng.choice(topic.inbound) if rng.random() < _NOTED_SHARE else ""
        return replace(base, direction="inbound", topic=topic.name, note=note)
    kind = rng.choices(list(_KINDS), list(_KINDS.values()))[0]
    if kind == "message":
        return replace(base, channel=party.channel, kind=kind, topic=topic.name)  # nobody waits for an answer
    answered = kind in {"review", "report"} or rng.random() < party.shape.answers
    if kind == "review":
        base = replace(base, channel="visit")
    notes = topic.outbound if answered else firm.words.no_answer
    note = rng.choice(notes) if rng.random() < _NOTED_SHARE else ""
    return replace(base, kind=kind, topic=topic.name, answered=answered, note=note)


def _by_somebody(firm: Firm, party: Party, at: dt.datetime, rng: Random) -> TalkFact:
    """A light touch by one of ours with one of theirs, by the way they like or another one."""
    covered = len(party.ours) > 1 and rng.random() < _COVER_SHARE
    channel = party.channel
    if rng.random() < 0.4:
        channel = rng.choices(list(firm.channels), list(firm.channels.values()))[0]
    other = rng.random() < 0.25
    return TalkFact(
        customer=party.key,
        contact=rng.choice(party.contacts) if other else party.contacts[0],
        member=party.ours[1] if covered else party.ours[0],
        at=at,
        channel=channel,
        direction="outbound",
        kind="light_touch",
        topic="",
        answered=None,
        solved=None,
        note="",
    )


def _thanks(firm: Firm, party: Party, order: OrderFact, last: dt.date, rng: Random) -> list[TalkFact]:
    """The call after a first order; not made yet when the order is of the last days."""
    day = working_day(firm, order.placed_at.date() + dt.timedelta(days=rng.randint(1, 3)), dt.date.max)
    if day > last:
        return []
    words = firm.words
    base = _by_somebody(firm, party, moment(firm, day, rng), rng)
    return [replace(base, channel="phone", topic=words.thanks, answered=True, note=words.thanks_note)]


def _complaints(
    firm: Firm, party: Party, orders: Sequence[OrderFact], last: dt.date, rng: Random
) -> list[ComplaintFact]:
    shape = party.shape
    bought = [order for order in orders if order.kind == "order" and order.placed_at.date() < last]
    count = min(len(bought), rng.randint(*shape.complaints))
    # Those with open complaints had trouble with their latest orders as well as with some long ago.
    blamed = bought[len(bought) - shape.unsolved :] if count and shape.unsolved else []
    earlier = bought[: len(bought) - len(blamed)]
    blamed = rng.sample(earlier, min(len(earlier), max(0, count - len(blamed)))) + blamed
    found: list[ComplaintFact] = []
    topics = list(firm.words.complaints)
    usual = rng.choice(topics)  # the same thing goes wrong again and again
    for order in sorted(blamed, key=lambda order: order.placed_at):
        topic = usual if shape.unsolved and rng.random() < 0.6 else rng.choice(topics)
        day = min(last, working_day(firm, order.placed_at.date() + dt.timedelta(days=rng.randint(2, 9)), last))
        opened = moment(firm, day, rng)
        took = dt.timedelta(hours=rng.randint(3, 140))
        is_open = len(found) >= len(blamed) - shape.unsolved or (opened + took).date() > last
        found.append(
            ComplaintFact(
                customer=party.key,
                order_at=order.placed_at,
                opened_at=opened,
                topic=topic,
                severity=rng.choices(("minor", "normal", "serious"), (3, 5, 2))[0],
                text=rng.choice(firm.words.complaints[topic]),
                solved_at=None if is_open else opened + took,
                first_time=None if is_open else rng.random() < (0.5 if shape.unsolved else 0.85),
            )
        )
    return found


def _about(firm: Firm, party: Party, complaint: ComplaintFact, last: dt.date, rng: Random) -> list[TalkFact]:
    """The customer's call, and ours once it is solved."""
    base = _by_somebody(firm, party, complaint.opened_at, rng)
    called = replace(base, direction="inbound", topic=complaint.topic, solved=complaint.first_time, note=complaint.text)
    if complaint.solved_at is None:
        return [called]
    day = working_day(firm, complaint.solved_at.date() + dt.timedelta(days=1), dt.date.max)
    if day > last:
        return [called]
    words = firm.words
    back = _by_somebody(firm, party, moment(firm, day, rng), rng)
    return [
        called,
        replace(back, channel="phone", topic=words.call_back, answered=True, note=words.call_back_note),
    ]


def _deaf_at_last(firm: Firm, party: Party, talks: list[TalkFact], rng: Random) -> list[TalkFact]:
    """Those who turn away do not answer our last calls."""
    calls = [place for place, said in enumerate(talks) if said.answered is not None]
    for place in calls[len(calls) - party.shape.deaf :] if party.shape.deaf else []:
        note = rng.choice(firm.words.no_answer)
        talks[place] = replace(talks[place], kind="light_touch", answered=False, solved=None, note=note)
    return talks
