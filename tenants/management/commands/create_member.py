"""manage.py create_member ann@example.com --tenant acme --role account_manager"""

import getpass
import sys
from typing import Any

from django.core.management.base import CommandParser

from tenants.context import tenant_scope
from tenants.management.base import TenantCommand
from tenants.models import Team
from tenants.permissions import Role
from tenants.services import create_member


class Command(TenantCommand):
    help = "Give a person a place in a firm."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("email")
        parser.add_argument("--role", required=True, choices=Role.values)
        parser.add_argument("--name", default="")
        parser.add_argument("--team", default="", help="made if it does not exist")
        parser.add_argument("--password", help="asked for at a terminal; without one only a reset or SSO lets in")

    def handle(self, *args: Any, **options: Any) -> None:
        password = options["password"]
        if password is None and sys.stdin.isatty():
            password = getpass.getpass("Password (empty: none): ") or None
        with tenant_scope(self.tenant(options)):
            team = Team.objects.get_or_create(name=options["team"])[0] if options["team"] else None
            member = create_member(
                email=options["email"], role=options["role"], name=options["name"], password=password, team=team
            )
        self.stdout.write(f"{member.user.email}: {member.get_role_display()}")
