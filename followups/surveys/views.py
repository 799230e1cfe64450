"""Pages of surveys: the overview with the loop, answers, askings, the account's NPS, asking by hand, analysing."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any, Final

from django.contrib import messages
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext_lazy

from customers.models import Customer
from followups.messages.whys import message_why
from followups.models import SurveyLoop
from followups.rules.survey_policy import SurveyPolicy
from followups.surveys import figures as survey_figures
from followups.surveys import loops
from followups.surveys import services as surveys
from followups.surveys.figures import Month, Overview, survey_rows
from followups.surveys.forms import AskForm, LoopForm
from followups.surveys.lists import (
    AccountFilter,
    AccountTable,
    AnswerFilter,
    AnswerTable,
    SurveyFilter,
    SurveyTable,
    account_rows,
    answer_rows,
    answers_counted,
    nps_words,
    period_words,
    surveys_counted,
)
from tenants.export import write_csv
from tenants.pages import FormPage, ListPage, TenantView
from tenants.policies import active_policy
from tenants.templatetags.perennial import month_year

SPANS: Final = {
    "30": pgettext_lazy("time", "30 days"),
    "90": pgettext_lazy("time", "90 days"),
    "365": pgettext_lazy("time", "a year"),
}
BAR: Final = 160
"""Width of a reason's bar, in its own units."""


class Surveys(TenantView):
    """What was asked and answered in the last days, why, and what was done about it."""

    permission = "surveys:read"
    nav = "surveys"

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        self.refuse_unknown("days", "export")
        days = request.GET.get("days", "90")
        if days not in SPANS:
            raise BadRequest(_("days is one of: %(known)s.") % {"known": ", ".join(SPANS)})
        today = self.request.tenant.today()
        found = survey_figures.overview(
            self.member, today - dt.timedelta(days=int(days) - 1), today + dt.timedelta(days=1)
        )
        if "export" in request.GET:
            if request.GET["export"] != "csv":
                raise BadRequest(_("The one form of export is csv."))
            return self.export(found)
        policy = active_policy().section(SurveyPolicy)
        most = max((row.total for row in found.reasons), default=0)
        return self.render(
            "followups/surveys.html",
            section="overview",
            found=found,
            rules=policy,
            since=found.start,
            until=today,
            span=period_words(found.start, found.end),
            spans=[(code, words, code == days) for code, words in SPANS.items()],
            days=days,
            nps=_nps(found),
            bar=BAR,
            reasons=[
                (row, BAR * row.low / most, BAR * row.middle / most, BAR * row.good / most) for row in found.reasons
            ],
            months=[(month, _first_and_last(month, found), _nps_words(month)) for month in found.months],
            chart=_chart(found.months),
            is_empty=not (found.rate.asked or found.blocked or found.nps.n or found.csat.n),
        )

    def export(self, found: Overview) -> HttpResponseBase:
        self.check_export("customers:export")
        columns = [
            _("Month"), _("Asked"), _("Answered"), _("Promoters"), _("Passives"), _("Detractors"), _("NPS"),
            _("NPS from"), _("NPS to"), _("CSAT answers"), _("CSAT mean"), _("Satisfied"),
        ]  # fmt: skip
        rows = [
            [
                f"{month.month:%Y-%m}", month.rate.asked, month.rate.answered, month.nps.promoters, month.nps.passives,
                month.nps.detractors, *(None if value is None else round(value, 1) for value in _scores(month)),
                month.csat.n, None if month.csat.mean is None else round(month.csat.mean, 2), month.csat.content,
            ]
            for month in found.months
        ]  # fmt: skip
        return self.csv_file("surveys", list(write_csv(columns, rows)))


def _scores(month: Month) -> tuple[float | None, float | None, float | None]:
    low, high = month.nps.interval or (None, None)
    return month.nps.score, low, high


def _nps(found: Overview) -> dict[str, str]:
    """The score of the time in words: with its interval, or the one answer, or that there is none."""
    nps = found.nps
    if nps.interval is not None:
        low, high = (nps_words(value) for value in nps.interval)
        return {"value": nps_words(nps.score), "note": _("%(low)s to %(high)s with 95%% certainty") % {"low": low, "high": high}}  # fmt: skip
    if nps.rating is not None:
        return {"value": _("%(score)s of 10") % {"score": nps.rating}, "note": _("a single answer is no NPS")}
    return {"value": "–", "note": _("nobody has answered")}


def _nps_words(month: Month) -> tuple[str, str]:
    """The month's score, and the interval in which it lies with 95 % certainty."""
    score, low, high = _scores(month)
    return nps_words(score), "" if low is None else f"{nps_words(low)} … {nps_words(high)}"


def _first_and_last(month: Month, found: Overview) -> tuple[dt.date, dt.date]:
    """The days of a month that the numbers beside it count."""
    over = (month.month + dt.timedelta(days=32)).replace(day=1)
    return max(month.month, found.start), min(over, found.end) - dt.timedelta(days=1)


