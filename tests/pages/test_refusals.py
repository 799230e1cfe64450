"""It: what a refusal looks like, inside a firm and outside, and that nothing leaks."""

import re

import pytest
from django.test import Client, RequestFactory

from tenants.pages import server_error


def test_sends_to_sign_in_and_back(cast):
    answer = Client().get("/acme/customers/?tier=gold")
    assert answer["Location"] == "/accounts/login/?next=/acme/customers/%3Ftier%3Dgold"


def test_sends_the_whole_page_to_sign_in_when_a_fragment_was_asked_for(cast):
    headers = {"HX-Request": "true", "HX-Current-URL": "http://testserver/acme/customers/?tier=gold"}
    answer = Client().get("/acme/customers/?tier=gold", headers=headers)
    assert answer["HX-Redirect"] == "/accounts/login/?next=/acme/customers/%3Ftier%3Dgold"


def test_says_in_words_what_the_role_lacks(cast, sign_in):
    answer = sign_in(cast.ann).get("/acme/runs/")
    assert answer.status_code == 403
    assert "Account manager" in answer.content.decode()
    assert "pn-side" in answer.content.decode()


@pytest.mark.parametrize("path", ["/globex/customers/", "/globex/today/", "/no-such-firm/customers/"])
def test_is_the_same_for_a_stranger_and_for_what_does_not_exist(cast, sign_in, path):
    answer = sign_in(cast.ann).get(path)
    missing = sign_in(cast.ann).get("/no-such-firm-either/customers/")
    assert answer.status_code == missing.status_code == 404
    assert _same_for_all(answer) == _same_for_all(missing)


def _same_for_all(answer):
    return re.sub(r"X-CSRFToken[^}]+", "", answer.content.decode())


def test_keeps_the_house_around_a_missing_row(cast, sign_in):
    answer = sign_in(cast.ann).get("/acme/customers/999999/")
    assert answer.status_code == 404
    assert "pn-side" in answer.content.decode()


def test_takes_a_number_beyond_all_rows_for_missing(cast, sign_in):
    assert sign_in(cast.ann).get(f"/acme/customers/{10**30}/").status_code == 404


def test_names_the_parameter_that_a_list_does_not_have(cast, sign_in):
    answer = sign_in(cast.ann).get("/acme/customers/?teir=gold")
    assert answer.status_code == 400
    assert "teir" in answer.content.decode()
    assert "tier" in answer.content.decode()


def test_says_that_something_broke_without_the_database():
    answer = server_error(RequestFactory().get("/"))
    assert answer.status_code == 500
    assert "Something broke" in answer.content.decode()


def test_refuses_a_form_from_elsewhere_in_words(cast):
    client = Client(enforce_csrf_checks=True)
    client.force_login(cast.ann.user)
    answer = client.post("/acme/customers/add/", {"name": "X"})
    assert answer.status_code == 403
    assert "reload" in answer.content.decode()


def test_keeps_pages_out_of_shared_and_stale_caches(cast, sign_in):
    header = sign_in(cast.ann).get("/acme/customers/")["Cache-Control"]
    assert sorted(header.split(", ")) == ["no-cache", "private"]


def test_allows_no_inline_script_or_style(cast, sign_in):
    page = sign_in(cast.ann).get("/acme/customers/")
    policy = page["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    assert " style=" not in page.content.decode()
    assert "<style" not in page.content.decode()
    assert " onclick=" not in page.content.decode()
