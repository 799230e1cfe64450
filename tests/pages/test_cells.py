"""It: writes the rows of a list quickly, and as they are written cell by cell."""

import datetime as dt
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from django.utils import translation
from django.utils.formats import localize
from django.utils.html import conditional_escape, format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy
from hypothesis import given
from hypothesis import strategies as st

from customers.models import Tag
from dashboards.tables import CustomerTable
from segmentation.models import Tier
from tenants.pages import ChoiceColumn, PageTable, PlainColumn, WordsColumn
from tenants.templatetags.perennial import day, money, signed

TEXTS = st.text(st.sampled_from("ab<>&\"'恒 "), max_size=4)
DAYS = st.dates(dt.date(2024, 1, 1), dt.date(2026, 12, 31))
# Equal, and not alike: 1, 1.0, True, and decimals of different length.
EQUAL = st.sampled_from([None, "", 0, 1, 1.0, True, False, Decimal("1"), Decimal("1.0"), Decimal("1.00"), "1"])
ANY = st.one_of(EQUAL, TEXTS, TEXTS.map(SafeString), st.integers(-9999, 9999), DAYS, st.just(gettext_lazy("Green")))


class Row(SimpleNamespace):
    """A row of which the model knows nothing."""

    _meta = Tag._meta


ROWS = st.lists(
    st.builds(
        Row,
        plain=ANY,
        choice=st.sampled_from([None, "", "key", "gold", "unheard <of>"]),
        day=st.one_of(st.none(), DAYS),
        money=st.one_of(st.none(), st.decimals(-(10**6), 10**6, places=4)),
        change=st.one_of(st.none(), st.integers(-20, 20)),
        both=ANY,
        within=st.one_of(st.none(), st.builds(SimpleNamespace, name=ANY)),
        numbered=st.integers(0, 3),
    ),
    min_size=1,
    max_size=8,
)


class Both(PlainColumn):
    def render(self, value: Any, record: Any) -> Any:
        return format_html("<i>{}</i> {}", value, record.numbered)


class Everything(PageTable):
    """A column of each kind."""

    plain = PlainColumn()
    choice = ChoiceColumn(Tier.choices, attrs={"td": {"class": "num"}})
    day = WordsColumn(day)
    money = WordsColumn(money)
    change = WordsColumn(signed, empty_values=())
    both = Both(empty_values=())
    within = PlainColumn(accessor="within.name")
    missing = PlainColumn()
    numbered = PlainColumn()
    fixed: ClassVar[tuple[str, ...]] = ()

    class Meta(PageTable.Meta):
        pass

    count = 0

    def render_numbered(self, value: int) -> str:
        self.count += 1
        return f"{value} of {self.count}"


def slowly(table: Any) -> str:
    """Cell by cell, nothing kept from one to the next."""

    def cell(column: Any, row: Any) -> str:
        value = row
        for name in str(column.accessor).split("."):
            value = getattr(value, name, None)
        given = {"value": value, "record": row, "both": None}
        if value in column.column.empty_values:
            shown = column.default
        else:
            names = {"both": ("value", "record")}.get(column.name, ("value",))
            shown = column.render(**{name: given[name] for name in names})
        style = column.attrs["td"].get("class", "")
        return f"<td{f' class={chr(34)}{style}{chr(34)}' if style else ''}>{conditional_escape(localize(shown))}</td>"

    return "".join(f"<tr>{''.join(cell(column, row) for column in table.columns)}</tr>\n" for row in table.data)


@given(ROWS, st.sampled_from(["en", "zh-hans"]))
def test_writes_each_cell_as_if_it_were_alone(rows: list[Any], language: str) -> None:
    with translation.override(language):
        assert Everything(rows).body == slowly(Everything(rows))


@given(ROWS)
def test_gives_a_spreadsheet_the_values_themselves(rows: list[Any]) -> None:
    got = list(Everything(rows, exclude=("both", "numbered", "missing")).values())
    assert [line[0] for line in got] == [None if row.plain in (None, "") else row.plain for row in rows]
    assert [line[3] for line in got] == [row.money for row in rows]


def test_does_not_let_one_page_change_the_columns_of_another() -> None:
    first, second = CustomerTable([]), CustomerTable([])
    ours, theirs, kept = first.columns["tier"].column, second.columns["tier"].column, CustomerTable.base_columns["tier"]
    assert ours is not theirs
    assert ours is not kept
    assert str(ours.accessor) == "tier"
    assert kept.accessor is None


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_writes_a_choice_in_the_language_of_the_page(language: str) -> None:
    with translation.override(language):
        assert str(Tier.KEY.label) in Everything([Row(choice="key")], exclude=("both", "numbered")).body
