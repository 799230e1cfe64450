"""Back-tests as jobs: what the forecast would have said in past months, measured cut-off by cut-off.

`start_back_test` makes the row and its cut-offs and rings the worker's bell. `run_back_test` measures one cut-off
after the other, each in a transaction of its own that holds the cut-off's lock and keeps what it found: killed
anywhere, the cut-off is open again and the others stay. Then the record over all of them is made.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Sequence
from typing import Any, Final, Literal

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Count, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from pydantic import ValidationError as InvalidSection

from customers.frames import Window, order_span
from health.frames import JUDGED, read_sample
from health.models import BackTest, BackTestCutOff
from health.rules import backtest as rules_of_back_tests
from health.rules.backtest import Ground, Part, cut_offs_between, summary
from health.rules.forecast import LONGEST
from health.rules.policy import ForecastPolicy
from tenants.context import current_tenant, tenant_scope
from tenants.events import record
from tenants.models import Member, Tenant
from tenants.policies import Policy, active_policy, policy_numbered

log = logging.getLogger("perennial.backtests")

USUAL: Final = 10
"""Cut-offs of a back-test that nobody asked for: the last closed ones."""
MOST: Final = 60
"""Cut-offs of one back-test."""
MAX_ATTEMPTS: Final = 5
"""Starts without a cut-off measured in between: something kills every worker that tries."""
GAVE_UP: Final = "gave_up"
"""The reason of a back-test that came to nothing by that; others are rules.backtest.Refusal."""
_OPEN: Final = (BackTest.Status.QUEUED, BackTest.Status.RUNNING)


# ── which cut-offs ──────────────────────────────────────────────────────────


def measurable(span: Window | None, rules: ForecastPolicy) -> list[dt.date]:
    """The first days of all months that a history can be tested on: enough known before, the horizon over since.

    `span` is from the first order day to the day after the last (customers.frames.order_span).
    """
    if span is None:
        return []
    start, end = span
    longest = rules.horizon_days if rules.lapse == "days" else LONGEST
    first, last = start + dt.timedelta(days=rules.minimum_days), end - dt.timedelta(days=longest)
    return [day for day in cut_offs_between(first, last) if first <= day <= last] if first <= last else []


def measurable_now() -> list[dt.date]:
    """The same of what is known today, by the policy in force. Needs an open tenant scope."""
    return measurable(order_span(current_tenant().today()), active_policy().section(ForecastPolicy))


def _rules(policy: Policy, horizon_days: int) -> ForecastPolicy:
    """The policy's rules; another horizon than the policy's is the same days for everybody."""
    rules = policy.section(ForecastPolicy)
    return rules if rules.horizon_days == horizon_days else _for_days(rules, horizon_days)


def _for_days(rules: ForecastPolicy, horizon_days: int) -> ForecastPolicy:
    """The rules with a horizon of so many days for everybody. Raises ValidationError for one that cannot be."""
    try:
        return ForecastPolicy.model_validate(rules.model_dump() | {"lapse": "days", "horizon_days": horizon_days})
    except InvalidSection as error:
        words = _("A forecast looks 30 to 365 days ahead.")
        raise ValidationError({"horizon_days": ValidationError(words, code="out_of_range")}) from error


def _months(first: dt.date, last: dt.date) -> list[dt.date]:
    """The cut-offs of the months from one to the other. Raises ValidationError for none, or too many."""
    cut_offs = cut_offs_between(first, last)
    if not cut_offs:
        raise ValidationError(
            {"last": ValidationError(_("The last month lies before the first."), code="before_first")}
        )
    if len(cut_offs) > MOST:
        words = _("At most %(most)s months at once.") % {"most": MOST}
        raise ValidationError({"last": ValidationError(words, code="too_many")})
    return cut_offs


def evaluate(first: dt.date, last: dt.date, horizon_days: int | None = None) -> rules_of_back_tests.BackTest:
    """The record of all months from one to the other at once, kept nowhere.

    By the policy in force; `horizon_days` takes the place of its lapse. Needs an open tenant scope. Raises
    ValidationError for months or days that cannot be.
    """
    cut_offs, rules = _months(first, last), active_policy().section(ForecastPolicy)
    if horizon_days is not None:
        rules = _for_days(rules, horizon_days)
    return rules_of_back_tests.backtest(read_sample(current_tenant().today(), JUDGED), cut_offs, rules)


# ── starting ────────────────────────────────────────────────────────────────


def start_back_test(
    *,
    first: dt.date | None = None,
    last: dt.date | None = None,
    horizon_days: int | None = None,
    member: Member | None = None,
) -> tuple[BackTest, Literal["created", "unchanged"]]:
    """Let a worker test the months from that of `first` to that of `last`; what is left out is the usual.

    The same one again while it is open is that one. Needs an open tenant scope. Raises ValidationError for months or
    days that cannot be, for a history that has no closed month yet, and while another one is open.
    """
    policy = active_policy()
    horizon = policy.section(ForecastPolicy).horizon_days if horizon_days is None else horizon_days
    rules = _rules(policy, horizon)
    usual = measurable(order_span(current_tenant().today()), rules)[-USUAL:]
    if not usual:
        words = _("The history is too short: no month lies far enough after the first order and before the last.")
        raise ValidationError(words, code="short_history")
    cut_offs = _months(first or min(usual[0], last or usual[0]), last or max(usual[-1], first or usual[-1]))
    Tenant.objects.select_for_update(no_key=True).get(pk=current_tenant().pk)  # two who start at once start one
    for row in BackTest.objects.filter(status__in=_OPEN, member__isnull=False):
        if (row.first, row.last, row.horizon_days) == (cut_offs[0], cut_offs[-1], horizon):
            return row, "unchanged"
        raise ValidationError(_("A back-test is under way; start the next one when it is done."), code="busy")
    return _queue(cut_offs, horizon, policy, member), "created"


def queue_usual(span: Window | None) -> BackTest | None:
    """Let a worker test the last closed months, unless that has been done already; None then, or when none is closed.

    An earlier one that nobody asked for and nobody has begun is dropped. Needs an open tenant scope.
    """
    policy = active_policy()
    rules = policy.section(ForecastPolicy)
    cut_offs = measurable(span, rules)[-USUAL:]
    if not cut_offs:
        return None
    same = BackTest.objects.filter(last=cut_offs[-1], horizon_days=rules.horizon_days).exclude(
        status=BackTest.Status.FAILED
    )
    if any(says_the_same(policy_numbered(number), policy) for number in same.values_list("policy_version", flat=True)):
        return None
    BackTest.objects.filter(member=None, status=BackTest.Status.QUEUED).delete()
    return _queue(cut_offs, rules.horizon_days, policy, None)


def says_the_same(before: Policy, policy: Policy) -> bool:
    """Whether two versions agree in all that a forecast rests on."""
    try:
        return before.section(ForecastPolicy) == policy.section(ForecastPolicy)
    except InvalidSection:  # of another release, whose rules were others
        return False


def _queue(cut_offs: Sequence[dt.date], horizon_days: int, policy: Policy, member: Member | None) -> BackTest:
    row: BackTest = BackTest.objects.create(
        first=cut_offs[0], last=cut_offs[-1], horizon_days=horizon_days, member=member, policy_version=policy.number
    )
    BackTestCutOff.objects.bulk_create(BackTestCutOff(back_test=row, cut_off=day) for day in cut_offs)
    record("started", row, {"first": str(row.first), "last": str(row.last), "horizon_days": horizon_days})
    _ring_on_commit(row)
    return row


def _ring_on_commit(row: BackTest) -> None:
    from health.tasks import run_back_test as task  # tasks call services; only the bell goes the other way

    tenant_id, back_test_id = row.tenant_id, row.pk
    # A bell that cannot be rung is no reason to fail: the sweep rings it.
    transaction.on_commit(lambda: task.delay(tenant_id, back_test_id), robust=True)


# ── running ─────────────────────────────────────────────────────────────────


def run_back_test(tenant: Tenant, back_test_id: int) -> BackTest | None:
    """Measure the cut-offs that are open, then make the record; returns the back-test as it then stands.

    None for one that is gone: before anybody began it, a night has put a newer one in its place.

    Stops where somebody else holds the next cut-off: they go on with it. Call it outside a tenant scope: every cut-off
    is a transaction of its own. What raises leaves its cut-off open, for the sweep, up to MAX_ATTEMPTS times.
    """
    if _begin(tenant, back_test_id):
        job = _Job(tenant, back_test_id)
        while job.measure_next():
            pass
    with tenant_scope(tenant):
        found: BackTest | None = with_progress().filter(pk=back_test_id).first()
        return found


def _begin(tenant: Tenant, back_test_id: int) -> bool:
    """Count the attempt; False when there is nothing to run, somebody works on it, or nobody may try again."""
    with tenant_scope(tenant):
        row: BackTest | None = BackTest.objects.select_for_update().filter(pk=back_test_id).first()
        if row is None or row.status not in _OPEN or not _is_free(row):
            return False
        if row.attempts >= MAX_ATTEMPTS:
            row.status, row.reason, row.finished_at = BackTest.Status.FAILED, GAVE_UP, timezone.now()
            row.save(update_fields=["status", "reason", "finished_at"])
            log.error("back-test %s of %s was given up", row.pk, tenant.slug)
            record("failed", row, {"reason": row.reason})
            return False
        row.attempts += 1
        row.status = BackTest.Status.RUNNING
        row.save(update_fields=["attempts", "status"])
    return True


class _Job:
    def __init__(self, tenant: Tenant, back_test_id: int) -> None:
        self.tenant = tenant
        self.back_test_id = back_test_id
        self.ground: Ground | None = None  # read once: the facts of a firm take longer to read than to judge

    def measure_next(self) -> bool:
        """Measure the next open cut-off; False when there was none left, or somebody else has it."""
        with tenant_scope(self.tenant):
            row: BackTest = BackTest.objects.get(pk=self.back_test_id)
            if row.status not in _OPEN or not _is_free(row):
                return False
            due = _due(row).first()
            if due is None:
                self._finish()
                return False
            if self.ground is None:
                rules = _rules(policy_numbered(row.policy_version), row.horizon_days)
                self.ground = Ground(read_sample(self.tenant.today(), JUDGED), rules)
            due.result = self.ground.measure(due.cut_off).to_json()
            due.is_done = True
            due.save(update_fields=["result", "is_done"])
        with tenant_scope(self.tenant):  # not in the cut-off's: whoever begins meanwhile would wait for it
            BackTest.objects.filter(pk=self.back_test_id).update(attempts=1)
        return True

    def _finish(self) -> None:
        row = BackTest.objects.select_for_update().get(pk=self.back_test_id)
        if row.status not in _OPEN:
            return
        cut_offs = list(row.cut_offs.all())
        parts = [Part.from_json(each.result) for each in cut_offs]
        told = summary(parts, _rules(policy_numbered(row.policy_version), row.horizon_days))
        row.result = told.to_json()
        row.reason = "" if told.means is not None else told.cut_offs[-1].reason
        row.status, row.finished_at = BackTest.Status.DONE, timezone.now()
        row.save(update_fields=["result", "reason", "status", "finished_at"])
        for each in cut_offs:
            each.result = {"cut_off": each.result["cut_off"]}  # single customers' forecasts have served their purpose
        BackTestCutOff.objects.bulk_update(cut_offs, ["result"])
        record("finished", row, {"reason": row.reason, "cut_offs": len(cut_offs)})


def _due(row: BackTest) -> QuerySet[BackTestCutOff]:
    rows: QuerySet[BackTestCutOff] = BackTestCutOff.objects.filter(back_test=row, is_done=False).order_by("cut_off")
    return rows


def _is_free(row: BackTest) -> bool:
    """Whether nobody works on the back-test; the next cut-off is then ours until the transaction ends."""
    due = _due(row).first()
    return due is None or _due(row).filter(pk=due.pk).select_for_update(skip_locked=True).first() is not None


def unattended(tenant: Tenant) -> list[int]:
    """Back-tests of the tenant that should run and that nobody works on: what the minute's sweep rings for."""
    with tenant_scope(tenant):
        return [row.pk for row in BackTest.objects.filter(status__in=_OPEN).order_by("pk") if _is_free(row)]


# ── reading ─────────────────────────────────────────────────────────────────


def with_progress() -> QuerySet[BackTest]:
    """All back-tests, newest first, with `done` and `total`: cut-offs measured, and all of them."""
    rows: QuerySet[BackTest] = BackTest.objects.annotate(
        done=Count("cut_offs", filter=Q(cut_offs__is_done=True)), total=Count("cut_offs")
    ).order_by("-id")
    return rows


def latest_record() -> BackTest | None:
    """The last back-test that is done and has numbers; None before the first."""
    row: BackTest | None = BackTest.objects.filter(status=BackTest.Status.DONE, reason="").first()
    return row


def usual_parameters() -> dict[str, Any]:
    """What a form begins with: first, last (None when no month can be tested yet) and horizon_days."""
    months = measurable_now()[-USUAL:]
    return {
        "first": months[0] if months else None,
        "last": months[-1] if months else None,
        "horizon_days": active_policy().section(ForecastPolicy).horizon_days,
    }
