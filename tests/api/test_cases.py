from tenants.context import tenant_scope
from tests.api.conftest import Caller, faults
from tests.conftest import Cast
from tests.risk.test_cases import kept


def test_lists_finds_and_learns_from_cases(call_as, cast: Cast) -> None:
    with tenant_scope(cast.tenant):
        price = kept(cast.customer("恒通贸易"), cause="price", tried=["added_service"]).pk
        kept(cast.customer("Hidden", owner_a=cast.bo, owner_b=None), cause="price", number=2)
    ann: Caller = call_as(cast.ann)
    rows = ann.get("cases", q="通贸", cause="price", end="saved").json()["results"]
    assert [(row["id"], row["cause"], row["tried"], row["money"]) for row in rows] == [
        (str(price), "price", ["added_service"], "1200.00"),
    ]  # fmt: skip
    assert ann.get("cases", colour="red").status_code == 400
    learnt = ann.patch(f"cases/{price}", {"lessons": "Ask first", "tried": ["discount"]})
    assert learnt["Outcome"] == "updated"
    assert (learnt.json()["lessons"], learnt.json()["tried"], learnt.json()["cause"]) == (
        "Ask first", ["discount"], "price",
    )  # fmt: skip
    assert ann.patch(f"cases/{price}", {"lessons": "Ask first"})["Outcome"] == "unchanged"
    assert faults(ann.patch(f"cases/{price}", {"cause": "moon"})) == {"#/cause": "invalid_choice"}
    assert call_as(cast.eve).patch(f"cases/{price}", {"lessons": "x"}).status_code == 403


def test_says_what_the_cases_say(call_as, cast: Cast) -> None:
    with tenant_scope(cast.tenant):
        for number in range(10):
            outcome = "saved" if number else "lost"
            kept(
                cast.customer(f"C{number}"), cause="price", tried=["training"], number=number, outcome=outcome
            )  # fmt: skip
    said = call_as(cast.ann).get("cases/statements").json()["statements"]
    assert [(each["cause"], each["share"]["hits"], each["enough"]) for each in said] == [("price", 10, True)]
    helped = said[0]["helped"][0]
    assert (helped["tried"], helped["good"]["share"], helped["enough"]) == ("training", 0.9, True)
    assert call_as(cast.bo).get("cases/statements").json()["statements"][0]["share"]["of"] == 10
