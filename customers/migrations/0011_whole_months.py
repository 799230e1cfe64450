from django.db import migrations

MAKE = """
ALTER TABLE customers_activity DROP CONSTRAINT customers_activity_pkey;
ALTER TABLE customers_activity ADD CONSTRAINT customers_activity_pkey
    PRIMARY KEY (tenant_id, customer_id, month) {include};
"""


class Migration(migrations.Migration):
    """The rollup's key holds the whole month, so that a stretch of customers is read in one go.

    Rows lie in the order in which the months came in. Who read all months of one customer after another looked for each
    row at another place of the table; in the index they stand side by side (docs/scale.md).
    """

    dependencies = [("customers", "0010_walks")]

    operations = [
        migrations.RunSQL(
            MAKE.format(include="INCLUDE (orders, credit_notes, net, days)"), reverse_sql=MAKE.format(include="")
        )
    ]
