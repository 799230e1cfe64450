"""A month's ranking: reckoned from the facts, and read again as it was frozen."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, cast

from incentives.awards.counting import done_in, people_of, usual_for
from incentives.kpis.figures import Who, rows_url
from incentives.models import AwardRound, AwardStanding, KpiClosing
from incentives.rules import awards as rules
from incentives.rules.awards_policy import AwardPolicy
from incentives.rules.kpis import Period
from tenants.context import current_tenant
from tenants.models import Member, Team
from tenants.policies import Policy, policy_numbered


@dataclass(frozen=True)
class Stood:
    """Where one person stands in a month, frozen or not. `place` and `score` are empty for who has no place.

    `before`: the score of the month before, where they had a place in it.
    """

    member: Member
    team: Team | None
    place: int | None
    score: Decimal | None
    before: Decimal | None
    why_not: rules.WhyNot
    parts: tuple[rules.Part, ...]
    known_percent: int
    there: rules.There

    @property
    def rise(self) -> Decimal | None:
        """By how much it rose against the month before; below nothing: fell."""
        return None if self.score is None or self.before is None else self.score - self.before

    @property
    def why_not_words(self) -> str:
        """Why there is no place, in a word or two."""
        return str(AwardStanding.WhyNot(self.why_not).label) if self.why_not else ""

    def facts(self) -> dict[str, Any]:
        """As JSON, to be frozen with the standing."""
        return {
            "known": self.known_percent,
            "working": self.there.working_days,
            "away": self.there.away_days,
            "parts": [
                {
                    "share": each.share, "weight": each.weight, "customers": each.customers, "counts": each.counts,
                    "value": _text(each.value), "usual": _text(each.usual), "above": _text(each.above),
                    "adds": str(each.adds),
                }
                for each in self.parts
            ],
        }  # fmt: skip


@dataclass(frozen=True)
class Ranking:
    """Everybody's standing in a month, by place, and what was usual."""

    month: Period
    as_of: dt.date
    stood: tuple[Stood, ...]
    usual: Mapping[tuple[rules.Share, str], rules.Usual]
    given: tuple[rules.Given, ...]

    @property
    def with_place(self) -> int:
        return sum(each.place is not None for each in self.stood)


def reckon(month: Period, closing: KpiClosing, *, left_out: Iterable[int] = (), keep: bool = False) -> Ranking:
    """The ranking of a closed month, by the facts as they are known now and the policy of its closing.

    `left_out`: members whom a correction leaves out. `keep`: write down what is usual where it is not yet.
    """
    policy, as_of, out = policy_numbered(closing.policy_version), current_tenant().today(), set(left_out)
    ours = policy.section(AwardPolicy)
    usual = usual_for(month, as_of, policy, keep=keep)
    done = done_in(month, as_of, policy)
    before = scores_of(standing_round(month.before))
    people = people_of(month, closing)
    scores = {
        each.member.pk: rules.score(done.get(each.member.pk, ()), usual, ours.weight_of(), ours.least)
        for each in people
    }
    why = {
        each.member.pk: rules.why_not(
            is_left_out=each.member.pk in out, has_left=each.has_left, is_new=each.is_new, there=each.there,
            most_away_percent=ours.most_away, known=scores[each.member.pk],
        )
        for each in people
    }  # fmt: skip
    ranked = {pk: score.value for pk, score in scores.items() if not why[pk] and score.value is not None}
    place = rules.places(ranked)
    stood = [
        Stood(
            member=each.member, team=each.member.team, place=place.get(each.member.pk),
            score=scores[each.member.pk].value, before=before.get(each.member.pk), why_not=why[each.member.pk],
            parts=scores[each.member.pk].parts, known_percent=scores[each.member.pk].known_percent, there=each.there,
        )
        for each in people
    ]  # fmt: skip
    return Ranking(month, as_of, tuple(in_order(stood)), usual, tuple(rules.medals(ranked, before, ours.least_people)))


def in_order(stood: Iterable[Stood]) -> list[Stood]:
    """By place; who has none comes last; equal ones by name, which says nothing about them."""
    return sorted(stood, key=lambda each: (each.place is None, each.place or 0, str(each.member), each.member.pk))


# ── as it was frozen ────────────────────────────────────────────────────────


def closing_of_month(month: Period) -> KpiClosing | None:
    """That the month is closed, when, and by which policy."""
    found: KpiClosing | None = KpiClosing.objects.filter(span="month", start=month.start).first()
    return found


def standing_round(month: Period) -> AwardRound | None:
    """The ranking of a month that holds: the last correction, or the one that was awarded."""
    rows = AwardRound.objects.filter(month=month.start).select_related("awarded_by__user")
    found: AwardRound | None = rows.order_by("-revision").first()
    return found


def scores_of(round_: AwardRound | None) -> dict[int, Decimal]:
    """By member the score of who had a place in a ranking; nobody without one."""
    if round_ is None:
        return {}
    rows = AwardStanding.objects.filter(round=round_, place__isnull=False)
    return dict(rows.values_list("member_id", "score"))


def stood_in(round_: AwardRound, seen_by: Member | None = None) -> list[Stood]:
    """The standings of a frozen ranking, by place; only those that a member sees."""
    rows = AwardStanding.objects.filter(round=round_)
    if seen_by is not None:
        rows = rows.visible_to(seen_by)
    return in_order(_stood(row) for row in rows.select_related("member__user", "team"))


def _stood(row: AwardStanding) -> Stood:
    said = row.facts
    return Stood(
        member=row.member, team=row.team, place=row.place, score=row.score, before=row.before,
        why_not=cast(rules.WhyNot, row.why_not), known_percent=said["known"],
        there=rules.There(said["working"], said["away"]),
        parts=tuple(
            rules.Part(
                each["share"], each["weight"], each["customers"], _number(each["value"]), _number(each["usual"]),
                _number(each["above"]), each["counts"], Decimal(each["adds"]),
            )
            for each in said["parts"]
        ),
    )  # fmt: skip


def rows_behind(stood: Stood, part: rules.Part, month: Period) -> str:
    """The address of the facts behind a share of somebody's month."""
    return rows_url(part.share, month, Who.person(stood.member))


def usual_facts(ranking: Ranking) -> list[list[Any]]:
    """What was usual, as JSON: share, tier, percent, where it is from."""
    return [[share, tier, str(usual.rounded), usual.of] for (share, tier), usual in sorted(ranking.usual.items())]


def policy_of_round(round_: AwardRound) -> Policy:
    """The rules by which it was reckoned."""
    return policy_numbered(round_.policy_version)


def same(stood: Sequence[Stood], other: Sequence[Stood]) -> bool:
    """Whether two rankings say the same of everybody."""

    def said(rows: Sequence[Stood]) -> dict[int, tuple[Any, ...]]:
        return {each.member.pk: (each.place, each.score, each.why_not) for each in rows}

    return said(stood) == said(other)


def _text(value: Decimal | None) -> str | None:
    return None if value is None else str(value)


def _number(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)
