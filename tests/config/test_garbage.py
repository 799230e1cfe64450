"""The search for garbage in a web process (config/garbage.py)."""

from __future__ import annotations

import subprocess
import sys

ASK = """
import gc
import config.wsgi
print(gc.get_freeze_count(), len(gc.get_objects()), "dashboards.views.today" in __import__("sys").modules)
"""


def test_it_never_looks_through_what_the_start_has_loaded() -> None:
    said = subprocess.run([sys.executable, "-c", ASK], capture_output=True, text=True, check=True).stdout.split()
    settled, left = int(said[0]), int(said[1])
    assert settled > 50 * left
    assert said[2] == "True"
