"""It: the forecast's own record, in plain words and beside two simple rules; started and watched by a lead."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import re

import pytest

from dashboards import back_tests, charts
from health import backtests
from health.models import BackTest
from tenants.context import tenant_scope
from tenants.models import User
from tests.health.crowds import crowd
from tests.pages.conftest import HX, text
from tests.pages.test_customer import words

__all__ = ["crowd"]

PAGE, START = "/acme/health/back-test/", "/acme/health/back-test/start/"
MONTHS = {"first": "2026-05", "last": "2026-08", "horizon_days": "90"}


@pytest.fixture
def lea(cast, sign_in):
    return sign_in(cast.lea)


@pytest.fixture
def queued(cast, crowd, noon):
    with tenant_scope(cast.tenant):
        row, _outcome = backtests.start_back_test(first=dt.date(2026, 5, 1), last=dt.date(2026, 8, 1), member=cast.lea)
    return row


@pytest.fixture
def tested(cast, queued):
    """A back-test of four months, done."""
    return backtests.run_back_test(cast.tenant, queued.pk)


MEASURES = {
    "customers": 100.0, "base_rate": 0.4, "auc": 0.7756, "average_precision": 0.6, "accuracy": 0.714,
    "majority_accuracy": 0.6, "rule_accuracy": 0.61, "warned": 33.0, "precision": 0.66, "recall": 0.53,
    "rule_warned": 20.0, "rule_precision": 0.52, "rule_recall": 0.29, "precision_top_decile": 0.754, "brier": 0.19,
    "ece": 0.0362, "lead_time_days": 61.6, "rule_lead_time_days": 15.2,
}  # fmt: skip


def made(cast, *, cut_offs=None, means=MEASURES, **fields):
    """A finished back-test with this result."""
    days = cut_offs or [{"day": "2026-08-01", "measures": means, "reason": "", "lifetime_reason": ""}]
    bins = [
        {"low": n / 10, "high": (n + 1) / 10, "n": 0 if n == 9 else 19 if n == 8 else 50,
         "predicted": None if n == 9 else n / 10 + 0.05, "seen": None if n == 9 else n / 10 + 0.03}
        for n in range(10)
    ]  # fmt: skip
    result = {
        "horizon_days": 90, "warn_percent": 50, "silence_days": 60, "cut_offs": days, "means": means,
        "calibration": bins if means else [],
        "gain": [{"number": n, "n": 10, "lapsed": (11 - n) / 12} for n in range(1, 11)] if means else [],
    }  # fmt: skip
    with tenant_scope(cast.tenant):
        return BackTest.objects.create(
            first=dt.date(2026, 8, 1), last=dt.date(2026, 8, 1), horizon_days=90, policy_version=1,
            status=BackTest.Status.DONE, result=result, reason="" if means else "short_history", **fields,
        )  # fmt: skip


def record(cast, **fields):
    return back_tests.record_of(made(cast, **fields))


def table(client, sheet):
    return list(csv.reader(io.StringIO(text(client.get(f"{PAGE}?export={sheet}")).removeprefix("\ufeff"))))


# ── before there is one ──────────────────────────────────────────────────────


def test_explains_itself_while_there_is_none(cast, sign_in, lea):
    for client, may in ((lea, True), (sign_in(cast.eve), False)):
        page = text(client.get(PAGE))
        assert "No back-test yet" in page
        assert "One starts by itself each month with the new model." in page
        assert (START in page) is may


def test_says_not_enough_data_and_why_on_each_day(cast, lea):
    made(cast, means=None, cut_offs=[
        {"day": "2026-07-01", "measures": None, "reason": "no_active", "lifetime_reason": ""},
        {"day": "2026-08-01", "measures": None, "reason": "no_lifetime_model", "lifetime_reason": "no_repeat"},
    ])  # fmt: skip
    page = words(text(lea.get(PAGE)))
    assert "Not enough data" in page
    assert "1 Jul Nobody was an active customer with orders on two days." in page
    assert "1 Aug The lifetime model that it builds on finds nothing. Nobody has ordered a second time." in page
    assert "In plain words" not in page


def test_says_when_the_last_one_failed_and_shows_the_one_before(cast, lea):
    made(cast)
    with tenant_scope(cast.tenant):
        BackTest.objects.create(
            first=dt.date(2026, 8, 1), last=dt.date(2026, 8, 1), horizon_days=90, policy_version=1,
            status=BackTest.Status.FAILED, reason=backtests.GAVE_UP,
        )  # fmt: skip
    page = words(text(lea.get(PAGE)))
    assert "The last back-test failed. Nobody could finish it; the log of the workers says why." in page
    assert "In plain words" in page


# ── starting and watching ────────────────────────────────────────────────────


def test_offers_the_last_months_that_can_be_tested(cast, crowd, lea, noon):
    form = text(lea.get(START))
    with tenant_scope(cast.tenant):
        usual = backtests.usual_parameters()
    assert f'name="first" value="{usual["first"]:%Y-%m}"' in form
    assert f'name="last" value="{usual["last"]:%Y-%m}"' in form
    assert "The newest that can be tested is Aug 2026." in form


def test_starts_one_and_shows_how_far_it_is(cast, crowd, lea, noon):
    answer = lea.post(START, MONTHS, follow=True)
    page = words(text(answer))
    assert "The back-test is started." in page
    assert "Waiting for a worker May 2026 to Aug 2026 0 of 4 days tested." in page
    assert START not in text(answer)
    with tenant_scope(cast.tenant):
        row = BackTest.objects.get()
        assert (row.first, row.last, row.horizon_days, row.member) == (
            dt.date(2026, 5, 1), dt.date(2026, 8, 1), 90, cast.lea,
        )  # fmt: skip
    again = words(text(lea.post(START, MONTHS, follow=True)))
    assert "This back-test is under way already." in again


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"first": "2026-09", "last": "2026-05"}, "The last month lies before the first."),
        ({"first": "May"}, "A month, like 2026-10."),
        ({"horizon_days": "7"}, "greater than or equal to 30"),
        ({"first": "2019-01"}, "At most 60 months at once."),
    ],
)
def test_says_what_is_wrong_and_keeps_what_was_typed(cast, crowd, lea, noon, changed, said):
    page = text(lea.post(START, MONTHS | changed))
    assert said in page
    assert f'value="{(MONTHS | changed)["first"]}"' in page
    with tenant_scope(cast.tenant):
        assert not BackTest.objects.exists()


def test_says_that_a_short_history_cannot_be_tested(cast, lea, placed, noon):
    placed(cast.customer(), 10, 20)
    assert "No month can be tested yet: the history is too short." in text(lea.get(START))
    assert "The history is too short" in text(lea.post(START, MONTHS))


def test_asks_again_until_it_is_done_and_then_opens_the_result(cast, queued, lea):
    asking = HX | {"HX-Target": "back-test-run"}
    fragment = text(lea.get(PAGE, headers=asking))
    assert fragment.count("<section") == 1
    assert 'hx-trigger="every 2s"' in fragment
    backtests.run_back_test(cast.tenant, queued.pk)
    assert lea.get(PAGE, headers=asking)["HX-Redirect"] == PAGE


# ── the record ───────────────────────────────────────────────────────────────


def test_says_the_record_in_plain_words(cast):
    assert back_tests.summary(record(cast)) == [
        "Of the 10% of active customers at highest risk, 75% did not order in the next 90 days, against 40% of all.",
        "It was right about 71 of 100 customers; saying the same of everybody about 60, the rule “silent for 60 days” "
        "about 61.",
        "Of 100 warnings (forecasts of 50% and more) 66 were right; they named 53 of 100 lapses.",
        "A right warning came 62 days before the lapse was complete, on average.",
        "Its percentages differed from what came by 3.6 percentage points, on average.",
    ]


def test_says_that_it_warned_of_nobody(cast):
    said = back_tests.summary(record(cast, means=MEASURES | {"precision": None, "recall": 0.0, "lead_time_days": None}))
    assert "It warned of nobody: no forecast reached 50%." in said
    assert not any("right warning" in sentence for sentence in said)


def test_stands_beside_the_majority_guess_and_the_rule_of_silence(cast):
    lines = [
        (line.name, line.forecast, line.majority, line.rule, line.best) for line in back_tests.beside(record(cast))
    ]
    assert lines == [
        ("Right answers", "71%", "60%", "61%", True),
        ("Right warnings", "66%", "–", "52%", True),
        ("Lapses found", "53%", "0%", "29%", True),
        ("Warned of", "33", "0", "20", False),
        ("Lead time", "62", "–", "15", True),
    ]


def test_does_not_call_itself_the_best_where_a_simple_rule_is_better(cast):
    means = MEASURES | {"base_rate": 0.7, "majority_accuracy": 0.72, "rule_precision": 0.66, "rule_lead_time_days": 70}
    lines = {line.name: line for line in back_tests.beside(record(cast, means=means))}
    # Most lapse: the majority guess warns of everybody.
    assert (lines["Lapses found"].majority, lines["Warned of"].majority) == ("100%", "100")
    assert not any(line.best for line in lines.values())


def test_prints_the_measures_of_a_real_one(cast, tested, lea):
    page = words(text(lea.get(PAGE)))
    means = tested.result["means"]
    assert (
        f"AUC how often a customer who lapsed had the higher forecast of two; 0.5 is a coin {means['auc']:.3f}" in page
    )
    assert f"Right answers of all customers: lapse or not {round(means['accuracy'] * 100)}%" in page
    assert "4 days measured" in page
    for day in ("1 May", "1 Jun", "1 Jul", "1 Aug"):
        assert re.search(rf"{day} [\d,]+ \d+% \d+% \d+% \d+% \d+% 0\.\d{{3}} 0\.\d{{3}}", page)
    assert all(sentence in page for sentence in back_tests.summary(back_tests.record_of(tested)))


def test_draws_both_curves_from_the_figures_below_them(cast, tested, lea):
    page = text(lea.get(PAGE))
    drawn = {
        name: json.loads(re.search(rf'<script id="{name}-data"[^>]*>(.*?)</script>', page)[1])
        for name in ("calibration", "gain")
    }
    result = tested.result
    told = [each for each in result["calibration"] if each["n"] >= back_tests.FEW]
    assert drawn["calibration"]["points"] == [
        [round(100 * each["predicted"], 1), round(100 * each["seen"], 1)] for each in told
    ]
    assert drawn["gain"]["values"] == [round(100 * each["lapsed"], 1) for each in result["gain"]]
    assert drawn["gain"]["line"] == round(100 * result["means"]["base_rate"], 1)
    assert table(lea, "gain")[1:] == [
        [str(each["number"]), str(each["n"]), str(each["lapsed"])] for each in result["gain"]
    ]
    assert len(table(lea, "calibration")) == 1 + 10


def test_leaves_bins_out_of_the_curve_that_rest_on_too_few(cast):
    points = charts.calibration(record(cast).calibration, fewest=back_tests.FEW)["points"]
    assert [point[0] for point in points] == [5, 15, 25, 35, 45, 55, 65, 75]


def test_gives_every_day_with_all_its_measures_as_a_file(cast, lea, tested):
    head, *rows = table(lea, "cut-offs")
    assert head == ["Day", *back_tests.COLUMNS, "Not measured because"]
    for row, said in zip(rows, tested.result["cut_offs"], strict=True):
        assert row[0] == said["day"]
        assert [float(value) for value in row[1:-1]] == [said["measures"][name] for name in back_tests.COLUMNS]


def test_opens_an_earlier_one(cast, lea):
    first, _second = made(cast, means=MEASURES | {"accuracy": 0.99}), made(cast)
    assert "It was right about 71 of 100" in text(lea.get(PAGE))
    assert "It was right about 99 of 100" in text(lea.get(f"{PAGE}{first.pk}/"))
    assert lea.get(f"{PAGE}{first.pk + 1000}/").status_code == 404


@pytest.mark.parametrize("query", ["export=all", "month=2026-05"])
def test_refuses_what_it_does_not_know(lea, query):
    assert lea.get(f"{PAGE}?{query}").status_code == 400


def test_reads_in_chinese(cast, lea):
    made(cast)
    User.objects.filter(pk=cast.lea.user_id).update(language="zh-hans")
    for address in (PAGE, START):
        assert '<html lang="zh-hans">' in text(lea.get(address))
