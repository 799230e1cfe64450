"""The bases of pages: who may see one, how a list is declared, how it leaves as CSV, what a refusal looks like."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from functools import cache, cached_property
from inspect import Parameter, signature
from itertools import chain
from operator import methodcaller
from typing import Any, ClassVar, Final, cast

import django_tables2 as tables
from django import forms
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import (
    NON_FIELD_ERRORS,
    BadRequest,
    FieldDoesNotExist,
    PermissionDenied,
    ValidationError,
)
from django.core.validators import EMPTY_VALUES
from django.db.models import Model, QuerySet, prefetch_related_objects
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.cache import patch_cache_control, patch_vary_headers
from django.utils.formats import localize
from django.utils.functional import Promise
from django.utils.html import conditional_escape
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views import View
from django_htmx.http import HttpResponseClientRedirect
from django_htmx.middleware import HtmxDetails

from tenants.context import tenant_scope
from tenants.export import write_csv
from tenants.filters import StrictFilterSet
from tenants.http import TenantRequest
from tenants.keyset import NoPlace, Place, Window, read_place, write_place
from tenants.lists import COUNT_CAP, Found, Size, all_ids, find, windows_of
from tenants.models import Member
from tenants.templatetags.perennial import escaped

PAGE_SIZE: Final = 50


class TenantView(View):
    """A page inside a tenant: strangers sign in, members without the permission are told so in words.

    `permission` is what reading takes, `write_permission` what POST takes (the same, unless said
    otherwise); a name that no role lists raises. `nav` is the link of the side bar that is current.
    """

    permission: ClassVar[str]
    write_permission: ClassVar[str | None] = None
    nav: ClassVar[str] = ""
    request: TenantRequest

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        member: Member | None = getattr(request, "member", None)
        if member is None:
            return _to_sign_in(request)
        needed = self.write_permission if self.write_permission and request.method == "POST" else self.permission
        if not member.can(needed):
            raise PermissionDenied(
                _("Your role, %(role)s, does not include this page.") % {"role": member.get_role_display()}
            )
        response = super().dispatch(request, *args, **kwargs)
        if not response.has_header("Cache-Control"):
            # Nobody who sits down after sign-out may leaf back through the pages.
            patch_cache_control(response, private=True, no_cache=True)
        return response

    @property
    def member(self) -> Member:
        return self.request.member

    def render(self, template: str, *, status: int = 200, **context: Any) -> HttpResponse:
        """A page or a fragment, with the current link of the side bar."""
        return render(self.request, template, {"nav": self.nav, **context}, status=status)

    def address(self, name: str, **kwargs: Any) -> str:
        """The address of a named page of this tenant."""
        return reverse(name, kwargs={"tenant": self.request.tenant.slug, **kwargs})

    def done(self, name: str, **kwargs: Any) -> HttpResponse:
        """Go on to the named page of this tenant after a write; out of a dialog the whole page follows."""
        address = self.address(name, **kwargs)
        return HttpResponseClientRedirect(address) if self.request.htmx else redirect(address)

    def refuse_unknown(self, *known: str) -> None:
        """Raises BadRequest, in words, for a parameter of the address that the page does not have."""
        if unknown := sorted(set(self.request.GET) - set(known)):
            if not known:
                raise BadRequest(_("This page has no parameters."))
            raise BadRequest(
                _("This page has no parameter %(names)s. It has: %(known)s.")
                % {"names": ", ".join(unknown), "known": ", ".join(sorted(known))}
            )

    def parameters(self, form_class: type[forms.Form]) -> dict[str, Any]:
        """What the address asks for. Raises BadRequest, naming the parameter, for what the form does not have or cannot read."""
        self.refuse_unknown(*form_class.base_fields)
        form = form_class(self.request.GET)
        if not form.is_valid():
            raise BadRequest(" ".join(f"{name}: {' '.join(map(str, words))}" for name, words in form.errors.items()))
        return form.cleaned_data

    def check_export(self, permission: str | None) -> None:
        """Raises PermissionDenied when the member's role does not include the export."""
        if not (permission and self.member.can(permission)):
            raise PermissionDenied(
                _("Your role, %(role)s, does not include the export.") % {"role": self.member.get_role_display()}
            )

    def csv_file(self, name: str, lines: Iterable[str], day: dt.date | None = None) -> StreamingHttpResponse:
        """Lines of CSV as a file, called after what it holds, the firm and the day (today without one)."""
        # Spreadsheets read Chinese only with the mark at the beginning.
        response = StreamingHttpResponse(chain(["\ufeff"], lines), content_type="text/csv; charset=utf-8")
        tenant = self.request.tenant
        response["Content-Disposition"] = f'attachment; filename="{name}-{tenant.slug}-{day or tenant.today()}.csv"'
        return response


