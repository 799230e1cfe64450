import django.db.models.expressions
import django.db.models.functions.comparison
from django.db import migrations, models

from tenants.migrations_ops import RenderedOnce


class Migration(RenderedOnce):
    dependencies = [
        ("customers", "0006_search"),
        ("followups", "0002_lists"),
        ("tenants", "0004_parts"),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name="followup",
            name="follow_up_queue",
        ),
        migrations.RemoveIndex(
            model_name="followup",
            name="follow_up_due",
        ),
        migrations.AddField(
            model_name="followup",
            name="day",
            field=models.GeneratedField(
                db_persist=True,
                expression=django.db.models.functions.comparison.Greatest("due_on", "snoozed_until"),
                output_field=models.DateField(),
            ),
        ),
        migrations.AddIndex(
            model_name="followup",
            index=models.Index(
                condition=models.Q(("status", "open")), fields=["tenant", "assignee", "day"], name="follow_up_queue"
            ),
        ),
        migrations.AddIndex(
            model_name="followup",
            index=models.Index(
                models.F("tenant"),
                models.F("day"),
                models.OrderBy(
                    django.db.models.expressions.CombinedExpression(models.F("priority"), "/", models.Value(100)),
                    descending=True,
                ),
                models.F("due_at"),
                models.F("id"),
                condition=models.Q(("status", "open")),
                name="follow_up_ranked",
            ),
        ),
        migrations.AddIndex(
            model_name="followup",
            index=models.Index(
                condition=models.Q(("status", "open")), fields=["tenant", "customer"], name="follow_up_open"
            ),
        ),
    ]
