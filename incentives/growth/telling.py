"""What members are told about growth: the kinds of notices, their sentences, and who hears them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, Final

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from followups.notices.kinds import register
from followups.notices.services import notify
from incentives.kpis.words import period_words
from incentives.models import Certification, PromotionNote, Training
from incentives.rules.kpis import Period
from tenants.models import Member
from tenants.templatetags.perennial import day as day_words


def _quarter(params: Mapping[str, Any]) -> str:
    return period_words(Period("quarter", dt.date.fromisoformat(params["quarter"])))


def _day(params: Mapping[str, Any], name: str) -> str:
    return day_words(dt.date.fromisoformat(params[name]))


def _due(params: Mapping[str, Any]) -> str:
    count = int(params["count"])
    words = ngettext(
        "%(count)d certification of %(quarter)s waits for your score, until %(day)s",
        "%(count)d certifications of %(quarter)s wait for your score, until %(day)s",
        count,
    )
    return words % {"count": count, "quarter": _quarter(params), "day": _day(params, "until")}


def _named(params: Mapping[str, Any]) -> str:
    words = _("You review %(who)s for %(quarter)s, until %(day)s")
    return words % {"who": params["who"], "quarter": _quarter(params), "day": _day(params, "until")}


def _scored(params: Mapping[str, Any]) -> str:
    words = _("%(by)s has scored your certification of %(quarter)s: %(mean)s; it waits to be confirmed")
    return words % {"by": params["by"], "quarter": _quarter(params), "mean": params["mean"]}


def _to_confirm(params: Mapping[str, Any]) -> str:
    words = _("The certification of %(who)s for %(quarter)s waits to be confirmed: %(mean)s, scored by %(by)s")
    return words % {
        "who": params["who"], "quarter": _quarter(params), "mean": params["mean"], "by": params["by"],
    }  # fmt: skip


def _confirmed(params: Mapping[str, Any]) -> str:
    words = (
        _("Your certification of %(quarter)s is confirmed: %(mean)s, passed")
        if params["passed"]
        else _("Your certification of %(quarter)s is confirmed: %(mean)s, not passed")
    )
    return words % {"quarter": _quarter(params), "mean": params["mean"]}


def _sent_back(params: Mapping[str, Any]) -> str:
    words = _("%(by)s has sent back the certification of %(who)s for %(quarter)s: %(why)s")
    return words % {"by": params["by"], "who": params["who"], "quarter": _quarter(params), "why": params["why"]}


def _mentor(params: Mapping[str, Any]) -> str:
    words = _("You are mentor of %(who)s: %(title)s, until %(day)s")
    return words % {"who": params["who"], "title": params["title"], "day": _day(params, "until")}


def _ready(params: Mapping[str, Any]) -> str:
    return _("%(who)s has done all customers of “%(title)s”: you decide") % params


def _approved(params: Mapping[str, Any]) -> str:
    return _("%(by)s has approved your training “%(title)s”") % params


def _late(params: Mapping[str, Any]) -> str:
    words = _("The training “%(title)s” of %(who)s was to be done by %(day)s: %(done)s of %(wanted)s customers are")
    return words % {**params, "day": _day(params, "until")}


def _promotion(params: Mapping[str, Any]) -> str:
    count = int(params["years"])
    words = ngettext(
        "%(who)s has been on target for %(count)d year in a row: talk about promotion",
        "%(who)s has been on target for %(count)d years in a row: talk about promotion",
        count,
    )
    return words % {"who": params["who"], "count": count}


DUE: Final = register("certification-due", gettext_lazy("Certifications wait for my score"), _due)
NAMED: Final = register("certification-reviewer", gettext_lazy("I am named reviewer of somebody"), _named)
SCORED: Final = register("certification-scored", gettext_lazy("My certification is scored"), _scored)
TO_CONFIRM: Final = register("certification-confirm", gettext_lazy("A certification waits for me"), _to_confirm)
CONFIRMED: Final = register("certification-confirmed", gettext_lazy("My certification is confirmed"), _confirmed)
SENT_BACK: Final = register("certification-back", gettext_lazy("A score of mine is sent back"), _sent_back)
MENTOR: Final = register("training-mentor", gettext_lazy("I am named mentor of somebody"), _mentor)
READY: Final = register("training-ready", gettext_lazy("A training waits for my approval"), _ready)
APPROVED: Final = register("training-approved", gettext_lazy("My training is approved"), _approved)
LATE: Final = register("training-late", gettext_lazy("A training of mine is late"), _late)
PROMOTION: Final = register(
    "promotion-note", gettext_lazy("Somebody I lead has been on target for years"), _promotion, mail="at_once"
)


def place_of(row: Certification) -> str:
    """The path of its page inside the firm."""
    return f"growth/certifications/{row.pk}/"


# ── certifications ──────────────────────────────────────────────────────────


def tell_due(reviewer: Member, quarter: Period, count: int, until: dt.date) -> int:
    """Tell a reviewer how much waits, once for a quarter; returns 1 when that is news."""
    params = {"quarter": quarter.start.isoformat(), "count": count, "until": until.isoformat()}
    url = f"growth/?quarter={quarter.start.isoformat()}&state=open"
    return notify(members=[reviewer], kind=DUE.code, key=f"certifications:{quarter.code}", params=params, url=url)


def tell_named(row: Certification, reviewer: Member, until: dt.date) -> None:
    params = {"who": str(row.member), "quarter": row.quarter.isoformat(), "until": until.isoformat()}
    key = f"certification:{row.pk}:reviewer:{reviewer.pk}"
    notify(members=[reviewer], kind=NAMED.code, key=key, params=params, url=place_of(row))


def tell_scored(row: Certification, confirmers: Sequence[Member]) -> None:
    """Tell the person what the score is, and who confirms that it waits; again after it was sent back."""
    params = {
        "who": str(row.member), "quarter": row.quarter.isoformat(), "mean": str(row.mean), "by": str(row.scored_by),
    }  # fmt: skip
    key = f"certification:{row.pk}:scored:{row.scored_at:%Y%m%d%H%M%S%f}"
    notify(members=[row.member], kind=SCORED.code, key=key, params=params, url=place_of(row))
    notify(members=confirmers, kind=TO_CONFIRM.code, key=f"{key}:confirm", params=params, url=place_of(row))


def tell_confirmed(row: Certification) -> None:
    params = {"quarter": row.quarter.isoformat(), "mean": str(row.mean), "passed": row.passed}
    key = f"certification:{row.pk}:confirmed"
    notify(members=[row.member], kind=CONFIRMED.code, key=key, params=params, url=place_of(row))


def tell_sent_back(row: Certification, scorer: Member, by: Member) -> None:
    params = {
        "who": str(row.member), "quarter": row.quarter.isoformat(), "by": str(by), "why": row.sent_back_why,
    }  # fmt: skip
    key = f"certification:{row.pk}:back:{row.updated_at:%Y%m%d%H%M%S%f}"
    notify(members=[scorer], kind=SENT_BACK.code, key=key, params=params, url=place_of(row))


# ── trainings ───────────────────────────────────────────────────────────────


def _training(row: Training) -> dict[str, Any]:
    return {"who": str(row.member), "title": row.title, "until": row.due_on.isoformat()}


def tell_mentor(row: Training) -> None:
    key = f"training:{row.pk}:mentor:{row.mentor_id}"
    notify(members=[row.mentor], kind=MENTOR.code, key=key, params=_training(row), url=f"growth/trainings/{row.pk}/")


def tell_ready(row: Training) -> None:
    key = f"training:{row.pk}:ready:{row.ready_on}"
    notify(members=[row.mentor], kind=READY.code, key=key, params=_training(row), url=f"growth/trainings/{row.pk}/")


def tell_approved(row: Training) -> None:
    params = {**_training(row), "by": str(row.approved_by)}
    key = f"training:{row.pk}:approved:{row.approved_on}"
    notify(members=[row.member], kind=APPROVED.code, key=key, params=params, url=f"growth/trainings/{row.pk}/")


def tell_late(row: Training, done: int) -> int:
    """Tell the trainee and the mentor that its day is over, once for a day; returns how many had not been told."""
    params = {**_training(row), "done": done, "wanted": row.wanted}
    key = f"training:{row.pk}:late:{row.due_on}"
    members = [row.member, row.mentor]
    return notify(members=members, kind=LATE.code, key=key, params=params, url=f"growth/trainings/{row.pk}/")


# ── promotion ───────────────────────────────────────────────────────────────


def tell_promotion(row: PromotionNote, members: Sequence[Member], years: int) -> None:
    """Tell who leads the person, once for all time."""
    key = f"promotion:{row.member_id}"
    params = {"who": str(row.member), "years": years}
    notify(members=members, kind=PROMOTION.code, key=key, params=params, url=f"growth/people/{row.member_id}/")
