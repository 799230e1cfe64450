"""What OpenAPI says of the API: drf-spectacular, told about our batches, references, problems and paths."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, TypeVar, cast

from django.conf import settings
from drf_spectacular.extensions import OpenApiAuthenticationExtension, OpenApiSerializerFieldExtension
from drf_spectacular.generators import EndpointEnumerator, SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import build_parameter_type
from drf_spectacular.utils import extend_schema
from rest_framework import serializers

from tenants.problems import CONTENT_TYPE

RESULT_STATUS = ("created", "updated", "unchanged", "failed")


F = TypeVar("F", bound=Callable[..., Any])


def bodies(*, responses: Any, request: Any = None, parameters: Sequence[Any] = ()) -> Callable[[F], F]:
    """Says which serializers draw what an action takes and answers, and what it reads beside the body."""
    return cast(Callable[[F], F], extend_schema(request=request, responses=responses, parameters=[*parameters]))


class FaultSerializer(serializers.Serializer):
    pointer = serializers.CharField(help_text="#/lines/0/quantity in the body, ?limit in the query string.")
    code = serializers.CharField()
    detail = serializers.CharField()


class RowProblemSerializer(serializers.Serializer):
    """What is wrong with one row of a batch."""

    type = serializers.CharField(help_text="Where the kind of problem is explained.")
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    errors = FaultSerializer(many=True, required=False)  # type: ignore[assignment]  # shadows a property that is not used


class ProblemSerializer(RowProblemSerializer):
    """RFC 9457: every answer of 400 and above."""

    instance = serializers.CharField()
    request_id = serializers.UUIDField(help_text="Also the header X-Request-Id.")


class BatchResultSerializer(serializers.Serializer):
    index = serializers.IntegerField()
    status = serializers.ChoiceField(choices=[(each, each) for each in RESULT_STATUS])
    id = serializers.CharField(allow_null=True)
    external_id = serializers.CharField(allow_null=True)
    problem = RowProblemSerializer(allow_null=True)


class BatchCountsSerializer(serializers.Serializer):
    created = serializers.IntegerField()
    updated = serializers.IntegerField()
    unchanged = serializers.IntegerField()
    failed = serializers.IntegerField()


class BatchResponseSerializer(serializers.Serializer):
    """One result per row, in the order in which the rows came."""

    results = BatchResultSerializer(many=True)
    counts = BatchCountsSerializer()


@cache
def upsert_request(record: type[Any]) -> type[Any]:
    """The serializer that draws the body of an upsert: what the address says is not in it."""
    rest = [name for name in record.Meta.fields if name not in {"source", "external_id"}]
    if rest == list(record.Meta.fields):
        return record
    name = record.__name__.removesuffix("Serializer")
    meta = type("Meta", (record.Meta,), {"fields": rest})
    return type(f"{name}UpsertSerializer", (record,), {"Meta": meta, "__doc__": record.__doc__})


@cache
def batch_request(record: type[Any]) -> type[serializers.Serializer]:
    """The serializer that draws the body of a batch of such rows."""
    name = record.__name__.removesuffix("Serializer")
    named = ("source", "external_id")
    meta = type("Meta", (record.Meta,), {"fields": [*named, *(f for f in record.Meta.fields if f not in named)]})
    row = type(
        f"{name}BatchRowSerializer",
        (record,),
        {"Meta": meta, "__doc__": record.__doc__, **{each: serializers.CharField() for each in named}},
    )
    fields = {
        "mode": serializers.ChoiceField(choices=["partial", "all_or_none"], default="partial"),
        "rows": row(many=True),
        "__doc__": "Up to 1,000 rows; each is upserted by source and external_id.",
    }
    return type(f"{name}BatchSerializer", (serializers.Serializer,), fields)


class Schema(AutoSchema):
    """How one operation is drawn."""

    def get_tags(self) -> list[str]:
        return [getattr(self.view, "resource", "") or "me"]

    def get_operation_id(self) -> str:
        action = getattr(self.view, "action", None) or self.method.lower()
        return f"{self.get_tags()[0]}_{action}".replace("-", "_")

    def get_request_serializer(self) -> Any:
        if self._is_batch():
            return batch_request(self.view.get_serializer_class())
        if getattr(self.view, "action", "") == "upsert":
            return upsert_request(self.view.get_serializer_class())
        return super().get_request_serializer()

    def get_response_serializers(self) -> Any:
        if self._is_batch():
            return BatchResponseSerializer
        found = super().get_response_serializers()
        return {200: found, 201: found} if getattr(self.view, "action", "") == "upsert" else found

    def map_parsers(self) -> list[str]:
        merge = ["application/merge-patch+json"] if self.method == "PATCH" else []
        return ["application/json", *merge]

    def _is_batch(self) -> bool:
        return getattr(self.view, "action", "") == "batch"

    def _get_response_bodies(self, direction: Any = "response") -> Any:
        bodies = super()._get_response_bodies(direction)
        bodies["default"] = self._get_response_for_code(
            ProblemSerializer, "default", media_types=[CONTENT_TYPE], direction=direction
        )
        return bodies

    def _resolve_path_parameters(self, variables: list[str]) -> list[Any]:
        # Ids are opaque, and so is what other systems call things.
        return [build_parameter_type(name=each, location="path", schema={"type": "string"}) for each in variables]


class Endpoints(EndpointEnumerator):
    """Paths as we write them: the closing slash is allowed, not shown."""

    def get_path_from_regex(self, path_regex: str) -> str:
        return super().get_path_from_regex(path_regex.replace("/?$", "$").replace("/?\\Z", "\\Z")).rstrip("/")


class Generator(SchemaGenerator):
    endpoint_inspector_cls = Endpoints


class BearerToken(OpenApiAuthenticationExtension):
    target_class = "tenants.api.access.TokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        return {"type": "http", "scheme": "bearer", "bearerFormat": "pn_<prefix>_<secret>"}


class BrowserSession(OpenApiAuthenticationExtension):
    target_class = "tenants.api.access.SessionAuthentication"
    name = "session"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        return {"type": "apiKey", "in": "cookie", "name": settings.SESSION_COOKIE_NAME}


class Reference(OpenApiSerializerFieldExtension):
    target_class = "tenants.api.fields.Ref"
    match_subclasses = True

    def map_serializer_field(self, auto_schema: AutoSchema, direction: str) -> dict[str, Any]:
        if direction == "response":
            return {"type": "string"}
        names = self.target.names
        named = {
            "type": "object",
            "properties": {name: {"type": "string"} for name in names},
            "required": [name for name in names if name not in self.target.optional],
        }
        return {"oneOf": [{"type": "string", "description": "The id."}, named]}