def _to_sign_in(request: HttpRequest) -> HttpResponse:
    htmx: HtmxDetails | None = getattr(request, "htmx", None)
    if htmx:
        # A fragment must not swap in the sign-in page: the browser goes there, and comes back to the page.
        address = htmx.current_url_abs_path or "/"
        return HttpResponseClientRedirect(redirect_to_login(address).url)
    return redirect_to_login(request.get_full_path())


_MARK: Final = 987_654_321_987_654_321


def addresses(name: str, **kwargs: Any) -> Callable[[int], str]:
    """The addresses of rows by their number, `reverse` of a name that takes a `pk`: worked out once, for any number."""
    found = reverse(name, kwargs={**kwargs, "pk": _MARK}).split(str(_MARK))
    if len(found) != 2:  # the rest of the address has it, too
        return lambda pk: reverse(name, kwargs={**kwargs, "pk": pk})
    before, after = found
    return lambda pk: f"{before}{pk}{after}"


class FormPage(TenantView):
    """A form, as a page of its own or in the dialog over the page that asked for it.

    `form()` makes it, `save()` writes and answers (a ValidationError of a service is said at its field),
    `back()` is where "Cancel" leads. What was typed survives every refusal.
    """

    heading: ClassVar[str | Promise] = ""
    submit: ClassVar[str | Promise] = gettext_lazy("Save")

    def form(self, data: Any = None, files: Any = None) -> forms.Form:
        raise NotImplementedError

    def save(self, form: Any) -> HttpResponseBase:
        raise NotImplementedError

    def back(self) -> str:
        raise NotImplementedError

    def title(self) -> str:
        return str(self.heading)

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        return self.show(self.form())

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        form = self.form(request.POST, request.FILES)
        if form.is_valid():
            try:
                return self.save(form)
            except ValidationError as refusal:
                _say_at_fields(form, refusal)
        return self.show(form)

    def show(self, form: forms.Form) -> HttpResponse:
        return self.render(
            "components/_form_card.html" if self.request.htmx else "components/form_page.html",
            form=form,
            heading=self.title(),
            submit=self.submit,
            back=self.back(),
            action=self.request.get_full_path(),
        )


def _say_at_fields(form: forms.Form, refusal: ValidationError) -> None:
    by_field = refusal.error_dict if hasattr(refusal, "error_dict") else {NON_FIELD_ERRORS: refusal.error_list}
    for name, errors in by_field.items():
        # A service may know more fields than this form shows: what it says about those stands above the form.
        form.add_error(name if name in form.fields else None, errors)


