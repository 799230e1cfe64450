"""The lapse forecast: who may lapse and what that costs, and the forecast's own record."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from functools import cached_property
from typing import Any, ClassVar

from django import forms
from django.contrib import messages
from django.core.exceptions import BadRequest
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext

from customers.models import Customer
from dashboards import back_tests, charts, lapses
from dashboards.filters import ForecastPageFilter
from dashboards.querysets import forecast_rows, with_owner_names
from dashboards.tables import ForecastTable
from health import backtests, forecasting
from health.models import BackTest
from health.rules.policy import ForecastPolicy
from tenants.export import write_csv
from tenants.pages import FormPage, ListPage, PageTable, TenantView
from tenants.policies import active_policy, policy_numbered
from tenants.templatetags.perennial import month_year

TESTS_SHOWN = 12
UNDER_WAY = frozenset({BackTest.Status.QUEUED, BackTest.Status.RUNNING})


class ForecastList(ListPage):
    """Customers by money at risk: the probability of a lapse times what they are expected to bring in a year."""

    permission = "forecasts:read"
    nav = "health"
    queryset = staticmethod(forecast_rows)
    filterset = ForecastPageFilter
    table = ForecastTable
    template = "dashboards/forecast.html"
    empty = "dashboards/forecast_empty.html"
    sort = "-money_at_risk"
    export_permission = "customers:export"
    export_name = "forecast"

    def seen_among(self, ids: Sequence[int]) -> QuerySet[Customer]:
        return with_owner_names(self.seen.filter(pk__in=ids))

    def counted(self, count: int, shown: str) -> str:
        return ngettext("%(count)s customer", "%(count)s customers", count) % {"count": shown}

    def context(self, rows: Sequence[Any]) -> dict[str, Any]:
        as_of = forecasting.told_on()
        fit = forecasting.fit_in_force(as_of) if as_of else None
        policy = policy_numbered(fit.policy_version) if fit else active_policy()
        return {
            "section": "forecast",
            "as_of": as_of,
            "totals": lapses.totals(self.member),
            "fit": fit,
            "why_no_model": lapses.why_no_model(fit) if fit else "",
            "rules": policy.section(ForecastPolicy),
            "record": back_tests.newest_record(),
        }

    def _bound(self, rows: Sequence[Any], columns: list[str]) -> PageTable:
        if "reasons" in columns:
            lapses.with_reasons(rows)
        return super()._bound(rows, columns)


# ── back-test ────────────────────────────────────────────────────────────────


class BackTestPage(TenantView):
    """What the forecast would have said on past days, and what then came: always beside the two simple rules.

    The newest back-test with a result, or the one that the address names; a running one shows its progress.
    """

    permission = "back-tests:read"
    nav = "health"
    exports: ClassVar[tuple[str, ...]] = ("cut-offs", "calibration", "gain")

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        self.check_parameters()
        test, newest = self.test, backtests.with_progress().first()
        record = back_tests.record_of(test) if test and test.status == BackTest.Status.DONE else None
        if sheet := request.GET.get("export"):
            return self.export(sheet, record)
        running = newest if newest and newest.status in UNDER_WAY else None
        context: dict[str, Any] = {
            "section": "back-test",
            "test": test,
            "record": record,
            "running": running,
            "failed": newest if newest and newest.status == BackTest.Status.FAILED else None,
        }
        if self.request.htmx and self.request.htmx.target == "back-test-run":
            if running is None:  # done: the whole page is another one now
                return self.done("health-back-test")
            return self.render("dashboards/_back_test_run.html", **context)
        return self.render(
            "dashboards/back_test.html",
            **context,
            tests=[(each, back_tests.why_failed(each)) for each in BackTest.objects.select_related("member__user")[:TESTS_SHOWN]],
            may_start=self.member.can("back-tests:write"),
            **self.figures(record),
        )  # fmt: skip

    @cached_property
    def test(self) -> BackTest | None:
        if (number := self.kwargs.get("pk")) is not None:
            named: BackTest = get_object_or_404(BackTest, pk=number)
            return named
        return backtests.latest_record() or BackTest.objects.filter(status=BackTest.Status.DONE).first()

    def check_parameters(self) -> None:
        self.refuse_unknown("export")
        if (asked := self.request.GET.get("export")) is not None and asked not in self.exports:
            raise BadRequest(_("export is one of: %(known)s.") % {"known": ", ".join(self.exports)})

    def figures(self, record: back_tests.Record | None) -> dict[str, Any]:
        if record is None or record.means is None:
            return {}
        return {
            "summary": back_tests.summary(record),
            "beside": back_tests.beside(record),
            "further": back_tests.further(record),
            "few": back_tests.FEW,
            "calibration_chart": charts.calibration(record.calibration, fewest=back_tests.FEW),
            "gain_chart": charts.gain(record.gain, record.means["base_rate"]),
        }

    def export(self, sheet: str, record: back_tests.Record | None) -> HttpResponseBase:
        self.check_export("customers:export")
        rows: list[list[Any]] = []
        if sheet == "cut-offs":
            columns = [_("Day"), *back_tests.COLUMNS, _("Not measured because")]
            rows = back_tests.cut_off_rows(record) if record else []
        elif sheet == "calibration":
            columns = [
                _("Forecast from"),
                _("Forecast below"),
                _("Forecasts"),
                _("Mean forecast"),
                pgettext("share", "Lapsed"),
            ]
            rows = (
                [[each[name] for name in ("low", "high", "n", "predicted", "seen")] for each in record.calibration]
                if record
                else []
            )
        else:
            columns = [_("Tenth by risk"), _("Forecasts"), _("Lapsed")]
            rows = [[each[name] for name in ("number", "n", "lapsed")] for each in record.gain] if record else []
        return self.csv_file(f"back-test-{sheet}", list(write_csv(columns, rows)), record.test.last if record else None)


class MonthField(forms.CharField):
    """A month of a year, as browsers write it: 2026-10."""

    widget = forms.TextInput(attrs={"type": "month", "placeholder": "2026-10", "autocomplete": "off"})

    def clean(self, value: Any) -> dt.date | None:
        text = super().clean(value)
        if not text:
            return None
        try:
            return dt.datetime.strptime(text, "%Y-%m").date()  # noqa: DTZ007  # a month has no zone
        except ValueError as error:
            raise forms.ValidationError(_("A month, like 2026-10."), code="invalid") from error


class BackTestForm(forms.Form):
    """From which month to which, and how many days ahead; months whose days ahead are not over cannot be tested."""

    first = MonthField(label=gettext_lazy("From month"))
    last = MonthField(label=gettext_lazy("To month"))
    horizon_days = forms.IntegerField(
        label=gettext_lazy("Days ahead"),
        min_value=30,
        max_value=365,
        widget=forms.NumberInput(attrs={"inputmode": "numeric"}),
    )

    def __init__(self, *args: Any, newest: dt.date | None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["last"].help_text = (
            _("The newest that can be tested is %(month)s.") % {"month": month_year(newest)}
            if newest
            else _("No month can be tested yet: the history is too short.")
        )


class BackTestStart(FormPage):
    """Let a worker test the forecast on past months."""

    permission = "back-tests:write"
    nav = "health"
    heading = gettext_lazy("Start a back-test")
    submit = gettext_lazy("Start")

    def form(self, data: Any = None, files: Any = None) -> BackTestForm:
        usual = backtests.usual_parameters()
        initial = {name: f"{usual[name]:%Y-%m}" if usual[name] else "" for name in ("first", "last")}
        return BackTestForm(data, newest=usual["last"], initial=initial | {"horizon_days": usual["horizon_days"]})

    def save(self, form: BackTestForm) -> HttpResponse:
        _test, outcome = backtests.start_back_test(member=self.member, **form.cleaned_data)
        if outcome == "created":
            messages.success(self.request, _("The back-test is started."))
        else:
            messages.info(self.request, _("This back-test is under way already."))
        return self.done("health-back-test")

    def back(self) -> str:
        return self.address("health-back-test")
