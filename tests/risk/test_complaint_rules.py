"""It: recognises what a complaint is about, and sets its clocks in the firm's time."""

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from risk.rules.complaint_policy import KINDS, ComplaintPolicy, TopicRule
from risk.rules.complaints import call_back_by, clocks, kind_of
from tenants.rules.calendar import Calendar

SHANGHAI = Calendar(ZoneInfo("Asia/Shanghai"), country="CN")
# How long it takes says something about the machine, not about the rule.
patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
# Hypothesis takes the bounds without a zone and adds it.
_FIRST, _LAST = dt.datetime(2020, 1, 1), dt.datetime(2026, 12, 1)  # noqa: DTZ001
MOMENTS = st.datetimes(_FIRST, _LAST, timezones=st.just(dt.UTC))


@pytest.mark.parametrize(
    ("topic", "kind"),
    [
        ("Late delivery", "logistics"), ("物流延误", "logistics"), ("Wrong invoice", "billing"), ("发错货", "goods"),
        ("Two boxes missing", "goods"), ("表面有破损", "quality"), ("ＱＵＡＬＩＴＹ of glaze", "quality"),
        ("Nobody answers", "service"), ("客服态度差", "service"), ("How to install", "technical"), ("Hm", "other"),
    ],
)  # fmt: skip
def test_recognises_the_kind(topic, kind):
    assert kind_of(topic) == kind


def test_looks_into_the_text_when_the_topic_says_nothing():
    assert kind_of("Complaint", "the courier never came") == "logistics"
    assert kind_of("", "") == "other"


@patient
@given(MOMENTS, st.sampled_from(KINDS), st.booleans())
def test_the_clocks_stand_in_the_order_of_the_steps_and_take_just_their_business_time(opened, kind, is_serious):
    policy = ComplaintPolicy()
    due = clocks(opened, kind, is_serious=is_serious, policy=policy, calendar=SHANGHAI)
    assert opened < due.apologise_by <= due.promise_by <= due.solve_by
    share = policy.serious_percent / 100 if is_serious else 1
    rule = policy.topic(kind)
    assert SHANGHAI.elapsed(opened, due.apologise_by) == dt.timedelta(hours=rule.apologise_hours) * share
    assert SHANGHAI.elapsed(opened, due.solve_by) == dt.timedelta(hours=rule.solve_hours) * share
    back = call_back_by(due.solve_by, kind, is_serious=is_serious, policy=policy, calendar=SHANGHAI)
    assert SHANGHAI.elapsed(due.solve_by, back) == dt.timedelta(hours=rule.call_back_hours) * share


def test_a_complaint_before_a_long_holiday_waits_for_the_next_opening():
    # 30 September 2025 closes at six; 1 to 8 October are off, the ninth is worked.
    opened = dt.datetime(2025, 9, 30, 23, 59, tzinfo=ZoneInfo("Asia/Shanghai"))
    due = clocks(opened, "quality", is_serious=False, policy=ComplaintPolicy(), calendar=SHANGHAI)
    assert due.apologise_by == dt.datetime(2025, 10, 9, 11, tzinfo=ZoneInfo("Asia/Shanghai"))


def test_refuses_steps_out_of_order():
    with pytest.raises(ValidationError):
        TopicRule(apologise_hours=9, promise_hours=8)
    with pytest.raises(ValidationError):
        TopicRule(promise_hours=9, solve_hours=8)
    assert ComplaintPolicy().topic("unheard of") == ComplaintPolicy().other