class PageTable(tables.Table):
    """The columns of a list.

    `fixed` are always shown; `extra` only when somebody asks for them; `needs` are the related rows that a
    column prints, fetched only when it is shown. A list that may grow very long says `indexed`: the columns whose
    order an index gives, each with what tells rows apart in that index ("pk", or the same number beside the column).
    By its other columns it is sorted while it has not more than lists.COUNT_CAP rows, or few enough anyway.
    """

    fixed: ClassVar[tuple[str, ...]] = ()
    extra: ClassVar[tuple[str, ...]] = ()
    needs: ClassVar[Mapping[str, str]] = {}
    indexed: ClassVar[Mapping[str, str]] = {}

    # The library looks everything about a column up again for each cell: most of the time that a list takes. Here it is
    # looked up once for a column, by the same rules: a row's value, or its choice in words; where there is none the
    # column's default; else what `render` or `value` of the column, or of the table for it, makes of it.

    @property
    def body(self) -> SafeString:
        """The rows as table rows."""
        cells = [self._cell(column) for column in self.columns]
        rows = ["".join([cell(row) for cell in cells]) for row in self.data]
        return mark_safe("".join([f"<tr>{row}</tr>\n" for row in rows]))  # noqa: S308  # each cell is escaped

    def values(self) -> Iterator[list[Any]]:
        """The rows as a spreadsheet gets them."""
        columns = [(self._value_of(column), self._shower(column, column.value, None)) for column in self.columns]
        for row in self.data:
            yield [show(value_of(row), row) for value_of, show in columns]

    def _cell(self, column: Any) -> Callable[[Any], str]:
        """Writes a row's cell of a column.

        Rows have much in common: what follows from the value alone is written once for each value that there is.
        """
        opening, value_of = _opening(column), self._value_of(column)
        show = self._shower(column, column.render, column.default)

        def written(value: Any, row: Any) -> str:
            return f"{opening}{escaped(localize(show(value, row)))}</td>"

        if getattr(column.render, "__func__", None) not in _BY_VALUE:
            return lambda row: written(value_of(row), row)
        kept: dict[Any, str] = {}

        def cell(row: Any) -> str:
            value = value_of(row)
            if type(value) not in _ALIKE:
                return written(value, row)
            found = kept.get(value)
            if found is None:
                found = kept[value] = written(value, row)
            return found

        return cell

    def _shower(self, column: Any, show: Callable[..., Any], default: Any) -> Callable[[Any, Any], Any]:
        """Shows the value that a row has in a column."""
        named, empty = _arguments(show), column.column.empty_values
        if named == ("value",):
            return lambda value, _row: default if value in empty else show(value=value)
        if named == ("record",):
            return lambda value, row: default if value in empty else show(record=row)

        def shown(value: Any, row: Any) -> Any:
            if value in empty:
                return default
            given = {"value": value, "record": row, "column": column.column, "bound_column": column, "table": self}
            return show(**{name: given[name] for name in named})

        return shown

    def _value_of(self, column: Any) -> Callable[[Any], Any]:
        """Reads a row's value in a column."""
        model = getattr(self.data.data, "model", None) or self._model
        return _value_of(tables.A(column.accessor), model)

    @property
    def _model(self) -> type[Model] | None:
        return type(self.data[0]) if len(self.data) else None

    class Meta:
        orderable = False  # ListPage sorts: totally ordered, empty values last


@cache
def _sequence(table: Any) -> tuple[str, ...]:
    return tuple(column.name for column in table([]).columns)


def _opening(column: Any) -> str:
    style = column.attrs["td"].get("class", "")
    return f'<td class="{conditional_escape(style)}">' if style else "<td>"


@cache
def _parameters(show: Callable[..., Any]) -> tuple[str, ...]:
    kinds = {Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY}
    return tuple(name for name, each in signature(show).parameters.items() if each.kind in kinds)


def _arguments(show: Callable[..., Any]) -> tuple[str, ...]:
    """The arguments that it takes, without the one it is bound to."""
    function = getattr(show, "__func__", None)
    return _parameters(show) if function is None else _parameters(function)[1:]


