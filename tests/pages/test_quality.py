"""Pages of quality review: the sample, the form, mystery visits, results per person."""

from __future__ import annotations

import datetime as dt

import pytest

from customers.models import Interaction
from followups.models import MysteryVisit, QualityReview
from followups.quality import services as quality
from tenants.context import tenant_scope
from tests.pages.conftest import FRIDAY, text

pytestmark = pytest.mark.usefixtures("noon")
URL = "/acme/quality/"
FOUND = {
    "score": "2", "problem_kind": "promise", "problem": "Sample promised", "cause": "No next step",
    "measure": "Next step with every log", "measure_due_on": "2026-11-10",
}  # fmt: skip


@pytest.fixture
def review(cast, noon) -> QualityReview:
    """A contact of Ann's of October, drawn."""
    customer = cast.customer()
    with tenant_scope(cast.tenant):
        Interaction.objects.create(
            customer=customer, member=cast.ann, channel="phone", note="Asked for tiles",
            at=dt.datetime(2026, 10, 9, 9, tzinfo=dt.UTC),
        )  # fmt: skip
        quality.draw_month(FRIDAY)
        return QualityReview.objects.get()


def test_explains_itself_before_the_first_sample(cast, sign_in):
    assert "No sample has been drawn yet" in text(sign_in(cast.lea).get(URL))


def test_a_lead_reviews_and_the_person_reads_it(cast, sign_in, review):
    lea, url = sign_in(cast.lea), f"{URL}{review.pk}/"
    assert f'href="{url}"' in text(lea.get(URL))
    assert f'href="{url}"' not in text(sign_in(cast.ann).get(URL))
    assert "Logged: Asked for tiles" in text(lea.get(url))
    page = text(lea.post(url, FOUND | {"cause": ""}))
    assert "Say why it happened." in page
    assert "Next step with every log" in page  # what was typed stays
    assert "The review is saved." in text(lea.post(url, FOUND, follow=True))
    mine = text(sign_in(cast.ann).get(URL))
    assert "Sample promised" in mine
    assert "measure late" in mine
    assert "1 contact" in text(lea.get(URL, {"state": "late"}))
    lea.post(url, FOUND | {"measure_done_on": "2026-11-19"})
    assert "1 contact" in text(lea.get(URL, {"state": "done"}))


def test_a_lead_cannot_open_the_own_contact(cast, sign_in, review):
    with tenant_scope(cast.tenant):
        QualityReview.objects.update(member=cast.lea)
    assert sign_in(cast.lea).get(f"{URL}{review.pk}/").status_code == 403
    assert sign_in(cast.ada).get(f"{URL}{review.pk}/").status_code == 200


def test_the_sample_sorts_filters_and_exports(cast, sign_in, review):
    lea = sign_in(cast.lea)
    for column in (
        "at",
        "customer",
        "member",
        "channel",
        "kind",
        "month",
        "state",
        "score",
        "reviewer",
        "measure_due_on",
    ):
        assert lea.get(URL, {"sort": column}).status_code == 200, column
    assert "1 contact" in text(lea.get(URL, {"member": cast.ann.pk, "month": "2026-10-15"}))
    assert "0 contacts" in text(lea.get(URL, {"member": cast.bo.pk}))
    lines = text(lea.get(URL, {"export": "csv"})).splitlines()
    assert "Asked for tiles" in lines[1]


def test_results_by_person_open_the_rows_and_export(cast, sign_in, review):
    lea = sign_in(cast.lea)
    lea.post(f"{URL}{review.pk}/", FOUND)
    page = text(lea.get(f"{URL}people/"))
    assert "Promise not kept or not noted 1" in page
    link = f"/acme/quality/?member={cast.ann.pk}&amp;since=2026-08-01&amp;until=2026-11-01"
    assert link in page
    assert "1 contact" in text(lea.get(link.replace("&amp;", "&")))
    lines = text(lea.get(f"{URL}people/", {"first": "2026-10", "last": "2026-10", "export": "csv"})).splitlines()
    assert lines[1].startswith("Ann,2026-10,2026-10,1,1,1,0,2.0,Promise not kept or not noted 1,1,0,")
    for query in ({"first": "soon"}, {"first": "2026-10", "last": "2026-09"}, {"month": "2026-10"}):
        assert lea.get(f"{URL}people/", query).status_code == 400, query


def test_a_mystery_visit_is_written_down_and_changed(cast, sign_in):
    eve = sign_in(cast.eve)
    assert "No mystery visit yet" in text(eve.get(f"{URL}mystery/"))
    fields = {"on": "2026-11-19", "channel": "store", "place": "Leeds", "member": cast.ann.pk, "scene": "Green tiles", "score": "5"}  # fmt: skip
    assert "Say what went wrong." in text(eve.post(f"{URL}mystery/add/", fields | {"measure": "Train"}))
    eve.post(f"{URL}mystery/add/", fields)
    page = text(eve.get(f"{URL}mystery/"))
    assert "1 of 8 this month" in page
    assert "Leeds" in page
    with tenant_scope(cast.tenant):
        visit = MysteryVisit.objects.get()
    eve.post(f"{URL}mystery/{visit.pk}/", fields | {"place": "York"})
    assert "York" in text(eve.get(f"{URL}mystery/", {"export": "csv"}))
    for column in ("on", "channel", "place", "member", "visitor", "state", "score"):
        assert eve.get(f"{URL}mystery/", {"sort": column}).status_code == 200, column
