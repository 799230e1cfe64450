"""`manage.py up` as a newcomer meets it: everything comes up, stays up, and goes without a trace."""

import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import psutil
import pytest

from config import env, processes
from tests.config.test_servers import environment, eventually, kill, of_state, read_until, state_folder

pytestmark = [pytest.mark.processes, pytest.mark.slow, pytest.mark.xdist_group("up")]

PATIENCE_S = 120


class Up:
    """A supervisor that has said it is ready."""

    def __init__(self, state: Path) -> None:
        self.port = processes.free_port()
        self.process = subprocess.Popen(
            [sys.executable, "manage.py", "up"],
            cwd=env.ROOT,
            env=environment(state, PORT=str(self.port), DEMO="0"),  # tests/processes/test_seed_demo.py makes it
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.said = read_until(self.process, "Stop: Ctrl-C")

    def page(self, path: str) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
            return answer.read().decode()


def beats(state: Path) -> list[psutil.Process]:
    return [process for process in of_state(state) if "config beat" in " ".join(process.cmdline())]


# One story, because each start loads the whole application several times.
def test_comes_up_brings_back_what_dies_and_stops_without_a_trace() -> None:
    with state_folder(0o755) as state:
        up = Up(state)
        assert re.search(r"PostgreSQL started in [\d.]+ s", up.said)
        assert f"http://localhost:{up.port}/" in up.said
        assert "<form" in up.page("/")  # nobody is signed in
        assert up.page("/readyz")

        kill(state, "config beat")
        assert "beat ended with -9" in read_until(up.process, "beat ended")
        assert eventually(lambda: beats(state))

        up.process.send_signal(signal.SIGINT)
        up.process.send_signal(signal.SIGINT)
        assert "Stopped in" in up.process.communicate(timeout=PATIENCE_S)[0]
        assert up.process.returncode == 0
        assert not of_state(state)
