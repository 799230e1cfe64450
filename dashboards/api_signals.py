"""The API of the signals' dry run: what is sent, and what comes back."""

from __future__ import annotations

from typing import Any

import polars as pl
from rest_framework import serializers

from customers.models import Customer
from dashboards.dry_run_signals import SignalReplay
from risk.models import Alert
from risk.signals.words import NO_DATA, WHAT
from tenants.models import Member


class SignalTrialSerializer(serializers.Serializer):
    """One signal: for how many customers it would have fired in the quarter, and how many of these then lapsed.

    before is under the version in force, after under the draft.
    """

    signal = serializers.ChoiceField(choices=Alert.Signal.choices)
    name = serializers.CharField()
    what = serializers.CharField(help_text="When it fires, in words.")
    is_watched = serializers.BooleanField(help_text="By the draft.")
    is_replayed = serializers.BooleanField(help_text="If not, it rests on what a night said, which nobody has kept.")
    known = serializers.IntegerField(help_text="Of how many customers enough was known, on the day with the most.")
    no_data = serializers.CharField(help_text="What there is no data of, in words; empty where there is some.")
    before = serializers.IntegerField()
    before_lapsed = serializers.IntegerField()
    after = serializers.IntegerField()
    after_lapsed = serializers.IntegerField()


class SignalHitSerializer(serializers.Serializer):
    """A customer for whom a signal would have fired: on which day first, and whether no order came in the days after."""

    customer = serializers.CharField()
    fired_on = serializers.DateField()
    lapsed = serializers.BooleanField()


class SignalDryRunSerializer(serializers.Serializer):
    """What a draft's signals would have fired in a past quarter, from first to last. Nothing of it is written.

    Lapsed: no order for horizon_days from the day on which it fired. Of those who had ordered before the quarter,
    ordered, as many as lapsed went for as long without an order whatever fired.
    """

    version = serializers.IntegerField(help_text="The version in force, with which the draft is compared.")
    first = serializers.DateField()
    last = serializers.DateField()
    horizon_days = serializers.IntegerField()
    customers = serializers.IntegerField(help_text="Who was looked at.")
    everybody = serializers.IntegerField(help_text="More than customers: those are a sample.")
    is_sample = serializers.BooleanField()
    ordered = serializers.IntegerField()
    lapsed = serializers.IntegerField()
    found = serializers.IntegerField(help_text="For how many customers anything would have fired, by the draft.")
    signals = SignalTrialSerializer(many=True)
    hits = SignalHitSerializer(
        many=True, allow_null=True, help_text="Of the signal that was asked for, by the draft; customers that you see."
    )


def told(replay: SignalReplay, version: int, hits_of: str | None, member: Member) -> dict[str, Any]:
    """A replay as SignalDryRunSerializer takes it, with the customers behind one signal where it is asked for.

    The numbers are the whole firm's, as the policy is; of single customers a member hears of those that they see.
    """
    names = (
        "first", "last", "horizon_days", "customers", "everybody", "is_sample", "ordered", "lapsed", "found",
    )  # fmt: skip
    numbers = ("known", "before", "before_lapsed", "after", "after_lapsed", "is_watched", "is_replayed")
    signals = [
        {name: getattr(row, name) for name in numbers}
        | {
            "signal": row.signal,
            "name": Alert.Signal(row.signal).label,
            "what": WHAT[row.signal],
            "no_data": _no_data(row.signal, known=row.known),
        }
        for row in replay.rows
    ]
    hits = None
    if hits_of is not None:
        rows = replay.hits.filter(pl.col("signal") == hits_of).select("customer_id", "on", "lapsed").rows()
        asked = Customer.objects.visible_to(member).filter(pk__in=[customer for customer, _on, _lapsed in rows])
        seen = set(asked.values_list("pk", flat=True))
        hits = [
            {"customer": str(customer), "fired_on": on, "lapsed": lapsed}
            for customer, on, lapsed in rows
            if customer in seen
        ]
    return {name: getattr(replay, name) for name in names} | {"version": version, "signals": signals, "hits": hits}


def _no_data(signal: Any, *, known: int) -> str:
    return "" if known else str(NO_DATA[signal])
