"""Who may call, and what: tokens, sessions, roles, scopes."""

import datetime as dt
import json

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from tenants.context import tenant_scope
from tenants.models import ApiToken, Tenant, User
from tenants.permissions import Role, permissions_of
from tenants.services import revoke_token
from tests.api.conftest import BASE, Caller
from tests.conftest import Cast

RESOURCES = (
    "alerts", "notices",
    "customers", "contacts", "products", "orders", "interactions", "complaints",
    "survey-responses", "evidence", "referrals", "rewards", "upgrades", "goals", "awards", "certifications", "trainings", "promotion-notes", "reports", "tiers", "scores", "forecasts", "back-tests",
    "incidents", "cases", "win-backs", "playbooks", "playbook-runs", "absences", "care-days", "segments", "pulses", "follow-ups", "messages", "scripts", "journeys", "enrolments", "surveys", "quality-reviews", "mystery-visits", "members",
)  # fmt: skip
WRITABLE = (
    "customers", "contacts", "products", "orders", "interactions", "complaints", "survey-responses", "evidence",
    "referrals",
)  # fmt: skip


def _refused(response, status: int) -> dict[str, object]:
    assert response.status_code == status, response.content
    assert response["Content-Type"] == "application/problem+json"
    return response.json()


def test_asks_who_is_there(cast: Cast) -> None:
    answer = Client().get(f"{BASE}customers")
    assert _refused(answer, 401)["type"].endswith("#not-authenticated")
    assert answer["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    "spoil", [lambda t: t[:-1] + ("a" if t[-1] != "a" else "b"), lambda t: "pn_zzzzx1_x", str.upper]
)
def test_refuses_a_token_that_is_none(cast: Cast, spoil) -> None:
    token = cast.token()
    assert Caller(token).get("customers").status_code == 200
    answer = Caller(spoil(token)).get("customers")
    _refused(answer, 401)
    assert answer["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("text", ["", "pn_", "pn_x_y", "pn_1x_", "pn_" + "z" * 300, "pn_١x_y", "\x00"])
def test_survives_what_is_no_token_at_all(cast: Cast, text: str) -> None:
    _refused(Caller(text).get("me"), 401)


def test_refuses_an_expired_token(cast: Cast) -> None:
    caller = Caller(cast.token())
    assert caller.get("me").status_code == 200
    with time_machine.travel(timezone.now() + dt.timedelta(days=366), tick=False):
        _refused(caller.get("me"), 401)


def test_refuses_a_revoked_token(cast: Cast) -> None:
    caller = Caller(cast.token())
    assert caller.get("me").status_code == 200
    with tenant_scope(cast.tenant):
        revoke_token(token=ApiToken.objects.get())
    _refused(caller.get("me"), 401)


def test_refuses_the_token_of_somebody_who_left(cast: Cast) -> None:
    caller = Caller(cast.token())
    assert caller.get("me").status_code == 200
    with tenant_scope(cast.tenant):
        cast.ian.is_active = False
        cast.ian.save()
    _refused(caller.get("me"), 401)
    User.objects.filter(pk=cast.ian.user_id).update(is_active=False)
    _refused(caller.get("me"), 401)


def test_refuses_the_token_of_a_closed_firm(cast: Cast) -> None:
    caller = Caller(cast.token())
    assert caller.get("me").status_code == 200
    Tenant.objects.filter(pk=cast.tenant.pk).update(is_active=False)
    _refused(caller.get("me"), 401)


@pytest.mark.parametrize("role", Role.values)
def test_reads_what_the_role_and_the_scope_allow(cast: Cast, call_as, role: str) -> None:
    member, able = cast.roles[role], permissions_of(role)
    everything, nothing = (
        call_as(member),
        call_as(member, ("policy:read",) if "policy:read" in able else ("imports:read",)),
    )
    for resource in RESOURCES:
        assert everything.get(resource).status_code == (200 if f"{resource}:read" in able else 403), resource
        assert f"{resource}:read" in _refused(nothing.get(resource), 403)["detail"]


@pytest.mark.parametrize("role", Role.values)
def test_writes_what_the_role_and_the_scope_allow(cast: Cast, call_as, role: str) -> None:
    member, able = cast.roles[role], permissions_of(role)
    everything, reading = call_as(member), call_as(member, tuple(p for p in able if p.endswith(":read")))
    for resource in WRITABLE:
        allowed = f"{resource}:write" in able
        # An empty body is refused only after the permission was found to be there.
        for method, path in (
            ("post", resource),
            ("patch", f"{resource}/1"),
            ("put", f"{resource}/by-external/erp/none"),
            ("post", f"{resource}/batch"),
        ):
            assert (getattr(everything, method)(path, {}).status_code != 403) == allowed, (method, path)
        assert f"{resource}:write" in _refused(reading.post(resource, {}), 403)["detail"]


def test_lets_a_browser_in_where_it_was_last(cast: Cast, sign_in) -> None:
    browser = sign_in(cast.ann)
    assert browser.get(f"{BASE}me").status_code == 401  # no firm yet
    session = browser.session
    session["tenant"] = "acme"
    session.save()
    me = browser.get(f"{BASE}me").json()
    assert me["token"] is None
    assert me["scopes"] == sorted(permissions_of("account_manager"))
    session["tenant"] = "globex"
    session.save()
    assert browser.get(f"{BASE}me").status_code == 401


def test_wants_the_csrf_token_of_a_browser(cast: Cast) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(cast.ann.user)
    session = browser.session
    session["tenant"] = "acme"
    session.save()
    body = json.dumps({"name": "Brook & Sons"})

    def post(**headers: str):
        return browser.post(f"{BASE}customers", body, content_type="application/json", headers=headers)

    assert _refused(post(), 403)["type"].endswith("#forbidden")
    browser.cookies["csrftoken"] = "a" * 32
    assert post(**{"X-CSRFToken": "a" * 32}).status_code == 201


def test_takes_a_bad_token_for_bad_even_in_a_signed_in_browser(cast: Cast, sign_in) -> None:
    browser = sign_in(cast.ann)
    session = browser.session
    session["tenant"] = "acme"
    session.save()
    assert browser.get(f"{BASE}me").status_code == 200
    assert browser.get(f"{BASE}me", headers={"Authorization": "Bearer pn_1x_no"}).status_code == 401
