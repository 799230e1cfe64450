from django.db import migrations, models

from tenants.migrations_ops import RenderedOnce


class Migration(RenderedOnce):
    """The indexes of what is closed hold whose customer it was and who did it, so that today's is read alone."""

    dependencies = [("followups", "0016_walls")]

    operations = [
        migrations.RemoveIndex("followup", "follow_up_closed"),
        migrations.RemoveIndex("followup", "follow_up_closed_by"),
        migrations.AddIndex(
            "followup",
            models.Index(
                condition=models.Q(("closed_at__isnull", False)),
                fields=["tenant", "closed_at", "owner_a", "owner_b"],
                name="follow_up_closed",
            ),
        ),
        migrations.AddIndex(
            "followup",
            models.Index(
                condition=models.Q(("closed_by__isnull", False)),
                fields=["tenant", "closed_by", "closed_at"],
                name="follow_up_closed_by",
            ),
        ),
    ]
