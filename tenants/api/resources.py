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

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Final, Literal, cast

from django.core.exceptions import ValidationError as DjangoValidationError
from django.db import models, transaction
from django.db.models import QuerySet
from django.http import Http404
from django.utils.translation import gettext as _
from rest_framework import exceptions, serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from tenants.api.access import tenant_request
from tenants.api.fields import JSONParser, MergePatchParser, Strict
from tenants.api.lists import KeysetPagination, query_fault, schema_of
from tenants.filters import StrictFilterSet, id_number
from tenants.models import Member
from tenants.permissions import SEES_ALL
from tenants.problems import KINDS, BadParameters, Fault, Problem, pointer, problem_of

Outcome = Literal["created", "updated", "unchanged"]

MAX_BATCH_ROWS: Final = 1_000


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
    # Orderings whose column has another name.
    columns: ClassVar[Mapping[str, str]] = {}
    parser_classes = [JSONParser, MergePatchParser]
    lookup_value_regex = "[^/]+"
    metadata_class = None

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
        known: set[str] = set()
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


class BatchMode(models.TextChoices):
    PARTIAL = "partial"
    ALL_OR_NONE = "all_or_none"


class BatchRequest(Strict):
    """Up to 1,000 rows, each with source and external_id, and how to take a bad one."""

    mode = serializers.ChoiceField(choices=BatchMode.choices, default=BatchMode.PARTIAL)
    rows = serializers.ListField(child=serializers.JSONField(), min_length=1, max_length=MAX_BATCH_ROWS)


class _Undone(Exception):
    """One row of a batch in the mode all_or_none has failed."""


class WritableResource(Resource):
    """A resource that other systems write: created, patched, and upserted by what they call it.

    A subclass says with `called` which row a name belongs to and hands the checked fields to its app's
    services with `create_row`, `patch_row` and `upsert_row`.
    """

    # Whether what another system calls a row is set once and for all.
    keeps_name: ClassVar[bool] = False

    def called(self, source: str, external_id: str) -> QuerySet[Any]:
        """The query for the one row of the tenant, if any, that `source` calls `external_id`."""
        rows: QuerySet[Any] = self.queryset.filter(source=source, external_id=external_id)
        return rows

    def create_row(self, fields: dict[str, Any]) -> Any:
        raise NotImplementedError

    def patch_row(self, row: Any, fields: dict[str, Any]) -> Outcome:
        raise NotImplementedError

    def upsert_row(self, source: str, external_id: str, fields: dict[str, Any], there: Any) -> tuple[Any, Outcome]:
        """Write the row of that name; `there` is the row before, None if there was none."""
        raise NotImplementedError

    def before_batch(self, rows: Iterable[dict[str, Any]]) -> None:
        """Called with the fields of all good rows before the first is written: the place to take locks."""

    @property
    def cost(self) -> int:
        rows = self.request.data.get("rows") if self.action == "batch" and isinstance(self.request.data, dict) else None
        return max(1, len(rows)) if isinstance(rows, list) else 1

    def checked(
        self,
        data: Any,
        *,
        row: Any = None,
        name: tuple[str, str] | None = None,
        referred: dict[Any, Any] | None = None,
    ) -> dict[str, Any]:
        """The fields of one row that came in, without its name if that stands elsewhere.

        A row that exists keeps what is absent. Raises ValidationError with all that is wrong.
        """
        context = self.get_serializer_context() | {"merge": row is not None, "named": name is not None}
        context["source"] = name[0] if name else _source_in(data)
        context["referred"] = {} if referred is None else referred
        serializer = self.get_serializer_class()(data=data, context=context)
        serializer.is_valid(raise_exception=True)
        fields: dict[str, Any] = serializer.validated_data
        if name is not None:
            _take_out_name(fields, *name)
        return fields

    def row_to_change(self, source: str, external_id: str) -> Any:
        """The row of that name, before it is written; None if there is none.

        Raises Http404 for one that the member does not see.
        """
        row = self.called(source, external_id).first()
        if row is None or self.member.role in SEES_ALL:
            return row
        if not self.visible().filter(pk=row.pk).exists():
            raise Http404
        return row

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
        if "\0" in source + external_id:
            raise Http404
        row = self.get_queryset().filter(pk__in=self.called(source, external_id).values("pk")).first()
        if row is None:
            raise Http404
        return self.one(row)

    @by_external.mapping.put
    def upsert(self, request: Request, source: str, external_id: str) -> Response:
        """Create the row that a system calls so, or change it: what is absent stays. Safe to send again."""
        if "\0" in source + external_id:
            raise Http404
        row = self.row_to_change(source, external_id)
        fields = self.checked(request.data, row=row, name=(source, external_id))
        written, outcome = self.upsert_row(source, external_id, fields, row)
        status = 201 if outcome == "created" else 200
        return self.one(self.get_queryset().get(pk=written.pk), status=status, outcome=outcome)

    @action(detail=False, methods=["post"], url_path="batch")
    def batch(self, request: Request) -> Response:
        """Upsert up to 1,000 rows by source and external_id; one result each, in the order they came.

        partial: good rows are written, bad ones are not. all_or_none: one bad row and nothing is written.
        """
        asked = BatchRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        rows: list[Any] = asked.validated_data["rows"]
        fields, there, results = self._check_rows(rows)
        keep = asked.validated_data["mode"] == BatchMode.PARTIAL
        try:
            with transaction.atomic():
                if keep or len(fields) == len(rows):
                    self.before_batch(fields.values())
                    results |= {n: self._write_row(n, rows[n], fields[n], there[n]) for n in fields}
                if not keep and any(result["status"] == "failed" for result in results.values()):
                    raise _Undone
        except _Undone:
            blameless = [n for n in range(len(rows)) if results.get(n, {}).get("status") != "failed"]
            results |= {n: _failed(n, rows[n], _not_written()) for n in blameless}
        ordered = [results[n] for n in range(len(rows))]
        counts = dict.fromkeys(("created", "updated", "unchanged", "failed"), 0)
        for result in ordered:
            counts[result["status"]] += 1
        return Response({"results": ordered, "counts": counts})

    def _check_rows(
        self, rows: Sequence[Any]
    ) -> tuple[dict[int, dict[str, Any]], dict[int, Any], dict[int, dict[str, Any]]]:
        """The fields of the good rows, what is there of them now, and the results of the bad ones."""
        fields: dict[int, dict[str, Any]] = {}
        there: dict[int, Any] = {}
        results: dict[int, dict[str, Any]] = {}
        referred: dict[Any, Any] = {}
        for number, row in enumerate(rows):
            try:
                name, rest = _named(row)
                there[number] = self.row_to_change(*name)
                fields[number] = self.checked(rest, row=there[number], name=name, referred=referred)
            except (DjangoValidationError, exceptions.APIException, Http404) as error:
                results[number] = _failed(number, row, _row_problem(number, error))
        return fields, there, results

    def _write_row(self, number: int, row: dict[str, Any], fields: dict[str, Any], there: Any) -> dict[str, Any]:
        try:
            with transaction.atomic():
                written, outcome = self.upsert_row(row["source"], row["external_id"], fields, there)
        except (DjangoValidationError, exceptions.APIException, Http404) as error:
            return _failed(number, row, _row_problem(number, error))
        return {
            "index": number,
            "status": outcome,
            "id": str(written.pk),
            "external_id": row["external_id"],
            "problem": None,
        }


