"""The sections of the policy, in the order in which people read them, and what must hold between them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, cast

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy, pgettext_lazy

from customers.models import Channel, TouchKind
from dashboards.receipts import NAMES
from followups.care.words import FESTIVALS
from followups.models import DutyHolder
from followups.reasons import touches_words
from followups.rules.care import CarePolicy
from followups.rules.contact_policy import ContactPolicy
from followups.rules.policy import CadencePolicy, Period
from followups.rules.survey_policy import Every, Sending, SurveyPolicy
from health.rules.policy import ForecastPolicy, HealthPolicy
from incentives.rules.awards_policy import AwardPolicy
from incentives.rules.growth_policy import GrowthPolicy, PromotionFor
from incentives.rules.kpi_policy import KpiPolicy
from incentives.rules.programme import ProgrammePolicy
from incentives.rules.report_policy import ReportPolicy, Weekday
from incentives.rules.rewards_policy import RewardPolicy
from risk.models import Alert
from risk.rules.complaint_policy import ComplaintPolicy
from risk.rules.crisis_policy import CrisisPolicy
from risk.rules.policy import RiskPolicy
from risk.rules.win_back_policy import WinBackPolicy
from segmentation.models import Stage, Tier
from segmentation.rules.policy import CrossSellPolicy, TierPolicy, ValuePolicy
from segmentation.rules.tiers import TIER_ORDER
from tenants.policies import register, register_check
from tenants.policy_words import PACK_LABELS
from tenants.rules.calendar import CalendarPolicy, Week
from tenants.rules.sections import Misfit, PolicySection, gettext_noop

TIERS: Final[Mapping[str, str | Promise]] = {code: label for code, label in Tier.choices if code}
PERIODS: Final[Mapping[Period, str | Promise]] = {
    "week": pgettext_lazy("period", "a week"),
    "month": pgettext_lazy("period", "a month"),
    "quarter": pgettext_lazy("period", "a quarter"),
    "half_year": pgettext_lazy("period", "half a year"),
    "year": pgettext_lazy("period", "a year"),
}
LEVELS: Final[Mapping[str, str | Promise]] = {
    "category": gettext_lazy("categories"),
    "product": gettext_lazy("products"),
}
LAPSES: Final[Mapping[str, str | Promise]] = {
    "days": gettext_lazy("fixed days"),
    "own_cycle": gettext_lazy("own cycle"),
}
STAGES: Final[Mapping[str, str | Promise]] = dict(Stage.choices)
YES_NO: Final[Mapping[str, str | Promise]] = {"yes": gettext_lazy("yes"), "no": gettext_lazy("no")}
ANNIVERSARIES: Final[Mapping[str, str | Promise]] = {
    "every": gettext_lazy("every year"),
    "round": gettext_lazy("the first, and every fifth"),
    "no": gettext_lazy("none"),
}
WEEKS: Final[Mapping[Week, str | Promise]] = {
    "country": gettext_lazy("as usual in the country"),
    "mon_fri": gettext_lazy("Monday to Friday"),
    "mon_sat": gettext_lazy("Monday to Saturday"),
    "every_day": gettext_lazy("every day, holidays too"),
}
SENDING: Final[Mapping[Sending, str | Promise]] = {
    "by_hand": gettext_lazy("only by hand"),
    "automatic": gettext_lazy("by themselves"),
}
SURVEYED: Final[Mapping[Every, str | Promise]] = {
    "month": pgettext_lazy("period", "a month"),
    "quarter": pgettext_lazy("period", "a quarter"),
    "half_year": pgettext_lazy("period", "half a year"),
    "year": pgettext_lazy("period", "a year"),
}
QUIET_DAYS: Final[Mapping[str, str | Promise]] = {
    "none": pgettext_lazy("quiet days", "no day"),
    "weekends": gettext_lazy("weekends"),
}
CHANNEL_CHOICES: Final[Mapping[str, str | Promise]] = {
    "any": gettext_lazy("any channel that is open"),
    "preferred": gettext_lazy("the preferred channel only"),
}
WEEKDAYS: Final[Mapping[Weekday, str | Promise]] = {
    "monday": pgettext_lazy("weekday", "Monday"),
    "tuesday": pgettext_lazy("weekday", "Tuesday"),
    "wednesday": pgettext_lazy("weekday", "Wednesday"),
    "thursday": pgettext_lazy("weekday", "Thursday"),
    "friday": pgettext_lazy("weekday", "Friday"),
    "saturday": pgettext_lazy("weekday", "Saturday"),
    "sunday": pgettext_lazy("weekday", "Sunday"),
}

PROMOTION_FOR: Final[Mapping[PromotionFor, str | Promise]] = {
    "every": gettext_lazy("everybody who is measured"),
    "success": gettext_lazy("success managers only"),
}

register(TierPolicy, {"scheme": PACK_LABELS})
register(HealthPolicy, {"indicators": NAMES, "tier_weights": TIERS, "stage_weights": STAGES})
register(ForecastPolicy, {"lapse": LAPSES})
register(
    CadencePolicy,
    {"tiers": TIERS, "kind": dict(TouchKind.choices), "per": cast(Mapping[str, str], PERIODS)},
    {"tiers": touches_words},
)
register(CalendarPolicy, {"week": cast(Mapping[str, str], WEEKS)})
register(
    ContactPolicy,
    {
        "consent_needed": dict(Channel.choices),
        "quiet_days": cast(Mapping[str, str], QUIET_DAYS),
        "channel_choice": cast(Mapping[str, str], CHANNEL_CHOICES),
    },
)
register(
    SurveyPolicy,
    {
        "sending": cast(Mapping[str, str], SENDING),
        "nps_every": cast(Mapping[str, str], SURVEYED),
        "ask_promoters": YES_NO,
    },
)
register(
    CarePolicy,
    {
        "festivals": cast(Mapping[str, str | Promise], FESTIVALS),
        "festival_tiers": TIERS,
        "automatic_tiers": TIERS,
        "birthdays": YES_NO,
        "anniversaries": ANNIVERSARIES,
    },
)
register(RiskPolicy, {"top_tiers": TIERS, "watched": dict(Alert.Signal.choices)})
register(CrisisPolicy)
register(ComplaintPolicy, {"duty": dict(DutyHolder.Duty.choices)})
register(WinBackPolicy)
register(ValuePolicy, {"tier_weights": TIERS})
register(CrossSellPolicy, {"level": LEVELS})
register(KpiPolicy)
register(ProgrammePolicy)
register(RewardPolicy)
register(AwardPolicy)
register(GrowthPolicy, {"promotion_for": cast(Mapping[str, str], PROMOTION_FOR)})
register(ReportPolicy, {"weekly_day": cast(Mapping[str, str], WEEKDAYS)})


def tiers_are_of_the_scheme(sections: Mapping[str, PolicySection]) -> Iterator[Misfit]:
    """Every tier that a section names is one of the scheme in force.

    A cadence or an alert for a tier that nobody has would be a rule that silently does nothing. When the scheme
    changes, `switch_pack` brings all of them along.
    """
    scheme = cast(TierPolicy, sections[TierPolicy.section]).scheme
    named = {
        (CadencePolicy.section, "tiers"): cast(CadencePolicy, sections[CadencePolicy.section]).tiers,
        (CarePolicy.section, "festival_tiers"): cast(CarePolicy, sections[CarePolicy.section]).festival_tiers,
        (CarePolicy.section, "automatic_tiers"): cast(CarePolicy, sections[CarePolicy.section]).automatic_tiers,
        (RiskPolicy.section, "top_tiers"): cast(RiskPolicy, sections[RiskPolicy.section]).top_tiers,
        (HealthPolicy.section, "tier_weights"): cast(HealthPolicy, sections[HealthPolicy.section]).tier_weights,
        (ValuePolicy.section, "tier_weights"): cast(ValuePolicy, sections[ValuePolicy.section]).tier_weights,
    }
    template = gettext_noop("the tiers in force have no {tier}; there are: {tiers}")
    for path, tiers in named.items():
        for tier in tiers:
            if tier not in TIER_ORDER[scheme]:
                place = (*path, tier) if isinstance(tiers, Mapping) else path
                yield Misfit(
                    place, "tier_not_of_scheme", template, {"tier": tier, "tiers": ", ".join(TIER_ORDER[scheme])}
                )


register_check(tiers_are_of_the_scheme)


def unanswered_contacts_are_looked_at(sections: Mapping[str, PolicySection]) -> Iterator[Misfit]:
    """Health looks at the last few contacts: a signal that wants more in a row could never fire."""
    health = cast(HealthPolicy, sections[HealthPolicy.section])
    asked = cast(RiskPolicy, sections[RiskPolicy.section]).unanswered_contacts
    most = max(health.outbound_contacts, health.unanswered_contacts)
    if asked > most:
        yield Misfit(
            (RiskPolicy.section, "unanswered_contacts"),
            "unanswered_never_seen",
            gettext_noop("must not be over {most}: health looks at no more of the last contacts"),
            {"most": most},
        )


register_check(unanswered_contacts_are_looked_at)
