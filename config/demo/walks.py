"""Journeys that have run in the demo firms for weeks, who does what in them, and which scripts were said to whom."""

from __future__ import annotations

import datetime as dt
from typing import Final

from config.demo.firm import Firm, dice
from config.demo.weeks import NIGHTS_AGO
from customers.models import Interaction
from followups.journeys import services as journeys
from followups.models import Script, ScriptUse
from followups.rules.variants import assign
from tenants.context import current_tenant
from tenants.models import Member

_SAID_SHARE: Final = 0.7  # of the contacts by phone or message that went by a script
_SAID_DAYS: Final = 240
_SCENES: Final = {"deep_talk": "regular", "light_touch": "regular", "message": "festival", "report": "value-report"}
_SILENT_SHARE: Final = 0.25  # of light touches that were about a silence


def open_journeys(lead: Member, today: dt.date) -> None:
    """The journeys that ship, switched on since the first of the demo's nights; the lead solves what went wrong."""
    journeys.ensure_journeys(current_tenant().start_of(today - dt.timedelta(days=max(NIGHTS_AGO))))
    for duty in ("after_sales", "product"):
        journeys.name_duty(duty=duty, holder=lead, member=lead)


def say_scripts(firm: Firm, today: dt.date) -> None:
    """Note for the contacts of the last months by which wording they went, as Today would have."""
    scripts = {row.code: row for row in Script.objects.prefetch_related("variants")}
    letters = {code: {each.letter: each for each in row.variants.all()} for code, row in scripts.items()}
    since = current_tenant().start_of(today - dt.timedelta(days=_SAID_DAYS))
    talks = Interaction.objects.filter(direction=Interaction.Direction.OUTBOUND, at__gte=since, member__isnull=False)
    uses = []
    for number, talk in enumerate(talks.order_by("at", "pk")):
        rng = dice(firm.slug, number, "script")
        code = _SCENES.get(talk.kind, "")
        if not code or rng.random() >= _SAID_SHARE:
            continue
        if talk.kind == "light_touch" and rng.random() < _SILENT_SHARE:
            code = "dormant"
        person = f"contact:{talk.contact_id}" if talk.contact_id else f"customer:{talk.customer_id}"
        variant = letters[code][assign(code, person, list(letters[code]))]
        uses.append(
            ScriptUse(
                variant=variant, customer_id=talk.customer_id, contact_id=talk.contact_id, member_id=talk.member_id,
                interaction=talk, channel=talk.channel, at=talk.at,
            )
        )  # fmt: skip
    ScriptUse.objects.bulk_create(uses)
