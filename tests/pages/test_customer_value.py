"""It: what a customer is worth, on its page: each number as of a day, with all that a reader needs to follow it."""

import datetime as dt
import math
import re
from decimal import Decimal

import pytest
from scipy.special import hyp2f1

from customers.models import Evidence
from segmentation import valuing
from segmentation.models import LifetimeFit, Worth
from segmentation.rules.clv import MOST
from segmentation.rules.scorecard import REFERRED_MONEY
from tenants.context import tenant_scope
from tenants.models import User
from tests.pages.conftest import FRIDAY
from tests.pages.test_customer import page, section, words

# The paper's parameters of the CDNOW customers: BG/NBD in weeks, Gamma-Gamma in dollars.
CDNOW = {"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426, "p": 6.25, "q": 3.74, "v": 15.44}
RETENTION = {"": {"customers": 40, "again": 20}, "gold": {"customers": 30, "again": 24}}


@pytest.fixture
def ann(cast, sign_in):
    return sign_in(cast.ann)


@pytest.fixture
def customer(cast, noon):
    return cast.customer()


@pytest.fixture
def valued(cast, customer):
    """The customer, valued on FRIDAY by a model; what a night would have written."""

    def make(*, model=True, retention=RETENTION, reason="", **facts):
        with tenant_scope(cast.tenant):
            inputs = {"retention": retention, "typical_money": None, "money": {}}
            fit = LifetimeFit.objects.create(
                as_of=FRIDAY, customers=2357, repeaters=946, converged=model, reason=reason, inputs=inputs,
                policy_version=1, **(CDNOW if model else {}),
            )  # fmt: skip
            usual = {
                "tier": "gold",
                "repeats": 7,
                "first_order_on": FRIDAY - dt.timedelta(days=700),
                "last_order_on": FRIDAY - dt.timedelta(days=40),
                "mean_order": Decimal("412.5"),
                "net": Decimal("3350.75"),
                "window_net": Decimal("1650"),
                "more_than": 83.33,
                "direct": 83,
                "score": 83,
            }
            row = Worth(customer=customer, valued_on=FRIDAY, fit=fit, policy_version=1, **(usual | facts))
            explained = valuing.explain(row)
            row.clv, row.clv_simple = explained.discounted.clv, explained.simple.clv
            row.alive, row.expected_order_money = explained.discounted.alive, explained.discounted.order_money
            if model:
                row.expected_orders = float(explained.discounted.years[0].orders) if explained.discounted.years else 0.1
            row.save()
            return row

    return make


def card(client, customer, name="value"):
    return section(page(client, customer), name)


def number(text):
    return Decimal(text.replace("£", "").replace(",", "").replace("−", "-"))


# ── lifetime value ──────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("fields", "says"),
    [({}, "The next night finds the first value."), ({"closed_on": FRIDAY}, "A closed customer is not valued.")],
)
def test_says_why_there_is_no_value(cast, ann, noon, fields, says):
    seen = card(ann, cast.customer(**fields))
    assert says in seen
    assert "£" not in seen


def test_says_as_of_which_day(ann, customer, valued, time_machine):
    valued()
    time_machine.move_to(dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC))
    assert "Lifetime value as of 20 Nov" in card(ann, customer)


def test_can_be_reckoned_by_hand_year_by_year(ann, customer, valued):
    row = valued()
    seen = card(ann, customer)
    table = seen[seen.index("Year Orders Factor Money") : seen.index("Money of an order")]
    years = re.findall(r"\b([1-5]) ([\d.]+) ([\d.]+) (£[\d,.]+)", table)
    order = number(re.search(r"Money of an order (£[\d,.]+)", seen)[1])
    assert len(years) == 5
    for _year, orders, factor, money in years:
        assert abs(Decimal(orders) * order * Decimal(factor) - number(money)) <= Decimal("0.0001")
    printed = number(re.search(r"Sum [\d.]+ (£[\d,.]+)", table)[1])
    assert sum(number(money) for *_rest, money in years) == printed == row.clv
    assert f"Discounted, 5 years at 12% {sum(Decimal(orders) for _n, orders, *_r in years):.1f} orders" in seen


