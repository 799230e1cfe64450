"""It: a crisis by the keyboard, seen at once in a second browser and on the customer's own page, in a real browser."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from customers.models import Contact
from risk.incidents import services, talk
from risk.models import IncidentEntry, IncidentLink
from tenants.context import tenant_scope
from tests.e2e.conftest import NARROW, WIDE, serious

TABLET = {"width": 820, "height": 1180}
ROOM_ASKS, CUSTOMER_ASKS = 11_000, 31_000  # ms: a little more than the pages wait before they ask again


@pytest.fixture
def incident(cast):
    customer = cast.customer("Golden Sail Gifts")
    with tenant_scope(cast.tenant):
        Contact.objects.create(customer=customer, name="Chen Yao", email="chen@golden.example", is_main=True)
        return services.open_incident(
            customer=customer, title="4,800 boxes in the wrong blue", level="serious", kind="wrong_product",
            what="INTERNAL-WHAT", member=cast.ann,
        )  # fmt: skip


@pytest.fixture
def link(cast, incident):
    with tenant_scope(cast.tenant):
        made, _outcome = talk.make_link(incident=incident, contact=Contact.objects.get(), member=cast.ann)
        return "/" + talk.address_of(made).partition("://")[2].partition("/")[2]


@pytest.fixture
def watch(browse):
    """Open a page whose clock the test may move on: nobody waits for a page to ask."""

    def opened(path, member=None, **kind):
        page = browse(path, member, **kind)
        page.clock.install()
        page.reload()
        return page

    return opened


def test_what_one_does_by_key_the_other_and_the_customer_see_without_loading_anew(browse, watch, cast, incident, link):
    here = f"/acme/crises/{incident.pk}/"
    bo, customer = watch(here, cast.bo, viewport=NARROW), watch(f"{link}?lang=en", viewport=TABLET)
    bo.locator("#upd").fill("Half a thought")
    expect(customer.locator("h1")).to_have_text("4,800 boxes in the wrong blue")
    with tenant_scope(cast.tenant):
        reads = IncidentLink.objects.get().reads

    ann = browse(here, cast.ann)
    ann.keyboard.press("m")
    expect(ann.locator("#upd")).to_be_focused()
    ann.keyboard.type("We make new ones by Friday, m and e are letters here")
    ann.get_by_text("Customer sees", exact=True).click()
    ann.get_by_role("button", name="Add", exact=True).click()
    expect(ann.locator("#crisis-line")).to_contain_text("We make new ones by Friday, m and e are letters here")
    with tenant_scope(cast.tenant):
        talk.write_update(incident=incident, text="INTERNAL-LINE", member=cast.ann)

    bo.clock.fast_forward(ROOM_ASKS)
    expect(bo.locator("#crisis-line")).to_contain_text("We make new ones by Friday")
    expect(bo.locator("#crisis-line")).to_contain_text("INTERNAL-LINE")
    expect(bo.locator("#upd")).to_have_value("Half a thought")  # nobody loses what is half written
    customer.clock.fast_forward(CUSTOMER_ASKS)
    expect(customer.locator("#crisis-now")).to_contain_text("We make new ones by Friday")
    assert "INTERNAL" not in customer.content()

    expect(ann.locator("#crisis-steps")).to_contain_text("0 of 10 done")
    ann.wait_for_load_state()
    ann.keyboard.press("e")
    expect(ann.locator("#crisis-steps")).to_contain_text("1 of 10 done")
    ann.wait_for_load_state()
    ann.keyboard.press("e")
    expect(ann.locator("#dialog-title")).to_have_text("Name the team")
    bo.clock.fast_forward(ROOM_ASKS)
    expect(bo.locator("#crisis-steps")).to_contain_text("1 of 10 done")
    with tenant_scope(cast.tenant):
        assert IncidentEntry.objects.filter(text__startswith="We make").count() == 1
        made = IncidentLink.objects.get()
        assert made.reads == reads  # a page that stays open is no new reading
        talk.revoke_link(link=made, member=cast.ann)
    customer.clock.fast_forward(CUSTOMER_ASKS)
    expect(customer.get_by_role("heading", name="This link has ended")).to_be_visible()
    browse.errors.clear()  # the browser itself notes that the page has gone


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_hinders_nobody_and_fits(browse, cast, incident, link, size):
    here = f"/acme/crises/{incident.pk}/"
    with tenant_scope(cast.tenant):
        talk.write_update(incident=incident, text="We make new ones", member=cast.ann, is_visible=True)
    for path, member in ((here, cast.ann), ("/acme/crises/", cast.ann), ("/acme/today/", cast.ann), (link, None)):
        page = browse(path, member, viewport=size)
        expect(page.locator("h1")).to_be_visible()
        assert serious(page) == [], path
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), path
