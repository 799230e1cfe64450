"""The URL configuration of a place that does not exist, or not for this person: every path is a 404."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
handler404 = "tenants.pages.not_found"
