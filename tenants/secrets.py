"""Keys that firms hand over, kept encrypted under the installation's SECRET_KEY."""

from __future__ import annotations

import base64
import hashlib

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings


def _box() -> MultiFernet:
    keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    return MultiFernet(
        [Fernet(base64.urlsafe_b64encode(hashlib.sha256(b"perennial secrets" + key.encode()).digest())) for key in keys]
    )


def seal(text: str) -> str:
    """The text, readable only with the installation's key."""
    return _box().encrypt(text.encode()).decode()


def unseal(sealed: str) -> str | None:
    """The text again; None when the key has changed since: it has to be entered anew."""
    try:
        return _box().decrypt(sealed.encode()).decode()
    except InvalidToken:
        return None
