"""What the keys of every page need: find or jump, and the switch of the single-letter keys."""

from __future__ import annotations

from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from customers.models import Customer
from customers.search import best
from tenants.pages import TenantView


class LetterKeys(TenantView):
    """Switch the single-letter keys on or off, for good."""

    permission = "customers:read"

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        user = self.member.user
        user.letter_keys = "on" in request.POST
        user.save(update_fields=["letter_keys"])
        return HttpResponse(status=204) if self.request.htmx else redirect(self.address("today"))


class Find(TenantView):
    """Find or jump: pages by their name and customers by theirs, as a list for the palette."""

    permission = "customers:read"
    MOST: Final = 8

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        text = request.GET.get("q", "").strip()[:100]
        pages = [
            (self.address(name), words, icon)
            for name, words, icon, permission in _pages()
            if self.member.can(permission) and text.lower() in words.lower()
        ]
        customers = best(Customer.objects.visible_to(self.member), text, self.MOST)
        return self.render("dashboards/_find.html", pages=pages, customers=customers, text=text)


def _pages() -> list[tuple[str, str, str, str]]:
    """Every page that somebody would jump to: address, name, icon, and what opening it takes."""
    return [
        ("today", _("Today"), "list-check", "follow-ups:read"),
        ("calendar", _("Calendar"), "calendar-event", "follow-ups:read"),
        ("today-close", _("Close the day"), "checks", "follow-ups:read"),
        ("today-since", _("Since yesterday"), "bell", "follow-ups:read"),
        ("bulks", _("Bulk actions"), "list-check", "follow-ups:read"),
        ("calendar-feed", _("In your own calendar"), "calendar-event", "follow-ups:read"),
        ("customers", _("Customers"), "building-store", "customers:read"),
        ("customer-add", _("Add a customer"), "plus", "customers:write"),
        ("segments", _("Segments"), "chart-dots", "segments:read"),
        ("segments-saved", _("Saved segments"), "users-group", "segments:read"),
        ("segments-cross-sell", _("Cross-sell"), "package", "cross-sell:read"),
        ("health", _("Health"), "activity-heartbeat", "scores:read"),
        ("health-forecast", _("Lapse forecast"), "trending-down", "forecasts:read"),
        ("health-disagreement", _("Disagreement"), "activity-heartbeat", "scores:read"),
        ("health-quality", _("Data quality"), "activity-heartbeat", "scores:read"),
        ("health-back-test", _("Back-test"), "history", "back-tests:read"),
        ("care", _("Care"), "cake", "follow-ups:read"),
        ("coverage", _("Coverage"), "checks", "follow-ups:read"),
        ("cover", _("Cover"), "arrows-exchange", "follow-ups:read"),
        ("scripts", _("Scripts"), "notes", "scripts:read"),
        ("journeys", _("Journeys"), "stairs-up", "journeys:read"),
        ("messages", _("Messages"), "mail", "messages:read"),
        ("surveys", _("Surveys"), "message", "surveys:read"),
        ("quality", _("Quality review"), "clipboard-list", "quality-reviews:read"),
        ("channels", _("Channels"), "settings", "channels:write"),
        ("policy", _("Policy"), "adjustments-horizontal", "policy:read"),
        ("policy-versions", _("Policy versions"), "history", "policy:read"),
        ("imports", _("Imports"), "file-import", "imports:read"),
        ("runs", _("Runs"), "history", "runs:read"),
        ("members", _("Members"), "users", "members:read"),
        ("tokens", _("API tokens"), "key", "tokens:write"),
    ]
