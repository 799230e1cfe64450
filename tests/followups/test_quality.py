"""The month's sample, what reviewers find, mystery visits, results per person."""

from __future__ import annotations

import datetime as dt

import pytest
from django.core.exceptions import PermissionDenied, ValidationError

from customers.models import Interaction
from followups.models import MysteryVisit, QualityReview, QualitySample
from followups.quality import services as quality
from tenants.context import tenant_scope
from tenants.models import Member
from tests.followups.conftest import TODAY

OCTOBER = dt.date(2026, 10, 1)
FOUND = {
    "score": 2, "problem_kind": "promise", "problem": "Sample promised, not noted", "cause": "No next step chosen",
    "measure": "Next step with every log",
}  # fmt: skip


@pytest.fixture
def logged(cast):
    """Forty contacts of Ann's and three of Bo's in October, one message, and one of Ann's in November."""
    customer = cast.customer()
    rows = []
    with tenant_scope(cast.tenant):
        at = dt.datetime(2026, 10, 5, 9, tzinfo=dt.UTC)
        for number in range(40):
            rows.append(
                Interaction(customer=customer, member=cast.ann, channel="phone", at=at + dt.timedelta(hours=number))
            )
        rows += [Interaction(customer=customer, member=cast.bo, channel="phone", at=at) for _number in range(3)]
        rows.append(Interaction(customer=customer, member=cast.ann, channel="email", kind="message", at=at))
        rows.append(Interaction(customer=customer, channel="phone", at=at))
        rows.append(Interaction(customer=customer, member=cast.ann, channel="phone", at=at + dt.timedelta(days=30)))
        Interaction.objects.bulk_create(rows)
    return customer


@pytest.fixture
def drawn(cast, logged):
    with tenant_scope(cast.tenant):
        quality.draw_month(TODAY)
        return list(QualityReview.objects.order_by("member_id", "pk"))


def test_draws_5_percent_of_each_persons_contacts_of_the_month_before_once(cast, logged):
    with tenant_scope(cast.tenant):
        assert quality.draw_month(TODAY) == 3
        sample = QualitySample.objects.get()
        assert (sample.month, sample.contacts, sample.drawn, sample.percent) == (OCTOBER, 43, 3, 5)
        of = list(QualityReview.objects.values_list("member_id", flat=True))
        assert (of.count(cast.ann.pk), of.count(cast.bo.pk)) == (2, 1)
        Interaction.objects.create(customer=logged, member=cast.lea, channel="phone", at=dt.datetime(2026, 10, 9, tzinfo=dt.UTC))  # fmt: skip
        assert quality.draw_month(TODAY + dt.timedelta(days=1)) == 0
        assert QualityReview.objects.count() == 3


def test_an_empty_month_is_drawn_when_its_contacts_come(cast):
    customer = cast.customer()
    with tenant_scope(cast.tenant):
        assert quality.draw_month(TODAY) == 0
        Interaction.objects.create(customer=customer, member=cast.ann, channel="phone", at=dt.datetime(2026, 10, 9, tzinfo=dt.UTC))  # fmt: skip
        assert quality.draw_month(TODAY) == 1


def test_a_review_says_problem_cause_and_measure_or_none_of_them(cast, drawn):
    row = drawn[0]
    with tenant_scope(cast.tenant):
        for name in ("problem_kind", "problem", "cause", "measure"):
            with pytest.raises(ValidationError) as refusal:
                quality.review(review=row, member=cast.lea, **(FOUND | {name: ""}))
            assert set(refusal.value.error_dict) == {name}
        with pytest.raises(ValidationError) as refusal:
            quality.review(review=row, member=cast.lea, score=None)
        assert set(refusal.value.error_dict) == {"score"}
        row.refresh_from_db()
        assert row.reviewed_at is None
        assert quality.review(review=row, member=cast.lea, **FOUND) == "created"
        assert quality.review(review=row, member=cast.lea, **FOUND) == "unchanged"
        assert quality.review(review=row, member=cast.ada, measure_done_on=TODAY, **FOUND) == "updated"
        assert (row.reviewer, row.measure_done_on) == (cast.lea, TODAY)


def test_nobody_reviews_their_own_contacts_and_managers_review_none(cast, drawn):
    with tenant_scope(cast.tenant):
        row = next(each for each in drawn if each.member_id == cast.ann.pk)
        for member in (cast.ann, cast.bo, cast.eve):
            with pytest.raises(PermissionDenied):
                quality.review(review=row, member=member, score=5)
        leads = QualityReview.objects.create(
            customer=row.customer, member=cast.lea, month=OCTOBER,
            interaction=Interaction.objects.create(customer=row.customer, member=cast.lea, channel="phone"),
        )  # fmt: skip
        assert not quality.may_review(leads, cast.lea)
        assert quality.may_review(leads, cast.ada)


def test_a_mystery_visit_is_checked(cast, scope):
    fields = {"on": TODAY, "channel": "store", "scene": "Asked for green tiles", "member": cast.ann}
    visit = quality.add_visit(by=cast.eve, score=4, **fields)
    assert (visit.visitor, visit.member) == (cast.eve, cast.ann)
    wrong = [
        ({"on": TODAY + dt.timedelta(days=1)}, "on"),
        ({"member": cast.eve}, "member"),
        ({"score": None}, "score"),
        ({"score": 6}, "score"),
        ({"scene": ""}, "scene"),
        ({"problem": "Nobody greeted"}, "cause"),
    ]
    for said, field in wrong:
        with pytest.raises(ValidationError) as refusal:
            quality.add_visit(by=cast.eve, **({"score": 4} | fields | said))
        assert field in refusal.value.error_dict, said
    assert MysteryVisit.objects.count() == 1
    assert quality.change_visit(visit=visit, by=cast.eve, score=4) == "unchanged"
    assert quality.change_visit(visit=visit, by=cast.eve, score=5) == "updated"


def test_results_count_per_person_what_the_rows_say(cast, drawn):
    anns = [row for row in drawn if row.member_id == cast.ann.pk]
    with tenant_scope(cast.tenant):
        quality.review(review=anns[0], member=cast.lea, score=5)
        quality.review(review=anns[1], member=cast.lea, measure_done_on=TODAY, **FOUND)
        quality.add_visit(by=cast.eve, on=dt.date(2026, 10, 20), channel="phone", scene="A price", score=3, member=cast.ann)  # fmt: skip
        ann, bo = quality.results(cast.lea, OCTOBER, dt.date(2026, 11, 1))
    assert (ann.member, ann.contacts, ann.drawn, ann.reviewed, ann.waiting) == (cast.ann, 40, 2, 2, 0)
    assert (ann.good, ann.good_share, ann.score) == (1, 0.5, 3.5)
    assert (ann.kinds, ann.measures, ann.measures_done) == ((("promise", 1),), 1, 1)
    assert (ann.visits, ann.visit_score) == (1, 3)
    assert (bo.contacts, bo.drawn, bo.reviewed, bo.good_share) == (3, 1, 0, None)


def test_results_show_the_own_line_the_team_or_all(cast, drawn):
    with tenant_scope(cast.tenant):

        def people(viewer):
            return [str(row.member) for row in quality.results(viewer, OCTOBER, dt.date(2026, 11, 1))]

        assert people(cast.bo) == ["Bo"]
        assert people(cast.eve) == people(cast.lea) == ["Ann", "Bo"]
        cast.ann.team = None
        cast.ann.save()
        assert people(Member.objects.get(pk=cast.lea.pk)) == ["Bo"]
