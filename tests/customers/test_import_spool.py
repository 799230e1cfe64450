"""Rows that are put down come back, each once, in the piece of their bucket, whoever asks for them."""

import itertools
from collections import defaultdict

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from customers.imports import spool


def rows(numbers):
    frame = pl.DataFrame(
        {"key": [f"K{n}" for n in numbers], "number": list(numbers)}, schema={"key": pl.String, "number": pl.Int64}
    )
    return frame.with_columns(bucket=spool.bucket_of("key"))


@pytest.mark.parametrize("few", [0, 40, 10_000])
def test_gives_back_what_was_put_down(tmp_path, monkeypatch, few):
    """In many files, in one, and in both."""
    monkeypatch.setattr(spool, "PIECE", 70)
    monkeypatch.setattr(spool, "_FEW", few)
    monkeypatch.setattr(spool, "_HELD", 2)
    writer = spool.Spool(tmp_path / "spool")
    writer.clear()
    for first in range(0, 500, 50):
        writer.add("orders", rows(range(first, first + (10 if first < 200 else 50))))
    writer.add("orders-not", rows([1]))
    whole = [n for first in range(0, 500, 50) for n in range(first, first + (10 if first < 200 else 50))]

    pieces = writer.finish(["orders", "nothing"])
    assert len(pieces) > 3
    reader = spool.Spool(writer.folder)  # of a worker that goes on
    assert reader.pieces() == pieces
    found = [reader.read(piece) for piece in pieces]
    assert [frame.height for frame in found] == [piece.rows for piece in pieces]
    assert sorted(n for frame in found for n in frame["number"]) == whole
    assert all(piece.last < following.first for piece, following in itertools.pairwise(pieces))


def test_says_when_rows_are_missing(tmp_path):
    writer = spool.Spool(tmp_path / "spool")
    writer.clear()
    writer.add("orders", rows(range(10)))
    (piece,) = writer.finish(["orders"])
    writer.forget("orders")
    with pytest.raises(spool.Damaged):
        spool.Spool(writer.folder).read(piece)


@pytest.mark.parametrize("divisible", [True, False])
def test_divides_a_bucket_that_holds_too_much_by_the_finer_key(tmp_path, monkeypatch, divisible):
    monkeypatch.setattr(spool, "PIECE", 50)
    monkeypatch.setattr(spool, "_TOO_MANY", 100)
    writer = spool.Spool(tmp_path / "spool")
    writer.clear()
    frame = pl.DataFrame(
        {"customer": ["cash"] * 400 + [f"C{n}" for n in range(100)], "order": [n // 3 for n in range(500)]}
    )
    placed = frame.with_columns(bucket=spool.bucket_of("customer"))
    if divisible:
        placed = placed.with_columns(within=spool.bucket_of("order"))
    writer.add("orders", placed)
    pieces = writer.finish(["orders"])
    assert {piece.of_stage for piece in pieces} == {"orders"}
    found = [spool.Spool(writer.folder).read(piece) for piece in pieces]
    assert all(part.columns == ["customer", "order"] for part in found)
    assert sorted(pl.concat(found).rows()) == sorted(frame.rows())
    assert (max(part.height for part in found) < 100) == divisible
    if divisible:  # an order's rows lie in one piece
        held = [set(part.filter(customer="cash")["order"]) for part in found]
        assert sum(map(len, held)) == len(set().union(*held))


def test_puts_down_nothing_where_all_rows_were_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(spool, "_HELD", 1)
    writer = spool.Spool(tmp_path / "spool")
    writer.clear()
    writer.add("orders", rows([]))
    assert writer.divide("orders") == []
    writer.add("orders", rows([1]))
    (piece,) = writer.finish(["orders"])
    assert spool.Spool(writer.folder).read(piece)["number"].to_list() == [1]


def test_gives_back_what_says_nothing_in_some_rows_or_in_all(tmp_path, monkeypatch):
    """What is empty throughout is not written."""
    monkeypatch.setattr(spool, "_HELD", 1)
    writer = spool.Spool(tmp_path / "spool")
    writer.clear()
    frame = rows(range(30)).with_columns(
        never=pl.lit(None, pl.Date),
        later=pl.when(pl.col("number") >= 10).then(pl.col("number") * 2),
        at=pl.lit(None, pl.Datetime("us", "UTC")),
    )
    for first in range(0, 30, 10):
        writer.add("orders", frame.slice(first, 10))
    (piece,) = writer.finish(["orders"])
    found = spool.Spool(writer.folder).read(piece)
    wanted = frame.drop("bucket")
    assert found.schema == wanted.schema
    assert found.sort("number").equals(wanted)


@pytest.mark.parametrize("few", [0, 60, 10_000])
def test_takes_rows_out_and_takes_others_in(tmp_path, monkeypatch, few):
    monkeypatch.setattr(spool, "PIECE", 70)
    monkeypatch.setattr(spool, "_FEW", few)
    monkeypatch.setattr(spool, "_HELD", 2)
    writer = spool.Spool(tmp_path / "spool")
    writer.clear()
    for first in range(0, 500, 50):
        writer.add("orders", rows(range(first, first + 50)))
    gone = rows(range(0, 500, 7)).select("bucket", spool.home("key").alias("record"))
    elsewhere = rows(range(1, 500, 7)).select(
        ((pl.col("bucket") + 1) % spool.BUCKETS).cast(pl.Int16).alias("bucket"), spool.home("key").alias("record")
    )
    writer.add("marks", pl.concat([gone, elsewhere]))  # of another bucket than the one that is named nothing is taken
    taken = pl.concat(writer.take_out("orders", "marks", spool.home("key")))
    assert sorted(taken["number"]) == list(range(0, 500, 7))
    writer.add("orders", rows(range(1000, 1040)))
    pieces = writer.finish(["orders"])
    found = [spool.Spool(writer.folder).read(piece) for piece in pieces]
    assert [frame.height for frame in found] == [piece.rows for piece in pieces]
    left = sorted(n for frame in found for n in frame["number"])
    assert left == [*(n for n in range(500) if n % 7), *range(1000, 1040)]


records = st.integers(0, 2**64 - 1)


@given(
    st.lists(
        st.lists(
            st.tuples(st.one_of(st.integers(0, 5).map(lambda n: n << 60), records), st.integers(0, spool.BUCKETS - 1)),
            max_size=30,
        ),
        max_size=4,
    )
)
def test_knows_which_records_lie_in_several_buckets(tmp_path_factory, batches):
    homes = spool.Homes(tmp_path_factory.mktemp("homes") / "of_orders")
    homes.clear()
    lies = defaultdict(set)
    for batch in batches:
        homes.note(
            pl.Series([record for record, _bucket in batch], dtype=pl.UInt64),
            pl.Series([bucket for _record, bucket in batch], dtype=pl.Int16),
        )
        for record, bucket in batch:
            lies[record // spool.BUCKETS].add(bucket)
    wanted = sorted((bucket, record) for record, buckets in lies.items() if len(buckets) > 1 for bucket in buckets)
    assert sorted(pair for frame in homes.several() for pair in frame.rows()) == wanted


def test_names_a_record_as_its_bucket_does():
    """Both are made of one number: what lies in several buckets is found by what the rows say themselves."""
    frame = pl.DataFrame({"key": ["A", "B", None, "é"]})
    number, bucket, home = frame.select(
        number=spool.record_of("key"), bucket=spool.bucket_of("key"), home=spool.home("key")
    ).get_columns()
    assert bucket.to_list() == [n % spool.BUCKETS for n in number]
    assert home.to_list() == [n // spool.BUCKETS for n in number]
