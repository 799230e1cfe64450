"""Reading, checking and putting down go on at the same time: a fault in any of them ends all, and nothing is written."""

import functools
import io
import threading

import pytest

from customers.imports import lease, readers, run, service, stores
from customers.models import Customer, Import, Order
from tenants.context import tenant_scope
from tests.customers.conftest import ORDERS, counts

MANY = ORDERS + "".join(f"A{n % 40},{n % 40 % 7},2026-03-{n % 28 + 1:02},p{n % 3},1,{n}\n" for n in range(160))


class Killed(BaseException):
    """As a kill -9 leaves it: no handler runs."""


@pytest.fixture(autouse=True)
def _small_batches(settings, tmp_path, monkeypatch):
    settings.MEDIA_ROOT = tmp_path
    monkeypatch.setattr(readers, "BLOCK", 300)
    monkeypatch.setattr(readers, "_HANDFUL", 5)
    monkeypatch.setattr(run.readers, "batches", functools.partial(readers.batches, size=20))


def queued(tenant, content=MANY):
    with tenant_scope(tenant):
        row = service.start_import(kind="orders", file=io.BytesIO(content.encode()), filename="a.csv")
        return service.queue_import(row, ring=False)


def written(tenant):
    with tenant_scope(tenant):
        return Order.objects.count(), Customer.objects.count()


def at(number, function, error):
    """The function, which fails when it is called so many times."""
    calls = []

    def failing(*args, **kwargs):
        calls.append(threading.current_thread().name)
        if len(calls) == number:
            raise error
        return function(*args, **kwargs)

    failing.calls = calls
    return failing


STEPS = {
    "reading": (readers.Batch, "add"),
    "checking": (run, "check"),
    "putting down": (run.Spool, "add"),
    "noting": (run.Homes, "note"),
    "telling": (run._Job, "_advance"),
}


@pytest.mark.parametrize("step", STEPS)
def test_writes_nothing_when_a_step_fails_in_the_middle(cast, monkeypatch, step):
    row = queued(cast.tenant)
    before = threading.active_count()
    with monkeypatch.context() as patch:
        place, name = STEPS[step]
        failing = at(3, getattr(place, name), ZeroDivisionError(step))
        patch.setattr(place, name, failing)
        with pytest.raises(ZeroDivisionError, match=step):
            service.run_import(cast.tenant, row.pk)
    assert threading.active_count() == before
    with tenant_scope(cast.tenant):
        row.refresh_from_db()
    assert (row.status, row.error.startswith("The import broke off: ZeroDivisionError.")) == ("failed", True)
    assert written(cast.tenant) == (0, 0)
    assert not stores.of(row.tenant_id, row.pk).spool.exists()
    assert not lease.is_held(row.pk)


@pytest.mark.parametrize("step", STEPS)
def test_begins_reading_anew_when_it_was_killed_in_a_step(cast, monkeypatch, step):
    row = queued(cast.tenant)
    with monkeypatch.context() as patch:
        place, name = STEPS[step]
        patch.setattr(place, name, at(3, getattr(place, name), Killed()))
        with pytest.raises(Killed):
            service.run_import(cast.tenant, row.pk)
    with tenant_scope(cast.tenant):
        row.refresh_from_db()
    assert (row.status, written(cast.tenant)) == (Import.Status.READING, (0, 0))
    row = service.run_import(cast.tenant, row.pk)
    assert (row.status, counts(row)) == ("done", (160, 0, 40, 0, 0))
    assert len(service.outcome_page(row, limit=1000)) == 160


def test_goes_on_to_write_when_it_was_killed_between_reading_and_writing(cast, monkeypatch):
    row = queued(cast.tenant)
    with monkeypatch.context() as patch:
        patch.setattr(run._Job, "_write", at(1, None, Killed()))
        with pytest.raises(Killed):
            service.run_import(cast.tenant, row.pk)
    with tenant_scope(cast.tenant):
        row.refresh_from_db()
    assert (row.status, row.rows, written(cast.tenant)) == (Import.Status.WRITING, 160, (0, 0))
    monkeypatch.setattr(run._Job, "_read", at(1, None, AssertionError("read again")))
    assert counts(service.run_import(cast.tenant, row.pk)) == (160, 0, 40, 0, 0)


def test_refuses_the_file_when_its_end_cannot_be_read_though_its_beginning_was(cast):
    row = service.run_import(cast.tenant, queued(cast.tenant, MANY + 'A1,"4711,2026-03-02,hammer,1,10\n').pk)
    assert (row.status, written(cast.tenant)) == ("failed", (0, 0))
    assert row.error == "The quotation mark opened in line 162 is never closed."


def test_says_on_which_line_of_the_file_a_late_one_is_wrong(cast, why):
    """Whoever reads its block, and however many blocks were read otherwise before."""
    lines = MANY.splitlines(keepends=True)
    lines[30] = 'A90,1,2026-03-02,"ham"mer,1,10\n'
    lines[100] = "A91,1,2026-03-02,hammer,one,10\n"
    lines[101] = "\n"
    lines[150] = 'A92,1,2026-03-02,"two\nlines",1,10\n'
    lines.append("A93,1\n")
    row = service.run_import(cast.tenant, queued(cast.tenant, "".join(lines)).pk)
    assert [(line, column) for line, column, _reason in why(row)] == [(31, ""), (101, "quantity"), (163, "")]
    assert (row.rows, row.failed) == (160, 3)


def test_is_cancelled_while_it_reads(cast):
    row, seen = queued(cast.tenant), []

    def tell(now):
        seen.append(now.rows)
        if len(seen) == 3:
            with tenant_scope(cast.tenant):
                assert service.cancel_import(now)

    row = service.run_import(cast.tenant, row.pk, tell=tell)
    assert (row.status, written(cast.tenant)) == (Import.Status.CANCELLED, (0, 0))
    assert len(seen) <= 4
    assert not stores.of(row.tenant_id, row.pk).spool.exists()


def test_checks_in_the_order_of_the_file_beside_reading(cast, monkeypatch):
    lines, names = [], set()
    original = run.check

    def seen(kind, batch, *args):
        lines.append(batch.lines[0])
        names.add(threading.current_thread().name)
        return original(kind, batch, *args)

    monkeypatch.setattr(run, "check", seen)
    service.run_import(cast.tenant, queued(cast.tenant).pk)
    assert lines == sorted(lines)
    assert len(lines) > 3
    assert threading.main_thread().name not in names
