"""Several pieces under way at a time: the same end state, everything counted once, nobody waits for the whole file."""

import io
import threading
from collections import deque

import pytest
from django.db import connection

from customers.imports import lease, run, service, spool
from customers.models import Activity, Customer, Import, Order, OrderLine, Product
from tenants.context import tenant_scope
from tests.customers.conftest import ORDERS, counts

WAIT = 10
MANY = (
    ORDERS
    + "".join(f"A{n % 90},{n % 90 % 17},2026-0{n % 5 + 1}-{n % 28 + 1:02},p{n % 3},1,{n}\n" for n in range(360))
    + "A3,4,2026-03-02,p1,1,1\n"  # the order is another customer's
    + "B1,,,,,\n"
)


class Killed(BaseException):
    """As a kill -9 leaves it: no handler runs."""


def queued(tenant, content=MANY):
    with tenant_scope(tenant):
        row = service.start_import(kind="orders", file=io.BytesIO(content.encode()), filename="a.csv")
        return service.queue_import(row, ring=False)


def everything(tenant):
    """What the tables say, whatever the ids."""
    with tenant_scope(tenant):
        return (
            list(Order.objects.order_by("external_id").values_list("external_id", "net", "customer__name")),
            list(
                OrderLine.objects.order_by("order__external_id", "position").values_list(
                    "order__external_id", "position", "product__external_id", "money"
                )
            ),
            list(
                Activity.objects.order_by("customer__name", "month").values_list(
                    "customer__name", "month", "orders", "credit_notes", "net", "days"
                )
            ),
            (Customer.objects.count(), Product.objects.count()),
        )


@pytest.fixture(autouse=True)
def _small_pieces(settings, tmp_path, monkeypatch):
    settings.MEDIA_ROOT = tmp_path
    monkeypatch.setattr(spool, "PIECE", 40)


def test_goes_on_with_pieces_that_were_left_out(cast, monkeypatch):
    """Written in another order than that of their numbers, and killed: some later ones are done, some earlier are not."""
    row = queued(cast.tenant)
    count = run._Job._count

    def killing(job, number, merged):
        if job.row().done_part + len(job.row().done_ahead) == 5:
            raise Killed
        count(job, number, merged)

    with monkeypatch.context() as patch:
        patch.setattr(run, "deque", lambda items: deque(sorted(items, key=lambda item: item[0] % 3)))
        patch.setattr(run._Job, "_count", killing)
        with pytest.raises(Killed):
            service.run_import(cast.tenant, row.pk)
    with tenant_scope(cast.tenant):
        row.refresh_from_db()
    assert (row.done_part, row.done_ahead) == (1, [3, 6, 9, 12])
    row = service.run_import(cast.tenant, row.pk)
    assert (row.status, counts(row)) == ("done", (362, 2, 90, 0, 0))
    assert (row.done_part, row.done_ahead) == (row.whole, [])
    assert len(service.outcome_page(row, limit=1000)) == 362

    assert service.run_import(cast.other_tenant, queued(cast.other_tenant).pk).status == "done"
    assert everything(cast.tenant) == everything(cast.other_tenant)


def test_does_not_count_a_piece_twice(cast, monkeypatch):
    """A worker that was thought dead comes back and writes what another one has written."""
    row = queued(cast.tenant)
    job = run._Job(cast.tenant, row.pk, "", lambda _row: None)
    with monkeypatch.context() as patch:
        patch.setattr(run._Job, "_write", lambda *_args: (_ for _ in ()).throw(Killed))
        with pytest.raises(Killed):
            service.run_import(cast.tenant, row.pk)
    pieces = job.spool.pieces()
    job._write_piece(0, pieces[0])
    job._write_piece(2, pieces[2])
    for number in (0, 2):
        with pytest.raises(run._Cancelled):
            job._write_piece(number, pieces[number])
    assert counts(service.run_import(cast.tenant, row.pk)) == (362, 2, 90, 0, 0)


def test_finds_out_that_the_disk_has_lost_rows(cast, monkeypatch):
    row = queued(cast.tenant)
    finish = spool.Spool.finish

    def losing(self, stages):
        pieces = finish(self, stages)
        for file in self.folder.glob("orders-*"):
            file.write_bytes(b"")
        return pieces

    monkeypatch.setattr(spool.Spool, "finish", losing)
    with pytest.raises(spool.Damaged):
        service.run_import(cast.tenant, row.pk)
    with tenant_scope(cast.tenant):
        row.refresh_from_db()
        assert (row.status, Order.objects.count()) == (Import.Status.FAILED, 0)


