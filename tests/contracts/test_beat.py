"""Every bell rings on an empty house, and twice, without harm."""

import pytest
from django.utils.module_loading import import_string

from config.celery import app

TASKS = sorted({entry["task"] for entry in app.conf.beat_schedule.values()})


@pytest.mark.parametrize("name", TASKS)
def test_rings_on_an_empty_house(db, name):
    assert not import_string(name)()


@pytest.mark.parametrize("name", TASKS)
def test_rings_twice(cast, name):
    import_string(name)()
    import_string(name)()


@pytest.mark.parametrize("name", TASKS)
def test_is_a_task_that_workers_know(name):
    app.loader.import_default_modules()
    assert name in app.tasks
