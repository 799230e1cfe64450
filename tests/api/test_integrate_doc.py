"""docs/integrate.md: each of its commands is run, in order, and answers what the page says."""

import json
import re
import shlex
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.test import Client

from tenants.context import tenant_scope
from tenants.services import create_member
from tests.conftest import Cast

PAGE = Path(__file__).parents[2] / "docs" / "integrate.md"
STEP = re.compile(r"```sh\n(curl .*?)```\n\n`(\d{3})`(?:, header `(\w+): (\w+)`)?\n(?:\n```json\n(.*?)```)?", re.DOTALL)


def _contains(found: Any, said: Any, path: str = "") -> None:
    """What is said is there; more may be. "…" stands for anything."""
    if isinstance(said, dict):
        for name, value in said.items():
            assert name in found, f"{path}/{name}"
            _contains(found[name], value, f"{path}/{name}")
    elif isinstance(said, list):
        assert len(found) == len(said), path
        for number, value in enumerate(said):
            _contains(found[number], value, f"{path}/{number}")
    elif said != "…":
        assert found == said, path


def _send(command: str, names: dict[str, str]) -> Any:
    for name, value in names.items():
        command = command.replace(name, value)
    words = shlex.split(command)
    method, url, headers, body = "", "", {}, ""
    rest = iter(words[1:])
    for word in rest:
        if word == "-X":
            method = next(rest)
        elif word == "-H":
            name, _sep, value = next(rest).partition(": ")
            headers[name] = value
        elif word == "-d":
            body = next(rest)
        elif word.strip() and word != "-i":
            url = word
    parts = urlsplit(url)
    method = method or ("POST" if body else "GET")
    kind = headers.pop("Content-Type", "application/x-www-form-urlencoded")
    return Client().generic(method, f"{parts.path}?{parts.query}", body, content_type=kind, headers=headers)


def test_every_command_of_the_page_answers_as_printed(cast: Cast) -> None:
    text = PAGE.read_text()
    with tenant_scope(cast.tenant):
        member = create_member(email="erp@acme.example", role="integration")
    names = {"$URL": "http://testserver/api/v1", "$TOKEN": cast.token(member)}
    names["$POLICY_TOKEN"] = cast.token(cast.lea, ("policy:read", "policy:write"))
    steps = STEP.findall(text)
    assert len(steps) == text.count("```sh\ncurl ") > 8
    for command, status, header, value, said in steps:
        answer = _send(command, names)
        assert answer.status_code == int(status), (command, answer.content)
        if header:
            assert answer[header] == value, command
        if said:
            _contains(answer.json(), json.loads(said), command)
