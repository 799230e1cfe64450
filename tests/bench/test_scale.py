"""bench.scale: the whole harness on a firm of five hundred customers, with real servers, workers and a real web."""

import json
import os
import subprocess
import sys
from pathlib import Path

import psycopg2
import pytest

from bench.scale import NEXT
from config.env import state_folder

pytestmark = [
    pytest.mark.processes,
    pytest.mark.xdist_group("processes"),
    pytest.mark.skipif("BENCH" not in os.environ, reason="takes minutes; BENCH=1 make test ARGS=tests/bench runs it"),
]
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def rows():
    """What a run has measured, by group and name. It works in a database of its own beside the tests'."""
    command = [sys.executable, "-m", "bench.scale", "--customers", "500", "--small", "2", "--share", "0.1"]
    command += ["--requests", "1", "--import-lines", "0", "--without", "again", "anew"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads((state_folder() / "bench" / "scale-500.json").read_text())
    return {(row["group"], row["what"]): row for row in found["rows"]}


def test_measures_a_night_and_each_of_its_steps(rows):
    night = rows["nights", NEXT]
    assert night["seconds"] > 0
    assert night["rows written"] > 0
    assert night["WAL MB"] > 0
    assert night["largest worker MB"] > 50
    steps = [row for (group, _name), row in rows.items() if group == f"night by step: {NEXT}"]
    assert {"segmentation", "health", "forecast", "follow-ups", "risk"} <= {step["what"] for step in steps}
    assert sum(step["seconds"] for step in steps) <= night["seconds"] * 1.01


def test_compares_it_with_the_rows_that_really_changed(rows):
    changed = [row for (group, _name), row in rows.items() if group == "what the next night changed"]
    rows_of_floor = rows["floor", "write what differs, one connection"]["rows"]
    assert rows_of_floor == sum(row["added"] + row["changed"] + row["removed"] for row in changed) > 0
    assert {"health_healthscore", "segmentation_standing"} <= {row["what"] for row in changed}
    assert rows["floor", "the next night ÷ (read + write), one connection"]["ratio"] > 0


def test_brings_a_days_facts_in_before(rows):
    assert rows["a day's facts", "customers with something new"]["rows"] == 50
    assert rows["a day's facts", "orders"]["created"] > 0
    assert rows["what the next night changed", "customers_arrival"]["removed"] == 50


def test_asks_for_every_page_and_is_answered(rows):
    pages = [row for (group, _name), row in rows.items() if group == "pages"]
    assert len(pages) > 30
    assert not [row for row in pages if "refused" in row]
    assert all(row["queries"] > 0 and row["p95 ms"] >= row["p50 ms"] > 0 for row in pages)


def test_measures_small_firms_and_tables_too(rows):
    assert rows["load by COPY", "200 customers of 2 firms"]["customers"] == 200
    assert rows["small firms", "2 firms of 100 customers: first night"]["seconds per firm"] > 0
    assert rows["tables", "customers_order"]["rows"] > 1000


def test_leaves_no_database_behind(rows):
    with psycopg2.connect(os.environ["DATABASE_URL"]) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT datname FROM pg_database WHERE datname LIKE '%bench%'")
        assert cursor.fetchall() == []
