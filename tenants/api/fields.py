"""How a row comes in and goes out: JSON with exact numbers, references, and serializers that ignore nothing."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar, Final, NoReturn, cast

from django.conf import settings
from django.db import models
from django.db.models import F
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from rest_framework import exceptions, parsers, serializers

from tenants.base import MONEY_PLACES, POINTS, FixedPointField
from tenants.filters import id_number
from tenants.problems import TooLarge

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from tenants.models import Member


_SURROGATE: Final = re.compile(rb"\\u[dD][89a-fA-F]")


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


class JSONParser(parsers.BaseParser):
    """JSON with exact numbers; larger bodies than the setting allows are not read."""

    media_type = "application/json"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None) -> Any:
        limit: int = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        body = stream.read(limit + 1)
        if len(body) > limit:
            raise TooLarge(limit)
        try:
            found = json.loads(body.decode("utf-8"), parse_float=Decimal, parse_constant=_no_constant)
            if _SURROGATE.search(body):
                json.dumps(found, default=str, ensure_ascii=False).encode()  # half a character cannot be written
            return found
        except (ValueError, RecursionError) as error:
            raise exceptions.ParseError(_("Not JSON: %(why)s.") % {"why": error}) from error


class MergePatchParser(JSONParser):
    """JSON merge patch (RFC 7396), which every PATCH is, under its own name."""

    media_type = "application/merge-patch+json"


class Money(serializers.DecimalField):
    """Money as a string: at least two decimals, and all four where it has them."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**({"max_digits": 18, "decimal_places": MONEY_PLACES} | kwargs))

    def to_representation(self, value: Any) -> str:
        return plain(value, least=2)


def money_of_points(points: int) -> str:
    """Money that frames and rules hold (tenants.base.POINTS), as `Money` writes it."""
    return Money().to_representation(Decimal(points) / POINTS)


