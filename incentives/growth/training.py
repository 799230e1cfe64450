"""Trainings: planned with a mentor, tried with customers until a day, approved by the mentor and nobody else."""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from customers.models import Customer
from incentives.growth import telling
from incentives.growth.people import Refused, leads
from incentives.models import Training, TrainingCustomer
from incentives.rules import growth as rules
from incentives.rules.growth_policy import GrowthPolicy
from tenants.context import current_tenant
from tenants.events import acting, changes_of, record
from tenants.models import Member
from tenants.permissions import Role
from tenants.policies import active_policy
from tenants.templatetags.perennial import day as day_words

TEXT_LENGTH: Final = 4000
WHY_LENGTH: Final = 300
MOST_CUSTOMERS: Final = 20
UNDO_DAYS: Final = 7
"""So long a mentor can take back an approval: later, work has been built on it."""

LOOKS_BACK_DAYS: Final = 31
"""Trainings that are late for longer have been told about, or nobody was there to be told."""


# ── who may ─────────────────────────────────────────────────────────────────


def may_plan(member: Member, person: Member) -> bool:
    """Whether a member may plan a training for somebody: for themselves, and for whom they lead."""
    return member.can("trainings:write") and (member.pk == person.pk or leads(member, person))


def may_change(member: Member, row: Training) -> bool:
    """Whether a member may change a training, or end it."""
    return row.state == Training.State.OPEN and may_plan(member, row.member)


def may_approve(member: Member, row: Training) -> bool:
    """Whether a member decides: the mentor, and nobody else."""
    return member.pk == row.mentor_id


def may_take_back(member: Member, row: Training) -> bool:
    """Whether a member may still take back the approval they gave."""
    if row.state != Training.State.APPROVED or member.pk != row.approved_by_id or row.approved_on is None:
        return False
    return (current_tenant().today() - row.approved_on).days <= UNDO_DAYS


def usual_due(starts_on: dt.date) -> dt.date:
    """By when a training is to be done that begins on a day, as the policy says."""
    return starts_on + dt.timedelta(days=active_policy().section(GrowthPolicy).training_days)


def usual_wanted() -> int:
    """With how many customers a training is tried, as the policy says."""
    return active_policy().section(GrowthPolicy).training_customers


# ── planning ────────────────────────────────────────────────────────────────


def plan_training(
    *,
    by: Member,
    member: Member,
    mentor: Member,
    title: str,
    plan: str = "",
    starts_on: dt.date | None = None,
    due_on: dt.date | None = None,
    wanted: int | None = None,
) -> Training:
    """Plan a training of a member with a mentor. Left out: it begins today, and asks for what the policy says.

    Raises Refused for whom it is none of `by`'s business; ValidationError by field: without a title, with oneself or
    nobody who works here as mentor, a day before its start, no customer at all.
    """
    with acting(by):
        if not may_plan(by, member):
            raise Refused(_("You plan your own trainings, a lead those of the team."), code="not_yours")
        begins = starts_on or current_tenant().today()
        row = Training(
            member=member, mentor=mentor, title=title.strip(), plan=plan.strip(), starts_on=begins,
            due_on=due_on or usual_due(begins), wanted=usual_wanted() if wanted is None else wanted, created_by=by,
        )  # fmt: skip
        _check(row)
        row.save(force_insert=True)
        record("planned", row, {"member": member.pk, "mentor": mentor.pk, "due_on": str(row.due_on),
                                "wanted": row.wanted})  # fmt: skip
        if mentor.pk != by.pk:
            telling.tell_mentor(row)
        return row


def change_training(*, training: Training, by: Member, **fields: Any) -> Training:
    """Change what was planned: title, plan, mentor, starts_on, due_on, wanted. Raises as `plan_training`, and Refused
    for one that is approved or ended."""
    with acting(by):
        row = _locked(training)
        _refuse_closed(row)
        if not may_change(by, row):
            raise Refused(_("You plan your own trainings, a lead those of the team."), code="not_yours")
        said = {name: value.strip() if isinstance(value, str) else value for name, value in fields.items()}
        changes = changes_of(row, said)
        if not changes:
            return row
        for name, value in said.items():
            setattr(row, name, value)
        _check(row)
        was_ready = row.ready_on
        row.ready_on = _ready_on(row)
        row.save()
        record("updated", row, changes)
        if "mentor" in changes and row.mentor_id != by.pk:
            telling.tell_mentor(row)
        if row.ready_on is not None and (was_ready is None or "mentor" in changes):
            telling.tell_ready(row)
        return row


