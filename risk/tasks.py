"""Celery: bells of risk. Each looks in the database for what is due, so that a ring too many or too few is harmless."""

from celery import shared_task
from django.utils import timezone

from risk.alerts import services as alerts
from risk.complaints import services as complaints
from risk.incidents import watching
from risk.playbooks import services as playbooks
from tenants.models import Tenant


@shared_task
def watch_incidents() -> int:
    """Say of every clock of a crisis that has run out that it has; returns how many lines were written."""
    return watching.watch_all()


@shared_task
def sweep_complaints() -> int:
    """Hand on complaints that nobody looks after, and tell whose clock has run out; returns how many were touched."""
    return sum(complaints.sweep(tenant) for tenant in Tenant.objects.filter(is_active=True))


@shared_task
def escalate_alerts() -> int:
    """Hand alerts whose clock has run out one step up the line; returns how many."""
    return alerts.escalate_all(timezone.now())


@shared_task
def walk_playbooks() -> int:
    """Begin playbooks for alerts, and take the steps that are due; returns how many customers were walked."""
    return sum(playbooks.look_at(tenant) for tenant in Tenant.objects.filter(is_active=True))
