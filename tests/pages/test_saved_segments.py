"""It: saving the filters of the customers list, the page of saved segments, and changing one."""

import datetime as dt
import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from segmentation.models import SavedSegment, SegmentMember
from tenants.context import tenant_scope
from tenants.models import Event
from tests.pages.conftest import FRIDAY, HX, text

URL = "/acme/segments/saved/"
ADD = f"{URL}add/?country=Norway&sort=-money_12m"

pytestmark = pytest.mark.usefixtures("noon")


@pytest.fixture
def ann(cast, sign_in):
    return sign_in(cast.ann)


@pytest.fixture
def saved(cast):
    """A segment of the name, of Ann unless said otherwise, and who is in it since when, until when."""

    def make(name="North", *members, **fields):
        with tenant_scope(cast.tenant):
            usual = {"filters": {"country": ["Norway"]}, "member": cast.ann}
            row = SavedSegment.objects.create(name=name, **(usual | fields))
            made_at = cast.tenant.start_of(FRIDAY - dt.timedelta(days=100))
            SavedSegment.objects.filter(pk=row.pk).update(created_at=made_at)
            for customer, joined, left in members:
                SegmentMember.objects.create(
                    segment=row,
                    customer=customer,
                    joined_on=FRIDAY - dt.timedelta(joined),
                    left_on=FRIDAY - dt.timedelta(left) if left is not None else None,
                )
        return row

    return make


def rows(cast, model=SavedSegment):
    with tenant_scope(cast.tenant):
        return list(model.objects.all())


def test_saves_the_filters_and_looks_at_once(cast, ann):
    cast.customer("Ann's", country="Norway")
    cast.customer("Bo's", country="Norway", owner_a=cast.bo, owner_b=None)
    answer = ann.post(ADD, {"name": " North ", "is_shared": "on"}, follow=True)
    # Who sees only own customers learns nothing of others': a filter by name and money would tell it all.
    assert "“North” is saved: 1 customer." in text(answer)
    (row,) = rows(cast)
    assert (row.name, row.filters, row.is_shared, row.member_id) == (
        "North",
        {"country": ["Norway"]},
        True,
        cast.ann.pk,
    )
    with tenant_scope(cast.tenant):
        assert row.members.count() == 2
        (event,) = Event.objects.filter(object_type="savedsegment")
    assert (event.verb, event.actor_id) == ("created", cast.ann.pk)


def test_asks_in_the_dialog_and_keeps_what_was_typed(cast, ann, saved):
    saved("North")
    cast.customer(country="Norway")
    assert "<html" not in text(ann.get(ADD, headers=HX))
    refused = text(ann.post(ADD, {"name": "North"}, headers=HX))
    assert "There is a segment of this name already." in refused
    assert 'value="North"' in refused
    assert ann.post(ADD, {"name": "South"}, headers=HX)["HX-Redirect"] == URL


def test_lets_two_people_use_the_same_name(cast, sign_in, saved):
    saved("North")
    cast.customer(country="Norway")
    assert sign_in(cast.bo).post(ADD, {"name": "North"}).status_code == 302
    assert len(rows(cast)) == 2


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("", "Without a filter this would be all customers."),
        ("sort=name", "Without a filter this would be all customers."),
        ("tier=platinum", "Tier: "),
        ("country=Atlantis", "Country: "),
        ("saved=1", "A saved segment cannot rest on another one"),
    ],
)
def test_refuses_filters_that_do_not_work(cast, ann, query, words):
    assert words in text(ann.post(f"{URL}add/?{query}", {"name": "North"}))
    assert rows(cast) == []


def test_says_how_many_are_in_it_who_joined_and_who_left(cast, ann, saved, placed, night):
    old, new, gone, long_gone, bos = (cast.customer(name, country="Norway") for name in "abcde")
    placed(old, 10, net="250.5")
    night()
    with tenant_scope(cast.tenant):
        type(bos).objects.filter(pk=bos.pk).update(owner_a=cast.bo, owner_b=None)
    row = saved("North", (old, 90, None), (new, 5, None), (gone, 90, 6), (long_gone, 90, 20), (bos, 5, None))
    page = text(ann.get(URL))
    address = f"/acme/customers/?saved={row.pk}"
    numbers = dict(re.findall(rf'href="{re.escape(address)}([^"]*)">([^<]*)<', page))
    assert numbers == {
        "": "2",
        "&amp;saved_joined_from=2026-11-13": "+1",
        "&amp;saved_left_from=2026-11-13": "−1",
        "&amp;saved_joined_from=2026-10-21": "+1",
        "&amp;saved_left_from=2026-10-21": "−2",
    }
    assert "£250.50" in page
    assert "Country: Norway" in page


