"""The embedded PostgreSQL and Valkey that `make run`, every management command and the tests share.

Nothing is started for a server whose URL is set (DATABASE_URL, REDIS_URL). For the others, one server per state
folder serves all commands that run at the same time; the first one starts it, the last one out stops it. That must
hold when any of them is killed with -9, so it rests on nothing but file locks, which the kernel takes back from
the dead. Per server there is a *keeper*, a small process (`python -m config.servers postgres`) that is the server's
parent and nobody's child, and in `run/` of the state folder:

    <name>.users   every command that uses the server holds this lock, shared, for as long as it lives;
                   the keeper tries to get it exclusively: when it does, nobody is left, and it stops the server
    <name>.keeper  the keeper holds this one: whoever cannot get it knows that the server is being kept
    <name>.start   held by the command that starts the keeper; a second one waits and uses the same
    <name>.json    port, process id of the keeper; believed only while the keeper's lock is held

- A command that comes while the keeper stops waits for the users' lock and then starts the next keeper.
- The server is killed: the keeper restarts it on the same port.
- The keeper is killed: the kernel ends the server with it (Linux), or the next start does.
- Everything is killed: no lock is left; the next start clears what still runs and recovers the data.
"""

import contextlib
import fcntl
import json
import logging
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from config import env, processes
from config.embedded import (
    POSTGRES_IN_A_HURRY,
    POSTGRES_SETTINGS,
    VALKEY_SETTINGS,
    Postgres,
    Server,
    Valkey,
)
from config.place import Place
from config.processes import CannotStart, Say

POLL_S = 0.1
SAY_AFTER_S = 2
RESTART_PATIENCE_S = 30  # the port has to be the same again: it is in every user's URL
MAX_RESTARTS = 20

logger = logging.getLogger("perennial.servers")


@dataclass(frozen=True)
class Urls:
    """Where the servers are. `database_url` is the owner's, who migrates; empty where only the app role's is set."""

    database_url: str
    redis_url: str


@dataclass(frozen=True)
class Kind:
    """A server that we can embed, and the variables that say we need not."""

    server: type[Server]
    settings: Mapping[str, str]
    secret: str
    variables: Sequence[str]

    @property
    def is_set(self) -> bool:
        return any(env.text(variable) for variable in self.variables)

    def url(self, port: int) -> str:
        return self.server.url(env.generated_secret(self.secret), port)


KINDS = {
    "postgres": Kind(Postgres, POSTGRES_SETTINGS, "postgres_owner", ("DATABASE_URL", "DATABASE_APP_URL")),
    "valkey": Kind(Valkey, VALKEY_SETTINGS, "valkey", ("REDIS_URL",)),
}


def ensure(say: Say | None = None) -> Urls:
    """Finds the servers or starts them; they stay at least as long as this process.

    `say` gets a line when something takes long; without it that goes to standard error. In production nothing
    is started: what is missing stays empty, for the system check to name. Raises CannotStart.
    """
    wanted = [name for name in KINDS if name in _leases or not (KINDS[name].is_set or _in_production())]
    tell = say or _to_stderr
    # Side by side, for a quick start: neither waits for the other.
    with ThreadPoolExecutor() as pool:
        for lease in pool.map(lambda name: _leases.get(name) or Lease(name), wanted):
            _leases[lease.name] = lease
        list(pool.map(lambda name: _leases[name].find_or_start(tell), wanted))
    urls = {name: KINDS[name].url(_leases[name].port) for name in wanted}
    return Urls(urls.get("postgres", env.text("DATABASE_URL")), urls.get("valkey", env.text("REDIS_URL")))


def leases() -> list["Lease"]:
    """The embedded servers that this process uses."""
    return list(_leases.values())


def release() -> list["Lease"]:
    """Gives the servers up and waits until they have stopped; returns those that another process still uses.

    Only for who wants to wait. A process that just ends gives them up as well.
    """
    given_up = list(_leases.values())
    _leases.clear()
    return [lease for lease in given_up if not lease.give_up()]


def throwaway(settings: Mapping[str, str] | None = None) -> "Throwaway":
    """A PostgreSQL and a Valkey of one's own in a temporary folder, until `stop()` or the end of `with`: for tests.

    `settings` go to PostgreSQL over ours, which give up safety for speed. Call it from the main thread: the servers
    die with the thread that started them. Raises CannotStart.
    """
    return Throwaway(settings)


