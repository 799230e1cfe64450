"""Through PgBouncer in transaction mode: many connections of ours share few of the server's, and nobody notices."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, connections
from django.db.models import Count, Sum

from config import processes
from config.night import run_night
from customers.models import Customer
from segmentation.models import Standing
from tenants.context import tenant_scope
from tenants.models import Run
from tests.customers.conftest import ORDERS, counts, deliver  # noqa: F401  # deliver is a fixture

PGBOUNCER = shutil.which("pgbouncer", path=os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin"]))
TEN_MINUTES = "600000"

pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif(PGBOUNCER is None, reason="PgBouncer is not installed"),
    pytest.mark.django_db(transaction=True, databases=["default", "owner"]),
    pytest.mark.xdist_group("processes"),
]


@pytest.fixture
def pooled(cast, tmp_path, monkeypatch):
    """`pooled(n)`: from now on the app role's connections share n of the server's, as docs/operate.md sets it up."""
    place, pooler = connections["default"].settings_dict, None

    def started(size):
        nonlocal pooler
        port = processes.free_port()
        settings = tmp_path / "pgbouncer.ini"
        settings.write_text(
            f"[databases]\n{place['NAME']} = host={place['HOST']} port={place['PORT']} user={place['USER']} "
            f"password={place['PASSWORD']} connect_query='SET idle_in_transaction_session_timeout = {TEN_MINUTES}'\n"
            f"[pgbouncer]\npool_mode = transaction\ndefault_pool_size = {size}\nauth_type = any\n"
            f"listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n",
            encoding="utf-8",
        )
        as_other = ["-u", "nobody"] if os.getuid() == 0 else []  # it refuses to be root
        with (tmp_path / "pgbouncer.log").open("wb") as log:
            pooler = subprocess.Popen([PGBOUNCER, *as_other, str(settings)], stderr=log)
        until = time.monotonic() + 30
        while not processes.accepts(port):
            assert pooler.poll() is None, (tmp_path / "pgbouncer.log").read_text()
            assert time.monotonic() < until, "PgBouncer does not answer"
            time.sleep(0.05)
        connection.close()
        monkeypatch.setitem(place, "HOST", "127.0.0.1")
        monkeypatch.setitem(place, "PORT", port)
        # What DATABASE_POOLED leaves out.
        monkeypatch.setitem(place, "OPTIONS", {k: v for k, v in place["OPTIONS"].items() if k != "options"})

    yield started
    connection.close()
    if pooler:
        pooler.terminate()
        pooler.wait(20)


def asked(sql):
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchone()[0]


def test_two_firms_share_a_connection_and_see_their_own(cast, pooled):
    cast.customer("Acme's")
    with tenant_scope(cast.other_tenant):
        Customer.objects.create(name="Globex's")
    pooled(1)

    def looks(tenant):
        try:
            seen = []
            for _ in range(25):
                with tenant_scope(tenant):
                    seen.append(
                        (
                            asked("SELECT pg_backend_pid()"),
                            asked("SELECT string_agg(name, ',') FROM customers_customer"),
                        )
                    )
                seen.append((asked("SELECT pg_backend_pid()"), asked("SELECT count(*) FROM customers_customer")))
            return set(seen)
        finally:
            connection.close()

    with ThreadPoolExecutor() as pool:
        acme, globex = pool.map(looks, [cast.tenant, cast.other_tenant])
    (server,) = {pid for pid, _ in acme | globex}
    assert acme == {(server, "Acme's"), (server, 0)}
    assert globex == {(server, "Globex's"), (server, 0)}


def test_import_night_page_and_export_work(cast, pooled, deliver, sign_in):  # noqa: F811  # the fixture
    pooled(6)  # an import takes several at a time: its writers', and one that only holds its lock
    assert asked("SHOW idle_in_transaction_session_timeout") == "10min"
    today = cast.tenant.today()
    lines = "".join(f"A{n},{n % 7},{today - dt.timedelta(days=n)},p{n % 3},1,{n + 1}\n" for n in range(60))
    assert counts(deliver(ORDERS + lines)) == (60, 0, 60, 0, 0)

    night = run_night(cast.tenant, today)
    with tenant_scope(cast.tenant):
        assert (night.status, list(night.steps.exclude(error=""))) == (Run.Status.DONE, [])
        standings = Standing.objects.aggregate(n=Count("customer"), orders=Sum("frequency"), money=Sum("monetary"))
        # Today's order is not before the day.
        assert standings == {"n": 7, "orders": 59, "money": sum(range(2, 61))}

    browser = sign_in(cast.lea)
    page = browser.get("/acme/customers/")
    assert page.status_code == 200
    export = browser.get("/acme/customers/", {"export": "csv"})
    assert export.status_code == 200
    assert len(b"".join(export.streaming_content).splitlines()) == 1 + 7
    assert asked("SELECT count(*) FROM pg_class WHERE relpersistence = 't'") == 0
    # In this database: other tests' are in the same cluster.
    ours = "database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    assert asked(f"SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND {ours}") == 0
