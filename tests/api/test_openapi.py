"""The committed description of the API is what the code says. RECORD=1 writes it anew; look at the diff."""

import os
import re
from pathlib import Path

import yaml
from django.test import Client
from django.urls import get_resolver
from django.utils import translation
from drf_spectacular.drainage import GENERATOR_STATS, reset_generator_stats
from drf_spectacular.renderers import OpenApiYamlRenderer
from drf_spectacular.settings import spectacular_settings
from drf_spectacular.validation import validate_schema

from tests.conftest import Cast

FILE = Path(__file__).parents[2] / "docs" / "api" / "openapi.yaml"


def _drawn() -> dict[str, object]:
    reset_generator_stats()
    with translation.override("en"):
        return spectacular_settings.DEFAULT_GENERATOR_CLASS().get_schema(request=None, public=True)


def test_the_committed_file_is_up_to_date() -> None:
    schema = _drawn()
    text = OpenApiYamlRenderer().render(schema, renderer_context={}).decode()
    if os.environ.get("RECORD"):
        FILE.parent.mkdir(parents=True, exist_ok=True)
        FILE.write_text(text)
    assert FILE.read_text() == text, "The API has changed: run with RECORD=1 and look at the diff"


def test_it_is_valid_and_drawn_without_a_doubt() -> None:
    schema = _drawn()
    validate_schema(schema)
    assert not GENERATOR_STATS
    assert schema["openapi"] == "3.1.0"


def test_every_address_is_in_it() -> None:
    paths = set(_drawn()["paths"])
    unlisted = {"/api/v1/schema", "/api/v1/docs", "/api/v1/docs/problems", "/api"}
    found = set()
    for pattern in get_resolver("config.api").url_patterns:
        for each in getattr(pattern, "url_patterns", [pattern]):
            path = re.sub(r"\(\?P<(\w+)>[^)]*\)", r"{\1}", str(each.pattern)).strip("^$").replace("/?", "").rstrip("/")
            found.add(f"/api/v1/{path}" if path else "/api")
    assert {path.replace("{pk}", "{id}") for path in found} - unlisted == paths


def test_every_operation_says_what_a_problem_looks_like() -> None:
    for path, operations in _drawn()["paths"].items():
        for method, operation in operations.items():
            assert "application/problem+json" in operation["responses"]["default"]["content"], (method, path)
            assert operation["security"] == [{"token": []}, {"session": []}], (method, path)


def test_the_schema_and_its_page_are_served_from_here(cast: Cast) -> None:
    schema = Client().get("/api/v1/schema/")
    assert schema.status_code == 200
    assert yaml.safe_load(schema.content)["info"]["title"] == "Perennial API"
    page = Client().get("/api/v1/docs/")
    assert page.status_code == 200
    assert not re.findall(r"(?:src|href)=\"(https?:)?//", page.content.decode())
