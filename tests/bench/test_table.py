"""bench.table, bench.growth: what a run has measured, kept and shown."""

import json

import pytest

from bench import growth
from bench.pages import _timing, quantile
from bench.scale import NEXT, put_into
from bench.table import Results, markdown
from bench.watch import Sample, taken


def test_keeps_rows_and_stages_for_a_run_that_goes_on(tmp_path):
    results = Results(tmp_path / "deep" / "results.json")
    results.add("nights", "first", seconds=1.5)
    results.finished("load", {"rows": 7})
    results.add("nights", "first", seconds=2.5, WAL_MB=3)
    again = Results.of(tmp_path / "deep" / "results.json")
    assert again.rows == [{"group": "nights", "what": "first", "seconds": 2.5, "WAL MB": 3}]
    assert again.done == {"load": {"rows": 7}}
    assert again.get("nights", "first", "WAL MB") == 3
    assert again.get("nights", "second", "WAL MB") is None


def test_shows_a_column_for_every_figure_of_a_group():
    table = markdown(
        [
            {"group": "g", "what": "a|b", "rows": 1_234_567, "seconds": 0.123},
            {"group": "g", "what": "c", "seconds": 1_234.5, "note": "slow", "nothing": None},
        ]
    )
    assert table.splitlines() == [
        "|  | rows | seconds | note |",
        "|---|---:|---:|---|",
        "| a\\|b | 1,234,567 | 0.12 |  |",
        "| c |  | 1,234 | slow |",
    ]


def test_says_how_much_more_ten_times_the_customers_take(tmp_path):
    found = {}
    for size, seconds in ((20, 2.0), (200, 21.0), (2_000, None)):
        found[size] = Results(tmp_path / f"{size}.json")
        if seconds is not None:
            found[size].add("nights", NEXT, seconds=seconds)
    lines = growth.table(found).splitlines()
    assert lines[0] == "**Nights, seconds**"
    assert lines[2] == "|  | 20 | 200 | 200 ÷ 20 |"
    assert lines[4] == f"| {NEXT} | 2.00 | 21.0 | 10.5 |"


def test_puts_figures_between_their_marks(tmp_path):
    page = tmp_path / "scale.md"
    page.write_text("before\n<!-- scale -->\nold\n<!-- /scale -->\nafter\n")
    put_into(page, "scale", "new \\1\n")
    assert page.read_text() == "before\n<!-- scale -->\nnew \\1\n<!-- /scale -->\nafter\n"
    with pytest.raises(ValueError, match="no place for growth"):
        put_into(page, "growth", "x")


def test_reads_what_the_server_says_of_an_answer():
    assert _timing('app;dur=12.30, db;dur=4.50, cpu;dur=6.25, queries;desc="17"') == (12.3, 4.5, 6.25, 17)


def test_finds_quantiles_between_two_values():
    values = [40.0, 10.0, 30.0, 20.0]
    assert quantile(values, 0.5) == 25
    assert quantile(values, 1) == 40
    assert quantile([7.0], 0.95) == 7


def test_divides_the_log_among_stretches_that_follow_each_other():
    looks = [Sample(float(at), 1000 * at, 10 * at, 20 * at, at, at / 2, at / 4) for at in range(11)]
    first, second = taken(looks, 2.5, 4.5), taken(looks, 4.5, 9.0)
    assert (first.wal, second.wal) == (2000, 4500)
    assert first.wal + second.wal == taken(looks, 2.5, 9.0).wal
    assert (first.worker, first.workers, first.backends) == (40, 80, 4)
    assert (first.worker_cpu, first.database_cpu) == (1.0, 0.5)


def test_sees_also_what_was_shorter_than_the_time_between_two_looks():
    looks = [Sample(float(at), 1000 * at, 10 * at, 0, 0, 0.0, 0.0) for at in range(3)]
    assert taken(looks, 1.2, 1.3).wal == 100
    assert taken(looks, 1.2, 1.3).worker == 20
    assert taken([], 1.0, 2.0).wal is None
    assert taken(looks, 0.0, 2.0, is_near=False).backends is None


def test_writes_its_file_whole(tmp_path):
    results = Results(tmp_path / "r.json")
    results.add("g", "w", value="✓")
    assert json.loads((tmp_path / "r.json").read_text())["rows"][0]["value"] == "✓"
    assert [path.name for path in tmp_path.iterdir()] == ["r.json"]
