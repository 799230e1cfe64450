"""The list by money tells by itself which stage of life a customer is in."""

from django.db import migrations, models

from tenants.migrations_ops import RenderedOnce


class Migration(RenderedOnce):
    dependencies = [
        ("segmentation", "0007_night"),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name="standing",
            name="standing_by_money",
        ),
        migrations.AddIndex(
            model_name="standing",
            index=models.Index(
                fields=["tenant", "monetary", "customer"],
                include=["first_order_on", "last_order_on", "returned_on"],
                name="standing_by_money",
            ),
        ),
    ]
