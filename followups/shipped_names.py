"""What the scripts, journeys and playbooks that ship are called, in the reader's language."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

SCRIPTS: Final[Mapping[str, str | Promise]] = {
    "first-thanks": _("Thank you for the first order"),
    "first-call": _("Call after the first order"),
    "value-report": _("First value report"),
    "regular": _("How is it going"),
    "complaint": _("After a complaint"),
    "dormant": _("We miss you"),
    "new-product": _("New product, short"),
    "new-product-chat": _("New product, in person"),
    "renewal": _("Prices and the year ahead"),
    "festival": _("Festival greeting"),
    "birthday": _("Birthday wishes"),
    "anniversary": _("Anniversary wishes"),
    "referral": _("Whom could we help as well"),
    "visit-together": _("May we come and look at it together"),
    "retention": _("We have heard you"),
    "still-there": _("A letter to somebody who does not answer"),
    "special": _("A special benefit"),
    "rival-offer": _("What the other offer says"),
    "win-back": _("What would bring you back"),
}

JOURNEYS: Final[Mapping[str, str | Promise]] = {
    "first-order": _("After the first order"),
    "complaint": _("After a solved complaint"),
    "new-product": _("A new product for the best"),
    "silent": _("Three months without an order"),
    "product-asked": _("Asked about a new product"),
    "logistics": _("Complained about logistics"),
}

STEPS: Final[Mapping[str, str | Promise]] = {
    "letter": _("Thank-you letter"),
    "call": _("Call"),
    "report": _("First value report"),
    "call-back": _("Call back"),
    "sms": _("Short message"),
    "chat": _("Personal message"),
    "ask": _("Ask what has changed"),
    "product": _("Product manager follows up"),
    "solve": _("Solve it and call back"),
}

PLAYBOOKS: Final[Mapping[str, str | Promise]] = {
    "silent": _("Two months silent"),
    "diagnosis": _("Deep diagnosis with a joint visit"),
    "retention-team": _("Retention team"),
    "three-plus-one": _("3+1 plan"),
    "competitor": _("Competitor retention"),
    "win-back": _("Win-back"),
}

PLAYBOOK_STEPS: Final[Mapping[str, str | Promise]] = {
    "call": _("Call"),
    "chat": _("Personal message"),
    "again": _("Call once more"),
    "next-order": _("Agree on the next order"),
    "facts": _("Put the facts together"),
    "quality": _("Look through the complaints"),
    "technical": _("Technical view"),
    "date": _("Agree on a date"),
    "visit": _("Joint visit"),
    "measures": _("Send the measures"),
    "check": _("Ask how it stands"),
    "team": _("Name the team"),
    "hear": _("Hear them out"),
    "remedy": _("Write the remedy plan"),
    "present": _("Present the remedy plan"),
    "deliver": _("Keep what was promised"),
    "phone": _("First care: a call"),
    "wechat": _("Second care: WeChat"),
    "mail": _("Third care: a mail"),
    "benefit": _("One special benefit"),
    "learn": _("Learn what the other offers"),
    "own-offer": _("Make an offer of our own"),
    "talk": _("Talk it through"),
    "ask-why": _("Ask why they left"),
    "terms": _("Choose the offer"),
    "make-offer": _("Make the offer"),
    "letter": _("Send it in writing"),
}
