"""Are worker and beat alive? Each leaves the time of its last sign in Redis; the page reads both."""

import datetime as dt
import logging
import time
from typing import Final, Literal

from django.core.cache import cache
from redis.exceptions import RedisError

log = logging.getLogger("perennial.heartbeat")

Part = Literal["worker", "beat"]
PARTS: Final[tuple[Part, ...]] = ("worker", "beat")
SILENT_AFTER_SECONDS: Final = 90
_written: dict[str, float] = {}


def beat(part: Part) -> None:
    """Say that `part` is alive; at most once in ten seconds, and never fatal to the part itself."""
    now = time.time()
    if now - _written.get(part, 0) < 10:
        return
    _written[part] = now
    try:
        cache.set(f"heartbeat:{part}", now, timeout=24 * 3600)
    except RedisError as error:
        log.warning("heartbeat of %s not written: %s", part, error)


def silent_parts() -> dict[Part, dt.datetime | None]:
    """The parts not heard of for 90 seconds, and since when; None for a day or more.

    All of them when Redis does not answer.
    """
    try:
        seen = cache.get_many([f"heartbeat:{part}" for part in PARTS])
    except RedisError:
        return dict.fromkeys(PARTS)
    oldest = time.time() - SILENT_AFTER_SECONDS
    signs = {part: seen.get(f"heartbeat:{part}") for part in PARTS}
    return {
        part: None if sign is None else dt.datetime.fromtimestamp(sign, tz=dt.UTC)
        for part, sign in signs.items()
        if sign is None or sign < oldest
    }
