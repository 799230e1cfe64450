"""Killed anywhere and started again: the same end state, everything counted once."""

import datetime as dt
import io

import pytest
import time_machine
from django.core.cache import cache

from customers import tasks
from customers.imports import lease, run, service, spool, stores
from customers.models import Customer, Import, Order
from tenants.context import tenant_scope
from tenants.models import Event
from tests.customers.conftest import ORDERS, counts

MANY = (
    ORDERS
    + "".join(f"A{n % 40},{n % 40 % 7},2026-03-{n % 28 + 1:02},p{n % 3},1,{n}\n" for n in range(160))
    + "B1,,,,,\n"
)


class Killed(BaseException):
    """As a kill -9 leaves it: no handler runs."""


@pytest.fixture
def queued(cast, settings, tmp_path, monkeypatch):
    """An import of many small pieces that waits to be run."""
    settings.MEDIA_ROOT = tmp_path
    monkeypatch.setattr(spool, "PIECE", 40)
    with tenant_scope(cast.tenant):
        row = service.start_import(kind="orders", file=io.BytesIO(MANY.encode()), filename="a.csv")
        return service.queue_import(row)


def rung(monkeypatch):
    calls = []
    monkeypatch.setattr(tasks.run_import, "delay", lambda *args: calls.append(args))
    return calls


def everything(tenant):
    with tenant_scope(tenant):
        orders = list(Order.objects.order_by("external_id").values_list("external_id", "net", "customer__name"))
        return orders, Customer.objects.count()


@pytest.mark.parametrize("where", ["products", "orders", "before", "after"])
def test_goes_on_where_it_was_killed(cast, queued, monkeypatch, where):
    done = 0

    def killing(function, at):
        def wrapped(*args, **kwargs):
            nonlocal done
            done += 1
            if done == at:
                raise Killed
            return function(*args, **kwargs)

        return wrapped

    with monkeypatch.context() as patch:
        if where in ("products", "orders"):
            at = {"products": 1, "orders": 3}[where]
            patch.setattr(run._Job, "_merge", killing(run._Job._merge, at))
        elif where == "before":
            patch.setattr(run._Job, "_count", killing(run._Job._count, 4))
        else:
            patch.setattr(run, "write_file", killing(run.write_file, 1))
        with pytest.raises(Killed):
            service.run_import(cast.tenant, queued.pk)
    row = service.run_import(cast.tenant, queued.pk)
    assert (row.status, counts(row)) == ("done", (161, 1, 40, 0, 0))
    orders, customers = everything(cast.tenant)
    assert (len(orders), sum(net for _number, net, _name in orders), customers) == (40, sum(range(160)), 7)
    assert len(service.outcome_page(row, limit=1000)) == 161
    with tenant_scope(cast.tenant):
        assert Event.objects.filter(object_type="import").count() == 1


