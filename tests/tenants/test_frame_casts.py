"""It: a staged column is read as the type that the table's column has, whichever table and column it is."""

from __future__ import annotations

from django.apps import apps
from django.db import connection

from tenants.frames import _cast


def test_reads_as_json_what_the_database_keeps_as_json_and_nothing_else(db):
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_schema = 'public'"
        )
        kinds = {(table, column): kind for table, column, kind in cursor.fetchall()}
    casts = {
        (model._meta.db_table, field.column): _cast(model, field.column)
        for model in apps.get_models()
        for field in model._meta.local_fields
        if field.column  # a key of several columns has none of its own
    }
    wanted = {key: f's."{key[1]}"' + ("::jsonb" if kinds[key] == "jsonb" else "") for key in casts}
    assert casts == wanted
    assert any(cast.endswith("::jsonb") for cast in casts.values())
