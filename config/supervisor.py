"""`manage.py up`: the servers, the database's shape, the demo, then web, worker and beat, and their end.

1. one supervisor per state folder (a lock file), and the web port is free: else one line says why not
2. PostgreSQL and Valkey, found or started (config/servers.py)
3. `migrate`, then `seed_demo --if-empty` (not with DEMO=0); in production `collectstatic` instead of the demo
4. gunicorn, the Celery worker, Celery beat; ready when the web answers /healthz
5. until a signal comes: a child that dies is started again, later each time; errors in its log are shown
6. Ctrl-C, SIGTERM, SIGHUP: children first, then the servers, in order. A second Ctrl-C changes nothing.

Killed with -9, it takes its children along on Linux; elsewhere the next start ends those that are left, by the
notes in `run/children.json`.
"""

import contextlib
import fcntl
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from config import env, processes, servers
from config.processes import LOOPBACK, CannotStart, Say
from config.threads import WORKERS, fair_share

READY_PATIENCE_S = 180  # a busy machine; a web that dies is noticed at once
PORT_PATIENCE_S = 3  # a supervisor that was killed a moment ago: its web process needs to notice
SAY_AFTER_S = 3
POLL_S = 0.2
BACK_OFF_S = (0.5, 30.0)
STEADY_AFTER_S = 60  # a child that has lived this long starts its back-off afresh
NOTEWORTHY = re.compile(r"\b(ERROR|CRITICAL)\b")


