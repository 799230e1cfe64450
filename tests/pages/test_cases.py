"""It: says what the case library knows, opens the rows behind each number, and takes lessons."""

import datetime as dt

import pytest

from risk.models import Case
from tenants.context import tenant_scope
from tests.pages.conftest import FRIDAY, HX, text
from tests.risk.test_cases import kept

URL = "/acme/cases/"

pytestmark = pytest.mark.usefixtures("noon")


@pytest.fixture
def ann(cast, sign_in):
    return sign_in(cast.ann)


@pytest.fixture
def library(cast):
    with tenant_scope(cast.tenant):
        for number in range(10):
            kept(
                cast.customer(f"Price {number}"), number=number, cause="price", tried=["added_service"],
                outcome="lost" if number < 2 else "saved",
            )  # fmt: skip
        hidden = cast.customer("Hidden", owner_a=cast.bo, owner_b=None)
        kept(hidden, number=40, cause="quality")
        return kept(cast.customer("Few"), number=50, cause="quality", tried=["rework"], note="Cracked glaze")


def test_says_statements_with_intervals_and_not_enough_where_true(ann, library):
    page = text(ann.get(URL))
    assert "Price: 91% of the cases (10 of 11, 62% to 98%)" in page
    assert "with added service 80% of them were saved or won back (8 of 10, 49% to 94%)" in page
    assert "not enough cases to say what helps" in page
    assert "1 of 1, not enough cases" in page
    assert "cause=price&amp;tried=added_service&amp;end=decided" in page
    rows = text(ann.get(f"{URL}list/?cause=price&tried=added_service&end=decided", headers=HX))
    assert "10 cases" in rows
    assert "2 cases" in text(ann.get(f"{URL}list/?cause=price&end=lost", headers=HX))
    lines = text(ann.get(f"{URL}?export=csv")).splitlines()
    assert lines[1].startswith("Price,Relationship,10,11,")
    assert ann.get(f"{URL}?colour=red").status_code == 400


def test_lists_searches_and_exports(ann, library):
    found = text(ann.get(f"{URL}list/?q=glaze", headers=HX))
    assert "Few" in found
    assert "Price 1" not in found
    assert "Hidden" not in text(ann.get(f"{URL}list/"))
    lines = text(ann.get(f"{URL}list/?export=csv&cause=quality&columns=cause&columns=tried")).splitlines()
    assert lines[1:] == ["Few,Quality,replacement or rework"]


def test_shows_one_case_with_the_like_and_takes_lessons(ann, cast, library):
    page = text(ann.get(f"{URL}{library.pk}/"))
    assert "Cracked glaze" in page
    assert "replacement or rework" in page
    assert "Price 9" in page  # the same signal
    said = {"lessons": "Check the pallets first", "cause": "quality", "tried": ["rework", "discount"], "text": ""}
    assert ann.post(f"{URL}{library.pk}/learn/", said)["Location"] == f"{URL}{library.pk}/"
    with tenant_scope(cast.tenant):
        row = Case.objects.get(pk=library.pk)
        assert (row.lessons, row.tried) == ("Check the pallets first", ["discount", "rework"])
    assert "Few" in text(ann.get(f"{URL}list/?q=pallets", headers=HX))
    assert "checked" in text(ann.get(f"{URL}{library.pk}/learn/"))


def test_explains_an_empty_library(ann, cast):
    assert "No cases yet" in text(ann.get(URL))
    assert "No cases yet" in text(ann.get(f"{URL}list/"))


def test_says_that_a_lost_customer_has_come_back(ann, cast, library):
    with tenant_scope(cast.tenant):
        Case.objects.filter(pk=library.pk).update(outcome="lost", won_back_on=FRIDAY + dt.timedelta(days=1))
    assert "lost, and won back" in text(ann.get(f"{URL}{library.pk}/"))
    assert "1 case" in text(ann.get(f"{URL}list/?end=won_back", headers=HX))
