"""It: numeric libraries held to a share of the processors, in whatever way a worker was started."""

import json
import os
import subprocess
import sys
from pathlib import Path

from config.supervisor import _environment
from config.threads import WORKERS, fair_share

ROOT = Path(__file__).parents[2]
NAMES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS")
LOOK = """
import sys, os, json
import config.celery
assert "numpy" not in sys.modules and "polars" not in sys.modules, "loaded before their share was said"
import polars
print(json.dumps([*(os.environ[name] for name in sys.argv[1:]), polars.thread_pool_size()]))
"""


def looked(**said: str) -> list[object]:
    env = {name: value for name, value in os.environ.items() if name not in NAMES} | said
    done = subprocess.run(
        [sys.executable, "-c", LOOK, *NAMES], cwd=ROOT, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout))


def test_share_the_processors_between_the_workers(monkeypatch):
    for processors, share in ((1, "1"), (2, "1"), (3, "1"), (8, "4"), (None, "1")):
        monkeypatch.setattr(os, "cpu_count", lambda processors=processors: processors)
        assert fair_share() == dict.fromkeys(NAMES, share)
        assert WORKERS * int(share) <= max(processors or 1, WORKERS)


def test_hold_in_a_worker_that_was_started_by_hand():
    share = fair_share()["POLARS_MAX_THREADS"]
    assert looked() == [share, share, share, int(share)]


def test_give_way_to_what_is_set():
    assert looked(POLARS_MAX_THREADS="3", OMP_NUM_THREADS="5")[0] == "5"
    assert looked(POLARS_MAX_THREADS="3")[-1] == 3


def test_hold_in_the_children_of_up(monkeypatch):
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    assert {name: _environment()[name] for name in NAMES} == fair_share()
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    assert _environment()["OMP_NUM_THREADS"] == "7"
