"""It: the phrase that says why a follow-up is here."""

import datetime as dt
import unicodedata

import pytest
from django.utils import translation

from customers.models import TouchKind
from followups.models import FollowUp
from followups.reasons import WIDTH, SnoozeReason, cut, phrase, snooze_words

TODAY = dt.date(2026, 11, 20)
SINCE = "2026-09-18"


def said(rule, facts, kind="light_touch", day=TODAY):
    return phrase(FollowUp(rule=rule, facts=facts, kind=kind), day)


@pytest.mark.parametrize(
    ("rule", "facts", "words"),
    [
        ("cadence:light_touch", {"every_days": 7}, "Weekly light touch"),
        ("cadence:light_touch", {"every_days": 30}, "Monthly light touch"),
        ("cadence:light_touch", {"every_days": 90}, "Quarterly light touch"),
        ("cadence:light_touch", {"every_days": 182}, "Half-yearly light touch"),
        ("cadence:light_touch", {"every_days": 365}, "Yearly light touch"),
        ("cadence:light_touch", {"every_days": 10}, "Light touch every 10 days"),
        ("cadence:light_touch", {"every_days": 1}, "Light touch every day"),
        ("cadence:light_touch", {}, "Light touch"),
        ("signal:order_silence", {"since": SINCE, "own_gap": 24.0}, "No order for 63 days, usual gap 24"),
        ("signal:order_silence", {"since": SINCE, "own_gap": None}, "No order for 63 days"),
        ("signal:order_silence", {"since": SINCE, "own_gap": 0.4}, "No order for 63 days, usual gap 1"),
        ("signal:order_silence", {}, "No order for long"),
        ("signal:contact_silence", {"since": "2026-11-19"}, "No contact for 1 day"),
        ("signal:contact_silence", {}, "No contact for long"),
        ("signal:spec_drift", {"since": SINCE, "ratio": 0.618, "products": 4}, "Order sizes at 62 % of before"),
        ("signal:spec_drift", {}, "Order sizes shrink"),
        ("manual", {"text": "Send the   colour proof"}, "Send the colour proof"),
        ("manual", {"text": ""}, "Light touch"),
        ("manual", {}, "Light touch"),
        ("signal:not_known_here", {"since": SINCE}, "Light touch"),
    ],
)
def test_says_why(rule, facts, words):
    assert said(rule, facts) == words


def test_grows_with_the_days_though_nothing_is_written():
    facts = {"since": SINCE, "own_gap": 24.0, "days": 3}
    later = said("signal:order_silence", facts, day=TODAY + dt.timedelta(days=2))
    assert later == "No order for 65 days, usual gap 24"


def width(text):
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_fits_the_row_in_both_languages(language):
    with translation.override(language):
        for kind in TouchKind.values:
            for days in (1, 7, 10, 30, 45, 90, 182, 365, 1095):
                words = said(f"cadence:{kind}", {"every_days": days}, kind)
                assert width(words) <= WIDTH
                assert "…" not in words
        words = said("signal:order_silence", {"since": "2011-12-09", "own_gap": 365.0})
        assert width(words) <= WIDTH
        assert "…" not in words


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ("x" * 38, "x" * 38),
        ("x" * 39, "x" * 37 + "…"),
        ("客" * 19, "客" * 19),
        ("客" * 20, "客" * 18 + "…"),
    ],
)
def test_cuts_what_people_wrote_at_the_width_of_the_row(text, short):
    assert cut(text) == short
    assert width(cut(text)) <= WIDTH


def test_keeps_a_reason_to_wait_as_code_or_as_written():
    assert snooze_words(SnoozeReason.CLOSED) == "Customer closed until a date"
    assert snooze_words("Stocktaking") == "Stocktaking"
