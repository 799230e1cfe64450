"""It: writes a page's texts, numbers, icons and lists of choices quickly, and as Django's own functions write them."""

import datetime as dt
from decimal import Decimal
from typing import Any
from unittest import mock

import pytest
from django import forms
from django.urls import reverse
from django.utils import formats, translation
from django.utils.html import conditional_escape, format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy
from hypothesis import given
from hypothesis import strategies as st

from tenants.filters import LongSelect
from tenants.pages import _MARK, addresses
from tenants.templatetags import perennial as words

LANGUAGES = ("en", "zh-hans")
TEXTS = st.text(st.sampled_from("ab<>&\"'é恒\0 "), max_size=8)
VALUES = st.one_of(TEXTS, TEXTS.map(SafeString), st.integers(), st.none(), st.just(gettext_lazy("Green")))


@given(VALUES, st.sampled_from(LANGUAGES))
def test_escapes_as_django_does(value: Any, language: str) -> None:
    with translation.override(language):
        assert words.escaped(value) == conditional_escape(value)


@given(st.integers(0, 10**14), st.sampled_from([0, 2]), st.sampled_from(LANGUAGES))
def test_groups_digits_as_django_does(digits: int, places: int, language: str) -> None:
    value = Decimal(digits).scaleb(-places)
    with translation.override(language):
        assert words.grouped(value, places) == formats.number_format(value, places, use_l10n=True)


def test_groups_digits_as_a_language_wants_that_writes_them_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    otherwise = {"THOUSAND_SEPARATOR": "\u00a0", "DECIMAL_SEPARATOR": ",", "NUMBER_GROUPING": 3}
    monkeypatch.setattr(formats, "get_format", lambda name, *_args, **_given: otherwise[name])
    monkeypatch.setattr(words, "_is_usual", words._is_usual.__wrapped__)  # what it has kept is of languages that exist
    assert words.grouped(Decimal("6480.25"), 2) == "6\u00a0480,25"


@given(TEXTS, st.one_of(TEXTS, TEXTS.map(SafeString)))
def test_draws_an_icon_whatever_it_drew_before(name: str, label: str) -> None:
    drawn = format_html('<svg class="icon" role="img" aria-label="{}"><use href="#i-{}"/></svg>', label, name)
    plain = format_html('<svg class="icon" aria-hidden="true"><use href="#i-{}"/></svg>', name)
    assert words.icon(name, label) == (drawn if label else plain)


def test_draws_an_icon_in_the_language_of_the_page() -> None:
    found = []
    for language in (*LANGUAGES, *LANGUAGES):
        with translation.override(language):
            found.append(words.icon("mail", gettext_lazy("Search")))
    assert found[:2] == found[2:]
    assert found[0] != found[1]


@given(value=st.dates(), language=st.sampled_from(LANGUAGES), this_year=st.booleans())
def test_writes_a_day_as_django_does(value: dt.date, language: str, *, this_year: bool) -> None:
    with translation.override(language), mock.patch.object(words.timezone, "localdate") as today:
        today.return_value = value if this_year else dt.date(value.year % 9999 + 1, 1, 1)
        pattern = {"en": ("j M", "j M Y"), "zh-hans": ("n月j日", "Y年n月j日")}[language][not this_year]
        assert words.day(value) == formats.date_format(value, pattern)


CHOICES = st.lists(
    st.fixed_dictionaries(
        {
            "value": VALUES,
            "label": VALUES,
            "selected": st.booleans(),
            "attrs": st.sampled_from([{}, {"selected": True}, {"disabled": True}, {"disabled": False}]),
        }
    ),
    max_size=4,
)


@given(st.lists(st.tuples(st.one_of(st.none(), TEXTS), CHOICES, st.just(0)), max_size=3))
def test_writes_the_options_of_a_list_as_django_would(groups: list[Any]) -> None:
    def written(choices: list[Any]) -> str:
        rows = (
            (
                each["value"],
                SafeString(" selected") if each["selected"] else "",
                SafeString(" disabled") if each["attrs"].get("disabled") else "",
                each["label"],
            )
            for each in choices
        )
        return format_html_join("", '<option value="{}"{}{}>{}</option>', rows)

    slow = "".join(
        format_html('<optgroup label="{}">{}</optgroup>', group, written(choices)) if group else written(choices)
        for group, choices, _place in groups
    )
    assert words.options({"optgroups": groups}) == slow


@given(
    choices=st.lists(st.tuples(st.one_of(st.none(), st.integers(0, 3), TEXTS), TEXTS), max_size=5),
    value=st.one_of(st.none(), TEXTS, st.integers(0, 3)),
    has_groups=st.booleans(),
)
def test_writes_a_long_list_of_choices_as_a_short_one(choices: list[Any], value: Any, *, has_groups: bool) -> None:
    given = [("", "All"), *choices, *([("Group", [(7, "Seven")])] if has_groups else [])]
    long, short = (kind(choices=given).render("owner", value) for kind in (LongSelect, forms.Select))
    assert long == short


@pytest.mark.parametrize("band", ["green", "yellow", "red", "none"])
@pytest.mark.parametrize("score", [None, 0, 61])
@pytest.mark.parametrize("change", [None, "", -9, -5, 0, 4])
@pytest.mark.parametrize("language", LANGUAGES)
def test_marks_health_as_before(band: str, score: int | None, change: Any, language: str) -> None:
    with translation.override(language):
        number = format_html(" <b>{}</b>", str(score)) if band != "none" and score is not None else ""
        moved = ""
        if isinstance(change, int):
            moved = format_html(
                ' <span class="d{}" title="{}">{}</span>',
                " drop" if change <= -5 else "",
                translation.gettext("%(change)s in a week") % {"change": words.signed(change)},
                words.signed(change),
            )
        slow = format_html(
            '<span class="pn-health" data-band="{}"><svg class="pn-shape" aria-hidden="true"><use href="#pn-{}"/></svg>'
            "<span>{}</span>{}{}</span>",
            band,
            band,
            words._BANDS[band],
            number,
            moved,
        )
        assert words.health_mark(band, score, change) == slow
        assert 'class="pn-health tag"' in words.health_mark(band, score, change, tag=True)


@given(st.integers(0, 2**63 - 1))
def test_knows_the_address_of_any_row(pk: int) -> None:
    address = addresses("customer", tenant="acme")
    assert address(pk) == reverse("customer", kwargs={"tenant": "acme", "pk": pk})


def test_knows_the_address_of_a_row_in_a_firm_with_a_number_for_a_name() -> None:
    slug = f"f{_MARK}"
    assert addresses("customer", tenant=slug)(7) == reverse("customer", kwargs={"tenant": slug, "pk": 7})