class Throwaway(contextlib.AbstractContextManager["Throwaway"]):
    """Running servers at `urls`, with data and logs in `folder`, that leave nothing behind."""

    def __init__(self, settings: Mapping[str, str] | None = None) -> None:
        with contextlib.ExitStack() as stack:
            place = stack.enter_context(Place.for_a_while())
            fast = POSTGRES_SETTINGS | POSTGRES_IN_A_HURRY | dict(settings or {})
            postgres = Postgres(place, secrets.token_urlsafe(24), fast)
            valkey = Valkey(place, secrets.token_urlsafe(24), {})
            for server in (postgres, valkey):
                stack.callback(server.stop)
                # Any port: the usual one is for the installation, which may run beside the tests.
                server.start(processes.free_port(), _to_stderr)
            self.folder = place.home
            self.urls = Urls(postgres.url(postgres.password, postgres.port), valkey.url(valkey.password, valkey.port))
            self._stack = stack.pop_all()

    def stop(self) -> None:
        """Stops both and removes what they stored; a second call does nothing."""
        self._stack.close()

    def __exit__(self, *exception: object) -> None:
        self.stop()


# ── a user's side ───────────────────────────────────────────────────────────


class Lease:
    """This process' claim on one embedded server. The claim ends with the process, however that ends."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.title = KINDS[name].server.title
        self.files = Files(env.state_folder(), name)
        self.port = 0
        self.started_in_s: float | None = None  # None: it was running already
        self._users: int | None = None
        self._keeper: subprocess.Popen[bytes] | None = None

    def find_or_start(self, say: Say) -> None:
        """Leaves with a server that is kept and answers. Raises CannotStart with the reason."""
        if self._users is None:
            self._users = _wait_for(self.files.users, fcntl.LOCK_SH, say, f"waiting for {self.title} to stop")
        starting = _wait_for(
            self.files.start, fcntl.LOCK_EX, say, f"waiting for another command that starts {self.title}"
        )
        try:
            self.started_in_s = None
            if not self.is_kept():
                begin = time.monotonic()
                self._start_keeper(say)
                self.started_in_s = time.monotonic() - begin
            self.port = self.files.read()["port"]
        finally:
            os.close(starting)
        # Kept, but perhaps between a crash and its restart.
        until = time.monotonic() + RESTART_PATIENCE_S
        while not processes.accepts(self.port):
            if time.monotonic() > until or not self.is_kept():
                raise CannotStart(f"{self.title} does not answer on port {self.port}; see {self.files.log}")
            time.sleep(POLL_S)

    def is_kept(self) -> bool:
        """Whether the keeper lives: its lock cannot be had."""
        handle = _try_lock(self.files.keeper, fcntl.LOCK_EX)
        if handle is None:
            return True
        os.close(handle)
        return False

    def give_up(self) -> bool:
        """Stops the server if we are its last user and waits for that; False if others still use it."""
        if self._users is None:
            return True
        try:
            try:
                fcntl.flock(self._users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            # From here until the handle is closed nobody else can come in.
            if self.is_kept():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self.files.read()["keeper"], signal.SIGTERM)
            while self.is_kept():
                time.sleep(POLL_S / 2)
            return True
        finally:
            os.close(self._users)
            self._users = None
            if self._keeper:
                self._keeper.poll()

    def _start_keeper(self, say: Say) -> None:
        if self._keeper:
            self._keeper.wait()  # it gave its lock back, so it is gone; this takes its entry off the process table
        command = [sys.executable, "-m", "config.servers", self.name]
        log = processes.rotated(self.files.log)
        reading, writing = os.pipe()
        with os.fdopen(reading, encoding="utf-8") as lines:
            with os.fdopen(writing, "w", encoding="utf-8") as output, log.open("ab") as errors:
                self._keeper = subprocess.Popen(
                    command,
                    cwd=env.ROOT,
                    env=os.environ | {"PERENNIAL_VAR": str(self.files.state)},
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=errors,
                    start_new_session=True,
                )
            for line in lines:
                match json.loads(line):
                    case {"say": text}:
                        say(text)
                    case {"failed": reason}:
                        raise CannotStart(reason)
                    case {"ready": True}:
                        return
        raise CannotStart(f"{self.title} was not started; {log} says:\n{processes.last_lines(log)}")


_leases: dict[str, Lease] = {}


@dataclass(frozen=True)
class Files:
    """The lock files of one server in one state folder."""

    state: Path
    name: str

    @property
    def users(self) -> Path:
        return self.state / "run" / f"{self.name}.users"

    @property
    def keeper(self) -> Path:
        return self.state / "run" / f"{self.name}.keeper"

    @property
    def start(self) -> Path:
        return self.state / "run" / f"{self.name}.start"

    @property
    def log(self) -> Path:
        return self.state / "log" / "servers.log"

    def read(self) -> dict[str, int]:
        """Port and keeper of the server that is kept now, or was last; empty if there was none."""
        try:
            note: dict[str, int] = json.loads((self.state / "run" / f"{self.name}.json").read_text(encoding="ascii"))
        except FileNotFoundError:
            return {}
        return note

    def write(self, **note: int) -> None:
        target = self.state / "run" / f"{self.name}.json"
        fresh = target.with_suffix(".new")
        fresh.write_text(json.dumps(note), encoding="ascii")
        fresh.replace(target)


def _try_lock(path: Path, mode: int) -> int | None:
    """A handle that holds the lock, or None if another process has it. Closing the handle gives the lock back."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except PermissionError as error:
        raise processes.belongs_to_another(path) from error
    try:
        fcntl.flock(handle, mode | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    return handle


def _wait_for(path: Path, mode: int, say: Say, message: str) -> int:
    begin, said = time.monotonic(), False
    while (handle := _try_lock(path, mode)) is None:
        if not said and time.monotonic() - begin > SAY_AFTER_S:
            say(message)
            said = True
        time.sleep(POLL_S / 2)
    return handle


def _in_production() -> bool:
    return env.text("PERENNIAL_ENV") == "production"


def _to_stderr(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


# ── the keeper ──────────────────────────────────────────────────────────────


class Keeper:
    """Starts one server, restarts it when it dies, stops it when its last user is gone or on SIGTERM."""

    def __init__(self, name: str) -> None:
        self.files = Files(env.state_folder(), name)
        self.kind = KINDS[name]
        self.stopping = False

    def run(self, tell: Callable[..., None]) -> None:
        """Ends when the server has stopped. `tell` reaches the command that waits for the start."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop_soon)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        # A look whether we live (Lease.is_kept) takes this lock for a moment; a second keeper has it for good.
        until = time.monotonic() + SAY_AFTER_S
        while _try_lock(self.files.keeper, fcntl.LOCK_EX) is None:
            if time.monotonic() > until:
                raise CannotStart(f"{self.kind.server.title} is kept already.")
            time.sleep(POLL_S / 10)
        place = Place.of_state(self.files.state)
        server = self.kind.server(place, env.generated_secret(self.kind.secret), self.kind.settings)
        try:
            server.start(
                self.files.read().get("port", server.default_port),
                say=lambda text: tell(say=text),
            )
            self.files.write(port=server.port, keeper=os.getpid())
            logger.info("%s answers on port %s", server.title, server.port)
            tell(ready=True)
            self._watch(server)
        finally:
            server.stop()
            logger.info("%s has stopped", server.title)

    def _watch(self, server: Server) -> None:
        restarts = 0
        # Never closed: once nobody is left nobody may come in until this process, and with it the lock, is gone.
        while not self.stopping and _try_lock(self.files.users, fcntl.LOCK_EX) is None:
            time.sleep(POLL_S)
            if server.process is None or server.process.poll() is None:
                continue
            restarts += 1
            logger.error("%s ended with %s; restart %s", server.title, server.process.returncode, restarts)
            port = server.port
            server.start(port, logger.info, patience=RESTART_PATIENCE_S)
            if server.port != port or restarts >= MAX_RESTARTS:
                raise CannotStart(f"{server.title} cannot go on on port {port}.")

    def _stop_soon(self, number: int, frame: object) -> None:
        self.stopping = True


def _tell(**message: Any) -> None:
    """One line to the command that waits; when it is gone nobody needs it."""
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.write(f"{json.dumps(message)}\n")
        sys.stdout.flush()


def main(name: str) -> None:
    logging.basicConfig(format="%(asctime)s %(message)s", level=logging.INFO)
    try:
        Keeper(name).run(_tell)
    except CannotStart as reason:
        logger.error("%s", reason)
        _tell(failed=str(reason))
    # Standard output leads to a command that may be gone; the interpreter must not try to flush it at exit.
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1])