def test_prints_what_the_formulas_of_the_model_need(ann, customer, valued):
    row = valued()
    seen = card(ann, customer)
    read = {
        name: float(re.search(rf"\b{name} (\d+\.\d{{6}})", seen)[1]) for name in ("r", "α", "a", "b", "p", "q", "v")
    }
    assert (read["r"], read["α"], read["v"]) == (0.243, 4.414, 15.44)
    r, α, a, b = (read[name] for name in ("r", "α", "a", "b"))
    x = int(re.search(r"x order days after the first (\d+)", seen)[1])
    t = int(re.search(r"last order (\d+) days ÷ 7", seen)[1]) / 7
    now = int(re.search(r"until then (\d+) days ÷ 7", seen)[1]) / 7
    m = float(number(re.search(r"mean money of those order days (£[\d,.]+)", seen)[1]))
    alive = 1 / (1 + a / (b + x - 1) * ((α + now) / (α + t)) ** (r + x))
    assert f"{round(alive * 100, 2):g}%" in seen
    w = 365 / 7
    grown = 1 - ((α + now) / (α + now + w)) ** (r + x) * hyp2f1(r + x, b + x, a + b + x - 1, w / (α + now + w))
    orders = (a + b + x - 1) / (a - 1) * grown * alive
    assert math.isclose(orders, float(re.search(r"\b1 (\d\.\d{4}) ", seen)[1]), abs_tol=6e-5)
    money = read["p"] * (read["v"] + x * m) / (read["p"] * x + read["q"] - 1)
    assert math.isclose(money, float(row.expected_order_money), abs_tol=6e-5)


def test_can_be_reckoned_by_hand_in_the_simple_form(ann, customer, valued):
    row = valued()
    seen = card(ann, customer)
    net, years, yearly = re.search(r"Money a year (£[\d,.]+) ÷ ([\d.]+) = (£[\d,.]+)", seen).groups()
    assert abs(number(net) / Decimal(years) - number(yearly)) <= Decimal("0.0001")
    assert "Share kept 0.8000, 24 of 30 customers with tier Gold a year ago ordered again since" in seen.replace(
        " ,", ","
    )
    assert "1 ÷ (1 − 0.8000) = 5" in seen or "5, as far as the policy looks" in seen
    assert number(yearly) * Decimal("0.8") * 5 == row.clv_simple
    assert f"Value £{row.clv_simple:,.4f}" in seen


def test_uses_the_firms_retention_where_a_tier_has_too_few(ann, customer, valued):
    valued(tier="silver")
    assert "20 of 40 customers of a year ago ordered again since" in card(ann, customer)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"model": False, "reason": "few_repeaters"}, "Fewer customers have ordered again than the policy asks."),
        ({"model": False, "reason": "not_converged"}, "The fit did not converge."),
        ({"mean_order": Decimal(-3)}, "Credit notes leave nothing of the repeat orders."),
        ({"net": Decimal(0)}, "All orders together brought no money."),
        ({"retention": {}}, "Too few customers ordered more than a year ago to know how many stay."),
        ({"net": Decimal(MOST) / 10_000}, "The amount is too large to be right"),
    ],
)
def test_says_what_is_missing_instead_of_a_number(ann, customer, valued, options, says):
    row = valued(**options)
    seen = card(ann, customer)
    assert says in seen
    assert (row.clv is None) == ("Year Orders Factor Money" not in seen)
    assert (row.clv_simple is None) == ("Share kept" not in seen)
    assert row.clv is None or row.clv_simple is None


def test_says_it_once_for_who_never_ordered(ann, customer, valued):
    valued(first_order_on=None, last_order_on=None, repeats=0, mean_order=None, net=0, more_than=None, direct=None)
    seen = card(ann, customer)
    assert seen.count("The customer has not ordered yet.") == 1
    assert "£" not in seen


