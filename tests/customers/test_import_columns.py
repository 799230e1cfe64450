import io

import pytest

from customers.imports import columns, service
from customers.models import Import
from tenants.context import tenant_scope
from tests.customers.conftest import ORDERS, counts

RETAIL = ["Invoice", "StockCode", "Description", "Quantity", "InvoiceDate", "Price", "Customer ID", "Country"]
CHINESE = ["订单号", "客户编号", "客户名称", "下单时间", "货号", "品名", "品类", "数量", "单价", "币种"]


def test_guesses_english_headers():
    assert columns.guess("orders", RETAIL) == {
        "order": "Invoice", "customer": "Customer ID", "placed_at": "InvoiceDate", "product": "StockCode",
        "quantity": "Quantity", "unit_price": "Price", "product_name": "Description", "country": "Country",
    }  # fmt: skip


def test_guesses_chinese_headers():
    guess = columns.guess("orders", CHINESE)
    assert guess["order"] == "订单号"
    assert guess["customer"] == "客户编号"
    assert guess["customer_name"] == "客户名称"
    assert guess["unit_price"] == "单价"
    assert len(guess) == len(CHINESE)


@pytest.mark.parametrize("kind", Import.Kind.values)
def test_maps_every_field_by_its_own_name(kind):
    names = [field.name for field in service.fields_of(kind)]
    assert columns.guess(kind, names) == dict(zip(names, names, strict=True)) == columns.check(kind, names, {})


@pytest.mark.parametrize("kind", Import.Kind.values)
def test_has_no_header_that_means_two_fields_of_a_kind(kind):
    seen: dict[str, str] = {}
    for field in service.fields_of(kind):
        for header in field.headers:
            assert seen.setdefault(header.lower(), field.name) == field.name, header


@pytest.mark.parametrize(
    ("mapping", "reason"),
    [
        ({"order": "Invoices"}, "The mapping names the column Invoices, which the file does not have; it has: Invoice, Stock"),
        ({"order_number": "Invoice"}, "The mapping names order_number, which is no field of this kind of file; there are: order,"),
        ({"order": "Invoice"}, "No column is mapped to customer, placed_at, product, quantity, unit_price; the file has: Inv"),
        ([], "The mapping must be one JSON object"),
        ({"order": 3}, "The mapping must be one JSON object"),
    ],
)  # fmt: skip
def test_refuses_a_mapping_that_does_not_fit(mapping, reason):
    with pytest.raises(service.ImportProblem) as caught:
        columns.check("orders", RETAIL, mapping)
    assert str(caught.value).startswith(reason)


def test_refuses_a_column_that_stands_there_twice():
    with pytest.raises(service.ImportProblem, match="more than once"):
        columns.check("orders", [*ORDERS.strip().split(","), "order"], {})


def test_leaves_a_field_out_when_it_is_told_to():
    names = [*ORDERS.strip().split(","), "country"]
    assert "country" not in columns.check("orders", names, {"country": None})
    assert "country" not in columns.check("orders", names, {"country": ""})


def test_remembers_the_columns_for_the_same_headers(cast, deliver):
    text = "no,who,when,what,n,p\nA1,4711,2026-03-02,hammer,1,10\n"
    mapping = {
        "order": "no",
        "customer": "who",
        "placed_at": "when",
        "product": "what",
        "quantity": "n",
        "unit_price": "p",
    }
    deliver(text, mapping=mapping)
    assert counts(deliver(text.replace("A1", "A2"))) == (1, 0, 1, 0, 0)
    with tenant_scope(cast.other_tenant), pytest.raises(service.ImportProblem, match="No column is mapped to order"):
        service.queue_import(service.start_import(kind="orders", file=io.BytesIO(text.encode()), filename="a.csv"))


def test_remembers_what_was_left_out(deliver):
    text = ORDERS.replace("\n", ",country\n") + "A1,4711,2026-03-02,hammer,1,10,x\n"
    deliver(text, mapping={"country": ""})
    assert "country" not in deliver(text).mapping


def test_shows_headers_first_rows_and_a_proposal(cast, settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    text = "Invoice;Menge;Customer ID\n" + "".join(f"A{n};{n};x\n" for n in range(9))
    with tenant_scope(cast.tenant):
        row = service.start_import(kind="orders", file=io.BytesIO(text.encode()), filename="a.csv")
        look = service.look_at(row)
    assert look.headers == ["Invoice", "Menge", "Customer ID"]
    assert look.rows[1] == {"Invoice": "A1", "Menge": "1", "Customer ID": "x"}
    assert len(look.rows) == 5
    assert look.proposed == {"order": "Invoice", "customer": "Customer ID"}
