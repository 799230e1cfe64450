"""The command that makes the demo: all of a firm or nothing, and never beside other firms unasked."""

from __future__ import annotations

import pytest
from django.core.management import CommandError, call_command

from config.demo import seed as demo_seed
from config.night import STEPS
from tenants.models import Tenant, User
from tenants.runs import Step
from tests.config.smaller_demo import smaller_demo


@pytest.fixture(autouse=True)
def _small(db):
    with smaller_demo():
        yield


def test_makes_nothing_when_empty_is_asked_for_and_there_is_a_firm(cast, capsys):
    call_command("seed_demo", "--if-empty")
    assert not Tenant.objects.filter(slug__in=["hengtai", "oakfield"]).exists()
    assert capsys.readouterr().out == ""


def test_has_no_log_ins_to_print_without_the_firms():
    with pytest.raises(CommandError, match="no demo firm"):
        call_command("seed_demo", "--logins")


def test_leaves_nothing_of_a_firm_when_it_is_interrupted(monkeypatch):
    def interrupted(*_arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(demo_seed, "let_weeks_pass", interrupted)
    with pytest.raises(KeyboardInterrupt):
        call_command("seed_demo")
    assert not Tenant.objects.exists()
    assert not User.objects.exists()


def test_leaves_nothing_of_a_firm_whose_night_fails(monkeypatch):
    def broken(piece):
        raise ZeroDivisionError

    monkeypatch.setitem(STEPS, "risk", Step(broken))
    with pytest.raises(CommandError, match=r"was not made.*ZeroDivisionError"):
        call_command("seed_demo")
    assert not Tenant.objects.exists()
