"""Fewer indexes that a night writes when the rank of an open follow-up changes."""

from django.db import migrations, models

from tenants.migrations_ops import RenderedOnce

TABLE = "followups_followup"
# Of customers the unique key begins with the same columns; those of the others are made anew below, without null.
WALLS = {
    "customer_id": f"{TABLE}_tenant_id_customer_id_e23c68b8_wall_ix",
    "contact_id": f"{TABLE}_tenant_id_contact_id_ec5eb2ef_wall_ix",
    "interaction_id": f"{TABLE}_tenant_id_interaction_id_a14ec494_wall_ix",
    "closed_by_id": f"{TABLE}_tenant_id_closed_by_id_e62555b9_wall_ix",
}


def _known(column: str) -> models.Q:
    return models.Q((f"{column}__isnull", False))


class Migration(RenderedOnce):
    dependencies = [("followups", "0013_notices")]

    operations = [
        migrations.RemoveIndex("followup", "follow_up_closed"),
        migrations.AddIndex(
            "followup",
            models.Index(condition=_known("closed_at"), fields=["tenant", "closed_at"], name="follow_up_closed"),
        ),
        migrations.AddIndex(
            "followup",
            models.Index(condition=_known("contact"), fields=["tenant", "contact"], name="follow_up_of_contact"),
        ),
        migrations.AddIndex(
            "followup",
            models.Index(
                condition=_known("interaction"), fields=["tenant", "interaction"], name="follow_up_done_by_touch"
            ),
        ),
        migrations.AddIndex(
            "followup",
            models.Index(condition=_known("closed_by"), fields=["tenant", "closed_by"], name="follow_up_closed_by"),
        ),
        *(
            migrations.RunSQL(
                f"DROP INDEX IF EXISTS {name}",
                f"CREATE INDEX IF NOT EXISTS {name} ON {TABLE} (tenant_id, {column})",
            )
            for column, name in WALLS.items()
        ),
    ]
