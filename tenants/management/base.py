"""What the project's commands share: the tenant by its slug, and refusals in one line."""

import sys
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from tenants.models import Tenant


class TenantCommand(BaseCommand):
    """A command that takes `--tenant SLUG`."""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--tenant", required=True, metavar="SLUG")

    def execute(self, *args: Any, **options: Any) -> str | None:
        try:
            return super().execute(*args, **options)
        except ValidationError as error:
            raise CommandError("; ".join(sentences(error))) from error

    @staticmethod
    def tenant(options: dict[str, Any]) -> Tenant:
        """The tenant that the command names.

        Raises CommandError when there is none.
        """
        tenant = Tenant.objects.filter(slug=options["tenant"]).first()
        if tenant is None:
            known = ", ".join(Tenant.objects.order_by("slug").values_list("slug", flat=True)[:20]) or "none yet"
            raise CommandError(f"There is no tenant {options['tenant']!r}; there are: {known}.")
        return tenant


def sentences(error: ValidationError) -> list[str]:
    if hasattr(error, "error_dict"):
        return [f"{field}: {text}" for field, texts in error.message_dict.items() for text in texts]
    return list(error.messages)


def tell(text: str) -> None:
    """A line for the person who looks on; stdout belongs to the result."""
    print(text, file=sys.stderr, flush=True)
