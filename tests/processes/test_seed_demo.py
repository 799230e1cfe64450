"""A kill in the middle of the demo's making leaves nothing, and it can be made again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from django.db import connections

pytestmark = [
    pytest.mark.processes,
    pytest.mark.django_db(transaction=True, databases=["default", "owner"]),
    pytest.mark.xdist_group("seed"),
]
ROOT = Path(__file__).parents[2]
PATIENCE_S = 60


def test_leaves_nothing_when_it_is_killed(tmp_path):
    own, app = connections["owner"].settings_dict, connections["default"].settings_dict
    url = "postgresql://{USER}:{PASSWORD}@{HOST}:{PORT}/{NAME}"
    env = os.environ | {"DATABASE_URL": url.format(**own), "DATABASE_APP_URL": url.format(**app)}
    with connections["owner"].cursor() as cursor, (tmp_path / "log").open("wb") as log:
        # The command will wait here: people, customers and orders are written, the contacts are not.
        cursor.execute("BEGIN; LOCK TABLE customers_interaction IN ACCESS EXCLUSIVE MODE")
        seeding = subprocess.Popen(
            [sys.executable, "manage.py", "seed_demo"],
            cwd=ROOT,
            env=env,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            end = time.monotonic() + PATIENCE_S
            cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
            while cursor.fetchone()[0] == 0:
                assert seeding.poll() is None, (tmp_path / "log").read_text()
                assert time.monotonic() < end, "the command never came to the contacts"
                time.sleep(0.1)
                cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        finally:
            os.killpg(seeding.pid, signal.SIGKILL)
            seeding.wait(10)
        cursor.execute("ROLLBACK")
        for table in ("tenants_tenant", "tenants_user", "tenants_member", "customers_customer", "customers_order"):
            cursor.execute(f"SELECT count(*) FROM {table}")
            assert cursor.fetchone() == (0,), table
