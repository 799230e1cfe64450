from typing import Any

from django.apps import AppConfig, apps
from django.db.models.signals import post_migrate


class TenantsConfig(AppConfig):
    name = "tenants"

    def ready(self) -> None:
        post_migrate.connect(_grant, sender=self)


def _grant(using: str, **kwargs: Any) -> None:
    from tenants.database import grant_app_role

    append_only = [m._meta.db_table for m in apps.get_models() if getattr(m, "append_only", False)]
    grant_app_role(using, append_only)
