"""A mail server and a gateway of our own: real ones, over real sockets."""

from __future__ import annotations

import asyncio
import email
import email.policy
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller


class Post:
    """What a mail server has taken, and how it answers.

    `refuse` maps an address to the line that refuses it; `slow` seconds pass before a text is answered; with `hang_up`
    the line breaks after the text, which was taken (True) or was not ("lost").
    """

    def __init__(self) -> None:
        self.mails: list[Any] = []
        self.envelopes: list[Any] = []
        self.refuse: dict[str, str] = {}
        self.refuse_data = ""
        self.hang_up: bool | str = False
        self.limit = 0
        self.port = 0

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:  # noqa: N802
        if address in self.refuse:
            return self.refuse[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        if self.refuse_data:
            return self.refuse_data
        if self.hang_up != "lost":
            self.mails.append(email.message_from_bytes(envelope.content, policy=email.policy.default))
            self.envelopes.append(envelope)
        if self.hang_up:
            server.transport.abort()
        session.taken = getattr(session, "taken", 0) + 1
        if self.limit and session.taken >= self.limit:
            # After so many mails the line is closed, as many servers do.
            asyncio.get_running_loop().call_later(0.01, server.transport.close)
        return "250 taken"


@contextmanager
def post_office() -> Iterator[Post]:
    """A mail server on a port of its own."""
    post = Post()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        post.port = free.getsockname()[1]
    controller = Controller(post, hostname="127.0.0.1", port=post.port)
    controller.start()
    try:
        yield post
    finally:
        controller.stop()


class Gateway:
    """What an HTTP gateway was asked, and what it answers: `status` and `body`, or nothing at all (`hang_up`)."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.status, self.body = 200, '{"errcode": 0, "errmsg": "ok"}'
        self.location = ""
        self.hang_up = False
        self.url = ""


@contextmanager
def gateway() -> Iterator[Gateway]:
    """An HTTP server on a port of its own that takes whatever is posted to it."""
    said = Gateway()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            try:
                body: Any = json.loads(raw)
            except ValueError:
                body = raw
            said.asked.append({"path": self.path, "body": body, "headers": dict(self.headers)})
            if said.hang_up:
                self.connection.close()
                return
            self.send_response(said.status)
            if said.location:
                self.send_header("Location", said.location)
            self.send_header("Content-Type", "application/json")
            answer = said.body.encode()
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        said.url = f"http://127.0.0.1:{server.server_address[1]}"
        yield said
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
