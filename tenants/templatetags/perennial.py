"""Words and numbers as the screens write them: money short and exact, signed changes, dates, health."""

from __future__ import annotations

import datetime as dt
import html
from decimal import ROUND_HALF_EVEN, Decimal
from functools import cache, lru_cache
from typing import Any, Final

from django import template
from django.utils import formats, timezone, translation
from django.utils.dates import MONTHS_3
from django.utils.html import conditional_escape, format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext, pgettext_lazy

from tenants.context import active_tenant
from tenants.kept import Kept

register = template.Library()

_SYMBOLS = {"CNY": "¥", "GBP": "£", "EUR": "€", "USD": "$", "JPY": "¥", "HKD": "HK$"}
MINUS = "\u2212"

ICONS_KEPT: Final = 512
"""Icons kept as they are written; a page draws some hundred, of a few dozen kinds."""


def escaped(value: Any) -> str:
    """A value as HTML, as `conditional_escape` writes it.

    A page has a thousand texts. Of a plain one nobody need ask whether it is a translation that waits to be looked up:
    that took most of the time.
    """
    return html.escape(value) if type(value) is str else conditional_escape(value)


def symbol(currency: str) -> str:
    """£ for GBP; a currency without a sign of its own keeps its three letters."""
    return _SYMBOLS.get(currency, f"{currency}\u00a0")


def _chinese() -> bool:
    return (translation.get_language() or "").startswith("zh")


def _currency() -> str:
    tenant = active_tenant()
    return tenant.currency if tenant else ""


_UNIT: Final = Decimal(1)
_CENT: Final = Decimal("0.01")
_USUAL: Final = (",", ".", 3)


def grouped(value: Decimal, places: int) -> str:
    """A number that has so many decimals, as Django's `number_format` writes it in the reader's language.

    Where thousands and decimals are written as Python writes them, Python does it: Django goes digit by digit.
    """
    if _is_usual(translation.get_language()):
        return f"{value:,.{places}f}"
    return str(formats.number_format(value, places, use_l10n=True))


@cache
def _is_usual(language: str | None) -> bool:
    names = ("THOUSAND_SEPARATOR", "DECIMAL_SEPARATOR", "NUMBER_GROUPING")
    return tuple(formats.get_format(name, language) for name in names) == _USUAL


@register.filter
def money(value: Decimal | int | None, currency: str = "") -> str:
    """Exact form, where somebody decides or signs: £6,480 or £6,480.25."""
    if value in (None, ""):  # in a template what is not there is an empty text
        return "–"
    value = Decimal(value)
    places = 0 if value == value.to_integral_value() else 2
    text = grouped(abs(value.quantize(_CENT if places else _UNIT, ROUND_HALF_EVEN)), places)
    return f"{MINUS if value < 0 else ''}{symbol(currency or _currency())}{text}"


@register.filter
def exact_money(value: Decimal | None, currency: str = "") -> str:
    """Every decimal there is, where somebody reckons on with it: £1,039.9998; £6,480.25, £6,480."""
    if value in (None, ""):
        return "–"
    value = Decimal(value)
    exponent = value.normalize().as_tuple().exponent
    decimals = -exponent if isinstance(exponent, int) and exponent < 0 else 0
    text = formats.number_format(abs(value), 2 if decimals == 1 else decimals, use_l10n=True)
    return f"{MINUS if value < 0 else ''}{symbol(currency or _currency())}{text}"


@register.filter
def round_money(value: Decimal | None) -> str:
    """A mean of money: whole units from 1,000 up, else cents: £12,480, £476.53."""
    if value in (None, ""):
        return "–"
    value = Decimal(value)
    return money(value.quantize(Decimal(1) if abs(value) >= 1000 else Decimal("0.01")))


