from django.db import migrations

SETTING = "autovacuum_vacuum_scale_factor"


class Migration(migrations.Migration):
    """The worths are vacuumed after a usual night, which changes one in a hundred of them.

    They lie scattered over the table: of a list that goes by lifetime value, two rows in five were looked up.
    """

    dependencies = [("segmentation", "0010_warned")]

    operations = [
        migrations.RunSQL(
            f"ALTER TABLE segmentation_worth SET ({SETTING} = 0.005)",
            reverse_sql=f"ALTER TABLE segmentation_worth RESET ({SETTING})",
        )
    ]
