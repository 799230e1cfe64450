"""The embedded servers as commands meet them, each in a process and a state folder of its own."""

import contextlib
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import psycopg2
import pytest
import redis

from config import env, processes, servers

# One worker runs them all: they measure nothing, but each starts programs, and there may be two processors.
pytestmark = [pytest.mark.processes, pytest.mark.xdist_group("servers")]

PATIENCE_S = 60

# Says where the servers are and uses them until its standard input ends.
COMMAND = """
import json, sys
from config import servers
urls = servers.ensure()
print(json.dumps([urls.database_url, urls.redis_url]), flush=True)
sys.stdin.read()
"""


class Command:
    """A management command that is using the servers."""

    def __init__(self, state: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", COMMAND],
            cwd=env.ROOT,
            env=environment(state),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def urls(self) -> servers.Urls:
        line = self.process.stdout.readline()
        assert line, "the command ended without servers"
        return servers.Urls(*json.loads(line))

    def end(self) -> None:
        self.process.stdin.close()
        self.process.wait(PATIENCE_S)
        self.process.stdout.close()


def environment(state: Path, **variables: str) -> dict[str, str]:
    """Ours, without what this test run has set for itself."""
    of_this_run = {"DATABASE_URL", "DATABASE_APP_URL", "REDIS_URL", "PERENNIAL_ENV", "PERENNIAL_TEST_VAR"}
    inherited = {name: value for name, value in os.environ.items() if name not in of_this_run}
    return inherited | {"PERENNIAL_VAR": str(state)} | variables


def eventually(condition: Callable[[], object]) -> bool:
    until = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True


def of_state(state: Path) -> list[psutil.Process]:
    """Every process that works in the state folder or was told of it: servers, their keepers, the application."""
    found = []
    home = (state / "servers").resolve()
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid == os.getpid() or process.status() == psutil.STATUS_ZOMBIE:
                continue
            told = process.environ().get("PERENNIAL_VAR") == str(state) and process.ppid() != os.getpid()
            if told or home in (Path(process.cwd()), *Path(process.cwd()).parents):
                found.append(process)
    return found


def _command_line(process: psutil.Process) -> str:
    """What the process was started as; nothing when it ended a moment ago."""
    try:
        return " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return ""


def kill(state: Path, *parts: str) -> None:
    """kill -9 of the processes of that state whose command line mentions one of `parts`; all are found beforehand."""
    commands = {process: _command_line(process) for process in of_state(state)}
    for part in parts:
        assert any(part in command for command in commands.values()), f"no {part} to kill"
    killed = [process for process, command in commands.items() if any(part in command for part in parts)]
    for process in killed:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


def run_sql(url: str, statement: str) -> list[tuple]:
    with contextlib.closing(psycopg2.connect(url)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []


def answers(url: str) -> bool:
    try:
        return run_sql(url, "SELECT 1") == [(1,)]
    except psycopg2.OperationalError:
        return False


@contextlib.contextmanager
def state_folder(mode: int) -> Iterator[Path]:
    """A new state folder; afterwards nothing runs in it any more and it is gone, with what it had elsewhere."""
    base = Path(tempfile.mkdtemp(prefix="perennial-servers-"))
    base.chmod(mode)
    state = base / "var"
    try:
        yield state
        assert eventually(lambda: not of_state(state)), f"still running: {of_state(state)}"
    finally:
        for process in of_state(state):
            process.kill()
        home = state / "servers"
        if home.is_symlink():
            shutil.rmtree(home.resolve())
        shutil.rmtree(base)


@pytest.fixture
def state() -> Iterator[Path]:
    with state_folder(0o755) as folder:
        yield folder


@pytest.fixture
def command(state: Path) -> Iterator[Callable[[], Command]]:
    """Starts commands; those that still run at the end of the test are ended."""
    started: list[Command] = []

    def start() -> Command:
        started.append(Command(state))
        return started[-1]

    yield start
    for each in started:
        if each.process.poll() is None:
            each.end()


def test_serves_from_nothing_and_keeps_strangers_out(command: Callable[[], Command]) -> None:
    urls = command().urls()

    role = (
        "SELECT rolname, rolsuper, rolbypassrls, rolcreaterole, rolcreatedb FROM pg_roles WHERE rolname = current_user"
    )
    assert run_sql(urls.database_url, role) == [("perennial_owner", False, True, True, True)]
    # The same letters and the same order on every machine, whatever its C library knows.
    assert run_sql(urls.database_url, "SELECT lower('ÄÉЯ'), 'Z' < 'a'") == [("äéя", True)]
    assert run_sql(urls.database_url, "SHOW listen_addresses") == [("127.0.0.1",)]
    for stranger in ("postgres", "perennial_owner", "perennial_owner:guess"):
        port = urls.database_url.rpartition(":")[2]
        with pytest.raises(psycopg2.OperationalError, match=r"password|authentication"):
            psycopg2.connect(f"postgresql://{stranger}@127.0.0.1:{port}", connect_timeout=5)

    with redis.Redis.from_url(urls.redis_url) as client:
        assert client.ping()
    port = urls.redis_url.rpartition(":")[2].partition("/")[0]
    with redis.Redis(port=int(port)) as stranger_client, pytest.raises(redis.AuthenticationError):
        stranger_client.ping()


def test_stays_until_its_last_user_is_gone_however_it_goes(state: Path, command: Callable[[], Command]) -> None:
    first, second = command(), command()
    urls = first.urls()
    assert second.urls() == urls  # two that start at once share

    first.end()
    time.sleep(0.5)
    assert answers(urls.database_url)

    second.process.kill()
    second.process.wait()
    assert eventually(lambda: not of_state(state))


def test_comes_back_with_its_data_after_a_kill(state: Path, command: Callable[[], Command]) -> None:
    urls = command().urls()
    run_sql(urls.database_url, "CREATE TABLE kept AS SELECT 42 AS answer")

    kill(state, "bin/postgres -D")
    kill(state, "valkey-server")
    assert eventually(lambda: answers(urls.database_url))  # the same address: it is in every user's settings
    assert run_sql(urls.database_url, "SELECT answer FROM kept") == [(42,)]
    with redis.Redis.from_url(urls.redis_url, retry=None) as client:
        assert eventually(lambda: processes.accepts(client.connection_pool.connection_kwargs["port"]))
        assert client.ping()


def test_recovers_when_everything_was_killed(state: Path, command: Callable[[], Command]) -> None:
    first = command()
    urls = first.urls()
    run_sql(urls.database_url, "CREATE TABLE kept AS SELECT 42 AS answer")
    # In one blow: the kernel ends a server with its keeper, and then there may be none left to kill.
    kill(state, "config.servers", "postgres", "valkey-server")
    first.process.kill()
    first.process.wait()

    again = command().urls()
    assert again == urls
    assert run_sql(again.database_url, "SELECT answer FROM kept") == [(42,)]


def test_lets_its_owner_in_after_the_password_was_lost(state: Path, command: Callable[[], Command]) -> None:
    first = command()
    urls = first.urls()
    run_sql(urls.database_url, "CREATE TABLE kept AS SELECT 42 AS answer")
    first.end()
    assert eventually(lambda: not of_state(state))
    shutil.rmtree(state / "secrets")

    again = command().urls()
    assert again != urls
    assert run_sql(again.database_url, "SELECT answer FROM kept") == [(42,)]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can lend the servers another user's rights")
def test_moves_to_where_its_user_can_go_when_root_starts_it_in_a_private_folder() -> None:
    with state_folder(0o700) as state:
        command = Command(state)
        urls = command.urls()
        assert answers(urls.database_url)
        home = (state / "servers").resolve()
        assert not home.is_relative_to(state)
        assert pwd.getpwuid(home.stat().st_uid).pw_name != "root"
        assert home.stat().st_mode & 0o777 == 0o700
        assert state.parent.stat().st_mode & 0o777 == 0o700  # not ours to open
        command.end()


def test_starts_nothing_where_the_addresses_are_set(state: Path) -> None:
    for variables in (
        {"DATABASE_URL": "postgresql://a@db.example/b", "REDIS_URL": "redis://q.example"},
        {"PERENNIAL_ENV": "production"},
    ):
        finished = subprocess.run(
            [sys.executable, "-c", COMMAND],
            cwd=env.ROOT,
            env=environment(state, **variables),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=True,
        )
        expected = [variables.get("DATABASE_URL", ""), variables.get("REDIS_URL", "")]
        assert json.loads(finished.stdout) == expected
    assert not of_state(state)


def test_says_whose_state_folder_it_is_when_it_may_not_enter(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*arguments: object) -> int:
        raise PermissionError(13, "Permission denied", str(state / "run" / "postgres.users"))

    monkeypatch.setenv("PERENNIAL_VAR", str(state))
    lease = servers.Lease("postgres")
    with monkeypatch.context() as patch:
        patch.setattr(os, "open", refused)
        with pytest.raises(SystemExit, match="belongs to another user"):
            lease.find_or_start(say=print)


def test_is_gone_without_a_trace_when_it_was_for_a_test() -> None:
    with servers.throwaway({"max_connections": "20"}) as throwaway:
        assert run_sql(throwaway.urls.database_url, "SHOW fsync") == [("off",)]
        assert run_sql(throwaway.urls.database_url, "SHOW max_connections") == [("20",)]
        assert throwaway.folder.exists()
    assert not throwaway.folder.exists()
    assert not answers(throwaway.urls.database_url)


def up(state: Path, port: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-uc", f"from config.supervisor import *; Supervisor('127.0.0.1', {port}, print).run()"],
        cwd=env.ROOT,
        env=environment(state),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def read_until(process: subprocess.Popen[str], words: str) -> str:
    """What it says up to the line with these words."""
    said = ""
    for line in process.stdout:
        said += line
        if words in line:
            return said
    raise AssertionError(f"ended without saying {words!r}: {said}")


def test_up_refuses_a_second_one_and_a_busy_port(state: Path) -> None:
    port = processes.free_port()
    first = up(state, port)
    read_until(first, "PostgreSQL started in")
    second = up(state, port)
    said = second.communicate(timeout=PATIENCE_S)[0]
    assert second.returncode == 1
    assert said.count("\n") == 1
    assert f"running already in {state} (process {first.pid})" in said

    first.send_signal(signal.SIGTERM)  # in the middle of its preparations
    assert "Stopped in" in first.communicate(timeout=PATIENCE_S)[0]
    assert first.returncode == 0
    assert not of_state(state)

    with contextlib.closing(socket_on(port)):
        third = up(state, port)
        said = third.communicate(timeout=PATIENCE_S)[0]
    assert third.returncode == 1
    assert said == f"Port {port} is in use by another program. Try: make run PORT={port + 1}\n"


def socket_on(port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((processes.LOOPBACK, port))
    listener.listen()
    return listener
