"""It: who is in a firm: add, change, end; never without an administrator."""

import pytest

from tenants.context import tenant_scope
from tenants.models import Event, Member, Team, User
from tests.pages.conftest import text

URL = "/acme/members/"


@pytest.fixture
def ada(cast, sign_in):
    return sign_in(cast.ada)


def member(cast, email):
    with tenant_scope(cast.tenant):
        return Member.objects.select_related("user", "team").get(user__email=email)


def test_lists_this_firms_people_alone(cast, ada):
    page = text(ada.get(URL))
    assert "ann@acme.example" in page
    assert "otto" not in page


def test_shows_the_buttons_to_administrators_alone(cast, sign_in, ada):
    assert "/acme/members/add/" in text(ada.get(URL))
    assert "/acme/members/add/" not in text(sign_in(cast.lea).get(URL))


def test_adds_a_new_person_with_a_new_team(cast, ada):
    answer = ada.post(
        f"{URL}add/",
        {"email": "Nia@acme.example", "name": "Nia", "role": "account_manager", "team": "North"},
        follow=True,
    )
    assert "Nia is a member now." in text(answer)
    nia = member(cast, "nia@acme.example")
    assert (nia.role, nia.team.name, nia.user.has_usable_password()) == ("account_manager", "North", False)
    with tenant_scope(cast.tenant):
        assert Event.objects.filter(object_type="member", verb="created", actor=cast.ada).exists()


def test_adds_a_person_who_is_known_elsewhere_as_they_are(cast, ada):
    ada.post(f"{URL}add/", {"email": "otto@globex.example", "name": "Renamed", "role": "executive"})
    assert member(cast, "otto@globex.example").user.name == "Otto"
    assert User.objects.filter(email__iexact="otto@globex.example").count() == 1


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"email": "ann@acme.example", "role": "executive"}, "is a member already"),
        ({"email": "not an address", "role": "executive"}, "valid email"),
        ({"email": "x@acme.example", "role": "emperor"}, "not one of the available"),
    ],
)
def test_says_at_the_field_what_is_wrong(cast, ada, fields, words):
    page = text(ada.post(f"{URL}add/", fields))
    assert words in page
    assert f'value="{fields["email"]}"' in page


def test_changes_role_and_team(cast, ada):
    assert 'value="South"' in text(ada.get(f"{URL}{cast.bo.pk}/"))
    ada.post(f"{URL}{cast.bo.pk}/", {"role": "team_lead", "team": "", "is_active": "on"})
    bo = member(cast, "bo@acme.example")
    assert (bo.role, bo.team, bo.is_active) == ("team_lead", None, True)


def test_sets_the_touches_a_week_that_there_is_room_for_and_takes_them_back(cast, ada):
    usual = {"role": "account_manager", "team": "South", "is_active": "on"}
    assert "as the policy says" in text(ada.get(URL))
    ada.post(f"{URL}{cast.bo.pk}/", usual | {"weekly_capacity": "12"})
    assert member(cast, "bo@acme.example").weekly_capacity == 12
    assert 'value="12"' in text(ada.get(f"{URL}{cast.bo.pk}/"))
    assert '<td class="num">12</td>' in text(ada.get(URL))
    ada.post(f"{URL}{cast.bo.pk}/", usual | {"weekly_capacity": ""})
    assert member(cast, "bo@acme.example").weekly_capacity is None
    with tenant_scope(cast.tenant):
        changes = Event.objects.filter(object_type="member", object_id=cast.bo.pk).values_list("changes", flat=True)
        assert {"weekly_capacity": [None, 12]} in list(changes)


def test_refuses_a_capacity_that_nobody_has(cast, ada):
    page = text(ada.post(f"{URL}{cast.bo.pk}/", {"role": "executive", "team": "", "weekly_capacity": "-1"}))
    assert "greater than or equal to 0" in page
    assert member(cast, "bo@acme.example").role == "account_manager"


def test_ends_a_membership_at_once(cast, ada, sign_in):
    bo = sign_in(cast.bo)
    assert bo.get("/acme/customers/").status_code == 200
    ada.post(f"{URL}{cast.bo.pk}/", {"role": "account_manager", "team": "South"})
    assert bo.get("/acme/customers/").status_code == 404
    assert "ended" in text(ada.get(URL))


@pytest.mark.parametrize("fields", [{"role": "executive", "is_active": "on"}, {"role": "admin"}])
def test_keeps_the_last_administrator(cast, ada, fields):
    page = text(ada.post(f"{URL}{cast.ada.pk}/", fields | {"team": "South"}))
    assert "This is the last administrator" in page
    assert member(cast, "ada@acme.example").role == "admin"


def test_lets_an_administrator_go_when_there_is_another(cast, ada):
    ada.post(f"{URL}{cast.eve.pk}/", {"role": "admin", "team": "", "is_active": "on"})
    ada.post(f"{URL}{cast.ada.pk}/", {"role": "executive", "team": "", "is_active": "on"})
    assert member(cast, "ada@acme.example").role == "executive"


def test_does_not_know_another_firms_member(cast, ada):
    assert ada.get(f"{URL}{cast.otto.pk}/").status_code == 404


def test_makes_no_team_twice(cast, ada):
    for name in ("x", "y"):
        ada.post(f"{URL}add/", {"email": f"{name}@acme.example", "role": "executive", "team": " South "})
    with tenant_scope(cast.tenant):
        assert Team.objects.count() == 1
