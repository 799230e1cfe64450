"""The night's step of surveys: whose turn it is, who is asked after a talk or a complaint, who again, who is reminded."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Final

import polars as pl
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from customers.models import Complaint, Contact, Interaction, TouchKind
from followups.models import FollowUp, Survey, SurveyLoop
from followups.quality import services as quality
from followups.rules import surveys as rules
from followups.rules.contact_policy import ContactPolicy
from followups.rules.survey_policy import SurveyPolicy
from followups.surveys import services as surveys
from followups.surveys.querysets import UNDELIVERED_STATUSES
from tenants.context import current_tenant
from tenants.frames import read_frame
from tenants.parts import Part
from tenants.policies import active_policy
from tenants.runs import Counts, Piece, Step

CHUNK: Final = 500

_TALKS: Final = frozenset({TouchKind.DEEP_TALK, TouchKind.LIGHT_TOUCH, TouchKind.REVIEW})
"""Kinds after which somebody can say how the talk was."""


def work(piece: Piece) -> Counts:
    """Ask and remind for the part's customers, each through the contact governor; twice finds nothing to do.

    Nothing goes out for a day that is over (a night that is run again for it), and none by itself while the policy says
    that surveys go out by hand; reminders and what is asked again belong to surveys that somebody wanted, and go.
    """
    if piece.as_of < current_tenant().today() - dt.timedelta(days=1):
        return {}
    policy = active_policy()
    ours, rest = policy.section(SurveyPolicy), policy.section(ContactPolicy).survey_days
    asked = 0
    if ours.sending == "automatic":
        asked += _after_complaints(piece, ours)
        asked += _after_talks(piece, ours, rest)
        asked += _rotation(piece, ours, rest)
    return {"asked": asked, "asked_again": _again(piece, ours, rest), "reminded": _remind(piece, ours)}


def _finish(piece: Piece) -> Counts:
    return {"drawn": quality.draw_month(piece.as_of)}


STEP: Final = Step(work, finish=_finish)


# ── whom ────────────────────────────────────────────────────────────────────


def _rotation(piece: Piece, policy: SurveyPolicy, rest: int) -> int:
    contacts = _contacts(piece.part)
    due = rules.turns(contacts, policy, piece.as_of, rest)
    if due.is_empty():
        return 0
    period = due.item(0, "period")
    known = set(
        Survey.objects.filter(kind="nps", period=period, contact_id__in=due.get_column("contact_id").to_list())
        .values_list("contact_id", flat=True)
    )  # fmt: skip
    ids = [pk for pk in due.get_column("contact_id") if pk not in known]
    return sum(
        surveys.ask(contact=contact, kind="nps", cause=Survey.Cause.ROTATION, period=period)[1] == "created"
        for contact in _rows(ids)
    )


def _contacts(part: Part) -> pl.DataFrame:
    """contact_id and last_asked_on of everybody who may be asked: still there, at a living customer that has bought."""
    tenant = current_tenant()
    return read_frame(
        f"""
        SELECT p.id, (asked.at AT TIME ZONE %s)::date
        FROM customers_contact p
        JOIN customers_customer c ON c.tenant_id = %s AND c.id = p.customer_id AND c.closed_on IS NULL
        LEFT JOIN ({_ASKED}) asked ON asked.contact_id = p.id
        WHERE p.tenant_id = %s AND p.left_on IS NULL AND p.consent <> 'withdrawn' AND {part.sql("c.id")}
          AND EXISTS (SELECT 1 FROM customers_activity a
                      WHERE a.tenant_id = %s AND a.customer_id = c.id AND a.orders > 0)
        """,
        [tenant.timezone, tenant.pk, tenant.pk, tenant.pk, list(UNDELIVERED_STATUSES), tenant.pk, tenant.pk],
        schema={"contact_id": pl.Int64, "last_asked_on": pl.Date},
    )


_ASKED: Final = """
    SELECT s.contact_id, max(s.asked_at) AS at FROM followups_survey s
    LEFT JOIN followups_message m ON m.tenant_id = %s AND m.id = s.message_id
    WHERE s.tenant_id = %s AND (s.answered_at IS NOT NULL OR m.id IS NULL OR NOT m.status = ANY(%s))
    GROUP BY s.contact_id
