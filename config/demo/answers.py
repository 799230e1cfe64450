"""What customers answered in surveys: how likely they recommend the firm, and how content they were."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import replace
from random import Random
from typing import Final

from config.demo.facts import AnswerFact, ComplaintFact, CustomerFact, TalkFact
from config.demo.firm import Firm, dice
from config.demo.orders import moment, working_day
from config.demo.shapes import SHAPES

_CONTENT: Final = {shape.name: shape.content for shape in SHAPES}
_NPS_EVERY_DAYS: Final = 91
_NPS_ANSWERED: Final = 0.62
_CSAT_AFTER_TALK: Final = 0.16  # of the talks that were answered
_CSAT_AFTER_COMPLAINT: Final = 0.7
_OWN_WORDS: Final = 0.4
_SURVEYED_DAYS: Final = 460  # how long the firm has been asking


def answers(
    firm: Firm,
    customers: Sequence[CustomerFact],
    talks: Sequence[TalkFact],
    complaints: Sequence[ComplaintFact],
    today: dt.date,
) -> Iterator[AnswerFact]:
    """Answers of living customers, unnumbered: NPS each quarter, CSAT after talks and solved complaints."""
    living = {fact.key: fact for fact in customers if fact.closed_on is None and fact.shape != "never"}
    last = today - dt.timedelta(days=1)
    first = today - dt.timedelta(days=_SURVEYED_DAYS)
    for asked in living.values():
        yield from _recommend(firm, asked, first, last)
    for said in talks:
        customer = living.get(said.customer)
        if customer and said.answered and said.direction == "outbound" and said.at.date() >= first:
            rng = dice(firm.slug, said.customer, "csat", said.number)
            if rng.random() < _CSAT_AFTER_TALK:
                yield _content(firm, customer, said.contact, said.at.date(), last, rng)
    for wrong in complaints:
        customer = living.get(wrong.customer)
        if customer and wrong.solved_at is not None and wrong.solved_at.date() >= first:
            rng = dice(firm.slug, wrong.number, "csat")
            if rng.random() < _CSAT_AFTER_COMPLAINT:
                said_so = _content(firm, customer, None, wrong.solved_at.date(), last, rng)
                worse = 1 if not wrong.first_time and said_so.score > 1 else 0
                yield replace(said_so, score=said_so.score - worse, complaint=wrong.number)


def _recommend(firm: Firm, customer: CustomerFact, first: dt.date, last: dt.date) -> Iterator[AnswerFact]:
    for contact in customer.contacts:
        rng = dice(firm.slug, contact.number, "nps")
        likes = rng.gauss(_CONTENT[customer.shape], 1.1)
        day = first + dt.timedelta(days=rng.randrange(_NPS_EVERY_DAYS))
        while day <= last:
            if rng.random() < _NPS_ANSWERED:
                score = min(10, max(0, round(rng.gauss(likes, 0.8))))
                mood = "good" if score >= 9 else "middling" if score >= 7 else "bad"
                at = moment(firm, working_day(firm, day, last), rng)
                yield AnswerFact(customer.key, contact.number, "nps", score, at, _words(firm, mood, rng))
            day += dt.timedelta(days=_NPS_EVERY_DAYS)


def _content(
    firm: Firm, customer: CustomerFact, contact: str | None, after: dt.date, last: dt.date, rng: Random
) -> AnswerFact:
    score = min(5, max(1, round(rng.gauss(_CONTENT[customer.shape] / 2, 0.6))))
    mood = "good" if score >= 5 else "middling" if score >= 4 else "bad"
    day = min(last, after + dt.timedelta(days=rng.randint(0, 4)))
    at = moment(firm, working_day(firm, day, last), rng)
    return AnswerFact(customer.key, contact, "csat", score, at, _words(firm, mood, rng))


def _words(firm: Firm, mood: str, rng: Random) -> str:
    return rng.choice(firm.words.answers[mood]) if rng.random() < _OWN_WORDS else ""
