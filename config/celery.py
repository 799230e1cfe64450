"""Celery, and the one table of what beat starts."""

import os
from typing import Any

from celery import Celery, signals
from celery.beat import PersistentScheduler
from celery.schedules import crontab

from config.threads import fair_share

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
# Before anything loads the numeric libraries, however the worker was started.
for _name, _share in fair_share().items():
    os.environ.setdefault(_name, _share)

app = Celery("perennial")
app.set_default()  # in every thread of the web server, too: tasks are declared with `shared_task`
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.autodiscover_tasks(["config"])

# Beat only rings bells: each task looks in the database for what is due, so a missed or doubled ring is harmless.
app.conf.beat_schedule = {
    "ring-the-night": {"task": "config.tasks.ring_the_night", "schedule": 60.0},
    "sweep-runs": {"task": "config.tasks.sweep_runs", "schedule": 60.0},
    "sweep-back-tests": {"task": "health.tasks.sweep_back_tests", "schedule": 60.0},
    "sweep-imports": {"task": "customers.tasks.sweep_imports", "schedule": 60.0},
    "look-at-answers": {"task": "followups.tasks.look_at_answers", "schedule": 60.0},
    "walk-journeys": {"task": "followups.tasks.walk_journeys", "schedule": 60.0, "options": {"expires": 60.0}},
    "sweep-bulks": {"task": "followups.tasks.sweep_bulks", "schedule": 60.0},
    # A ring that no worker had time for is not worth having later: the next one does the same.
    "look-at-arrivals": {"task": "config.tasks.look_at_arrivals", "schedule": 15.0, "options": {"expires": 15.0}},
    "send-messages": {"task": "followups.tasks.send_messages", "schedule": 15.0, "options": {"expires": 15.0}},
    "watch-incidents": {"task": "risk.tasks.watch_incidents", "schedule": 60.0, "options": {"expires": 60.0}},
    "send-notices": {"task": "followups.tasks.send_notices", "schedule": 15.0, "options": {"expires": 15.0}},
    "escalate-alerts": {"task": "risk.tasks.escalate_alerts", "schedule": 60.0, "options": {"expires": 60.0}},
    "walk-playbooks": {"task": "risk.tasks.walk_playbooks", "schedule": 60.0, "options": {"expires": 60.0}},
    "sweep-complaints": {"task": "risk.tasks.sweep_complaints", "schedule": 60.0, "options": {"expires": 60.0}},
    "issue-reports": {"task": "dashboards.tasks.issue_reports", "schedule": 300.0, "options": {"expires": 300.0}},
    "settle-cover": {"task": "followups.tasks.settle_cover", "schedule": 60.0},
    "prune-notices": {"task": "followups.tasks.prune_notices", "schedule": crontab(hour=12, minute=20)},
    "keep-partitions": {"task": "config.tasks.keep_partitions", "schedule": crontab(hour=12, minute=5)},
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
