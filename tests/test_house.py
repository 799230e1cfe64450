import pytest
from django.db import connection, connections

from customers.models import Customer
from tenants.context import NoTenant, OtherTenant, tenant_scope


def test_works_as_a_role_that_cannot_pass_the_walls(cast):
    with connection.cursor() as cursor:
        cursor.execute("SELECT rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user")
        assert cursor.fetchone() == (False, False)


def test_raises_outside_a_scope(cast):
    with pytest.raises(NoTenant):
        Customer.objects.count()


def test_shows_no_row_of_another_tenant_even_to_plain_sql(cast):
    cast.customer()
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM customers_customer")
        assert cursor.fetchone() == (0,)
    with tenant_scope(cast.other_tenant), connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM customers_customer")
        assert cursor.fetchone() == (0,)
    with tenant_scope(cast.tenant), connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM customers_customer")
        assert cursor.fetchone() == (1,)


def test_refuses_a_row_of_another_tenant(cast):
    with tenant_scope(cast.tenant), pytest.raises(OtherTenant):
        Customer(name="x", tenant=cast.other_tenant).save()
    assert "owner" in connections
