"""The signals that an alert can be about."""

from typing import Any, ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar[list[Any]] = [("risk", "0003_alerts")]

    operations: ClassVar[list[Any]] = [
        migrations.AlterField(
            model_name="alert",
            name="signal",
            field=models.CharField(
                choices=[
                    ("order_silence", "No order"),
                    ("contact_silence", "No contact"),
                    ("spec_drift", "Order sizes shrink"),
                    ("frequency_falling", "Orders less often"),
                    ("activity_drop", "Orders halved"),
                    ("category_drop", "Fewer categories"),
                    ("complaint_rise", "More complaints"),
                    ("competitor_pull", "Spends less, asks about competitors"),
                    ("unanswered", "Does not answer"),
                    ("nps_silence", "Discontent and silent"),
                    ("leaving", "Wants to leave"),
                    ("repeated_question", "Same question unsolved"),
                    ("lapse_forecast", "Likely to lapse"),
                ],
                max_length=30,
                verbose_name="signal",
            ),
        ),
    ]
