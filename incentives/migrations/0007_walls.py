from django.db import migrations

# Of each table another index begins with the same columns.
WALLS = {
    ("incentives_awardstanding", "round_id"): "incentives_awardstanding_tenant_id_round_id_7bdae247_wall_ix",
    ("incentives_certification", "member_id"): "incentives_certification_tenant_id_member_id_01d1070e_wall_ix",
    (
        "incentives_certificationscore",
        "certification_id",
    ): "incentives_certificati_tenant_id_certificatio_7f626170_wall_ix",
    ("incentives_medal", "member_id"): "incentives_medal_tenant_id_member_id_c075b2c2_wall_ix",
    ("incentives_promotionnote", "member_id"): "incentives_promotionnote_tenant_id_member_id_d8a97585_wall_ix",
    ("incentives_training", "member_id"): "incentives_training_tenant_id_member_id_113baf29_wall_ix",
    ("incentives_trainingcustomer", "training_id"): "incentives_trainingcus_tenant_id_training_id_b649f387_wall_ix",
}


class Migration(migrations.Migration):
    """Indexes that every write kept up and no query needed: the walls had made them before they could see the others."""

    dependencies = [("incentives", "0006_reports")]

    operations = [
        migrations.RunSQL(
            f"DROP INDEX IF EXISTS {name}",
            f"CREATE INDEX IF NOT EXISTS {name} ON {table} (tenant_id, {column})",
        )
        for (table, column), name in WALLS.items()
    ]
