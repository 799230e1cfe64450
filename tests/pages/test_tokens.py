"""It: API tokens: made, shown once, revoked."""

import datetime as dt
import re

import pytest

from tenants.context import tenant_scope
from tenants.models import ApiToken
from tests.pages.conftest import text

URL = "/acme/tokens/"


@pytest.fixture
def ada(cast, sign_in):
    return sign_in(cast.ada)


def make(client, cast, **fields):
    said = {"member": cast.ian.pk, "name": "ERP", "days": 30, "scopes": ["customers:read", "orders:write"]}
    return client.post(f"{URL}add/", said | fields)


def test_explains_what_a_token_is_for(ada):
    assert "No tokens yet" in text(ada.get(URL))


def test_shows_the_text_once(cast, ada, client):
    answer = make(ada, cast)
    secret = re.search(r"pn_\w+_[\w-]+", text(answer))[0]
    assert answer["Cache-Control"] == "no-store"
    assert client.get("/api/v1/me", headers={"Authorization": f"Bearer {secret}"}, follow=True).status_code == 200
    page = text(ada.get(URL))
    assert secret not in page
    assert "ERP" in page
    with tenant_scope(cast.tenant):
        token = ApiToken.objects.get()
    assert (token.member_id, token.scopes) == (cast.ian.pk, ["customers:read", "orders:write"])


def test_gives_all_scopes_of_the_role_when_asked(cast, ada):
    make(ada, cast, scopes=["all", "customers:read"])
    with tenant_scope(cast.tenant):
        assert "orders:write" in ApiToken.objects.get().scopes


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"scopes": ["members:write"]}, "has no members:write"),
        ({"scopes": []}, "required"),
        ({"days": 4000}, "less than or equal to 365"),
        ({"member": 0}, "not one of the available"),
        ({"name": ""}, "required"),
    ],
)
def test_says_at_the_field_what_is_wrong(cast, ada, fields, words):
    assert words in text(make(ada, cast, **fields))
    with tenant_scope(cast.tenant):
        assert not ApiToken.objects.exists()


def test_offers_this_firms_members_alone(cast, ada):
    page = text(ada.get(f"{URL}add/"))
    assert "Ian" in page
    assert "Otto" not in page


def test_revokes_at_once(cast, ada, client):
    secret = re.search(r"pn_\w+_[\w-]+", text(make(ada, cast)))[0]
    with tenant_scope(cast.tenant):
        token = ApiToken.objects.get()
    assert "no longer opens anything" in text(ada.post(f"{URL}{token.pk}/revoke/", follow=True))
    assert client.get("/api/v1/me", headers={"Authorization": f"Bearer {secret}"}, follow=True).status_code == 401
    assert ada.post(f"{URL}{token.pk}/revoke/").status_code == 404


def test_marks_what_has_expired(cast, ada, time_machine):
    make(ada, cast)
    time_machine.move_to(dt.datetime.now(tz=dt.UTC) + dt.timedelta(days=31))
    ada.force_login(cast.ada.user)
    assert "expired" in text(ada.get(URL))


def test_is_for_administrators_alone(cast, sign_in):
    for member in (cast.ann, cast.lea, cast.eve, cast.ian):
        assert sign_in(member).get(URL).status_code == 403
