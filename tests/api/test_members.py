from tests.conftest import Cast


def test_lists_the_people_of_the_firm(call_as, cast: Cast) -> None:
    caller = call_as(cast.ada)
    rows = caller.get("members").json()["results"]
    assert [row["name"] for row in rows] == ["Ann", "Bo", "Lea", "Eve", "Ada", "Ian"]
    assert caller.get(f"members/{cast.ann.pk}").json() == rows[0]
    assert [row["name"] for row in caller.get("members", role="executive").json()["results"]] == ["Eve"]
    assert caller.get(f"members/{cast.otto.pk}").status_code == 404
