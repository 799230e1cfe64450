import datetime as dt

import pytest

from tenants.context import tenant_scope
from tenants.models import Run, RunPart, Team
from tenants.parts import EVERYBODY
from tenants.policies import active_policy, complete_document, save_policy
from tenants.runs import MAX_ATTEMPTS, REST, Prepared, Step, open_run, open_runs, work_off

DAY = dt.date(2026, 11, 20)


def create_team(piece):
    Team.objects.create(name=f"made {Team.objects.count()}")
    return {"teams": 1}


def raise_error(piece):
    Team.objects.create(name="half written")
    raise ValueError("the disk is full")


make_team, fail = Step(create_team), Step(raise_error)


def save_other_policy():
    policy = active_policy()
    save_policy(complete_document(policy) | {"cadence": {"weekly_capacity": 31}}, pack=policy.pack)


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


def test_is_left_alone_once_it_has_failed(cast):
    run = open_run(cast.tenant, "job", DAY, {"a": fail, "b": make_team})
    for _ in range(MAX_ATTEMPTS):
        run = work_off(run, {"a": fail, "b": make_team})
    assert work_off(run, {"a": make_team, "b": make_team}).status == Run.Status.FAILED
    assert teams(cast.tenant) == set()


@pytest.mark.parametrize("status", [Run.Status.OPEN, Run.Status.DONE])
def test_is_found_by_the_sweep_only_while_open(cast, status):
    run = open_run(cast.tenant, "job", DAY, {"a": make_team})
    if status == Run.Status.DONE:
        work_off(run, {"a": make_team})
    assert [r.pk for r in open_runs(cast.tenant, "job")] == ([run.pk] if status == Run.Status.OPEN else [])


@pytest.mark.parametrize("order", ["look save look", "look look save"])
def test_works_all_steps_again_when_the_policy_changes_in_between(cast, order):
    seen = []

    def look(piece):
        seen.append(active_policy().number)
        return {}

    def save(piece):
        if active_policy().number == 1:
            save_other_policy()
        return {}

    steps = {f"{n}": Step({"look": look, "save": save}[name]) for n, name in enumerate(order.split())}
    run = work_off(open_run(cast.tenant, "job", DAY, steps), steps)
    assert (run.status, run.policy_version) == (Run.Status.DONE, 2)
    assert seen == ([1, 2, 2] if order == "look save look" else [1, 1, 2, 2])


# ── parts ───────────────────────────────────────────────────────────────────


class Work:
    """A step that notes what is asked of it, and fails for the parts whose first number is in `bad`."""

    def __init__(self, name="", bad=(), then=None):
        self.name, self.bad, self.then, self.seen = name, set(bad), then, []
        self.step = Step(self.work, self.prepare, self.finish)

    def prepare(self, piece):
        self.seen.append(f"{self.name}prepare")
        return Prepared({"model": 7}, counts={"models": 1, "all": 100})

    def work(self, piece):
        self.seen.append(f"{self.name}{piece.part.first}")
        Team.objects.get_or_create(name=f"{self.name}{piece.part.first}")
        assert piece.shared == {"model": 7}
        if piece.part.first in self.bad:
            raise ValueError("the disk is full")
        if self.then:
            self.then(piece)
        return {"customers": 10, "all": 10}

    def finish(self, piece):
        assert piece.shared == {"model": 7}
        self.seen.append(f"{self.name}finish")
        return {"all": 1}


def open_in_parts(tenant, steps, day=DAY, **options):
    return open_run(tenant, "job", day, steps, cuts=lambda: [10, 20], **options)


def parts_of_step(tenant, name):
    with tenant_scope(tenant):
        return list(RunPart.objects.filter(step__name=name).values_list("first", "is_done"))


def test_prepares_once_works_each_part_once_and_ends_once(cast):
    a, b = Work("a"), Work("b")
    b.seen = a.seen
    steps = {"a": a.step, "b": b.step}
    run = work_off(open_in_parts(cast.tenant, steps), steps)
    assert run.status == Run.Status.DONE
    assert a.seen == [
        *("aprepare", "a0", "a11", "a21", "afinish"),
        *("bprepare", "b0", "b11", "b21", "bfinish"),
    ]
    assert {name: step.counts for name, step in steps_of(cast.tenant, run).items()} == {
        name: {"models": 1, "customers": 30, "all": 131} for name in "ab"
    }


