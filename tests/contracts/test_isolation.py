"""The walls, pulled on: every tenant model, every operation, with and without a scope."""

from __future__ import annotations

import copy

import pytest
from django.apps import apps
from django.db import IntegrityError, ProgrammingError, connection, connections, transaction
from django.db.models import Count

from tenants.base import TenantForeignKey, TenantModel
from tenants.context import NoTenant, OtherTenant, tenant_scope
from tenants.database import grant_app_role
from tests.contracts.rows import ROWS

MODELS = [m for m in apps.get_models() if issubclass(m, TenantModel)]
# Directory and library tables: what they hold belongs to no single firm.
WITHOUT_TENANT = {
    "tenants.Tenant", "tenants.User", "auth.Permission", "auth.Group", "contenttypes.ContentType",
    "sessions.Session", "account.EmailAddress", "account.EmailConfirmation", "mfa.Authenticator",
    "socialaccount.SocialApp", "socialaccount.SocialAccount", "socialaccount.SocialToken",
}  # fmt: skip

OPERATIONS = {
    "all": lambda m: list(m.objects.all()),
    "count": lambda m: m.objects.count(),
    "exists": lambda m: m.objects.exists(),
    "first": lambda m: m.objects.first(),
    "filter": lambda m: list(m.objects.filter(tenant_id__gt=0)),
    "exclude": lambda m: list(m.objects.exclude(tenant_id=0)),
    "values": lambda m: list(m.objects.values("tenant_id")),
    "values_list": lambda m: list(m.objects.values_list("tenant_id", flat=True)),
    "aggregate": lambda m: m.objects.aggregate(n=Count("tenant_id")),
    "iterator": lambda m: list(m.objects.iterator()),
    "update": lambda m: m.objects.update(),
    "delete": lambda m: m.objects.all().delete(),
    "bulk_create": lambda m: m.objects.bulk_create([m()]),
    "create": lambda m: m.objects.create(),
    "save": lambda m: m().save(),
    "union": lambda m: list(m.objects.all().union(m.objects.all())),
    "order_by": lambda m: list(m.objects.order_by("tenant_id")),
    "in_bulk": lambda m: m.objects.in_bulk(),
    "base_manager": lambda m: list(m._base_manager.all()),
    "default_manager": lambda m: list(m._default_manager.all()),
}


def test_every_model_is_walled_or_known_to_have_no_tenant():
    assert {m._meta.label for m in MODELS} == set(ROWS)
    assert {m._meta.label for m in apps.get_models()} - set(ROWS) == WITHOUT_TENANT


@pytest.mark.parametrize("model", MODELS, ids=lambda m: m._meta.label)
def test_raises_outside_a_scope(db, model):
    for name, operation in OPERATIONS.items():
        try:
            operation(model)
        except NoTenant:
            continue
        pytest.fail(f"{model._meta.label}: {name} works without a tenant")


@pytest.mark.parametrize("model", MODELS, ids=lambda m: m._meta.label)
def test_a_row_stays_behind_its_wall(cast, model):
    with tenant_scope(cast.other_tenant):
        before = model.objects.count()
    with tenant_scope(cast.tenant):
        row = ROWS[model._meta.label]()
        mine = model.objects.count()

    table, tenant_id = connection.ops.quote_name(model._meta.db_table), cast.tenant.pk
    with tenant_scope(cast.other_tenant), connection.cursor() as cursor:
        assert model.objects.count() == before
        assert not model.objects.filter(tenant_id=tenant_id).exists()
        # Plain SQL, which no manager guards: the database's own policy does.
        cursor.execute(f"SELECT count(*) FROM {table} WHERE tenant_id = %s", [tenant_id])
        assert cursor.fetchone() == (0,)
        if not model.append_only:
            cursor.execute(f"UPDATE {table} SET tenant_id = tenant_id WHERE tenant_id = %s", [tenant_id])
            assert cursor.rowcount == 0
            cursor.execute(f"DELETE FROM {table} WHERE tenant_id = %s", [tenant_id])
            assert cursor.rowcount == 0
        stolen = copy.copy(row)
        stolen._state = copy.copy(row._state)
        with pytest.raises(OtherTenant):
            stolen.save()
        with pytest.raises(OtherTenant):
            model.objects.bulk_create([stolen])
        with pytest.raises(OtherTenant):
            model.objects.update(tenant=cast.other_tenant)
    with tenant_scope(cast.tenant):
        assert model.objects.count() == mine

    with connection.cursor() as cursor:  # no scope at all
        cursor.execute(f"SELECT count(*) FROM {table}")
        assert cursor.fetchone() == (0,)


