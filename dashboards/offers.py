"""What one customer may buy next, ready to print: suggestions with their reason, and whether its orders shrink."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from django.utils import formats
from django.utils.text import Truncator
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from customers.models import Customer, Interaction
from segmentation import figures
from segmentation.models import CrossSellRun, SpecDrift
from segmentation.words import WHY_NO_RULES
from tenants.templatetags.perennial import whole


@dataclass(frozen=True)
class Offer:
    """A suggestion with its reason, and the ends of two addresses: of the rules about it, and of the form that logs the offer."""

    suggestion: figures.Suggestion
    reason: str
    rule: str
    log: str


@dataclass(frozen=True)
class Offers:
    """What could be offered, or in `nothing` why there is nothing; `drift` when order sizes shrink."""

    search: CrossSellRun | None
    offers: Sequence[Offer]
    nothing: str
    drift: SpecDrift | None


def offers_of(customer: Customer) -> Offers:
    """Suggestions by the rules of the latest search; none for a closed customer."""
    search = figures.last_search()
    found = figures.suggestions(customer, search) if customer.closed_on is None else []
    return Offers(
        search=search,
        offers=[Offer(each, _reason(each), _rule(each), _log(each)) for each in found],
        nothing="" if found else _nothing(customer, search),
        drift=SpecDrift.objects.filter(customer=customer).first(),
    )


def _reason(found: figures.Suggestion) -> str:
    rule = found.rule
    words = ngettext(
        "%(followed)s of %(customers)s such customers bought it within %(days)s day",
        "%(followed)s of %(customers)s such customers bought it within %(days)s days",
        found.within_days,
    )
    often = words % {"followed": whole(rule.followed), "customers": whole(rule.customers), "days": found.within_days}
    soon = ngettext(
        "half of them within %(days)s day; %(lift)s times as often as usual",
        "half of them within %(days)s days; %(lift)s times as often as usual",
        rule.median_days,
    ) % {"days": rule.median_days, "lift": formats.number_format(rule.lift, 1)}
    return _("%(often)s, %(soon)s.") % {"often": often, "soon": soon}


def _rule(found: figures.Suggestion) -> str:
    return "?" + urlencode({"q": found.consequent_label})


def _log(found: figures.Suggestion) -> str:
    topic = _("Offered: %(item)s") % {"item": found.consequent_label}
    field = Interaction._meta.get_field("topic")
    return "?" + urlencode({"topic": Truncator(topic).chars(field.max_length or 60)})


def _nothing(customer: Customer, search: CrossSellRun | None) -> str:
    if customer.closed_on is not None:
        return _("Nothing is suggested for a closed customer.")
    if search is None:
        return _("The next night looks for what customers buy after what.")
    if search.reason:
        return str(WHY_NO_RULES[search.reason])
    return _("Nothing to suggest: it has bought what usually follows, or nothing that something follows.")
