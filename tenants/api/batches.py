"""Many rows at once: each is upserted by what another system calls it, and has a result of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Self, cast

from django.core.exceptions import ValidationError as DjangoValidationError
from django.db import models, transaction
from django.http import Http404
from django.utils.translation import gettext as _
from rest_framework import exceptions, serializers

from tenants.api.fields import Strict
from tenants.events import events_last
from tenants.problems import KINDS, Problem, pointer, problem_of

if TYPE_CHECKING:
    from tenants.api.resources import Name, WritableResource
    from tenants.models import Event

MAX_BATCH_ROWS: Final = 1_000

# What a row can be refused with; anything else is a fault of ours and ends the request.
_REFUSALS: Final = (DjangoValidationError, exceptions.APIException, Http404)


class Mode(models.TextChoices):
    PARTIAL = "partial"
    ALL_OR_NONE = "all_or_none"


class AnyRow(serializers.Field):
    """A row as it came; the resource checks it."""

    def to_internal_value(self, data: Any) -> Any:
        return data


class BatchRequest(Strict):
    """The body of a batch, before its rows are looked at."""

    mode = serializers.ChoiceField(choices=Mode.choices, default=Mode.PARTIAL)
    rows = serializers.ListField(child=AnyRow(allow_null=True), min_length=1, max_length=MAX_BATCH_ROWS)


class _Undone(Exception):  # nothing went wrong: the caller wanted all or none
    """One row of a batch in the mode all_or_none has failed."""


class Batch:
    """The rows of one request, in three passes.

    1. Find out what is there of all of them, in one query.
    2. Look up what they refer to, in one query for each kind; check each row: what is wrong with one is its result.
    3. Write the good ones, each by a verb that is done whole or not at all. all_or_none: only if all are good, and
       back if one fails.
    """

    def __init__(self, resource: WritableResource, rows: Sequence[Any], mode: str) -> None:
        self.resource, self.rows, self.mode = resource, rows, mode
        self.fields: dict[int, dict[str, Any]] = {}
        self.results: dict[int, dict[str, Any]] = {}
        self.events: list[Event] = []

    @classmethod
    def of(cls, resource: WritableResource, data: Any) -> Self:
        """The batch in a request's body. Raises ValidationError when it is none."""
        body = BatchRequest(data=data)
        body.is_valid(raise_exception=True)
        return cls(resource, body.validated_data["rows"], body.validated_data["mode"])

    def run(self) -> dict[str, Any]:
        """Write the rows; returns one result for each, in their order, and how many came to what."""
        self._check()
        everything = self.mode == Mode.PARTIAL or len(self.fields) == len(self.rows)
        try:
            with transaction.atomic():
                if everything:
                    with events_last() as self.events:
                        self.resource.write_batch(self._write, self.fields.values())
                if self.mode == Mode.ALL_OR_NONE and any(each["status"] == "failed" for each in self.results.values()):
                    raise _Undone
        except _Undone:
            self._take_back()
        results = [self.results[number] for number in range(len(self.rows))]
        counts = dict.fromkeys(("created", "updated", "unchanged", "failed"), 0)
        for result in results:
            counts[result["status"]] += 1
        return {"results": results, "counts": counts}

    def _check(self) -> None:
        names: dict[int, Name] = {}
        for number, row in enumerate(self.rows):
            try:
                names[number] = _name_of(row)
            except _REFUSALS as error:
                self._refuse(number, error)
        self.there, hidden = self.resource.rows_to_change(set(names.values()))
        self.resource.look_up_references([self.rows[number] for number in names])
        for number, name in names.items():
            rest = {key: value for key, value in self.rows[number].items() if key not in {"source", "external_id"}}
            try:
                if name in hidden:
                    raise Http404
                self.fields[number] = self.resource.checked(rest, row=self.there.get(name), name=name)
            except _REFUSALS as error:
                self._refuse(number, error)

    def _write(self) -> None:
        for number, fields in self.fields.items():
            name, told = _name_of(self.rows[number]), len(self.events)
            try:
                row, outcome = self.resource.write_named(name, self.there.get(name), fields)
            except _REFUSALS as error:
                del self.events[told:]
                self._refuse(number, error)
            else:
                self._note(number, outcome, pk=str(row.pk))

    def _take_back(self) -> None:
        kind = KINDS["not-written"]
        problem = Problem(kind, _("Nothing of this batch was written."), kind.status)
        for number in range(len(self.rows)):
            if self.results.get(number, {}).get("status") != "failed":
                self._note(number, "failed", problem=problem)

    def _refuse(self, number: int, error: Exception) -> None:
        problem = problem_of(error, pointer("#", "rows", number))
        if problem is None:
            raise error
        self._note(number, "failed", problem=problem)

    def _note(self, number: int, status: str, *, pk: str | None = None, problem: Problem | None = None) -> None:
        row = self.rows[number]
        external_id = row.get("external_id") if isinstance(row, Mapping) else None
        self.results[number] = {
            "index": number,
            "status": status,
            "id": pk,
            "external_id": external_id if isinstance(external_id, str) else None,
            "problem": problem.as_json() if problem else None,
        }


def _name_of(row: Any) -> Name:
    if not isinstance(row, Mapping):
        raise serializers.ValidationError(_("A row is an object."), code="invalid")
    name = (row.get("source"), row.get("external_id"))
    words = exceptions.ErrorDetail(_("Every row of a batch needs this, as a text."), "required")
    wrong = {
        key: [words]
        for key, value in zip(("source", "external_id"), name, strict=True)
        if not isinstance(value, str) or not value or "\0" in value
    }
    if wrong:
        raise serializers.ValidationError(wrong)
    return cast("Name", name)