def test_opens_its_customers(cast, ann, saved):
    row = saved("North", (cast.customer("Inside", country="Norway"), 3, None))
    cast.customer("Outside", country="Norway")
    page = text(ann.get(f"{URL}{row.pk}/", follow=True))
    assert "Inside" in page
    assert "Outside" not in page


def test_shows_own_and_shared_ones_and_an_administrator_all(cast, ann, sign_in, saved):
    saved("Mine")
    saved("Theirs", member=cast.bo)
    saved("Everybody's", member=cast.bo, is_shared=True)

    def seen(client):
        return re.findall(r'class="pn-segment"><a href="[^"]+">([^<]+)', text(client.get(URL)))

    assert seen(ann) == ["Everybody&#x27;s", "Mine"]
    assert seen(sign_in(cast.eve)) == ["Everybody&#x27;s"]
    assert seen(sign_in(cast.ada)) == ["Everybody&#x27;s", "Mine", "Theirs"]


def test_explains_what_a_saved_segment_is_when_there_is_none(ann):
    assert "No saved segments yet" in text(ann.get(URL))


def test_renames_and_shares(cast, ann, saved):
    row = saved()
    ann.post(f"{URL}{row.pk}/edit/", {"name": "Nordic", "is_shared": "on"})
    (row,) = rows(cast)
    assert (row.name, row.is_shared, row.filters) == ("Nordic", True, {"country": ["Norway"]})
    with tenant_scope(cast.tenant):
        (event,) = Event.objects.filter(object_type="savedsegment")
    assert event.changes == {"name": ["North", "Nordic"], "is_shared": [False, True]}


@pytest.mark.parametrize(("what", "data"), [("edit", {"name": "x"}), ("delete", {})])
def test_lets_only_its_maker_and_an_administrator_change_it(cast, ann, sign_in, saved, what, data):
    row = saved(member=cast.bo, is_shared=True)
    address = f"{URL}{row.pk}/{what}/"
    assert ann.get(address).status_code == 403
    assert ann.post(address, data).status_code == 403
    assert f"/{row.pk}/edit/" not in text(ann.get(URL))
    assert sign_in(cast.bo).post(address, data).status_code == 302
    row = saved("Second", member=cast.bo)
    assert ann.post(f"{URL}{row.pk}/{what}/", data).status_code == 404
    assert sign_in(cast.ada).post(f"{URL}{row.pk}/{what}/", {"name": "y"}).status_code == 302


def test_deletes_once_that_is_confirmed(cast, ann, saved):
    row = saved("North", (cast.customer(country="Norway"), 3, None))
    assert "Delete “North”?" in text(ann.get(f"{URL}{row.pk}/delete/"))
    assert len(rows(cast)) == 1
    assert "“North” is deleted." in text(ann.post(f"{URL}{row.pk}/delete/", follow=True))
    assert rows(cast) == []
    assert rows(cast, SegmentMember) == []


def test_looks_now_who_is_in_it(cast, ann, saved):
    row = saved("North", (cast.customer("Was", country="Spain"), 3, None))
    cast.customer("Is", country="Norway")
    cast.customer("Bo's", country="Norway", owner_a=cast.bo, owner_b=None)
    page = text(ann.post(f"{URL}{row.pk}/evaluate/", follow=True))
    assert "“North” is evaluated: 1 customer." in page
    with tenant_scope(cast.tenant):
        assert row.members.filter(left_on=None).count() == 2
    assert ann.get(f"{URL}{row.pk}/evaluate/").status_code == 405


def test_says_that_its_filters_no_longer_work(cast, ann, saved):
    row = saved("Old", filters={"tag": ["99"]})
    page = text(ann.post(f"{URL}{row.pk}/evaluate/", follow=True))
    assert "The filters of “Old” no longer work." in page
    assert "the numbers are those of the last time" in page
    assert "Tag: " in page


def test_asks_the_database_as_often_for_many_as_for_one(cast, ann, saved):
    def count():
        with CaptureQueriesContext(connection) as queries:
            ann.get(URL)
        return len(queries)

    saved("1", filters={"country": ["Norway"], "tag": ["99"], "owner": ["none"]})
    ann.get(URL)
    one = count()
    for n in range(2, 12):
        saved(str(n), filters={"country": ["Norway"], "tag": ["99"], "owner": ["none"]})
    assert count() == one


def test_says_the_filters_in_the_order_of_the_form(cast, ann, saved):
    filters = {"moved_from": ["2026-11-01"], "stage": ["lapsed"], "tier": ["gold"], "tier_before": ["none"]}
    saved("Moved", filters=filters)
    said = "Tier: Gold · Stage: Lapsed · Tier before, on: 1 Nov · Tier before: No tier"
    assert said in text(ann.get(URL))