class Exact(serializers.DecimalField):
    """An exact number as a string, without idle zeros."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**({"max_digits": 18, "decimal_places": MONEY_PLACES} | kwargs))

    def to_representation(self, value: Any) -> str:
        return plain(value)


def plain(value: Decimal, least: int = 0) -> str:
    """The number without exponent and idle zeros, but with at least so many decimals."""
    whole, _dot, decimals = f"{value:f}".partition(".")
    decimals = decimals.rstrip("0").ljust(least, "0")
    return f"{whole}.{decimals}" if decimals else whole


FIRST_YEAR, LAST_YEAR = 1900, 2199


def _in_range(value: dt.date) -> None:
    # Beyond, time zones and the arithmetic of dates run over.
    if not FIRST_YEAR <= value.year <= LAST_YEAR:
        words = _("Between %(first)s and %(last)s.") % {"first": FIRST_YEAR, "last": LAST_YEAR}
        raise serializers.ValidationError(words, code="out_of_range")


class Moment(serializers.DateTimeField):
    """RFC 3339. Goes out with the tenant's offset; without an offset it comes in as the tenant's local time."""

    def run_validators(self, value: Any) -> None:
        _in_range(value)
        super().run_validators(value)


class Day(serializers.DateField):
    """A calendar day of the tenant: 2026-11-20."""

    def run_validators(self, value: Any) -> None:
        if value is not None:
            _in_range(value)
        super().run_validators(value)


class Ref(serializers.Field):
    """Another row: by its id, or as an object by what another system calls it.

    `rows` gives the rows that a member may refer to; `names` maps the keys of the object to look-ups. Goes
    out as the id. A missing key "source" is the source of the row that refers.
    """

    # Keys of the object that may be missing.
    optional: ClassVar[frozenset[str]] = frozenset({"source"})

    default_error_messages = {
        "not_found": gettext_lazy("There is none, or it is not yours to see."),
        "wrong_form": gettext_lazy("An id as a string, or an object with {keys}."),
    }

    def __init__(self, rows: Callable[[Member], QuerySet[Any]], names: Mapping[str, str], **kwargs: Any) -> None:
        self.rows, self.names = rows, names
        super().__init__(**kwargs)

    def get_attribute(self, instance: Any) -> Any:
        return getattr(instance, f"{self.source}_id")

    def to_representation(self, value: Any) -> str:
        return str(value)

    def to_internal_value(self, data: Any) -> Any:
        lookup = self._lookup(data)
        # Rows of one batch often refer to the same ones.
        known: dict[Any, Any] = cast(dict[str, Any], self.context).setdefault("referred", {})
        key = (self.rows, *sorted(lookup.items()))
        if key not in known:
            known[key] = self.rows(self.context["member"]).filter(**lookup).first()
        if known[key] is None:
            self.fail("not_found")
        return known[key]

    def look_up(self, said: Iterable[tuple[Any, str]], known: dict[Any, Any], member: Member) -> None:
        """Find the rows that are meant by these values, each with its row's source, and keep them in `known`.

        One query for the ids, one for each source. What has a wrong form is left to the check of its row.
        """
        ids: set[int] = set()
        called: dict[str, set[str]] = {}
        for data, source in said:
            if isinstance(data, str) and (number := id_number(data)) is not None:
                ids.add(number)
            elif isinstance(data, Mapping) and set(self.names) == {"source", "external_id"}:
                name = {"source": source, **data}
                if set(name) == set(self.names) and all(isinstance(v, str) and "\0" not in v for v in name.values()):
                    called.setdefault(name["source"], set()).add(name["external_id"])
        found = {row.pk: row for row in self.rows(member).filter(pk__in=ids)} if ids else {}
        known |= {(self.rows, ("pk", number)): found.get(number) for number in ids}
        source_path, id_path = self.names.get("source", ""), self.names.get("external_id", "")
        for source, values in called.items():
            rows = self.rows(member).filter(**{source_path: source, f"{id_path}__in": values})
            by_name = {row.called: row for row in rows.annotate(called=F(id_path))}
            for value in values:
                lookup = {source_path: source, id_path: value}
                known[self.rows, *sorted(lookup.items())] = by_name.get(value)

    def _lookup(self, data: Any) -> dict[str, Any]:
        if isinstance(data, str):
            number = id_number(data)
            if number is None:
                self.fail("not_found")
            return {"pk": number}
        if not isinstance(data, Mapping):
            self.refuse_form()
        named = (
            {"source": self.context["source"], **data}
            if "source" in self.names and self.context.get("source")
            else data
        )
        if set(named) != set(self.names) or not all(isinstance(v, str) and "\0" not in v for v in named.values()):
            self.refuse_form()
        return {self.names[name]: value for name, value in named.items()}

    def refuse_form(self) -> NoReturn:
        self.fail("wrong_form", keys=", ".join(self.names))


class Strict(serializers.Serializer):
    """Refuses fields that it does not have; read-only ones may come back and are passed over."""

    def to_internal_value(self, data: Any) -> Any:
        unknown = {}
        if isinstance(data, Mapping):
            error = exceptions.ErrorDetail(_("There is no such field."), "unknown_field")
            unknown = {str(name): [error] for name in data if name not in self.fields}
            data = self._emptied(data)
        try:
            values = super().to_internal_value(data)
        except serializers.ValidationError as error:
            detail: Any = error.detail
            raise serializers.ValidationError(detail | unknown) from error
        if unknown:
            raise serializers.ValidationError(unknown)
        return values

    def _emptied(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """`data` with null, where it takes a text out (RFC 7396), as the empty text."""

        def clears(name: str, value: Any) -> bool:
            field = self.fields.get(name)
            return (
                value is None and bool(getattr(field, "allow_blank", False)) and not getattr(field, "allow_null", True)
            )

        return {name: "" if clears(name, value) else value for name, value in data.items()}


class Record(Strict, serializers.ModelSerializer):
    """A row of a resource.

    In the context "merge" says that the row exists: what is absent stays as it is. "named" says that the
    address, or the batch, has what another system calls it.
    """

    id = serializers.CharField(source="pk", read_only=True)

    serializer_field_mapping = {
        **serializers.ModelSerializer.serializer_field_mapping,
        models.DateTimeField: Moment,
        models.DateField: Day,
        FixedPointField: Money,
    }

    def get_fields(self) -> dict[str, Any]:
        fields: dict[str, Any] = super().get_fields()
        if self.parent is None:
            merge, named = self.context.get("merge"), self.context.get("named")
            for name, field in fields.items():
                if merge or (named and name in {"source", "external_id"}):
                    field.required = False
        return fields
