"""The event log in a partition per year, and the two functions that keep every history table's partitions."""

from django.db import migrations

from tenants.migrations_ops import PartitionByYear

# Each parent has one partition for what is older than its first year, one for each year, and a default one for what
# lies ahead of them: no write ever fails. The years follow on each other without a gap; then a query that says
# `day <= constant` leaves the default out, and PostgreSQL reads the years one after the other, newest first.
MAKE_YEAR = """
CREATE FUNCTION public.history_make_year(parent regclass, year integer) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $body$
DECLARE
    short CONSTANT text := (SELECT relname FROM pg_class WHERE oid = parent);
    fresh CONSTANT text := short || '_' || year;
    first CONSTANT date := make_date(year, 1, 1);
    past CONSTANT date := make_date(year + 1, 1, 1);
    key text; columns text; holder regclass; bound text; oldest integer; newest integer;
BEGIN
    SELECT quote_ident(a.attname) INTO STRICT key FROM pg_partitioned_table p
    JOIN pg_attribute a ON a.attrelid = p.partrelid AND a.attnum = p.partattrs[0] WHERE p.partrelid = parent;
    SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) INTO columns FROM pg_attribute
    WHERE attrelid = parent AND attnum > 0 AND NOT attisdropped;
    SELECT min(substring(pg_get_expr(c.relpartbound, c.oid) FROM $$TO \\('(\\d+)-$$)::integer),
           max(substring(pg_get_expr(c.relpartbound, c.oid) FROM $$TO \\('(\\d+)-$$)::integer) - 1
    INTO STRICT oldest, newest FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = parent;
    IF year BETWEEN oldest AND newest THEN
        RETURN NULL;
    ELSIF year NOT IN (oldest - 1, newest + 1) THEN
        RAISE EXCEPTION '% has the years % to %: % would leave a gap', short, oldest, newest, year;
    END IF;
    -- Rows of that year are in the oldest partition or in the default one until now.
    bound := CASE WHEN year < oldest THEN 'FOR VALUES FROM (MINVALUE)%' ELSE 'DEFAULT' END;
    SELECT c.oid::regclass INTO STRICT holder FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = parent AND pg_get_expr(c.relpartbound, c.oid) LIKE bound;
    EXECUTE format('CREATE TABLE public.%I (LIKE %s INCLUDING ALL EXCLUDING IDENTITY)', fresh, parent);
    PERFORM public.history_close(to_regclass(format('public.%I', fresh)));
    IF year < oldest THEN
        EXECUTE format('ALTER TABLE %s DETACH PARTITION %s', parent, holder);
    END IF;
    EXECUTE format(
        'WITH moved AS (DELETE FROM %1$s WHERE %2$s >= %3$L AND %2$s < %4$L RETURNING %5$s) '
        'INSERT INTO public.%6$I (%5$s) SELECT %5$s FROM moved', holder, key, first, past, columns, fresh);
    IF year < oldest THEN
        EXECUTE format('ALTER TABLE %s RENAME TO %I', holder, short || '_before_' || year);
        EXECUTE format('ALTER TABLE %s ATTACH PARTITION public.%I FOR VALUES FROM (MINVALUE) TO (%L)',
                       parent, short || '_before_' || year, first);
    END IF;
    -- Attaching, unlike CREATE TABLE … PARTITION OF, lets others read and write the table meanwhile.
    EXECUTE format('ALTER TABLE %s ATTACH PARTITION public.%I FOR VALUES FROM (%L) TO (%L)', parent, fresh, first, past);
    RETURN fresh;
END $body$;
"""
# Row-level security looks at the table that a statement names. The parent's policies do not bind who names a partition;
# on a partition no policy lets anybody in but the owner.
CLOSE = """
CREATE FUNCTION public.history_close(partition regclass) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', partition);
    EXECUTE format('CREATE POLICY owner_gate ON %s TO CURRENT_USER USING (true) WITH CHECK (true)', partition);
END $body$;
"""
# The worker may call this one and owns nothing: it runs as its owner, takes no argument, and makes only what is due, of
# tables laid out as above. What it waits for others wait for behind it, so it gives up soon; it has a year to come back.
UPKEEP = """
CREATE FUNCTION public.history_upkeep() RETURNS SETOF text
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET lock_timeout = '5s' AS $body$
DECLARE
    parent regclass; newest integer; made text;
BEGIN
    FOR parent, newest IN
        SELECT p.oid::regclass, max(substring(pg_get_expr(c.relpartbound, c.oid) FROM $$TO \\('(\\d+)-$$)::integer) - 1
        FROM pg_class p JOIN pg_inherits i ON i.inhparent = p.oid JOIN pg_class c ON c.oid = i.inhrelid
        WHERE p.relkind = 'p' AND p.relnamespace = 'public'::regnamespace
          AND p.relowner = (SELECT oid FROM pg_roles WHERE rolname = current_user)
        GROUP BY p.oid
        HAVING bool_or(pg_get_expr(c.relpartbound, c.oid) LIKE 'FOR VALUES FROM (MINVALUE)%')
           AND bool_or(pg_get_expr(c.relpartbound, c.oid) = 'DEFAULT')
        ORDER BY p.oid
    LOOP
        FOR year IN newest + 1 .. extract(year FROM now())::integer + 1 LOOP
            made := public.history_make_year(parent, year);
            RETURN NEXT made;
        END LOOP;
        -- Autovacuum looks at partitions only; the planner wants to know the whole as well.
        EXECUTE format('ANALYZE %s', parent);
    END LOOP;
END $body$;
"""
CLOSED = (
    "REVOKE ALL ON FUNCTION public.history_close(regclass), public.history_make_year(regclass, integer), "
    "public.history_upkeep() FROM PUBLIC"
)


class Migration(migrations.Migration):
    dependencies = [
        ("tenants", "0002_value"),
    ]

    operations = [
        migrations.RunSQL(CLOSE, "DROP FUNCTION public.history_close(regclass)"),
        migrations.RunSQL(MAKE_YEAR, "DROP FUNCTION public.history_make_year(regclass, integer)"),
        migrations.RunSQL(UPKEEP, "DROP FUNCTION public.history_upkeep()"),
        migrations.RunSQL(CLOSED, migrations.RunSQL.noop),
        # The primary key, now (tenant, id, at), leads to the same rows.
        migrations.RemoveIndex("event", "event_feed"),
        PartitionByYear("Event", by="at", key=["tenant_id", "id", "at"]),
    ]
