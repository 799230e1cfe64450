"""Frames of Python's call stack in one piece (config/stack.py)."""

from __future__ import annotations

import resource
from collections.abc import Callable

from config.stack import in_one_piece

CALLS = 2_000


def _nothing(_number: int) -> None:
    """A call like the many of a loop, with a frame of usual size."""


_nothing.__code__ = _nothing.__code__.replace(co_stacksize=60)


def _faults_at(depth: int) -> int:
    """Pages of memory that CALLS calls take anew, from so deep in the stack."""
    if depth:
        return _faults_at(depth - 1)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for number in range(CALLS):
        _nothing(number)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def _worst() -> int:
    """At the depth where it takes most."""
    return max(_faults_at(depth) for depth in range(250))


def test_it_takes_no_memory_anew_for_each_call_at_whatever_depth() -> None:
    assert in_one_piece(_worst)() < CALLS


def test_it_hands_on_what_is_given_and_what_comes_back() -> None:
    def served(first: int, *, second: int) -> tuple[int, int]:
        return first, second

    roomy: Callable[..., tuple[int, int]] = in_one_piece(served)
    assert roomy(1, second=2) == (1, 2)
