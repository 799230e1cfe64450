"""It: the policy editor: a draft in the session, its dry run, what does not fit, and saving it."""

import csv
import html
import io
import json
import re

import polars as pl
import pytest
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.db import connection

from customers.models import Customer
from dashboards.dry_run import dry_run
from dashboards.dry_run_health import Colours
from dashboards.matrix import Cell
from dashboards.policy_dry_run import recoloured
from health.models import HealthScore, LapseForecast
from health.rules.policy import ORDER_KEYS
from segmentation.models import Standing
from tenants.context import tenant_scope
from tenants.models import Event, PolicyVersion
from tenants.policies import active_policy, complete_document, save_policy
from tests.pages.conftest import HX, text

URL = "/acme/policy/"
DRY = f"{URL}dry-run/"
TIERS = {"section": "tiers"}


@pytest.fixture
def lea(cast, sign_in):
    return sign_in(cast.lea)


@pytest.fixture
def shop(cast, placed, night):
    """Ten customers of Ann's, the first the best in everything, and a night gone by."""
    rows = [cast.customer(f"Customer {place}") for place in range(1, 11)]
    for place, row in enumerate(rows, start=1):
        placed(row, *range(place, 300, 30 * place), net=str(1000 * (11 - place)))
    night()
    return rows


def value(page, name):
    """What stands in an input, or is chosen in a select."""
    found = re.search(rf'<input[^>]* name="{re.escape(name)}"[^>]* value="([^"]*)"', page)
    if found:
        return html.unescape(found[1])
    options = re.search(rf'<select[^>]* name="{re.escape(name)}".*?</select>', page, re.DOTALL)
    return re.search(r'<option value="([^"]*)" selected>', options[0])[1] if options else None


