"""Why a file or a line of it is refused: kept as a code and its values, put into words when somebody reads it."""

from __future__ import annotations

from typing import Any, Self

from django.utils.translation import gettext_lazy as _

# The whole file is refused, and nothing of it is written.
_OF_FILE = {
    "suffix": _("“%(name)s” cannot be read: the file must end in %(known)s."),
    "old_excel": _("“%(name)s” is a file of an old Excel: save it as .xlsx or .csv."),
    "too_large": _("The file has more than %(limit)s, unpacked; divide it."),
    "empty": _("The file is empty."),
    "header_only": _("The file has a header and no line below it."),
    "truncated": _("The file breaks off in the middle of the compressed data: it was not transferred completely."),
    "not_gzip": _("The file ends in .gz, but its content is not compressed by gzip, or it is damaged."),
    "not_excel": _("The file ends in .xlsx, but its content is not an Excel workbook, or it is damaged or locked."),
    "utf16": _("The file is in UTF-16: save it as “CSV UTF-8”."),
    "encoding": _(
        "The file is neither in UTF-8 nor in GB18030: line %(line)s has the byte %(byte)s (byte %(position)s of the file). "
        "Save it as UTF-8."
    ),
    "long_line": _("Line %(line)s has more than %(limit)s: this is no table."),
    "open_quote": _("The quotation mark opened in line %(line)s is never closed."),
    "json_header": _("The first line is no JSON object: %(value)s"),
    "mapping_shape": _("The mapping must be one JSON object, from our field to the column of the file."),
    "unknown_field": _("The mapping names %(fields)s, which is no field of this kind of file; there are: %(known)s."),
    "unknown_column": _("The mapping names the column %(columns)s, which the file does not have; it has: %(headers)s."),
    "missing_fields": _("No column is mapped to %(fields)s; the file has: %(headers)s."),
    "column_twice": _("The file has the column %(columns)s more than once."),
    "file_gone": _("The file is no longer there: upload it again."),
    "gave_up": _("The import broke off %(attempts)s times at the same place. What was written until then stays."),
    "broken": _("The import broke off: %(error)s What was written until then stays."),
}

# One line is refused, and the rest imported.
_OF_LINE = {
    "cells": _("The line has %(value)s cells, the header %(detail)s."),
    "quotes": _("A quotation mark stands in the wrong place (line %(value)s)."),
    "json": _("The line is no JSON object."),
    "nested": _("%(value)s holds an object, not a value."),
    "missing": _("%(label)s is missing."),
    "control": _("%(label)s contains a control character."),
    "too_long": _("%(label)s has more than %(max)s characters."),
    "long_word": _("“%(value)s” has a word of more than %(each)s characters."),
    "number": _("“%(value)s” is no number; write it like 1234.56."),
    "decimals": _("%(value)s has more than %(places)s decimals."),
    "too_large": _("%(value)s is too large."),
    "not_positive": _("%(value)s is not more than zero."),
    "time": _("“%(value)s” is no date with a time; write it like 2026-03-31 14:30."),
    "day": _("“%(value)s” is no date; write it like 2026-03-31."),
    "year": _("“%(value)s” lies too far away."),
    "choice": _("“%(value)s” is none of: %(choices)s."),
    "email": _("“%(value)s” is no e-mail address."),
    "currency": _("“%(value)s” is no currency; write three capital letters, like GBP."),
    "other_customer": _("The order belongs to customer %(detail)s by its first line, not to %(value)s."),
    "other_currency": _("The order is in %(detail)s by its first line, not in %(value)s."),
    "no_rate": _("The order is in %(value)s: it needs its exchange rate to %(detail)s."),
    "needless_rate": _("The order is in %(detail)s, the firm's own currency: its exchange rate is 1, not %(value)s."),
    "order_too_large": _("The order has more money than can be held."),
    "unknown_customer": _("There is no customer %(value)s."),
    "unknown_order": _("The customer has no order %(value)s."),
    "unknown_contact": _("The customer has no contact %(value)s."),
    "unknown_complaint": _("The customer has no complaint %(value)s."),
    "before_opened": _("It cannot be solved (%(value)s) before it was opened."),
    "scale": _("%(value)s is beside the scale: %(detail)s."),
    "referral_itself": _("Customer %(value)s cannot recommend us to itself."),
    "referral_circle": _("Customer %(value)s came by way of this customer itself: that would be a circle."),
    "referral_claimed": _("Customer %(value)s is claimed already. %(detail)s"),
    "referral_not_new": _("Customer %(value)s had ordered before. %(detail)s"),
    "referral_in_the_future": _("The day %(value)s is still to come."),
    "referral_withdrawn": _("The referral of customer %(value)s is withdrawn; it has to be recorded anew."),
    "unknown_member": _("“%(value)s” is no active member of this firm."),
}


class ImportProblem(Exception):
    """A file that is refused as a whole. `str()` says why, in the language that is active."""

    def __init__(self, code: str, **values: Any) -> None:
        super().__init__(code)
        self.code = code
        self.values = values

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> Self:
        """The problem that `as_json` stored."""
        values = dict(stored)
        return cls(values.pop("code"), **values)

    def as_json(self) -> dict[str, Any]:
        return {"code": self.code, **self.values}

    def __str__(self) -> str:
        return str(_OF_FILE[self.code]) % self.values


def reason(code: str, values: dict[str, Any]) -> str:
    """Why a line was refused, in the language that is active."""
    return str(_OF_LINE[code]) % values
