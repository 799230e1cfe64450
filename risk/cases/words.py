"""What the case library says, as sentences; each number with its interval, and "not enough cases" where true."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from followups.rules.variants import Rate
from risk.cases.lists import end_words
from risk.cases.services import cause_title, tried_title
from risk.models import Alert, Case
from risk.rules.cases import Helped, Statement
from tenants.templatetags.perennial import percent, whole


@dataclass(frozen=True)
class SaidLine:
    """A statement with its words; `helped` with what each is called."""

    statement: Statement
    title: str
    class_title: str
    sentence: str
    helped: list[tuple[Helped, str]]


def said(found: list[Statement]) -> list[SaidLine]:
    """The statements in the reader's language."""
    return [
        SaidLine(
            statement=each,
            title=cause_title(each.cause),
            class_title=str(Alert.RiskClass(each.risk_class).label),
            sentence=sentence(each),
            helped=[(helped, tried_title(helped.tried)) for helped in each.helped],
        )
        for each in found
    ]


def sentence(statement: Statement) -> str:
    """The statement in words: how often the cause is behind it, and what kept or won back most of its customers."""
    cause = cause_title(statement.cause)
    if not statement.enough:
        return _("%(cause)s: %(hits)s of %(of)s cases, not enough cases for a share") % {
            "cause": cause, "hits": whole(statement.share.hits), "of": whole(statement.share.of),
        }  # fmt: skip
    first = _("%(cause)s: %(share)s of the cases (%(interval)s)") % {
        "cause": cause, "share": percent(statement.share.share), "interval": interval_words(statement.share),
    }  # fmt: skip
    best = statement.best
    if best is None:
        rest = _("not enough cases to say what helps")
    else:
        rest = _("with %(tried)s %(share)s of them were saved or won back (%(interval)s)") % {
            "tried": tried_title(best.tried), "share": percent(best.good.share), "interval": interval_words(best.good),
        }  # fmt: skip
    return first + pgettext("between sentences", "; ") + rest


def interval_words(rate: Rate) -> str:
    """12 of 80, 9 % to 24 %; "none yet" where nothing is counted."""
    if rate.share is None:
        return _("none yet")
    return _("%(hits)s of %(of)s, %(low)s to %(high)s") % {
        "hits": whole(rate.hits), "of": whole(rate.of), "low": percent(rate.low), "high": percent(rate.high),
    }  # fmt: skip


def alike(found: Sequence[Case]) -> list[tuple[Case, str, str]]:
    """Similar cases as templates/risk/_cases_alike.html shows them: the case, its cause and its end in words."""
    return [(each, cause_title(each.cause), end_words(each)) for each in found]