def _check(row: Training) -> None:
    """Raises ValidationError by field."""
    wrong: dict[str, ValidationError] = {}
    if not row.title:
        wrong["title"] = ValidationError(_("Say what is learned."), code="required")
    if len(row.plan) > TEXT_LENGTH:
        wrong["plan"] = _too_long(TEXT_LENGTH)
    if row.mentor_id == row.member_id:
        wrong["mentor"] = ValidationError(_("Nobody is their own mentor."), code="oneself")
    elif not row.mentor.is_active or row.mentor.role == Role.INTEGRATION:
        wrong["mentor"] = ValidationError(_("A mentor is a colleague who works here."), code="no_mentor")
    if row.due_on < row.starts_on:
        wrong["due_on"] = ValidationError(_("Must not lie before its beginning."), code="before_start")
    if not 1 <= row.wanted <= MOST_CUSTOMERS:
        words = _("From 1 to %(most)d customers.") % {"most": MOST_CUSTOMERS}
        wrong["wanted"] = ValidationError(words, code="out_of_range")
    if wrong:
        raise ValidationError(wrong)


def _too_long(most: int) -> ValidationError:
    return ValidationError(_("At most %(count)d characters.") % {"count": most}, code="too_long")


# ── its customers ───────────────────────────────────────────────────────────


def add_customer(*, training: Training, by: Member, customer: Customer) -> TrainingCustomer:
    """Name a customer with whom it is tried; one that the trainee sees. Safe to repeat.

    Raises Refused for who may not, ValidationError for a customer that the trainee does not see and for too many.
    """
    with acting(by):
        row = _open(training, by)
        known: TrainingCustomer | None = row.customers.filter(customer=customer).first()
        if known is not None:
            return known
        if not Customer.objects.visible_to(row.member).filter(pk=customer.pk).exists():
            words = _("%(who)s does not see this customer.") % {"who": row.member}
            raise ValidationError({"customer": ValidationError(words, code="not_seen")})
        if row.customers.count() >= MOST_CUSTOMERS:
            words = _("At most %(most)d customers.") % {"most": MOST_CUSTOMERS}
            raise ValidationError({"customer": ValidationError(words, code="too_many")})
        made: TrainingCustomer = TrainingCustomer.objects.create(training=row, customer=customer)
        record("customer_added", row, {"customer": customer.pk})
        _touch(row)
        return made


def remove_customer(*, item: TrainingCustomer, by: Member) -> None:
    """Take a customer off that is not done. Raises Refused for who may not, and for one that is done."""
    with acting(by):
        row = _open(item.training, by)
        found = row.customers.filter(pk=item.pk).first()
        if found is None:
            return
        if found.done_on is not None:
            raise Refused(_("It is done; take that back first."), code="done")
        record("customer_removed", row, {"customer": found.customer_id})
        found.delete()
        _touch(row)


def customer_done(*, item: TrainingCustomer, by: Member, on: dt.date | None = None, note: str = "") -> TrainingCustomer:
    """Say that a customer is done, on a day (today unless said), and what came of it.

    Raises Refused for who may not; ValidationError for a day before the training began or to come.
    """
    with acting(by):
        row = _open(item.training, by)
        found = _item(row, item)
        today = current_tenant().today()
        day = on or today
        wrong: dict[str, ValidationError] = {}
        if day > today:
            wrong["on"] = ValidationError(_("Must not lie in the future."), code="in_the_future")
        elif day < row.starts_on:
            words = _("The training began on %(day)s.") % {"day": day_words(row.starts_on)}
            wrong["on"] = ValidationError(words, code="before_start")
        if len(note) > TEXT_LENGTH:
            wrong["note"] = _too_long(TEXT_LENGTH)
        if wrong:
            raise ValidationError(wrong)
        if (found.done_on, found.note) == (day, note.strip()):
            return found
        found.done_on, found.note = day, note.strip()
        found.save(update_fields=["done_on", "note"])
        record("customer_done", row, {"customer": found.customer_id, "on": str(day)})
        _touch(row)
        return found


def customer_undone(*, item: TrainingCustomer, by: Member) -> TrainingCustomer:
    """Take back that a customer is done. Raises Refused for who may not. Safe to repeat."""
    with acting(by):
        row = _open(item.training, by)
        found = _item(row, item)
        if found.done_on is None:
            return found
        found.done_on = None
        found.save(update_fields=["done_on"])
        record("customer_undone", row, {"customer": found.customer_id})
        _touch(row)
        return found


def _item(row: Training, item: TrainingCustomer) -> TrainingCustomer:
    found: TrainingCustomer = row.customers.select_for_update(of=("self",)).get(pk=item.pk)
    return found


def _open(training: Training, by: Member) -> Training:
    """The row as it stands now, locked, for who works on its customers."""
    row = _locked(training)
    _refuse_closed(row)
    if not may_change(by, row):
        raise Refused(_("Who is trained, and their lead, keep its customers."), code="not_yours")
    return row


