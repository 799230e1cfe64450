"""History tables in partitions: every write finds a place, old years go, and no partition is a way round the wall."""

from __future__ import annotations

import datetime as dt
from io import StringIO

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import DatabaseError, IntegrityError, ProgrammingError, connection, connections, transaction
from django.db.migrations.state import ProjectState
from django.db.models import QuerySet
from django.utils import timezone
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from customers.models import Customer
from health.models import HealthHistory
from segmentation.models import TierChange
from tenants import partitions
from tenants.base import TenantModel
from tenants.context import tenant_scope
from tenants.migrations_ops import PartitionByYear
from tenants.models import Event, Tenant

YEAR = timezone.now().year
MODELS = [Event, HealthHistory, TierChange]
both = pytest.mark.django_db(databases=["default", "owner"])
committed = pytest.mark.django_db(transaction=True, databases=["default", "owner"])


def names(model):
    return [p.name.removeprefix(f"{model._meta.db_table}_") for p in partitions.partitions_of(model)]


def places():
    """The partitions that hold rows, by the app role's own reading of the parents."""
    found = set()
    with connection.cursor() as cursor:
        for model in MODELS:
            cursor.execute(f"SELECT DISTINCT tableoid::regclass::text FROM {model._meta.db_table}")
            found |= {name for (name,) in cursor.fetchall()}
    return found


@pytest.fixture
def firm(db):
    """A firm with two customers that the owner has made: for what only the owner may do."""
    tenant = Tenant.objects.using("owner").create(slug="old", name="Old", currency="GBP")
    # Not by the model's own manager, which notes them in other tables, as the app role.
    rows = [Customer(tenant=tenant, name=name) for name in ("Old Ltd", "Older Ltd")]
    made = QuerySet(Customer, using="owner").bulk_create(rows)
    run("SET CONSTRAINTS ALL IMMEDIATE")
    return tenant, [customer.pk for customer in made]


def run(sql, *params):
    with connections["owner"].cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.fetchall() if cursor.description else None


def keep_score(firm, customer, on, score):
    run(
        'INSERT INTO health_healthhistory (tenant_id, customer_id, "on", score, band) VALUES (%s, %s, %s, %s, %s) '
        "ON CONFLICT DO NOTHING",
        firm[0].pk, firm[1][customer], on, score, "green",
    )  # fmt: skip


def keep_tier(firm, customer, on, after):
    run(
        'INSERT INTO segmentation_tierchange (tenant_id, customer_id, "on", before, after, facts, policy_version) '
        "VALUES (%s, %s, %s, '', %s, '{}', 1)",
        firm[0].pk, firm[1][customer], on, after,
    )  # fmt: skip


def keep_event(firm, at, verb="row"):
    run(
        "INSERT INTO tenants_event (tenant_id, at, verb, object_type, object_id, changes) "
        "VALUES (%s, %s, %s, 'row', 1, '{}')",
        firm[0].pk, dt.datetime.combine(at, dt.time(), dt.UTC), verb,
    )  # fmt: skip
    run("SET CONSTRAINTS ALL IMMEDIATE")


# ── the layout ───────────────────────────────────────────────────────────────


@both
@pytest.mark.parametrize("model", MODELS, ids=lambda m: m.__name__)
def test_begins_with_this_year_and_the_next(model):
    assert names(model) == [f"before_{YEAR}", str(YEAR), str(YEAR + 1), "default"]


@both
def test_models_and_tables_agree():
    is_partitioned = "SELECT relkind = 'p' FROM pg_class WHERE oid = %s::regclass"
    for model in apps.get_models():
        if issubclass(model, TenantModel):
            assert run(is_partitioned, model._meta.db_table) == [(bool(model.partitioned_by),)], model
    assert partitions.history_models() == sorted(MODELS, key=lambda m: m._meta.db_table)


def test_takes_a_row_of_any_day(cast):
    customer = cast.customer()
    with tenant_scope(cast.tenant):
        for year in (1990, YEAR, 2300):
            on = dt.date(year, 1, 1)
            HealthHistory.objects.create(customer=customer, on=on, band="none")
            TierChange.objects.create(customer=customer, on=on, after="gold", policy_version=1)
            Event.objects.create(
                verb="row", object_type="row", object_id=1, at=dt.datetime.combine(on, dt.time(), dt.UTC)
            )
        assert places() == {
            f"{model._meta.db_table}_{part}" for model in MODELS for part in (f"before_{YEAR}", str(YEAR), "default")
        }
        assert len(set(Event.objects.values_list("pk", flat=True))) == Event.objects.count()
        for on in HealthHistory.objects.values_list("on", flat=True):
            assert TierChange.objects.filter(on=on).count() == 1