def words(page):
    """The page's text, in one line."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())


def versions(cast):
    with tenant_scope(cast.tenant):
        return list(PolicyVersion.objects.order_by("number"))


# ── looking ──────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("who", ["ann", "eve"])
def test_shows_the_policy_in_words_to_who_may_not_change_it(cast, sign_in, who):
    page = text(sign_in(getattr(cast, who)).get(URL))
    assert "Gold: net money among the best" in page
    assert "15%" in page
    assert "<select" not in page
    assert "Save as" not in page
    assert f"{URL}versions/" in page


@pytest.mark.parametrize("who", ["ann", "eve"])
@pytest.mark.parametrize("name", ["", "dry-run/", "save/", "discard/", "pack/", "rebase/", "versions/1/restore/"])
def test_takes_no_draft_from_who_may_not_change_it(cast, sign_in, who, name):
    assert sign_in(getattr(cast, who)).post(f"{URL}{name}", TIERS).status_code == 403


def test_has_a_tab_for_each_section_and_opens_the_one_that_is_asked_for(lea):
    page = text(lea.get(URL))
    assert re.findall(r'name="to" value="(\w+)"', page) == [
        "tiers", "health", "forecast", "cadence", "calendar", "contact", "surveys", "care", "risk", "crisis",
        "complaints", "win_back", "value", "cross_sell", "kpis", "programme", "rewards", "awards", "growth", "reports",
    ]  # fmt: skip
    assert value(page, "tiers.gold_money_best") == "15"
    assert value(text(lea.get(URL, {"section": "risk"})), "risk.silence_days") == "60"


def test_names_a_section_that_does_not_exist(lea):
    answer = lea.get(URL, {"section": "weather"})
    assert answer.status_code == 400
    assert "no section weather" in text(answer)


def test_leaves_open_only_the_lines_of_the_scheme_in_force(lea):
    page = text(lea.get(URL))
    closed = page.index("Beside it")
    assert page.index('name="tiers.silver_best"') < closed < page.index('name="tiers.strategic_money"')
    assert value(page, "tiers.strategic_money") == "10,000,000"


@pytest.mark.parametrize(
    "section",
    ["tiers", "health", "forecast", "cadence", "calendar", "care", "risk", "crisis", "value", "cross_sell", "surveys"],
)
def test_takes_back_unchanged_what_it_has_drawn(cast, lea, section):
    page = text(lea.get(URL, {"section": section}))
    form = page[page.index('<form id="policy"') :]
    fields = re.findall(r'<input class="form-control[^>]* name="([^"]+)" value="([^"]*)"', form)
    fields += re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', form)
    fields += re.findall(r'type="checkbox" name="([^"]+)" value="([^"]*)" checked', form)
    for select in re.findall(r"<select.*?</select>", form, re.DOTALL):
        name = re.search(r'name="([^"]+)"', select)[1]
        chosen = re.search(r'<option value="([^"]*)" selected', select)
        fields.append((name, chosen[1] if chosen else ""))
    posted = {}
    for name, held in fields:
        posted.setdefault(name, []).append(html.unescape(held))
    assert len(posted) > 6
    answer = text(lea.post(DRY, posted, headers=HX))
    assert "nothing changed yet" in answer


# ── the draft ────────────────────────────────────────────────────────────────


def test_marks_what_is_changed_with_what_it_was(lea):
    answer = words(text(lea.post(DRY, TIERS | {"tiers.gold_money_best": "30"}, headers=HX)))
    assert "was 15% in v1" in answer
    assert "draft of v2, 1 change" in answer
    page = text(lea.get(URL))
    assert value(page, "tiers.gold_money_best") == "30"
    assert re.search(r'value="tiers"[^>]*>Tiers <span class="badge">1<', page)


def test_keeps_the_draft_from_tab_to_tab(lea):
    answer = lea.post(URL, TIERS | {"tiers.grace_days": "10", "to": "risk"})
    assert answer["Location"] == f"{URL}?section=risk"
    answer = lea.post(URL, {"section": "risk", "risk.silence_days": "50", "to": "tiers"})
    page = text(lea.get(answer["Location"]))
    assert value(page, "tiers.grace_days") == "10"
    assert "draft of v2, 2 changes" in words(page)
    assert value(text(lea.get(URL, {"section": "risk"})), "risk.silence_days") == "50"


def test_keeps_the_draft_of_each_person_and_each_firm_apart(cast, lea, sign_in):
    lea.post(URL, TIERS | {"tiers.grace_days": "10"})
    assert value(text(sign_in(cast.ada).get(URL)), "tiers.grace_days") == "30"
    with tenant_scope(cast.other_tenant):
        type(cast.lea).objects.create(user=cast.lea.user, role="admin")
    assert value(text(lea.get("/globex/policy/")), "tiers.grace_days") == "30"


def test_writes_nothing_but_the_session(cast, lea, shop):
    with connection.cursor() as cursor:
        cursor.execute("SELECT table_name FROM information_schema.columns WHERE column_name = 'tenant_id'")
        tables = [name for (name,) in cursor.fetchall()]

    def rows():
        with tenant_scope(cast.tenant), connection.cursor() as cursor:
            found = {}
            for name in tables:
                cursor.execute(f'SELECT count(*), coalesce(sum(hashtext(t::text)::bigint), 0) FROM "{name}" t')
                found[name] = cursor.fetchone()
            return found

    assert "segmentation_standing" in tables
    before = rows()
    assert before["segmentation_standing"][0] == 10
    lea.post(DRY, TIERS | {"tiers.gold_money_best": "60"}, headers=HX)
    lea.get(f"{URL}moves/")
    lea.post(f"{URL}pack/", {"pack": "wholesale"})
    lea.get(f"{URL}?run=1")
    lea.post(f"{URL}discard/", TIERS)
    assert rows() == before
    assert Session.objects.count() == 1


def test_puts_one_field_back(lea):
    lea.post(URL, TIERS | {"tiers.grace_days": "10", "tiers.new_days": "60"})
    page = text(lea.post(DRY, TIERS | {"tiers.grace_days": "10", "back": "tiers.grace_days"}, headers=HX))
    assert "draft of v2, 1 change" in words(page)
    assert value(page, "tiers.grace_days") == "30"  # the fields are drawn anew
    assert value(text(lea.get(URL)), "tiers.new_days") == "60"


def test_leaves_the_fields_alone_while_somebody_types(lea):
    page = text(lea.post(DRY, TIERS | {"tiers.grace_days": "10"}, headers=HX))
    assert 'name="tiers.grace_days"' not in page
    assert 'id="f-tiers-grace_days-w"' in page


def test_discards_the_draft(lea):
    lea.post(URL, TIERS | {"tiers.grace_days": "10", "note": "Because"})
    answer = lea.post(f"{URL}discard/", TIERS, follow=True)
    assert "nothing has changed" in text(answer)
    assert value(text(answer), "tiers.grace_days") == "30"
    assert value(text(answer), "note") == ""


def test_brings_the_tiers_of_a_pack_and_keeps_the_rest(lea):
    lea.post(URL, TIERS | {"tiers.grace_days": "10"})
    page = text(lea.post(f"{URL}pack/", TIERS | {"pack": "wholesale"}, follow=True))
    assert value(page, "tiers.scheme") == "wholesale"
    assert value(page, "tiers.grace_days") == "10"
    assert "pack “Wholesale”" in words(page)
    cadence = text(lea.get(URL, {"section": "cadence"}))
    assert value(cadence, "cadence.tiers.strategic.deep_talk") == "month/1"
    assert 'name="cadence.tiers.gold.light_touch"' not in cadence


def test_brings_them_when_another_scheme_is_chosen_too(lea):
    page = text(lea.post(DRY, TIERS | {"tiers.scheme": "starter"}, headers=HX))
    assert "does not fit" not in page
    assert 'id="policy-fields"' in page
    assert "pack “Starter”" in words(page)


def test_puts_the_scheme_back_with_all_that_came_with_it(lea):
    lea.post(URL, {"section": "cadence", "cadence.tiers.gold.light_touch": "month/2", "cadence.weekly_capacity": "20"})
    lea.post(f"{URL}save/", {"section": "cadence", "note": "Ours"})
    lea.post(f"{URL}pack/", {"pack": "wholesale"})
    page = words(text(lea.post(DRY, TIERS | {"tiers.scheme": "wholesale", "back": "tiers.scheme"}, headers=HX)))
    assert "nothing changed yet" in page
    assert "pack “Call-backs”" in page
    assert value(text(lea.get(URL, {"section": "cadence"})), "cadence.tiers.gold.light_touch") == "month/2"


def test_refuses_a_pack_that_does_not_exist(lea):
    assert lea.post(f"{URL}pack/", {"pack": "emperor"}).status_code == 400


# ── fields of their own kind ─────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("typed", "shown"),
    [("12000000", "12,000,000"), ("12,000,000", "12,000,000"), ("１２０００", "12,000"), (" 9 000 000 ", "9,000,000")],
)
def test_reads_money_as_people_write_it(lea, typed, shown):
    lea.post(f"{URL}pack/", {"pack": "wholesale"})
    lea.post(URL, TIERS | {"tiers.strategic_money": typed})
    assert value(text(lea.get(URL)), "tiers.strategic_money") == shown


def test_changes_a_touch_adds_one_and_takes_one_away(cast, lea):
    cadence = {"section": "cadence"}
    lea.post(URL, cadence | {"cadence.tiers.gold.light_touch": "month/2", "add.cadence.tiers.gold": "report"})
    lea.post(URL, cadence | {"cadence.tiers.bronze.light_touch": ""})
    page = text(lea.get(URL, cadence))
    assert value(page, "cadence.tiers.gold.light_touch") == "month/2"
    assert value(page, "cadence.tiers.gold.report") == "month/1"
    assert value(page, "cadence.tiers.bronze.light_touch") == ""
    said = words(page)
    assert "was 3 times a month in v1" in said
    assert "not in v1" in said
    assert "was every year in v1" in said
    lea.post(f"{URL}save/", cadence | {"note": "Fewer"})
    tiers = versions(cast)[-1].document["cadence"]["tiers"]
    assert [(each["kind"], each["times"], each["per"]) for each in tiers["gold"]] == [
        ("light_touch", 2, "month"), ("report", 1, "month"),
    ]  # fmt: skip
    assert "bronze" not in tiers


def test_writes_an_interval_out(cast, lea):
    cadence = {"section": "cadence"}
    lea.post(URL, cadence | {"cadence.tiers.silver.light_touch": "other"})
    page = text(lea.get(URL, cadence))
    assert value(page, "cadence.tiers.silver.light_touch.count") == "45"
    assert value(page, "cadence.tiers.silver.light_touch.per") == "days"
    written = {"cadence.tiers.silver.light_touch.count": "5", "cadence.tiers.silver.light_touch.per": "year"}
    lea.post(f"{URL}save/", cadence | written | {"note": "Five a year"})
    (touch,) = versions(cast)[-1].document["cadence"]["tiers"]["silver"]
    assert (touch["times"], touch["per"], touch["every_days"]) == (5, "year", None)


def test_says_at_the_touch_what_does_not_fit(lea):
    written = {"cadence.tiers.silver.light_touch.count": "many", "cadence.tiers.silver.light_touch.per": "year"}
    lea.post(URL, {"section": "cadence", "cadence.tiers.silver.light_touch": "other"})
    lea.post(URL, {"section": "cadence"} | written)
    page = text(lea.get(URL, {"section": "cadence"}))
    note = re.search(r'id="f-cadence-tiers-silver-light_touch-w".*?</div>', page, re.DOTALL)[0]
    assert "must be a whole number" in note
    assert value(page, "cadence.tiers.silver.light_touch.count") == "many"


def test_changes_a_line_of_health_and_adds_a_point(cast, lea):
    name = "health.indicators.order_stability.line"
    pairs = [("0.5", "100"), ("1", "40"), ("", ""), ("2", "0"), ("1.5", "")]
    rows = {f"{name}.{at}.{side}": pair[side] for at, pair in enumerate(pairs) for side in (0, 1)}
    lea.post(URL, {"section": "health"} | rows)
    page = text(lea.get(URL, {"section": "health"}))
    note = re.search(r'id="f-health-indicators-order_stability-line-w".*?</div>', page, re.DOTALL)[0]
    assert "invalid-feedback" in note
    assert value(page, f"{name}.3.0") == "1.5"
    pairs = [("0.5", "100"), ("1", "40"), ("1.5", "20"), ("2", "0")]
    rows = {f"{name}.{at}.{side}": pair[side] for at, pair in enumerate(pairs) for side in (0, 1)}
    lea.post(f"{URL}save/", {"section": "health", "note": "Steeper"} | rows)
    assert versions(cast)[-1].document["health"]["indicators"]["order_stability"]["line"] == [
        [0.5, 100], [1, 40], [1.5, 20], [2, 0],
    ]  # fmt: skip


def test_gives_a_tier_weights_of_its_own_and_takes_them_away(cast, lea):
    value_tab = {"section": "value"}
    lea.post(URL, value_tab | {"add.value.tier_weights": "gold"})
    lea.post(URL, value_tab | {"value.tier_weights.gold.direct": "60", "value.tier_weights.gold.indirect": "10"})
    page = text(lea.get(URL, value_tab))
    assert value(page, "value.tier_weights.gold.strategic") == "30"
    assert "not in v1" in words(page)
    lea.post(f"{URL}save/", value_tab | {"note": "Gold counts in money"})
    held = versions(cast)[-1].document["value"]["tier_weights"]
    assert held == {"gold": {"direct": 60, "indirect": 10, "strategic": 30}}
    page = text(lea.post(DRY, value_tab | {"drop": "value.tier_weights.gold"}, headers=HX))
    assert "was Direct 60%, Indirect 10%, Strategic 30% in v2" in words(page)
    lea.post(f"{URL}save/", value_tab | {"note": "And back"})
    assert versions(cast)[-1].document["value"]["tier_weights"] == {}


def test_gives_a_stage_weights_of_health_and_an_unknown_indicator_points(cast, lea):
    health = {"section": "health"}
    lea.post(URL, health | {"add.health.stage_weights": "new"})
    page = text(lea.get(URL, health))
    assert value(page, "health.stage_weights.new.order_frequency") == "15"
    assert 'placeholder="left out"' in page
    changed = {"health.stage_weights.new.order_frequency": "40", "health.indicators.advocacy.unknown_points": "50"}
    answer = words(text(lea.post(DRY, health | changed, headers=HX)))
    assert "was left out in v1" in answer
    assert "The weights of health for New add up to 125, not to 100: they count in proportion." in answer
    lea.post(f"{URL}save/", health | {"note": "New customers order rarely"})
    held = versions(cast)[-1].document["health"]
    assert held["stage_weights"]["new"] == {
        **{key: rule["weight"] for key, rule in held["indicators"].items()}, "order_frequency": 40,
    }  # fmt: skip
    assert held["indicators"]["advocacy"]["unknown_points"] == 50
    lea.post(f"{URL}save/", health | {"health.indicators.advocacy.unknown_points": "", "note": "Left out again"})
    assert versions(cast)[-1].document["health"]["indicators"]["advocacy"].get("unknown_points") is None


def test_refuses_weights_of_a_stage_without_any_order_indicator(lea):
    health = {"section": "health"}
    lea.post(URL, health | {"add.health.stage_weights": "new"})
    none = {f"health.stage_weights.new.{key}": "0" for key in ORDER_KEYS}
    answer = words(text(lea.post(DRY, health | none, headers=HX)))
    assert "at least one indicator of orders needs a weight above 0" in answer


def test_says_under_the_heading_that_weights_do_not_add_up(lea):
    lea.post(URL, {"section": "value", "value.weights.direct": "50"})
    page = text(lea.get(URL, {"section": "value"}))
    note = re.search(r'id="g-value-weights".*?</div>', page, re.DOTALL)[0]
    assert "must add up to 100 percent, not 110" in note


def test_chooses_the_watched_tiers(cast, lea):
    risk = {"section": "risk", "risk.top_tiers.shown": "1", "risk.top_tiers": ["bronze", "gold"]}
    lea.post(f"{URL}save/", risk | {"note": "Watch bronze"})
    assert versions(cast)[-1].document["risk"]["top_tiers"] == ["gold", "bronze"]


# ── what does not fit ────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("typed", "problem"),
    [
        ("soon", "must be a whole number"),
        ("", "must be a whole number"),
        ("0", "must be at least 1"),
        ("101", "must be at most 100"),
        ("12.5", "must be a whole number"),
        ("9" * 400, "must be"),
        ("<b>", "must be a whole number"),
        ("NaN", "must be a whole number"),
    ],
)
def test_says_at_the_field_what_does_not_fit_and_keeps_what_was_typed(cast, lea, typed, problem):
    answer = text(lea.post(DRY, TIERS | {"tiers.gold_money_best": typed}, headers=HX))
    assert "The dry run waits: 1 setting does not fit." in words(answer)
    note = re.search(r'id="f-tiers-gold_money_best-w".*?</div>', answer, re.DOTALL)[0]
    assert problem in note
    assert "pn-matrix" not in answer
    assert re.search(r"save/\" disabled", answer)
    page = text(lea.get(URL))
    assert value(page, "tiers.gold_money_best") == typed
    assert '<svg class="icon" role="img" aria-label="does not fit">' in page
    refused = text(lea.post(f"{URL}save/", TIERS | {"note": "Because", "tiers.gold_money_best": typed}))
    assert problem in refused
    assert value(refused, "note") == "Because"
    assert len(versions(cast)) == 1


def test_names_a_fault_of_another_tab_and_leads_there(lea):
    lea.post(URL, TIERS | {"tiers.grace_days": "never"})
    page = text(lea.get(URL, {"section": "risk"}))
    assert "“A tier falls only after days below the line”: must be a whole number." in words(page)
    assert re.search(r'name="to" value="tiers">go there<', page)


def test_does_not_answer_for_a_value_that_no_field_has(lea):
    assert lea.post(DRY, TIERS | {"set": "[1"}, headers=HX).status_code == 400
    lea.post(DRY, TIERS | {"set": json.dumps({"tiers.emperor": 1, "tiers.grace_days": 5})}, headers=HX)
    page = text(lea.get(URL))
    assert value(page, "tiers.grace_days") == "5"
    assert "draft of v2, 1 change" in words(page)


# ── the dry run ──────────────────────────────────────────────────────────────


def test_asks_for_the_dry_run_once_the_page_is_there_and_brings_it_along_without_scripts(lea, shop):
    page = text(lea.get(URL))
    assert f'hx-get="{DRY}?section=tiers" hx-trigger="load"' in page
    assert "pn-matrix" not in page
    answer = lea.post(URL, TIERS | {"tiers.grace_days": "10", "run": "1"})
    assert answer["Location"] == f"{URL}?section=tiers&run=1"
    assert "pn-matrix" in text(lea.get(answer["Location"]))
    assert lea.get(DRY)["Location"] == f"{URL}?section=tiers&run=1"


def test_shows_who_moves_as_the_engine_says(cast, lea, shop):
    page = text(lea.post(DRY, TIERS | {"tiers.gold_money_best": "50", "tiers.gold_recency_best": "50"}, headers=HX))
    with tenant_scope(cast.tenant):
        document = complete_document(active_policy())
        document["tiers"] |= {"gold_money_best": 50, "gold_recency_best": 50}
        run = dry_run(document)
    assert run.rises
    assert f"{run.moved} customers change tier." in words(page)
    assert f"{run.rises} rise at once." in words(page)
    for (before, after), cell in run.cells.items():
        link = re.search(rf'href="{URL}moves/\?before={before}&(?:amp;)?after={after}">([\d,]+)<', page)
        assert int(link[1]) == cell.customers
    assert f"all {run.moved}" in words(page)


def test_says_when_a_fall_comes(lea, shop):
    page = words(text(lea.post(DRY, TIERS | {"tiers.gold_money_best": "1", "tiers.silver_best": "1"}, headers=HX)))
    assert re.search(r"\d+ falls? after 30 days below the line, on 20 Dec at the earliest\.", page)


def test_measures_the_work_against_the_people(cast, lea, shop):
    cadence = {"section": "cadence", "cadence.tiers.bronze.light_touch": "week/1", "cadence.weekly_capacity": "1"}
    page = words(text(lea.post(DRY, cadence, headers=HX)))
    assert re.search(r"It needs \d+ people, you have 2\.", page)
    assert "there is room for 2." in page
    assert "Ann" in page
    assert "What would" in page


def test_tries_what_would_fit(lea, shop):
    cadence = {"section": "cadence", "cadence.tiers.bronze.light_touch": "week/1", "cadence.weekly_capacity": "1"}
    page = text(lea.post(DRY, cadence, headers=HX))
    offered = [json.loads(html.unescape(each)) for each in re.findall(r'name="set" value="([^"]*)"', page)]
    assert {"cadence.tiers.bronze.light_touch": "year/1"} in offered
    answer = text(
        lea.post(DRY, cadence | {"set": json.dumps({"cadence.tiers.bronze.light_touch": "year/1"})}, headers=HX)
    )
    assert value(answer, "cadence.tiers.bronze.light_touch") == "year/1"
    assert "draft of v2, 1 change" in words(answer)


def test_says_that_there_is_nobody_to_move(lea):
    page = words(text(lea.get(f"{URL}?run=1")))
    assert "There are no customers yet: nobody can move." in page


def test_speaks_of_the_policy_in_force_as_long_as_nothing_is_changed(lea, shop):
    assert "The policy in force asks for" in words(text(lea.get(DRY, headers=HX)))
    assert "The draft asks for" in words(text(lea.post(DRY, TIERS | {"tiers.grace_days": "1"}, headers=HX)))


# ── the customers behind a cell ──────────────────────────────────────────────


def names(response):
    return [html.unescape(name) for name in re.findall(r'class="row-link" href="[^"]+">([^<]+)', text(response))]


def test_lists_who_moves_with_money_owner_and_why(cast, lea, shop):
    assert "Nobody changes tier" in text(lea.get(f"{URL}moves/"))
    lea.post(URL, TIERS | {"tiers.gold_money_best": "50", "tiers.gold_recency_best": "50"})
    with tenant_scope(cast.tenant):
        tiers = dict(Standing.objects.values_list("customer__name", "tier"))
        document = complete_document(active_policy())
        document["tiers"] |= {"gold_money_best": 50, "gold_recency_best": 50}
        moved = dry_run(document).moved
    answer = lea.get(f"{URL}moves/")
    assert len(names(answer)) == moved > 0
    assert all(tiers[name] != "gold" for name in names(answer))
    assert "next night" in words(text(answer))
    assert "brought more net money (Gold: under 50%)" in words(text(answer))
    stays = lea.get(f"{URL}moves/", {"before": "gold", "after": "gold"})
    assert sorted(names(stays)) == sorted(name for name, tier in tiers.items() if tier == "gold")
    assert len(names(lea.get(f"{URL}moves/", {"who": "all"}))) == 10
    assert names(lea.get(f"{URL}moves/", {"who": "all", "owner": str(cast.bo.pk)})) == []


def test_gives_who_moves_as_csv(lea, shop):
    lea.post(URL, TIERS | {"tiers.gold_money_best": "50", "tiers.gold_recency_best": "50"})
    answer = lea.get(f"{URL}moves/", {"export": "csv", "columns": ["name", "tier", "after", "money_12m", "why"]})
    head, *rows = csv.reader(io.StringIO(text(answer).removeprefix("\ufeff")))
    assert head == ["Customer", "Tier now", "Tier then", "Net money", "Why"]
    assert rows
    assert {row[2] for row in rows} == {"Gold"}
    assert all(row[3].isdecimal() and "Gold: under 50%" in row[4] for row in rows)


def test_lists_only_the_customers_whom_the_member_sees(cast, lea, shop, placed):
    with tenant_scope(cast.tenant):
        type(cast.ada).objects.filter(pk=cast.ada.pk).update(team=None)
        type(shop[1]).objects.filter(pk=shop[1].pk).update(owner_a=cast.ada, owner_b=None)
    answer = lea.get(f"{URL}moves/", {"who": "all"})
    assert shop[1].name not in names(answer)
    assert "this list has those whom you see" in words(text(answer))


def test_leads_back_to_what_does_not_fit(lea):
    lea.post(URL, TIERS | {"tiers.grace_days": "never"})
    answer = lea.get(f"{URL}moves/", follow=True)
    assert answer.redirect_chain[-1][0] == URL
    assert "must be a whole number" in text(answer)


# ── colours and warnings ─────────────────────────────────────────────────────

HEALTH = {"section": "health"}


@pytest.fixture
def steady(cast, placed, night):
    """Customers who ordered every 30 days until so many days ago, and a night gone by: green, yellow and red, by name."""
    for silent in (1, 20, 45, 55, 65, 120):
        placed(cast.customer(f"Silent {silent:03}"), *range(silent, 700, 30), net=str(1000 - silent))
    night()
    with tenant_scope(cast.tenant):
        return dict(HealthScore.objects.values_list("customer__name", "band"))


@pytest.fixture
def strict(cast, steady):
    """By name, what colours of yellow from 99 and green from 100 points would make of them: nearly all red."""
    with tenant_scope(cast.tenant):
        scores = dict(HealthScore.objects.values_list("customer__name", "score"))
    return {name: "green" if score == 100 else "yellow" if score == 99 else "red" for name, score in scores.items()}


STRICT = HEALTH | {"health.yellow": "99", "health.green": "100"}


def test_shows_who_changes_colour_with_a_sentence_and_every_number_opens_its_rows(lea, steady, strict):
    page = text(lea.post(DRY, STRICT, headers=HX))
    changed = [name for name in steady if steady[name] != strict[name]]
    assert {steady[name] for name in changed} == {"green", "yellow"}
    assert {strict[name] for name in changed} == {"red"}
    assert f"Nobody changes tier. {len(changed)} customers turn red." in words(page)
    assert f"all {len(changed)}" in words(page)
    cells = re.findall(rf'href="{URL}colours/\?before=(\w+)&(?:amp;)?after=(\w+)">([\d,]+)<', page)
    assert {cell[:2] for cell in cells} == {(steady[name], strict[name]) for name in steady}
    for before, after, count in cells:
        behind = names(lea.get(f"{URL}colours/", {"before": before, "after": after}))
        assert len(behind) == int(count)
        assert {(steady[name], strict[name]) for name in behind} == {(before, after)}


def test_shows_colours_without_scripts_too(lea, steady):
    answer = lea.post(URL, STRICT | {"run": "1"}, follow=True)
    assert "customers turn red." in words(text(answer))
    assert "policy/colours/?before=yellow" in text(answer)


def test_says_in_a_sentence_who_turns_to_which_colour(cast):
    cells = {
        ("green", "red"): 12,
        ("yellow", "green"): 29,
        ("red", "green"): 1,
        ("green", "green"): 5,
        ("red", "none"): 1,
    }
    found = {place: Cell(count) for place, count in cells.items()}
    assert recoloured(Colours(found, 43, pl.DataFrame())) == (
        "12 customers turn red, 30 turn green, 1 loses its colour."
    )
    assert recoloured(Colours({("green", "yellow"): Cell(1)}, 1, pl.DataFrame())) == "1 customer turns yellow."


def test_shows_first_what_is_being_changed(lea, steady):
    page = words(text(lea.post(DRY, STRICT, headers=HX)))
    assert page.index("Who changes colour") < page.index("Who moves")
    elsewhere = words(text(lea.post(DRY, TIERS, headers=HX)))
    assert elsewhere.index("Who moves") < elsewhere.index("Who changes colour")


def test_says_nothing_of_colours_while_health_stays_as_it_is(lea, steady):
    page = words(text(lea.post(DRY, TIERS | {"tiers.gold_money_best": "50"}, headers=HX)))
    assert "colour" not in page
    assert "Nobody changes colour" in words(text(lea.get(f"{URL}colours/")))


def test_says_that_nobody_changes_colour(lea, steady):
    page = text(lea.post(DRY, HEALTH | {"health.quality_goal": "90"}, headers=HX))
    assert "Nobody changes colour." in words(page)
    assert re.search(rf'href="{URL}colours/\?before=red&(?:amp;)?after=red">', page)


def test_lists_who_changes_colour_with_both_scores_money_and_owner(cast, lea, steady, strict):
    lea.post(URL, STRICT)
    changed = [name for name in steady if steady[name] != strict[name]]
    answer = lea.get(f"{URL}colours/")
    assert sorted(names(answer)) == sorted(changed)
    assert len(names(lea.get(f"{URL}colours/", {"who": "all"}))) == len(steady)
    exported = lea.get(f"{URL}colours/", {"export": "csv"})
    head, *rows = csv.reader(io.StringIO(text(exported).removeprefix("\ufeff")))
    assert head == ["Customer", "Health now", "Health then", "Net money", "A owner", "Tier"]
    with tenant_scope(cast.tenant):
        scores = dict(HealthScore.objects.values_list("customer__name", "score"))
    assert {row[0]: (row[1], row[2]) for row in rows} == {
        name: (f"{steady[name].title()} {scores[name]}", f"{strict[name].title()} {scores[name]}") for name in changed
    }
    assert all(row[3].isdecimal() for row in rows)


def test_lists_only_colours_of_customers_whom_the_member_sees(cast, lea, steady):
    lea.post(URL, STRICT)
    hidden = next(name for name, band in steady.items() if band == "green")
    with tenant_scope(cast.tenant):
        type(cast.ada).objects.filter(pk=cast.ada.pk).update(team=None)
        Customer.objects.filter(name=hidden).update(owner_a=cast.ada, owner_b=None)
    answer = lea.get(f"{URL}colours/", {"who": "all"})
    assert len(names(answer)) == len(steady) - 1
    assert hidden not in names(answer)
    assert "this list has those whom you see" in words(text(answer))
    assert hidden not in text(lea.get(f"{URL}colours/", {"export": "csv", "who": "all"}))


def test_says_how_many_would_be_warned_and_opens_them(cast, lea, shop):
    with tenant_scope(cast.tenant):
        LapseForecast.objects.all().delete()
        for place, customer in enumerate(shop, start=1):
            LapseForecast.objects.create(
                customer=customer, percent=10 * place - 5, is_warned=place > 5, money_at_risk=place, policy_version=1
            )
    page = text(lea.post(DRY, {"section": "forecast", "forecast.warn_percent": "20"}, headers=HX))
    assert "8 customers would have a lapse warning, now 5." in words(page)
    found = re.findall(r'href="(/acme/health/forecast/[^"]+)">([\d,]+)<', page)
    assert [count for _address, count in found] == ["5", "8"]
    for address, count in found:
        assert len(names(lea.get(html.unescape(address)))) == int(count)
    assert "who changes colour" not in words(page).lower()


def test_opens_whom_the_days_of_silence_would_warn_of(cast, lea, shop):
    with tenant_scope(cast.tenant):
        LapseForecast.objects.all().delete()
        for customer in shop:
            LapseForecast.objects.create(customer=customer, code="no_model", policy_version=1)
    page = text(lea.post(DRY, {"section": "forecast", "forecast.silence_days": "7"}, headers=HX))
    assert "3 customers would have a lapse warning, now 0." in words(page)
    address, count = re.findall(r'href="(/acme/health/forecast/[^"]+)">([\d,]+)<', page)[-1]
    assert len(names(lea.get(html.unescape(address)))) == int(count) == 3
    assert "There is no model yet: the days without an order decide." in words(page)


# ── saving ───────────────────────────────────────────────────────────────────


def test_saves_the_next_version_with_the_reason(cast, lea):
    page = text(lea.get(URL))
    assert re.search(r'formaction="/acme/policy/save/" disabled', page)
    answer = lea.post(f"{URL}save/", TIERS | {"tiers.grace_days": "14", "note": "Autumn campaign"}, follow=True)
    assert "Saved as v2." in text(answer)
    assert "in the next night, at 02:00" in text(answer)
    assert "nothing changed yet" in text(answer)
    first, second = versions(cast)
    assert (second.document["tiers"]["grace_days"], second.note) == (14, "Autumn campaign")
    assert second.created_by_id == cast.lea.pk
    assert first.document["tiers"]["grace_days"] == 30
    with tenant_scope(cast.tenant):
        assert Event.objects.filter(object_type="policyversion", verb="saved", actor=cast.lea).count() == 1


@pytest.mark.parametrize("note", ["", "   "])
def test_wants_to_know_why(cast, lea, note):
    page = text(lea.post(f"{URL}save/", TIERS | {"tiers.grace_days": "14", "note": note}))
    assert re.search(r'id="why-w" role="alert">must be said', page)
    assert value(page, "tiers.grace_days") == "14"
    assert len(versions(cast)) == 1


def test_makes_no_version_that_changes_nothing(cast, lea):
    answer = lea.post(f"{URL}save/", TIERS | {"tiers.grace_days": "30", "note": "Nothing"}, follow=True)
    assert "changes nothing: v1 stays" in text(answer)
    assert len(versions(cast)) == 1


def test_makes_no_version_of_a_touch_that_went_and_came_back(cast, lea):
    lea.post(f"{URL}pack/", {"pack": "wholesale"})
    lea.post(f"{URL}save/", TIERS | {"note": "Wholesale"})
    cadence = {"section": "cadence"}
    lea.post(URL, cadence | {"cadence.tiers.strategic.review": ""})
    lea.post(URL, cadence | {"back": "cadence.tiers.strategic.review"})
    assert "nothing changed yet" in words(text(lea.get(URL, cadence)))
    lea.post(f"{URL}save/", cadence | {"note": "Nothing"})
    assert len(versions(cast)) == 2


def test_does_what_the_dry_run_said(cast, lea, shop, night):
    lea.post(URL, TIERS | {"tiers.gold_money_best": "50", "tiers.gold_recency_best": "50", "tiers.grace_days": "0"})
    cells = {}
    page = text(lea.get(DRY, headers=HX))
    for before, after, count in re.findall(r"moves/\?before=(\w+)&(?:amp;)?after=(\w+)\">([\d,]+)<", page):
        cells[before, after] = int(count)
    with tenant_scope(cast.tenant):
        old = dict(Standing.objects.values_list("customer_id", "tier"))
    lea.post(f"{URL}save/", TIERS | {"note": "As tried"})
    night()
    with tenant_scope(cast.tenant):
        new = dict(Standing.objects.values_list("customer_id", "tier"))
    moved = {}
    for customer, before in old.items():
        moved[before, new[customer]] = moved.get((before, new[customer]), 0) + 1
    assert cells == moved
    assert len(cells) > 3


# ── somebody else has saved meanwhile ────────────────────────────────────────


@pytest.fixture
def overtaken(cast, lea):
    """Lea is at a draft of grace 10 and new 60 while Ada saves grace 20 and lapsed 120."""
    lea.post(URL, TIERS | {"tiers.grace_days": "10", "tiers.new_days": "60", "note": "Mine"})
    with tenant_scope(cast.tenant):
        document = complete_document(active_policy())
        document["tiers"] |= {"grace_days": 20, "lapsed_days": 120}
        save_policy(document, pack="callback", note="Hers")
    return lea


def test_says_that_a_version_was_saved_meanwhile_and_does_not_save_over_it(cast, overtaken):
    page = text(overtaken.get(URL))
    assert "saved v2" in words(page)
    assert f"{URL}compare/?from=1&amp;to=2" in page
    assert "Take my changes onto v2" in page
    assert re.search(r'formaction="/acme/policy/save/" disabled', page)
    refused = text(overtaken.post(f"{URL}save/", TIERS | {"note": "Mine"}))
    assert "saved v2" in words(refused)
    assert value(refused, "tiers.grace_days") == "10"
    assert len(versions(cast)) == 2


def test_takes_the_changes_onto_the_newer_version_and_names_what_both_changed(cast, overtaken):
    answer = overtaken.post(f"{URL}rebase/", TIERS | {"note": "Mine"}, follow=True)
    page = text(answer)
    assert "Your changes now stand on v2." in page
    assert "A tier falls only after days below the line" in words(page)
    assert [value(page, f"tiers.{name}_days") for name in ("grace", "new", "lapsed")] == ["10", "60", "120"]
    assert "was 20 days in v2" in words(page)
    overtaken.post(f"{URL}save/", TIERS | {"note": "Mine"})
    saved = versions(cast)[-1]
    assert saved.number == 3
    assert [saved.document["tiers"][f"{name}_days"] for name in ("grace", "new", "lapsed")] == [10, 60, 120]


def test_starts_anew_from_the_newer_version_when_nothing_was_changed(cast, lea):
    lea.get(URL)
    with tenant_scope(cast.tenant):
        document = complete_document(active_policy())
        document["tiers"]["grace_days"] = 20
        save_policy(document, pack="callback", note="Hers")
    page = text(lea.get(URL))
    assert "saved v2" not in words(page)
    assert value(page, "tiers.grace_days") == "20"
    assert "Save as v3" in words(page)


def test_survives_an_empty_cache(lea):
    lea.post(URL, TIERS | {"tiers.grace_days": "10"})
    cache.clear()
    assert value(text(lea.get(URL)), "tiers.grace_days") == "10"


def test_takes_days_as_they_are_typed_and_says_which_is_none(cast, lea):
    typed = {"section": "calendar", "calendar.days_off": "2026-12-24，2026-12-31 2026-12-24"}
    lea.post(URL, typed)
    page = text(lea.get(URL, {"section": "calendar"}))
    assert value(page, "calendar.days_off") == "2026-12-24, 2026-12-31, 2026-12-24"
    lea.post(f"{URL}save/", {"section": "calendar", "note": "Between the years"})
    assert versions(cast)[-1].document["calendar"]["days_off"] == ["2026-12-24", "2026-12-31"]
    lea.post(URL, {"section": "calendar", "calendar.days_on": "2026-02-30", "calendar.country": "XX"})
    page = text(lea.get(URL, {"section": "calendar"}))
    assert "must be a day, like 2026-12-24" in page
    assert "is no country whose holidays are known" in page