def _value_of(path: str, model: type[Model] | None) -> Callable[[Any], Any]:
    """Reads what a path leads to; None where that is not there."""
    *way, last = path.split(".")

    def read(row: Any) -> Any:
        for name in way:
            row = getattr(row, name, None)
        return getattr(row, last, None)

    def read_own(row: Any) -> Any:
        return getattr(row, last, None)

    if way:
        return read
    if model is None:
        return read_own
    try:
        field = model._meta.get_field(last)
    except FieldDoesNotExist:
        return read_own
    return methodcaller(f"get_{last}_display") if getattr(field, "choices", None) else read_own


@dataclass(frozen=True)
class Page:
    """The rows of a page, and the places from which the pages before and after it begin."""

    rows: Sequence[Any] = ()
    before: int = 0
    previous: str | None = None
    next: str | None = None


@dataclass(frozen=True)
class Header:
    """The head of a column: `order` is what a click sorts by (empty: cannot be sorted), `state` how it is sorted."""

    name: str
    words: str
    is_number: bool
    order: str
    state: str


class ListPage(TenantView):
    """A list, declared by four attributes.

    `queryset` (member → rows that the member sees), `filterset`, `table`, `template` (the whole page; it
    includes `fragment`, which is all that HTMX gets). `sort` is the order without a choice, `empty` what an
    empty list explains and offers.

    Filters, order, columns and place live in the address; a parameter that does not exist is a 400 that
    names it. `?export=csv` gives the same rows, in the same order and columns, as a stream.

    A page is found in two steps: which rows it has (`tenants.lists`), then all that their columns show. Pages go by
    position (`tenants.keyset`), so that rows that come or go meanwhile shift nothing.
    """

    queryset: ClassVar[staticmethod[[Member], QuerySet[Any]]]
    filterset: ClassVar[type[StrictFilterSet]]
    table: ClassVar[type[PageTable]]
    template: ClassVar[str]
    fragment: ClassVar[str] = "components/list.html"
    empty: ClassVar[str] = "components/list_empty.html"
    sort: ClassVar[str]
    export_permission: ClassVar[str | None] = None
    export_name: ClassVar[str] = "list"

    OWN: ClassVar[frozenset[str]] = frozenset({"place", "sort", "columns", "export", "filters"})

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        self._refuse_unknown()
        chosen = self.filterset(
            self._filter_values(), queryset=self.seen, request=request, asked_only="filters" not in request.GET
        )
        htmx = self.request.htmx and not self.request.htmx.history_restore_request
        if htmx and "filters" in request.GET:
            return self.render("components/_filters_more.html", filter=chosen)
        columns = self._columns()
        self._refuse_unsortable()
        rows = chosen.qs if chosen.is_valid() else chosen.queryset.none()
        if request.GET.get("export"):
            if not chosen.is_valid():
                raise BadRequest(_("A filter has a value that does not exist."))
            return self._export(rows, columns)
        response = self._page(chosen, rows, columns)
        patch_vary_headers(response, ["HX-Request"])
        return response

    @cached_property
    def seen(self) -> QuerySet[Any]:
        """All rows that the member sees."""
        return self.queryset(self.member)

    def seen_apart(self) -> Sequence[QuerySet[Any]]:
        """The same in parts of which no two have the same row, where an index answers each (`lists.find`); or nothing."""
        return ()

    def counted(self, count: int, shown: str) -> str:
        """How many there are, in words; `shown` is the number as it is written, like 10,000+."""
        return ngettext("%(count)s row", "%(count)s rows", count) % {"count": shown}

    def windows(self, rows: QuerySet[Any]) -> list[Window]:
        """The parts of the list in its order, one after the other."""
        name, falls = self.sorting.removeprefix("-"), self.sorting.startswith("-")
        paths = [str(path).replace(".", "__") for path in self.table.base_columns[name].order_by or (name,)]
        return windows_of(rows, paths, self.table.indexed.get(name, "pk"), falls=falls)

    @property
    def sorting(self) -> str:
        return self.request.GET.get("sort") or self.sort

    def context(self, rows: Sequence[Any]) -> dict[str, Any]:
        """What the template needs beside the list itself."""
        return {}

    def _filter_values(self) -> Any:
        values = self.request.GET.copy()
        for name in self.OWN:
            values.pop(name, None)
        return values

    def _refuse_unknown(self) -> None:
        known = self.OWN | self.filterset.names()
        if unknown := sorted(set(self.request.GET) - known):
            raise BadRequest(
                _("This list has no parameter %(names)s. It has: %(known)s.")
                % {"names": ", ".join(unknown), "known": ", ".join(sorted(known))}
            )
        if self.request.GET.get("export", "csv") != "csv":
            raise BadRequest(_("The one form of export is csv."))
        if self.request.GET.get("filters", "more") != "more":
            raise BadRequest(_("filters is more, or left out."))

    def _columns(self) -> list[str]:
        """The columns to show, in the table's order: asked for now, else as the person last asked, else all usual.

        What the list is sorted by is always among them.
        """
        every = list(self.table.base_columns)
        session, key = self.request.session, f"columns:{self.nav}:{self.table.__name__}"
        asked = self.request.GET.getlist("columns")
        if unknown := sorted(set(asked) - set(every)):
            raise BadRequest(
                _("This list has no column %(names)s. It has: %(known)s.")
                % {"names": ", ".join(unknown), "known": ", ".join(every)}
            )
        if asked and session.get(key) != asked:
            session[key] = asked
        wanted = set(asked or session.get(key) or set(every) - set(self.table.extra)) | set(self.table.fixed)
        wanted.add(self.request.GET.get("sort", "").removeprefix("-"))  # who sorts by something looks at it
        return [name for name in every if name in wanted]

    def _refuse_unsortable(self) -> None:
        name = self.sorting.removeprefix("-")
        column = self.table.base_columns.get(name)
        if column is None or column.orderable is False:
            can = [each for each, column in self.table.base_columns.items() if column.orderable is not False]
            raise BadRequest(
                _("This list cannot be sorted by %(name)s, but by: %(known)s.")
                % {"name": name, "known": ", ".join(can)}
            )

    def _sorts(self, name: str) -> bool:
        """Whether an index gives the order of a column, or the list is never so long that it would have to."""
        return not self.table.indexed or name in self.table.indexed

    def _page(self, chosen: StrictFilterSet, rows: QuerySet[Any], columns: list[str]) -> HttpResponse:
        size: Size = Size(0)
        page: Page | None = Page()
        is_filtered = not chosen.is_valid() or self._is_filtered(chosen)
        if chosen.is_valid():
            size, page = self._rows(rows, columns, () if is_filtered else self.seen_apart())
        shown = page or Page()
        htmx = self.request.htmx and not self.request.htmx.history_restore_request
        return self.render(
            self.fragment if htmx else self.template,
            filter=chosen,
            shows_more="filters" in self.request.GET,
            is_filtered=is_filtered,
            wrong_filters=[(field.label, field.errors) for field in chosen.form if field.errors],
            table=self._bound(shown.rows, columns),
            headers=self._heads(columns, size),
            all_columns=[(name, words, name in columns) for name, words in self._headers],
            fixed_columns=self.table.fixed,
            columns=columns,
            empty_template=self.empty,
            sort=self.request.GET.get("sort"),
            count=size.number,
            count_words=self.counted(size.number, size.shown),
            sort_cap=COUNT_CAP if page is None else None,
            first=shown.before + 1,
            last=shown.before + len(shown.rows),
            is_first="place" not in self.request.GET,
            next_place=shown.next,
            previous_place=shown.previous,
            may_export=bool(self.export_permission and self.member.can(self.export_permission)),
            **self.context(shown.rows),
        )

    def _rows(self, rows: QuerySet[Any], columns: list[str], own: Sequence[QuerySet[Any]]) -> tuple[Size, Page | None]:
        """How many there are, and the page at the place of the address, the first one without.

        None for the page where there are too many to sort them so.
        """
        windows, sorts = self.windows(rows), self._sorts(self.sorting.removeprefix("-"))
        text = self.request.GET.get("place")
        place, backwards = None, False
        if text is not None:
            backwards, text = text.startswith("-"), text.removeprefix("-")
            try:
                place = read_place(text, self.sorting, rows, windows)
            except NoPlace:
                raise BadRequest(_("There is no such place in this list in this order.")) from None
        lot = find(rows, windows, PAGE_SIZE + 1, place=place, backwards=backwards, is_indexed=sorts, own=own)
        if lot.rows is None:
            return lot.size, None
        if backwards and len(lot.rows) <= PAGE_SIZE:  # all before it: the first page, and a full one
            return self._at(find(rows, windows, PAGE_SIZE + 1, is_indexed=sorts, own=own), windows, columns, None)
        return self._at(lot, windows, columns, place, backwards=backwards)

    def _at(
        self, lot: Found, windows: Sequence[Window], columns: list[str], place: Place | None, *, backwards: bool = False
    ) -> tuple[Size, Page]:
        found = lot.rows or []
        more, found = len(found) > PAGE_SIZE, found[:PAGE_SIZE]
        if backwards:
            found.reverse()
        shown = self._shown([pk for _number, pk in found], columns)
        if not shown:
            return lot.size, Page()
        before = 0 if place is None else max(0, place.before - len(found)) if backwards else place.before
        numbers = {pk: number for number, pk in found}

        def place_of(row: Any, before: int) -> str:
            number = numbers[row.pk]
            values = [_value(row, name) for name in windows[number].names[:-1]]
            return write_place(Place(number, (*values, row.pk), before), self.sorting)

        return lot.size, Page(
            rows=shown,
            before=before,
            previous=None if place is None else f"-{place_of(shown[0], before)}",
            next=place_of(shown[-1], before + len(shown)) if more or backwards else None,
        )

    def _shown(self, ids: Sequence[int], columns: list[str]) -> list[Any]:
        """The rows of these ids, in that order, with all that the columns show."""
        if not ids:
            return []
        by_id = {row.pk: row for row in self.seen_among(ids)}
        rows = [by_id[pk] for pk in ids if pk in by_id]
        prefetch_related_objects(rows, *(need for name, need in self.table.needs.items() if name in columns))
        return rows

    def seen_among(self, ids: Sequence[int]) -> Iterable[Any]:
        """Those of these rows that the member sees, in any order, with all that the columns show."""
        return self.seen.filter(pk__in=ids)

    def _is_filtered(self, chosen: StrictFilterSet) -> bool:
        # 0 and "no" are asked for like anything else.
        return any(chosen.form.cleaned_data.get(name) not in EMPTY_VALUES for name in self._filter_values())

    def _bound(self, rows: Sequence[Any], columns: list[str]) -> PageTable:
        hidden = [name for name in self.table.base_columns if name not in columns]
        return self.table(rows, exclude=hidden, request=self.request)

    def _heads(self, columns: list[str], size: Size) -> list[Header]:
        heads = []
        for name, words in self._headers:
            if name not in columns:
                continue
            base = self.table.base_columns[name]
            is_number = "num" in base.attrs.get("td", {}).get("class", "").split()
            first = f"-{name}" if is_number else name  # of numbers people want the big ones first
            state = {name: "ascending", f"-{name}": "descending"}.get(self.sorting, "")
            order = (name if self.sorting == f"-{name}" else f"-{name}") if state else first
            can = base.orderable is not False and (not size.is_capped or self._sorts(name))
            heads.append(Header(name, words, is_number, order if can else "", state))
        return heads

    @cached_property
    def _headers(self) -> list[tuple[str, str]]:
        """Every column and its head, in the table's order."""
        return [(name, str(self.table.base_columns[name].verbose_name)) for name in _sequence(cast(Any, self.table))]

    def _export(self, rows: QuerySet[Any], columns: list[str]) -> StreamingHttpResponse:
        self.check_export(self.export_permission)
        tenant, language = self.request.tenant, translation.get_language()

        def lines() -> Iterator[str]:
            # The response is written after the request's scope has closed: open it again, with its manners.
            with tenant_scope(tenant), translation.override(language), timezone.override(tenant.zone):
                yield from write_csv(self._header_row(columns), self._values(rows, columns))

        return self.csv_file(self.export_name, lines())

    def _header_row(self, columns: list[str]) -> list[str]:
        return [words for name, words in self._headers if name in columns]

    def _values(self, rows: QuerySet[Any], columns: list[str]) -> Iterator[list[Any]]:
        for ids in all_ids(rows, self.windows(rows)):
            yield from self._bound(self._shown(ids, columns), columns).values()