def test_leaves_out_what_a_day_rules_out_and_reads_the_years_one_by_one(cast):
    """The last row up to a day is looked up for two million customers: never in every year, never in the default."""
    customer = cast.customer()
    with tenant_scope(cast.tenant):
        rows = HealthHistory.objects.filter(tenant_id=cast.tenant.pk, customer=customer, on__lt=dt.date(YEAR, 7, 1))
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")  # the planner would read an empty table through
        plan = rows.order_by("-on")[:1].explain()
    assert "Merge Append" not in plan
    assert f"_{YEAR}_pkey" in plan
    assert f"_{YEAR + 1}" not in plan
    assert "_default" not in plan


# ── the wall ─────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("model", MODELS, ids=lambda m: m.__name__)
@pytest.mark.parametrize(
    "statement",
    ["SELECT * FROM {}", "INSERT INTO {} SELECT * FROM {}", "UPDATE {} SET tenant_id = 1", "DELETE FROM {}"],
)
def test_the_app_role_may_not_name_a_partition(cast, model, statement):
    with tenant_scope(cast.tenant), connection.cursor() as cursor:
        for part in (f"before_{YEAR}", YEAR, YEAR + 1, "default"):
            name = f"{model._meta.db_table}_{part}"
            with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
                cursor.execute(statement.format(name, name))


@committed
def test_a_partition_lets_nobody_in_even_who_has_the_right(cast):
    table, role = f"tenants_event_{YEAR}", connection.settings_dict["USER"]
    with tenant_scope(cast.tenant):
        Event.objects.create(verb="row", object_type="row", object_id=1)
    run(f'GRANT ALL ON {table} TO "{role}"')
    try:
        with tenant_scope(cast.tenant), connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM tenants_event")
            assert cursor.fetchone()[0] > 0
            cursor.execute(f"SELECT count(*) FROM {table}")
            assert cursor.fetchone() == (0,)
            cursor.execute(f"DELETE FROM {table}")
            assert cursor.rowcount == 0
            with pytest.raises(ProgrammingError, match="row-level security"), transaction.atomic():
                cursor.execute(f"INSERT INTO {table} OVERRIDING USER VALUE SELECT * FROM tenants_event")
    finally:
        run(f'REVOKE ALL ON {table} FROM "{role}"')


@both
def test_every_partition_is_closed():
    found = run(
        "SELECT relname, relrowsecurity AND relforcerowsecurity, "
        "ARRAY(SELECT polname::text FROM pg_policy WHERE polrelid = c.oid) FROM pg_class c "
        "WHERE relispartition AND relkind = 'r'"
    )
    assert len(found) >= 4 * len(MODELS)
    assert {(closed, tuple(policies)) for _name, closed, policies in found} == {(True, ("owner_gate",))}


@both
@pytest.mark.parametrize("call", ["history_make_year('tenants_event', 1)", "history_close('tenants_event')"])
def test_the_app_role_may_not_lay_out_tables(call):
    with (
        connection.cursor() as cursor,
        pytest.raises(ProgrammingError, match="permission denied"),
        transaction.atomic(),
    ):
        cursor.execute(f"SELECT public.{call}")


# ── what is due ──────────────────────────────────────────────────────────────


@committed
def test_upkeep_by_the_app_role_makes_what_is_missing(cast):
    next_year = {f"{model._meta.db_table}_{YEAR + 1}" for model in MODELS}
    for name in next_year:
        run(f"DROP TABLE {name}")
    with tenant_scope(cast.tenant):
        Event.objects.create(verb="row", object_type="row", object_id=1, at=dt.datetime(YEAR + 1, 2, 1, tzinfo=dt.UTC))
        assert "tenants_event_default" in places()
    assert set(partitions.upkeep()) == next_year
    assert partitions.upkeep() == []
    with tenant_scope(cast.tenant):
        assert f"tenants_event_{YEAR + 1}" in places()
        assert "tenants_event_default" not in places()
    test_every_partition_is_closed()
    refused = pytest.raises(ProgrammingError, match="permission denied")
    with tenant_scope(cast.tenant), connection.cursor() as cursor, refused, transaction.atomic():
        cursor.execute(f"SELECT * FROM tenants_event_{YEAR + 1}")


