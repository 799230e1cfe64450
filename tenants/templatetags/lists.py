"""The heads of a list and the boxes to choose its columns by, written by hand: a template takes ten times as long."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django import template
from django.utils.safestring import SafeString

from tenants.templatetags.perennial import escaped, icon

if TYPE_CHECKING:
    from tenants.pages import Header

register = template.Library()


@register.simple_tag(takes_context=True)
def list_heads(context: template.Context, headers: Sequence[Header]) -> SafeString:
    """The heads of a table's columns; a click on one sorts, by the address that the page has."""
    asked = context["request"].GET.copy()
    asked.pop("sort", None), asked.pop("place", None)
    here = escaped(f"?{asked.urlencode()}&" if asked else "?")

    def head(each: Header) -> str:
        style = ' class="num"' if each.is_number else ""
        state = f' aria-sort="{each.state}"' if each.state else ""
        words = escaped(each.words)
        if each.order:
            address = f"{here}{urlencode({'sort': each.order})}"
            arrow = icon("arrow-up" if each.state == "ascending" else "arrow-down") if each.state else ""
            words = (
                f'<a href="{address}" hx-get="{address}" hx-target="#list" hx-swap="outerHTML" hx-push-url="true">'
                f"{words}{arrow}</a>"
            )
        return f'<th scope="col"{style}{state}>{words}</th>\n'

    return SafeString("".join(map(head, headers)))


@register.simple_tag
def column_boxes(columns: Sequence[tuple[str, Any, bool]], fixed: Sequence[str]) -> SafeString:
    """A box for each column that a list can show, ticked where it does; the fixed ones stay."""

    def box(column: tuple[str, Any, bool]) -> str:
        name, words, is_shown = column
        state = f"{' checked' if is_shown else ''}{' disabled' if name in fixed else ''}"
        return (
            f'<label><input class="form-check-input m-0" type="checkbox" name="columns" value="{name}"{state}>'
            f"{escaped(words)}</label>\n"
        )

    kept = (f'<input type="hidden" name="columns" value="{name}">' for name in fixed)
    return SafeString("".join((*map(box, columns), *kept)))
