"""The cast: two firms and the people in them, by name, so that every test reads like a story."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest
from django.conf import settings
from django.core.cache import cache
from django.db import connections
from django.test import Client, TransactionTestCase

from customers.models import Customer
from tenants.context import tenant_scope
from tenants.models import Member, Team, Tenant, User
from tenants.services import create_tenant, create_token
from tests.databases import copied, empty

NO_CHROMIUM = "Chromium is not installed"


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Tests of the browser that could not run are said, not hidden."""
    skipped = [report for report in terminalreporter.stats.get("skipped", []) if NO_CHROMIUM in str(report.longrepr)]
    if skipped:
        terminalreporter.write_line(f"WARNING: {NO_CHROMIUM}: {len(skipped)} browser tests did not run.", yellow=True)


@dataclass
class Cast:
    """Fictional people. Ann owns, Bo covers, Lea leads their team, Eve looks on, Ada administers.

    Ian is the integration. Otto is an account manager of another firm, globex, and a stranger to acme.
    """

    tenant: Tenant
    other_tenant: Tenant
    ann: Member
    bo: Member
    lea: Member
    eve: Member
    ada: Member
    ian: Member
    otto: Member

    @property
    def roles(self) -> dict[str, Member]:
        return {m.role: m for m in (self.ann, self.lea, self.eve, self.ada, self.ian)}

    def customer(self, name: str = "Huaxin Building Materials", **fields: object) -> Customer:
        """A customer of acme, owned by Ann and covered by Bo unless said otherwise."""
        with tenant_scope(self.tenant):
            return Customer.objects.create(**({"name": name, "owner_a": self.ann, "owner_b": self.bo} | fields))

    def token(self, member: Member | None = None, scopes: tuple[str, ...] = ("all",)) -> str:
        """A token's text; of Ian the integration unless said otherwise."""
        member = member or self.ian
        with tenant_scope(member.tenant):
            return create_token(member=member, scopes=scopes)[1]


LONGEST_FIRST = ("e2e", "up", "servers", "processes", "real", "transactions", "demo", "seed")
"""Groups of tests that stay together, by the time they take.

The first has the database migrated; the two after it need none and are at work meanwhile.
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long stories that must stay together begin first, so that no process is left alone with one at the end."""
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> int:
    group = item.get_closest_marker("xdist_group")
    if group is None:
        return len(LONGEST_FIRST) + 1
    return LONGEST_FIRST.index(group.args[0]) if group.args[0] in LONGEST_FIRST else len(LONGEST_FIRST)


def pytest_collection_finish() -> None:
    """What is loaded now stays: the search for garbage, most of all while the database is migrated, can leave it out."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _static_files_as_asked_for(django_test_environment: None) -> None:
    """Each test client makes the middleware anew, which would look through all static files each time."""
    settings.WHITENOISE_AUTOREFRESH = True


@pytest.fixture(scope="session")
def django_db_setup(
    django_test_environment: None, django_db_blocker: Any, django_db_modify_db_settings: None
) -> Iterator[None]:
    """The test database of this process, a copy of the one that this run has migrated.

    pytest-django would migrate one for each process, and make only the databases that tests name; ours name
    "default", which works as the app role in the database that "owner" has made.
    """
    with ExitStack() as until_the_end:
        with django_db_blocker.unblock():
            until_the_end.enter_context(copied(connections["owner"].creation._get_test_db_name()))
        yield
        with django_db_blocker.unblock():
            until_the_end.close()


@pytest.fixture(scope="session", autouse=True)
def _emptied_where_there_is_something() -> Iterator[None]:
    """What tests with transactions of their own leave behind is taken out by `empty`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", lambda self: empty())
        yield


def _members(roles: dict[str, str], domain: str, team: Team | None = None) -> dict[str, Member]:
    """Members by name, in two statements: a thousand tests wait for them."""
    users = [User(email=f"{name}@{domain}", name=name.title(), password="!") for name in roles]
    User.objects.bulk_create(users)
    members = [Member(user=user, role=role, team=team) for user, role in zip(users, roles.values(), strict=True)]
    return dict(zip(roles, Member.objects.bulk_create(members), strict=True))


@pytest.fixture
def cast(db: None) -> Cast:
    acme = create_tenant(
        slug="acme", name="Acme Trading", pack="callback", timezone="Europe/London", currency="GBP", country="GB"
    )
    with tenant_scope(acme):
        team = Team.objects.create(name="South")
        roles = {
            "ann": "account_manager",
            "bo": "account_manager",
            "lea": "team_lead",
            "eve": "executive",
            "ada": "admin",
            "ian": "integration",
        }
        people = _members(roles, "acme.example", team)
    globex = create_tenant(
        slug="globex", name="Globex", pack="starter", timezone="Asia/Shanghai", currency="CNY", language="zh-hans"
    )
    with tenant_scope(globex):
        otto = _members({"otto": "account_manager"}, "globex.example")["otto"]
    return Cast(tenant=acme, other_tenant=globex, otto=otto, **people)


@pytest.fixture
def scope(cast: Cast) -> Iterator[Tenant]:
    """acme's tenant scope, open for the whole test: for services and querysets, not for requests."""
    with tenant_scope(cast.tenant):
        yield cast.tenant


@pytest.fixture
def sign_in() -> Callable[[Member], Client]:
    """A browser in which the member has signed in."""

    def signed_in(member: Member) -> Client:
        client = Client()
        client.force_login(member.user)
        return client

    return signed_in


@pytest.fixture(autouse=True)
def _forgetful_cache(request: pytest.FixtureRequest) -> Iterator[None]:
    """Rate limits and heartbeats of one test say nothing to the next; each process has keys of its own."""
    yield
    if "db" in request.fixturenames or "transactional_db" in request.fixturenames:
        cache.clear()