def test_says_in_words_whether_it_is_still_a_customer(ann, customer, valued):
    row = valued(last_order_on=FRIDAY - dt.timedelta(days=650))
    assert row.alive < 0.1
    assert "Still a customer by the lifetime model hardly" in card(ann, customer)


def test_does_not_pretend_to_know_it_of_a_single_order(ann, customer, valued):
    row = valued(repeats=0, mean_order=None, last_order_on=FRIDAY - dt.timedelta(days=700))
    assert row.clv > 0
    seen = card(ann, customer)
    assert "one order day says nothing about leaving –" in seen
    assert f"Expected in the next 12 months {row.expected_orders:.1f} orders × £" in seen


def test_keeps_the_number_when_the_model_has_been_replaced(cast, ann, customer, valued):
    row = valued()
    with tenant_scope(cast.tenant):
        LifetimeFit.objects.all().delete()
    seen = card(ann, customer)
    assert f"the next night values by it. £{row.clv:,.2f}" in seen
    assert "Formulas" not in seen


def test_stands_in_the_strip_as_well(ann, customer, valued):
    row = valued()
    assert f"Lifetime value £{row.clv / 1000:.0f}k {row.expected_orders:.1f} orders expected" in words(
        page(ann, customer)
    )


def test_comes_from_a_real_night(cast, ann, customer, placed):
    placed(customer, *range(4, 400, 20), net="200")
    with tenant_scope(cast.tenant):
        valuing.run(FRIDAY)
    seen = card(ann, customer)
    assert "There is no lifetime model." in seen
    assert "Only one customer has ordered." in seen
    assert "Left out: no other customer to compare with" in card(ann, customer, "scorecard")


# ── scorecard and evidence ──────────────────────────────────────────────────


@pytest.fixture
def noted(cast, customer):
    """A piece of evidence about the customer."""

    def make(kind, days=30, **fields):
        with tenant_scope(cast.tenant):
            day = FRIDAY - dt.timedelta(days=days)
            return Evidence.objects.create(customer=customer, kind=kind, on=day, member=cast.bo, **fields)

    return make


def test_adds_up_to_the_score(cast, ann, customer, valued, noted):
    came, letter, sample = noted("referral"), noted("endorsement", note="A letter"), noted("benchmark")
    evidence = [
        [came.pk, "referral", 20], [letter.pk, "endorsement", 25], [sample.pk, "benchmark", 50],
        [None, REFERRED_MONEY, 8],
    ]  # fmt: skip
    valued(
        evidence=evidence, referred_net=Decimal("420.5"), indirect=53, strategic=50, direct=80, days_late=3.5, score=63
    )
    content = page(ann, customer)
    seen = section(content, "scorecard")
    body = content[content.index('<table class="pn-score">') :]
    parts = re.findall(r'<td class="num">(\d+\.\d) <span class="of">/ ([\d.]+)', body[: body.index("<tfoot>")])
    rounding = re.search(r"Rounding</th><td></td><td class=\"num\">([+−]\d\.\d)", body)
    total = re.search(r"Sum</th><td></td><td class=\"num\">(\d+) ", body)[1]
    added = sum(Decimal(part) for part, _weight in parts) + (number(rounding[1].replace("+", "")) if rounding else 0)
    assert added == int(total)
    assert [weight for _part, weight in parts] == ["40", "30", "30"]
    assert "weights of Gold" in seen
    for line in (
        "Net money £1,650, more than 83.3% of the other customers: 83 (counts twice)",
        "Pays 3.5 days late: 88",
        "Referral × 1: 20",
        "Customers it referred brought £420.50: 8",
        "Endorsement × 1: 25",
        "Benchmark customer × 1: 50",
    ):
        assert line in seen


def test_leaves_out_what_is_not_known_and_says_so(ann, customer, valued):
    valued()
    seen = card(ann, customer, "scorecard")
    assert "Direct 83" in seen
    assert "83.0 / 100" in seen  # all the weight lies on the part that is known
    assert seen.count("Left out: nothing of this kind has been noted about any customer – / 30") == 2
    assert "Left out: Payment: no paid order with a due day" in seen


