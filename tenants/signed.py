"""Short signed references to a row of a tenant, for addresses that are given out: in a mail, in a link.

They are letters and digits in one case, since mail servers may change the case of an address.
"""

from __future__ import annotations

import base64
import hmac
from typing import Final

from django.conf import settings
from django.utils.crypto import salted_hmac

_DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
_BYTES: Final = 15
"""120 bits: 24 letters."""


def sign(kind: str, tenant_id: int, number: int) -> str:
    """A reference to row `number` of a tenant, good for `kind` alone: "1x2s-…"; nobody can make one without the key."""
    said = f"{_base36(tenant_id)}-{_base36(number)}"
    return f"{said}-{_signature(kind, said, settings.SECRET_KEY)}"


def unsign(kind: str, text: str) -> tuple[int, int] | None:
    """The tenant and the row that a reference of this kind names, or None for what we did not sign."""
    said, _dash, signature = text.strip().lower().rpartition("-")
    tenant, _dash, number = said.partition("-")
    if not (_is_number(tenant) and _is_number(number)):
        return None
    keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    good = [hmac.compare_digest(signature.encode(), _signature(kind, said, key).encode()) for key in keys]
    return (int(tenant, 36), int(number, 36)) if any(good) else None


def _signature(kind: str, said: str, key: str) -> str:
    digest = salted_hmac(f"perennial.{kind}", said, secret=key, algorithm="sha256").digest()[:_BYTES]
    return base64.b32encode(digest).decode().lower()


def _is_number(text: str) -> bool:
    return 0 < len(text) <= 12 and not set(text) - set(_DIGITS)


def _base36(number: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, 36)
        digits = _DIGITS[digit] + digits
    return digits or "0"
