"""What people read of growth: dimensions, the facts behind a score, where a training stands, years on target."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from django.utils import formats
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext_lazy

from incentives.growth.promotion import Standing
from incentives.kpis.words import amount, period_words
from incentives.models import Dimension, PromotionNote, Training
from incentives.rules import growth as rules
from incentives.rules.growth import Part, QuarterStand
from incentives.rules.kpis import Period
from tenants.templatetags.perennial import day as day_words

STANDS: Final = {
    "open": pgettext_lazy("training", "under way"),
    "late": pgettext_lazy("training", "late"),
    "ready": pgettext_lazy("training", "waits for the mentor"),
    "approved": pgettext_lazy("training", "approved"),
    "approved_late": pgettext_lazy("training", "approved, done late"),
    "ended": pgettext_lazy("training", "ended"),
}
"""Where a training stands, as lists and filters say it."""

_PARTS: Final = {
    "reviews_known": gettext_lazy(
        "reviewed contacts: need found out, information right, written down well"
    ),
    "trainings": gettext_lazy("trainings that were due: done by their day and approved"),
    "reviews_talk": gettext_lazy("reviewed contacts: tone and pace right, not pushy, promises kept"),
    "csat": gettext_lazy("CSAT answers of 4 or 5"),
    "first_time": gettext_lazy("complaints and questions solved the first time"),
    "cases": gettext_lazy("cases ended: customer saved"),
    "playbook_steps": gettext_lazy("steps of playbooks done in time"),
    "crisis_steps": gettext_lazy("steps of crises done in time"),
}  # fmt: skip


def dimension_title(code: str) -> str:
    return str(Dimension(code).label)


def score_words(score: Decimal | None) -> str:
    """A score of 0 to 100 with one decimal where it says something; "–" for none."""
    if score is None:
        return "–"
    is_whole = score == score.to_integral_value()
    return str(formats.number_format(score, 0 if is_whole else 1, use_l10n=True))


def part_words(code: str, good: Decimal, count: Decimal) -> str:
    """One kind of facts: 11 of 12 reviewed contacts: tone and pace right …"""
    what = str(_PARTS.get(code, code))
    return _("%(good)s of %(count)s %(what)s") % {"good": amount(good), "count": amount(count), "what": what}


def parts_words(parts: Iterable[Part]) -> list[str]:
    return [part_words(each.code, each.good, each.count) for each in parts]


def kept_words(facts: Iterable[Mapping[str, Any]]) -> list[str]:
    """The same of facts as they were kept with a score."""
    return [part_words(each["code"], Decimal(each["good"]), Decimal(each["count"])) for each in facts]


# ── trainings ───────────────────────────────────────────────────────────────


def training_words(row: Training, today: dt.date) -> str:
    """Where a training stands, with the days that it is late."""
    stand = rules.stand_of(row.state, row.due_on, row.ready_on, today)
    until = row.ready_on or today
    late = rules.days_late(row.due_on, until) if stand in ("late", "ready", "approved_late") else 0
    words = str(STANDS[stand])
    if stand == "approved_late":
        words = str(STANDS["approved"])
    if not late:
        return words
    by = ngettext("%(days)d day late", "%(days)d days late", late) % {"days": late}
    return by if stand == "late" else _("%(what)s, %(late)s") % {"what": words, "late": by}


# ── years on target ─────────────────────────────────────────────────────────


@dataclass(frozen=True)
class QuarterShown:
    """A quarter of the row as the page shows it; `code` leads to its score card."""

    code: str
    title: str
    score: str
    is_gap: bool


def quarters_shown(standing: Standing) -> list[QuarterShown]:
    """The quarters that count and the gaps between them, oldest first."""
    row = standing.streak
    gaps = {each.period for each in row.gaps}
    return [
        _quarter(each, is_gap=each.period in gaps)
        for each in sorted([*row.counted, *row.gaps], key=lambda each: each.period)
    ]


def _quarter(each: QuarterStand, *, is_gap: bool) -> QuarterShown:
    return QuarterShown(each.period.code, period_words(each.period), score_words(each.score), is_gap)


def note_quarters(note: PromotionNote) -> list[QuarterShown]:
    """The same as it was when the note was written."""
    found = [(each, False) for each in note.quarters] + [(each, True) for each in note.gaps]
    shown = []
    for each, is_gap in sorted(found, key=lambda pair: str(pair[0]["quarter"])):
        score = None if each["score"] is None else Decimal(each["score"])
        period = Period.read(each["quarter"])
        shown.append(QuarterShown(period.code, period_words(period), score_words(score), is_gap))
    return shown


def streak_words(standing: Standing) -> list[str]:
    """How long, what was left out and why, and why it goes back no further: one sentence each."""
    row = standing.streak
    found = [
        ngettext(
            "%(count)d quarter in a row on target; a note is written at %(wanted)d.",
            "%(count)d quarters in a row on target; a note is written at %(wanted)d.",
            len(row.counted),
        )
        % {"count": len(row.counted), "wanted": row.wanted}
    ]
    if row.gaps:
        names = _(", ").join(period_words(each.period) for each in row.gaps)
        found.append(_("Without a score, and left out: %(quarters)s.") % {"quarters": names})
    if standing.team_changes:
        found.append(team_words(standing.team_changes))
    if row.ended_by is not None:
        said = {
            "missed": _("%(quarter)s was below the target: the row begins after it."),
            "open": _("%(quarter)s is not closed: nothing before it counts yet."),
            "gaps": _("%(quarter)s is one quarter without a score too many."),
        }
        if row.ended in said:
            found.append(said[row.ended] % {"quarter": period_words(row.ended_by)})
    return found


def team_words(days: Iterable[dt.date]) -> str:
    """That somebody changed teams meanwhile: score cards go with the person."""
    names = _(", ").join(day_words(each) for each in days)
    return _("Changed teams on %(days)s; score cards go with the person, so the row goes on.") % {"days": names}
