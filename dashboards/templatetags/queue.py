"""The rows of Today's queue, written by hand: a template takes ten times as long, and a page has fifty of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django import template
from django.utils.html import conditional_escape
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from tenants.templatetags.perennial import escaped, health_mark, icon

if TYPE_CHECKING:
    from dashboards.today import Row
    from dashboards.views.today import Pane

register = template.Library()


@register.simple_tag
def queue_items(pane: Pane, *, here: str, customers: str, query: str, may_write: bool) -> SafeString:
    """The rows of the queue as items of a list, the current one and the picked ones marked.

    `here` and `customers` are the addresses of Today and of the customers, `query` what Today was asked for.
    """
    here, customers, query = conditional_escape(here), conditional_escape(customers), conditional_escape(query)
    current, picked = pane.current.pk if pane.current else None, frozenset(pane.picked)
    why_here = escaped(_("Rank = money at risk × weight of the reason × urgency of the clock"))
    select = _("Select %(name)s")

    def box(row: Row) -> str:
        """The place in the order, and where the member may act the box over it."""
        number = f'<span aria-hidden="true">{row.number}</span>'
        if not may_write:
            return f'<span class="pn-slot" title="{why_here}">{number}</span>'
        label, checked = escaped(select % {"name": row.name}), " checked" if row.pk in picked else ""
        return (
            f'<label class="pn-slot" title="{why_here}"><input class="form-check-input" type="checkbox" name="pick"'
            f' value="{row.pk}" form="bulk" aria-label="{label}"{checked}>{number}</label>'
        )

    def item(row: Row) -> str:
        style = f"pn-item{' is-current' if row.pk == current else ''}{' is-checked' if row.pk in picked else ''}"
        mark = ' aria-current="true"' if row.pk == current else ""
        one, tier = f"{here}{row.pk}/{query}", f"<small>{escaped(row.tier)}</small>" if row.tier else ""
        return (
            f'<li class="{style}" id="f-{row.pk}" data-id="{row.pk}">\n{box(row)}\n'
            f'<a class="pn-item-link" href="{one}"{mark} data-open="{customers}{row.customer_id}/" hx-get="{one}"'
            ' hx-target="#preview" hx-trigger="pn:open" hx-sync="#preview:replace"'
            f' hx-replace-url="{here}{query}&amp;at={row.pk}">\n'
            f'<span class="pn-item-name clip">{escaped(row.name)}{tier}</span>\n'
            f"{health_mark(row.band, row.score, row.change)}\n"
            f'<span class="pn-item-why clip">{escaped(row.why)}</span>\n'
            f'<span class="pn-item-due {row.state}">{icon(row.icon, row.channel)}{escaped(row.due)}</span>\n</a>\n</li>\n'
        )

    return SafeString("".join(map(item, pane.rows)))
