"""How long pages and the API take at the server: `python -m bench.pages --slug SLUG`.

Serves the database of DATABASE_URL by gunicorn with one worker on this machine and asks over HTTP, one request after the
other, signed in as people with different rights. Each page is asked for several times after a warm-up, those with many
addresses (twenty customers, ten words) in turn. Time is measured around the application (bench/serve.py): the network and
the browser are not in it, everything else is. Batches write, so they come last.
"""

from __future__ import annotations

import argparse
import datetime as dt
import html
import http.client
import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import cycle, islice
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlsplit

from bench import house
from bench.table import Row, markdown
from config import processes
from config.processes import LOOPBACK

REQUESTS: Final = 40
WARM_UP: Final = 3
PATIENCE_S: Final = 60.0  # spent on one page at most, when it has been asked for a few times
LEAST: Final = 5
DEEP: Final = 40  # pages of 50 rows into a list
BATCH_ROWS: Final = 100
PEOPLE: Final = ("exec", "lead", "am0")


@dataclass(frozen=True)
class Asked:
    """A page: its addresses, which are asked for in turn, and as whom (a member, or "api")."""

    name: str
    person: str
    addresses: Sequence[str]
    method: str = "GET"
    bodies: Sequence[str] = ()
    goal: int | None = None  # milliseconds, p95


@dataclass
class Timed:
    """What a page has taken at the server, request by request."""

    milliseconds: list[float] = field(default_factory=list)
    database: list[float] = field(default_factory=list)
    own: list[float] = field(default_factory=list)
    queries: list[int] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    refused: str = ""


class Browser:
    """Asks the server in the name of a person or a programme."""

    def __init__(self, port: int, headers: Mapping[str, str]) -> None:
        self.port, self.headers = port, dict(headers)

    def ask(self, method: str, address: str, body: str = "") -> tuple[http.client.HTTPResponse, bytes]:
        connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=600)
        headers = self.headers | ({"Content-Type": "application/json"} if body else {})
        connection.request(method, address, body.encode() or None, headers)
        response = connection.getresponse()
        content = response.read()
        connection.close()
        return response, content


def measure(slug: str, state: Path, tell: Callable[[Row], None], requests: int = REQUESTS) -> None:
    """Measure everything and hand on each row as it is known. `state` takes the server's log."""
    port = processes.free_port()
    with served(port, state):
        browsers = {name: Browser(port, headers) for name, headers in _identities(slug).items()}
        for make in (_pages, _lists, _batches):
            for asked in make(slug, browsers):
                tell(row_of(asked, time_of(asked, browsers[asked.person], requests)))


@contextmanager
def served(port: int, state: Path) -> Iterator[None]:
    """The web, by one worker of gunicorn that times itself, for as long as the block lasts."""
    log = state / "web.log"
    command = [sys.executable, "-m", "gunicorn", "bench.serve", "--bind", f"{LOOPBACK}:{port}", "--workers", "1"]
    with house.child([*command, "--timeout", "900", "--no-control-socket"], log, patience=15) as process:
        house.wait_for_web(port, process, log)
        yield


def _identities(slug: str) -> dict[str, dict[str, str]]:
    """The headers of a signed-in session for each of PEOPLE, and of a token with every right of an integration."""
    from django.test import Client

    from tenants.context import tenant_scope
    from tenants.models import Member, Tenant
    from tenants.services import create_member, create_token

    tenant = Tenant.objects.get(slug=slug)
    found = {}
    with tenant_scope(tenant):
        members = {
            m.user.email: m
            for m in Member.objects.select_related("user").filter(user__email__endswith=f"@{slug}.example")
        }
        programme = members.get(f"api@{slug}.example") or create_member(email=f"api@{slug}.example", role="integration")
        found["api"] = {"Authorization": f"Bearer {create_token(member=programme, scopes=('all',))[1]}"}
    for person in PEOPLE:
        client = Client()
        client.force_login(members[f"{person}@{slug}.example"].user)
        found[person] = {"Cookie": "; ".join(f"{name}={morsel.value}" for name, morsel in client.cookies.items())}
    return found


