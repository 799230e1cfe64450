"""Bad input: a clear reason for the line or the file, the rest imported, nothing half-written."""

import datetime as dt
import gzip
import io

import openpyxl
import pytest
from django.utils import translation
from django.utils.functional import lazy

from customers.imports import problems, service
from customers.models import Customer, Import, Order
from tenants.context import tenant_scope
from tests.customers.conftest import ORDERS, counts

LINE = "A1,4711,2026-03-02,hammer,1,10\n"
GOOD = ORDERS + LINE


REFUSED = [
    ("A2,,2026-03-02,hammer,1,10", "customer", "Customer number is missing."),
    ("A2,  ,2026-03-02,hammer,1,10", "customer", "Customer number is missing."),
    ("A2,1,2026-03-02,hammer,one,10", "quantity", "“one” is no number; write it like 1234.56."),
    ('A2,1,2026-03-02,hammer,1,"1,234.50"', "unit_price", "“1,234.50” is no number; write it like 1234.56."),
    ("A2,1,2026-03-02,hammer,1e3,10", "quantity", "“1e3” is no number; write it like 1234.56."),
    ("A2,1,2026-03-02,hammer,NaN,10", "quantity", "“NaN” is no number; write it like 1234.56."),
    ("A2,1,2026-03-02,hammer,1,1.2345678", "unit_price", "1.2345678 has more than 6 decimals."),
    ("A2,1,2026-03-02,hammer,99999999999,1", "quantity", "99999999999 is too large."),
    ("A2,1,2026-03-02,hammer,9999999999,999999999", "unit_price", "999999999 is too large."),
    ("A2,1,03/04/2026,hammer,1,10", "placed_at",
     "“03/04/2026” is no date with a time; write it like 2026-03-31 14:30."),
    ("A2,1,2026-02-30,hammer,1,10", "placed_at",
     "“2026-02-30” is no date with a time; write it like 2026-03-31 14:30."),
    ("A2,1,0206-02-03,hammer,1,10", "placed_at", "“0206-02-03” lies too far away."),
    ("A2,1,2026-03-02,ham\x00mer,1,10", "product", "Product number contains a control character."),
    (f"A2,{'1' * 101},2026-03-02,hammer,1,10", "customer", "Customer number has more than 100 characters."),
    ("A2,1,2026-03-02,hammer,1", "", "The line has 5 cells, the header 6."),
    ("A2,1,2026-03-02,hammer,1,10,", "", "The line has 7 cells, the header 6."),
    ('A2,1,2026-03-02,"ham"mer,1,10', "", "A quotation mark stands in the wrong place (line 19)."),
]  # fmt: skip


def test_refuses_each_bad_line_for_its_own_reason_and_imports_the_rest(cast, deliver, why):
    row = deliver(GOOD + "".join(f"{line}\n" for line, *_rest in REFUSED) + "A3,4712,2026-03-02,hammer,1,10\n")
    assert why(row) == [(number, column, reason) for number, (_line, column, reason) in enumerate(REFUSED, 3)]
    assert counts(row) == (len(REFUSED) + 2, len(REFUSED), 2, 0, 0)
    with tenant_scope(cast.tenant):
        assert set(Order.objects.values_list("external_id", flat=True)) == {"A1", "A3"}


def test_says_the_reason_in_the_readers_language(deliver, why, monkeypatch):
    in_words = {"en": "%(label)s is missing.", "zh-hans": "缺少%(label)s"}
    monkeypatch.setitem(problems._OF_LINE, "missing", lazy(lambda: in_words[translation.get_language()], str)())
    row = deliver(GOOD + "A2,,2026-03-02,hammer,1,10\n")
    assert why(row)[0][2].endswith(" is missing.")
    with translation.override("zh-hans"):
        assert why(row)[0][2].startswith("缺少")


def test_counts_lines_of_the_file_where_cells_span_several(deliver, why):
    text = ORDERS.replace("\n", ",customer_name\n")
    text += '\nA1,1,2026-03-02,hammer,1,10,"Two\nlines"\n\nA2,,2026-03-02,hammer,1,10,x\n'
    row = deliver(text)
    assert [line for line, *_rest in why(row)] == [6]
    assert counts(row) == (2, 1, 1, 0, 0)


