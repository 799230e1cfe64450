"""It: the front door, the language, and whether the process is alive."""

import pytest
from django.test import Client
from redis.exceptions import ConnectionError as RedisAway

from tenants.context import tenant_scope
from tenants.models import Member, User
from tenants.services import create_member


def test_sends_a_stranger_to_sign_in(client, db):
    assert client.get("/")["Location"].startswith("/accounts/login/")


def test_leads_to_the_only_firm(cast, sign_in):
    assert sign_in(cast.ann).get("/")["Location"] == "/acme/today/"


def test_leads_to_the_firm_of_last_time(cast, sign_in):
    with tenant_scope(cast.other_tenant):
        create_member(email="ann@acme.example", role="executive")
    client = sign_in(cast.ann)
    client.get("/globex/customers/")
    assert client.get("/")["Location"] == "/globex/today/"


def test_offers_several_firms(cast, sign_in):
    with tenant_scope(cast.other_tenant):
        create_member(email="ann@acme.example", role="executive")
    page = sign_in(cast.ann).get("/").content.decode()
    assert "/acme/today/" in page
    assert "/globex/today/" in page


def test_offers_the_other_firm_on_every_page(cast, sign_in):
    with tenant_scope(cast.other_tenant):
        create_member(email="ann@acme.example", role="executive")
    assert "/globex/today/" in sign_in(cast.ann).get("/acme/customers/").content.decode()


def test_says_that_there_is_no_firm_yet(db):
    client = Client()
    client.force_login(User.objects.create_user("new@nowhere.example", name="New"))
    assert "new@nowhere.example" in client.get("/").content.decode()


def test_forgets_a_firm_that_somebody_has_left(cast, sign_in):
    client = sign_in(cast.ann)
    client.get("/acme/customers/")
    with tenant_scope(cast.tenant):
        Member.objects.filter(pk=cast.ann.pk).update(is_active=False)
    assert client.get("/").status_code == 200
    assert client.get("/acme/customers/").status_code == 404


def test_keeps_the_language_with_the_person(cast, sign_in):
    client = sign_in(cast.ann)
    answer = client.post("/language/", {"language": "zh-hans", "next": "/acme/customers/?q=x"})
    assert answer["Location"] == "/acme/customers/?q=x"
    assert User.objects.get(pk=cast.ann.user_id).language == "zh-hans"
    assert '<html lang="zh-hans">' in client.get("/acme/customers/").content.decode()


def test_keeps_the_language_before_sign_in(client, db):
    client.post("/language/", {"language": "zh-hans"})
    assert '<html lang="zh-hans">' in client.get("/accounts/login/").content.decode()


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example", "javascript:alert(1)"])
def test_does_not_follow_the_language_switch_out_of_the_house(client, db, target):
    assert client.post("/language/", {"language": "en", "next": target})["Location"] == "/"


def test_knows_no_third_language(client, db):
    assert client.post("/language/", {"language": "fr"}).status_code == 404


def test_speaks_the_language_of_the_firm(cast, sign_in):
    assert '<html lang="zh-hans">' in sign_in(cast.otto).get("/globex/customers/").content.decode()


def test_is_alive_without_anybody(client):
    assert client.get("/healthz").content == b"ok\n"


def test_is_ready_with_database_and_redis(client, db):
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()) == (200, {"database": True, "redis": True})


def test_is_not_ready_without_redis(client, db, monkeypatch):
    def away(*args, **kwargs):
        raise RedisAway

    monkeypatch.setattr("tenants.views.cache", type("Away", (), {"get": staticmethod(away)}))
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["redis"]) == (503, False)
