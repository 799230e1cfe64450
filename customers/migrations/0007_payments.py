from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("customers", "0006_search")]

    operations = [
        migrations.AddIndex(
            model_name="order",
            index=models.Index(
                condition=models.Q(
                    ("due_on__isnull", False), ("kind", "order"), ("paid_on__isnull", False), ("status", "placed")
                ),
                fields=["tenant", "customer"],
                include=["paid_on", "due_on", "id"],
                name="order_payments",
            ),
        ),
    ]
