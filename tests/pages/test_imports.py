"""It: importing a file from the page: upload, columns, try, progress, outcome."""

import csv
import io
import re

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from customers.imports import service
from customers.models import Import, Order
from tenants.context import tenant_scope
from tests.pages.conftest import HX, text

ORDERS = """Invoice,StockCode,Description,Quantity,InvoiceDate,Price,Customer ID,Country
1,A,Tile,2,2026-11-01 09:00:00,3.5,C1,China
2,B,=Grout,1,2026-11-02 09:00:00,10,,China
3,B,Grout,one,2026-11-02 09:00:00,10,C2,China
"""


@pytest.fixture
def ada(cast, sign_in, settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    return sign_in(cast.ada)


@pytest.fixture
def bell(monkeypatch):
    """The worker's bell: which imports it was rung for."""
    rung = []
    monkeypatch.setattr("customers.tasks.run_import.delay", lambda tenant_id, import_id: rung.append(import_id))
    return rung


def upload(client, content=ORDERS, name="orders.csv", **fields):
    file = SimpleUploadedFile(name, content if isinstance(content, bytes) else content.encode())
    return client.post("/acme/imports/add/", {"kind": "orders", "source": "erp", "file": file} | fields)


def newest(cast):
    with tenant_scope(cast.tenant):
        return Import.objects.order_by("-pk").first()


def chosen(response):
    """Our fields and the column chosen for each."""
    found = {}
    for name, options in re.findall(r'name="field-(\w+)".*?>(.*?)</select>', text(response), flags=re.S):
        column = re.search(r'value="([^"]*)" selected', options)
        found[name] = column[1] if column else ""
    return found


def say(client, row, how="start", **columns):
    said = {
        "order": "Invoice", "customer": "Customer ID", "placed_at": "InvoiceDate", "product": "StockCode",
        "quantity": "Quantity", "unit_price": "Price",
    } | columns  # fmt: skip
    fields = {f"field-{name}": column for name, column in said.items()}
    return client.post(f"/acme/imports/{row.pk}/columns/", fields | {"how": how})


def test_explains_itself_when_nothing_was_imported(ada):
    assert "Orders first" in text(ada.get("/acme/imports/"))


def test_takes_a_file_and_guesses_its_columns(cast, ada):
    answer = upload(ada)
    row = newest(cast)
    assert answer["Location"] == f"/acme/imports/{row.pk}/columns/"
    assert (row.kind, row.source, row.filename, row.member_id) == ("orders", "erp", "orders.csv", cast.ada.pk)
    page = ada.get(answer["Location"])
    assert {name: column for name, column in chosen(page).items() if column} == {
        "order": "Invoice",
        "customer": "Customer ID",
        "placed_at": "InvoiceDate",
        "product": "StockCode",
        "quantity": "Quantity",
        "unit_price": "Price",
        "product_name": "Description",
        "country": "Country",
    }
    assert "=Grout" in text(page)


@pytest.mark.parametrize(
    ("content", "name", "reason"),
    [("", "orders.csv", "empty"), ("x", "orders.pdf", "cannot be read"), ("x", "orders.xls", "old Excel")],
)
def test_says_at_the_field_why_a_file_is_refused(cast, ada, content, name, reason):
    answer = upload(ada, content, name)
    assert answer.status_code == 200
    assert reason in text(answer)
    assert newest(cast) is None


def test_refuses_a_file_that_is_too_large(cast, ada, settings):
    settings.IMPORT_MAX_BYTES = 10
    assert "10" in text(upload(ada))
    assert newest(cast) is None


def test_asks_for_a_file(ada):
    page = text(ada.post("/acme/imports/add/", {"kind": "orders", "source": "erp"}))
    assert "invalid-feedback" in page


@pytest.mark.parametrize(("content", "reason"), [("a,b\n", "no line below"), (b"\xff\xfea\x00", "UTF-16")])
def test_says_why_a_file_cannot_be_looked_at(cast, ada, content, reason):
    answer = upload(ada, content)
    assert reason in text(ada.get(answer["Location"]))


def test_names_the_fields_that_have_no_column(cast, ada, bell):
    upload(ada)
    page = say(ada, newest(cast), quantity="", product_name="Description")
    assert "No column is mapped to quantity" in text(page)
    assert chosen(page)["product_name"] == "Description"
    assert chosen(page)["country"] == ""  # what was said stays said
    assert bell == []


def test_rings_for_a_worker_once_the_columns_are_said(cast, ada, bell, django_capture_on_commit_callbacks):
    upload(ada)
    row = newest(cast)
    with django_capture_on_commit_callbacks(execute=True):
        answer = say(ada, row)
    assert answer["Location"] == f"/acme/imports/{row.pk}/"
    assert bell == [row.pk]
    assert newest(cast).status == "queued"
    with django_capture_on_commit_callbacks(execute=True):
        say(ada, row)  # sent twice
    assert bell == [row.pk]


def test_shows_progress_that_asks_again_by_itself(cast, ada, bell):
    upload(ada)
    row = newest(cast)
    say(ada, row)
    page = text(ada.get(f"/acme/imports/{row.pk}/"))
    assert "<progress" in page
    assert 'hx-trigger="every 1s"' in page
    fragment = text(ada.get(f"/acme/imports/{row.pk}/", headers=HX))
    assert "<html" not in fragment


def test_shows_what_became_of_it_and_stops_asking(cast, ada, bell):
    upload(ada)
    row = newest(cast)
    say(ada, row)
    service.run_import(cast.tenant, row.pk)
    fragment = text(ada.get(f"/acme/imports/{row.pk}/", headers=HX))
    assert "every 1s" not in fragment
    seen = " ".join(re.sub(r"<[^>]+>", " ", fragment).split())
    assert "Lines of the file 3 Created 1 Updated 0 Unchanged 0 Failed lines 2" in seen
    assert "3 2 Customer ID Customer number is missing." in seen
    assert "Quantity “one” is no number" in seen


def test_hands_out_every_line_as_a_file(cast, ada, bell):
    upload(ada)
    row = newest(cast)
    say(ada, row)
    service.run_import(cast.tenant, row.pk)
    answer = ada.get(f"/acme/imports/{row.pk}/outcome.csv")
    assert answer["Content-Disposition"] == f'attachment; filename="import-{row.pk}-outcome.csv"'
    rows = list(csv.DictReader(io.StringIO(text(answer).removeprefix("\ufeff"))))
    assert [line["outcome"] for line in rows] == ["created", "failed", "failed"]


def test_tries_without_writing_and_then_imports_for_real(cast, ada, bell):
    upload(ada)
    tried = newest(cast)
    say(ada, tried, how="try")
    service.run_import(cast.tenant, tried.pk)
    page = text(ada.get(f"/acme/imports/{tried.pk}/"))
    assert "nothing was written" in page
    assert "Import for real" in page
    with tenant_scope(cast.tenant):
        assert Order.objects.count() == 0
    answer = ada.post(f"/acme/imports/{tried.pk}/repeat/")
    again = newest(cast)
    assert answer["Location"] == f"/acme/imports/{again.pk}/"
    service.run_import(cast.tenant, again.pk)
    with tenant_scope(cast.tenant):
        assert Order.objects.count() == 1


def test_remembers_the_columns_for_the_next_file(cast, ada, bell):
    upload(ada)
    say(ada, newest(cast), category="Description")
    answer = upload(ada)
    assert chosen(ada.get(answer["Location"]))["category"] == "Description"


def test_stops_an_import(cast, ada, bell):
    upload(ada)
    row = newest(cast)
    say(ada, row)
    answer = ada.post(f"/acme/imports/{row.pk}/cancel/", follow=True)
    assert "The import is cancelled" in text(answer)
    assert newest(cast).status == "cancelled"
    assert "had ended already" in text(ada.post(f"/acme/imports/{row.pk}/cancel/", follow=True))


def test_lists_the_files_with_what_came_of_them(cast, ada, bell):
    upload(ada)
    row = newest(cast)
    say(ada, row)
    service.run_import(cast.tenant, row.pk)
    page = text(ada.get("/acme/imports/"))
    assert "orders.csv" in page
    assert "Ada" in page


def test_lets_a_lead_look_but_not_import(cast, ada, sign_in, bell):
    upload(ada)
    row = newest(cast)
    lea = sign_in(cast.lea)
    assert "Import a file" not in text(lea.get("/acme/imports/"))
    assert lea.get(f"/acme/imports/{row.pk}/").status_code == 200
    assert lea.get("/acme/imports/add/").status_code == 403
    assert lea.post(f"/acme/imports/{row.pk}/cancel/").status_code == 403


def test_keeps_another_firms_imports_out_of_sight(cast, ada, sign_in, bell):
    with tenant_scope(cast.other_tenant):
        theirs = service.start_import(kind="orders", file=io.BytesIO(b"a,b\n1,2\n"), filename="x.csv")
    for path in ("", "columns/", "outcome.csv"):
        assert ada.get(f"/acme/imports/{theirs.pk}/{path}").status_code == 404
