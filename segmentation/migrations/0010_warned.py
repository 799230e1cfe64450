from django.db import migrations, models

from tenants.migrations_ops import RenderedOnce


class Migration(RenderedOnce):
    """Who is in a stage, brings so much and is warned of is one walk along an index of some five in a hundred."""

    dependencies = [("segmentation", "0009_swept")]

    operations = [
        migrations.AddField(
            "standing", "is_warned", models.BooleanField(db_default=False, default=False, editable=False)
        ),
        migrations.AddIndex(
            "standing",
            models.Index(
                condition=models.Q(("is_warned", True)),
                fields=["tenant", "monetary", "customer"],
                include=("first_order_on", "last_order_on", "returned_on"),
                name="standing_warned",
            ),
        ),
    ]
