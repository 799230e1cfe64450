"""The web as it is served, which says of every answer how long it took at the server: `gunicorn bench.serve`.

The header `Server-Timing` has milliseconds from the request's arrival in the application to the last byte of the
answer's body, those of them in the database, those that the processor of the web worked (what others on the machine do
is not in them), and the number of queries (savepoints do not count).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

from django.db import connection

from config.wsgi import application as served


class Queries:
    """Counts the queries of one request, and the seconds they take."""

    def __init__(self) -> None:
        self.number, self.seconds = 0, 0.0

    def __call__(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:  # noqa: FBT001  # Django's
        begun = time.perf_counter()
        try:
            return execute(sql, params, many, context)
        finally:
            self.seconds += time.perf_counter() - begun
            self.number += not sql.startswith(("SAVEPOINT", "RELEASE SAVEPOINT"))


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer, and say what it took."""
    begun, worked, queries = time.perf_counter(), time.process_time(), Queries()
    said: list[Any] = []

    def note(*head: Any) -> Callable[[bytes], object]:
        said[:] = head
        return lambda _body: None  # Django never writes past the body

    with connection.execute_wrapper(queries):
        answer = served(environ, note)
        try:
            body = b"".join(answer)
        finally:
            if close := getattr(answer, "close", None):
                close()
    whole = (time.perf_counter() - begun) * 1000
    own = (time.process_time() - worked) * 1000
    timing = (
        f'app;dur={whole:.2f}, db;dur={queries.seconds * 1000:.2f}, cpu;dur={own:.2f}, queries;desc="{queries.number}"'
    )
    status, headers, *rest = said
    start_response(status, [*headers, ("Server-Timing", timing)], *rest)
    return [body]