@both
def test_gives_earlier_years_their_own(firm):
    days = [dt.date(YEAR - 5, 3, 1), dt.date(YEAR - 2, 3, 1), dt.date(YEAR - 1, 12, 31), dt.date(YEAR, 1, 1)]
    for number, day in enumerate(days):
        keep_score(firm, 0, day, number)
    made = partitions.begin_with(YEAR - 2)
    assert {f"health_healthhistory_{YEAR - 1}", f"health_healthhistory_{YEAR - 2}"} <= set(made)
    assert names(HealthHistory) == [
        f"before_{YEAR - 2}",
        str(YEAR - 2),
        str(YEAR - 1),
        str(YEAR),
        str(YEAR + 1),
        "default",
    ]
    found = run('SELECT tableoid::regclass::text, "on" FROM health_healthhistory ORDER BY "on"')
    parts = [f"before_{YEAR - 2}", YEAR - 2, YEAR - 1, YEAR]
    assert found == [(f"health_healthhistory_{part}", day) for part, day in zip(parts, days, strict=True)]
    assert partitions.begin_with(YEAR - 2) == []


@both
def test_refuses_a_gap_between_years(firm):
    with pytest.raises(DatabaseError, match="would leave a gap"), transaction.atomic("owner"):
        run("SELECT public.history_make_year('tenants_event', %s)", YEAR + 3)


# ── what may go ──────────────────────────────────────────────────────────────

CUT = dt.date(YEAR - 2, 1, 1)
days = st.dates(dt.date(YEAR - 6, 1, 1), dt.date(YEAR, 12, 31))


def standing(day):
    """What the tables say of each customer as of a day."""
    rows = []
    for table, column, last in (
        ("health_healthhistory", "score", ""),
        ("segmentation_tierchange", "after", ", id DESC"),
    ):
        rows += run(
            f'SELECT DISTINCT ON (customer_id) customer_id, {column}, "on" FROM {table} WHERE "on" <= %s '
            f'ORDER BY customer_id, "on" DESC{last}',
            day,
        )
    return rows


