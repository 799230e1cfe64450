from typing import Any, ClassVar

from django.db import migrations


class Migration(migrations.Migration):
    dependencies: ClassVar[list[Any]] = [("incentives", "0003_goals")]

    operations: ClassVar[list[Any]] = []
