"""A draft of the policy, tried out: who moves, how much work that makes, and that it comes so when it is saved."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import polars as pl
import pytest
from django.db import InternalError, connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given, settings
from hypothesis import strategies as st

from customers.models import Customer
from dashboards import dry_run as engine
from dashboards.dry_run import DryRun, alternatives, apportioned, dry_run, moved_customers, weekly_touches
from dashboards.matrix import Cell
from followups.rules.policy import CadencePolicy
from health import nightly as scoring
from health.models import HealthScore, LapseForecast
from health.rules.policy import KEYS
from segmentation.models import Standing, TierPin
from segmentation.rules import tiers
from segmentation.rules.policy import TierPolicy
from segmentation.rules.tiers import NO_TIER, TIER_ORDER
from tenants.context import tenant_scope
from tenants.models import Member, Tenant
from tenants.policies import InvalidPolicy, active_policy, complete_document, pack_document, save_policy, switch_pack
from tenants.rules.documents import put
from tests.conftest import Cast
from tests.segmentation.conftest import TODAY

Ordered = Callable[..., Customer]
Night = Callable[..., dict[str, int]]


def draft(*changes: tuple[str, Any], pack: str = "callback") -> dict[str, Any]:
    document = pack_document(pack)
    for path, value in changes:
        document = put(document, tuple(path.split(".")), value)
    return document


def tried(document: dict[str, Any]) -> DryRun:
    return dry_run(document, as_of=TODAY)


def counts(run: DryRun) -> dict[tuple[str, str], int]:
    return {place: cell.customers for place, cell in run.cells.items()}


@pytest.fixture
def ten(cast: Cast, ordered: Ordered, night: Night) -> list[Customer]:
    """Ten customers, each better than the next in everything, after a night of callback: gold, gold?, silver, bronze."""
    found = [ordered(1 + n, 21 + n, money=1000 - 50 * n, name=f"C{n}") for n in range(10)]
    night()
    return found


def in_force(tenant: Tenant) -> dict[int, str]:
    with tenant_scope(tenant):
        return dict(Standing.objects.values_list("customer_id", "tier"))


# ── who moves ───────────────────────────────────────────────────────────────


def test_an_unchanged_draft_moves_nobody(scope: Tenant, ten: list[Customer]) -> None:
    run = tried(complete_document(active_policy()))
    assert (run.customers, run.moved, run.rises, run.falls, run.falls_on) == (10, 0, 0, 0, None)
    assert {before for before, after in run.cells} <= {"gold", "silver", "bronze"}
    assert all(before == after for before, after in run.cells)
    assert run.before == 1


def test_counts_who_goes_where_with_their_money(scope: Tenant, ten: list[Customer]) -> None:
    now = in_force(scope)
    run = tried(draft(("tiers.silver_best", 100), ("tiers.gold_money_best", 1)))
    assert run.tiers_before == run.tiers_after == ("gold", "silver", "bronze")
    after = {(before, tier) for before, tier in run.cells}
    assert ("bronze", "silver") in after
    for (before, _tier), _cell in run.cells.items():
        assert run.row(before).customers == sum(tier == before for tier in now.values())
    assert run.total == Cell(10, sum((Decimal(2 * (1000 - 50 * n)) for n in range(10)), Decimal(0)))
    assert run.total == sum((run.column(tier) for tier in run.tiers_after), Cell())
    assert run.moved == sum(n for (before, tier), n in counts(run).items() if before != tier) == run.rises + run.falls


def test_a_fall_waits_and_a_rise_does_not(scope: Tenant, ten: list[Customer]) -> None:
    falling = tried(draft(("tiers.silver_best", 1)))
    assert falling.falls > 0
    assert (falling.rises, falling.at_once) == (0, 0)
    assert falling.falls_on == TODAY + dt.timedelta(30)
    rising = tried(draft(("tiers.silver_best", 100)))
    assert rising.rises == rising.at_once == rising.moved > 0
    assert rising.falls_on is None
    soon = tried(draft(("tiers.silver_best", 1), ("tiers.grace_days", 0)))
    assert (soon.falls_on, soon.at_once) == (TODAY, soon.moved)


def test_counts_days_below_that_have_passed_already(cast: Cast, ten: list[Customer], night: Night) -> None:
    strict = draft(("tiers.silver_best", 1))
    with tenant_scope(cast.tenant):
        save_policy(strict, pack="callback")
    night()
    with tenant_scope(cast.tenant):
        run = dry_run(strict, as_of=TODAY + dt.timedelta(10))
        assert run.falls_on == TODAY + dt.timedelta(30)
        assert run.anyway == run.moved == run.falls > 0  # the policy in force does it as well
        assert dry_run(pack_document("callback"), as_of=TODAY).anyway == 0


def test_a_first_tier_comes_anyway(scope: Tenant, ordered: Ordered, night: Night) -> None:
    ordered(5, 30)
    night()
    ordered(30, money=5, name="new since the night")
    run = tried(pack_document("callback"))
    assert (run.moved, run.anyway, run.at_once, run.rises) == (1, 1, 1, 0)
    assert run.row("").customers == 1


def test_another_scheme_moves_everybody_at_once(scope: Tenant, ten: list[Customer]) -> None:
    run = tried(switch_pack(complete_document(active_policy()), "wholesale"))
    assert run.tiers_before == ("gold", "silver", "bronze")
    assert run.tiers_after == ("strategic", "key", "regular")
    assert (run.moved, run.at_once, run.rises, run.falls, run.falls_on) == (10, 10, 0, 0, None)
    assert set(run.empty_tiers) == {"strategic", "key"}


def test_a_pin_holds_against_the_draft(scope: Tenant, cast: Cast, ten: list[Customer]) -> None:
    now = in_force(scope)
    last = ten[-1]
    assert now[last.pk] == "bronze"
    TierPin.objects.create(customer=last, tier="gold", reason="x", until=TODAY + dt.timedelta(90), created_by=cast.lea)
    run = tried(draft(("tiers.silver_best", 100)))
    assert moved_customers(run.document, "bronze", "gold", as_of=TODAY) == [last.pk]
    gone = tried(switch_pack(run.document, "starter"))
    assert "1 pinned tier is none of the draft's and would no longer hold." in gone.warnings


def test_leaves_closed_customers_out(scope: Tenant, ten: list[Customer]) -> None:
    Customer.objects.filter(pk=ten[0].pk).update(closed_on=TODAY)
    assert tried(pack_document("callback")).customers == 9


def test_money_is_of_the_window_in_force_whatever_the_draft_says(scope: Tenant, ten: list[Customer]) -> None:
    wide, narrow = tried(draft()), tried(draft(("tiers.window_months", 1)))
    assert narrow.total.money == wide.total.money


def test_lists_who_is_behind_a_cell(scope: Tenant, ten: list[Customer]) -> None:
    document = draft(("tiers.silver_best", 100))
    run = tried(document)
    for (before, after), cell in run.cells.items():
        found = moved_customers(document, before, after, as_of=TODAY)
        assert len(found) == cell.customers
        assert {in_force(scope)[pk] for pk in found} == {before}
    assert len(moved_customers(document, as_of=TODAY)) == run.moved
    assert len(moved_customers(document, "bronze", as_of=TODAY)) == run.row("bronze").customers
    assert len(moved_customers(document, None, "silver", as_of=TODAY)) == run.column("silver").customers


# ── it comes as it was shown ────────────────────────────────────────────────

DRAFTS = [
    draft(("tiers.silver_best", 100)), draft(("tiers.silver_best", 5)), draft(("tiers.grace_days", 0), ("tiers.silver_best", 5)),
    draft(("tiers.gold_money_best", 60), ("tiers.gold_recency_best", 60)), draft(pack="starter"), draft(pack="sales-team"),
    draft(("tiers.strategic_money", 1500), ("tiers.strategic_years", 0), ("tiers.key_money", 1200), pack="wholesale"),
]  # fmt: skip


@pytest.mark.parametrize("document", DRAFTS, ids=range(len(DRAFTS)))
def test_saving_then_does_what_was_shown(
    cast: Cast, ten: list[Customer], ordered: Ordered, night: Night, document: dict[str, Any]
) -> None:
    ordered(name="new since the night", money=3000)
    with tenant_scope(cast.tenant):
        TierPin.objects.create(
            customer=ten[3], tier="gold", reason="x", until=TODAY + dt.timedelta(400), created_by=cast.lea
        )
        run = tried(document)
        save_policy(document, pack=document["tiers"]["scheme"])
    night()
    shown = dict(run.outcome.select("customer_id", "tonight").iter_rows())
    assert in_force(cast.tenant) == shown
    night(run.sections["tiers"].grace_days)  # type: ignore[attr-defined]
    assert in_force(cast.tenant) == dict(run.outcome.select("customer_id", "after").iter_rows())


SCHEMES = tuple(TIER_ORDER)
CODES = sorted({tier for order in TIER_ORDER.values() for tier in order})


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([NO_TIER, *CODES]), st.sampled_from([NO_TIER, *CODES]), st.sampled_from([None, *CODES]),
            st.none() | st.integers(0, 60),
        ),
        min_size=1, max_size=12,
    ),
    st.sampled_from(SCHEMES),
    st.integers(0, 45),
)  # fmt: skip
def test_night_after_night_ends_where_the_dry_run_says(
    rows: list[tuple[str, str, str | None, int | None]], scheme: Any, grace: int
) -> None:
    """With facts that stay as they are: whatever tier, target, pin and days below."""
    rules = TierPolicy(scheme=scheme, grace_days=grace)
    standing = pl.DataFrame(
        [
            {
                "customer_id": number, "tier": tier, "target": target if target in TIER_ORDER[rules.scheme] else NO_TIER,
                "pin": pin, "below_since": None if days is None else TODAY - dt.timedelta(days),
            }
            for number, (tier, target, pin, days) in enumerate(rows)
        ],
        schema={"customer_id": pl.Int64, "tier": pl.String, "target": pl.String, "pin": pl.String, "below_since": pl.Date},
    )  # fmt: skip
    shown = tiers.settle(standing, rules.model_copy(update={"grace_days": 0}), TODAY)
    for later in range(grace + 1):
        standing = tiers.settle(standing, rules, TODAY + dt.timedelta(later)).select(standing.columns)
    assert standing["tier"].to_list() == shown["tier"].to_list()


# ── who changes colour ──────────────────────────────────────────────────────

SILENCES = (1, 20, 45, 55, 65, 80, 120, 250)


@pytest.fixture
def regulars(cast: Cast, ordered: Ordered, night: Night) -> list[Customer]:
    """Customers who ordered every 30 days until so many days ago, the later the more, and a newcomer; scored."""
    found = [ordered(*range(silent, 800, 30), money=1000 - silent, name=f"C{silent}") for silent in SILENCES]
    found.append(ordered(3, money=50, name="newcomer"))
    night()
    with tenant_scope(cast.tenant):
        scoring.run(TODAY)
    return found


def colours_in_force(tenant: Tenant) -> dict[int, str]:
    with tenant_scope(tenant):
        return dict(HealthScore.objects.values_list("customer_id", "band"))


def told(run: DryRun, column: str) -> dict[int, str]:
    assert run.colours is not None
    return dict(run.colours.outcome.select("customer_id", column).iter_rows())


def weights(**own: int) -> dict[str, int]:
    return dict.fromkeys(KEYS, 0) | own


def test_says_nothing_of_colours_when_the_draft_says_nothing_of_health(scope: Tenant, regulars: list[Customer]) -> None:
    assert tried(complete_document(active_policy())).colours is None
    assert tried(draft(("tiers.silver_best", 60), ("cadence.weekly_capacity", 3))).colours is None


def test_counts_who_changes_colour_with_their_money(scope: Tenant, regulars: list[Customer]) -> None:
    now = colours_in_force(scope)
    assert set(now.values()) == {"green", "yellow", "red", "none"}
    run = tried(draft(("health.yellow", 99), ("health.green", 100)))
    assert run.colours is not None
    found = {place: cell.customers for place, cell in run.colours.cells.items()}
    assert sum(n for (before, _after), n in found.items() if before == "green") == list(now.values()).count("green")
    assert (
        found["yellow", "red"]
        == list(now.values()).count("yellow")
        == run.colours.turned("red") - found.get(("green", "red"), 0)
    )
    assert found["none", "none"] == 1
    assert run.colours.changed == sum(n for (before, after), n in found.items() if before != after) > 2
    assert told(run, "before") == now
    assert sum(run.colours.cells.values(), Cell()) == run.total  # the same customers, the same money
    assert run.moved == 0


def test_shows_the_scores_behind_the_colours(scope: Tenant, regulars: list[Customer]) -> None:
    run = tried(draft(("health.green", 100)))
    assert told(run, "score_before") == told(run, "score_after")
    assert dict(HealthScore.objects.values_list("customer_id", "score")) == told(run, "score_before")


OF_HEALTH = {
    "bands": draft(("health.yellow", 60), ("health.green", 95)),
    "weight": draft(("health.indicators.order_stability.weight", 100)),
    "line": draft(("health.indicators.order_frequency.line", [[0, 100], [1, 0]])),
    "unknown points": draft(("health.indicators.advocacy.unknown_points", 0), ("health.indicators.satisfaction.unknown_points", 0)),
    "minimum": draft(("health.minimum_known", 4)),
    "spend window": draft(("health.spend_days", 30), ("health.spend_before_days", 90)),
    "gaps": draft(("health.frequency_orders", 27)),
    "tier": draft(("health.tier_weights", {"gold": weights(order_stability=100)}), ("tiers.gold_money_best", 100),
                  ("tiers.gold_recency_best", 100)),
    "tier that falls": draft(("health.tier_weights", {"bronze": weights(spend_trend=100), "silver": weights(order_stability=1)}),
                             ("tiers.silver_best", 1)),
    "stage": draft(("health.stage_weights", {"lapsed": weights(order_stability=100)}), ("tiers.lapsed_days", 50)),
    "another scheme": draft(("health.tier_weights", {"regular": weights(order_stability=100)}), pack="wholesale"),
}  # fmt: skip


@pytest.mark.parametrize("document", OF_HEALTH.values(), ids=OF_HEALTH)
def test_saving_then_gives_the_colours_that_were_shown(
    cast: Cast, regulars: list[Customer], night: Night, document: dict[str, Any]
) -> None:
    with tenant_scope(cast.tenant):
        run = tried(document)
        assert run.colours is not None
        assert run.colours.changed > 0
        assert told(run, "before") == colours_in_force(cast.tenant)
        save_policy(document, pack=document["tiers"]["scheme"])
    night()
    with tenant_scope(cast.tenant):
        scoring.run(TODAY)
    assert colours_in_force(cast.tenant) == told(run, "after")


def test_tiers_and_stages_change_colours_where_they_have_weights_of_their_own(
    scope: Tenant, regulars: list[Customer], night: Night
) -> None:
    own = draft(("health.tier_weights", {"gold": weights(order_stability=100)}))
    save_policy(own, pack="callback")
    run = tried(put(put(own, ("tiers", "gold_money_best"), 100), ("tiers", "gold_recency_best"), 100))
    assert run.colours is not None
    assert run.colours.changed > 0


def test_reads_what_both_look_at_once(scope: Tenant, regulars: list[Customer]) -> None:
    def statements(*changes: tuple[str, Any]) -> int:
        with CaptureQueriesContext(connection) as captured:
            tried(draft(*changes))
        found = [query["sql"] for query in captured]
        assert not [sql for sql in found if sql.lstrip().upper().startswith(("INSERT", "UPDATE", "DELETE", "CREATE"))]
        return len([sql for sql in found if sql.startswith(("COPY", "SELECT")) and "set_config" not in sql])

    without, alike = statements(), statements(("health.green", 100))
    assert alike > without
    assert statements(("health.green", 100), ("health.spend_days", 30)) == alike + 1  # money of other windows
    assert statements(("health.gaps", 4), ("health.repeated_questions", 4)) == alike  # rules about what is read anyway


# ── who would be warned ─────────────────────────────────────────────────────


@pytest.fixture
def forecast(scope: Tenant, ten: list[Customer]) -> list[Customer]:
    """Percents of 10, 20, … of eight customers, warned from 50; one who has lapsed, one of whom nothing is known."""
    for place, customer in enumerate(ten[:8], start=1):
        LapseForecast.objects.create(
            customer=customer, percent=10 * place, is_warned=place >= 5, money_at_risk=Decimal(place), policy_version=1
        )
    LapseForecast.objects.create(customer=ten[8], code="lapsed", policy_version=1)
    return ten


def test_counts_who_would_be_warned_from_another_percent(scope: Tenant, forecast: list[Customer]) -> None:
    run = tried(draft(("forecast.warn_percent", 30)))
    assert run.forecast is not None
    assert run.forecast.before == Cell(4, Decimal(5 + 6 + 7 + 8))
    assert run.forecast.after == Cell(6, Decimal(3 + 4 + 5 + 6 + 7 + 8))
    assert (run.forecast.has_model, run.forecast.needs_fit) == (True, False)
    assert run.colours is None


def test_says_which_changes_need_a_model_fitted_anew(scope: Tenant, forecast: list[Customer]) -> None:
    run = tried(draft(("forecast.horizon_days", 60)))
    assert run.forecast is not None
    assert (run.forecast.before, run.forecast.needs_fit) == (run.forecast.after, True)


def test_says_nothing_of_warnings_when_the_draft_or_the_night_says_nothing(scope: Tenant, ten: list[Customer]) -> None:
    assert tried(draft(("forecast.warn_percent", 30))).forecast is None  # no night has forecast yet
    LapseForecast.objects.create(customer=ten[0], percent=40, policy_version=1)
    assert tried(draft(("health.green", 75))).forecast is None


def test_leaves_closed_customers_out_of_the_warnings(scope: Tenant, forecast: list[Customer]) -> None:
    Customer.objects.filter(pk=forecast[7].pk).update(closed_on=TODAY)
    run = tried(draft(("forecast.warn_percent", 70)))
    assert run.forecast is not None
    assert (run.forecast.before.customers, run.forecast.after.customers) == (3, 1)


def test_without_a_model_the_days_of_silence_decide(scope: Tenant, ten: list[Customer]) -> None:
    for days, customer in zip((59, 60, 61, 100), ten, strict=False):
        ordered = {"last_order_on": TODAY - dt.timedelta(days)}
        Standing.objects.update_or_create(
            customer=customer,
            defaults=ordered,
            create_defaults=ordered | {"frequency": 1, "monetary": 1, "policy_version": 1},
        )
        LapseForecast.objects.create(customer=customer, code="no_model", is_warned=days > 60, policy_version=1)
    run = tried(draft(("forecast.silence_days", 59), ("forecast.warn_percent", 1)))
    assert run.forecast is not None
    assert (run.forecast.before.customers, run.forecast.after.customers) == (2, 3)
    assert (run.forecast.has_model, run.forecast.needs_fit) == (False, False)


# ── it never writes ─────────────────────────────────────────────────────────


def test_the_database_itself_refuses_to_write_meanwhile(
    scope: Tenant, ten: list[Customer], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = engine.rfm.score

    def careless(facts: pl.DataFrame, as_of: dt.date) -> pl.DataFrame:
        Customer.objects.update(note="written")
        return real(facts, as_of)

    monkeypatch.setattr(engine.rfm, "score", careless)
    with pytest.raises(InternalError, match="read-only transaction"):
        tried(pack_document("callback"))
    monkeypatch.undo()
    assert tried(pack_document("callback")).customers == 10
    Customer.objects.update(note="afterwards")  # and takes writes again


def test_reads_in_a_few_statements_however_many_customers(scope: Tenant, ten: list[Customer]) -> None:
    def statements() -> list[str]:
        with CaptureQueriesContext(connection) as captured:
            alternatives(draft(("tiers.silver_best", 100)), tried(draft(("tiers.silver_best", 100))))
        found = [query["sql"] for query in captured]
        assert not [sql for sql in found if sql.lstrip().upper().startswith(("INSERT", "UPDATE", "DELETE", "CREATE"))]
        return [sql for sql in found if sql.startswith("SELECT") and "set_config" not in sql]

    few = statements()
    Customer.objects.bulk_create(Customer(name=f"N{n}", search_name=f"n{n}") for n in range(50))
    assert len(statements()) == len(few) <= 6


# ── how much work ───────────────────────────────────────────────────────────


def test_a_customer_asks_for_the_personal_touches_of_its_tier() -> None:
    cadence = CadencePolicy.pack("sales-team")
    week = Fraction(7)
    assert weekly_touches(cadence) == {
        "core": week / 90 + week / 90 + week / 30 + week / 182,  # review, deep talk, light touch, report
        "potential": week / 182,  # the monthly message is automatic
        "basic": 0,
    }


def test_each_person_has_the_touches_of_the_own_customers(scope: Tenant, cast: Cast, ten: list[Customer]) -> None:
    Customer.objects.filter(pk__in=[each.pk for each in ten[5:]]).update(owner_a=cast.bo)
    Customer.objects.filter(pk=ten[0].pk).update(owner_a=None)
    Member.objects.filter(pk=cast.bo.pk).update(weekly_capacity=7)
    weekly = [{"kind": "light_touch", "every_days": 7}]
    run = tried(
        draft(("cadence.tiers", {"gold": weekly, "silver": weekly, "bronze": weekly}), ("cadence.weekly_capacity", 3))
    )
    assert [(str(row.member or "–"), row.after, row.capacity, row.over) for row in run.load] == [
        ("Ann", 4, 3, 1), ("Bo", 5, 7, 0), ("–", 1, 0, 1),
    ]  # fmt: skip
    assert (run.touches_after, run.capacity, run.people, run.fits) == (10, 10, 2, True)
    assert run.people_needed == 2  # ten touches, five each
    assert run.touches_before == sum(row.before for row in run.load) < 10


def test_who_has_left_has_work_and_no_capacity(scope: Tenant, cast: Cast, ten: list[Customer]) -> None:
    Member.objects.filter(pk=cast.ann.pk).update(is_active=False)
    run = tried(pack_document("callback"))
    assert [(str(row.member), row.capacity) for row in run.load] == [("Ann", 0), ("Bo", 30)]
    assert run.people == 1


def test_says_how_many_people_it_needs_even_where_there_are_none(scope: Tenant, ten: list[Customer]) -> None:
    Member.objects.update(is_active=False)
    daily = [{"kind": "light_touch", "every_days": 1}]
    run = tried(draft(("cadence.tiers", {"gold": daily, "silver": daily, "bronze": daily})))
    assert (run.touches_after, run.capacity, run.people, run.people_needed) == (70, 0, 0, 3)  # of 30 each
    assert alternatives(run.document, run) == []


@given(st.lists(st.fractions(0, 100), max_size=12))
def test_whole_numbers_add_up_and_none_is_a_whole_one_off(shares: list[Fraction]) -> None:
    found = apportioned(shares)
    assert len(found) == len(shares)
    assert abs(sum(found) - sum(shares)) <= Fraction(1, 2)
    assert all(abs(whole - share) < 1 for whole, share in zip(found, shares, strict=True))


# ── what would fit ──────────────────────────────────────────────────────────


@pytest.fixture
def busy(scope: Tenant, ten: list[Customer]) -> Tenant:
    """Callback with a cadence that fits exactly: each of ten customers once a week, and two people for five each."""
    weekly = [{"kind": "light_touch", "every_days": 7}]
    cadence = {"gold": weekly, "silver": weekly, "bronze": [{"kind": "light_touch", "every_days": 14}]}
    save_policy(draft(("cadence.tiers", cadence), ("cadence.weekly_capacity", 4)), pack="callback")
    return scope


def test_offers_nothing_when_the_draft_fits(busy: Tenant) -> None:
    run = tried(complete_document(active_policy()))
    assert run.fits
    assert alternatives(run.document, run) == []


def test_offers_each_change_put_back_when_that_makes_less_work(busy: Tenant) -> None:
    document = put(complete_document(active_policy()), ("tiers", "silver_best"), 100)
    run = tried(document)
    assert not run.fits
    found = {each.words: each for each in alternatives(document, run)}
    back = found["“Silver: R + F + M among the best” stays at 40%"]
    assert back.document == complete_document(active_policy())
    assert (back.touches, back.fits) == (run.touches_before, True)


def test_offers_rarer_and_automatic_touches_and_counts_each_as_its_own_dry_run(busy: Tenant) -> None:
    daily = [{"kind": "deep_talk", "every_days": 1}, {"kind": "message", "every_days": 30}]
    document = put(complete_document(active_policy()), ("cadence", "tiers", "silver"), daily)
    run = tried(document)
    found = alternatives(document, run)
    assert 0 < len(found) <= engine.ALTERNATIVES
    assert [each.fits for each in found] == sorted((each.fits for each in found), reverse=True)
    words = {each.words for each in found}
    assert "Silver stays: Weekly light touch" in words
    assert "Silver becomes automatic: Monthly automatic message" in words
    for each in found:
        tried_out = tried(each.document)
        assert (tried_out.touches_after, tried_out.fits) == (each.touches, each.fits)
        assert each.touches < run.touches_after


@pytest.mark.parametrize(
    ("touch", "rarer"),
    [
        ({"times": 3, "per": "month"}, {"times": 2, "per": "month"}),
        ({"times": 1, "per": "month"}, {"times": 1, "per": "quarter"}),
        ({"every_days": 10}, {"times": 1, "per": "month"}),
        ({"every_days": 200}, {"times": 1, "per": "year"}),
        ({"times": 1, "per": "year"}, None),
        ({"every_days": 400}, None),
    ],
)
def test_a_step_rarer(touch: dict[str, Any], rarer: dict[str, Any] | None) -> None:
    whole = {"kind": "review", "every_days": None, "times": None, "per": None}
    assert engine._rarer(whole | touch) == (None if rarer is None else whole | rarer)


# ── what to know before saving ──────────────────────────────────────────────


def test_refuses_a_draft_that_is_no_policy(scope: Tenant) -> None:
    with pytest.raises(InvalidPolicy, match="must be at most 100"):
        dry_run(draft(("tiers.silver_best", 200)))


def test_says_that_there_is_nobody(scope: Tenant) -> None:
    run = tried(pack_document("callback"))
    assert run.warnings == ("There are no customers yet: nobody can move.",)
    assert (run.customers, run.cells, run.touches_after, run.people_needed) == (0, {}, 0, 0)


def test_says_that_nobody_has_ordered(scope: Tenant, cast: Cast) -> None:
    cast.customer()
    run = tried(pack_document("callback"))
    assert run.warnings == ("No customer has ordered yet: nobody has a tier.",)
    assert counts(run) == {("", ""): 1}


def test_says_that_one_customer_says_nothing(scope: Tenant, ordered: Ordered) -> None:
    ordered(5, 400)
    assert any("Only one customer has ordered yet" in words for words in tried(pack_document("callback")).warnings)


def test_says_that_all_are_equal(scope: Tenant, ordered: Ordered) -> None:
    for n in range(3):
        ordered(5, 400, name=f"C{n}")
    run = tried(pack_document("callback"))
    assert any(words.startswith("All customers are equal") for words in run.warnings)


def test_names_tiers_that_nobody_reaches_and_windows_longer_than_the_history(
    scope: Tenant, ten: list[Customer]
) -> None:
    run = tried(draft(("tiers.window_months", 36), pack="wholesale"))
    assert run.empty_tiers == ("strategic", "key")
    assert "Nobody would be Strategic." in run.warnings
    longer = [words for words in run.warnings if "is longer than the history" in words]
    assert longer == [
        "“Months of orders behind frequency and money” is longer than the history: the first order is of "
        "21 October 2026.",
        "“Months of orders looked at” is longer than the history: the first order is of 21 October 2026.",
    ]


def test_names_tiers_that_hear_from_nobody(scope: Tenant, ten: list[Customer]) -> None:
    run = tried(draft(("cadence.tiers.bronze", [])))
    number = run.column("bronze").customers
    assert f"Bronze has no touches: {number} customers would hear from nobody." in run.warnings


def test_says_that_health_weights_count_in_proportion(scope: Tenant, ten: list[Customer]) -> None:
    run = tried(draft(("health.indicators.advocacy.weight", 0)))
    assert any("add up to 93, not to 100" in words for words in run.warnings)


def test_is_of_the_last_night_or_of_today_before_the_first(scope: Tenant, time_machine: Any) -> None:
    time_machine.move_to(dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC))
    assert dry_run(pack_document("callback")).as_of == TODAY