def refusal(run):
    """Why the whole file is refused, by start, columns or run."""
    try:
        row = run()
    except service.ImportProblem as problem:
        return str(problem)
    assert row.status == Import.Status.FAILED
    assert counts(row)[2:] == (0, 0, 0)
    return row.error


@pytest.mark.parametrize(
    ("content", "filename", "reason"),
    [
        (b"", "a.csv", "The file is empty."),
        (b"\n\n  \n", "a.csv", "The file is empty."),
        (ORDERS.encode(), "a.csv", "The file has a header and no line below it."),
        (gzip.compress(b""), "a.csv.gz", "The file is empty."),
        (GOOD.encode(), "a.csv.gz", "The file ends in .gz, but its content is not compressed by gzip, or it is damaged."),
        (GOOD.encode(), "a.xlsx", "The file ends in .xlsx, but its content is not an Excel workbook, or it is damaged or locked."),
        (GOOD.encode(), "a.xls", "“a.xls” is a file of an old Excel: save it as .xlsx or .csv."),
        (GOOD.encode(), "a.pdf", "“a.pdf” cannot be read: the file must end in .csv, .csv.gz, .ndjson, .ndjson.gz, .xlsx."),
        (GOOD.encode("utf-16"), "a.csv", "The file is in UTF-16: save it as “CSV UTF-8”."),
        ((GOOD + 'A2,"4711,2026-03-02,hammer,1,10\n').encode(), "a.csv", "The quotation mark opened in line 3 is never closed."),
        (b"[1, 2]\n", "a.ndjson", "The first line is no JSON object: [1, 2]"),
        ((GOOD + "x" * 9_000_000).encode(), "a.csv", "Line 3 has more than 8.0\xa0MB: this is no table."),
        (b"\0" * 300_000, "a.csv", "Line 1 has more than 256.0\xa0KB: this is no table."),
    ],
    ids=["empty", "blank", "header only", "empty gz", "no gz", "no workbook", "old Excel", "pdf", "utf-16", "open quote",
         "json array", "long line", "zeros"],
)  # fmt: skip
def test_refuses_a_file_that_cannot_be_read(cast, deliver, content, filename, reason):
    assert refusal(lambda: deliver(content, filename=filename)) == reason
    with tenant_scope(cast.tenant):
        assert not Customer.objects.exists()


