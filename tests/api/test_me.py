from tests.api.conftest import Caller
from tests.conftest import Cast


def test_says_tenant_member_role_scopes_and_limits(api: Caller, cast: Cast) -> None:
    answer = api.get("me")
    assert answer.status_code == 200
    me = answer.json()
    assert me["tenant"]["slug"] == "acme"
    assert me["tenant"]["currency"] == "GBP"
    assert me["member"] == {
        "id": str(cast.ian.pk), "name": "Ian", "email": "ian@acme.example", "role": "integration", "team": "South",
        "weekly_capacity": None, "is_active": True,
    }  # fmt: skip
    assert me["role"] == "integration"
    assert "orders:write" in me["scopes"]
    assert me["limits"] == {"page_rows": 200, "batch_rows": 1000, "body_bytes": 20 * 2**20}
    assert me["token"]["expires_at"].endswith(("Z", "+01:00"))
    assert api.token not in answer.content.decode()


def test_lists_only_the_scopes_of_the_token(call_as, cast: Cast) -> None:
    assert call_as(cast.ian, ("orders:read",)).get("me").json()["scopes"] == ["orders:read"]


def test_refuses_a_parameter(api: Caller) -> None:
    assert api.get("me", verbose=1).json()["errors"][0]["pointer"] == "?verbose"