def test_rings_for_as_many_others_as_there_are_parts_to_take(cast, django_capture_on_commit_callbacks):
    steps, rung = {"a": Work().step, "b": Step(create_team, splits=False)}, []
    with django_capture_on_commit_callbacks(execute=True):
        work_off(open_in_parts(cast.tenant, steps), steps, rung.append)
    assert rung == [2]


def test_goes_on_when_nobody_hears_the_bell(cast, django_capture_on_commit_callbacks):
    def ring(others):
        raise ConnectionError("no bell")

    steps = {"a": Work().step}
    with django_capture_on_commit_callbacks(execute=True):
        run = work_off(open_in_parts(cast.tenant, steps), steps, ring)
    assert (run.status, steps_of(cast.tenant, run)["a"].attempts) == (Run.Status.DONE, 1)


@pytest.mark.parametrize("why", ["does not split", "has little to do", "few customers"])
def test_does_all_in_one_piece_when_the_step(cast, why):
    seen = []

    def work(piece):
        seen.append(piece.part)
        return {}

    little = {"prepare": lambda piece: Prepared(is_one=True)} if why == "has little to do" else {}
    steps = {"a": Step(work, splits=why != "does not split", **little)}
    cuts = list if why == "few customers" else lambda: [10]
    assert work_off(open_run(cast.tenant, "job", DAY, steps, cuts=cuts), steps).status == Run.Status.DONE
    assert seen == [EVERYBODY]
    assert parts_of_step(cast.tenant, "a") == []


def test_keeps_the_error_of_a_part_and_what_the_others_have_done(cast):
    a = Work(bad=[11])
    steps = {"a": a.step, "b": make_team}
    run = work_off(open_in_parts(cast.tenant, steps), steps)
    step = steps_of(cast.tenant, run)["a"]
    assert (run.status, step.status, step.attempts) == (Run.Status.OPEN, "open", 1)
    assert "the disk is full" in step.error
    assert teams(cast.tenant) == {"0"}
    work_off(run, steps)  # what failed comes last
    assert teams(cast.tenant) == {"0", "21"}
    a.bad.clear()
    run = work_off(run, steps)
    assert run.status == Run.Status.DONE
    assert a.seen == ["prepare", "0", "11", "21", "11", "11", "finish"]
    step = steps_of(cast.tenant, run)["a"]
    assert (step.error, step.counts["customers"]) == ("", 30)


def test_gives_up_when_a_part_has_failed_so_many_times(cast):
    steps = {"a": Work(bad=[0]).step}
    run = open_in_parts(cast.tenant, steps)
    for _ in range(MAX_ATTEMPTS):
        assert run.status == Run.Status.OPEN
        run = work_off(run, steps)
    assert run.status == Run.Status.FAILED


@pytest.mark.parametrize("where", ["prepare", "part", "finish"])
def test_leaves_what_failed_to_the_next_sweep_however_many_come_for_a_bell(cast, where, time_machine):
    def is_full(piece):
        raise ValueError("the disk is full")

    a = Work(bad=[21] if where == "part" else [])
    steps = {
        "a": Step(a.work, **{"prepare": a.prepare, "finish": a.finish, **({} if where == "part" else {where: is_full})})
    }

    def come():
        run = work_off(open_in_parts(cast.tenant, steps), steps, lambda others: None)
        return steps_of(cast.tenant, run)["a"].attempts

    time_machine.move_to(dt.datetime(2026, 11, 20, 2, 0, tzinfo=dt.UTC), tick=False)
    assert [come() for _ in range(MAX_ATTEMPTS)] == [1] * MAX_ATTEMPTS
    assert open_runs(cast.tenant, "job") == []
    time_machine.shift(REST)
    assert len(open_runs(cast.tenant, "job")) == 1
    assert [come(), come()] == [2, 2]


