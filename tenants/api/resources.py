"""What a resource can do.

An app hands what came in to its services. Every answer passes one of a few gates here, and that is where
the later promises of the API attach:

* `Resource.initial`: after authentication, permission and throttles. A rate limit is a throttle class; it
  finds in `cost` how many rows a request counts for.
* `Resource.one`: the answer with a single row, and the place of its ETag. `Resource.get_object` and
  `WritableResource.row_to_change` look at a row before it is written: the place of If-Match.
* `WritableResource.create` and `batch` and the POST verbs of the apps are all the POSTs there are. They run
  inside the request's transaction, so that an idempotency key is stored together with what it guards.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, ClassVar, Literal

from django.db import models
from django.db.models import Q, QuerySet
from django.http import Http404
from django.utils.translation import gettext as _
from rest_framework import exceptions, serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from tenants.api.access import tenant_request
from tenants.api.batches import Batch
from tenants.api.fields import JSONParser, MergePatchParser, Ref
from tenants.api.lists import KeysetPagination, query_fault, schema_of
from tenants.filters import StrictFilterSet, id_number
from tenants.models import Member
from tenants.permissions import SEES_ALL
from tenants.problems import BadParameters, Fault

Outcome = Literal["created", "updated", "unchanged"]
Name = tuple[str, str]
"""What another system calls a row: (source, external id)."""


class Resource(GenericViewSet):
    """What can be listed and looked at.

    Declare `resource` (the first half of its permissions, and its place below /api/v1/), `queryset` (the
    model's manager), `serializer_class`, `filterset_class`, `orderings` (the first is the usual one) and
    `detailed`, which adds what the serializer reads: the number of queries never grows with the rows.
    """

    resource: ClassVar[str]
    permissions: ClassVar[Mapping[str, str]] = {}
    queryset: Any
    filterset_class: ClassVar[type[StrictFilterSet] | None] = None
    orderings: ClassVar[tuple[str, ...]] = ("updated_at", "-updated_at")
    key: ClassVar[str] = "id"
    # What actions other than the list take in the query string.
    parameters: ClassVar[Mapping[str, frozenset[str]]] = {}
    # Orderings whose column has another name.
    columns: ClassVar[Mapping[str, str]] = {}
    parser_classes = [JSONParser, MergePatchParser]
    lookup_value_regex = "[^/]+"
    http_method_names = ["get", "post", "put", "patch", "head"]

    @property
    def member(self) -> Member:
        return tenant_request(self.request).member

    @property
    def member_or_none(self) -> Member | None:
        """The member; None while the schema is drawn."""
        return getattr(self.request, "member", None)

    @property
    def cost(self) -> int:
        """How many rows the request counts for."""
        return 1

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if self.action != "list" and (faults := self.strange_parameters()):
            raise BadParameters(faults)

    def strange_parameters(self) -> Sequence[Fault]:
        """Faults for every parameter that the action does not have, or that says two things."""
        known = set(self.parameters.get(self.action or "", ()))
        many: set[str] = set()
        if self.action == "list":
            known |= set(KeysetPagination.NAMES)
            if self.filterset_class is not None:
                known |= self.filterset_class.names()
                filters = self.filterset_class.base_filters
                many = {name for name in filters if schema_of(filters[name])["type"] == "array"}
        query = self.request.query_params
        words = _("There is no such parameter; there are: %(known)s.") % {"known": ", ".join(sorted(known)) or "–"}
        faults = [query_fault(name, "unknown_parameter", words) for name in query if name not in known]
        twice = [name for name in query if name in known - many and len(query.getlist(name)) > 1]
        return faults + [query_fault(name, "repeated", _("Say it once.")) for name in twice]

    def column_of(self, ordering: str) -> models.Field[Any, Any] | None:
        """The column of an ordering; None when it is the key itself."""
        name = ordering.removeprefix("-")
        name = self.columns.get(name, name)
        if name == self.key:
            return None
        column: models.Field[Any, Any] = self.queryset.model._meta.get_field(name)
        return column

    def visible(self) -> QuerySet[Any]:
        """The rows that the member sees."""
        rows: QuerySet[Any] = self.queryset.visible_to(self.member)
        return rows

    def detailed(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        """`rows` with all that the serializer reads."""
        return rows

    def get_queryset(self) -> QuerySet[Any]:
        return self.detailed(self.visible())

    def get_object(self) -> Any:
        number = id_number(self.kwargs[self.lookup_url_kwarg or self.lookup_field])
        row = None if number is None else self.get_queryset().filter(**{self.key: number}).first()
        if row is None:
            raise Http404
        return row

    def get_serializer_context(self) -> dict[str, Any]:
        return {**super().get_serializer_context(), "member": self.member_or_none}

    def list(self, request: Request) -> Response:
        rows = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response(self.get_serializer(rows, many=True).data)

    def retrieve(self, request: Request, **_address: str) -> Response:
        return self.one(self.get_object())

    def one(self, row: Any, *, status: int = 200, outcome: Outcome | None = None) -> Response:
        """The answer with a single row; after a write, the header Outcome says what came of it."""
        headers: dict[str, str] = {"Outcome": outcome} if outcome else {}
        if status == 201:
            headers["Location"] = f"/api/v1/{self.resource}/{row.pk}"
        return Response(self.get_serializer(row).data, status=status, headers=headers)


class WritableResource(Resource):
    """A resource that other systems write: created, patched, and upserted by what they call it.

    A subclass hands the checked fields to its app's services with `create_row`, `patch_row` and
    `upsert_row`, each of which is done whole or not at all.
    """

    # Whether what another system calls a row is set once and for all.
    keeps_name: ClassVar[bool] = False

    def rows_called(self, names: Collection[Name]) -> dict[Name, Any]:
        """The tenant's rows that have these names, in one query."""
        wanted = Q()
        for source in {source for source, _external_id in names}:
            wanted |= Q(source=source, external_id__in=[each for other, each in names if other == source])
        return {(row.source, row.external_id): row for row in self.queryset.filter(wanted)} if names else {}

    def create_row(self, fields: dict[str, Any]) -> Any:
        raise NotImplementedError

    def patch_row(self, row: Any, fields: dict[str, Any]) -> Outcome:
        raise NotImplementedError

    def upsert_row(self, source: str, external_id: str, fields: dict[str, Any]) -> tuple[Any, Outcome]:
        """Make the row of that name, which was not there a moment ago; if it is now, change it."""
        raise NotImplementedError

    def write_batch(self, write: Callable[[], None], rows: Iterable[dict[str, Any]]) -> None:
        """Call `write`, which writes the good rows of a batch one by one; `rows` are their fields.

        The place to take locks before, and to do once afterwards what each row would do for itself.
        """
        write()

    @property
    def cost(self) -> int:
        rows = self.request.data.get("rows") if self.action == "batch" and isinstance(self.request.data, dict) else None
        return max(1, len(rows)) if isinstance(rows, list) else 1

    def checked(self, data: Any, *, row: Any = None, name: Name | None = None) -> dict[str, Any]:
        """The fields of one row that came in, without its name if that stands elsewhere.

        A row that exists keeps what is absent. Raises ValidationError with all that is wrong.
        """
        reader = self._reader(merge=row is not None, named=name is not None)
        reader.context["source"] = name[0] if name else _source_in(data)
        fields: dict[str, Any] = reader.run_validation(data)
        if name is not None:
            _take_out_name(fields, *name)
        return fields

    def _reader(self, *, merge: bool, named: bool) -> Any:
        """The serializer for rows of this kind; a batch uses one for all of them, and looks rows up once."""
        readers: dict[tuple[bool, bool], Any] = vars(self).setdefault("readers", {})
        if (merge, named) not in readers:
            context = self.get_serializer_context() | {"merge": merge, "named": named}
            context["referred"] = vars(self).setdefault("referred", {})
            readers[merge, named] = self.get_serializer_class()(context=context)
        return readers[merge, named]

    def look_up_references(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Look up what the rows of a batch refer to, all at once: checking each then asks no more."""
        reader = self._reader(merge=False, named=True)
        for name, field in reader.fields.items():
            if isinstance(field, Ref):
                said = [(row[name], _source_in(row)) for row in rows if name in row]
                field.look_up(said, reader.context["referred"], self.member)

    def rows_to_change(self, names: Collection[Name]) -> tuple[dict[Name, Any], set[Name]]:
        """The rows of these names before they are written, and the names of those that the member does not see."""
        rows = self.rows_called(names)
        if self.member.role in SEES_ALL:
            return rows, set()
        seen = set(self.visible().filter(pk__in=[row.pk for row in rows.values()]).values_list("pk", flat=True))
        return rows, {name for name, row in rows.items() if row.pk not in seen}

    def write_named(self, name: Name, row: Any, fields: dict[str, Any]) -> tuple[Any, Outcome]:
        """Write the row of a name; `row` is what was there of it before."""
        if row is None:
            return self.upsert_row(*name, fields)
        return row, self.patch_row(row, fields)

    def create(self, request: Request) -> Response:
        row = self.create_row(self.checked(request.data))
        return self.one(self.get_queryset().get(pk=row.pk), status=201, outcome="created")

    def partial_update(self, request: Request, pk: str) -> Response:
        """JSON merge patch: what is absent stays, null takes away."""
        row = self.get_object()
        name = (row.source, row.external_id) if self.keeps_name else None
        outcome = self.patch_row(row, self.checked(request.data, row=row, name=name))
        return self.one(self.get_queryset().get(pk=row.pk), outcome=outcome)

    @action(detail=False, url_path="by-external/(?P<source>[^/]+)/(?P<external_id>.+?)", methods=["get"])
    def by_external(self, request: Request, source: str, external_id: str) -> Response:
        """The row that a system calls so."""
        row = self._row_called((source, external_id))
        if row is None:
            raise Http404
        return self.one(self.get_queryset().get(pk=row.pk))

    @by_external.mapping.put
    def upsert(self, request: Request, source: str, external_id: str) -> Response:
        """Create the row that a system calls so, or change it: what is absent stays. Safe to send again."""
        name = (source, external_id)
        row = self._row_called(name)
        written, outcome = self.write_named(name, row, self.checked(request.data, row=row, name=name))
        status = 201 if outcome == "created" else 200
        return self.one(self.get_queryset().get(pk=written.pk), status=status, outcome=outcome)

    def _row_called(self, name: Name) -> Any:
        if any("\0" in part for part in name):
            raise Http404
        rows, hidden = self.rows_to_change([name])
        if hidden:
            raise Http404
        return rows.get(name)

    @action(detail=False, methods=["post"], url_path="batch")
    def batch(self, request: Request) -> Response:
        """Upsert up to 1,000 rows by source and external_id; one result each, in the order they came.

        partial: good rows are written, bad ones are not. all_or_none: one bad row and nothing is written.
        """
        return Response(Batch.of(self, request.data).run())


def _take_out_name(fields: dict[str, Any], source: str, external_id: str) -> None:
    """The name stands elsewhere; in the body it may stand again, but no other one."""
    words = exceptions.ErrorDetail(_("It is called otherwise, and keeps its name."), "differs")
    given = ((name, fields.pop(name, said), said) for name, said in (("source", source), ("external_id", external_id)))
    if wrong := {name: [words] for name, value, said in given if value != said}:
        raise serializers.ValidationError(wrong)


def _source_in(data: Any) -> str:
    source = data.get("source") if isinstance(data, Mapping) else None
    return source if isinstance(source, str) else ""
