"""Servers, a database and processes of one's own for a run: durable, and set for this machine.

PostgreSQL's settings are those that docs/operate.md recommends for the memory that is there.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

import psutil
import psycopg2

from config import processes
from config.embedded import OWNER_ROLE, POSTGRES_SETTINGS, VALKEY_SETTINGS, Postgres, Valkey
from config.env import ROOT
from config.place import Place
from config.processes import LOOPBACK
from config.threads import fair_share

GB: Final = 2**30
LARGE: Final = 8  # processors, from which the second column of docs/operate.md holds


def settings() -> dict[str, str]:
    """What PostgreSQL is told beside its own defaults, for the memory and the processors of this machine."""
    memory, processors = psutil.virtual_memory().total, psutil.cpu_count() or 1
    is_large = processors >= LARGE
    return POSTGRES_SETTINGS | {
        "shared_buffers": f"{min(memory // 4, 8 * GB) >> 20}MB",
        "effective_cache_size": f"{memory * 5 // 8 >> 20}MB",
        "work_mem": "64MB" if is_large else "32MB",
        "maintenance_work_mem": f"{min(memory // 16, 2 * GB) >> 20}MB",
        "max_parallel_workers_per_gather": "2" if is_large else "1",
        "max_wal_size": "32GB" if is_large else "8GB",
        "wal_buffers": "64MB" if is_large else "16MB",
        "autovacuum_vacuum_scale_factor": "0.02" if is_large else "0.05",
        "autovacuum_analyze_scale_factor": "0.01" if is_large else "0.02",
        "autovacuum_vacuum_cost_limit": "2000" if is_large else "1000",
    }


@contextmanager
def house(folder: Path | None, told: Mapping[str, str] | None = None) -> Iterator[Path]:
    """Run as an installation of its own: the environment names its servers, its state folder and nobody else's.

    Its data stays in `folder`, and is found there again; without one all is gone afterwards. When DATABASE_URL is set,
    a database of its own beside that one is used, and stays with a folder. `told`: what PostgreSQL is told instead of
    `settings`, by name, when it is started here. Gives the state folder.
    """
    with ExitStack() as stack:
        state = folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="perennial-bench-")))
        state = state.resolve()
        state.mkdir(parents=True, exist_ok=True)
        outside, redis = os.environ.get("DATABASE_URL"), os.environ.get("REDIS_URL")
        place = None
        if not (outside and redis):
            place = stack.enter_context(Place.for_a_while()) if folder is None else _kept_place(folder.resolve())
        if outside:
            url = stack.enter_context(_database(outside, folder))
        else:
            url = _start(stack, _Postgres(_given(place), _password(state, "postgres"), settings() | dict(told or {})))
        if not redis:
            redis = _start(stack, Valkey(_given(place), _password(state, "valkey"), VALKEY_SETTINGS))
        os.environ.update(
            fair_share() | {
                "DATABASE_URL": url, "DATABASE_APP_URL": "", "REDIS_URL": redis, "PERENNIAL_VAR": str(state),
                "PERENNIAL_ENV": "development", "DJANGO_SETTINGS_MODULE": "config.settings", "PYTHONUNBUFFERED": "1",
                "SECRET_KEY": _password(state, "key"),
            }
        )  # fmt: skip
        yield state


class _Postgres(Postgres):
    """One whose owner may load facts unchecked, and have all written out before the clock runs."""

    def prepare(self) -> None:
        is_new = not (self.data / "PG_VERSION").exists()
        super().prepare()
        if is_new:
            wishes = ("SET ON PARAMETER session_replication_role", "pg_checkpoint")
            self._single_user([f"GRANT {wish} TO {OWNER_ROLE}" for wish in wishes], self.data)


def _kept_place(folder: Path) -> Place:
    for name in ("run", "log"):
        (folder / name).mkdir(exist_ok=True)
    return Place.of_state(folder)


def _given(place: Place | None) -> Place:
    assert place is not None, "a server is started only where there is a place for it"
    return place


def _start(stack: ExitStack, server: Postgres | Valkey) -> str:
    stack.callback(server.stop)
    server.start(processes.free_port(), lambda line: print(line, file=sys.stderr))
    return server.url(server.password, server.port)


def _password(state: Path, name: str) -> str:
    path = state / f"{name}.secret"
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(32), encoding="ascii")
    return path.read_text(encoding="ascii")


@contextmanager
def _database(url: str, folder: Path | None) -> Iterator[str]:
    """A database of the run's own beside that of the URL; with a folder it is the folder's, and stays."""
    parts, keep = urlsplit(url), folder is not None
    run = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:8] if folder else "scale"
    name = f"{parts.path.strip('/') or 'perennial'}_bench_{run}"
    server = psycopg2.connect(url)
    server.autocommit = True
    with server.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name])
        is_there = cursor.fetchone() is not None
        if is_there and not keep:  # a killed run's
            cursor.execute(f'DROP DATABASE "{name}"')
        if not (is_there and keep):
            cursor.execute(f'CREATE DATABASE "{name}"')
    try:
        yield urlunsplit(parts._replace(path=f"/{name}"))
    finally:
        if not keep:
            with server.cursor() as cursor:
                # Without FORCE it waits for who is just leaving, and ends an autovacuum, which FORCE may not.
                cursor.execute(f'DROP DATABASE "{name}"')
                cursor.execute(f'DROP ROLE IF EXISTS "{name}_app"')
        server.close()


@contextmanager
def owner() -> Iterator[Any]:
    """A connection as the owner of the tables, whom the wall does not bind; every statement by itself."""
    connection = psycopg2.connect(os.environ["DATABASE_URL"], application_name="bench")
    connection.autocommit = True
    try:
        yield connection
    finally:
        connection.close()


def rows(sql: str, params: Any = ()) -> list[Any]:
    """What a query of the owner gives."""
    with owner() as connection, connection.cursor() as cursor:
        cursor.execute(sql, params)
        return list(cursor.fetchall()) if cursor.description else []


def manage(*arguments: str) -> None:
    """Run a command of manage.py; what it prints goes nowhere, what it complains about to standard error."""
    command = [sys.executable, "manage.py", *arguments]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)  # noqa: S603  # our own programme


def called(module: str, *arguments: str) -> str:
    """What a program of bench prints. Raises CalledProcessError when it fails."""
    return "".join(lines_of(module, *arguments))


def lines_of(module: str, *arguments: str) -> Iterator[str]:
    """Each line that a program of bench prints, as it comes. Raises CalledProcessError after the last when it fails."""
    command = [sys.executable, "-m", f"bench.{module}", *arguments]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603  # ours
        assert process.stdout is not None, "it was asked for"
        yield from process.stdout
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)


@contextmanager
def child(
    command: list[str], log: Path, env: Mapping[str, str] | None = None, patience: float = 120
) -> Iterator[subprocess.Popen[bytes]]:
    """A program of ours for as long as the block lasts: asked to end, and killed when it does not in time."""
    process = processes.start(command, log=log, env=env or os.environ, cwd=ROOT)
    try:
        yield process
    finally:
        processes.stop(process, ((signal.SIGTERM, patience), (signal.SIGKILL, 5)))


def wait_for_web(port: int, process: subprocess.Popen[bytes], log: Path, patience: float = 60) -> None:
    """Wait until the web answers /healthz on the port. Raises RuntimeError with the end of the log."""
    until = time.monotonic() + patience
    while process.poll() is None and time.monotonic() < until:
        connection = http.client.HTTPConnection(LOOPBACK, port, timeout=10)
        with suppress(OSError, http.client.HTTPException):  # not yet: the port is open before the application is loaded
            connection.request("GET", "/healthz")
            if connection.getresponse().status == 200:
                return
        connection.close()
        time.sleep(0.1)
    raise RuntimeError(f"it does not answer; {log} says:\n{processes.last_lines(log)}")


def settle(patience: float = 900) -> None:
    """Let the database come to rest, as it does between two nights: vacuumed, analyzed, written out."""
    with owner() as connection, connection.cursor() as cursor:
        until = time.monotonic() + patience
        while time.monotonic() < until:
            cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'autovacuum worker'")
            if not cursor.fetchone()[0]:
                break
            time.sleep(1)
        cursor.execute(
            "SELECT quote_ident(relname) FROM pg_stat_user_tables WHERE schemaname = 'public' "
            "AND (n_dead_tup > 0 OR n_mod_since_analyze > 0 OR n_ins_since_vacuum > 0) ORDER BY relname"
        )
        for (table,) in cursor.fetchall():
            cursor.execute(f"VACUUM (ANALYZE) {table}")
    checkpoint()


def checkpoint() -> None:
    """Have everything written out, if the role may ask for it: who writes next then logs whole pages again."""
    with owner() as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT rolsuper OR pg_has_role('pg_checkpoint', 'MEMBER') FROM pg_roles WHERE rolname = current_user"
        )
        if cursor.fetchone()[0]:
            cursor.execute("CHECKPOINT")


def database_about() -> dict[str, str]:
    """The server's version and what was set on it."""
    (version,) = rows("SHOW server_version")[0]
    found = rows(
        "SELECT name, current_setting(name) FROM pg_settings WHERE source IN ('command line', 'configuration file') "
        "AND category NOT LIKE ALL (ARRAY['Client%%', 'Reporting%%', 'Connections and Auth%%', 'File Locations', "
        "'Preset%%']) ORDER BY name"
    )
    said = ", ".join(f"{name} {value}" for name, value in found if "password" not in name)
    return {"PostgreSQL": f"{version}; {said}"}
