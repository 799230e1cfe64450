"""It: what a customer may want next, with the rule's figures, and whether its orders shrink."""

import datetime as dt

import pytest

from customers.models import Product
from segmentation.models import CrossSellRule, CrossSellRun, SpecDrift
from tenants.context import tenant_scope
from tests.pages.conftest import FRIDAY, HX, text
from tests.pages.test_customer import page, section


@pytest.fixture
def ann(cast, sign_in):
    return sign_in(cast.ann)


@pytest.fixture
def customer(cast, placed, noon):
    """A customer who bought Tiles 40 and 10 days ago."""
    customer = cast.customer()
    placed(customer, 40, 10)
    return customer


@pytest.fixture
def searched(cast):
    """A search for rules, and what it found: B, followed, customers, lift."""

    def make(*rules, reason="", antecedent="Tiles"):
        with tenant_scope(cast.tenant):
            CrossSellRun.objects.create(
                as_of=FRIDAY, level="category", customers=300, items=12, rules=len(rules), reason=reason,
                policy_version=1,
            )  # fmt: skip
            for consequent, followed, customers, lift in rules:
                CrossSellRule.objects.create(
                    antecedent=antecedent, consequent=consequent, customers=customers, followed=followed,
                    support=followed / 300, confidence=followed / customers, lift=lift, median_days=23,
                )  # fmt: skip

    return make


def card(client, customer):
    return section(page(client, customer), "offers")


def test_suggests_with_the_reason_in_figures(ann, customer, searched):
    searched(("Adhesive", 61, 100, 2.42))
    seen = card(ann, customer)
    assert "Cross-sell rules of 20 Nov" in seen
    assert "Adhesive Has Tiles since 11 Oct" in seen
    assert (
        "61 of 100 such customers bought it within 90 days, half of them within 23 days; 2.4 times as often as usual."
        in seen
    )
    assert "61% Log offer" in seen


def test_suggests_the_strongest_three(ann, customer, searched):
    searched(*((f"B{n}", 10 * n, 100, 2.0) for n in range(1, 6)))
    seen = card(ann, customer)
    assert [name for name in ("B5", "B4", "B3", "B2", "B1") if name in seen] == ["B5", "B4", "B3"]
    assert seen.index("B5") < seen.index("B4") < seen.index("B3")


def test_does_not_suggest_what_the_customer_has(cast, ann, customer, placed, searched):
    searched(("Adhesive", 61, 100, 2.4))
    with tenant_scope(cast.tenant):
        Product.objects.filter(external_id="P-1").update(category="Adhesive")
    assert "Nothing to suggest" in card(ann, customer)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (None, "The next night looks for what customers buy after what."),
        ({"reason": "few_customers"}, "Fewer customers have ordered than a rule needs."),
        ({}, "Nothing to suggest"),
    ],
)
def test_says_why_there_is_nothing_to_suggest(ann, customer, searched, options, says):
    if options is not None:
        searched(**options)
    assert says in card(ann, customer)


def test_suggests_nothing_to_a_closed_customer(cast, ann, placed, searched, noon):
    closed = cast.customer(closed_on=FRIDAY)
    placed(closed, 10)
    searched(("Adhesive", 61, 100, 2.4))
    seen = card(ann, closed)
    assert "Nothing is suggested for a closed customer." in seen
    assert "Adhesive" not in seen


def test_fills_in_the_topic_when_the_offer_is_logged(ann, customer, searched):
    searched(("Adhesive & primer, extra long name of a category that goes on and on and on", 61, 100, 2.4))
    content = page(ann, customer)
    address = content.split('hx-get="')[-1]
    link = next(part.split('"')[0] for part in content.split('href="') if "log/?topic=" in part.split('"')[0])
    assert address
    dialog = text(ann.get(link.replace("&amp;", "&"), headers=HX))
    assert 'value="Offered: Adhesive &amp; primer, extra long name of a categor' in dialog
    answer = ann.post(
        link.replace("&amp;", "&"),
        {
            "channel": "phone",
            "kind": "light_touch",
            "direction": "outbound",
            "at": "2026-11-20T10:30",
            "topic": "Offered",
        },
    )
    assert answer.status_code == 302


def test_leads_to_the_rule(ann, customer, searched):
    searched(("Adhesive & more", 61, 100, 2.4), ("Grout", 30, 100, 2.0))
    content = page(ann, customer)
    links = [part.split('"')[0].replace("&amp;", "&") for part in content.split('href="') if "cross-sell/?q=" in part]
    assert len(links) == 2
    rules = text(ann.get(links[0]))
    assert "Adhesive &amp; more" in rules
    assert "Grout" not in rules


def test_offers_the_log_only_to_who_may(cast, sign_in, customer, searched):
    searched(("Adhesive", 61, 100, 2.4))
    assert "Log offer" in card(sign_in(cast.ann), customer)
    assert "Log offer" not in card(sign_in(cast.eve), customer)


def test_says_that_order_sizes_shrink(cast, ann, customer):
    assert "shrink" not in card(ann, customer)
    with tenant_scope(cast.tenant):
        SpecDrift.objects.create(
            customer=customer, ratio=0.58, products=5, since=FRIDAY - dt.timedelta(days=17), policy_version=1
        )
    seen = card(ann, customer)
    assert "Order sizes shrink: lines of 5 articles are 58% of what they were, seen since 3 Nov." in seen
