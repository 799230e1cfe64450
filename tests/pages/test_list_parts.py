"""It: writes the heads of a list, the boxes of its columns and its owners by hand, as a template would."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db.models.signals import post_init
from django.template import Context, Engine
from django.test import RequestFactory

from customers.models import Customer
from tenants.context import tenant_scope
from tenants.models import Member, User
from tenants.pages import Header
from tests.pages.conftest import text

URL = "/acme/customers/"

HEADS = """{% for head in headers %}\
<th scope="col"{% if head.is_number %} class="num"{% endif %}{% if head.state %} aria-sort="{{ head.state }}"{% endif %}>\
{% if head.order %}{% query sort=head.order place=None as address %}\
<a href="{{ address }}" hx-get="{{ address }}" hx-target="#list" hx-swap="outerHTML" hx-push-url="true">{{ head.words }}\
{% if head.state == "ascending" %}{% icon "arrow-up" %}{% elif head.state %}{% icon "arrow-down" %}{% endif %}</a>\
{% else %}{{ head.words }}{% endif %}</th>
{% endfor %}"""

BOXES = """{% for name, header, shown in columns %}\
<label><input class="form-check-input m-0" type="checkbox" name="columns" value="{{ name }}"\
{% if shown %} checked{% endif %}{% if name in fixed %} disabled{% endif %}>{{ header }}</label>
{% endfor %}{% for name in fixed %}<input type="hidden" name="columns" value="{{ name }}">{% endfor %}"""


def written(template: str, **context: Any) -> str:
    engine = Engine(libraries={"lists": "tenants.templatetags.lists"}, builtins=["tenants.templatetags.perennial"])
    return str(engine.from_string(template).render(Context(context)))


@pytest.mark.parametrize("query", ["", "q=a%26b&stage=new&sort=name&place=x", "tag=1&tag=2&q=%22%3E%E6%81%92"])
def test_writes_heads_as_a_template_does(query: str) -> None:
    headers = [
        Header("name", "Cust<omer>", is_number=False, order="-name", state="ascending"),
        Header("clv", 'Life & "value"', is_number=True, order="clv", state="descending"),
        Header("tier", "等级", is_number=False, order="tier", state=""),
        Header("tags", "Tags", is_number=True, order="", state=""),
    ]
    request = RequestFactory().get(f"/acme/customers/?{query}")
    said = written("{% load lists %}{% list_heads headers %}", headers=headers, request=request)
    assert said == written(HEADS, headers=headers, request=request)


def test_writes_boxes_as_a_template_does() -> None:
    columns = [("name", "Cust<omer>", True), ("tier", "等级", True), ("clv", 'Life & "value"', False)]
    said = written("{% load lists %}{% column_boxes columns fixed %}", columns=columns, fixed=("name",))
    assert said == written(BOXES, columns=columns, fixed=("name",))


# ── owners ───────────────────────────────────────────────────────────────────


@contextmanager
def made(*models: type) -> Iterator[list[type]]:
    """The rows of these models that are made meanwhile."""
    found: list[type] = []

    def note(sender: type, **_said: Any) -> None:
        found.append(sender)

    for each in models:
        post_init.connect(note, sender=each)
    try:
        yield found
    finally:
        for each in models:
            post_init.disconnect(note, sender=each)


def test_makes_no_people_of_the_owners_of_its_rows(cast: Any, sign_in: Any, noon: None) -> None:
    eve, counts = sign_in(cast.eve), []
    for number in range(3):
        cast.customer(f"C{number}", owner_a=cast.ann, owner_b=cast.bo)
        eve.get(URL)
        with made(Member, User) as found:
            assert "C0" in text(eve.get(URL))
        counts.append(len(found))
    assert len(set(counts)) == 1


def test_calls_an_owner_without_a_name_by_the_address(cast: Any, sign_in: Any, noon: None) -> None:
    cast.customer("C", owner_a=cast.ann, owner_b=cast.bo)
    User.objects.filter(pk=cast.bo.user_id).update(name="")
    address = f"{URL}?columns=owner_a&columns=owner_b&sort=owner_b"
    for page in (text(sign_in(cast.eve).get(address)), text(sign_in(cast.eve).get(f"{address}&export=csv"))):
        assert str(cast.ann) in page
        assert cast.bo.user.email in page
    with tenant_scope(cast.tenant):
        assert Customer.objects.count() == 1