@register.filter
def short_money(value: Decimal | None, currency: str = "") -> str:
    """Short form, on strips and axes: £21.7M, £620k; ¥2,170万, from 1亿 ¥1.2亿."""
    if value in (None, ""):
        return "–"
    value = Decimal(value)
    steps = (
        [(Decimal(10**8), "亿", 1), (Decimal(10**4), "万", 0)]
        if _chinese()
        else [(Decimal(10**9), "B", 1), (Decimal(10**6), "M", 1), (Decimal(10**3), "k", 0)]
    )
    size, sign = abs(value), MINUS if value < 0 else ""
    for unit, word, places in steps:
        if size >= unit:
            number = (size / unit).quantize(Decimal(1).scaleb(-places))
            return (
                f"{sign}{symbol(currency or _currency())}{formats.number_format(number, places, use_l10n=True)}{word}"
            )
    return (
        f"{sign}{symbol(currency or _currency())}{formats.number_format(size.quantize(Decimal(1)), 0, use_l10n=True)}"
    )


@register.filter
def whole(value: int | None) -> str:
    """A count with separators: 12,480."""
    return "–" if value is None else str(formats.number_format(value, 0, use_l10n=True, force_grouping=True))


@register.filter
def signed(value: int | Decimal | None) -> str:
    """A change with a true minus: −9, +5, 0."""
    if value is None:
        return ""
    return f"{MINUS if value < 0 else '+' if value > 0 else ''}{abs(value)}"


@register.filter
def percent(value: float | None) -> str:
    return "–" if value is None else f"{round(value * 100)}%".replace("-", MINUS)


@register.filter
def percent_part(value: float | Decimal | None) -> str:
    """A share with the decimals that say something, at most two: 99.94%, 97.7%, 50%."""
    if value is None:
        return "–"
    exact = (Decimal(str(value)) * 100).quantize(Decimal("0.01")).normalize()
    exponent = exact.as_tuple().exponent
    places = -exponent if isinstance(exponent, int) and exponent < 0 else 0
    return f"{formats.number_format(exact, places)}%"


@register.filter
def percent_tenth(value: float | Decimal | None) -> str:
    """A share with one decimal where it says something: 92.4%, 100%."""
    if value is None:
        return "–"
    exact = (Decimal(str(value)) * 100).quantize(Decimal("0.1"))
    return f"{formats.number_format(exact, 0 if exact == exact.to_integral_value() else 1)}%".replace("-", MINUS)


@register.filter
def percent_change(value: float) -> str:
    """How much more or less than before: −5%, +12%."""
    return f"{signed(round(value * 100))}%"


@register.filter
def plain(value: Decimal) -> str:
    """A quantity without zeros that say nothing: 12, 0.5."""
    return format(value.normalize(), "f").replace("-", MINUS)


@register.filter
def day(value: dt.date | None) -> str:
    """20 Nov; another year is named: 20 Nov 2025. In Chinese 11月20日, 2025年11月20日."""
    if value is None:
        return "–"
    this_year = value.year == timezone.localdate().year
    # By hand, as `date_format` would write "j M Y": a list has a hundred of them.
    if _chinese():
        text = f"{value.month}月{value.day}日"
        return text if this_year else f"{value.year:04}年{text}"
    text = f"{value.day} {MONTHS_3[value.month].title()}"
    return text if this_year else f"{text} {value.year:04}"


@register.filter
def long_day(value: dt.date | None) -> str:
    """20 November 2026, 2026年11月20日."""
    return "–" if value is None else str(formats.date_format(value, "Y年n月j日" if _chinese() else "j F Y"))


@register.filter
def month_year(value: dt.date) -> str:
    """Nov 2026, 2026年11月."""
    return str(formats.date_format(value, "Y年n月" if _chinese() else "M Y"))


@register.filter
def month_year_long(value: dt.date) -> str:
    """November 2026, 2026年11月."""
    return str(formats.date_format(value, "Y年n月" if _chinese() else "F Y"))