def test_lets_another_import_of_the_firm_write_in_between(cast, monkeypatch):
    first, second = queued(cast.tenant), queued(cast.tenant, ORDERS + "Z1,1,2026-03-02,p1,1,1\n")
    turns, waited = [], []

    def tell(row):
        if row.status == Import.Status.WRITING:
            turns.append(row.pk)
            if row.pk == first.pk and not waited:
                waited.append(threading.Thread(target=hold, args=(second.pk,)))
                waited[0].start()
                assert asked.wait(WAIT)

    asked, had = threading.Event(), threading.Event()

    def hold(import_id):
        """What the second import does, as far as its turn goes: it shares no transaction with this test."""
        try:
            with lease.held(import_id) as mine:
                asked.set()
                with mine.turn(cast.tenant.pk):
                    turns.append(import_id)
                    had.set()
        finally:
            connection.close()

    row = service.run_import(cast.tenant, first.pk, tell=tell)
    waited[0].join(WAIT)
    assert (row.status, had.is_set()) == ("done", True)
    assert turns.index(second.pk) < len(turns) - 1  # before the first one's last piece


def test_gives_no_turn_away_that_nobody_wants(cast):
    with lease.held(1) as mine, mine.turn(cast.tenant.pk):
        assert not mine.is_wanted(cast.tenant.pk)
    with lease.held(2) as other, other.turn(cast.tenant.pk):  # the turn has ended
        pass


@pytest.mark.django_db(transaction=True, databases=["default", "owner"])
@pytest.mark.xdist_group("transactions")
@pytest.mark.parametrize("writers", [2, 3])
def test_writes_the_same_with_several_writers(cast, settings, writers):
    settings.IMPORT_WRITERS = 1
    assert service.run_import(cast.other_tenant, queued(cast.other_tenant).pk).status == "done"
    settings.IMPORT_WRITERS = writers
    names = set()
    original = run._Job._write_piece

    def seen(job, *args):
        names.add(threading.current_thread().name)
        return original(job, *args)

    run._Job._write_piece = seen
    try:
        row = service.run_import(cast.tenant, queued(cast.tenant).pk)
    finally:
        run._Job._write_piece = original
    assert (row.status, counts(row)) == ("done", (362, 2, 90, 0, 0))
    assert names == {"MainThread", *(f"import_{number}" for number in range(writers))}  # the one piece of products
    assert everything(cast.tenant) == everything(cast.other_tenant)
    assert counts(service.run_import(cast.tenant, queued(cast.tenant).pk)) == (362, 2, 0, 0, 90)


@pytest.mark.django_db(transaction=True, databases=["default", "owner"])
@pytest.mark.xdist_group("transactions")
def test_divides_what_one_customer_has_ordered_among_the_writers(cast, settings, monkeypatch):
    """All that is sold for cash stands under one number, which several pieces then introduce at once."""
    cash = ORDERS + "".join(f"A{n % 300},cash,2026-0{n % 5 + 1}-01,p{n % 3},1,{n}\n" for n in range(600))
    settings.IMPORT_WRITERS = 1
    assert service.run_import(cast.other_tenant, queued(cast.other_tenant, cash).pk).status == "done"
    settings.IMPORT_WRITERS = 3
    monkeypatch.setattr(spool, "_TOO_MANY", 80)
    row = service.run_import(cast.tenant, queued(cast.tenant, cash).pk)
    assert row.whole > 10
    assert (row.status, counts(row)) == ("done", (600, 0, 300, 0, 0))
    assert everything(cast.tenant) == everything(cast.other_tenant)


@pytest.mark.django_db(transaction=True, databases=["default", "owner"])
@pytest.mark.xdist_group("transactions")
def test_ends_what_the_others_have_begun_when_one_writer_fails(cast, monkeypatch):
    row, count = queued(cast.tenant), run._Job._count

    def failing(job, number, merged):
        if number == 4:
            raise ZeroDivisionError
        count(job, number, merged)

    with monkeypatch.context() as patch:
        patch.setattr(run._Job, "_count", failing)
        with pytest.raises(ZeroDivisionError):
            service.run_import(cast.tenant, row.pk)
    with tenant_scope(cast.tenant):
        row.refresh_from_db()
        assert (row.status, row.created) == (Import.Status.FAILED, Order.objects.count())
    with tenant_scope(cast.tenant):
        again = service.repeat_import(row)
    again = service.run_import(cast.tenant, again.pk)
    assert (again.created + again.unchanged, again.unchanged) == (90, row.created)