def test_refuses_a_truncated_gz_before_anything_is_written(cast, deliver):
    lines = "".join(f"A{n % 9},4711,2026-03-02,hammer,1,10.{n}\n" for n in range(12_000))
    whole = gzip.compress((ORDERS + lines).encode())
    reason = refusal(lambda: deliver(whole[: len(whole) * 3 // 4], filename="a.csv.gz"))
    assert reason.startswith("The file breaks off in the middle of the compressed data")
    with tenant_scope(cast.tenant):
        assert not Customer.objects.exists()
    assert counts(deliver(whole, filename="a.csv.gz"))[:3] == (12_000, 0, 9)


def test_refuses_a_file_that_is_too_large_packed_or_not(deliver, settings):
    settings.IMPORT_MAX_BYTES = 1000
    many = (ORDERS + LINE * 100).encode()
    assert refusal(lambda: deliver(many)) == "The file has more than 1000\xa0bytes, unpacked; divide it."
    assert refusal(lambda: deliver(gzip.compress(many), filename="a.csv.gz")).startswith("The file has more than")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_knows_the_encoding(cast, deliver, encoding):
    text = "订单号,客户编号,客户名称,下单时间,产品编号,产品名称,数量,单价\nA1,4711,华信建材有限公司,2026/3/2 8:05,锤子,铁锤,2,9.9\n"
    assert counts(deliver(text.encode(encoding))) == (1, 0, 1, 0, 0)
    with tenant_scope(cast.tenant):
        assert Customer.objects.get().name == "华信建材有限公司"


def test_finds_chinese_text_that_begins_late(cast, deliver):
    lines = "A1,4711,2026-03-02,hammer,1,10,Ltd\n" * 10_000
    text = ORDERS.replace("\n", ",customer_name\n") + lines + "B1,B1,2026-03-02,hammer,1,10,华信建材有限公司\n"
    deliver(text.encode("gb18030"))
    with tenant_scope(cast.tenant):
        assert Customer.objects.filter(name="华信建材有限公司").exists()


@pytest.mark.parametrize("encoding", ["latin-1", "cp1251"])
def test_names_the_byte_of_a_wrong_encoding_instead_of_reading_it_wrongly(deliver, encoding):
    name = {"latin-1": "Müller & Söhne, Café", "cp1251": "Привет, как дела"}[encoding]
    text = (
        ORDERS.replace("\n", ",customer_name\n")
        + LINE.replace("\n", ",x\n")
        + f'A2,1,2026-03-02,hammer,1,10,"{name}"\n'
    )
    data = text.encode(encoding)
    at = next(n for n, byte in enumerate(data) if byte > 127)
    reason = refusal(lambda: deliver(data))
    assert f"line 3 has the byte 0x{data[at]:02X} (byte {at + 1} of the file)" in reason


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_knows_the_delimiter(deliver, delimiter):
    text = (
        GOOD.replace(",", delimiter) + delimiter.join(["A2", "1", "2026-03-02", "nail, ham; screw", "1", "10"]) + "\n"
    )
    if delimiter == ",":
        text = text.replace("nail, ham; screw", '"nail, ham; screw"')
    if delimiter == ";":
        text = text.replace("nail, ham; screw", '"nail, ham; screw"')
    assert counts(deliver(text)) == (2, 0, 2, 0, 0)


@pytest.mark.parametrize("end", ["\r\n", "\r"])
def test_reads_other_line_ends(deliver, end):
    assert counts(deliver(GOOD.replace("\n", end) + LINE.replace("A1", "A2").rstrip())) == (2, 0, 2, 0, 0)


def test_reads_a_workbook(cast, deliver, why):
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(["order", "customer", "placed_at", "product", "quantity", "unit_price"])
    sheet.append(["A1", 4711.0, dt.datetime(2026, 3, 2, 10, 30), "hammer", 0.1 + 0.2, 10])  # noqa: DTZ001
    sheet.append([])
    sheet.append(["A2", 4712, dt.date(2026, 3, 2), "hammer", "x", 10])
    sheet.append(["A3", 4712, "2026-03-02", "hammer", 1])
    file = io.BytesIO()
    book.save(file)
    row = deliver(file.getvalue(), filename="a.xlsx")
    assert counts(row) == (3, 2, 1, 0, 0)
    assert [line for line, *_rest in why(row)] == [4, 5]
    with tenant_scope(cast.tenant):
        order = Order.objects.get()
        assert (order.customer.name, str(order.net)) == ("4711", "3.0000")
        assert order.placed_at == dt.datetime(2026, 3, 2, 10, 30, tzinfo=dt.UTC)


@pytest.mark.parametrize("packed", [False, True])
def test_reads_json_lines(cast, deliver, why, packed):
    text = (
        '{"order": "A1", "customer": 4711, "placed_at": "2026-03-02T10:00:00+08:00", "product": "hammer",'
        ' "quantity": 3, "unit_price": 0.10}\n'
        "not json\n"
        '{"order": "A2", "customer": {"id": 1}, "placed_at": "2026-03-02", "product": "x", "quantity": 1, "unit_price": 1}\n'
    )
    data = gzip.compress(text.encode()) if packed else text.encode()
    row = deliver(data, filename="a.ndjson.gz" if packed else "a.ndjson")
    assert [(line, reason) for line, _column, reason in why(row)] == [
        (2, "The line is no JSON object."),
        (3, "customer holds an object, not a value."),
    ]
    with tenant_scope(cast.tenant):
        assert str(Order.objects.get().net) == "0.3000"
