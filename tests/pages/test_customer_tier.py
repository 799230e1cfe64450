"""It: on the customer's page: its tier with the reason, grace, other schemes, stage of life, and history."""

import datetime as dt

import pytest

from segmentation.models import Standing, TierChange
from tenants.context import tenant_scope
from tenants.models import User
from tests.pages.conftest import FRIDAY, text
from tests.pages.test_customer import page, section, words
from tests.pages.test_timeline import lines, read

REGULAR = tuple(range(4, 400, 20))


@pytest.fixture
def ann(cast, sign_in):
    return sign_in(cast.ann)


@pytest.fixture
def customer(cast):
    return cast.customer()


@pytest.fixture
def stand(cast, customer):
    """Change where the customer stands, as a night would have left it."""

    def changed(**fields):
        with tenant_scope(cast.tenant):
            Standing.objects.filter(customer=customer).update(**fields)

    return changed


def tier(client, customer):
    return section(page(client, customer), "tier")


def test_says_the_tier_with_the_lines_it_met(ann, customer, placed, night):
    placed(customer, *REGULAR, net="200")
    night()
    seen = tier(ann, customer)
    assert "Gold since 20 Nov policy v1" in seen
    assert "0.0% ordered more recently (Gold: under 20%)" in seen
    assert "0.0% brought more net money (Gold: under 15%)" in seen


def test_says_which_line_of_a_better_tier_was_missed(cast, ann, customer, placed, night):
    placed(customer, 30, net="200")
    placed(cast.customer("Better"), 3, net="500")
    night()
    content = page(ann, customer)
    seen = section(content, "tier")
    assert "50.0% have a higher R + F + M (Silver: under 40%)" in seen
    assert 'aria-label="not met"' in content


@pytest.mark.parametrize(
    ("fields", "says"),
    [({}, "The next night finds the first tier."), ({"closed_on": FRIDAY}, "A closed customer has no tier.")],
)
def test_says_why_there_is_no_tier(cast, ann, noon, fields, says):
    assert says in tier(ann, cast.customer(**fields))


def test_says_that_the_tier_comes_with_the_first_order(ann, customer, night):
    night()
    assert "it comes with the first order" in tier(ann, customer)


def test_says_when_it_falls_and_to_what(ann, customer, placed, night, stand):
    placed(customer, *REGULAR, net="200")
    night()
    assert "Below its line" not in tier(ann, customer)
    stand(below_since=FRIDAY - dt.timedelta(days=17), by_callback="silver")
    assert "Below its line since 3 Nov; falls to Silver on 3 Dec unless it is back by then." in tier(ann, customer)


def test_shows_what_the_other_schemes_would_say(ann, customer, placed, night):
    placed(customer, *REGULAR, net="200")
    night()
    assert "By the other schemes: Wholesale Regular · Sales team A core · Starter General, win back" in tier(
        ann, customer
    )


def test_keeps_the_history_with_the_reasons_of_their_own_versions(cast, ann, customer, placed, night):
    placed(customer, *REGULAR, net="200")
    night()
    with tenant_scope(cast.tenant):
        known = TierChange.objects.get(customer=customer).facts
        for days, before, after, facts in (
            (40, "silver", "bronze", known | {"move": "fall", "better_score": 71.0}),
            (90, "", "silver", known | {"move": "start"}),
        ):
            TierChange.objects.create(
                customer=customer, on=FRIDAY - dt.timedelta(days=days), before=before, after=after, facts=facts,
                policy_version=1,
            )  # fmt: skip
    seen = tier(ann, customer)
    history = seen[seen.index("History of the tier") :]
    assert "Silver → Bronze Below its line for 30 days. 71.0% have a higher R + F + M" in history
    assert history.index("Silver → Bronze") < history.rindex("The first tier, by the first night with an order.")
    story = read(ann, customer, "?tab=changes")
    assert "Tier Silver → Bronze" in lines(story)
    assert "71.0% have a higher R + F + M" in text(story)


def test_goes_without_a_reason_when_a_version_is_not_there(cast, ann, customer, noon):
    with tenant_scope(cast.tenant):
        Standing.objects.create(customer=customer, frequency=1, monetary=1, tier="gold", policy_version=7)
        TierChange.objects.create(
            customer=customer, on=FRIDAY, after="gold", facts={"move": "start", "better_recency": 1}, policy_version=7
        )
    assert "Gold since 20 Nov policy v7" in tier(ann, customer)


@pytest.mark.parametrize(
    ("days", "stage"),
    [
        ((), "Prospect"),
        ((5,), "New"),
        ((5, 60, 120), "Active"),
        ((5, 200), "Won back"),
        ((100, 200), "Lapsed, no order for 100 days"),
    ],
)
def test_says_at_which_stage_the_customer_is(ann, customer, placed, night, days, stage):
    placed(customer, *days)
    night()
    assert f" {stage} " in words(page(ann, customer)).replace(" , ", ", ")


def test_says_that_a_customer_is_closed(cast, ann, noon):
    assert "Closed" in words(page(ann, cast.customer(closed_on=FRIDAY)))


def test_speaks_chinese(cast, ann, customer, placed, night):
    placed(customer, *REGULAR, net="200")
    night()
    User.objects.filter(pk=cast.ann.user_id).update(language="zh-hans")
    assert "金" in section(page(ann, customer), "tier")
