"""What must be right before the house opens; each finding has an id and a hint."""

from typing import Any

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error, Tags, register
from django.db import connection

TAG = "perennial"


@register(TAG)
def required_settings(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Settings without which production must not start."""
    found: list[CheckMessage] = []

    def missing(number: int, name: str, hint: str) -> None:
        found.append(Error(f"{name} is not set.", hint=hint, id=f"perennial.E{number:03}"))

    if settings.PRODUCTION:
        if settings.SECRET_KEY.startswith("missing-"):
            missing(1, "SECRET_KEY", "Set SECRET_KEY or SECRET_KEY_FILE to 50 random characters that you keep.")
        if not settings.ALLOWED_HOSTS:
            missing(2, "ALLOWED_HOSTS", "Set it to the names that people type, like perennial.example.com.")
        if not settings.EMAIL_HOST:
            found.append(
                checks.Warning(
                    "EMAIL_HOST is not set: password resets are written to files.",
                    hint="Set EMAIL_HOST, EMAIL_HOST_USER and EMAIL_HOST_PASSWORD.",
                    id="perennial.W001",
                )
            )
        if settings.PUBLIC_URL.startswith("http://localhost"):
            found.append(
                checks.Warning(
                    "PUBLIC_URL is not set: links in mails and surveys lead nowhere.",
                    hint="Set it to the address that customers reach, like https://perennial.example.com.",
                    id="perennial.W002",
                )
            )
    if not settings.DATABASE_APP_URL:
        missing(3, "DATABASE_URL", "Set DATABASE_APP_URL (web, worker) or DATABASE_URL, or use `make run`.")
    return found


@register(Tags.database, TAG)
def bound_by_the_walls(app_configs: Any, databases: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """The role that works must own nothing and must not bypass row-level security."""
    if not settings.DATABASE_APP_URL or "default" not in (databases or []):
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT rolsuper OR rolbypassrls, "
            "EXISTS (SELECT 1 FROM pg_class c WHERE c.relowner = r.oid AND c.relkind IN ('r', 'p')) "
            "FROM pg_roles r WHERE rolname = current_user"
        )
        bypasses, owns = cursor.fetchone()
    if bypasses or owns:
        return [
            Error(
                "The database role of web and workers can pass the tenants' walls.",
                hint="DATABASE_APP_URL must name a role that owns no table, is no superuser and has no BYPASSRLS; "
                "`manage.py migrate` with DATABASE_URL alone makes one.",
                id="perennial.E010",
            )
        ]
    return []
