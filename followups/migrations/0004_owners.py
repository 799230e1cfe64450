import django.db.models.deletion
from django.db import migrations, models

from tenants.migrations_ops import RenderedOnce

_KEEP = """
CREATE FUNCTION public.follow_up_takes_owners() RETURNS trigger LANGUAGE plpgsql SET search_path = public AS $$
BEGIN
    SELECT c.owner_a_id, c.owner_b_id INTO NEW.owner_a_id, NEW.owner_b_id FROM customers_customer c
    WHERE c.tenant_id = NEW.tenant_id AND c.id = NEW.customer_id;
    RETURN NEW;
END $$;
CREATE TRIGGER follow_up_takes_owners BEFORE INSERT OR UPDATE OF customer_id ON followups_followup
FOR EACH ROW EXECUTE FUNCTION public.follow_up_takes_owners();

CREATE FUNCTION public.customer_passes_owners() RETURNS trigger LANGUAGE plpgsql SET search_path = public AS $$
BEGIN
    UPDATE followups_followup SET owner_a_id = NEW.owner_a_id, owner_b_id = NEW.owner_b_id
    WHERE tenant_id = NEW.tenant_id AND customer_id = NEW.id;
    RETURN NULL;
END $$;
CREATE TRIGGER customer_passes_owners AFTER UPDATE OF owner_a_id, owner_b_id ON customers_customer
FOR EACH ROW WHEN ((OLD.owner_a_id, OLD.owner_b_id) IS DISTINCT FROM (NEW.owner_a_id, NEW.owner_b_id))
EXECUTE FUNCTION public.customer_passes_owners();

UPDATE followups_followup f SET owner_a_id = c.owner_a_id, owner_b_id = c.owner_b_id FROM customers_customer c
WHERE c.tenant_id = f.tenant_id AND c.id = f.customer_id;
"""

_FORGET = """
DROP TRIGGER customer_passes_owners ON customers_customer;
DROP FUNCTION public.customer_passes_owners();
DROP TRIGGER follow_up_takes_owners ON followups_followup;
DROP FUNCTION public.follow_up_takes_owners();
"""


def _copied_owner() -> models.Field:
    return models.ForeignKey(
        db_constraint=False,
        db_index=False,
        editable=False,
        null=True,
        on_delete=django.db.models.deletion.DO_NOTHING,
        related_name="+",
        to="tenants.member",
    )


class Migration(RenderedOnce):
    dependencies = [
        ("customers", "0006_search"),
        ("followups", "0003_today"),
        ("tenants", "0004_parts"),
    ]

    operations = [
        migrations.AddField(model_name="followup", name="owner_a", field=_copied_owner()),
        migrations.AddField(model_name="followup", name="owner_b", field=_copied_owner()),
        # Whoever writes a follow-up or an owner, by hand or by the thousand, cannot forget it.
        migrations.RunSQL(_KEEP, _FORGET),
        migrations.RemoveIndex(model_name="followup", name="follow_up_open"),
        migrations.AddIndex(
            model_name="followup",
            index=models.Index(
                condition=models.Q(("status", "open")), fields=["tenant", "owner_a", "day"], name="follow_up_owned"
            ),
        ),
        migrations.AddIndex(
            model_name="followup",
            index=models.Index(
                condition=models.Q(("status", "open")), fields=["tenant", "owner_b", "day"], name="follow_up_covered"
            ),
        ),
    ]