@register.filter
def month_day(value: dt.date) -> str:
    """3 Dec, 12月3日: a birthday, whose year is nobody's business."""
    return str(formats.date_format(value, "n月j日" if _chinese() else "j M"))


@register.filter
def local_day(value: dt.datetime | None) -> dt.date | None:
    """The tenant's calendar day of a moment."""
    return None if value is None else timezone.localtime(value).date()


@register.filter
def days_ago(value: dt.datetime) -> int:
    """How many of the tenant's calendar days ago that was."""
    return (timezone.localdate() - timezone.localtime(value).date()).days


@register.filter
def weekday_day(value: dt.date) -> str:
    """Mon 23 Nov, 周一 11月23日."""
    return str(formats.date_format(value, "D n月j日" if _chinese() else "D j M"))


@register.filter
def clock(value: dt.datetime | None) -> str:
    """16:00 in the tenant's zone."""
    return "" if value is None else timezone.localtime(value).strftime("%H:%M")


@register.filter
def moment(value: dt.datetime | None) -> str:
    """A point in time as people say it: 14:05 today, 20 Nov 14:05 before."""
    if value is None:
        return "–"
    local = timezone.localtime(value)
    return clock(value) if local.date() == timezone.localdate() else f"{day(local.date())} {clock(value)}"


@register.filter
def due(value: Any, today: dt.date) -> str:
    """When a follow-up is due, in words: Today 18:00, 1 day late, Mon 23 Nov."""
    late = (today - value.due_on).days
    if late > 0:
        return ngettext("%(days)d day late", "%(days)d days late", late) % {"days": late}
    if late == 0:
        return _("Today %(time)s") % {"time": clock(value.due_at)} if value.due_at else pgettext("due", "Today")
    return weekday_day(value.due_on)


_CHANNEL_ICONS = {
    "phone": "phone",
    "visit": "walk",
    "wechat": "brand-wechat",
    "sms": "device-mobile-message",
    "email": "mail",
    "app": "device-mobile",
    "store": "building-store",
}


@register.filter
def channel_icon(channel: str) -> str:
    """The icon of a way to reach somebody."""
    return _CHANNEL_ICONS.get(channel, "message")


@register.simple_tag
def comma() -> str:
    """What stands between two parts of a line: Chinese has a mark of its own."""
    return pgettext("between clauses", ", ")


@register.simple_tag
def stop() -> str:
    """What stands between two sentences."""
    return pgettext("between sentences", ". ")


@register.simple_tag
@lru_cache(ICONS_KEPT, typed=True)  # its arguments say all there is to know; a text and a safe text are two
def icon(name: str, label: str = "") -> SafeString:
    """An outline from the sprite; with a label it is read out, without one it is decoration."""
    if label:
        return format_html('<svg class="icon" role="img" aria-label="{}"><use href="#i-{}"/></svg>', label, name)
    return format_html('<svg class="icon" aria-hidden="true"><use href="#i-{}"/></svg>', name)


_BANDS = {
    "green": gettext_lazy("Green"),
    "yellow": gettext_lazy("Yellow"),
    "red": gettext_lazy("Red"),
    "none": pgettext_lazy("health", "Not enough data"),
}


@register.simple_tag
def health_mark(
    band: str, score: int | None = None, change: int | str | None = None, *, tag: bool = False
) -> SafeString:
    """Health as shape, word and number; colour comes last. `change` is that of a week, `tag` sets it on a ground."""
    number = f" <b>{escaped(str(score))}</b>" if band != "none" and score is not None else ""
    moved = ""
    if isinstance(change, int):
        title = escaped(_("%(change)s in a week") % {"change": signed(change)})
        moved = f' <span class="d{" drop" if change <= -5 else ""}" title="{title}">{signed(change)}</span>'
    shape = escaped(band)
    return SafeString(
        f'<span class="pn-health{" tag" if tag else ""}" data-band="{shape}"><svg class="pn-shape" aria-hidden="true">'
        f'<use href="#pn-{shape}"/></svg><span>{escaped(str(_BANDS[band]))}</span>{number}{moved}</span>'
    )


