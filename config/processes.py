"""Children that do not outlive their parent, ports that are free, logs that do not grow for ever."""

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

LOOPBACK = "127.0.0.1"
LOG_MAX_BYTES = 10 * 2**20
PR_SET_PDEATHSIG = 1  # <linux/prctl.h>

Say = Callable[[str], None]


class CannotStart(SystemExit):
    """Something cannot start. The message is for the person at the terminal, who gets it instead of a traceback."""


@dataclass(frozen=True)
class Account:
    """A user of the machine whose rights root lends to a child."""

    uid: int
    gid: int

    def popen_arguments(self) -> dict[str, Any]:
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def can_write(self, folder: Path) -> bool:
        """Whether this user reaches the folder, through all its parents, and may make files in it."""
        return self._succeeds('cd "$1" && test -w .', folder)

    def can_run(self, program: Path) -> bool:
        """Whether this user can start the program; a `noexec` mount answers no."""
        return self._succeeds('"$1" --version', program)

    def _succeeds(self, script: str, path: Path) -> bool:
        command = ["/bin/sh", "-c", script, "sh", str(path)]
        return not subprocess.run(
            command, cwd="/", capture_output=True, check=False, **self.popen_arguments()
        ).returncode


def rotated(log: Path) -> Path:
    """The log file, made if it is not there, with its past moved to `<name>.1` when it has grown too long.

    Raises CannotStart when it is another user's.
    """
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        if log.exists() and log.stat().st_size > LOG_MAX_BYTES:
            log.replace(log.with_name(f"{log.name}.1"))
        # Logs name customers: they are for the person who runs this, not for the machine's other users.
        os.close(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600))
    except PermissionError as error:
        raise belongs_to_another(log) from error
    return log


def belongs_to_another(path: Path) -> CannotStart:
    """What to raise when a file of the state folder was made by another user of the machine."""
    return CannotStart(
        f"{path} belongs to another user. Start it as that user, or set PERENNIAL_VAR to another folder."
    )


def last_lines(log: Path, count: int = 12) -> str:
    """The end of a log, indented, to be shown below a message."""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 20_000))
        lines = file.read().decode(errors="replace").splitlines()[-count:]
    return "\n".join(f"    {line}" for line in lines)


def start(
    command: Sequence[str | Path],
    *,
    log: Path,
    env: Mapping[str, str],
    cwd: Path | str = "/",
    stdin: bytes | None = None,
    account: Account | None = None,
    when_parent_dies: signal.Signals | None = signal.SIGTERM,
) -> subprocess.Popen[bytes]:
    """Starts a child in a session of its own, so that a Ctrl-C at the terminal reaches only the parent.

    On Linux the child gets `when_parent_dies` when the *thread* that called this ends, however it ends; call it
    from the main thread. Elsewhere orphans are possible, and the next start clears them. None lets it live on.
    """
    with rotated(log).open("ab") as output:
        child = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
            stdout=output,
            stderr=output,
            cwd=cwd,
            env=dict(env),
            start_new_session=True,
            preexec_fn=_in_child(when_parent_dies),
            **(account.popen_arguments() if account else {}),
        )
    if stdin is not None and child.stdin:
        with contextlib.suppress(BrokenPipeError), child.stdin:  # it died at once: whoever waits for it will see
            child.stdin.write(stdin)
    return child


def _in_child(when_parent_dies: signal.Signals | None) -> Callable[[], None]:
    """What the child does between fork and exec; subprocess runs it after it has given up root's rights,
    which is when the kernel would forget the wish."""
    parent = os.getpid()
    # Looked up before the fork: the child of a program with threads must not load anything.
    prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" and when_parent_dies else None

    def prepare() -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        if prctl and when_parent_dies:
            prctl(PR_SET_PDEATHSIG, int(when_parent_dies))
            if os.getppid() != parent:  # it died before the wish was made
                os._exit(1)

    return prepare


def stop(child: subprocess.Popen[bytes], steps: Iterable[tuple[signal.Signals, float]]) -> None:
    """Sends each signal and waits its seconds, until the child is gone; then kills what is left of its group."""
    for number, seconds in steps:
        if child.poll() is not None:
            break
        child.send_signal(number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(seconds)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)


def working_in(folder: Path, program: str = "") -> list[psutil.Process]:
    """The living processes, of that program if one is named, whose working directory is the folder or below it."""
    found = []
    for process in psutil.process_iter():
        # Other users' processes do not tell where they work; they cannot be ours either.
        with contextlib.suppress(psutil.Error, OSError):
            if not process.name().startswith(program) or process.status() == psutil.STATUS_ZOMBIE:
                continue
            if Path(process.cwd()).is_relative_to(folder):
                found.append(process)
    return found


def end(find: Callable[[], list[psutil.Process]], steps: Iterable[tuple[signal.Signals, float]]) -> None:
    """Signals whatever `find` returns, step by step, until it returns nothing.

    Raises CannotStart when the last step did not help.
    """
    left = find()
    for number, seconds in steps:
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(number)
        until = time.monotonic() + seconds
        while left and time.monotonic() < until:
            time.sleep(0.1)
            left = find()
        if not left:
            return
    if left:
        raise CannotStart(f"Processes {[process.pid for process in left]} of an earlier start do not stop.")


def port_is_free(port: int, host: str = LOOPBACK) -> bool:
    """Whether a server could listen there now."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def free_port(preferred: int = 0, patience: float = 0) -> int:
    """The preferred port if it is free or becomes so within `patience` seconds, else any free one."""
    until = time.monotonic() + patience
    while not preferred or not port_is_free(preferred):
        if not preferred or time.monotonic() >= until:
            with socket.socket() as probe:
                probe.bind((LOOPBACK, 0))
                return int(probe.getsockname()[1])
        time.sleep(0.1)
    return preferred


def accepts(port: int, host: str = LOOPBACK) -> bool:
    """Whether something answers there."""
    try:
        socket.create_connection((host, port), timeout=2).close()
    except OSError:
        return False
    return True
