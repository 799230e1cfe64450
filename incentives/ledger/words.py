"""Rewards and entries in the reader's language: what was earned, by which rule, and what happened to it since."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from django.utils import formats
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from incentives.models import Entry, Medal, Reward
from incentives.rules.approval import Refusal
from tenants.templatetags.perennial import day, money, month_year, plain, whole

REFUSALS: Final[Mapping[Refusal, Any]] = {
    "own": gettext_lazy("Nobody approves their own reward."),
    "own_word": gettext_lazy("It rests on your own word; somebody else approves it."),
    "own_correction": gettext_lazy("You have corrected it; somebody else approves it."),
    "disputed": gettext_lazy("It is disputed; the dispute comes first."),
    "over_limit": gettext_lazy("It is more than team leads approve; an executive or administrator does."),
    "nothing": gettext_lazy("Nothing of it waits for approval."),
}

_WHY: Final[Mapping[str, Any]] = {
    "cancelled": gettext_lazy("The order was cancelled."),
    "withdrawn": gettext_lazy("What it rests on was withdrawn."),
    "other_member": gettext_lazy("The customer is now credited to somebody else."),
    "changed": gettext_lazy("The orders have changed."),
    "facts": gettext_lazy("The orders no longer say so."),
    "medal": gettext_lazy("The medal was taken back."),
}


def amount_words(amount: Decimal, *, is_points: bool) -> str:
    """An amount with its unit: money of the firm, or points."""
    if not is_points:
        return money(amount)
    return ngettext("%(points)s point", "%(points)s points", int(amount)) % {"points": whole(int(amount))}


def explain(reward: Reward) -> str:
    """Why something is earned, in one sentence with its facts and the rule: what a statement prints on the line."""
    said = reward.facts
    if reward.kind == Reward.Kind.STAFF:
        return _staff(reward, said)
    if reward.kind == Reward.Kind.PRODUCT:
        return _product(reward, said)
    if reward.kind == Reward.Kind.REFERRAL:
        return _("%(customer)s, recommended on %(on)s, placed its first order %(order)s on %(first)s.") % {
            "customer": said["customer"], "on": _day(said["recommended_on"]), "order": said["order"],
            "first": _day(said["on"]),
        }  # fmt: skip
    if reward.kind == Reward.Kind.AWARD:
        return _("%(medal)s, %(month)s.") % {
            "medal": Medal.Kind(said["medal"]).label, "month": month_year(dt.date.fromisoformat(said["month"])),
        }  # fmt: skip
    return _("Step of %(year)s: %(at)s recommended customers have placed a first order.") % {
        "year": said["year"], "at": said["at"],
    }  # fmt: skip


def _staff(reward: Reward, said: Mapping[str, Any]) -> str:
    words = {
        "percent": _percent(reward), "order": said["order"], "on": _day(said["on"]), "customer": said["customer"],
        "net": money(Decimal(said["net"])), "referrer": said["referrer"], "recommended": _day(said["recommended_on"]),
        "first": _day(said["first_on"]), "months": said["months"],
    }  # fmt: skip
    if said["is_order"]:
        return (
            _(
                "%(percent)s of order %(order)s of %(on)s (%(net)s) by %(customer)s, whom %(referrer)s recommended on "
                "%(recommended)s; its orders count for %(months)s months from %(first)s."
            )
            % words
        )
    return (
        _("%(percent)s of credit note %(order)s of %(on)s (%(net)s) by %(customer)s, at most what was earned before.")
        % words
    )


def _product(reward: Reward, said: Mapping[str, Any]) -> str:
    return _(
        "%(percent)s of what %(customer)s spends more since “%(what)s” of %(on)s. Month %(month)s, up to %(until)s: "
        "%(spent)s spent since, %(expected)s expected by the %(days)s days before (%(baseline)s from %(since)s), pro rata; "
        "less what the months before it earned."
    ) % {
        "percent": _percent(reward), "customer": said["customer"], "what": said["what"],
        "on": _day(said["upgraded_on"]), "month": said["month"], "until": _day(said["until"]),
        "spent": money(Decimal(said["spent"])), "expected": money(Decimal(said["expected"])),
        "days": said["baseline_days"], "baseline": money(Decimal(said["baseline"])),
        "since": _day(said["baseline_since"]),
    }  # fmt: skip


def entry_words(entry: Entry, reward: Reward | None) -> str:
    """What an entry did, in a sentence."""
    said = entry.facts
    if entry.kind == Entry.Kind.PAYOUT:
        return _("Pay-out P-%(number)s.") % {"number": said["payout"]}
    if entry.kind == Entry.Kind.REDEMPTION:
        return _("Redeemed: %(what)s.") % {"what": said["what"]}
    if reward is None:
        return str(entry.get_kind_display())
    if entry.kind == Entry.Kind.APPROVAL:
        return _("Approved: %(what)s") % {"what": explain(reward)}
    if entry.kind == Entry.Kind.ADJUSTMENT:
        return _("%(why)s It was %(before)s and is %(after)s: %(what)s") % {
            "why": _WHY[said["why"]], "what": explain(reward), **_both(said, reward),
        }  # fmt: skip
    if entry.kind == Entry.Kind.CORRECTION:
        return _("Corrected after a dispute from %(before)s to %(after)s: %(text)s") % {
            "text": said["text"], **_both(said, reward),
        }  # fmt: skip
    return explain(reward)


def _both(said: Mapping[str, Any], reward: Reward) -> dict[str, str]:
    return {name: amount_words(Decimal(said[name]), is_points=reward.is_points) for name in ("before", "after")}


def _day(text: str) -> str:
    return day(dt.date.fromisoformat(text))


def _percent(reward: Reward) -> str:
    if reward.percent is None:
        return ""
    number = plain(reward.percent)
    return f"{formats.localize(Decimal(number))}%"
