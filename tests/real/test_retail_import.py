"""The measures of the import, to the last line and the last tenth of a penny."""

import csv
from decimal import Decimal

import pytest
from django.db.models import Count, Sum

from customers.models import Activity, Customer, Import, Order
from tenants.context import tenant_scope
from tests.real.conftest import FILES

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("real"), pytest.mark.django_db]

NAMES = ("rows", "failed", "created", "updated", "unchanged")


def counts(result):
    return tuple(result[name] for name in NAMES)


def test_counts_what_stands_in_the_files(retail):
    assert counts(retail.results[0]) == (525_461, 107_927, 23_587, 0, 0)
    assert counts(retail.results[1]) == (541_910, 135_080, 21_289, 0, 901)


def test_ends_the_same_though_it_was_killed(retail):
    with tenant_scope(retail.tenant):
        assert Import.objects.count() == 2
        assert Import.objects.order_by("pk").first().pk == retail.results[0]["import"]


def test_adds_up_to_the_last_tenth_of_a_penny(retail):
    with tenant_scope(retail.tenant):
        assert Customer.objects.count() == 5_942
        kinds = dict(Order.objects.order_by().values_list("kind").annotate(Count("pk")))
        assert kinds == {"order": 44_876 - 7_901, "credit_note": 7_901}
        net = Order.objects.aggregate(net=Sum("net"))["net"]
        assert net == Decimal("16343669.038")
        months = Activity.objects.aggregate(orders=Sum("orders"), credit_notes=Sum("credit_notes"), net=Sum("net"))
        assert months == {"orders": 44_876 - 7_901, "credit_notes": 7_901, "net": net}


def test_names_every_refused_line(retail):
    refused = []
    for result in retail.results:
        with open(result["outcome_file"], encoding="utf-8", newline="") as file:
            rows = [row for row in csv.DictReader(file) if row["outcome"] == "failed"]
        assert {(row["column"], row["reason"]) for row in rows} == {("Customer ID", "Customer number is missing.")}
        assert len({row["line"] for row in rows}) == result["failed"]
        refused += rows
    assert len(refused) == 243_007
    assert refused[0]["line"] == "265"


def test_takes_less_than_a_gigabyte(retail):
    assert retail.megabytes < 1_000


def test_finds_everything_unchanged_the_second_time(retail):
    with tenant_scope(retail.tenant):
        before = Order.objects.order_by("-updated_at").values_list("updated_at", flat=True)[0]
    assert counts(retail.import_file(FILES[1])) == (541_910, 135_080, 0, 0, 22_190)
    with tenant_scope(retail.tenant):
        assert Order.objects.order_by("-updated_at").values_list("updated_at", flat=True)[0] == before
