import csv
import io

from customers.imports import service, stores
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