"""
"""When each contact was last asked anything. What did not reach them has asked nobody."""


def _after_complaints(piece: Piece, policy: SurveyPolicy) -> int:
    begin, end = _window(piece.as_of, policy)
    rows = Complaint.objects.filter(
        _of(piece.part), solved_at__gte=begin, solved_at__lt=end, customer__closed_on__isnull=True
    ).filter(~Exists(Survey.objects.filter(complaint=OuterRef("pk"))))
    drawn = [row for row in rows.order_by("pk") if rules.is_drawn(row.pk, policy.csat_complaint_percent)]
    first = _first_contacts([row.customer_id for row in drawn])
    return sum(
        surveys.ask(
            contact=first[row.customer_id],
            kind="csat",
            cause=Survey.Cause.COMPLAINT,
            period=f"complaint:{row.pk}",
            complaint=row,
        )[1]
        == "created"
        for row in drawn
        if row.customer_id in first
    )


def _after_talks(piece: Piece, policy: SurveyPolicy, rest: int) -> int:
    begin, end = _window(piece.as_of, policy)
    rows = Interaction.objects.filter(
        _of(piece.part),
        at__gte=begin,
        at__lt=end,
        answered=True,
        kind__in=_TALKS,
        member__isnull=False,
        customer__closed_on__isnull=True,
    ).filter(~Exists(Survey.objects.filter(interaction=OuterRef("pk"))))
    drawn = [row for row in rows.order_by("pk") if rules.is_drawn(row.pk, policy.csat_contact_percent)]
    first = _first_contacts([row.customer_id for row in drawn if row.contact_id is None])
    named = {row.pk: row for row in _rows([row.contact_id for row in drawn if row.contact_id is not None])}
    asked = 0
    for row in drawn:
        contact = named.get(row.contact_id) if row.contact_id else first.get(row.customer_id)
        # A talk is nothing that must be asked about: who was asked lately is left alone without a word.
        if contact is None or contact.left_on is not None or not _rested(contact, rest):
            continue
        outcome = surveys.ask(
            contact=contact,
            kind="csat",
            cause=Survey.Cause.CONTACT,
            period=f"contact:{row.pk}",
            interaction=row,
        )[1]
        asked += outcome == "created"
    return asked


def _again(piece: Piece, policy: SurveyPolicy, rest: int) -> int:
    """Ask those again whose low answer was followed up long enough ago, once they have had their rest."""
    until = timezone.now() - dt.timedelta(days=policy.verify_days)
    rows = (
        SurveyLoop.objects.filter(
            _of(piece.part),
            asked_again__isnull=True,
            verified_by__isnull=True,
            follow_up__status=FollowUp.Status.DONE,
            follow_up__closed_at__lte=until,
            response__contact__left_on__isnull=True,
            response__contact__isnull=False,
            customer__closed_on__isnull=True,
        )
        .select_related("response__contact__customer")
        .order_by("pk")
    )
    asked = 0
    for loop in rows:
        contact = loop.response.contact
        if not _rested(contact, rest):
            continue
        survey, outcome = surveys.ask(
            contact=contact, kind=loop.response.kind, cause=Survey.Cause.VERIFY, period=f"verify:{loop.pk}"
        )
        loop.asked_again = survey
        loop.save(update_fields=["asked_again", "updated_at"])
        asked += outcome == "created"
    return asked


def _remind(piece: Piece, policy: SurveyPolicy) -> int:
    if not policy.reminders:
        return 0
    now = timezone.now()
    waiting = (
        Survey.objects.filter(
            _of(piece.part),
            answered_at__isnull=True,
            expires_at__gt=now,
            asked_at__lte=now - dt.timedelta(days=policy.reminder_days),
            reminders__lt=policy.reminders,
            # What waits for its own turn still, or never came, is nothing to remind of.
            message__status__in=("sent", "uncertain"),
        )
        .select_related("customer", "contact", "message")
        .order_by("pk")
    )
    return sum(surveys.remind(survey) for survey in waiting)


# ── what they share ─────────────────────────────────────────────────────────


def _of(part: Part) -> Q:
    return Q() if part.is_everybody else Q(customer_id__gte=part.first, customer_id__lte=part.last)


def _window(as_of: dt.date, policy: SurveyPolicy) -> tuple[dt.datetime, dt.datetime]:
    """From the first moment of `csat_within_days` days ago until the first of `as_of`."""
    tenant = current_tenant()
    return tenant.start_of(as_of - dt.timedelta(days=policy.csat_within_days)), tenant.start_of(as_of)


def _rows(ids: Sequence[int]) -> list[Contact]:
    """The contacts with their customers, in the order of the ids."""
    found: dict[int, Contact] = {}
    for first in range(0, len(ids), CHUNK):
        rows: QuerySet[Contact] = Contact.objects.filter(pk__in=ids[first : first + CHUNK])
        found |= {row.pk: row for row in rows.select_related("customer")}
    return [found[pk] for pk in ids if pk in found]


def _first_contacts(customers: Sequence[int]) -> dict[int, Contact]:
    """Of each customer whom to ask: the main contact, else the first; nobody who has left or withdrew consent."""
    rows = (
        Contact.objects.filter(customer_id__in=set(customers), left_on__isnull=True)
        .exclude(consent=Contact.Consent.WITHDRAWN)
        .order_by("customer_id", "-is_main", "pk")
        .distinct("customer_id")
        .select_related("customer")
    )
    return {row.customer_id: row for row in rows}


def _rested(contact: Contact, rest: int) -> bool:
    """Whether the contact was asked nothing for `rest` days."""
    since = timezone.now() - dt.timedelta(days=rest)
    return not Survey.objects.filter(contact=contact, asked_at__gt=since).delivered().exists()