@register.simple_tag(takes_context=True)
def query(context: template.Context, **changes: Any) -> str:
    """The address of this page with some parameters changed; None drops one. Filters live in the URL."""
    parameters = context["request"].GET.copy()
    for name, value in changes.items():
        parameters.pop(name, None)
        if value is not None:
            parameters[name] = value
    return f"?{parameters.urlencode()}"


@register.simple_tag(takes_context=True)
def again(context: template.Context, name: str) -> SafeString:
    """A part of the page that stands in two places, from one template: written once in a request, for both are alike."""
    kept = vars(context["request"]).setdefault("_written", {})
    if name not in kept:
        kept[name] = template.Engine.get_default().get_template(name).render(context)
    found: SafeString = kept[name]
    return found


PARTS_KEPT: Final = 1024
_parts: Final[Kept[tuple[Any, ...], SafeString]] = Kept(PARTS_KEPT)


def _kept(context: template.Context, name: str, *by: Any) -> SafeString:
    def write() -> SafeString:
        return template.Engine.get_default().get_template(name).render(context)

    return _parts.get((name, translation.get_language(), *by), write)


@register.simple_tag(takes_context=True)
def worded(context: template.Context, name: str) -> SafeString:
    """A part that depends on the language alone: written once in each."""
    return _kept(context, name)


@register.simple_tag(takes_context=True)
def side_bar_links(context: template.Context) -> SafeString:
    """The links of the side bar: written once for whoever has the same links, with the same numbers, and is at the same one."""
    return _kept(context, "components/nav.html", context.get("nav", ""), tuple(context.get("side_bar") or ()))


@register.filter
def can(member: Any, permission: str) -> bool:
    """Whether the member may; a name that does not exist raises."""
    return bool(member and member.can(permission))


@register.filter
def item(mapping: dict[Any, Any], key: Any) -> Any:
    return mapping.get(key)


# ── forms: the classes that the stylesheet knows, for our forms and everybody else's ─────────────

_WIDE = {"textarea", "file", "clearablefile", "checkboxselectmultiple"}


@register.filter
def is_checkbox(field: Any) -> bool:
    """One box to tick: its label stands beside it."""
    return bool(field.widget_type == "checkbox")


@register.filter
def is_wide(field: Any) -> bool:
    """A field that takes the whole width of a form of two columns."""
    return field.widget_type in _WIDE or bool(field.field.widget.attrs.get("data-wide"))


@register.filter
def control_class(widget: dict[str, Any]) -> str:
    """The class of a control by what it is, with what its widget asked for."""
    kind, template_name = widget.get("type"), widget.get("template_name", "")
    if kind == "hidden" or ("option" in template_name and kind not in {"checkbox", "radio"}):
        control = ""
    elif kind in {"checkbox", "radio"}:
        control = "form-check-input"
    elif "select" in template_name and "checkbox" not in template_name and "radio" not in template_name:
        control = "form-select"
    elif kind or "textarea" in template_name:
        control = "form-control"
    else:
        control = ""
    wrong = "is-invalid" if control and widget["attrs"].get("aria-invalid") else ""
    return " ".join(filter(None, [control, wrong, widget["attrs"].get("class", "")]))


@register.filter
def options(widget: dict[str, Any]) -> SafeString:
    """The options of a list to choose from, in their groups."""
    parts: list[str] = []
    for group, choices, _place in widget["optgroups"]:
        if group:
            parts.append(f'<optgroup label="{escaped(group)}">')
        for each in choices:
            state = " selected" if each["selected"] else ""
            if each["attrs"].get("disabled"):
                state += " disabled"
            parts.append(f'<option value="{escaped(each["value"])}"{state}>{escaped(each["label"])}</option>')
        if group:
            parts.append("</optgroup>")
    return SafeString("".join(parts))
