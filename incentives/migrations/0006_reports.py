from typing import Any, ClassVar

from django.db import migrations


class Migration(migrations.Migration):
    dependencies: ClassVar[list[Any]] = [("incentives", "0005_growth")]

    operations: ClassVar[list[Any]] = []
