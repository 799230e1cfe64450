"""It: one verb on thousands of follow-ups, piece by piece, killed in between, and taken back."""

import datetime as dt

import pytest
from django.db import connections

from customers.models import Interaction
from followups import bulk, services
from followups.models import Bulk, BulkItem, FollowUp
from followups.services import Refused, complete
from tenants.context import tenant_scope
from tenants.models import Event, User
from tests.followups.conftest import TODAY
from tests.followups.test_services_at_once import at_once

DAY = dt.timedelta(days=1)
SNOOZE = {"until": (TODAY + 3 * DAY).isoformat(), "reason": "closed"}
pytestmark = [
    pytest.mark.django_db(transaction=True, databases=["default", "owner"]),
    pytest.mark.xdist_group("transactions"),
]


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch):
    monkeypatch.setattr(bulk, "PIECE", 3)


@pytest.fixture
def silent(monkeypatch):
    """No worker hears the bell: the test is the worker."""
    from followups import tasks

    rung = []
    monkeypatch.setattr(tasks.run_bulk, "delay", lambda *said: rung.append(said))
    return rung


@pytest.fixture
def started(cast, raised, silent):
    def make(count=7, verb="complete", said=None, member=None, **fields):
        rows = [raised(**fields) for _ in range(count)]
        with tenant_scope(cast.tenant):
            row = bulk.start(
                verb=verb, ids=[each.pk for each in rows], seen=count, member=member or cast.ann, said=said
            )
        return row, rows

    return make


def state(row):
    with tenant_scope(row.tenant):
        fresh = Bulk.objects.get(pk=row.pk)
        return fresh.status, {name: count for name, count in bulk.counts(fresh).items() if count}


def statuses(cast):
    with tenant_scope(cast.tenant):
        return list(FollowUp.objects.order_by("pk").values_list("status", flat=True))


def test_does_all_in_pieces_and_takes_all_back(cast, started, silent):
    row, _rows = started(7)
    assert silent == [(cast.tenant.pk, row.pk)]
    bulk.work(cast.tenant, row.pk)
    assert state(row) == ("done", {"changed": 7})
    assert statuses(cast) == ["done"] * 7
    with tenant_scope(cast.tenant):
        assert Interaction.objects.count() == 7
        bulk.undo(bulk=row, member=cast.ann)
    bulk.work(cast.tenant, row.pk)
    assert state(row) == ("undone", {"undone": 7})
    assert statuses(cast) == ["open"] * 7
    with tenant_scope(cast.tenant):
        assert not Interaction.objects.exists()


def test_leaves_the_piece_open_that_breaks_off_and_finishes_it_the_next_time(cast, started, monkeypatch):
    row, _rows = started(7)
    done, do_many = [], services.do_many

    def breaks(**said):
        if len(done) == 1:
            done.append("broken")
            raise RuntimeError("the machine is gone")
        done.append(said["ids"])
        return do_many(**said)

    monkeypatch.setattr(services, "do_many", breaks)
    with pytest.raises(RuntimeError):
        bulk.work(cast.tenant, row.pk)
    assert state(row) == ("open", {"changed": 3, "waiting": 4})
    assert bulk.unattended(cast.tenant) == [row.pk]
    bulk.work(cast.tenant, row.pk)
    assert state(row) == ("done", {"changed": 7})
    assert bulk.unattended(cast.tenant) == []
    with tenant_scope(cast.tenant):
        assert Event.objects.filter(verb="completed").count() == 7


def test_gives_up_when_every_try_breaks_off_and_says_so(cast, started, monkeypatch):
    row, _rows = started(3)

    def breaks(**_said):
        raise RuntimeError("always")

    monkeypatch.setattr(services, "do_many", breaks)
    for _ in range(bulk.MAX_ATTEMPTS):
        with pytest.raises(RuntimeError):
            bulk.work(cast.tenant, row.pk)
    bulk.work(cast.tenant, row.pk)
    assert state(row) == ("failed", {"waiting": 3})
    with tenant_scope(cast.tenant):
        assert "broke off" in Bulk.objects.get(pk=row.pk).error