def time_of(asked: Asked, browser: Browser, requests: int) -> Timed:
    """Ask for a page so often, after a warm-up; stops early where it takes long or is refused."""
    timed, begun = Timed(), time.monotonic()
    addresses = cycle(asked.addresses)
    # What writes needs something new each time, so there is no more of it than was prepared.
    bodies = iter(asked.bodies) if asked.bodies else cycle([""])
    warm_up = 1 if asked.bodies else min(WARM_UP, requests)
    for number, (address, body) in enumerate(islice(zip(addresses, bodies, strict=False), requests + warm_up)):
        response, content = browser.ask(asked.method, address, body)
        if response.status != 200 or (body and json.loads(content)["counts"]["failed"]):
            timed.refused = f"{response.status} at {address}"
            break
        if number >= warm_up:
            whole, database, own, queries = _timing(response.headers["Server-Timing"])
            timed.milliseconds.append(whole)
            timed.database.append(database)
            timed.own.append(own)
            timed.queries.append(queries)
            timed.sizes.append(len(content))
        if time.monotonic() - begun > PATIENCE_S and len(timed.milliseconds) >= LEAST:
            break
    return timed


def _timing(header: str) -> tuple[float, float, float, int]:
    """What bench.serve says: milliseconds in all, in the database, of the web's processor; queries."""
    whole, database, own, queries = re.findall(r"(?:dur=|desc=\")([\d.]+)", header)
    return float(whole), float(database), float(own), int(queries)


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which a share of the values lies, between two of them in proportion."""
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def row_of(asked: Asked, timed: Timed) -> Row:
    """What was measured, in figures."""
    row: Row = {"group": "pages", "what": f"{asked.name} ({asked.person})", "requests": len(timed.milliseconds)}
    if timed.milliseconds:
        row |= {
            "p50 ms": round(quantile(timed.milliseconds, 0.5), 1),
            "p95 ms": round(quantile(timed.milliseconds, 0.95), 1),
            "database p50 ms": round(quantile(timed.database, 0.5), 1),
            "web CPU p50 ms": round(quantile(timed.own, 0.5), 1),
            "queries": max(timed.queries),
            "KB": round(max(timed.sizes) / 1024),
        }
    return row | {"goal p95 ms": asked.goal} | ({"refused": timed.refused} if timed.refused else {})


# ── what is asked for ───────────────────────────────────────────────────────

_QUICK: Final = 60
_DASHBOARD: Final = 300


def _pages(slug: str, browsers: dict[str, Browser]) -> Iterator[Asked]:
    """The pages people use. Lists as who sees everybody, and as who sees a few thousand."""
    customers = f"/{slug}/customers/"
    for person in ("exec", "am0"):
        yield Asked("customers, first page", person, [customers], goal=_QUICK)
    yield Asked(f"customers, page {DEEP}", "exec", [_deep(browsers["exec"], customers)], goal=_QUICK)
    yield Asked("customers, tier A, red, China", "exec", [f"{customers}?tier=A&health=red&country=China"], goal=_QUICK)
    yield Asked(
        "customers, stage, warned, money from",
        "exec",
        [f"{customers}?stage=active&warned=yes&money_from=10000"],
        goal=_QUICK,
    )
    yield Asked("customers by money", "exec", [f"{customers}?sort=-money_12m"], goal=_QUICK)
    yield Asked("customers by health", "exec", [f"{customers}?sort=health"], goal=_QUICK)
    yield Asked("customers by lifetime value", "am0", [f"{customers}?sort=-clv"], goal=_QUICK)
    for name, words in _WORDS.items():
        yield Asked(f"search, {name}", "exec", [f"{customers}?q={quote(word)}" for word in words], goal=_QUICK)
    yield Asked("Today", "am0", [f"/{slug}/today/"], goal=_QUICK)
    yield Asked("Today", "lead", [f"/{slug}/today/"], goal=_QUICK)
    for name, ids in _customers(slug).items():
        yield Asked(f"customer page, {name}", "exec", [f"{customers}{number}/" for number in ids], goal=_QUICK)
    for name, path in _DASHBOARDS.items():
        yield Asked(name, "exec", [f"/{slug}/{path}"], goal=_DASHBOARD)


_WORDS: Final = {
    "Latin, beginning": ("Kestrel", "Alder1", "Marlow2", "Oakf", "Nordby12"),
    "Latin, a frequent word": ("Trading", "Supplies"),
    "Chinese, beginning": ("恒通", "新华1", "金桥2", "海天12", "安泰"),
    "Chinese, inside": ("贸易", "有限公司", "五金"),
    "a number": ("C17", "C1234", "C999", "C4321"),
}
_DASHBOARDS: Final = {
    "tiers and segments": "segments/",
    "moves between tiers": "segments/migration/",
    "sales figures": "segments/figures/",
    "cross-sell": "segments/cross-sell/",
    "health": "health/",
    "forecast": "health/forecast/",
    "data quality": "health/data-quality/",
    "disagreement": "health/disagreement/",
}


def _deep(browser: Browser, address: str) -> str:
    """Where the link to the next page leads when it has been followed so often, or to the last page."""
    for _ in range(DEEP - 1):
        _response, content = browser.ask("GET", address)
        found = re.search(r'<a [^>]*rel="next"[^>]*?\shref="([^"]+)"', content.decode())
        if found is None:
            break
        link = html.unescape(found[1])
        address = urlsplit(address).path + link if link.startswith("?") else link
    return address


def _customers(slug: str) -> dict[str, list[int]]:
    """Twenty customers with the most orders, and twenty who have ordered once."""
    sql = (
        "SELECT customer_id FROM customers_activity a JOIN tenants_tenant t ON t.id = a.tenant_id WHERE t.slug = %s "
        "GROUP BY 1 {} LIMIT 20"
    )
    return {
        "many orders": [n for (n,) in house.rows(sql.format("ORDER BY sum(orders) DESC, 1"), [slug])],
        "one order": [n for (n,) in house.rows(sql.format("HAVING sum(orders) = 1 ORDER BY 1"), [slug])],
    }


def _lists(slug: str, browsers: dict[str, Browser]) -> Iterator[Asked]:
    since = quote(house.rows("SELECT max(updated_at) - interval '1 hour' FROM customers_order")[0][0].isoformat())
    for name, path in {
        "customers": "customers?limit=100",
        "customers, search": f"customers?limit=100&q={quote('恒通')}",
        "orders, updated since": f"orders?limit=100&updated_since={since}",
        "orders, newest first": "orders?limit=100&ordering=-placed_on",
        "scores": "scores?limit=100",
        "tiers by money": "tiers?limit=100&ordering=-monetary",
        "forecasts": "forecasts?limit=100",
        "follow-ups, open": "follow-ups?limit=100&status=open",
    }.items():
        yield Asked(f"API {name}", "api", [f"/api/v1/{path}"], goal=_QUICK)
    api, deep = browsers["api"], "/api/v1/customers?limit=100"
    for _ in range(DEEP):
        _response, content = api.ask("GET", deep)
        follows = json.loads(content).get("next")
        if not follows:
            break
        parts = urlsplit(follows)
        deep = f"{parts.path}?{parts.query}"
    yield Asked(f"API customers, page {DEEP}", "api", [deep], goal=_QUICK)


def _batches(slug: str, browsers: dict[str, Browser]) -> Iterator[Asked]:
    """Batches of a hundred, each new to the server."""
    numbers = [v for (v,) in house.rows(
        "SELECT e.value FROM customers_externalid e JOIN tenants_tenant t ON t.id = e.tenant_id WHERE t.slug = %s AND "
        "e.source = 'erp' ORDER BY e.id LIMIT 5000", [slug])]  # fmt: skip
    stamp = f"{dt.datetime.now(dt.UTC):%Y%m%d%H%M%S}"
    ours = cycle(numbers)

    def bodies(row: Callable[[int], dict[str, Any]]) -> list[str]:
        return [
            json.dumps({"mode": "partial", "rows": [row(batch * BATCH_ROWS + n) for n in range(BATCH_ROWS)]})
            for batch in range(REQUESTS + 1)
        ]

    customers = bodies(
        lambda n: {"source": "bench", "external_id": f"B{stamp}-{n}", "name": f"Batch & Sons {n}", "city": "Leeds"}
    )
    changes = bodies(lambda _n: {"source": "erp", "external_id": next(ours), "city": f"Town {stamp}"})
    orders = bodies(
        lambda n: {
            "source": "bench", "external_id": f"B{stamp}-{n}", "customer": {"source": "erp", "external_id": next(ours)},
            "placed_at": "2026-07-02T09:30:00+00:00",
            "lines": [
                {"product": {"source": "erp", "external_id": f"A{n % 50 + 1}"}, "quantity": "6", "unit_price": "2.55"},
                {"product": {"source": "erp", "external_id": f"A{n % 37 + 1}"}, "quantity": "1", "unit_price": "19.90"},
            ],
        }
    )  # fmt: skip
    for name, path, sent in (
        ("new customers", "customers", customers), ("changed customers", "customers", changes), ("new orders", "orders", orders),
    ):  # fmt: skip
        yield Asked(f"API batch of {BATCH_ROWS} {name}", "api", [f"/api/v1/{path}/batch"], "POST", sent)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--slug", required=True)
    parser.add_argument("--requests", type=int, default=REQUESTS)
    asked = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    import django

    django.setup()
    from config.env import state_folder

    found: list[Row] = []
    measure(asked.slug, state_folder(), found.append, asked.requests)
    print(markdown(found))


if __name__ == "__main__":
    main()
