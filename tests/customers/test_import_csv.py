"""Rows of a CSV file, read by the thousand, are what they are one by one: same cells, same lines, same reasons.

Whoever reads them: a block that is plain is read by Polars, any other by the csv module.
"""

import csv
import io
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from customers.imports import readers
from customers.imports.files import File
from customers.imports.plain import plain_rows
from customers.imports.problems import ImportProblem

COLUMNS = ["a", "b", "c"]
TABLE = readers.Table(File(Path("a.csv"), "csv", packed=False), "utf-8", ",", COLUMNS)

cells = st.one_of(
    st.sampled_from(["", "1", "x y", "é", '"a,b"', '"a\nb"', '"a\r\nb"', '"a\rb"', '"say ""hi"""', '"a"b', "\n"]),
    st.text(alphabet='ab, \n\r"', max_size=4),
)
# What is no reason to look twice: most blocks of most files.
tame = st.sampled_from(
    ["", "1", " x y ", "é", '"a,b"', '""', '"say ""hi"""', '""""', '"\t"', "'", "#", "\ufeff", "NA", "\\N", "null"]
)
lines = st.one_of(st.lists(cells, max_size=5), st.lists(tame, min_size=3, max_size=3)).map(",".join)
tame_lines = st.lists(tame, min_size=3, max_size=3).map(",".join)
files = st.tuples(
    st.one_of(st.lists(lines, max_size=12), st.lists(tame_lines, max_size=12)), st.sampled_from(["\n", "\r\n"])
).map(lambda f: f[1].join(f[0]))


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


def by_handful(text, size, block):
    found = readers._csv_handfuls(io.StringIO("a,b,c\n" + text, newline=""), TABLE, COLUMNS, size, block)
    try:
        for handful in found:
            yield from zip(handful.lines, handful.rows, strict=True)
            yield from ((line, (broken.code, broken.value)) for line, broken in handful.broken)
    except ImportProblem as problem:
        yield problem.values["line"], problem.code


@given(text=files, size=st.integers(1, 5), block=st.integers(1, 60))
@example(text='1,2,3\n"a\r\n\rb",2,3\n\n4,5\n"x"y,2,3\n6,7,8', size=3, block=9)
@example(text='1,2,3\n4,"5,5",6\n7,"8\n8",9\n1,2,3\n4,5,6\n', size=2, block=13)
@example(text="1,2,3\r4,5,6\r7,8,9\r\n1,2,3\r", size=2, block=7)
def test_reads_many_rows_at_once_as_it_would_one_by_one(text, size, block):
    wanted = list(one_by_one(text))
    found = list(by_handful(text, size, block))
    if wanted and wanted[-1][1] == "open_quote":  # the file is refused: what was read before does not matter
        assert found[-1] == wanted[-1]
    else:
        assert sorted(found, key=str) == sorted(wanted, key=str)


@given(
    text=st.lists(tame_lines, min_size=1, max_size=12).map("\n".join),
    columns=st.permutations(range(3)).flatmap(lambda order: st.integers(1, 3).map(lambda count: order[:count])),
)
def test_gives_the_wanted_columns_of_plain_text_or_none(text, columns):
    found = plain_rows(text, 3, ",", columns)
    if found is not None:
        rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
        assert found.rows() == [tuple(row[column] for column in columns) for row in rows]


@pytest.mark.parametrize(
    "text",
    ["1,2,3\n4,5,6\n", '1,"2,2",3', '"1","say ""hi""",""\n', " 1,é,\t\n", "1,2,3\r\n4,5,6\r\n", ",,3\n,2,\n"],
)
def test_takes_for_plain_what_leaves_nothing_to_guess(text):
    """Else all of it would be read by the csv module, and nobody would notice."""
    assert plain_rows(text, 3, ",", [0, 1, 2]) is not None


@pytest.mark.parametrize(
    "text",
    [
        "1,2\n3\n",
        "1,2,3,4\n",
        "1,2,3\n\n4,5,6\n",
        "1,2,3\n,,\n",
        '1,"2\n2",3\n',
        '1,2"2,3\n',
        '1,"2"2,3\n',
        '1,"2,3\n',
        '1,""2"",3\n',
        "1,2,3\r4,5,6\n",
        "1,2\0,3\n",
        f"1,2,{'3' * csv.field_size_limit()}3\n",
    ],
)
def test_leaves_to_the_csv_module_what_may_be_no_row(text):
    assert plain_rows(text, 3, ",", [0, 1, 2]) is None


def test_asks_the_csv_module_about_one_block_alone():
    """A line in a million that is no row must not cost the speed of all others."""
    text = "1,2,3\n" * 200 + '1,"2"2,3\n' + "1,2,3\n" * 200
    handfuls = list(readers._csv_handfuls(io.StringIO(f"a,b,c\n{text}", newline=""), TABLE, COLUMNS, 10, 120))
    slow = {line for handful in handfuls if isinstance(handful, readers.Handful) for line in handful.lines}
    assert all(line < 25 or 175 < line < 230 for line in slow)  # the header's block, and that of the line
    assert [line for handful in handfuls for line, _broken in handful.broken] == [202]
    assert sum(len(handful.lines) for handful in handfuls) == 400


@pytest.mark.parametrize("header", ["a,b,c", "\n\n,,\na,b,c", '"a"x,b,c'])
def test_begins_below_the_header(header):
    found = readers._csv_handfuls(io.StringIO(f"{header}\n1,2,3\n", newline=""), TABLE, COLUMNS, 10, 1000)
    assert [list(handful.rows) for handful in found] == [[("1", "2", "3")]]
