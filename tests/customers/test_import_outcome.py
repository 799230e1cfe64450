import csv
import io

import pytest

from customers.imports import outcome, run, service, spool, stores
from customers.models import Import
from tenants.context import tenant_scope
from tests.customers.conftest import ORDERS

TEXT = ORDERS + "A1,4711,2026-03-02,hammer,1,10\n=cmd|x,,2026-03-02,hammer,1,10\nA3,4711,2026-03-02,hammer,-1,10\n"


def rows(row, **options):
    text = b"".join(service.outcome_csv(row, **options)).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text)))


def test_lists_every_line_with_what_became_of_it(deliver):
    row = deliver(TEXT)
    assert [(r["line"], r["external_id"], r["outcome"], r["column"], r["reason"]) for r in rows(row)] == [
        ("2", "A1", "created", "", ""),
        ("3", "'=cmd|x", "failed", "customer", "Customer number is missing."),
        ("4", "A3", "created", "", ""),
    ]
    again = deliver(TEXT.replace("-1", "-2"))
    assert [r["outcome"] for r in rows(again)] == ["unchanged", "failed", "updated"]


def test_lies_on_the_disk_without_a_mark_and_streams_with_one(deliver):
    row = deliver(TEXT)
    assert (
        service.outcome_file(row).read_bytes().startswith(b"line,external_id,outcome,column,reason\n2,A1,created,,\n")
    )
    assert next(service.outcome_csv(row)).startswith(b"\xef\xbb\xbfline,")


def test_shows_a_page_of_lines(deliver):
    row = deliver(TEXT)
    assert [line.line for line in service.outcome_page(row)] == [2, 3, 4]
    assert [line.line for line in service.outcome_page(row, offset=1, limit=1)] == [3]
    assert [line.line for line in service.outcome_page(row, outcome="created")] == [2, 4]


def test_keeps_nothing_but_the_file_and_the_outcome(deliver):
    row = deliver(TEXT)
    names = {path.name for path in stores.of(row.tenant_id, row.pk).folder.iterdir()}
    assert names == {"file.csv", "outcome", "outcome.csv"}


MANY = ORDERS + "".join(
    f"A{n * 7919 % 400},{n % 5},2026-03-02,hammer,{'x' if n % 50 == 0 else 1},10\n" for n in range(400)
)


def test_hands_out_the_lines_in_the_order_of_the_file_whatever_the_pieces(deliver, monkeypatch):
    monkeypatch.setattr(spool, "PIECE", 30)
    row = deliver(MANY)
    assert [int(found["line"]) for found in rows(row)] == list(range(2, 402))
    assert [line.line for line in service.outcome_page(row, offset=120, limit=60)] == list(range(122, 182))
    assert [line.line for line in service.outcome_page(row, outcome="failed", offset=2, limit=3)] == [102, 152, 202]


def test_is_the_same_before_and_after_it_is_put_in_order(cast, deliver, monkeypatch):
    """A page that is opened while the import runs, and a worker that was killed while it put the lines in order."""
    monkeypatch.setattr(spool, "PIECE", 30)
    monkeypatch.setattr(outcome, "_BLOCK", 70)
    seen = []

    def before(self):
        if not seen:
            seen.append((pages(), rows(last())))
            with monkeypatch.context() as patch:
                patch.setattr(spool.Spool, "divide", lambda *_args: (_ for _ in ()).throw(Killed))
                with pytest.raises(Killed):
                    put_in_order(self)
        put_in_order(self)

    def last():
        with tenant_scope(cast.tenant):
            return Import.objects.latest("pk")

    def pages():
        return [service.outcome_page(last(), outcome=which, limit=500) for which in ("", "created", "failed")]

    class Killed(BaseException):
        pass

    put_in_order = outcome.Outcome.put_in_order
    monkeypatch.setattr(outcome.Outcome, "put_in_order", before)
    row = deliver(MANY)
    assert len(seen[0][1]) == 400
    assert seen == [(pages(), rows(row))]


def test_is_put_in_order_when_the_import_breaks_off_too(cast, deliver, monkeypatch):
    monkeypatch.setattr(spool, "PIECE", 30)
    count = run._Job._count

    def broken(job, number, merged):
        if number == 3:
            raise ZeroDivisionError
        count(job, number, merged)

    monkeypatch.setattr(run._Job, "_count", broken)
    with pytest.raises(ZeroDivisionError):
        deliver(MANY)
    with tenant_scope(cast.tenant):
        row = Import.objects.latest("pk")
    lines = [int(found["line"]) for found in rows(row)]
    assert lines == sorted(lines)
    assert len(lines) == row.failed + row.created  # nothing is told of pieces that were not written
