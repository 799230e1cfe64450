"""Playbooks of the demo firms: switched on since the first of its nights, what came of earlier runs, and some begun by hand."""

from __future__ import annotations

import datetime as dt
from typing import Final

from config.demo.firm import Firm, dice
from config.demo.weeks import NIGHTS_AGO
from customers.models import Customer
from risk.models import Alert, Playbook, PlaybookRun
from risk.playbooks import services as playbooks
from tenants.context import current_tenant
from tenants.models import Member

_TRIED: Final = "silent"
"""The playbook that the firm has tried out: for a time alerts began it, and some customers were held out."""

_CASES: Final = 90
_HELD_SHARE: Final = 0.4
_OLDEST_DAYS, _NEWEST_DAYS = 420, 150
_LASTED_DAYS: Final = (9, 30)
_BY_HAND: Final = 3


def open_playbooks(today: dt.date) -> None:
    """The playbooks that ship, counting alerts since the first of the demo's nights."""
    playbooks.ensure_playbooks(current_tenant().start_of(today - dt.timedelta(days=max(NIGHTS_AGO))))


def tried_playbooks(firm: Firm, today: dt.date) -> None:
    """Runs of more than a quarter ago, with those who were held out: enough of both to say whether it helped."""
    book = Playbook.objects.get(code=_TRIED)
    version = playbooks.version_of(book)
    stage = version.rules.steps[0].code
    rows = []
    for customer in Customer.objects.filter(closed_on__isnull=True).order_by("pk")[:_CASES]:
        rng = dice(firm.slug, customer.name, "playbook")
        days = rng.randint(_NEWEST_DAYS, _OLDEST_DAYS)
        begun = current_tenant().start_of(today - dt.timedelta(days=days)) + dt.timedelta(hours=9)
        held = rng.random() < _HELD_SHARE
        ended = begun if held else begun + dt.timedelta(days=rng.randint(*_LASTED_DAYS))
        outcome = "" if held else rng.choice(["saved", "saved", "lost", "no_answer"])
        rows.append(
            PlaybookRun(
                playbook=book, version=version, customer=customer, level=Alert.Level.MILD, outcome=outcome,
                status=PlaybookRun.Status.HELD if held else PlaybookRun.Status.FINISHED, started_at=begun,
                base_at=begun, stage=stage, stage_at=begun, ended_at=ended, looked_at=begun,
            )
        )  # fmt: skip
    PlaybookRun.objects.bulk_create(rows)


def begin_playbooks(manager: Member) -> None:
    """Some that an account manager began by hand this morning, for the alerts with the most money."""
    book = Playbook.objects.get(code=_TRIED)
    mine = Alert.objects.filter(closed_on__isnull=True, signal="order_silence", customer__owner_a=manager)
    mine = mine.filter(customer__closed_on__isnull=True)
    for alert in mine.select_related("customer").order_by("-money", "pk")[:_BY_HAND]:
        playbooks.start(playbook=book, customer=alert.customer, member=manager, alert=alert)
