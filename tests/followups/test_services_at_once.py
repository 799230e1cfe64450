"""It: two people, or one person twice, at the same moment."""

import threading

import pytest
from django.db import connections

from customers import services
from customers.models import Interaction
from followups.models import FollowUp
from followups.services import AlreadyClosed, Change, Refused, complete_many, log_contact, snooze_many
from tenants.context import tenant_scope

pytestmark = [
    pytest.mark.django_db(transaction=True, databases=["default", "owner"]),
    pytest.mark.xdist_group("transactions"),
]


def at_once(tenant, *jobs):
    """Run the jobs at the same moment, each on a connection of its own; returns what came of each."""
    start, results = threading.Barrier(len(jobs)), [None] * len(jobs)

    def work(place, job):
        try:
            start.wait(5)
            with tenant_scope(tenant):
                results[place] = job()
        except Exception as error:  # noqa: BLE001  # the error is the result
            results[place] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work, args=pair) for pair in enumerate(jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    return results


def log(row, member, note):
    return lambda: log_contact(follow_up=row, member=member, channel="phone", answered=True, note=note)


def test_lets_one_of_two_people_log_and_tells_the_other(cast, raised):
    row = raised()
    results = at_once(cast.tenant, log(row, cast.ann, "mine"), log(row, cast.bo, "mine"))
    assert sorted(isinstance(result, AlreadyClosed) for result in results) == [False, True]
    with tenant_scope(cast.tenant):
        assert Interaction.objects.count() == 1


def test_logs_once_what_one_person_sends_twice(cast, raised):
    row = raised()
    results = at_once(cast.tenant, log(row, cast.ann, "same"), log(row, cast.ann, "same"))
    assert sorted(len(result.events) for result in results) == [0, 1]
    with tenant_scope(cast.tenant):
        assert Interaction.objects.count() == 1


def test_never_waits_crosswise_when_one_contact_answers_what_another_is_logged_with(cast, raised, monkeypatch):
    """The first one's note of the customer comes last, else each would wait for what the other holds."""
    customer = cast.customer("Both")
    talk = raised(customer, kind="deep_talk", rule="cadence:deep_talk")
    review = raised(customer, kind="review", rule="cadence:review")
    second_is_in, first_has_logged = threading.Event(), threading.Event()
    log_interaction = services.log_interaction

    def slow(*, member, **fields):
        if member == cast.ann:
            row = log_interaction(member=member, **fields)
            first_has_logged.set()
            assert second_is_in.wait(5)
            return row
        second_is_in.set()  # and holds its follow-up
        assert first_has_logged.wait(5)
        return log_interaction(member=member, **fields)

    monkeypatch.setattr(services, "log_interaction", slow)
    said = {"channel": "phone", "answered": True}
    first, second = at_once(
        cast.tenant,
        lambda: log_contact(follow_up=talk, member=cast.ann, kind="review", **said),
        lambda: log_contact(follow_up=review, member=cast.bo, **said),
    )
    assert (len(first.events), len(second.events)) == (1, 1)
    with tenant_scope(cast.tenant):
        assert Interaction.objects.count() == 2


def test_never_waits_crosswise_whatever_the_order_of_the_picks(cast, raised):
    ids = [raised().pk for _ in range(20)]
    days = {"until": cast.tenant.today().replace(day=27), "reason": "closed"}
    results = at_once(
        cast.tenant,
        lambda: snooze_many(ids=ids, seen=20, member=cast.ann, **days),
        lambda: snooze_many(ids=ids[::-1], seen=20, member=cast.bo, **days),
        lambda: complete_many(ids=ids[10:] + ids[:10], seen=20, member=cast.ann),
    )
    # The completion may have been first: then there is nothing left to put off, and that is said.
    assert all(isinstance(result, Change | Refused) for result in results)
    assert any(isinstance(result, Change) for result in results)
    with tenant_scope(cast.tenant):
        assert len(set(FollowUp.objects.values_list("status", flat=True))) == 1
