"""Forms of segmentation: pinning a tier."""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

from django import forms
from django.utils.translation import gettext_lazy as _

from segmentation.models import Tier, TierPin
from segmentation.rules.policy import Scheme
from segmentation.rules.tiers import TIER_ORDER

USUAL_DAYS: Final = 90
"""How long a pin lasts unless somebody says otherwise: a quarter."""


class PinForm(forms.Form):
    """Which tier a customer is to have, why, and until when. With `pin` the one that holds now."""

    tier = forms.ChoiceField(label=_("Tier"))
    until = forms.DateField(
        label=_("Until"),
        widget=forms.DateInput({"type": "date"}, format="%Y-%m-%d"),
        help_text=_("The last day on which it holds; then the facts decide again."),
    )
    reason = forms.CharField(
        label=_("Reason"),
        max_length=200,
        widget=forms.TextInput({"data-wide": True}),
        help_text=_("Stays in the history."),
    )

    def __init__(
        self, *args: Any, scheme: Scheme, tier: str, today: dt.date, pin: TierPin | None, **kwargs: Any
    ) -> None:
        held = pin if pin is not None and pin.tier in TIER_ORDER[scheme] else None
        kwargs["initial"] = {
            "tier": held.tier if held else tier,
            "until": held.until if held else today + dt.timedelta(days=USUAL_DAYS),
            "reason": held.reason if held else "",
        }
        super().__init__(*args, **kwargs)
        self.fields["tier"].choices = [(code, Tier(code).label) for code in TIER_ORDER[scheme]]  # type: ignore[attr-defined]  # a ChoiceField