@pytest.mark.parametrize("model", MODELS, ids=lambda m: m._meta.label)
def test_the_database_refuses_to_write_into_another_tenant(cast, model):
    with tenant_scope(cast.tenant):
        row = ROWS[model._meta.label]()
    fields = [f for f in model._meta.local_fields if not f.primary_key and not f.generated]
    names = [f.column for f in fields if f.column != "tenant_id"]
    quoted = ", ".join(connection.ops.quote_name(n) for n in names)
    table = connection.ops.quote_name(model._meta.db_table)
    smuggle = f"INSERT INTO {table} (tenant_id, {quoted}) SELECT %s, {quoted} FROM {table} LIMIT 1"
    refused = pytest.raises(ProgrammingError, match="row-level security")
    with tenant_scope(cast.tenant), connection.cursor() as cursor, refused, transaction.atomic():
        cursor.execute(smuggle, [cast.other_tenant.pk])
    assert row.tenant_id == cast.tenant.pk


@pytest.mark.parametrize("model", [m for m in MODELS if m.append_only], ids=lambda m: m._meta.label)
@pytest.mark.parametrize("statement", ["UPDATE {} SET tenant_id = tenant_id", "DELETE FROM {}", "TRUNCATE {}"])
def test_what_was_written_down_stays(cast, model, statement):
    with tenant_scope(cast.tenant), connection.cursor() as cursor:
        ROWS[model._meta.label]()
        with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
            cursor.execute(statement.format(connection.ops.quote_name(model._meta.db_table)))


@pytest.mark.django_db(databases=["owner"])
def test_rights_are_given_after_a_migration_that_goes_back(db):
    assert "gone" not in connections["owner"].introspection.table_names()
    grant_app_role("owner", ["gone", "tenants_event"])


@pytest.mark.parametrize("model", MODELS, ids=lambda m: m._meta.label)
def test_is_walled_in_the_database(db, model):
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relrowsecurity, relforcerowsecurity FROM pg_class WHERE oid = %s::regclass", [model._meta.db_table]
        )
        assert cursor.fetchone() == (True, True)
        cursor.execute("SELECT polname FROM pg_policy WHERE polrelid = %s::regclass", [model._meta.db_table])
        assert "tenant_wall" in {name for (name,) in cursor.fetchall()}
        for field in model._meta.local_fields:
            if not isinstance(field, TenantForeignKey):
                continue
            cursor.execute(
                "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = %s::regclass AND contype = 'f'",
                [model._meta.db_table],
            )
            definitions = [text for (text,) in cursor.fetchall()]
            assert any(f"FOREIGN KEY (tenant_id, {field.column}) REFERENCES" in text for text in definitions), field


@pytest.mark.parametrize("model", MODELS, ids=lambda m: m._meta.label)
def test_belongs_to_a_tenant_that_is_there(db, model):
    """By a key of its own, or because it always points to a row that does."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = %s::regclass AND contype = 'f'",
            [model._meta.db_table],
        )
        keys = [text for (text,) in cursor.fetchall()]
    if not any("FOREIGN KEY (tenant_id) REFERENCES tenants_tenant" in text for text in keys):
        assert any(isinstance(field, TenantForeignKey) and not field.null for field in model._meta.local_fields)


def test_a_row_cannot_point_across(cast):
    with tenant_scope(cast.other_tenant):
        theirs = ROWS["customers.Customer"]()
    with tenant_scope(cast.tenant):
        contact = ROWS["customers.Contact"]()
        type(contact).objects.filter(pk=contact.pk).update(customer_id=theirs.pk)
    with connection.cursor() as cursor, pytest.raises(IntegrityError), transaction.atomic():
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    with tenant_scope(cast.tenant):
        contact.delete()  # else the check at the end of the test would find it again


def test_scopes_do_not_mix(cast):
    with tenant_scope(cast.tenant), pytest.raises(OtherTenant), tenant_scope(cast.other_tenant):
        pass


def test_the_scope_ends_with_its_transaction(cast):
    with tenant_scope(cast.tenant):
        pass
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('app.tenant_id', true)")
        assert cursor.fetchone()[0] in ("", None)
