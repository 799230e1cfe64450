"""Leaving by the link in a mail: no sign-in, one click, both languages, and a way back."""

from __future__ import annotations

from typing import Any, Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone, translation
from django.utils.cache import add_never_cache_headers
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views import View
from django.views.decorators.csrf import csrf_exempt

from followups.messages.unsubscribing import opt_in, opt_out, tenant_of
from followups.models import Message, OptOut
from followups.surveys.limits import address_of, may_ask
from tenants.context import current_tenant, tenant_scope

CALLS: Final = 120
"""Of one address in a minute."""


# The signed link is what proves who asks; a mail programme that unsubscribes by itself (RFC 8058) has no cookie.
@method_decorator(csrf_exempt, name="dispatch")
class Unsubscribe(View):
    """GET asks, since programmes that look links over must not unsubscribe anybody; POST does it, at once."""

    http_method_names = ["get", "head", "post"]

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.method not in {"GET", "HEAD", "POST"}:
            return self.http_method_not_allowed(request)
        response = self._answer(request, str(kwargs["token"]))
        add_never_cache_headers(response)
        response["Referrer-Policy"] = "no-referrer"
        response["X-Robots-Tag"] = "noindex, nofollow"
        return response

    def _answer(self, request: HttpRequest, token: str) -> HttpResponse:
        if not may_ask("unsubscribe", address_of(request), most=CALLS, seconds=60):
            return self._stop(request, 429, _("Too many attempts"), _("Please wait a minute and try again."))
        found = tenant_of(token)
        if found is None:
            return self._stop(request, 404, _("This link does not work"), _("Please check that it is whole."))
        tenant, message_id = found
        with tenant_scope(tenant), timezone.override(tenant.zone):
            message = Message.objects.select_related("contact").filter(pk=message_id).first()
            if message is None:
                # The contact has been taken out: nothing will be sent any more.
                return self._stop(request, 200, _("You will not hear from us"), _("We no longer have your address."))
            with translation.override(_language(request, message, tenant.language)):
                if request.method == "POST":
                    self._write(request, message)
                return self._page(request, message)

    def _write(self, request: HttpRequest, message: Message) -> None:
        if request.POST.get("back") == "1":
            opt_in(contact=message.contact, channel=message.channel)
        else:
            opt_out(contact=message.contact, channel=message.channel, how=OptOut.How.LINK, message=message)

    def _page(self, request: HttpRequest, message: Message) -> HttpResponse:
        is_out = OptOut.objects.filter(contact=message.contact, channel__in=["", message.channel]).exists()
        languages = [
            (code, translation.get_language_info(code)["name_local"], code == translation.get_language())
            for code, _words in settings.LANGUAGES
        ]
        context = {
            "firm": current_tenant().name, "address": _shown(message.address or message.contact.email),
            "is_out": is_out, "languages": languages,
        }  # fmt: skip
        return render(request, "followups/unsubscribe.html", context)

    @staticmethod
    def _stop(request: HttpRequest, status: int, heading: str, words: str) -> HttpResponse:
        return render(request, "followups/survey_stop.html", {"heading": heading, "words": words}, status=status)


def _language(request: HttpRequest, message: Message, firms: str) -> str:
    known = dict(settings.LANGUAGES)
    for wanted in (request.GET.get("lang", ""), message.language, message.contact.language, firms):
        if wanted in known:
            return wanted
    return settings.LANGUAGE_CODE


def _shown(address: str) -> str:
    """Enough of an address for its owner to know it, and no more: the link may have been passed on."""
    name, at, domain = address.partition("@")
    return f"{name[:1]}…{at}{domain}" if at else ""
