"""Why a message is not sent, or not yet, in the reader's language: the row keeps a code and facts, never words."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from customers.models import Channel
from followups.rules.governor import Verdict
from tenants.templatetags.perennial import day

if TYPE_CHECKING:
    from django.utils.functional import Promise

    from followups.models import Message

TITLES: Final[Mapping[str, str | Promise]] = {
    "quiet": gettext_lazy("Quiet hours"),
    "weekend": gettext_lazy("Weekend"),
    "day_limit": gettext_lazy("Limit of a day"),
    "budget": gettext_lazy("Contact's budget"),
    "kept": gettext_lazy("Kept for service"),
    "channel_limit": gettext_lazy("Limit of the channel"),
    "channel_closed": gettext_lazy("Channel not allowed"),
    "survey": gettext_lazy("Survey too soon"),
    "closed": gettext_lazy("Customer closed"),
    "left": gettext_lazy("Contact has left"),
    "no_address": gettext_lazy("No address"),
    "dead_address": gettext_lazy("Address does not work"),
    "opted_out": gettext_lazy("Opted out"),
    "withdrawn": gettext_lazy("Consent withdrawn"),
    "no_consent": gettext_lazy("No consent"),
    "not_preferred": gettext_lazy("Prefers another channel"),
    "by_hand": gettext_lazy("By hand only"),
    "channel_off": gettext_lazy("Channel not set up"),
    "server_down": gettext_lazy("Server not reached"),
    "server_busy": gettext_lazy("Server busy"),
    "server_login": gettext_lazy("Server refuses our sign-in"),
    "refused": gettext_lazy("Server refused it"),
    "bad_address": gettext_lazy("Address cannot be written"),
    "bad_gateway": gettext_lazy("Gateway set up wrongly"),
    "forbidden": gettext_lazy("Gateway not allowed"),
    "unclear": gettext_lazy("Not known whether it arrived"),
}
"""Every code in two or three words, for filters and tables."""


def message_why(message: Message) -> str:
    """Why a message stands as it does, in a sentence; "" for one that nothing stands in the way of."""
    return why_words(message.why, message.why_facts, message.channel)


def verdict_why(verdict: Verdict, channel: str) -> str:
    """What the governor says, in a sentence; "" for yes."""
    until = {"until": verdict.at.isoformat()} if verdict.at and verdict.why else {}
    return why_words(verdict.why, {"limit": verdict.limit} | until, channel)


def why_words(code: str, facts: Mapping[str, Any], channel: str) -> str:
    """The sentence of a code: `facts` may have limit (touches), until (ISO moment) and attempt (number)."""
    if not code:
        return ""
    limit = int(facts.get("limit") or 0)
    sentence = _SENTENCES[code](limit, _channel(channel))
    until = facts.get("until")
    if until:
        moment = date_format(timezone.localtime(dt.datetime.fromisoformat(until)), "SHORT_DATETIME_FORMAT")
        return _("%(why)s Goes at %(moment)s.") % {"why": sentence, "moment": moment}
    return sentence


def task_why(facts: Mapping[str, Any]) -> str:
    """Why a task has waited for the contact, or should; "" for one that nothing moved. `facts` as rules/room.py leaves."""
    if facts.get("crowded"):
        words = ngettext(
            "The contact has had the %(count)d touch of the budget, and there is no room soon: decide yourself.",
            "The contact has had the %(count)d touches of the budget, and there is no room soon: decide yourself.",
            int(facts["crowded"]),
        )
        return words % {"count": int(facts["crowded"])}
    if facts.get("wanted_on"):
        words = ngettext(
            "Moved from %(day)s: the contact's budget of %(count)d touch was used up.",
            "Moved from %(day)s: the contact's budget of %(count)d touches was used up.",
            int(facts.get("budget") or 0),
        )
        return words % {"day": day(dt.date.fromisoformat(facts["wanted_on"])), "count": int(facts.get("budget") or 0)}
    return ""


def _channel(channel: str) -> str:
    return str(Channel(channel).label) if channel in Channel.values else channel


def _day_limit(limit: int, _channel: str) -> str:
    words = ngettext(
        "The contact is reached at most %(count)d time within 24 hours.",
        "The contact is reached at most %(count)d times within 24 hours.",
        limit,
    )
    return words % {"count": limit}


def _budget(limit: int, _channel: str) -> str:
    words = ngettext(
        "The contact's budget of %(count)d touch is used up.",
        "The contact's budget of %(count)d touches is used up.",
        limit,
    )
    return words % {"count": limit}


def _kept(limit: int, _channel: str) -> str:
    words = ngettext(
        "The contact has had %(count)d touch; the rest of the budget is kept for service.",
        "The contact has had %(count)d touches; the rest of the budget is kept for service.",
        limit,
    )
    return words % {"count": limit}


def _channel_limit(limit: int, channel: str) -> str:
    words = ngettext(
        "By this channel (%(channel)s) the contact is reached at most %(count)d time in that period.",
        "By this channel (%(channel)s) the contact is reached at most %(count)d times in that period.",
        limit,
    )
    return words % {"count": limit, "channel": channel}


_SENTENCES: Final[Mapping[str, Callable[[int, str], str]]] = {
    "quiet": lambda _n, _c: _("It is in the contact's quiet hours."),
    "weekend": lambda _n, _c: _("Nothing is sent at weekends."),
    "day_limit": _day_limit,
    "budget": _budget,
    "kept": _kept,
    "channel_limit": _channel_limit,
    "channel_closed": lambda _n, channel: (
        _("The policy sends nothing by this channel: %(channel)s.") % {"channel": channel}
    ),
    "survey": lambda _n, _c: _("The contact was asked in a survey not long ago."),
    "closed": lambda _n, _c: _("The customer is closed."),
    "left": lambda _n, _c: _("The contact has left the customer."),
    "no_address": lambda _n, channel: (
        _("The contact has no address for this channel: %(channel)s.") % {"channel": channel}
    ),
    "dead_address": lambda _n, _c: _("Messages to this address come back. Correct it at the contact."),
    "opted_out": lambda _n, _c: _("The contact does not want to hear from us this way."),
    "withdrawn": lambda _n, _c: _("The contact has withdrawn consent."),
    "no_consent": lambda _n, channel: (
        _("The contact has not given the consent that this channel needs: %(channel)s.") % {"channel": channel}
    ),
    "not_preferred": lambda _n, _c: _("The contact prefers another channel."),
    "by_hand": lambda _n, channel: _("A person does this: %(channel)s. Nothing can be sent.") % {"channel": channel},
    "channel_off": lambda _n, channel: (
        _("The channel is not set up or switched off: %(channel)s.") % {"channel": channel}
    ),
    "server_down": lambda _n, _c: _("The server could not be reached. It is tried again."),
    "server_busy": lambda _n, _c: _("The server takes nothing just now. It is tried again."),
    "server_login": lambda _n, _c: _("The server does not accept our user name or key."),
    "refused": lambda _n, _c: _("The server refused the message."),
    "bad_address": lambda _n, _c: _("The address cannot be written in a message. Correct it at the contact."),
    "bad_gateway": lambda _n, _c: _("The gateway is not set up rightly. An administrator can correct it."),
    "forbidden": lambda _n, _c: _("The gateway's address lies in a network that may not be called."),
    "unclear": lambda _n, _c: _(
        "The line broke while it was sent: it may have arrived. Ask the contact before you send it again."
    ),
}
