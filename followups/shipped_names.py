"""What the scripts and journeys that ship are called, in the reader's language."""

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
