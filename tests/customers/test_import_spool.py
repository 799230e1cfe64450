"""Rows that are put down come back, each once, in the piece of their bucket, whoever asks for them."""

import itertools

import polars as pl
import pytest

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