def _value(row: Any, path: str) -> Any:
    for name in path.split("__"):
        row = getattr(row, name)
    return row


# ── columns: what a person reads, and what a spreadsheet gets ────────────────


class PlainColumn(tables.Column):
    """Shows the value in words and exports it as it is."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**({"default": "–"} | kwargs))

    def __deepcopy__(self, memo: dict[int, Any]) -> PlainColumn:
        # The library copies every column for every page, down to the words of each choice. What a column holds is not
        # changed afterwards, only what it holds it by (its accessor, if it had none).
        return copy(self)

    def value(self, value: Any, **kwargs: Any) -> Any:
        return value


class ChoiceColumn(PlainColumn):
    """A choice by its label, on the page and in the export; orders by what is stored."""

    def __init__(self, choices: Any, **kwargs: Any) -> None:
        self.choices = dict(choices)
        super().__init__(**kwargs)

    def render(self, value: Any) -> Any:
        return self.choices.get(value, value)

    def value(self, value: Any, **kwargs: Any) -> Any:
        return self.render(value)


class WordsColumn(PlainColumn):
    """A value as a filter of the screens writes it (day, money, …), right-aligned; exports it as it is."""

    def __init__(self, words: Callable[[Any], str], **kwargs: Any) -> None:
        self.words = words
        super().__init__(**({"attrs": {"td": {"class": "num"}}} | kwargs))

    def render(self, value: Any) -> str:
        return self.words(value)


_BY_VALUE: Final = frozenset({tables.Column.render, ChoiceColumn.render, WordsColumn.render})
"""What is shown by these follows from the value alone, as long as a page is written."""

_ALIKE: Final = frozenset({str, int, dt.date, type(None)})
"""Of these types two values that are equal are also written alike; decimals may differ in their zeros."""

# ── refusals ─────────────────────────────────────────────────────────────────

_TITLES: Final = {
    400: gettext_lazy("That request does not work"),
    403: gettext_lazy("Not for your role"),
    404: gettext_lazy("There is no such page"),
}


def _refusal(request: HttpRequest, status: int, words: str) -> HttpResponse:
    context = {
        "status": status,
        "heading": _TITLES[status],
        "words": words,
        # A member keeps the house around the refusal; a stranger sees no house.
        "layout": "base.html" if getattr(request, "member", None) else "plain.html",
    }
    return render(request, "refusal.html", context, status=status)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """400, saying what was wrong when our own code said so."""
    words = str(exception) if type(exception) is BadRequest else ""
    return _refusal(request, 400, words)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    """403, saying what the role lacks."""
    return _refusal(request, 403, str(exception))


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """404, the same for what does not exist and for what belongs to somebody else."""
    return _refusal(request, 404, "")


def server_error(request: HttpRequest) -> HttpResponse:
    """500, with nothing in it that could fail again: no database, no tenant, so no context processor either."""
    return render(None, "500.html", status=500)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """403 for a form whose sign of origin is missing or old: what was typed is still in the browser."""
    return _refusal(
        request, 403, _("The form was open too long, or cookies are switched off. Go back, reload, send it again.")
    )