@dataclass
class Child:
    """One long-running process of the application, with its log and the way to stop it."""

    name: str
    command: Sequence[str]
    log: Path
    stopping: Sequence[tuple[signal.Signals, float]]
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0
    deaths: int = 0
    start_again_at: float = 0
    _read_to: int = field(default=0, repr=False)

    def start(self) -> None:
        processes.rotated(self.log)
        self._read_to = self.log.stat().st_size
        self.started_at = time.monotonic()
        self.process = processes.start(self.command, log=self.log, env=_environment(), cwd=env.ROOT)

    def stop(self) -> None:
        if self.process:
            processes.stop(self.process, self.stopping)

    def ask_to_stop(self) -> None:
        """The first signal only, so that all children end side by side."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(self.stopping[0][0])

    @property
    def exit_code(self) -> int | None:
        """How it ended; None while it runs."""
        return self.process.poll() if self.process else None

    def new_errors(self) -> list[str]:
        """The lines about errors that its log got since the last look."""
        with contextlib.suppress(FileNotFoundError), self.log.open("rb") as file:
            file.seek(self._read_to)
            text = file.read()
            complete = text.rfind(b"\n") + 1
            self._read_to += complete
            return [line for line in text[:complete].decode(errors="replace").splitlines() if NOTEWORTHY.search(line)]
        return []


class Supervisor:
    """Runs everything in the foreground; `run` returns the exit code."""

    def __init__(self, host: str, port: int, say: Say) -> None:
        self.host, self.port, self.say = host, port, say
        self.state = env.state_folder()
        self.children: list[Child] = []
        self.signals: list[int] = []

    def run(self) -> int:
        """Returns when a signal has come and all is stopped. Raises CannotStart with a line for the person who started it."""
        self._refuse_a_second_one()
        killed_before = self._end_left_overs()
        self._refuse_a_busy_port(patience_s=PORT_PATIENCE_S if killed_before else 0)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._note)
        try:
            self._start_servers()
            logins = self._prepare()
            self._start_children()
            if self._wait_until_ready():
                self._announce(logins)
                self._watch()
        except _CalledOffError:
            pass
        finally:
            self._stop()
        return 0

    def _note(self, number: int, frame: object) -> None:
        self.signals.append(number)
        if len(self.signals) > 1:
            self.say("Stopping already; this takes a few seconds.")

    # ── before anything starts ──

    def _refuse_a_second_one(self) -> None:
        self.state.mkdir(parents=True, exist_ok=True)
        path = self.state / "run" / "up.pid"
        path.parent.mkdir(exist_ok=True)
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)  # held until this process ends
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CannotStart(
                f"Perennial is running already in {self.state} (process {os.read(lock, 20).decode()}). "
                "Stop that one, or set PERENNIAL_VAR to another folder."
            ) from None
        os.ftruncate(lock, 0)
        os.write(lock, str(os.getpid()).encode())

    def _refuse_a_busy_port(self, patience_s: float) -> None:
        until = time.monotonic() + patience_s
        while not processes.port_is_free(self.port, self.host):
            if time.monotonic() > until:
                raise CannotStart(f"Port {self.port} is in use by another program. Try: make run PORT={self.port + 1}")
            time.sleep(POLL_S)

    @property
    def _notes(self) -> Path:
        return self.state / "run" / "children.json"

    def _end_left_overs(self) -> bool:
        """Ends the children of a supervisor that was killed; False if there was none.

        A process is one of them if it has the same id and was born in the same moment: ids are used again.
        """
        if not self._notes.exists():
            return False
        noted = [(int(pid), float(born)) for pid, born in json.loads(self._notes.read_text(encoding="ascii"))]

        def living() -> list[psutil.Process]:
            found = []
            for pid, born in noted:
                with contextlib.suppress(psutil.Error):
                    process = psutil.Process(pid)
                    if process.create_time() == born and process.status() != psutil.STATUS_ZOMBIE:
                        found.append(process)
            return found

        processes.end(living, ((signal.SIGTERM, 10), (signal.SIGKILL, 5)))
        for pid, _ in noted:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)  # each led a session of its own: what is left of it
        self._notes.unlink()
        return True

    def _write_notes(self) -> None:
        notes = []
        for child in self.children:
            if child.process:
                with contextlib.suppress(psutil.NoSuchProcess):
                    notes.append((child.process.pid, psutil.Process(child.process.pid).create_time()))
        fresh = self._notes.with_suffix(".new")
        fresh.write_text(json.dumps(notes), encoding="ascii")
        fresh.replace(self._notes)

    # ── starting ──

    def _start_servers(self) -> None:
        urls = servers.ensure(self.say)
        os.environ |= {"DATABASE_URL": urls.database_url, "REDIS_URL": urls.redis_url}
        embedded = {lease.name: lease for lease in servers.leases()}
        for name, kind in servers.KINDS.items():
            lease = embedded.get(name)
            if lease is None:
                self.say(f"{kind.server.title}: the one that {' or '.join(kind.variables)} names")
            elif lease.started_in_s is None:
                self.say(f"{lease.title} is running already on {LOOPBACK}:{lease.port}")
            else:
                self.say(f"{lease.title} started in {lease.started_in_s:.1f} s on {LOOPBACK}:{lease.port}")

    def _prepare(self) -> str:
        """Brings the database up to date; returns what the demo says about itself (its log-ins)."""
        self._manage("The database's shape", "migrate", "--no-input")
        if env.text("PERENNIAL_ENV") == "production":
            self._manage("The static files", "collectstatic", "--no-input")
            return ""
        if not env.flag("DEMO", default=True):
            return ""
        return self._manage("The demo data", "seed_demo", "--if-empty")

    def _manage(self, what: str, *arguments: str) -> str:
        """Runs a management command and returns its output. Raises CannotStart with the end of it when it fails."""
        begin, said = time.monotonic(), False
        log = self.state / "log" / f"{arguments[0]}.log"
        log.unlink(missing_ok=True)
        command = [sys.executable, "manage.py", *arguments]
        process = processes.start(command, log=log, env=_environment(), cwd=env.ROOT)
        while process.poll() is None:
            if self.signals:
                processes.stop(process, ((signal.SIGTERM, 10), (signal.SIGKILL, 5)))
                raise _CalledOffError
            if not said and time.monotonic() - begin > SAY_AFTER_S:
                self.say(f"{what}: this takes a moment the first time ...")
                said = True
            time.sleep(POLL_S / 4)
        if process.returncode:
            raise CannotStart(f"`manage.py {' '.join(arguments)}` failed; {log} says:\n{processes.last_lines(log, 25)}")
        self.say(f"{what}: up to date in {time.monotonic() - begin:.1f} s")
        return log.read_text(encoding="utf-8").strip()

    def _start_children(self) -> None:
        self.children = _children(self.state, self.host, self.port)
        for child in self.children:
            child.start()
        self._write_notes()

    def _wait_until_ready(self) -> bool:
        """Whether the web answers; False when a signal came first. Raises CannotStart when it never does."""
        web = self.children[0]
        begin, answer = time.monotonic(), "no answer"
        while not self.signals:
            if web.exit_code is not None or time.monotonic() - begin > READY_PATIENCE_S:
                log = processes.last_lines(web.log, 25)
                raise CannotStart(f"The web did not start ({answer}); {web.log} says:\n{log}")
            answer = self._health()
            if answer == "200":
                self.say(f"Web, worker and beat started in {time.monotonic() - begin:.1f} s")
                return True
            time.sleep(POLL_S)
        return False

    def _health(self) -> str:
        host = LOOPBACK if self.host in {"0.0.0.0", ""} else self.host
        connection = http.client.HTTPConnection(host, self.port, timeout=10)
        try:
            connection.request("GET", "/healthz")
            return str(connection.getresponse().status)
        except (OSError, http.client.HTTPException) as error:
            return str(error)
        finally:
            connection.close()

    def _announce(self, logins: str) -> None:
        shown = "localhost" if self.host in {LOOPBACK, "0.0.0.0"} else self.host
        self.say("")
        if logins:
            self.say(logins)
            self.say("")
        self.say(f"Perennial is ready:  http://{shown}:{self.port}/")
        self.say(f"Logs: {self.state / 'log'}   Stop: Ctrl-C")

    # ── running ──

    def _watch(self) -> None:
        while not self.signals:
            time.sleep(POLL_S)
            for lease in servers.leases():
                if not lease.is_kept():
                    self._renew_servers()
                    break
            for child in self.children:
                for line in child.new_errors():
                    self.say(f"{child.name}: {line}   ({child.log})")
                self._look_after(child)

    def _renew_servers(self) -> None:
        """The keeper of a server was killed. The next one uses the same port if it can; else all children have to
        learn the new one."""
        before = {lease.name: lease.port for lease in servers.leases()}
        self.say("A server has gone; starting it again")
        self._start_servers()
        if before != {lease.name: lease.port for lease in servers.leases()}:
            for child in self.children:
                child.stop()
                child.start()
            self._write_notes()

    def _look_after(self, child: Child) -> None:
        now = time.monotonic()
        if child.exit_code is None:
            if now - child.started_at > STEADY_AFTER_S:
                child.deaths = 0
            return
        if not child.start_again_at:
            least, most = BACK_OFF_S
            wait = min(least * 2**child.deaths, most)
            child.deaths += 1
            child.start_again_at = now + wait
            self.say(
                f"{child.name} ended with {child.exit_code} and starts again in {wait:.1f} s; "
                f"{child.log} says:\n{processes.last_lines(child.log)}"
            )
        elif now >= child.start_again_at:
            child.stop()  # what is left of its group
            child.start_again_at = 0
            child.start()
            self._write_notes()

    # ── the end ──

    def _stop(self) -> None:
        begin = time.monotonic()
        if self.children:
            self.say("Stopping")
        for child in reversed(self.children):
            child.ask_to_stop()
        for child in reversed(self.children):
            child.stop()
        self._notes.unlink(missing_ok=True)
        still_used = [lease.title for lease in servers.release()]
        self.say(f"Stopped in {time.monotonic() - begin:.1f} s")
        if still_used:
            self.say(f"{' and '.join(still_used)}: another command still uses it; it stops with that one.")


class _CalledOffError(Exception):
    """A signal came while something was being prepared."""


def _children(state: Path, host: str, port: int) -> list[Child]:
    logs, python = state / "log", sys.executable
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    web = [python, "-m", "gunicorn", "config.wsgi", "--bind", address, "--workers", "2"]
    web += ["--worker-class", "gthread", "--threads", "4", "--timeout", "60", "--graceful-timeout", "10"]
    web += ["--no-control-socket"]  # it would lie in the home folder, one for all installations
    celery = [python, "-m", "celery", "-A", "config"]
    worker = [*celery, "worker", "-c", str(WORKERS), "-l", "INFO", "--without-gossip", "--without-mingle"]
    beat = [*celery, "beat", "-l", "INFO", "-s", str(state / "run" / "beat-schedule"), "--pidfile="]
    softly, hard = signal.SIGTERM, signal.SIGKILL
    return [
        Child("web", web, logs / "web.log", ((softly, 15), (hard, 5))),
        # A task that is cut off is done again after the next start: patience is politeness, not safety.
        Child("worker", worker, logs / "worker.log", ((softly, 15), (signal.SIGQUIT, 5), (hard, 5))),
        Child("beat", beat, logs / "beat.log", ((softly, 5), (hard, 5))),
    ]


def _environment() -> dict[str, str]:
    """Ours, with numeric libraries held to a fair share of the processors."""
    return fair_share() | {"PYTHONUNBUFFERED": "1", "PYTHONUTF8": "1"} | os.environ
