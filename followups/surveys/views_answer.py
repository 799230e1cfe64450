"""The page behind a survey's link: no sign-in, one tap, both languages."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from django.conf import settings
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone, translation
from django.utils.cache import add_never_cache_headers
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views import View
from django.views.decorators.csrf import csrf_exempt

from customers.models import SurveyResponse
from followups.models import Reason, Survey
from followups.rules.survey_policy import SurveyPolicy
from followups.rules.surveys import change_until, is_low, may_change
from followups.surveys import services as surveys
from followups.surveys.limits import address_of, may_ask
from followups.surveys.links import read_token
from followups.surveys.recommending import NAME_LENGTH, REACH_LENGTH, may_recommend, recommend, recommended
from followups.surveys.words import question
from tenants.context import current_tenant, tenant_scope
from tenants.policies import active_policy

CALLS: Final = 120
"""Of one address in a minute: an office behind one address answers, a machine that tries links is stopped."""

ANSWERS: Final = 30
"""Of one link in an hour."""


# The signed link is what proves who sends the form. A token in a cookie would add nothing, and keep those out whose
# mail programme shows the page without cookies.
@method_decorator(csrf_exempt, name="dispatch")
class SurveyPage(View):
    """Ask, thank, and say in words when a link has expired or an answer can no longer be changed."""

    http_method_names = ["get", "head", "post"]

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        response = self._answer(request, str(kwargs["token"]))
        add_never_cache_headers(response)
        # The address is the key: it must not travel on, nor be found.
        response["Referrer-Policy"] = "no-referrer"
        response["X-Robots-Tag"] = "noindex, nofollow"
        return response

    def _answer(self, request: HttpRequest, token: str) -> HttpResponse:
        if request.method not in {"GET", "HEAD", "POST"}:
            return self.http_method_not_allowed(request)
        if not may_ask("survey", address_of(request), most=CALLS, seconds=60):
            return _stop(request, 429, _("Too many attempts"), _("Please wait a minute and try again."))
        read = read_token(token)
        if read is None:
            return _stop(request, 404, _("This link does not work"), _("Please check that it is whole."))
        tenant, pk = read
        with tenant_scope(tenant), timezone.override(tenant.zone):
            rows = Survey.objects.select_related("customer", "contact", "complaint", "message", "response")
            survey = rows.filter(pk=pk).first()
            if survey is None:
                return _stop(request, 404, _("This link does not work"), _("Please check that it is whole."))
            with _language(request.GET.get("lang") or survey.language):
                if request.method == "POST":
                    return self._post(request, survey)
                return self._page(request, survey)

    def _post(self, request: HttpRequest, survey: Survey) -> HttpResponse:
        if not may_ask("survey-answer", str(survey.pk), most=ANSWERS, seconds=3600):
            return _stop(request, 429, _("Too many attempts"), _("Please wait an hour and try again."))
        try:
            if "score" in request.POST:
                score = request.POST["score"]
                least, most = SurveyResponse.SCALE[survey.kind]
                if not (score.isascii() and score.isdecimal() and least <= int(score) <= most):
                    words = _("Choose a number from %(least)s to %(most)s.") % {"least": least, "most": most}
                    return self._page(request, survey, problem=words, status=400)
                surveys.answer(survey=survey, score=int(score))
            elif "whom" in request.POST:
                recommend(survey=survey, name=request.POST["whom"], reach=request.POST.get("reach", ""))
                return redirect(f"{request.get_full_path().partition('#')[0]}#recommend")
            else:
                surveys.tell(survey=survey, reasons=request.POST.getlist("reason"), text=request.POST.get("text", ""))
                return redirect(f"{request.get_full_path().partition('#')[0]}#told")
        except surveys.Over as over:
            return self._page(request, survey, problem=over.messages[0], status=409)
        except ValidationError as refusal:
            return self._page(request, survey, problem=" ".join(refusal.messages), status=400)
        return redirect(request.get_full_path())

    def _page(self, request: HttpRequest, survey: Survey, *, problem: str = "", status: int = 200) -> HttpResponse:
        survey.refresh_from_db()
        policy, now = active_policy().section(SurveyPolicy), timezone.now()
        state = survey.state_at(now)
        response = survey.response
        # Nobody was told not to answer: a message that came back does not close the door.
        is_over = survey.answered_at is None and now >= survey.expires_at
        if is_over and status == 200:
            status = 410
        least, most = SurveyResponse.SCALE[survey.kind]
        chosen = set(response.reasons.values_list("code", flat=True)) if response else set()
        until = change_until(survey.asking, policy)
        # Nobody was asked who is no promoter: their page costs no query more.
        whom = recommended(survey) if may_recommend(survey, policy, now) else ""
        return render(
            request,
            "followups/survey.html",
            {
                "firm": current_tenant().name,
                "survey": survey,
                "question": question(survey),
                "scores": range(least, most + 1),
                "is_nps": survey.kind == "nps",
                "state": state,
                "is_over": is_over,
                "response": response,
                "is_low": response is not None and is_low(response.kind, response.score, policy),
                "low_hours": policy.low_hours,
                "may_change": response is not None and may_change(survey.asking, policy, now),
                "may_tell": response is not None and until is not None and now < until,
                "until": until,
                "reasons": [(code, words, code in chosen) for code, words in Reason.choices],
                "text_length": surveys.TEXT_LENGTH,
                "recommended": whom,
                "may_recommend": not whom and may_recommend(survey, policy, now),
                "whom": request.POST.get("whom", ""),
                "reach": request.POST.get("reach", ""),
                "name_length": NAME_LENGTH,
                "reach_length": REACH_LENGTH,
                "problem": problem,
                "languages": [
                    (code, translation.get_language_info(code)["name_local"], code == translation.get_language())
                    for code, _words in settings.LANGUAGES
                ],
                "here": request.path,
            },
            status=status,
        )


@contextmanager
def _language(code: str) -> Iterator[None]:
    known = dict(settings.LANGUAGES)
    with translation.override(code if code in known else settings.LANGUAGE_CODE):
        yield


def _stop(request: HttpRequest, status: int, heading: str, words: str) -> HttpResponse:
    response = render(request, "followups/survey_stop.html", {"heading": heading, "words": words}, status=status)
    if status == 429:
        response["Retry-After"] = "60"
    return response
