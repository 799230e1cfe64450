"""The governor's rules: who may be reached when, and why not; no contact ever gets more than its budget."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from followups.rules.contact_policy import ChannelLimits, ContactPolicy
from followups.rules.governor import PURPOSES, Person, Use, Verdict, judge

UTC = ZoneInfo("UTC")
NOON = dt.datetime(2026, 11, 18, 12, tzinfo=dt.UTC)  # a Wednesday
DAY = dt.timedelta(days=1)
OPEN = ContactPolicy(quiet_from=None, quiet_until=None, consent_needed=())


def person(**facts):
    return Person(**({"zone": UTC, "address": "mei@example.com"} | facts))


def ask(who=None, policy=OPEN, at=NOON, channel="email", purpose="care"):
    return judge(at=at, channel=channel, purpose=purpose, person=who or person(), policy=policy)


def mails(*days_ago):
    return tuple(Use(NOON - days * DAY, "email") for days in days_ago)


def test_it_lets_a_first_message_go_at_once():
    assert ask() == Verdict(NOON)


@pytest.mark.parametrize(
    ("facts", "why"),
    [
        ({"is_closed": True}, "closed"),
        ({"has_left": True}, "left"),
        ({"can_send": False}, "channel_off"),
        ({"can_send": None}, "by_hand"),
        ({"address": ""}, "no_address"),
        ({"is_dead": True}, "dead_address"),
        ({"opted_out": frozenset({"email"})}, "opted_out"),
        ({"opted_out": frozenset({""})}, "opted_out"),
        ({"consent": "withdrawn"}, "withdrawn"),
    ],
)
def test_it_never_lets_go_what_must_not(facts, why):
    assert ask() == Verdict(NOON)
    assert ask(person(**facts)) == Verdict(None, why)


def test_it_lets_a_service_message_pass_opt_out_and_consent_but_not_a_missing_address():
    who = person(opted_out=frozenset({"email"}), consent="withdrawn")
    assert ask(who, purpose="service").is_allowed
    assert ask(replace(who, address=""), purpose="service").why == "no_address"


def test_it_needs_consent_where_the_policy_says_so():
    policy = OPEN.model_copy(update={"consent_needed": ("sms",)})
    assert ask(person(), policy, channel="sms").why == "no_consent"
    assert ask(person(consent="given"), policy, channel="sms").is_allowed
    assert ask(person(), policy, channel="email").is_allowed


def test_it_respects_the_preferred_channel_for_what_is_automatic():
    policy = OPEN.model_copy(update={"channel_choice": "preferred"})
    assert ask(person(preferred="wechat"), policy).why == "not_preferred"
    assert ask(person(preferred="wechat"), policy, purpose="personal").is_allowed
    assert ask(person(preferred=""), policy).is_allowed


@pytest.mark.parametrize(
    ("local", "goes"),
    [
        ("2026-11-18T19:59", "2026-11-18T19:59"),
        ("2026-11-18T20:00", "2026-11-19T08:30"),
        ("2026-11-18T23:59", "2026-11-19T08:30"),
        ("2026-11-19T03:00", "2026-11-19T08:30"),
        ("2026-11-19T08:29", "2026-11-19T08:30"),
        ("2026-11-19T08:30", "2026-11-19T08:30"),
    ],
)
def test_it_keeps_quiet_hours_in_the_contacts_own_zone(local, goes):
    zone = ZoneInfo("Asia/Shanghai")
    at = dt.datetime.fromisoformat(local).replace(tzinfo=zone)
    verdict = ask(person(zone=zone), ContactPolicy(consent_needed=()), at=at.astimezone(dt.UTC))
    assert verdict.at == dt.datetime.fromisoformat(goes).replace(tzinfo=zone)
    assert verdict.why == ("" if local == goes else "quiet")


def test_it_lets_a_service_message_pass_quiet_hours():
    at = NOON.replace(hour=23)
    assert ask(policy=ContactPolicy(), at=at).why == "quiet"
    assert ask(policy=ContactPolicy(), at=at, purpose="service").is_allowed


def test_it_takes_the_contacts_own_quiet_hours_before_the_policys():
    who = person(quiet=(dt.time(11), dt.time(15)))
    assert ask(who, ContactPolicy()).at == NOON.replace(hour=15)
    assert ask(who, ContactPolicy(), at=NOON.replace(hour=22)).is_allowed


def test_it_waits_for_monday_where_weekends_are_quiet():
    policy = ContactPolicy(quiet_days="weekends")
    saturday = dt.datetime(2026, 11, 21, 10, tzinfo=dt.UTC)
    assert ask(policy=policy, at=saturday) == Verdict(dt.datetime(2026, 11, 23, 8, 30, tzinfo=dt.UTC), "weekend")


def test_it_goes_forward_only_when_the_clocks_go_back():
    zone = ZoneInfo("Europe/London")  # 2026-10-25 01:00 UTC: 02:00 becomes 01:00
    policy = ContactPolicy(quiet_from=dt.time(0, 30), quiet_until=dt.time(1, 45))
    second = dt.datetime(2026, 10, 25, 1, 10, tzinfo=dt.UTC)  # 01:10 for the second time
    assert ask(person(zone=zone), policy, at=second).at == dt.datetime(2026, 10, 25, 1, 45, tzinfo=dt.UTC)


def test_it_holds_back_until_the_oldest_touch_leaves_the_window():
    policy = OPEN.model_copy(update={"budget": 3, "kept": 0})
    verdict = ask(person(uses=mails(20, 10, 5)), policy)
    assert verdict == Verdict(NOON + 10 * DAY, "budget", 3)
    assert ask(person(uses=mails(30, 10, 5)), policy).is_allowed


def test_it_blocks_what_would_have_to_wait_too_long():
    policy = OPEN.model_copy(update={"budget": 3, "kept": 0, "wait_days": 5})
    assert ask(person(uses=mails(20, 10, 5)), policy) == Verdict(None, "budget", 3)


def test_it_keeps_some_of_the_budget_for_people_and_service():
    policy = OPEN.model_copy(update={"budget": 3, "kept": 1})
    who = person(uses=mails(20, 10))
    assert ask(who, policy).why == "kept"
    assert ask(who, policy, purpose="personal").is_allowed
    assert ask(replace(who, uses=mails(20, 10, 5)), policy, purpose="service").why == "budget"


def test_it_keeps_room_for_a_planned_task_but_lets_it_block_no_day():
    policy = OPEN.model_copy(update={"budget": 2, "kept": 0, "day_limit": 1})
    task = Use(NOON, "phone", is_planned=True)
    assert ask(person(uses=(task,)), policy).is_allowed
    assert ask(person(uses=(task, *mails(3))), policy).why == "budget"


def test_it_sees_what_is_planned_later_as_well():
    policy = OPEN.model_copy(update={"budget": 1, "kept": 0, "day_limit": 1})
    later = person(uses=(Use(NOON + 3 * DAY, "email"),))
    assert ask(later, policy) == Verdict(None, "budget", 1)  # a month after it is too far
    assert ask(later, policy.model_copy(update={"wait_days": 40})).at == NOON + 33 * DAY


def test_it_limits_single_channels_and_a_day():
    policy = OPEN.model_copy(update={"channels": ChannelLimits(sms=1, wechat=0), "day_limit": 2})
    texts = person(uses=(Use(NOON - 2 * DAY, "sms"),))
    assert ask(texts, policy, channel="sms").why == "channel_limit"
    assert ask(texts, policy, channel="email").is_allowed
    assert ask(texts, policy, channel="wechat") == Verdict(None, "channel_closed", 0)
    twice = person(uses=(Use(NOON - DAY / 2, "phone"), Use(NOON - DAY / 4, "email")))
    assert ask(twice, policy) == Verdict(NOON + DAY / 2, "day_limit", 2)


def test_it_keeps_surveys_apart():
    policy = OPEN.model_copy(update={"survey_days": 80, "wait_days": 90})
    asked = person(uses=(Use(NOON - 30 * DAY, "email", is_survey=True),))
    assert ask(asked, policy, purpose="survey") == Verdict(NOON + 50 * DAY, "survey", 1)
    assert ask(asked, policy, purpose="care").is_allowed


def test_it_gives_a_contact_who_wants_little_a_little():
    assert ask(person(most=1), OPEN).is_allowed
    assert ask(person(most=1, uses=mails(3)), OPEN).why == "budget"
    assert ask(person(most=0), OPEN) == Verdict(None, "budget", 0)


# ── against a slow and obvious reference ────────────────────────────────────


def _breaks(times, most, span):
    """Whether some stretch shorter than the span holds more than `most`."""
    return any(sum(begin <= each < begin + span for each in times) > most for begin in times)


minutes = st.integers(-60 * 24 * 40, 60 * 24 * 20)


@settings(max_examples=300, deadline=None)
@given(
    uses=st.lists(minutes, max_size=8),
    budget=st.integers(1, 5),
    day_limit=st.integers(1, 3),
    window=st.integers(1, 30),
)
def test_it_finds_the_first_moment_that_breaks_no_limit(uses, budget, day_limit, window):
    policy = OPEN.model_copy(
        update={"budget": budget, "kept": 0, "day_limit": day_limit, "window_days": window, "wait_days": 100}
    )
    times = sorted(NOON + dt.timedelta(minutes=each) for each in uses)
    verdict = ask(person(uses=tuple(Use(each, "phone") for each in times)), policy)

    def fits(at):
        with_it = [*times, at]
        # What is broken already (people may call as they like) is not this message's doing.
        return not any(
            _breaks([each for each in with_it if begin <= each < begin + span], most, span)
            for span, most in ((window * DAY, budget), (DAY, day_limit))
            for begin in with_it
            if begin <= at < begin + span
        )

    assert verdict.at is not None
    assert fits(verdict.at)
    edges = {NOON, *(each + span for each in times for span in (DAY, window * DAY))}
    for earlier in sorted(edge for edge in edges if NOON <= edge < verdict.at):
        assert not fits(earlier)


# ── the invariant ───────────────────────────────────────────────────────────


class Budget(RuleBasedStateMachine):
    """Messages of all sorts are asked for, planned, sent later and joined by calls: the budget holds at every step."""

    @initialize(
        budget=st.integers(1, 5), day_limit=st.integers(1, 3), window=st.integers(1, 20), sms=st.integers(0, 2),
        kept=st.integers(0, 2),
    )  # fmt: skip
    def begin(self, budget, day_limit, window, sms, kept):
        self.policy = ContactPolicy(
            budget=budget, kept=min(kept, budget - 1), day_limit=day_limit, window_days=window, channels=ChannelLimits(sms=sms),
            consent_needed=(), survey_days=10, wait_days=60,
        )  # fmt: skip
        self.now = NOON
        self.planned: list[tuple[dt.datetime, str, str]] = []
        self.sent: list[tuple[dt.datetime, str, str]] = []
        self.calls: list[dt.datetime] = []

    def _person(self, leaving=None):
        planned = [each for each in self.planned if each is not leaving]
        uses = [Use(at, channel, purpose == "survey") for at, channel, purpose in [*planned, *self.sent]]
        uses += [Use(at, "phone") for at in self.calls]
        return person(uses=tuple(uses), consent="given")

    @rule(purpose=st.sampled_from(PURPOSES), channel=st.sampled_from(["email", "sms"]), days=st.integers(0, 9))
    def ask_for(self, purpose, channel, days):
        verdict = judge(
            at=self.now + days * DAY, channel=channel, purpose=purpose, person=self._person(), policy=self.policy
        )
        if verdict.at is not None:
            self.planned.append((verdict.at, channel, purpose))

    @rule(hours=st.integers(1, 24 * 6))
    def time_passes(self, hours):
        """Whoever is due is asked about again, and goes or waits on."""
        self.now += dt.timedelta(hours=hours)
        for each in sorted(self.planned):
            at, channel, purpose = each
            if at > self.now:
                continue
            who = self._person(leaving=each)
            verdict = judge(at=self.now, channel=channel, purpose=purpose, person=who, policy=self.policy)
            self.planned.remove(each)
            if verdict.is_allowed:
                self.sent.append((self.now, channel, purpose))
            elif verdict.at is not None:
                self.planned.append((verdict.at, channel, purpose))

    @precondition(lambda self: len(self.calls) < 6)
    @rule()
    def somebody_calls(self):
        self.calls.append(self.now)

    @invariant()
    def nobody_gets_more_than_the_budget(self):
        if not hasattr(self, "policy"):
            return
        everything = [at for at, _channel, _purpose in self.sent] + self.calls
        for at, channel, purpose in self.sent:
            # What people did afterwards, or at the same moment, is not the house's doing.
            before = [each for each in everything if each <= at and at - each < self.policy.window_days * DAY]
            assert len(before) - sum(call == at for call in self.calls) <= self.policy.budget
            today = [each for each in everything if each <= at and at - each < DAY]
            assert len(today) - sum(call == at for call in self.calls) <= self.policy.day_limit
            if channel == "sms":
                texts = [
                    a for a, c, _p in self.sent if c == "sms" and a <= at and at - a < self.policy.window_days * DAY
                ]
                assert len(texts) <= self.policy.channels.sms
            if purpose == "survey":
                asked = [a for a, _c, p in self.sent if p == "survey" and abs(at - a) < 10 * DAY]
                assert len(asked) == 1

    @invariant()
    def nothing_leaves_in_quiet_hours_but_service(self):
        for at, _channel, purpose in getattr(self, "sent", []):
            if purpose != "service":
                assert dt.time(8, 30) <= at.time() < dt.time(20)


Budget.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
test_it_never_gives_a_contact_more_than_the_budget = Budget.TestCase
