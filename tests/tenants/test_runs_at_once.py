"""It: several workers on one run, each with a connection of its own."""

import datetime as dt
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, connections

from tenants import runs
from tenants.context import tenant_scope
from tenants.models import Run, RunStep
from tenants.policies import active_policy, complete_document, save_policy
from tenants.runs import Step, open_run, open_runs, work_off

pytestmark = [
    pytest.mark.django_db(transaction=True, databases=["default", "owner"]),
    pytest.mark.xdist_group("transactions"),
]
DAY = dt.date(2026, 11, 20)
WAIT = 30


@pytest.fixture
def worker():
    """Starts a worker on a run; its result is how the run stood when it left."""
    with ThreadPoolExecutor() as pool:

        def start(run, steps):
            def work():
                try:
                    with tenant_scope(run.tenant):
                        own = Run.objects.select_related("tenant").get(pk=run.pk)
                    return work_off(own, steps).status
                finally:
                    connections.close_all()

            return pool.submit(work)

        yield start


def wait_until(condition):
    end = time.monotonic() + WAIT
    while not condition():
        if time.monotonic() > end:
            pytest.fail("it did not happen in time")
        time.sleep(0.02)


def somebody_waits():
    """Whether a transaction waits for another one."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return cursor.fetchone()[0] > 0


def test_writes_parts_behind_and_the_end_of_a_step_through(cast):
    """A crash of the server may take parts away, with their marks; what says that a step is done stays."""
    seen = []

    def note(piece):
        with connection.cursor() as cursor:
            cursor.execute("SHOW synchronous_commit")
            seen.append((piece.part.first, *cursor.fetchone()))
        return {}

    steps = {"a": Step(note, finish=note)}
    with connection.cursor() as cursor:
        cursor.execute("SET synchronous_commit = on")  # the servers of tests are in a hurry
    try:
        work_off(open_run(cast.tenant, "job", DAY, steps, cuts=lambda: [10]), steps)
    finally:
        connection.close()
    assert seen == [(0, "off"), (11, "off"), (0, "on")]


def test_is_worked_on_in_parts_side_by_side_and_ended_once(cast, worker):
    together, seen = threading.Barrier(2), []

    def work(piece):
        seen.append(piece.part.first)
        together.wait(WAIT)  # two have begun before one is done, and both are done at once
        return {"parts": 1}

    def finish(piece):
        seen.append("finish")
        time.sleep(0.2)  # in which the other one has looked
        return {"ends": 1}

    steps = {"a": Step(work, finish=finish)}
    for _ in range(5):
        seen.clear()
        run = open_run(cast.tenant, "job", DAY, steps, again=True, cuts=lambda: [10])
        begun = [worker(run, steps)]
        wait_until(lambda: seen)  # prepared, and the bell is rung
        begun.append(worker(run, steps))
        assert Run.Status.DONE in {each.result(WAIT) for each in begun}
        assert sorted(map(str, seen)) == ["0", "11", "finish"]
        with tenant_scope(cast.tenant):
            assert run.steps.get().counts == {"parts": 2, "ends": 1}


@pytest.mark.parametrize("parts", [1, 2])
def test_is_found_by_the_sweep_while_something_of_it_is_held_by_nobody(cast, worker, parts):
    held, go = threading.Semaphore(0), threading.Event()

    def work(piece):
        held.release()
        assert go.wait(WAIT)
        return {}

    steps = {"a": Step(work), "b": Step(lambda piece: {})}
    run = open_run(cast.tenant, "job", DAY, steps, cuts=lambda: [10][: parts - 1])
    begun = []
    for number in range(1, parts + 1):
        assert len(open_runs(cast.tenant, "job")) == 1
        begun.append(worker(run, steps))
        assert held.acquire(timeout=WAIT)
        assert len(open_runs(cast.tenant, "job")) == (number < parts)
    go.set()
    assert Run.Status.DONE in {each.result(WAIT) for each in begun}


def test_goes_on_with_the_others_parts_while_one_fails(cast, worker):
    failing, done = [], []

    def work(piece):
        if piece.part.first == 0 and not failing:
            failing.append(0)
            wait_until(lambda: len(done) == 2)
            raise ValueError("the disk is full")
        done.append(piece.part.first)
        if len(done) == 2:
            wait_until(lambda: RunStep.objects.get().error)  # the other one's failure is noted
        return {"parts": 1}

    steps = {"a": Step(work)}
    run = open_run(cast.tenant, "job", DAY, steps, cuts=lambda: [10, 20, 30])
    first = worker(run, steps)
    wait_until(lambda: failing)
    second = worker(run, steps)
    assert second.result(WAIT) == Run.Status.DONE
    first.result(WAIT)
    assert done == [11, 21, 31, 0]
    with tenant_scope(cast.tenant):
        step = run.steps.get()
    assert (step.status, step.attempts, step.counts) == ("done", 2, {"parts": 4})


def test_is_not_done_when_the_other_of_two_who_end_it_begins_it_again(cast, worker, monkeypatch):
    """One sees that the policy has changed during the last step; the other has looked a moment before."""
    stood, ending, versions = [], threading.Event(), []

    def work(piece):
        versions.append(active_policy().number)
        stood.append(Run.objects.get().status)
        if versions == [1]:
            policy = active_policy()
            save_policy(complete_document(policy) | {"cadence": {"weekly_capacity": 31}}, pack=policy.pack)
        return {}

    starts_over = runs._starts_over

    def slowly(run):
        changed = starts_over(run)
        if changed and versions:
            ending.set()
            wait_until(somebody_waits)
        return changed

    monkeypatch.setattr(runs, "_starts_over", slowly)
    steps = {"a": Step(work)}
    run = open_run(cast.tenant, "job", DAY, steps)
    first = worker(run, steps)
    assert ending.wait(WAIT)
    second = worker(run, steps)
    assert Run.Status.DONE in {first.result(WAIT), second.result(WAIT)}
    assert versions == [1, 2]
    assert stood == ["open", "open"]
    with tenant_scope(cast.tenant):
        again = Run.objects.get(pk=run.pk)
        assert (again.status, again.policy_version) == (Run.Status.DONE, 2)
        assert again.finished_at >= again.steps.get().finished_at
