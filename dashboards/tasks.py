"""Celery: bells of the dashboards. Each looks in the database for what is due, so that a ring too many or too few is harmless."""

from celery import shared_task

from dashboards.reports.issuing import issue_due
from tenants.models import Tenant


@shared_task
def issue_reports() -> None:
    """Ring for each firm: whether a report of it is due is found out by whoever answers."""
    for tenant_id in Tenant.objects.filter(is_active=True).values_list("pk", flat=True):
        issue_reports_of.delay(tenant_id)


@shared_task
def issue_reports_of(tenant_id: int) -> int:
    """Make the reports that are due in a firm; returns how many were made."""
    return issue_due(Tenant.objects.get(pk=tenant_id))