def test_shares_the_work_between_two_workers_and_does_everything_once(cast, started):
    row, _rows = started(12)

    def worker():
        # In its own connection and outside the scope that at_once opens: pieces are transactions of their own.
        bulk.work(cast.tenant, row.pk)

    results = in_threads(worker, worker)
    assert [each for each in results if each is not None] == []
    if state(row)[0] == "open":  # one of them met the lock of the other and left; the sweep would ring again
        bulk.work(cast.tenant, row.pk)
    assert state(row) == ("done", {"changed": 12})
    with tenant_scope(cast.tenant):
        assert Event.objects.filter(verb="completed").count() == 12


def in_threads(*jobs):
    import threading

    results = [None] * len(jobs)

    def work(place, job):
        try:
            job()
        except Exception as error:  # noqa: BLE001  # the error is the result
            results[place] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work, args=pair) for pair in enumerate(jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return results


def test_says_of_each_that_stays_why(cast, started, raised):
    row, rows = started(3, "snooze", SNOOZE)
    with tenant_scope(cast.tenant):
        FollowUp.objects.filter(pk=rows[0].pk).update(level="severe")
        complete(follow_up=rows[1], member=cast.bo)
    bulk.work(cast.tenant, row.pk)
    assert state(row) == ("done", {"changed": 1, "stays": 2})
    with tenant_scope(cast.tenant):
        whys = dict(bulk.reasons(row, 10))
        assert any("severe alerts cannot be snoozed" in why for why in whys)
        assert any("Bo logged a contact" in why for why in whys)


def test_speaks_the_language_of_who_started_it(cast, started):
    User.objects.filter(pk=cast.ann.user_id).update(language="zh-hans")
    row, rows = started(1, "snooze", SNOOZE)
    with tenant_scope(cast.tenant):
        FollowUp.objects.filter(pk=rows[0].pk).update(level="severe")
    bulk.work(cast.tenant, row.pk)
    with tenant_scope(cast.tenant):
        ((why, _rows),) = bulk.reasons(row, 10)
    assert "严重" in why or "重度" in why


def test_keeps_what_somebody_has_changed_since_and_takes_the_rest_back(cast, started):
    row, rows = started(4, "snooze", SNOOZE)
    bulk.work(cast.tenant, row.pk)
    with tenant_scope(cast.tenant):
        complete(follow_up=rows[2], member=cast.bo)
        services.snooze(follow_up=rows[1], member=cast.bo, until=TODAY + 9 * DAY, reason="later")
        bulk.undo(bulk=row, member=cast.ann)
    bulk.work(cast.tenant, row.pk)
    # Bo's completion left the snoozing as it was, so that goes back; Bo's other day counts.
    assert state(row) == ("undone", {"undone": 3, "kept": 1})
    with tenant_scope(cast.tenant):
        assert FollowUp.objects.get(pk=rows[1].pk).snoozed_until == TODAY + 9 * DAY
        assert FollowUp.objects.get(pk=rows[0].pk).snoozed_until is None


def test_stops_in_the_middle_and_takes_back_what_was_done(cast, started, monkeypatch):
    row, _rows = started(7)
    piece = bulk._piece
    monkeypatch.setattr(bulk, "_piece", lambda *said: piece(*said) and False)
    bulk.work(cast.tenant, row.pk)
    monkeypatch.setattr(bulk, "_piece", piece)
    assert state(row) == ("open", {"changed": 3, "waiting": 4})
    with tenant_scope(cast.tenant):
        bulk.undo(bulk=row, member=cast.ann)
    bulk.work(cast.tenant, row.pk)
    assert state(row) == ("undone", {"undone": 3, "stays": 4})
    assert statuses(cast) == ["open"] * 7


def test_takes_back_what_a_contact_has_answered_besides(cast, started, raised):
    customer = cast.customer("Both")
    talk = raised(customer, rule="manual", facts={"text": "Ask"}, kind="light_touch")
    row, _rows = started(1, customer=customer)
    with tenant_scope(cast.tenant):
        other = raised(customer, rule="cadence:light_touch", period="other")
    bulk.work(cast.tenant, row.pk)
    with tenant_scope(cast.tenant):
        assert FollowUp.objects.get(pk=other.pk).status == "cancelled"
        assert FollowUp.objects.get(pk=talk.pk).status == "open"
        bulk.undo(bulk=row, member=cast.ann)
    bulk.work(cast.tenant, row.pk)
    with tenant_scope(cast.tenant):
        assert FollowUp.objects.get(pk=other.pk).status == "open"


def test_does_nothing_in_the_name_of_somebody_who_has_left(cast, started):
    row, _rows = started(2)
    with tenant_scope(cast.tenant):
        cast.ann.is_active = False
        cast.ann.save()
    bulk.work(cast.tenant, row.pk)
    assert state(row) == ("failed", {"waiting": 2})
    assert statuses(cast) == ["open"] * 2


def test_leaves_alone_what_the_member_no_longer_sees(cast, started):
    row, rows = started(2)
    with tenant_scope(cast.tenant):
        customer = rows[0].customer
        customer.owner_a = customer.owner_b = None
        customer.save()
    bulk.work(cast.tenant, row.pk)
    assert state(row) == ("done", {"changed": 1, "stays": 1})
    with tenant_scope(cast.tenant):
        assert FollowUp.objects.get(pk=rows[0].pk).status == "open"


@pytest.mark.parametrize(
    ("verb", "said", "seen", "words"),
    [
        ("complete", {}, 3, "there are 2 follow-ups now"),
        ("snooze", {"until": TODAY.isoformat(), "reason": "x"}, 2, "Snooze to a day after today"),
        ("snooze", {"until": (TODAY + DAY).isoformat(), "reason": " "}, 2, "Say why it can wait"),
    ],
)
def test_refuses_at_once_what_could_be_done_with_none(cast, raised, silent, verb, said, seen, words):
    ids = [raised().pk, raised().pk]
    with tenant_scope(cast.tenant):
        with pytest.raises(Refused, match=words):
            bulk.start(verb=verb, ids=ids, seen=seen, member=cast.ann, said=said)
        assert not Bulk.objects.exists()
    assert silent == []


def test_refuses_an_assignee_who_only_looks_on_and_too_many(cast, raised, silent, monkeypatch):
    ids = [raised().pk]
    monkeypatch.setattr(bulk, "MOST", 1)
    with tenant_scope(cast.tenant):
        with pytest.raises(Refused, match="does not work on follow-ups"):
            bulk.start(verb="reassign", ids=ids, seen=1, member=cast.ann, said={"assignee": cast.eve.pk})
        with pytest.raises(Refused, match="At most 1"):
            bulk.start(verb="complete", ids=[*ids, raised().pk], seen=2, member=cast.ann)


def test_lets_only_who_did_it_or_a_lead_take_it_back(cast, started):
    row, _rows = started(1)
    bulk.work(cast.tenant, row.pk)
    with tenant_scope(cast.tenant):
        with pytest.raises(Refused, match="Only who did it"):
            bulk.undo(bulk=row, member=cast.bo)
        bulk.undo(bulk=row, member=cast.lea)
        assert bulk.undo(bulk=row, member=cast.lea).status == "undoing"
    bulk.work(cast.tenant, row.pk)
    assert state(row) == ("undone", {"undone": 1})


def test_one_who_completes_while_the_bulk_does_counts_once(cast, started):
    row, rows = started(1)
    results = at_once(cast.tenant, lambda: complete(follow_up=rows[0], member=cast.bo))
    assert not isinstance(results[0], Exception)
    bulk.work(cast.tenant, row.pk)
    assert state(row) == ("done", {"stays": 1})
    with tenant_scope(cast.tenant):
        assert Interaction.objects.count() == 1
        assert BulkItem.objects.get().events == []
