from django.db import migrations, models

from tenants.migrations_ops import RenderedOnce


class Migration(RenderedOnce):
    """What was done today is read from an index of what was done: a night closes thousands by withdrawing them."""

    dependencies = [("followups", "0018_magnitude")]

    operations = [
        migrations.RemoveIndex("followup", "follow_up_closed"),
        migrations.AddIndex(
            "followup",
            models.Index(
                condition=models.Q(("status", "done")),
                fields=["tenant", "closed_at", "owner_a", "owner_b"],
                name="follow_up_done",
            ),
        ),
    ]
