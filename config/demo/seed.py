"""Making the demo firms: each whole or not at all."""

from __future__ import annotations

import datetime as dt
from typing import Final

from django.db import transaction

from config.demo.alarms import answer_alerts
from config.demo.cares import go_away, note_days
from config.demo.crises import run_crises
from config.demo.desks import leave_desks
from config.demo.earnings import record_earnings, settle_earnings
from config.demo.feedback import ask_customers, review_contacts
from config.demo.firm import Firm
from config.demo.goals import measure
from config.demo.growth import grow
from config.demo.hengtai import HENGTAI
from config.demo.history import write_history
from config.demo.load import load_history, load_people
from config.demo.logins import PASSWORD
from config.demo.medals import award_months
from config.demo.messages import send_messages
from config.demo.oakfield import OAKFIELD
from config.demo.papers import make_reports
from config.demo.rehearsals import begin_playbooks, open_playbooks, tried_playbooks
from config.demo.rescues import keep_cases, offer_again, walk_complaints
from config.demo.risks import say_who_leaves
from config.demo.walks import open_journeys, say_scripts
from config.demo.weeks import NIGHTS_AGO, let_weeks_pass
from segmentation.models import SavedSegment
from segmentation.saved import save_segment
from tenants.context import tenant_scope
from tenants.events import acting
from tenants.models import Member, Tenant
from tenants.permissions import Role
from tenants.policies import active_policy, save_policy
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
        lead = members[firm.staff(Role.TEAM_LEAD)[0].email]
        _settle_policy(firm, lead)
        for saved in firm.segments:
            segment = save_segment(name=saved.name, filters=saved.filters, is_shared=True, member=lead)
            made_at = tenant.start_of(history.today - dt.timedelta(days=max(NIGHTS_AGO)))
            SavedSegment.objects.filter(pk=segment.pk).update(created_at=made_at)
        ask_customers(firm, history.today)
        open_journeys(lead, history.today)
        open_playbooks(history.today)
        note_days(firm, lead, history.today)
        say_who_leaves(history.today)
        record_earnings(firm, history.today)
        let_weeks_pass(firm, history, members)
        tried_playbooks(firm, history.today)
        begin_playbooks(members[firm.staff(Role.ACCOUNT_MANAGER)[0].email])
        say_scripts(firm, history.today)
        review_contacts(firm, members, history.today)
        walk_complaints(firm, history.today)
        keep_cases(firm)
        answer_alerts(firm, history.today)
        offer_again(firm, history.today)
        send_messages(lead)
        leave_desks(firm, members, history.today)
        go_away(firm, members, history.today)
        run_crises(firm, members, history.today)
        settle_earnings(firm, members, history.today)
        measure(firm, members, history.today)
        grow(firm, members, history.today)
        award_months(firm, members, history.today)
        make_reports(history.today)
    return tenant


def _settle_policy(firm: Firm, lead: Member) -> None:
    """The pack's policy, changed as the firm's lead has since changed it: a version for each step."""
    with acting(lead):
        for step in firm.policy:
            document = dict(active_policy().document)
            for section, fields in step.changes.items():
                document[section] = {**document[section], **fields}
            save_policy(document, pack=firm.pack, note=step.note)


def seeded() -> list[Firm]:
    """The demo firms that are there."""
    there = set(Tenant.objects.filter(slug__in=[firm.slug for firm in FIRMS]).values_list("slug", flat=True))
    return [firm for firm in FIRMS if firm.slug in there]
