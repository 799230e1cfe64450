"""What asked for a message, in the reader's language: the row keeps a code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

_NAMES: Final[Mapping[str, str | Promise]] = {
    "manual": gettext_lazy("Written by hand"),
    "journey": pgettext_lazy("origin", "Journey"),
    "playbook": pgettext_lazy("origin", "Playbook"),
    "care": gettext_lazy("Care calendar"),
    "cadence": pgettext_lazy("origin", "Cadence"),
    "survey": pgettext_lazy("origin", "Survey"),
    "survey-reminder": gettext_lazy("Survey reminder"),
    "bulk": gettext_lazy("Sent to many"),
    "trial": gettext_lazy("Trial"),
    "api": gettext_lazy("API"),
}


def origin_words(origin: str) -> str:
    """What a code of an origin says: "Journey: first_order:2"; one that is not known as it stands."""
    kind, _colon, rest = origin.partition(":")
    name = _NAMES.get(kind)
    if name is None:
        return origin
    return _("%(what)s: %(name)s") % {"what": name, "name": rest} if rest else str(name)
