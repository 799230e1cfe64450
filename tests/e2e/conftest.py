"""A real browser on a real server: the system's Chromium, driven by Playwright.

Where there is no Chromium these tests are skipped, and the summary says so (tests/conftest.py).
"""

from __future__ import annotations

import datetime as dt
import itertools
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.signals import request_finished, request_started
from django.test import Client

from config.night import run_night
from customers.activity import refresh_activity
from customers.models import Order, month_of
from followups.models import FollowUp
from tenants.context import tenant_scope
from tests.conftest import NO_CHROMIUM

AXE = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
WIDE, NARROW = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
PATIENCE = 15_000  # ms; a busy machine is slow, not wrong
_number = itertools.count(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "/e2e/" in str(item.path):
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.django_db(transaction=True, databases=["default", "owner"]))
            # One browser and one server for all of them: they stay in one process.
            item.add_marker(pytest.mark.xdist_group("e2e"))
            if not CHROMIUM:
                item.add_marker(pytest.mark.skip(reason=NO_CHROMIUM))


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=PATIENCE)
    # Playwright runs an event loop in this thread; Django would take the tests for asynchronous code.
    before = os.environ.get("DJANGO_ALLOW_ASYNC_UNSAFE")
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()
    if before is None:
        del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture(scope="session")
def window(chromium: Any, django_db_setup: None, live_server: Any) -> Iterator[Callable[..., Any]]:
    """A window by its size and kind; kept for the next test, so that style sheets are fetched once."""
    kept: dict[str, Any] = {}

    def opened(**kind: Any) -> Any:
        key = repr(sorted(kind.items()))
        if key not in kept:
            kept[key] = chromium.new_context(**kind)
            kept[key].set_default_timeout(PATIENCE)
        kept[key].clear_cookies()
        return kept[key]

    yield opened
    for each in kept.values():
        each.close()
    time.sleep(0.5)  # the server's threads let go of the database when their connections have closed


class Answers:
    """How many requests the server is answering; what it still reads would keep the next test from emptying tables."""

    def __init__(self) -> None:
        self._lock, self._running = threading.Lock(), 0

    def started(self, **_signal: Any) -> None:
        with self._lock:
            self._running += 1

    def finished(self, **_signal: Any) -> None:
        with self._lock:
            self._running -= 1

    def wait(self) -> None:
        time.sleep(0.05)  # what has arrived has begun by then
        end = time.monotonic() + PATIENCE / 1000
        while self._running > 0 and time.monotonic() < end:
            time.sleep(0.01)


@pytest.fixture(scope="session")
def answers() -> Iterator[Answers]:
    counter = Answers()
    request_started.connect(counter.started)
    request_finished.connect(counter.finished)
    yield counter
    request_started.disconnect(counter.started)
    request_finished.disconnect(counter.finished)


@pytest.fixture
def browse(window: Any, live_server: Any, cast: Any, answers: Any) -> Iterator[Callable[..., Any]]:
    """Open a page, signed in as a member unless it is None.

    When the test ends, an error in any page's console or script fails it; a test that provokes one clears
    `browse.errors`.
    """
    pages: list[Any] = []
    errors: list[str] = []

    def note(said: Any) -> None:
        # htmx notes on the console that a preview was overtaken by the next one.
        if said.type == "error" and not said.text.startswith(("htmx:afterRequest", "htmx:sendAbort")):
            errors.append(said.text)

    def open_page(path: str, member: Any = None, **kind: Any) -> Any:
        context = window(**({"viewport": WIDE, "base_url": live_server.url} | kind))
        if member is not None:
            client = Client()
            client.force_login(member.user)
            cookie = client.cookies[settings.SESSION_COOKIE_NAME]
            context.add_cookies([{"name": cookie.key, "value": cookie.value, "url": live_server.url}])
        page = context.new_page()
        pages.append(page)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", note)
        page.goto(path)
        return page

    open_page.errors = errors  # type: ignore[attr-defined]  # functions take attributes
    yield open_page
    for page in pages:
        page.close()
    answers.wait()
    assert errors == []


@pytest.fixture
def shop(cast: Any) -> None:
    """Ten customers of Ann's, each with one order, the first with the most money and the latest day; a night gone by."""
    today = cast.tenant.today()
    for place in range(1, 11):
        customer = cast.customer(f"Customer {place}")
        with tenant_scope(cast.tenant):
            day = today - dt.timedelta(days=5 * place)
            Order.objects.create(
                customer=customer,
                external_id=f"SO-{place}",
                currency="GBP",
                digest="",
                placed_on=day,
                placed_at=cast.tenant.start_of(day) + dt.timedelta(hours=9),
                net=1000 * (11 - place),
            )
            refresh_activity([(customer.pk, month_of(day))])
    run_night(cast.tenant, today)


@pytest.fixture
def queue(cast: Any) -> Callable[..., list[FollowUp]]:
    """So many follow-ups of Ann's, due today, in this order; the customers are called Customer 1, 2 …"""

    def make(count: int, **fields: Any) -> list[FollowUp]:
        rows = []
        with tenant_scope(cast.tenant):
            for place in range(1, count + 1):
                usual = {
                    "customer": cast.customer(f"Customer {place}"),
                    "assignee": cast.ann,
                    "kind": "light_touch",
                    "channel": "phone",
                    "rule": "cadence:light_touch",
                    "facts": {"every_days": 30},
                    "period": f"start-{next(_number)}",
                    "due_on": cast.tenant.today(),
                    "priority": 1_000_000 - place * 1000,
                }
                rows.append(FollowUp(**(usual | fields)))
            return list(FollowUp.objects.bulk_create(rows))

    return make


@pytest.fixture
def statuses(cast: Any) -> Callable[[], list[str]]:
    """The state of all follow-ups, in the order in which they were made."""

    def read() -> list[str]:
        with tenant_scope(cast.tenant):
            return list(FollowUp.objects.order_by("pk").values_list("status", flat=True))

    return read


def serious(page: Any) -> list[str]:
    """What axe-core finds serious or critical on the page (WCAG 2.2 A and AA, best practice)."""
    page.evaluate(AXE.read_text())
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{rule['id']}: {node['target']} {node['failureSummary']}"
        for rule in found["violations"]
        if rule["impact"] in {"serious", "critical"}
        for node in rule["nodes"]
    ]


def tomorrow(cast: Any) -> dt.date:
    return cast.tenant.today() + dt.timedelta(days=1)