def test_says_that_a_part_of_which_nothing_is_noted_here_counts_nothing(ann, customer, valued):
    valued(indirect=0)
    assert "Nothing noted about this customer" in card(ann, customer, "scorecard")


def test_says_where_the_points_end(ann, customer, valued, noted):
    rows = [noted("benchmark", days) for days in (10, 20, 30)]
    valued(evidence=[[row.pk, "benchmark", 50] for row in rows], strategic=100)
    assert "Benchmark customer × 3: 150 Together at most 100" in card(ann, customer, "scorecard")


def test_has_no_score_before_the_first_night(ann, customer):
    assert "The next night works out the first score." in card(ann, customer, "scorecard")


def test_lists_the_evidence_with_what_each_counts(cast, ann, customer, valued, noted):
    counted, old, fresh = noted("endorsement", note="A letter"), noted("cluster", 800), noted("benchmark", 1)
    valued(evidence=[[counted.pk, "endorsement", 25]], indirect=25)
    seen = card(ann, customer, "scorecard")
    listed = seen[seen.index("Evidence Add") :].replace(" ,", ",")
    assert "Endorsement 21 Oct, Bo, 25 points A letter" in listed
    assert f"Industry cluster {old.on.day} Sep 2024, Bo, older than 24 months, counts no more" in listed
    assert f"Benchmark customer {fresh.on.day} Nov, Bo, counts from the next night on" in listed
    assert listed.index("Benchmark") < listed.index("Endorsement") < listed.index("Industry cluster")


def test_names_who_came_to_who_sees_them(cast, ann, sign_in, customer, noted):
    noted("referral", referred=cast.customer("Hidden", owner_a=cast.bo, owner_b=None))
    noted("referral", referred=cast.customer("Newcomer"))
    for client, names in ((ann, {"Newcomer"}), (sign_in(cast.bo), {"Newcomer", "Hidden"})):
        seen = card(client, customer, "scorecard")
        assert {name for name in ("Newcomer", "Hidden") if name in seen} == names
        assert ("a customer of a colleague" in seen) == (names == {"Newcomer"})


def test_shows_the_newest_evidence_and_the_way_to_the_rest(ann, customer, noted):
    for days in range(1, 11):
        noted("endorsement", days)
    content = page(ann, customer)
    assert section(content, "scorecard").count("Endorsement") == 8
    assert "All evidence" in section(content, "scorecard")


def test_offers_to_write_evidence_only_to_who_may(cast, sign_in, customer, noted):
    row = noted("endorsement")
    for who, may in (("ann", True), ("lea", True), ("eve", False), ("ian", True)):
        content = page(sign_in(getattr(cast, who)), customer)
        assert "A letter" not in content
        for address in (
            f"/customers/{customer.pk}/evidence/add/",
            f"/evidence/{row.pk}/",
            f"/evidence/{row.pk}/delete/",
        ):
            assert (address in content) == may


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_works_in_both_languages_with_everything_on_it(cast, ann, customer, valued, noted, language):
    User.objects.filter(pk=cast.ann.user_id).update(language=language)
    row = noted("referral", referred=cast.customer("Newcomer"))
    valued(evidence=[[row.pk, "referral", 20]], indirect=20, days_late=-1.0)
    content = page(ann, customer)
    assert "Newcomer" in content
    assert "%(" not in content
    assert "None" not in words(content).replace("None.", "")


# ── facts ───────────────────────────────────────────────────────────────────


def test_shows_the_potential_among_the_facts(cast, ann, noon):
    known, unknown = cast.customer(industry_position=4, growth_potential="high"), cast.customer("Other")
    assert "Industry position 4 of 5 Growth potential high" in card(ann, known, "facts")
    assert "Industry position not known Growth potential not known" in card(ann, unknown, "facts")
