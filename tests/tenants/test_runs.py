import datetime as dt

import pytest

from tenants.context import tenant_scope
from tenants.models import Run, Team
from tenants.policies import active_policy, complete_document, save_policy
from tenants.runs import MAX_ATTEMPTS, open_run, open_runs, work_off

DAY = dt.date(2026, 11, 20)


def make_team(day):
    Team.objects.create(name=f"made {Team.objects.count()}")
    return {"teams": 1}


def fail(day):
    Team.objects.create(name="half written")
    raise ValueError("the disk is full")


def steps_of(tenant, run):
    with tenant_scope(tenant):
        return {s.name: s for s in run.steps.all()}


def teams(tenant):
    with tenant_scope(tenant):
        return set(Team.objects.values_list("name", flat=True)) - {"South"}


def test_is_one_row_however_often_it_is_opened(cast):
    first = open_run(cast.tenant, "job", DAY, {"a": make_team})
    second = open_run(cast.tenant, "job", DAY, {"a": make_team})
    assert first.pk == second.pk
    assert len(steps_of(cast.tenant, first)) == 1


def test_works_the_steps_off_in_order_and_counts(cast):
    run = work_off(
        open_run(cast.tenant, "job", DAY, {"a": make_team, "b": make_team}), {"a": make_team, "b": make_team}
    )
    assert run.status == Run.Status.DONE
    assert {name: s.counts for name, s in steps_of(cast.tenant, run).items()} == {"a": {"teams": 1}, "b": {"teams": 1}}
    assert teams(cast.tenant) == {"made 1", "made 2"}


def test_does_nothing_when_it_is_done(cast):
    steps = {"a": make_team}
    work_off(open_run(cast.tenant, "job", DAY, steps), steps)
    work_off(open_run(cast.tenant, "job", DAY, steps), steps)
    assert teams(cast.tenant) == {"made 1"}


def test_has_the_steps_of_now_when_it_is_opened_again(cast):
    before, now = {"a": make_team, "c": make_team}, {"a": make_team, "b": make_team, "c": make_team}
    work_off(open_run(cast.tenant, "job", DAY, before), before)
    run = work_off(open_run(cast.tenant, "job", DAY, now, again=True), now)
    assert list(steps_of(cast.tenant, run)) == ["a", "b", "c"]
    assert len(teams(cast.tenant)) == 2 + 3


def test_leaves_nothing_of_a_step_that_fails_and_keeps_the_reason(cast):
    steps = {"a": make_team, "b": fail, "c": make_team}
    run = work_off(open_run(cast.tenant, "job", DAY, steps), steps)
    kept = steps_of(cast.tenant, run)
    assert run.status == Run.Status.OPEN
    assert teams(cast.tenant) == {"made 1"}
    assert "the disk is full" in kept["b"].error
    assert (kept["a"].status, kept["c"].status) == ("done", "open")


def test_goes_on_where_it_stopped(cast):
    steps = {"a": make_team, "b": fail}
    run = work_off(open_run(cast.tenant, "job", DAY, steps), steps)
    mended = {"a": fail, "b": make_team}
    assert work_off(run, mended).status == Run.Status.DONE
    assert teams(cast.tenant) == {"made 1", "made 2"}


def test_gives_up_after_so_many_attempts_and_can_be_opened_again(cast):
    run = open_run(cast.tenant, "job", DAY, {"a": fail})
    for _ in range(MAX_ATTEMPTS):
        run = work_off(run, {"a": fail})
    assert run.status == Run.Status.FAILED
    run = open_run(cast.tenant, "job", DAY, {"a": make_team}, again=True)
    assert work_off(run, {"a": make_team}).status == Run.Status.DONE


@pytest.mark.parametrize("status", [Run.Status.OPEN, Run.Status.DONE])
def test_is_found_by_the_sweep_only_while_open(cast, status):
    run = open_run(cast.tenant, "job", DAY, {"a": make_team})
    if status == Run.Status.DONE:
        work_off(run, {"a": make_team})
    assert [r.pk for r in open_runs(cast.tenant, "job")] == ([run.pk] if status == Run.Status.OPEN else [])


@pytest.mark.parametrize("order", ["look save look", "look look save"])
def test_works_all_steps_again_when_the_policy_changes_in_between(cast, order):
    seen = []

    def look(day):
        seen.append(active_policy().number)
        return {}

    def save(day):
        policy = active_policy()
        if policy.number == 1:
            save_policy(complete_document(policy) | {"cadence": {"weekly_capacity": 31}}, pack=policy.pack)
        return {}

    steps = {f"{n}": {"look": look, "save": save}[name] for n, name in enumerate(order.split())}
    run = work_off(open_run(cast.tenant, "job", DAY, steps), steps)
    assert (run.status, run.policy_version) == (Run.Status.DONE, 2)
    assert seen == ([1, 2, 2] if order == "look save look" else [1, 1, 2, 2])
