"""It: signing in and out, a forgotten password, the second step."""

import re

import pytest
from allauth.mfa.totp.internal import auth as totp
from django.core import mail
from django.test import Client

PASSWORD = "correct horse battery"


@pytest.fixture
def ann(cast):
    cast.ann.user.set_password(PASSWORD)
    cast.ann.user.save()
    return cast.ann.user


def sign_in_with(client, password, **more):
    return client.post("/accounts/login/", {"login": "ann@acme.example", "password": password, **more})


def test_shows_the_product_and_a_labelled_form(client, db):
    page = client.get("/accounts/login/").content.decode()
    assert "Perennial" in page
    assert "E-mail address" in page
    assert "placeholder" not in page


def test_lets_in_with_the_right_password(client, ann):
    assert sign_in_with(client, PASSWORD)["Location"] == "/"
    assert client.get("/acme/customers/").status_code == 200


def test_comes_back_to_where_one_was(client, ann):
    assert sign_in_with(client, PASSWORD, next="/acme/customers/?tier=gold")["Location"] == "/acme/customers/?tier=gold"


def test_says_what_is_wrong_and_keeps_the_address(client, ann):
    page = sign_in_with(client, "wrong").content.decode()
    assert "not correct" in page
    assert 'value="ann@acme.example"' in page


def test_gives_up_on_a_guesser(client, ann):
    for _ in range(6):
        answer = sign_in_with(client, "wrong")
    assert "Too many failed" in answer.content.decode()
    assert "Too many failed" in sign_in_with(client, PASSWORD).content.decode()


def test_lets_nobody_sign_up(client, db):
    answer = client.post("/accounts/signup/", {"email": "x@y.example", "password1": PASSWORD, "password2": PASSWORD})
    assert "Closed" in answer.content.decode()


def test_signs_out_by_a_form_only(client, ann):
    sign_in_with(client, PASSWORD)
    client.get("/accounts/logout/")
    assert client.get("/acme/customers/").status_code == 200
    client.post("/accounts/logout/")
    assert client.get("/acme/customers/").status_code == 302


def test_sends_a_link_for_a_forgotten_password(client, ann):
    client.post("/accounts/password/reset/", {"email": "ann@acme.example"})
    link = re.search(r"http://testserver(\S+)", mail.outbox[0].body)[1]
    form = client.get(link, follow=True)
    address = form.redirect_chain[-1][0]
    client.post(address, {"password1": "a new long password", "password2": "a new long password"})
    assert sign_in_with(Client(), "a new long password")["Location"] == "/"


def test_does_not_say_whether_an_address_is_known(client, ann):
    known = client.post("/accounts/password/reset/", {"email": "ann@acme.example"}, follow=True)
    unknown = client.post("/accounts/password/reset/", {"email": "nobody@acme.example"}, follow=True)
    assert known.redirect_chain == unknown.redirect_chain
    assert "Look into your mail" in unknown.content.decode()


def test_refuses_a_link_that_was_used(client, db):
    page = client.get("/accounts/password/reset/key/1-bad/", follow=True).content.decode()
    assert "no longer works" in page


def test_asks_again_who_it_is_before_two_step_sign_in_changes(client, ann):
    sign_in_with(client, PASSWORD)
    answer = client.get("/accounts/2fa/totp/activate/")
    assert answer["Location"].startswith("/accounts/reauthenticate/")
    assert "Is it still you?" in client.get(answer["Location"]).content.decode()


def test_asks_for_the_second_step_once_it_is_switched_on(client, ann):
    sign_in_with(client, PASSWORD)
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    page = client.get("/accounts/2fa/totp/activate/").content.decode()
    secret = re.search(r'pn-secret">([A-Z2-7]+)<', page)[1]
    code = totp.format_hotp_value(totp.hotp_value(secret, next(totp.yield_hotp_counters_from_time())))
    answer = client.post("/accounts/2fa/totp/activate/", {"code": code}, follow=True)
    assert "codes are left" in answer.content.decode()
    other = Client()
    assert sign_in_with(other, PASSWORD)["Location"].startswith("/accounts/2fa/authenticate/")
    assert "Second step" in other.get("/accounts/2fa/authenticate/").content.decode()
    assert other.get("/acme/customers/").status_code == 302


@pytest.mark.parametrize("path", ["/accounts/password/change/", "/accounts/2fa/"])
def test_shows_the_pages_of_the_account_in_the_house(client, ann, path):
    sign_in_with(client, PASSWORD)
    page = client.get(path).content.decode()
    assert "pn-narrow" in page
    assert "Two-step sign-in" in page