def _take_out_name(fields: dict[str, Any], source: str, external_id: str) -> None:
    """The name stands elsewhere; in the body it may stand again, but no other one."""
    words = exceptions.ErrorDetail(_("It is called otherwise, and keeps its name."), "differs")
    given = ((name, fields.pop(name, said), said) for name, said in (("source", source), ("external_id", external_id)))
    if wrong := {name: [words] for name, value, said in given if value != said}:
        raise serializers.ValidationError(wrong)


def _source_in(data: Any) -> str:
    source = data.get("source") if isinstance(data, Mapping) else None
    return source if isinstance(source, str) else ""


def _named(row: Any) -> tuple[tuple[str, str], dict[str, Any]]:
    """The name of a row of a batch, and its other fields."""
    if not isinstance(row, Mapping):
        raise serializers.ValidationError(_("A row is an object."), code="invalid")
    rest = dict(row)
    name = (rest.pop("source", None), rest.pop("external_id", None))
    words = exceptions.ErrorDetail(_("Every row of a batch needs this, as a text."), "required")
    wrong = {
        key: [words]
        for key, value in zip(("source", "external_id"), name, strict=True)
        if not isinstance(value, str) or not value or "\0" in value
    }
    if wrong:
        raise serializers.ValidationError(wrong)
    return cast(tuple[str, str], name), rest


def _failed(number: int, row: Any, problem: Problem) -> dict[str, Any]:
    external_id = row.get("external_id") if isinstance(row, Mapping) else None
    return {
        "index": number,
        "status": "failed",
        "id": None,
        "external_id": external_id if isinstance(external_id, str) else None,
        "problem": problem.as_json(),
    }


def _row_problem(number: int, error: Exception) -> Problem:
    problem = problem_of(error, pointer("#", "rows", number))
    if problem is None:
        raise error
    return problem


def _not_written() -> Problem:
    kind = KINDS["not-written"]
    return Problem(kind, _("Nothing of this batch was written."), kind.status)
