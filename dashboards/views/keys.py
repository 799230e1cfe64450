"""What the keys of every page need: find or jump, and the switch of the single-letter keys."""

from __future__ import annotations

from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from customers.models import Customer
from customers.search import best
from dashboards.places import address, open_to
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
            (address(place, self.member), str(place.words), place.icon)
            for _group, places in open_to(self.member)
            for place in places
            if text.lower() in str(place.words).lower()
        ]
        customers = best(Customer.objects.visible_to(self.member), text, self.MOST)
        return self.render("dashboards/_find.html", pages=pages, customers=customers, text=text)
