"""How often somebody without sign-in may ask: counted in the cache, so that several servers count together."""

from __future__ import annotations

from allauth.account.adapter import get_adapter
from django.core.cache import cache
from django.http import HttpRequest


def may_ask(name: str, key: str, *, most: int, seconds: int) -> bool:
    """Whether `key` may do `name` once more: at most `most` times in `seconds`, counted from the first."""
    place = f"limit:{name}:{key}"
    cache.add(place, 0, timeout=seconds)
    try:
        return cache.incr(place) <= most
    except ValueError:  # it ran out between the two
        return True


def address_of(request: HttpRequest) -> str:
    """The caller's IP address; proxies count as allauth is told (ALLAUTH_TRUSTED_PROXY_COUNT)."""
    return str(get_adapter().get_client_ip(request))