def test_begins_reading_anew_when_it_was_killed_there(cast, queued, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(spool.Spool, "finish", lambda *_args: (_ for _ in ()).throw(Killed))
        with pytest.raises(Killed):
            service.run_import(cast.tenant, queued.pk)
    row = service.run_import(cast.tenant, queued.pk)
    assert counts(row) == (161, 1, 40, 0, 0)
    assert len(service.outcome_page(row, limit=1000)) == 161


def test_does_nothing_when_it_is_finished(cast, queued):
    first = service.run_import(cast.tenant, queued.pk)
    again = service.run_import(cast.tenant, queued.pk)
    assert (again.finished_at, counts(again)) == (first.finished_at, counts(first))


def test_leaves_an_import_alone_that_somebody_works_on(cast, queued):
    with lease.held(queued.pk) as mine:
        assert mine
        assert lease.is_held(queued.pk)
        assert service.run_import(cast.tenant, queued.pk).status == Import.Status.QUEUED
    assert not lease.is_held(queued.pk)


def test_gives_up_what_kills_every_worker(cast, queued, monkeypatch):
    def kill(*_args):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(run._Job, "_read", kill)
        for _attempt in range(run.MAX_ATTEMPTS):
            with pytest.raises(Killed):
                service.run_import(cast.tenant, queued.pk)
    row = service.run_import(cast.tenant, queued.pk)
    assert row.error == "The import broke off 5 times at the same place. What was written until then stays."


def test_says_that_it_broke_off_and_raises_what_nobody_expected(cast, queued, monkeypatch):
    def broken(*_args):
        raise ZeroDivisionError

    monkeypatch.setattr(run._Job, "_merge", broken)
    with pytest.raises(ZeroDivisionError):
        service.run_import(cast.tenant, queued.pk)
    with tenant_scope(cast.tenant):
        queued.refresh_from_db()
    assert queued.status == Import.Status.FAILED
    assert queued.error.startswith("The import broke off: ZeroDivisionError.")


def test_merges_a_piece_again_that_collided(cast, queued, monkeypatch):
    original, calls = run._Job._merge, []

    def colliding(self, row, *args):
        calls.append(row.done_part)
        result = original(self, row, *args)
        if calls.count(3) == 1 and row.done_part == 3:
            raise run.Collision("orders")
        return result

    monkeypatch.setattr(run._Job, "_merge", colliding)
    row = service.run_import(cast.tenant, queued.pk)
    assert (calls.count(3), counts(row)) == (2, (161, 1, 40, 0, 0))


def test_stops_before_the_next_piece_when_it_is_cancelled(cast, queued):
    def tell(row):
        if row.status == Import.Status.WRITING and row.done_part == 3:
            with tenant_scope(cast.tenant):
                assert service.cancel_import(row)

    row = service.run_import(cast.tenant, queued.pk, tell=tell)
    assert row.status == Import.Status.CANCELLED
    assert 0 < row.created < 40
    orders, _customers = everything(cast.tenant)
    assert len(orders) == row.created
    assert not stores.of(row.tenant_id, row.pk).spool.exists()
    with tenant_scope(cast.tenant):
        assert not service.cancel_import(row)


def test_rings_the_bell_once_the_columns_are_said(cast, queued, monkeypatch, django_capture_on_commit_callbacks):
    calls = rung(monkeypatch)
    with django_capture_on_commit_callbacks(execute=True), tenant_scope(cast.tenant):
        service.queue_import(queued)
        assert calls == []
    assert calls == [(cast.tenant.pk, queued.pk)]


def test_rings_again_for_what_nobody_works_on(cast, queued, monkeypatch):
    calls = rung(monkeypatch)
    with lease.held(queued.pk):
        tasks.sweep_imports()
        assert calls == []
    tasks.sweep_imports()
    tasks.sweep_imports()
    assert calls == [(cast.tenant.pk, queued.pk)]  # not every minute, while it waits in the queue
    cache.clear()
    tasks.run_import(cast.tenant.pk, queued.pk)
    tasks.sweep_imports()
    assert len(calls) == 1


def test_forgets_files_after_a_month(cast, queued, monkeypatch):
    rung(monkeypatch)
    row = service.run_import(cast.tenant, queued.pk)
    folder = stores.of(row.tenant_id, row.pk).folder
    with time_machine.travel(row.created_at + dt.timedelta(days=29)):
        tasks.sweep_imports()
        assert folder.exists()
    with time_machine.travel(row.created_at + dt.timedelta(days=31)):
        tasks.sweep_imports()
    assert not folder.exists()
    with tenant_scope(cast.tenant):
        row.refresh_from_db()
        assert (row.path, row.created) == ("", 40)
        with pytest.raises(service.ImportProblem, match="upload it again"):
            service.repeat_import(row)


def test_runs_for_real_what_was_only_tried(cast, deliver):
    tried = deliver(MANY, dry_run=True)
    assert (counts(tried), everything(cast.tenant)) == ((161, 1, 40, 0, 0), ([], 0))
    with tenant_scope(cast.tenant):
        again = service.repeat_import(tried)
    assert counts(service.run_import(cast.tenant, again.pk)) == (161, 1, 40, 0, 0)
    assert len(everything(cast.tenant)[0]) == 40
