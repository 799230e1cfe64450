"""From cells to typed columns: every field by its type, a batch at a time; each refused line with its reason."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from zoneinfo import ZoneInfo

import polars as pl
from django.conf import settings
from django.utils import translation

from customers.imports.fields import (
    KEY_FIELD,
    NO,
    YES,
    Choice,
    Currency,
    Day,
    Email,
    Field,
    MemberEmail,
    Moment,
    Number,
    Text,
    Type,
    Words,
    YesNo,
    fields_of,
)
from customers.imports.readers import SHOWN, Batch
from customers.models import Import
from customers.rules import orders as rules

FAILURES: Final = {
    "line": pl.Int64,
    "external_id": pl.String,
    "field": pl.String,
    "code": pl.String,
    "value": pl.String,
    "detail": pl.String,
}
"""A refused line: where it stands, whose it is, and what `problems.reason` needs to say why."""

_UTC: Final = pl.Datetime("us", "UTC")
FIRST_YEAR, LAST_YEAR = 1970, 2100  # beyond these a date is a slip of the pen
_CONTROL: Final = r"[\x00-\x08\x0B\x0C\x0E-\x1F\x7F]"
_EMAIL: Final = r"^[^@\s]+@[^@\s]+\.[^@\s]+$"
_NUMBER: Final = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)$"

Read = tuple[pl.Series, pl.Series]
"""The typed values, and the codes of what is wrong with them (null: nothing)."""


@dataclass(frozen=True)
class Firm:
    """What checking needs to know of the tenant."""

    zone: str
    currency: str
    members: Mapping[str, int]  # the e-mail addresses of active members, in lower case, and their ids


@dataclass(frozen=True)
class Checked:
    """The rows of a batch that can be merged, typed, and those that cannot."""

    good: pl.DataFrame
    failed: pl.DataFrame


def check(kind: str, batch: Batch, mapped: Mapping[str, str], firm: Firm) -> Checked:
    """Type the cells of a batch. `good` has `line` and a column for each field of the kind, mapped or not.

    Quantities, prices and rates are points (customers.rules.orders), times are UTC, members are their ids.
    """
    fields = [field for field in fields_of(kind) if field.name in mapped]
    texts, values, codes = {}, {}, {}
    for field in fields:
        text = batch.columns[mapped[field.name]].alias(field.name).rechunk().str.strip_chars()
        texts[field.name] = text = text.replace("", None)
        values[field.name], codes[field.name] = _read_field(field, text, firm)
    lines = batch.lines.alias("line").rechunk()
    good = pl.DataFrame([lines, *(value.alias(name) for name, value in values.items())])
    if kind == Import.Kind.ORDERS and not lines.is_empty():
        money = good.select(rules.line_money_points().abs() >= rules.MAX_MONEY_POINTS).to_series()
        codes["unit_price"] = _worse(codes["unit_price"], money, "too_large")
    wrong = pl.DataFrame({name: code.is_not_null() for name, code in codes.items()})
    bad = wrong.select(pl.any_horizontal(pl.all())).to_series() if len(lines) else pl.Series([], dtype=pl.Boolean)
    failed = _failures(kind, lines, texts, codes, bad)
    absent = [pl.lit(None, _dtype(f.type)).alias(f.name) for f in fields_of(kind) if f.name not in mapped]
    return Checked(good.filter(~bad).with_columns(absent), pl.concat([failed, _broken(batch)]))


def _failures(
    kind: str, lines: pl.Series, texts: Mapping[str, pl.Series], codes: Mapping[str, pl.Series], bad: pl.Series
) -> pl.DataFrame:
    """The first thing that is wrong with each bad line, in the order of the fields."""
    frame = pl.DataFrame(
        [
            lines,
            *(text.alias(f"text_{name}") for name, text in texts.items()),
            *(code.alias(f"code_{name}") for name, code in codes.items()),
        ]
    ).filter(bad)

    def first(then: Any) -> pl.Expr:
        return pl.coalesce(
            pl.when(pl.col(f"code_{name}").is_not_null()).then(then(name)).otherwise(None) for name in codes
        )

    keys = [pl.col(f"text_{name}") for name in (KEY_FIELD[kind], "customer") if name in texts]
    return frame.select(
        "line",
        external_id=pl.coalesce(keys),
        field=first(pl.lit),
        code=first(lambda name: pl.col(f"code_{name}")),
        value=first(lambda name: pl.col(f"text_{name}").str.slice(0, SHOWN)),
        detail=pl.lit(None, pl.String),
    )


def _broken(batch: Batch) -> pl.DataFrame:
    rows = [(line, None, None, broken.code, broken.value, broken.detail) for line, broken in batch.broken]
    return pl.DataFrame(rows, schema=FAILURES, orient="row")


def _worse(codes: pl.Series, also: pl.Series, code: str) -> pl.Series:
    """The codes, with `code` where nothing was wrong yet and `also` is true."""
    frame = pl.DataFrame([codes.alias("codes"), also.alias("also")])
    return frame.select(
        pl.when(pl.col("codes").is_null() & pl.col("also")).then(pl.lit(code)).otherwise("codes")
    ).to_series()


# ── one field ───────────────────────────────────────────────────────────────


def _read_field(field: Field, text: pl.Series, firm: Firm) -> Read:
    values, codes = _read(field.type, text, firm)
    if field.required:
        codes = _worse(codes, text.is_null(), "missing")
    return values, codes


def _read(kind: Type, text: pl.Series, firm: Firm) -> Read:
    match kind:
        case MemberEmail():
            ids = text.str.to_lowercase().replace_strict(dict(firm.members), default=None, return_dtype=pl.Int64)
            return ids, _codes(text, unknown_member=ids.is_null())
        case Email():
            return text, _codes(text, email=~text.str.contains(_EMAIL), too_long=text.str.len_chars() > kind.max)
        case Currency():
            upper = text.str.to_uppercase()
            return upper, _codes(text, currency=~upper.str.contains("^[A-Z]{3}$"))
        case Words():
            split = text.str.replace_all("[,，；、|]", ";").str.split(";")
            words = split.list.eval(pl.element().str.strip_chars().filter(pl.element().str.strip_chars() != ""))
            long = words.list.eval(pl.element().str.len_chars()).list.max() > kind.each
            return words, _codes(text, **_text_faults(kind, text), long_word=long)
        case Text():
            return text, _codes(text, **_text_faults(kind, text))
        case Number():
            return _read_number(kind, text)
        case Moment():
            return _read_moment(text, firm.zone)
        case Day():
            return _read_day(text, firm.zone)
        case YesNo():
            names = dict.fromkeys(YES, True) | dict.fromkeys(NO, False)
            found = text.str.to_lowercase().replace_strict(names, default=None, return_dtype=pl.Boolean)
            return found, _codes(text, choice=found.is_null())
        case Choice():
            found = text.str.to_lowercase().replace_strict(_names(kind), default=None, return_dtype=pl.String)
            return found, _codes(text, choice=found.is_null())


def _codes(text: pl.Series, **faults: pl.Series) -> pl.Series:
    """The first fault of each value by name; null where there is no value or no fault."""
    if not faults:
        return pl.Series([None] * len(text), dtype=pl.String)
    frame = pl.DataFrame([text.is_not_null().alias("said"), *(f.alias(name) for name, f in faults.items())])
    chain = pl.coalesce(pl.when(pl.col(name)).then(pl.lit(name)) for name in faults)
    return frame.select(pl.when("said").then(chain)).to_series()


def _text_faults(kind: Text, text: pl.Series) -> dict[str, pl.Series]:
    return {"control": text.str.contains(_CONTROL), "too_long": text.str.len_chars() > kind.max}


def _read_number(kind: Number, text: pl.Series) -> Read:
    shaped = text.str.contains(_NUMBER)
    # A float holds what is below the limits to more digits than the points need: rounding gives it exactly.
    value = text.cast(pl.Float64, strict=False)
    small = value.abs() < float(kind.limit)
    points = pl.select(pl.when(small).then((value * 10**kind.places).round())).to_series().cast(pl.Int64)
    faults = {
        "number": ~shaped,
        "decimals": text.str.contains(rf"\.[0-9]{{{kind.places}}}[0-9]*[1-9]"),
        "too_large": ~small,
    }
    if kind.positive:
        faults["not_positive"] = points <= 0
    return points, _codes(text, **faults)


def _names(kind: Choice) -> dict[str, str]:
    """What a value may be called: itself, its label in every language, its other names."""
    found: dict[str, str] = {}
    for value, names in kind.names.items():
        labels = []
        for language, _name in settings.LANGUAGES:
            with translation.override(language):
                labels.append(str(getattr(value, "label", value)))
        found |= dict.fromkeys((name.lower() for name in (str(value), *labels, *names)), str(value))
    return found


# ── dates and times ─────────────────────────────────────────────────────────


def _read_moment(text: pl.Series, zone: str) -> Read:
    """Times as UTC; one without a zone is the tenant's local time.

    A time that the clocks show twice (in autumn) is the first of the two. One that they skip (in spring) is
    as long after the jump as it would have been without it: 01:30 becomes 02:30 summer time.
    """
    naive, aware = _parsed(text)
    local = naive.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null").dt.convert_time_zone("UTC")
    skipped = naive.is_not_null() & local.is_null()
    if skipped.any():
        info = ZoneInfo(zone)
        moved = [t.replace(tzinfo=info).astimezone(dt.UTC) if s else None for t, s in zip(naive, skipped, strict=True)]
        local = local.zip_with(~skipped, pl.Series(moved, dtype=_UTC))
    moment = aware.zip_with(aware.is_not_null(), local)
    return moment, _codes(text, time=moment.is_null(), year=~moment.dt.year().is_between(FIRST_YEAR, LAST_YEAR))


def _read_day(text: pl.Series, zone: str) -> Read:
    naive, aware = _parsed(text)
    local = aware.dt.convert_time_zone(zone).dt.date()
    day = local.zip_with(local.is_not_null(), naive.dt.date())
    return day, _codes(text, day=day.is_null(), year=~day.dt.year().is_between(1900, LAST_YEAR))


def _parsed(text: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Naive times and those with a zone (as UTC), each null where the text is of the other sort or neither.

    Only forms that mean one thing: 2026-03-31, also with 14:30, 14:30:00 or 14:30:00.5 and with Z or +08:00;
    the same with slashes or 年月日. 03/04/2026 is two days, depending on who wrote it.
    """
    naive = text.str.to_datetime("%Y-%m-%d %H:%M:%S", strict=False, time_unit="us")
    rest = text.is_not_null() & naive.is_null()
    if not rest.any():
        return naive, pl.Series([None] * len(text), dtype=_UTC)
    plain = (
        text.filter(rest)
        .str.replace_all("[/年月]", "-")
        .str.replace("日", " ", literal=True)
        .str.replace("([0-9])[T ] *([0-9])", "${1} ${2}")
        .str.replace("[zZ]$", "+0000")
        .str.replace(" +([+-][0-9]{2}:?[0-9]{2})$", "${1}")
        .str.strip_chars()
    )
    naives = [
        plain.str.to_datetime(f, strict=False, time_unit="us") for f in ("%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M")
    ]
    days = plain.str.to_date("%Y-%m-%d", strict=False).cast(pl.Datetime("us"))
    zoned = [
        plain.str.to_datetime(f, strict=False, time_unit="us").cast(_UTC)
        for f in ("%Y-%m-%d %H:%M:%S%.f%z", "%Y-%m-%d %H:%M%z")
    ]
    places = rest.arg_true()
    return (
        naive.scatter(places, pl.select(pl.coalesce(*naives, days)).to_series()),
        pl.Series([None] * len(text), dtype=_UTC).scatter(places, pl.select(pl.coalesce(*zoned)).to_series()),
    )


def _dtype(kind: Type) -> Any:
    match kind:
        case MemberEmail() | Number():
            return pl.Int64
        case Words():
            return pl.List(pl.String)
        case Moment():
            return _UTC
        case Day():
            return pl.Date
        case YesNo():
            return pl.Boolean
    return pl.String
