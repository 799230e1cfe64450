"""It: two bells at the same moment, and a bell while somebody completes what it wants to move."""

import pytest

from followups.cover import services as cover
from followups.models import Absence, CoverMove, FollowUp
from followups.services import complete
from tenants.context import tenant_scope
from tenants.models import Event
from tests.followups.conftest import TODAY
from tests.followups.test_services_at_once import at_once

pytestmark = [
    pytest.mark.django_db(transaction=True, databases=["default", "owner"]),
    pytest.mark.xdist_group("transactions"),
]


@pytest.fixture
def away(cast):
    """Ann is away today; no bell has rung yet."""
    with tenant_scope(cast.tenant):
        return Absence.objects.create(member=cast.ann, first=TODAY, last=TODAY)


def test_moves_each_follow_up_once_however_many_bells_ring(cast, raised, away):
    rows = [raised() for _n in range(12)]
    results = at_once(cast.tenant, *[lambda: cover.settle(TODAY)] * 4)
    assert sum(each.moved for each in results) == 12
    with tenant_scope(cast.tenant):
        assert set(FollowUp.objects.values_list("assignee", flat=True)) == {cast.bo.pk}
        assert CoverMove.objects.count() == Event.objects.filter(verb="covered").count() == len(rows)


def test_leaves_alone_what_somebody_completes_at_that_moment(cast, raised, away):
    rows = [raised() for _n in range(6)]
    jobs = [lambda row=row: complete(follow_up=row, member=cast.ann) for row in rows[:3]]
    results = at_once(cast.tenant, lambda: cover.settle(TODAY), *jobs)
    assert not [each for each in results if isinstance(each, Exception)]
    with tenant_scope(cast.tenant):
        done = FollowUp.objects.filter(status="done")
        assert set(done.values_list("closed_by", flat=True)) == {cast.ann.pk}
        assert done.count() == 3
        assert set(FollowUp.objects.filter(status="open").values_list("assignee", flat=True)) == {cast.bo.pk}
        assert cover.settle(TODAY) == cover.Settled()
