"""manage.py create_token --tenant acme --member erp@example.com --scopes all"""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from tenants.context import tenant_scope
from tenants.management.base import TenantCommand
from tenants.models import Member
from tenants.services import TOKEN_DAYS, create_token


class Command(TenantCommand):
    help = "Make an API token and print it, alone and this once."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--member", required=True, metavar="EMAIL")
        parser.add_argument("--scopes", required=True, help="comma-separated, or all")
        parser.add_argument("--name", default="")
        parser.add_argument("--days", type=int, default=TOKEN_DAYS)

    def handle(self, *args: Any, **options: Any) -> None:
        with tenant_scope(self.tenant(options)):
            member = Member.objects.filter(user__email__iexact=options["member"]).first()
            if member is None:
                raise CommandError(f"{options['member']} is no member of {options['tenant']}.")
            scopes = [scope.strip() for scope in options["scopes"].split(",") if scope.strip()]
            _token, text = create_token(member=member, scopes=scopes, name=options["name"], days=options["days"])
        self.stdout.write(text)
