from django.db import migrations, models

from tenants.migrations_ops import RenderedOnce


class Migration(RenderedOnce):
    """The indexes of whose follow-ups they are hold all that is counted for the heads of Today's views."""

    dependencies = [("followups", "0014_ranks")]

    operations = [
        migrations.RemoveIndex("followup", "follow_up_owned"),
        migrations.RemoveIndex("followup", "follow_up_covered"),
        migrations.AddIndex(
            "followup",
            models.Index(
                condition=models.Q(("status", "open")),
                fields=["tenant", "owner_a", "day"],
                include=["snoozed_until", "assignee", "owner_b"],
                name="follow_up_owned",
            ),
        ),
        migrations.AddIndex(
            "followup",
            models.Index(
                condition=models.Q(("status", "open")),
                fields=["tenant", "owner_b", "day"],
                include=["snoozed_until", "assignee", "owner_a"],
                name="follow_up_covered",
            ),
        ),
    ]
