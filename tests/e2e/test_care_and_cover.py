"""It: care, coverage and cover fit a phone and have no serious barrier, in both languages."""

from __future__ import annotations

import datetime as dt

import pytest

from customers.models import Contact, Interaction
from followups.care import services as care
from followups.cover import services as cover
from followups.models import FollowUp
from segmentation.models import Standing, TierChange
from tenants.context import tenant_scope
from tests.e2e.conftest import NARROW, WIDE, serious

PAGES = ["care/?weeks=13", "coverage/", "coverage/rows/", "coverage/year/", "cover/", "cover/owners/"]


@pytest.fixture
def shown(cast):
    """Something to see on each of the pages."""
    customer = cast.customer("Huaxin 华新建材")
    with tenant_scope(cast.tenant):
        today = cast.tenant.today()
        Standing.objects.create(customer=customer, frequency=1, monetary=1, policy_version=1, tier="gold")
        TierChange.objects.create(customer=customer, on=today - dt.timedelta(90), after="gold", policy_version=1)
        soon = (today + dt.timedelta(5)).replace(year=1988)
        contact = Contact.objects.create(customer=customer, name="Ms Zhang", birthday=soon, is_main=True)
        care.save_care_day(customer=customer, on=dt.date(1998, 5, 1), contact=contact)
        Interaction.objects.create(customer=customer, member=cast.ann, channel="phone", note="Wants samples")
        FollowUp.objects.create(
            customer=customer, assignee=cast.ann, kind="deep_talk", rule="cadence:deep_talk", period="start",
            due_on=today - dt.timedelta(3),
        )  # fmt: skip
        cover.plan_absence(member=cast.ann, away=cast.ann, first=today, last=today + dt.timedelta(4))
    return customer


@pytest.mark.parametrize("language", ["en", "zh-hans"])
@pytest.mark.parametrize("viewport", [WIDE, NARROW], ids=["wide", "narrow"])
def test_fits_and_has_no_serious_barrier(browse, cast, shown, viewport, language):
    cast.lea.user.language = language
    cast.lea.user.save()
    own = [f"customers/{shown.pk}/care/", f"cover/pack/{cast.ann.pk}/"]
    page = None
    for path in [*PAGES, *own]:
        if page is None:
            page = browse(f"/acme/{path}", member=cast.lea, viewport=viewport)
        else:
            page.goto(f"{page.url.split('/acme/')[0]}/acme/{path}")
        assert page.locator("h1").count() == 1, path
        assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"], path
        assert serious(page) == [], path