def _touch(row: Training) -> None:
    """Bring up to date whether all is done; tell the mentor when it has become so."""
    before, row.ready_on = row.ready_on, _ready_on(row)
    row.save(update_fields=["ready_on", "updated_at"])
    if row.ready_on is not None and before is None:
        telling.tell_ready(row)


def _ready_on(row: Training) -> dt.date | None:
    done = row.customers.filter(done_on__isnull=False).values_list("done_on", flat=True)
    return rules.ready_on([day for day in done if day is not None], row.wanted)


# ── the mentor decides ──────────────────────────────────────────────────────


def approve(*, training: Training, by: Member, said: str = "") -> Training:
    """Open → approved, by the mentor and nobody else, once all customers are done. Safe to repeat.

    Raises Refused for anybody else, for one that is ended, and while customers are missing, saying how many.
    """
    with acting(by):
        row = _locked(training)
        if not may_approve(by, row):
            raise Refused(_("%(mentor)s, the mentor, approves it.") % {"mentor": row.mentor}, code="not_yours")
        if row.state == Training.State.APPROVED:
            return row
        _refuse_closed(row)
        if len(said) > TEXT_LENGTH:
            raise ValidationError({"said": _too_long(TEXT_LENGTH)})
        row.ready_on = _ready_on(row)
        if row.ready_on is None:
            missing = row.wanted - row.customers.filter(done_on__isnull=False).count()
            words = ngettext("%(count)d customer is missing.", "%(count)d customers are missing.", missing)
            raise Refused(words % {"count": missing}, code="missing")
        row.state, row.approved_by, row.approved_on = Training.State.APPROVED, by, current_tenant().today()
        row.said = said.strip()
        row.save(update_fields=["state", "approved_by", "approved_on", "said", "ready_on", "updated_at"])
        record("approved", row, {"ready_on": str(row.ready_on), "days_late": rules.days_late(row.due_on, row.ready_on)})
        telling.tell_approved(row)
        return row


def take_back(*, training: Training, by: Member) -> Training:
    """Approved → open again: the mentor's own undo, for some days. Raises Refused for anybody else, and later."""
    with acting(by):
        row = _locked(training)
        if row.state == Training.State.OPEN and may_approve(by, row):
            return row
        if not may_take_back(by, row):
            words = _("Whoever approved it can take that back for %(days)d days.")
            raise Refused(words % {"days": UNDO_DAYS}, code="not_yours")
        row.state, row.approved_by, row.approved_on = Training.State.OPEN, None, None
        row.save(update_fields=["state", "approved_by", "approved_on", "updated_at"])
        record("approval_taken_back", row)
        return row


def end(*, training: Training, by: Member, why: str) -> Training:
    """Open → ended, with a reason: it will not be gone on with. Raises Refused for who may not. Safe to repeat."""
    with acting(by):
        row = _locked(training)
        if row.state == Training.State.ENDED:
            return row
        _refuse_closed(row)
        if not may_change(by, row):
            raise Refused(_("You plan your own trainings, a lead those of the team."), code="not_yours")
        if not why.strip():
            raise ValidationError({"why": ValidationError(_("Say why."), code="required")})
        if len(why) > WHY_LENGTH:
            raise ValidationError({"why": _too_long(WHY_LENGTH)})
        row.state, row.ended_why = Training.State.ENDED, why.strip()
        row.save(update_fields=["state", "ended_why", "updated_at"])
        record("ended", row, {"why": row.ended_why})
        return row


def tell_late(as_of: dt.date) -> int:
    """Tell trainees and mentors whose day is over with customers missing; returns how many had not been told."""
    today = min(as_of, current_tenant().today())
    rows = Training.objects.filter(
        state=Training.State.OPEN, ready_on__isnull=True, due_on__lt=today,
        due_on__gte=today - dt.timedelta(days=LOOKS_BACK_DAYS),
    )  # fmt: skip
    return sum(
        telling.tell_late(row, row.customers.filter(done_on__isnull=False).count())
        for row in rows.select_related("member__user", "mentor__user")
    )


def _locked(training: Training) -> Training:
    row: Training = (
        Training.objects.select_related("member__user", "mentor__user", "approved_by__user")
        .select_for_update(of=("self",))
        .get(pk=training.pk)
    )
    return row


def _refuse_closed(row: Training) -> None:
    if row.state == Training.State.APPROVED:
        words = _("It was approved on %(day)s and stays as it is.")
        raise Refused(words % {"day": day_words(row.approved_on)}, code="approved")
    if row.state == Training.State.ENDED:
        raise Refused(_("It was ended and stays as it is."), code="ended")
