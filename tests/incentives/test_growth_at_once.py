"""Several nights and several people at the same moment: each row is made, each note written, each verb done once."""

from __future__ import annotations

import datetime as dt

import pytest
from django.core.exceptions import ValidationError

from followups.models import Notice
from incentives.growth import services as growth
from incentives.growth.services import Given
from incentives.kpis.services import set_job
from incentives.models import Certification, KpiClosing, KpiFrozen, PromotionNote
from incentives.rules.growth import DIMENSIONS
from incentives.rules.kpis import Period
from tenants.context import tenant_scope
from tenants.models import Event, Member
from tenants.policies import active_policy
from tests.incentives.test_ledger_at_once import at_once

pytestmark = pytest.mark.django_db(databases=["default", "owner"], transaction=True)


def test_nights_at_the_same_moment_make_each_row_and_note_once(cast):
    today = cast.tenant.today()
    last = Period.of("quarter", today).before
    with tenant_scope(cast.tenant):
        Member.objects.update(created_at=dt.datetime(2020, 1, 1, tzinfo=dt.UTC))
        set_job(member=cast.ann, job="service", from_on=dt.date(2020, 1, 1), by=cast.lea)
        for period in last.back(12):
            closing = KpiClosing.objects.create(
                span="quarter", start=period.start, as_of=period.end, policy_version=active_policy().number
            )
            KpiFrozen.objects.create(closing=closing, kpi="csat", member=cast.ann, numerator=10, denominator=10)
    assert sum(at_once(cast, lambda _number: growth.open_quarter(today))) == 2
    assert sum(at_once(cast, lambda _number: growth.raise_notes(today))) == 1
    with tenant_scope(cast.tenant):
        assert (Certification.objects.count(), PromotionNote.objects.count()) == (2, 1)
        assert Notice.objects.filter(kind="promotion-note").count() == 1
        assert Event.objects.filter(verb__in=["opened", "raised"]).count() == 3


def test_two_who_score_at_the_same_moment_leave_one_score(cast):
    said = {each: Given(80, "Seen") for each in DIMENSIONS}
    last = Period.of("quarter", cast.tenant.today()).before
    with tenant_scope(cast.tenant):
        row = Certification.objects.create(member=cast.ann, quarter=last.start, reviewer=cast.lea)
    done = at_once(
        cast, lambda number: growth.score(certification=row, by=(cast.lea, cast.eve)[number % 2], given=said)
    )  # fmt: skip
    assert sum(isinstance(each, ValidationError) for each in done) == 2, "whoever comes second is told who was first"
    with tenant_scope(cast.tenant):
        assert Certification.objects.get().scores.count() == 4
        assert Event.objects.filter(object_type="certification", verb="scored").count() == 1
