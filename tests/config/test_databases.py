"""It: the test databases are what the migrations make, and nothing of one test is there for the next."""

from __future__ import annotations

import os
from contextlib import closing

import psycopg2
import pytest
from django.apps import apps
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.db import connections
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Model
from django.test.utils import CaptureQueriesContext

from tenants.context import tenant_scope
from tests import databases
from tests.contracts.rows import ROWS

FROZEN = {label for label in ROWS if label.startswith("incentives.")}
"""The app in which rows of the ledger, and medals, refuse to be deleted; many other rows of it bring such along."""

ANEW = "CREATE TABLE made (run text)"


@pytest.fixture
def steps(monkeypatch, django_db_setup, django_db_blocker):
    """What was done to make a template that stands beside the real one, which is left alone; it can be told to fail."""
    done = []

    def migrate(*_arguments, **_options):
        done.append(connections["owner"].settings_dict["NAME"])
        with connections["owner"].cursor() as cursor:
            cursor.execute(ANEW)
        if len(done) == 2:
            raise ZeroDivisionError

    name = f"{connections['owner'].settings_dict['NAME']}_probe"
    monkeypatch.setattr(databases, "template_name", lambda: name)
    monkeypatch.setattr(databases, "call_command", migrate)
    with django_db_blocker.unblock():
        yield done
        databases.drop(name)


def test_migrates_once_in_a_run_and_again_for_another_run_or_after_a_failure(steps, monkeypatch):
    before = connections["owner"].settings_dict["NAME"]
    name = databases.migrated()
    assert (databases.migrated(), steps) == (name, [name])

    monkeypatch.setenv("PERENNIAL_TEST_RUN", "another")
    with pytest.raises(ZeroDivisionError):
        databases.migrated()
    databases.migrated()
    databases.migrated()
    assert steps == [name] * 3
    assert connections["owner"].settings_dict["NAME"] == connections["default"].settings_dict["NAME"] == before


def test_works_in_a_copy_that_is_gone_afterwards(steps):
    name = f"{connections['owner'].settings_dict['NAME']}_copy"
    with databases.copied(name):
        assert connections["default"].settings_dict["NAME"] == name
        with connections["owner"].cursor() as cursor:
            cursor.execute("SELECT current_database(), to_regclass('made') IS NOT NULL")
            assert cursor.fetchone() == (name, True)
    with connections["owner"].cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_database WHERE datname = %s", [name])
        assert cursor.fetchone() == (0,)


@pytest.mark.parametrize("alias", ["owner", "default"])
def test_drops_a_database_in_which_others_still_work(steps, alias):
    name = f"{connections['owner'].settings_dict['NAME']}_left"
    with databases.copied(name):
        place = connections[alias].get_connection_params()
    databases._make(name, databases.migrated())
    with closing(psycopg2.connect(**place)) as left, left.cursor() as cursor:
        databases.drop(name)
        with pytest.raises(psycopg2.OperationalError, match="terminat"):
            cursor.execute("SELECT 1")
    with pytest.raises(psycopg2.OperationalError, match="does not exist"):
        psycopg2.connect(**place)
    databases.drop(name)


@pytest.mark.django_db(databases=["default", "owner"])
def test_lacks_no_migration():
    executor = MigrationExecutor(connections["owner"])
    assert executor.migration_plan(executor.loader.graph.leaf_nodes()) == []
    assert os.environ["PERENNIAL_TEST_RUN"] == databases._comment_on(databases.template_name())


@pytest.mark.django_db(transaction=True, databases=["default", "owner"])
@pytest.mark.xdist_group("transactions")
@pytest.mark.parametrize(("much", "frozen", "way"), [
    (databases._MUCH, False, "DELETE"),
    (0, False, "TRUNCATE"),
    (databases._MUCH, True, "TRUNCATE"),
])  # fmt: skip
def test_leaves_no_row_of_any_model(cast, monkeypatch, *, much, frozen, way):
    monkeypatch.setattr(databases, "_MUCH", much)
    with tenant_scope(cast.tenant):
        for label, make in ROWS.items():
            if frozen or label not in FROZEN:
                make()
    made, kept = counted()
    assert {model._meta.label for model in made} >= (set(ROWS) - (set() if frozen else FROZEN))
    with CaptureQueriesContext(connections["owner"]) as statements:
        databases.empty()
    assert [each["sql"].split()[0] for each in statements if each["sql"].startswith(("DELETE", "TRUNCATE"))] == [way]
    assert counted() == ({}, kept)


def counted() -> tuple[dict[type[Model], int], dict[type[Model], int]]:
    """How many rows there are by model, where there are any: of what tests write, and of what `migrate` wrote."""
    found = {}
    with connections["owner"].cursor() as cursor:
        for model in apps.get_models(include_auto_created=True):
            cursor.execute(f"SELECT count(*) FROM {connections['owner'].ops.quote_name(model._meta.db_table)}")
            if number := cursor.fetchone()[0]:
                found[model] = number
    kept = {model: found.pop(model) for model in (ContentType, Permission)}
    return found, kept
