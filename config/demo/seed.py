"""Making the demo firms: each whole or not at all."""

from __future__ import annotations

from typing import Final

from django.db import transaction

from config.demo.firm import Firm
from config.demo.hengtai import HENGTAI
from config.demo.history import write_history
from config.demo.load import load_history, load_people
from config.demo.logins import PASSWORD
from config.demo.oakfield import OAKFIELD
from config.demo.weeks import let_weeks_pass
from tenants.context import tenant_scope
from tenants.models import Tenant
from tenants.services import create_tenant

FIRMS: Final[tuple[Firm, ...]] = (HENGTAI, OAKFIELD)


@transaction.atomic
def seed(firm: Firm) -> Tenant:
    """Make a demo firm with its people, its two years up to yesterday, and the nights since.

    One transaction: killed in the middle, it leaves nothing of the firm. Raises ValidationError when the slug
    is taken, NightFailedError when a night does not end well.
    """
    tenant = create_tenant(
        slug=firm.slug,
        name=firm.name,
        pack=firm.pack,
        timezone=firm.timezone,
        currency=firm.currency,
        country=firm.country,
        language=firm.language,
    )
    history = write_history(firm, tenant.today())
    with tenant_scope(tenant):
        members = load_people(firm, PASSWORD)
        load_history(firm, history, members)
        let_weeks_pass(firm, history, members)
    return tenant


def seeded() -> list[Firm]:
    """The demo firms that are there."""
    there = set(Tenant.objects.filter(slug__in=[firm.slug for firm in FIRMS]).values_list("slug", flat=True))
    return [firm for firm in FIRMS if firm.slug in there]
