"""Celery, and the one table of what beat starts."""

import os
from typing import Any

from celery import Celery, signals
from celery.beat import PersistentScheduler

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("perennial")
app.set_default()  # in every thread of the web server, too: tasks are declared with `shared_task`
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.autodiscover_tasks(["config"])

# Beat only rings bells: each task looks in the database for what is due, so a missed or doubled ring is harmless.
app.conf.beat_schedule = {
    "ring-the-night": {"task": "config.tasks.ring_the_night", "schedule": 60.0},
    "sweep-runs": {"task": "config.tasks.sweep_runs", "schedule": 60.0},
    "sweep-imports": {"task": "customers.tasks.sweep_imports", "schedule": 60.0},
}


class Scheduler(PersistentScheduler):
    """Celery's own scheduler, which also says that it is alive."""

    def tick(self, *args: Any, **kwargs: Any) -> Any:
        from tenants import heartbeat

        heartbeat.beat("beat")
        return super().tick(*args, **kwargs)


app.conf.beat_scheduler = "config.celery:Scheduler"
app.conf.beat_max_loop_interval = 15  # so that the heartbeat is never older


@signals.heartbeat_sent.connect
def _worker_lives(**kwargs: Any) -> None:
    from tenants import heartbeat

    heartbeat.beat("worker")


@signals.worker_ready.connect
def _worker_started(**kwargs: Any) -> None:
    _worker_lives()
