"""Lists: pages by position, filters that refuse what they do not know."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any, ClassVar, Final, cast

from django.core import signing
from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _
from rest_framework import pagination, serializers
from rest_framework.filters import BaseFilterBackend
from rest_framework.response import Response

from tenants.api.access import tenant_request
from tenants.api.fields import Day
from tenants.context import current_tenant
from tenants.keyset import Place, Window, parts
from tenants.problems import BadParameters, Fault

if TYPE_CHECKING:
    from django.http import QueryDict
    from rest_framework.request import Request
    from rest_framework.views import APIView

    from tenants.api.resources import Resource

PAGE_ROWS: Final = 50
MAX_PAGE_ROWS: Final = 200


def query_fault(name: str, code: str, words: object) -> Fault:
    return Fault(f"?{name}", code, str(words))


def given_day(query: QueryDict, name: str) -> dt.date | None:
    """A day of the query; None when it is not asked for. Raises BadParameters."""
    if name not in query:
        return None
    try:
        day: dt.date = Day().run_validation(query[name])
    except serializers.ValidationError:
        raise BadParameters([query_fault(name, "invalid", _("This is not a day; write 2026-11-20."))]) from None
    return day


def past_day(query: QueryDict, name: str) -> dt.date:
    """A day of the query, which must be there and not after today. Raises BadParameters."""
    day = given_day(query, name)
    if day is None:
        raise BadParameters([query_fault(name, "required", _("Say which day."))])
    if day > current_tenant().today():
        raise BadParameters([query_fault(name, "in_the_future", _("Must not lie in the future."))])
    return day


def two_days(query: QueryDict) -> tuple[dt.date, dt.date]:
    """The days `start` and `end` of the query, neither after today. Raises BadParameters with all that is wrong."""
    days: dict[str, dt.date] = {}
    faults: list[Fault] = []
    for name in ("start", "end"):
        try:
            days[name] = past_day(query, name)
        except BadParameters as wrong:
            faults += wrong.faults
    if len(days) == 2 and days["end"] < days["start"]:
        faults.append(query_fault("end", "before_start", _("Must not lie before start.")))
    if faults:
        raise BadParameters(faults)
    return days["start"], days["end"]


class KeysetPagination(pagination.BasePagination):
    """Pages by position: rows that come or go meanwhile shift nothing.

    The order is total: one of the view's `orderings`, then the row's key. A cursor is signed and holds the
    order, the last row's place in it, and the direction.
    """

    NAMES: ClassVar[tuple[str, ...]] = ("limit", "cursor", "ordering", "count")
    salt: ClassVar[str] = "tenants.api.cursor"

    def __init__(self) -> None:
        self.limit, self.ordering, self.backwards, self.count_kind = PAGE_ROWS, "", False, ""
        self.place: tuple[Any, int] | None = None
        self.count: int | None = None
        self.links: dict[str, str | None] = {"next": None, "previous": None}

    def read(self, query: QueryDict, view: Resource) -> list[Fault]:
        """Take over the parameters; returns what is wrong with them."""
        faults = []
        limit = query.get("limit", str(PAGE_ROWS))
        if limit.isascii() and limit.isdecimal() and len(limit) < 5 and 1 <= int(limit) <= MAX_PAGE_ROWS:
            self.limit = int(limit)
        else:
            faults.append(query_fault("limit", "out_of_range", _("1 to %(most)s.") % {"most": MAX_PAGE_ROWS}))
        self.ordering = query.get("ordering", view.orderings[0])
        if self.ordering not in view.orderings:
            words = _("One of: %(choices)s.") % {"choices": ", ".join(view.orderings)}
            faults.append(query_fault("ordering", "invalid_choice", words))
        elif (cursor := query.get("cursor")) is not None:
            try:
                self._read_cursor(cursor, view)
            except (signing.BadSignature, ValueError, TypeError, ValidationError):
                words = _("Not a cursor of this list in this order; take it from next or previous as it stands.")
                faults.append(query_fault("cursor", "invalid", words))
        self.count_kind = query.get("count", "")
        if self.count_kind not in {"", "exact", "estimated"}:
            words = _("One of: %(choices)s.") % {"choices": "exact, estimated"}
            faults.append(query_fault("count", "invalid_choice", words))
        return faults

    def _read_cursor(self, cursor: str, view: Resource) -> None:
        path, ordering, backwards, value, key = signing.loads(cursor, salt=self.salt)
        if (path, ordering) != (view.resource, self.ordering):
            raise ValueError("a cursor of another list or order")
        self.backwards = bool(backwards)
        column = view.column_of(self.ordering)
        self.place = (column.to_python(value) if column is not None else None, int(key))

    def paginate_queryset(self, queryset: Any, request: Request, view: APIView | None = None) -> list[Any]:
        resource = cast("Resource", view)
        if self.count_kind:
            self.count = _count(queryset, exact=self.count_kind == "exact")
        rows: list[Any] = []
        for _number, part in parts(queryset, self._windows(resource), self._place(resource), backwards=self.backwards):
            rows += part[: self.limit + 1 - len(rows)]
            if len(rows) > self.limit:
                break
        more, rows = len(rows) > self.limit, rows[: self.limit]
        if self.backwards:
            rows.reverse()
        if rows:
            # Whence the caller came, there is something: the row that the cursor names.
            before = more if self.backwards else self.place is not None
            after = self.place is not None if self.backwards else more
            self.links = {
                "next": self._link(request, resource, rows[-1], backwards=False) if after else None,
                "previous": self._link(request, resource, rows[0], backwards=True) if before else None,
            }
        return rows

    def _windows(self, view: Resource) -> list[Window]:
        """The list in its order; rows without a value in the column come last, whichever way it is ordered."""
        sign = "-" if self.ordering.startswith("-") else ""
        column, key = view.column_of(self.ordering), f"{sign}{view.key}"
        if column is None:
            return [Window(Q(), (key,))]
        order = (f"{sign}{column.name}", key)
        if not column.null:
            return [Window(Q(), order)]
        bare = Q(**{f"{column.name}__isnull": True})
        return [Window(~bare, order), Window(bare, (key,))]

    def _place(self, view: Resource) -> Place | None:
        if self.place is None:
            return None
        value, key = self.place
        column = view.column_of(self.ordering)
        if column is None:
            return Place(0, (key,), 0)
        return Place(1, (key,), 0) if value is None else Place(0, (value, key), 0)

    def _link(self, request: Request, view: Resource, row: Any, *, backwards: bool) -> str:
        column = view.column_of(self.ordering)
        bare = column is None or column.value_from_object(row) is None
        value = None if column is None or bare else column.value_to_string(row)
        state = [view.resource, self.ordering, int(backwards), value, getattr(row, view.key)]
        query = request.query_params.copy()
        query["cursor"] = signing.dumps(state, salt=self.salt)
        return request.build_absolute_uri(f"{request.path}?{query.urlencode()}")

    def get_paginated_response(self, data: Any) -> Response:
        body: dict[str, Any] = {"results": data, **self.links}
        if self.count is not None:
            body["count"] = self.count
        names = {"next": "next", "previous": "prev"}
        links = [f'<{url}>; rel="{names[name]}"' for name, url in self.links.items() if url]
        return Response(body, headers={"Link": ", ".join(links)} if links else None)

    def get_schema_operation_parameters(self, view: APIView) -> list[dict[str, Any]]:
        orderings = cast("Resource", view).orderings
        return [
            _parameter("limit", {"type": "integer", "minimum": 1, "maximum": MAX_PAGE_ROWS, "default": PAGE_ROWS}),
            _parameter("cursor", {"type": "string"}, "From next or previous, as it stands."),
            _parameter("ordering", {"type": "string", "enum": list(orderings), "default": orderings[0]}),
            _parameter("count", {"type": "string", "enum": ["estimated", "exact"]}, "Adds count to the answer."),
        ]

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        link = {"type": ["string", "null"], "format": "uri"}
        return {
            "type": "object",
            "required": ["results", "next", "previous"],
            "properties": {"results": schema, "next": link, "previous": link, "count": {"type": "integer"}},
        }


def _count(rows: QuerySet[Any], *, exact: bool) -> int:
    """How many rows there are; estimated: as many as the planner expects."""
    if exact:
        return rows.order_by().count()
    plan = json.loads(rows.order_by().explain(format="json"))
    return int(plan[0]["Plan"]["Plan Rows"])


def _parameter(name: str, schema: dict[str, Any], description: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {"name": name, "in": "query", "required": False, "schema": schema}
    return found | {"description": description} if description else found


class StrictFilterBackend(BaseFilterBackend):
    """Filters a list by the view's FilterSet; refuses everything that is wrong in the query at once."""

    def filter_queryset(self, request: Request, queryset: QuerySet[Any], view: APIView) -> QuerySet[Any]:
        resource = cast("Resource", view)
        if resource.action != "list":
            return queryset
        query = request.query_params
        faults = [*resource.strange_parameters()]
        paginator: KeysetPagination = resource.paginator  # type: ignore[assignment]  # the stubs know only the base
        faults += paginator.read(query, resource)
        if resource.filterset_class is not None:
            chosen = resource.filterset_class(query, queryset=queryset, request=tenant_request(request))
            if chosen.is_valid():
                queryset = chosen.qs
            else:
                for name, found in chosen.errors.as_data().items():
                    faults += [query_fault(name, e.code or "invalid", " ".join(e.messages)) for e in found]
        if faults:
            raise BadParameters(faults)
        return queryset

    def get_schema_operation_parameters(self, view: APIView) -> list[dict[str, Any]]:
        chosen = getattr(view, "filterset_class", None)
        if chosen is None:
            return []
        return [
            _parameter(name, schema_of(each), str(each.extra.get("help_text") or each.label or ""))
            for name, each in chosen.base_filters.items()
        ]


def schema_of(each: Any) -> dict[str, Any]:
    """The JSON schema of a filter's value, from what it declares: no query is asked for it."""
    kind = type(each).__name__
    choices = each.extra.get("choices")
    if choices is not None and not callable(choices):
        one = {"type": "string", "enum": [value for value, _label in choices]}
        return {"type": "array", "items": one} if kind == "MultipleChoiceFilter" else one
    formats = {"IsoDateTimeFilter": "date-time", "DateFilter": "date"}
    if kind in formats:
        return {"type": "string", "format": formats[kind]}
    return {"type": "boolean"} if kind == "BooleanFilter" else {"type": "string"}