def _chart(months: Sequence[Month]) -> dict[str, Any]:
    return {
        "kind": "bars",
        "unit": "NPS",
        "labels": [month_year(month.month) for month in months],
        "ticks": [month_year(month.month) for month in months],
        "values": [None if month.nps.score is None else round(month.nps.score) for month in months],
        "line": 0,
    }


class Answers(ListPage):
    """All answers: by link, by hand, from elsewhere; with reasons, and how far a low one has come."""

    permission = "surveys:read"
    nav = "surveys"
    queryset = staticmethod(answer_rows)
    filterset = AnswerFilter
    table = AnswerTable
    template = "followups/surveys_list.html"
    empty = "followups/surveys_answers_empty.html"
    sort = "-at"
    export_permission = "customers:export"
    export_name = "survey-answers"

    def counted(self, count: int, shown: str) -> str:
        return answers_counted(count, shown)

    def context(self, rows: Sequence[Any]) -> dict[str, Any]:
        return {"section": "answers", "title": _("Answers")}


class Asked(ListPage):
    """Who was asked, how that went out, and what came of it."""

    permission = "surveys:read"
    nav = "surveys"
    queryset = staticmethod(survey_rows)
    filterset = SurveyFilter
    table = SurveyTable
    template = "followups/surveys_list.html"
    empty = "followups/surveys_asked_empty.html"
    sort = "-asked_at"
    export_permission = "customers:export"
    export_name = "surveys-asked"

    def counted(self, count: int, shown: str) -> str:
        return surveys_counted(count, shown)

    def context(self, rows: Sequence[Any]) -> dict[str, Any]:
        return {"section": "asked", "title": _("Who was asked"), "rules": active_policy().section(SurveyPolicy)}


class Accounts(ListPage):
    """NPS by customer, over its contacts' latest answers."""

    permission = "surveys:read"
    nav = "surveys"
    queryset = staticmethod(account_rows)
    filterset = AccountFilter
    table = AccountTable
    template = "followups/surveys_list.html"
    empty = "followups/surveys_answers_empty.html"
    sort = "nps"
    export_permission = "customers:export"
    export_name = "account-nps"

    def counted(self, count: int, shown: str) -> str:
        return ngettext("%(count)s customer", "%(count)s customers", count) % {"count": shown}

    def context(self, rows: Sequence[Any]) -> dict[str, Any]:
        return {
            "section": "accounts",
            "title": _("NPS by customer"),
            "note": _("Over the latest answer of each contact, as the health score has it; worst first."),
        }


class SurveyAsk(FormPage):
    """Ask a contact now, by a link of their own."""

    permission = "surveys:write"
    nav = "customers"
    submit = gettext_lazy("Ask")

    @cached_property
    def customer(self) -> Customer:
        rows = Customer.objects.visible_to(self.member)
        found: Customer = get_object_or_404(rows, pk=self.kwargs["customer"])
        return found

    def title(self) -> str:
        return _("Send a survey to %(name)s") % {"name": self.customer}

    def form(self, data: Any = None, files: Any = None) -> AskForm:
        return AskForm(data, customer=self.customer)

    def save(self, form: AskForm) -> HttpResponse:
        survey, outcome = surveys.ask_by_hand(member=self.member, **form.cleaned_data)
        if outcome == "unchanged":
            messages.info(self.request, _("%(name)s has been asked about this already.") % {"name": survey.contact})
        elif survey.message is not None and survey.message.why:
            said = {"name": survey.contact, "why": message_why(survey.message)}
            if survey.message.status == "blocked":
                messages.error(self.request, _("%(name)s is not asked: %(why)s") % said)
            else:
                messages.warning(self.request, _("%(name)s will be asked later: %(why)s") % said)
        else:
            messages.success(self.request, _("%(name)s is being asked.") % {"name": survey.contact})
        return self.done("customer", pk=self.customer.pk)

    def back(self) -> str:
        return self.address("customer", pk=self.customer.pk)


class SurveyLoopPage(FormPage):
    """What a low answer was about, and what was behind it."""

    permission = "surveys:write"
    nav = "surveys"

    @cached_property
    def loop(self) -> SurveyLoop:
        rows = SurveyLoop.objects.visible_to(self.member).select_related("customer", "response")
        found: SurveyLoop = get_object_or_404(rows, pk=self.kwargs["pk"])
        return found

    def title(self) -> str:
        return _("%(answer)s of %(name)s") % {"answer": self.loop.response, "name": self.loop.customer}

    def form(self, data: Any = None, files: Any = None) -> LoopForm:
        chosen = list(self.loop.response.reasons.values_list("code", flat=True))
        return LoopForm(data, initial={"reasons": chosen, "behind": self.loop.behind})

    def save(self, form: LoopForm) -> HttpResponse:
        loops.analyse(loop=self.loop, member=self.member, **form.cleaned_data)
        messages.success(self.request, _("The analysis is saved."))
        return self.done("surveys-answers")

    def back(self) -> str:
        return self.address("surveys-answers")
