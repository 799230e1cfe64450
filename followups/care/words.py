"""What the days of the care calendar are called."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from followups.rules.care import Festival

FESTIVALS: Final[Mapping[Festival, Any]] = {
    "new_year": gettext_lazy("New Year"),
    "new_years_eve_lunar": gettext_lazy("Chinese New Year’s Eve"),
    "spring_festival": gettext_lazy("Spring Festival"),
    "lantern": gettext_lazy("Lantern Festival"),
    "womens_day": gettext_lazy("Women’s Day"),
    "labour_day": gettext_lazy("Labour Day"),
    "dragon_boat": gettext_lazy("Dragon Boat Festival"),
    "mid_autumn": gettext_lazy("Mid-Autumn Festival"),
    "double_ninth": gettext_lazy("Double Ninth Festival"),
    "national_day_cn": gettext_lazy("National Day of China"),
    "christmas": gettext_lazy("Christmas"),
}

KINDS: Final[Mapping[str, Any]] = {
    "birthday": gettext_lazy("Birthday"),
    "cooperation": gettext_lazy("Years of working together"),
    "founded": gettext_lazy("Company anniversary"),
    "other": gettext_lazy("Another day"),
    "festival": gettext_lazy("Festival"),
}
"""What comes round, as people call it."""


def occasion_words(kind: str, times: int, what: str, by: str) -> str:
    """A day in words: "Birthday", "5 years of working together", "Mid-Autumn Festival"."""
    if kind == "festival":
        return next((str(words) for code, words in FESTIVALS.items() if code == what), what)
    if kind == "birthday":
        return _("Birthday by the lunar calendar") if by == "lunar" else _("Birthday")
    if kind == "cooperation":
        words = ngettext("%(years)d year of working together", "%(years)d years of working together", times)
        return words % {"years": times}
    name = what or str(KINDS["founded"])
    return _("%(what)s: %(years)s") % {"what": name, "years": times} if times else name
