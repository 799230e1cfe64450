"""Search by any part of a name, by number, by e-mail address and phone; and the list by country."""

from itertools import groupby
from typing import Any

import django.db.models.deletion
import django.db.models.functions.text
from django.db import migrations, models

import tenants.base
from customers.rules.search import terms
from tenants.migrations_ops import TenantWall

CHUNK = 20_000  # customers


def note_names(apps: Any, schema_editor: Any) -> None:
    """The terms of the names that are there already: before the wall, whose foreign key is then checked all at once."""
    Customer = apps.get_model("customers", "Customer")
    # As the owner, whom the wall does not bind: the app role sees nothing outside a scope.
    rows = models.QuerySet(Customer, using=schema_editor.connection.alias)
    names = rows.order_by("pk").values_list("pk", "tenant_id", "name")
    last = 0
    while chunk := list(names.filter(pk__gt=last)[:CHUNK]):
        last = chunk[-1][0]
        found = sorted((tenant, term, pk) for pk, tenant, name in chunk for term in terms(name))
        for tenant, rows in groupby(found, key=lambda row: row[0]):
            _tenants, texts, ids = zip(*rows, strict=True)
            schema_editor.execute(
                "INSERT INTO customers_searchterm (tenant_id, term, customer_id) "
                "SELECT %s, n.term, n.customer_id FROM unnest(%s::text[], %s::bigint[]) AS n(term, customer_id)",
                [tenant, list(texts), list(ids)],
            )


class Migration(migrations.Migration):
    dependencies = [
        ("customers", "0005_changes"),
        ("tenants", "0004_parts"),
    ]

    operations = [
        migrations.AlterField(
            model_name="customer",
            name="search_name",
            field=models.CharField(db_collation="C", editable=False, max_length=200),
        ),
        migrations.CreateModel(
            name="SearchTerm",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "tenant_id",
                        "term",
                        "customer_id",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("term", models.CharField(db_collation="C", max_length=24)),
                (
                    "customer",
                    tenants.base.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="search_terms",
                        to="customers.customer",
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        editable=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
            ],
            options={"abstract": False, "base_manager_name": "objects"},
        ),
        migrations.RunPython(note_names, migrations.RunPython.noop),
        TenantWall("SearchTerm"),
        migrations.AddIndex(
            model_name="customer",
            index=models.Index(fields=["tenant", "country", "id"], name="customer_by_country"),
        ),
        migrations.AddField(
            model_name="contact",
            name="name_lookup",
            field=models.GeneratedField(
                db_persist=True,
                expression=django.db.models.functions.text.Lower("name"),
                output_field=models.CharField(db_collation="C", max_length=120),
            ),
        ),
        migrations.AddField(
            model_name="contact",
            name="email_lookup",
            field=models.GeneratedField(
                db_persist=True,
                expression=django.db.models.functions.text.Lower("email"),
                output_field=models.CharField(db_collation="C", max_length=254),
            ),
        ),
        migrations.AddField(
            model_name="contact",
            name="phone_lookup",
            field=models.GeneratedField(
                db_persist=True,
                expression=django.db.models.functions.text.Reverse(
                    models.Func(
                        models.F("phone"),
                        models.Value("[^0-9]"),
                        models.Value(""),
                        models.Value("g"),
                        function="regexp_replace",
                    )
                ),
                output_field=models.CharField(db_collation="C", max_length=40),
            ),
        ),
        migrations.AddField(
            model_name="externalid",
            name="lookup",
            field=models.GeneratedField(
                db_persist=True,
                expression=django.db.models.functions.text.Lower("value"),
                output_field=models.CharField(db_collation="C", max_length=100),
            ),
        ),
        migrations.AddIndex(
            model_name="contact",
            index=models.Index(fields=["tenant", "name_lookup"], name="contact_by_name"),
        ),
        migrations.AddIndex(
            model_name="contact",
            index=models.Index(
                condition=models.Q(("email_lookup", ""), _negated=True),
                fields=["tenant", "email_lookup"],
                name="contact_by_email",
            ),
        ),
        migrations.AddIndex(
            model_name="contact",
            index=models.Index(
                condition=models.Q(("phone_lookup", ""), _negated=True),
                fields=["tenant", "phone_lookup"],
                name="contact_by_phone",
            ),
        ),
        migrations.AddIndex(
            model_name="externalid",
            index=models.Index(fields=["tenant", "lookup", "customer"], name="external_id_lookup"),
        ),
    ]
