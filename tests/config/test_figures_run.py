"""The run after the night: it counts a big firm's figures ahead, once for each night."""

from __future__ import annotations

import datetime as dt

import pytest

from config import night
from config.night import FIGURES_JOB, due_figures, open_night, run_night, work_off_night
from health.models import HealthTally
from segmentation.models import SegmentationTally
from tenants.context import tenant_scope
from tenants.models import Run

DAY = dt.date(2026, 11, 20)


@pytest.fixture
def big(cast, monkeypatch):
    """A firm that is big enough for figures to be counted ahead."""
    monkeypatch.setattr(night, "FIGURES_FROM", 2)
    cast.customer("one")
    cast.customer("two")
    return cast.tenant


def counted(tenant):
    with tenant_scope(tenant):
        return {
            kind.__name__: set(kind.objects.values_list("figure", "on")) for kind in (SegmentationTally, HealthTally)
        }


def test_counts_the_figures_once_the_night_has_ended(big):
    run_night(big, DAY)
    found = counted(big)
    assert {figure for figure, _on in found["SegmentationTally"]} >= {"scores", "tiers", "moves"}
    assert {figure for figure, _on in found["HealthTally"]} >= {
        "moves",
        "quality",
        "risk",
        "desk-lapses",
        "firm-cohorts",
    }
    assert {on for kind in found.values() for _figure, on in kind} == {DAY}
    assert due_figures(big) is None


def test_counts_nothing_ahead_for_a_small_firm(cast):
    cast.customer("one")
    run_night(cast.tenant, DAY)
    assert not any(counted(cast.tenant).values())
    with tenant_scope(cast.tenant):
        assert not Run.objects.filter(job=FIGURES_JOB).exists()


def test_counts_again_when_the_night_has_run_again(big):
    run_night(big, DAY)
    with tenant_scope(big):
        first = Run.objects.get(job=FIGURES_JOB).finished_at
    run_night(big, DAY)
    with tenant_scope(big):
        assert Run.objects.get(job=FIGURES_JOB).finished_at > first


def test_finds_figures_that_a_killed_worker_has_left_behind(big):
    work_off_night(open_night(big, DAY, again=True))  # the worker dies here, before it opens the figures
    assert not any(counted(big).values())
    left = due_figures(big)
    assert left is not None
    assert left.job == FIGURES_JOB
    assert due_figures(big) is None  # open already: the sweep's, if nobody works on it
    assert work_off_night(left).status == Run.Status.DONE
    assert all(counted(big).values())
