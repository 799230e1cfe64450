"""Python's call stack in one piece, as long as a request lasts.

CPython keeps its frames in pieces of 16 KB. A call that begins a new piece takes it from the system, and gives it back when
it returns: where a loop happens to stand at the end of a piece, each of its calls does so. Of a list of fifty rows that was
a third of the processor time (docs/scale.md). A frame that asks for much room gets a piece of that size; what is called
within it lies there, too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, ParamSpec, TypeVar

Given = ParamSpec("Given")
Answer = TypeVar("Answer")

SLOTS: Final = 64 * 1024
"""Of 8 bytes each: some ten times what a page needs. Memory that is not written to costs nothing."""


def in_one_piece(call: Callable[Given, Answer]) -> Callable[Given, Answer]:
    """The same call, with room for the frames of all that it calls."""

    def roomy(*args: Given.args, **kwargs: Given.kwargs) -> Answer:
        return call(*args, **kwargs)

    roomy.__code__ = roomy.__code__.replace(co_stacksize=SLOTS)
    return roomy
