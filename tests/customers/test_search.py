"""It: finds the customers that are meant, by name, number, e-mail and phone, whether few or many have a word."""

from __future__ import annotations

import pytest

from customers import search
from customers.models import Contact, Customer, ExternalId
from customers.rules.search import terms
from customers.search import best, named_like

NAMES = (
    "Alder Trading", "Alder Supplies", "Marlow Trading", "恒通贸易有限公司", "恒通五金", "新华贸易", "Café Nordby 12",
    "C17 Tools",
)  # fmt: skip


@pytest.fixture
def firm(cast, scope):
    """A customer of each name; the first has a number, an e-mail address and a phone."""
    found = {name: Customer.objects.create(name=name, owner_a=cast.ann) for name in NAMES}
    first = found[NAMES[0]]
    ExternalId.objects.create(customer=first, source="erp", value="C1701")
    Contact.objects.create(customer=first, name="Mei", email="mei@alder.example", phone="+86 138 0013 8000")
    return found


def found(text):
    return set(named_like(Customer.objects.all(), text).values_list("name", flat=True))


@pytest.mark.parametrize("few", [0, 1, 2, 10_000])
@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("alder", {"Alder Trading", "Alder Supplies"}),
        ("trad ald", {"Alder Trading"}),
        ("trading", {"Alder Trading", "Marlow Trading"}),
        ("贸易", {"恒通贸易有限公司", "新华贸易"}),
        ("恒通 贸易", {"恒通贸易有限公司"}),
        ("cafe", {"Café Nordby 12"}),
        ("c17", {"Alder Trading", "C17 Tools"}),  # a number in another system, and a name
        ("mei@ald", {"Alder Trading"}),
        ("138 0013 8000", {"Alder Trading"}),
        ("013 8000", {"Alder Trading"}),
        ("rading", set()),
        ("alder 贸易", set()),
        ("&", set()),
        ("' OR 1=1 --", set()),
        ("%", set()),
    ],
)
def test_finds_the_same_whether_a_word_is_rare_or_frequent(firm, monkeypatch, few, text, names):
    monkeypatch.setattr(search, "FEW", few)
    assert found(text) == names


def test_leaves_everybody_where_nothing_is_typed(firm):
    assert found("  ") == set(NAMES)


def test_finds_a_renamed_customer_by_the_new_name_alone(firm):
    row = firm["恒通五金"]
    row.name = "Seabright 海天"
    row.save()
    assert found("seab") == found("海天") == {"Seabright 海天"}
    assert found("恒通") == {"恒通贸易有限公司"}
    assert set(row.search_terms.values_list("term", flat=True)) == terms("Seabright 海天")


def test_names_whose_number_it_is_before_whose_name_begins_so(firm):
    assert [row.name for row in best(Customer.objects.all(), "c1701", 5)] == ["Alder Trading"]
    assert [row.name for row in best(Customer.objects.all(), "c17", 5)] == ["C17 Tools", "Alder Trading"]
    assert [row.name for row in best(Customer.objects.all(), "贸易", 1)] == ["恒通贸易有限公司"]
