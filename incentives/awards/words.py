"""Awards in the reader's language: what each share is called, what a medal was given for, why somebody has no place."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Final

from django.utils import formats
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext

from incentives.awards.cases import Candidate
from incentives.awards.ranking import Stood
from incentives.kpis.words import kpi_title, period_words
from incentives.models import Medal
from incentives.rules.awards import CASE_POINTS, CasePoint, Share
from incentives.rules.kpis import Period
from risk.cases.services import cause_title

_POINT_WORDS: Final[dict[CasePoint, object]] = {
    "severe": gettext_lazy("severe"),
    "moderate": gettext_lazy("moderate"),
    "mild": gettext_lazy("mild"),
    "won_back": gettext_lazy("was lost and came back"),
    "rare": gettext_lazy("by this cause customers are rarely kept"),
    "uneven": gettext_lazy("by this cause customers are often lost"),
    "lessons": gettext_lazy("lessons written down"),
    "tried": gettext_lazy("something was tried"),
}

USUAL_WORDS: Final = {
    "tier": gettext_lazy("customers of that tier, four quarters"),
    "firm": gettext_lazy("the whole firm, four quarters: too few of that tier"),
    "target": gettext_lazy("the target: too little history"),
}


def month_words(month: dt.date) -> str:
    """Oct 2026."""
    return period_words(Period.of("month", month))


def share_title(share: Share) -> str:
    """What people call a share."""
    return _("Answered in time") if share == "response_time" else kpi_title(share)


def points(value: Decimal | None) -> str:
    """Points with one decimal and their sign: +6.4, −2.0; "–" for none."""
    if value is None:
        return "–"
    number = formats.number_format(abs(round(value, 1)), decimal_pos=1, use_l10n=True)
    sign = "+" if value > 0 else "−" if value < 0 else ""
    return f"{sign}{number}"


def percent(value: Decimal | None) -> str:
    """A share with one decimal; "–" for none."""
    if value is None:
        return "–"
    return _("%(number)s%%") % {"number": formats.number_format(round(value, 1), decimal_pos=1, use_l10n=True)}


def medal_why(medal: Medal) -> str:
    """What a medal was given for, in a sentence."""
    if medal.kind == Medal.Kind.CASE:
        return str(medal.reason)
    said = {"points": points(medal.score), "people": medal.facts["of"]}
    if medal.kind == Medal.Kind.IMPROVED:
        return _("%(points)s points against what is usual, %(rise)s against the month before") % {
            **said, "rise": points(Decimal(medal.facts["rise"])),
        }  # fmt: skip
    return (
        ngettext(
            "%(points)s points against what is usual for such customers, among %(people)s person",
            "%(points)s points against what is usual for such customers, among %(people)s people",
            medal.facts["of"],
        )
        % said
    )


def why_without_place(stood: Stood) -> str:
    """Why somebody has no place, with the numbers that decide; "" for who has one."""
    if stood.why_not == "away":
        return _("Away on %(away)s of %(working)s working days") % {
            "away": stood.there.away_days, "working": stood.there.working_days,
        }  # fmt: skip
    if stood.why_not == "too_few":
        return _("Only %(known)s%% of the weights are known: too few customers with something to go by") % {
            "known": stood.known_percent
        }
    return {
        "new": _("Came within the month: a place comes with the first whole one"),
        "left": _("No longer with the firm"),
        "left_out": _("Left out by a correction"),
    }.get(stood.why_not, "")


def there_words(stood: Stood) -> str:
    """How much of the month somebody was there, where not all of it; "" for all of it."""
    if not stood.there.away_days or stood.why_not == "away":
        return ""
    return _("away on %(away)s of %(working)s working days: these do not count") % {
        "away": stood.there.away_days, "working": stood.there.working_days,
    }  # fmt: skip


def case_points(candidate: Candidate) -> str:
    """What a case has for it, point by point: "severe 3, lessons written down 2"."""
    return pgettext("between words", ", ").join(
        f"{_POINT_WORDS[each]} {CASE_POINTS[each]}" for each in candidate.proposal.why
    )


def case_words(candidate: Candidate) -> str:
    """A proposed case in a line: customer, cause, who ended it, its points."""
    words = _("%(customer)s, %(cause)s, %(who)s: %(points)s points")
    return words % {
        "customer": candidate.case.customer.name,
        "cause": cause_title(candidate.case.cause) or _("cause not said"),
        "who": candidate.handler,
        "points": candidate.proposal.points,
    }
