"""Celery: running imports, and ringing again for those that nobody works on."""

from celery import shared_task

from customers.imports import service
from tenants.models import Tenant


@shared_task
def run_import(tenant_id: int, import_id: int) -> None:
    service.run_import(Tenant.objects.get(pk=tenant_id), import_id)


@shared_task
def sweep_imports() -> None:
    for tenant in Tenant.objects.filter(is_active=True):
        for import_id in service.unattended(tenant):
            run_import.delay(tenant.pk, import_id)
        service.forget_old_files(tenant)
