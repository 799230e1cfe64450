"""Celery: running back-tests, and ringing again for those that nobody works on."""

from celery import shared_task

from health import backtests
from tenants.models import Tenant


@shared_task
def run_back_test(tenant_id: int, back_test_id: int) -> None:
    backtests.run_back_test(Tenant.objects.get(pk=tenant_id), back_test_id)


@shared_task
def sweep_back_tests() -> None:
    for tenant in Tenant.objects.filter(is_active=True):
        for back_test_id in backtests.unattended(tenant):
            run_back_test.delay(tenant.pk, back_test_id)
