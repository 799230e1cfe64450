"""Rows of a CSV file, read by the thousand, are what they are one by one: same cells, same lines, same reasons."""

import csv
import io
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from customers.imports import readers
from customers.imports.files import File
from customers.imports.problems import ImportProblem

COLUMNS = ["a", "b", "c"]
TABLE = readers.Table(File(Path("a.csv"), "csv", packed=False), "utf-8", ",", COLUMNS)

cells = st.one_of(
    st.sampled_from(["", "1", "x y", "é", '"a,b"', '"a\nb"', '"a\r\nb"', '"a\rb"', '"say ""hi"""', '"a"b', "\n"]),
    st.text(alphabet='ab, \n\r"', max_size=4),
)
lines = st.lists(cells, max_size=5).map(",".join)
files = st.tuples(st.lists(lines, max_size=12), st.sampled_from(["\n", "\r\n"])).map(lambda f: f[1].join(f[0]))


def one_by_one(text):
    """What the csv module says of each row, and on which line it says so."""
    reader = csv.reader(io.StringIO("a,b,c\n" + text, newline=""), strict=True)
    next(reader)
    while True:
        line = reader.line_num + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            if str(error).startswith("unexpected end"):
                yield line, "open_quote"
                return
            yield line, ("quotes", f"{line}–{reader.line_num}" if reader.line_num > line else str(line))
            continue
        if not any(row):
            continue
        yield line, tuple(row) if len(row) == 3 else ("cells", str(len(row)))


def by_handful(text, size):
    found = readers._csv_handfuls(io.StringIO("a,b,c\n" + text, newline=""), TABLE, COLUMNS, size)
    try:
        for handful in found:
            yield from zip(handful.lines, handful.rows, strict=True)
            yield from ((line, (broken.code, broken.value)) for line, broken in handful.broken)
    except ImportProblem as problem:
        yield problem.values["line"], problem.code


@given(text=files, size=st.integers(1, 5))
@example(text='1,2,3\n"a\r\n\rb",2,3\n\n4,5\n"x"y,2,3\n6,7,8', size=3)
def test_reads_many_rows_at_once_as_it_would_one_by_one(text, size):
    wanted = list(one_by_one(text))
    found = list(by_handful(text, size))
    if wanted and wanted[-1][1] == "open_quote":  # the file is refused: what was read before does not matter
        assert found[-1] == wanted[-1]
    else:
        assert sorted(found, key=str) == sorted(wanted, key=str)


@pytest.mark.parametrize("header", ["a,b,c", "\n\n,,\na,b,c", '"a"x,b,c'])
def test_begins_below_the_header(header):
    found = readers._csv_handfuls(io.StringIO(f"{header}\n1,2,3\n", newline=""), TABLE, COLUMNS, 10)
    assert [list(handful.rows) for handful in found] == [[("1", "2", "3")]]
