"""Calling the API as one of the cast, with a token."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client

from tenants.models import Member
from tests.conftest import Cast

BASE = "/api/v1/"


class Caller:
    """A programme that knows a token."""

    def __init__(self, token: str) -> None:
        self.token = token
        self.client = Client()

    def get(self, path: str, **query: Any) -> HttpResponse:
        return self._call("get", path, data=query)

    def post(self, path: str, data: Any = None) -> HttpResponse:
        body = "" if data is None else json.dumps(data)
        return self._call("post", path, data=body, content_type="application/json")

    def put(self, path: str, data: Any) -> HttpResponse:
        return self._call("put", path, data=json.dumps(data), content_type="application/json")

    def patch(self, path: str, data: Any) -> HttpResponse:
        return self._call("patch", path, data=json.dumps(data), content_type="application/merge-patch+json")

    def _call(self, method: str, path: str, **kwargs: Any) -> HttpResponse:
        address = path if path.startswith(("/", "http")) else BASE + path
        headers = {"Authorization": f"Bearer {self.token}"}
        response: HttpResponse = getattr(self.client, method)(address, headers=headers, **kwargs)
        return response


@pytest.fixture
def call_as(cast: Cast) -> Callable[..., Caller]:
    def caller(member: Member, scopes: tuple[str, ...] = ("all",)) -> Caller:
        return Caller(cast.token(member, scopes))

    return caller


@pytest.fixture
def api(call_as: Callable[..., Caller], cast: Cast) -> Caller:
    """Ian the integration, who may read and write all facts."""
    return call_as(cast.ian)


def faults(response: HttpResponse) -> dict[str, str]:
    """pointer: code of every error of a problem."""
    assert response["Content-Type"] == "application/problem+json", response.content
    return {each["pointer"]: each["code"] for each in response.json()["errors"]}
