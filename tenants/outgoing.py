"""Addresses that firms write down and the house then calls: never into the house's own network (SSRF).

An address is looked at when the connection is made, with the numbers that the name has at that moment, and the connection
goes to just those: a name that changes its number in between gains nothing, and a redirect is looked at again.
`OUTGOING_ALLOW` names hosts and networks of the operator's own that may be called all the same.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import requests
from django.conf import settings
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import NewConnectionError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
_COMPATIBLE: Final = ipaddress.IPv6Network("::/96")


class ForbiddenAddress(OSError):
    """The address lies where the house must not call; says which."""


def check_host(host: str, port: int) -> list[str]:
    """The numbers of a host that may be called, in the order in which to try them.

    Raises ForbiddenAddress when any of them lies in a network that is not public and not allowed, OSError when the
    name is not known.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    numbers = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    for number in numbers:
        if not _is_allowed(host, number):
            raise ForbiddenAddress(f"{host} ({number}) is not a public address")
    return numbers


def _is_allowed(host: str, number: str) -> bool:
    address = _meant(ipaddress.ip_address(number.partition("%")[0]))
    if address.is_global and not address.is_multicast:
        return True
    for entry in settings.OUTGOING_ALLOW:
        if entry.lower() == host.lower():
            return True
        try:
            if address in ipaddress.ip_network(entry, strict=False):
                return True
        except ValueError:
            continue  # a name, and not this one
    return False


def _meant(address: Address) -> Address:
    """The IPv4 address that an IPv6 one stands for, where it does."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    inside = address.ipv4_mapped or address.sixtofour
    if inside is None and (address in _NAT64 or (address in _COMPATIBLE and int(address) > 1)):
        inside = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return inside or address


def check_url(url: str) -> None:
    """Raises ValueError for what is not an http(s) address, ForbiddenAddress as `check_host`, OSError for an unknown name."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(url)
    check_host(parts.hostname, parts.port or (443 if parts.scheme == "https" else 80))


# ── connections that look first ─────────────────────────────────────────────


def _connect(connection: Any, plain: Callable[[], socket.socket]) -> socket.socket:
    host = connection._dns_host
    try:
        numbers = check_host(host, connection.port)
    except OSError as error:
        raise NewConnectionError(connection, str(error)) from error
    try:
        for number in numbers[:-1]:
            connection._dns_host = number
            try:
                return plain()
            except NewConnectionError:
                continue
        connection._dns_host = numbers[-1]
        return plain()
    finally:
        connection._dns_host = host  # the certificate and the Host header are the name's


class _GuardedHTTPConnection(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        return _connect(self, super()._new_conn)


class _GuardedHTTPSConnection(HTTPSConnection):
    def _new_conn(self) -> socket.socket:
        return _connect(self, super()._new_conn)


class _HTTPPool(HTTPConnectionPool):
    ConnectionCls = _GuardedHTTPConnection


class _HTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _GuardedHTTPSConnection


@dataclass
class Call:
    """One request as it went: `response` where one came, `error` where not."""

    url: str
    response: requests.Response | None = None
    error: Exception | None = None

    @property
    def never_left(self) -> bool:
        """No connection came about, so nothing was handed over."""
        return isinstance(self.error, requests.exceptions.ConnectTimeout) or (
            isinstance(self.error, requests.exceptions.ConnectionError)
            and isinstance(getattr(self.error.args[0] if self.error.args else None, "reason", None), NewConnectionError)
        )


class GuardedAdapter(HTTPAdapter):
    """Lets a `requests` session call public addresses only, past any proxy, and notes what came of each call."""

    def __init__(self, calls: list[Call] | None = None) -> None:
        self.calls = calls if calls is not None else []
        super().__init__()

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **kwargs: Any) -> None:  # noqa: FBT001
        """As the parent's, with connections that look first."""
        self.poolmanager = PoolManager(num_pools=connections, maxsize=maxsize, block=block, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _HTTPPool, "https": _HTTPSPool}

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        """As the parent's. Raises what it raises; a forbidden address is a ConnectionError."""
        call = Call(str(request.url))
        self.calls.append(call)
        try:
            call.response = super().send(request, *args, **(kwargs | {"proxies": {}}))
        except Exception as error:
            call.error = error
            raise
        return call.response


_watched: ContextVar[list[Call] | None] = ContextVar("watched calls", default=None)
_plain_adapter = requests.Session.get_adapter


def _adapter(session: requests.Session, url: str) -> Any:
    calls = _watched.get()
    return _plain_adapter(session, url) if calls is None else GuardedAdapter(calls)


# Libraries that call `requests.post` themselves cannot be handed a session.
requests.Session.get_adapter = _adapter  # type: ignore[method-assign,assignment]  # takes its place


@contextmanager
def guarded() -> Iterator[list[Call]]:
    """A stretch in which whatever is called by `requests`, also deep in a library, is guarded; gives the calls made."""
    calls: list[Call] = []
    token = _watched.set(calls)
    try:
        yield calls
    finally:
        _watched.reset(token)
