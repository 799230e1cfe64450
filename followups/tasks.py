"""Celery: bells of follow-ups. Each looks in the database for what is due, so that a ring too many or too few is harmless."""

from celery import shared_task

from followups import bulk
from followups.cover import services as cover
from followups.journeys import walking
from followups.messages.sending import trial, work
from followups.notices import pruning
from followups.notices import sending as notices
from followups.surveys import loops
from tenants.models import Tenant

MESSAGES = 2_000
"""Messages of a firm that one task sends; the next ring, seconds later, goes on. Other work gets its turn."""


@shared_task
def run_bulk(tenant_id: int, bulk_id: int) -> None:
    bulk.work(Tenant.objects.get(pk=tenant_id), bulk_id)


@shared_task
def sweep_bulks() -> None:
    for tenant in Tenant.objects.filter(is_active=True):
        for bulk_id in bulk.unattended(tenant):
            run_bulk.delay(tenant.pk, bulk_id)


@shared_task
def look_at_answers() -> int:
    """Follow up low survey answers that came in past the survey's own page; returns how many loops changed."""
    return sum(loops.sweep_of(tenant) for tenant in Tenant.objects.filter(is_active=True))


@shared_task
def send_messages() -> None:
    """Ring for each firm that has something to send."""
    for tenant in Tenant.objects.filter(is_active=True):
        if work.is_due(tenant):
            send_messages_of.delay(tenant.pk)


@shared_task
def send_messages_of(tenant_id: int) -> dict[str, int]:
    """Send what is due in a firm; returns how many came to which status."""
    return work.work_off(Tenant.objects.get(pk=tenant_id), most=MESSAGES)


@shared_task
def send_notices() -> None:
    """Ring for each firm whose people are to be told something by mail or chat."""
    for tenant in Tenant.objects.filter(is_active=True):
        if notices.is_due(tenant):
            send_notices_of.delay(tenant.pk)


@shared_task
def send_notices_of(tenant_id: int) -> int:
    """Send what members of a firm are to be told; returns how many deliveries were looked at."""
    return notices.work_off(Tenant.objects.get(pk=tenant_id))


@shared_task
def prune_notices() -> int:
    """Take away the notices of long ago; returns how many."""
    return sum(pruning.prune(tenant) for tenant in Tenant.objects.filter(is_active=True))


@shared_task
def settle_cover() -> int:
    """Bring the follow-ups of who is away to whoever covers, and back; returns how many changed hands."""
    done = cover.settle_all()
    return done.moved + done.returned


@shared_task
def walk_journeys() -> int:
    """Between two nights: enrol for facts that have come in, and take the steps that are due; returns how many customers."""
    return sum(walking.look_at(tenant) for tenant in Tenant.objects.filter(is_active=True))


@shared_task
def send_trial(tenant_id: int, channel: str) -> None:
    """Send the trial of a channel that somebody has asked for."""
    trial.send_trial(Tenant.objects.get(pk=tenant_id), channel)