@both
@settings(
    max_examples=5,
    deadline=None,
    phases=[Phase.generate],  # a smaller case is not worth minutes of laying out tables
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(rows=st.lists(st.tuples(st.integers(0, 1), days, st.integers(0, 100)), min_size=5), late=days)
def test_every_day_that_is_kept_has_its_answer_still(firm, rows, late):
    with transaction.atomic("owner"):
        partitions.begin_with(YEAR - 4)
        for customer, day, score in rows:
            keep_score(firm, customer, day, score)
            keep_tier(firm, customer, day, f"t{score}")
            keep_event(firm, day)
        asked = [CUT, dt.date(YEAR, 12, 31), *[max(day, CUT) for _customer, day, _score in rows]]
        before = [standing(day) for day in asked]
        assert partitions.drop_before(CUT)
        assert [standing(day) for day in asked] == before
        assert names(Event)[:2] == [f"before_{YEAR - 2}", str(YEAR - 2)]
        assert run("SELECT count(*) FROM tenants_event WHERE at < %s", CUT) == [(0,)]
        (kept,) = run("SELECT count(*) FROM tenants_event")
        assert kept == (sum(day >= CUT for _customer, day, _score in rows),)
        stood = {customer for customer, day, _score in rows if day < CUT}
        assert run('SELECT count(*) FROM health_healthhistory WHERE "on" < %s', CUT) == [(len(stood),)]
        assert partitions.droppable(CUT) == []  # a second call finds nothing

        # A row of before that comes in afterwards goes the same way.
        keep_event(firm, dt.date(YEAR - 5, 1, 1))
        keep_score(firm, 0, min(late, CUT - dt.timedelta(days=1)), 1)
        before = [standing(day) for day in asked]
        assert {partition.model for partition in partitions.drop_before(CUT)} >= {Event}
        assert [standing(day) for day in asked] == before
        transaction.set_rollback(True, using="owner")


@both
def test_what_is_left_is_closed_and_walled_like_before(firm):
    def walls():
        return run(
            "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint "
            "WHERE contype = 'f' AND conrelid = 'health_healthhistory'::regclass ORDER BY conname"
        )

    before = walls()
    keep_score(firm, 0, dt.date(YEAR - 4, 1, 1), 1)
    keep_score(firm, 0, dt.date(YEAR - 3, 1, 1), 2)
    partitions.begin_with(YEAR - 3)
    partitions.drop_before(CUT)
    assert walls() == before
    test_every_partition_is_closed()
    with pytest.raises(IntegrityError, match="violates foreign key"), transaction.atomic("owner"):
        run("UPDATE health_healthhistory SET customer_id = 0")  # checked at once: `firm` has said so


@both
def test_will_not_drop_what_screens_compare_with():
    with pytest.raises(ValueError, match="too late"):
        partitions.drop_before(timezone.now().date() - dt.timedelta(days=365))


# ── the command ──────────────────────────────────────────────────────────────


def said(*arguments):
    out = StringIO()
    call_command("partitions", *arguments, stdout=out)
    return out.getvalue()


@both
def test_lists_and_drops(firm, monkeypatch):
    assert f"made tenants_event_{YEAR - 3}" in said("--from-year", str(YEAR - 3))
    keep_event(firm, dt.date(YEAR - 3, 5, 1), verb="forgotten")
    assert f"tenants_event_{YEAR - 3}" in said()

    monkeypatch.setattr("builtins.input", lambda prompt: "no")
    with pytest.raises(CommandError, match="Nothing was dropped"):
        said("--drop-before", str(CUT))
    assert run("SELECT count(*) FROM tenants_event WHERE verb = 'forgotten'") == [(1,)]

    monkeypatch.setattr("builtins.input", lambda prompt: "yes")
    assert f"dropped tenants_event_{YEAR - 3}" in said("--drop-before", str(CUT))
    assert run("SELECT count(*) FROM tenants_event WHERE verb = 'forgotten'") == [(0,)]
    assert "No partition lies wholly before" in said("--drop-before", str(CUT), "--yes")
    with pytest.raises(CommandError, match="too late"):
        said("--drop-before", str(timezone.now().date()), "--yes")


# ── the migration ────────────────────────────────────────────────────────────


def layout(table):
    return run(
        "SELECT relkind, ARRAY(SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = c.oid AND contype <> 'n' "
        "ORDER BY 1), ARRAY(SELECT polname::text FROM pg_policy WHERE polrelid = c.oid ORDER BY 1), relrowsecurity, "
        "relforcerowsecurity, ARRAY(SELECT replace(pg_get_indexdef(indexrelid), ' ON ONLY ', ' ON ') FROM pg_index "
        "WHERE indrelid = c.oid ORDER BY 1) FROM pg_class c WHERE oid = %s::regclass",
        table,
    )


@both
@pytest.mark.parametrize(
    ("app", "operation"),
    [
        ("tenants", PartitionByYear("Event", by="at", key=["tenant_id", "id", "at"])),
        ("health", PartitionByYear("HealthHistory", by="on", key=["tenant_id", "customer_id", "on"])),
        ("segmentation", PartitionByYear("TierChange", by="on", key=["tenant_id", "id", "on"])),
    ],
    ids=["Event", "HealthHistory", "TierChange"],
)
def test_carries_rows_there_and_back(firm, app, operation):
    state = ProjectState.from_apps(apps)
    model = apps.get_model(app, operation.model_name)
    table, owner = model._meta.db_table, connections["owner"]
    for year in (YEAR - 3, YEAR - 1, YEAR):
        keep_score(firm, 1, dt.date(year, 2, 1), 50)
        keep_tier(firm, 1, dt.date(year, 2, 1), "gold")
        keep_event(firm, dt.date(year, 2, 1))
    run("SET CONSTRAINTS ALL IMMEDIATE")
    rows, before = run(f"SELECT * FROM {table} ORDER BY 1"), layout(table)
    assert len(rows) == 3

    with owner.schema_editor() as editor:
        operation.database_backwards(app, editor, state, state)
    assert layout(table)[0][0] == "r"
    assert run(f"SELECT * FROM {table} ORDER BY 1") == rows
    assert run(
        "SELECT count(*) FROM pg_class WHERE relname LIKE %s AND relispartition AND relkind = 'r'", f"{table}%"
    ) == [(0,)]

    with owner.schema_editor() as editor:
        operation.database_forwards(app, editor, state, state)
    assert layout(table) == before
    assert run(f"SELECT * FROM {table} ORDER BY 1") == rows
    assert names(model)[:2] == [f"before_{YEAR - 3}", str(YEAR - 3)]  # each year that has rows has its own
    assert run(f"SELECT count(DISTINCT tableoid) FROM {table}") == [(3,)]
    if app != "health":
        last = max(row[0] for row in run(f"SELECT id FROM {table}"))
        keep_tier(firm, 0, dt.date(YEAR, 2, 2), "gold")
        keep_event(firm, dt.date(YEAR, 2, 2))
        assert run(f"SELECT max(id) FROM {table}") == [(last + 1,)]  # the identity goes on where it stood
