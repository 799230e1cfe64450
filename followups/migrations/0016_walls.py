from django.db import migrations

# Of each table another index begins with the same columns.
WALLS = {
    ("followups_announcement", "product_id"): "followups_announcement_tenant_id_product_id_b37eda56_wall_ix",
    ("followups_contactwishes", "contact_id"): "followups_contactwishes_tenant_id_contact_id_61263d57_wall_ix",
    ("followups_optout", "contact_id"): "followups_optout_tenant_id_contact_id_a85fa1ed_wall_ix",
    ("followups_qualityreview", "interaction_id"): "followups_qualityrevie_tenant_id_interaction__3fbf9bb4_wall_ix",
    ("followups_qualityreview", "member_id"): "followups_qualityreview_tenant_id_member_id_0a0c231d_wall_ix",
}


class Migration(migrations.Migration):
    """Indexes that every write kept up and no query needed: the walls had made them before they could see the others."""

    dependencies = [("followups", "0015_counts")]

    operations = [
        migrations.RunSQL(
            f"DROP INDEX IF EXISTS {name}",
            f"CREATE INDEX IF NOT EXISTS {name} ON {table} (tenant_id, {column})",
        )
        for (table, column), name in WALLS.items()
    ]
