"""The page behind the link that ends the mails of a kind of notice."""

from __future__ import annotations

from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone, translation
from django.utils.cache import add_never_cache_headers
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views import View
from django.views.decorators.csrf import csrf_exempt

from followups.notices.kinds import Kind
from followups.notices.services import language_of
from followups.notices.unsubscribing import come_back, found_by, is_out, leave
from followups.surveys.limits import address_of, may_ask
from tenants.context import current_tenant, tenant_scope
from tenants.models import Member

CALLS: Final = 120
"""Of one address in a minute."""


# The signed link is what proves who asks; a mail programme that unsubscribes by itself (RFC 8058) has no cookie.
@method_decorator(csrf_exempt, name="dispatch")
class NoticeUnsubscribe(View):
    """GET asks, since programmes that look links over must not unsubscribe anybody; POST does it, at once."""

    http_method_names = ["get", "head", "post"]

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.method not in {"GET", "HEAD", "POST"}:
            return self.http_method_not_allowed(request)
        response = self._answer(request, str(kwargs["kind"]), str(kwargs["token"]))
        add_never_cache_headers(response)
        response["Referrer-Policy"] = "no-referrer"
        response["X-Robots-Tag"] = "noindex, nofollow"
        return response

    def _answer(self, request: HttpRequest, code: str, token: str) -> HttpResponse:
        if not may_ask("unsubscribe", address_of(request), most=CALLS, seconds=60):
            return self._stop(request, 429, _("Too many attempts"), _("Please wait a minute and try again."))
        found = found_by(code, token)
        if found is None:
            return self._stop(request, 404, _("This link does not work"), _("Please check that it is whole."))
        tenant, member_id, kind = found
        with tenant_scope(tenant), timezone.override(tenant.zone):
            member = Member.objects.select_related("user").filter(pk=member_id, is_active=True).first()
            if member is None:
                return self._stop(request, 404, _("This link does not work"), _("Please check that it is whole."))
            with translation.override(language_of(member)):
                if request.method == "POST":
                    (come_back if request.POST.get("back") == "1" else leave)(kind, member)
                return self._page(request, kind, member)

    @staticmethod
    def _page(request: HttpRequest, kind: Kind, member: Member) -> HttpResponse:
        context = {"firm": current_tenant().name, "kind": str(kind.title), "is_out": is_out(kind, member)}
        return render(request, "followups/notice_unsubscribe.html", context)

    @staticmethod
    def _stop(request: HttpRequest, status: int, heading: str, words: str) -> HttpResponse:
        return render(request, "followups/survey_stop.html", {"heading": heading, "words": words}, status=status)