def test_drops_the_parts_and_works_everybody_anew_when_the_policy_changes_among_them(cast):
    since, versions = [], []

    def note(piece):
        since.append(piece.since)
        versions.append(active_policy().number)
        if piece.part.first == 11 and versions[-1] == 1:
            save_other_policy()

    a, b = Work("a", then=note), Work("b")
    steps = {"a": a.step, "b": b.step}
    yesterday = DAY - dt.timedelta(1)
    work_off(open_in_parts(cast.tenant, {"c": make_team}, yesterday), {"c": make_team})
    run = work_off(open_in_parts(cast.tenant, steps), steps)
    assert (run.status, run.policy_version) == (Run.Status.DONE, 2)
    assert versions == [1, 1, 2, 2, 2, 2]
    assert since == [yesterday] * 3 + [None] * 3
    assert a.seen == ["aprepare", "a0", "a11", "a21", "afinish"] * 2
    assert b.seen == ["bprepare", "b0", "b11", "b21", "bfinish"]
    assert parts_of_step(cast.tenant, "a") == [(0, True), (11, True), (21, True)]


def test_takes_nothing_as_given_when_the_policy_changes_before_it_begins(cast):
    since = []

    def note(piece):
        since.append(piece.since)
        return {}

    steps = {"a": Step(note)}
    work_off(open_run(cast.tenant, "job", DAY - dt.timedelta(1), steps), steps)
    run = open_run(cast.tenant, "job", DAY, steps)
    assert run.since == DAY - dt.timedelta(1)
    with tenant_scope(cast.tenant):
        save_other_policy()
    assert work_off(run, steps).status == Run.Status.DONE
    assert since == [None, None]


def test_goes_by_what_others_have_left_not_by_what_it_was_when_the_bell_rang(cast):
    since, snapshots = [], set()

    def note(piece):
        since.append(piece.since)
        snapshots.add(piece.snapshot)
        return {}

    steps = {"a": Step(note), "b": Step(note)}
    work_off(open_run(cast.tenant, "job", DAY - dt.timedelta(1), steps), steps)
    since.clear()
    snapshots.clear()
    stale = open_run(cast.tenant, "job", DAY, steps)
    half = {"a": Step(note), "b": fail}
    with tenant_scope(cast.tenant):
        work_off(Run.objects.get(pk=stale.pk), half)
        Run.objects.filter(pk=stale.pk).update(since=None)
    work_off(stale, steps)
    assert since == [DAY - dt.timedelta(1), None]
    assert len(snapshots) == 1


@pytest.mark.parametrize(
    ("earlier", "expected"),
    [("has given up before", True), ("is still under way", False), ("has given up since", False)],
)
def test_takes_the_last_run_as_given_unless_an_earlier_one(cast, earlier, expected):
    """An earlier day's run that goes on beside a later one writes over what that has found."""
    steps, failing = {"a": make_team}, {"a": fail}
    early = open_run(cast.tenant, "job", DAY - dt.timedelta(2), {"z": make_team, "a": fail})

    def attempts(number):
        for _ in range(number):
            work_off(early, {"z": make_team, **failing})

    attempts(MAX_ATTEMPTS if earlier == "has given up before" else 1)
    assert work_off(open_run(cast.tenant, "job", DAY - dt.timedelta(1), steps), steps).status == Run.Status.DONE
    if earlier == "has given up since":
        attempts(MAX_ATTEMPTS - 1)
    run = open_run(cast.tenant, "job", DAY, steps)
    assert run.since == (DAY - dt.timedelta(1) if expected else None)


def test_can_be_opened_again_after_it_failed_among_its_parts(cast):
    a = Work(bad=[11])
    steps = {"a": a.step}
    for _ in range(MAX_ATTEMPTS):
        run = work_off(open_in_parts(cast.tenant, steps), steps)
    assert run.status == Run.Status.FAILED
    a.bad.clear()
    a.seen.clear()
    run = work_off(open_in_parts(cast.tenant, steps, again=True), steps)
    assert run.status == Run.Status.DONE
    assert a.seen == ["prepare", "0", "11", "21", "finish"]
