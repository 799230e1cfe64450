"""The signals that a draft of the policy would have fired in a past quarter, and the customers behind each number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponseBase
from django.utils.translation import ngettext

from dashboards import policy_draft
from dashboards.policy_signals import SignalFilter, SignalTable, replay_of
from dashboards.querysets import customer_rows
from dashboards.views.policy import DraftView
from risk.models import Alert
from risk.signals.words import NO_DATA, WHAT
from tenants.pages import ListPage
from tenants.permissions import SEES_ALL
from tenants.policies import InvalidPolicy


class SignalReplayPage(DraftView):
    """By signal: for how many it would have fired, and how many of them then lapsed; in the panel, or as a page."""

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        draft = policy_draft.draft_of(self.request)
        try:
            replay = replay_of(self.request)
        except InvalidPolicy as refusal:
            messages.error(request, str(refusal))
            return self.go()
        rows = [
            {
                "trial": row,
                "name": Alert.Signal(row.signal).label,
                "what": WHAT[row.signal],
                "no_data": "" if row.known else NO_DATA[row.signal],
            }
            for row in replay.rows
        ]
        page = "_policy_dry_run_signals.html" if self.request.htmx else "policy_signals.html"
        return self.render(
            f"dashboards/{page}",
            draft=draft,
            replay=replay,
            rows=rows,
            next_number=self.active.number + 1,
            before=self.active.number,
            is_changed=draft.is_changed,
        )


class SignalCustomers(ListPage):
    """The customers behind a number of the replay; without a choice all for whom something would have fired."""

    permission = "policy:write"
    nav = "policy"
    queryset = staticmethod(customer_rows)
    filterset = SignalFilter
    table = SignalTable
    template = "dashboards/policy_signal_customers.html"
    empty = "dashboards/policy_colours_empty.html"
    sort = "-money_12m"
    export_permission = "customers:export"
    export_name = "policy-signals"

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        try:
            replay_of(self.request)
        except InvalidPolicy as refusal:
            messages.error(request, str(refusal))
            return self.done("policy")
        return super().get(request, **kwargs)

    def counted(self, count: int, shown: str) -> str:
        return ngettext("%(count)s customer", "%(count)s customers", count) % {"count": shown}

    def context(self, rows: Sequence[Any]) -> dict[str, Any]:
        signal = self.request.GET.get("signal", "")
        return {
            "replay": replay_of(self.request),
            "draft": policy_draft.draft_of(self.request),
            "signal": Alert.Signal(signal).label if signal in Alert.Signal.values else "",
            "sees_all": self.member.role in SEES_ALL,
        }
