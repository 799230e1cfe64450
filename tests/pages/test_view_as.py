"""It: seeing the pages as a colleague sees them, and changing nothing meanwhile, whatever is sent."""

from __future__ import annotations

import html

import pytest
from django.urls import reverse

from followups.models import Desk, FollowUp
from tenants.context import tenant_scope
from tenants.models import Event, Member, Team
from tests.contracts.rows import ROWS
from tests.contracts.test_permissions import PAGES, ident, url_of
from tests.pages.conftest import text

START, STOP = "/acme/team/view-as/", "/acme/team/view-as/stop/"


@pytest.fixture
def lea(cast, sign_in):
    return sign_in(cast.lea)


def events(cast):
    with tenant_scope(cast.tenant):
        return [
            (event.verb, event.actor_id, event.object_id)
            for event in Event.objects.filter(object_type="member").order_by("pk")
        ]


def test_a_lead_sees_what_a_colleague_sees_and_the_log_says_so(cast, lea):
    theirs, others = (
        cast.customer("Tiles", owner_a=cast.ann, owner_b=None),
        cast.customer("Glue", owner_a=cast.bo, owner_b=None),
    )
    assert lea.post(START, {"member": cast.ann.pk})["Location"] == "/acme/today/"
    page = text(lea.get("/acme/customers/"))
    assert "You are viewing as <b>Ann</b>" in page
    assert theirs.name in page
    assert others.name not in page
    assert lea.get(f"/acme/customers/{others.pk}/").status_code == 404
    assert lea.get("/acme/team/").status_code == 403  # nor does Ann see the desk
    assert lea.get("/api/v1/customers").json()["results"][0]["name"] == "Tiles"
    # What a page notes by itself is not kept: neither for Ann nor for the lead.
    with tenant_scope(cast.tenant):
        before = list(Desk.objects.values_list("member", "view"))
    lea.get("/acme/today/?view=covering")
    with tenant_scope(cast.tenant):
        assert list(Desk.objects.values_list("member", "view")) == before
    assert lea.post(STOP)["Location"] == "/acme/team/"
    assert others.name in text(lea.get("/acme/customers/"))
    assert events(cast) == [("viewed_as", cast.lea.pk, cast.ann.pk), ("viewed_as_ended", cast.lea.pk, cast.ann.pk)]


def test_whoever_may_not_view_as_somebody_is_refused(cast, sign_in):
    with tenant_scope(cast.tenant):
        north = Team.objects.create(name="North")
        Member.objects.filter(pk=cast.bo.pk).update(team=north)
    refused = {
        cast.lea: [cast.bo, cast.ada, cast.ian, cast.lea, cast.otto],
        cast.eve: [cast.ada, cast.ian, cast.eve, cast.otto],
        cast.ada: [cast.ian, cast.ada, cast.otto],
        cast.ann: [cast.lea, cast.bo],
        cast.ian: [cast.ann],
    }
    for viewer, others in refused.items():
        client = sign_in(viewer)
        for other in others:
            assert client.post(START, {"member": other.pk}).status_code == 403, (viewer, other)
        assert "viewing as" not in text(client.get("/acme/customers/"))
    assert events(cast) == []
    for viewer in (cast.eve, cast.ada):
        assert sign_in(viewer).post(START, {"member": cast.bo.pk}).status_code == 302


def test_viewing_ends_when_the_viewer_no_longer_may(cast, lea):
    lea.post(START, {"member": cast.ann.pk})
    with tenant_scope(cast.tenant):
        Member.objects.filter(pk=cast.ann.pk).update(team=None)
    assert "viewing as" not in text(lea.get("/acme/customers/"))


def test_nothing_is_changed_while_somebody_views_whatever_is_sent(cast, sign_in):
    """Every page of the house, by POST, as an administrator who views as another one: all of it could be written."""
    with tenant_scope(cast.tenant):
        other = Member.objects.create(user=cast.otto.user, role="admin")
        rows = {}
        for rule in PAGES.values():
            if rule.model and rule.model not in rows:
                rows[rule.model] = ident(ROWS[rule.model]())
    ada = sign_in(cast.ada)
    assert ada.post(START, {"member": other.pk}).status_code == 302
    with tenant_scope(cast.tenant):
        before = Event.objects.count()
    for name, rule in PAGES.items():
        if name == "view-as-stop":
            continue
        for method in (ada.post, ada.put, ada.patch, ada.delete):
            answer = method(url_of(name, rule, rows.get(rule.model)))
            assert answer.status_code == 403, (name, answer.status_code)
            if method == ada.post:
                assert "nothing can be changed" in html.unescape(text(answer)), name
    for name in ("customers", "follow-ups"):
        answer = ada.post(reverse(f"api-{name}-list"), {"name": "Sneaky"}, content_type="application/json")
        assert answer.status_code == 403
    with tenant_scope(cast.tenant):
        assert Event.objects.count() == before
        assert not FollowUp.objects.filter(status="done").exists()
    assert ada.post(STOP).status_code == 302
    assert ada.post("/acme/keys/", {"on": "on"}).status_code < 400
