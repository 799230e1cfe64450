"""It: the run history, and the banner when worker or beat is silent."""

import datetime as dt

import pytest
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tenants.context import tenant_scope
from tenants.models import Run, RunStep
from tests.pages.conftest import FRIDAY, NOON, text

URL = "/acme/runs/"


@pytest.fixture
def ada(cast, sign_in):
    return sign_in(cast.ada)


def heard(**seconds_ago):
    for part, seconds in seconds_ago.items():
        cache.set(f"heartbeat:{part}", NOON.timestamp() - seconds)


def test_says_when_the_first_night_will_be(ada):
    assert "02:00, Europe/London" in text(ada.get(URL))


def test_lists_each_step_with_its_counts_in_words(ada, cast, placed, night):
    placed(cast.customer(), 5)
    night()
    page = text(ada.get(URL))
    assert "Night 20 November 2026" in page
    assert "Segments and tiers" in page
    assert '<span class="mute">customers</span> 1' in page
    assert "done" in page


def test_shows_the_error_of_a_step_that_failed(ada, cast):
    with tenant_scope(cast.tenant):
        run = Run.objects.create(job="nightly", for_date=FRIDAY, status="failed")
        RunStep.objects.create(
            run=run, ordinal=0, name="health", status="failed", attempts=5, error="ValueError: <b>no</b>"
        )
    page = text(ada.get(URL))
    assert "ValueError: &lt;b&gt;no&lt;/b&gt;" in page
    assert "failed" in page


def test_asks_the_database_as_often_for_many_runs_as_for_one(ada, cast):
    def run(days):
        with tenant_scope(cast.tenant):
            row = Run.objects.create(job="nightly", for_date=FRIDAY - dt.timedelta(days=days))
            RunStep.objects.create(run=row, ordinal=0, name="health")

    def count():
        ada.get(URL)
        with CaptureQueriesContext(connection) as queries:
            ada.get(URL)
        return len(queries)

    run(0)
    one = count()
    for days in range(1, 20):
        run(days)
    assert count() == one


def test_shows_no_banner_while_both_are_heard(ada, noon):
    heard(worker=5, beat=30)
    assert "pn-banner" not in text(ada.get("/acme/customers/"))


def test_says_since_when_the_worker_is_silent(ada, noon):
    heard(worker=3600, beat=5)
    page = text(ada.get("/acme/customers/"))
    assert "The worker has not been heard of since 11:00." in page
    assert "beat" not in page.split("pn-banner")[1].split("</div>")[0]


def test_says_so_when_nothing_was_ever_heard(ada, noon):
    page = text(ada.get("/acme/customers/"))
    assert "The worker has not been heard of for a day or more." in page
    assert "The clock of the night (beat)" in page


def test_shows_the_way_to_the_history_to_who_may_read_it(cast, sign_in, noon):
    def banner(member):
        return text(sign_in(member).get("/acme/customers/")).split("pn-banner")[1].split("</div>")[0]

    assert "/acme/runs/" in banner(cast.ada)
    assert "/acme/runs/" not in banner(cast.ann)
