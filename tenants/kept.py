"""What is worked out once and kept in the process's memory, by all that it depends on."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Kept(Generic[K, V]):
    """Values by their keys, at most so many: full, it begins anew.

    A key says all that its value depends on, the tenant, the person and the language too where they matter: nothing is
    ever told to forget. Other than `lru_cache`, what a value is made from need not be the key itself.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._values: dict[K, V] = {}

    def get(self, key: K, make: Callable[[], V]) -> V:
        """The value of a key, made if it is not there. Two who ask at once may both make it: they make the same."""
        try:
            return self._values[key]
        except KeyError:
            value = make()
        if len(self._values) >= self._most:
            self._values.clear()
        self._values[key] = value
        return value
