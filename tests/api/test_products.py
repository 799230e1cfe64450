from tests.api.conftest import Caller, faults


def test_creates_changes_and_upserts_a_product(api: Caller) -> None:
    made = api.post("products", {"source": "erp", "external_id": "85123A", "name": "Heart", "category": "Decor"})
    assert made.status_code == 201, made.content
    assert api.put("products/by-external/erp/85123A", {"name": "Heart"})["Outcome"] == "unchanged"
    changed = api.put("products/by-external/erp/85123A", {"name": "White heart"})
    assert changed["Outcome"] == "updated"
    assert changed.json()["category"] == "Decor"
    assert api.patch(f"products/{made.json()['id']}", {"category": None}).json()["category"] == ""
    assert api.put("products/by-external/erp/2", {})["Outcome"] == "created"
    assert {row["external_id"] for row in api.get("products", q="white").json()["results"]} == {"85123A"}


def test_keeps_the_name_of_a_product(api: Caller) -> None:
    made = api.post("products", {"source": "erp", "external_id": "85123A"}).json()
    assert api.post("products", {"source": "erp", "external_id": "85123A"}).status_code == 409
    assert faults(api.post("products", {})) == {"#/external_id": "required"}
    assert api.patch(f"products/{made['id']}", made)["Outcome"] == "unchanged"
    assert faults(api.patch(f"products/{made['id']}", {"external_id": "2"})) == {"#/external_id": "differs"}
