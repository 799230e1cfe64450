from django.db import migrations

_TELL = """
CREATE FUNCTION public.standing_takes_warning() RETURNS trigger LANGUAGE plpgsql SET search_path = public AS $$
BEGIN
    UPDATE segmentation_standing s SET is_warned = true FROM new_rows n
    JOIN health_lapseforecast f ON f.tenant_id = n.tenant_id AND f.customer_id = n.customer_id AND f.is_warned
    WHERE s.tenant_id = n.tenant_id AND s.customer_id = n.customer_id AND NOT s.is_warned;
    RETURN NULL;
END $$;
CREATE TRIGGER standing_takes_warning AFTER INSERT ON segmentation_standing
REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION public.standing_takes_warning();

CREATE FUNCTION public.forecast_passes_warning() RETURNS trigger LANGUAGE plpgsql SET search_path = public AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        UPDATE segmentation_standing SET is_warned = false
        WHERE tenant_id = OLD.tenant_id AND customer_id = OLD.customer_id AND is_warned;
    ELSE
        UPDATE segmentation_standing SET is_warned = NEW.is_warned
        WHERE tenant_id = NEW.tenant_id AND customer_id = NEW.customer_id AND is_warned <> NEW.is_warned;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER new_forecast_passes_warning AFTER INSERT ON health_lapseforecast
FOR EACH ROW WHEN (NEW.is_warned) EXECUTE FUNCTION public.forecast_passes_warning();
CREATE TRIGGER forecast_passes_warning AFTER UPDATE OF is_warned ON health_lapseforecast
FOR EACH ROW WHEN (OLD.is_warned <> NEW.is_warned) EXECUTE FUNCTION public.forecast_passes_warning();
CREATE TRIGGER old_forecast_passes_warning AFTER DELETE ON health_lapseforecast
FOR EACH ROW WHEN (OLD.is_warned) EXECUTE FUNCTION public.forecast_passes_warning();

UPDATE segmentation_standing s SET is_warned = true FROM health_lapseforecast f
WHERE f.tenant_id = s.tenant_id AND f.customer_id = s.customer_id AND f.is_warned AND NOT s.is_warned;
"""

_FORGET = """
DROP TRIGGER old_forecast_passes_warning ON health_lapseforecast;
DROP TRIGGER forecast_passes_warning ON health_lapseforecast;
DROP TRIGGER new_forecast_passes_warning ON health_lapseforecast;
DROP FUNCTION public.forecast_passes_warning();
DROP TRIGGER standing_takes_warning ON segmentation_standing;
DROP FUNCTION public.standing_takes_warning();
"""


class Migration(migrations.Migration):
    """The standing is told whom the forecast warns of: whoever writes either, by hand or by the thousand, cannot forget it.

    A usual night warns of few others than the night before; only their standings are written.
    """

    dependencies = [("health", "0008_walls"), ("segmentation", "0010_warned")]

    operations = [migrations.RunSQL(_TELL, _FORGET)]
